//! A request and its reply between two ends: the path, the security groups, the path back.

use std::net::IpAddr;

use crate::inventory::{Direction, ResourceKind, ResourceRef};
use crate::net::{Family, ranges};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::{InterfaceKind, PacketEnd};
use crate::reach::network::table::{InterfaceIx, VpcIx};
use crate::reach::trace::hop::{
    internet_gateway, load_balancer, local_service, other_gateway, transit_gateway, vpc_endpoint,
    vpc_peering, vpn_gateway,
};
use crate::reach::trace::replies::Client;
use crate::reach::trace::steps::{Detail, Step, StepText, Trace};
use crate::reach::trace::{
    self, Delivery, Location, Origin, References, RouteTaken, Sender, dns_names, filters, fix, over_internet,
    public_address, replies,
};

/// What passes between two addresses.
#[derive(Debug, Clone)]
pub(crate) struct RoundTrip {
    /// What passes, replies included.
    pub(crate) bounds: Bounds,
    /// What of it gets every reply.
    pub(crate) whole: Flows,
    /// The packets that are let back.
    pub(crate) back: Bounds,
    pub(crate) steps: Vec<Step>,
    /// Where outside it ends, of one that is sent there and arrives.
    pub(crate) end: Option<Outside>,
    /// What a load balancer sends to the receiver, where it goes through one: its steps are about two connections, each
    /// with flows of its own.
    pub(crate) handed_on: Option<Flows>,
}

/// What may become of a packet that is sent outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim<'a> {
    /// It has to get to the internet.
    Internet,
    /// It has to get out, whichever way.
    Anywhere,
    /// It has to get there.
    Behind(&'a Outside),
}

impl<'a> Aim<'a> {
    /// To get there and nowhere else.
    pub(crate) fn of(outside: &'a Outside) -> Self {
        match outside {
            Outside::Internet => Self::Internet,
            _ => Self::Behind(outside),
        }
    }
}

/// How a packet from outside came to the VPC of its receiver.
pub(crate) struct Entered {
    /// By what: replies have to leave by it.
    pub(crate) gateway: ResourceRef,
    pub(crate) taken: RouteTaken,
}

impl Entered {
    /// Straight by a gateway.
    pub(crate) fn at(gateway: impl Into<ResourceRef>, vpc: VpcIx, (from, to): (IpAddr, IpAddr)) -> Self {
        let delivery = Delivery::Inside { vpc, from: Origin::Gateway };
        Self {
            gateway: gateway.into(),
            taken: RouteTaken { delivery, ..RouteTaken::begun(from, to, References::Lost) },
        }
    }
}

/// What the way between two addresses of subnets comes to, apart from who sends and receives.
pub(crate) struct PathOutcome {
    pub(crate) seen: IpAddr,
    pub(crate) references: References,
    /// Whether the way met the groups of an appliance, which ask who sends.
    pub(crate) appliances: bool,
}

/// Between an interface, by all its addresses of the family, and an address outside.
pub(crate) fn across(
    cx: Context<'_>,
    outside: &Outside,
    other: IpAddr,
    interface: InterfaceIx,
    direction: Direction,
) -> Bounds {
    let family = ranges::family(other);
    let addresses = cx.network.interfaces.at(interface).addresses.iter();
    addresses.filter(|own| ranges::family(own.address) == family).fold(Bounds::none(), |sum, own| {
        let packet_end = PacketEnd::of(interface, *own);
        let round_trip = match direction {
            Direction::In => inward(cx, outside, other, packet_end, Detail::Sum),
            Direction::Out => outward(cx, packet_end, other, Aim::of(outside), Detail::Sum),
        };
        sum.union(&round_trip.bounds)
    })
}

pub(crate) fn sender(cx: Context<'_>, packet_end: PacketEnd) -> Sender {
    let interface = cx.network.interfaces.at(packet_end.interface);
    Sender {
        at: Location::within(interface.subnet),
        address: packet_end.own.address,
        public: packet_end.own.public,
        interface: Some(packet_end.interface),
    }
}

