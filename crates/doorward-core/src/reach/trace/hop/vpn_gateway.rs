//! Virtual private gateways.

use std::net::IpAddr;

use crate::inventory::{Call, ResourceRef, VpnGatewayId};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::hop::{self, gateway_route_table};
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{Delivery, Next, Origin, Packet};

pub(crate) fn egress(cx: Context<'_>, trace: &mut Trace, packet: &Packet, id: &VpnGatewayId) -> Next {
    let vpc = cx.network.subnets.at(packet.subnet).vpc;
    let attached = cx.inventory.vpn_gateways.get(id).map(|gateway| gateway.vpc.as_ref());
    let there = attached.map(|attached| attached == Some(&cx.network.vpcs.at(vpc).id));
    if !hop::attached(cx, trace, vpc, Call::VpnGateways, &id.into(), there) {
        return Next::Landed(Delivery::Dropped);
    }
    Next::Landed(Delivery::Remote(Outside::Vpn(id.clone())))
}

pub(crate) fn ingress(
    cx: Context<'_>,
    trace: &mut Trace,
    id: &VpnGatewayId,
    from: IpAddr,
    to: PacketEnd,
) -> Option<(ResourceRef, Origin, Vec<InterfaceIx>)> {
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
    let (origin, by) =
        gateway_route_table::ingress(cx, trace, interface.vpc, id.as_str(), from, to.own.address)?;
    Some((id.into(), origin, by))
}
