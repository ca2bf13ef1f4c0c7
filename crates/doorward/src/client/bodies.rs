//! The bodies of requests to a server and of its answers that belong to no other module.

use std::collections::BTreeSet;
use std::net::IpAddr;

use doorward_core::policy::{Group, Person, TargetName, Transport};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(super) struct Signed {
    pub(super) token: String,
    pub(super) person: Person,
    pub(super) ends: Timestamp,
    /// None from a server that does not report it.
    pub(super) idle_seconds: Option<i64>,
    pub(super) device: Option<String>,
}

/// A session of the person who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// By which it is ended.
    pub id: String,
    /// `browser` or `api`.
    pub kind: String,
    /// When it began.
    pub since: Timestamp,
    /// The address from which it began.
    pub from: String,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// The address from which it was last used.
    pub used_from: String,
    /// Its end, if it is used until then.
    pub ends: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

#[derive(Deserialize)]
pub(super) struct Ended {
    pub(super) ended: usize,
}

/// Who is signed in, as a server sees them.
#[derive(Debug, Deserialize)]
pub struct Me {
    pub person: Person,
    /// Their groups; none from a server that does not report them.
    #[serde(default)]
    pub groups: BTreeSet<Group>,
    /// Whether they are an operator.
    pub operator: bool,
    /// When the session expires, if it is used until then.
    pub ends: Timestamp,
    /// After how many seconds without use it expires earlier; none from a server that does not report it.
    pub idle_seconds: Option<i64>,
    /// The address that a grant would admit; none where the server cannot tell.
    pub address: Option<IpAddr>,
}

#[derive(Deserialize)]
pub(super) struct Failed {
    pub(super) error: String,
    pub(super) hint: Option<String>,
}

#[derive(Serialize)]
pub(super) struct OpenBody<'a> {
    pub(super) target: &'a TargetName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lasts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transport: Option<Transport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
}
