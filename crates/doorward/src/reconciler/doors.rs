//! The security groups of a pass: those of the policy, and those that it no longer lists.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::firewall::Ruleset;
use doorward_core::grant::{Grant, GrantId};
use doorward_core::inventory::{Place, RuleIdentity, SecurityGroupId, VpcId};
use doorward_core::policy::{Enforcement, FirewallName, Policy, Target};
use serde::{Deserialize, Serialize};

/// A security group as the store remembers it once the policy does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub group: SecurityGroupId,
    pub at: Place,
}

impl Remembered {
    /// Those that a policy names. A table of nftables is not remembered: it ends its elements by itself, and
    /// guards on until an operator deletes it. A relay is gone with the process.
    pub fn all(policy: &Policy) -> impl Iterator<Item = (&FirewallName, Self)> {
        policy.firewalls.iter().filter_map(|(name, firewall)| match &firewall.kind {
            Enforcement::SecurityGroup { group, at, .. } => {
                Some((name, Self { group: group.clone(), at: at.clone() }))
            }
            Enforcement::Nftables { .. } | Enforcement::Relay { .. } => None,
        })
    }
}

/// A security group and what it shall let in.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// Its firewall; none when the policy speaks of it no longer and it is only emptied of our rules.
    pub firewall: Option<FirewallName>,
    pub group: SecurityGroupId,
    pub place: Place,
    pub vpc: Option<VpcId>,
    pub ruleset: Ruleset,
    /// What grants that have ended had opened and nothing wants any more.
    pub over: BTreeSet<RuleIdentity>,
    /// Grants that have ended, and are settled once this group is as wanted.
    pub settles: Vec<GrantId>,
}

impl Door {
    /// What is wanted, as AWS knows rules.
    pub fn wanted(&self) -> BTreeSet<RuleIdentity> {
        self.ruleset.iter().map(|rule| RuleIdentity::admitting(rule.flow(), rule.peer())).collect()
    }
}

/// Every group that a pass has to bring to its rules.
pub(super) fn doors(
    policy: &Policy,
    wanted: &BTreeMap<FirewallName, Ruleset>,
    ended: &[&Grant],
    remembered: &[Remembered],
) -> Vec<Door> {
    let mut behind: BTreeMap<&FirewallName, Vec<(&Grant, &Target)>> = BTreeMap::new();
    for grant in ended {
        let Some(target) = policy.targets.get(grant.target()) else { continue };
        let Some(firewall) = &target.firewall else { continue };
        behind.entry(firewall).or_default().push((grant, target));
    }
    let mut doors: Vec<Door> = Vec::new();
    for (name, firewall) in &policy.firewalls {
        let Enforcement::SecurityGroup { group, at, vpc } = &firewall.kind else { continue };
        let mut door = Door {
            firewall: Some(name.clone()),
            group: group.clone(),
            place: at.clone(),
            vpc: vpc.clone(),
            ruleset: wanted.get(name).cloned().unwrap_or_default(),
            over: BTreeSet::new(),
            settles: Vec::new(),
        };
        for (grant, target) in behind.remove(name).unwrap_or_default() {
            door.settles.push(grant.id().clone());
            door.over.extend(opened(grant, target));
        }
        let wanted = door.wanted();
        door.over.retain(|rule| !wanted.contains(rule));
        doors.push(door);
    }
    for Remembered { group, at } in remembered {
        // A group that the policy names through another profile is not emptied behind its back.
        if !doors.iter().any(|door| door.group == *group) {
            let (group, place) = (group.clone(), at.clone());
            let (vpc, ruleset) = (None, Ruleset::default());
            let (over, settles) = (BTreeSet::new(), Vec::new());
            doors.push(Door { firewall: None, group, place, vpc, ruleset, over, settles });
        }
    }
    doors
}

fn opened(grant: &Grant, target: &Target) -> impl Iterator<Item = RuleIdentity> {
    target.ports.iter().map(|flow| RuleIdentity::admitting(*flow, grant.source()))
}
