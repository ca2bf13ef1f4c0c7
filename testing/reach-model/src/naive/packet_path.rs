//! The way that a packet takes, hop by hop, and the way of its reply.
//!
//! A route is chosen by the destination alone, so the way can be walked before it is known what takes it.

use std::net::IpAddr;

use doorward_core::inventory::*;
use doorward_core::net::Family;

use super::balancers::balancer_of;
use super::check::Check;
use super::space::{amazons, is_global, is_internet};
use super::walk::{References, Walk};
use super::{Far, Point, family};

pub type Lost = &'static str;

/// A way from one end to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketPath {
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
    /// The address that it was sent to in the end, where a NAT gateway made IPv4 of IPv6.
    pub server: Option<IpAddr>,
    /// Whether it meets something that was not recorded.
    pub unsure: bool,
    /// Whether it cannot be followed to its end, so that nothing is known of the way back.
    pub lost_track: bool,
    /// From inside to a public address: the way out to the internet, the source there, and the way in.
    pub halves: Option<Box<(PacketPath, IpAddr, PacketPath)>>,
}

/// Where a way ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// At who has the address: an interface, or the goal of a reply.
    Host(InterfaceId),
    Goal,
    Internet,
    Remote(Far),
    /// Behind something that was not recorded, which may hand it on to anybody.
    Anywhere,
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
    /// Where the packet was sent to by then, and how often it had left or entered a VPC.
    pub to: IpAddr,
    pub crossings: usize,
    /// The NAT gateway whose it is, if that is in no subnet but in the VPC of this one.
    pub regional: Option<NatGatewayId>,
}

/// Walks from one point to another; what is in the way of every packet ends it.
pub fn forward(inventory: &Inventory, from: &Point, to: &Point) -> Result<PacketPath, Lost> {
    if family(from.address()) != family(to.address()) {
        return Err("another family");
    }
    if let Point::Public(id, inside, public) = to {
        return to_public(inventory, from, id, *inside, *public);
    }
    let mut walk = Walk::new(inventory, from.address(), to.address());
    match from {
        Point::Public(..) => return Err("a public address sends nothing"),
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
            walk.mask(&host.subnet, *address);
            // [9] Neither groups nor ACLs are asked, and no route.
            if let Some(packets) = amazons(&inventory.vpcs[&host.vpc], to.address()) {
                walk.path.checks.push(Check::Answers(packets));
                return Ok(walk.path);
            }
            walk.leave(&inventory.subnets[&host.subnet])?;
        }
        Point::Amazon(_) => return Err("it asks nobody"),
        Point::Internet(address) => {
            if !is_internet(inventory, *address) && !is_global(*address) {
                return Err("not an address of the internet");
            }
            let Point::Host(id, inside) = to else { return Err("from outside to outside") };
            walk.enter_by_internet(&inventory.interfaces[id], *inside)?;
        }
        Point::Remote(far, _) => {
            walk.references = References { egress: false, ingress: false };
            let Point::Host(id, _) = to else { return Err("from outside to outside") };
            walk.enter_from_afar(far, &inventory.interfaces[id])?;
        }
    }
    // [15] By IPv6 another VPC is on the internet as well.
    if let (Point::Host(sender, _), Point::Host(id, inside)) = (from, to)
        && inside.is_ipv6()
        && matches!(walk.path.crossings.last(), Some(Crossing::Internet(_) | Crossing::Outward(_)))
        && inventory.interfaces[sender].vpc != inventory.interfaces[id].vpc
    {
        let mut out = forward(inventory, from, &Point::Internet(*inside))?;
        sends(inventory, &mut out, from, id, *inside);
        return joined(inventory, out, from.address(), to);
    }
    walk.path.server = Some(walk.to).filter(|server| *server != to.address());
    let arrived = match (&walk.path.end, to) {
        (End::Host(id), Point::Host(wanted, _)) => id == wanted,
        (End::Internet, Point::Internet(_)) => true,
        (End::Remote(far), Point::Remote(wanted, _)) => far == wanted,
        // Nobody hands a packet on to an interface that is attached to nothing.
        (End::Anywhere, Point::Host(wanted, _)) => inventory.interfaces[wanted].attached,
        (End::Anywhere, _) => true,
        _ => false,
    };
    if !arrived {
        return Err("it ends elsewhere");
    }
    if walk.path.end == End::Anywhere {
        walk.references = References { egress: false, ingress: false };
        match (from, to) {
            (Point::Host(..), Point::Host(id, _)) => {
                walk.takes_in(&inventory.interfaces[id])?;
                walk.path.end = End::Host(id.clone());
            }
            // Choice: what comes from outside comes in by the gateway that was named, whatever else it meets.
            (_, Point::Host(id, _)) => walk.arrive(&inventory.interfaces[id].vpc, None)?,
            _ => {}
        }
        walk.path.lost_track = matches!(from, Point::Host(..));
    }
    let receiver = match &walk.path.end {
        End::Host(id) => Some(id.clone()),
        _ => None,
    };
    if let Some(sender) = walk.sender {
        let peer = receiver.clone().filter(|_| walk.references.egress);
        // The packet as it was sent.
        walk.path.checks.push(Check::groups(sender, Direction::Out, to.address(), peer));
    }
    if let (Some(id), Point::Remote(Far::Peering(peering), other)) = (&receiver, from)
        && inventory.peerings[peering].one_region()
    {
        walk.ask(Check::GroupsForAStranger { of: id.clone(), other: *other });
    } else if let Some(id) = &receiver {
        let peer = walk.sender.filter(|_| walk.references.ingress).map(|sender| sender.id.clone());
        walk.ask(Check::groups(&inventory.interfaces[id], Direction::In, walk.source, peer));
    }
    if let Some(id) = &receiver {
        balancers(inventory, &mut walk, id, to.address());
    }
    Ok(walk.path)
}

