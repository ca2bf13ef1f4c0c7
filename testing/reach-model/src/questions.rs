//! What is asked of an account: between whom, from which addresses outside, with which packets.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use doorward_core::inventory::*;
use doorward_core::net::{Cidr, Flow, Icmp};

use crate::naive::{
    Far, Handed, Packet, PacketPath, Passage, Point, back, carry, embedded, forward, is_amazons, is_internet,
    through,
};

/// One question: how its ends are called, and the points that this means.
#[derive(Debug)]
pub struct Question {
    pub from: String,
    pub to: String,
    /// The ways between them that any packet may take, each with the way back.
    pub paths: Vec<(PacketPath, Result<PacketPath, &'static str>)>,
    /// The ways through load balancers.
    pub handed: Vec<Handed>,
}

impl Question {
    pub fn new(inventory: &Inventory, from: (&str, &[Point]), to: (&str, &[Point])) -> Self {
        let (mut paths, mut handed) = (Vec::new(), Vec::new());
        for sender in from.1 {
            for receiver in to.1 {
                let itself = matches!((sender, receiver), (Point::Host(a, _), Point::Host(b, _)) if a == b);
                if !itself {
                    handed.extend(through(inventory, sender, receiver, 2));
                }
                if let Ok(path) = forward(inventory, sender, receiver) {
                    let reply = back(inventory, sender, receiver, &path);
                    paths.push((path, reply));
                }
            }
        }
        Self { from: from.0.into(), to: to.0.into(), paths, handed }
    }

    /// Whether a packet passes between any two points and a reply comes back to any of the client's ports.
    pub fn passes(&self, inventory: &Inventory, packet: Packet, clients: &[u16]) -> bool {
        let straight = |path: &_, packet| ports_back(inventory, path, packet, clients);
        self.paths.iter().any(|path| !straight(path, packet).is_empty())
            || self.handed.iter().any(|handed| !handed.ports_back(packet, &straight).is_empty())
    }

