//! The security groups of roles, with rules that reference groups.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{Note, Obstacle};
use crate::inventory::{Call, Direction, ExistingRule, Peer, RuleIdentity, SecurityGroupId, VpcId, made_by};
use crate::mark::{Because, Mark};
use crate::name::RoleName;
use crate::net::Family;
use crate::topology::{Network, Part, Purpose, Role, Source, Topology};

/// The groups of a network's roles. All are there before the first rule, so roles may admit each other.
pub(super) fn lay_out(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &Network,
    vpc: &VpcId,
) -> BTreeMap<RoleName, SecurityGroupId> {
    let mut groups = BTreeMap::new();
    for role in topology.roles_in(&network.name) {
        groups.extend(group(draft, network, vpc, role).map(|id| (role.name.clone(), id)));
    }
    let mut rules: BTreeMap<&RoleName, Vec<(RuleIdentity, Mark)>> =
        groups.keys().map(|role| (role, Vec::new())).collect();
    for role in topology.roles_in(&network.name) {
        let mark = draft.mark(Because::Role { role: role.name.clone() });
        for (holder, rule) in rules_of(role, &groups) {
            if let Some(rules) = rules.get_mut(holder) {
                rules.push((rule, mark.clone()));
            }
        }
    }
    let existing: BTreeSet<&RoleName> =
        topology.roles_in(&network.name).filter(|role| role.group.is_some()).map(|role| &role.name).collect();
    for (role, mut rules) in rules {
        let Some(id) = groups.get(role) else { continue };
        if existing.contains(role) {
            undeclared(draft, role, id, &rules);
            leave_covered(draft, vpc, id, &mut rules);
        }
        set_rules(draft, id, rules);
    }
    groups
}

/// The rules that a role's table asks for, in its own group and in those that it admits: what is admitted by one side is
/// allowed to leave the other, and nothing else.
fn rules_of<'r>(
    role: &'r Role,
    groups: &BTreeMap<RoleName, SecurityGroupId>,
) -> Vec<(&'r RoleName, RuleIdentity)> {
    let own = groups.get(&role.name);
    let mut rules = Vec::new();
    let rule = |direction, flow, peer| RuleIdentity { direction, flow, peer };
    for (source, flows) in &role.admits {
        for flow in flows.iter().copied() {
            match source {
                Source::Role(other) => {
                    let there =
                        groups.get(other).map(|id| rule(Direction::In, flow, Peer::Group(id.clone())));
                    rules.extend(there.map(|rule| (&role.name, rule)));
                    let back = own.map(|id| rule(Direction::Out, flow, Peer::Group(id.clone())));
                    rules.extend(back.map(|rule| (other, rule)));
                }
                Source::Outside(outside) => {
                    let prefixes = outside.prefixes(flow);
                    rules.extend(
                        prefixes.map(|cidr| (&role.name, rule(Direction::In, flow, Peer::Cidr(cidr)))),
                    );
                }
            }
        }
    }
    for (outside, flows) in &role.reaches {
        for flow in flows.iter().copied() {
            let prefixes = outside.prefixes(flow);
            rules.extend(prefixes.map(|cidr| (&role.name, rule(Direction::Out, flow, Peer::Cidr(cidr)))));
        }
    }
    rules
}

/// Notes the rules of somebody else's group that are not declared.
fn undeclared(draft: &mut Draft<'_>, role: &RoleName, id: &SecurityGroupId, rules: &[(RuleIdentity, Mark)]) {
    let declared: BTreeSet<&RuleIdentity> = rules.iter().map(|(rule, _)| rule).collect();
    let others: Vec<String> =
        foreign_rules(draft, id).filter(|rule| !declared.contains(rule)).map(ToString::to_string).collect();
    if !others.is_empty() {
        draft.note(Note::ForeignRules { role: role.clone(), group: id.clone(), rules: others });
    }
}

/// Takes out what the rules of somebody else's group allow already: a narrower rule beside them would change nothing.
fn leave_covered(
    draft: &Draft<'_>,
    vpc: &VpcId,
    id: &SecurityGroupId,
    rules: &mut Vec<(RuleIdentity, Mark)>,
) {
    let families: BTreeSet<Family> = match draft.actual.vpcs.get(vpc) {
        Some(vpc) => vpc.cidrs.iter().map(|cidr| cidr.family()).collect(),
        None => BTreeSet::new(),
    };
    rules.retain(|(rule, _)| !allows(foreign_rules(draft, id), rule, &families));
}

