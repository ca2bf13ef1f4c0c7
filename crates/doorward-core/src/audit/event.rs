//! Every event that can be recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Hash;
use crate::grant::{Ending, GrantId};
use crate::net::Cidr;
use crate::policy::{FirewallName, Person, TargetName, Transport, in_words};

/// Something that happened: when, by whom, from where, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub who: Who,
    /// The address they came from, where they came over a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl Event {
    /// An event that came over no network.
    pub fn new(at: Timestamp, who: Who, what: What) -> Self {
        Self { at, who, from: None, what }
    }

    /// The same event, come from an address.
    pub fn from(self, from: Option<IpAddr>) -> Self {
        Self { from, ..self }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The program by itself.
    Doorward,
    /// A person who was signed in, or at a shell.
    Person(Person),
    /// A name that was typed at sign-in and is nobody's, or whose password was wrong: cut to 63 bytes.
    Claimed(String),
    /// A person by a name that was only claimed, with `--local --as`: nobody asked for a password.
    Unproved {
        /// The claimed name.
        name: Person,
        /// Who ran the command, as the machine knows them.
        login: Login,
    },
}

impl Who {
    /// The person, whether they proved who they are or only said so.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Person(person) | Self::Unproved { name: person, .. } => Some(person),
            Self::Doorward | Self::Claimed(_) => None,
        }
    }
}