    /// The same if all that was not recorded lets it.
    pub fn may_pass(&self, inventory: &Inventory, packet: Packet, clients: &[u16]) -> bool {
        let straight = |path: &_, packet| {
            let mut ports = ports_of(inventory, path, packet, clients, Passage::Passes);
            ports.extend(ports_of(inventory, path, packet, clients, Passage::Unknown));
            ports
        };
        self.paths.iter().any(|path| !straight(path, packet).is_empty())
            || self.handed.iter().any(|handed| !handed.ports_back(packet, &straight).is_empty())
    }
}

/// The client's ports to which replies come back; of what has no ports, any or none.
pub fn ports_back(
    inventory: &Inventory,
    path: &(PacketPath, Result<PacketPath, &'static str>),
    packet: Packet,
    clients: &[u16],
) -> BTreeSet<u16> {
    ports_of(inventory, path, packet, clients, Passage::Passes)
}

/// The client's ports with which a packet and its reply fare so.
pub fn ports_of(
    inventory: &Inventory,
    (path, reply): &(PacketPath, Result<PacketPath, &'static str>),
    packet: Packet,
    clients: &[u16],
    passage: Passage,
) -> BTreeSet<u16> {
    let clients = if packet.has_ports() { clients } else { &clients[..1] };
    let passes = |&client: &u16| {
        let reply = reply.as_ref().map_err(|why| *why);
        carry(inventory, path, reply, packet, client) == passage
    };
    clients.iter().copied().filter(passes).collect()
}

/// Every interface with the points that it is.
pub fn hosts(inventory: &Inventory) -> Vec<(String, Vec<Point>)> {
    let point = |host: &Interface| {
        host.addresses.iter().map(|own| Point::Host(host.id.clone(), own.address)).collect()
    };
    inventory.interfaces.values().map(|host| (host.id.to_string(), point(host))).collect()
}

fn flows(inventory: &Inventory) -> impl Iterator<Item = Flow> + '_ {
    let rules = inventory.groups.values().flat_map(|group| group.rules.keys().map(|rule| rule.flow));
    let entries = inventory.network_acls.values().flat_map(|acl| acl.entries.iter().map(|entry| entry.flow));
    rules.chain(entries)
}

/// Packets on both sides of every edge of every rule, and some that no rule speaks of.
pub fn packets(inventory: &Inventory) -> Vec<Packet> {
    let mut packets = BTreeSet::from([
        Packet::Tcp(0),
        Packet::Tcp(7777),
        Packet::Udp(7777),
        Packet::Udp(65535),
        Packet::Icmp(8, 0),
        Packet::Icmp(3, 4),
        Packet::Icmp(13, 0),
        Packet::Icmpv6(128, 0),
        Packet::Icmpv6(1, 4),
        Packet::Other(47),
        Packet::Other(50),
        Packet::Other(0),
    ]);
    packets.extend(balanced(inventory));
    for flow in flows(inventory) {
        let ports = flow.ports().into_iter().flat_map(|ports| around(ports.from(), ports.to()));
        match flow {
            Flow::Tcp(_) => packets.extend(ports.map(Packet::Tcp)),
            Flow::Udp(_) => packets.extend(ports.map(Packet::Udp)),
            Flow::Icmp(icmp) => packets.extend(messages(icmp).map(|(kind, code)| Packet::Icmp(kind, code))),
            Flow::Icmpv6(icmp) => {
                packets.extend(messages(icmp).map(|(kind, code)| Packet::Icmpv6(kind, code)));
            }
            Flow::Protocol(number) => packets.extend([number - 1, number].map(Packet::Other)),
            Flow::All => {}
        }
    }
    packets.into_iter().collect()
}

/// The ports of listeners and of targets, by both transports.
fn balanced(inventory: &Inventory) -> impl Iterator<Item = Packet> + '_ {
    let listeners = inventory.load_balancers.values().flat_map(|it| it.listeners.iter().flatten());
    let heard = listeners.flat_map(|listener| [Some(listener.port), listener.instance_port]);
    let groups = inventory.target_groups.values();
    let sent = groups.flat_map(|group| {
        let own = group.targets.iter().flatten().map(|target| target.port);
        own.chain([group.port])
    });
    heard.chain(sent).flatten().flat_map(|port| [Packet::Tcp(port), Packet::Udp(port)])
}

fn around(from: u16, to: u16) -> impl Iterator<Item = u16> {
    [from.saturating_sub(1), from, to, to.saturating_add(1)].into_iter()
}

fn messages(icmp: Icmp) -> impl Iterator<Item = (u8, u8)> {
    let (kind, code) = match icmp {
        Icmp::All => (0, 0),
        Icmp::Type(kind) => (kind, 0),
        Icmp::Code(kind, code) => (kind, code),
    };
    [(kind, code), (kind, code.wrapping_add(1)), (kind.wrapping_add(1), code)].into_iter()
}

/// The client's ports on both sides of every edge that replies may meet.
pub fn clients(inventory: &Inventory) -> Vec<u16> {
    let mut clients = BTreeSet::from([1024, 65535]);
    for acl in inventory.network_acls.values() {
        for ports in acl.entries.iter().filter_map(|entry| entry.flow.ports()) {
            clients.extend(around(ports.from(), ports.to()).filter(|&port| port >= 1024));
        }
    }
    clients.into_iter().collect()
}

/// Every prefix that an account speaks of.
fn cidrs(inventory: &Inventory) -> BTreeSet<Cidr> {
    let mut cidrs = BTreeSet::new();
    for rule in inventory.groups.values().flat_map(|group| group.rules.keys()) {
        if let Peer::Cidr(cidr) = rule.peer {
            cidrs.insert(cidr);
        }
    }
    for list in inventory.prefix_lists.values() {
        cidrs.extend(list.entries.iter().flatten());
    }
    for acl in inventory.network_acls.values() {
        cidrs.extend(acl.entries.iter().map(|entry| entry.cidr));
    }
    for route in inventory.route_tables.values().flat_map(|table| &table.routes) {
        if let Destination::Cidr(cidr) = route.destination {
            cidrs.insert(cidr);
        }
    }
    for route in inventory.transit_tables.values().flat_map(|table| table.routes.iter().flatten()) {
        cidrs.insert(route.cidr);
    }
    cidrs.extend(inventory.vpn_connections.values().flat_map(|connection| &connection.routes));
    cidrs.extend(inventory.vpcs.values().flat_map(|vpc| &vpc.cidrs));
    let sides = inventory.peerings.values().flat_map(|peering| [&peering.requester, &peering.accepter]);
    cidrs.extend(sides.flat_map(|side| &side.cidrs));
    cidrs
}

/// Addresses in every part of the space that the prefixes cut it into: where each begins, where it ends, and
/// what comes next.
pub fn outside(inventory: &Inventory) -> BTreeSet<IpAddr> {
    let mut addresses: BTreeSet<IpAddr> = ["1.0.0.0", "8.8.8.8", "192.168.0.1", "2600::1"]
        .iter()
        .map(|text| text.parse().expect("one"))
        .collect();
    for special in ["11.0.0.0", "100.128.0.0", "128.0.0.0", "172.32.0.0", "192.0.1.0", "192.169.0.0"] {
        addresses.insert(special.parse().expect("an address"));
    }
    for cidr in cidrs(inventory) {
        let net = cidr.net();
        addresses.extend([net.network(), net.broadcast()]);
        addresses.extend(next(net.broadcast()));
    }
    let nobody = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"]
        .map(|text| text.parse::<Cidr>().expect("a prefix"));
    addresses.retain(|address| !nobody.iter().any(|cidr| cidr.contains(*address)));
    addresses.retain(|address| !inventory.vpcs.values().any(|vpc| vpc.contains(*address)));
    addresses.extend(
        ["169.254.169.253", "169.254.169.254", "64:ff9b::c633:6407"]
            .map(|text| text.parse::<IpAddr>().expect("one")),
    );
    addresses
}

fn next(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address).checked_add(1)?).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address).checked_add(1)?).into(),
    })
}

