//! What carries a packet out of a subnet: gateways, appliances, peerings, endpoints.

use std::net::{IpAddr, Ipv4Addr};

use doorward_core::inventory::*;
use doorward_core::net::Family;

use super::check::Check;
use super::packet_path::{Crossing, End, Lost, Mask};
use super::space::{embedded, is_outside};
use super::walk::{References, Walk};
use super::{Far, family};

impl<'a> Walk<'a> {
    pub(super) fn by_internet_gateway(
        &mut self,
        id: &InternetGatewayId,
        subnet: &Subnet,
        after_nat: bool,
    ) -> Result<(), Lost> {
        let gateway = self.inventory.internet_gateways.get(id).ok_or("no such internet gateway")?;
        if gateway.vpc.as_ref() != Some(&subnet.vpc) {
            return Err("the internet gateway is not attached");
        }
        if !is_outside(self.inventory, &subnet.vpc, self.to) {
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
            if family(self.to) == Family::V6 && !self.is_of(&subnet.vpc) {
                return Err("a gateway carries IPv6 of its own VPC");
            }
            if family(self.to) == Family::V4 && !after_nat {
                self.masquerade()?;
            }
            if family(self.to) == Family::V4 && !self.public {
                return Err("no public address");
            }
        }
        self.path.crossings.push(Crossing::Internet(id.clone()));
        self.path.end = End::Internet;
        Ok(())
    }

    /// An appliance before an internet gateway is a NAT instance: it sends from its own address.
    pub(super) fn masquerade(&mut self) -> Result<(), Lost> {
        let Some(id) = &self.forwarder else { return Ok(()) };
        let appliance = &self.inventory.interfaces[id];
        // Choice: of several addresses, the first that has a public one.
        let own = appliance.addresses.iter().find(|own| own.address.is_ipv4() && own.public.is_some());
        let own = own.ok_or("the appliance has no public address")?;
        self.public = true;
        self.source = own.address;
        self.mask(&appliance.subnet, own.address);
        Ok(())
    }

    /// From here on it has another source.
    pub(super) fn mask(&mut self, subnet: &SubnetId, address: IpAddr) {
        let crossings = self.path.crossings.len();
        let subnet = subnet.clone();
        self.path.masks.push(Mask { subnet, address, to: self.to, crossings, regional: None });
    }

    pub(super) fn block_mode(&self, vpc: &VpcId) -> BlockMode {
        let account_region = &self.inventory.vpcs[vpc].account_region;
        self.inventory.block_public_access.get(account_region).map_or(BlockMode::Off, |block| block.mode)
    }

    pub(super) fn is_excepted(&self, subnet: &Subnet, both_ways: bool) -> bool {
        let account_region = &self.inventory.vpcs[&subnet.vpc].account_region;
        let Some(block) = self.inventory.block_public_access.get(account_region) else { return false };
        block.exclusions.iter().any(|exclusion| {
            let meant = match &exclusion.of {
                Excepted::Vpc(vpc) => *vpc == subnet.vpc,
                Excepted::Subnet(id) => *id == subnet.id,
            };
            meant && (exclusion.both_ways || !both_ways)
        })
    }

    pub(super) fn by_egress_only(&mut self, id: &EgressOnlyGatewayId, subnet: &Subnet) -> Result<(), Lost> {
        let gateway = self.inventory.egress_only_gateways.get(id).ok_or("no such egress-only gateway")?;
        if gateway.vpc.as_ref() != Some(&subnet.vpc) {
            return Err("the egress-only gateway is not attached");
        }
        if family(self.to) == Family::V4 || !is_outside(self.inventory, &subnet.vpc, self.to) {
            return Err("not an address of the internet");
        }
        if !self.is_of(&subnet.vpc) {
            return Err("a gateway carries IPv6 of its own VPC");
        }
        // Choice: an exception lifts the block here as at an internet gateway.
        if self.block_mode(&subnet.vpc) == BlockMode::Bidirectional && !self.is_excepted(subnet, false) {
            return Err("Block Public Access");
        }
        self.path.crossings.push(Crossing::Outward(id.clone()));
        self.path.end = End::Internet;
        Ok(())
    }

