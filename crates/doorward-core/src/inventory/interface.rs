//! Who sends and receives: network interfaces, instances, elastic addresses.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::{
    AccountRegion, AllocationId, ImageId, InstanceId, InterfaceId, SecurityGroupId, SubnetId, Tags, TypeName,
    VpcId,
};
use crate::net::Cidr;

/// A network interface: the one thing that carries security groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub id: InterfaceId,
    pub vpc: VpcId,
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
    pub id: InstanceId,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// Its state, like `running`.
    pub state: String,
    pub interfaces: BTreeSet<InterfaceId>,
    /// `Windows`, or nothing for the others.
    pub platform: Option<String>,
    /// What it was launched from, where that was told.
    pub image: Option<Image>,
    /// Its type, like `t4g.small`.
    pub size: Option<TypeName>,
    /// The name of its instance profile.
    pub profile: Option<String>,
    pub tags: Tags,
}

impl Instance {
    /// Whether it is more than the description of an instance that is being terminated, which EC2 shows for about an hour.
    pub fn is_there(&self) -> bool {
        !matches!(self.state.as_str(), "shutting-down" | "terminated")
    }
}

/// What an instance is launched from. One that runs has an id; one that is planned may still have the name of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Image {
    /// This image.
    Id(ImageId),
    /// The image whose id is the value of a parameter of Systems Manager, by its name.
    Parameter(String),
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Parameter(name) => f.write_str(name),
        }
    }
}

/// An elastic address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElasticAddress {
    /// The public address.
    pub public: Ipv4Addr,
    /// The id of its allocation, where it was recorded.
    pub allocation: Option<AllocationId>,
    /// The private address that it stands for.
    pub private: Option<Ipv4Addr>,
    /// The interface that it is associated with.
    pub interface: Option<InterfaceId>,
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