/// Who ran a command, as their machine knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The number of the user (`getuid`).
    pub uid: u32,
    /// The user's name, where the machine has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Who became that user, as sudo says (SUDO_USER).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo: Option<String>,
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{user} (uid {})", self.uid)?,
            None => write!(f, "uid {}", self.uid)?,
        }
        match &self.sudo {
            Some(sudo) => write!(f, ", by sudo of {sudo}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doorward => f.write_str("doorward"),
            Self::Person(person) => person.fmt(f),
            Self::Claimed(name) => write!(f, "somebody as {name:?}"),
            Self::Unproved { name, login } => write!(f, "{name} (only claimed, by {login})"),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// The server started.
    Started {
        /// Its version.
        version: String,
    },
    /// The policy was read, first or again.
    PolicyRead {
        /// SHA-256 of the three files.
        digest: String,
    },
    /// The policy was changed to something that cannot be read; the last good one stays in force.
    PolicyUnreadable {
        /// How many mistakes.
        mistakes: usize,
    },
    /// Somebody signed in.
    SignedIn,
    /// Somebody did not sign in.
    SignInRefused {
        /// Why: for the record alone, never told to whom it was refused.
        why: String,
    },
    /// Somebody signed out.
    SignedOut,
    /// Somebody ended another of their own sign-in sessions.
    SessionRevoked {
        /// What the session is called.
        session: String,
    },
    /// Somebody changed their own password.
    PasswordChanged {
        /// How many other sessions ended with that.
        sessions: u64,
    },
    /// A grant was opened.
    Opened {
        /// Which.
        grant: GrantId,
        /// To what.
        target: TargetName,
        /// By which way.
        transport: Transport,
        /// The addresses it admits.
        source: Cidr,
        /// Its end.
        until: Timestamp,
        /// The person's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What allowed it.
        because: String,
        /// Whose it is, where somebody else approved it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<Person>,
    },
    /// A grant got a later end.
    Extended {
        /// Which.
        grant: GrantId,
        /// Its new end.
        until: Timestamp,
        /// The person's reason, if a new one was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A grant was asked for and waits.
    Asked {
        /// Which.
        grant: GrantId,
        /// To what.
        target: TargetName,
        /// For how long, in seconds.
        seconds: i64,
        /// The person's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A request that waits was changed: whoever approves it approves this.
    RequestChanged {
        /// Which.
        grant: GrantId,
        /// To what.
        target: TargetName,
        /// The addresses that it would admit.
        source: Cidr,
        /// For how long, in seconds.
        seconds: i64,
        /// The person's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// How often it was changed by now.
        revision: u32,
    },
    /// A person's address changed, and a grant with the new one took the place of the one with the old.
    Moved {
        /// The grant with the new address.
        grant: GrantId,
        /// The grant with the old address, which has ended.
        before: GrantId,
        /// Whose.
        person: Person,
        /// To what.
        target: TargetName,
        /// By which transport.
        transport: Transport,
        /// The addresses that were admitted.
        was: Cidr,
        /// The addresses that are admitted.
        source: Cidr,
        /// The end, which stays as it was.
        until: Timestamp,
        /// Who had approved it, when the policy asked for that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<Person>,
    },
    /// Something was asked for and refused.
    Refused {
        /// What, in words.
        asked: String,
        /// Why, in words.
        why: Vec<String>,
    },
    /// A grant ended.
    Ended {
        /// Which.
        grant: GrantId,
        /// How.
        how: Ending,
    },
    /// Rules were added to a firewall.
    RulesAdded {
        /// Which firewall.
        firewall: FirewallName,
        /// Which rules, and why each.
        rules: Vec<String>,
    },
    /// Rules were taken from a firewall.
    RulesRemoved {
        /// Which firewall.
        firewall: FirewallName,
        /// Which rules, and why each stood.
        rules: Vec<String>,
        /// Live connections that were cut.
        cut: u64,
    },
    /// Rules were not as Doorward had left them, and were put right.
    DriftRighted {
        /// Which firewall.
        firewall: FirewallName,
        /// What was wrong, in words.
        found: Vec<String>,
    },
    /// A firewall could not be brought to what is wanted. Recorded when it begins, not at each pass.
    FirewallFailed {
        /// Which firewall.
        firewall: FirewallName,
        /// Why.
        why: String,
    },
    /// A firewall that had failed is as wanted again.
    FirewallRecovered {
        /// Which firewall.
        firewall: FirewallName,
    },
    /// What carries a grant was opened: a session, a tunnel, a connection of SSH.
    TransportOpened {
        /// Whose way.
        grant: GrantId,
        /// By which way.
        transport: Transport,
        /// What AWS calls it, where it has a name there: a session's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// What carries a grant was lost and is there again.
    TransportReconnected {
        /// Whose way.
        grant: GrantId,
        /// By which way.
        transport: Transport,
        /// What AWS calls it; another than before where it could not be resumed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Why it was lost.
        why: String,
    },
    /// What carried a grant is closed.
    TransportClosed {
        /// Whose way.
        grant: GrantId,
        /// By which way.
        transport: Transport,
        /// What AWS calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Bytes to the target.
        up: u64,
        /// Bytes from the target.
        down: u64,
        /// Why it was closed.
        why: String,
    },
    /// A session that had outlived its grant was ended by Doorward, and not by whoever had opened it.
    SessionEnded {
        /// Whose way it was.
        grant: GrantId,
        /// By which way.
        transport: Transport,
        /// What AWS calls it.
        session: String,
        /// The instance that it led to.
        target: String,
    },
    /// Sessions of grants that are over could not be looked for or not be ended. Recorded when it begins, not at each pass.
    SessionsFailed {
        /// Through which profile and Region.
        place: String,
        /// Why.
        why: String,
    },
    /// Where that had failed, no session has outlived its grant any more.
    SessionsRecovered {
        /// Through which profile and Region.
        place: String,
    },
    /// Credentials were vended for a grant.
    CredentialsVended {
        /// For which.
        grant: GrantId,
        /// Their end. Those of a grant that is revoked are denied before.
        until: Timestamp,
    },
    /// The credentials of grants that were revoked are denied by a policy in their role.
    CredentialsDenied {
        /// The role's ARN.
        role: String,
        /// Whose.
        grants: Vec<GrantId>,
    },
    /// The credentials of grants that were revoked could not be denied. Recorded when it begins, not at each pass.
    CredentialsNotDenied {
        /// The role's ARN.
        role: String,
        /// Why.
        why: String,
        /// Until when they can open sessions.
        until: Timestamp,
    },
    /// The record was read by an operator or exported.
    RecordRead,
    /// The record, or a row of the store, is not what the holder of the key wrote.
    LogAlarm {
        /// What, in words.
        found: Vec<String>,
    },
    /// The record was sealed as it stood: because it was begun before there was a key, or because an operator accepted
    /// what was found wrong with it.
    LogSealed {
        /// The last line before this one, as `NUMBER:HASH`.
        sealed: String,
        /// SHA-256 of every line before this one, each with a line's end.
        digest: Hash,
        /// SHA-256 of the rows of all grants that had ended by then, in the order of their names: name and text, each with
        /// a line's end.
        rows: Hash,
        /// What was wrong, in words; nothing where there only was no key yet.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        found: Vec<String>,
        /// The grants that stay open or go on to wait, each with SHA-256 of its row.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        grants: BTreeMap<GrantId, Hash>,
    },
}

impl What {
    /// The grant that it is about.
    pub fn grant(&self) -> Option<&GrantId> {
        match self {
            Self::Opened { grant, .. }
            | Self::Extended { grant, .. }
            | Self::Asked { grant, .. }
            | Self::RequestChanged { grant, .. }
            | Self::Moved { grant, .. }
            | Self::Ended { grant, .. }
            | Self::TransportOpened { grant, .. }
            | Self::TransportReconnected { grant, .. }
            | Self::TransportClosed { grant, .. }
            | Self::SessionEnded { grant, .. }
            | Self::CredentialsVended { grant, .. } => Some(grant),
            _ => None,
        }
    }

    /// Whose grant it is about, where the event says it: of what one person did about the grant of another.
    pub fn holder(&self) -> Option<&Person> {
        match self {
            Self::Opened { person, .. } => person.as_ref(),
            Self::Moved { person, .. } => Some(person),
            _ => None,
        }
    }

    /// The session that it is about, by the name that AWS gave it.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::TransportOpened { session, .. }
            | Self::TransportReconnected { session, .. }
            | Self::TransportClosed { session, .. } => session.as_deref(),
            Self::SessionEnded { session, .. } => Some(session),
            _ => None,
        }
    }
}

/// An instant as it is read, without parts of a second.
fn whole_seconds(instant: &Timestamp) -> impl fmt::Display {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ")
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasoned = |f: &mut fmt::Formatter<'_>, reason: &Option<String>| match reason {
            Some(reason) => write!(f, " ({reason:?})"),
            None => Ok(()),
        };
        let named = |f: &mut fmt::Formatter<'_>, session: &Option<String>| match session {
            Some(session) => write!(f, " ({session})"),
            None => Ok(()),
        };
        match self {
            Self::Started { version } => write!(f, "started, version {version}"),
            Self::PolicyRead { digest } => {
                write!(f, "read the policy {}", digest.get(..12).unwrap_or(digest))
            }
            Self::PolicyUnreadable { mistakes } => {
                write!(f, "kept the last good policy: the new one has {mistakes} mistakes")
            }
            Self::SignedIn => f.write_str("signed in"),
            Self::SignInRefused { why } => write!(f, "was not signed in: {why}"),
            Self::SignedOut => f.write_str("signed out"),
            Self::SessionRevoked { session } => write!(f, "ended the sign-in session {session}"),
            Self::PasswordChanged { sessions } => {
                write!(f, "changed their own password, which ended {sessions} other sessions")
            }
            Self::Opened { grant, target, transport, source, until, reason, because: _, person } => {
                let until = whole_seconds(until);
                if let Some(person) = person {
                    write!(f, "approved {grant} of {person}: ")?;
                }
                write!(f, "opened {target} for {source} by {transport} until {until} as {grant}")?;
                reasoned(f, reason)
            }
            Self::Extended { grant, until, reason } => {
                write!(f, "extended {grant} until {}", whole_seconds(until))?;
                reasoned(f, reason)
            }
            Self::Asked { grant, target, seconds, reason } => {
                let lasts = in_words(SignedDuration::from_secs(*seconds));
                write!(f, "asked for {target} for {lasts} as {grant}")?;
                reasoned(f, reason)
            }
            Self::RequestChanged { grant, target, source, seconds, reason, revision: _ } => {
                write!(f, "changed the request {grant} to {target} for {seconds} s from {source}")?;
                reasoned(f, reason)
            }
            Self::Moved { grant, before, target, was, source, until, .. } => {
                write!(f, "moved {target} from {was} to {source} until {until}: {before} is now {grant}")
            }
            Self::Refused { asked, why } => write!(f, "was refused: {asked}: {}", why.join("; ")),
            Self::Ended { grant, how } => write!(f, "ended {grant}: {how}"),
            Self::RulesAdded { firewall, rules } => write!(f, "added to {firewall}: {}", rules.join(", ")),
            Self::RulesRemoved { firewall, rules, cut } => {
                write!(f, "took from {firewall}: {}", rules.join(", "))?;
                if *cut > 0 { write!(f, "; cut {cut} open connections") } else { Ok(()) }
            }
            Self::DriftRighted { firewall, found } => write!(f, "put {firewall} right: {}", found.join(", ")),
            Self::FirewallFailed { firewall, why } => {
                write!(f, "could not bring {firewall} to what is wanted: {why}")
            }
            Self::FirewallRecovered { firewall } => write!(f, "brought {firewall} to what is wanted again"),
            Self::TransportOpened { grant, transport, session } => {
                write!(f, "connected {grant} by {transport}")?;
                named(f, session)
            }
            Self::TransportReconnected { grant, transport, session, why } => {
                write!(f, "connected {grant} by {transport} again")?;
                named(f, session)?;
                write!(f, ": {why}")
            }
            Self::TransportClosed { grant, transport, session, up, down, why } => {
                write!(f, "disconnected {grant} by {transport}")?;
                named(f, session)?;
                write!(f, " after {up} bytes up and {down} down: {why}")
            }
            Self::SessionEnded { grant, transport, session, target } => {
                write!(f, "ended the session {session} to {target}: {grant} by {transport} is over")
            }
            Self::SessionsFailed { place, why } => {
                write!(f, "could not end what outlived its grant in {place}: {why}")
            }
            Self::SessionsRecovered { place } => write!(f, "ends what outlives its grant in {place} again"),
            Self::CredentialsVended { grant, until } => {
                write!(f, "vended credentials for {grant} until {until}")
            }
            Self::CredentialsDenied { role, grants } => {
                let grants: Vec<&str> = grants.iter().map(GrantId::as_str).collect();
                write!(f, "denied the credentials of {} in {role}", grants.join(", "))
            }
            Self::CredentialsNotDenied { role, why, until } => {
                write!(f, "could not deny revoked credentials in {role}, which are good until {until}: {why}")
            }
            Self::RecordRead => f.write_str("read the record"),
            Self::LogAlarm { found } => write!(f, "found the store altered: {}", found.join("; ")),
            Self::LogSealed { sealed, found, .. } => {
                write!(f, "sealed the record as it stood at {}", sealed.get(..16).unwrap_or(sealed))?;
                if found.is_empty() { Ok(()) } else { write!(f, ", although: {}", found.join("; ")) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(more: &str) -> What {
        let text = format!(
            r#"{{"what":"opened","grant":"g-k3v9t2m4x7q8","target":"wiki","transport":"direct","source":"203.0.113.7/32",
                "until":"2026-11-22T12:00:00Z","because":"maria agreed"{more}}}"#
        );
        serde_json::from_str(&text).expect("an event")
    }

    #[test]
    fn what_was_approved_says_of_whom_it_is() {
        let own = opened("");
        assert_eq!(own.holder(), None);
        assert!(own.to_string().starts_with("opened wiki for "), "{own}");
        let approved = opened(r#","person":"jon""#);
        assert_eq!(approved.holder().map(Person::as_str), Some("jon"));
        assert!(
            approved.to_string().starts_with("approved g-k3v9t2m4x7q8 of jon: opened wiki for "),
            "{approved}"
        );
    }
}
