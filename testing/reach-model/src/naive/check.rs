//! What a packet has to get past: network ACLs, security groups, what a gateway carries at all.

use std::net::IpAddr;

use doorward_core::inventory::*;
use doorward_core::net::{Flow, Icmp};

use super::Packet;
use super::balancers::{balancer_of, listens, sendings};
use super::space::{acl_of, entries};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The ACL of a subnet, asked about the other side.
    Acl { subnet: SubnetId, direction: Direction, other: IpAddr },
    /// The groups of an interface; `peer` is whose groups count for references, where they are kept.
    Groups { of: InterfaceId, direction: Direction, other: IpAddr, peer: Option<InterfaceId> },
    /// The same for what comes from a VPC that was not recorded: it may have any group that was not.
    GroupsForAStranger { of: InterfaceId, other: IpAddr },
    /// Only these are answered.
    Answers(Vec<Packet>),
    /// What is asked of the packet of IPv4 that a NAT gateway made of one of IPv6.
    AsIpv4(Box<Check>),
    /// A NAT gateway translates TCP, UDP and echo from IPv6.
    Nat64,
    /// A NAT gateway carries TCP, UDP and ICMP.
    Nat,
    /// A gateway endpoint carries TCP and echo requests.
    GatewayEndpoint,
    /// A node of a load balancer sends to its targets alone.
    Sends { node: InterfaceId, to: InterfaceId, address: IpAddr },
    /// A load balancer takes what it listens to.
    Listens { node: InterfaceId },
}

impl Check {
    pub fn groups(of: &Interface, direction: Direction, other: IpAddr, peer: Option<InterfaceId>) -> Self {
        Self::Groups { of: of.id.clone(), direction, other, peer }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Acl { .. } => "ACL",
            Self::Groups { .. } | Self::GroupsForAStranger { .. } => "security groups",
            Self::AsIpv4(check) => check.name(),
            Self::Nat64 => "protocol at a NAT gateway, from IPv6",
            Self::Answers(_) => "what is answered",
            Self::Nat => "protocol at a NAT gateway",
            Self::GatewayEndpoint => "protocol at a gateway endpoint",
            Self::Sends { .. } => "targets of a load balancer",
            Self::Listens { .. } => "listeners of a load balancer",
        }
    }

    pub fn admits(&self, inventory: &Inventory, packet: Packet) -> bool {
        match self {
            Self::Acl { subnet, direction, other } => {
                let subnet = &inventory.subnets[subnet];
                acl_of(inventory, subnet).is_some_and(|acl| acl_admits(acl, *direction, *other, packet))
            }
            Self::Groups { of, direction, other, peer } => {
                let peer = peer.as_ref().map(|peer| &inventory.interfaces[peer]);
                groups_admit(inventory, &inventory.interfaces[of], *direction, *other, peer, packet)
            }
            Self::GroupsForAStranger { of, other } => {
                let of = &inventory.interfaces[of];
                let rules = of.groups.iter().filter_map(|group| inventory.groups.get(group));
                let by_group = rules.flat_map(|group| group.rules.keys()).any(|rule| {
                    let unknown = matches!(&rule.peer, Peer::Group(id) if !inventory.groups.contains_key(id));
                    unknown && rule.direction == Direction::In && matches(rule.flow, packet)
                });
                by_group || groups_admit(inventory, of, Direction::In, *other, None, packet)
            }
            Self::AsIpv4(check) => match packet {
                Packet::Icmpv6(128, code) => check.admits(inventory, Packet::Icmp(8, code)),
                Packet::Icmpv6(129, code) => check.admits(inventory, Packet::Icmp(0, code)),
                Packet::Icmpv6(..) => false,
                other => check.admits(inventory, other),
            },
            Self::Nat64 => matches!(packet, Packet::Tcp(_) | Packet::Udp(_) | Packet::Icmpv6(128, _)),
            Self::Answers(packets) => packets.contains(&packet),
            Self::Nat => matches!(packet, Packet::Tcp(_) | Packet::Udp(_) | Packet::Icmp(..)),
            Self::GatewayEndpoint => matches!(packet, Packet::Tcp(_) | Packet::Icmp(8, _)),
            Self::Sends { node, to, address } => {
                let (node, to) = (&inventory.interfaces[node], &inventory.interfaces[to]);
                sendings(inventory, node, to, *address).iter().any(|sending| sending.sent == packet)
            }
            Self::Listens { node } => {
                let balancer = balancer_of(inventory, &inventory.interfaces[node]);
                balancer.is_some_and(|balancer| listens(balancer, packet))
            }
        }
    }
}

fn matches(flow: Flow, packet: Packet) -> bool {
    let message = |icmp: Icmp, kind: u8, code: u8| match icmp {
        Icmp::All => true,
        Icmp::Type(only) => only == kind,
        Icmp::Code(only, of) => only == kind && of == code,
    };
    match (flow, packet) {
        (Flow::All, _) => true,
        (Flow::Tcp(ports), Packet::Tcp(port)) | (Flow::Udp(ports), Packet::Udp(port)) => {
            ports.from() <= port && port <= ports.to()
        }
        (Flow::Icmp(icmp), Packet::Icmp(kind, code)) => message(icmp, kind, code),
        (Flow::Icmpv6(icmp), Packet::Icmpv6(kind, code)) => message(icmp, kind, code),
        (Flow::Protocol(number), packet) => {
            number
                == match packet {
                    Packet::Icmp(..) => 1,
                    Packet::Tcp(_) => 6,
                    Packet::Udp(_) => 17,
                    Packet::Icmpv6(..) => 58,
                    Packet::Other(number) => number,
                }
        }
        _ => false,
    }
}

fn acl_admits(acl: &NetworkAcl, direction: Direction, other: IpAddr, packet: Packet) -> bool {
    let mut decides: Option<&AclEntry> = None;
    for entry in &acl.entries {
        let asked = entry.direction == direction && entry.cidr.contains(other) && matches(entry.flow, packet);
        if asked && decides.is_none_or(|other| entry.number < other.number) {
            decides = Some(entry);
        }
    }
    decides.is_some_and(|entry| entry.allow)
}

fn groups_admit(
    inventory: &Inventory,
    of: &Interface,
    direction: Direction,
    other: IpAddr,
    peer: Option<&Interface>,
    packet: Packet,
) -> bool {
    match of.kind.as_str() {
        "nat_gateway" => return true,
        "network_load_balancer" | "gateway_load_balancer" if of.groups.is_empty() => return true,
        _ => {}
    }
    for group in of.groups.iter().filter_map(|group| inventory.groups.get(group)) {
        for rule in group.rules.keys() {
            let who = match &rule.peer {
                Peer::Cidr(cidr) => cidr.contains(other),
                Peer::PrefixList(list) => entries(inventory, list).any(|entry| entry.contains(other)),
                // [5]
                Peer::Group(peer_group) => {
                    let told = inventory.group_references.get(&(group.id.clone(), peer_group.clone()));
                    let state = told.and_then(|told| told.peering_state.as_deref()).unwrap_or("active");
                    state == "active" && peer.is_some_and(|peer| peer.groups.contains(peer_group))
                }
            };
            if who && rule.direction == direction && matches(rule.flow, packet) {
                return true;
            }
        }
    }
    false
}
