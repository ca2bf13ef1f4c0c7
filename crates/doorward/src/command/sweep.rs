//! `doorward sweep`: closes every rule whose own mark says that its time is up, with no store and no server.

use std::path::Path;

use clap::Args;
use doorward_aws::Error;
use doorward_core::inventory::{AccountRegion, Direction, Inventory, Ownership, SecurityGroupId, Seen};
use doorward_core::plan::{self, Moved, Step};
use doorward_core::policy::Mistake;
use jiff::Timestamp;
use serde::Serialize;

use super::{Code, Failure};
use crate::cloud::{self, Cloud, Groups};
use crate::policy_file::{self, LoadError};

/// Revoke expired rules, without the server
///
/// The command needs neither the server nor its store, because the description of each rule says when it expires.
/// Run it every minute on another machine, so that grants end even when the server is down.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward sweep
  doorward sweep --dry-run
  doorward sweep --security-group sg-0a1b2c3d4e5f60718 --region eu-west-1

Exit code 0: no expired rule is left. 65: the policy has errors, and the security groups that could be read from it \
were swept. 69: a security group could not be read, or a rule could not be revoked.")]
pub struct Sweep {
    /// A security group to sweep; by default those of the policy
    #[arg(long, value_name = "ID")]
    pub security_group: Vec<SecurityGroupId>,
    /// The Region of the security groups
    #[arg(long, requires = "security_group")]
    pub region: Option<String>,
    /// The profile to use for them
    #[arg(long, requires = "security_group")]
    pub profile: Option<String>,
    /// Only print what would be revoked
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
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        if !self.security_group.is_empty() {
            let account_region =
                AccountRegion { profile: self.profile.clone(), region: self.region.clone(), account: None };
            let asked = Groups::from([(account_region, self.security_group.iter().cloned().collect())]);
            return super::runtime()?.block_on(self.sweep(asked));
        }
        // A policy with errors is swept as far as it can be read, and its errors are reported afterwards.
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
        let mut swept = Vec::new();
        let mut failed = Vec::new();
        let revoked = revoke_expired(&cloud, &seen, self.dry_run).await;
        for (step, done) in revoked.map_err(Failure::with(Code::Internal))? {
            if let Err(error) = &done {
                failed.push(format!("{}: {error}", step.group()));
            }
            swept.extend(rows(&seen, &step, done.is_ok() && !self.dry_run));
        }
        for note in unproven(&seen) {
            super::note(&note);
        }
        failed.extend(seen.gaps.iter().map(ToString::to_string));
        failed.extend(gone(&asked, &seen));
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
            return "No rule has expired.\n".into();
        }
        let line = |row: &Swept| {
            let did = if self.dry_run {
                "would revoke"
            } else if row.closed {
                "closed"
            } else {
                "could not revoke"
            };
            format!("{did} {} in {}: {}\n", row.rule, row.group, row.description)
        };
        swept.iter().map(line).collect()
    }
}

/// Revokes the rules of an account whose descriptions say that they have expired; in a dry run, none. Each step, and what came
/// of it.
pub(super) async fn revoke_expired(
    cloud: &Cloud,
    seen: &Inventory,
    dry_run: bool,
) -> Result<Vec<(Step, Result<(), Error>)>, Moved> {
    let steps = plan::sweep(seen, Timestamp::now()).for_account(seen.digest())?;
    let mut revoked = Vec::new();
    for step in steps {
        let group = seen.groups.get(step.group());
        let account_region = group.map(|group| group.account_region.clone()).unwrap_or_default();
        let done = if dry_run { Ok(()) } else { cloud.perform(&account_region, &step).await.map(drop) };
        revoked.push((step, done));
    }
    Ok(revoked)
}

/// The security groups that are not in the account and Region that were asked for.
fn gone(asked: &Groups, seen: &Inventory) -> Vec<String> {
    let groups = asked.iter().flat_map(|(at, groups)| groups.iter().map(move |group| (at, group)));
    let gone = groups.filter(|(_, group)| matches!(seen.group(group), Seen::Gone));
    gone.map(|(at, group)| format!("security group {group} does not exist in {at}")).collect()
}

/// Rules that bear one of the two signs of a Doorward: who may write tags, or descriptions, may not have rules closed by
/// that.
fn unproven(seen: &Inventory) -> Vec<String> {
    let mut notes = Vec::new();
    for group in seen.groups.values() {
        for (rule, existing) in group.rules.iter().filter(|(rule, _)| rule.direction == Direction::In) {
            let why = match existing.ownership() {
                Ownership::TagOnly(_) => "has the tag `doorward`, but its description is not from Doorward",
                Ownership::MarkOnly(_) => "has a description from Doorward, but not the tag `doorward`",
                Ownership::Foreign | Ownership::Marked(_) => continue,
            };
            notes.push(format!(
                "note: {rule} in {} {why}, so it was not revoked; the server knows its own rules by their IDs",
                group.id
            ));
        }
    }
    notes
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
