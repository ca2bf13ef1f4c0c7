//! `doorward login` and `doorward logout`: a session with a server, kept in a file that only you can read.

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::{Code, Failure, terminal};
use crate::client::{Client, Login as Kept};
use crate::clock::Clock;

/// Sign in to a server
///
/// The session is stored in $XDG_CONFIG_HOME/doorward/login.json, which only you can read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward login https://doorward.example.org
  doorward login https://doorward.example.org --as jon --stdin < password-file
  doorward login https://tools.example.org/doorward    a server under a path")]
pub struct Login {
    /// The URL of the server
    #[arg(env = "DOORWARD_SERVER")]
    pub url: String,
    /// Your name on the server; by default your login name
    #[arg(long = "as", alias = "user", value_name = "PERSON")]
    pub person: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    pub stdin: bool,
    /// Send the password and the session over the network without TLS, where everybody on the path can read them
    #[arg(long)]
    pub insecure: bool,
}

impl Login {
    pub fn run(self) -> Result<(), Failure> {
        let proposed = self.person.is_none();
        let name = match self.person {
            Some(person) => person,
            // Only a proposal: the password proves it.
            None => match std::env::var("USER").or_else(|_| std::env::var("LOGNAME")) {
                Ok(user) if !user.is_empty() => user,
                _ => super::backend::login_name()?.to_string(),
            },
        };
        Client::check(&self.url, self.insecure).map_err(super::server_failure)?;
        let password = match self.stdin {
            true => terminal::first_line()?,
            false if proposed => {
                terminal::password(&format!("Password of {name} (`--as` chooses another name): "))?
            }
            false => terminal::password(&format!("Password of {name}: "))?,
        };
        let kept =
            Client::login(&self.url, &name, &password, self.insecure).map_err(super::server_failure)?;
        kept.keep().map_err(Failure::with(Code::CannotCreate))?;
        super::print(&format!(
            "You are signed in to {} as {} {}.\n",
            kept.url,
            kept.person,
            expiry(kept.ends, kept.idle_seconds)
        ))
    }
}

/// When a session expires: at its end, or earlier without use.
pub(super) fn expiry(ends: Timestamp, idle_seconds: Option<i64>) -> String {
    let until = format!("until {}", super::instant(ends));
    match idle_seconds.map(SignedDuration::from_secs) {
        Some(idle) => format!("{until}, or until {} after the last use", super::in_words(idle)),
        None => until,
    }
}

/// Sign out of the server
///
/// Your open grants stay open until they expire.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward logout")]
pub struct Logout {}

impl Logout {
    /// Signs out: the session ends on the server too, when that can be reached.
    pub fn run(self) -> Result<(), Failure> {
        let Some(kept) = Kept::kept(Clock::system().now()).map_err(super::server_failure)? else {
            Kept::forget().map_err(Failure::with(Code::Io))?;
            return super::print("You were not signed in.\n");
        };
        let signed_out = Client::with(&kept).and_then(|client| client.logout());
        Kept::forget().map_err(Failure::with(Code::Io))?;
        match signed_out {
            Ok(()) => super::print(&format!("You are signed out of {}.\n", kept.url)),
            Err(error) => Err(super::server_failure(error)
                .hint("this machine has deleted the session; on the server it expires within hours")),
        }
    }
}