/// Between two interfaces, by the address of the receiver that is meant.
pub(crate) fn between(cx: Context<'_>, from: PacketEnd, to: PacketEnd, detail: Detail) -> RoundTrip {
    if public_address::is_meant(cx, from.interface, to) {
        return public_address::between(cx, from, to, &detail);
    }
    let mut trace = Trace::new(detail);
    dns_names::resolve(cx, &mut trace, from.interface, to);
    let path = path(cx, &mut trace, sender(cx, from), to.interface, to.own.address);
    let rest = trace.steps.split_off(0);
    trace.replies = false;
    vpc_endpoint::initiate(cx, &mut trace, from.interface);
    let kept = path.references == References::Kept;
    filters::security_groups(
        cx,
        &mut trace,
        from.interface,
        Direction::Out,
        to.own.address,
        Some(to.interface),
        kept,
    );
    load_balancer::dispatch(cx, &mut trace, from.interface, to.interface, to.own.address);
    let back_begins = rest.iter().position(|step| step.replies).unwrap_or(rest.len());
    let mut rest = rest;
    let replies = rest.split_off(back_begins);
    trace.steps.extend(rest);
    let kept = path.references >= References::Inbound;
    receive(cx, &mut trace, to.interface, path.seen, Some(from.interface), kept);
    trace.steps.extend(replies);
    finished(trace, ranges::family(to.own.address))
}

/// The way between two addresses and back, without the groups of either end.
pub(crate) fn path(
    cx: Context<'_>,
    trace: &mut Trace,
    from: Sender,
    to: InterfaceIx,
    address: IpAddr,
) -> PathOutcome {
    let receiver = cx.network.interfaces.at(to);
    let taken = trace::send(cx, trace, from, address);
    let path = PathOutcome {
        seen: taken.seen,
        references: taken.references,
        appliances: !taken.appliances.is_empty(),
    };
    match &taken.delivery {
        Delivery::Inside { vpc, from: origin } if *vpc == receiver.vpc => {
            filters::arrive(cx, trace, *vpc, address, taken.seen, *origin);
            let server = replies::server(Location::within(receiver.subnet), address, Some(to));
            if !trace.is_over() && !replies::is_direct(&taken, from, server) {
                replies::from_inside(cx, trace, Client::Inside(from), &taken, server);
            }
            path
        }
        // The VPC of the receiver has the address on the internet as well.
        Delivery::Internet(_) if let Some(end) = over_internet::receiver(to, address) => {
            over_internet::arrive(cx, trace, from, &taken, end);
            PathOutcome { references: References::Lost, ..path }
        }
        Delivery::Unknown => path,
        Delivery::Dropped => PathOutcome { references: would_be(cx, from, receiver.vpc), ..path },
        elsewhere => {
            let elsewhere = whereabouts(cx, elsewhere);
            trace.block(|| {
                StepText::blocked(
                    receiver.resource.clone(),
                    Code::NoDestination,
                    format!("packets for {address} end {elsewhere}"),
                    "point the route at the VPC of the receiver",
                )
                .named(receiver.name.clone())
            });
            trace.fix(|| fix::route_into(cx, from.at, receiver.vpc, address));
            PathOutcome { references: would_be(cx, from, receiver.vpc), ..path }
        }
    }
}

/// Whether groups would be known if there were a way: of a way that fails only what is in its way counts.
fn would_be(cx: Context<'_>, from: Sender, vpc: VpcIx) -> References {
    let same = cx.network.subnets.at(from.at.subnet).vpc == vpc;
    if same { References::Kept } else { References::Lost }
}

pub(crate) fn whereabouts(cx: Context<'_>, delivery: &Delivery) -> String {
    match delivery {
        Delivery::Inside { vpc, .. } => format!("in {}", cx.network.vpcs.at(*vpc).id),
        Delivery::Internet(gateway) => format!("on the internet, by {gateway}"),
        Delivery::Service(endpoint) => format!("at the service behind {endpoint}"),
        Delivery::Remote(outside) => format!("behind {}", outside.resource()),
        Delivery::Dropped | Delivery::Unknown => "nowhere".into(),
    }
}

