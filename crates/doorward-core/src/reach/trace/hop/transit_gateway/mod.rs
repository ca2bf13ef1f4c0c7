//! Transit gateways: attachments and their Availability Zones.

pub(crate) mod route_tables;

use std::net::IpAddr;

use crate::inventory::{
    Attachment, AttachmentId, AttachmentTarget, Call, Direction, ResourceRef, RouteTarget, TransitGatewayId,
    VpcId,
};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::network::remotes;
use crate::reach::network::table::{SubnetIx, VpcIx};
use crate::reach::trace::hop::transit_gateway::route_tables::Reached;
use crate::reach::trace::round_trip::Entered;
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{Delivery, Leg, Next, Origin, Packet, References, filters, round_trip};

/// What became of a packet that a transit gateway took.
struct Forwarded {
    delivery: Delivery,
    legs: Vec<Leg>,
    references: References,
}

impl Forwarded {
    fn lost() -> Self {
        Self { delivery: Delivery::Dropped, legs: Vec::new(), references: References::Lost }
    }

    fn unclear() -> Self {
        Self { delivery: Delivery::Unknown, ..Self::lost() }
    }
}

pub(super) fn plain(resource: impl Into<ResourceRef>, code: Code, why: String, lift: String) -> StepText {
    StepText { resource: resource.into(), name: None, because: String::new(), code, why, lift }
}

/// Hands a packet in a subnet to a transit gateway.
pub(crate) fn egress(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &mut Packet,
    gateway: &TransitGatewayId,
) -> Next {
    let forwarded = handed_over(cx, trace, packet.subnet, packet.taken.seen, gateway, packet.to);
    packet.taken.legs.extend(forwarded.legs);
    packet.taken.references = packet.taken.references.min(forwarded.references);
    Next::Landed(forwarded.delivery)
}

/// Brings a packet for an interface in by an attachment that leads out of what was recorded.
pub(crate) fn ingress(
    cx: Context<'_>,
    trace: &mut Trace,
    gateway: &TransitGatewayId,
    id: &AttachmentId,
    to: PacketEnd,
) -> Option<Entered> {
    let Some(attachment) = cx.inventory.attachments.get(&(gateway.clone(), id.clone())) else {
        trace.doubt(None, || unrecorded(id, "it was not recorded".into()));
        return Some(Entered::at(id, Origin::Gateway));
    };
    if !is_available(trace, attachment) {
        return None;
    }
    if let Some(why) = what_is_unrecorded(cx, attachment) {
        trace.doubt(None, || unrecorded(id, why));
    }
    match carry(cx, trace, attachment, to.own.address, None).delivery {
        Delivery::Inside { vpc, from: origin } if vpc == cx.network.interfaces.at(to.interface).vpc => {
            Some(Entered::at(id, origin))
        }
        // What it meets on the path that is not known may be nothing.
        Delivery::Unknown => Some(Entered::at(id, Origin::Gateway)),
        _ => {
            astray(trace, id, to);
            None
        }
    }
}

/// Brings a packet in from behind a transit gateway whose route tables were not recorded.
pub(crate) fn hidden_ingress(trace: &mut Trace, gateway: &TransitGatewayId) -> Entered {
    trace.doubt(None, || {
        let why = "its attachments and route tables were not recorded".to_owned();
        let lift = "record the account that owns the transit gateway as well".to_owned();
        plain(gateway, Code::TransitRoutesUnknown, why, lift)
    });
    Entered::at(gateway, Origin::Gateway)
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
        AttachmentTarget::Other(kind, id) => Some(format!("what is behind its {kind} {id} is not known")),
    }
}

fn unrecorded(id: &AttachmentId, why: String) -> StepText {
    let lift = "record the account that owns it as well, or ask whoever runs what is behind it".to_owned();
    StepText { because: why.clone(), ..plain(id, Code::UnknownDestination, why, lift) }
}

/// Brings a reply from behind an attachment to an address of a VPC.
pub(crate) fn reply(
    cx: Context<'_>,
    trace: &mut Trace,
    (gateway, id): (&TransitGatewayId, &AttachmentId),
    vpc: VpcIx,
    to: IpAddr,
    source: IpAddr,
) {
    let Some(attachment) = cx.inventory.attachments.get(&(gateway.clone(), id.clone())) else { return };
    match carry(cx, trace, attachment, to, None).delivery {
        Delivery::Inside { vpc: landed, from } if landed == vpc => {
            filters::arrive(cx, trace, vpc, to, source, from);
        }
        Delivery::Unknown | Delivery::Dropped => {}
        elsewhere => round_trip::lost_reply(cx, trace, &elsewhere, &id.into()),
    }
}

