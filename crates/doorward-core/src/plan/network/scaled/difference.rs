//! The difference of two inventories in load balancers and Auto Scaling groups.

use super::super::change::{Awaited, Change};
use super::super::difference::Changes;
use super::super::why::Why;
use super::{ScaledChange, added, has_other_settings};
use crate::inventory::{Instance, Interface, LaunchTemplate, Listener, LoadBalancer, ScalingGroup, Tags};
use crate::mark::Mark;
use crate::name::InstallationId;
use crate::topology::{EnvironmentPart, Part, Purpose, purpose_of};

const USED: &str = "it can only be used when it is there";
const SERVES: &str = "the environment serves when its targets are healthy";
const FREE: &str = "its interfaces hold its subnets and security groups";
const ROLES: &str = "new instances have the security groups of the declared roles";

/// What is to be created or to be changed: what sends comes after what it sends to.
pub(in super::super) fn changed(changes: &mut Changes<'_>) {
    let (actual, wanted, by) = (changes.actual, changes.wanted, changes.by);
    for group in wanted.target_groups.values() {
        let Some(right) = group.owned(by) else { continue };
        match actual.target_groups.get(&group.arn) {
            None => {
                let mut new = group.clone();
                new.targets = Some(Vec::new());
                add(changes, ScaledChange::CreateTargetGroup(Box::new(new)), Why::declared(&group.tags, by));
            }
            Some(before) if before.health_path != group.health_path => {
                let change = ScaledChange::ModifyTargetGroup(right, Box::new(group.clone()));
                add(changes, change, Why::declared(&group.tags, by));
            }
            Some(_) => {}
        }
    }
    for balancer in wanted.load_balancers.values().filter(|it| it.owned(by).is_some()) {
        self::balancer(changes, balancer);
    }
    for template in wanted.launch_templates.values() {
        self::template(changes, template);
    }
    for (key, group) in &wanted.scaling_groups {
        let Some(right) = group.owned(by) else { continue };
        match actual.scaling_groups.get(key) {
            None => {
                let launched = launched(changes, group);
                let new = ScaledChange::CreateGroup(Box::new(group.clone()), launched);
                add(changes, new, Why::declared(&group.tags, by));
                let serves = Awaited::GroupServes(key.0.clone(), key.1.clone());
                changes.add(Change::Await(serves), Why::For(SERVES));
            }
            Some(before) if has_other_settings(before, group) || !added(before, group).is_empty() => {
                let groups = Box::new((before.clone(), group.clone()));
                add(changes, ScaledChange::ModifyGroup(right, groups), Why::declared(&group.tags, by));
            }
            Some(_) => {}
        }
    }
}

fn add(changes: &mut Changes<'_>, change: ScaledChange, why: Why) {
    changes.add(Change::Scaled(change), why);
}

fn balancer(changes: &mut Changes<'_>, balancer: &LoadBalancer) {
    let by = changes.by;
    let Some(right) = balancer.owned(by) else { return };
    let why = || Why::declared(&balancer.tags, by);
    let active = Awaited::Balancer(balancer.account_region.clone(), balancer.name.clone());
    let before = changes.actual.load_balancers.get(&balancer.arn);
    let bare = LoadBalancer { listeners: Some(Vec::new()), ..balancer.clone() };
    if before.is_none() {
        add(changes, ScaledChange::CreateBalancer(Box::new(bare.clone())), why());
    }
    if before.is_some_and(|before| before.subnets != balancer.subnets) {
        add(changes, ScaledChange::SetSubnets(right.clone(), Box::new(bare.clone())), why());
    }
    let there: &[Listener] = before.and_then(|it| it.listeners.as_deref()).unwrap_or_default();
    for listener in balancer.listeners.iter().flatten() {
        let of = || Box::new((bare.clone(), listener.clone()));
        match there.iter().find(|it| it.port == listener.port) {
            None => add(changes, ScaledChange::CreateListener(right.clone(), of()), why()),
            Some(is) if is != listener => {
                add(changes, ScaledChange::ModifyListener(right.clone(), of()), why());
            }
            Some(_) => {}
        }
    }
    if before.is_none_or(|before| before.state != balancer.state) {
        changes.add(Change::Await(active), Why::For(USED));
    }
}

