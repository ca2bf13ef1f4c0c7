//! Egress-only internet gateways.

use crate::inventory::{Call, EgressOnlyGatewayId, ResourceRef};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space;
use crate::reach::trace::hop::{self, block_public_access};
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{Delivery, Next, Packet};

pub(crate) fn egress(cx: Context<'_>, trace: &mut Trace, packet: &Packet, id: &EgressOnlyGatewayId) -> Next {
    let (vpc, to) = (packet.vpc(cx), packet.to);
    let attached = cx.inventory.egress_only_gateways.get(id).map(|gateway| gateway.vpc.as_ref());
    let there = attached.map(|attached| attached == Some(&cx.network.vpcs.at(vpc).id));
    let gateway = ResourceRef::from(id);
    if !hop::attached(cx, trace, vpc, Call::EgressOnlyGateways, &gateway, there) {
        return Next::Landed(Delivery::Dropped);
    }
    let blocked = |code: Code, why: String| {
        StepText::blocked(gateway.clone(), code, why, "route it by an internet gateway")
    };
    if to.is_ipv4() || trace.replies {
        trace.block(|| blocked(Code::Protocol, "it forwards only IPv6, and only outward".into()));
        return Next::Landed(Delivery::Dropped);
    }
    if !packet.is_at_home(cx) {
        trace.block(|| {
            let why = format!("{} is not an address of its VPC", packet.taken.seen);
            let advice = "route it by a gateway of the sender's own VPC".to_owned();
            StepText::blocked(gateway.clone(), Code::Spoofed, why, advice)
        });
        return Next::Landed(Delivery::Dropped);
    }
    if let Some(code) = address_space::not_internet(cx.network, vpc, to) {
        trace.block(|| blocked(code, format!("{to} is not an address of the internet")));
        return Next::Landed(Delivery::Dropped);
    }
    if block_public_access::forbids(cx, packet.at.subnet, false, true) {
        trace.block(|| blocked(Code::BlockPublicAccess, "VPC Block Public Access forbids it".into()));
        return Next::Landed(Delivery::Dropped);
    }
    Next::Landed(Delivery::Internet(gateway))
}
