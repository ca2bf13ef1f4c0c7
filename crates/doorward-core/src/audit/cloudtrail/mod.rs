//! The record beside CloudTrail: what AWS saw of the ways that Doorward opened, and of those that it did not.

mod join;
mod row;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use join::join;
pub use row::{Alone, Doubt, Matched, Row};

use crate::grant::GrantId;
use crate::policy::Person;
use crate::session::{granted, role_session};

/// How late CloudTrail tells of a call (its user guide: usually within 5 minutes, and rarely more than 15).
pub const LATE: SignedDuration = SignedDuration::from_mins(15);

/// How far AWS's clock and ours may be apart, where a call is compared with a grant's beginning and end.
pub const APART: SignedDuration = SignedDuration::from_secs(60);

/// A call that CloudTrail recorded, of those that open a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `eventID`
    pub id: String,
    pub at: Timestamp,
    /// What was asked.
    pub what: Asked,
    pub by: Caller,
    /// `sourceIPAddress`: an address, or the name of a service of AWS.
    pub from: Option<String>,
    /// In which Region.
    pub region: Option<String>,
    /// `errorCode`, where AWS refused.
    pub refused: Option<String>,
}

/// What was asked of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `ssm:StartSession`
    Start {
        /// The session's id; none where it was refused.
        session: Option<String>,
        /// Like `i-0a1b2c3d4e5f60718`.
        target: Option<String>,
        /// The session document; none is a shell.
        document: Option<String>,
        /// What the caller said why, in which Doorward writes the grant.
        reason: Option<String>,
    },
    /// `ssm:ResumeSession`
    Resume { session: String },
    /// `ssm:TerminateSession`
    Terminate { session: String },
    /// `ec2-instance-connect:SendSSHPublicKey`
    Key {
        /// To which instance.
        instance: Option<String>,
        /// For which user of it.
        user: Option<String>,
    },
    /// `ec2-instance-connect:OpenTunnel`
    Tunnel {
        /// Through which endpoint.
        endpoint: Option<String>,
        /// To which private address.
        address: Option<String>,
        /// To which port.
        port: Option<u16>,
    },
}

impl Asked {
    /// The names under which CloudTrail has these calls.
    pub const NAMES: [&str; 5] =
        ["StartSession", "ResumeSession", "TerminateSession", "SendSSHPublicKey", "OpenTunnel"];

    /// The session, of a call that names one.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Start { session, .. } => session.as_deref(),
            Self::Resume { session } | Self::Terminate { session } => Some(session),
            Self::Key { .. } | Self::Tunnel { .. } => None,
        }
    }

    /// The grant that the caller named in the reason.
    pub(super) fn grant(&self) -> Option<GrantId> {
        match self {
            Self::Start { reason, .. } => granted(reason.as_deref()?),
            Self::Resume { .. } | Self::Terminate { .. } | Self::Key { .. } | Self::Tunnel { .. } => None,
        }
    }

    /// What comes first of what CloudTrail has in the same second: it counts no less.
    pub(super) fn turn(&self) -> u8 {
        match self {
            Self::Start { .. } | Self::Key { .. } | Self::Tunnel { .. } => 0,
            Self::Resume { .. } => 1,
            Self::Terminate { .. } => 2,
        }
    }

    /// Where it led, as far as the call says.
    pub fn to(&self) -> Option<String> {
        match self {
            Self::Start { target, document, .. } => {
                let target = target.as_deref().unwrap_or("an instance");
                Some(
                    document
                        .as_ref()
                        .map_or_else(|| target.to_owned(), |document| format!("{target} with {document}")),
                )
            }
            Self::Key { instance, user } => {
                Some(format!("{}@{}", user.as_deref().unwrap_or("?"), instance.as_deref().unwrap_or("?")))
            }
            Self::Tunnel { address, port, .. } => {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                Some(format!("{}{port}", address.as_deref().unwrap_or("?")))
            }
            Self::Resume { .. } | Self::Terminate { .. } => None,
        }
    }
}

/// Whose credentials were used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user or the assumed role.
    pub arn: Option<String>,
    /// The user's name, or the name of the role's session.
    pub name: Option<String>,
    /// Who is behind the role, where whoever assumed it said so.
    pub source_identity: Option<String>,
}

impl Caller {
    /// Whether it is plainly this person: by the source identity, else by the name.
    pub fn is(&self, person: &Person) -> bool {
        let name = self.source_identity.as_deref().or(self.name.as_deref());
        name.is_some_and(|name| name == person.as_str() || name == person.session_name())
    }

    /// The name of the role session, where the caller is one.
    pub(super) fn role_session(&self) -> Option<&str> {
        role_session(self.arn.as_deref()?)
    }

    /// The grant that the credentials were vended for, by the name of their role session.
    pub(super) fn vended(&self) -> Option<GrantId> {
        self.role_session()?.split_once('.')?.0.parse().ok()
    }

    /// Whoever is named most plainly.
    pub fn who(&self) -> &str {
        let said = self.source_identity.as_deref().or(self.name.as_deref()).or(self.arn.as_deref());
        said.unwrap_or("somebody")
    }
}

/// The time that the calls are known of, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub from: Timestamp,
    /// The last, which is not ahead of when CloudTrail was read.
    pub to: Timestamp,
}
