//! `doorward approve` and `doorward reject`: answers for a grant that waits.

use std::path::Path;

use clap::Args;
use doorward_core::grant::GrantId;

use super::Failure;
use super::ways::{self, Found, Way};

/// Answer for a grant that waits for approval
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward approve g-k3v9t2m4x7q8
  doorward reject g-k3v9t2m4x7q8")]
pub struct Answer {
    /// The grant
    pub grant: GrantId,
    /// How often the request was changed when you saw it; what was changed since is not approved
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    pub seen: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    way: Way,
}

impl Answer {
    /// Answers.
    pub fn run(self, policy: &Path, agree: bool) -> Result<(), Failure> {
        let answered = match self.way.find(policy)? {
            Found::Server(client) => {
                client.answer(&self.grant, agree, self.seen).map_err(super::server_failure)?
            }
            Found::Local(file, caller) => super::runtime()?.block_on(async {
                let running = ways::start(*file).await?;
                let requests = running.requests();
                let answered = requests.answer(&caller, &self.grant, agree, self.seen).await;
                let answered = match answered {
                    Ok(opened) => Ok(requests.opened(opened).await),
                    Err(error) => Err(error),
                };
                running.stop().await;
                answered.map_err(super::request_failure)
            })?,
        };
        let grant = &answered.grant;
        if self.json {
            return super::print(&super::json(&answered)?);
        }
        let until = grant.until.map(super::instant).unwrap_or_default();
        let said = if agree { format!("open until {until}") } else { "refused".into() };
        super::print(&format!("{} of {} to {} is {said}\n", grant.id, grant.person, grant.target))
    }
}
