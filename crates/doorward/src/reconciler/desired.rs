//! The security groups of a pass: those of the policy, and those that it no longer lists.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::firewall::Ruleset;
use doorward_core::grant::{Grant, GrantId};
use doorward_core::inventory::{AccountRegion, RuleIdentity, SecurityGroupId, VpcId};
use doorward_core::policy::{Enforcement, FirewallName, Policy, Target};
use serde::{Deserialize, Serialize};

/// A security group that the store remembers after the policy has dropped it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub group: SecurityGroupId,
    pub at: AccountRegion,
}

impl Remembered {
    /// Those of a policy. An nftables table is not remembered: its elements expire by themselves, and it
    /// stays in force until an operator deletes it. A relay ends with the process.
    pub fn all(policy: &Policy) -> impl Iterator<Item = (&FirewallName, Self)> {
        policy.firewalls.iter().filter_map(|(name, firewall)| match &firewall.kind {
            Enforcement::SecurityGroup { group, at, .. } => {
                Some((name, Self { group: group.clone(), at: at.clone() }))
            }
            Enforcement::Nftables { .. } | Enforcement::Relay { .. } => None,
        })
    }
}

/// A security group and its desired rules.
#[derive(Debug, Clone)]
pub(super) struct DesiredGroup {
    /// Its firewall; none if the policy no longer lists it and only our rules are removed from it.
    pub firewall: Option<FirewallName>,
    pub group: SecurityGroupId,
    pub account_region: AccountRegion,
    pub vpc: Option<VpcId>,
    pub ruleset: Ruleset,
    /// Rules of ended grants that are no longer desired.
    pub expired: BTreeSet<RuleIdentity>,
    /// Ended grants that are settled once this group is in sync.
    pub settles: Vec<GrantId>,
}

impl DesiredGroup {
    /// The desired rules, in AWS's form.
    pub fn wanted(&self) -> BTreeSet<RuleIdentity> {
        self.ruleset.iter().map(|rule| RuleIdentity::admitting(rule.flow(), rule.peer())).collect()
    }
}

/// Every group that a pass has to reconcile.
pub(super) fn desired_groups(
    policy: &Policy,
    wanted: &BTreeMap<FirewallName, Ruleset>,
    ended: &[&Grant],
    remembered: &[Remembered],
) -> Vec<DesiredGroup> {
    let mut behind: BTreeMap<&FirewallName, Vec<(&Grant, &Target)>> = BTreeMap::new();
    for grant in ended {
        let Some(target) = policy.targets.get(grant.target()) else { continue };
        let Some(firewall) = &target.firewall else { continue };
        behind.entry(firewall).or_default().push((grant, target));
    }
    let mut desired_groups: Vec<DesiredGroup> = Vec::new();
    for (name, firewall) in &policy.firewalls {
        let Enforcement::SecurityGroup { group, at, vpc } = &firewall.kind else { continue };
        let mut desired = DesiredGroup {
            firewall: Some(name.clone()),
            group: group.clone(),
            account_region: at.clone(),
            vpc: vpc.clone(),
            ruleset: wanted.get(name).cloned().unwrap_or_default(),
            expired: BTreeSet::new(),
            settles: Vec::new(),
        };
        for (grant, target) in behind.remove(name).unwrap_or_default() {
            desired.settles.push(grant.id().clone());
            desired.expired.extend(opened(grant, target));
        }
        let wanted = desired.wanted();
        desired.expired.retain(|rule| !wanted.contains(rule));
        desired_groups.push(desired);
    }
    for Remembered { group, at } in remembered {
        // A group that the policy names through another profile is not emptied behind its back.
        if !desired_groups.iter().any(|desired| desired.group == *group) {
            let (group, account_region) = (group.clone(), at.clone());
            let (vpc, ruleset) = (None, Ruleset::default());
            let (expired, settles) = (BTreeSet::new(), Vec::new());
            desired_groups.push(DesiredGroup {
                firewall: None,
                group,
                account_region,
                vpc,
                ruleset,
                expired,
                settles,
            });
        }
    }
    desired_groups
}

fn opened(grant: &Grant, target: &Target) -> impl Iterator<Item = RuleIdentity> {
    target.ports.iter().map(|flow| RuleIdentity::admitting(*flow, grant.source()))
}