/// [5] [14] Whoever is inside goes out to the internet and comes in again, from a public address.
fn to_public(
    inventory: &Inventory,
    from: &Point,
    id: &InterfaceId,
    inside: IpAddr,
    public: IpAddr,
) -> Result<PacketPath, Lost> {
    let host = Point::Host(id.clone(), inside);
    match from {
        Point::Internet(_) => return forward(inventory, from, &host),
        Point::Remote(..) => return Err("a VPN leads to private addresses only"),
        Point::Public(..) | Point::Amazon(_) => return Err("a public address sends nothing"),
        Point::Host(sender, _) if sender == id => return Err("itself"),
        Point::Host(..) => {}
    }
    let mut out = forward(inventory, from, &Point::Internet(public))?;
    sends(inventory, &mut out, from, id, public);
    if out.lost_track {
        return Ok(out);
    }
    if !matches!(out.crossings.last(), Some(Crossing::Internet(_))) {
        return Err("it does not leave by an internet gateway");
    }
    let last = out.masks.last().ok_or("nobody sends")?;
    let vpc = &inventory.subnets[&last.subnet].vpc;
    let public_of = |host: &Interface| {
        host.addresses.iter().find(|own| own.address == last.address).and_then(|own| own.public)
    };
    let own = inventory.interfaces.values().filter(|host| host.vpc == *vpc).find_map(public_of);
    let mut nats = inventory.nat_gateways.values().filter(|nat| nat.vpc == *vpc);
    let nat = nats.find(|nat| nat.private_address.map(IpAddr::V4) == Some(last.address));
    let told = own.or(nat.and_then(|nat| nat.public_address)).map(IpAddr::V4);
    let regional = last.regional.as_ref().map(|_| last.address);
    let source = regional.or(told).ok_or("no public address")?;
    joined(inventory, out, source, &host)
}

/// [21] Targets are registered by what is not public.
fn sends(inventory: &Inventory, out: &mut PacketPath, from: &Point, to: &InterfaceId, address: IpAddr) {
    if let Point::Host(sender, _) = from
        && balancer_of(inventory, &inventory.interfaces[sender]).is_some()
    {
        let (node, to) = (sender.clone(), to.clone());
        out.checks.push(Check::Sends { node, to, address });
    }
}

/// A way out to the internet, and from there in to an interface.
fn joined(inventory: &Inventory, out: PacketPath, source: IpAddr, host: &Point) -> Result<PacketPath, Lost> {
    let inward = forward(inventory, &Point::Internet(source), host)?;
    let checks = out.checks.iter().chain(&inward.checks).cloned().collect();
    let appliances = out.appliances.iter().chain(&inward.appliances).cloned().collect();
    let crossings = out.crossings.iter().chain(&inward.crossings).cloned().collect();
    Ok(PacketPath {
        family: out.family,
        checks,
        end: inward.end.clone(),
        appliances,
        crossings,
        masks: out.masks.clone(),
        server: None,
        unsure: out.unsure || inward.unsure,
        lost_track: false,
        halves: Some(Box::new((out, source, inward))),
    })
}

/// [21] A node of a load balancer sends to its targets, and takes what it listens to.
fn balancers(inventory: &Inventory, walk: &mut Walk<'_>, id: &InterfaceId, address: IpAddr) {
    let receiver = &inventory.interfaces[id];
    if let Some((sender, balancer)) =
        walk.sender.and_then(|sender| Some((sender, balancer_of(inventory, sender)?)))
    {
        walk.ask(Check::Sends { node: sender.id.clone(), to: id.clone(), address });
        // [21] A classic one meets the ACL on its way out also within a subnet.
        if balancer.kind == LoadBalancerKind::Classic && sender.subnet == receiver.subnet {
            let subnet = sender.subnet.clone();
            walk.ask(Check::Acl { subnet, direction: Direction::Out, other: address });
        }
    }
    if balancer_of(inventory, receiver).is_some() {
        walk.ask(Check::Listens { node: id.clone() });
    }
}

