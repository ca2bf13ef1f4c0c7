//! The policy: who may reach what, by which transport, for how long.

mod address;
mod closing;
mod duration;
mod intent;
mod jump;
mod mistake;
mod parse;
pub mod people;
mod within;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use address::AddressError;
pub use closing::Closing;
pub use duration::{DurationError, duration, in_words};
pub use intent::{Intent, IntentEnd, IntentKind};
pub use jump::{Documents, Hop, JumpError, Names, Over, RoleArn, Ssh, SshKey, SshUser, Ssm};
pub use mistake::{Mistake, Severity, Spot, did_you_mean, utf8};
pub use parse::{FileAt, FilesAt, FolderAt, GroupAt, Reading, Remains, Role, check, parse, read};
pub use people::{EditError, HashError, HashKind, PasswordHash, People};

use crate::inventory::{AccountRegion, SecurityGroupId, VpcId};
pub use crate::name::{FirewallName, Group, NameError, Person, TargetName};
use crate::net::{Cidr, Flow, Special};
use crate::topology::Topology;

/// A whole policy file, checked. Paths are as written; the program resolves them beside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The two Apache files, and who operates Doorward.
    pub people: PeopleFiles,
    /// How the server listens and what it believes.
    pub server: Server,
    /// How the record is authenticated.
    pub audit: Audit,
    /// What holds for every grant.
    pub grants: GrantDefaults,
    /// How many grants there may be at once.
    pub limits: Limits,
    /// The profile and the Region of all that does not say its own.
    pub aws: AccountRegion,
    /// How Session Manager is reached, when the policy says so.
    pub ssm: Option<Ssm>,
    /// How SSH is reached, when the policy says so.
    pub ssh: Option<Ssh>,
    /// A folder with a recorded account, in which what else a grant lets in is looked up; when the policy names one.
    pub inventory: Option<String>,
    /// Networks and roles, which `doorward plan` plans.
    pub topology: Topology,
    /// A file with prices, if the policy names one.
    pub prices: Option<String>,
    /// Traffic that the account must never, or always, allow.
    pub intents: Vec<Intent>,
    /// Places of enforcement by name.
    pub firewalls: BTreeMap<FirewallName, Firewall>,
    /// What can be reached, by name.
    pub targets: BTreeMap<TargetName, Target>,
}

/// `[people]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeopleFiles {
    /// Apache's htpasswd file.
    pub passwords: String,
    /// Apache's group file.
    pub groups: String,
    /// Groups whose members see everything that is open, and may close it. Empty: nobody.
    pub operators: BTreeSet<Group>,
    /// The least characters of a password that Doorward sets; one that is in the file already may be shorter.
    pub least_length: usize,
}

/// `least-length` where the policy does not set it. OWASP ASVS 5 (6.2.1) asks for eight at least.
pub const LEAST_LENGTH: usize = 10;

/// `sessions = { idle = "1h", at-most = "12h" }`: how long a sign-in lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// A session that was not used for so long ends.
    pub idle: SignedDuration,
    /// A session ends so long after its sign-in, however much it is used.
    pub at_most: SignedDuration,
}

impl Default for Sessions {
    /// One hour and twelve: NIST SP 800-63B-4 (2.2.3) recommends at most one hour without use and a day in all.
    fn default() -> Self {
        Self { idle: SignedDuration::from_hours(1), at_most: SignedDuration::from_hours(12) }
    }
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where the pages and the API are served.
    pub listen: SocketAddr,
    /// The address that people type, without a slash at its end. `https` makes cookies Secure, its host is the only one
    /// that is answered for, and its path stands before every path of the server.
    pub url: Option<String>,
    /// TLS from these two PEM files.
    pub tls: Option<Tls>,
    /// Proxies whose `X-Forwarded-For` or `Forwarded` is believed. Empty: none.
    pub proxies: Vec<Cidr>,
    /// Whether passwords may cross a network without TLS, because the operator says that they accept it.
    pub insecure: bool,
    /// Whether these proxies begin each connection with a header of the PROXY protocol that says whose it is.
    pub proxy_protocol: bool,
    /// Where grants and the record are kept: a path (SQLite) or `postgres://…`.
    pub store: String,
    /// A host name of this server that resolves to IPv4 only, to learn a person's IPv4 address from a page that came over IPv6.
    pub url_v4: Option<String>,
    /// Likewise for IPv6.
    pub url_v6: Option<String>,
    /// How long a sign-in lasts.
    pub sessions: Sessions,
}

impl Server {
    /// The path of `url`: empty, or `/door`, which stands before every path of the server.
    pub fn prefix(&self) -> &str {
        let rest = self.url.as_deref().and_then(|url| url.split_once("://")).map_or("", |(_, rest)| rest);
        rest.find('/').and_then(|start| rest.get(start..)).unwrap_or("").trim_end_matches('/')
    }

    /// Whether every page of the server comes by TLS: its own, or that of the proxy that `url` names.
    pub fn is_https(&self) -> bool {
        self.tls.is_some() || self.url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// A file with the key that authenticates every entry of the record: 64 hexadecimal digits. None: a file beside
    /// the store.
    pub key: Option<String>,
    /// A file with the last head of the record, outside of the store. None: a file beside the key.
    pub head: Option<String>,
}

/// A certificate and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The chain, the server's own certificate first.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// `[grants]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantDefaults {
    /// How many bits of an IPv6 address of the internet are admitted, 48 to 128: privacy addresses change within a /64.
    pub ipv6_prefix: u8,
    /// Whether every request needs a reason.
    pub reason_required: bool,
    /// Networks that people come from although IANA sets them apart: private ones, most of all. Empty: none.
    pub special_networks: Vec<Cidr>,
}

