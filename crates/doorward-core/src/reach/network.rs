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
    AclEntry, Call, Destination, Direction, Gap, Inventory, NetworkAclId, Peer, Place, PrefixListId,
    RouteTableId, RouteTarget, RuleIdentity, SecurityGroupId, SubnetId, VpcId,
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
    pub(super) internet: Option<[Ranges; 2]>,
    set_of: HashMap<Vec<GroupIx>, SetIx>,
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
    best: Line<Option<u32>>,
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
    inward: Line<Span>,
    outward: Line<Span>,
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
            Some([Family::V4, Family::V6].map(|family| space::internet(&network.inside, family)));
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

    fn vpcs(&mut self, inventory: &Inventory) {
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

    fn tables(&mut self, inventory: &Inventory) {
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

    fn acls(&mut self, inventory: &Inventory) {
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

    fn subnets(&mut self, inventory: &Inventory) {
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

    fn edges(&mut self, inventory: &Inventory) {
        for table in inventory.route_tables.values() {
            let (Some(vpc), Some(index)) = (self.vpc_of.get(&table.vpc), self.table_of.get(&table.id)) else {
                continue;
            };
            for gateway in &table.gateways {
                self.vpcs.at_mut(*vpc).edges.insert(gateway.clone(), *index);
            }
        }
    }

    fn groups(&mut self, inventory: &Inventory) {
        let carried = inventory.interfaces.values().flat_map(|interface| {
            let place = inventory.vpcs.get(&interface.vpc).map(|vpc| vpc.place.clone()).unwrap_or_default();
            interface.groups.iter().map(move |group| (group, place.clone()))
        });
        let mut places: BTreeMap<&SecurityGroupId, Place> = carried.collect();
        places.extend(inventory.groups.values().map(|group| (&group.id, group.place.clone())));
        for (id, place) in places {
            let gap = match inventory.groups.get(id) {
                None => Some(self.gap(Call::SecurityGroups, &place, &format!("it tells nothing of {id}"))),
                Some(_) if inventory.incomplete_groups.contains(id) => Some(self.gap(
                    Call::SecurityGroupRules,
                    &place,
                    &format!("a rule of {id} cannot be read"),
                )),
                Some(_) => None,
            };
            let group = inventory.groups.get(id);
            let index = self.groups.push(GroupNode {
                id: id.clone(),
                name: group.map(|group| group.name.clone()).unwrap_or_default(),
                rules: group.map(|group| group.rules.keys().cloned().collect()).unwrap_or_default(),
                gap,
                carriers: Vec::new(),
            });
            self.group_of.insert(id.clone(), index);
        }
    }

    /// The index of a set of groups that an interface carries.
    pub(super) fn set(&mut self, ids: &BTreeSet<SecurityGroupId>, inventory: &Inventory) -> SetIx {
        let mut groups = Vec::with_capacity(ids.len());
        for id in ids {
            let known = self.group_of.get(id).copied();
            groups.push(known.unwrap_or_else(|| self.missing(id)));
        }
        if let Some(set) = self.set_of.get(&groups) {
            return *set;
        }
        let built = self.built(&groups, inventory);
        let index = self.sets.push(built);
        self.set_of.insert(groups, index);
        index
    }

    /// Takes in the rules of some groups anew.
    pub(super) fn rules_changed(&mut self, groups: &BTreeSet<SecurityGroupId>, inventory: &Inventory) {
        let mut sets: BTreeSet<SetIx> = BTreeSet::new();
        for id in groups {
            let Some(&index) = self.group_of.get(id) else { continue };
            let rules = inventory.groups.get(id).map(|group| group.rules.keys().cloned().collect());
            let node = self.groups.at_mut(index);
            node.rules = rules.unwrap_or_default();
            let carriers = node.carriers.clone();
            sets.extend(carriers.into_iter().map(|host| self.hosts.at(host).set));
        }
        for set in sets {
            let groups = self.sets.at(set).groups.clone();
            *self.sets.at_mut(set) = self.built(&groups, inventory);
        }
    }

    /// A group that only a service tells of.
    fn missing(&mut self, id: &SecurityGroupId) -> GroupIx {
        let gap = self.gap(Call::SecurityGroups, &Place::default(), &format!("it tells nothing of {id}"));
        let index = self.groups.push(GroupNode {
            id: id.clone(),
            name: String::new(),
            rules: Vec::new(),
            gap: Some(gap),
            carriers: Vec::new(),
        });
        self.group_of.insert(id.clone(), index);
        index
    }

    fn built(&mut self, groups: &[GroupIx], inventory: &Inventory) -> GroupSet {
        let mut by_address: [Vec<(Cidr, Flows)>; 2] = [Vec::new(), Vec::new()];
        let mut by_group: [Vec<(GroupIx, Flows)>; 2] = [Vec::new(), Vec::new()];
        let mut gaps = Vec::new();
        let mut vague = [false, false];
        for group in groups {
            let node = self.groups.at(*group);
            if let Some(gap) = node.gap {
                gaps.push(gap);
                vague = [true, true];
            }
            for rule in node.rules.clone() {
                let flows = Flows::from(rule.flow);
                let ([inward, outward], [in_from, out_to], [in_vague, out_vague]) =
                    (&mut by_address, &mut by_group, &mut vague);
                let (addresses, references, vague) = match rule.direction {
                    Direction::In => (inward, in_from, in_vague),
                    Direction::Out => (outward, out_to, out_vague),
                };
                match &rule.peer {
                    Peer::Cidr(cidr) => addresses.push((*cidr, flows)),
                    // A group that is nowhere carries nobody: the reference is stale and matches nothing.
                    Peer::Group(id) => references.extend(self.group_of.get(id).map(|group| (*group, flows))),
                    Peer::PrefixList(list) => {
                        match inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref()) {
                            Some(entries) => {
                                addresses.extend(entries.iter().map(|cidr| (*cidr, flows.clone())));
                            }
                            None => {
                                *vague = true;
                                let place = Self::place_of(inventory, &self.groups.at(*group).id);
                                let why = format!("nothing was recorded of the entries of {list}");
                                gaps.push(self.gap(Call::PrefixListEntries, &place, &why));
                            }
                        }
                    }
                }
            }
        }
        let line = |rules: &[(Cidr, Flows)], vague: bool| {
            let cidrs: Vec<Cidr> = rules.iter().map(|(cidr, _)| *cidr).collect();
            Line::new(&cidrs, |address| {
                let matching = rules.iter().filter(|(cidr, _)| cidr.contains(address));
                let sure = matching.fold(Flows::NONE, |sum, (_, flows)| sum.union(flows));
                if vague { Span { sure, maybe: Flows::all() } } else { Span::exact(sure) }
            })
        };
        let [in_rules, out_rules] = &by_address;
        let [in_vague, out_vague] = vague;
        let (inward, outward) = (line(in_rules, in_vague), line(out_rules, out_vague));
        let [in_from, out_to] = by_group;
        let cidrs: BTreeSet<Cidr> = by_address.iter().flatten().map(|(cidr, _)| *cidr).collect();
        GroupSet {
            groups: groups.to_vec(),
            inward,
            outward,
            in_from,
            out_to,
            gaps,
            cidrs: cidrs.into_iter().collect(),
        }
    }

    fn place_of(inventory: &Inventory, group: &SecurityGroupId) -> Place {
        inventory.groups.get(group).map(|group| group.place.clone()).unwrap_or_default()
    }

    /// The public addresses of a family that are in no VPC.
    pub(super) fn internet(&self, family: Family) -> Ranges {
        let [v4, v6] = self.internet.as_ref().map_or_else(Default::default, |[v4, v6]| [Some(v4), Some(v6)]);
        let known = if family == Family::V4 { v4 } else { v6 };
        known.cloned().unwrap_or_else(|| space::internet(&self.inside, family))
    }

    pub(super) fn is_internet(&self, address: IpAddr) -> bool {
        self.internet.iter().flatten().any(|ranges| ranges.contains(address))
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

/// What sorted entries let through for one other address: the first that matches decides.
fn decided(entries: &[AclEntry], direction: Direction, other: IpAddr) -> Flows {
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
