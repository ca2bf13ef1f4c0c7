//! The senders and receivers of one question, grouped so that one pair stands for all that fare alike.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::inventory::NamedResource;
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::network::table::{ClassIx, Index as _, InterfaceIx};
use crate::reach::result::{Hop, Verdict};
use crate::reach::selector::resolve::Endpoints;
use crate::reach::trace::hop::load_balancer::{self, Client};
use crate::reach::trace::round_trip::{self, Aim, RoundTrip};
use crate::reach::trace::steps::Detail;

/// A interface, with the addresses of it that are meant.
pub(crate) type Selected = (InterfaceIx, Vec<PacketEnd>);

/// Where a case begins or ends.
#[derive(Debug, Clone)]
pub(crate) enum PathEnd {
    Interface(InterfaceIx),
    Outside(Hop),
}

/// One sender and one receiver, or some that fare like them.
pub(crate) struct PairGroup<'e> {
    pub(crate) from: Rc<str>,
    pub(crate) to: Rc<str>,
    pub(crate) tips: (PathEnd, PathEnd),
    /// Who they are, where both are interfaces: of their steps only those that stop something are known.
    pub(crate) pair: Option<(&'e Selected, &'e Selected)>,
    /// By each pair of their addresses.
    pub(crate) round_trips: Vec<(Family, RoundTrip)>,
    /// What passes by any of them, and what of it gets every reply.
    pub(crate) bounds: Bounds,
    pub(crate) whole: Flows,
    /// Addresses outside that this is about.
    pub(crate) outside: Vec<(Family, u128, u128)>,
    /// All flows that could be asked about.
    pub(crate) universe: Flows,
}

impl<'e> PairGroup<'e> {
    fn new(
        (from, to): (&Rc<str>, &Rc<str>),
        tips: (PathEnd, PathEnd),
        round_trips: Vec<(Family, RoundTrip)>,
        universe: Flows,
    ) -> Self {
        let (from, to) = (Rc::clone(from), Rc::clone(to));
        let bounds =
            round_trips.iter().fold(Bounds::none(), |sum, (_, round_trip)| sum.union(&round_trip.bounds));
        let whole = round_trips.iter().fold(Flows::NONE, |sum, (_, round_trip)| sum.union(&round_trip.whole));
        Self { from, to, tips, pair: None, round_trips, bounds, whole, outside: Vec::new(), universe }
    }

    /// What should pass and does not, or not with every reply.
    pub(crate) fn wanting(&self, asked: Option<&Flows>) -> Flows {
        match asked {
            Some(asked) => asked.and(&self.universe).minus(&self.whole),
            None => {
                let must = &self.bounds.must;
                if must.is_empty() { self.universe.clone() } else { must.minus(&self.whole) }
            }
        }
    }

    pub(crate) fn verdict(&self, asked: Option<&Flows>) -> Verdict {
        let bounds = &self.bounds;
        match asked {
            Some(asked) => {
                let (asked, bounds) = (asked.and(&self.universe), bounds.within(asked));
                if !asked.is_empty() && self.whole.covers(&asked) {
                    Verdict::Yes
                } else if bounds.may.is_empty() {
                    Verdict::No
                } else if bounds.is_exact() {
                    Verdict::Partly
                } else {
                    Verdict::Unknown
                }
            }
            None if bounds.may.is_empty() => Verdict::No,
            None if bounds.must.is_empty() => Verdict::Unknown,
            None if self.whole.covers(&bounds.must) => Verdict::Yes,
            None => Verdict::Partly,
        }
    }
}

/// Hosts to interfaces, a pair for each two classes. Their steps are told as far as they stop what is asked.
pub(crate) fn between_interfaces<'e>(
    cx: Context<'_>,
    senders: &'e Endpoints,
    receivers: &'e Endpoints,
    asked: Option<&Flows>,
    cases: &mut Vec<PairGroup<'e>>,
) {
    let detail = |family: Family| {
        let all = Flows::of_family(family);
        Detail::Stops(asked.map_or_else(|| all.clone(), |asked| asked.and(&all)))
    };
    let detail = [Family::V4, Family::V6].map(detail);
    let words = |interfaces: &[&Selected]| Rc::<str>::from(several(cx, interfaces));
    let (from, to) = (by_class(cx, senders), by_class(cx, receivers));
    let to: Vec<_> = to.into_values().map(|sinks| (words(&sinks), sinks)).collect();
    for sources in from.values() {
        let from = words(sources);
        for (to, sinks) in &to {
            let pair = sources.iter().find_map(|source| {
                let sink = sinks.iter().find(|sink| sink.0 != source.0)?;
                Some((*source, *sink))
            });
            let Some((source, sink)) = pair else { continue };
            let round_trips = round_trips(cx, source, sink, &detail);
            let universe = universe(round_trips.iter().map(|(family, _)| *family));
            let tips = (PathEnd::Interface(source.0), PathEnd::Interface(sink.0));
            let case = PairGroup::new((&from, to), tips, round_trips, universe);
            cases.push(PairGroup { pair: Some((source, sink)), ..case });
        }
    }
}

