//! Prepares what stands still: VPCs, subnets, route tables, network ACLs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Flows;
use super::line::Line;
use super::network::{AclNode, Network, RouteNode, RouteRow, SubnetNode, VpcNode, decided};
use super::span::Span;
use super::table::VpcIx;
use crate::inventory::{
    Call, Destination, Direction, Inventory, NetworkAclId, PrefixListId, RouteTableId, RouteTarget, SubnetId,
    VpcId,
};
use crate::net::Cidr;

impl Network {
    pub(super) fn vpcs(&mut self, inventory: &Inventory) {
        for vpc in inventory.vpcs.values() {
            let node = VpcNode {
                id: vpc.id.clone(),
                place: vpc.place.clone(),
                cidrs: vpc.cidrs.iter().copied().collect(),
                hosts: HashMap::new(),
                delegated: Vec::new(),
                edges: BTreeMap::new(),
                cuts: Vec::new(),
            };
            let index = self.vpcs.push(node);
            self.vpc_of.insert(vpc.id.clone(), index);
        }
        let named = inventory.subnets.values().map(|subnet| &subnet.vpc);
        let named = named.chain(inventory.interfaces.values().map(|interface| &interface.vpc));
        for vpc in named {
            self.vpc(vpc, inventory);
        }
    }

    /// A VPC that something names; one that was not described has the prefixes of its subnets.
    pub(super) fn vpc(&mut self, id: &VpcId, inventory: &Inventory) -> VpcIx {
        if let Some(index) = self.vpc_of.get(id) {
            return *index;
        }
        let subnets = inventory.subnets.values().filter(|subnet| subnet.vpc == *id);
        let cidrs: BTreeSet<Cidr> = subnets.flat_map(|subnet| subnet.cidrs.iter().copied()).collect();
        let place =
            inventory.gaps.iter().find(|gap| gap.call == Call::Vpcs.action()).map(|gap| gap.place.clone());
        let index = self.vpcs.push(VpcNode {
            id: id.clone(),
            place: place.unwrap_or_default(),
            cidrs: cidrs.into_iter().collect(),
            hosts: HashMap::new(),
            delegated: Vec::new(),
            edges: BTreeMap::new(),
            cuts: Vec::new(),
        });
        self.vpc_of.insert(id.clone(), index);
        index
    }

