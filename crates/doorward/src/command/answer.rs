//! `doorward approve` and `doorward reject`: answers to a request that waits.

use std::path::Path;

use clap::Args;
use doorward_core::decision::Seen;
use doorward_core::grant::GrantId;

use super::Failure;
use super::backend::{self, Backend, BackendOptions};
use crate::requests::Answer;

/// Approve a request
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward approve g-k3v9t2m4x7q8
  doorward approve g-k3v9t2m4x7q8 --seen 1-3f0c9a77d1e24b58

If the person has an open grant for the target, the approval extends it. A request is not approved if it was changed \
since it was made, or if the policy was: then the error says what it opens now, and `--seen` approves that.")]
pub struct Approve {
    /// The ID of the request
    pub grant: GrantId,
    /// The state of the request that you saw: `seen` in `doorward list --json`. By default the request as it was made
    #[arg(long, value_name = "SEEN")]
    pub seen: Option<Seen>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) backend: BackendOptions,
}

/// Deny a request
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward reject g-k3v9t2m4x7q8
  doorward reject g-k3v9t2m4x7q8 --reason 'an hour is enough for that'")]
pub struct Reject {
    /// The ID of the request
    pub grant: GrantId,
    /// Why; shown to the person, and written to the audit log
    #[arg(long)]
    pub reason: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) backend: BackendOptions,
}

impl Approve {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        answer(policy, self.backend, &self.grant, Answer::Approve { seen: self.seen }, self.json)
    }
}

impl Reject {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        answer(policy, self.backend, &self.grant, Answer::Deny { reason: self.reason }, self.json)
    }
}

fn answer(
    policy: &Path,
    backend: BackendOptions,
    grant: &GrantId,
    answer: Answer,
    json: bool,
) -> Result<(), Failure> {
    let agree = matches!(answer, Answer::Approve { .. });
    let answered = match backend.find(policy)? {
        Backend::Server(client) => client.answer(grant, &answer).map_err(super::server_failure)?,
        Backend::Local(file, caller) => super::runtime()?.block_on(async {
            let running = backend::start(*file).await?;
            let requests = running.requests();
            let answered = match requests.answer(&caller, grant, answer).await {
                Ok(opened) => Ok(requests.views().opened(opened).await),
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
        true if answered.extended => format!("extended until {until}, as {asked} requested"),
        true => format!("open until {until}"),
        false => "denied".into(),
    };
    super::print(&format!("{} of {} to {} is {said}\n", grant.id, grant.person, grant.target))
}
