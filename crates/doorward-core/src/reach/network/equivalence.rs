//! Classes of interfaces that the network cannot tell apart, so that one stands for all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::inventory::{Inventory, RouteTarget};
use crate::net::{Cidr, Family, ranges};
use crate::reach::network::Network;
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::interfaces::{InterfaceKind, InterfaceNode};
use crate::reach::network::table::{ClassIx, InterfaceIx, SetIx, SubnetIx, Table};

/// Hosts that fare alike in every question.
#[derive(Debug)]
pub(crate) struct EquivalenceClass {
    pub(crate) members: Vec<InterfaceIx>,
    /// Whether something in the network names its interface.
    pub(crate) named: bool,
}

/// What decides how an interface fares.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Signature {
    subnet: SubnetIx,
    set: SetIx,
    kind: InterfaceKind,
    addresses: Vec<(Family, bool, u32)>,
    /// The interface itself, where something in the network names it.
    alone: Option<InterfaceIx>,
}

/// Sorts interfaces into classes, and notes in each interface the class that it is of.
pub(crate) fn sort(network: &mut Network, inventory: &Inventory) {
    let atoms = atoms(network);
    let names = names(inventory);
    let mut classes: Table<ClassIx, EquivalenceClass> = Table::default();
    let mut known: HashMap<Signature, ClassIx> = HashMap::new();
    let mut of = Vec::with_capacity(network.interfaces.len());
    for (index, interface) in network.interfaces.enumerate() {
        let addresses = interface.addresses.iter().map(|own| {
            let atom = atoms.at(own.address).copied().unwrap_or(u32::MAX);
            (ranges::family(own.address), own.public, atom)
        });
        let named = is_named(interface, &names);
        let fate = Signature {
            subnet: interface.subnet,
            set: interface.set,
            kind: interface.kind,
            addresses: addresses.collect(),
            alone: named.then_some(index),
        };
        let class = *known
            .entry(fate)
            .or_insert_with(|| classes.push(EquivalenceClass { members: Vec::new(), named }));
        classes.at_mut(class).members.push(index);
        of.push((index, class));
    }
    for (index, class) in of {
        network.interfaces.at_mut(index).class = class;
    }
    network.classes = classes;
    network.atoms = Some(atoms);
    network.routed = Some(routed(network));
}

/// Splits classes whose interfaces are no longer alike, because something names these prefixes now.
pub(crate) fn split(network: &mut Network, cidrs: &[Cidr]) {
    if cidrs.is_empty() {
        return;
    }
    let mut parts: BTreeMap<ClassIx, BTreeMap<Vec<bool>, Vec<InterfaceIx>>> = BTreeMap::new();
    for (class, members) in network.classes.enumerate().filter(|(_, class)| class.members.len() > 1) {
        for &index in &members.members {
            let addresses = &network.interfaces.at(index).addresses;
            let within = cidrs.iter().flat_map(|cidr| addresses.iter().map(|own| cidr.contains(own.address)));
            parts.entry(class).or_default().entry(within.collect()).or_default().push(index);
        }
    }
    for (class, parts) in parts.into_iter().filter(|(_, parts)| parts.len() > 1) {
        let named = network.classes.at(class).named;
        for (number, members) in parts.into_values().enumerate() {
            if number == 0 {
                network.classes.at_mut(class).members = members;
                continue;
            }
            let new = network.classes.push(EquivalenceClass { members: members.clone(), named });
            for index in members {
                network.interfaces.at_mut(index).class = new;
            }
        }
    }
    network.atoms = None;
}

/// For each address, the smallest prefix that anything names and that contains it.
pub(crate) fn atoms(network: &Network) -> AddressMap<u32> {
    let mut cidrs: BTreeSet<Cidr> = network.sets.rows().flat_map(|set| set.cidrs.iter().copied()).collect();
    cidrs.extend(network.vpcs.rows().flat_map(|vpc| vpc.cuts.iter().copied()));
    cidrs.extend(network.gateway_cuts.iter().copied());
    innermost(cidrs)
}

/// For each address, the smallest prefix of routes and network ACLs that contains it.
fn routed(network: &Network) -> AddressMap<u32> {
    let mut cidrs: BTreeSet<Cidr> = network.vpcs.rows().flat_map(|vpc| vpc.cuts.iter().copied()).collect();
    cidrs.extend(network.gateway_cuts.iter().copied());
    innermost(cidrs)
}

fn is_named(interface: &InterfaceNode, named: &BTreeSet<String>) -> bool {
    !interface.source_dest_check
        || interface.balancer.is_some()
        || named.contains(interface.resource.id())
        || interface.owner.as_ref().is_some_and(|owner| named.contains(owner.resource.id()))
        || interface.addresses.iter().any(|own| named.contains(&own.address.to_string()))
}

/// What routes and load balancers name by itself.
fn names(inventory: &Inventory) -> BTreeSet<String> {
    let routes = inventory.route_tables.values().flat_map(|table| &table.routes);
    let by_route = routes.filter_map(|route| match &route.target {
        RouteTarget::Interface(id) => Some(id.to_string()),
        RouteTarget::Instance(id) => Some(id.to_string()),
        _ => None,
    });
    let targets = inventory.target_groups.values().filter_map(|group| group.targets.as_ref()).flatten();
    by_route.chain(targets.map(|target| target.id.clone())).collect()
}

/// For each address, the number of the longest prefix that contains it: two addresses with the same number are in the same
/// prefixes.
fn innermost(cidrs: BTreeSet<Cidr>) -> AddressMap<u32> {
    AddressMap::of_longest(cidrs.into_iter().zip(0_u32..)).map(|number| number.unwrap_or(u32::MAX))
}
