//! Transport settings for a grant, as the client needs them, and events reported back.

use std::net::IpAddr;

use doorward_core::audit::What;
use doorward_core::grant::{Grant, GrantId};
use doorward_core::net::{Cidr, Flow};
use doorward_core::policy::{self, Address, Documents, Enforcement, Over, Policy, SshKey, Target, Transport};
use serde::{Deserialize, Serialize};

use super::connection_hint::host_of;
use super::{Caller, Error, Requests};

/// Transport settings of a grant, as the client needs them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Through {
    /// Where the target is, as the policy says: `rds:orders-prod`, an address or a name. None of a network.
    pub address: Option<String>,
    /// The networks, of a target that is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Cidr>,
    /// What may be reached there.
    pub ports: Vec<Flow>,
    /// The names that are looked up inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
    /// The profile that the policy names. Only on the policy's own machine: elsewhere people have profiles of their own.
    #[serde(skip)]
    pub profile: Option<String>,
    /// The Region of the jump host; of the policy itself, where there is none.
    pub region: Option<String>,
    /// The relay in front of the target: packets go to it, and not to the target's own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<Relay>,
    /// Whether the server vends credentials for it; else the person's own are used.
    #[serde(default)]
    pub vended: bool,
    /// What the packets go through.
    #[serde(flatten)]
    pub by: By,
}

impl Through {
    /// Transport settings for a grant of a target; none if the policy lacks them.
    pub(super) fn of(policy: &Policy, target: &Target, transport: Transport) -> Option<Through> {
        let (by, at) = match transport {
            Transport::Direct => (By::Direct, policy.aws.clone()),
            Transport::Ssm => {
                let ssm = policy.ssm.as_ref()?;
                (By::Ssm(sessions(ssm, target)), ssm.at.clone())
            }
            Transport::Ssh => {
                let ssh = policy.ssh.as_ref()?;
                (By::Ssh(machine(ssh)), ssh.at.clone())
            }
            Transport::Wireguard => return None,
        };
        let networks: Vec<Cidr> = match &target.address {
            Address::Network(networks) => networks.iter().copied().collect(),
            _ => Vec::new(),
        };
        Some(Through {
            address: networks.is_empty().then(|| target.address.to_string()),
            networks,
            ports: target.ports.iter().copied().collect(),
            names: target.names.as_ref().map(|names| Names {
                below: names.below.iter().cloned().collect(),
                resolver: names.resolver,
            }),
            vended: transport != Transport::Direct
                && policy.ssm.as_ref().is_some_and(|ssm| ssm.role.is_some()),
            profile: at.profile,
            region: at.region,
            relay: if transport == Transport::Direct { relay(policy, target) } else { None },
            by,
        })
    }

    /// What it gives besides the target, in words: by SSH a login, with which the machine's sshd alone decides what more
    /// is reached.
    pub fn login(&self) -> Option<String> {
        let By::Ssh(machine) = &self.by else { return None };
        let then = machine.then.as_ref().map(|then| format!(" and {then}")).unwrap_or_default();
        let Machine { user, jump_host, .. } = machine;
        Some(format!("a login as {user} on {jump_host}{then}, unless its sshd confines it"))
    }
}

/// A relay of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// Where it listens; none where that is on every address of the server, and the policy has no `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub port: u16,
}

/// Names that are looked up inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Domains, each with all that is below it.
    pub below: Vec<String>,
    /// Who knows them.
    pub resolver: IpAddr,
}

/// What packets go through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "transport", rename_all = "lowercase")]
pub enum By {
    /// Nothing: the person's own address is admitted.
    Direct,
    /// Sessions of Session Manager.
    Ssm(Sessions),
    Ssh(Machine),
}

/// Sessions to a jump host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sessions {
    /// An instance or a tag.
    pub jump_host: String,
    /// The session document with the target pinned in it; none: AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// How many sessions at most.
    pub sessions: u8,
}

/// A machine that SSH goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Machine {
    /// An instance, a tag, an address or a name.
    pub jump_host: String,
    /// Who one is on it.
    pub user: String,
    /// Where its sshd listens.
    pub port: u16,
    /// The transport of the connection to it.
    pub over: Over,
    /// Which Instance Connect Endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// By which key.
    pub key: Key,
    /// A second machine, as `user@host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// Host keys as OpenSSH writes them; none: the first that is seen is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<String>,
}

/// The key for authentication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// A new one each time, authorised by EC2 Instance Connect.
    InstanceConnect,
    /// Those of the person's own agent.
    Agent,
    /// That of a file of the person's machine.
    File(String),
}

/// An event of a grant's transport, as the client reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase", deny_unknown_fields)]
pub enum Carried {
    /// It was opened.
    Opened {
        /// What AWS calls it.
        #[serde(default)]
        session: Option<String>,
    },
    /// It was lost and is there again.
    Reconnected {
        /// What AWS calls it.
        #[serde(default)]
        session: Option<String>,
        /// Why it was lost.
        why: String,
    },
    /// It is closed.
    Closed {
        /// What AWS calls it.
        #[serde(default)]
        session: Option<String>,
        /// Bytes to the target.
        #[serde(deserialize_with = "whole")]
        up: u64,
        /// Bytes from it.
        #[serde(deserialize_with = "whole")]
        down: u64,
        why: String,
    },
}

