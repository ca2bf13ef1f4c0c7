//! NAT gateways.

use std::net::IpAddr;

use crate::inventory::{Call, Direction, NatGatewayId};
use crate::net::ranges;
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::trace::steps::{StepKind, StepText, Trace};
use crate::reach::trace::{Delivery, Next, Packet, References, Sender, Translation, filters, hop};

pub(crate) fn egress(cx: Context<'_>, trace: &mut Trace, packet: &mut Packet, id: &NatGatewayId) -> Next {
    let vpc = cx.network.subnets.at(packet.subnet).vpc;
    let Some(nat) = cx.inventory.nat_gateways.get(id) else {
        let there = hop::attached(cx, trace, vpc, Call::NatGateways, &id.into(), None);
        return Next::Landed(if there { Delivery::Unknown } else { Delivery::Dropped });
    };
    let plain = |code: Code, why: &str, lift: &str| StepText {
        resource: id.into(),
        name: nat.tags.get("Name").cloned(),
        because: "it sends from its own address".into(),
        code,
        why: why.to_owned(),
        lift: lift.to_owned(),
    };
    let refuse = if trace.replies {
        Some(plain(
            Code::NatInward,
            "replies cannot go out by a NAT gateway",
            "route replies back the way that the request came",
        ))
    } else if packet.taken.translated.is_some()
        || nat.vpc != cx.network.vpcs.at(vpc).id
        || !cx.network.vpcs.at(vpc).contains(packet.taken.seen)
    {
        Some(plain(
            Code::NatSource,
            "it takes only what comes from its own VPC",
            "route it by a NAT gateway of its VPC",
        ))
    } else if nat.state != "available" {
        Some(plain(Code::BadState, &format!("its state is {}", nat.state), "make it anew"))
    } else if packet.taken.seen.is_ipv6() {
        Some(plain(Code::Protocol, "it carries no IPv6", "route IPv6 by an egress-only internet gateway"))
    } else {
        None
    };
    let subnet = cx.network.subnet_of.get(&nat.subnet).copied();
    let (Some(subnet), None) = (subnet, &refuse) else {
        let refuse = refuse
            .unwrap_or_else(|| plain(Code::UnknownDestination, "its subnet was not seen", "let it be seen"));
        trace.stop(|| refuse);
        return Next::Landed(Delivery::Dropped);
    };
    if subnet != packet.subnet {
        filters::network_acl(cx, trace, subnet, Direction::In, packet.taken.seen);
    }
    let carried = Flows::tcp_udp_icmp(ranges::family(packet.taken.seen));
    trace.meet(Bounds::exact(carried), None, || {
        StepKind::Text(plain(Code::Protocol, "it carries only TCP, UDP and ICMP", "send it another way"))
    });
    let own = nat.private_address.map(IpAddr::V4);
    let somewhere = || {
        let cidr = cx.network.subnets.at(subnet).cidrs.iter().find(|cidr| cidr.address().is_ipv4());
        cidr.map(|cidr| cidr.address())
    };
    let address = own.or_else(somewhere).unwrap_or(packet.taken.seen);
    packet.taken.translated = Some(Translation { subnet, address });
    packet.taken.seen = address;
    packet.taken.references = References::Lost;
    packet.subnet = subnet;
    packet.public = nat.public && nat.public_address.is_some();
    packet.interface = None;
    packet.forwarded = None;
    Next::On
}

/// From what translated a packet back to who sent it.
pub(crate) fn reply(cx: Context<'_>, trace: &mut Trace, by: Translation, to: Sender, source: IpAddr) {
    if by.subnet != to.subnet {
        filters::network_acl(cx, trace, by.subnet, Direction::Out, to.address);
        filters::network_acl(cx, trace, to.subnet, Direction::In, source);
    }
}
