//! `doorward sessions` and `doorward password`: where one is signed in, and one's own password.

use clap::Args;

use super::{Code, Failure, instant, json, print, table, terminal};
use crate::client::{Client, Login};
use crate::clock::Clock;

/// List your sessions, or end them
///
/// The sessions are those on the server that you are signed in to. A session that is not used expires.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward sessions
  doorward sessions --end s-3f9c21d07ab4
  doorward sessions --end-others")]
pub struct Sessions {
    /// End this session
    #[arg(long, value_name = "SESSION", conflicts_with = "end_others")]
    end: Option<String>,
    /// End all sessions except this one
    #[arg(long)]
    end_others: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Who is signed in, from this machine.
fn login() -> Result<Login, Failure> {
    let kept = Login::kept(Clock::system().now()).map_err(super::server_failure)?;
    kept.ok_or_else(|| super::server_failure(crate::client::Error::NotSignedIn))
}

impl Sessions {
    pub fn run(self) -> Result<(), Failure> {
        let client = Client::with(&login()?).map_err(super::server_failure)?;
        if let Some(id) = &self.end {
            client.end_session(id).map_err(super::server_failure).map_err(|failure| {
                if failure.what_next().is_some() {
                    failure
                } else {
                    failure.hint("`doorward sessions` lists them")
                }
            })?;
            return self.print_ended(1, &format!("The session {id} has ended.\n"));
        }
        if self.end_others {
            let ended = client.end_other_sessions().map_err(super::server_failure)?;
            let text = format!("{} ended; this one stays.\n", super::count(ended, "session", "sessions"));
            return self.print_ended(ended, &text);
        }
        let sessions = client.sessions().map_err(super::server_failure)?;
        if self.json {
            return print(&json(&sessions)?);
        }
        let rows = sessions.iter().map(|session| {
            vec![
                session.id.clone(),
                session.kind.clone(),
                instant(session.since),
                session.from.clone(),
                instant(session.used),
                session.used_from.clone(),
                if session.current { "this one".into() } else { String::new() },
            ]
        });
        print(&table(&["SESSION", "KIND", "SIGNED IN", "FROM", "LAST USED", "FROM", ""], rows.collect()))
    }
}

impl Sessions {
    fn print_ended(&self, ended: usize, text: &str) -> Result<(), Failure> {
        print(&if self.json { json(&serde_json::json!({ "ended": ended }))? } else { text.to_owned() })
    }
}

/// Change your own password
///
/// The password is changed on the server that you are signed in to. All your other sessions end, and your open
/// grants stay open.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward password
  printf '%s\\n' \"$OLD\" \"$NEW\" | doorward password --stdin")]
pub struct Password {
    /// Read the current password and the new one from the first two lines of standard input
    #[arg(long)]
    stdin: bool,
}

impl Password {
    /// Changes it, and keeps the new session.
    pub fn run(self) -> Result<(), Failure> {
        let login = login()?;
        let (present, new) = if self.stdin {
            (terminal::line()?, terminal::line()?)
        } else {
            let present = terminal::password(&format!("Current password of {}: ", login.person))?;
            let new = terminal::password("New password: ")?;
            if terminal::password("New password again: ")? != new {
                return Err(Failure::new(Code::Data, "the two passwords differ, so nothing was changed"));
            }
            (present, new)
        };
        let client = Client::with(&login).map_err(super::server_failure)?;
        let login = client.change_password(&login, &present, &new).map_err(super::server_failure)?;
        login.keep().map_err(Failure::with(Code::CannotCreate))?;
        print(&format!("The password of {} is changed, and your other sessions have ended.\n", login.person))
    }
}
