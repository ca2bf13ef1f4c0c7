//! VPC endpoints: gateway endpoints in routes, interface endpoints as senders.

use crate::inventory::{Call, Endpoint, EndpointId, EndpointKind};
use crate::net::{Flow, Icmp, Ports};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::interfaces::InterfaceKind;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::steps::{StepKind, StepText, Trace};
use crate::reach::trace::{Delivery, Next, Packet, hop};

pub(crate) fn egress(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &Packet,
    id: &EndpointId,
    listed: bool,
) -> Next {
    let vpc = packet.vpc(cx);
    let blocked = |code: Code, why: &str| StepText::blocked(id, code, why, "send it by another gateway");
    let gap = cx.gap(Call::Endpoints, vpc);
    let endpoint = cx.inventory.endpoints.get(id);
    let Some(endpoint) = endpoint else {
        // Only a gateway endpoint has a route to a prefix list of AWS's own.
        if gap.is_none() && !listed {
            trace.block(|| blocked(Code::BadState, "it is not there"));
            return Next::Landed(Delivery::Dropped);
        }
        trace.unknown(gap, || blocked(Code::UnknownDestination, "it was not seen"));
        return Next::Landed(if listed { Delivery::Service(id.clone()) } else { Delivery::Unknown });
    };
    match endpoint.kind {
        EndpointKind::Gateway if !packet.is_at_home(cx) => {
            trace.block(|| {
                let why = format!("{} is not of its VPC", packet.taken.seen);
                let advice = format!("route to {} by an endpoint of the sender's own VPC", endpoint.service);
                StepText::blocked(id, Code::EndpointAddress, why, advice)
            });
            Next::Landed(Delivery::Dropped)
        }
        EndpointKind::Gateway if is_available(endpoint) => {
            let echo = Flow::Icmp(Icmp::Type(8));
            let carried = Flows::from_iter([Flow::Tcp(Ports::ALL), echo]);
            trace.meet(Bounds::exact(carried), None, || {
                let only = blocked(Code::EndpointProtocol, "it forwards only TCP and ICMP echo");
                StepKind::Text(only.because(format!("it leads to {}", endpoint.service)))
            });
            Next::Landed(Delivery::Service(id.clone()))
        }
        EndpointKind::GatewayLoadBalancer if is_available(endpoint) => {
            trace.unknown(None, || {
                let why = format!("it is not known which packets the appliances behind {id} allow");
                blocked(Code::UnknownDestination, &why)
            });
            Next::Landed(Delivery::Unknown)
        }
        _ => {
            trace.block(|| {
                let why = format!("its state is {}", endpoint.state);
                StepText::blocked(id, Code::BadState, why, hop::fix_of_state(&endpoint.state))
            });
            Next::Landed(Delivery::Dropped)
        }
    }
}

/// Whether an endpoint leads to a Gateway Load Balancer, as far as is known.
pub(crate) fn hides_appliances(cx: Context<'_>, id: &EndpointId) -> bool {
    let endpoint = cx.inventory.endpoints.get(id);
    endpoint.is_none_or(|endpoint| endpoint.kind == EndpointKind::GatewayLoadBalancer)
}

fn is_available(endpoint: &Endpoint) -> bool {
    endpoint.state.eq_ignore_ascii_case("available")
}

/// Meets the state of the endpoint that an interface is of.
pub(crate) fn receive(cx: Context<'_>, trace: &mut Trace, index: InterfaceIx) {
    let interface = cx.network.interfaces.at(index);
    if interface.kind != InterfaceKind::ShutEndpoint {
        return;
    }
    let mut endpoints = cx.inventory.endpoints.values();
    let of = |endpoint: &&Endpoint| interface.id.as_ref().is_some_and(|id| endpoint.interfaces.contains(id));
    if let Some(endpoint) = endpoints.find(of) {
        trace.block(|| {
            StepText::blocked(
                &endpoint.id,
                Code::BadState,
                format!("its state is {}", endpoint.state),
                hop::fix_of_state(&endpoint.state),
            )
            .named(endpoint.tags.get("Name").cloned())
        });
    }
}

/// Whether an interface starts connections at all.
pub(crate) fn initiate(cx: Context<'_>, trace: &mut Trace, index: InterfaceIx) {
    let interface = cx.network.interfaces.at(index);
    if !interface.kind.starts() {
        trace.block(|| {
            StepText::blocked(
                interface.resource.clone(),
                Code::EndpointInitiates,
                "an interface endpoint never initiates connections",
                "ask in the other direction",
            )
            .named(interface.name.clone())
        });
    }
}
