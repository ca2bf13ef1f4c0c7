//! The ends of a question that are outside: their addresses, in pieces that fare alike.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use crate::inventory::{ResourceKind, ResourceRef};
use crate::net::ranges::{self, Ranges};
use crate::net::{Family, nat64};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::network::remotes;
use crate::reach::question::pairs::{PairGroup, PathEnd, by_class, several};
use crate::reach::question::stands_for::{StandsFor, few};
use crate::reach::result::Hop;
use crate::reach::selector::Selector;
use crate::reach::selector::resolve::{Endpoints, Selected};
use crate::reach::trace::hop::load_balancer::{self, Client};
use crate::reach::trace::hop::local_service;
use crate::reach::trace::round_trip::{self, Aim, RoundTrip};
use crate::reach::trace::steps::Detail;

pub(crate) fn from_outside(
    cx: Context<'_>,
    asked: &Selector,
    senders: &Endpoints,
    receivers: &Endpoints,
    cases: &mut Vec<PairGroup<'_>>,
) {
    for sinks in by_class(cx, receivers, false).values() {
        let Some(Selected { interface: sink, packet_ends, .. }) = sinks.first() else { continue };
        let mut of_sink = Vec::new();
        for (outside, ranges) in &senders.outside {
            let enters = remotes::can_enter(cx, outside, *sink);
            let mut pieces = Vec::new();
            for (first, last, address) in address_space::pieces(cx, ranges, *sink) {
                let piece = Ranges::join(ranges.family, vec![(first, last)]);
                let meant = StandsFor::of(asked, &piece, true, address);
                let cx = cx.calling(&meant);
                let client = Client::Outside(outside, address);
                // A load balancer may be in another VPC than its targets, and speak another family with them.
                let round_trips = packet_ends.iter().flat_map(|end| {
                    let straight = enters && ranges::family(end.own.address) == ranges.family;
                    let direct =
                        straight.then(|| round_trip::inward(cx, outside, address, *end, Detail::All));
                    direct.into_iter().chain(load_balancer::paths_through(cx, &client, *end))
                });
                let round_trips: Vec<(Family, RoundTrip)> =
                    round_trips.map(|round_trip| (ranges.family, round_trip)).collect();
                if round_trips.is_empty() {
                    continue;
                }
                pieces.push(Piece { first, last, beyond: Beyond::At(outside.clone()), round_trips });
            }
            let names = (&"".into(), &several(cx, sinks).into());
            let tips = |outside| (PathEnd::Outside(outside), PathEnd::Interface(*sink));
            gather(ranges.family, pieces, names, &tips, asked, &mut of_sink);
        }
        cases.extend(without_wrong_places(of_sink));
    }
}

