//! `doorward list`: what you may open, and what is open.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::Failure;
use super::backend::{Backend, BackendOptions};
use crate::clock::Clock;
use crate::requests::{GrantView, Offer, State};
use crate::status::SyncState;

/// List the targets that you may open, and your grants
///
/// Requests that wait for your approval are listed, too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward list
  doorward list --all          grants of everybody, for operators
  doorward list --history      past grants
  doorward list --json | jq -r '.grants[].id'")]
pub struct List {
    /// List the grants of everybody; for operators
    #[arg(long)]
    pub all: bool,
    /// List your past grants, most recent first
    #[arg(long, conflicts_with = "all")]
    pub history: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) backend: BackendOptions,
}

#[derive(Serialize)]
struct Listed {
    targets: Vec<Offer>,
    grants: Vec<GrantView>,
    /// Requests that the person may approve or deny.
    to_answer: Vec<GrantView>,
}

impl List {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let backend = self.backend.find(policy)?;
        let reconciled = matches!(backend, Backend::Server(_));
        let listed = match backend {
            Backend::Server(client) => {
                let targets = client.targets().map_err(super::server_failure)?;
                let grants = if self.history { client.history() } else { client.grants(self.all) };
                let to_answer = if self.history { Ok(Vec::new()) } else { client.to_answer() };
                let to_answer = to_answer.map_err(super::server_failure)?;
                Listed { targets, grants: grants.map_err(super::server_failure)?, to_answer }
            }
            Backend::Local(file, caller) => super::runtime()?.block_on(async {
                let (requests, _nudged) =
                    crate::running::requests(std::sync::Arc::new(*file), Clock::system()).await?;
                let grants = if self.all {
                    requests.views().all(&caller).await
                } else if self.history {
                    requests.views().history(&caller.person, 100).await
                } else {
                    requests.views().current(&caller.person).await
                };
                let to_answer = match self.history {
                    true => Ok(Vec::new()),
                    false => requests.views().to_answer(&caller.person).await,
                };
                let listed = Listed {
                    targets: requests.views().offers(&caller.person),
                    grants: grants.map_err(super::request_failure)?,
                    to_answer: to_answer.map_err(super::request_failure)?,
                };
                requests.app().store().close().await;
                Ok::<_, Failure>(listed)
            })?,
        };
        if self.json {
            return super::print(&super::json(&listed)?);
        }
        let mut text = String::new();
        if !self.history {
            text.push_str(&targets(&listed.targets));
            text.push_str(&to_answer(&listed.to_answer));
        }
        text.push_str(&grants(&listed.grants, &self, reconciled, Timestamp::now()));
        super::print(&text)
    }
}

fn targets(offers: &[Offer]) -> String {
    if offers.is_empty() {
        return "You may not open any target: no target names one of your groups.\n".into();
    }
    let rows = offers.iter().map(|offer| {
        let ports: Vec<String> = offer.ports.iter().map(ToString::to_string).collect();
        let lasts = super::in_words(jiff::SignedDuration::from_secs(offer.usually));
        let most = super::in_words(jiff::SignedDuration::from_secs(offer.at_most));
        vec![
            offer.target.to_string(),
            ports.join(" "),
            format!("{lasts}, at most {most}"),
            offer.about.clone(),
        ]
    });
    super::table(&["YOU MAY OPEN", "PORTS", "LASTS", ""], rows.collect())
}

/// What waits for an answer, and how to give it; nothing where nothing waits.
fn to_answer(grants: &[GrantView]) -> String {
    if grants.is_empty() {
        return String::new();
    }
    let rows = grants.iter().map(|grant| {
        let lasts = jiff::SignedDuration::from_secs(grant.asked_for.unwrap_or_default());
        vec![
            grant.id.to_string(),
            format!("{} to {}", grant.person, grant.target),
            grant.source.to_string(),
            super::in_words(lasts),
            grant.reason.clone().unwrap_or_default(),
        ]
    });
    let table = super::table(&["TO APPROVE", "WHO", "FROM", "FOR", "WHY"], rows.collect());
    format!("\n{table}Answer with `doorward approve REQUEST` or `doorward reject REQUEST`.\n")
}

/// Grants as a table. `reconciled`: a server observes their firewalls and revokes them.
fn grants(
    grants: &[GrantView],
    &List { all, history, .. }: &List,
    reconciled: bool,
    now: Timestamp,
) -> String {
    if grants.is_empty() {
        return if history {
            "\nThere are no past grants.\n".into()
        } else {
            "\nNo grants are open.\n".into()
        };
    }
    let rows = grants.iter().map(|grant| {
        let left = grant.until.map(|until| match grant.state {
            _ if grant.overdue.is_some() => format!("expired {}, not revoked", super::instant(until)),
            State::Open => format!("in {}", super::left(until, now)),
            State::Waiting => match grant.asked_for.map(jiff::SignedDuration::from_secs) {
                Some(lasts) => format!("waits for approval, for {}", super::in_words(lasts)),
                None => "waits for approval".into(),
            },
            State::Ended => {
                format!("{} ({})", super::instant(until), grant.ended.clone().unwrap_or_default())
            }
        });
        let sync_state = match (&grant.sync_state, &grant.overdue) {
            (_, Some(overdue)) => format!("not revoked: {}", overdue.why),
            _ if grant.unrecorded.is_some() => {
                format!("not recorded yet: {}", grant.unrecorded.as_deref().unwrap_or_default())
            }
            (Some(SyncState::Failing { why }), _) => format!("not open yet: {why}"),
            (Some(SyncState::Unknown), _) if reconciled => {
                "not open yet: its firewall has not responded".into()
            }
            _ => grant.reason.clone().unwrap_or_default(),
        };
        let who = if all { format!("{} ", grant.person) } else { String::new() };
        let source = grant.source.to_string();
        vec![
            grant.id.to_string(),
            format!("{who}{}", grant.target),
            source,
            left.unwrap_or_default(),
            sync_state,
        ]
    });
    let title = if history { "PAST GRANT" } else { "GRANT" };
    let table = super::table(
        &[title, "TARGET", "FROM", if history { "ENDED" } else { "EXPIRES" }, ""],
        rows.collect(),
    );
    let mut text = format!("\n{table}");
    for overdue in grants.iter().filter_map(|grant| grant.overdue.as_ref()) {
        let retries = if reconciled { "Doorward retries by itself. " } else { "" };
        text.push_str(&format!("\n{overdue}.\n{retries}To revoke it manually:\n  {}\n", overdue.fix));
    }
    text
}
