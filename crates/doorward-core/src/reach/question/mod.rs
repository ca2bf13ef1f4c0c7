//! Answers one question: every sender with every receiver, as few of them as stand for all.

mod alternatives;
mod blockers;
mod fixes;
mod outside;
mod pairs;
pub(crate) mod repair;
pub(crate) mod stands_for;
mod unattached;

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::inventory::{Call, Gap, ResourceKind};
use crate::net::{Family, Flow, Ports};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::table::GapIx;
use crate::reach::question::blockers::Blockers;
use crate::reach::question::pairs::PairGroup;
use crate::reach::result::{Answer, Back, Blocker, Fix, Hop, Part, Verdict};
use crate::reach::selector::Selector;
use crate::reach::selector::resolve::{self, Absent, Certain, Endpoints};
use crate::reach::trace::path_text;
use crate::reach::trace::round_trip::RoundTrip;
use crate::reach::trace::steps::{Detail, Step, StepKind};

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

pub(crate) fn ask(cx: Context<'_>, from: &Selector, to: &Selector, asked: Option<&Flows>) -> Answer {
    let (mut senders, mut receivers) = (resolve::resolve(cx, from), resolve::resolve(cx, to));
    let mut notes = std::mem::take(&mut senders.notes);
    notes.append(&mut receivers.notes);
    let mut cases = Vec::new();
    pairs::between_interfaces(cx, &senders, &receivers, asked, &mut cases);
    outside::from_outside(cx, from, &senders, &receivers, &mut cases);
    outside::to_outside(cx, to, &senders, &receivers, &mut cases);
    unattached::cases(cx, &senders, &receivers, &mut cases);
    if cases.is_empty() {
        return nobody(cx, (from, &senders), (to, &receivers), notes);
    }
    // What has no interface is told of beside those that have one.
    notes.extend(senders.absent.iter().chain(&receivers.absent).map(|absent| absent.why.clone()));
    answer(cx, &cases, asked, notes)
}

/// The calls that tell which addresses something leads to, inside and outside.
const WHO_IS_WHERE: &[Call] = &[
    Call::Interfaces,
    Call::Instances,
    Call::Vpcs,
    Call::RouteTables,
    Call::Peerings,
    Call::VpnGateways,
    Call::VpnConnections,
    Call::TransitGateways,
    Call::TransitAttachments,
    Call::TransitTables,
    Call::TransitRoutes,
];

/// An end as it was named, and who is meant.
type Asked<'e> = (&'e Selector, &'e Endpoints);

fn nobody(cx: Context<'_>, from: Asked<'_>, to: Asked<'_>, notes: Vec<String>) -> Answer {
    let by_address = [from.0, to.0]
        .iter()
        .any(|end| matches!(end, Selector::Address(_) | Selector::Cidr(_) | Selector::Host(_)));
    let calls = if by_address { WHO_IS_WHERE } else { &[Call::Interfaces, Call::Instances] };
    let absent = || from.1.absent.iter().chain(&to.1.absent);
    let certain = absent().any(|absent| matches!(absent.certain, Certain::Yes));
    let gaps = cx.inventory.gaps.iter().filter(|gap| !certain && calls.iter().any(|call| gap.is_of(*call)));
    let others = absent().filter(|absent| !certain && matches!(absent.certain, Certain::No));
    let others = others.map(|absent| Gap::behind(absent.resource.clone(), absent.why.clone()));
    let gaps: Vec<Gap> = gaps.cloned().chain(others).collect();
    let mut blockers: Vec<Blocker> = absent().map(Absent::blocker).collect();
    if blockers.is_empty() {
        let (which, role) = if from.1.is_empty() { (from.0, "sends") } else { (to.0, "receives") };
        let why = if from.1.is_empty() || to.1.is_empty() {
            format!("nothing that is in use {role} there")
        } else {
            "there are not two to ask about, or they share no family of addresses".to_owned()
        };
        blockers.push(Blocker {
            code: Code::NoDestination,
            resource: which.resource(),
            name: None,
            why,
            fix: Fix::Advice("name an interface that is in use, or a resource that has one".into()),
            flows: Flows::NONE,
            replies: false,
        });
    }
    Answer {
        verdict: if gaps.is_empty() { Verdict::No } else { Verdict::Unknown },
        flows: Flows::NONE,
        at_most: if gaps.is_empty() { Flows::NONE } else { Flows::all() },
        hops: Vec::new(),
        blockers,
        back: Back { verdict: Verdict::No, ports: Vec::new(), hops: Vec::new() },
        gaps,
        parts: Vec::new(),
        notes,
    }
}

