//! A plan: the difference between the account as it is and as it should be, as ordered steps.

#[cfg(test)]
mod laws;
mod perform;

use std::collections::BTreeMap;

pub use perform::{NotPerformed, perform};

use crate::firewall::{InstallationId, Mark, Rule, Ruleset};
use crate::inventory::{
    Cause, Digest, Direction, Inventory, Owned, Peer, RuleIdentity, SecurityGroup, SecurityGroupId,
    SecurityGroupRuleId, Seen, StandingRule,
};
use crate::net::Family;

/// One change to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Rules to add to a group, each with the description that marks it.
    Authorize {
        /// The group.
        group: SecurityGroupId,
        /// What to let through, and the mark.
        rules: Vec<(RuleIdentity, Mark)>,
    },
    /// Descriptions to write anew on rules that stand.
    Describe {
        /// The group.
        group: SecurityGroupId,
        /// Which rules, and what to write.
        rules: Vec<Remark>,
    },
    /// Rules to take away.
    Revoke {
        /// The group.
        group: SecurityGroupId,
        /// Which rules, and what they let through.
        rules: Vec<(Owned<SecurityGroupRuleId>, RuleIdentity)>,
    },
}

/// A mark to write anew on a rule that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The rule.
    pub id: Owned<SecurityGroupRuleId>,
    /// What it lets through.
    pub rule: RuleIdentity,
    /// Its mark.
    pub mark: Mark,
    /// Whether the tag has to be written too.
    pub retag: bool,
}

impl Step {
    /// The group that it changes.
    pub fn group(&self) -> &SecurityGroupId {
        match self {
            Self::Authorize { group, .. } | Self::Describe { group, .. } | Self::Revoke { group, .. } => {
                group
            }
        }
    }
}

/// Ordered steps, for the inventory that they were made from and for no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    of: Digest,
    steps: Vec<Step>,
}

/// The account is no longer what the plan was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account changed since the plan was made")]
pub struct Moved;

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps, to be shown.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps, to be performed on the inventory with that digest.
    pub fn for_account(self, digest: Digest) -> Result<Vec<Step>, Moved> {
        if self.of == digest { Ok(self.steps) } else { Err(Moved) }
    }
}

/// The account as it should be: what stands and is not ours, and exactly the wanted rules.
///
/// A wanted rule that stands already without our mark is left as it is. Groups that were not seen, or that
/// no ruleset speaks of, are left out or as they are: nothing is planned for what nobody saw.
pub fn wanted(
    actual: &Inventory,
    rulesets: &BTreeMap<SecurityGroupId, Ruleset>,
    by: &InstallationId,
) -> Inventory {
    let mut wanted = actual.clone();
    for (id, ruleset) in rulesets {
        let Some(group) = wanted.groups.get_mut(id) else { continue };
        group.rules.retain(|identity, rule| ours(actual, identity, rule, by).is_none());
        for rule in ruleset.iter() {
            let identity = RuleIdentity::admitting(rule.flow(), rule.peer());
            let before = actual.groups.get(id).and_then(|group| group.rules.get(&identity));
            group.rules.entry(identity).or_insert_with(|| StandingRule {
                id: before.and_then(|rule| rule.id.clone()),
                description: mark(rule, by).to_string(),
                tag: Some(by.to_string()),
            });
        }
    }
    wanted
}

fn mark(rule: &Rule, by: &InstallationId) -> Mark {
    Mark::new(by.clone(), rule.because().clone(), rule.until())
}

/// The steps that make `actual` into `wanted`, as far as they differ in rules that `by` owns.
///
/// Make before break: rules are added first, and those no longer wanted are taken away after. Where the
/// group's quota leaves no room for both, removals come first.
pub fn difference(actual: &Inventory, wanted: &Inventory, by: &InstallationId) -> Plan {
    let mut steps = Vec::new();
    for (id, should) in &wanted.groups {
        let Some(is) = actual.groups.get(id) else { continue };
        group_steps(actual, is, should, by, &mut steps);
    }
    Plan { of: actual.digest(), steps }
}