/// Between every two addresses of two interfaces, with as much detail for each family.
pub(crate) fn round_trips(
    cx: Context<'_>,
    source: &Selected,
    sink: &Selected,
    [v4, v6]: &[Detail; 2],
) -> Vec<(Family, RoundTrip)> {
    let mut round_trips = Vec::new();
    for a in &source.1 {
        for b in &sink.1 {
            let family = ranges::family(a.own.address);
            if family == ranges::family(b.own.address) {
                let detail = if family == Family::V4 { v4 } else { v6 };
                round_trips.push((family, round_trip::between(cx, *a, *b, detail.clone())));
                let handed_on = load_balancer::paths_through(cx, &Client::Interface(*a), *b);
                round_trips.extend(handed_on.into_iter().map(|round_trip| (family, round_trip)));
            }
        }
    }
    round_trips
}

fn by_class<'e>(cx: Context<'_>, ends: &'e Endpoints) -> BTreeMap<(ClassIx, usize), Vec<&'e Selected>> {
    let mut classes: BTreeMap<(ClassIx, usize), Vec<&'e Selected>> = BTreeMap::new();
    for end in &ends.interfaces {
        let interface = cx.network.interfaces.at(end.0);
        // Of an interface only some of whose addresses are meant nobody else is the like.
        let part = if end.1.len() == interface.addresses.len() { 0 } else { 1 + end.0.number() };
        classes.entry((interface.class, part)).or_default().push(end);
    }
    classes
}

pub(crate) fn several(cx: Context<'_>, ends: &[&Selected]) -> String {
    let titles: Vec<String> = ends.iter().map(|end| cx.network.interfaces.at(end.0).title()).collect();
    match titles.as_slice() {
        [first, _, _, rest @ ..] if !rest.is_empty() => {
            format!("{first} and {} more like it", titles.len() - 1)
        }
        few => few.join(", "),
    }
}

/// Where a case begins or ends, as a hop.
pub(crate) fn end_hop(cx: Context<'_>, tip: &PathEnd) -> Hop {
    let interface = match tip {
        PathEnd::Interface(index) => cx.network.interfaces.at(*index),
        PathEnd::Outside(hop) => return hop.clone(),
    };
    Hop {
        resource: interface.resource.clone(),
        name: interface.name.clone(),
        because: interface.owner.as_ref().map(NamedResource::described).unwrap_or_default(),
    }
}

pub(crate) fn from_outside(
    cx: Context<'_>,
    senders: &Endpoints,
    receivers: &Endpoints,
    cases: &mut Vec<PairGroup<'_>>,
) {
    for sinks in by_class(cx, receivers).values() {
        let Some((sink, packet_ends)) = sinks.first() else { continue };
        for (outside, ranges) in &senders.outside {
            if !can_enter(cx, outside, *sink) {
                continue;
            }
            let packet_ends: Vec<&PacketEnd> = packet_ends
                .iter()
                .filter(|packet_end| ranges::family(packet_end.own.address) == ranges.family)
                .collect();
            if packet_ends.is_empty() {
                continue;
            }
            let mut pieces = Vec::new();
            for (from, to, address) in address_space::pieces(cx, ranges, *sink) {
                let client = Client::Outside(outside, address);
                let round_trips = packet_ends.iter().flat_map(|packet_end| {
                    let direct = round_trip::inward(cx, outside, address, **packet_end, Detail::All);
                    std::iter::once(direct).chain(load_balancer::paths_through(cx, &client, **packet_end))
                });
                let round_trips: Vec<(Family, RoundTrip)> =
                    round_trips.map(|round_trip| (ranges.family, round_trip)).collect();
                pieces.push(((from, to), round_trips));
            }
            let tips = (PathEnd::Outside(outside_hop(outside)), PathEnd::Interface(*sink));
            let names = (&outside_name(outside).into(), &several(cx, sinks).into());
            gather(ranges.family, pieces, names, &tips, cases);
        }
    }
}

/// A VPN gateway that is attached to another VPC is no way in, and not in the way of anything.
fn can_enter(cx: Context<'_>, outside: &Outside, interface: InterfaceIx) -> bool {
    match outside {
        Outside::Internet | Outside::Transit(..) => true,
        Outside::Vpn(id) => {
            let vpc = &cx.network.vpcs.at(cx.network.interfaces.at(interface).vpc).id;
            cx.inventory.vpn_gateways.get(id).is_some_and(|gateway| gateway.vpc.as_ref() == Some(vpc))
        }
    }
}

