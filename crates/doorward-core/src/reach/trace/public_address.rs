//! From an interface to the public address of another: out by the gateway of the sender, in by that of the receiver.
//!
//! The packet leaves as one for the internet, and its source is a public address when it comes back in, so that no rule
//! that references a group matches (VPC user guide, security group rules).

use std::net::IpAddr;

use crate::inventory::{Direction, ResourceKind, ResourceRef};
use crate::net::Family;
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::{Named, PacketEnd};
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::dns_names;
use crate::reach::trace::hop::{load_balancer, vpc_endpoint};
use crate::reach::trace::round_trip::{self, RoundTrip};
use crate::reach::trace::steps::{Detail, Step, StepKind, StepText, Trace};
use crate::reach::trace::{self, Delivery, RouteTaken, Translation, filters, replies};

/// Whether packets of a sender are for the public address of a receiver, as the receiver is named.
pub(crate) fn is_meant(cx: Context<'_>, from: InterfaceIx, to: PacketEnd) -> bool {
    let vpc = |interface: InterfaceIx| cx.network.interfaces.at(interface).vpc;
    to.own.address.is_ipv4()
        && match to.named {
            Named::Interface | Named::Private | Named::PrivateName => false,
            Named::Public => true,
            Named::PublicElsewhere => !dns_names::is_private(cx, vpc(from), vpc(to.interface)),
        }
}

/// Meets what an end that is named by one of its addresses only is for packets from outside.
pub(crate) fn meets_outside(cx: Context<'_>, trace: &mut Trace, outside: &Outside, to: PacketEnd) {
    let interface = cx.network.interfaces.at(to.interface);
    let own = to.own.address;
    if own.is_ipv6() {
        return;
    }
    let stop = |code: Code, why: String, advice: String| {
        StepText::blocked(interface.resource.clone(), code, why, advice).named(interface.name.clone())
    };
    match (outside, to.named) {
        // What has no public address at all is stopped by the internet gateway.
        (Outside::Internet, Named::Private | Named::PrivateName) if to.own.public => trace.block(|| {
            let why = format!("{own} is a private address, which cannot be reached from the internet");
            let public = to.own.public_address.map_or_else(String::new, |public| format!(" {public}"));
            let advice = format!("use its public address{public}");
            stop(Code::PrivateDestination, why, advice)
        }),
        (Outside::Internet, _) => {}
        (_, Named::Public | Named::PublicElsewhere) => {
            let gateway = outside.resource();
            trace.block(|| {
                let public =
                    to.own.public_address.map_or_else(|| "it".to_owned(), |public| public.to_string());
                let why =
                    format!("{public} is a public address, and {gateway} delivers only to private addresses");
                stop(Code::VpnAddressIn, why, format!("use {own}, its private address"))
            });
        }
        _ => {}
    }
}

/// The public address that a packet has as its source once it is on the internet.
#[derive(Debug, Clone, Copy)]
enum Source {
    Known(IpAddr),
    /// There is one, and it was not recorded.
    Unseen,
    /// The packet does not leave.
    None,
}

/// Between an interface and the public address of another.
pub(crate) fn between(cx: Context<'_>, from: PacketEnd, to: PacketEnd, detail: &Detail) -> RoundTrip {
    let destinations = match to.own.public_address {
        Some(public) => vec![IpAddr::V4(public)],
        None if to.own.public => representatives(cx, from.interface),
        None => vec![to.own.address],
    };
    let mut round_trips = Vec::new();
    for destination in destinations {
        let ends = Ends { from, to, destination };
        match ends.source(cx) {
            Source::Known(source) => round_trips.push(ends.carried(cx, Some(source), detail.clone())),
            Source::None => round_trips.push(ends.carried(cx, None, detail.clone())),
            Source::Unseen => round_trips.extend(
                representatives(cx, to.interface)
                    .into_iter()
                    .map(|source| ends.carried(cx, Some(source), detail.clone())),
            ),
        }
    }
    whichever(round_trips, || {
        let unseen = if to.own.public_address.is_none() { to.interface } else { from.interface };
        let interface = cx.network.interfaces.at(unseen);
        StepText::blocked(
            interface.resource.clone(),
            Code::UnknownDestination,
            "its public address was not recorded",
            "record its network interface",
        )
        .named(interface.name.clone())
        .because("its public address was not recorded")
    })
}

/// An address in each part of the internet that is treated alike on the way to or from an interface.
fn representatives(cx: Context<'_>, interface: InterfaceIx) -> Vec<IpAddr> {
    let internet = cx.network.internet(Family::V4);
    address_space::pieces(cx, &internet, interface).into_iter().map(|(.., address)| address).collect()
}

