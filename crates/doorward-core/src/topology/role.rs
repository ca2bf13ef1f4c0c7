//! `[role.NAME]`: a security group that resources have attached, whom it admits, and what they reach.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::EnvironmentPart;
use super::network::{key, list, quoted};
use crate::inventory::{InstanceId, SecurityGroupId};
use crate::name::{EnvironmentName, NetworkName, RoleName};
use crate::net::{Cidr, Family, Flow, NetError};

/// A role, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name, which is the name of its security group.
    pub name: RoleName,
    /// The network whose VPC it is in.
    pub network: NetworkName,
    /// The security group that it is, where that exists already and somebody else made it; none if one is made for it. Its rules and
    /// attachments are added to and never taken from.
    pub group: Option<SecurityGroupId>,
    /// Who may reach what has it attached. Empty: nobody.
    pub admits: BTreeMap<Source, BTreeSet<Flow>>,
    /// What is reached outside of all roles. What other roles admit is reached without being listed. Empty: nothing.
    pub reaches: BTreeMap<Outside, BTreeSet<Flow>>,
    /// What has it attached.
    pub on: BTreeSet<Carrier>,
}

/// As a policy says it, defaults included.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[role.{}]", key(self.name.as_str()))?;
        writeln!(f, "network = {}", quoted(self.network.as_str()))?;
        if let Some(group) = &self.group {
            writeln!(f, "group = \"{group}\"")?;
        }
        writeln!(f, "admits = {}", table(&self.admits))?;
        writeln!(f, "reaches = {}", table(&self.reaches))?;
        writeln!(f, "on = {}", list(&self.on))
    }
}

fn table<K: ToString>(flows: &BTreeMap<K, BTreeSet<Flow>>) -> String {
    let pair = |(peer, flows): (&K, &BTreeSet<Flow>)| format!("{} = {}", key(&peer.to_string()), list(flows));
    let pairs: Vec<String> = flows.iter().map(pair).collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}

/// Addresses that no role stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outside {
    /// Every address, of both families.
    Internet,
    /// A prefix.
    Cidr(Cidr),
}

impl Outside {
    /// The prefixes with which a flow may be exchanged.
    pub fn prefixes(self, flow: Flow) -> impl Iterator<Item = Cidr> {
        const EVERYBODY: [std::net::IpAddr; 2] = [
            std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        ];
        let prefixes = match self {
            Self::Internet => EVERYBODY.map(|first| Cidr::around(first, 0)).to_vec(),
            Self::Cidr(cidr) => vec![cidr],
        };
        prefixes.into_iter().filter(move |prefix| flow.fits(prefix.family()))
    }

    /// The families of its prefixes.
    pub fn families(self) -> BTreeSet<Family> {
        match self {
            Self::Internet => BTreeSet::from([Family::V4, Family::V6]),
            Self::Cidr(cidr) => BTreeSet::from([cidr.family()]),
        }
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet => f.write_str("internet"),
            Self::Cidr(cidr) => cidr.fmt(f),
        }
    }
}

impl FromStr for Outside {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        if text == "internet" { Ok(Self::Internet) } else { text.parse().map(Self::Cidr) }
    }
}

/// Whom a role admits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// What has another role attached, or the same.
    Role(RoleName),
    /// Addresses.
    Outside(Outside),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => role.fmt(f),
            Self::Outside(outside) => outside.fmt(f),
        }
    }
}

/// What has a role attached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    Instance(InstanceId),
    /// The instances, databases and database clusters with a tag: its key and value.
    Tag(String, String),
    /// A DB instance or cluster, by its identifier.
    Database(String),
    /// An RDS Proxy, by its name.
    Proxy(String),
    /// A cache cluster, replication group or serverless cache, by its id.
    Cache(String),
    /// A service of ECS, by its name, and by its cluster where several have that name.
    Service {
        /// The name of the cluster.
        cluster: Option<String>,
        name: String,
    },
    /// A function of Lambda, by its name.
    Function(String),
    /// A part of an environment.
    Environment(EnvironmentName, EnvironmentPart),
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => write!(f, "instance:{id}"),
            Self::Tag(key, value) => write!(f, "tag:{key}={value}"),
            Self::Database(name) => write!(f, "rds:{name}"),
            Self::Proxy(name) => write!(f, "proxy:{name}"),
            Self::Cache(name) => write!(f, "cache:{name}"),
            Self::Service { cluster: Some(cluster), name } => write!(f, "service:{cluster}/{name}"),
            Self::Service { cluster: None, name } => write!(f, "service:{name}"),
            Self::Function(name) => write!(f, "function:{name}"),
            Self::Environment(name, part) => write!(f, "environment:{name}/{part}"),
        }
    }
}
