//! Follows a packet, subnet by subnet, as route tables lead it.

pub(crate) mod filters;
pub(crate) mod hop;
pub(crate) mod path_text;
pub(crate) mod public_address;
pub(crate) mod round_trip;
pub(crate) mod route;
pub(crate) mod steps;

use std::net::IpAddr;

use crate::inventory::{Direction, EndpointId, PeeringId, ResourceRef, RouteTarget, TransitGatewayId};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::table::{InterfaceIx, SubnetIx, VpcIx};
use crate::reach::trace::hop::{
    appliance, egress_only_gateway, internet_gateway, nat_gateway, other_gateway, transit_gateway,
    vpc_endpoint, vpc_peering, vpn_gateway,
};
use crate::reach::trace::steps::{StepText, Trace};

/// More hops than this is a loop.
const MOST_HOPS: usize = 8;

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
    pub(crate) subnet: SubnetIx,
    pub(crate) address: IpAddr,
    /// Whether an internet gateway has a public address for it.
    pub(crate) public: bool,
    pub(crate) interface: Option<InterfaceIx>,
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
    pub(crate) legs: Vec<Leg>,
    pub(crate) references: References,
    /// Who translated it, if anything did.
    pub(crate) translated: Option<Translation>,
    /// Appliances that forwarded it.
    pub(crate) appliances: Vec<InterfaceIx>,
}

/// Where a packet got another source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Translation {
    /// The subnet of the NAT gateway or NAT instance.
    pub(crate) subnet: SubnetIx,
    /// The address that it sends from, inside.
    pub(crate) address: IpAddr,
}

/// A packet on its way.
pub(crate) struct Packet {
    /// Its destination.
    pub(crate) to: IpAddr,
    /// The subnet that it is in.
    pub(crate) subnet: SubnetIx,
    /// Whether an internet gateway has a public address for its source.
    pub(crate) public: bool,
    /// The interface that sent it, until something sends it on from an address of its own.
    pub(crate) interface: Option<InterfaceIx>,
    pub(crate) taken: RouteTaken,
    /// The appliance that sends it on.
    pub(crate) forwarded: Option<InterfaceIx>,
}

/// What a hop does with a packet.
pub(crate) enum Next {
    /// It hands the packet on; the route table of the subnet that it is in now decides.
    On,
    Landed(Delivery),
}

/// Sends a packet to an address. Replies (`trace.replies`) meet no security groups and are not translated.
pub(crate) fn send(cx: Context<'_>, trace: &mut Trace, sender: Sender, to: IpAddr) -> RouteTaken {
    Tracer { cx, packet: Packet::new(sender, to) }.run(trace)
}

impl Packet {
    fn new(sender: Sender, to: IpAddr) -> Self {
        Self {
            to,
            subnet: sender.subnet,
            public: sender.public,
            interface: sender.interface,
            taken: RouteTaken {
                delivery: Delivery::Dropped,
                seen: sender.address,
                legs: Vec::new(),
                references: References::Kept,
                translated: None,
                appliances: Vec::new(),
            },
            forwarded: None,
        }
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
            let (subnet, to) = (self.packet.subnet, self.packet.to);
            if trace.is_over() {
                return self.packet.taken;
            }
            let node = network.subnets.at(subnet);
            let here = network.vpcs.at(node.vpc).interface_at(to);
            if node.contains(to)
                || here.is_some_and(|interface| network.interfaces.at(interface).subnet == subnet)
            {
                self.packet.taken.delivery = Delivery::Inside { vpc: node.vpc, from: Origin::Subnet(subnet) };
                return self.packet.taken;
            }
            filters::network_acl(self.cx, trace, subnet, Direction::Out, to);
            match self.follow(trace) {
                Next::On => {}
                Next::Landed(delivery) => {
                    self.packet.taken.delivery = delivery;
                    return self.packet.taken;
                }
            }
        }
        let Packet { to, subnet, .. } = self.packet;
        trace.stop(|| StepText {
            resource: (&network.subnets.at(subnet).id).into(),
            name: None,
            because: String::new(),
            code: Code::Loop,
            why: format!("more than {MOST_HOPS} hops do not get to {to}"),
            lift: "route it to where it belongs".into(),
        });
        self.packet.taken
    }

    /// Follows the route of the subnet that the packet is in.
    fn follow(&mut self, trace: &mut Trace) -> Next {
        let (cx, packet) = (self.cx, &mut self.packet);
        let node = cx.network.subnets.at(packet.subnet);
        let Some((target, row)) = route::look_up(cx, trace, packet.subnet, packet.to) else {
            // Without a table nothing says where it goes: it may get there.
            return Next::Landed(if node.table.is_err() { Delivery::Unknown } else { Delivery::Dropped });
        };
        match &target {
            RouteTarget::Local => {
                Next::Landed(Delivery::Inside { vpc: node.vpc, from: Origin::Subnet(packet.subnet) })
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
