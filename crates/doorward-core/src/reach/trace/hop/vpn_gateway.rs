//! Virtual private gateways.

use std::net::IpAddr;

use crate::inventory::{Call, Destination, Route, RouteTarget, VpnGatewayId};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::trace::hop::{self, gateway_route_table};
use crate::reach::trace::round_trip::Entered;
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{Delivery, Next, Packet};

pub(crate) fn egress(cx: Context<'_>, trace: &mut Trace, packet: &Packet, id: &VpnGatewayId) -> Next {
    let vpc = cx.network.subnets.at(packet.subnet).vpc;
    let attached = cx.inventory.vpn_gateways.get(id).map(|gateway| gateway.vpc.as_ref());
    let there = attached.map(|attached| attached == Some(&cx.network.vpcs.at(vpc).id));
    if !hop::attached(cx, trace, vpc, Call::VpnGateways, &id.into(), there) {
        return Next::Landed(Delivery::Dropped);
    }
    if !has_route(cx, id, packet.to) {
        trace.doubt(None, || StepText {
            resource: id.into(),
            name: None,
            because: String::new(),
            code: Code::UnknownDestination,
            why: format!(
                "no VPN connection of it has a static route to {}, and none was propagated: whether it has one, \
                 as from Direct Connect, was not recorded",
                packet.to
            ),
            lift: "propagate the routes of the gateway to the route table, and record it again".into(),
        });
    }
    Next::Landed(Delivery::Remote(Outside::Vpn(id.clone())))
}

/// Whether the gateway is known to have a route: a connection's static one, or one that it propagated.
///
/// What it learned by BGP is told by its propagated routes alone (Site-to-Site VPN user guide, static and dynamic
/// routing).
fn has_route(cx: Context<'_>, id: &VpnGatewayId, to: IpAddr) -> bool {
    let connections = cx.inventory.vpn_connections.values();
    let mut ours = connections.filter(|connection| connection.gateway.as_ref() == Some(id));
    let target = RouteTarget::VpnGateway(id.clone());
    let propagated = |route: &Route| {
        route.propagated
            && !route.blackhole
            && route.target == target
            && matches!(&route.destination, Destination::Cidr(cidr) if cidr.contains(to))
    };
    let vpc = cx.inventory.vpn_gateways.get(id).and_then(|gateway| gateway.vpc.as_ref());
    let mut tables = cx.inventory.route_tables.values().filter(|table| Some(&table.vpc) == vpc);
    ours.any(|connection| connection.routes.iter().any(|cidr| cidr.contains(to)))
        || tables.any(|table| table.routes.iter().any(propagated))
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
    let plain = |why: String, lift: String| StepText {
        resource: id.into(),
        name: gateway.and_then(|gateway| gateway.tags.get("Name").cloned()),
        because: format!("attached to {}", vpc.id),
        code: Code::BadStateAttachment,
        why,
        lift,
    };
    if !attached {
        trace.stop(|| {
            plain(format!("it is not attached to {}", vpc.id), format!("attach {id} to {}", vpc.id))
        });
        return None;
    }
    trace.pass(|| plain(String::new(), String::new()));
    let (origin, appliances) =
        gateway_route_table::ingress(cx, trace, interface.vpc, id.as_str(), from, to.own.address)?;
    Some(Entered { gateway: id.into(), origin, appliances })
}
