//! What goes through a load balancer: one connection of the client, and one of the balancer's node to a target.

use std::collections::BTreeSet;
use std::net::IpAddr;

use doorward_core::inventory::*;

use super::check::Check;
use super::packet_path::{Crossing, Lost, PacketPath, back, forward};
use super::{Packet, Point, family};

/// The balancer that an interface is a node of: ELB says so in its description.
pub fn balancer_of<'a>(inventory: &'a Inventory, host: &Interface) -> Option<&'a LoadBalancer> {
    let own = host.description.strip_prefix("ELB ")?;
    let is = |balancer: &&LoadBalancer| balancer.arn.ends_with(&format!("loadbalancer/{own}"));
    inventory.load_balancers.values().find(is)
}

/// The packets of a protocol of load balancers at a port.
fn packets(protocol: &str, port: u16) -> Vec<Packet> {
    match protocol {
        "UDP" | "QUIC" | "GENEVE" => vec![Packet::Udp(port)],
        "TCP_UDP" | "TCP_QUIC" => vec![Packet::Tcp(port), Packet::Udp(port)],
        _ => vec![Packet::Tcp(port)],
    }
}

/// [21] A balancer that is active takes what one of its listeners listens to. A Gateway Load Balancer takes what
/// comes by its endpoints only.
pub fn listens(balancer: &LoadBalancer, packet: Packet) -> bool {
    let up = !matches!(balancer.state.as_deref(), Some("failed" | "provisioning"));
    let listeners = balancer.listeners.iter().flatten();
    let mut taken = listeners.flat_map(|listener| packets(&listener.protocol, listener.port));
    up && balancer.kind != LoadBalancerKind::Gateway && taken.any(|taken| taken == packet)
}

/// What a node takes and then sends to a target.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    pub heard: Packet,
    pub sent: Packet,
    /// Whether the target sees the client's address.
    pub kept: bool,
}

/// [21] All that a node sends to an address of an interface.
pub fn sendings(inventory: &Inventory, node: &Interface, host: &Interface, address: IpAddr) -> Vec<Sending> {
    let mut sendings = Vec::new();
    let Some(balancer) = balancer_of(inventory, node) else { return sendings };
    for listener in balancer.listeners.iter().flatten() {
        for group in listener.target_groups.iter().filter_map(|arn| inventory.target_groups.get(arn)) {
            for target in group.targets.iter().flatten() {
                let leaving = target.health.as_deref() == Some("draining");
                let there = is_target(inventory, group, target, host, address);
                let port = listener.instance_port.or(target.port).or(group.port);
                let (Some(port), true, false) = (port, there, leaving) else { continue };
                if group.kind == "lambda" || !zones_allow(inventory, balancer, group, target, node, host) {
                    continue;
                }
                let always = ["UDP", "QUIC"].iter().any(|protocol| group.protocol.contains(protocol));
                let kept = balancer.kind == LoadBalancerKind::Network
                    && (always || group.preserves_client == Some(true));
                for sent in packets(&group.protocol, port) {
                    let heard = packets(&listener.protocol, listener.port).into_iter();
                    let same =
                        |heard: &Packet| matches!(heard, Packet::Tcp(_)) == matches!(sent, Packet::Tcp(_));
                    sendings.extend(heard.filter(same).map(|heard| Sending { heard, sent, kept }));
                }
            }
        }
    }
    sendings
}

fn is_target(
    inventory: &Inventory,
    group: &TargetGroup,
    target: &Target,
    host: &Interface,
    address: IpAddr,
) -> bool {
    if let Some(balancer) = inventory.load_balancers.get(&target.id) {
        return balancer_of(inventory, host).is_some_and(|own| own.arn == balancer.arn);
    }
    if let Ok(wanted) = target.id.parse::<IpAddr>() {
        let home = group.vpc.as_ref().map(|vpc| &inventory.vpcs[vpc]);
        let meant = home.is_none_or(|home| home.id == host.vpc || !home.contains(wanted));
        return wanted == address && meant;
    }
    let primary = host.addresses.iter().find(|own| family(own.address) == family(address));
    host.instance.as_ref().is_some_and(|id| id.as_str() == target.id)
        && primary.is_some_and(|own| own.address == address)
}

/// [21] A target has to be in an enabled zone, and in the node's unless it sends across zones.
fn zones_allow(
    inventory: &Inventory,
    balancer: &LoadBalancer,
    group: &TargetGroup,
    target: &Target,
    node: &Interface,
    host: &Interface,
) -> bool {
    if node.vpc != host.vpc || target.zone.as_deref() == Some("all") {
        return true;
    }
    let zone = |subnet: &SubnetId| {
        let subnet = &inventory.subnets[subnet];
        subnet.zone_id.clone().or_else(|| subnet.zone.clone())
    };
    let across = match group.cross_zone {
        Some(CrossZone::On) => true,
        Some(CrossZone::Off) => false,
        _ => balancer.kind == LoadBalancerKind::Application || balancer.cross_zone == Some(true),
    };
    let far = zone(&host.subnet);
    balancer.subnets.iter().any(|subnet| zone(subnet) == far) && (across || zone(&node.subnet) == far)
}

