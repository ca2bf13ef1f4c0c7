//! VPCs and their subnets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use crate::inventory::{Call, Inventory, NetworkAclId, Place, RouteTableId, SubnetId, VpcId};
use crate::net::Cidr;
use crate::reach::network::table::{AclIx, InterfaceIx, TableIx, VpcIx};
use crate::reach::network::{Network, OrGap};

#[derive(Debug)]
pub(crate) struct VpcNode {
    pub(crate) id: VpcId,
    pub(crate) place: Place,
    pub(crate) cidrs: Vec<Cidr>,
    pub(crate) interfaces: HashMap<IpAddr, InterfaceIx>,
    /// Hosts with delegated prefixes.
    pub(crate) delegated: Vec<(Cidr, InterfaceIx)>,
    /// The tables that route the ingress of its gateways, by the gateway's id.
    pub(crate) edges: BTreeMap<String, TableIx>,
    /// Every prefix in its network ACLs and route tables, and in the groups of its appliances.
    pub(crate) cuts: Vec<Cidr>,
    /// Whether it is attached to a transit gateway.
    pub(crate) joined: bool,
}

impl VpcNode {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }

    pub(crate) fn interface_at(&self, address: IpAddr) -> Option<InterfaceIx> {
        let delegated = || {
            self.delegated.iter().find(|(cidr, _)| cidr.contains(address)).map(|(_, interface)| *interface)
        };
        self.interfaces.get(&address).copied().or_else(delegated)
    }
}

#[derive(Debug)]
pub(crate) struct SubnetNode {
    pub(crate) id: SubnetId,
    pub(crate) name: Option<String>,
    pub(crate) vpc: VpcIx,
    /// The zone's id, else its name; none when neither is known.
    pub(crate) zone: Option<String>,
    pub(crate) cidrs: Vec<Cidr>,
    pub(crate) table: OrGap<TableIx>,
    pub(crate) acl: OrGap<AclIx>,
}

impl SubnetNode {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }
}

impl Network {
    pub(crate) fn vpcs(&mut self, inventory: &Inventory) {
        for vpc in inventory.vpcs.values() {
            let node = VpcNode {
                id: vpc.id.clone(),
                place: vpc.place.clone(),
                cidrs: vpc.cidrs.iter().copied().collect(),
                interfaces: HashMap::new(),
                delegated: Vec::new(),
                edges: BTreeMap::new(),
                cuts: Vec::new(),
                joined: false,
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
    pub(crate) fn vpc(&mut self, id: &VpcId, inventory: &Inventory) -> VpcIx {
        if let Some(index) = self.vpc_of.get(id) {
            return *index;
        }
        let subnets = inventory.subnets.values().filter(|subnet| subnet.vpc == *id);
        let cidrs: BTreeSet<Cidr> = subnets.flat_map(|subnet| subnet.cidrs.iter().copied()).collect();
        let place = inventory.gaps.iter().find(|gap| gap.is_of(Call::Vpcs)).map(|gap| gap.place.clone());
        let index = self.vpcs.push(VpcNode {
            id: id.clone(),
            place: place.unwrap_or_default(),
            cidrs: cidrs.into_iter().collect(),
            interfaces: HashMap::new(),
            delegated: Vec::new(),
            edges: BTreeMap::new(),
            cuts: Vec::new(),
            joined: false,
        });
        self.vpc_of.insert(id.clone(), index);
        index
    }

    pub(crate) fn subnets(&mut self, inventory: &Inventory) {
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

    pub(crate) fn edges(&mut self, inventory: &Inventory) {
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