/// An address that several gateways lead to is in one place: where nothing comes from is not where it is, if something
/// comes from another.
fn without_wrong_places(mut cases: Vec<PairGroup<'_>>) -> Vec<PairGroup<'_>> {
    let coming = [Family::V4, Family::V6].map(|family| {
        let open = cases.iter().filter(|case| !case.bounds.may.is_empty());
        let pieces = open.flat_map(|case| &case.outside).filter(|(of, ..)| *of == family);
        Ranges::join(family, pieces.map(|(_, first, last)| (*first, *last)).collect())
    });
    let comes = |(family, first, last): &(Family, u128, u128)| {
        let piece = Ranges::join(*family, vec![(*first, *last)]);
        coming.iter().any(|coming| coming.family == *family && piece.minus(coming).is_empty())
    };
    cases.retain(|case| !case.bounds.may.is_empty() || !case.outside.iter().all(comes));
    cases
}

pub(crate) fn to_outside(
    cx: Context<'_>,
    asked: &Selector,
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
        let Some(Selected { interface: source, packet_ends: all_ends, .. }) = sources.first() else {
            continue;
        };
        for (family, range) in &ranges {
            let range = Ranges::join(*family, range.clone());
            let packet_ends: Vec<&PacketEnd> = all_ends
                .iter()
                .filter(|packet_end| ranges::family(packet_end.own.address) == *family)
                .collect();
            // A host of IPv6 alone asks for an address of IPv4 by the one that DNS64 makes of it (VPC user guide, DNS64 and
            // NAT64).
            let by_nat64 = packet_ends.is_empty() && *family == Family::V4 && aim == Aim::Anywhere;
            let packet_ends = if by_nat64 { all_ends.iter().collect() } else { packet_ends };
            let Some(sent) = packet_ends.first().map(|own| ranges::family(own.own.address)) else { continue };
            let mut pieces = Vec::new();
            for (first, last, address) in address_space::pieces(cx, &range, *source) {
                let piece = Ranges::join(*family, vec![(first, last)]);
                let meant = StandsFor::of(asked, &piece, true, address);
                let cx = cx.calling(&meant);
                let to = match address {
                    IpAddr::V4(address) if by_nat64 => IpAddr::V6(nat64::synthesized(address)),
                    _ => address,
                };
                let round_trips: Vec<(Family, RoundTrip)> = packet_ends
                    .iter()
                    .map(|packet_end| (sent, round_trip::outward(cx, **packet_end, to, aim, Detail::All)))
                    .collect();
                let beyond = beyond(cx, receivers, &round_trips, address);
                pieces.push(Piece { first, last, beyond, round_trips });
            }
            let names = (&several(cx, sources).into(), &"".into());
            let tips = |outside| (PathEnd::Interface(*source), PathEnd::Outside(outside));
            gather(*family, pieces, names, &tips, asked, cases);
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
    if let Some(service) = local_service::anywhere(cx, address) {
        return Beyond::Service(service.name(), address);
    }
    let ended = round_trips.iter().find_map(|(_, round_trip)| round_trip.end.clone());
    match ended.or_else(|| receivers.behind.clone()) {
        Some(outside) => Beyond::At(outside),
        None if cx.network.is_internet(address) => Beyond::At(Outside::Internet),
        None => Beyond::Nowhere(address),
    }
}

/// Where addresses outside are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Beyond {
    At(Outside),
    /// What AWS serves in the VPC.
    Service(&'static str, IpAddr),
    /// No gateway leads to this one.
    Nowhere(IpAddr),
}

impl Beyond {
    fn name(&self) -> String {
        match self {
            Self::At(Outside::Internet) => "the internet".into(),
            Self::At(outside) => format!("behind {}", outside.resource()),
            Self::Service(name, _) => (*name).to_owned(),
            Self::Nowhere(_) => "outside".into(),
        }
    }

    fn hop(&self) -> Hop {
        let resource = match self {
            Self::At(outside) => outside.resource(),
            Self::Service(_, address) | Self::Nowhere(address) => {
                ResourceRef::of(ResourceKind::Address, &address.to_string())
            }
        };
        Hop { resource, name: None, because: String::new() }
    }

    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::At(one), Self::At(other)) => one == other,
            (Self::Service(one, _), Self::Service(other, _)) => one == other,
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
    asked: &Selector,
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
                let sent = round_trips.first().map_or(family, |(family, _)| *family);
                let universe = Flows::of_family(sent);
                let case = PairGroup::new(names, tips(beyond.hop()), round_trips, universe);
                alike.push((beyond, PairGroup { outside: vec![(family, first, last)], ..case }));
            }
        }
    }
    let alone = alike.len() == 1;
    for (beyond, case) in &mut alike {
        let ranges = case.outside.iter().map(|(_, from, to)| (*from, *to)).collect();
        let ranges = Ranges::join(family, ranges);
        let first = case.outside.first().map(|(_, from, _)| ranges::address(family, *from));
        case.meant = first.map(|address| StandsFor::of(asked, &ranges, alone, address));
        let words = few(&ranges.prefixes());
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
