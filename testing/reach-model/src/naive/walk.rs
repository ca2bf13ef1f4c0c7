//! A packet on its way: out of subnets by their tables, in from gateways, to whoever has the address.

use std::net::IpAddr;

use doorward_core::inventory::*;
use doorward_core::net::Family;

use super::check::Check;
use super::packet_path::{Crossing, End, Lost, Mask, PacketPath};
use super::space::{is_internet, lookup, table_of};
use super::{Far, family};

/// How far the groups of the sender and the receiver are known to each other.
#[derive(Debug, Clone, Copy)]
pub struct References {
    pub egress: bool,
    pub ingress: bool,
}

const MOST_HOPS: usize = 16;

/// A packet on its way, or a reply.
pub struct Walk<'a> {
    pub inventory: &'a Inventory,
    /// The destination.
    pub to: IpAddr,
    /// Of which family the packet is that the client sent.
    pub client: Family,
    /// The source as it is at the moment.
    pub source: IpAddr,
    /// The sender, if it is an interface.
    pub sender: Option<&'a Interface>,
    /// Where a reply has to arrive; none for a first packet.
    pub goal: Option<Option<Mask>>,
    /// Whether an internet gateway has a public address for the source.
    pub public: bool,
    /// The NAT gateway that it has just left, and whether that is a public one.
    pub fresh_nat: Option<bool>,
    /// The appliance of this VPC that forwarded it last.
    pub forwarder: Option<InterfaceId>,
    /// Whether a transit gateway handed it to this VPC.
    pub handed_over: bool,
    /// Whether it is at a regional NAT gateway, and so in no subnet.
    pub regional: bool,
    /// How many subnets and gateways with tables of their own it has left.
    pub hops: usize,
    pub references: References,
    pub path: PacketPath,
}

impl<'a> Walk<'a> {
    pub(super) fn new(inventory: &'a Inventory, source: IpAddr, to: IpAddr) -> Self {
        Self {
            inventory,
            to,
            client: family(to),
            source,
            sender: None,
            goal: None,
            public: false,
            fresh_nat: None,
            forwarder: None,
            handed_over: false,
            regional: false,
            hops: 0,
            references: References { egress: true, ingress: true },
            path: PacketPath {
                family: family(to),
                checks: Vec::new(),
                end: End::Internet,
                appliances: Vec::new(),
                crossings: Vec::new(),
                masks: Vec::new(),
                server: None,
                unsure: false,
                lost_track: false,
                halves: None,
            },
        }
    }

    pub(super) fn is_reply(&self) -> bool {
        self.goal.is_some()
    }

    pub(super) fn ask_acl(&mut self, subnet: &SubnetId, direction: Direction, other: IpAddr) {
        self.ask(Check::Acl { subnet: subnet.clone(), direction, other });
    }

    pub(super) fn ask(&mut self, check: Check) {
        let translated = self.client == Family::V6 && self.to.is_ipv4();
        self.path.checks.push(if translated { Check::AsIpv4(Box::new(check)) } else { check });
    }

    /// From whoever is in a subnet.
    pub(super) fn leave(&mut self, subnet: &'a Subnet) -> Result<(), Lost> {
        self.hop()?;
        self.regional = false;
        if subnet.contains(self.to) {
            return self.arrive(&subnet.vpc, Some(&subnet.id));
        }
        self.ask_acl(&subnet.id, Direction::Out, self.to);
        let table = table_of(self.inventory, subnet).ok_or("no route table")?;
        self.follow(table, subnet)
    }

    /// From a regional NAT gateway, by its own table; AWS makes that with the local routes and one to the internet.
    pub(super) fn leave_regional(&mut self, nat: &'a NatGateway, subnet: &'a Subnet) -> Result<(), Lost> {
        self.hop()?;
        self.regional = true;
        let NatAvailability::Regional(table) = &nat.availability else { return Err("it is in a subnet") };
        if let Some(table) = table.as_ref().and_then(|table| self.inventory.route_tables.get(table)) {
            return self.follow(table, subnet);
        }
        if self.inventory.vpcs[&subnet.vpc].contains(self.to) {
            return if self.is_reply() { self.arrive(&subnet.vpc, None) } else { self.out_of_sight() };
        }
        let gateways = self.inventory.internet_gateways.values();
        let gateway = gateways.into_iter().find(|gateway| gateway.vpc.as_ref() == Some(&subnet.vpc));
        let gateway = gateway.filter(|_| is_internet(self.inventory, self.to)).ok_or("no route")?;
        let after_nat = self.fresh_nat.take().is_some();
        self.by_internet_gateway(&gateway.id, subnet, after_nat)
    }

    pub(super) fn hop(&mut self) -> Result<(), Lost> {
        self.hops += 1;
        if self.hops > MOST_HOPS { Err("too many hops") } else { Ok(()) }
    }