fn answer(cx: Context<'_>, cases: &[PairGroup<'_>], asked: Option<&Flows>, mut notes: Vec<String>) -> Answer {
    let verdicts: Vec<Verdict> = cases.iter().map(|case| case.verdict(asked)).collect();
    let verdict = together(verdicts.iter().copied());
    let everything = Flows::all();
    let within = asked.unwrap_or(&everything);
    let bounds = cases.iter().fold(Bounds::none(), |sum, case| sum.union(&case.bounds)).within(within);
    let shown = cases.iter().zip(&verdicts).max_by_key(|(_, verdict)| rank(**verdict));
    let (hops, back) = shown.map_or((Vec::new(), no_back()), |(case, _)| shown_path(cx, case, asked));
    let mut gaps = gaps(cx, cases, asked);
    if verdict == Verdict::Yes || verdict == Verdict::Partly {
        soft(cx, cases, &mut gaps, &mut notes);
    }
    notes.sort();
    notes.dedup();
    Answer {
        verdict,
        flows: bounds.must,
        at_most: bounds.may,
        hops,
        blockers: blockers(cx, cases, asked),
        back,
        gaps,
        parts: parts(cases, &verdicts, within),
        notes,
    }
}

/// The way that shows the verdict, and that of its replies.
fn shown_path(cx: Context<'_>, case: &PairGroup<'_>, asked: Option<&Flows>) -> (Vec<Hop>, Back) {
    let round_trips = in_full(cx, case);
    let wanted = asked.map_or_else(|| case.universe.clone(), |asked| asked.and(&case.universe));
    let best = round_trips.iter().max_by_key(|(_, round_trip)| {
        let must = !round_trip.bounds.must.and(&wanted).is_empty();
        let may = round_trip.bounds.may.meets(&wanted);
        // What a load balancer hands on gets nowhere with what it does not listen to.
        let idle = round_trip.handed_on.as_ref().is_some_and(|sent| !sent.meets(&wanted));
        (must, may, if idle { 0 } else { depth(round_trip, &wanted) })
    });
    let Some((_, round_trip)) = best else { return (Vec::new(), no_back()) };
    let passing = round_trip.bounds.must.and(&wanted);
    let passing = if passing.is_empty() { round_trip.bounds.may.and(&wanted) } else { passing };
    let flow = passing.first().or_else(|| wanted.first()).unwrap_or_default();
    let mut hops = vec![pairs::end_hop(cx, &case.tips.0)];
    let mut stopped = false;
    for step in round_trip.steps.iter().filter(|step| !step.replies) {
        let flow = step.about.as_ref().unwrap_or(&flow);
        if !step.allow.may.meets(flow) {
            stopped = true;
            break;
        }
        hops.push(path_text::hop(cx, step, flow));
    }
    if !stopped {
        hops.push(pairs::end_hop(cx, &case.tips.1));
    }
    let must = round_trip.bounds.must.and(&wanted);
    let verdict = if must.is_empty() {
        let mut forward = round_trip.steps.iter().filter(|step| !step.replies);
        let forward = forward.all(|step| step.allow.may.meets(step.about.as_ref().unwrap_or(&flow)));
        if forward && !round_trip.bounds.may.is_empty() { Verdict::Unknown } else { Verdict::No }
    } else if round_trip.whole.covers(&must) {
        Verdict::Yes
    } else {
        Verdict::Partly
    };
    let back = round_trip.back.must.clone();
    let udp = flow.meets(&Flows::from(Flow::Udp(Ports::ALL)));
    let ported = udp || flow.meets(&Flows::from(Flow::Tcp(Ports::ALL)));
    let ports = if ported && verdict != Verdict::No { back.client_ports(udp) } else { Vec::new() };
    let mut way_back = Vec::new();
    for step in round_trip.steps.iter().filter(|step| step.replies) {
        if step.allow.may.is_empty() {
            break;
        }
        way_back.push(path_text::hop(cx, step, &replies_to(step.about.as_ref().unwrap_or(&flow))));
    }
    (hops, Back { verdict, ports, hops: way_back })
}

/// The round_trips of a case with every step.
fn in_full<'c>(cx: Context<'_>, case: &'c PairGroup<'_>) -> Cow<'c, [(Family, RoundTrip)]> {
    match case.pair {
        Some((source, sink)) => Cow::Owned(pairs::round_trips(cx, source, sink, &[Detail::All, Detail::All])),
        None => Cow::Borrowed(&case.round_trips),
    }
}

