//! An inventory prepared for questions: every lookup that a packet needs, by index.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::Flows;
use super::class::{self, Class};
use super::host::{self, Host};
use super::line::Line;
use super::space;
use super::span::Span;
use super::table::{AclIx, ClassIx, GapIx, GroupIx, HostIx, SetIx, SubnetIx, Table, TableIx, VpcIx};
use crate::inventory::{
    AclEntry, Call, Direction, Gap, InterfaceId, Inventory, NetworkAclId, Place, PrefixListId, RouteTableId,
    RouteTarget, RuleIdentity, SecurityGroupId, SubnetId, VpcId,
};
use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family};

/// Something that is known, or the gap that hides it.
pub(super) type Known<T> = Result<T, GapIx>;

#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) vpcs: Table<VpcIx, VpcNode>,
    pub(super) subnets: Table<SubnetIx, SubnetNode>,
    pub(super) tables: Table<TableIx, RouteNode>,
    pub(super) acls: Table<AclIx, AclNode>,
    pub(super) groups: Table<GroupIx, GroupNode>,
    pub(super) sets: Table<SetIx, GroupSet>,
    pub(super) hosts: Table<HostIx, Host>,
    pub(super) classes: Table<ClassIx, Class>,
    pub(super) gaps: Table<GapIx, Gap>,
    pub(super) vpc_of: BTreeMap<VpcId, VpcIx>,
    pub(super) subnet_of: BTreeMap<SubnetId, SubnetIx>,
    pub(super) table_of: BTreeMap<RouteTableId, TableIx>,
    pub(super) group_of: BTreeMap<SecurityGroupId, GroupIx>,
    pub(super) acl_of: BTreeMap<NetworkAclId, AclIx>,
    pub(super) host_of: HashMap<InterfaceId, HostIx>,
    /// Every prefix of every VPC: what is never outside.
    pub(super) inside: Vec<Cidr>,
    /// The hosts of each resource, by its kind and its id.
    pub(super) members: BTreeMap<(&'static str, String), Vec<HostIx>>,
    /// For each address, the smallest prefix that anything names and that contains it.
    pub(super) atoms: Option<Line<u32>>,
    /// The same of the prefixes of routes and network ACLs alone.
    pub(super) routed: Option<Line<u32>>,
    /// Every prefix in tables of transit gateways.
    pub(super) transit_cuts: Vec<Cidr>,
    /// The public addresses that are in no VPC, of IPv4 and of IPv6.
    pub(super) internet: BTreeMap<Family, Ranges>,
    pub(super) set_of: HashMap<Vec<GroupIx>, SetIx>,
}

#[derive(Debug)]
pub(super) struct VpcNode {
    pub(super) id: VpcId,
    pub(super) place: Place,
    pub(super) cidrs: Vec<Cidr>,
    pub(super) hosts: HashMap<IpAddr, HostIx>,
    /// Hosts with delegated prefixes.
    pub(super) delegated: Vec<(Cidr, HostIx)>,
    /// The tables that route the ingress of its gateways, by the gateway's id.
    pub(super) edges: BTreeMap<String, TableIx>,
    /// Every prefix in its network ACLs and route tables, and in the groups of its appliances.
    pub(super) cuts: Vec<Cidr>,
}

impl VpcNode {
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }

    pub(super) fn host(&self, address: IpAddr) -> Option<HostIx> {
        let delegated =
            || self.delegated.iter().find(|(cidr, _)| cidr.contains(address)).map(|(_, host)| *host);
        self.hosts.get(&address).copied().or_else(delegated)
    }
}

#[derive(Debug)]
pub(super) struct SubnetNode {
    pub(super) id: SubnetId,
    pub(super) name: Option<String>,
    pub(super) vpc: VpcIx,
    /// The zone's id, else its name; none when neither is known.
    pub(super) zone: Option<String>,
    pub(super) cidrs: Vec<Cidr>,
    pub(super) table: Known<TableIx>,
    pub(super) acl: Known<AclIx>,
}

impl SubnetNode {
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }
}

#[derive(Debug)]
pub(super) struct RouteNode {
    pub(super) id: RouteTableId,
    pub(super) name: Option<String>,
    /// Every route by each of its prefixes, the best first: longest prefix, then rank.
    pub(super) routes: Vec<RouteRow>,
    /// Routes that match nobody knows what.
    pub(super) unknown: Option<GapIx>,
    /// For each address, the place in `routes`.
    pub(super) best: Line<Option<u32>>,
}

#[derive(Debug, Clone)]
pub(super) struct RouteRow {
    pub(super) cidr: Cidr,
    pub(super) list: Option<PrefixListId>,
    pub(super) target: RouteTarget,
    pub(super) propagated: bool,
    pub(super) blackhole: bool,
}

