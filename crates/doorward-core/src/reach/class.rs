//! Classes: hosts that the network treats alike, so that one stands for all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::host::{Host, HostKind};
use super::line::Line;
use super::network::Network;
use super::table::{ClassIx, HostIx, SetIx, SubnetIx, Table};
use crate::inventory::{Inventory, RouteTarget};
use crate::net::ranges;
use crate::net::{Cidr, Family};

/// Hosts that fare alike in every question.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) members: Vec<HostIx>,
    /// Whether something in the network names its host.
    pub(super) named: bool,
}

/// What decides how a host fares.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fate {
    subnet: SubnetIx,
    set: SetIx,
    kind: HostKind,
    points: Vec<(Family, bool, u32)>,
    /// The host itself, where something in the network names it.
    alone: Option<HostIx>,
}

/// Sorts hosts into classes, and notes in each host the class that it is of.
pub(super) fn sort(network: &mut Network, inventory: &Inventory) {
    let atoms = atoms(network);
    let names = names(inventory);
    let mut classes: Table<ClassIx, Class> = Table::default();
    let mut known: HashMap<Fate, ClassIx> = HashMap::new();
    let mut of = Vec::with_capacity(network.hosts.len());
    for (index, host) in network.hosts.enumerate() {
        let points = host.points.iter().map(|point| {
            let atom = atoms.at(point.address).copied().unwrap_or(u32::MAX);
            (ranges::family(point.address), point.public, atom)
        });
        let named = is_named(host, &names);
        let fate = Fate {
            subnet: host.subnet,
            set: host.set,
            kind: host.kind,
            points: points.collect(),
            alone: named.then_some(index),
        };
        let class = *known.entry(fate).or_insert_with(|| classes.push(Class { members: Vec::new(), named }));
        classes.at_mut(class).members.push(index);
        of.push((index, class));
    }
    for (index, class) in of {
        network.hosts.at_mut(index).class = class;
    }
    network.classes = classes;
    network.atoms = Some(atoms);
    network.routed = Some(routed(network));
}

/// Splits classes whose hosts are no longer alike, because something names these prefixes now.
pub(super) fn split(network: &mut Network, cidrs: &[Cidr]) {
    if cidrs.is_empty() {
        return;
    }
    let mut parts: BTreeMap<ClassIx, BTreeMap<Vec<bool>, Vec<HostIx>>> = BTreeMap::new();
    for (class, members) in network.classes.enumerate().filter(|(_, class)| class.members.len() > 1) {
        for &index in &members.members {
            let points = &network.hosts.at(index).points;
            let within =
                cidrs.iter().flat_map(|cidr| points.iter().map(|point| cidr.contains(point.address)));
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
            let new = network.classes.push(Class { members: members.clone(), named });
            for index in members {
                network.hosts.at_mut(index).class = new;
            }
        }
    }
    network.atoms = None;
}

/// For each address, the smallest prefix that anything names and that contains it.
pub(super) fn atoms(network: &Network) -> Line<u32> {
    let mut cidrs: BTreeSet<Cidr> = network.sets.rows().flat_map(|set| set.cidrs.iter().copied()).collect();
    cidrs.extend(network.vpcs.rows().flat_map(|vpc| vpc.cuts.iter().copied()));
    cidrs.extend(network.transit_cuts.iter().copied());
    innermost(&cidrs.into_iter().collect::<Vec<_>>())
}

/// For each address, the smallest prefix of routes and network ACLs that contains it.
fn routed(network: &Network) -> Line<u32> {
    let mut cidrs: BTreeSet<Cidr> = network.vpcs.rows().flat_map(|vpc| vpc.cuts.iter().copied()).collect();
    cidrs.extend(network.transit_cuts.iter().copied());
    innermost(&cidrs.into_iter().collect::<Vec<_>>())
}

fn is_named(host: &Host, named: &BTreeSet<String>) -> bool {
    !host.source_dest_check
        || host.balancer.is_some()
        || named.contains(&host.label)
        || host.owner.as_ref().is_some_and(|owner| named.contains(&owner.id))
        || host.points.iter().any(|point| named.contains(&point.address.to_string()))
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

/// For each address, the number of the smallest prefix that contains it: two addresses with the same number are in
/// the same prefixes.
fn innermost(cidrs: &[Cidr]) -> Line<u32> {
    let mut by_family: BTreeMap<Family, Vec<(u128, u128, u32)>> = BTreeMap::new();
    for (cidr, number) in cidrs.iter().zip(0_u32..) {
        let (from, to) = ranges::bounds(*cidr);
        by_family.entry(cidr.family()).or_default().push((from, to, number));
    }
    let steps = |family: Family| {
        let mut ranges = by_family.get(&family).cloned().unwrap_or_default();
        ranges.sort_by_key(|(from, to, _)| (*from, std::cmp::Reverse(*to)));
        let mut steps: Vec<(u128, u32)> = vec![(0, u32::MAX)];
        let mut open: Vec<(u128, u32)> = Vec::new();
        let close = |open: &mut Vec<(u128, u32)>, steps: &mut Vec<(u128, u32)>| {
            if let Some((to, _)) = open.pop()
                && let Some(next) = to.checked_add(1)
            {
                steps.push((next, open.last().map_or(u32::MAX, |(_, number)| *number)));
            }
        };
        for (from, to, number) in ranges {
            while open.last().is_some_and(|(end, _)| *end < from) {
                close(&mut open, &mut steps);
            }
            open.push((to, number));
            steps.push((from, number));
        }
        while !open.is_empty() {
            close(&mut open, &mut steps);
        }
        steps
    };
    Line::of_steps(steps(Family::V4), steps(Family::V6))
}
