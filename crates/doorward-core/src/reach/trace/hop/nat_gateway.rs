//! NAT gateways: zonal and regional, public and private.

use std::net::IpAddr;

use crate::inventory::{
    Call, Direction, NatAvailability, NatGateway, NatGatewayId, ResourceRef, RouteTarget,
};
use crate::net::{nat64, ranges};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::route_tables::RouteRow;
use crate::reach::network::table::VpcIx;
use crate::reach::trace::steps::{self, StepKind, StepText, Trace};
use crate::reach::trace::{
    Delivery, Location, Next, Packet, References, RegionalTable, Translation, filters, fix, hop,
};

const SENDS: &str = "it sends from its own address";

fn blocked(nat: &NatGateway, code: Code, why: impl Into<String>, advice: impl Into<String>) -> StepText {
    StepText::blocked(&nat.id, code, why, advice).named(nat.tags.get("Name").cloned())
}

pub(crate) fn egress(cx: Context<'_>, trace: &mut Trace, packet: &mut Packet, id: &NatGatewayId) -> Next {
    let vpc = packet.vpc(cx);
    let Some(nat) = cx.inventory.nat_gateways.get(id) else {
        let there = hop::attached(cx, trace, vpc, Call::NatGateways, &id.into(), None);
        return Next::Landed(if there { Delivery::Unknown } else { Delivery::Dropped });
    };
    if let Some(refused) = refused(cx, trace, packet, nat) {
        trace.block(|| refused);
        return Next::Landed(Delivery::Dropped);
    }
    let Some(at) = location(cx, packet, nat) else {
        trace.unknown(cx.gap(Call::Subnets, vpc), || {
            let advice = steps::collect(Call::Subnets);
            blocked(nat, Code::UnknownDestination, "its subnet was not seen", advice).because(SENDS)
        });
        return Next::Landed(Delivery::Unknown);
    };
    if at.regional.is_none() && at.subnet != packet.at.subnet {
        filters::network_acl(cx, trace, at.subnet, Direction::In, packet.taken.seen);
    }
    let embedded = nat64::embedded(packet.to);
    let carried = match embedded {
        Some(_) => Flows::nat64(),
        None => Flows::tcp_udp_icmp(ranges::family(packet.taken.seen)),
    };
    trace.meet(Bounds::exact(carried), None, || {
        let icmp = if embedded.is_some() { "ICMP echo" } else { "ICMP" };
        let why = format!("it forwards only TCP, UDP and {icmp}");
        let only = blocked(nat, Code::Protocol, why, "send it by another gateway");
        StepKind::Text(only.because(SENDS))
    });
    let address = address(cx, packet, nat, at);
    packet.taken.translations.push(Translation { at, address, to: packet.to, legs: packet.taken.legs.len() });
    if let Some(to) = embedded {
        packet.to = IpAddr::V4(to);
        trace.nat64 = true;
    }
    packet.taken.to = packet.to;
    packet.taken.seen = address;
    packet.taken.references = References::Lost;
    packet.at = at;
    packet.public = nat.public && nat.public_address.is_some();
    packet.interface = None;
    packet.forwarded = None;
    packet.handed_over = false;
    packet.left = Some(id.clone());
    Next::On
}

/// Why it does not take a packet.
fn refused(cx: Context<'_>, trace: &Trace, packet: &Packet, nat: &NatGateway) -> Option<StepText> {
    let vpc = cx.network.vpcs.at(packet.vpc(cx));
    let (code, why, advice) = if trace.replies {
        let advice = "route replies by the path of the request".to_owned();
        (Code::NatInward, "replies cannot go out by a NAT gateway".to_owned(), advice)
    } else if nat.vpc != vpc.id || !packet.handed_over && !packet.is_at_home(cx) {
        // What a transit gateway hands to the VPC counts as its own (transit gateway guide, centralized outbound routing).
        let why = format!("{} is not of its VPC, and no transit gateway handed it over", packet.taken.seen);
        (
            Code::NatSource,
            why,
            "route it by a NAT gateway of the sender's VPC, or by a transit gateway".into(),
        )
    } else if nat.state != "available" {
        (Code::BadState, format!("its state is {}", nat.state), hop::fix_of_state(&nat.state))
    } else if packet.to.is_ipv6() && nat64::embedded(packet.to).is_none() {
        // It translates the addresses of 64:ff9b::/96 (VPC user guide, DNS64 and NAT64).
        let advice = "route IPv6 by an egress-only internet gateway".to_owned();
        (Code::Protocol, "it forwards IPv6 only to 64:ff9b::/96".to_owned(), advice)
    } else {
        return None;
    };
    Some(blocked(nat, code, why, advice))
}

