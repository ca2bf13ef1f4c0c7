//! Follows a packet, subnet by subnet, as route tables lead it.

pub(crate) mod dns_names;
pub(crate) mod filters;
pub(crate) mod fix;
pub(crate) mod hop;
pub(crate) mod over_internet;
pub(crate) mod path_text;
pub(crate) mod public_address;
pub(crate) mod replies;
pub(crate) mod round_trip;
pub(crate) mod route;
pub(crate) mod steps;

use std::net::IpAddr;

use crate::inventory::{
    Direction, EndpointId, NatGatewayId, PeeringId, ResourceRef, RouteTarget, TransitGatewayId,
};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::table::{InterfaceIx, SubnetIx, TableIx, VpcIx};
use crate::reach::trace::hop::{
    appliance, egress_only_gateway, internet_gateway, nat_gateway, other_gateway, transit_gateway,
    vpc_endpoint, vpc_peering, vpn_gateway,
};
use crate::reach::trace::steps::{StepText, Trace};

/// More hops than this is a loop.
const MOST_HOPS: usize = 16;

/// Whether what carries a group is still known where the packet arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum References {
    Lost,
    /// Only for rules of the receiver (transit gateways: security group referencing).
    Inbound,
    Kept,
}

/// A packet that is to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) at: Location,
    pub(crate) address: IpAddr,
    /// Whether an internet gateway has a public address for it.
    pub(crate) public: bool,
    pub(crate) interface: Option<InterfaceIx>,
}

/// Where a packet is in a VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    /// The subnet that it is in; of one at a regional NAT gateway, the one that it came from.
    pub(crate) subnet: SubnetIx,
    /// The route table of the regional NAT gateway that it is at: no network ACL is asked there.
    pub(crate) regional: Option<RegionalTable>,
}

impl Location {
    /// In a subnet.
    pub(crate) fn within(subnet: SubnetIx) -> Self {
        Self { subnet, regional: None }
    }
}

/// The route table of a regional NAT gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegionalTable {
    Seen(TableIx),
    /// As AWS makes it: the local routes, and one to the internet gateway of the VPC.
    AsMade,
}

/// Where a packet got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// In a VPC, at whoever has the address.
    Inside { vpc: VpcIx, from: Origin },
    /// On the internet, by way of this internet gateway or egress-only gateway.
    Internet(ResourceRef),
    /// At a service of AWS, by way of this gateway endpoint.
    Service(EndpointId),
    /// Out of what was recorded, other than to the internet.
    Remote(Outside),
    /// Nowhere.
    Dropped,
    /// Nobody knows.
    Unknown,
}

impl Delivery {
    /// The gateway or attachment by which it left.
    pub(crate) fn gateway(&self) -> Option<ResourceRef> {
        match self {
            Self::Internet(gateway) => Some(gateway.clone()),
            Self::Remote(outside) => Some(outside.resource()),
            Self::Inside { .. } | Self::Service(_) | Self::Dropped | Self::Unknown => None,
        }
    }
}

/// From where a packet comes to the subnet that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From a subnet of the same VPC; from the same one it meets no network ACL.
    Subnet(SubnetIx),
    /// From a gateway or a peering.
    Gateway,
}

/// A way out of a VPC that replies have to come back by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leg {
    Peering(PeeringId),
    Transit(TransitGatewayId),
}

/// A way that a packet went.
#[derive(Debug, Clone)]
pub(crate) struct RouteTaken {
    pub(crate) delivery: Delivery,
    /// The source that the receiver sees.
    pub(crate) seen: IpAddr,
    /// The destination that it arrives at: another than it was sent to behind a NAT64.
    pub(crate) to: IpAddr,
    pub(crate) legs: Vec<Leg>,
    pub(crate) references: References,
    /// Each that translated it, in the order of its path.
    pub(crate) translations: Vec<Translation>,
    /// Appliances that forwarded it.
    pub(crate) appliances: Vec<InterfaceIx>,
}

impl RouteTaken {
    /// Of a packet that nothing has happened to yet.
    pub(crate) fn begun(source: IpAddr, to: IpAddr, references: References) -> Self {
        Self {
            delivery: Delivery::Dropped,
            seen: source,
            to,
            legs: Vec::new(),
            references,
            translations: Vec::new(),
            appliances: Vec::new(),
        }
    }

    /// Where it was delivered in a VPC, and from where.
    pub(crate) fn origin(&self) -> Option<Origin> {
        match self.delivery {
            Delivery::Inside { from, .. } => Some(from),
            _ => None,
        }
    }
}

/// Where a packet got another source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Translation {
    /// Where the NAT gateway or NAT instance is.
    pub(crate) at: Location,
    /// The address that it sends from, inside.
    pub(crate) address: IpAddr,
    /// Where it was sent to before: what replies to the sender come from.
    pub(crate) to: IpAddr,
    /// How many legs it had gone by then.
    pub(crate) legs: usize,
}

/// A packet on its way.
pub(crate) struct Packet {
    /// Its destination.
    pub(crate) to: IpAddr,
    pub(crate) at: Location,
    /// Whether an internet gateway has a public address for its source.
    pub(crate) public: bool,
    /// The interface that sent it, until something sends it on from an address of its own.
    pub(crate) interface: Option<InterfaceIx>,
    pub(crate) taken: RouteTaken,
    /// The appliance of this VPC that sends it on.
    pub(crate) forwarded: Option<InterfaceIx>,
    /// The NAT gateway that it has just left.
    pub(crate) left: Option<NatGatewayId>,
    /// Whether a transit gateway handed it to this VPC: its source may be of another.
    pub(crate) handed_over: bool,
}

