//! The two ways that `open`, `close` and `list` take: through a server, or on a policy file of this machine.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use doorward_core::policy::Person;
use jiff::SignedDuration;

use super::{Code, Failure};
use crate::client::{Client, Login, system_trust};
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::policy_file::PolicyFile;
use crate::requests::Caller;
use crate::running::Running;

/// Which way to take.
#[derive(Debug, Clone, Args)]
pub struct Way {
    /// Work on the policy file of this machine, with its own AWS credentials, although you are signed in to a server.
    #[arg(long)]
    pub local: bool,
    /// Who you are to the policy file of this machine; your login name otherwise. Only with a local policy.
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<Person>,
}

/// The way that was found.
pub enum Found {
    /// Signed in to a server.
    Server(Client),
    /// On this machine's policy file.
    Local(Box<PolicyFile>, Person),
}

impl Way {
    /// A server, when somebody is signed in to one; else the policy file.
    pub fn find(&self, policy: &Path) -> Result<Found, Failure> {
        if !self.local && self.person.is_none() {
            let login = Login::kept(Clock::system().now()).map_err(super::server_failure)?;
            if let Some(login) = login {
                return Client::with(&login).map(Found::Server).map_err(super::server_failure);
            }
        }
        if !policy.exists() && !self.local && self.person.is_none() {
            let failure = Failure::of(Code::NoPermission, &crate::client::Error::NotSignedIn);
            return Err(failure.hint(format!(
                "sign in with `doorward login URL`, or name a policy file with `--policy` (`{}` is not there)",
                policy.display()
            )));
        }
        let file = super::open_policy(policy)?;
        let person = match &self.person {
            Some(person) => person.clone(),
            None => login_name()?,
        };
        Ok(Found::Local(Box::new(file), person))
    }
}

pub fn login_name() -> Result<Person, Failure> {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    name.parse().map_err(|error| Failure::of(Code::Usage, &error).hint("say who you are with `--as PERSON`"))
}

/// Starts this machine's own Doorward for one command.
pub async fn start(file: PolicyFile) -> Result<Running, Failure> {
    let clock = Clock::system();
    Running::start(Arc::new(file), Cloud::live(), clock).await.map_err(Failure::with(Code::Io))
}

/// A person at this machine's shell.
pub fn caller(person: Person) -> Caller {
    Caller { person, from: None }
}

/// The address from which this machine reaches the Internet, as AWS sees it.
pub fn outside_address() -> Result<IpAddr, Failure> {
    const ASKED: &str = "https://checkip.amazonaws.com";
    let hint = "name the address to admit with `--address`";
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .tls_config(system_trust())
        .build()
        .new_agent();
    let mut answer = agent.get(ASKED).call().map_err(|error| {
        Failure::of(Code::Unavailable, &error).context(format!("`{ASKED}` was not reached")).hint(hint)
    })?;
    let text = answer.body_mut().with_config().limit(256).read_to_string();
    let text = text.map_err(|error| Failure::of(Code::Unavailable, &error).hint(hint))?;
    text.trim().parse().map_err(|error| Failure::of(Code::Unavailable, &error).hint(hint))
}

/// A duration as it is typed: `2h`, `90m`, `1h 30m`.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    doorward_core::policy::duration(text).map_err(|error| error.to_string())
}