/// From an interface to an address outside.
pub(crate) fn outward(
    cx: Context<'_>,
    from: PacketEnd,
    to: IpAddr,
    aim: Aim<'_>,
    detail: Detail,
) -> RoundTrip {
    let mut trace = Trace::new(detail);
    vpc_endpoint::initiate(cx, &mut trace, from.interface);
    if let Some(service) = local_service::at(cx, cx.network.interfaces.at(from.interface).vpc, to) {
        local_service::egress(cx, &mut trace, from.interface, service, to);
        return finished(trace, ranges::family(to));
    }
    filters::security_groups(cx, &mut trace, from.interface, Direction::Out, to, None, false);
    let sender = sender(cx, from);
    let taken = trace::send(cx, &mut trace, sender, to);
    let arrived = match &taken.delivery {
        Delivery::Internet(_) => !matches!(aim, Aim::Behind(_)),
        Delivery::Service(_) => !matches!(aim, Aim::Behind(_)) && cx.network.is_internet(to),
        Delivery::Remote(outside) => aim == Aim::Anywhere || aim == Aim::Behind(outside),
        Delivery::Inside { .. } | Delivery::Dropped | Delivery::Unknown => false,
    };
    let inside = behind_nat64(cx, &taken, to);
    if let Some((index, vpc, origin)) = inside {
        filters::arrive(cx, &mut trace, vpc, taken.to, taken.seen, origin);
        receive(cx, &mut trace, index, taken.seen, None, false);
        let at = Location::within(cx.network.interfaces.at(index).subnet);
        let server = replies::server(at, taken.to, Some(index));
        replies::from_inside(cx, &mut trace, Client::Inside(sender), &taken, server);
    } else if arrived && !trace.is_over() {
        replies::from_outside(cx, &mut trace, sender, &taken);
    } else if !arrived && !matches!(taken.delivery, Delivery::Dropped | Delivery::Unknown) {
        let elsewhere = whereabouts(cx, &taken.delivery);
        trace.block(|| {
            StepText::blocked(
                ResourceRef::of(ResourceKind::Address, &to.to_string()),
                Code::NoDestination,
                format!("packets for {} end {elsewhere}", cx.words(to)),
                match taken.delivery {
                    Delivery::Inside { .. } => {
                        format!("ask about an interface: nothing in use has {to} there")
                    }
                    _ => "route it by an internet gateway or a NAT gateway".to_owned(),
                },
            )
        });
        trace.fix(|| fix::route(cx, sender.at, to, sender.public, false));
    }
    let end = match taken.delivery {
        Delivery::Internet(_) | Delivery::Service(_) => Some(Outside::Internet),
        Delivery::Remote(outside) => Some(outside),
        Delivery::Inside { .. } | Delivery::Dropped | Delivery::Unknown => None,
    };
    RoundTrip { end: end.filter(|_| arrived), ..finished(trace, ranges::family(to)) }
}

/// The interface of IPv4 that a packet of IPv6 was translated for and got to.
fn behind_nat64(
    cx: Context<'_>,
    taken: &RouteTaken,
    sent_to: IpAddr,
) -> Option<(InterfaceIx, VpcIx, Origin)> {
    match taken.delivery {
        Delivery::Inside { vpc, from } if taken.to != sent_to => {
            Some((cx.network.vpcs.at(vpc).interface_at(taken.to)?, vpc, from))
        }
        _ => None,
    }
}

/// From an address outside to an interface.
pub(crate) fn inward(
    cx: Context<'_>,
    outside: &Outside,
    from: IpAddr,
    to: PacketEnd,
    detail: Detail,
) -> RoundTrip {
    let mut trace = Trace::new(detail);
    let entered = enter(cx, &mut trace, outside, from, to);
    if let Some(entered) = entered
        && !trace.is_over()
    {
        reply_outward(cx, &mut trace, to, from, &entered);
    }
    finished(trace, ranges::family(from))
}

