//! What sends from outside every VPC, like a function that is attached to none: to public addresses only, from one of AWS's
//! own that is not known.

use std::rc::Rc;

use crate::net::{Family, Flow, Ports};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::{Named, PacketEnd};
use crate::reach::question::pairs::{PairGroup, PathEnd};
use crate::reach::result::Hop;
use crate::reach::selector::resolve::{Absent, Endpoints};
use crate::reach::trace::public_address;
use crate::reach::trace::round_trip::{self, RoundTrip};
use crate::reach::trace::steps::{Detail, StepKind, StepText, Trace};

/// From something unattached to each receiver.
pub(crate) fn cases(
    cx: Context<'_>,
    senders: &Endpoints,
    receivers: &Endpoints,
    cases: &mut Vec<PairGroup<'_>>,
) {
    let Some(absent) = &senders.unattached else { return };
    let hop =
        Hop { resource: absent.resource.clone(), name: None, because: "it is attached to no VPC".into() };
    let from: Rc<str> = absent.resource.to_string().into();
    let mut case = |to: Rc<str>, tip: PathEnd, round_trips: Vec<RoundTrip>| {
        let tips = (PathEnd::Outside(hop.clone()), tip);
        let round_trips = round_trips.into_iter().map(|round_trip| (Family::V4, round_trip)).collect();
        cases.push(PairGroup::new((&from, &to), tips, round_trips, Flows::of_family(Family::V4)));
    };
    for sink in &receivers.interfaces {
        let public =
            |end: &&PacketEnd| end.own.public && !matches!(end.named, Named::Private | Named::PrivateName);
        let mut trips: Vec<RoundTrip> =
            sink.packet_ends.iter().filter(public).map(|end| to_public(cx, absent, *end)).collect();
        if trips.is_empty() {
            trips.push(stopped(absent));
        }
        case(sink.title(cx).into(), PathEnd::Interface(sink.interface), trips);
    }
    if receivers.outside.iter().any(|(outside, _)| *outside == Outside::Internet) {
        let tip = PathEnd::Outside(outside_hop(&Outside::Internet));
        case("the internet".into(), tip, vec![to_internet(absent)]);
    } else if !receivers.outside.is_empty() || !receivers.targets.is_empty() {
        let outside = receivers.outside.first().map_or(Outside::Internet, |(outside, _)| outside.clone());
        case("addresses outside".into(), PathEnd::Outside(outside_hop(&outside)), vec![stopped(absent)]);
    }
}

fn outside_hop(outside: &Outside) -> Hop {
    Hop { resource: outside.resource(), name: None, because: String::new() }
}

fn stopped(absent: &Absent) -> RoundTrip {
    let mut trace = Trace::new(Detail::All);
    trace.block(|| {
        StepText::blocked(absent.resource.clone(), absent.code, absent.why.clone(), absent.advice.clone())
    });
    round_trip::finished(trace, Family::V4)
}

/// Lambda developer guide, internet access: a function that is attached to no VPC has it. It sends TCP and UDP.
fn to_internet(absent: &Absent) -> RoundTrip {
    let mut trace = Trace::new(Detail::All);
    let flows: Flows = [Flow::Tcp(Ports::ALL), Flow::Udp(Ports::ALL)].into_iter().collect();
    trace.meet(Bounds::exact(flows), None, || {
        StepKind::Text(
            StepText::blocked(
                absent.resource.clone(),
                Code::Protocol,
                "it sends TCP and UDP only",
                "use TCP or UDP",
            )
            .because("it sends to the internet from an address of AWS"),
        )
    });
    round_trip::finished(trace, Family::V4)
}

/// Whichever address of the internet it sends from.
fn to_public(cx: Context<'_>, absent: &Absent, to: PacketEnd) -> RoundTrip {
    let internet = cx.network.internet(Family::V4);
    let pieces = address_space::pieces(cx, &internet, to.interface).into_iter();
    let trips = pieces
        .map(|(.., address)| round_trip::inward(cx, &Outside::Internet, address, to, Detail::All))
        .collect();
    public_address::whichever(trips, || {
        let unknown = "it sends from an address of AWS, which is not known";
        let advice = "attach it to a VPC, so that its address is known";
        StepText::blocked(absent.resource.clone(), Code::UnknownDestination, unknown, advice).because(unknown)
    })
}
