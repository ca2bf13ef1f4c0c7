//! The difference of two inventories in the rules of security groups.

use std::collections::BTreeMap;

use super::Plan;
use crate::firewall::{InstallationId, Mark, Rule, Ruleset};
use crate::inventory::{
    Direction, ExistingRule, Inventory, Owned, RuleIdentity, SecurityGroup, SecurityGroupId,
    SecurityGroupRuleId,
};
use crate::net::Family;

/// One change to the rules of a security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Rules to add to a group, each with the description that marks it.
    Authorize {
        group: SecurityGroupId,
        /// What to let through, and the mark.
        rules: Vec<(RuleIdentity, Mark)>,
    },
    /// Descriptions to write anew on rules that stand.
    Describe {
        group: SecurityGroupId,
        /// Which rules, and what to write.
        rules: Vec<Remark>,
    },
    /// Rules to take away.
    Revoke {
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
    pub mark: Mark,
    /// Whether the tag has to be written too.
    pub retag: bool,
}

impl Step {
    /// The same as steps of one rule each.
    pub fn each_rule(&self) -> Vec<Self> {
        let group = self.group();
        match self {
            Self::Authorize { rules, .. } => {
                let one = |rule: &(RuleIdentity, Mark)| vec![rule.clone()];
                rules.iter().map(|rule| Self::Authorize { group: group.clone(), rules: one(rule) }).collect()
            }
            Self::Describe { rules, .. } => {
                let one = |remark: &Remark| vec![remark.clone()];
                rules.iter().map(|rule| Self::Describe { group: group.clone(), rules: one(rule) }).collect()
            }
            Self::Revoke { rules, .. } => {
                let one = |rule: &(Owned<SecurityGroupRuleId>, RuleIdentity)| vec![rule.clone()];
                rules.iter().map(|rule| Self::Revoke { group: group.clone(), rules: one(rule) }).collect()
            }
        }
    }

    /// The group that it changes.
    pub fn group(&self) -> &SecurityGroupId {
        match self {
            Self::Authorize { group, .. } | Self::Describe { group, .. } | Self::Revoke { group, .. } => {
                group
            }
        }
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
            group.rules.entry(identity).or_insert_with(|| ExistingRule {
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
    Plan::of(actual, steps(actual, wanted, by))
}

/// The same steps for a caller that has just read `actual` and performs them at once: no plan is kept that could be outdated.
pub fn steps(actual: &Inventory, wanted: &Inventory, by: &InstallationId) -> Vec<Step> {
    let mut steps = Vec::new();
    for (id, should) in &wanted.groups {
        let Some(is) = actual.groups.get(id) else { continue };
        group_steps(actual, is, should, |identity, rule| ours(actual, identity, rule, by), &mut steps);
    }
    steps
}

/// The steps for one group, in which `right` says which rules may be touched.
pub(super) fn group_steps(
    actual: &Inventory,
    is: &SecurityGroup,
    should: &SecurityGroup,
    right: impl Fn(&RuleIdentity, &ExistingRule) -> Option<Owned<SecurityGroupRuleId>>,
    steps: &mut Vec<Step>,
) {
    let mut add = Vec::new();
    let mut describe = Vec::new();
    for (identity, rule) in &should.rules {
        let existing = is.rules.get(identity);
        if existing.is_some_and(|is| is.description == rule.description && is.tag == rule.tag) {
            continue;
        }
        let Ok(mark) = rule.description.parse::<Mark>() else { continue };
        match existing {
            None => add.push((identity.clone(), mark)),
            Some(existing) => describe.extend(right(identity, existing).map(|id| Remark {
                id,
                rule: identity.clone(),
                mark,
                retag: existing.tag != rule.tag,
            })),
        }
    }
    let remove: Vec<_> = is
        .rules
        .iter()
        .filter(|(identity, _)| !should.rules.contains_key(*identity))
        .filter_map(|(identity, rule)| Some((right(identity, rule)?, identity.clone())))
        .collect();

    let group = || is.id.clone();
    let tight = [Direction::In, Direction::Out].into_iter().any(|direction| {
        [Family::V4, Family::V6].into_iter().any(|family| {
            let weights = &actual.prefix_list_weights;
            let adding = add.iter().filter(|(rule, _)| rule.direction == direction);
            let adding: u32 = adding.map(|(rule, _)| rule.peer.weight(family, weights)).sum();
            is.weight(direction, family, weights).saturating_add(adding) > actual.quota(&is.account_region)
        })
    });
    let describe = (!describe.is_empty()).then(|| Step::Describe { group: group(), rules: describe });
    let add = (!add.is_empty()).then(|| Step::Authorize { group: group(), rules: add });
    let remove = (!remove.is_empty()).then(|| Step::Revoke { group: group(), rules: remove });
    let (first, last) = if tight { (remove, add) } else { (add, remove) };
    steps.extend(describe.into_iter().chain(first).chain(last));
}

/// The right to touch a rule of a grant or a static list. None of them is for the way out, so one there that bears such a mark
/// was copied by hand and stays its maker's. Rules of roles and networks are planned with these.
fn ours(
    actual: &Inventory,
    identity: &RuleIdentity,
    rule: &ExistingRule,
    by: &InstallationId,
) -> Option<Owned<SecurityGroupRuleId>> {
    // A rule that the store has noted is a grant's, also where somebody wrote another mark on it to keep it open.
    let noted = rule.id.as_ref().is_some_and(|id| actual.noted.contains(id));
    let declared = rule.description.parse::<Mark>().is_ok_and(|mark| mark.because.is_declared());
    actual.owned(rule, by).filter(|_| identity.direction == Direction::In && (noted || !declared))
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
    Plan::of(actual, steps)
}