fn handed_over(
    cx: Context<'_>,
    trace: &mut Trace,
    subnet: SubnetIx,
    source: IpAddr,
    gateway: &TransitGatewayId,
    to: IpAddr,
) -> Forwarded {
    let vpc = cx.network.subnets.at(subnet).vpc;
    if let Some(known) = cx.inventory.transit_gateways.get(gateway)
        && known.state != "available"
    {
        let why = format!("its state is {}", known.state);
        trace.stop(|| plain(gateway, Code::BadState, why, "wait until it is available".into()));
        return Forwarded::lost();
    }
    let Some(attachment) = attachment_of(cx, gateway, &cx.network.vpcs.at(vpc).id) else {
        let why = format!("{} is not attached to it", cx.network.vpcs.at(vpc).id);
        let lift = format!("attach {} to {gateway}", cx.network.vpcs.at(vpc).id);
        return match cx.gap(Call::TransitAttachments, vpc) {
            Some(gap) => {
                let why = "its attachments were not seen".to_owned();
                trace.doubt(Some(gap), || plain(gateway, Code::UnknownDestination, why, lift));
                Forwarded::unclear()
            }
            None => {
                trace.stop(|| plain(gateway, Code::BadStateAttachment, why, lift));
                Forwarded::lost()
            }
        };
    };
    if !is_available(trace, attachment) {
        return Forwarded::lost();
    }
    let Some(entry) = zone_of(cx, trace, attachment, subnet) else { return Forwarded::lost() };
    if entry != subnet {
        filters::network_acl(cx, trace, entry, Direction::In, source);
    }
    trace.pass(|| StepText {
        because: format!("{} is attached in this zone", cx.network.vpcs.at(vpc).id),
        ..plain(&attachment.id, Code::TransitZone, String::new(), String::new())
    });
    carry(cx, trace, attachment, to, Some(entry))
}

fn is_available(trace: &mut Trace, attachment: &Attachment) -> bool {
    let carries = attachment.state == "available";
    if !carries {
        trace.stop(|| {
            plain(
                &attachment.id,
                Code::BadStateAttachment,
                format!("its state is {}", attachment.state),
                "accept it, or make it anew".into(),
            )
        });
    }
    carries
}