    pub(super) fn by_nat(&mut self, id: &NatGatewayId, from: &'a Subnet) -> Result<(), Lost> {
        if self.is_reply() {
            return Err("a reply does not go through a NAT gateway");
        }
        let nat = self.inventory.nat_gateways.get(id).ok_or("no such NAT gateway")?;
        let embedded = embedded(self.to);
        if family(self.to) == Family::V6 && embedded.is_none() {
            return Err("a NAT gateway carries IPv4");
        }
        if nat.state != "available" {
            return Err("the NAT gateway is not available");
        }
        if nat.vpc != from.vpc || !self.handed_over && !self.is_of(&nat.vpc) {
            return Err("a NAT gateway takes only what is of its own VPC");
        }
        self.ask(if embedded.is_some() { Check::Nat64 } else { Check::Nat });
        let NatAvailability::Zonal(subnet) = &nat.availability else {
            return self.by_regional_nat(nat, from, embedded);
        };
        if from.id != *subnet {
            self.ask_acl(subnet, Direction::In, self.source);
        }
        let private = IpAddr::V4(nat.private_address.ok_or("the NAT gateway has no address")?);
        self.source = private;
        self.public = nat.public && nat.public_address.is_some();
        self.references = References { egress: false, ingress: false };
        self.mask(subnet, private);
        self.to = embedded.map_or(self.to, IpAddr::V4);
        self.handed_over = false;
        self.forwarder = None;
        self.fresh_nat = Some(nat.public);
        self.leave(&self.inventory.subnets[subnet])
    }

    fn by_regional_nat(
        &mut self,
        nat: &'a NatGateway,
        from: &'a Subnet,
        embedded: Option<Ipv4Addr>,
    ) -> Result<(), Lost> {
        let own = IpAddr::V4(nat.public_address.ok_or("the NAT gateway has no address")?);
        self.source = own;
        self.public = true;
        self.references = References { egress: false, ingress: false };
        self.mask(&from.id, own);
        if let Some(mask) = self.path.masks.last_mut() {
            mask.regional = Some(nat.id.clone());
        }
        self.to = embedded.map_or(self.to, IpAddr::V4);
        self.handed_over = false;
        self.forwarder = None;
        self.fresh_nat = Some(true);
        self.leave_regional(nat, from)
    }

    /// From a subnet, or from a gateway whose own table leads there.
    pub(super) fn by_appliance(
        &mut self,
        id: &InterfaceId,
        vpc: &VpcId,
        from: Option<&Subnet>,
    ) -> Result<(), Lost> {
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
        if from.is_none_or(|from| from.id != appliance.subnet) {
            self.ask_acl(&appliance.subnet, Direction::In, self.source);
        }
        if !self.is_reply() {
            let direct =
                self.references.ingress.then(|| self.sender.map(|sender| sender.id.clone())).flatten();
            self.ask(Check::groups(appliance, Direction::In, self.source, direct));
            // Choice: what is behind an appliance is not known by its groups, to the appliance either.
            self.ask(Check::groups(appliance, Direction::Out, self.to, None));
        }
        self.references = References { egress: false, ingress: false };
        self.path.appliances.push(id.clone());
        self.forwarder = Some(id.clone());
        self.leave(&self.inventory.subnets[&appliance.subnet])
    }

