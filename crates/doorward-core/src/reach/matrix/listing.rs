//! Lists every path between roles, and between them and the outside.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::net::Family;
use crate::net::ranges::{self, Ranges};
use crate::reach::PathQuery;
use crate::reach::context::Context;
use crate::reach::flows::bounds::Bounds;
use crate::reach::flows::intern::{BoundsIx, FastMap, FlowsIx, Interner};
use crate::reach::matrix::Matrix;
use crate::reach::matrix::totals::Totals;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::network::remotes;
use crate::reach::network::table::{ClassIx, Index as _, InterfaceIx};
use crate::reach::result::{AllowedPath, End, Pair, RoleId};
use crate::reach::selector::resolve::{self, Endpoints};
use crate::reach::trace::round_trip::{self, Aim};
use crate::reach::trace::steps::Detail;

/// Who is asked about.
struct Chosen {
    /// Hosts that are meant; none means all of them.
    interfaces: Option<BTreeSet<InterfaceIx>>,
    /// Whether what is outside is meant as well.
    outside: Vec<(Outside, Ranges)>,
}

fn chosen(cx: Context<'_>, ends: Option<Endpoints>) -> Chosen {
    let everything = || {
        let mut outside: Vec<(Outside, Ranges)> = Vec::new();
        for kind in std::iter::once(&Outside::Internet).chain(remotes::remotes(cx)) {
            let ranges = [Family::V4, Family::V6].map(|family| remotes::behind(cx, kind, family));
            outside.extend(
                ranges.into_iter().filter(|range| !range.is_empty()).map(|range| (kind.clone(), range)),
            );
        }
        outside
    };
    match ends {
        None => Chosen { interfaces: None, outside: everything() },
        Some(ends) => Chosen {
            interfaces: Some(ends.interfaces.iter().map(|selected| selected.interface).collect()),
            outside: ends.outside,
        },
    }
}

/// Every pair of interfaces between which something surely passes.
pub(crate) fn pairs(cx: Context<'_>, scope: &PathQuery, visit: &mut dyn FnMut(Pair<'_>) -> ControlFlow<()>) {
    let from = chosen(cx, scope.from.as_ref().map(|end| resolve::resolve(cx, end)));
    let to = chosen(cx, scope.to.as_ref().map(|end| resolve::resolve(cx, end)));
    let mut matrix = Matrix::new(cx);
    for receiver in classes_of(cx, &to) {
        let row = matrix.row(receiver);
        let sinks = all_meant(cx, receiver, &to);
        for (sender, bounds) in row {
            let flows = matrix.interner.flows(bounds.must);
            let cut;
            let flows = match &scope.flows {
                Some(asked) => {
                    cut = flows.and(asked);
                    &cut
                }
                None => flows,
            };
            if flows.is_empty() {
                continue;
            }
            for sink in &sinks {
                for source in meant(cx, sender, &from).filter(|source| source != sink) {
                    let (source, sink) = (cx.network.interfaces.at(source), cx.network.interfaces.at(*sink));
                    let pair = Pair { from: &source.resource, to: &sink.resource, flows };
                    if visit(pair).is_break() {
                        return;
                    }
                }
            }
        }
    }
}

fn classes_of(cx: Context<'_>, chosen: &Chosen) -> Vec<ClassIx> {
    match &chosen.interfaces {
        None => cx.network.classes.enumerate().map(|(class, _)| class).collect(),
        Some(interfaces) => {
            let classes: BTreeSet<ClassIx> =
                interfaces.iter().map(|interface| cx.network.interfaces.at(*interface).class).collect();
            classes.into_iter().collect()
        }
    }
}

fn meant(cx: Context<'_>, class: ClassIx, chosen: &Chosen) -> impl Iterator<Item = InterfaceIx> {
    let members = cx.network.classes.at(class).members.iter().copied();
    members.filter(move |interface| {
        chosen.interfaces.as_ref().is_none_or(|interfaces| interfaces.contains(interface))
    })
}

fn all_meant(cx: Context<'_>, class: ClassIx, chosen: &Chosen) -> Vec<InterfaceIx> {
    meant(cx, class, chosen).collect()
}

