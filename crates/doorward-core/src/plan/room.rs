//! Whether a security group has room for the rules that are wanted.

use std::collections::BTreeMap;

use super::wanted;
use crate::firewall::{InstallationId, Ruleset};
use crate::inventory::{Cause, Direction, Inventory, SecurityGroup, SecurityGroupId, Seen};
use crate::net::Family;

/// Why a group has no room for a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The quota is used up.
    #[error(
        "security group {group} would have {would} inbound {family} rules of the {quota} that quota L-0EA8095F (rules per security group) allows"
    )]
    Quota {
        group: SecurityGroupId,
        family: Family,
        /// How many it would have.
        would: u32,
        /// How many it may have.
        quota: u32,
    },
    /// The group is not there.
    #[error("security group {group} does not exist in {account_region}")]
    Gone {
        group: SecurityGroupId,
        /// Where it was looked for.
        account_region: crate::inventory::AccountRegion,
    },
    /// The group could not be seen.
    #[error("security group {group} could not be read: {why}")]
    Unseen {
        group: SecurityGroupId,
        /// What kind of failure that was.
        cause: Cause,
        why: String,
    },
    /// The group is elsewhere than the policy says.
    #[error("security group {group} is in {actual}, but the policy says {policy}")]
    WrongVpc {
        group: SecurityGroupId,
        /// Where it is.
        actual: String,
        /// Where it should be.
        policy: crate::inventory::VpcId,
    },
}

/// Whether a group can hold a wanted ruleset beside what is in it and is not ours.
pub fn room(
    actual: &Inventory,
    firewall: &crate::policy::Firewall,
    ruleset: &Ruleset,
    by: &InstallationId,
) -> Result<(), NoRoom> {
    let crate::policy::Enforcement::SecurityGroup { group: id, at, vpc } = &firewall.kind else {
        return Ok(());
    };
    let is = match actual.group(id) {
        Seen::There(group) => group,
        Seen::Gone => return Err(NoRoom::Gone { group: id.clone(), account_region: at.clone() }),
        Seen::Unseen(gap) => {
            return Err(NoRoom::Unseen { group: id.clone(), cause: gap.cause(), why: gap.to_string() });
        }
    };
    if let Some(policy) = vpc.as_ref().filter(|vpc| is.vpc.as_ref() != Some(vpc)) {
        let actual = is.vpc.as_ref().map_or_else(|| "no VPC".to_owned(), ToString::to_string);
        return Err(NoRoom::WrongVpc { group: id.clone(), actual, policy: policy.clone() });
    }
    let rulesets = BTreeMap::from([(id.clone(), ruleset.clone())]);
    let quota = actual.quota(&is.account_region);
    let should = wanted(actual, &rulesets, by);
    for family in [Family::V4, Family::V6] {
        let count = |group: &SecurityGroup| group.weight(Direction::In, family, &actual.prefix_list_weights);
        let would = should.groups.get(id).map_or(0, count);
        // A group that is over its quota already may still lose rules.
        if would > quota && would > count(is) {
            return Err(NoRoom::Quota { group: id.clone(), family, would, quota });
        }
    }
    Ok(())
}
