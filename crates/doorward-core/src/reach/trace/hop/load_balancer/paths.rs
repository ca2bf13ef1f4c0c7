//! The paths to a target through load balancers: the client's connection to a listener, and the balancer's own.

use std::net::IpAddr;

use crate::inventory::LoadBalancer;
use crate::net::{Family, ranges};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::{Named, PacketEnd};
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::hop::load_balancer::second_leg;
use crate::reach::trace::hop::load_balancer::targets::{self, Sent};
use crate::reach::trace::public_address;
use crate::reach::trace::round_trip::{self, RoundTrip};
use crate::reach::trace::steps::{Detail, Step, StepKind, StepText};

/// So many load balancers stand behind each other at most: an application load balancer may be the target of a network
/// load balancer, and of nothing else (network load balancer guide, Application Load Balancers as targets).
const MOST_BALANCERS: usize = 2;

/// Who asks a load balancer.
#[derive(Debug, Clone)]
pub(crate) enum Client<'c> {
    Interface(PacketEnd),
    Outside(&'c Outside, IpAddr),
}

impl Client<'_> {
    fn address(&self) -> IpAddr {
        match self {
            Self::Interface(packet_end) => packet_end.own.address,
            Self::Outside(_, address) => *address,
        }
    }

    /// Straight to an address of a node.
    fn direct(&self, cx: Context<'_>, node: PacketEnd) -> Option<RoundTrip> {
        if ranges::family(self.address()) != ranges::family(node.own.address) {
            return None;
        }
        match self {
            Self::Interface(from) if from.interface == node.interface => None,
            Self::Interface(from) => Some(round_trip::between(cx, *from, node, Detail::All)),
            Self::Outside(outside, address) => {
                Some(round_trip::inward(cx, outside, *address, node, Detail::All))
            }
        }
    }
}

/// The paths to a target by load balancers, also those that fail. The flows are those that the target gets.
///
/// Packets for a target's own public address go there straight, also where a name resolves to it for the client.
pub(crate) fn paths_through(cx: Context<'_>, client: &Client<'_>, to: PacketEnd) -> Vec<RoundTrip> {
    let is_for_public = match client {
        Client::Interface(from) => public_address::is_meant(cx, from.interface, to),
        Client::Outside(..) => to.named == Named::Public && to.own.address.is_ipv4(),
    };
    if is_for_public {
        return Vec::new();
    }
    through(cx, client, to, MOST_BALANCERS)
}

fn through(cx: Context<'_>, client: &Client<'_>, to: PacketEnd, left: usize) -> Vec<RoundTrip> {
    let mut round_trips = Vec::new();
    let Some(left) = left.checked_sub(1) else { return round_trips };
    for balancer in cx.balancers_sending_to(to) {
        let sent = targets::sent(cx, balancer);
        let sent: Vec<&Sent<'_>> =
            sent.iter().filter(|sent| sent.is_for(cx, balancer, to.interface, to.own.address)).collect();
        if sent.is_empty() {
            continue;
        }
        let nodes = cx.network.members.get(&balancer.resource()).map_or(&[][..], Vec::as_slice);
        for &node in nodes.iter().filter(|node| **node != to.interface) {
            let by_node = |sent: &&Sent<'_>| by_node(cx, client, node, balancer, sent, to, left);
            round_trips.extend(sent.iter().flat_map(by_node));
        }
    }
    round_trips
}

