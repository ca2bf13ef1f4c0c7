//! Gateways that are not modelled: carrier gateways, local gateways, core networks of Cloud WAN.

use std::net::IpAddr;

use crate::inventory::{ResourceKind, ResourceRef};
use crate::reach::code::Code;
use crate::reach::network::address_space::Outside;
use crate::reach::network::table::VpcIx;
use crate::reach::trace::round_trip::Entered;
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{Delivery, Next};

pub(crate) fn egress(trace: &mut Trace, id: &str) -> Next {
    trace.unknown(None, || unknown(id));
    // A core network may lead back to another VPC of the recording.
    Next::Landed(Delivery::Unknown)
}

/// Brings a packet in from behind it.
pub(crate) fn ingress(trace: &mut Trace, id: &str, vpc: VpcIx, ends: (IpAddr, IpAddr)) -> Entered {
    trace.unknown(None, || unknown(id));
    Entered::at(Outside::Other(id.to_owned()).resource(), vpc, ends)
}

fn unknown(id: &str) -> StepText {
    StepText::blocked(
        ResourceRef::of(ResourceKind::OtherGateway, id),
        Code::UnknownDestination,
        format!("the network behind {id} is not known"),
        "ask the operator of that network",
    )
    .because("the network behind it is not known")
}
