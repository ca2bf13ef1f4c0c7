//! Gateways that are not modelled: carrier gateways, local gateways, core networks of Cloud WAN.

use crate::inventory::{ResourceKind, ResourceRef};
use crate::reach::code::Code;
use crate::reach::network::address_space::Outside;
use crate::reach::trace::round_trip::Entered;
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{Delivery, Next, Origin};

pub(crate) fn egress(trace: &mut Trace, id: &str) -> Next {
    trace.doubt(None, || unknown(id));
    // A core network may lead back to another VPC of the recording.
    Next::Landed(Delivery::Unknown)
}

/// Brings a packet in from behind it.
pub(crate) fn ingress(trace: &mut Trace, id: &str) -> Entered {
    trace.doubt(None, || unknown(id));
    let gateway = Outside::Other(id.to_owned()).resource();
    Entered { gateway, origin: Origin::Gateway, appliances: Vec::new() }
}

fn unknown(id: &str) -> StepText {
    StepText {
        resource: ResourceRef::of(ResourceKind::OtherGateway, id),
        name: None,
        because: "what is behind it is not known".into(),
        code: Code::UnknownDestination,
        why: format!("what is behind {id} is not known"),
        lift: "ask whoever runs what is behind it".into(),
    }
}
