//! Transit gateways: attachments, their Availability Zones, and the VPCs that packets go through.

pub(crate) mod route_tables;

use std::net::IpAddr;

use crate::inventory::{Attachment, AttachmentId, AttachmentTarget, Call, Direction, TransitGatewayId};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::network::remotes;
use crate::reach::network::table::{SubnetIx, VpcIx};
use crate::reach::trace::hop::transit_gateway::route_tables::Reached;
use crate::reach::trace::hop::{self, vpn_connection};
use crate::reach::trace::round_trip::Entered;
use crate::reach::trace::steps::{self, StepText, Trace};
use crate::reach::trace::{
    self, Delivery, Leg, Location, Next, Origin, Packet, References, RouteTaken, Sender, filters,
};

/// Hands a packet in a subnet to a transit gateway.
pub(crate) fn egress(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &mut Packet,
    gateway: &TransitGatewayId,
) -> Next {
    let vpc = packet.vpc(cx);
    if let Some(known) = cx.inventory.transit_gateways.get(gateway)
        && known.state != "available"
    {
        let why = format!("its state is {}", known.state);
        trace.block(|| StepText::blocked(gateway, Code::BadState, why, hop::fix_of_state(&known.state)));
        return Next::Landed(Delivery::Dropped);
    }
    let Some(attachment) = attachment_of(cx, gateway, vpc) else {
        let why = format!("{} is not attached to it", cx.network.vpcs.at(vpc).id);
        let advice = format!("attach {} to {gateway}", cx.network.vpcs.at(vpc).id);
        return Next::Landed(match cx.gap(Call::TransitAttachments, vpc) {
            Some(gap) => {
                let why = "its attachments were not seen".to_owned();
                trace
                    .unknown(Some(gap), || StepText::blocked(gateway, Code::UnknownDestination, why, advice));
                Delivery::Unknown
            }
            None => {
                trace.block(|| StepText::blocked(gateway, Code::BadStateAttachment, why, advice));
                Delivery::Dropped
            }
        });
    };
    if !is_available(trace, attachment) {
        return Next::Landed(Delivery::Dropped);
    }
    let Some(entry) = zone_of(cx, trace, attachment, packet.at.subnet) else {
        return Next::Landed(Delivery::Dropped);
    };
    if packet.at != Location::within(entry) {
        filters::network_acl(cx, trace, entry, Direction::In, packet.taken.seen);
    }
    trace.pass(|| {
        let because = format!("{} is attached in this zone", cx.network.vpcs.at(vpc).id);
        StepText::allowed(&attachment.id, because)
    });
    carry(cx, trace, packet, attachment, Some(entry))
}

/// Brings a packet for an interface in by an attachment that leads out of what was recorded.
pub(crate) fn ingress(
    cx: Context<'_>,
    trace: &mut Trace,
    (gateway, id): (&TransitGatewayId, &AttachmentId),
    from: IpAddr,
    to: PacketEnd,
) -> Option<Entered> {
    let vpc = cx.network.interfaces.at(to.interface).vpc;
    let Some(attachment) = cx.inventory.attachments.get(&(gateway.clone(), id.clone())) else {
        trace.unknown(None, || unrecorded(id, "it was not recorded".into()));
        return Some(Entered::at(id, vpc, (from, to.own.address)));
    };
    if !is_available(trace, attachment) || is_down(cx, trace, attachment) {
        return None;
    }
    if let Some(why) = what_is_unrecorded(cx, attachment) {
        trace.unknown(None, || unrecorded(id, why));
    }
    let taken = from_behind(
        cx,
        trace,
        attachment,
        cx.network.interfaces.at(to.interface).subnet,
        from,
        to.own.address,
    );
    match taken.delivery {
        Delivery::Inside { vpc: landed, .. } if landed == vpc => Some(Entered { gateway: id.into(), taken }),
        // What is not known of the path may be nothing.
        Delivery::Unknown => Some(Entered::at(id, vpc, (from, to.own.address))),
        Delivery::Dropped => None,
        _ => {
            astray(trace, id, to);
            None
        }
    }
}

/// Carries a packet on that comes from behind an attachment.
fn from_behind(
    cx: Context<'_>,
    trace: &mut Trace,
    attachment: &Attachment,
    near: SubnetIx,
    from: IpAddr,
    to: IpAddr,
) -> RouteTaken {
    let sender = Sender { at: Location::within(near), address: from, public: false, interface: None };
    let mut packet = Packet::new(sender, to);
    packet.taken.references = References::Lost;
    let next = carry(cx, trace, &mut packet, attachment, None);
    trace::resume(cx, trace, packet, next)
}

