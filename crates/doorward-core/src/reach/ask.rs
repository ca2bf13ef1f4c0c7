//! Answers one question: every sender with every receiver, as few of them as stand for all.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::answer::{Answer, Back, Blocker, Hop, Part, Verdict};
use super::blocked::Blocked;
use super::cases::Case;
use super::passage::Passage;
use super::span::Span;
use super::stage::{Detail, Note, Stage};
use super::table::GapIx;
use super::walk::Walk;
use super::{Code, Endpoint, Flows};
use crate::inventory::{Call, Gap};
use crate::net::{Family, Ports};

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
        let (mut senders, mut receivers) = (self.ends(from), self.ends(to));
        let mut notes = std::mem::take(&mut senders.notes);
        notes.append(&mut receivers.notes);
        let mut cases = Vec::new();
        self.inside(&senders, &receivers, asked, &mut cases);
        self.inbound(&senders, &receivers, &mut cases);
        self.outbound(&senders, &receivers, &mut cases);
        if cases.is_empty() {
            return self.nobody(from, to, notes);
        }
        self.answer(&cases, asked, notes)
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

    fn answer(self, cases: &[Case<'_>], asked: Option<&Flows>, mut notes: Vec<String>) -> Answer {
        let verdicts: Vec<Verdict> = cases.iter().map(|case| case.verdict(asked)).collect();
        let verdict = together(verdicts.iter().copied());
        let everything = Flows::all();
        let within = asked.unwrap_or(&everything);
        let span = cases.iter().fold(Span::none(), |sum, case| sum.union(&case.span)).within(within);
        let shown = cases.iter().zip(&verdicts).max_by_key(|(_, verdict)| rank(**verdict));
        let (hops, back) = shown.map_or((Vec::new(), no_back()), |(case, _)| self.shown(case, asked));
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
            parts: parts(cases, &verdicts, within),
            notes,
        }
    }

    /// The way that shows the verdict, and that of its replies.
    fn shown(self, case: &Case<'_>, asked: Option<&Flows>) -> (Vec<Hop>, Back) {
        let passages = self.in_full(case);
        let wanted = asked.map_or_else(|| case.universe.clone(), |asked| asked.and(&case.universe));
        let best = passages.iter().max_by_key(|(_, passage)| {
            let sure = !passage.span.sure.and(&wanted).is_empty();
            let maybe = passage.span.maybe.meets(&wanted);
            // What a load balancer hands on gets nowhere with what it does not listen to.
            (sure, maybe, if passage.handed_on && !maybe { 0 } else { depth(passage, &wanted) })
        });
        let Some((_, passage)) = best else { return (Vec::new(), no_back()) };
        let passing = passage.span.sure.and(&wanted);
        let passing = if passing.is_empty() { passage.span.maybe.and(&wanted) } else { passing };
        let flow = passing.first().or_else(|| wanted.first()).unwrap_or_default();
        let mut hops = vec![self.tip(&case.tips.0)];
        let mut stopped = false;
        for stage in passage.stages.iter().filter(|stage| !stage.replies) {
            if !stage.allow.maybe.meets(&flow) {
                stopped = true;
                break;
            }
            hops.push(self.hop(stage, &flow));
        }
        if !stopped {
            hops.push(self.tip(&case.tips.1));
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

    /// The passages of a case with every stage.
    fn in_full<'c>(self, case: &'c Case<'_>) -> Cow<'c, [(Family, Passage)]> {
        match case.pair {
            Some((source, sink)) => Cow::Owned(self.passages(source, sink, &[Detail::All, Detail::All])),
            None => Cow::Borrowed(&case.passages),
        }
    }

    fn blockers(self, cases: &[Case<'_>], asked: Option<&Flows>) -> Vec<Blocker> {
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

    fn apart(self, case: &Case<'_>, wanting: &Flows) -> Blocker {
        let Hop { resource, name, kind, .. } = self.tip(&case.tips.1);
        Blocker {
            code: Code::NoDestination,
            resource,
            name,
            kind,
            why: format!("{} and {} have no addresses of one family", case.from, case.to),
            lift: "give both an address of one family".into(),
            flows: wanting.clone(),
            replies: false,
        }
    }

    /// What was not seen and could change the answer.
    fn gaps(self, cases: &[Case<'_>], asked: Option<&Flows>) -> Vec<Gap> {
        let mut known: BTreeSet<GapIx> = BTreeSet::new();
        let mut gaps: Vec<Gap> = Vec::new();
        for case in cases {
            let span = &case.span;
            let open = match asked {
                Some(asked) => span.maybe.and(asked).minus(&case.whole),
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
    fn soft(self, cases: &[Case<'_>], gaps: &mut Vec<Gap>, notes: &mut Vec<String>) {
        let action = Call::BlockPublicAccess.action();
        let unseen: Vec<&Gap> = self.inventory.gaps.iter().filter(|gap| gap.call == action).collect();
        let is_public = |stage: &Stage| match &stage.note {
            Note::Plain(plain) => plain.kind == "internet gateway",
            Note::Acl { .. } | Note::Groups(_) => false,
        };
        let mut passages = cases.iter().map(|case| self.in_full(case));
        let mut public =
            || passages.any(|all| all.iter().any(|(_, passage)| passage.stages.iter().any(is_public)));
        if unseen.is_empty() || !public() {
            return;
        }
        notes
            .push("VPC Block Public Access was not seen, and is taken to be off, as it is by default".into());
        gaps.extend(unseen.into_iter().cloned());
    }
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

fn parts(cases: &[Case<'_>], verdicts: &[Verdict], within: &Flows) -> Vec<Part> {
    let fared = cases.iter().zip(verdicts).map(|(case, verdict)| (case.span.sure.and(within), *verdict));
    let fared: Vec<(Flows, Verdict)> = fared.collect();
    if fared.iter().all(|one| fared.first() == Some(one)) {
        return Vec::new();
    }
    let parts = cases.iter().zip(fared).map(|(case, (flows, verdict))| Part {
        from: case.from.to_string(),
        to: case.to.to_string(),
        flows,
        verdict,
    });
    parts.collect()
}
