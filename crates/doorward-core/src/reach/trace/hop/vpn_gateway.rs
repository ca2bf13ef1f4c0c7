//! Virtual private gateways.

use std::net::IpAddr;

use crate::inventory::{Call, Destination, Route, RouteTarget, VpnConnection, VpnGatewayId};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::trace::hop::{self, gateway_route_table, vpn_connection};
use crate::reach::trace::round_trip::Entered;
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{Delivery, Next, Packet};

pub(crate) fn egress(cx: Context<'_>, trace: &mut Trace, packet: &Packet, id: &VpnGatewayId) -> Next {
    let vpc = packet.vpc(cx);
    let attached = cx.inventory.vpn_gateways.get(id).map(|gateway| gateway.vpc.as_ref());
    let there = attached.map(|attached| attached == Some(&cx.network.vpcs.at(vpc).id));
    if !hop::attached(cx, trace, vpc, Call::VpnGateways, &id.into(), there) {
        return Next::Landed(Delivery::Dropped);
    }
    if !packet.is_at_home(cx) {
        trace.block(|| {
            let why = format!("{} is not an address of its VPC", packet.taken.seen);
            let advice = "route it by the transit gateway to a VPN attachment".to_owned();
            StepText::blocked(id, Code::VpnAddressOut, why, advice)
        });
        return Next::Landed(Delivery::Dropped);
    }
    meet_connections(cx, trace, id, packet.to);
    Next::Landed(Delivery::Remote(Outside::Vpn(id.clone())))
}

/// Meets the VPN connections of a gateway, for packets to or from an address outside.
///
/// A static route counts for its own connection. What the gateway learned by BGP, from a connection or from Direct
/// Connect, is told by its propagated routes alone (Site-to-Site VPN user guide, static and dynamic routing).
fn meet_connections(cx: Context<'_>, trace: &mut Trace, id: &VpnGatewayId, other: IpAddr) {
    let connections = cx.inventory.vpn_connections.values();
    let ours: Vec<&VpnConnection> =
        connections.filter(|connection| connection.gateway.as_ref() == Some(id)).collect();
    let by_route = ours.iter().filter(|it| it.routes.iter().any(|cidr| cidr.contains(other)));
    let by_route: Vec<&VpnConnection> = by_route.copied().collect();
    let propagated = is_propagated(cx, id, other);
    let relevant = if by_route.is_empty() { &ours } else { &by_route };
    if let Some(up) = relevant.iter().find(|connection| connection.is_up())
        && (propagated || !by_route.is_empty())
    {
        trace.pass(|| StepText::allowed(&up.id, format!("it has a route to {other}")));
        return;
    }
    let down = relevant.iter().find_map(|connection| vpn_connection::down(connection));
    let all_down = relevant.iter().all(|connection| !connection.is_up());
    match down.filter(|_| all_down) {
        Some(down) if !propagated || !by_route.is_empty() => trace.block(|| down),
        // Direct Connect may have brought it.
        _ if propagated && ours.is_empty() => {}
        _ => trace.unknown(None, || {
            let why = format!(
                "no VPN connection of it that is up has a route to {other}: whether the gateway has one, as from \
                 Direct Connect, was not recorded"
            );
            let advice = "propagate the routes of the gateway to the route table, and record it again".to_owned();
            StepText::blocked(id, Code::UnknownDestination, why, advice)
        }),
    }
}

fn is_propagated(cx: Context<'_>, id: &VpnGatewayId, other: IpAddr) -> bool {
    let target = RouteTarget::VpnGateway(id.clone());
    let propagated = |route: &Route| {
        route.propagated
            && !route.blackhole
            && route.target == target
            && matches!(&route.destination, Destination::Cidr(cidr) if cidr.contains(other))
    };
    let vpc = cx.inventory.vpn_gateways.get(id).and_then(|gateway| gateway.vpc.as_ref());
    let mut tables = cx.inventory.route_tables.values().filter(|table| Some(&table.vpc) == vpc);
    tables.any(|table| table.routes.iter().any(propagated))
}

pub(crate) fn ingress(
    cx: Context<'_>,
    trace: &mut Trace,
    id: &VpnGatewayId,
    from: IpAddr,
    to: PacketEnd,
) -> Option<Entered> {
    let interface = cx.network.interfaces.at(to.interface);
    let vpc = cx.network.vpcs.at(interface.vpc);
    let gateway = cx.inventory.vpn_gateways.get(id);
    let attached = gateway.is_some_and(|gateway| gateway.vpc.as_ref() == Some(&vpc.id));
    let name = || gateway.and_then(|gateway| gateway.tags.get("Name").cloned());
    if !attached {
        trace.block(|| {
            let why = format!("it is not attached to {}", vpc.id);
            let advice = format!("attach {id} to {}", vpc.id);
            StepText::blocked(id, Code::BadStateAttachment, why, advice).named(name())
        });
        return None;
    }
    trace.pass(|| StepText::allowed(id, format!("attached to {}", vpc.id)).named(name()));
    let connections = cx.inventory.vpn_connections.values();
    let ours = connections.filter(|connection| connection.gateway.as_ref() == Some(id));
    let sending = ours.filter(|it| it.routes.iter().any(|cidr| cidr.contains(from)));
    let down: Vec<Option<StepText>> = sending.map(vpn_connection::down).collect();
    if let Some(down) =
        down.iter().cloned().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().next())
    {
        trace.block(|| down);
    }
    let taken = gateway_route_table::ingress(cx, trace, interface.vpc, id.as_str(), from, to.own.address)?;
    Some(Entered { gateway: id.into(), taken })
}