/// Brings a packet in from behind a transit gateway whose route tables were not recorded.
pub(crate) fn hidden_ingress(
    trace: &mut Trace,
    gateway: &TransitGatewayId,
    vpc: VpcIx,
    ends: (IpAddr, IpAddr),
) -> Entered {
    trace.unknown(None, || {
        let why = "its attachments and route tables were not recorded".to_owned();
        let advice = "record the account that owns the transit gateway as well".to_owned();
        StepText::blocked(gateway, Code::TransitRoutesUnknown, why, advice)
    });
    Entered::at(gateway, vpc, ends)
}

/// What is not known of what lies behind an attachment; none where its routes tell enough.
fn what_is_unrecorded(cx: Context<'_>, attachment: &Attachment) -> Option<String> {
    if !remotes::leads_out(cx.network, cx.inventory, attachment) {
        return None;
    }
    match &attachment.to {
        AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_) => None,
        AttachmentTarget::Vpc(vpc) => Some(format!("{vpc} was not recorded")),
        AttachmentTarget::Peer(peer) => Some(format!("{peer} was not recorded")),
        AttachmentTarget::Other(kind, id) => Some(format!("the network behind its {kind} {id} is not known")),
    }
}

fn unrecorded(id: &AttachmentId, why: String) -> StepText {
    let advice = "record the account that owns it as well, or ask the operator of that network";
    StepText::blocked(id, Code::UnknownDestination, why.clone(), advice).because(why)
}

/// Brings a reply from behind an attachment to an address near a subnet.
pub(crate) fn reply(
    cx: Context<'_>,
    trace: &mut Trace,
    (gateway, id): (&TransitGatewayId, &AttachmentId),
    near: SubnetIx,
    to: IpAddr,
    source: IpAddr,
) -> Option<RouteTaken> {
    let attachment = cx.inventory.attachments.get(&(gateway.clone(), id.clone()))?;
    Some(from_behind(cx, trace, attachment, near, source, to))
}

pub(super) fn is_available(trace: &mut Trace, attachment: &Attachment) -> bool {
    let carries = attachment.state == "available";
    if !carries {
        trace.block(|| {
            StepText::blocked(
                &attachment.id,
                Code::BadStateAttachment,
                format!("its state is {}", attachment.state),
                hop::fix_of_state(&attachment.state),
            )
        });
    }
    carries
}

/// Whether the VPN connection of an attachment carries nothing.
fn is_down(cx: Context<'_>, trace: &mut Trace, attachment: &Attachment) -> bool {
    let AttachmentTarget::Vpn(id) = &attachment.to else { return false };
    let Some(down) = cx.inventory.vpn_connections.get(id).and_then(vpn_connection::down) else {
        return false;
    };
    trace.block(|| down);
    true
}

fn attachment_of<'a>(cx: Context<'a>, gateway: &TransitGatewayId, vpc: VpcIx) -> Option<&'a Attachment> {
    let mut attachments = cx.network.vpcs.at(vpc).attachments.iter();
    attachments.find(|(by, _)| by == gateway).and_then(|key| cx.inventory.attachments.get(key))
}

/// The subnet of an attachment that is in the zone of another.
fn zone_of(
    cx: Context<'_>,
    trace: &mut Trace,
    attachment: &Attachment,
    subnet: SubnetIx,
) -> Option<SubnetIx> {
    let zone = &cx.network.subnets.at(subnet).zone;
    let Some(subnets) = &attachment.subnets else {
        let gap = cx.gap(Call::TransitVpcAttachments, cx.network.subnets.at(subnet).vpc);
        trace.unknown(gap, || {
            StepText::blocked(
                &attachment.id,
                Code::UnknownDestination,
                "its subnets were not seen",
                steps::collect(Call::TransitVpcAttachments),
            )
        });
        return Some(subnet);
    };
    let mut subnets = subnets.iter().filter_map(|id| cx.network.subnet_of.get(id).copied());
    let found = subnets.find(|index| zone.is_some() && cx.network.subnets.at(*index).zone == *zone);
    if found.is_none() {
        let zone = zone.as_deref().unwrap_or("an unknown zone");
        trace.block(|| {
            StepText::blocked(
                &attachment.id,
                Code::TransitZone,
                format!("it has no subnet in {zone}"),
                format!("add a subnet of {zone} to the attachment"),
            )
        });
    }
    found
}

