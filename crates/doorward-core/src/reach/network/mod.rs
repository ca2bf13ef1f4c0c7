//! An inventory prepared for look-ups: every table that a packet needs, by index.

pub(crate) mod address_map;
pub(crate) mod address_space;
pub(crate) mod balancers;
pub(crate) mod equivalence;
pub(crate) mod interfaces;
pub(crate) mod network_acls;
pub(crate) mod remotes;
pub(crate) mod roles;
pub(crate) mod route_tables;
pub(crate) mod security_groups;
pub(crate) mod services;
pub(crate) mod table;
pub(crate) mod vpcs;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use crate::inventory::{
    AccountRegion, Call, Gap, InterfaceId, Inventory, NetworkAclId, ResourceRef, RouteTableId,
    SecurityGroupId, SubnetId, TransitTableId, VpcId,
};
use crate::net::ranges::{Cuts, Ranges};
use crate::net::{Cidr, Family};
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::address_space::Outside;
use crate::reach::network::balancers::Balancers;
use crate::reach::network::equivalence::EquivalenceClass;
use crate::reach::network::interfaces::InterfaceNode;
use crate::reach::network::network_acls::AclNode;
use crate::reach::network::route_tables::RouteTableNode;
use crate::reach::network::security_groups::{GroupNode, GroupSet};
use crate::reach::network::table::{
    AclIx, ClassIx, GapIx, GroupIx, InterfaceIx, SetIx, SubnetIx, Table, TableIx, VpcIx,
};
use crate::reach::network::vpcs::{SubnetNode, VpcNode};

/// Something that is known, or the gap that hides it.
pub(crate) type OrGap<T> = Result<T, GapIx>;

#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) vpcs: Table<VpcIx, VpcNode>,
    pub(crate) subnets: Table<SubnetIx, SubnetNode>,
    pub(crate) tables: Table<TableIx, RouteTableNode>,
    pub(crate) acls: Table<AclIx, AclNode>,
    pub(crate) groups: Table<GroupIx, GroupNode>,
    pub(crate) sets: Table<SetIx, GroupSet>,
    pub(crate) interfaces: Table<InterfaceIx, InterfaceNode>,
    pub(crate) classes: Table<ClassIx, EquivalenceClass>,
    pub(crate) gaps: Table<GapIx, Gap>,
    pub(crate) vpc_of: BTreeMap<VpcId, VpcIx>,
    pub(crate) subnet_of: BTreeMap<SubnetId, SubnetIx>,
    pub(crate) table_of: BTreeMap<RouteTableId, TableIx>,
    pub(crate) group_of: BTreeMap<SecurityGroupId, GroupIx>,
    pub(crate) acl_of: BTreeMap<NetworkAclId, AclIx>,
    pub(crate) interface_of: HashMap<InterfaceId, InterfaceIx>,
    /// Every prefix of every VPC: what is never outside.
    pub(crate) inside: Vec<Cidr>,
    /// The interfaces of each resource, by its kind and its id.
    pub(crate) members: BTreeMap<ResourceRef, Vec<InterfaceIx>>,
    /// For each address, the smallest prefix that anything names and that contains it.
    pub(crate) atoms: Option<AddressMap<u32>>,
    /// The same of the prefixes of routes and network ACLs alone.
    pub(crate) routed: Option<AddressMap<u32>>,
    /// Every prefix that gateways and peerings tell: of tables of transit gateways, static routes, far VPCs.
    pub(crate) gateway_cuts: Vec<Cidr>,
    pub(crate) gateway_cut_at: Cuts,
    /// What AWS reserves and serves itself.
    pub(crate) amazon_cut_at: Cuts,
    /// Every prefix outside that something names in a VPC that packets may go through.
    pub(crate) through_cuts: Vec<Cidr>,
    pub(crate) through_cut_at: Cuts,
    /// Every prefix that something names at a node of a load balancer.
    pub(crate) balancer_cuts: Vec<Cidr>,
    pub(crate) balancer_cut_at: Cuts,
    pub(crate) balancers: Balancers,
    /// For each route table of a transit gateway and each address, the place of the route that decides.
    pub(crate) transit_routes: BTreeMap<TransitTableId, AddressMap<Option<usize>>>,
    /// What leads out of the recording, with the prefixes that may be there.
    pub(crate) remotes: BTreeMap<Outside, BTreeSet<Cidr>>,
    /// The public addresses that are in no VPC, of IPv4 and of IPv6.
    pub(crate) internet: BTreeMap<Family, Ranges>,
    pub(crate) set_of: HashMap<Vec<GroupIx>, SetIx>,
}