fn blockers(cx: Context<'_>, cases: &[PairGroup<'_>], asked: Option<&Flows>) -> Vec<Blocker> {
    let mut blocked = Blockers::new(cx);
    let mut blockers = Vec::new();
    for case in cases {
        let wanting = case.wanting(asked);
        if wanting.is_empty() {
            continue;
        }
        if case.round_trips.is_empty() {
            blockers.push(apart(cx, case, &wanting));
        }
        for (step, stopped) in alternatives::blocking(case, &wanting) {
            blocked.add(step, stopped, case.meant.as_ref());
        }
    }
    blockers.extend(blocked.into_blockers());
    blockers
}

fn apart(cx: Context<'_>, case: &PairGroup<'_>, wanting: &Flows) -> Blocker {
    let Hop { resource, name, .. } = pairs::end_hop(cx, &case.tips.1);
    Blocker {
        code: Code::NoDestination,
        resource,
        name,
        why: format!("{} and {} have no addresses of one family", case.from, case.to),
        fix: Fix::Advice("give both an address of one family".into()),
        flows: wanting.clone(),
        replies: false,
    }
}

/// What was not seen and could change the answer.
fn gaps(cx: Context<'_>, cases: &[PairGroup<'_>], asked: Option<&Flows>) -> Vec<Gap> {
    let mut known: BTreeSet<GapIx> = BTreeSet::new();
    let mut gaps: Vec<Gap> = Vec::new();
    for case in cases {
        let bounds = &case.bounds;
        let open = match asked {
            Some(asked) => bounds.may.and(asked).minus(&case.whole),
            None => bounds.may.minus(&bounds.must),
        };
        if open.is_empty() {
            continue;
        }
        for step in case.round_trips.iter().flat_map(|(_, round_trip)| &round_trip.steps) {
            if step.allow.is_exact() {
                continue;
            }
            match (step.gap, &step.note) {
                (_, StepKind::SecurityGroups(asked)) => {
                    let set = cx.network.sets.at(cx.network.interfaces.at(asked.interface).set);
                    known.extend(set.doubts_of(asked.direction, &open).map(|doubt| doubt.gap));
                }
                (Some(gap), _) => {
                    known.insert(gap);
                }
                (None, _) => {
                    let about = step.about.as_ref().unwrap_or(&open).clone();
                    let Some(blocker) = blockers::blocker(cx, step, about) else { continue };
                    let gap = Gap::behind(blocker.resource, blocker.why);
                    if !gaps.contains(&gap) {
                        gaps.push(gap);
                    }
                }
            }
        }
    }
    let known = known.into_iter().map(|gap| cx.network.gaps.at(gap).clone());
    known.chain(gaps).collect()
}

/// Block Public Access is off unless somebody switched it on: what was not seen of it is told, and no more.
fn soft(cx: Context<'_>, cases: &[PairGroup<'_>], gaps: &mut Vec<Gap>, notes: &mut Vec<String>) {
    let unseen: Vec<&Gap> =
        cx.inventory.gaps.iter().filter(|gap| gap.is_of(Call::BlockPublicAccess)).collect();
    let is_public = |step: &Step| match &step.note {
        StepKind::Text(text) => text.resource.kind() == ResourceKind::InternetGateway,
        StepKind::NetworkAcl { .. } | StepKind::SecurityGroups(_) => false,
    };
    let mut round_trips = cases.iter().map(|case| in_full(cx, case));
    let mut public =
        || round_trips.any(|all| all.iter().any(|(_, round_trip)| round_trip.steps.iter().any(is_public)));
    if unseen.is_empty() || !public() {
        return;
    }
    notes.push("VPC Block Public Access was not seen, and is taken to be off, as it is by default".into());
    gaps.extend(unseen.into_iter().cloned());
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
fn depth(round_trip: &RoundTrip, wanted: &Flows) -> usize {
    let forward = round_trip.steps.iter().filter(|step| !step.replies);
    forward.take_while(|step| step.allow.may.meets(step.about.as_ref().unwrap_or(wanted))).count()
}

/// Some reply to a request, to find the entry that lets it back.
fn replies_to(flow: &Flows) -> Flows {
    let with_ports = [Flow::Tcp(Ports::ALL), Flow::Udp(Ports::ALL)];
    let request = with_ports.into_iter().find(|transport| flow.meets(&Flows::from(*transport)));
    request.map_or_else(|| flow.clone(), |request| Flows::from(Flows::replies_to(request)))
}

fn parts(cases: &[PairGroup<'_>], verdicts: &[Verdict], within: &Flows) -> Vec<Part> {
    let fared = cases.iter().zip(verdicts).map(|(case, verdict)| (case.bounds.must.and(within), *verdict));
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
