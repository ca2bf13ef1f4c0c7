//! Through which machine a target is reached that has no open port, and how: `[ssm]` and `[ssh]`.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Address, TargetName};
use crate::inventory::{AccountId, AccountRegion, ConnectEndpointId};

/// `[ssm]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssm {
    /// The machine that sessions are opened to: an instance or a tag.
    pub jump_host: Address,
    /// The profile and the Region that it is found through.
    pub at: AccountRegion,
    /// Which documents sessions are opened with.
    pub documents: Documents,
    /// The role whose credentials the server vends for a grant; none: each person has credentials of their own.
    pub role: Option<RoleArn>,
    /// How many sessions carry one target at most, 1 to 16: the agent holds each to 0.6 MB/s towards the person.
    pub sessions: u8,
}

impl Ssm {
    /// The document of our own that leads to one target.
    pub fn pinned(target: &TargetName) -> String {
        format!("doorward-{target}")
    }

    /// How many sessions there are where the policy says nothing.
    pub const SESSIONS: u8 = 4;
    /// The most.
    pub const MOST_SESSIONS: u8 = 16;
}

/// Which documents sessions are opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    /// AWS's own, whose `host` is free: whoever may use them reaches all that the jump host reaches.
    Shared,
    /// One a target, in which the host stands.
    Pinned,
}

/// A role of IAM, by its ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleArn(String);

impl RoleArn {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The account that it is in: twelve digits.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// Its name, without a path: what the calls of IAM take.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[ssh]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The machine that SSH goes to: an instance, a tag, an address or a name.
    pub jump_host: Address,
    /// The profile and the Region that it is found through.
    pub at: AccountRegion,
    /// Who one is on it.
    pub user: SshUser,
    /// What carries the connection to it.
    pub over: Over,
    /// Where its sshd listens.
    pub port: u16,
    /// A file of host keys, as OpenSSH's; none: the first key that is seen is remembered.
    pub known_hosts: Option<String>,
    /// Which Instance Connect Endpoint; none: the one that is in the jump host's VPC.
    pub endpoint: Option<ConnectEndpointId>,
    /// By which key.
    pub key: SshKey,
    /// A second machine, reached from the first.
    pub then: Option<Hop>,
}

/// What carries SSH to the jump host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// A Session Manager session.
    Ssm,
    /// An EC2 Instance Connect Endpoint.
    Endpoint,
    /// This machine's own network.
    Direct,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssm => "ssm",
            Self::Endpoint => "endpoint",
            Self::Direct => "direct",
        })
    }
}

/// By which key one is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshKey {
    /// A new one each time, which EC2 Instance Connect accepts for 60 seconds.
    InstanceConnect,
    /// Those of the person's own agent.
    Agent,
    /// That of a file.
    File(String),
}

/// A second machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Who one is on it.
    pub user: SshUser,
    /// Its address or name, as the first machine knows it.
    pub host: String,
    /// Where its sshd listens.
    pub port: u16,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port } = self;
        if host.contains(':') {
            write!(f, "{user}@[{host}]:{port}")
        } else {
            write!(f, "{user}@{host}:{port}")
        }
    }
}

/// A user of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshUser(String);

impl SshUser {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SshUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names that are looked up inside a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Domains: each with all that is below it.
    pub below: BTreeSet<String>,
    /// Who knows them, by TCP on port 53.
    pub resolver: IpAddr,
}

/// A text that is not what stands in `[ssm]` or `[ssh]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JumpError {
    /// Not the ARN of a role.
    #[error("`{0}` is not the ARN of a role (like `arn:aws:iam::123456789012:role/doorward-sessions`)")]
    Role(String),
    /// Not a user's name.
    #[error("`{0}` is not a user's name on the machine (like `ec2-user`)")]
    User(String),
    /// Not a second machine.
    #[error("`{0}` is not a user and a machine (like `admin@10.0.3.7` or `admin@inner.example.org:2222`)")]
    Hop(String),
}