fn attachment_of<'a>(cx: Context<'a>, gateway: &TransitGatewayId, vpc: &VpcId) -> Option<&'a Attachment> {
    let mut attachments = cx.inventory.attachments.values();
    attachments.find(|attachment| {
        attachment.gateway == *gateway && matches!(&attachment.to, AttachmentTarget::Vpc(id) if id == vpc)
    })
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
        trace.doubt(gap, || {
            plain(
                &attachment.id,
                Code::UnknownDestination,
                "its subnets were not seen".into(),
                format!("let {} be seen", Call::TransitVpcAttachments.action()),
            )
        });
        return Some(subnet);
    };
    let mut subnets = subnets.iter().filter_map(|id| cx.network.subnet_of.get(id).copied());
    let found = subnets.find(|index| zone.is_some() && cx.network.subnets.at(*index).zone == *zone);
    if found.is_none() {
        let zone = zone.as_deref().unwrap_or("an unknown zone");
        trace.stop(|| {
            plain(
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
    came_by: &Attachment,
    to: IpAddr,
    entry: Option<SubnetIx>,
) -> Forwarded {
    let mut legs = vec![Leg::Transit(came_by.gateway.clone())];
    let target = match route_tables::follow(cx, trace, came_by, to, &mut legs, entry) {
        Reached::Attachment(target) => target,
        Reached::Lost => return Forwarded { legs, ..Forwarded::lost() },
        Reached::Unclear => return Forwarded { legs, ..Forwarded::unclear() },
    };
    let delivery = match &target.to {
        _ if !is_available(trace, target) => return Forwarded { legs, ..Forwarded::lost() },
        AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_) => {
            Delivery::Remote(Outside::Transit(target.gateway.clone(), target.id.clone()))
        }
        AttachmentTarget::Vpc(id) if let Some(vpc) = cx.network.vpc_of.get(id) => {
            delivered(cx, trace, target, *vpc, to, entry)
        }
        // What was not recorded may hand it back, as a VPC that inspects does, or on to the internet.
        AttachmentTarget::Vpc(_) | AttachmentTarget::Peer(_) | AttachmentTarget::Other(..) => {
            let why = what_is_unrecorded(cx, target).unwrap_or_default();
            trace.doubt(None, || unrecorded(&target.id, why));
            Delivery::Unknown
        }
    };
    let gateway = cx.inventory.transit_gateways.get(&came_by.gateway);
    let supported = legs.len() == 1
        && gateway.is_some_and(|gateway| gateway.group_references)
        && came_by.group_references
        && target.group_references;
    let references = if supported { References::Inbound } else { References::Lost };
    Forwarded { delivery, legs, references }
}

fn delivered(
    cx: Context<'_>,
    trace: &mut Trace,
    target: &Attachment,
    vpc: VpcIx,
    to: IpAddr,
    entry: Option<SubnetIx>,
) -> Delivery {
    let node = cx.network.vpcs.at(vpc);
    let attachment = |code: Code, why: String, lift: String| plain(&target.id, code, why, lift);
    if !node.contains(to) {
        trace.stop(|| {
            attachment(
                Code::TransitCannotRoute,
                format!("{to} is not in {}", node.id),
                "lead the route elsewhere".into(),
            )
        });
        return Delivery::Dropped;
    }
    let interface = node.interface_at(to).map(|interface| cx.network.interfaces.at(interface).subnet);
    let receiver = interface.or_else(|| cx.subnet_with(vpc, to));
    let Some(subnets) = &target.subnets else {
        let gap = cx.gap(Call::TransitVpcAttachments, vpc);
        trace.doubt(gap, || {
            attachment(Code::UnknownDestination, "its subnets were not seen".into(), String::new())
        });
        return Delivery::Inside { vpc, from: Origin::Gateway };
    };
    let zone =
        |subnet: Option<SubnetIx>| subnet.and_then(|subnet| cx.network.subnets.at(subnet).zone.as_ref());
    let exits: Vec<SubnetIx> =
        subnets.iter().filter_map(|id| cx.network.subnet_of.get(id).copied()).collect();
    let in_zone = |wanted: Option<&String>| {
        exits.iter().find(|exit| wanted.is_some() && zone(Some(**exit)) == wanted).copied()
    };
    // A packet stays in its zone where it can (transit gateway guide, availability zones).
    let Some(exit) =
        in_zone(zone(entry)).or_else(|| in_zone(zone(receiver))).or_else(|| exits.first().copied())
    else {
        trace.stop(|| {
            attachment(
                Code::TransitAttachmentZone,
                "it has no subnet that was seen".into(),
                "let its subnets be seen".into(),
            )
        });
        return Delivery::Dropped;
    };
    match cx.network.subnets.at(exit).table {
        Err(gap) => trace.doubt(Some(gap), || {
            attachment(
                Code::UnknownDestination,
                "the route table of its subnet was not seen".into(),
                String::new(),
            )
        }),
        Ok(table) => {
            let table = cx.network.tables.at(table);
            let local =
                table.lookup(to).is_some_and(|row| row.target == RouteTarget::Local && !row.blackhole);
            if !local {
                trace.stop(|| {
                    plain(
                        &table.id,
                        Code::CannotRoute,
                        format!("behind the transit gateway it does not lead to {to} directly"),
                        "take the more specific route away".into(),
                    )
                });
                return Delivery::Dropped;
            }
        }
    }
    if receiver != Some(exit) {
        filters::network_acl(cx, trace, exit, Direction::Out, to);
    }
    Delivery::Inside { vpc, from: Origin::Subnet(exit) }
}

fn astray(trace: &mut Trace, id: &AttachmentId, to: PacketEnd) {
    trace.stop(|| StepText {
        resource: id.into(),
        name: None,
        because: String::new(),
        code: Code::TransitCannotRoute,
        why: format!("it does not lead to {}", to.own.address),
        lift: "add a route to it, or propagate it".into(),
    });
}
