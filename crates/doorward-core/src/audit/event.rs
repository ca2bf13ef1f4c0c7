//! Something that happened: when, by whom, and from where.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::What;
use crate::policy::Person;

/// Something that happened: when, by whom, from where, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub at: Timestamp,
    pub who: Who,
    /// The address they came from, where they came over a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
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
            Some(sudo) => write!(f, ", SUDO_USER={sudo}"),
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
