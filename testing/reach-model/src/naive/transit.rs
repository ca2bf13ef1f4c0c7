//! Transit gateways: in by an attachment, by the tables of one after the other, out by another.

use doorward_core::inventory::*;

use super::Far;
use super::packet_path::{Crossing, End, Lost};
use super::space::same_zone;
use super::walk::Walk;

const MOST_GATEWAYS: usize = 4;

impl<'a> Walk<'a> {
    pub(super) fn by_transit(&mut self, id: &TransitGatewayId, from: &'a Subnet) -> Result<(), Lost> {
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
        if subnet.id != from.id || self.regional {
            self.ask_acl(&subnet.id, Direction::In, self.source);
        }
        let references = gateway.group_references && attachment.group_references;
        self.transit(id, &attachment.id, Some(subnet), references)
    }

    /// From an attachment on, by the tables of one transit gateway after the other.
    pub(super) fn transit(
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
                AttachmentTarget::Vpc(vpc) if !self.inventory.vpcs.contains_key(vpc) => {
                    return self.out_of_sight();
                }
                AttachmentTarget::Vpc(vpc) => {
                    let vpc = vpc.clone();
                    self.path.crossings.push(Crossing::Transit(first.clone(), here));
                    let kept = references && next.group_references;
                    self.references.ingress &= kept;
                    self.references.egress = false;
                    return self.out_of_transit(&vpc, next, zone);
                }
                AttachmentTarget::Peer(peer)
                    if !self.inventory.attachments.contains_key(&(peer.clone(), next.id.clone())) =>
                {
                    return self.out_of_sight();
                }
                AttachmentTarget::Peer(peer) => {
                    references = false;
                    at = (peer.clone(), next.id.clone());
                }
                AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_) => {
                    self.vpn_is_up(next)?;
                    if self.inventory.vpcs.values().any(|vpc| vpc.contains(self.to)) {
                        return Err("not outside");
                    }
                    self.path.end = End::Remote(Far::Transit(here.clone(), next.id.clone()));
                    self.path.crossings.push(Crossing::Transit(first.clone(), here));
                    return Ok(());
                }
                AttachmentTarget::Other(..) => return self.out_of_sight(),
            }
        }
        Err("too many transit gateways")
    }

    pub(super) fn available(&self, id: &(TransitGatewayId, AttachmentId)) -> Result<&'a Attachment, Lost> {
        let attachment = self.inventory.attachments.get(id).ok_or("no such attachment")?;
        if attachment.state == "available" { Ok(attachment) } else { Err("the attachment is not available") }
    }

    pub(super) fn vpn_is_up(&self, attachment: &Attachment) -> Result<(), Lost> {
        let AttachmentTarget::Vpn(id) = &attachment.to else { return Ok(()) };
        match self.inventory.vpn_connections.get(id) {
            Some(connection) if !connection.is_up() => Err("the VPN connection is down"),
            _ => Ok(()),
        }
    }

    /// Into a subnet of the attachment, and on by that subnet's table.
    pub(super) fn out_of_transit(
        &mut self,
        vpc: &VpcId,
        attachment: &'a Attachment,
        zone: Option<&Subnet>,
    ) -> Result<(), Lost> {
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
        let kept = if attachment.appliance_mode { None } else { in_zone(zone).or_else(|| in_zone(host)) };
        let subnet = kept.or_else(|| subnets.first().copied()).ok_or("the attachment has no subnet")?;
        self.public = false;
        self.forwarder = None;
        self.handed_over = true;
        self.fresh_nat = None;
        self.leave(subnet)
    }

    /// The subnet of whoever has the destination in a VPC.
    pub(super) fn subnet_of_destination(&self, vpc: &VpcId) -> Option<&'a Subnet> {
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
}