impl FromStr for RoleArn {
    type Err = JumpError;

    fn from_str(text: &str) -> Result<Self, JumpError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let good = match *parts.as_slice() {
            ["arn", partition, "iam", "", account, role] => {
                let name = role.strip_prefix("role/").unwrap_or_default();
                partition.starts_with("aws")
                    && account.parse::<AccountId>().is_ok()
                    && !name.ends_with('/')
                    && !name.is_empty()
                    // IAM API reference, `Role`: the path and the name together.
                    && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte))
            }
            _ => false,
        };
        if good { Ok(Self(text.to_owned())) } else { Err(JumpError::Role(text.to_owned())) }
    }
}

impl FromStr for SshUser {
    type Err = JumpError;

    /// What EC2 Instance Connect takes as `InstanceOSUser` (its API reference), less what begins with a digit.
    fn from_str(text: &str) -> Result<Self, JumpError> {
        let good = (1..=32).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@._-".contains(&byte));
        if good { Ok(Self(text.to_owned())) } else { Err(JumpError::User(text.to_owned())) }
    }
}

impl FromStr for Hop {
    type Err = JumpError;

    fn from_str(text: &str) -> Result<Self, JumpError> {
        let not = || JumpError::Hop(text.to_owned());
        let (user, account_region) = text.rsplit_once('@').ok_or_else(not)?;
        let bracketed = account_region.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, rest)) => {
                host.parse::<std::net::Ipv6Addr>().map_err(|_| not())?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(not)?) })
            }
            None if account_region.parse::<IpAddr>().is_ok() => (account_region, None),
            None => account_region
                .split_once(':')
                .map_or((account_region, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(22), str::parse::<u16>).ok().filter(|port| *port > 0).ok_or_else(not)?;
        let Ok(Address::Host(host)) = host.parse() else { return Err(not()) };
        Ok(Self { user: user.parse().map_err(|_| not())?, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: FromStr<Err = JumpError> + fmt::Display>(text: &str, expected: Option<&str>) {
        let read = text.parse::<T>().ok().map(|read| read.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_second_machine_is_a_user_and_a_place() {
        check::<Hop>("admin@10.0.3.7", Some("admin@10.0.3.7:22"));
        check::<Hop>("admin@Inner.example.org:2222", Some("admin@inner.example.org:2222"));
        check::<Hop>("admin@2001:db8::7", Some("admin@[2001:db8::7]:22"));
        check::<Hop>("admin@[2001:db8::7]:2222", Some("admin@[2001:db8::7]:2222"));
        for text in [
            "10.0.3.7",
            "@10.0.3.7",
            "admin@",
            "admin@rds:orders",
            "a@b:0",
            "a@b:99999",
            "a@[b]:1",
            "a@[::1]2",
        ] {
            check::<Hop>(text, None);
        }
    }

    #[test]
    fn a_role_is_named_by_its_arn() {
        for good in
            ["arn:aws:iam::123456789012:role/doorward", "arn:aws-cn:iam::123456789012:role/ops/doorward@x"]
        {
            check::<RoleArn>(good, Some(good));
        }
        for bad in [
            "doorward",
            "arn:aws:iam::12345678901:role/doorward",
            "arn:aws:iam::123456789012:user/jon",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/*",
        ] {
            check::<RoleArn>(bad, None);
        }
    }

    #[test]
    fn a_role_has_an_account_and_a_name_without_its_path() {
        let role: RoleArn = "arn:aws:iam::123456789012:role/ops/doorward@x".parse().expect("a role");
        assert_eq!((role.account(), role.name()), ("123456789012", "doorward@x"));
    }

    #[test]
    fn a_user_is_one_that_instance_connect_takes() {
        for good in ["ec2-user", "_svc", "jon@example.org"] {
            check::<SshUser>(good, Some(good));
        }
        for bad in ["", "-oProxyCommand=x", "jon doe", "rené", &"x".repeat(33)] {
            check::<SshUser>(bad, None);
        }
    }
}
