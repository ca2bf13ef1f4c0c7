//! The senders and receivers of one question, grouped so that one pair stands for all that fare alike.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use crate::inventory::{NamedResource, ResourceKind, ResourceRef};
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::{Named, PacketEnd};
use crate::reach::network::remotes;
use crate::reach::network::table::{ClassIx, InterfaceIx};
use crate::reach::result::{Hop, Verdict};
use crate::reach::selector::resolve::{Endpoints, Selected};
use crate::reach::trace::hop::load_balancer::{self, Client};
use crate::reach::trace::round_trip::{self, Aim, RoundTrip};
use crate::reach::trace::steps::Detail;

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
    pub(crate) fn new(
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
    let by_public = |end: &PacketEnd| matches!(end.named, Named::Public | Named::PublicElsewhere);
    let by_public = receivers.interfaces.iter().flat_map(|sink| &sink.packet_ends).any(by_public);
    let (from, to) = (by_class(cx, senders, by_public), by_class(cx, receivers, false));
    let to: Vec<_> = to.into_values().map(|sinks| (words(&sinks), sinks)).collect();
    for sources in from.values() {
        let from = words(sources);
        for (to, sinks) in &to {
            let pair = sources.iter().find_map(|source| {
                let sink = sinks.iter().find(|sink| sink.interface != source.interface)?;
                Some((*source, *sink))
            });
            let Some((source, sink)) = pair else { continue };
            let round_trips = round_trips(cx, source, sink, &detail);
            let universe = universe(round_trips.iter().map(|(family, _)| *family));
            let tips = (PathEnd::Interface(source.interface), PathEnd::Interface(sink.interface));
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
    for a in &source.packet_ends {
        for b in &sink.packet_ends {
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

/// Which ends fare alike: those of one class that are named alike; otherwise an end is like no other.
type Alike = (ClassIx, Result<Named, usize>);

/// Sorts ends by whether they fare alike. Senders to public addresses are told apart by their own.
fn by_class<'e>(cx: Context<'_>, ends: &'e Endpoints, by_public: bool) -> BTreeMap<Alike, Vec<&'e Selected>> {
    let mut classes: BTreeMap<Alike, Vec<&'e Selected>> = BTreeMap::new();
    for (number, end) in ends.interfaces.iter().enumerate() {
        let interface = cx.network.interfaces.at(end.interface);
        let apart = by_public && interface.addresses.iter().any(|own| own.public);
        let alike = end.alike(cx).filter(|_| !apart).ok_or(number);
        classes.entry((interface.class, alike)).or_default().push(end);
    }
    classes
}

pub(crate) fn several(cx: Context<'_>, ends: &[&Selected]) -> String {
    let titles: Vec<String> = ends.iter().map(|end| end.title(cx)).collect();
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
    for sinks in by_class(cx, receivers, false).values() {
        let Some(Selected { interface: sink, packet_ends, .. }) = sinks.first() else { continue };
        let mut of_sink = Vec::new();
        for (outside, ranges) in &senders.outside {
            if !remotes::can_enter(cx, outside, *sink) {
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
            for (first, last, address) in address_space::pieces(cx, ranges, *sink) {
                let client = Client::Outside(outside, address);
                let round_trips = packet_ends.iter().flat_map(|packet_end| {
                    let direct = round_trip::inward(cx, outside, address, **packet_end, Detail::All);
                    std::iter::once(direct).chain(load_balancer::paths_through(cx, &client, **packet_end))
                });
                let round_trips: Vec<(Family, RoundTrip)> =
                    round_trips.map(|round_trip| (ranges.family, round_trip)).collect();
                pieces.push(Piece { first, last, beyond: Beyond::At(outside.clone()), round_trips });
            }
            let names = (&"".into(), &several(cx, sinks).into());
            let tips = |outside| (PathEnd::Outside(outside), PathEnd::Interface(*sink));
            gather(ranges.family, pieces, names, &tips, &mut of_sink);
        }
        cases.extend(without_wrong_places(of_sink));
    }
}

/// An address that several gateways lead to is in one place: where nothing comes from is not where it is, if something
/// comes from another.
fn without_wrong_places(cases: Vec<PairGroup<'_>>) -> Vec<PairGroup<'_>> {
    let coming: Vec<(Family, u128, u128)> = cases
        .iter()
        .filter(|case| !case.bounds.may.is_empty())
        .flat_map(|case| case.outside.iter().copied())
        .collect();
    let elsewhere = |case: &PairGroup<'_>| {
        case.outside.iter().all(|(family, first, last)| {
            let within = coming.iter().filter(|(of, _, _)| of == family).map(|(_, a, b)| (*a, *b));
            let coming = Ranges::join(*family, within.collect());
            Ranges::join(*family, vec![(*first, *last)]).minus(&coming).is_empty()
        })
    };
    let (kept, _): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|case| !case.bounds.may.is_empty() || !elsewhere(case));
    kept
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
    for sources in by_class(cx, senders, false).values() {
        let Some(Selected { interface: source, packet_ends, .. }) = sources.first() else { continue };
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
            for (first, last, address) in address_space::pieces(cx, &range, *source) {
                let round_trips: Vec<(Family, RoundTrip)> = packet_ends
                    .iter()
                    .map(|packet_end| {
                        (*family, round_trip::outward(cx, **packet_end, address, aim, Detail::All))
                    })
                    .collect();
                let beyond = beyond(cx, receivers, &round_trips, address);
                pieces.push(Piece { first, last, beyond, round_trips });
            }
            let names = (&several(cx, sources).into(), &"".into());
            let tips = |outside| (PathEnd::Interface(*source), PathEnd::Outside(outside));
            gather(*family, pieces, names, &tips, cases);
        }
    }
}

/// Where packets for an address end, or should.
fn beyond(
    cx: Context<'_>,
    receivers: &Endpoints,
    round_trips: &[(Family, RoundTrip)],
    address: IpAddr,
) -> Beyond {
    let ended = round_trips.iter().find_map(|(_, round_trip)| round_trip.end.clone());
    match ended.or_else(|| receivers.behind.clone()) {
        Some(outside) => Beyond::At(outside),
        None if cx.network.is_internet(address) => Beyond::At(Outside::Internet),
        None => Beyond::Nowhere(address),
    }
}

pub(crate) fn universe(families: impl Iterator<Item = Family>) -> Flows {
    let families: BTreeSet<Family> = families.collect();
    if families.is_empty() {
        return Flows::all();
    }
    families.into_iter().fold(Flows::NONE, |sum, family| sum.union(&Flows::of_family(family)))
}

/// Where addresses outside are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Beyond {
    At(Outside),
    /// No gateway leads to this one.
    Nowhere(IpAddr),
}

impl Beyond {
    fn name(&self) -> String {
        match self {
            Self::At(Outside::Internet) => "the internet".into(),
            Self::At(outside) => format!("behind {}", outside.resource()),
            Self::Nowhere(_) => "outside".into(),
        }
    }

    fn hop(&self) -> Hop {
        let resource = match self {
            Self::At(outside) => outside.resource(),
            Self::Nowhere(address) => ResourceRef::of(ResourceKind::Address, &address.to_string()),
        };
        Hop { resource, name: None, because: String::new() }
    }

    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::At(one), Self::At(other)) => one == other,
            (Self::Nowhere(_), Self::Nowhere(_)) => true,
            _ => false,
        }
    }
}

