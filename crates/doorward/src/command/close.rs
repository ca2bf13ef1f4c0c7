//! `doorward close`: takes a grant back at once.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use doorward_core::grant::GrantId;
use doorward_core::policy::TargetName;

use super::backend::{self, Backend, BackendOptions};
use super::{Code, Failure};
use crate::client::Client;
use crate::requests::{Caller, ClosedView, GrantView, LivesOn, Requests};
use crate::status::Standing;

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
                let running = backend::start(*file).await?;
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
            false => requests.current(&caller.person).await.map_err(super::request_failure)?,
        };
        let mut first = Ok(());
        for id in self.chosen(&mine)? {
            match requests.close(caller, &id).await.map_err(super::request_failure) {
                Ok(done) => closed.push(requests.closed(done)),
                Err(failure) => first = first.and(Err(failure)),
            }
        }
        first
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
    let why = match &closed.standing {
        Standing::InSync => return None,
        Standing::Failing { why } => why,
        Standing::Unknown => "its firewall has not responded yet",
    };
    let failure = Failure::new(
        Code::Unavailable,
        format!("{} has ended, but its rule may still exist: {why}", closed.grant.id),
    );
    Some(
        failure.hint("the server retries until it is gone; `doorward sweep` revokes it after it has expired"),
    )
}
