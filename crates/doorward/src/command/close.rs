//! `doorward close`: takes a grant back at once.

use std::path::Path;

use clap::Args;
use doorward_core::grant::GrantId;
use doorward_core::policy::TargetName;

use super::ways::{self, Found, Way};
use super::{Code, Failure};
use crate::client::Answer;
use crate::reconciler::Standing;
use crate::requests::{GrantView, State};

/// Close what is open, by the grant's name or by the target's
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward close orders-db
  doorward close g-k3v9t2m4x7q8
  doorward close --all")]
pub struct Close {
    /// Grants (`g-…`) or targets
    #[arg(required_unless_present = "all")]
    pub what: Vec<String>,
    /// Everything that you have open or asked for
    #[arg(long, conflicts_with = "what")]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    way: Way,
}

impl Close {
    /// Closes.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let answers = match self.way.find(policy)? {
            Found::Server(client) => {
                let mine = client.grants(false).map_err(super::server_failure)?;
                let chosen = self.chosen(&mine)?;
                chosen
                    .iter()
                    .map(|id| client.close(id).map_err(super::server_failure))
                    .collect::<Result<Vec<_>, _>>()?
            }
            Found::Local(file, person) => super::runtime()?.block_on(async {
                let running = ways::start(*file).await?;
                let caller = ways::caller(person);
                let closed = async {
                    let requests = running.requests();
                    let mine = requests.current(&caller.person).await.map_err(super::request_failure)?;
                    let mut answers = Vec::new();
                    for id in self.chosen(&mine)? {
                        let closed = requests.close(&caller, &id).await.map_err(super::request_failure)?;
                        answers.push(Answer {
                            grant: GrantView {
                                standing: Some(closed.standing),
                                ..requests.view(&closed.grant)
                            },
                            extended: false,
                            reasons: Vec::new(),
                            cut: closed.cut,
                            still: closed.still,
                        });
                    }
                    Ok::<_, Failure>(answers)
                }
                .await;
                running.stop().await;
                closed
            })?,
        };
        if self.json {
            super::print(&super::json(&answers)?)?;
        } else {
            let lines: Vec<String> = answers.iter().map(line).collect();
            super::print(&lines.concat())?;
        }
        let stands = answers.iter().find_map(|answer| match &answer.grant.standing {
            Some(Standing::Failing { why }) => Some(why),
            _ => None,
        });
        match stands {
            Some(why) => {
                Err(Failure::new(Code::Unavailable, format!("a closed grant's rule may still stand: {why}"))
                    .hint("it is tried again until it is gone; `doorward sweep` closes it after its end"))
            }
            None => Ok(()),
        }
    }

    fn chosen(&self, mine: &[GrantView]) -> Result<Vec<GrantId>, Failure> {
        if self.all {
            return Ok(mine.iter().map(|grant| grant.id.clone()).collect());
        }
        let mut chosen = Vec::new();
        for what in &self.what {
            if let Ok(id) = what.parse::<GrantId>() {
                chosen.push(id);
                continue;
            }
            let target: TargetName = what.parse().map_err(Failure::with(Code::Usage))?;
            let before = chosen.len();
            chosen.extend(mine.iter().filter(|grant| grant.target == target).map(|grant| grant.id.clone()));
            if chosen.len() == before {
                let failure = Failure::new(Code::No, format!("you have nothing open to `{target}`"));
                return Err(failure.hint("`doorward list` shows what you have open"));
            }
        }
        Ok(chosen)
    }
}

fn line(answer: &Answer) -> String {
    let grant = &answer.grant;
    let mut text = match grant.state {
        State::Ended => format!("{} to {} is closed", grant.id, grant.target),
        State::Open | State::Waiting => format!("{} to {} is {}", grant.id, grant.target, grant.state),
    };
    match answer.cut {
        0 => text.push_str(&format!(": {}\n", grant.closing)),
        1 => text.push_str(": 1 open connection was cut\n"),
        cut => text.push_str(&format!(": {cut} open connections were cut\n")),
    }
    if let Some(still) = &answer.still {
        text.push_str(&format!("  {} is still let in by {still}\n", grant.source));
    }
    text
}
