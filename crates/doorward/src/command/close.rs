//! `doorward close`: takes a grant back at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use doorward_core::audit::{Event, What};
use doorward_core::grant::{Ending, GrantId};
use doorward_core::policy::TargetName;

use super::backend::{self, Backend, BackendOptions};
use super::{Code, Failure};
use crate::client::Client;
use crate::clock::Clock;
use crate::requests::{Caller, ClosedView, GrantView, LivesOn, Requests};
use crate::status::SyncState;
use crate::store::{AuditFiles, KeptEnd, keep_without_store};

/// How long the store may take to be opened, before grants are closed without it.
const STARTS: Duration = Duration::from_secs(5);

/// Revoke grants, by their IDs or by target
///
/// The rules of a grant are removed at once, and connections that the built-in relay or a tunnel forwards are cut.
/// A request that waits for approval is withdrawn.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward close orders-db
  doorward close g-k3v9t2m4x7q8
  doorward close --all")]
pub struct Close {
    /// IDs of grants (`g-…`), or targets
    #[arg(required_unless_present = "all", value_name = "GRANT")]
    pub what: Vec<String>,
    /// Revoke all your grants and withdraw all your requests
    #[arg(long, conflicts_with = "what")]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) backend: BackendOptions,
}

impl Close {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let mut closed = Vec::new();
        let done = match self.backend.find(policy)? {
            Backend::Server(client) => self.there(&client, &mut closed),
            Backend::Local(file, caller) => super::runtime()?.block_on(async {
                let files = AuditFiles::of(&file.current().policy, file.path());
                let started = tokio::time::timeout(STARTS, backend::start(*file)).await;
                let running = match started {
                    Ok(Ok(running)) => running,
                    failed => {
                        return Err(self.without_store(&files, &caller, failed.ok().and_then(Result::err)));
                    }
                };
                let done = self.here(running.requests(), &caller, &mut closed).await;
                running.stop().await;
                done
            }),
        };
        if self.json {
            super::print(&super::json(&closed)?)?;
        } else if self.all && closed.is_empty() && done.is_ok() {
            super::print("You have no open grants.\n")?;
        } else {
            super::print(&closed.iter().map(line).collect::<String>())?;
        }
        done?;
        closed.iter().find_map(failure).map_or(Ok(()), Err)
    }

    /// Revokes the grants one after the other, also after one failed; `closed` gets those that were revoked.
    fn there(&self, client: &Client, closed: &mut Vec<ClosedView>) -> Result<(), Failure> {
        let mut first = Ok(());
        let mine = match self.are_ids() {
            true => Vec::new(),
            false => client.grants(false).map_err(super::server_failure)?,
        };
        for id in self.chosen(&mine)? {
            match client.close(&id).map_err(super::server_failure) {
                Ok(done) => closed.push(done),
                Err(failure) => first = first.and(Err(failure)),
            }
        }
        first
    }

    async fn here(
        &self,
        requests: &Requests,
        caller: &Caller,
        closed: &mut Vec<ClosedView>,
    ) -> Result<(), Failure> {
        let mine = match self.are_ids() {
            true => Vec::new(),
            false => requests.views().current(&caller.person).await.map_err(super::request_failure)?,
        };
        let mut first = Ok(());
        for id in self.chosen(&mine)? {
            match requests.close(caller, &id).await.map_err(super::request_failure) {
                Ok(done) => closed.push(requests.views().closed(done)),
                Err(failure) => first = first.and(Err(failure)),
            }
        }
        first
    }

    /// Has grants closed by the server of a store that cannot be opened: whoever reads the key of its audit log may. Says what
    /// was done, and why not more.
    fn without_store(&self, files: &AuditFiles, caller: &Caller, why: Option<Failure>) -> Failure {
        let why = why.unwrap_or_else(|| Failure::new(Code::Unavailable, "the store gave no answer in time"));
        if !self.are_ids() {
            return why.hint("name the grants by their ids (`g-…`): that closes them without the store");
        }
        let now = Clock::system().now();
        let mut kept = Vec::new();
        for id in self.what.iter().filter_map(|word| word.parse::<GrantId>().ok()) {
            let how = Ending::Closed { by: caller.person.clone() };
            let event = Event::new(now, caller.who(), What::Ended { grant: id.clone(), how });
            match keep_without_store(files, &KeptEnd::Grant(event)) {
                Ok(true) => kept.push(id.to_string()),
                Ok(false) => return why,
                Err(error) => {
                    return Failure::of(Code::Unavailable, &error)
                        .context(format!("{id} could not be closed"));
                }
            }
        }
        let kept = kept.join(", ");
        why.context(format!(
            "{kept} is closed, but that is not recorded yet: a server of this store revokes it within seconds"
        ))
    }

    /// Whether every grant is named by its id, so that no list has to be waited for.
    fn are_ids(&self) -> bool {
        !self.all && self.what.iter().all(|word| word.parse::<GrantId>().is_ok())
    }

    fn chosen(&self, mine: &[GrantView]) -> Result<Vec<GrantId>, Failure> {
        if self.all {
            return Ok(mine.iter().map(|grant| grant.id.clone()).collect());
        }
        named(&self.what, |target| {
            let to = mine.iter().filter(|grant| grant.target == *target).map(|grant| grant.id.clone());
            Some(to.collect::<Vec<_>>()).filter(|to| !to.is_empty())
        })
    }
}

