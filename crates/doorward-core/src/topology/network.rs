//! `[network.NAME]`: a VPC with its subnets, and how they reach the internet.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::ZoneId;
use crate::inventory::{AccountRegion, EndpointKind, VpcId};
use crate::name::NetworkName;
use crate::net::Cidr;

/// A network, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub name: NetworkName,
    /// The profile and Region.
    pub at: AccountRegion,
    pub vpc: VpcChoice,
    /// Where it has subnets.
    pub zones: Zones,
    /// The length of the prefix of each subnet, 17 to 28.
    pub subnet_bits: u8,
    /// How its private subnets reach the internet.
    pub nat: Nat,
    /// The AWS services that are reached by VPC endpoints.
    pub endpoints: BTreeSet<EndpointService>,
}

impl Network {
    /// The prefix of a VPC that is made, if the policy names none.
    pub const CIDR: &'static str = "10.0.0.0/16";
    /// In how many zones there are subnets, if the policy does not say: a load balancer and a DB subnet group need two.
    pub const ZONES: u8 = 2;
    /// The length of a subnet's prefix, if the policy does not say: 2,043 addresses, and room for 16 zones in a /16.
    pub const SUBNET_BITS: u8 = 21;
    /// The endpoints, if the policy does not say: those of gateways, which cost nothing.
    pub const ENDPOINTS: [&'static str; 2] = ["dynamodb", "s3"];
}

/// As a policy says it, defaults included.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[network.{}]", key(self.name.as_str()))?;
        if let Some(region) = &self.at.region {
            writeln!(f, "region = {}", quoted(region))?;
        }
        if let Some(profile) = &self.at.profile {
            writeln!(f, "profile = {}", quoted(profile))?;
        }
        match &self.vpc {
            VpcChoice::Made(cidr) => writeln!(f, "cidr = \"{cidr}\"")?,
            VpcChoice::Default => writeln!(f, "vpc = \"default\"")?,
            VpcChoice::Existing(id) => writeln!(f, "vpc = \"{id}\"")?,
        }
        match &self.zones {
            Zones::Count(count) => writeln!(f, "zones = {count}")?,
            Zones::These(zones) => writeln!(f, "zones = {}", list(zones))?,
        }
        if !self.zones.is_empty() {
            writeln!(f, "subnets = \"/{}\"", self.subnet_bits)?;
        }
        writeln!(f, "nat = \"{}\"", self.nat)?;
        writeln!(f, "endpoints = {}", list(&self.endpoints))
    }
}

/// A key of TOML: bare, or in quotes where it has to be.
pub(super) fn key(text: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if text.chars().all(bare) { text.to_owned() } else { quoted(text) }
}

/// A text in TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A list of texts in TOML.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| quoted(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

/// The VPC of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VpcChoice {
    /// One of its own, with this prefix.
    Made(Cidr),
    /// The default VPC of the Region.
    Default,
    /// One that exists.
    Existing(VpcId),
}

/// Where a network has subnets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zones {
    /// In so many zones. Those that it has subnets in stay; others are added in the order of their ids.
    Count(u8),
    /// In exactly these. None: it has no subnet of its own, only roles in a VPC that exists.
    These(BTreeSet<ZoneId>),
}

impl Zones {
    /// Whether the network has no subnet of its own.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::These(zones) if zones.is_empty())
    }
}

/// How private subnets reach the internet over IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nat {
    /// Not at all.
    None,
    /// By one NAT gateway, in one of the zones.
    Gateway,
    /// By a NAT gateway in each zone.
    GatewayPerZone,
    /// By one regional NAT gateway, which is in every zone and in no subnet.
    Regional,
}

impl Nat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Gateway, Self::GatewayPerZone, Self::Regional];

    /// As a policy says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gateway => "gateway",
            Self::GatewayPerZone => "gateway-per-zone",
            Self::Regional => "regional",
        }
    }
}

impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A service of AWS that a VPC endpoint leads to, like `s3` or `ssm`: the last part of `com.amazonaws.eu-west-1.s3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointService(String);

/// A text that names no service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a service (like `s3`, `ssm` or `ecr.api`)")]
pub struct NotAService(String);

impl EndpointService {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of its endpoint. Only S3 and DynamoDB have gateway endpoints, and these cost nothing (PrivateLink guide,
    /// "Gateway endpoints").
    pub fn kind(&self) -> EndpointKind {
        match self.0.as_str() {
            "s3" | "dynamodb" => EndpointKind::Gateway,
            _ => EndpointKind::Interface,
        }
    }

    /// The name of the service in a Region, like `com.amazonaws.eu-west-1.s3`.
    pub fn in_region(&self, region: &str) -> String {
        // China's partition has a domain of its own (PrivateLink guide for China).
        let domain = if region.starts_with("cn-") && self.kind() == EndpointKind::Interface {
            "cn.com.amazonaws"
        } else {
            "com.amazonaws"
        };
        format!("{domain}.{region}.{}", self.0)
    }
}

impl fmt::Display for EndpointService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EndpointService {
    type Err = NotAService;

    fn from_str(text: &str) -> Result<Self, NotAService> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        let good = text.starts_with(|first: char| first.is_ascii_lowercase())
            && !text.starts_with("com.")
            && text.len() <= 63
            && text.bytes().all(allowed);
        if good { Ok(Self(text.into())) } else { Err(NotAService(text.into())) }
    }
}