/// Walks the way of a reply, which has to come back the way that the packet took.
pub fn back(
    inventory: &Inventory,
    from: &Point,
    to: &Point,
    forward: &PacketPath,
) -> Result<PacketPath, Lost> {
    if let (Some(halves), Point::Public(id, inside, there) | Point::Host(id, inside @ there)) =
        (&forward.halves, to)
    {
        let (out, source, inward) = halves.as_ref();
        let mut path = back(inventory, &Point::Internet(*source), &Point::Host(id.clone(), *inside), inward)?;
        let rest = back(inventory, from, &Point::Internet(*there), out)?;
        path.checks.extend(rest.checks);
        path.unsure |= rest.unsure;
        return Ok(path);
    }
    let to = &match to {
        Point::Public(id, inside, _) => Point::Host(id.clone(), *inside),
        other => other.clone(),
    };
    let goal = forward.masks.last().cloned();
    let address = goal.as_ref().map_or(from.address(), |goal| goal.address);
    let mut walk = Walk::new(inventory, forward.server.unwrap_or(to.address()), address);
    walk.client = forward.family;
    walk.goal = Some(goal.clone());
    let answered = matches!(forward.checks.as_slice(), [Check::Answers(_)]);
    if forward.lost_track || answered {
        return Ok(walk.path);
    }
    match to {
        Point::Public(..) => return Err("it is the host"),
        Point::Host(id, _) => walk.leave(&inventory.subnets[&inventory.interfaces[id].subnet])?,
        Point::Internet(_) | Point::Remote(..) => {
            let Some(goal) = &goal else { return Err("from outside to outside") };
            walk.back_in(goal, forward)?;
        }
        Point::Amazon(_) => return Err("it is not answered"),
    }
    let mut path = walk.path;
    if path.end == End::Anywhere {
        return Ok(path);
    }
    let last = forward.masks.last().map_or(0, |mask| mask.crossings);
    came_back(&path, from, goal.as_ref(), forward, last..forward.crossings.len())?;
    let origin = matches!(from, Point::Host(..));
    for (number, after) in forward.masks.iter().enumerate().skip(usize::from(origin)).rev() {
        let before = number.checked_sub(1).map(|before| &forward.masks[before]);
        let to = before.map_or(from.address(), |before| before.address);
        let mut walk = Walk::new(inventory, after.to, to);
        walk.client = forward.family;
        walk.goal = Some(before.cloned());
        let subnet = &inventory.subnets[&after.subnet];
        match &after.regional {
            Some(nat) => walk.leave_regional(&inventory.nat_gateways[nat], subnet)?,
            None => walk.leave(subnet)?,
        }
        path.checks.append(&mut walk.path.checks);
        path.unsure |= walk.path.unsure;
        if walk.path.end != End::Anywhere {
            let crossings = before.map_or(0, |before| before.crossings)..after.crossings;
            came_back(&walk.path, from, before, forward, crossings)?;
        }
    }
    Ok(path)
}

/// Whether a reply got to a mask, or to the client, and by the path of the packet.
fn came_back(
    reply: &PacketPath,
    from: &Point,
    mask: Option<&Mask>,
    forward: &PacketPath,
    crossings: std::ops::Range<usize>,
) -> Result<(), Lost> {
    let arrived = match (&reply.end, from, mask) {
        (End::Goal, _, Some(_)) => true,
        (End::Internet, Point::Internet(_), None) => true,
        (End::Remote(far), Point::Remote(wanted, _), None) => far == wanted,
        _ => false,
    };
    if !arrived {
        return Err("the reply ends elsewhere");
    }
    // To what is behind a VPN, any gateway will do whose tables lead back to the attachment.
    let any_transit = mask.is_none() && matches!(from, Point::Remote(..));
    by_its_path(reply, forward, crossings, any_transit)
}

/// It comes back through what it went through, or directly; by anything else it belongs to no connection.
fn by_its_path(
    reply: &PacketPath,
    forward: &PacketPath,
    crossings: std::ops::Range<usize>,
    any_transit: bool,
) -> Result<(), Lost> {
    if reply.appliances.iter().any(|id| !forward.appliances.contains(id)) {
        return Err("the reply comes by another appliance");
    }
    match (forward.crossings[crossings].last(), reply.crossings.first()) {
        (None, None) => Ok(()),
        // Choice: the reply is handed to the gateway that the packet came out of; which gateways carry it on
        // from there is for their own tables to say.
        (Some(Crossing::Transit(_, out)), Some(Crossing::Transit(into, _))) if out == into => Ok(()),
        (Some(Crossing::Transit(..)), Some(Crossing::Transit(..))) if any_transit => Ok(()),
        (Some(one), Some(other)) if one == other => Ok(()),
        _ => Err("the reply comes by another way"),
    }
}
