//! `doorward doctor`: walks the way to a target link by link, and names the first that is broken.

mod confined;
mod database;
mod links;
mod unanswered;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use doorward_core::policy::TargetName;
use serde::Serialize;

use super::Failure;
use super::access::Asking;
use super::desk::Desk;

/// Walk the way to a target link by link, and name the first that is broken
///
/// Grant, credentials, clock, jump host, agent, document, target, the rules between, the connection, what listens, TLS
/// and IAM sign-in; by SSH also whether the jump host gives more than the target. It uses the grant that is open, or opens one
/// for five minutes, closes it, and says whether anything of it is left.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward doctor orders-db
  doorward doctor orders-db --via ssm --json
  doorward doctor orders-db --iam jon

Exit code 0: the way is whole. 1: a link is broken.")]
pub struct Doctor {
    /// The target, as the policy names it
    pub target: TargetName,
    /// Also whether this user of the database may sign in by IAM
    #[arg(long, value_name = "USER")]
    pub iam: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(super) asking: Asking,
}

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It holds.
    Whole,
    /// It holds, and something should be otherwise.
    Worn,
    /// It could not be looked at, or there is nothing to look at.
    Unseen,
    /// It does not hold.
    Broken,
}

/// One link of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Which.
    pub link: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// The links as they are looked at; each is told at once.
pub struct Chain {
    quiet: bool,
    links: Vec<Link>,
}

impl Chain {
    /// Any link.
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
        State::Worn => "look",
        State::Unseen => "-",
        State::Broken => "NO",
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
    /// Walks.
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        let mut chain = Chain { quiet: self.json, links: Vec::new() };
        Desk::work(&self.asking.way, policy, async |desk| {
            links::walk(&self, desk, policy, &mut chain).await
        })?;
        if self.json {
            super::print(&super::json(&chain.links)?)?;
        }
        let (told, code) = match chain.broken() {
            None => (format!("\nthe way to {} is whole\n", self.target), ExitCode::SUCCESS),
            Some(link) => {
                (format!("\nthe way to {} breaks at: {}\n", self.target, link.link), super::Code::No.into())
            }
        };
        if !self.json {
            super::print(&told)?;
        }
        Ok(code)
    }
}