/// By one node of a balancer, which sends one thing to the target: by each of its addresses that the client reaches, or
/// by the first where it reaches none.
fn by_node(
    cx: Context<'_>,
    client: &Client<'_>,
    index: InterfaceIx,
    balancer: &LoadBalancer,
    sent: &Sent<'_>,
    to: PacketEnd,
    left: usize,
) -> Vec<RoundTrip> {
    let node = cx.network.interfaces.at(index);
    let ends = node.addresses.iter().map(|own| PacketEnd::of(index, *own));
    let mut firsts: Vec<RoundTrip> = Vec::new();
    for end in ends.clone() {
        firsts.extend(client.direct(cx, end.named(super::named(balancer))));
        firsts.extend(through(cx, client, end, left));
    }
    if firsts.iter().any(|first| first.bounds.may.meets(&sent.heard)) {
        firsts.retain(|first| first.bounds.may.meets(&sent.heard));
    } else {
        firsts.truncate(1);
    }
    let family = ranges::family(to.own.address);
    let own = ends.into_iter().find(|end| ranges::family(end.own.address) == family);
    let Some(own) = own else { return Vec::new() };
    let client = Some(client.address()).filter(|address| ranges::family(*address) == family);
    let follow = |client: Option<IpAddr>| second_leg::follow(cx, balancer, sent, own, to, client);
    let preserves = second_leg::preserves(balancer, sent);
    let with_client = (preserves != Some(false)).then(|| follow(client));
    let with_own = (preserves != Some(true)).then(|| follow(None));
    let whole_path = |mut first: RoundTrip| {
        second_leg::carrying(&mut first.steps, &sent.heard);
        let join = |second: &RoundTrip, kept| joined(balancer, sent, family, first.clone(), second, kept);
        match (&with_client, &with_own) {
            (Some(seen), Some(hidden)) => Some(either(join(seen, client.is_some()), join(hidden, false))),
            (Some(seen), None) => Some(join(seen, client.is_some())),
            (None, Some(hidden)) => Some(join(hidden, false)),
            (None, None) => None,
        }
    };
    firsts.into_iter().filter_map(whole_path).collect()
}

/// Both connections of a path. Where the client's address is preserved, replies of both go to the client's own port.
fn joined(
    balancer: &LoadBalancer,
    sent: &Sent<'_>,
    family: Family,
    first: RoundTrip,
    second: &RoundTrip,
    preserved: bool,
) -> RoundTrip {
    let heard = sent.heard.and(&Flows::of_family(family));
    let reached = |passes: &Flows| !heard.is_empty() && passes.meets(&sent.heard);
    let gated = |passes: bool, flows: &Flows| if passes { flows.clone() } else { Flows::NONE };
    let certain = if sent.lacking.is_some() { Flows::NONE } else { second.bounds.must.clone() };
    let mut bounds = Bounds {
        must: gated(reached(&first.bounds.must), &certain),
        may: gated(reached(&first.bounds.may), &second.bounds.may),
    };
    let mut whole = gated(first.whole.covers(&sent.heard), &second.whole).and(&bounds.must);
    let mut back = first.back.clone();
    if preserved {
        back = first.back.and(&second.back);
        let (some, every) = back.must.requests();
        bounds.must = bounds.must.and(&some);
        bounds.may = bounds.may.and(&back.may.requests().0);
        whole = whole.and(&every);
    }
    let mut steps = first.steps;
    steps.push(handing_on(balancer, sent));
    steps.extend(second.steps.iter().cloned());
    RoundTrip { bounds, whole, back, steps, end: None, handed_on: Some(sent.flows.clone()) }
}

/// What is so whichever of two is the case; the first is shown.
fn either(one: RoundTrip, other: RoundTrip) -> RoundTrip {
    let must = one.bounds.must.and(&other.bounds.must);
    let may = one.bounds.may.union(&other.bounds.may);
    RoundTrip { bounds: Bounds { must, may }, whole: one.whole.and(&other.whole), ..one }
}

/// The step between the two connections.
fn handing_on(balancer: &LoadBalancer, sent: &Sent<'_>) -> Step {
    let group = sent.group.map_or("a target group that was not read", |group| &group.name);
    let (heard, flows) = (&sent.heard, &sent.flows);
    let one_of = match sent.listener.map(|listener| listener.target_groups.len()) {
        Some(several @ 2..) => format!(", one of {several} target groups that its actions and rules name"),
        _ => String::new(),
    };
    Step {
        note: StepKind::Text(StepText::allowed(
            balancer.resource(),
            format!("its listener {heard} sends {flows} to {group}{one_of}"),
        )),
        allow: Bounds::all(),
        gap: None,
        replies: false,
        about: None,
        fix: Vec::new(),
    }
}
