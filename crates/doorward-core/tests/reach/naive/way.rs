//! The way that a packet takes, hop by hop, and the way of its reply.
//!
//! A route is chosen by the destination alone, so the way can be walked before it is known what takes it.

use std::net::IpAddr;

use doorward_core::inventory::*;
use doorward_core::net::Family;

use super::check::Check;
use super::space::{is_internet, lookup, same_zone, table_of};
use super::{Far, Point, family};

type Lost = &'static str;

/// A way from one end to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub family: Family,
    /// What a packet has to get past.
    pub checks: Vec<Check>,
    /// Where it ends.
    pub end: End,
    /// The interfaces that forwarded it.
    pub appliances: Vec<InterfaceId>,
    /// What it left and entered VPCs by.
    pub crossings: Vec<Crossing>,
    /// Whose address the packet bore, one after the other: that of the sender, then of each NAT.
    pub masks: Vec<Mask>,
}

/// Where a way ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// At who has the address: an interface, or the goal of a reply.
    Host(InterfaceId),
    Goal,
    Internet,
    Remote(Far),
}

/// What lies between a VPC and what is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Crossing {
    Internet(InternetGatewayId),
    Outward(EgressOnlyGatewayId),
    Service(EndpointId),
    Peering(PeeringId),
    /// The gateway that it was handed to, and the one that it was handed out by.
    Transit(TransitGatewayId, TransitGatewayId),
    Vpn(VpnGatewayId),
}

/// An address in a subnet that replies are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    pub subnet: SubnetId,
    pub address: IpAddr,
}

/// How far the groups of the sender and the receiver are known to each other.
#[derive(Debug, Clone, Copy)]
struct References {
    egress: bool,
    ingress: bool,
}

struct Walk<'a> {
    inventory: &'a Inventory,
    /// The destination.
    to: IpAddr,
    /// The source as it is at the moment.
    source: IpAddr,
    /// The sender, if it is an interface.
    sender: Option<&'a Interface>,
    /// Where a reply has to arrive; none for a first packet.
    goal: Option<Option<Mask>>,
    /// Whether an internet gateway has a public address for the source.
    public: bool,
    /// The NAT gateway that it has just left, and whether that is a public one.
    fresh_nat: Option<bool>,
    references: References,
    way: Way,
}

const MOST_APPLIANCES: usize = 4;
const MOST_GATEWAYS: usize = 4;

/// Walks from one point to another; what is in the way of every packet ends it.
pub fn forward(inventory: &Inventory, from: &Point, to: &Point) -> Result<Way, Lost> {
    if family(from.address()) != family(to.address()) {
        return Err("another family");
    }
    let mut walk = Walk::new(inventory, from.address(), to.address());
    match from {
        Point::Host(id, address) => {
            if matches!(to, Point::Host(other, _) if other == id) {
                return Err("itself");
            }
            let host = &inventory.interfaces[id];
            if !host.attached {
                return Err("the sender is not attached");
            }
            // [19]
            if host.kind == "vpc_endpoint" {
                return Err("an interface endpoint starts nothing");
            }
            walk.sender = Some(host);
            walk.public = host.addresses.iter().any(|own| own.address == *address && own.public.is_some());
            walk.way.masks.push(Mask { subnet: host.subnet.clone(), address: *address });
            walk.leave(&inventory.subnets[&host.subnet])?;
        }
        Point::Internet(address) => {
            if !is_internet(inventory, *address) {
                return Err("not an address of the internet");
            }
            let Point::Host(id, inside) = to else { return Err("from outside to outside") };
            walk.from_internet(&inventory.interfaces[id], *inside)?;
        }
        Point::Remote(far, _) => {
            walk.references = References { egress: false, ingress: false };
            let Point::Host(id, _) = to else { return Err("from outside to outside") };
            walk.from_remote(far, &inventory.interfaces[id])?;
        }
    }
    let arrived = match (&walk.way.end, to) {
        (End::Host(id), Point::Host(wanted, _)) => id == wanted,
        (End::Internet, Point::Internet(_)) => true,
        (End::Remote(far), Point::Remote(wanted, _)) => far == wanted,
        _ => false,
    };
    if !arrived {
        return Err("it ends elsewhere");
    }
    if let (Some(sender), End::Host(id)) = (walk.sender, &walk.way.end) {
        let peer = walk.references.egress.then(|| id.clone());
        walk.way.checks.push(groups(sender, Direction::Out, walk.to, peer));
        let peer = walk.references.ingress.then(|| sender.id.clone());
        walk.way.checks.push(groups(&inventory.interfaces[id], Direction::In, walk.source, peer));
    } else if let Some(sender) = walk.sender {
        walk.way.checks.push(groups(sender, Direction::Out, walk.to, None));
    } else if let End::Host(id) = &walk.way.end {
        walk.way.checks.push(groups(&inventory.interfaces[id], Direction::In, walk.source, None));
    }
    Ok(walk.way)
}

