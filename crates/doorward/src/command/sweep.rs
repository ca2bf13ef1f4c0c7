//! `doorward sweep`: closes every rule whose own mark says that its time is up, with no store and no server.

use std::path::Path;

use clap::Args;
use doorward_core::inventory::{Direction, Inventory, Ownership, Place, SecurityGroupId};
use doorward_core::plan::{self, Step};
use doorward_core::policy::Mistake;
use jiff::Timestamp;
use serde::Serialize;

use super::{Code, Failure};
use crate::cloud::{self, Cloud, Groups};
use crate::policy_file::{self, LoadError};

/// Close every rule that is past the end in its own mark
///
/// Needs neither the server nor its store: each rule's description says when it ends. Run it every minute from
/// another machine, and grants end also when the server is dead.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward sweep
  doorward sweep --dry-run
  doorward sweep --security-group sg-0a1b2c3d4e5f60718 --region eu-west-1

Exit code 0: nothing is past its end any more. 65: the policy has mistakes, and what could be read of it was \
swept. 69: a group could not be looked at or not be closed.")]
pub struct Sweep {
    /// Groups to sweep; those of the policy file otherwise
    #[arg(long, value_name = "ID")]
    pub security_group: Vec<SecurityGroupId>,
    /// Their Region
    #[arg(long, requires = "security_group")]
    pub region: Option<String>,
    /// The profile to reach them with
    #[arg(long, requires = "security_group")]
    pub profile: Option<String>,
    /// Only say what would be closed
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Swept {
    group: SecurityGroupId,
    rule: String,
    description: String,
    closed: bool,
}

impl Sweep {
    /// Sweeps.
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        if !self.security_group.is_empty() {
            let place = Place { profile: self.profile.clone(), region: self.region.clone(), account: None };
            let asked = Groups::from([(place, self.security_group.iter().cloned().collect())]);
            return super::runtime()?.block_on(self.sweep(asked));
        }
        // A policy with mistakes is swept as far as it can be read, and told of after.
        let (firewalls, mut mistakes) = policy_file::firewalls(policy)?;
        super::runtime()?.block_on(self.sweep(cloud::groups(&firewalls)))?;
        mistakes.retain(Mistake::is_error);
        if mistakes.is_empty() {
            return Ok(());
        }
        let failure = Failure::from(LoadError::Mistakes { path: policy.into(), mistakes });
        Err(failure.context("only the security groups that could be read were swept"))
    }

    async fn sweep(self, asked: Groups) -> Result<(), Failure> {
        let cloud = Cloud::live();
        let seen = cloud.observe(&asked).await;
        let plan = plan::sweep(&seen, Timestamp::now());
        let steps = plan.for_account(seen.digest()).map_err(Failure::with(Code::Internal))?;
        let mut swept = Vec::new();
        let mut failed = Vec::new();
        for step in steps {
            let place = seen.groups.get(step.group()).map(|group| group.place.clone()).unwrap_or_default();
            let done = if self.dry_run { Ok(()) } else { cloud.perform(&place, &step).await.map(drop) };
            if let Err(error) = &done {
                failed.push(format!("{}: {error}", step.group()));
            }
            swept.extend(rows(&seen, &step, done.is_ok() && !self.dry_run));
        }
        for left in left(&seen) {
            super::note(&left);
        }
        failed.extend(seen.gaps.iter().map(ToString::to_string));
        let gone = asked
            .values()
            .flatten()
            .filter(|group| matches!(seen.group(group), doorward_core::inventory::Seen::Gone));
        failed.extend(gone.map(|group| format!("security group {group} is not there")));
        if self.json {
            super::print(&super::json(&swept)?)?;
        } else if !swept.is_empty() || failed.is_empty() {
            super::print(&self.words(&swept))?;
        }
        match failed.as_slice() {
            [] => Ok(()),
            failed => Err(Failure::new(Code::Unavailable, failed.join("\n"))),
        }
    }

    fn words(&self, swept: &[Swept]) -> String {
        if swept.is_empty() {
            return "Nothing is past its end.\n".into();
        }
        let line = |row: &Swept| {
            let did = if self.dry_run {
                "would close"
            } else if row.closed {
                "closed"
            } else {
                "could not close"
            };
            format!("{did} {} in {}: {}\n", row.rule, row.group, row.description)
        };
        swept.iter().map(line).collect()
    }
}

/// Rules that bear one of the two signs of a Doorward: who may write tags, or descriptions, may not have rules closed by
/// that.
fn left(seen: &Inventory) -> Vec<String> {
    let mut left = Vec::new();
    for group in seen.groups.values() {
        for (rule, standing) in group.rules.iter().filter(|(rule, _)| rule.direction == Direction::In) {
            let why = match standing.ownership() {
                Ownership::TagOnly(_) => "has the tag `doorward`, and its description is no mark",
                Ownership::MarkOnly(_) => {
                    "has a mark in its description, and not the tag `doorward` that goes with it"
                }
                Ownership::Foreign | Ownership::Marked(_) => continue,
            };
            left.push(format!(
                "note: {rule} in {} {why}, so it was left; the server knows its own rules by their ids",
                group.id
            ));
        }
    }
    left
}

fn rows(seen: &Inventory, step: &Step, closed: bool) -> Vec<Swept> {
    let Step::Revoke { group, rules } = step else { return Vec::new() };
    let description = |rule| {
        let rule = seen.groups.get(group).and_then(|group| group.rules.get(rule));
        rule.map(|rule| rule.description.clone()).unwrap_or_default()
    };
    rules
        .iter()
        .map(|(_, rule)| Swept {
            group: group.clone(),
            rule: rule.to_string(),
            description: description(rule),
            closed,
        })
        .collect()
}