/// Carries a packet on from the attachment that it came in by. `entry` is the subnet that it came from.
fn carry(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &mut Packet,
    came_by: &Attachment,
    entry: Option<SubnetIx>,
) -> Next {
    packet.taken.legs.push(Leg::Transit(came_by.gateway.clone()));
    let before = packet.taken.legs.len();
    let reached = route_tables::follow(cx, trace, came_by, packet.to, &mut packet.taken.legs, entry);
    let target = match reached {
        Reached::Attachment(target) => target,
        Reached::Lost => return Next::Landed(Delivery::Dropped),
        Reached::Unclear => return lost_track(packet),
    };
    if !is_available(trace, target) || is_down(cx, trace, target) {
        return Next::Landed(Delivery::Dropped);
    }
    let gateway = cx.inventory.transit_gateways.get(&came_by.gateway);
    let supported = packet.taken.legs.len() == before
        && gateway.is_some_and(|gateway| gateway.group_references)
        && came_by.group_references
        && target.group_references;
    let references = if supported { References::Inbound } else { References::Lost };
    packet.taken.references = packet.taken.references.min(references);
    match &target.to {
        AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_) => {
            let outside = Outside::Transit(target.gateway.clone(), target.id.clone());
            Next::Landed(Delivery::Remote(outside))
        }
        AttachmentTarget::Vpc(id) if let Some(vpc) = cx.network.vpc_of.get(id) => {
            hand_over(cx, trace, packet, target, *vpc, entry)
        }
        // What was not recorded may hand it back, as a VPC that inspects does, or on to the internet.
        AttachmentTarget::Vpc(_) | AttachmentTarget::Peer(_) | AttachmentTarget::Other(..) => {
            let why = what_is_unrecorded(cx, target).unwrap_or_default();
            trace.unknown(None, || unrecorded(&target.id, why));
            lost_track(packet)
        }
    }
}

fn lost_track(packet: &mut Packet) -> Next {
    packet.taken.references = References::Lost;
    Next::Landed(Delivery::Unknown)
}

/// Hands a packet to a subnet of an attachment, whose route table leads it on: to its receiver, or through the VPC
/// (transit gateway guide, centralized outbound routing and appliances in a shared services VPC).
fn hand_over(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &mut Packet,
    target: &Attachment,
    vpc: VpcIx,
    entry: Option<SubnetIx>,
) -> Next {
    let node = cx.network.vpcs.at(vpc);
    let Some(subnets) = &target.subnets else {
        let gap = cx.gap(Call::TransitVpcAttachments, vpc);
        trace.unknown(gap, || {
            let advice = steps::collect(Call::TransitVpcAttachments);
            StepText::blocked(&target.id, Code::UnknownDestination, "its subnets were not seen", advice)
        });
        if node.contains(packet.to) {
            return Next::Landed(Delivery::Inside { vpc, from: Origin::Gateway });
        }
        return lost_track(packet);
    };
    let exits: Vec<SubnetIx> =
        subnets.iter().filter_map(|id| cx.network.subnet_of.get(id).copied()).collect();
    let interface = node.interface_at(packet.to).map(|interface| cx.network.interfaces.at(interface).subnet);
    let receiver = interface.or_else(|| cx.subnet_with(vpc, packet.to));
    let zone =
        |subnet: Option<SubnetIx>| subnet.and_then(|subnet| cx.network.subnets.at(subnet).zone.as_ref());
    let in_zone = |wanted: Option<&String>| {
        exits.iter().find(|exit| wanted.is_some() && zone(Some(**exit)) == wanted).copied()
    };
    // A packet stays in its zone where it can. In appliance mode both directions of a connection go by one zone, which a
    // hash chooses (transit gateway guide, appliances in a shared services VPC).
    let kept =
        if target.appliance_mode { None } else { in_zone(zone(entry)).or_else(|| in_zone(zone(receiver))) };
    let Some(exit) = kept.or_else(|| exits.first().copied()) else {
        trace.block(|| {
            let why = "it has no subnet that was seen".to_owned();
            StepText::blocked(&target.id, Code::TransitAttachmentZone, why, steps::collect(Call::Subnets))
        });
        return Next::Landed(Delivery::Dropped);
    };
    trace.pass(|| {
        let because = format!("it hands over in {}", cx.network.subnets.at(exit).id);
        StepText::allowed(&target.id, because)
    });
    packet.at = Location::within(exit);
    packet.public = false;
    packet.forwarded = None;
    packet.left = None;
    packet.handed_over = true;
    Next::On
}

fn astray(trace: &mut Trace, id: &AttachmentId, to: PacketEnd) {
    trace.block(|| {
        StepText::blocked(
            id,
            Code::TransitCannotRoute,
            format!("it does not lead to {}", to.own.address),
            "add a route to it, or propagate it",
        )
    });
}