fn groups(of: &Interface, direction: Direction, other: IpAddr, peer: Option<InterfaceId>) -> Check {
    Check::Groups { of: of.id.clone(), direction, other, peer }
}

/// Walks the way of a reply, which has to come back the way that the packet took.
pub fn back(inventory: &Inventory, from: &Point, to: &Point, forward: &Way) -> Result<Way, Lost> {
    let goal = forward.masks.last().cloned();
    let address = goal.as_ref().map_or(from.address(), |goal| goal.address);
    let mut walk = Walk::new(inventory, to.address(), address);
    walk.goal = Some(goal.clone());
    match to {
        Point::Host(id, _) => walk.leave(&inventory.subnets[&inventory.interfaces[id].subnet])?,
        Point::Internet(_) | Point::Remote(..) => {
            let Some(goal) = &goal else { return Err("from outside to outside") };
            let vpc = inventory.subnets[&goal.subnet].vpc.clone();
            match forward.crossings.last() {
                Some(Crossing::Internet(gateway)) => {
                    walk.way.crossings.push(Crossing::Internet(gateway.clone()));
                    walk.enter(gateway.as_str(), &vpc)?;
                }
                Some(Crossing::Vpn(gateway)) => {
                    walk.way.crossings.push(Crossing::Vpn(gateway.clone()));
                    walk.enter(gateway.as_str(), &vpc)?;
                }
                // These deliver to the address that asked, whatever its route tables say.
                Some(crossing @ (Crossing::Outward(_) | Crossing::Service(_))) => {
                    walk.way.crossings.push(crossing.clone());
                    walk.arrive(&vpc, None)?;
                }
                Some(Crossing::Transit(..)) => {
                    let End::Remote(Far::Transit(gateway, attachment)) = &forward.end else {
                        return Err("it ends elsewhere");
                    };
                    walk.transit(gateway, attachment, None, false)?;
                }
                Some(Crossing::Peering(_)) | None => return Err("it ends elsewhere"),
            }
        }
    }
    let arrived = match (&walk.way.end, from) {
        (End::Goal, Point::Host(..)) => true,
        (End::Internet, Point::Internet(_)) => true,
        (End::Remote(far), Point::Remote(wanted, _)) => far == wanted,
        _ => false,
    };
    if !arrived {
        return Err("the reply ends elsewhere");
    }
    // It comes back through what it went through, or directly; by anything else it belongs to no connection.
    if walk.way.appliances.iter().any(|id| !forward.appliances.contains(id)) {
        return Err("the reply comes by another appliance");
    }
    let mut there = forward.crossings.iter().rev();
    let mut here = walk.way.crossings.iter();
    loop {
        match (there.next(), here.next()) {
            (None, None) => break,
            // Choice: the reply is handed to the gateway that the packet came out of; which gateways carry it on
            // from there is for their own tables to say.
            (Some(Crossing::Transit(_, out)), Some(Crossing::Transit(into, _))) if out == into => {}
            // To what is behind a VPN, any gateway will do whose tables lead back to the attachment.
            (Some(Crossing::Transit(..)), Some(Crossing::Transit(..)))
                if matches!(from, Point::Remote(..)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return Err("the reply comes by another way"),
        }
    }
    walk.unmask(&forward.masks, to.address());
    Ok(walk.way)
}

impl<'a> Walk<'a> {
    fn new(inventory: &'a Inventory, source: IpAddr, to: IpAddr) -> Self {
        Self {
            inventory,
            to,
            source,
            sender: None,
            goal: None,
            public: false,
            fresh_nat: None,
            references: References { egress: true, ingress: true },
            way: Way {
                family: family(to),
                checks: Vec::new(),
                end: End::Internet,
                appliances: Vec::new(),
                crossings: Vec::new(),
                masks: Vec::new(),
            },
        }
    }

    fn is_reply(&self) -> bool {
        self.goal.is_some()
    }

    fn ask_acl(&mut self, subnet: &SubnetId, direction: Direction, other: IpAddr) {
        self.way.checks.push(Check::Acl { subnet: subnet.clone(), direction, other });
    }

    /// From whoever is in a subnet.
    fn leave(&mut self, subnet: &'a Subnet) -> Result<(), Lost> {
        if subnet.contains(self.to) {
            self.fresh_nat = None;
            return self.arrive(&subnet.vpc, Some(&subnet.id));
        }
        self.ask_acl(&subnet.id, Direction::Out, self.to);
        let table = table_of(self.inventory, subnet).ok_or("no route table")?;
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
                // Choice: of a private NAT gateway only the internet gateway is denied, so these are not.
                _ => !public,
            };
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
                self.arrive(&vpc.id, Some(&subnet.id))
            }
            RouteTarget::InternetGateway(id) => self.by_internet_gateway(id, subnet, fresh_nat.is_some()),
            RouteTarget::EgressOnlyGateway(id) => self.by_egress_only(id, subnet),
            RouteTarget::NatGateway(id) => self.by_nat(id, subnet),
            RouteTarget::Interface(id) => self.by_appliance(id, &subnet.vpc, Some(subnet)),
            RouteTarget::Instance(id) => {
                let id = self.interface_of(id)?;
                self.by_appliance(&id, &subnet.vpc, Some(subnet))
            }
            RouteTarget::Peering(id) => self.by_peering(id, subnet),
            RouteTarget::TransitGateway(id) => self.by_transit(id, subnet),
            RouteTarget::VpnGateway(id) => self.by_vpn(id, subnet),
            RouteTarget::Endpoint(id) => self.by_endpoint(id, &route),
            RouteTarget::Other(_) => Err("no idea where that leads"),
        }
    }

    fn interface_of(&self, id: &InstanceId) -> Result<InterfaceId, Lost> {
        let instance = self.inventory.instances.get(id).ok_or("no such instance")?;
        match instance.interfaces.iter().collect::<Vec<_>>().as_slice() {
            [only] => Ok((*only).clone()),
            _ => Err("not one interface"),
        }
    }

    /// At an address of a VPC, from a subnet of it or from a gateway.
    fn arrive(&mut self, vpc: &VpcId, from: Option<&SubnetId>) -> Result<(), Lost> {
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
                if host.kind == "nat_gateway" {
                    return Err("a NAT gateway takes in nothing unasked");
                }
                (host.subnet.clone(), End::Host(host.id.clone()))
            }
        };
        if from != Some(&subnet) {
            self.ask_acl(&subnet, Direction::In, self.source);
        }
        self.way.end = end;
        Ok(())
    }

    fn by_internet_gateway(
        &mut self,
        id: &InternetGatewayId,
        subnet: &Subnet,
        after_nat: bool,
    ) -> Result<(), Lost> {
        let gateway = self.inventory.internet_gateways.get(id).ok_or("no such internet gateway")?;
        if gateway.vpc.as_ref() != Some(&subnet.vpc) {
            return Err("the internet gateway is not attached");
        }
        if !is_internet(self.inventory, self.to) {
            return Err("not an address of the internet");
        }
        // Choice: what came in by a gateway and got past Block Public Access is answered.
        if !self.is_reply() {
            let open = match self.block_mode(&subnet.vpc) {
                BlockMode::Off => true,
                BlockMode::Bidirectional => self.is_excepted(subnet, false),
                BlockMode::Ingress => after_nat || self.is_excepted(subnet, false),
            };
            if !open {
                return Err("Block Public Access");
            }
            if family(self.to) == Family::V4 && !after_nat {
                self.masquerade()?;
            }
            if family(self.to) == Family::V4 && !self.public {
                return Err("no public address");
            }
        }
        self.way.crossings.push(Crossing::Internet(id.clone()));
        self.way.end = End::Internet;
        Ok(())
    }

    /// An appliance before an internet gateway is a NAT instance: it sends from its own address.
    fn masquerade(&mut self) -> Result<(), Lost> {
        let Some(id) = self.way.appliances.last() else { return Ok(()) };
        let appliance = &self.inventory.interfaces[id];
        // Choice: of several addresses, the first that has a public one.
        let own = appliance.addresses.iter().find(|own| own.address.is_ipv4() && own.public.is_some());
        let own = own.ok_or("the appliance has no public address")?;
        self.public = true;
        self.source = own.address;
        self.way.masks.push(Mask { subnet: appliance.subnet.clone(), address: own.address });
        Ok(())
    }

    fn block_mode(&self, vpc: &VpcId) -> BlockMode {
        let place = &self.inventory.vpcs[vpc].place;
        self.inventory.block_public_access.get(place).map_or(BlockMode::Off, |block| block.mode)
    }

    fn is_excepted(&self, subnet: &Subnet, both_ways: bool) -> bool {
        let place = &self.inventory.vpcs[&subnet.vpc].place;
        let Some(block) = self.inventory.block_public_access.get(place) else { return false };
        block.exclusions.iter().any(|exclusion| {
            let meant = match &exclusion.of {
                Excepted::Vpc(vpc) => *vpc == subnet.vpc,
                Excepted::Subnet(id) => *id == subnet.id,
            };
            meant && (exclusion.both_ways || !both_ways)
        })
    }

    fn by_egress_only(&mut self, id: &EgressOnlyGatewayId, subnet: &Subnet) -> Result<(), Lost> {
        let gateway = self.inventory.egress_only_gateways.get(id).ok_or("no such egress-only gateway")?;
        if gateway.vpc.as_ref() != Some(&subnet.vpc) {
            return Err("the egress-only gateway is not attached");
        }
        if family(self.to) == Family::V4 || !is_internet(self.inventory, self.to) {
            return Err("not an address of the internet");
        }
        // Choice: an exception lifts the block here as at an internet gateway.
        if self.block_mode(&subnet.vpc) == BlockMode::Bidirectional && !self.is_excepted(subnet, false) {
            return Err("Block Public Access");
        }
        self.way.crossings.push(Crossing::Outward(id.clone()));
        self.way.end = End::Internet;
        Ok(())
    }

    fn by_nat(&mut self, id: &NatGatewayId, from: &Subnet) -> Result<(), Lost> {
        if self.is_reply() {
            return Err("a reply does not go through a NAT gateway");
        }
        let nat = self.inventory.nat_gateways.get(id).ok_or("no such NAT gateway")?;
        if family(self.to) == Family::V6 {
            return Err("a NAT gateway carries IPv4");
        }
        if nat.state != "available" {
            return Err("the NAT gateway is not available");
        }
        if nat.vpc != from.vpc || !self.inventory.vpcs[&nat.vpc].contains(self.source) {
            return Err("a NAT gateway takes only what is of its own VPC");
        }
        // Only a NAT gateway and a NAT instance mask, and the instance does at the internet gateway.
        if self.way.masks.len() != 1 {
            return Err("a second NAT");
        }
        self.way.checks.push(Check::Nat);
        if from.id != nat.subnet {
            self.ask_acl(&nat.subnet, Direction::In, self.source);
        }
        let private = IpAddr::V4(nat.private_address.ok_or("the NAT gateway has no address")?);
        self.source = private;
        self.public = nat.public && nat.public_address.is_some();
        self.references = References { egress: false, ingress: false };
        self.way.masks.push(Mask { subnet: nat.subnet.clone(), address: private });
        self.fresh_nat = Some(nat.public);
        self.leave(&self.inventory.subnets[&nat.subnet])
    }

    /// From a subnet, or from a gateway whose own table leads there.
    fn by_appliance(&mut self, id: &InterfaceId, vpc: &VpcId, from: Option<&Subnet>) -> Result<(), Lost> {
        let appliance = self.inventory.interfaces.get(id).ok_or("no such interface")?;
        if !appliance.attached {
            return Err("the interface is not attached");
        }
        if appliance.has(self.to) {
            return self.arrive(vpc, from.map(|from| &from.id));
        }
        if appliance.source_dest_check {
            return Err("the interface takes only its own");
        }
        if self.way.appliances.len() == MOST_APPLIANCES {
            return Err("too many hops");
        }
        if from.is_none_or(|from| from.id != appliance.subnet) {
            self.ask_acl(&appliance.subnet, Direction::In, self.source);
        }
        if !self.is_reply() {
            let direct =
                self.references.ingress.then(|| self.sender.map(|sender| sender.id.clone())).flatten();
            self.way.checks.push(groups(appliance, Direction::In, self.source, direct));
            // Choice: what is behind an appliance is not known by its groups, to the appliance either.
            self.way.checks.push(groups(appliance, Direction::Out, self.to, None));
        }
        self.references = References { egress: false, ingress: false };
        self.way.appliances.push(id.clone());
        self.leave(&self.inventory.subnets[&appliance.subnet])
    }

    fn by_peering(&mut self, id: &PeeringId, from: &Subnet) -> Result<(), Lost> {
        let peering = self.inventory.peerings.get(id).ok_or("no such peering")?;
        if peering.state != "active" {
            return Err("the peering is not active");
        }
        let other = peering.other(&from.vpc).ok_or("the peering is not of this VPC")?;
        if !self.inventory.vpcs[&from.vpc].contains(self.source) {
            return Err("a peering takes only what is of the VPC");
        }
        let vpc = self.inventory.vpcs.get(&other.vpc).ok_or("the peer was not seen")?;
        if !vpc.contains(self.to) {
            return Err("not of the peer");
        }
        if !peering.one_region() {
            self.references = References { egress: false, ingress: false };
        }
        self.way.crossings.push(Crossing::Peering(id.clone()));
        self.arrive(&vpc.id, None)
    }

    fn by_vpn(&mut self, id: &VpnGatewayId, from: &Subnet) -> Result<(), Lost> {
        let gateway = self.inventory.vpn_gateways.get(id).ok_or("no such VPN gateway")?;
        if gateway.vpc.as_ref() != Some(&from.vpc) {
            return Err("the VPN gateway is not attached");
        }
        let vpc = &self.inventory.vpcs[&from.vpc];
        if vpc.contains(self.to) {
            return Err("the VPN gateway leads outside");
        }
        self.way.crossings.push(Crossing::Vpn(id.clone()));
        self.way.end = End::Remote(Far::Vpn(id.clone()));
        Ok(())
    }

    fn by_endpoint(&mut self, id: &EndpointId, route: &Route) -> Result<(), Lost> {
        let endpoint = self.inventory.endpoints.get(id).ok_or("no such endpoint")?;
        if endpoint.kind != EndpointKind::Gateway {
            return Err("an endpoint that routes lead nowhere by");
        }
        if endpoint.state != "available" {
            return Err("the endpoint is not available");
        }
        // The lookup found the address in the list; a plain prefix is no service.
        if !matches!(route.destination, Destination::PrefixList(_)) {
            return Err("not of the service");
        }
        self.way.checks.push(Check::GatewayEndpoint);
        self.way.crossings.push(Crossing::Service(id.clone()));
        self.way.end = End::Internet;
        Ok(())
    }

    fn by_transit(&mut self, id: &TransitGatewayId, from: &'a Subnet) -> Result<(), Lost> {
        let gateway = self.inventory.transit_gateways.get(id).ok_or("no such transit gateway")?;
        let attachment = self
            .inventory
            .attachments
            .values()
            .find(|attachment| {
                attachment.gateway == *id
                    && attachment.to == AttachmentTarget::Vpc(from.vpc.clone())
                    && attachment.state == "available"
            })
            .ok_or("the VPC is not attached")?;
        let subnets = attachment.subnets.as_ref().ok_or("its subnets were not seen")?;
        let subnet = subnets
            .iter()
            .map(|id| &self.inventory.subnets[id])
            .find(|subnet| same_zone(subnet, from))
            .ok_or("no attachment in the zone")?;
        if subnet.id != from.id {
            self.ask_acl(&subnet.id, Direction::In, self.source);
        }
        let references = gateway.group_references && attachment.group_references;
        self.transit(id, &attachment.id, Some(subnet), references)
    }

    /// From an attachment on, by the tables of one transit gateway after the other.
    fn transit(
        &mut self,
        first: &TransitGatewayId,
        attachment: &AttachmentId,
        zone: Option<&Subnet>,
        references: bool,
    ) -> Result<(), Lost> {
        let mut references = references;
        let mut at = (first.clone(), attachment.clone());
        for _ in 0..MOST_GATEWAYS {
            let attachment = self.available(&at)?;
            let table = attachment.table.as_ref().ok_or("the attachment has no table")?;
            let table = self.inventory.transit_tables.get(table).ok_or("the table was not seen")?;
            let mut best: Option<&TransitRoute> = None;
            for route in table.routes.as_ref().ok_or("its routes were not seen")? {
                let rank = |route: &TransitRoute| (route.cidr.bits(), !route.propagated);
                if route.cidr.contains(self.to) && best.is_none_or(|best| rank(route) > rank(best)) {
                    best = Some(route);
                }
            }
            let route = best.ok_or("no route of the transit gateway")?;
            if route.blackhole {
                return Err("a black hole of the transit gateway");
            }
            let next = route.attachments.first().ok_or("a route to nowhere")?;
            let here = at.0.clone();
            let next = self.available(&(here.clone(), next.clone()))?;
            match &next.to {
                AttachmentTarget::Vpc(vpc) => {
                    let vpc = vpc.clone();
                    self.way.crossings.push(Crossing::Transit(first.clone(), here));
                    let kept = references && next.group_references;
                    self.references.ingress &= kept;
                    self.references.egress = false;
                    return self.from_transit(&vpc, next, zone);
                }
                AttachmentTarget::Peer(peer) => {
                    references = false;
                    at = (peer.clone(), next.id.clone());
                }
                AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_) => {
                    if self.inventory.vpcs.values().any(|vpc| vpc.contains(self.to)) {
                        return Err("not outside");
                    }
                    self.way.end = End::Remote(Far::Transit(here.clone(), next.id.clone()));
                    self.way.crossings.push(Crossing::Transit(first.clone(), here));
                    return Ok(());
                }
                AttachmentTarget::Other(..) => return Err("no idea where that leads"),
            }
        }
        Err("too many transit gateways")
    }

    fn available(&self, id: &(TransitGatewayId, AttachmentId)) -> Result<&'a Attachment, Lost> {
        let attachment = self.inventory.attachments.get(id).ok_or("no such attachment")?;
        if attachment.state == "available" { Ok(attachment) } else { Err("the attachment is not available") }
    }

    fn from_transit(
        &mut self,
        vpc: &VpcId,
        attachment: &'a Attachment,
        zone: Option<&Subnet>,
    ) -> Result<(), Lost> {
        if !self.inventory.vpcs.get(vpc).ok_or("the VPC was not seen")?.contains(self.to) {
            return Err("not of the VPC");
        }
        let host = self.subnet_of_destination(vpc);
        let subnets: Vec<&'a Subnet> = attachment
            .subnets
            .as_ref()
            .ok_or("its subnets were not seen")?
            .iter()
            .map(|id| &self.inventory.subnets[id])
            .collect();
        let in_zone = |of: Option<&Subnet>| {
            subnets.iter().copied().find(|subnet| of.is_some_and(|of| same_zone(subnet, of)))
        };
        let subnet = in_zone(zone).or_else(|| in_zone(host)).or_else(|| subnets.first().copied());
        let subnet = subnet.ok_or("the attachment has no subnet")?;
        let table = table_of(self.inventory, subnet).ok_or("no route table")?;
        let route = lookup(self.inventory, table, self.to).ok_or("no route")?;
        if route.blackhole || route.target != RouteTarget::Local {
            return Err("it is not handed on inside the VPC");
        }
        if host.is_none_or(|host| host.id != subnet.id) {
            self.ask_acl(&subnet.id, Direction::Out, self.to);
        }
        self.arrive(vpc, Some(&subnet.id))
    }

    /// The subnet of whoever has the destination in a VPC.
    fn subnet_of_destination(&self, vpc: &VpcId) -> Option<&'a Subnet> {
        let id = match &self.goal {
            Some(goal) => goal.as_ref().map(|goal| &goal.subnet),
            None => {
                let mut hosts = self.inventory.interfaces.values();
                let host = hosts.find(|host| host.vpc == *vpc && host.attached && host.has(self.to));
                host.map(|host| &host.subnet)
            }
        };
        id.and_then(|id| self.inventory.subnets.get(id))
    }

    fn from_internet(&mut self, host: &'a Interface, inside: IpAddr) -> Result<(), Lost> {
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
        self.way.crossings.push(Crossing::Internet(gateway.id.clone()));
        self.enter(gateway.id.as_str(), &host.vpc)
    }

    fn from_remote(&mut self, far: &Far, host: &'a Interface) -> Result<(), Lost> {
        match far {
            Far::Vpn(id) => {
                let gateway = self.inventory.vpn_gateways.get(id).ok_or("no such VPN gateway")?;
                if gateway.vpc.as_ref() != Some(&host.vpc) {
                    return Err("the VPN gateway is not attached");
                }
                self.way.crossings.push(Crossing::Vpn(id.clone()));
                self.enter(id.as_str(), &host.vpc)
            }
            Far::Transit(gateway, attachment) => self.transit(gateway, attachment, None, false),
        }
    }

    /// By a gateway, whose own table may lead to an appliance.
    fn enter(&mut self, gateway: &str, vpc: &VpcId) -> Result<(), Lost> {
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

    /// From the last NAT back to the sender, each NAT handing on what it remembers.
    fn unmask(&mut self, masks: &[Mask], far: IpAddr) {
        for pair in masks.windows(2).rev() {
            let [before, after] = pair else { continue };
            if before.subnet != after.subnet {
                self.ask_acl(&after.subnet, Direction::Out, before.address);
                self.ask_acl(&before.subnet, Direction::In, far);
            }
        }
    }
}