    pub(super) fn by_peering(&mut self, id: &PeeringId, from: &Subnet) -> Result<(), Lost> {
        let peering = self.inventory.peerings.get(id).ok_or("no such peering")?;
        if peering.state != "active" {
            return Err("the peering is not active");
        }
        let other = peering.other(&from.vpc).ok_or("the peering is not of this VPC")?;
        if !self.inventory.vpcs[&from.vpc].contains(self.source) {
            return Err("a peering takes only what is of the VPC");
        }
        let Some(vpc) = self.inventory.vpcs.get(&other.vpc) else {
            if !other.cidrs.iter().any(|cidr| cidr.contains(self.to)) {
                return Err("not of the peer");
            }
            self.path.unsure = true;
            self.path.crossings.push(Crossing::Peering(id.clone()));
            self.path.end = End::Remote(Far::Peering(id.clone()));
            return Ok(());
        };
        if !vpc.contains(self.to) {
            return Err("not of the peer");
        }
        if !peering.one_region() {
            self.references = References { egress: false, ingress: false };
        }
        self.path.crossings.push(Crossing::Peering(id.clone()));
        self.arrive(&vpc.id, None)
    }

    pub(super) fn by_vpn(&mut self, id: &VpnGatewayId, from: &Subnet) -> Result<(), Lost> {
        let gateway = self.inventory.vpn_gateways.get(id).ok_or("no such VPN gateway")?;
        if gateway.vpc.as_ref() != Some(&from.vpc) {
            return Err("the VPN gateway is not attached");
        }
        let vpc = &self.inventory.vpcs[&from.vpc];
        if vpc.contains(self.to) {
            return Err("the VPN gateway leads outside");
        }
        if !self.is_of(&from.vpc) {
            return Err("the VPN gateway carries what is of its VPC");
        }
        let ours: Vec<&VpnConnection> = self
            .inventory
            .vpn_connections
            .values()
            .filter(|connection| connection.gateway.as_ref() == Some(id))
            .collect();
        let leads =
            |connection: &&&VpnConnection| connection.routes.iter().any(|cidr| cidr.contains(self.to));
        let (routed, up): (Vec<_>, Vec<_>) =
            (ours.iter().filter(leads).collect(), ours.iter().filter(|it| it.is_up()).collect());
        let tables = self.inventory.route_tables.values().filter(|table| table.vpc == from.vpc);
        let propagated = tables.flat_map(|table| &table.routes).any(|route| {
            let there = matches!(&route.destination, Destination::Cidr(cidr) if cidr.contains(self.to));
            there
                && route.propagated
                && !route.blackhole
                && route.target == RouteTarget::VpnGateway(id.clone())
        });
        // [20] A connection that is down carries nothing. What is propagated all the same may come from Direct Connect.
        let known = match (routed.is_empty(), propagated) {
            (false, _) if routed.iter().any(|it| it.is_up()) => true,
            (false, _) => return Err("the VPN connection is down"),
            (true, true) => !up.is_empty() || ours.is_empty(),
            (true, false) if !ours.is_empty() && up.is_empty() => return Err("the VPN connections are down"),
            (true, false) => false,
        };
        self.path.unsure |= !known;
        self.path.crossings.push(Crossing::Vpn(id.clone()));
        self.path.end = End::Remote(Far::Vpn(id.clone()));
        Ok(())
    }

    pub(super) fn by_endpoint(&mut self, id: &EndpointId, route: &Route, from: &Subnet) -> Result<(), Lost> {
        let endpoint = self.inventory.endpoints.get(id).ok_or("no such endpoint")?;
        if endpoint.kind != EndpointKind::Gateway {
            return Err("an endpoint that routes lead nowhere by");
        }
        if !endpoint.state.eq_ignore_ascii_case("available") {
            return Err("the endpoint is not available");
        }
        if !self.is_of(&from.vpc) {
            return Err("the endpoint carries what is of its VPC");
        }
        // The lookup found the address in the list; a plain prefix is no service.
        if !matches!(route.destination, Destination::PrefixList(_)) {
            return Err("not of the service");
        }
        self.ask(Check::GatewayEndpoint);
        self.path.crossings.push(Crossing::Service(id.clone()));
        self.path.end = End::Internet;
        Ok(())
    }
}
