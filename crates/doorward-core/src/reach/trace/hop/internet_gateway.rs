//! Internet gateways.

use std::net::IpAddr;

use crate::inventory::{Call, InternetGatewayId, ResourceRef};
use crate::reach::code::Code;
use crate::reach::compare::change::Change;
use crate::reach::context::Context;
use crate::reach::network::address_space;
use crate::reach::network::interfaces::{self, PacketEnd};
use crate::reach::trace::fix;
use crate::reach::trace::hop::{self, block_public_access, gateway_route_table};
use crate::reach::trace::round_trip::Entered;
use crate::reach::trace::steps::{self, StepText, Trace};
use crate::reach::trace::{Delivery, Location, Next, Packet, References, Translation};

pub(crate) fn egress(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &mut Packet,
    id: &InternetGatewayId,
) -> Next {
    let (vpc, to) = (packet.vpc(cx), packet.to);
    let attached = cx.inventory.internet_gateways.get(id).map(|gateway| gateway.vpc.as_ref());
    let there = attached.map(|attached| attached == Some(&cx.network.vpcs.at(vpc).id));
    let gateway = ResourceRef::from(id);
    let mut carried = hop::attached(cx, trace, vpc, Call::InternetGateways, &gateway, there);
    let replies = trace.replies;
    let mut stop = |code: Code, why: String, advice: String, changes: Vec<Change>| {
        carried = false;
        trace.block(|| StepText::blocked(gateway.clone(), code, why, advice));
        trace.fix(|| changes);
    };
    if let Some(code) = address_space::not_internet(cx.network, vpc, to) {
        stop(
            code,
            format!("{} is not an address of the internet", cx.words(to)),
            "route it to where that address is".into(),
            fix::route(cx, packet.at, to, packet.public, replies),
        );
    } else if to.is_ipv4() && !packet.public && !replies {
        stop(
            Code::NoPublicAddressOut,
            format!("{} has no public address", packet.taken.seen),
            if packet.handed_over {
                "route it by a NAT gateway or a NAT instance of this VPC".into()
            } else {
                "associate an Elastic IP address with it, or route it by a NAT gateway".into()
            },
            translated_sender(cx, packet),
        );
    }
    // Replies are of the receiver's own address, and what an appliance sends on has its address from here on.
    if to.is_ipv6() && !packet.is_at_home(cx) && !replies {
        stop(
            Code::Spoofed,
            format!("{} is not an address of its VPC", packet.taken.seen),
            "route it by a gateway of the sender's own VPC".into(),
            Vec::new(),
        );
    }
    let translated = packet.left.is_some();
    // A reply to what came in is sent outward, and what came in was asked before.
    if !replies && block_public_access::forbids(cx, packet.at.subnet, false, translated) {
        stop(
            Code::BlockPublicAccess,
            "VPC Block Public Access forbids it".into(),
            "exclude the subnet from it".into(),
            fix::exclusion(cx, packet.at.subnet, false),
        );
    }
    // A NAT instance; IPv6 keeps its source.
    if let (Some(interface), false, true) = (packet.forwarded, replies, to.is_ipv4()) {
        let node = cx.network.interfaces.at(interface);
        packet.taken.translations.push(Translation {
            at: Location::within(node.subnet),
            address: interfaces::own_address(node, to).unwrap_or(packet.taken.seen),
            to,
            legs: packet.taken.legs.len(),
        });
        packet.taken.references = References::Lost;
    }
    Next::Landed(if carried { Delivery::Internet(gateway) } else { Delivery::Dropped })
}

/// A public address for the sender, or for the appliance that sends on from its own address.
fn translated_sender(cx: Context<'_>, packet: &Packet) -> Vec<Change> {
    match packet.forwarded {
        // The internet gateway translates addresses of its own VPC alone.
        None if packet.handed_over => fix::route(cx, packet.at, packet.to, false, false),
        None => fix::public_address(cx, packet.interface, packet.taken.seen),
        Some(appliance) => {
            let own = interfaces::own_address(cx.network.interfaces.at(appliance), packet.to);
            own.map(|own| fix::public_address(cx, Some(appliance), own)).unwrap_or_default()
        }
    }
}

/// In by the internet gateway of the receiver's VPC.
pub(crate) fn ingress(cx: Context<'_>, trace: &mut Trace, from: IpAddr, to: PacketEnd) -> Option<Entered> {
    let interface = cx.network.interfaces.at(to.interface);
    let vpc = cx.network.vpcs.at(interface.vpc);
    let gateway = cx.internet_gateway(interface.vpc);
    let public = to.own.public || to.own.address.is_ipv6();
    if public {
        trace.pass(|| {
            StepText::allowed(interface.resource.clone(), "it has a public address")
                .named(interface.name.clone())
        });
    } else {
        trace.block(|| {
            StepText::blocked(
                interface.resource.clone(),
                Code::NoPublicAddressIn,
                format!("{} has no public address", to.own.address),
                "associate an Elastic IP address with it, or put a load balancer before it",
            )
            .named(interface.name.clone())
        });
        trace.fix(|| fix::public_address(cx, Some(to.interface), to.own.address));
    }
    let attached = || format!("attached to {}", vpc.id);
    let Some(gateway) = gateway else {
        let (code, why) = (Code::BadStateAttachment, "no internet gateway is attached to the VPC");
        match cx.gap(Call::InternetGateways, interface.vpc) {
            Some(gap) => trace.unknown(Some(gap), || {
                StepText::blocked(
                    &vpc.id,
                    code,
                    "its internet gateway was not seen",
                    steps::collect(Call::InternetGateways),
                )
                .because(attached())
            }),
            None => {
                trace.block(|| {
                    StepText::blocked(&vpc.id, code, why, "create an internet gateway and attach it")
                });
                trace.fix(|| fix::gateway(cx, interface.vpc));
            }
        }
        return None;
    };
    if block_public_access::forbids(cx, interface.subnet, true, false) {
        trace.block(|| {
            let why = "VPC Block Public Access forbids it";
            StepText::blocked(&gateway.id, Code::BlockPublicAccess, why, "exclude the subnet from it")
        });
        trace.fix(|| fix::exclusion(cx, interface.subnet, true));
    } else {
        trace.pass(|| StepText::allowed(&gateway.id, attached()));
    }
    let taken =
        gateway_route_table::ingress(cx, trace, interface.vpc, gateway.id.as_str(), from, to.own.address)?;
    public.then(|| Entered { gateway: (&gateway.id).into(), taken })
}
