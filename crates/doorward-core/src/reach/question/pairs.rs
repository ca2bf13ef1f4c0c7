//! The senders and receivers of one question, grouped so that one pair stands for all that fare alike.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::inventory::NamedResource;
use crate::net::Family;
use crate::net::ranges;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::interfaces::{Named, PacketEnd};
use crate::reach::network::table::{ClassIx, InterfaceIx};
use crate::reach::question::stands_for::StandsFor;
use crate::reach::result::{Hop, Verdict};
use crate::reach::selector::resolve::{Endpoints, Selected};
use crate::reach::trace::hop::load_balancer::{self, Client};
use crate::reach::trace::round_trip::{self, RoundTrip};
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
    /// The one of them that was traced, and what people mean by it.
    pub(crate) meant: Option<StandsFor>,
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
        Self {
            from,
            to,
            tips,
            pair: None,
            round_trips,
            bounds,
            whole,
            outside: Vec::new(),
            meant: None,
            universe,
        }
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
            }
            // A load balancer may speak one family with its clients and another with its targets.
            let family = ranges::family(b.own.address);
            let handed_on = load_balancer::paths_through(cx, &Client::Interface(*a), *b);
            round_trips.extend(handed_on.into_iter().map(|round_trip| (family, round_trip)));
        }
    }
    round_trips
}

/// Which ends fare alike: those of one class that are named alike; otherwise an end is like no other.
pub(crate) type Alike = (ClassIx, Result<Named, usize>);

/// Sorts ends by whether they fare alike. Senders to public addresses are told apart by their own.
pub(crate) fn by_class<'e>(
    cx: Context<'_>,
    ends: &'e Endpoints,
    by_public: bool,
) -> BTreeMap<Alike, Vec<&'e Selected>> {
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

pub(crate) fn universe(families: impl Iterator<Item = Family>) -> Flows {
    let families: BTreeSet<Family> = families.collect();
    if families.is_empty() {
        return Flows::all();
    }
    families.into_iter().fold(Flows::NONE, |sum, family| sum.union(&Flows::of_family(family)))
}
