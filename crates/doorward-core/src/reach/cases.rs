//! The senders and receivers of one question, as few as stand for all.

use std::collections::{BTreeMap, BTreeSet};

use super::Flows;
use super::answer::{Hop, Verdict};
use super::balancer::Client;
use super::ends::Ends;
use super::passage::{Aim, Outside, Passage, Spot};
use super::span::Span;
use super::table::{ClassIx, HostIx, Index as _};
use super::walk::Walk;
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};

/// A host, with the addresses of it that are meant.
type Meant = (HostIx, Vec<Spot>);

/// One sender and one receiver, or some that fare like them.
pub(super) struct Case {
    pub(super) from: String,
    pub(super) to: String,
    /// The first hop and the last.
    pub(super) ends: (Hop, Hop),
    /// By each pair of their addresses.
    pub(super) passages: Vec<(Family, Passage)>,
    /// Addresses outside that this is about.
    pub(super) outside: Vec<(Family, u128, u128)>,
    /// How many pairs it stands for.
    pub(super) universe: Flows,
}

impl Case {
    pub(super) fn span(&self) -> Span {
        self.passages.iter().fold(Span::none(), |sum, (_, passage)| sum.union(&passage.span))
    }

    pub(super) fn whole(&self) -> Flows {
        self.passages.iter().fold(Flows::NONE, |sum, (_, passage)| sum.union(&passage.whole))
    }

    /// What should pass and does not, or not with every reply.
    pub(super) fn wanting(&self, asked: Option<&Flows>) -> Flows {
        match asked {
            Some(asked) => asked.and(&self.universe).minus(&self.whole()),
            None => {
                let sure = self.span().sure;
                if sure.is_empty() { self.universe.clone() } else { sure.minus(&self.whole()) }
            }
        }
    }

    pub(super) fn verdict(&self, asked: Option<&Flows>) -> Verdict {
        let span = self.span();
        match asked {
            Some(asked) => {
                let (asked, span) = (asked.and(&self.universe), span.within(asked));
                if !asked.is_empty() && self.whole().covers(&asked) {
                    Verdict::Yes
                } else if span.maybe.is_empty() {
                    Verdict::No
                } else if span.is_exact() {
                    Verdict::Partly
                } else {
                    Verdict::Unknown
                }
            }
            None if span.maybe.is_empty() => Verdict::No,
            None if span.sure.is_empty() => Verdict::Unknown,
            None if self.whole().covers(&span.sure) => Verdict::Yes,
            None => Verdict::Partly,
        }
    }
}