/// A way with the way of its reply.
pub type Ways = Vec<(PacketPath, Result<PacketPath, Lost>)>;

/// A way through a balancer.
#[derive(Debug)]
pub struct Handed {
    /// To the node, straight and by a balancer before it.
    pub first: Ways,
    pub before: Vec<Handed>,
    pub sending: Sending,
    /// From the node to the target.
    pub second: (PacketPath, Result<PacketPath, Lost>),
    /// Whether the target sees the client, so that replies go to the client's own port all the way.
    pub kept: bool,
}

/// The ways from one point to another through load balancers; at most two of them stand behind each other.
pub fn through(inventory: &Inventory, from: &Point, to: &Point, most: usize) -> Vec<Handed> {
    let Point::Host(id, address) = to else { return Vec::new() };
    let mut handed = Vec::new();
    let nodes = inventory.interfaces.values().filter(|node| most > 0 && node.attached && node.id != *id);
    for node in nodes {
        let sendings = sendings(inventory, node, &inventory.interfaces[id], *address);
        let own = node.addresses.iter().find(|own| family(own.address) == family(*address));
        let (Some(own), false) = (own, sendings.is_empty()) else { continue };
        for sending in sendings {
            let client = Some(from.address()).filter(|client| family(*client) == family(*address));
            let client = client.filter(|_| sending.kept);
            let Some(second) = second_leg(inventory, node, own.address, to, client) else { continue };
            let (mut first, mut before) = (Ways::new(), Vec::new());
            for own in &node.addresses {
                let end = Point::Host(node.id.clone(), own.address);
                before.extend(through(inventory, from, &end, most - 1));
                if let Ok(path) = forward(inventory, from, &end) {
                    let reply = back(inventory, from, &end, &path);
                    first.push((path, reply));
                }
            }
            handed.push(Handed { first, before, sending, second, kept: client.is_some() });
        }
    }
    handed
}

/// From a node to a target; where the target sees the client, its ACL and its groups are asked for that address.
fn second_leg(
    inventory: &Inventory,
    node: &Interface,
    own: IpAddr,
    to: &Point,
    client: Option<IpAddr>,
) -> Option<(PacketPath, Result<PacketPath, Lost>)> {
    let from = Point::Host(node.id.clone(), own);
    let mut path = forward(inventory, &from, to).ok()?;
    let mut reply = back(inventory, &from, to, &path);
    let Some(client) = client else { return Some((path, reply)) };
    // Client IP preservation: straight to the target, in this VPC or one that is peered in the Region.
    let near = |crossing: &Crossing| match crossing {
        Crossing::Peering(id) => inventory.peerings[id].one_region(),
        _ => false,
    };
    if path.lost_track
        || !path.appliances.is_empty()
        || path.masks.len() != 1
        || !path.crossings.iter().all(near)
    {
        return None;
    }
    let Point::Host(host, _) = to else { return None };
    for check in &mut path.checks {
        match check {
            Check::Acl { other, .. } if *other == own => *other = client,
            Check::Groups { of, other, .. } if of == host => *other = client,
            _ => {}
        }
    }
    for check in reply.iter_mut().flat_map(|reply| &mut reply.checks) {
        match check {
            Check::Acl { other, .. } if *other == own => *other = client,
            _ => {}
        }
    }
    Some((path, reply))
}

/// How a way answers a packet: the client's ports to which replies come back.
pub type Answering<'a> = &'a dyn Fn(&(PacketPath, Result<PacketPath, Lost>), Packet) -> BTreeSet<u16>;

impl Handed {
    /// Whether the balancers' own connections are answered to each of their ports.
    pub fn always(&self, packet: Packet, clients: &[u16], straight: Answering<'_>) -> bool {
        let heard = self.sending.heard;
        let own = self.kept || straight(&self.second, packet).len() == clients.len();
        own && (!self.first.is_empty() || self.before.iter().any(|one| one.always(heard, clients, straight)))
    }

    /// The client's ports to which replies come back, where the target gets this packet.
    pub fn ports_back(&self, packet: Packet, straight: Answering<'_>) -> BTreeSet<u16> {
        if packet != self.sending.sent {
            return BTreeSet::new();
        }
        let heard = self.sending.heard;
        let mut there: BTreeSet<u16> = self.first.iter().flat_map(|path| straight(path, heard)).collect();
        there.extend(self.before.iter().flat_map(|handed| handed.ports_back(heard, straight)));
        let onward = straight(&self.second, packet);
        if self.kept {
            there.intersection(&onward).copied().collect()
        } else if onward.is_empty() {
            BTreeSet::new()
        } else {
            there
        }
    }
}
