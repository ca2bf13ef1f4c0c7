//! VPC peering connections.

use std::net::IpAddr;

use crate::inventory::{Call, PeeringId, VpcId};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::trace::round_trip::Entered;
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{Delivery, Leg, Next, Origin, Packet, References, hop};

pub(crate) fn egress(cx: Context<'_>, trace: &mut Trace, packet: &mut Packet, id: &PeeringId) -> Next {
    let (vpc, to) = (packet.vpc(cx), packet.to);
    let name = || cx.inventory.peerings.get(id).and_then(|peering| peering.tags.get("Name").cloned());
    let blocked =
        |code: Code, why: String, advice: String| StepText::blocked(id, code, why, advice).named(name());
    let Some(peering) = cx.inventory.peerings.get(id) else {
        let there = hop::attached(cx, trace, vpc, Call::Peerings, &id.into(), None);
        return Next::Landed(if there { Delivery::Unknown } else { Delivery::Dropped });
    };
    let node = cx.network.vpcs.at(vpc);
    if peering.state != "active" {
        trace.block(|| {
            blocked(
                Code::BadState,
                format!("its state is {}", peering.state),
                hop::fix_of_state(&peering.state),
            )
        });
        return Next::Landed(Delivery::Dropped);
    }
    let Some(side) = peering.other(&node.id) else {
        trace.block(|| {
            blocked(
                Code::BadStateAttachment,
                format!("it does not join {}", node.id),
                "route by a peering of this VPC".into(),
            )
        });
        return Next::Landed(Delivery::Dropped);
    };
    let other = cx.network.vpc_of.get(&side.vpc).copied();
    let contains = match other {
        Some(other) => cx.network.vpcs.at(other).contains(to),
        None => side.cidrs.iter().any(|cidr| cidr.contains(to)),
    };
    // What comes from elsewhere than this VPC is in transit, which a peering does not carry.
    if !contains || !packet.is_at_home(cx) {
        trace.block(|| {
            blocked(
                Code::PeeringAddress,
                if contains {
                    format!("{} is not in {}", packet.taken.seen, node.id)
                } else {
                    format!("{to} is not in {}", side.vpc)
                },
                format!("route {to} by what leads to it; a peering forwards nothing further"),
            )
        });
        return Next::Landed(Delivery::Dropped);
    }
    packet.taken.legs.push(Leg::Peering(id.clone()));
    let Some(other) = other else {
        trace.unknown(None, || unrecorded(cx, id, &side.vpc));
        return Next::Landed(Delivery::Remote(Outside::Peering(id.clone())));
    };
    trace.pass(|| StepText::allowed(id, "it is active").named(name()));
    if !peering.one_region() {
        packet.taken.references = References::Lost;
    }
    Next::Landed(Delivery::Inside { vpc: other, from: Origin::Gateway })
}

/// Brings a packet in from a VPC that was not recorded.
pub(crate) fn ingress(
    cx: Context<'_>,
    trace: &mut Trace,
    id: &PeeringId,
    from: IpAddr,
    to: PacketEnd,
) -> Option<Entered> {
    let vpc = cx.network.interfaces.at(to.interface).vpc;
    let node = cx.network.vpcs.at(vpc);
    let Some(peering) = cx.inventory.peerings.get(id) else {
        let there = hop::attached(cx, trace, vpc, Call::Peerings, &id.into(), None);
        return there.then(|| Entered::at(id, vpc, (from, to.own.address)));
    };
    let blocked = |code: Code, why: String, advice: String| {
        StepText::blocked(id, code, why, advice).named(peering.tags.get("Name").cloned())
    };
    if peering.state != "active" {
        let why = format!("its state is {}", peering.state);
        trace.block(|| blocked(Code::BadState, why, hop::fix_of_state(&peering.state)));
        return None;
    }
    let Some(side) = peering.other(&node.id) else {
        let why = format!("it does not join {}", node.id);
        trace.block(|| blocked(Code::BadStateAttachment, why, "ask about a peering of this VPC".into()));
        return None;
    };
    if !side.cidrs.is_empty() && !side.cidrs.iter().any(|cidr| cidr.contains(from)) {
        let why = format!("{from} is not in {}", side.vpc);
        let advice = format!("ask about an address of {}; a peering forwards nothing further", side.vpc);
        trace.block(|| blocked(Code::PeeringAddress, why, advice));
        return None;
    }
    trace.unknown(None, || unrecorded(cx, id, &side.vpc));
    Some(Entered::at(id, vpc, (from, to.own.address)))
}

/// Whether rules of one side may name groups of the other.
pub(crate) fn carries_references(cx: Context<'_>, id: &PeeringId) -> bool {
    cx.inventory.peerings.get(id).is_none_or(|peering| peering.one_region())
}

/// What a VPC lets out and in of which nothing was recorded.
fn unrecorded(cx: Context<'_>, id: &PeeringId, far: &VpcId) -> StepText {
    StepText::blocked(
        id,
        Code::PeeredGroupsUnknown,
        format!("{far} was not recorded: its routes, network ACLs and security groups are not known"),
        format!("record the account and Region of {far} as well"),
    )
    .named(cx.inventory.peerings.get(id).and_then(|peering| peering.tags.get("Name").cloned()))
    .because(format!("{far} was not recorded"))
}
