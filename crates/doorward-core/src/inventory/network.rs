//! What a network is made of: VPCs, subnets, routes, network ACLs, prefix lists.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{
    AccountRegion, Direction, EgressOnlyGatewayId, EndpointId, InstanceId, InterfaceId, InternetGatewayId,
    NatGatewayId, NetworkAclId, NotARule, PeeringId, PrefixListId, RouteTableId, SubnetId, Tags,
    TransitGatewayId, VpcId, VpnGatewayId,
};
use crate::net::{Cidr, Flow};

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    pub id: VpcId,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// The account that owns it: twelve digits.
    pub owner: Option<String>,
    /// The prefixes of both families that are associated with it.
    pub cidrs: BTreeSet<Cidr>,
    /// Whether it is the default VPC of its Region.
    pub default: bool,
    /// Whether Amazon's DNS server answers there, and what.
    pub dns: DnsAttributes,
    pub tags: Tags,
}

impl Vpc {
    /// Whether an address is within its prefixes.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }
}

/// The DNS attributes of a VPC, as far as they are known.
///
/// What is not known counts as on: a name that was recorded shows that `enableDnsHostnames` was on, and
/// `enableDnsSupport` is on by default (VPC user guide, DNS attributes for your VPC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DnsAttributes {
    /// `enableDnsSupport`
    pub support: Option<bool>,
    /// `enableDnsHostnames`
    pub hostnames: Option<bool>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DnsAttribute {
    /// `enableDnsSupport`
    Support,
    /// `enableDnsHostnames`
    Hostnames,
}

impl DnsAttribute {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Support, Self::Hostnames];

    /// As the API calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Support => "enableDnsSupport",
            Self::Hostnames => "enableDnsHostnames",
        }
    }
}

impl DnsAttributes {
    /// Whether one of them is known to be off.
    pub fn is_off(self, attribute: DnsAttribute) -> bool {
        let known = match attribute {
            DnsAttribute::Support => self.support,
            DnsAttribute::Hostnames => self.hostnames,
        };
        known == Some(false)
    }

    /// The first that is off, without which the DNS server of the VPC resolves no name to a private address.
    pub fn off(self) -> Option<DnsAttribute> {
        DnsAttribute::ALL.into_iter().find(|attribute| self.is_off(*attribute))
    }

    /// The same with one of them turned on.
    pub(crate) fn turn_on(&mut self, attribute: DnsAttribute) {
        match attribute {
            DnsAttribute::Support => self.support = Some(true),
            DnsAttribute::Hostnames => self.hostnames = Some(true),
        }
    }
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    pub id: SubnetId,
    pub vpc: VpcId,
    /// Its zone, by the name that its account has for it, like `eu-west-1a`.
    pub zone: Option<String>,
    /// Its zone, by the id that all accounts have for it, like `euw1-az1`.
    pub zone_id: Option<String>,
    /// Its prefixes: one of IPv4, some of IPv6, or only these.
    pub cidrs: BTreeSet<Cidr>,
    pub tags: Tags,
}

impl Subnet {
    /// Whether an address is within its prefixes.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }
}

/// A zone of a Region: an availability zone, a Local Zone or a Wavelength Zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its id, which is the same in all accounts, like `euw1-az1`.
    pub id: String,
    /// Its name in this account, like `eu-west-1a`.
    pub name: Option<String>,
    /// Its Region, as the answer names it.
    pub region: Option<String>,
    /// Whether it is an availability zone, which Local Zones and Wavelength Zones are not.
    pub is_availability_zone: bool,
    /// Whether the account may use it: it needs no opt-in, or the account has opted in, and it is not impaired.
    pub is_usable: bool,
}

/// A route table of a VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    pub id: RouteTableId,
    pub vpc: VpcId,
    /// Whether subnets without a table of their own use it.
    pub main: bool,
    /// The subnets that are associated with it.
    pub subnets: BTreeSet<SubnetId>,
    /// The gateways whose ingress it routes: ids of internet and VPN gateways (an edge association).
    pub gateways: BTreeSet<String>,
    /// Its routes, in no order that matters.
    pub routes: Vec<Route>,
    /// Whether some of its routes could not be read.
    pub incomplete: bool,
    pub tags: Tags,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it leads to.
    pub destination: Destination,
    /// By way of what.
    pub target: RouteTarget,
    /// Whether a VPN gateway propagated it; a static route of the same prefix wins (VPC user guide, route priority).
    pub propagated: bool,
    /// Whether its target is gone: what it matches is dropped.
    pub blackhole: bool,
}

/// What a route matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// A prefix.
    Cidr(Cidr),
    /// The entries of a prefix list.
    PrefixList(PrefixListId),
}

