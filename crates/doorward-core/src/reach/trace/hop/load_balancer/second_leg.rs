//! The connection of a load balancer's node to a target, and whose address the target sees.

use std::net::IpAddr;

use crate::inventory::{Direction, LoadBalancer, LoadBalancerKind};
use crate::net::ranges;
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::trace::hop::load_balancer::targets::{self, Sent};
use crate::reach::trace::round_trip::{self, RoundTrip};
use crate::reach::trace::steps::{Detail, Step, StepKind, StepText, Trace};
use crate::reach::trace::{References, filters};

/// Whether the target sees the client's own address; none where that was not read.
///
/// Network load balancer guide, Client IP preservation: it cannot be disabled for UDP, and an application load balancer
/// never does it.
pub(super) fn preserves(balancer: &LoadBalancer, sent: &Sent<'_>) -> Option<bool> {
    if balancer.kind != LoadBalancerKind::Network {
        return Some(false);
    }
    let group = sent.group?;
    if group.protocol.contains("UDP") || group.protocol.contains("QUIC") {
        return Some(true);
    }
    group.preserves_client
}

/// From a node to a target. `client` is the client's address where the target sees that.
///
/// The node routes by its own address. "The traffic must flow directly from the Network Load Balancer to the target" where
/// the client's address is preserved (network load balancer guide, Client IP preservation): the target's network ACL and
/// security groups are asked for the client's address then, and for replies to it (Register targets, Network ACLs). The
/// groups of the balancer are asked for what it sends in both cases (Security groups).
pub(super) fn follow(
    cx: Context<'_>,
    balancer: &LoadBalancer,
    sent: &Sent<'_>,
    node: PacketEnd,
    to: PacketEnd,
    client: Option<IpAddr>,
) -> RoundTrip {
    let mut routed = Trace::new(Detail::All);
    let own = round_trip::sender(cx, node);
    let path = round_trip::path(cx, &mut routed, own, to.interface, to.own.address);
    let mut trace = Trace::new(Detail::All);
    let kept = path.references == References::Kept;
    let (receiver, address) = (to.interface, to.own.address);
    filters::security_groups(cx, &mut trace, node.interface, Direction::Out, address, Some(receiver), kept);
    targets::send(cx, &mut trace, balancer, node.interface, receiver, address, &[sent], true);
    // Of a path that fails already it is not known by what it would lead.
    if client.is_some() && !kept && !routed.forward.may.is_empty() {
        trace.block(|| indirect(balancer));
    }
    let seen = client.unwrap_or(node.own.address);
    let (replies, forward): (Vec<Step>, Vec<Step>) = routed.steps.into_iter().partition(|step| step.replies);
    forward.into_iter().for_each(|step| again(cx, &mut trace, step, node.own.address, seen));
    let seen = client.unwrap_or(path.seen);
    let kept = path.references >= References::Inbound;
    round_trip::receive(cx, &mut trace, receiver, seen, Some(node.interface), kept);
    trace.replies = true;
    replies.into_iter().for_each(|step| again(cx, &mut trace, step, node.own.address, seen));
    let mut round_trip = round_trip::finished(trace, ranges::family(address));
    round_trip.bounds = round_trip.bounds.within(&sent.flows);
    round_trip.whole = round_trip.whole.and(&sent.flows);
    carrying(&mut round_trip.steps, &sent.flows);
    round_trip
}

/// Notes which flows steps are about, where they are not about what was asked.
pub(super) fn carrying(steps: &mut [Step], flows: &Flows) {
    for step in steps {
        step.about.get_or_insert_with(|| flows.clone());
    }
}

/// Meets a step of the node's own path for a packet that bears another source.
fn again(cx: Context<'_>, trace: &mut Trace, step: Step, own: IpAddr, seen: IpAddr) {
    trace.replies = step.replies;
    match step.note {
        StepKind::NetworkAcl { subnet, direction, other, .. } if other == own && seen != own => {
            filters::network_acl(cx, trace, subnet, direction, seen);
        }
        note => {
            trace.meet(step.allow, step.gap, || note);
            trace.fix(|| step.fix);
        }
    }
}

fn indirect(balancer: &LoadBalancer) -> StepText {
    StepText::blocked(
        balancer.resource(),
        Code::SourcePreservation,
        "the client's address is preserved only to a target in the same VPC, or in a VPC that is peered in the \
              same Region",
        "turn client IP preservation of the target group off",
    )
}
