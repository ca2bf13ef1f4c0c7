//! Answers one question: every sender with every receiver, as few of them as stand for all.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, Back, Blocker, Hop, Part, Verdict};
use super::balancer::Client;
use super::blocked::Blocked;
use super::ends::Ends;
use super::passage::{Aim, Outside, Passage, Spot};
use super::span::Span;
use super::table::{ClassIx, GapIx, HostIx, Index as _};
use super::walk::Walk;
use super::{Code, Endpoint, Flows};
use crate::inventory::{Call, Gap};
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family, Ports};

/// A host, with the addresses of it that are meant.
type Meant = (HostIx, Vec<Spot>);

/// One sender and one receiver, or some that fare like them.
struct Case {
    from: String,
    to: String,
    /// The first hop and the last.
    ends: (Hop, Hop),
    /// By each pair of their addresses.
    passages: Vec<(Family, Passage)>,
    /// Addresses outside that this is about.
    outside: Vec<(Family, u128, u128)>,
    /// How many pairs it stands for.
    universe: Flows,
}

impl Case {
    fn span(&self) -> Span {
        self.passages.iter().fold(Span::none(), |sum, (_, passage)| sum.union(&passage.span))
    }

    fn whole(&self) -> Flows {
        self.passages.iter().fold(Flows::NONE, |sum, (_, passage)| sum.union(&passage.whole))
    }

    /// What should pass and does not, or not with every reply.
    fn wanting(&self, asked: Option<&Flows>) -> Flows {
        match asked {
            Some(asked) => asked.and(&self.universe).minus(&self.whole()),
            None => {
                let sure = self.span().sure;
                if sure.is_empty() { self.universe.clone() } else { sure.minus(&self.whole()) }
            }
        }
    }