impl Walk<'_> {
    /// Hosts to hosts, a pair for each two classes.
    pub(super) fn inside(self, senders: &Ends, receivers: &Ends, cases: &mut Vec<Case>) {
        let (from, to) = (self.by_class(senders), self.by_class(receivers));
        for sources in from.values() {
            for sinks in to.values() {
                let pair = sources.iter().find_map(|source| {
                    let sink = sinks.iter().find(|sink| sink.0 != source.0)?;
                    Some((*source, *sink))
                });
                let Some((source, sink)) = pair else { continue };
                let mut passages = Vec::new();
                for a in &source.1 {
                    for b in &sink.1 {
                        let family = ranges::family(a.point.address);
                        if family == ranges::family(b.point.address) {
                            passages.push((family, self.between(*a, *b, true)));
                            let handed_on = self.handed_on(&Client::Host(*a), *b);
                            passages.extend(handed_on.into_iter().map(|passage| (family, passage)));
                        }
                    }
                }
                let universe = universe(passages.iter().map(|(family, _)| *family));
                cases.push(Case {
                    from: self.several(sources),
                    to: self.several(sinks),
                    ends: (self.end(source.0), self.end(sink.0)),
                    passages,
                    outside: Vec::new(),
                    universe,
                });
            }
        }
    }

    fn by_class(self, ends: &Ends) -> BTreeMap<(ClassIx, usize), Vec<&Meant>> {
        let mut classes: BTreeMap<(ClassIx, usize), Vec<&Meant>> = BTreeMap::new();
        for end in &ends.hosts {
            let host = self.network.hosts.at(end.0);
            // Of a host only some of whose addresses are meant nobody else is the like.
            let part = if end.1.len() == host.points.len() { 0 } else { 1 + end.0.number() };
            classes.entry((host.class, part)).or_default().push(end);
        }
        classes
    }

    pub(super) fn several(self, ends: &[&Meant]) -> String {
        let titles: Vec<String> = ends.iter().map(|end| self.network.hosts.at(end.0).title()).collect();
        match titles.as_slice() {
            [first, _, _, rest @ ..] if !rest.is_empty() => {
                format!("{first} and {} more like it", titles.len() - 1)
            }
            few => few.join(", "),
        }
    }

    pub(super) fn end(self, index: HostIx) -> Hop {
        let host = self.network.hosts.at(index);
        Hop {
            resource: host.label.clone(),
            name: host.name.clone(),
            kind: "interface",
            because: host.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }

    pub(super) fn inbound(self, senders: &Ends, receivers: &Ends, cases: &mut Vec<Case>) {
        for sinks in self.by_class(receivers).values() {
            let Some((sink, spots)) = sinks.first() else { continue };
            for (outside, ranges) in &senders.outside {
                if !self.can_enter(outside, *sink) {
                    continue;
                }
                let spots: Vec<&Spot> =
                    spots.iter().filter(|spot| ranges::family(spot.point.address) == ranges.family).collect();
                if spots.is_empty() {
                    continue;
                }
                let mut pieces = Vec::new();
                for (from, to, address) in self.pieces(ranges, *sink) {
                    let client = Client::Outside(outside, address);
                    let passages = spots.iter().flat_map(|spot| {
                        let direct = self.inward(outside, address, **spot, true);
                        std::iter::once(direct).chain(self.handed_on(&client, **spot))
                    });
                    let passages: Vec<(Family, Passage)> =
                        passages.map(|passage| (ranges.family, passage)).collect();
                    pieces.push(((from, to), passages));
                }
                let ends = (outside_hop(outside), self.end(*sink));
                let names = (outside_name(outside), self.several(sinks));
                gather(ranges.family, pieces, &names, &ends, true, cases);
            }
        }
    }

    /// A VPN gateway that is attached to another VPC is no way in, and not in the way of anything.
    fn can_enter(self, outside: &Outside, host: HostIx) -> bool {
        match outside {
            Outside::Internet | Outside::Transit(..) => true,
            Outside::Vpn(id) => {
                let vpc = &self.network.vpcs.at(self.network.hosts.at(host).vpc).id;
                self.inventory.vpn_gateways.get(id).is_some_and(|gateway| gateway.vpc.as_ref() == Some(vpc))
            }
        }
    }

    pub(super) fn outbound(self, senders: &Ends, receivers: &Ends, cases: &mut Vec<Case>) {
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
        for sources in self.by_class(senders).values() {
            let Some((source, spots)) = sources.first() else { continue };
            for (family, range) in &ranges {
                let range = Ranges::join(*family, range.clone());
                let spots: Vec<&Spot> =
                    spots.iter().filter(|spot| ranges::family(spot.point.address) == *family).collect();
                if spots.is_empty() {
                    continue;
                }
                let mut pieces = Vec::new();
                for (from, to, address) in self.pieces(&range, *source) {
                    let passages: Vec<(Family, Passage)> = spots
                        .iter()
                        .map(|spot| (*family, self.outward(**spot, address, aim, true)))
                        .collect();
                    pieces.push(((from, to), passages));
                }
                let ends = (self.end(*source), outside_hop(&outside));
                let names = (self.several(sources), outside_name(&outside));
                gather(*family, pieces, &names, &ends, false, cases);
            }
        }
    }
}

pub(super) fn universe(families: impl Iterator<Item = Family>) -> Flows {
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
    let (resource, kind) = match outside {
        Outside::Internet => ("internet".to_owned(), "internet"),
        Outside::Vpn(id) => (id.to_string(), "VPN gateway"),
        Outside::Transit(_, id) => (id.to_string(), "transit gateway attachment"),
    };
    Hop { resource, name: None, kind, because: String::new() }
}

type Piece = ((u128, u128), Vec<(Family, Passage)>);

/// Joins pieces of addresses that fare alike into one case.
fn gather(
    family: Family,
    pieces: Vec<Piece>,
    names: &(String, String),
    ends: &(Hop, Hop),
    senders: bool,
    cases: &mut Vec<Case>,
) {
    let mut alike: Vec<Case> = Vec::new();
    for ((from, to), passages) in pieces {
        let fares = |case: &&mut Case| {
            case.passages.len() == passages.len()
                && case.passages.iter().zip(&passages).all(|((_, a), (_, b))| {
                    a.span == b.span
                        && a.whole == b.whole
                        && a.stages.len() == b.stages.len()
                        && a.stages.iter().zip(&b.stages).all(|(a, b)| a.allow == b.allow)
                })
        };
        match alike.iter_mut().find(fares) {
            Some(case) => case.outside.push((family, from, to)),
            None => alike.push(Case {
                from: names.0.clone(),
                to: names.1.clone(),
                ends: ends.clone(),
                universe: Flows::of_family(family),
                passages,
                outside: vec![(family, from, to)],
            }),
        }
    }
    let alone = alike.len() == 1;
    for case in &mut alike {
        let ranges = case.outside.iter().map(|(_, from, to)| (*from, *to)).collect();
        let prefixes = Ranges::join(family, ranges).prefixes();
        let words = few(&prefixes);
        let end = if senders { &mut case.ends.0 } else { &mut case.ends.1 };
        end.because = if alone { String::new() } else { words.clone() };
        let name = if senders { &mut case.from } else { &mut case.to };
        if !alone || !name.starts_with("the internet") {
            *name = format!("{name}: {words}");
        } else {
            *name = format!("{name} ({family})");
        }
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