/// The rules of a group that are not ours.
fn foreign_rules<'d>(
    draft: &'d Draft<'_>,
    id: &SecurityGroupId,
) -> impl Iterator<Item = &'d RuleIdentity> + Clone {
    let (by, noted) = (&draft.site.by, &draft.actual.noted);
    draft.actual.groups.get(id).into_iter().flat_map(move |group| {
        let foreign = group.rules.iter().filter(|(_, rule)| group.owned_rule(rule, by, noted).is_none());
        foreign.map(|(identity, _)| identity)
    })
}

/// Whether standing rules allow all that another one would, in a VPC with addresses of these families.
pub(in crate::topology) fn allows<'r>(
    existing: impl Iterator<Item = &'r RuleIdentity> + Clone,
    rule: &RuleIdentity,
    families: &BTreeSet<Family>,
) -> bool {
    let alike =
        || existing.clone().filter(|one| one.direction == rule.direction && one.flow.covers(rule.flow));
    let to_all = |family: Family| {
        alike()
            .any(|one| matches!(one.peer, Peer::Cidr(cidr) if cidr.family() == family && cidr.is_everyone()))
    };
    match &rule.peer {
        Peer::Cidr(wanted) => alike().any(|one| matches!(one.peer, Peer::Cidr(cidr) if cidr.covers(*wanted))),
        Peer::Group(_) => {
            let needed = families.iter().filter(|family| rule.flow.fits(**family));
            let reaches_all = !families.is_empty() && needed.copied().all(to_all);
            alike().any(|one| one.peer == rule.peer) || reaches_all
        }
        Peer::PrefixList(_) => alike().any(|one| one.peer == rule.peer),
    }
}

/// The group of a role; none if somebody else's has its name, or the one that it names is not there.
fn group(draft: &mut Draft<'_>, network: &Network, vpc: &VpcId, role: &Role) -> Option<SecurityGroupId> {
    if let Some(id) = &role.group {
        let there = draft.actual.groups.get(id).is_some_and(|group| group.vpc.as_ref() == Some(vpc));
        if !there && draft.actual.gap(Call::SecurityGroups, &draft.site.account_region).is_none() {
            let (role, group) = (role.name.clone(), id.clone());
            draft.obstacle(Obstacle::NoGroup { role, group, vpc: vpc.clone() });
        }
        return there.then(|| id.clone());
    }
    let by = &draft.site.by;
    // A VPC has one group of a name (EC2 API reference, `InvalidGroup.Duplicate`).
    let taken = draft.actual.groups.values().find(|group| {
        group.vpc.as_ref() == Some(vpc)
            && group.name == role.name.as_str()
            && made_by(&group.tags, by).is_none()
    });
    if let Some(taken) = taken {
        let (role, group) = (role.name.clone(), taken.id.clone());
        draft.obstacle(Obstacle::NameTaken { role, group, vpc: vpc.clone() });
        return None;
    }
    let purpose = Purpose::of(&network.name, Part::Role(role.name.clone()));
    let about = format!("The role {} of the network {}", role.name, network.name);
    Some(draft.put_group(&purpose, vpc, role.name.to_string(), about))
}

/// Sets the rules of a group of ours: those that are declared, and those that are not ours to remove.
pub(super) fn set_rules(draft: &mut Draft<'_>, id: &SecurityGroupId, rules: Vec<(RuleIdentity, Mark)>) {
    let by = draft.site.by.clone();
    let Some(group) = draft.wanted.groups.get(id) else { return };
    let mut kept: BTreeMap<RuleIdentity, ExistingRule> = group
        .rules
        .iter()
        .filter(|(_, rule)| group.owned_rule(rule, &by, &draft.actual.noted).is_none())
        .map(|(identity, rule)| (identity.clone(), rule.clone()))
        .collect();
    for (identity, mark) in rules {
        let before = group.rules.get(&identity).and_then(|rule| rule.id.clone());
        kept.entry(identity).or_insert_with(|| ExistingRule {
            id: before,
            description: mark.to_string(),
            tag: Some(by.to_string()),
        });
    }
    if let Some(group) = draft.wanted.groups.get_mut(id) {
        group.rules = kept;
    }
}