    fn verdict(&self, asked: Option<&Flows>) -> Verdict {
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

/// The verdict over all cases.
fn together(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let all: BTreeSet<Verdict> = verdicts.collect();
    let mut each = all.iter();
    match (each.next(), each.next()) {
        (None, _) => Verdict::No,
        (Some(only), None) => *only,
        _ if all.contains(&Verdict::Unknown) => Verdict::Unknown,
        _ => Verdict::Partly,
    }
}

impl Walk<'_> {
    pub(super) fn ask(self, from: &Endpoint, to: &Endpoint, asked: Option<&Flows>) -> Answer {
        let (senders, receivers) = (self.ends(from), self.ends(to));
        let mut cases = Vec::new();
        self.inside(&senders, &receivers, &mut cases);
        self.inbound(&senders, &receivers, &mut cases);
        self.outbound(&senders, &receivers, &mut cases);
        let mut notes = senders.notes;
        notes.extend(receivers.notes);
        if cases.is_empty() {
            return self.nobody(from, to, notes);
        }
        self.answer(&cases, asked, notes)
    }

    /// Hosts to hosts, a pair for each two classes.
    fn inside(self, senders: &Ends, receivers: &Ends, cases: &mut Vec<Case>) {
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

    fn several(self, ends: &[&Meant]) -> String {
        let titles: Vec<String> = ends.iter().map(|end| self.network.hosts.at(end.0).title()).collect();
        match titles.as_slice() {
            [first, _, _, rest @ ..] if !rest.is_empty() => {
                format!("{first} and {} more like it", titles.len() - 1)
            }
            few => few.join(", "),
        }
    }

    fn end(self, index: HostIx) -> Hop {
        let host = self.network.hosts.at(index);
        Hop {
            resource: host.label.clone(),
            name: host.name.clone(),
            kind: "interface",
            because: host.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }

    fn inbound(self, senders: &Ends, receivers: &Ends, cases: &mut Vec<Case>) {
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

    fn outbound(self, senders: &Ends, receivers: &Ends, cases: &mut Vec<Case>) {
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

    fn nobody(self, from: &Endpoint, to: &Endpoint, notes: Vec<String>) -> Answer {
        let calls = [Call::Interfaces, Call::Instances].map(Call::action);
        let gaps: Vec<Gap> =
            self.inventory.gaps.iter().filter(|gap| calls.contains(&gap.call.as_str())).cloned().collect();
        let empty = |endpoint: &Endpoint| {
            let ends = self.ends(endpoint);
            ends.hosts.is_empty() && ends.outside.is_empty() && ends.targets.is_empty()
        };
        let (which, role) = if empty(from) { (from, "sends") } else { (to, "receives") };
        let why = if empty(from) || empty(to) {
            format!("nothing that is in use {role} there")
        } else {
            "there are not two to ask about, or they share no family of addresses".to_owned()
        };
        Answer {
            verdict: if gaps.is_empty() { Verdict::No } else { Verdict::Unknown },
            flows: Flows::NONE,
            at_most: if gaps.is_empty() { Flows::NONE } else { Flows::all() },
            hops: Vec::new(),
            blockers: vec![Blocker {
                code: Code::NoDestination,
                resource: which.to_string(),
                name: None,
                kind: which.kind(),
                why,
                lift: "name an interface that is in use, or what carries one".into(),
                flows: Flows::NONE,
                replies: false,
            }],
            back: Back { verdict: Verdict::No, ports: Vec::new(), hops: Vec::new() },
            gaps,
            parts: Vec::new(),
            notes,
        }
    }

    fn answer(self, cases: &[Case], asked: Option<&Flows>, mut notes: Vec<String>) -> Answer {
        let verdict = together(cases.iter().map(|case| case.verdict(asked)));
        let everything = Flows::all();
        let within = asked.unwrap_or(&everything);
        let span = cases.iter().fold(Span::none(), |sum, case| sum.union(&case.span())).within(within);
        let shown = cases.iter().max_by_key(|case| rank(case.verdict(asked)));
        let (hops, back) = shown.map_or((Vec::new(), no_back()), |case| self.shown(case, asked));
        let mut gaps = self.gaps(cases, asked);
        if verdict == Verdict::Yes || verdict == Verdict::Partly {
            self.soft(cases, &mut gaps, &mut notes);
        }
        notes.sort();
        notes.dedup();
        Answer {
            verdict,
            flows: span.sure,
            at_most: span.maybe,
            hops,
            blockers: self.blockers(cases, asked),
            back,
            gaps,
            parts: parts(cases, asked),
            notes,
        }
    }

    /// The way that shows the verdict, and that of its replies.
    fn shown(self, case: &Case, asked: Option<&Flows>) -> (Vec<Hop>, Back) {
        let wanted = asked.map_or_else(|| case.universe.clone(), |asked| asked.and(&case.universe));
        let best = case.passages.iter().max_by_key(|(_, passage)| {
            let sure = !passage.span.sure.and(&wanted).is_empty();
            let maybe = passage.span.maybe.meets(&wanted);
            // What a load balancer hands on gets nowhere with what it does not listen to.
            (sure, maybe, if passage.handed_on && !maybe { 0 } else { depth(passage, &wanted) })
        });
        let Some((_, passage)) = best else { return (Vec::new(), no_back()) };
        let passing = passage.span.sure.and(&wanted);
        let passing = if passing.is_empty() { passage.span.maybe.and(&wanted) } else { passing };
        let flow = passing.first().or_else(|| wanted.first()).unwrap_or_default();
        let mut hops = vec![case.ends.0.clone()];
        let mut stopped = false;
        for stage in passage.stages.iter().filter(|stage| !stage.replies) {
            if !stage.allow.maybe.meets(&flow) {
                stopped = true;
                break;
            }
            hops.push(self.hop(stage, &flow));
        }
        if !stopped {
            hops.push(case.ends.1.clone());
        }
        let sure = passage.span.sure.and(&wanted);
        let verdict = if sure.is_empty() {
            let forward = passage
                .stages
                .iter()
                .filter(|stage| !stage.replies)
                .all(|stage| stage.allow.maybe.meets(&flow));
            if forward && !passage.span.maybe.is_empty() { Verdict::Unknown } else { Verdict::No }
        } else if passage.whole.covers(&sure) {
            Verdict::Yes
        } else {
            Verdict::Partly
        };
        let back = passage.back.sure.clone();
        let udp = flow.meets(&Flows::from(crate::net::Flow::Udp(Ports::ALL)));
        let ported = udp || flow.meets(&Flows::from(crate::net::Flow::Tcp(Ports::ALL)));
        let ports = if ported && verdict != Verdict::No { back.client_ports(udp) } else { Vec::new() };
        let mut way_back = Vec::new();
        for stage in passage.stages.iter().filter(|stage| stage.replies) {
            if stage.allow.maybe.is_empty() {
                break;
            }
            way_back.push(self.hop(stage, &replies_to(&flow)));
        }
        (hops, Back { verdict, ports, hops: way_back })
    }

    fn blockers(self, cases: &[Case], asked: Option<&Flows>) -> Vec<Blocker> {
        let mut blocked = Blocked::new(self);
        let mut blockers = Vec::new();
        for case in cases {
            let wanting = case.wanting(asked);
            if wanting.is_empty() {
                continue;
            }
            if case.passages.is_empty() {
                blockers.push(self.apart(case, &wanting));
            }
            for (family, passage) in case.passages.iter().filter(|(_, passage)| !passage.handed_on) {
                let wanting = wanting.and(&Flows::of_family(*family));
                for stage in &passage.stages {
                    let let_through = if stage.replies {
                        let (_, every) = stage.allow.maybe.requests();
                        every
                    } else {
                        stage.allow.maybe.clone()
                    };
                    let stopped = wanting.minus(&let_through);
                    if !stopped.is_empty() {
                        blocked.add(stage, stopped);
                    }
                }
            }
        }
        blockers.extend(blocked.into_blockers());
        blockers
    }

    fn apart(self, case: &Case, wanting: &Flows) -> Blocker {
        Blocker {
            code: Code::NoDestination,
            resource: case.ends.1.resource.clone(),
            name: case.ends.1.name.clone(),
            kind: case.ends.1.kind,
            why: format!("{} and {} have no addresses of one family", case.from, case.to),
            lift: "give both an address of one family".into(),
            flows: wanting.clone(),
            replies: false,
        }
    }

    /// What was not seen and could change the answer.
    fn gaps(self, cases: &[Case], asked: Option<&Flows>) -> Vec<Gap> {
        let mut known: BTreeSet<GapIx> = BTreeSet::new();
        let mut gaps: Vec<Gap> = Vec::new();
        for case in cases {
            let span = case.span();
            let open = match asked {
                Some(asked) => span.maybe.and(asked).minus(&case.whole()),
                None => span.maybe.minus(&span.sure),
            };
            if open.is_empty() {
                continue;
            }
            for stage in case.passages.iter().flat_map(|(_, passage)| &passage.stages) {
                if stage.allow.is_exact() {
                    continue;
                }
                match stage.gap {
                    Some(gap) => {
                        known.insert(gap);
                    }
                    None => {
                        let Some(blocker) = self.blocker(stage, open.clone()) else { continue };
                        let gap = Gap {
                            call: "what AWS does not tell".into(),
                            place: crate::inventory::Place::default(),
                            groups: Vec::new(),
                            why: format!("{}: {}", blocker.resource, blocker.why),
                        };
                        if !gaps.contains(&gap) {
                            gaps.push(gap);
                        }
                    }
                }
            }
        }
        let known = known.into_iter().map(|gap| self.network.gaps.at(gap).clone());
        known.chain(gaps).collect()
    }

    /// Block Public Access is off unless somebody switched it on: what was not seen of it is told, and no more.
    fn soft(self, cases: &[Case], gaps: &mut Vec<Gap>, notes: &mut Vec<String>) {
        let stages = cases.iter().flat_map(|case| &case.passages).flat_map(|(_, passage)| &passage.stages);
        let public = stages.into_iter().any(|stage| match &stage.note {
            super::stage::Note::Plain(plain) => plain.kind == "internet gateway",
            _ => false,
        });
        if !public {
            return;
        }
        let action = Call::BlockPublicAccess.action();
        let unseen: Vec<&Gap> = self.inventory.gaps.iter().filter(|gap| gap.call == action).collect();
        if !unseen.is_empty() {
            notes.push(
                "VPC Block Public Access was not seen, and is taken to be off, as it is by default".into(),
            );
        }
        gaps.extend(unseen.into_iter().cloned());
    }
}

fn universe(families: impl Iterator<Item = Family>) -> Flows {
    let families: BTreeSet<Family> = families.collect();
    if families.is_empty() {
        return Flows::all();
    }
    families.into_iter().fold(Flows::NONE, |sum, family| sum.union(&Flows::of_family(family)))
}

fn no_back() -> Back {
    Back { verdict: Verdict::No, ports: Vec::new(), hops: Vec::new() }
}

/// Which case shows the verdict best: one that passes, before one that does in part.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Yes => 3,
        Verdict::Partly => 2,
        Verdict::Unknown => 1,
        Verdict::No => 0,
    }
}

/// How far a packet gets.
fn depth(passage: &Passage, wanted: &Flows) -> usize {
    let forward = passage.stages.iter().filter(|stage| !stage.replies);
    forward.take_while(|stage| stage.allow.maybe.meets(wanted)).count()
}

/// Some reply to a request, to find the entry that lets it back.
fn replies_to(flow: &Flows) -> Flows {
    let all = |flow: crate::net::Flow| Flows::from(flow);
    let (tcp, udp) = (all(crate::net::Flow::Tcp(Ports::ALL)), all(crate::net::Flow::Udp(Ports::ALL)));
    let clients = Ports::range(1024, u16::MAX).unwrap_or(Ports::ALL);
    if flow.meets(&tcp) {
        all(crate::net::Flow::Tcp(clients))
    } else if flow.meets(&udp) {
        all(crate::net::Flow::Udp(clients))
    } else {
        flow.clone()
    }
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

fn parts(cases: &[Case], asked: Option<&Flows>) -> Vec<Part> {
    let everything = Flows::all();
    let within = asked.unwrap_or(&everything);
    let parts = cases.iter().map(|case| Part {
        from: case.from.clone(),
        to: case.to.clone(),
        flows: case.span().sure.and(within),
        verdict: case.verdict(asked),
    });
    let parts: Vec<Part> = parts.collect();
    let alike = parts.windows(2).all(|pair| match pair {
        [a, b] => a.verdict == b.verdict && a.flows == b.flows,
        _ => true,
    });
    if alike { Vec::new() } else { parts }
}
