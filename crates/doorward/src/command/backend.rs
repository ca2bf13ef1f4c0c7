//! Where `open`, `close` and `list` act: on a server, or on the policy file of this machine.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use doorward_core::audit::Login;
use doorward_core::policy::Person;
use jiff::SignedDuration;

use super::{Code, Failure};
use crate::bounded_file;
use crate::client::{self, Client, system_trust};
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::policy_file::PolicyFile;
use crate::requests::Caller;
use crate::running::Running;

/// The options that choose the backend.
#[derive(Debug, Clone, Args)]
pub struct BackendOptions {
    /// Use the policy file and the AWS credentials of this machine, even if you are signed in to a server
    #[arg(long)]
    pub local: bool,
    /// Your name in the policy file of this machine; by default your login name. Only with a local policy. The
    /// audit log records it as unproven, and it cannot approve requests
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<Person>,
}

/// The backend of a command.
pub enum Backend {
    /// The server that the person is signed in to.
    Server(Client),
    /// The policy file of this machine, with the person and their address.
    Local(Box<PolicyFile>, Caller),
}

impl BackendOptions {
    /// Whether a server is asked, so that no policy file of this machine is read.
    pub fn is_a_server(&self) -> bool {
        let kept = || client::Login::kept(Clock::system().now());
        !self.local && self.person.is_none() && matches!(kept(), Ok(Some(_)))
    }

    /// Refuses a policy file on the command line while the person is signed in to a server, which has its own.
    pub fn reads_the_policy_named(&self) -> Result<(), Failure> {
        if self.local || self.person.is_some() {
            return Ok(());
        }
        match client::Login::kept(Clock::system().now()).map_err(super::server_failure)? {
            None => Ok(()),
            Some(login) => {
                let what = format!(
                    "`--policy` names a policy file of this machine, and you are signed in to {}",
                    login.url
                );
                Err(Failure::new(Code::Usage, what)
                    .hint("leave it out, or add `--local` to use that file; `doorward logout` signs out"))
            }
        }
    }

    /// Finds the backend: the server that the person is signed in to, or else the policy file.
    pub fn find(&self, policy: &Path) -> Result<Backend, Failure> {
        if let (false, Some(person)) = (self.local, &self.person)
            && let Some(login) = client::Login::kept(Clock::system().now()).map_err(super::server_failure)?
        {
            let what = format!("`--as` is for a local policy, and you are signed in to {}", login.url);
            return Err(Failure::new(Code::Usage, what).hint(format!(
                "leave it out, or add `--local` to use the policy file as {person}; `doorward logout` signs out"
            )));
        }
        if !self.local && self.person.is_none() {
            if let Some(path) = client::Login::shut().map_err(super::server_failure)? {
                let path = path.display();
                super::note(&format!(
                    "warning: other users could read `{path}`, which has your session; they no longer can\n\
                     hint: if somebody may have read it, run `doorward logout` and `doorward login URL`"
                ));
            }
            let login = client::Login::kept(Clock::system().now()).map_err(super::server_failure)?;
            if let Some(login) = login {
                return Client::with(&login).map(Backend::Server).map_err(super::server_failure);
            }
        }
        if !policy.exists() && !self.local && self.person.is_none() {
            let failure = Failure::of(Code::NoPermission, &crate::client::Error::NotSignedIn);
            let sign_in = client::Login::again(Clock::system().now());
            let sign_in = sign_in.unwrap_or_else(|| "doorward login URL".into());
            return Err(failure.hint(format!(
                "sign in with `{sign_in}`, or name a policy file with `--policy` (`{}` does not exist)",
                policy.display()
            )));
        }
        let file = super::open_policy(policy)?;
        let caller = match &self.person {
            Some(person) => Caller { person: person.clone(), from: None, claimed_by: Some(login()) },
            None => Caller::known(login_name()?, None),
        };
        if !file.current().people.knows(&caller.person) {
            // Before anything is read that only a person with access needs.
            let known = if self.person.is_none() { ", your login name on this machine," } else { "" };
            let what = format!(
                "`{}`{known} is not in the password file of `{}`, or is locked there",
                caller.person,
                policy.display()
            );
            let failure = Failure::new(Code::No, what);
            return Err(failure
                .hint("name yourself with `--as PERSON`, or sign in to a server with `doorward login URL`"));
        }
        Ok(Backend::Local(Box::new(file), caller))
    }
}

/// The login name of the user who runs this, from the machine: the environment can be forged.
pub fn login_name() -> Result<Person, Failure> {
    let login = login();
    let failure = match login.user.as_deref().map(str::parse) {
        Some(Ok(person)) => return Ok(person),
        Some(Err(error)) => Failure::of(Code::Usage, &error),
        None => Failure::new(Code::Usage, format!("the user {} has no name on this machine", login.uid)),
    };
    Err(failure.hint("name yourself with `--as PERSON`"))
}

/// The user who runs this, from the machine. SUDO_USER is recorded as it is: it is a hint for a reader, not a proof.
pub fn login() -> Login {
    let uid = rustix::process::getuid().as_raw();
    let listed = bounded_file::text(Path::new("/etc/passwd"), bounded_file::LARGE).ok().and_then(|file| {
        let of_uid = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        };
        file.lines().find_map(of_uid)
    });
    // Users of a directory (LDAP, macOS) are not in the file.
    let asked = || {
        let output = std::process::Command::new("/usr/bin/id").args(["-u", "-n", "-r"]).output().ok()?;
        let name = String::from_utf8(output.stdout).ok()?;
        Some(name.trim().to_owned()).filter(|name| output.status.success() && !name.is_empty())
    };
    let short = |name: String| name.chars().take(LONGEST_LOGIN).collect();
    let sudo = std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty());
    Login { uid, user: listed.or_else(asked).map(short), sudo: sudo.map(short) }
}

/// The most characters of a login that are recorded.
const LONGEST_LOGIN: usize = 63;

/// Starts this machine's own Doorward for one command.
pub async fn start(file: PolicyFile) -> Result<Running, Failure> {
    let clock = Clock::system();
    Ok(Running::start(Arc::new(file), Cloud::live(), clock).await?)
}

/// The address from which this machine reaches the Internet, as AWS sees it.
///
/// `hint` says what else names it: not every verb has the option `--address`.
pub fn outside_address(hint: &'static str) -> Result<IpAddr, Failure> {
    const ASKED: &str = "https://checkip.amazonaws.com";
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .tls_config(system_trust())
        .build()
        .new_agent();
    let mut answer = agent.get(ASKED).call().map_err(|error| {
        Failure::of(Code::Unavailable, &error).context(format!("`{ASKED}` did not respond")).hint(hint)
    })?;
    let text = answer.body_mut().with_config().limit(256).read_to_string();
    let text = text.map_err(|error| Failure::of(Code::Unavailable, &error).hint(hint))?;
    text.trim().parse().map_err(|error| Failure::of(Code::Unavailable, &error).hint(hint))
}

/// A duration as it is typed: `2h`, `90m`, `1h 30m`.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    doorward_core::policy::duration(text).map_err(|error| error.to_string())
}