/// The tags of what is launched from a template.
fn of_instances(template: &LaunchTemplate, by: &InstallationId) -> Tags {
    let Some(Purpose { network, part: Part::Environment(name, _) }) = purpose_of(&template.tags, by) else {
        return Tags::new();
    };
    let purpose = Purpose::of(&network, Part::Environment(name, EnvironmentPart::Instance));
    [
        (Mark::TAG.to_owned(), by.to_string()),
        (Mark::PART_TAG.to_owned(), purpose.to_string()),
        ("Name".to_owned(), purpose.name()),
    ]
    .into()
}

fn template(changes: &mut Changes<'_>, template: &LaunchTemplate) {
    let by = changes.by;
    let Some(right) = template.owned(by) else { return };
    let Some(before) = changes.actual.launch_templates.get(&template.id) else {
        let launched = of_instances(template, by);
        let new = ScaledChange::CreateTemplate { template: Box::new(template.clone()), launched };
        add(changes, new, Why::declared(&template.tags, by));
        return;
    };
    let used = changes.actual.scaling_groups.values().filter_map(|it| it.template.as_ref());
    let mut used = used.filter(|(id, _)| *id == template.id);
    let source = used.next().and_then(|(_, version)| before.number(version)).unwrap_or(before.latest);
    for (number, version) in template.versions.iter().filter(|(it, _)| !before.versions.contains_key(*it)) {
        let (template, version) = (right.clone(), Box::new(version.clone()));
        let new = ScaledChange::CreateVersion { template, source, number: *number, version };
        add(changes, new, Why::For(ROLES));
    }
}

/// The instances that AWS launches for a new group.
fn launched(changes: &Changes<'_>, group: &ScalingGroup) -> Vec<(Instance, Interface)> {
    let wanted = changes.wanted;
    let instances = group.instances.iter().filter_map(|id| wanted.instances.get(id));
    let with = |instance: &Instance| {
        let id = instance.interfaces.first()?;
        Some((instance.clone(), wanted.interfaces.get(id)?.clone()))
    };
    instances.filter_map(with).collect()
}

/// What goes, in the order in which one uses another.
pub(in super::super) fn removed(changes: &mut Changes<'_>) {
    let (actual, wanted, by) = (changes.actual, changes.wanted, changes.by);
    for (key, group) in
        actual.scaling_groups.iter().filter(|(key, _)| !wanted.scaling_groups.contains_key(*key))
    {
        let Some(right) = group.owned(by) else { continue };
        if !group.is_deleting {
            let change = ScaledChange::DeleteGroup(key.0.clone(), right);
            add(changes, change, Why::undeclared(&group.tags, by));
        }
        let gone = Awaited::GroupGone(key.0.clone(), key.1.clone());
        changes.add(Change::Await(gone), Why::For(FREE));
    }
    for balancer in actual.load_balancers.values().filter(|it| !wanted.load_balancers.contains_key(&it.arn)) {
        let Some(right) = balancer.owned(by) else { continue };
        let change = ScaledChange::DeleteBalancer(right, Box::new(balancer.clone()));
        add(changes, change, Why::undeclared(&balancer.tags, by));
        let gone = Awaited::BalancerGone(balancer.account_region.clone(), balancer.name.clone());
        changes.add(Change::Await(gone), Why::For(FREE));
    }
    for group in actual.target_groups.values().filter(|it| !wanted.target_groups.contains_key(&it.arn)) {
        if let Some(right) = group.owned(by) {
            let change = ScaledChange::DeleteTargetGroup(right, Box::new(group.clone()));
            add(changes, change, Why::undeclared(&group.tags, by));
        }
    }
    for template in
        actual.launch_templates.values().filter(|it| !wanted.launch_templates.contains_key(&it.id))
    {
        if let Some(right) = template.owned(by) {
            add(changes, ScaledChange::DeleteTemplate(right), Why::undeclared(&template.tags, by));
        }
    }
}
