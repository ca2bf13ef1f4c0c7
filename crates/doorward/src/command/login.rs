//! `doorward login` and `doorward logout`: a session with a server, kept in a file that only you can read.

use clap::Args;

use super::{Code, Failure, terminal};
use crate::client::{Client, Login as Kept};
use crate::clock::Clock;

/// Sign in to a server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward login https://doorward.example.org
  doorward login https://doorward.example.org --as jon --stdin < password-file
  doorward login https://tools.example.org/doorward       a server under a path

The session is kept in $XDG_CONFIG_HOME/doorward/login.json, readable by you alone.")]
pub struct Login {
    /// The server's address
    #[arg(env = "DOORWARD_SERVER")]
    pub url: String,
    /// Your name there; your login name otherwise
    #[arg(long = "as", alias = "user", value_name = "PERSON")]
    pub person: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    pub stdin: bool,
    /// Send your password and your session over the network without TLS, where everybody on the path can read them
    #[arg(long)]
    pub insecure: bool,
}

impl Login {
    /// Signs in.
    pub fn run(self) -> Result<(), Failure> {
        let proposed = self.person.is_none();
        let name = match self.person {
            Some(person) => person,
            // Only a proposal: the password proves it.
            None => match std::env::var("USER").or_else(|_| std::env::var("LOGNAME")) {
                Ok(user) if !user.is_empty() => user,
                _ => super::ways::login_name()?.to_string(),
            },
        };
        Client::check(&self.url, self.insecure).map_err(super::server_failure)?;
        let password = match self.stdin {
            true => terminal::first_line()?,
            false if proposed => {
                terminal::password(&format!("Password of {name} (`--as` names somebody else): "))?
            }
            false => terminal::password(&format!("Password of {name}: "))?,
        };
        let kept =
            Client::login(&self.url, &name, &password, self.insecure).map_err(super::server_failure)?;
        kept.keep().map_err(Failure::with(Code::CannotCreate))?;
        super::print(&format!(
            "You are signed in to {} as {} until {}.\n",
            kept.url,
            kept.person,
            super::instant(kept.ends)
        ))
    }
}

/// Sign out of the server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward logout

What you opened stays open until its end.")]
pub struct Logout {}

impl Logout {
    /// Signs out: the session ends on the server too, when that can be reached.
    pub fn run(self) -> Result<(), Failure> {
        let Some(kept) = Kept::kept(Clock::system().now()).map_err(super::server_failure)? else {
            Kept::forget().map_err(Failure::with(Code::Io))?;
            return super::print("You were not signed in.\n");
        };
        let told = Client::with(&kept).and_then(|client| client.logout());
        Kept::forget().map_err(Failure::with(Code::Io))?;
        match told {
            Ok(()) => super::print(&format!("You are signed out of {}.\n", kept.url)),
            Err(error) => Err(super::server_failure(error).hint(
                "this machine has forgotten the session; on the server it ends by itself within hours",
            )),
        }
    }
}