impl Network {
    pub(crate) fn of(inventory: &Inventory) -> Self {
        let mut network = Self::default();
        for gap in &inventory.gaps {
            network.gaps.push(gap.clone());
        }
        network.vpcs(inventory);
        network.tables(inventory);
        network.acls(inventory);
        network.subnets(inventory);
        network.edges(inventory);
        network.gateways(inventory);
        network.transit_routes = route_tables::of_transit_gateways(inventory);
        network.groups(inventory);
        interfaces::settle(&mut network, inventory);
        network.inside = network.vpcs.rows().flat_map(|vpc| vpc.cidrs.iter().copied()).collect();
        network.remotes = remotes::find(&network, inventory);
        network.cut(inventory);
        network.cut_of_balancers();
        network.balancers = Balancers::of(inventory);
        equivalence::sort(&mut network, inventory);
        network.internet = [Family::V4, Family::V6]
            .map(|family| (family, address_space::internet(&network.inside, family)))
            .into();
        network
    }

    /// The VPCs that transit gateways join.
    pub(crate) fn joined(&self) -> impl Iterator<Item = VpcIx> {
        self.vpcs.enumerate().filter(|(_, vpc)| vpc.is_joined()).map(|(index, _)| index)
    }

    /// Notes where something changes along the line of addresses.
    fn cut(&mut self, inventory: &Inventory) {
        let mut cuts: BTreeMap<VpcIx, BTreeSet<Cidr>> = BTreeMap::new();
        for acl in inventory.network_acls.values() {
            if let Some(vpc) = self.vpc_of.get(&acl.vpc) {
                cuts.entry(*vpc).or_default().extend(acl.entries.iter().map(|entry| entry.cidr));
            }
        }
        for table in inventory.route_tables.values() {
            if let (Some(vpc), Some(index)) = (self.vpc_of.get(&table.vpc), self.table_of.get(&table.id)) {
                cuts.entry(*vpc)
                    .or_default()
                    .extend(self.tables.at(*index).routes.iter().map(|row| row.cidr));
            }
        }
        for interface in self.interfaces.rows().filter(|interface| !interface.source_dest_check) {
            cuts.entry(interface.vpc).or_default().extend(self.sets.at(interface.set).cidrs.iter().copied());
        }
        // Of a VPC that packets go through only what is about addresses outside matters to the others.
        let mut through: BTreeSet<Cidr> = BTreeSet::new();
        for (vpc, cidrs) in cuts {
            let node = self.vpcs.at_mut(vpc);
            if node.is_joined() {
                through.extend(&cidrs);
            }
            node.cut_at = Cuts::of(cidrs.iter().copied());
            node.cuts = cidrs.into_iter().collect();
        }
        through.retain(|cidr| !self.inside.iter().any(|inside| inside.covers(*cidr)));
        self.through_cut_at = Cuts::of(through.iter().copied());
        self.through_cuts = through.into_iter().collect();
        let routes = inventory.transit_tables.values().filter_map(|table| table.routes.as_ref()).flatten();
        let mut cidrs: BTreeSet<Cidr> = routes.map(|route| route.cidr).collect();
        cidrs.extend(inventory.vpn_connections.values().flat_map(|connection| &connection.routes));
        cidrs.extend(self.remotes.values().flatten());
        self.gateway_cut_at = Cuts::of(cidrs.iter().copied());
        self.amazon_cut_at = Cuts::of(address_space::amazons());
        self.gateway_cuts = cidrs.into_iter().collect();
    }

    /// Notes where something changes for whom a load balancer may send to, since the client has to get to it.
    pub(crate) fn cut_of_balancers(&mut self) {
        let nodes = self.interfaces.rows().filter(|node| node.balancer.is_some());
        let of_node = |node: &InterfaceNode| (node.set, node.vpc);
        let (sets, vpcs): (BTreeSet<SetIx>, BTreeSet<VpcIx>) = nodes.map(of_node).unzip();
        let mut cidrs: BTreeSet<Cidr> = BTreeSet::new();
        cidrs.extend(sets.into_iter().flat_map(|set| &self.sets.at(set).cidrs));
        cidrs.extend(vpcs.into_iter().flat_map(|vpc| &self.vpcs.at(vpc).cuts));
        self.balancer_cut_at = Cuts::of(cidrs.iter().copied());
        self.balancer_cuts = cidrs.into_iter().collect();
    }

    /// The gap of a call in a place; made here when the answer was there and did not tell.
    pub(crate) fn gap(&mut self, call: Call, account_region: &AccountRegion, why: &str) -> GapIx {
        let known = |gap: &Gap| gap.account_region == *account_region && gap.is_of(call);
        if let Some((index, _)) = self.gaps.enumerate().find(|(_, gap)| known(gap)) {
            return index;
        }
        self.gaps.push(Gap::of(call, account_region, why))
    }

    /// The public addresses of a family that are in no VPC.
    pub(crate) fn internet(&self, family: Family) -> Ranges {
        let known = self.internet.get(&family).cloned();
        known.unwrap_or_else(|| address_space::internet(&self.inside, family))
    }

    pub(crate) fn is_internet(&self, address: IpAddr) -> bool {
        self.internet.values().any(|ranges| ranges.contains(address))
    }
}