impl GrantDefaults {
    /// Whether a policy may list addresses of this kind in `special-networks`.
    pub(crate) fn may_list(kind: Special) -> bool {
        matches!(
            kind,
            Special::Private
                | Special::Shared
                | Special::Loopback
                | Special::Documentation
                | Special::Benchmarking
        )
    }
}

/// `[limits]`: how many grants may be open or wait at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Of one person.
    pub per_person: u32,
    /// Of one person to one target: a grant for each address that they come from.
    pub per_person_and_target: u32,
    /// To one target, where that does not say its own; none: as many as its firewall holds.
    pub per_target: Option<u32>,
    /// How often one grant may be moved to another address.
    pub moves: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // A security group holds 60 rules: nobody fills one alone. Most people have a handful of addresses a day.
        Self { per_person: 50, per_person_and_target: 10, per_target: None, moves: 20 }
    }
}

/// `[firewall.NAME]`: a place where rules are enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    pub name: FirewallName,
    /// What it is for, in the operator's words.
    pub about: String,
    /// Where it stands.
    pub kind: Enforcement,
    /// Always let in, to the ports of every target behind it.
    pub statics: Vec<Cidr>,
}

/// What enforces rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforcement {
    /// An EC2 security group.
    SecurityGroup {
        /// `sg-…`
        group: SecurityGroupId,
        /// The profile and Region that it is found through.
        at: AccountRegion,
        /// The VPC that it must be in, when the policy says so.
        vpc: Option<VpcId>,
    },
    /// A table of our own in this machine's nftables.
    Nftables {
        /// The table's name; its family is always `inet`.
        table: String,
    },
    /// The program's own TCP relay.
    Relay {
        /// Where it listens.
        listen: SocketAddr,
    },
}

impl Enforcement {
    /// What taking a rule away does to a connection that is already there.
    pub fn closing(&self) -> Closing {
        match self {
            // AWS keeps tracked connections when their rule goes (EC2 user guide, connection tracking).
            Self::SecurityGroup { .. } => Closing::RefusesNewOnly,
            Self::Nftables { .. } | Self::Relay { .. } => Closing::Severs,
        }
    }
}

/// `[target.NAME]`: what people reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub name: TargetName,
    /// What it is, in the operator's words.
    pub about: String,
    /// Where it is.
    pub address: Address,
    /// Names that are looked up inside, of a target that is a network.
    pub names: Option<Names>,
    /// What a grant admits. Empty: nothing.
    pub ports: BTreeSet<Flow>,
    /// Whose members may ask. Empty: nobody.
    pub groups: BTreeSet<Group>,
    /// Ways that the policy permits. Empty: none.
    pub transports: BTreeSet<Transport>,
    /// Where a direct grant is enforced.
    pub firewall: Option<FirewallName>,
    /// How long a grant lasts.
    pub lasts: Lasts,
    /// When somebody else must agree.
    pub approval: Option<Approval>,
    /// Whether a request needs a reason.
    pub reason_required: bool,
    /// How many grants of all people may be open or wait at once; none: as `[limits]` says.
    pub limit: Option<u32>,
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// `rds:IDENTIFIER`: a DB instance or cluster.
    Rds(String),
    /// `proxy:NAME`: an RDS Proxy.
    Proxy(String),
    /// `cache:ID`: an ElastiCache cluster or replication group.
    Cache(String),
    /// `instance:i-…`
    Instance(String),
    /// `tag:KEY=VALUE`: the instances that bear the tag.
    Tag(String, String),
    /// An address or a DNS name.
    Host(String),
    /// `10.0.0.0/16`: whole networks.
    Network(BTreeSet<Cidr>),
}

impl Address {
    /// The address itself, where the policy names one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Host(host) => host.parse().map(|address: IpAddr| address.to_canonical()).ok(),
            Self::Rds(_)
            | Self::Proxy(_)
            | Self::Cache(_)
            | Self::Instance(_)
            | Self::Tag(..)
            | Self::Network(_) => None,
        }
    }

    /// Whether it names a machine of EC2, which sessions and keys can be sent to.
    pub fn is_instance(&self) -> bool {
        matches!(self, Self::Instance(_) | Self::Tag(..))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rds(id) => write!(f, "rds:{id}"),
            Self::Proxy(name) => write!(f, "proxy:{name}"),
            Self::Cache(id) => write!(f, "cache:{id}"),
            Self::Instance(id) => write!(f, "instance:{id}"),
            Self::Tag(key, value) => write!(f, "tag:{key}={value}"),
            Self::Host(host) => f.write_str(host),
            Self::Network(networks) => {
                let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
                f.write_str(&networks.join(", "))
            }
        }
    }
}

/// A way to a target, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// The person's own address is admitted.
    Direct,
    /// A WireGuard gateway in the VPC.
    Wireguard,
    /// A Session Manager session.
    Ssm,
    /// SSH through a jump host.
    Ssh,
}

impl Transport {
    /// Every way, the cheapest first.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Wireguard, Self::Ssm, Self::Ssh];

    /// Whether this version implements it.
    pub fn is_supported(self) -> bool {
        self != Self::Wireguard
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Wireguard => "wireguard",
            Self::Ssm => "ssm",
            Self::Ssh => "ssh",
        })
    }
}

/// `lasts = { usually = "2h", at-most = "8h" }`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lasts {
    /// When the person names no duration.
    pub usually: SignedDuration,
    /// The longest that one grant lives, extensions included, from its first second.
    pub at_most: SignedDuration,
}

/// `approval = { from = ["leads"], above = "4h" }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Whose members may agree; never the person who asks.
    pub from: BTreeSet<Group>,
    /// Grants that live longer than this need it; zero: every grant.
    pub above: SignedDuration,
}