/// Addresses that fare alike.
struct Piece {
    first: u128,
    last: u128,
    beyond: Beyond,
    round_trips: Vec<(Family, RoundTrip)>,
}

/// Joins pieces of addresses that fare alike into one case.
fn gather(
    family: Family,
    pieces: Vec<Piece>,
    names: (&Rc<str>, &Rc<str>),
    tips: &dyn Fn(Hop) -> (PathEnd, PathEnd),
    cases: &mut Vec<PairGroup<'_>>,
) {
    let mut alike: Vec<(Beyond, PairGroup<'_>)> = Vec::new();
    for Piece { first, last, beyond, round_trips } in pieces {
        let fares = |(at, case): &&mut (Beyond, PairGroup<'_>)| {
            at.is_like(&beyond)
                && case.round_trips.len() == round_trips.len()
                && case.round_trips.iter().zip(&round_trips).all(|((_, a), (_, b))| {
                    a.bounds == b.bounds
                        && a.whole == b.whole
                        && a.steps.len() == b.steps.len()
                        && a.steps.iter().zip(&b.steps).all(|(a, b)| a.allow == b.allow)
                })
        };
        match alike.iter_mut().find(fares) {
            Some((_, case)) => case.outside.push((family, first, last)),
            None => {
                let universe = Flows::of_family(family);
                let case = PairGroup::new(names, tips(beyond.hop()), round_trips, universe);
                alike.push((beyond, PairGroup { outside: vec![(family, first, last)], ..case }));
            }
        }
    }
    let alone = alike.len() == 1;
    for (beyond, case) in &mut alike {
        let ranges = case.outside.iter().map(|(_, from, to)| (*from, *to)).collect();
        let words = few(&Ranges::join(family, ranges).prefixes());
        let name = match &mut case.tips {
            (PathEnd::Outside(hop), _) => {
                hop.because = if alone { String::new() } else { words.clone() };
                &mut case.from
            }
            (_, PathEnd::Outside(hop)) => {
                hop.because = if alone { String::new() } else { words.clone() };
                &mut case.to
            }
            (PathEnd::Interface(_), PathEnd::Interface(_)) => continue,
        };
        *name = if alone && *beyond == Beyond::At(Outside::Internet) {
            format!("{} ({family})", beyond.name()).into()
        } else {
            format!("{}: {words}", beyond.name()).into()
        };
    }
    cases.extend(alike.into_iter().map(|(_, case)| case));
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
