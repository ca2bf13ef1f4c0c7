//! One line of the comparison: a way with its grant, one without, or a grant without a way.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::grant::GrantId;
use crate::policy::{Person, TargetName, Transport};

/// A way that AWS saw, a grant that it did not see used, or a try that it refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "row", rename_all = "kebab-case")]
pub enum Row {
    /// A way that a grant allowed.
    Granted {
        /// When it was opened, or first heard of.
        at: Timestamp,
        grant: GrantId,
        /// Whose the grant is.
        person: Person,
        target: TargetName,
        /// What AWS calls it.
        session: Option<String>,
        /// Where AWS saw it lead.
        to: Option<String>,
        /// Whose credentials opened it.
        by: String,
        /// How often it was resumed.
        resumed: usize,
        /// When it was ended by a call; the agent and the gateway end others without one.
        ended: Option<Timestamp>,
        /// By what it was found to be the grant's.
        matched: Matched,
        /// What does not fit.
        doubts: Vec<Doubt>,
    },
    /// A way that no grant allowed.
    Alone {
        /// When it was opened, or first heard of.
        at: Timestamp,
        /// What AWS calls it.
        session: Option<String>,
        /// Where AWS saw it lead.
        to: Option<String>,
        /// Whose credentials opened it.
        by: String,
        /// Where from.
        from: Option<String>,
        /// When it was ended by a call.
        ended: Option<Timestamp>,
        /// Why it is nobody's.
        why: Alone,
    },
    /// A grant of a carried way that AWS saw nobody use.
    Unused {
        /// When it was granted.
        at: Timestamp,
        grant: GrantId,
        person: Person,
        target: TargetName,
        transport: Transport,
        /// Whether CloudTrail may still tell of its use.
        may_come: bool,
    },
    /// A call that AWS refused.
    Refused {
        at: Timestamp,
        /// Where it would have led.
        to: Option<String>,
        /// Whose credentials asked.
        by: String,
        /// AWS's code.
        code: String,
        /// The grant that the call named.
        grant: Option<GrantId>,
    },
}

impl Row {
    /// When.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Granted { at, .. }
            | Self::Alone { at, .. }
            | Self::Unused { at, .. }
            | Self::Refused { at, .. } => *at,
        }
    }
}

/// By what a way was found to be a grant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matched {
    /// The credentials bear the grant in their name: they were vended for it.
    Owner,
    /// The grant stands in the session's reason.
    Reason,
    /// The session stands in our record.
    Session,
    /// The person's credentials, while the grant was open: such calls have no place for a reason.
    Person,
}

/// What does not fit, though the grant was named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "doubt", rename_all = "kebab-case")]
pub enum Doubt {
    /// Another person's credentials.
    OtherPerson { is: String },
    /// The session's reason names another grant than the credentials do that started it.
    OtherReason { named: GrantId },
    /// The grant allows another way.
    OtherTransport { granted: Transport },
}

/// Why a way is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Alone {
    /// Neither its reason nor its owner names a grant.
    NoGrant,
    /// It names a grant that is not in the record.
    UnknownGrant { grant: GrantId },
    /// The grant that it names was not open then.
    NotOpen {
        grant: GrantId,
        /// Since when it was open.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// It was opened before what is known begins.
    BeganBefore,
}

impl fmt::Display for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGrant => f.write_str("no grant"),
            Self::UnknownGrant { grant } => write!(f, "{grant} is not in the audit log"),
            Self::NotOpen { grant, since, until } => write!(f, "{grant} was open from {since} to {until}"),
            Self::BeganBefore => f.write_str("opened before these events begin"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherPerson { is } => write!(f, "with the credentials of {is}"),
            Self::OtherReason { named } => write!(f, "its reason names {named}"),
            Self::OtherTransport { granted } => write!(f, "the grant is for {granted}"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |session: &Option<String>, to: &Option<String>| {
            let parts: Vec<&str> = [session.as_deref(), to.as_deref()].into_iter().flatten().collect();
            if parts.is_empty() { "something".to_owned() } else { parts.join(" to ") }
        };
        match self {
            Self::Granted { at, grant, person, target, session, to, resumed, ended, doubts, .. } => {
                write!(f, "{at} {grant} {person} to {target}: {}", name(session, to))?;
                match resumed {
                    0 => {}
                    1 => f.write_str(", resumed once")?,
                    times => write!(f, ", resumed {times} times")?,
                }
                if let Some(ended) = ended {
                    write!(f, ", ended {ended}")?;
                }
                doubts.iter().try_for_each(|doubt| write!(f, "; but {doubt}"))
            }
            Self::Alone { at, session, to, by, from, why, .. } => {
                write!(f, "{at} without a grant: {} by {by}", name(session, to))?;
                if let Some(from) = from {
                    write!(f, " from {from}")?;
                }
                write!(f, ": {why}")
            }
            Self::Unused { at, grant, person, target, transport, may_come } => {
                write!(f, "{at} {grant} {person} to {target} by {transport}: no session")?;
                if *may_come { f.write_str(" so far; CloudTrail may be late") } else { Ok(()) }
            }
            Self::Refused { at, to, by, code, .. } => {
                write!(f, "{at} refused to {by}: {}: {code}", name(&None, to))
            }
        }
    }
}
