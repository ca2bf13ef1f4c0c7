//! What has a security group attached, and the roles that are attached to it and taken off again.

mod kind;

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, purpose_of};
use super::vpc::default_group;
use super::{Note, fixed};
use crate::inventory::{Call, SecurityGroupId, Tags, VpcId};
use crate::name::{EnvironmentName, RoleName};
use crate::topology::{Carrier, Environment, EnvironmentPart, Network, Part, Topology};

pub use kind::Holder;

/// The calls that tell what a carrier is.
fn told_by(carrier: &Carrier) -> &'static [Call] {
    match carrier {
        Carrier::Instance(_) => &[Call::Instances],
        Carrier::Tag(..) => &[Call::Instances, Call::Databases, Call::DatabaseClusters],
        Carrier::Database(_) => &[Call::Databases, Call::DatabaseClusters],
        Carrier::Proxy(_) => &[Call::DatabaseProxies],
        Carrier::Cache(_) => &[Call::Caches, Call::ServerlessCaches],
        Carrier::Service { .. } => &[Call::ContainerServices],
        Carrier::Function(_) => &[Call::Functions],
        Carrier::Environment(_, EnvironmentPart::Instance) => &[Call::Instances],
        Carrier::Environment(_, EnvironmentPart::Database) => &[Call::Databases],
        Carrier::Environment(..) => &[Call::LoadBalancers, Call::LoadBalancerTags],
    }
}

/// Attaches each role where it is declared, and takes it off everything else in the VPC.
pub(super) fn attach(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &Network,
    vpc: &VpcId,
    groups: &BTreeMap<RoleName, SecurityGroupId>,
) {
    let holders = Holder::all_in(draft.actual, vpc);
    for role in topology.roles_in(&network.name).filter(|role| groups.contains_key(&role.name)) {
        for carrier in role.on.iter().filter(|carrier| !is_environment(carrier)) {
            if !holders.iter().any(|holder| holder.is(carrier, draft.actual, &draft.site.by)) {
                missing(draft, role, carrier, vpc);
            }
        }
    }
    set_all(draft, topology, network, (vpc, groups), &holders);
}

/// The same for the parts of an environment alone.
pub(super) fn attach_to(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &Network,
    (vpc, groups): (&VpcId, &BTreeMap<RoleName, SecurityGroupId>),
    environment: &EnvironmentName,
) {
    let mut holders = Holder::all_in(draft.actual, vpc);
    holders.retain(|holder| {
        let part = holder.environment_part(draft.actual, &draft.site.by);
        part.is_some_and(|(name, _)| name == *environment)
    });
    set_all(draft, topology, network, (vpc, groups), &holders);
}

/// Gives each holder the groups of the roles that are on it, and of no others.
fn set_all(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &Network,
    (vpc, groups): (&VpcId, &BTreeMap<RoleName, SecurityGroupId>),
    holders: &BTreeSet<Holder>,
) {
    let mut wanted: BTreeMap<&Holder, BTreeSet<SecurityGroupId>> = BTreeMap::new();
    for role in topology.roles_in(&network.name) {
        let Some(group) = groups.get(&role.name) else { continue };
        for carrier in &role.on {
            for holder in holders.iter().filter(|holder| holder.is(carrier, draft.actual, &draft.site.by)) {
                wanted.entry(holder).or_default().insert(group.clone());
            }
        }
    }
    let ours = role_groups(draft, network);
    let default = default_group(&draft.wanted, vpc).map(|group| group.id.clone());
    for holder in holders {
        let add = wanted.get(holder).cloned().unwrap_or_default();
        // What we create has the default group only as long as it has no other.
        let is_ours = holder.environment_part(draft.actual, &draft.site.by).is_some();
        let spare = default.iter().filter(|_| is_ours && !add.is_empty());
        let ours = ours.iter().chain(spare).cloned().collect();
        // A database that is to be started is not fixed any more.
        match holder.fixed(&draft.wanted) {
            Some(fixed) => fixed::leave(draft, holder, fixed, &ours, &add, groups),
            None => set(draft, vpc, holder, &ours, add),
        }
    }
}

fn is_environment(carrier: &Carrier) -> bool {
    matches!(carrier, Carrier::Environment(..))
}

/// The groups of the roles that are on a part of an environment; the default one where there is none.
pub(super) fn groups_of_part(
    draft: &Draft<'_>,
    topology: &Topology,
    environment: &Environment,
    part: EnvironmentPart,
    vpc: &VpcId,
    groups: &BTreeMap<RoleName, SecurityGroupId>,
) -> BTreeSet<SecurityGroupId> {
    let carrier = Carrier::Environment(environment.name.clone(), part);
    let roles = topology.roles_in(&environment.network).filter(|role| role.on.contains(&carrier));
    let of_roles: BTreeSet<SecurityGroupId> =
        roles.filter_map(|role| groups.get(&role.name).cloned()).collect();
    if !of_roles.is_empty() {
        return of_roles;
    }
    default_group(&draft.wanted, vpc).map(|group| group.id.clone()).into_iter().collect()
}

/// The groups of all roles of a network that stand, declared or not.
pub(super) fn role_groups(draft: &Draft<'_>, network: &Network) -> BTreeSet<SecurityGroupId> {
    groups_of(draft, &network.name)
}

/// The groups of all roles of a network by its name.
pub(super) fn groups_of(draft: &Draft<'_>, network: &crate::name::NetworkName) -> BTreeSet<SecurityGroupId> {
    let of = |tags: &Tags| {
        purpose_of(tags, &draft.site.by)
            .is_some_and(|purpose| purpose.network == *network && matches!(purpose.part, Part::Role(_)))
    };
    draft.actual.groups.values().filter(|group| of(&group.tags)).map(|group| group.id.clone()).collect()
}

/// Gives a holder these groups instead of those among `ours`; those of others stay.
pub(super) fn set(
    draft: &mut Draft<'_>,
    vpc: &VpcId,
    holder: &Holder,
    ours: &BTreeSet<SecurityGroupId>,
    add: BTreeSet<SecurityGroupId>,
) {
    let Some(before) = holder.groups(draft.actual) else { return };
    let mut after: BTreeSet<SecurityGroupId> = before.difference(ours).cloned().chain(add).collect();
    if after.is_empty() && !before.is_empty() {
        // An interface has at least one group (EC2 API reference, `ModifyNetworkInterfaceAttribute`).
        match default_group(&draft.wanted, vpc) {
            Some(default) => drop(after.insert(default.id.clone())),
            None => {
                draft.note(Note::LastGroup { resource: holder.resource() });
                return;
            }
        }
    }
    if let Some(groups) = holder.groups_mut(&mut draft.wanted) {
        *groups = after;
    }
}

fn missing(draft: &mut Draft<'_>, role: &crate::topology::Role, carrier: &Carrier, vpc: &VpcId) {
    let (name, carrier) = (role.name.clone(), carrier.clone());
    let others = draft.actual.vpcs.keys().filter(|other| *other != vpc);
    let elsewhere = others
        .flat_map(|other| Holder::all_in(draft.actual, other))
        .find(|holder| holder.is(&carrier, draft.actual, &draft.site.by));
    if let Some(holder) = elsewhere {
        draft.note(Note::OtherVpc { role: name, resource: holder.resource(), vpc: vpc.clone() });
        return;
    }
    let gap = told_by(&carrier).iter().find_map(|call| draft.actual.gap(*call, &draft.site.account_region));
    draft.note(match gap {
        Some(gap) => Note::UnreadCarrier { role: name, carrier, gap: gap.clone() },
        None => Note::NoCarrier { role: name, carrier },
    });
}
