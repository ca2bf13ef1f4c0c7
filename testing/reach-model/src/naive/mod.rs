//! A second, naive engine: one packet forward and its reply back, written from `src/reach/SEMANTICS.md` alone.
//!
//! It shares nothing with the engine but the types of an inventory. Each packet is carried from hop to hop, as
//! routes choose by destination only; whatever it has to get past on the way is noted, and asked of the packet.
//! What AWS's documentation leaves open is chosen here and marked "Choice:".

mod balancers;
mod check;
mod gateways;
pub mod names;
mod packet_path;
mod space;
mod transit;
mod walk;

use std::net::IpAddr;

use doorward_core::inventory::*;
use doorward_core::net::{Family, Flow, Icmp, Ports};

pub use balancers::{Handed, through};
pub use packet_path::{PacketPath, back, forward};
pub use space::{embedded, is_amazons, is_internet};

/// Where a packet starts or is to end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// An interface, by one of its addresses inside.
    Host(InterfaceId, IpAddr),
    /// An interface by the public address of one of its addresses inside: both of them. Only a receiver is that.
    Public(InterfaceId, IpAddr, IpAddr),
    /// A public address.
    Internet(IpAddr),
    /// An address behind a VPN.
    Remote(Far, IpAddr),
    /// What AWS serves in every VPC: DNS, metadata, the time.
    Amazon(IpAddr),
}

/// By what a remote address is attached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Far {
    Vpn(VpnGatewayId),
    /// A VPC that was not recorded.
    Peering(PeeringId),
    Transit(TransitGatewayId, AttachmentId),
}

impl Point {
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Host(_, address)
            | Self::Public(.., address)
            | Self::Internet(address)
            | Self::Remote(_, address)
            | Self::Amazon(address) => *address,
        }
    }
}

/// A packet, by its protocol and its destination port or its type and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Packet {
    Tcp(u16),
    Udp(u16),
    Icmp(u8, u8),
    Icmpv6(u8, u8),
    Other(u8),
}

impl Packet {
    pub fn flow(self) -> Flow {
        match self {
            Self::Tcp(port) => Flow::Tcp(Ports::one(port)),
            Self::Udp(port) => Flow::Udp(Ports::one(port)),
            Self::Icmp(kind, code) => Flow::Icmp(Icmp::Code(kind, code)),
            Self::Icmpv6(kind, code) => Flow::Icmpv6(Icmp::Code(kind, code)),
            Self::Other(number) => Flow::Protocol(number),
        }
    }

    pub fn has_ports(self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Udp(_))
    }

    /// What answers it, to the client's own port. A message that is not answered has to be able to go back itself:
    /// where nothing gets back, nothing is reachable.
    fn reply(self, client: u16) -> Self {
        match self {
            Self::Tcp(_) => Self::Tcp(client),
            Self::Udp(_) => Self::Udp(client),
            Self::Icmp(8, code) => Self::Icmp(0, code),
            Self::Icmp(kind @ (13 | 15 | 17), code) => Self::Icmp(kind + 1, code),
            Self::Icmpv6(128, code) => Self::Icmpv6(129, code),
            Self::Icmp(..) | Self::Icmpv6(..) => self,
            Self::Other(number) => Self::Other(number),
        }
    }
}

/// How a packet fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It got there, and so did the reply.
    Passes,
    /// It may have, and what was not recorded decides.
    Unknown,
    /// It did not get there.
    Lost(&'static str),
    /// It did, and the reply did not get back.
    ReplyLost(&'static str),
}

/// Carries one packet there and its reply back, to the client's own port.
pub fn carry(
    inventory: &Inventory,
    packet_path: &PacketPath,
    back: Result<&PacketPath, &'static str>,
    packet: Packet,
    client: u16,
) -> Passage {
    // ICMP is bound to its family; all else is not.
    if !packet.flow().fits(packet_path.family) {
        return Passage::Lost("no packet of the family");
    }
    for check in &packet_path.checks {
        if !check.admits(inventory, packet) {
            return Passage::Lost(check.name());
        }
    }
    let reply = packet.reply(client);
    match back {
        Err(why) => Passage::ReplyLost(why),
        Ok(back) => match back.checks.iter().find(|check| !check.admits(inventory, reply)) {
            Some(check) => Passage::ReplyLost(check.name()),
            None if packet_path.unsure || back.unsure => Passage::Unknown,
            None => Passage::Passes,
        },
    }
}

pub fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}
