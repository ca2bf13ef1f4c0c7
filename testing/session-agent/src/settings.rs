//! What a test says of the stand before it starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::faults::Faults;

/// Everything that can be set. [`Settings::default`] is one instance with a current agent, one access key, signatures
/// required, no fault.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The Region that signatures must be for.
    pub region: String,
    /// The account, twelve digits.
    pub account: String,
    /// Who may call.
    pub credentials: Vec<Credential>,
    /// Whether unsigned and wrongly signed requests are refused. What is signed is verified in any case, and what does
    /// not verify is a violation.
    pub require_signatures: bool,
    /// Where everything goes that is not played here: the base URL of a moto server.
    pub moto: Option<String>,
    /// Operations that are denied, `StartSession`.
    pub denied: Vec<String>,
    /// The instances that have an agent.
    pub instances: Vec<String>,
    /// What the agents do.
    pub agent: AgentSettings,
    /// Whether a token admits once.
    pub single_use_tokens: bool,
    /// Where pushed public keys are written for 60 seconds, by the instance's user: sshd's `AuthorizedKeysFile`.
    pub authorized_keys: Option<PathBuf>,
    /// How long a pushed key stays.
    pub key_lives: Duration,
    /// What `GetConsoleOutput` says of an instance.
    pub console: BTreeMap<String, String>,
    /// The Instance Connect Endpoints.
    pub endpoints: Vec<ConnectEndpoint>,
    /// Whether CloudTrail allows two look-ups a second and no more.
    pub throttle_lookups: bool,
    /// Events that CloudTrail has besides those of this stand, each the JSON of one record.
    pub recorded_events: Vec<String>,
    /// What goes wrong on the way from the first.
    pub faults: Faults,
}

/// A key that may call.
#[derive(Clone)]
pub struct Credential {
    /// `AKIA…`.
    pub access_key: String,
    /// What signs.
    pub secret: String,
    /// What must come along with temporary ones.
    pub token: Option<String>,
    /// Whose: the ARN of a user or of an assumed role.
    pub arn: String,
    /// What they may do besides, when they were vended with a session policy.
    pub policy: Option<serde_json::Value>,
    /// The tags of an assumed role's session.
    pub tags: std::collections::BTreeMap<String, String>,
    /// When temporary ones were issued.
    pub issued: Option<jiff::Timestamp>,
    /// Who stands behind an assumed role.
    pub source_identity: Option<String>,
    /// When temporary ones are over.
    pub expires: Option<jiff::Timestamp>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("access_key", &self.access_key)
            .field("arn", &self.arn)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// The last part of the ARN: the user's name, or the role session's.
    pub fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// What `${aws:userid}` is: the id of a user, or that of a role and the name of its session.
    pub fn user_id(&self) -> String {
        user_id(&self.arn)
    }

    /// The ARN of the role that was assumed.
    pub fn role(&self) -> Option<String> {
        let (account, rest) = self.arn.strip_prefix("arn:aws:sts::")?.split_once(":assumed-role/")?;
        Some(format!("arn:aws:iam::{account}:role/{}", rest.split('/').next()?))
    }
}

/// What the agents do.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// What they say they are: it decides on smux, basic mode, keep-alive and the TerminateSession flag.
    pub version: String,
    /// Read 1,024 bytes, then sleep a millisecond, as the stock agent does: 0.6 MB/s a session.
    pub slow: bool,
    /// The most bytes in one of its messages, when it is not slow.
    pub payload: usize,
    /// Where names and addresses that it is asked for really are.
    pub places: BTreeMap<(String, u16), SocketAddr>,
    /// How long it takes until the port is open; what comes before is not acknowledged.
    pub port_opens_after: Duration,
    /// Where port 22 of the instance is, for AWS-StartSSHSession.
    pub sshd: Option<SocketAddr>,
    /// The key that shells are encrypted with.
    pub kms_key: Option<String>,
    /// The shell.
    pub shell: PathBuf,
    /// How long the client has for the handshake.
    pub handshake_waits: Duration,
    /// What it says when the handshake is complete.
    pub customer_message: String,
}

/// An Instance Connect Endpoint.
#[derive(Debug, Clone)]
pub struct ConnectEndpoint {
    /// `eice-…`.
    pub id: String,
    /// In which VPC.
    pub vpc: String,
    /// In which subnet.
    pub subnet: String,
    /// Where the private addresses that it reaches really are.
    pub places: BTreeMap<(String, u16), SocketAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            region: "eu-west-1".into(),
            account: "123456789012".into(),
            credentials: vec![Credential {
                access_key: "AKIAIOSFODNN7EXAMPLE".into(),
                secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
                token: None,
                arn: "arn:aws:iam::123456789012:user/jon".into(),
                policy: None,
                tags: BTreeMap::new(),
                issued: None,
                source_identity: None,
                expires: None,
            }],
            require_signatures: true,
            moto: None,
            denied: Vec::new(),
            instances: vec!["i-0123456789abcdef0".into()],
            agent: AgentSettings::default(),
            single_use_tokens: true,
            authorized_keys: None,
            key_lives: Duration::from_secs(60),
            console: BTreeMap::new(),
            endpoints: Vec::new(),
            throttle_lookups: false,
            recorded_events: Vec::new(),
            faults: Faults::default(),
        }
    }
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            version: "3.3.2299.0".into(),
            slow: false,
            payload: 32_768,
            places: BTreeMap::new(),
            port_opens_after: Duration::ZERO,
            sshd: None,
            kms_key: None,
            shell: "/bin/sh".into(),
            handshake_waits: Duration::from_secs(15),
            customer_message: String::new(),
        }
    }
}

impl AgentSettings {
    /// Says where a host and port that the agent is asked for really are.
    pub fn place(mut self, host: &str, port: u16, is: SocketAddr) -> Self {
        self.places.insert((host.to_owned(), port), is);
        self
    }
}

/// The same of an ARN: what AWS tags a session with.
pub(crate) fn user_id(arn: &str) -> String {
    match arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((role, session)) => format!("AROA{}EXAMPLE:{session}", role.to_uppercase().replace('-', "")),
        None => "AIDAEXAMPLE".to_owned(),
    }
}