/// In its subnet; a regional one is in none and has a route table of its own.
fn location(cx: Context<'_>, packet: &Packet, nat: &NatGateway) -> Option<Location> {
    match &nat.availability {
        NatAvailability::Zonal(subnet) => cx.network.subnet_of.get(subnet).copied().map(Location::within),
        NatAvailability::Regional(table) => {
            let seen = table.as_ref().and_then(|table| cx.network.table_of.get(table)).copied();
            let regional = seen.map_or(RegionalTable::AsMade, RegionalTable::Seen);
            Some(Location { subnet: packet.at.subnet, regional: Some(regional) })
        }
    }
}

/// The address that it sends from.
fn address(cx: Context<'_>, packet: &Packet, nat: &NatGateway, at: Location) -> IpAddr {
    let somewhere = || {
        let cidr = cx.network.subnets.at(at.subnet).cidrs.iter().find(|cidr| cidr.address().is_ipv4());
        cidr.map(|cidr| cidr.address())
    };
    match at.regional {
        Some(_) => nat.public_address.map(IpAddr::V4),
        None => nat.private_address.map(IpAddr::V4).or_else(somewhere),
    }
    .unwrap_or(packet.taken.seen)
}

/// What becomes of a packet that a NAT gateway has sent and that its route leads where the gateway does not send; none
/// where it goes on.
///
/// The VPC user guide names as paths of a NAT gateway the internet gateway, transit gateways and virtual private
/// gateways; before 2021 it said outright that it sends nothing over VPC endpoints.
pub(crate) fn leave(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &Packet,
    target: &RouteTarget,
) -> Option<Delivery> {
    let nat = packet.left.as_ref().and_then(|id| cx.inventory.nat_gateways.get(id))?;
    match target {
        RouteTarget::InternetGateway(_) if !packet.public => {
            trace.block(|| {
                let why = "it is private, and an internet gateway drops what it sends".to_owned();
                blocked(nat, Code::NoPublicAddressOut, why, "point the route at a public NAT gateway")
            });
            Some(Delivery::Dropped)
        }
        RouteTarget::InternetGateway(_) => None,
        RouteTarget::Local
        | RouteTarget::Peering(_)
        | RouteTarget::TransitGateway(_)
        | RouteTarget::VpnGateway(_)
        | RouteTarget::Other(_)
            if packet.at.regional.is_none() =>
        {
            None
        }
        _ if packet.at.regional.is_some() => {
            trace.unknown(None, || {
                let why = format!("it is not documented what a regional NAT gateway sends by {target}");
                blocked(nat, Code::UnknownDestination, why, "use a zonal NAT gateway").because(SENDS)
            });
            Some(Delivery::Unknown)
        }
        _ => {
            trace.block(|| {
                let why = format!(
                    "the route table of its subnet leads {} to {target}, and not to an internet gateway",
                    cx.words(packet.to)
                );
                blocked(nat, Code::NoRoute, why, way_out(&nat.id))
            });
            let replies = trace.replies;
            trace.fix(|| fix::onward(cx, packet, replies));
            Some(Delivery::Dropped)
        }
    }
}

/// The fix of a NAT gateway that has no path to the internet.
pub(crate) fn way_out(nat: &NatGatewayId) -> String {
    format!("put {nat} into a public subnet: one whose route table leads there by an internet gateway")
}

/// The route of a regional NAT gateway whose table was not seen: AWS makes it with the local routes and one to the
/// internet gateway (VPC user guide, regional NAT gateways).
pub(crate) fn as_made(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &Packet,
) -> Option<(RouteTarget, Option<RouteRow>)> {
    let vpc = packet.vpc(cx);
    let node = cx.network.vpcs.at(vpc);
    if node.contains(packet.to) {
        return Some((RouteTarget::Local, None));
    }
    let resource = || packet.left.as_ref().map_or_else(|| ResourceRef::from(&node.id), ResourceRef::from);
    match internet_gateway_of(cx, vpc).filter(|_| cx.network.is_internet(packet.to)) {
        Some(target) => {
            let because =
                "its route table was not recorded: AWS makes it with a route to the internet gateway";
            trace.pass(|| StepText::allowed(resource(), because));
            Some((target, None))
        }
        None => {
            trace.block(|| {
                let called = cx.words(packet.to);
                let why = format!("the route table that AWS makes for it has no route to {called}");
                let advice = format!(
                    "attach an internet gateway to {}, and record the route table of the gateway",
                    node.id
                );
                StepText::blocked(resource(), Code::NoRoute, why, advice)
            });
            None
        }
    }
}

fn internet_gateway_of(cx: Context<'_>, vpc: VpcIx) -> Option<RouteTarget> {
    Some(RouteTarget::InternetGateway(cx.internet_gateway(vpc)?.id.clone()))
}