/// Every way, one receiver after the other; what is outside receives last.
pub(crate) fn paths(
    cx: Context<'_>,
    role_of: &[RoleId],
    scope: &PathQuery,
    visit: &mut dyn FnMut(AllowedPath) -> ControlFlow<()>,
) {
    let from = chosen(cx, scope.from.as_ref().map(|end| resolve::resolve(cx, end)));
    let to = chosen(cx, scope.to.as_ref().map(|end| resolve::resolve(cx, end)));
    let senders = by_role(cx, role_of, &from);
    let sizes: BTreeMap<RoleId, usize> = senders
        .iter()
        .map(|(role, classes)| (*role, classes.iter().map(|(_, interfaces)| interfaces.len()).sum()))
        .collect();
    let sources: FastMap<ClassIx, (RoleId, usize)> = senders
        .iter()
        .flat_map(|(role, classes)| {
            classes.iter().map(|(class, interfaces)| (*class, (*role, interfaces.len())))
        })
        .collect();
    let mut matrix = Matrix::new(cx);
    let asked = scope.flows.as_ref().map(|flows| matrix.interner.number(flows));
    let mut gathered: FastMap<RoleId, Totals> = FastMap::default();
    for (receiver, classes) in by_role(cx, role_of, &to) {
        let sinks: usize = classes.iter().map(|(_, interfaces)| interfaces.len()).sum();
        for (class, interfaces) in &classes {
            for (sender, bounds) in matrix.row(*class) {
                let bounds = cut(&mut matrix.interner, bounds, asked);
                if bounds.is_none() {
                    continue;
                }
                let Some((role, count)) = sources.get(&sender) else { continue };
                let own = if sender == *class { own_pairs(interfaces, &from) } else { 0 };
                let pairs = count * interfaces.len() - own;
                if pairs > 0 {
                    gathered.entry(*role).or_default().add(&mut matrix.interner, bounds, pairs);
                }
            }
        }
        let interner = &mut matrix.interner;
        for (outside, reached) in incoming(cx, &from, &classes, asked, interner) {
            let ends = (outside.end(), End::Role(receiver));
            if visit(outside_way(&outside, ends, &reached, sinks, &from, interner)).is_break() {
                return;
            }
        }
        let mut gathered: Vec<(RoleId, Totals)> = gathered.drain().collect();
        gathered.sort_unstable_by_key(|(sender, _)| *sender);
        for (sender, gathered) in gathered {
            let sources = sizes.get(&sender).copied().unwrap_or(0);
            let own = || classes.iter().map(|(_, interfaces)| own_pairs(interfaces, &from)).sum();
            let both = if sender == receiver { own() } else { 0 };
            let whole = gathered.is_alike() && gathered.pairs == sources * sinks - both;
            let path = AllowedPath {
                from: End::Role(sender),
                to: End::Role(receiver),
                flows: interner.flows(gathered.bounds.must).clone(),
                at_most: interner.flows(gathered.bounds.may).clone(),
                whole,
                addresses: Vec::new(),
            };
            if visit(path).is_break() {
                return;
            }
        }
    }
    outgoing(cx, &senders, asked, &mut matrix.interner, &to, visit);
}

/// Who is meant, by roles; a class is of one role.
fn by_role(
    cx: Context<'_>,
    role_of: &[RoleId],
    chosen: &Chosen,
) -> BTreeMap<RoleId, Vec<(ClassIx, Vec<InterfaceIx>)>> {
    let mut by_role: BTreeMap<RoleId, Vec<(ClassIx, Vec<InterfaceIx>)>> = BTreeMap::new();
    for class in classes_of(cx, chosen) {
        let interfaces = all_meant(cx, class, chosen);
        let role = interfaces.first().and_then(|interface| role_of.get(interface.number()));
        if let Some(role) = role {
            by_role.entry(*role).or_default().push((class, interfaces));
        }
    }
    by_role
}

fn incoming(
    cx: Context<'_>,
    from: &Chosen,
    classes: &[(ClassIx, Vec<InterfaceIx>)],
    asked: Option<FlowsIx>,
    interner: &mut Interner,
) -> BTreeMap<Outside, Totals> {
    let mut reached: BTreeMap<Outside, Totals> = BTreeMap::new();
    for (class, interfaces) in classes {
        let Some(&interface) = cx.network.classes.at(*class).members.first() else { continue };
        for (outside, ranges) in &from.outside {
            for packet_end in outside_ends(cx, interface, outside, ranges.family) {
                let pieces =
                    address_space::pieces(cx, ranges, interface).into_iter().map(|(first, last, address)| {
                        let round_trip = round_trip::inward(cx, outside, address, packet_end, Detail::Sum);
                        ((ranges.family, first, last), round_trip.bounds)
                    });
                collect(&mut reached, outside, interfaces.len(), pieces, asked, interner);
            }
        }
    }
    reached
}