/// What is behind each VPN and what else was not recorded: by routes that lead there, by the static routes of its
/// connections, by what a peering tells of the far VPC.
pub fn remotes(inventory: &Inventory) -> Vec<(Far, Vec<Cidr>)> {
    let mut remotes = Vec::new();
    for gateway in inventory.vpn_gateways.values() {
        let mut behind = Vec::new();
        let tables = inventory.route_tables.values().filter(|table| Some(&table.vpc) == gateway.vpc.as_ref());
        for route in tables.flat_map(|table| &table.routes) {
            match &route.destination {
                _ if route.target != RouteTarget::VpnGateway(gateway.id.clone()) => {}
                Destination::Cidr(cidr) => behind.push(*cidr),
                Destination::PrefixList(list) => {
                    behind.extend(inventory.prefix_lists[list].entries.iter().flatten());
                }
            }
        }
        for connection in inventory.vpn_connections.values() {
            if connection.gateway.as_ref() == Some(&gateway.id) {
                behind.extend(&connection.routes);
            }
        }
        remotes.push((Far::Vpn(gateway.id.clone()), behind));
    }
    for peering in inventory.peerings.values() {
        let seen = |side: &PeeringSide| inventory.vpcs.contains_key(&side.vpc);
        let far = match (&peering.requester, &peering.accepter) {
            (near, far) if seen(near) && !seen(far) => far,
            (far, near) if seen(near) && !seen(far) => far,
            _ => continue,
        };
        remotes.push((Far::Peering(peering.id.clone()), far.cidrs.iter().copied().collect()));
    }
    for attachment in inventory.attachments.values() {
        let inside = match &attachment.to {
            AttachmentTarget::Vpc(vpc) => inventory.vpcs.contains_key(vpc),
            AttachmentTarget::Peer(peer) => {
                inventory.attachments.contains_key(&(peer.clone(), attachment.id.clone()))
            }
            _ => false,
        };
        if inside {
            continue;
        }
        let tables = inventory.transit_tables.values().filter(|table| table.gateway == attachment.gateway);
        let routes = tables.flat_map(|table| table.routes.iter().flatten());
        let here = routes.filter(|route| route.attachments.contains(&attachment.id));
        let behind = here.map(|route| route.cidr).collect();
        remotes.push((Far::Transit(attachment.gateway.clone(), attachment.id.clone()), behind));
    }
    remotes
}

/// The points that an address outside is: out on the internet, and behind every VPN that leads to it.
pub fn points_outside(inventory: &Inventory, address: IpAddr) -> Vec<Point> {
    let mut points = Vec::new();
    let translated = embedded(address).map(IpAddr::V4);
    if is_internet(inventory, translated.unwrap_or(address)) {
        points.push(Point::Internet(address));
    }
    // No gateway is asked for what AWS serves itself.
    if is_amazons(inventory, address) {
        return vec![Point::Amazon(address)];
    }
    for (far, behind) in remotes(inventory) {
        if behind.iter().any(|cidr| cidr.contains(address)) {
            points.push(Point::Remote(far, address));
        }
    }
    points
}

/// The interfaces that have an address, a public one or one inside, which may be of a delegated prefix.
pub fn points_inside(inventory: &Inventory, address: IpAddr, receives: bool) -> Vec<Point> {
    let mut points = Vec::new();
    for host in inventory.interfaces.values().filter(|host| host.attached) {
        if host.has(address) {
            points.push(Point::Host(host.id.clone(), address));
        }
        for own in host.addresses.iter().filter(|own| own.public.map(IpAddr::V4) == Some(address)) {
            points.push(match receives {
                true => Point::Public(host.id.clone(), own.address, address),
                false => Point::Host(host.id.clone(), own.address),
            });
        }
    }
    points
}

/// Every point behind one VPN gateway or peering.
pub fn behind(inventory: &Inventory, gateway: &str) -> Vec<Point> {
    let mut points = Vec::new();
    for address in outside(inventory) {
        let here = points_outside(inventory, address).into_iter();
        points.extend(here.filter(|point| match point {
            Point::Remote(Far::Vpn(id), _) => id.as_str() == gateway,
            Point::Remote(Far::Peering(id), _) => id.as_str() == gateway,
            _ => false,
        }));
    }
    points
}

/// Whether an address is the public one of an interface or a NAT gateway, and so stands for that.
pub fn is_own(inventory: &Inventory, address: IpAddr) -> bool {
    let IpAddr::V4(address) = address else { return false };
    let hosts = inventory.interfaces.values().flat_map(|host| &host.addresses);
    hosts.filter_map(|own| own.public).any(|public| public == address)
        || inventory.nat_gateways.values().any(|nat| nat.public_address == Some(address))
}
