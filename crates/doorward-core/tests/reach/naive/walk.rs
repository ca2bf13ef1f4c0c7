//! A packet on its way: out of subnets by their tables, in from gateways, to whoever has the address.

use std::net::IpAddr;

use doorward_core::inventory::*;

use super::check::Check;
use super::space::{lookup, table_of};
use super::way::{Crossing, End, Lost, Mask, Way};
use super::{Far, family};

/// How far the groups of the sender and the receiver are known to each other.
#[derive(Debug, Clone, Copy)]
pub struct References {
    pub egress: bool,
    pub ingress: bool,
}

/// A packet on its way, or a reply.
pub struct Walk<'a> {
    pub inventory: &'a Inventory,
    /// The destination.
    pub to: IpAddr,
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
    pub references: References,
    pub way: Way,
}

impl<'a> Walk<'a> {
    pub(super) fn new(inventory: &'a Inventory, source: IpAddr, to: IpAddr) -> Self {
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
        self.way.checks.push(Check::Acl { subnet: subnet.clone(), direction, other });
    }

    /// From whoever is in a subnet.
    pub(super) fn leave(&mut self, subnet: &'a Subnet) -> Result<(), Lost> {
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
                // [16] No endpoint, of a private one neither. Choice: and no appliance.
                _ => false,
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
            RouteTarget::Other(_) => self.out_of_sight(),
        }
    }

    /// Into something that was not recorded: it may hand the packet on to anybody.
    pub(super) fn out_of_sight(&mut self) -> Result<(), Lost> {
        self.way.unsure = true;
        self.way.end = End::Anywhere;
        Ok(())
    }

    pub(super) fn interface_of(&self, id: &InstanceId) -> Result<InterfaceId, Lost> {
        let instance = self.inventory.instances.get(id).ok_or("no such instance")?;
        match instance.interfaces.iter().collect::<Vec<_>>().as_slice() {
            [only] => Ok((*only).clone()),
            _ => Err("not one interface"),
        }
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
        self.way.crossings.push(Crossing::Internet(gateway.id.clone()));
        self.enter(gateway.id.as_str(), &host.vpc)
    }

    pub(super) fn enter_from_afar(&mut self, far: &Far, host: &'a Interface) -> Result<(), Lost> {
        match far {
            Far::Vpn(id) => {
                let gateway = self.inventory.vpn_gateways.get(id).ok_or("no such VPN gateway")?;
                if gateway.vpc.as_ref() != Some(&host.vpc) {
                    return Err("the VPN gateway is not attached");
                }
                self.way.crossings.push(Crossing::Vpn(id.clone()));
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
                self.way.unsure = true;
                self.way.crossings.push(Crossing::Peering(id.clone()));
                self.arrive(&host.vpc, None)
            }
            Far::Transit(gateway, attachment) => {
                let known = self.available(&(gateway.clone(), attachment.clone()))?;
                self.way.unsure |=
                    !matches!(known.to, AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_));
                self.transit(gateway, attachment, None, false)
            }
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

    /// From the last NAT back to the sender, each NAT handing on what it remembers.
    pub(super) fn unmask(&mut self, masks: &[Mask], far: IpAddr) {
        for pair in masks.windows(2).rev() {
            let [before, after] = pair else { continue };
            if before.subnet != after.subnet {
                self.ask_acl(&after.subnet, Direction::Out, before.address);
                self.ask_acl(&before.subnet, Direction::In, far);
            }
        }
    }
}