/// A count that may be written with a zero fraction (`5.0` is an integer in JSON Schema), and fits the audit log.
fn whole<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    // Up to here each integer has a double of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = serde_json::Number::deserialize(from)?;
    let written_with_a_fraction = || {
        let number =
            number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=EXACT).contains(number))?;
        Some(number as u64)
    };
    let count = number.as_u64().filter(|count| i64::try_from(*count).is_ok());
    let wrong = || serde::de::Error::custom(format!("`{number}` is not a number of bytes"));
    count.or_else(written_with_a_fraction).ok_or_else(wrong)
}

/// No connection transfers more bytes in a second: 400 Gbit/s.
const MOST_PER_SECOND: u64 = 50_000_000_000;

/// The most characters of a client's text in the audit log.
const LONGEST: usize = 300;

impl Carried {
    fn what(self, grant: &Grant) -> What {
        let (transport, id) = (grant.transport(), grant.id().clone());
        let short = |text: String| text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
        match self {
            Self::Opened { session } => {
                What::TransportOpened { grant: id, transport, session: session.map(short) }
            }
            Self::Reconnected { session, why } => What::TransportReconnected {
                grant: id,
                transport,
                session: session.map(short),
                why: short(why),
            },
            Self::Closed { session, up, down, why } => What::TransportClosed {
                grant: id,
                transport,
                session: session.map(short),
                up,
                down,
                why: short(why),
            },
        }
    }
}

impl Requests {
    /// Transport settings of a grant; none if the policy no longer has the target.
    pub fn through(&self, grant: &Grant) -> Option<Through> {
        let loaded = self.app.loaded();
        let target = loaded.policy.targets.get(grant.target())?;
        Through::of(&loaded.policy, target, grant.transport())
    }

    /// Transport settings of one of the caller's open grants.
    pub async fn carries(&self, caller: &Caller, id: &GrantId) -> Result<Through, Error> {
        let grant = self.open_grant(caller, id).await?;
        let mut through = self.through(&grant).ok_or_else(|| Error::NoSuchGrant(id.clone()))?;
        let file = self.app.loaded().policy.ssh.as_ref().and_then(|ssh| ssh.known_hosts.clone());
        if let (By::Ssh(machine), Some(file)) = (&mut through.by, file) {
            machine.known_hosts = Some(self.host_keys.read(file).await);
        }
        Ok(through)
    }

    /// A grant of the caller's own that is open.
    pub async fn open_grant(&self, caller: &Caller, id: &GrantId) -> Result<Grant, Error> {
        let grant = self.own(caller, id).await?;
        let open = grant.live(self.app.clock().now()).is_some();
        if open { Ok(grant) } else { Err(Error::NoSuchGrant(id.clone())) }
    }

    async fn own(&self, caller: &Caller, id: &GrantId) -> Result<Grant, Error> {
        let grant = self.grant(id).await?.filter(|grant| *grant.person() == caller.person);
        grant.ok_or_else(|| Error::NoSuchGrant(id.clone()))
    }

    /// Records what became of what carries a grant, as its person's program tells: only of the caller's own. What is not
    /// open carries nothing, and only what was open can be closed.
    pub async fn carried(&self, caller: &Caller, id: &GrantId, carried: Carried) -> Result<(), Error> {
        let grant = match &carried {
            Carried::Opened { .. } | Carried::Reconnected { .. } => self.open_grant(caller, id).await?,
            Carried::Closed { .. } => self.own(caller, id).await?,
        };
        let since = grant.since().ok_or_else(|| Error::NoSuchGrant(id.clone()))?;
        if let Carried::Closed { up, down, .. } = &carried {
            let lived = self.app.clock().now().duration_since(since).as_secs();
            let most = MOST_PER_SECOND.saturating_mul(u64::try_from(lived).unwrap_or(0).saturating_add(60));
            if up.max(down) > &most {
                return Err(Error::TooManyBytes { grant: id.clone(), most });
            }
        }
        self.record(vec![self.event(caller, carried.what(&grant))]).await
    }
}

/// The relay before a target, where one is its firewall.
pub(super) fn relay(policy: &Policy, target: &Target) -> Option<Relay> {
    let firewall = policy.firewalls.get(target.firewall.as_ref()?)?;
    let Enforcement::Relay { listen } = &firewall.kind else { return None };
    let host = match listen.ip().is_unspecified() {
        true => policy.server.url.as_deref().and_then(host_of).map(str::to_owned),
        false => Some(listen.ip().to_string()),
    };
    Some(Relay { host, port: listen.port() })
}

fn sessions(ssm: &policy::Ssm, target: &Target) -> Sessions {
    Sessions {
        jump_host: ssm.jump_host.to_string(),
        document: match ssm.documents {
            Documents::Shared => None,
            Documents::Pinned => Some(policy::Ssm::pinned(&target.name)),
        },
        sessions: ssm.sessions,
    }
}

fn machine(ssh: &policy::Ssh) -> Machine {
    Machine {
        jump_host: ssh.jump_host.to_string(),
        user: ssh.user.to_string(),
        port: ssh.port,
        over: ssh.over,
        endpoint: ssh.endpoint.as_ref().map(ToString::to_string),
        key: match &ssh.key {
            SshKey::InstanceConnect => Key::InstanceConnect,
            SshKey::Agent => Key::Agent,
            SshKey::File(path) => Key::File(path.clone()),
        },
        then: ssh.then.as_ref().map(ToString::to_string),
        // Read only for whoever connects: see `host_keys`.
        known_hosts: None,
    }
}
