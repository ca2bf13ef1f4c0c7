//! What these changes read and write.

use super::super::change::Awaited;
use super::super::needs::{Footprint, Key};
use super::ScaledChange;
use crate::inventory::{Inventory, LoadBalancer, ResourceRef, ScalingGroup, TargetGroup};

/// A target group by its ARN, which may be planned.
fn by_arn(arn: &str) -> ResourceRef {
    ResourceRef::of(crate::inventory::ResourceKind::TargetGroup, arn)
}

pub(in super::super) fn footprint(change: &ScaledChange, actual: &Inventory, it: &mut Footprint) {
    match change {
        ScaledChange::CreateTargetGroup(group) => {
            it.read_all(&group.vpc).write(by_arn(&group.arn)).writes_state(by_arn(&group.arn));
        }
        ScaledChange::ModifyTargetGroup(arn, _) => {
            it.write(by_arn(arn.id()));
        }
        ScaledChange::CreateBalancer(balancer) => {
            of_balancer(balancer, it).rules_of(&balancer.groups);
            it.write(balancer.resource()).writes_state(balancer.resource());
        }
        ScaledChange::SetSubnets(_, balancer) => {
            it.read_all(&balancer.subnets).write(balancer.resource()).writes_state(balancer.resource());
        }
        // What is behind a load balancer is checked only where a listener sends to it.
        ScaledChange::CreateListener(_, of) | ScaledChange::ModifyListener(_, of) => {
            let (balancer, listener) = of.as_ref();
            it.read(balancer.resource()).writes_state(balancer.resource());
            for arn in &listener.target_groups {
                it.read(by_arn(arn)).writes_state(by_arn(arn));
            }
        }
        ScaledChange::CreateTemplate { template, .. } => {
            it.read_all(template.versions.values().flat_map(|version| &version.groups)).write(&template.id);
        }
        ScaledChange::CreateVersion { template, version, .. } => {
            it.read_all(&version.groups).write(template.id());
        }
        ScaledChange::CreateGroup(group, launched) => {
            of_group(group, it);
            for (instance, interface) in launched {
                it.read(&interface.vpc).read_all(&interface.groups).rules_of(&interface.groups);
                // What they do when they start may need the internet.
                it.reads(Key::Association(interface.subnet.clone()));
                it.write(&instance.id).write(&interface.id);
            }
            it.write(group.resource()).writes_state(group.resource());
        }
        ScaledChange::ModifyGroup(_, groups) => {
            of_group(&groups.1, it);
            it.write(groups.1.resource()).writes_state(groups.1.resource());
        }
        ScaledChange::DeleteGroup(account_region, name) => {
            if let Some(group) = actual.scaling_groups.get(&(account_region.clone(), name.id().clone())) {
                gone(group, actual, it);
            }
        }
        ScaledChange::DeleteBalancer(_, balancer) => balancer_gone(balancer, it),
        ScaledChange::DeleteTargetGroup(_, group) => target_group_gone(group, it),
        ScaledChange::DeleteTemplate(template) => {
            it.write(template.id());
        }
    }
}

/// What waiting for a state of these reads and writes.
pub(in super::super) fn awaits(awaited: &Awaited, actual: &Inventory, it: &mut Footprint) {
    match awaited {
        Awaited::Balancer(..) | Awaited::GroupServes(..) => {
            it.read(awaited.touches()).writes_state(awaited.touches());
        }
        Awaited::GroupGone(account_region, name) => {
            if let Some(group) = actual.scaling_groups.get(&(account_region.clone(), name.clone())) {
                gone(group, actual, it);
            }
        }
        Awaited::BalancerGone(account_region, name) => {
            let mut all = actual.load_balancers.values();
            if let Some(balancer) = all.find(|it| it.name == *name && it.account_region == *account_region) {
                balancer_gone(balancer, it);
            }
        }
        _ => {}
    }
}

/// A load balancer with what it is in. One that is public needs the internet gateway of its VPC.
fn of_balancer<'f>(balancer: &LoadBalancer, it: &'f mut Footprint) -> &'f mut Footprint {
    it.read_all(&balancer.vpc).read_all(&balancer.subnets).read_all(&balancer.groups);
    it.reads.extend(balancer.vpc.iter().map(|vpc| Key::Internet(vpc.clone())));
    it.reads.extend(balancer.subnets.iter().map(|subnet| Key::Association(subnet.clone())));
    it
}

/// A group with what it launches from, where, and for what.
fn of_group(group: &ScalingGroup, it: &mut Footprint) {
    it.read_all(group.template.as_ref().map(|(template, _)| template)).read_all(&group.subnets);
    for arn in &group.target_groups {
        it.read(by_arn(arn)).reads(Key::State(by_arn(arn)));
    }
}

/// A group that goes, with the interfaces of its instances.
fn gone(group: &ScalingGroup, actual: &Inventory, it: &mut Footprint) {
    of_group(group, it);
    let is_its = |id: &Option<crate::inventory::InstanceId>| {
        id.as_ref().is_some_and(|id| group.instances.contains(id))
    };
    for interface in actual.interfaces.values().filter(|interface| is_its(&interface.instance)) {
        it.read(&interface.vpc).read(&interface.subnet).read_all(&interface.groups).write(&interface.id);
    }
    it.write(group.resource()).writes_state(group.resource());
}

fn balancer_gone(balancer: &LoadBalancer, it: &mut Footprint) {
    of_balancer(balancer, it);
    for arn in balancer.listeners.iter().flatten().flat_map(|listener| &listener.target_groups) {
        it.read(by_arn(arn));
    }
    it.write(balancer.resource()).writes_state(balancer.resource());
}

fn target_group_gone(group: &TargetGroup, it: &mut Footprint) {
    it.read_all(&group.vpc).write(by_arn(&group.arn));
}
