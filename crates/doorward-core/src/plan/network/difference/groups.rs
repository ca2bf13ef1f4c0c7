//! Security groups, their rules, and what has them attached.

use std::collections::BTreeSet;

use super::Changes;
use crate::inventory::SecurityGroup;
use crate::plan::Step;
use crate::plan::network::change::Change;
use crate::plan::network::phase::Phase;
use crate::plan::network::why::Why;
use crate::plan::rules::group_steps;
use crate::topology::Holder;

pub(super) fn changed(changes: &mut Changes<'_>) {
    const EGRESS: &str = "a role reaches only what admits it, and what it is declared to reach";
    // The default security group is made with its VPC.
    for group in changes.wanted.groups.values().filter(|group| group.name != "default") {
        match (changes.actual.groups.get(&group.id), group.owned(changes.by)) {
            // In somebody else's group, which a role names, only rules of ours are added and removed.
            (Some(before), _) => rules(changes, before, group),
            (None, None) => {}
            (None, Some(right)) => {
                let mut bare = group.clone();
                bare.rules.clear();
                let why = Why::declared(&group.tags, changes.by);
                changes.add(Change::CreateSecurityGroup(Box::new(bare.clone())), why);
                changes.add(Change::RevokeDefaultEgress(right), Why::For(EGRESS));
                rules(changes, &bare, group);
            }
        }
    }
    holders(changes);
}

fn rules(changes: &mut Changes<'_>, is: &SecurityGroup, should: &SecurityGroup) {
    const MADE: &str = "roles and networks are declared so";
    const GONE: &str = "no role and no network is declared so";
    let mut steps = Vec::new();
    let noted = &changes.actual.noted;
    group_steps(changes.actual, is, should, |_, rule| is.owned_rule(rule, changes.by, noted), &mut steps);
    // Where the quota leaves no room for both, rules are removed before others are added.
    let (adds, mut added) = (steps.iter().any(|step| matches!(step, Step::Authorize { .. })), false);
    for step in steps {
        let (phase, why) = match step {
            Step::Revoke { .. } if adds && !added => (Phase::Rules, GONE),
            Step::Revoke { .. } => (Phase::RulesGone, GONE),
            Step::Authorize { .. } | Step::Describe { .. } => (Phase::Rules, MADE),
        };
        added |= matches!(step, Step::Authorize { .. });
        changes.add_in(phase, Change::Rules(step), Why::For(why));
    }
}

fn holders(changes: &mut Changes<'_>) {
    const WHY: &str = "roles are attached where they are declared, and nowhere else";
    for vpc in changes.actual.vpcs.keys() {
        for holder in Holder::all_in(changes.actual, vpc) {
            let before = holder.groups(changes.actual);
            let after: Option<&BTreeSet<_>> = holder.groups(changes.wanted);
            let Some(groups) = after.filter(|after| before != Some(after)).cloned() else { continue };
            changes.add(Change::SetGroups { holder, groups }, Why::For(WHY));
        }
    }
}