/// What is allowed where one of several round trips is the real one, and which one is not known.
pub(crate) fn whichever(round_trips: Vec<RoundTrip>, unseen: impl FnOnce() -> StepText) -> RoundTrip {
    let mut each = round_trips.into_iter();
    let Some(mut shown) = each.next() else {
        return RoundTrip {
            bounds: Bounds::none(),
            whole: Flows::NONE,
            back: Bounds::none(),
            steps: Vec::new(),
            end: None,
            handed_on: None,
        };
    };
    let (mut bounds, mut whole, mut back) = (shown.bounds.clone(), shown.whole.clone(), shown.back.clone());
    for other in each {
        bounds =
            Bounds { must: bounds.must.and(&other.bounds.must), may: bounds.may.union(&other.bounds.may) };
        whole = whole.and(&other.whole);
        back = Bounds { must: back.must.and(&other.back.must), may: back.may.union(&other.back.may) };
        if other.bounds.may.covers(&shown.bounds.may) {
            shown = other;
        }
    }
    let doubtful = bounds != shown.bounds || whole != shown.whole;
    if doubtful {
        let allow = Bounds { must: bounds.must.clone(), may: Flows::all() };
        let at = shown.steps.iter().position(|step| step.replies).unwrap_or(shown.steps.len());
        let step = Step {
            note: StepKind::Text(unseen()),
            allow,
            gap: None,
            replies: false,
            about: None,
            fix: Vec::new(),
        };
        shown.steps.insert(at, step);
    }
    RoundTrip { bounds, whole, back, ..shown }
}

/// Who sends, who receives, and the address that the packet is for.
struct Ends {
    from: PacketEnd,
    to: PacketEnd,
    destination: IpAddr,
}

impl Ends {
    fn source(&self, cx: Context<'_>) -> Source {
        let mut trace = Trace::new(Detail::Stops(Flows::NONE));
        let taken = trace::send(cx, &mut trace, round_trip::sender(cx, self.from), self.destination);
        match taken.translations.last() {
            Some(by) => public_of(cx, *by),
            None if self.from.own.public => {
                self.from.own.public_address.map_or(Source::Unseen, |public| Source::Known(public.into()))
            }
            None => Source::None,
        }
    }

    fn carried(&self, cx: Context<'_>, source: Option<IpAddr>, detail: Detail) -> RoundTrip {
        let Self { from, to, destination } = *self;
        let mut trace = Trace::new(detail);
        vpc_endpoint::initiate(cx, &mut trace, from.interface);
        filters::security_groups(cx, &mut trace, from.interface, Direction::Out, destination, None, false);
        load_balancer::dispatch(cx, &mut trace, from.interface, to.interface, destination);
        let sender = round_trip::sender(cx, from);
        let taken = trace::send(cx, &mut trace, sender, destination);
        let left = matches!(taken.delivery, Delivery::Internet(_));
        if !left && !matches!(taken.delivery, Delivery::Dropped | Delivery::Unknown) {
            self.ends_elsewhere(cx, &mut trace, &taken);
        }
        if let Some(source) = source {
            let entered = round_trip::enter(cx, &mut trace, &Outside::Internet, source, to);
            if left
                && let Some(entered) = entered
                && !trace.is_over()
            {
                round_trip::reply_outward(cx, &mut trace, to, source, &entered);
                replies::from_outside(cx, &mut trace, sender, &taken);
            }
        }
        round_trip::finished(trace, Family::V4)
    }

    fn ends_elsewhere(&self, cx: Context<'_>, trace: &mut Trace, taken: &RouteTaken) {
        let elsewhere = round_trip::whereabouts(cx, &taken.delivery);
        trace.block(|| {
            StepText::blocked(
                ResourceRef::of(ResourceKind::Address, &self.destination.to_string()),
                Code::NoDestination,
                format!("packets for {} end {elsewhere}", self.destination),
                "route it by an internet gateway or a NAT gateway",
            )
        });
    }
}

/// The public address of a NAT gateway or NAT instance that sends from an address inside.
fn public_of(cx: Context<'_>, by: Translation) -> Source {
    let subnet = cx.network.subnets.at(by.at.subnet);
    let vpc = cx.network.vpcs.at(subnet.vpc);
    let own = vpc.interface_at(by.address).and_then(|interface| {
        let mut addresses = cx.network.interfaces.at(interface).addresses.iter();
        addresses.find(|own| own.address == by.address).and_then(|own| own.public_address)
    });
    if by.at.regional.is_some() {
        return Source::Known(by.address);
    }
    let mut gateways = cx.inventory.nat_gateways.values();
    let by_gateway = || {
        let gateway = gateways.find(|gateway| {
            gateway.vpc == vpc.id && gateway.private_address.map(IpAddr::V4) == Some(by.address)
        });
        gateway.and_then(|gateway| gateway.public_address)
    };
    own.or_else(by_gateway).map_or(Source::Unseen, |public| Source::Known(public.into()))
}
