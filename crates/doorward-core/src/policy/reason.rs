//! The reasons of a decision: what speaks for a request, and what against.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::{Group, Person, TargetName, Transport};
use crate::grant::GrantId;

/// What speaks for a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// The person is in a group of the target's.
    Member {
        /// Which group.
        group: Group,
    },
    /// The policy permits the transport.
    Permitted {
        /// Which.
        transport: Transport,
    },
    /// The grant that was held already goes on.
    Extended {
        /// Which.
        grant: GrantId,
    },
    /// It needs to be agreed to, by one of these groups.
    Approval {
        /// Which.
        from: Vec<Group>,
    },
    /// It was agreed to.
    Approved {
        /// By whom.
        by: Person,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member { group } => write!(f, "you are in `{group}`"),
            Self::Permitted { transport } => write!(f, "the policy permits `{transport}`"),
            Self::Extended { grant } => write!(f, "{grant} goes on"),
            Self::Approval { from } => write!(f, "somebody in {} has to agree", listed(from)),
            Self::Approved { by } => write!(f, "{by} agreed"),
        }
    }
}

/// The most characters of a reason.
pub(super) const LONGEST_REASON: usize = 500;

/// What speaks against a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// Nobody of that name.
    #[error("`{person}` is not in the password file")]
    NoSuchPerson {
        /// Who asked.
        person: Person,
    },
    /// Nothing of that name. Said, too, of a target that the person may not see.
    #[error("there is no target `{target}` that `{person}` may open")]
    NotYours {
        /// Who asked.
        person: Person,
        /// For what.
        target: TargetName,
    },
    /// Not permitted, or the target has no place where it could be enforced.
    #[error("the policy does not permit `{transport}` for `{target}`; it permits {permitted}")]
    Transport {
        /// For what.
        target: TargetName,
        /// What was asked.
        transport: Transport,
        /// What would do, in words.
        permitted: String,
    },
    /// No port, so nothing to admit.
    #[error("the policy names no port for `{target}`, so there is nothing to open")]
    NoPorts {
        /// For what.
        target: TargetName,
    },
    /// Zero, or less.
    #[error("a grant has to last at least a second")]
    TooShort,
    /// Too long.
    #[error("`{target}` may be open for at most {most} in one go, and this would be {asked}")]
    TooLong {
        /// For what.
        target: TargetName,
        /// The most, in words.
        most: String,
        /// What was asked, in words.
        asked: String,
    },
    /// The held grant has lived for as long as it may.
    #[error(
        "{grant} ends at {until} and has then lived for the {most} that the policy allows; close it and ask anew"
    )]
    NothingLeft {
        /// Which.
        grant: GrantId,
        /// Its end.
        until: Timestamp,
        /// The most, in words.
        most: String,
    },
    /// No reason was given.
    #[error("`{target}` is opened only with a reason")]
    NoReason {
        /// For what.
        target: TargetName,
    },
    /// It could not be shown in a line: in a list, in a terminal, in the record.
    #[error("a reason is one line of at most {LONGEST_REASON} characters")]
    UnreadableReason,
    /// Not theirs, and they operate nothing.
    #[error("{grant} is not `{person}`'s, and `{person}` is in none of the operators' groups")]
    NotYourGrant {
        /// Who.
        person: Person,
        /// Which.
        grant: GrantId,
    },
    /// Not one whom the policy asks.
    #[error("`{person}` is not among those who may answer for {grant}")]
    NotAnApprover {
        /// Who.
        person: Person,
        /// Which.
        grant: GrantId,
    },
    /// Nobody answers for themselves.
    #[error("nobody may agree to their own request")]
    OwnRequest,
    /// It is over, or was never asked.
    #[error("{grant} does not wait for an answer")]
    NotWaiting {
        /// Which.
        grant: GrantId,
    },
    /// Not an operator.
    #[error("`{person}` is in none of the operators' groups")]
    NotAnOperator {
        /// Who.
        person: Person,
    },
    /// Every address of a family at once: no person comes from there.
    #[error("`{address}` is not an address that a person can come from")]
    NoAddress {
        /// Which.
        address: IpAddr,
    },
    /// Permitted by the policy, and not something that this version can open.
    #[error("this version does not open `{transport}` yet")]
    NotCarried {
        /// Which way.
        transport: Transport,
    },
    /// The place of enforcement cannot hold the rule.
    #[error("{why}")]
    NoRoom {
        /// Why, in words.
        why: String,
    },
}

fn listed(groups: &[Group]) -> String {
    let names: Vec<String> = groups.iter().map(|group| format!("`{group}`")).collect();
    names.join(" or ")
}
