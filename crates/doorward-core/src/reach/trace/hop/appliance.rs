//! Appliances: instances and interfaces that forward packets for others.

use crate::inventory::{Call, Direction, ResourceKind, ResourceRef, RouteTarget};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::steps::{self, StepText, Trace};
use crate::reach::trace::{Delivery, Location, Next, Origin, Packet, References, filters, fix};

pub(crate) fn egress(cx: Context<'_>, trace: &mut Trace, packet: &mut Packet, by: &RouteTarget) -> Next {
    let (vpc, to) = (packet.vpc(cx), packet.to);
    let resource = || by.resource().unwrap_or_else(|| ResourceRef::of(ResourceKind::Interface, "local"));
    let forwards = "it forwards what is not its own";
    let Some(index) = forwarder(cx, by) else {
        return match cx.gap(Call::Interfaces, vpc) {
            Some(gap) => {
                trace.unknown(Some(gap), || {
                    let (code, why) = (Code::UnknownDestination, "it was not seen");
                    StepText::blocked(resource(), code, why, steps::collect(Call::Interfaces))
                        .because(forwards)
                });
                Next::Landed(Delivery::Unknown)
            }
            None => {
                trace.block(|| {
                    let why = "it is not there, or not in use";
                    StepText::blocked(
                        resource(),
                        Code::BadState,
                        why,
                        "point the route at an existing resource",
                    )
                });
                Next::Landed(Delivery::Dropped)
            }
        };
    };
    let interface = cx.network.interfaces.at(index);
    if interface.addresses.iter().any(|own| own.address == to) {
        return Next::Landed(Delivery::Inside { vpc: interface.vpc, from: Origin::Subnet(packet.at.subnet) });
    }
    if interface.source_dest_check {
        trace.block(|| {
            StepText::blocked(
                resource(),
                Code::SourceDestCheck,
                format!("{by} takes only what is for its own addresses"),
                format!("disable the source/destination check of {by}, if it is to forward"),
            )
        });
        trace.fix(|| fix::forwarding(cx, index));
        return Next::Landed(Delivery::Dropped);
    }
    if packet.at != Location::within(interface.subnet) {
        filters::network_acl(cx, trace, interface.subnet, Direction::In, packet.taken.seen);
    }
    if !trace.replies {
        let kept = packet.taken.references >= References::Inbound && packet.taken.appliances.is_empty();
        filters::security_groups(cx, trace, index, Direction::In, packet.taken.seen, packet.interface, kept);
        filters::security_groups(cx, trace, index, Direction::Out, to, None, false);
    }
    trace.pass(|| StepText::allowed(resource(), forwards));
    packet.taken.appliances.push(index);
    packet.taken.references = References::Lost;
    packet.forwarded = Some(index);
    packet.public = interface.addresses.iter().any(|own| own.public);
    packet.at = Location::within(interface.subnet);
    packet.interface = None;
    Next::On
}

/// Who takes what a route leads to an interface, or to an instance and so to its interface.
pub(crate) fn forwarder(cx: Context<'_>, target: &RouteTarget) -> Option<InterfaceIx> {
    match target {
        RouteTarget::Interface(id) => cx.network.interface_of.get(id).copied(),
        RouteTarget::Instance(id) => {
            let known = cx.network.members.get(&ResourceRef::from(id));
            known.and_then(|interfaces| interfaces.first()).copied()
        }
        _ => None,
    }
}
