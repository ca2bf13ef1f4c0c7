//! The way that a packet takes, hop by hop, and the way of its reply.
//!
//! A route is chosen by the destination alone, so the way can be walked before it is known what takes it.

use std::net::IpAddr;

use doorward_core::inventory::*;
use doorward_core::net::Family;

use super::check::Check;
use super::space::is_internet;
use super::walk::{References, Walk};
use super::{Far, Point, family};

pub type Lost = &'static str;

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
    /// Whether it meets something that was not recorded.
    pub unsure: bool,
    /// Whether it cannot be followed to its end, so that nothing is known of the way back.
    pub lost_track: bool,
    /// From inside to a public address: the way out to the internet, the source there, and the way in.
    pub halves: Option<Box<(Way, IpAddr, Way)>>,
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
}

/// Walks from one point to another; what is in the way of every packet ends it.
pub fn forward(inventory: &Inventory, from: &Point, to: &Point) -> Result<Way, Lost> {
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
            walk.way.masks.push(Mask { subnet: host.subnet.clone(), address: *address });
            walk.leave(&inventory.subnets[&host.subnet])?;
        }
        Point::Internet(address) => {
            if !is_internet(inventory, *address) {
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
    let arrived = match (&walk.way.end, to) {
        (End::Host(id), Point::Host(wanted, _)) => id == wanted,
        (End::Internet, Point::Internet(_)) => true,
        (End::Remote(far), Point::Remote(wanted, _)) => far == wanted,
        (End::Anywhere, _) => true,
        _ => false,
    };
    if !arrived {
        return Err("it ends elsewhere");
    }
    if walk.way.end == End::Anywhere {
        walk.references = References { egress: false, ingress: false };
        match (from, to) {
            (Point::Host(..), Point::Host(id, _)) => walk.way.end = End::Host(id.clone()),
            // Choice: what comes from outside comes in by the gateway that was named, whatever else it meets.
            (_, Point::Host(id, _)) => walk.arrive(&inventory.interfaces[id].vpc, None)?,
            _ => {}
        }
        walk.way.lost_track = matches!(from, Point::Host(..));
    }
    if let (Some(sender), End::Host(id)) = (walk.sender, &walk.way.end) {
        let peer = walk.references.egress.then(|| id.clone());
        walk.way.checks.push(Check::groups(sender, Direction::Out, walk.to, peer));
        let peer = walk.references.ingress.then(|| sender.id.clone());
        walk.way.checks.push(Check::groups(&inventory.interfaces[id], Direction::In, walk.source, peer));
    } else if let Some(sender) = walk.sender {
        walk.way.checks.push(Check::groups(sender, Direction::Out, walk.to, None));
    } else if let End::Host(id) = &walk.way.end {
        walk.way.checks.push(Check::groups(&inventory.interfaces[id], Direction::In, walk.source, None));
    }
    Ok(walk.way)
}

/// [5] [14] Whoever is inside goes out to the internet and comes in again, from a public address.
fn to_public(
    inventory: &Inventory,
    from: &Point,
    id: &InterfaceId,
    inside: IpAddr,
    public: IpAddr,
) -> Result<Way, Lost> {
    let host = Point::Host(id.clone(), inside);
    match from {
        Point::Internet(_) => return forward(inventory, from, &host),
        Point::Remote(..) => return Err("a VPN leads to private addresses only"),
        Point::Public(..) => return Err("a public address sends nothing"),
        Point::Host(sender, _) if sender == id => return Err("itself"),
        Point::Host(..) => {}
    }
    let out = forward(inventory, from, &Point::Internet(public))?;
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
    let source = own.or(nat.and_then(|nat| nat.public_address)).ok_or("no public address")?;
    let inward = forward(inventory, &Point::Internet(source.into()), &host)?;
    let checks = out.checks.iter().chain(&inward.checks).cloned().collect();
    let appliances = out.appliances.iter().chain(&inward.appliances).cloned().collect();
    let crossings = out.crossings.iter().chain(&inward.crossings).cloned().collect();
    Ok(Way {
        family: out.family,
        checks,
        end: inward.end.clone(),
        appliances,
        crossings,
        masks: out.masks.clone(),
        unsure: out.unsure || inward.unsure,
        lost_track: false,
        halves: Some(Box::new((out, source.into(), inward))),
    })
}

/// Walks the way of a reply, which has to come back the way that the packet took.
pub fn back(inventory: &Inventory, from: &Point, to: &Point, forward: &Way) -> Result<Way, Lost> {
    if let (Some(halves), Point::Public(id, inside, public)) = (&forward.halves, to) {
        let (out, source, inward) = halves.as_ref();
        let mut way = back(inventory, &Point::Internet(*source), &Point::Host(id.clone(), *inside), inward)?;
        let rest = back(inventory, from, &Point::Internet(*public), out)?;
        way.checks.extend(rest.checks);
        way.unsure |= rest.unsure;
        return Ok(way);
    }
    let to = &match to {
        Point::Public(id, inside, _) => Point::Host(id.clone(), *inside),
        other => other.clone(),
    };
    let goal = forward.masks.last().cloned();
    let address = goal.as_ref().map_or(from.address(), |goal| goal.address);
    let mut walk = Walk::new(inventory, to.address(), address);
    walk.goal = Some(goal.clone());
    if forward.lost_track {
        return Ok(walk.way);
    }
    match to {
        Point::Public(..) => return Err("it is the host"),
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
                Some(crossing @ Crossing::Peering(_)) => {
                    walk.way.crossings.push(crossing.clone());
                    walk.arrive(&vpc, None)?;
                }
                None => return Err("it ends elsewhere"),
            }
        }
    }
    let arrived = match (&walk.way.end, from) {
        (End::Goal, Point::Host(..)) => true,
        (End::Internet, Point::Internet(_)) => true,
        (End::Remote(far), Point::Remote(wanted, _)) => far == wanted,
        (End::Anywhere, _) => true,
        _ => false,
    };
    if !arrived {
        return Err("the reply ends elsewhere");
    }
    if walk.way.end == End::Anywhere {
        return Ok(walk.way);
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
