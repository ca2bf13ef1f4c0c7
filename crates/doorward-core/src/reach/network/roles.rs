//! Roles: interfaces with the same VPC, route table, network ACL and groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::NamedResource;
use crate::reach::network::Network;
use crate::reach::network::interfaces::InterfaceNode;
use crate::reach::network::table::{AclIx, Index, InterfaceIx, SetIx, TableIx, VpcIx};
use crate::reach::result::{Role, RoleId};

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    vpc: VpcIx,
    table: Option<TableIx>,
    acl: Option<AclIx>,
    set: SetIx,
}

/// The roles of a network, and the role of each interface.
pub(crate) fn of(network: &Network) -> (Vec<Role>, Vec<RoleId>) {
    let mut members: BTreeMap<Key, Vec<InterfaceIx>> = BTreeMap::new();
    for (index, interface) in network.interfaces.enumerate() {
        let subnet = network.subnets.at(interface.subnet);
        let key =
            Key { vpc: interface.vpc, table: subnet.table.ok(), acl: subnet.acl.ok(), set: interface.set };
        members.entry(key).or_default().push(index);
    }
    let mut role_of = vec![RoleId(0); network.interfaces.len()];
    let mut roles = Vec::with_capacity(members.len());
    for (number, (key, interfaces)) in (0_u32..).zip(members) {
        let id = RoleId(number);
        for index in &interfaces {
            if let Some(role) = role_of.get_mut(Index::number(*index)) {
                *role = id;
            }
        }
        roles.push(role(network, id, &key, &interfaces));
    }
    (roles, role_of)
}

fn role(network: &Network, id: RoleId, key: &Key, interfaces: &[InterfaceIx]) -> Role {
    let all = || interfaces.iter().map(|index| network.interfaces.at(*index));
    let groups = network.sets.at(key.set).groups.iter().map(|group| network.groups.at(*group));
    let owned = |interface: &InterfaceNode| NamedResource {
        resource: interface.resource.clone(),
        name: interface.name.clone(),
    };
    let owners: BTreeSet<NamedResource> =
        all().map(|interface| interface.owner.clone().unwrap_or_else(|| owned(interface))).collect();
    let names: BTreeSet<&str> = all()
        .filter_map(|interface| interface.owner.as_ref())
        .map(|owner| owner.name.as_deref().unwrap_or(owner.resource.id()))
        .collect();
    let grouped: Vec<String> = groups
        .clone()
        .map(|group| if group.name.is_empty() { group.id.to_string() } else { group.name.clone() })
        .collect();
    let kinds: BTreeSet<&str> = all()
        .filter_map(|interface| interface.owner.as_ref())
        .map(|owner| owner.resource.kind().word())
        .collect();
    let mut only = names.iter();
    let name = match (only.next(), only.next()) {
        (Some(name), None) if owners.len() == 1 => (*name).to_owned(),
        _ if !grouped.is_empty() => grouped.join(" + "),
        _ if !kinds.is_empty() => kinds.into_iter().collect::<Vec<_>>().join(" + "),
        _ => "interfaces without groups".to_owned(),
    };
    let mut owners: Vec<NamedResource> = owners.into_iter().collect();
    owners.sort_by_cached_key(NamedResource::described);
    Role {
        id,
        name,
        vpc: network.vpcs.at(key.vpc).id.clone(),
        subnets: all().map(|interface| network.subnets.at(interface.subnet).id.clone()).collect(),
        groups: groups.map(|group| group.id.clone()).collect(),
        members: all().map(|interface| interface.resource.clone()).collect(),
        owners,
        public: all().any(|interface| interface.addresses.iter().any(|own| own.public)),
    }
}
