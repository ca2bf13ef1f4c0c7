//! VPC endpoints: gateway endpoints in routes, interface endpoints as senders.

use crate::inventory::{Call, EndpointId, EndpointKind};
use crate::net::{Flow, Icmp, Ports};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::interfaces::InterfaceKind;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::steps::{StepKind, StepText, Trace};
use crate::reach::trace::{Delivery, Next, Packet};

pub(crate) fn egress(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &Packet,
    id: &EndpointId,
    listed: bool,
) -> Next {
    let vpc = cx.network.subnets.at(packet.subnet).vpc;
    let plain = |code: Code, because: String, why: String| StepText {
        resource: id.into(),
        name: None,
        because,
        code,
        why,
        lift: "send it another way".into(),
    };
    let gap = cx.gap(Call::Endpoints, vpc);
    let endpoint = cx.inventory.endpoints.get(id);
    let Some(endpoint) = endpoint else {
        // Only a gateway endpoint has a route to a prefix list of AWS's own.
        if gap.is_none() && !listed {
            trace.stop(|| plain(Code::BadState, String::new(), "it is not there".into()));
            return Next::Landed(Delivery::Dropped);
        }
        trace.doubt(gap, || plain(Code::UnknownDestination, String::new(), "it was not seen".into()));
        return Next::Landed(if listed { Delivery::Service(id.clone()) } else { Delivery::Unknown });
    };
    match endpoint.kind {
        // Choice: the VPC user guide names as ways of a NAT gateway the internet gateway, transit gateways and VPN
        // gateways; before 2021 it said outright that it sends nothing over VPC endpoints.
        EndpointKind::Gateway if packet.taken.translated.is_some() => {
            let why = "a NAT gateway sends nothing by a VPC endpoint".to_owned();
            trace.stop(|| StepText {
                lift: format!("route to {} from the sender's own subnet", endpoint.service),
                ..plain(Code::CannotRoute, String::new(), why)
            });
            Next::Landed(Delivery::Dropped)
        }
        EndpointKind::Gateway if endpoint.state.eq_ignore_ascii_case("available") => {
            let echo = Flow::Icmp(Icmp::Type(8));
            let carried = Flows::from_iter([Flow::Tcp(Ports::ALL), echo]);
            trace.meet(Bounds::exact(carried), None, || {
                let because = format!("it leads to {}", endpoint.service);
                StepKind::Text(plain(
                    Code::EndpointProtocol,
                    because,
                    "it carries only TCP and ICMP echo".into(),
                ))
            });
            Next::Landed(Delivery::Service(id.clone()))
        }
        EndpointKind::GatewayLoadBalancer => {
            trace.doubt(None, || {
                plain(
                    Code::UnknownDestination,
                    String::new(),
                    format!("what the appliances behind {id} let through is not known"),
                )
            });
            Next::Landed(Delivery::Unknown)
        }
        _ => {
            trace.stop(|| plain(Code::BadState, String::new(), "it carries nothing".into()));
            Next::Landed(Delivery::Dropped)
        }
    }
}

/// Whether an endpoint leads to a Gateway Load Balancer, as far as is known.
pub(crate) fn hides_appliances(cx: Context<'_>, id: &EndpointId) -> bool {
    let endpoint = cx.inventory.endpoints.get(id);
    endpoint.is_none_or(|endpoint| endpoint.kind == EndpointKind::GatewayLoadBalancer)
}

/// Whether an interface starts connections at all.
pub(crate) fn initiate(cx: Context<'_>, trace: &mut Trace, index: InterfaceIx) {
    let interface = cx.network.interfaces.at(index);
    if interface.kind == InterfaceKind::InterfaceEndpoint {
        trace.stop(|| StepText {
            resource: interface.resource.clone(),
            name: interface.name.clone(),
            because: String::new(),
            code: Code::EndpointInitiates,
            why: "an interface endpoint answers and starts nothing".into(),
            lift: "ask the other way round".into(),
        });
    }
}
