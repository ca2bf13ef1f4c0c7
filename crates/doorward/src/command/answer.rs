//! `doorward approve` and `doorward reject`: answers to a request that waits.

use std::path::Path;

use clap::Args;
use doorward_core::grant::GrantId;

use super::Failure;
use super::ways::{self, Found, Way};
use crate::requests::Answer;

/// Approve a request that waits
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward approve g-k3v9t2m4x7q8
  doorward approve g-k3v9t2m4x7q8 --seen 1

Where the person holds the target already, their grant lasts longer from then on.")]
pub struct Approve {
    /// The request
    pub grant: GrantId,
    /// How often the request was changed when you saw it; what was changed since is not approved
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    pub seen: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) way: Way,
}

/// Deny a request that waits
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward reject g-k3v9t2m4x7q8
  doorward reject g-k3v9t2m4x7q8 --reason 'an hour is enough for that'")]
pub struct Reject {
    /// The request
    pub grant: GrantId,
    /// Why; the person who asked reads it, and it is recorded
    #[arg(long)]
    pub reason: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) way: Way,
}

impl Approve {
    /// Approves.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        answer(policy, self.way, &self.grant, Answer::Approve { seen: self.seen }, self.json)
    }
}

impl Reject {
    /// Denies.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        answer(policy, self.way, &self.grant, Answer::Deny { reason: self.reason }, self.json)
    }
}

fn answer(policy: &Path, way: Way, grant: &GrantId, answer: Answer, json: bool) -> Result<(), Failure> {
    let agree = matches!(answer, Answer::Approve { .. });
    let answered = match way.find(policy)? {
        Found::Server(client) => client.answer(grant, &answer).map_err(super::server_failure)?,
        Found::Local(file, caller) => super::runtime()?.block_on(async {
            let running = ways::start(*file).await?;
            let requests = running.requests();
            let answered = match requests.answer(&caller, grant, answer).await {
                Ok(opened) => Ok(requests.opened(opened).await),
                Err(error) => Err(error),
            };
            running.stop().await;
            answered.map_err(super::request_failure)
        })?,
    };
    if json {
        return super::print(&super::json(&answered)?);
    }
    let asked = grant;
    let grant = &answered.grant;
    let until = grant.until.map(super::instant).unwrap_or_default();
    let said = match agree {
        true if answered.extended => format!("extended until {until}, as {asked} asked"),
        true => format!("open until {until}"),
        false => "denied".into(),
    };
    super::print(&format!("{} of {} to {} is {said}\n", grant.id, grant.person, grant.target))
}