/// By way of what a route leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteTarget {
    /// Within the VPC.
    Local,
    InternetGateway(InternetGatewayId),
    /// An egress-only internet gateway.
    EgressOnlyGateway(EgressOnlyGatewayId),
    NatGateway(NatGatewayId),
    /// A network interface, like that of a NAT instance or an appliance.
    Interface(InterfaceId),
    /// An instance, where the interface is not told.
    Instance(InstanceId),
    /// A VPC peering connection.
    Peering(PeeringId),
    TransitGateway(TransitGatewayId),
    VpnGateway(VpnGatewayId),
    /// A gateway endpoint, or an endpoint of a Gateway Load Balancer.
    Endpoint(EndpointId),
    /// Something else, by its id: a carrier gateway, a local gateway, a core network.
    Other(String),
}

impl std::fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::InternetGateway(id) => id.fmt(f),
            Self::EgressOnlyGateway(id) => id.fmt(f),
            Self::NatGateway(id) => id.fmt(f),
            Self::Interface(id) => id.fmt(f),
            Self::Instance(id) => id.fmt(f),
            Self::Peering(id) => id.fmt(f),
            Self::TransitGateway(id) => id.fmt(f),
            Self::VpnGateway(id) => id.fmt(f),
            Self::Endpoint(id) => id.fmt(f),
            Self::Other(id) => f.write_str(id),
        }
    }
}

/// A network ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAcl {
    pub id: NetworkAclId,
    pub vpc: VpcId,
    /// Whether it is its VPC's default.
    pub default: bool,
    /// The subnets that are associated with it; every subnet has exactly one ACL.
    pub subnets: BTreeSet<SubnetId>,
    /// Its entries, in no order that matters; the implicit denies may be among them or not.
    pub entries: Vec<AclEntry>,
    /// Whether some of its entries could not be read.
    pub incomplete: bool,
    pub tags: Tags,
}

/// One entry of a network ACL. The lowest number that matches decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AclEntry {
    /// Its number, 1 to 32766; 32767 and 32768 are the implicit denies.
    pub number: u32,
    /// For what enters the subnet, or for what leaves it.
    pub direction: Direction,
    /// The other side: the source of what enters, the destination of what leaves.
    pub cidr: Cidr,
    /// Which packets, by protocol and destination port.
    pub flow: Flow,
    /// Whether they pass.
    pub allow: bool,
}

/// A prefix list, a customer's or AWS's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixList {
    pub id: PrefixListId,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// Its name, like `com.amazonaws.eu-west-1.s3`.
    pub name: String,
    /// Its entries; none when they could not be seen.
    pub entries: Option<BTreeSet<Cidr>>,
    /// The most entries that it may have: what it counts for in a group.
    pub max_entries: Option<u32>,
}

/// What VPC Block Public Access forbids in a Region of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockPublicAccess {
    /// The mode of the Region.
    pub mode: BlockMode,
    /// VPCs and subnets that are excepted.
    pub exclusions: Vec<BlockExclusion>,
}

/// A mode of VPC Block Public Access.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BlockMode {
    /// Nothing is blocked.
    #[default]
    Off,
    /// Nothing passes internet gateways and egress-only gateways either way.
    Bidirectional,
    /// Nothing comes in; NAT gateways and egress-only gateways go on.
    Ingress,
}

/// An exception of VPC Block Public Access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockExclusion {
    /// What is excepted.
    pub of: Excepted,
    /// Whether both ways are allowed, or outward only.
    pub both_ways: bool,
}

/// What an exception of VPC Block Public Access is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excepted {
    /// A VPC with all its subnets.
    Vpc(VpcId),
    Subnet(SubnetId),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cidr(cidr) => cidr.fmt(f),
            Self::PrefixList(list) => list.fmt(f),
        }
    }
}

impl std::str::FromStr for Destination {
    type Err = NotARule;

    fn from_str(text: &str) -> Result<Self, NotARule> {
        Ok(if text.starts_with("pl-") { Self::PrefixList(text.parse()?) } else { Self::Cidr(text.parse()?) })
    }
}

/// A text that is not what a route leads to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not what a route leads to, like an internet gateway, a NAT gateway or a peering connection by its id"
)]
pub struct NotATarget(String);

impl std::str::FromStr for RouteTarget {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let unknown = || NotATarget(text.to_owned());
        let (kind, _) = text.split_once('-').ok_or_else(unknown)?;
        let read = match kind {
            "igw" => text.parse().map(Self::InternetGateway),
            "eigw" => text.parse().map(Self::EgressOnlyGateway),
            "nat" => text.parse().map(Self::NatGateway),
            "eni" => text.parse().map(Self::Interface),
            "i" => text.parse().map(Self::Instance),
            "pcx" => text.parse().map(Self::Peering),
            "tgw" => text.parse().map(Self::TransitGateway),
            "vgw" => text.parse().map(Self::VpnGateway),
            "vpce" => text.parse().map(Self::Endpoint),
            _ => return Err(unknown()),
        };
        read.map_err(|_| unknown())
    }
}