pub(crate) fn to_outside(
    cx: Context<'_>,
    senders: &Endpoints,
    receivers: &Endpoints,
    cases: &mut Vec<PairGroup<'_>>,
) {
    // Whichever way leads out counts; the same addresses are asked for once.
    let mut ranges: BTreeMap<Family, Vec<(u128, u128)>> = BTreeMap::new();
    let named = receivers.outside.iter().map(|(_, range)| range);
    let named: Vec<&Ranges> =
        if receivers.targets.is_empty() { named.collect() } else { receivers.targets.iter().collect() };
    for range in named {
        ranges.entry(range.family).or_default().extend(range.iter());
    }
    let aim = match &receivers.behind {
        Some(id) => Aim::Behind(id),
        None if receivers.internet_only => Aim::Internet,
        None => Aim::Anywhere,
    };
    if ranges.is_empty() {
        return;
    }
    let name = receivers.outside.first().map(|(outside, _)| outside.clone());
    let outside = name.unwrap_or(Outside::Internet);
    for sources in by_class(cx, senders).values() {
        let Some((source, packet_ends)) = sources.first() else { continue };
        for (family, range) in &ranges {
            let range = Ranges::join(*family, range.clone());
            let packet_ends: Vec<&PacketEnd> = packet_ends
                .iter()
                .filter(|packet_end| ranges::family(packet_end.own.address) == *family)
                .collect();
            if packet_ends.is_empty() {
                continue;
            }
            let mut pieces = Vec::new();
            for (from, to, address) in address_space::pieces(cx, &range, *source) {
                let round_trips: Vec<(Family, RoundTrip)> = packet_ends
                    .iter()
                    .map(|packet_end| {
                        (*family, round_trip::outward(cx, **packet_end, address, aim, Detail::All))
                    })
                    .collect();
                pieces.push(((from, to), round_trips));
            }
            let tips = (PathEnd::Interface(*source), PathEnd::Outside(outside_hop(&outside)));
            let names = (&several(cx, sources).into(), &outside_name(&outside).into());
            gather(*family, pieces, names, &tips, cases);
        }
    }
}

pub(crate) fn universe(families: impl Iterator<Item = Family>) -> Flows {
    let families: BTreeSet<Family> = families.collect();
    if families.is_empty() {
        return Flows::all();
    }
    families.into_iter().fold(Flows::NONE, |sum, family| sum.union(&Flows::of_family(family)))
}

fn outside_name(outside: &Outside) -> String {
    match outside {
        Outside::Internet => "the internet".into(),
        Outside::Vpn(id) => format!("behind {id}"),
        Outside::Transit(_, id) => format!("behind {id}"),
    }
}

fn outside_hop(outside: &Outside) -> Hop {
    Hop { resource: outside.resource(), name: None, because: String::new() }
}

type Piece = ((u128, u128), Vec<(Family, RoundTrip)>);

/// Joins pieces of addresses that fare alike into one case.
fn gather(
    family: Family,
    pieces: Vec<Piece>,
    names: (&Rc<str>, &Rc<str>),
    tips: &(PathEnd, PathEnd),
    cases: &mut Vec<PairGroup<'_>>,
) {
    let mut alike: Vec<PairGroup<'_>> = Vec::new();
    for ((from, to), round_trips) in pieces {
        let fares = |case: &&mut PairGroup<'_>| {
            case.round_trips.len() == round_trips.len()
                && case.round_trips.iter().zip(&round_trips).all(|((_, a), (_, b))| {
                    a.bounds == b.bounds
                        && a.whole == b.whole
                        && a.steps.len() == b.steps.len()
                        && a.steps.iter().zip(&b.steps).all(|(a, b)| a.allow == b.allow)
                })
        };
        match alike.iter_mut().find(fares) {
            Some(case) => case.outside.push((family, from, to)),
            None => {
                let universe = Flows::of_family(family);
                let case = PairGroup::new(names, tips.clone(), round_trips, universe);
                alike.push(PairGroup { outside: vec![(family, from, to)], ..case });
            }
        }
    }
    let alone = alike.len() == 1;
    for case in &mut alike {
        let ranges = case.outside.iter().map(|(_, from, to)| (*from, *to)).collect();
        let prefixes = Ranges::join(family, ranges).prefixes();
        let words = few(&prefixes);
        let because = if alone { String::new() } else { words.clone() };
        let name = match &mut case.tips {
            (PathEnd::Outside(hop), _) => {
                hop.because = because;
                &mut case.from
            }
            (_, PathEnd::Outside(hop)) => {
                hop.because = because;
                &mut case.to
            }
            (PathEnd::Interface(_), PathEnd::Interface(_)) => continue,
        };
        *name = if !alone || !name.starts_with("the internet") {
            format!("{name}: {words}").into()
        } else {
            format!("{name} ({family})").into()
        };
    }
    cases.extend(alike);
}

/// The first prefixes, and how many more.
fn few(prefixes: &[Cidr]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<String> = prefixes.iter().take(SHOWN).map(ToString::to_string).collect();
    match prefixes.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more prefixes", shown.join(", ")),
        _ => shown.join(", "),
    }
}
