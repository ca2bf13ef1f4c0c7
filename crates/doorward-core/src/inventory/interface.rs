//! Who sends and receives: network interfaces, instances, elastic addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::{InstanceId, InterfaceId, Place, SecurityGroupId, SubnetId, Tags, VpcId};
use crate::net::Cidr;

/// A network interface: the one thing that carries security groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its id.
    pub id: InterfaceId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// The groups that it carries.
    pub groups: BTreeSet<SecurityGroupId>,
    /// Its private addresses, the primary one first, and its addresses of IPv6.
    pub addresses: Vec<InterfaceAddress>,
    /// Prefixes that are delegated to it.
    pub prefixes: BTreeSet<Cidr>,
    /// Whether it takes and sends only what is its own.
    pub source_dest_check: bool,
    /// `InterfaceType`, like `interface`, `nat_gateway`, `vpc_endpoint`, `lambda`.
    pub kind: String,
    /// `RequesterId`: the service that made it, like `amazon-rds`, or an account.
    pub requester: Option<String>,
    /// Its description, in which services say whose it is.
    pub description: String,
    /// The instance that it is attached to.
    pub instance: Option<InstanceId>,
    /// Whether it is in use; one that is not attached sends and receives nothing.
    pub attached: bool,
    /// Its tags.
    pub tags: Tags,
}

impl Interface {
    /// Whether an address is its own, private or delegated.
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address == address)
            || self.prefixes.iter().any(|prefix| prefix.contains(address))
    }
}

/// One address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceAddress {
    /// The address inside the VPC; of IPv6 it is the same outside.
    pub address: IpAddr,
    /// The public address that an internet gateway translates it to, for IPv4.
    pub public: Option<Ipv4Addr>,
}

/// An instance of EC2. Terminated ones are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Where it was seen.
    pub place: Place,
    /// Its state, like `running`.
    pub state: String,
    /// Its interfaces.
    pub interfaces: BTreeSet<InterfaceId>,
    /// `Windows`, or nothing for the others.
    pub platform: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// An elastic address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElasticAddress {
    /// The public address.
    pub public: Ipv4Addr,
    /// The private address that it stands for.
    pub private: Option<Ipv4Addr>,
    /// The interface that it is associated with.
    pub interface: Option<InterfaceId>,
    /// Its tags.
    pub tags: Tags,
}

impl ElasticAddress {
    /// The address that stands in a wanted inventory for one that AWS has yet to choose.
    ///
    /// Nobody has an address of 0.0.0.0/8 (RFC 1122, 3.2.1.3), so it is never taken for another.
    pub fn planned(number: u32) -> Ipv4Addr {
        Ipv4Addr::from(number & 0x00ff_ffff)
    }

    /// Whether AWS has yet to choose an address.
    pub fn is_planned(address: Ipv4Addr) -> bool {
        matches!(address.octets(), [0, ..])
    }
}
