//! `doorward whoami`: who is signed in, to which server and until when.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use doorward_core::decision::{Act, authorise};
use doorward_core::policy::{Group, Person};
use jiff::Timestamp;
use serde::Serialize;

use super::Failure;
use super::backend::{Backend, BackendOptions};
use super::login::expiry;

/// Show who you are signed in as
///
/// The command shows the server, your name, when the session expires, your groups, and the address that a grant would
/// admit. If you are not signed in, it shows who you are in the policy file of this machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward whoami
  doorward whoami --json | jq -r '.groups[]'
  doorward whoami --local")]
pub struct Whoami {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) backend: BackendOptions,
}

#[derive(Serialize)]
struct Identity {
    person: Person,
    groups: BTreeSet<Group>,
    operator: bool,
    /// The URL of the server; none with a local policy.
    server: Option<String>,
    /// The policy file; none with a server.
    policy: Option<PathBuf>,
    /// The address that a grant would admit. None with a local policy, which only finds it when a target is opened.
    address: Option<IpAddr>,
    /// When the session expires, if it stays in use; none with a local policy.
    ends: Option<Timestamp>,
    /// After how many seconds without use it expires earlier; none with a local policy.
    idle_seconds: Option<i64>,
}

impl Whoami {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        let identity = match self.backend.find(policy)? {
            Backend::Server(client) => {
                let me = client.me().map_err(super::server_failure)?;
                Identity {
                    person: me.person,
                    groups: me.groups,
                    operator: me.operator,
                    server: Some(client.url().to_owned()),
                    policy: None,
                    address: me.address,
                    ends: Some(me.ends),
                    idle_seconds: me.idle_seconds,
                }
            }
            Backend::Local(file, caller) => {
                let loaded = file.current();
                Identity {
                    groups: loaded.people.groups_of(&caller.person).cloned().collect(),
                    operator: authorise(&loaded.policy, &loaded.people, &caller.person, Act::Operate).is_ok(),
                    person: caller.person,
                    server: None,
                    policy: Some(policy.to_owned()),
                    address: None,
                    ends: None,
                    idle_seconds: None,
                }
            }
        };
        super::print(&if self.json { super::json(&identity)? } else { identity.text() })
    }
}

impl Identity {
    fn text(&self) -> String {
        let mut text = match (&self.server, &self.policy) {
            (Some(server), _) => {
                let until = self.ends.map(|ends| format!(" {}", expiry(ends, self.idle_seconds)));
                format!("You are signed in to {server} as {}{}.\n", self.person, until.unwrap_or_default())
            }
            (None, policy) => format!(
                "You are not signed in to a server. In `{}` you are {}.\n",
                policy.as_deref().unwrap_or(Path::new("")).display(),
                self.person
            ),
        };
        let groups: Vec<String> = self.groups.iter().map(ToString::to_string).collect();
        let groups = if groups.is_empty() { "none".to_owned() } else { groups.join(", ") };
        let mut line = |title: &str, what: &str| text.push_str(&format!("  {title:10} {what}\n"));
        line("groups", &groups);
        if self.operator {
            line("role", "operator");
        }
        if self.server.is_some() {
            let address =
                self.address.map_or("not known to the server".into(), |address| address.to_string());
            line("address", &address);
        }
        text
    }
}
