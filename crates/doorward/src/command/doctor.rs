//! `doorward doctor`: checks the path to a target step by step, and reports the first failure.

mod confined;
mod database;
mod links;
mod revocation;
mod unanswered;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::policy::TargetName;
use serde::Serialize;

use super::Failure;
use super::access::Asking;
use super::desk::Desk;

/// Diagnose the path to a target step by step
///
/// The steps are the grant, credentials, clock, jump host, agent, session document, target, network rules,
/// connection, listener, TLS and IAM sign-in; for the transport `ssh` also whether the jump host allows more than
/// the target. The command uses an open grant, or opens one for five minutes, revokes it, and checks that nothing
/// of it is left, also if a step failed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward doctor orders-db
  doorward doctor orders-db --via ssm --json
  doorward doctor orders-db --iam jon

Exit code 0: every step succeeded. 1: a step failed.")]
pub struct Doctor {
    /// The target, by its name in the policy
    pub target: TargetName,
    /// Also check whether this database user may sign in with IAM
    #[arg(long, value_name = "USER")]
    pub iam: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Whole,
    /// It works, but should be configured differently.
    Worn,
    /// It could not be checked, or there is nothing to check.
    Unseen,
    /// It failed.
    Broken,
}

/// One step of the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    pub link: &'static str,
    pub state: State,
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// The steps that were checked; each is printed at once.
pub struct Chain {
    quiet: bool,
    links: Vec<Link>,
}

impl Chain {
    pub fn add(&mut self, link: Link) -> Result<(), Failure> {
        if !self.quiet {
            super::print(&line(&link))?;
        }
        self.links.push(link);
        Ok(())
    }

    fn broken(&self) -> Option<&Link> {
        self.links.iter().find(|link| link.state == State::Broken)
    }
}

fn line(link: &Link) -> String {
    let mark = match link.state {
        State::Whole => "ok",
        State::Worn => "warn",
        State::Unseen => "-",
        State::Broken => "FAIL",
    };
    // A banner of what listens, or what a server said of itself, is no line of ours.
    let one = super::printer::line;
    let mut text = format!("{mark:4} {:12} {}\n", link.link, one(&link.found));
    if let Some(fix) = &link.fix {
        text.push_str(&format!("     {:12} fix: {}\n", "", one(fix)));
    }
    text
}

impl Doctor {
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        let mut chain = Chain { quiet: self.json, links: Vec::new() };
        Desk::work(&self.asking.backend, policy, async |desk| {
            links::walk(&self, desk, policy, &mut chain).await
        })?;
        if self.json {
            super::print(&super::json(&chain.links)?)?;
        }
        let (verdict, code) = match chain.broken() {
            None => (format!("\nthe path to {} works\n", self.target), ExitCode::SUCCESS),
            Some(link) => {
                (format!("\nthe path to {} fails at: {}\n", self.target, link.link), super::Code::No.into())
            }
        };
        if !self.json {
            super::print(&verdict)?;
        }
        Ok(code)
    }
}