/// The grants that words name: each the id of one, or a target, whose grants `to` lists where anything is open to it. A grant
/// that is named twice is one.
pub(super) fn named(
    words: &[String],
    to: impl Fn(&TargetName) -> Option<Vec<GrantId>>,
) -> Result<Vec<GrantId>, Failure> {
    let mut named: Vec<GrantId> = Vec::new();
    for word in words {
        if let Ok(id) = word.parse::<GrantId>() {
            named.push(id);
            continue;
        }
        let target: TargetName = word.parse().map_err(Failure::with(Code::Usage))?;
        let Some(grants) = to(&target) else {
            let failure = Failure::new(Code::No, format!("you have nothing open to `{target}`"));
            return Err(failure.hint("`doorward list` shows what you have open"));
        };
        named.extend(grants);
    }
    let mut seen = BTreeSet::new();
    named.retain(|id| seen.insert(id.clone()));
    Ok(named)
}

/// The result of revoking a grant, as text.
pub(super) fn line(closed: &ClosedView) -> String {
    let grant = &closed.grant;
    let name = format!("{} to {}", grant.id, grant.target);
    if grant.since.is_none() {
        return format!("{name} is withdrawn; it was never open\n");
    }
    let done = match closed.cut {
        0 => closed.closing.to_string(),
        1 => "1 open connection was cut".into(),
        cut => format!("{cut} open connections were cut"),
    };
    let how = match grant.ended.as_deref() {
        Some(how) if !how.starts_with("revoked by") => format!("has ended ({how})"),
        _ => "is revoked".into(),
    };
    let mut text = match failure(closed) {
        // What its firewall does is not known: nothing is promised of connections.
        Some(_) => format!("{name} {how}, but its firewall has not confirmed it yet\n"),
        None => format!("{name} {how}: {done}\n"),
    };
    if let Some(still) = &closed.still {
        text.push_str(&format!("  {} is still admitted by {still}\n", grant.source));
    }
    if let Some(LivesOn { until, why }) = &closed.credentials {
        let until = super::instant(*until);
        text.push_str(&format!(
            "  credentials that were vended for it can start sessions until {until}: {why}\n"
        ));
        text.push_str("  the server ends such sessions as it finds them; `doorward iam --for server` prints the missing permission\n");
    }
    text
}

/// The failure of a grant that was revoked but may still be admitted.
pub(super) fn failure(closed: &ClosedView) -> Option<Failure> {
    // What never was open has no rule.
    closed.grant.since?;
    let why = match &closed.sync_state {
        SyncState::InSync => return None,
        SyncState::Failing { why } => why,
        SyncState::Unknown => "its firewall has not responded yet",
    };
    let failure = Failure::new(
        Code::Unavailable,
        format!("{} has ended, but its rule may still exist: {why}", closed.grant.id),
    );
    Some(
        failure.hint("the server retries until it is gone; `doorward sweep` revokes it after it has expired"),
    )
}