    /// Whether the source is of a VPC.
    pub(super) fn is_of(&self, vpc: &VpcId) -> bool {
        self.inventory.vpcs[vpc].contains(self.source)
    }

    fn follow(&mut self, table: &RouteTable, subnet: &'a Subnet) -> Result<(), Lost> {
        let route = lookup(self.inventory, table, self.to).ok_or("no route")?;
        if route.blackhole {
            return Err("a black hole");
        }
        let fresh_nat = self.fresh_nat.take();
        if let Some(public) = fresh_nat {
            let fits = match &route.target {
                RouteTarget::Local
                | RouteTarget::Peering(_)
                | RouteTarget::TransitGateway(_)
                | RouteTarget::VpnGateway(_) => true,
                RouteTarget::InternetGateway(_) => public,
                // [16] No endpoint, of a private one neither. Choice: and no appliance.
                _ => false,
            };
            // Choice: what a regional one sends elsewhere than to the internet is not documented.
            if self.regional && !matches!(route.target, RouteTarget::InternetGateway(_)) {
                return self.out_of_sight();
            }
            if !fits {
                return Err("a NAT gateway does not go on by that");
            }
        }
        match &route.target {
            RouteTarget::Local => {
                let vpc = &self.inventory.vpcs[&subnet.vpc];
                if !vpc.contains(self.to) {
                    return Err("not of the VPC");
                }
                let from = (!self.regional).then_some(&subnet.id);
                self.arrive(&vpc.id, from)
            }
            RouteTarget::InternetGateway(id) => self.by_internet_gateway(id, subnet, fresh_nat.is_some()),
            RouteTarget::EgressOnlyGateway(id) => self.by_egress_only(id, subnet),
            RouteTarget::NatGateway(id) => self.by_nat(id, subnet),
            RouteTarget::Interface(id) => {
                let from = (!self.regional).then_some(subnet);
                self.by_appliance(id, &subnet.vpc, from)
            }
            RouteTarget::Instance(id) => {
                let id = self.interface_of(id)?;
                let from = (!self.regional).then_some(subnet);
                self.by_appliance(&id, &subnet.vpc, from)
            }
            RouteTarget::Peering(id) => self.by_peering(id, subnet),
            RouteTarget::TransitGateway(id) => self.by_transit(id, subnet),
            RouteTarget::VpnGateway(id) => self.by_vpn(id, subnet),
            RouteTarget::Endpoint(id) => self.by_endpoint(id, &route, subnet),
            RouteTarget::Other(_) => self.out_of_sight(),
        }
    }

    /// Into something that was not recorded: it may hand the packet on to anybody.
    pub(super) fn out_of_sight(&mut self) -> Result<(), Lost> {
        self.path.unsure = true;
        self.path.end = End::Anywhere;
        Ok(())
    }

    pub(super) fn interface_of(&self, id: &InstanceId) -> Result<InterfaceId, Lost> {
        let instance = self.inventory.instances.get(id).ok_or("no such instance")?;
        match instance.interfaces.iter().collect::<Vec<_>>().as_slice() {
            [only] => Ok((*only).clone()),
            _ => Err("not one interface"),
        }
    }

    /// Whether an interface takes in anything.
    pub(super) fn takes_in(&self, host: &Interface) -> Result<(), Lost> {
        let mut endpoints = self.inventory.endpoints.values();
        let endpoint = endpoints.find(|endpoint| endpoint.interfaces.contains(&host.id));
        if host.kind == "vpc_endpoint"
            && endpoint.is_some_and(|it| !it.state.eq_ignore_ascii_case("available"))
        {
            return Err("the endpoint is not available");
        }
        if host.kind == "nat_gateway" {
            return Err("a NAT gateway takes in nothing unasked");
        }
        Ok(())
    }

    /// At an address of a VPC, from a subnet of it or from a gateway.
    pub(super) fn arrive(&mut self, vpc: &VpcId, from: Option<&SubnetId>) -> Result<(), Lost> {
        let (subnet, end) = match &self.goal {
            Some(goal) => {
                let goal = goal.as_ref().ok_or("the reply ends inside")?;
                if self.inventory.subnets[&goal.subnet].vpc != *vpc || goal.address != self.to {
                    return Err("the reply ends elsewhere");
                }
                (goal.subnet.clone(), End::Goal)
            }
            None => {
                let mut hosts = self.inventory.interfaces.values();
                let host = hosts.find(|host| host.vpc == *vpc && host.attached && host.has(self.to));
                let host = host.ok_or("nobody has that address")?;
                self.takes_in(host)?;
                (host.subnet.clone(), End::Host(host.id.clone()))
            }
        };
        if from != Some(&subnet) {
            self.ask_acl(&subnet, Direction::In, self.source);
        }
        self.path.end = end;
        Ok(())
    }