/// What a hop does with a packet.
pub(crate) enum Next {
    /// It hands the packet on; the route table of the subnet that it is in now decides.
    On,
    Landed(Delivery),
}

/// Sends a packet to an address. Replies (`trace.replies`) meet no security groups and are not translated.
pub(crate) fn send(cx: Context<'_>, trace: &mut Trace, sender: Sender, to: IpAddr) -> RouteTaken {
    resume(cx, trace, Packet::new(sender, to), Next::On)
}

/// Carries on with a packet that something has handed on, or landed.
pub(crate) fn resume(cx: Context<'_>, trace: &mut Trace, mut packet: Packet, next: Next) -> RouteTaken {
    match next {
        Next::On => Tracer { cx, packet }.run(trace),
        Next::Landed(delivery) => {
            packet.taken.delivery = delivery;
            packet.taken
        }
    }
}

impl Packet {
    pub(crate) fn new(sender: Sender, to: IpAddr) -> Self {
        Self {
            to,
            at: sender.at,
            public: sender.public,
            interface: sender.interface,
            taken: RouteTaken::begun(sender.address, to, References::Kept),
            forwarded: None,
            left: None,
            handed_over: false,
        }
    }

    /// The VPC that it is in.
    pub(crate) fn vpc(&self, cx: Context<'_>) -> VpcIx {
        cx.network.subnets.at(self.at.subnet).vpc
    }

    /// Whether its source is of the VPC that it is in.
    pub(crate) fn is_at_home(&self, cx: Context<'_>) -> bool {
        cx.network.vpcs.at(self.vpc(cx)).contains(self.taken.seen)
    }
}

/// Follows the routes of one packet.
struct Tracer<'a> {
    cx: Context<'a>,
    packet: Packet,
}

impl Tracer<'_> {
    fn run(mut self, trace: &mut Trace) -> RouteTaken {
        let network = self.cx.network;
        for _ in 0..MOST_HOPS {
            let (at, to) = (self.packet.at, self.packet.to);
            if trace.is_over() {
                return self.packet.taken;
            }
            if at.regional.is_none() {
                let node = network.subnets.at(at.subnet);
                let here = network.vpcs.at(node.vpc).interface_at(to);
                if node.contains(to)
                    || here.is_some_and(|interface| network.interfaces.at(interface).subnet == at.subnet)
                {
                    let from = Origin::Subnet(at.subnet);
                    self.packet.taken.delivery = Delivery::Inside { vpc: node.vpc, from };
                    return self.packet.taken;
                }
                filters::network_acl(self.cx, trace, at.subnet, Direction::Out, to);
            }
            match self.follow(trace) {
                Next::On => {}
                Next::Landed(delivery) => {
                    self.packet.taken.delivery = delivery;
                    return self.packet.taken;
                }
            }
        }
        let Packet { to, at, .. } = self.packet;
        trace.block(|| {
            StepText::blocked(
                &network.subnets.at(at.subnet).id,
                Code::Loop,
                format!("more than {MOST_HOPS} hops do not get to {to}"),
                "route it to where it belongs",
            )
        });
        self.packet.taken
    }

    /// Follows the route of where the packet is.
    fn follow(&mut self, trace: &mut Trace) -> Next {
        let (cx, packet) = (self.cx, &mut self.packet);
        let vpc = packet.vpc(cx);
        let Some((target, row)) = route::look_up(cx, trace, packet) else {
            let replies = trace.replies;
            trace.fix(|| fix::onward(cx, packet, replies));
            // Without a table nothing says where it goes: it may get there.
            let unseen =
                packet.at.regional.is_none() && cx.network.subnets.at(packet.at.subnet).table.is_err();
            return Next::Landed(if unseen { Delivery::Unknown } else { Delivery::Dropped });
        };
        if let Some(landed) = nat_gateway::leave(cx, trace, packet, &target) {
            return Next::Landed(landed);
        }
        match &target {
            RouteTarget::Local => {
                let from = match packet.at.regional {
                    None => Origin::Subnet(packet.at.subnet),
                    Some(_) => Origin::Gateway,
                };
                Next::Landed(Delivery::Inside { vpc, from })
            }
            RouteTarget::InternetGateway(id) => internet_gateway::egress(cx, trace, packet, id),
            RouteTarget::EgressOnlyGateway(id) => egress_only_gateway::egress(cx, trace, packet, id),
            RouteTarget::NatGateway(id) => nat_gateway::egress(cx, trace, packet, id),
            RouteTarget::Interface(_) | RouteTarget::Instance(_) => {
                appliance::egress(cx, trace, packet, &target)
            }
            RouteTarget::Peering(id) => vpc_peering::egress(cx, trace, packet, id),
            RouteTarget::TransitGateway(id) => transit_gateway::egress(cx, trace, packet, id),
            RouteTarget::VpnGateway(id) => vpn_gateway::egress(cx, trace, packet, id),
            RouteTarget::Endpoint(id) => {
                let listed = row.is_some_and(|row| row.list.is_some());
                vpc_endpoint::egress(cx, trace, packet, id, listed)
            }
            RouteTarget::Other(id) => other_gateway::egress(trace, id),
        }
    }
}