impl RouteNode {
    /// The route that decides for an address.
    pub(super) fn lookup(&self, address: IpAddr) -> Option<&RouteRow> {
        let row = (*self.best.at(address)?)?;
        self.routes.get(row as usize)
    }
}

#[derive(Debug)]
pub(super) struct AclNode {
    pub(super) id: NetworkAclId,
    pub(super) name: Option<String>,
    pub(super) entries: Vec<AclEntry>,
    pub(super) incomplete: Option<GapIx>,
    pub(super) inward: Line<Span>,
    pub(super) outward: Line<Span>,
}

impl AclNode {
    /// What it lets through in a direction, by the address of the other side.
    pub(super) fn lets(&self, direction: Direction, other: IpAddr) -> Span {
        let line = match direction {
            Direction::In => &self.inward,
            Direction::Out => &self.outward,
        };
        line.at(other).cloned().unwrap_or_else(Span::none)
    }
}

#[derive(Debug)]
pub(super) struct GroupNode {
    pub(super) id: SecurityGroupId,
    pub(super) name: String,
    pub(super) rules: Vec<RuleIdentity>,
    /// What could not be seen of it.
    pub(super) gap: Option<GapIx>,
    pub(super) carriers: Vec<HostIx>,
}

/// The groups of an interface, and what their rules by address let through.
#[derive(Debug)]
pub(super) struct GroupSet {
    pub(super) groups: Vec<GroupIx>,
    pub(super) inward: Line<Span>,
    pub(super) outward: Line<Span>,
    /// Rules that name a group: which one, and what they let through.
    pub(super) in_from: Vec<(GroupIx, Flows)>,
    pub(super) out_to: Vec<(GroupIx, Flows)>,
    pub(super) gaps: Vec<GapIx>,
    /// Every prefix in its rules.
    pub(super) cidrs: Vec<Cidr>,
}

impl Network {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut network = Self::default();
        for gap in &inventory.gaps {
            network.gaps.push(gap.clone());
        }
        network.vpcs(inventory);
        network.tables(inventory);
        network.acls(inventory);
        network.subnets(inventory);
        network.edges(inventory);
        network.groups(inventory);
        host::settle(&mut network, inventory);
        network.cut(inventory);
        class::sort(&mut network, inventory);
        network.inside = network.vpcs.rows().flat_map(|vpc| vpc.cidrs.iter().copied()).collect();
        network.internet =
            [Family::V4, Family::V6].map(|family| (family, space::internet(&network.inside, family))).into();
        network
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
        for host in self.hosts.rows().filter(|host| !host.source_dest_check) {
            cuts.entry(host.vpc).or_default().extend(self.sets.at(host.set).cidrs.iter().copied());
        }
        for (vpc, cidrs) in cuts {
            self.vpcs.at_mut(vpc).cuts = cidrs.into_iter().collect();
        }
        let routes = inventory.transit_tables.values().filter_map(|table| table.routes.as_ref()).flatten();
        let cidrs: BTreeSet<Cidr> = routes.map(|route| route.cidr).collect();
        self.transit_cuts = cidrs.into_iter().collect();
    }

    /// The gap of a call in a place; made here when the answer was there and did not tell.
    pub(super) fn gap(&mut self, call: Call, place: &Place, why: &str) -> GapIx {
        let known = |gap: &Gap| gap.place == *place && gap.call == call.action();
        if let Some((index, _)) = self.gaps.enumerate().find(|(_, gap)| known(gap)) {
            return index;
        }
        self.gaps.push(Gap {
            call: call.action().to_owned(),
            place: place.clone(),
            groups: Vec::new(),
            why: why.to_owned(),
        })
    }

    /// The public addresses of a family that are in no VPC.
    pub(super) fn internet(&self, family: Family) -> Ranges {
        let known = self.internet.get(&family).cloned();
        known.unwrap_or_else(|| space::internet(&self.inside, family))
    }

    pub(super) fn is_internet(&self, address: IpAddr) -> bool {
        self.internet.values().any(|ranges| ranges.contains(address))
    }
}

/// What sorted entries let through for one other address: the first that matches decides.
pub(super) fn decided(entries: &[AclEntry], direction: Direction, other: IpAddr) -> Flows {
    let family = if other.is_ipv4() { Family::V4 } else { Family::V6 };
    let (mut open, mut allowed) = (Flows::of_family(family), Flows::NONE);
    for entry in entries.iter().filter(|entry| entry.direction == direction && entry.cidr.contains(other)) {
        let decides = Flows::from(entry.flow).and(&open);
        if entry.allow {
            allowed = allowed.union(&decides);
        }
        open = open.minus(&decides);
        if open.is_empty() {
            break;
        }
    }
    allowed
}