    pub(super) fn enter_by_internet(&mut self, host: &'a Interface, inside: IpAddr) -> Result<(), Lost> {
        let gateways = self.inventory.internet_gateways.values();
        let gateway = gateways
            .into_iter()
            .find(|gateway| gateway.vpc.as_ref() == Some(&host.vpc))
            .ok_or("no internet gateway")?;
        let public = host.addresses.iter().any(|own| own.address == inside && own.public.is_some());
        if inside.is_ipv4() && !public {
            return Err("no public address");
        }
        let subnet = &self.inventory.subnets[&host.subnet];
        if self.block_mode(&host.vpc) != BlockMode::Off && !self.is_excepted(subnet, true) {
            return Err("Block Public Access");
        }
        self.references = References { egress: false, ingress: false };
        self.path.crossings.push(Crossing::Internet(gateway.id.clone()));
        self.enter(gateway.id.as_str(), &host.vpc)
    }

    pub(super) fn enter_from_afar(&mut self, far: &Far, host: &'a Interface) -> Result<(), Lost> {
        match far {
            Far::Vpn(id) => {
                let gateway = self.inventory.vpn_gateways.get(id).ok_or("no such VPN gateway")?;
                if gateway.vpc.as_ref() != Some(&host.vpc) {
                    return Err("the VPN gateway is not attached");
                }
                let mut sending = self.inventory.vpn_connections.values().filter(|connection| {
                    connection.gateway.as_ref() == Some(id)
                        && connection.routes.iter().any(|cidr| cidr.contains(self.source))
                });
                let none = sending.clone().next().is_none();
                if !none && !sending.any(VpnConnection::is_up) {
                    return Err("the VPN connection is down");
                }
                self.path.crossings.push(Crossing::Vpn(id.clone()));
                self.enter(id.as_str(), &host.vpc)
            }
            Far::Peering(id) => {
                let peering = self.inventory.peerings.get(id).ok_or("no such peering")?;
                if peering.state != "active" {
                    return Err("the peering is not active");
                }
                let other = peering.other(&host.vpc).ok_or("the peering is not of this VPC")?;
                if !other.cidrs.iter().any(|cidr| cidr.contains(self.source)) {
                    return Err("not of the peer");
                }
                self.path.unsure = true;
                self.path.crossings.push(Crossing::Peering(id.clone()));
                self.arrive(&host.vpc, None)
            }
            Far::Transit(gateway, attachment) => {
                let known = self.available(&(gateway.clone(), attachment.clone()))?;
                self.vpn_is_up(known)?;
                self.path.unsure |=
                    !matches!(known.to, AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_));
                self.transit(gateway, attachment, None, false)
            }
        }
    }

    /// A reply from outside, to the last address that the packet bore.
    pub(super) fn back_in(&mut self, goal: &Mask, forward: &PacketPath) -> Result<(), Lost> {
        let vpc = self.inventory.subnets[&goal.subnet].vpc.clone();
        let crossing = forward.crossings.last().ok_or("it ends elsewhere")?;
        if let (Crossing::Transit(..), End::Remote(Far::Transit(gateway, attachment))) =
            (crossing, &forward.end)
        {
            return self.transit(gateway, attachment, None, false);
        }
        self.path.crossings.push(crossing.clone());
        if goal.regional.is_some() {
            self.path.end = End::Goal;
            return Ok(());
        }
        match crossing {
            Crossing::Internet(gateway) => self.enter(gateway.as_str(), &vpc),
            Crossing::Vpn(gateway) => self.enter(gateway.as_str(), &vpc),
            // These deliver to the address that asked, whatever its route tables say.
            Crossing::Outward(_) | Crossing::Service(_) | Crossing::Peering(_) => self.arrive(&vpc, None),
            Crossing::Transit(..) => Err("it ends elsewhere"),
        }
    }

    /// By a gateway, whose own table may lead to an appliance.
    pub(super) fn enter(&mut self, gateway: &str, vpc: &VpcId) -> Result<(), Lost> {
        let mut tables = self.inventory.route_tables.values();
        let Some(table) = tables.find(|table| table.gateways.contains(gateway)) else {
            return self.arrive(vpc, None);
        };
        let route = lookup(self.inventory, table, self.to).ok_or("no route")?;
        if route.blackhole {
            return Err("a black hole");
        }
        match &route.target {
            RouteTarget::Local => self.arrive(vpc, None),
            RouteTarget::Interface(id) => self.by_appliance(id, vpc, None),
            RouteTarget::Instance(id) => {
                let id = self.interface_of(id)?;
                self.by_appliance(&id, vpc, None)
            }
            _ => Err("the gateway's own table leads elsewhere"),
        }
    }
}