/// In from outside up to the receiver.
pub(crate) fn enter(
    cx: Context<'_>,
    trace: &mut Trace,
    outside: &Outside,
    from: IpAddr,
    to: PacketEnd,
) -> Option<Entered> {
    let interface = cx.network.interfaces.at(to.interface);
    public_address::meets_outside(cx, trace, outside, to);
    let entered = come_in(cx, trace, outside, from, to);
    let seen = entered.as_ref().map_or(from, |entered| entered.taken.seen);
    match outside {
        Outside::Peering(id)
            if vpc_peering::carries_references(cx, id) && interface.kind != InterfaceKind::NatGateway =>
        {
            vpc_endpoint::receive(cx, trace, to.interface);
            filters::security_groups_of_unrecorded(cx, trace, to.interface, seen);
            load_balancer::listen(cx, trace, to.interface);
        }
        _ => receive(cx, trace, to.interface, seen, None, false),
    }
    entered
}

/// In from outside up to the subnet of the receiver.
pub(crate) fn come_in(
    cx: Context<'_>,
    trace: &mut Trace,
    outside: &Outside,
    from: IpAddr,
    to: PacketEnd,
) -> Option<Entered> {
    let vpc = cx.network.interfaces.at(to.interface).vpc;
    let ends = (from, to.own.address);
    let entered = match outside {
        Outside::Internet => internet_gateway::ingress(cx, trace, from, to),
        Outside::Vpn(id) => vpn_gateway::ingress(cx, trace, id, from, to),
        Outside::Peering(id) => vpc_peering::ingress(cx, trace, id, from, to),
        Outside::Transit(gateway, id) => transit_gateway::ingress(cx, trace, (gateway, id), from, to),
        Outside::TransitGateway(id) => Some(transit_gateway::hidden_ingress(trace, id, vpc, ends)),
        Outside::Other(id) => Some(other_gateway::ingress(trace, id, vpc, ends)),
    };
    let seen = entered.as_ref().map_or(from, |entered| entered.taken.seen);
    if let Some(origin) = entered.as_ref().and_then(|entered| entered.taken.origin()) {
        filters::arrive(cx, trace, vpc, to.own.address, seen, origin);
    }
    entered
}

/// The reply to what came in from outside, which has to leave by the same gateway.
pub(crate) fn reply_outward(
    cx: Context<'_>,
    trace: &mut Trace,
    from: PacketEnd,
    to: IpAddr,
    Entered { gateway, taken }: &Entered,
) {
    let server = Sender { public: true, ..sender(cx, from) };
    replies::from_inside(cx, trace, Client::Outside(gateway, to), taken, server);
}

/// What an interface takes in: by its groups and, of a load balancer, by its listeners.
pub(crate) fn receive(
    cx: Context<'_>,
    trace: &mut Trace,
    index: InterfaceIx,
    from: IpAddr,
    peer: Option<InterfaceIx>,
    references: bool,
) {
    let interface = cx.network.interfaces.at(index);
    trace.replies = false;
    if interface.kind == InterfaceKind::NatGateway {
        trace.block(|| {
            StepText::blocked(
                interface.resource.clone(),
                Code::NatInward,
                "a NAT gateway accepts no inbound connections",
                "choose the private address behind it as the destination",
            )
            .named(interface.name.clone())
        });
    }
    vpc_endpoint::receive(cx, trace, index);
    filters::security_groups(cx, trace, index, Direction::In, from, peer, references);
    load_balancer::listen(cx, trace, index);
}

pub(crate) fn finished(trace: Trace, family: Family) -> RoundTrip {
    let (bounds, whole) = trace.passes();
    let bounds = bounds.within(&Flows::of_family(family));
    let whole = whole.and(&bounds.must);
    RoundTrip { bounds, whole, back: trace.reply, steps: trace.steps, end: None, handed_on: None }
}
