//! The senders and receivers of one question, as few as stand for all.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Flows;
use super::answer::{Hop, Verdict};
use super::balancer::Client;
use super::ends::Ends;
use super::passage::{Aim, Outside, Passage, Spot};
use super::span::Span;
use super::stage::Detail;
use super::table::{ClassIx, HostIx, Index as _};
use super::walk::Walk;
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};

/// A host, with the addresses of it that are meant.
pub(super) type Meant = (HostIx, Vec<Spot>);

/// Where a case begins or ends.
#[derive(Debug, Clone)]
pub(super) enum Tip {
    Host(HostIx),
    Outside(Hop),
}

/// One sender and one receiver, or some that fare like them.
pub(super) struct Case<'e> {
    pub(super) from: Rc<str>,
    pub(super) to: Rc<str>,
    pub(super) tips: (Tip, Tip),
    /// Who they are, where both are hosts: of their stages only those that stop something are known.
    pub(super) pair: Option<(&'e Meant, &'e Meant)>,
    /// By each pair of their addresses.
    pub(super) passages: Vec<(Family, Passage)>,
    /// What passes by any of them, and what of it gets every reply.
    pub(super) span: Span,
    pub(super) whole: Flows,
    /// Addresses outside that this is about.
    pub(super) outside: Vec<(Family, u128, u128)>,
    /// All flows that could be asked about.
    pub(super) universe: Flows,
}

impl<'e> Case<'e> {
    fn new(
        (from, to): (&Rc<str>, &Rc<str>),
        tips: (Tip, Tip),
        passages: Vec<(Family, Passage)>,
        universe: Flows,
    ) -> Self {
        let (from, to) = (Rc::clone(from), Rc::clone(to));
        let span = passages.iter().fold(Span::none(), |sum, (_, passage)| sum.union(&passage.span));
        let whole = passages.iter().fold(Flows::NONE, |sum, (_, passage)| sum.union(&passage.whole));
        Self { from, to, tips, pair: None, passages, span, whole, outside: Vec::new(), universe }
    }

    /// What should pass and does not, or not with every reply.
    pub(super) fn wanting(&self, asked: Option<&Flows>) -> Flows {
        match asked {
            Some(asked) => asked.and(&self.universe).minus(&self.whole),
            None => {
                let sure = &self.span.sure;
                if sure.is_empty() { self.universe.clone() } else { sure.minus(&self.whole) }
            }
        }
    }

    pub(super) fn verdict(&self, asked: Option<&Flows>) -> Verdict {
        let span = &self.span;
        match asked {
            Some(asked) => {
                let (asked, span) = (asked.and(&self.universe), span.within(asked));
                if !asked.is_empty() && self.whole.covers(&asked) {
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
            None if self.whole.covers(&span.sure) => Verdict::Yes,
            None => Verdict::Partly,
        }
    }
}

impl Walk<'_> {
    /// Hosts to hosts, a pair for each two classes. Their stages are told as far as they stop what is asked.
    pub(super) fn inside<'e>(
        self,
        senders: &'e Ends,
        receivers: &'e Ends,
        asked: Option<&Flows>,
        cases: &mut Vec<Case<'e>>,
    ) {
        let detail = |family: Family| {
            let all = Flows::of_family(family);
            Detail::Stops(asked.map_or_else(|| all.clone(), |asked| asked.and(&all)))
        };
        let detail = [Family::V4, Family::V6].map(detail);
        let words = |hosts: &[&Meant]| Rc::<str>::from(self.several(hosts));
        let (from, to) = (self.by_class(senders), self.by_class(receivers));
        let to: Vec<_> = to.into_values().map(|sinks| (words(&sinks), sinks)).collect();
        for sources in from.values() {
            let from = words(sources);
            for (to, sinks) in &to {
                let pair = sources.iter().find_map(|source| {
                    let sink = sinks.iter().find(|sink| sink.0 != source.0)?;
                    Some((*source, *sink))
                });
                let Some((source, sink)) = pair else { continue };
                let passages = self.passages(source, sink, &detail);
                let universe = universe(passages.iter().map(|(family, _)| *family));
                let tips = (Tip::Host(source.0), Tip::Host(sink.0));
                let case = Case::new((&from, to), tips, passages, universe);
                cases.push(Case { pair: Some((source, sink)), ..case });
            }
        }
    }

    /// Between every two addresses of two hosts, with as much detail for each family.
    pub(super) fn passages(
        self,
        source: &Meant,
        sink: &Meant,
        [v4, v6]: &[Detail; 2],
    ) -> Vec<(Family, Passage)> {
        let mut passages = Vec::new();
        for a in &source.1 {
            for b in &sink.1 {
                let family = ranges::family(a.point.address);
                if family == ranges::family(b.point.address) {
                    let detail = if family == Family::V4 { v4 } else { v6 };
                    passages.push((family, self.between(*a, *b, detail.clone())));
                    let handed_on = self.handed_on(&Client::Host(*a), *b);
                    passages.extend(handed_on.into_iter().map(|passage| (family, passage)));
                }
            }
        }
        passages
    }

    fn by_class<'e>(self, ends: &'e Ends) -> BTreeMap<(ClassIx, usize), Vec<&'e Meant>> {
        let mut classes: BTreeMap<(ClassIx, usize), Vec<&'e Meant>> = BTreeMap::new();
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

    /// Where a case begins or ends, as a hop.
    pub(super) fn tip(self, tip: &Tip) -> Hop {
        let host = match tip {
            Tip::Host(index) => self.network.hosts.at(*index),
            Tip::Outside(hop) => return hop.clone(),
        };
        Hop {
            resource: host.label.clone(),
            name: host.name.clone(),
            kind: "interface",
            because: host.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }

    pub(super) fn inbound(self, senders: &Ends, receivers: &Ends, cases: &mut Vec<Case<'_>>) {
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
                        let direct = self.inward(outside, address, **spot, Detail::All);
                        std::iter::once(direct).chain(self.handed_on(&client, **spot))
                    });
                    let passages: Vec<(Family, Passage)> =
                        passages.map(|passage| (ranges.family, passage)).collect();
                    pieces.push(((from, to), passages));
                }
                let tips = (Tip::Outside(outside_hop(outside)), Tip::Host(*sink));
                let names = (&outside_name(outside).into(), &self.several(sinks).into());
                gather(ranges.family, pieces, names, &tips, cases);
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

    pub(super) fn outbound(self, senders: &Ends, receivers: &Ends, cases: &mut Vec<Case<'_>>) {
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
                        .map(|spot| (*family, self.outward(**spot, address, aim, Detail::All)))
                        .collect();
                    pieces.push(((from, to), passages));
                }
                let tips = (Tip::Host(*source), Tip::Outside(outside_hop(&outside)));
                let names = (&self.several(sources).into(), &outside_name(&outside).into());
                gather(*family, pieces, names, &tips, cases);
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
    names: (&Rc<str>, &Rc<str>),
    tips: &(Tip, Tip),
    cases: &mut Vec<Case<'_>>,
) {
    let mut alike: Vec<Case<'_>> = Vec::new();
    for ((from, to), passages) in pieces {
        let fares = |case: &&mut Case<'_>| {
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
            None => {
                let universe = Flows::of_family(family);
                let case = Case::new(names, tips.clone(), passages, universe);
                alike.push(Case { outside: vec![(family, from, to)], ..case });
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
            (Tip::Outside(hop), _) => {
                hop.because = because;
                &mut case.from
            }
            (_, Tip::Outside(hop)) => {
                hop.because = because;
                &mut case.to
            }
            (Tip::Host(_), Tip::Host(_)) => continue,
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