fn group_steps(
    actual: &Inventory,
    is: &SecurityGroup,
    should: &SecurityGroup,
    by: &InstallationId,
    steps: &mut Vec<Step>,
) {
    let mut add = Vec::new();
    let mut describe = Vec::new();
    for (identity, rule) in &should.rules {
        let standing = is.rules.get(identity);
        if standing.is_some_and(|is| is.description == rule.description && is.tag == rule.tag) {
            continue;
        }
        let Ok(mark) = rule.description.parse::<Mark>() else { continue };
        match standing {
            None => add.push((identity.clone(), mark)),
            Some(standing) => describe.extend(ours(actual, identity, standing, by).map(|id| Remark {
                id,
                rule: identity.clone(),
                mark,
                retag: standing.tag != rule.tag,
            })),
        }
    }
    let remove: Vec<_> = is
        .rules
        .iter()
        .filter(|(identity, _)| !should.rules.contains_key(*identity))
        .filter_map(|(identity, rule)| Some((ours(actual, identity, rule, by)?, identity.clone())))
        .collect();

    let group = || is.id.clone();
    let tight = [Family::V4, Family::V6].into_iter().any(|family| {
        let adding = add.iter().filter(|(rule, _)| of_family(rule, family)).count();
        let standing = is.weight(Direction::In, family, &actual.prefix_list_weights);
        standing.saturating_add(u32::try_from(adding).unwrap_or(u32::MAX)) > actual.quota(&is.place)
    });
    let describe = (!describe.is_empty()).then(|| Step::Describe { group: group(), rules: describe });
    let add = (!add.is_empty()).then(|| Step::Authorize { group: group(), rules: add });
    let remove = (!remove.is_empty()).then(|| Step::Revoke { group: group(), rules: remove });
    let (first, last) = if tight { (remove, add) } else { (add, remove) };
    steps.extend(describe.into_iter().chain(first).chain(last));
}

/// The right to touch a rule. No Doorward makes a rule for the way out, so one that bears a mark was copied by
/// hand and stays its maker's.
fn ours(
    actual: &Inventory,
    identity: &RuleIdentity,
    rule: &StandingRule,
    by: &InstallationId,
) -> Option<Owned<SecurityGroupRuleId>> {
    actual.owned(rule, by).filter(|_| identity.direction == Direction::In)
}

fn of_family(rule: &RuleIdentity, family: Family) -> bool {
    matches!(&rule.peer, Peer::Cidr(cidr) if cidr.family() == family)
}

/// The steps that close every rule whose own mark says that its time is up, and nothing else.
pub fn sweep(actual: &Inventory, now: jiff::Timestamp) -> Plan {
    let steps = actual
        .groups
        .values()
        .filter_map(|group| {
            let rules: Vec<_> = group
                .rules
                .iter()
                .filter(|(identity, _)| identity.direction == Direction::In)
                .filter_map(|(identity, rule)| Some((rule.expired(now)?, identity.clone())))
                .collect();
            (!rules.is_empty()).then(|| Step::Revoke { group: group.id.clone(), rules })
        })
        .collect();
    Plan { of: actual.digest(), steps }
}

/// Why a group has no room for a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The quota is used up.
    #[error(
        "security group {group} would have {would} inbound {family} rules of the {quota} that quota L-0EA8095F (rules per security group) allows"
    )]
    Quota {
        /// The group.
        group: SecurityGroupId,
        /// The family.
        family: Family,
        /// How many it would have.
        would: u32,
        /// How many it may have.
        quota: u32,
    },
    /// The group is not there.
    #[error("security group {group} does not exist in {place}")]
    Gone {
        /// The group.
        group: SecurityGroupId,
        /// Where it was looked for.
        place: crate::inventory::Place,
    },
    /// The group could not be seen.
    #[error("security group {group} could not be read: {why}")]
    Unseen {
        /// The group.
        group: SecurityGroupId,
        /// What kind of failure that was.
        cause: Cause,
        /// Why.
        why: String,
    },
    /// The group is elsewhere than the policy says.
    #[error("security group {group} is in {actual}, but the policy says {policy}")]
    WrongVpc {
        /// The group.
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
        Seen::Gone => return Err(NoRoom::Gone { group: id.clone(), place: at.clone() }),
        Seen::Unseen(gap) => {
            return Err(NoRoom::Unseen { group: id.clone(), cause: gap.cause(), why: gap.to_string() });
        }
    };
    if let Some(policy) = vpc.as_ref().filter(|vpc| is.vpc.as_ref() != Some(vpc)) {
        let actual = is.vpc.as_ref().map_or_else(|| "no VPC".to_owned(), ToString::to_string);
        return Err(NoRoom::WrongVpc { group: id.clone(), actual, policy: policy.clone() });
    }
    let rulesets = BTreeMap::from([(id.clone(), ruleset.clone())]);
    let quota = actual.quota(&is.place);
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