    pub(super) fn tables(&mut self, inventory: &Inventory) {
        for table in inventory.route_tables.values() {
            let vpc = self.vpc(&table.vpc, inventory);
            let place = self.vpcs.at(vpc).place.clone();
            let mut rows = Vec::new();
            let mut unknown = table.incomplete.then(|| {
                self.gap(Call::RouteTables, &place, &format!("a route of {} cannot be read", table.id))
            });
            for route in &table.routes {
                let row = |cidr: Cidr, list: Option<&PrefixListId>| RouteRow {
                    cidr,
                    list: list.cloned(),
                    target: route.target.clone(),
                    propagated: route.propagated,
                    blackhole: route.blackhole,
                };
                match &route.destination {
                    Destination::Cidr(cidr) => rows.push(row(*cidr, None)),
                    Destination::PrefixList(list) => {
                        let entries = inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref());
                        match entries {
                            Some(entries) => rows.extend(entries.iter().map(|cidr| row(*cidr, Some(list)))),
                            // A gateway endpoint's list holds only addresses of its service, outside.
                            None if matches!(route.target, RouteTarget::Endpoint(_)) => {}
                            None => {
                                let why = format!("nothing was recorded of the entries of {list}");
                                unknown = Some(self.gap(Call::PrefixListEntries, &place, &why));
                            }
                        }
                    }
                }
            }
            // The local routes cannot be taken away (VPC user guide, route tables), recorded or not.
            for &cidr in &self.vpcs.at(vpc).cidrs {
                let there = |row: &RouteRow| row.cidr == cidr && row.list.is_none() && !row.propagated;
                if !rows.iter().any(there) {
                    rows.push(RouteRow {
                        cidr,
                        list: None,
                        target: RouteTarget::Local,
                        propagated: false,
                        blackhole: false,
                    });
                }
            }
            rows.sort_by_key(|row| (std::cmp::Reverse(row.cidr.bits()), rank(row)));
            let cidrs: Vec<Cidr> = rows.iter().map(|row| row.cidr).collect();
            let best = Line::new(&cidrs, |address| {
                let at = rows.iter().position(|row| row.cidr.contains(address));
                at.and_then(|at| u32::try_from(at).ok())
            });
            let index = self.tables.push(RouteNode {
                id: table.id.clone(),
                name: table.tags.get("Name").cloned(),
                routes: rows,
                unknown,
                best,
            });
            self.table_of.insert(table.id.clone(), index);
        }
    }

    pub(super) fn acls(&mut self, inventory: &Inventory) {
        for acl in inventory.network_acls.values() {
            let vpc = self.vpc(&acl.vpc, inventory);
            let place = self.vpcs.at(vpc).place.clone();
            let incomplete = acl.incomplete.then(|| {
                self.gap(Call::NetworkAcls, &place, &format!("an entry of {} cannot be read", acl.id))
            });
            let mut entries = acl.entries.clone();
            entries.sort_by_key(|entry| entry.number);
            let cidrs: Vec<Cidr> = entries.iter().map(|entry| entry.cidr).collect();
            let line = |direction: Direction| {
                Line::new(&cidrs, |address| {
                    let span = Span::exact(decided(&entries, direction, address));
                    // An entry that cannot be read may decide anything.
                    if incomplete.is_some() { Span { sure: Flows::NONE, maybe: Flows::all() } } else { span }
                })
            };
            let (inward, outward) = (line(Direction::In), line(Direction::Out));
            let index = self.acls.push(AclNode {
                id: acl.id.clone(),
                name: acl.tags.get("Name").cloned(),
                entries,
                incomplete,
                inward,
                outward,
            });
            self.acl_of.insert(acl.id.clone(), index);
        }
    }

    pub(super) fn subnets(&mut self, inventory: &Inventory) {
        let mut table_of: BTreeMap<&SubnetId, &RouteTableId> = BTreeMap::new();
        let mut main_of: BTreeMap<&VpcId, &RouteTableId> = BTreeMap::new();
        for table in inventory.route_tables.values() {
            table_of.extend(table.subnets.iter().map(|subnet| (subnet, &table.id)));
            if table.main {
                main_of.insert(&table.vpc, &table.id);
            }
        }
        let mut acl_of: BTreeMap<&SubnetId, &NetworkAclId> = BTreeMap::new();
        let mut default_of: BTreeMap<&VpcId, &NetworkAclId> = BTreeMap::new();
        for acl in inventory.network_acls.values() {
            acl_of.extend(acl.subnets.iter().map(|subnet| (subnet, &acl.id)));
            if acl.default {
                default_of.insert(&acl.vpc, &acl.id);
            }
        }
        let mut subnets: BTreeMap<&SubnetId, &VpcId> = BTreeMap::new();
        subnets.extend(inventory.interfaces.values().map(|interface| (&interface.subnet, &interface.vpc)));
        subnets.extend(inventory.subnets.values().map(|subnet| (&subnet.id, &subnet.vpc)));
        for (id, vpc_id) in subnets {
            let described = inventory.subnets.get(id);
            let vpc = self.vpc(vpc_id, inventory);
            let place = self.vpcs.at(vpc).place.clone();
            let table =
                table_of.get(id).or_else(|| main_of.get(vpc_id)).and_then(|table| self.table_of.get(*table));
            let table = table.copied().ok_or_else(|| {
                self.gap(Call::RouteTables, &place, &format!("it tells of no route table of {id}"))
            });
            let acl = acl_of.get(id).or_else(|| default_of.get(vpc_id)).and_then(|acl| self.acl_of.get(*acl));
            let acl = acl.copied().ok_or_else(|| {
                self.gap(Call::NetworkAcls, &place, &format!("it tells of no network ACL of {id}"))
            });
            let index = self.subnets.push(SubnetNode {
                id: id.clone(),
                name: described.and_then(|subnet| subnet.tags.get("Name").cloned()),
                vpc,
                zone: described.and_then(|subnet| subnet.zone_id.clone().or_else(|| subnet.zone.clone())),
                cidrs: described.map(|subnet| subnet.cidrs.iter().copied().collect()).unwrap_or_default(),
                table,
                acl,
            });
            self.subnet_of.insert(id.clone(), index);
        }
    }

    pub(super) fn edges(&mut self, inventory: &Inventory) {
        for table in inventory.route_tables.values() {
            let (Some(vpc), Some(index)) = (self.vpc_of.get(&table.vpc), self.table_of.get(&table.id)) else {
                continue;
            };
            for gateway in &table.gateways {
                self.vpcs.at_mut(*vpc).edges.insert(gateway.clone(), *index);
            }
        }
    }
}

/// Among routes of one prefix: static before propagated, a prefix before a list, a list before what is propagated
/// (VPC user guide, route priority).
fn rank(row: &RouteRow) -> u8 {
    match (row.propagated, &row.list) {
        (false, None) => 0,
        (false, Some(_)) => 1,
        (true, _) => 2,
    }
}