/// The addresses of an interface that the outside can be asked about at all.
pub(crate) fn outside_ends(
    cx: Context<'_>,
    interface: InterfaceIx,
    outside: &Outside,
    family: Family,
) -> Vec<PacketEnd> {
    let node = cx.network.interfaces.at(interface);
    let addresses = node.addresses.iter().filter(|own| {
        let public = *outside != Outside::Internet || own.public || family == Family::V6;
        ranges::family(own.address) == family && public
    });
    addresses.map(|own| PacketEnd::of(interface, *own)).collect()
}

fn outgoing(
    cx: Context<'_>,
    senders: &BTreeMap<RoleId, Vec<(ClassIx, Vec<InterfaceIx>)>>,
    asked: Option<FlowsIx>,
    interner: &mut Interner,
    to: &Chosen,
    visit: &mut dyn FnMut(AllowedPath) -> ControlFlow<()>,
) {
    for (sender, classes) in senders {
        let mut reached: BTreeMap<Outside, Totals> = BTreeMap::new();
        for (class, interfaces) in classes {
            let Some(&interface) = cx.network.classes.at(*class).members.first() else { continue };
            for (outside, ranges) in &to.outside {
                let node = cx.network.interfaces.at(interface);
                let addresses =
                    node.addresses.iter().filter(|own| ranges::family(own.address) == ranges.family);
                for own in addresses {
                    let packet_end = PacketEnd::of(interface, *own);
                    let aim = Aim::of(outside);
                    let pieces = address_space::pieces(cx, ranges, interface).into_iter().map(
                        |(first, last, address)| {
                            let round_trip = round_trip::outward(cx, packet_end, address, aim, Detail::Sum);
                            ((ranges.family, first, last), round_trip.bounds)
                        },
                    );
                    collect(&mut reached, outside, interfaces.len(), pieces, asked, interner);
                }
            }
        }
        let interfaces = classes.iter().map(|(_, interfaces)| interfaces.len()).sum();
        for (outside, reached) in reached {
            let ends = (End::Role(*sender), outside.end());
            if visit(outside_way(&outside, ends, &reached, interfaces, to, interner)).is_break() {
                return;
            }
        }
    }
}

/// How many interfaces of a receiver are among the senders: nobody sends to himself.
fn own_pairs(interfaces: &[InterfaceIx], from: &Chosen) -> usize {
    interfaces
        .iter()
        .filter(|interface| from.interfaces.as_ref().is_none_or(|all| all.contains(interface)))
        .count()
}

fn cut(interner: &mut Interner, bounds: BoundsIx, asked: Option<FlowsIx>) -> BoundsIx {
    asked.map_or(bounds, |asked| interner.both(bounds, BoundsIx::exact(asked)))
}

fn collect(
    reached: &mut BTreeMap<Outside, Totals>,
    outside: &Outside,
    interfaces: usize,
    pieces: impl Iterator<Item = ((Family, u128, u128), Bounds)>,
    asked: Option<FlowsIx>,
    interner: &mut Interner,
) {
    let mut any = false;
    for ((family, first, last), bounds) in pieces {
        let bounds = interner.bounds(&bounds);
        let bounds = cut(interner, bounds, asked);
        if bounds.is_none() {
            continue;
        }
        let gathered = reached.entry(outside.clone()).or_default();
        gathered.add(interner, bounds, 0);
        gathered.reach(family, first, last);
        any = true;
    }
    if any && let Some(gathered) = reached.get_mut(outside) {
        gathered.pairs += interfaces;
    }
}

fn outside_way(
    outside: &Outside,
    (from, to): (End, End),
    reached: &Totals,
    interfaces: usize,
    of: &Chosen,
    interner: &Interner,
) -> AllowedPath {
    let ranges = reached.ranges();
    // All that was asked about, of every family that something passes for.
    let all =
        ranges.iter().all(|range| of.outside.iter().any(|(kind, asked)| kind == outside && asked == range));
    AllowedPath {
        from,
        to,
        flows: interner.flows(reached.bounds.must).clone(),
        at_most: interner.flows(reached.bounds.may).clone(),
        whole: reached.is_alike() && all && reached.pairs >= interfaces,
        addresses: if all { Vec::new() } else { ranges.iter().flat_map(Ranges::prefixes).collect() },
    }
}
