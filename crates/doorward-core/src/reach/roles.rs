//! Roles: interfaces with the same VPC, route table, network ACL and groups.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Role, RoleId};
use super::network::Network;
use super::table::{AclIx, HostIx, SetIx, TableIx, VpcIx};

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    vpc: VpcIx,
    table: Option<TableIx>,
    acl: Option<AclIx>,
    set: SetIx,
}

/// The roles of a network, and the role of each host.
pub(super) fn of(network: &Network) -> (Vec<Role>, Vec<RoleId>) {
    let mut members: BTreeMap<Key, Vec<HostIx>> = BTreeMap::new();
    for (index, host) in network.hosts.enumerate() {
        let subnet = network.subnets.at(host.subnet);
        let key = Key { vpc: host.vpc, table: subnet.table.ok(), acl: subnet.acl.ok(), set: host.set };
        members.entry(key).or_default().push(index);
    }
    let mut role_of = vec![RoleId(0); network.hosts.len()];
    let mut roles = Vec::with_capacity(members.len());
    for (number, (key, hosts)) in (0_u32..).zip(members) {
        let id = RoleId(number);
        for index in &hosts {
            if let Some(role) = role_of.get_mut(super::table::Index::number(*index)) {
                *role = id;
            }
        }
        roles.push(role(network, id, &key, &hosts));
    }
    (roles, role_of)
}

fn role(network: &Network, id: RoleId, key: &Key, hosts: &[HostIx]) -> Role {
    let all = || hosts.iter().map(|index| network.hosts.at(*index));
    let groups = network.sets.at(key.set).groups.iter().map(|group| network.groups.at(*group));
    let owners: BTreeSet<String> =
        all().map(|host| host.owner.as_ref().map_or_else(|| host.title(), ToString::to_string)).collect();
    let names: BTreeSet<&str> = all()
        .filter_map(|host| host.owner.as_ref())
        .map(|owner| owner.name.as_deref().unwrap_or(owner.id.as_str()))
        .collect();
    let grouped: Vec<String> = groups
        .clone()
        .map(|group| if group.name.is_empty() { group.id.to_string() } else { group.name.clone() })
        .collect();
    let kinds: BTreeSet<&str> =
        all().filter_map(|host| host.owner.as_ref()).map(|owner| owner.kind).collect();
    let mut only = names.iter();
    let name = match (only.next(), only.next()) {
        (Some(name), None) if owners.len() == 1 => (*name).to_owned(),
        _ if !grouped.is_empty() => grouped.join(" + "),
        _ if !kinds.is_empty() => kinds.into_iter().collect::<Vec<_>>().join(" + "),
        _ => "interfaces without groups".to_owned(),
    };
    Role {
        id,
        name,
        vpc: network.vpcs.at(key.vpc).id.clone(),
        subnets: all().map(|host| network.subnets.at(host.subnet).id.clone()).collect(),
        groups: groups.map(|group| group.id.clone()).collect(),
        members: all().map(|host| host.label.clone()).collect(),
        owners: owners.into_iter().collect(),
        public: all().any(|host| host.points.iter().any(|point| point.public)),
    }
}
