//! Every kind of event that can be recorded, with what it says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Hash;
use super::run::{RunBegun, RunEnded};
use crate::grant::{Ending, GrantId};
use crate::net::Cidr;
use crate::policy::{FirewallName, Person, TargetName, Transport};

/// A request that was approved, and that extended a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedRequest {
    pub request: GrantId,
    /// Whose it was.
    pub person: Person,
    /// What allowed it.
    pub because: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// The server started.
    Started { version: String },
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
        grant: GrantId,
        target: TargetName,
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
        grant: GrantId,
        /// Its new end.
        until: Timestamp,
        /// The person's reason, if a new one was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The request for it, where somebody else approved that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved: Option<ApprovedRequest>,
    },
    /// A grant was asked for and waits.
    Asked {
        grant: GrantId,
        target: TargetName,
        /// For how long, in seconds.
        seconds: i64,
        /// The person's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A request that waits was changed: whoever approves it approves this.
    RequestChanged {
        grant: GrantId,
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
        person: Person,
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
    Ended { grant: GrantId, how: Ending },
    /// Rules were added to a firewall.
    RulesAdded {
        firewall: FirewallName,
        /// Which rules, and why each.
        rules: Vec<String>,
    },
    /// Rules were taken from a firewall.
    RulesRemoved {
        firewall: FirewallName,
        /// Which rules, and why each stood.
        rules: Vec<String>,
        /// Live connections that were cut.
        cut: u64,
    },
    /// Rules were not as Doorward had left them, and were put right.
    DriftRighted {
        firewall: FirewallName,
        /// What was wrong, in words.
        found: Vec<String>,
    },
    /// A firewall could not be brought to what is wanted. Recorded when it begins, not at each pass.
    FirewallFailed { firewall: FirewallName, why: String },
    /// A firewall that had failed is as wanted again.
    FirewallRecovered { firewall: FirewallName },
    /// What carries a grant was opened: a session, a tunnel, a connection of SSH.
    TransportOpened {
        grant: GrantId,
        transport: Transport,
        /// What AWS calls it, where it has a name there: a session's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
    },
    /// What carries a grant was lost and is there again.
    TransportReconnected {
        grant: GrantId,
        transport: Transport,
        /// What AWS calls it; another than before where it could not be resumed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Why it was lost.
        why: String,
    },
    /// What carried a grant is closed.
    TransportClosed {
        grant: GrantId,
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
        transport: Transport,
        /// What AWS calls it.
        session: String,
        /// The instance that it led to.
        target: String,
    },
    /// Sessions of grants that are over could not be looked for or not be ended. Recorded when it begins, not at each pass.
    SessionsFailed {
        /// Through which profile and Region.
        #[serde(rename = "place")]
        account_region: String,
        why: String,
    },
    /// Where that had failed, no session has outlived its grant any more.
    SessionsRecovered {
        /// Through which profile and Region.
        #[serde(rename = "place")]
        account_region: String,
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
        grants: Vec<GrantId>,
    },
    /// The credentials of grants that were revoked could not be denied. Recorded when it begins, not at each pass.
    CredentialsNotDenied {
        /// The role's ARN.
        role: String,
        why: String,
        /// Until when they can open sessions.
        until: Timestamp,
    },
    /// A command began to perform a plan for networks, roles or environments.
    RunBegun(RunBegun),
    /// It performs nothing more of it. A process that was killed records no end.
    RunEnded(RunEnded),
    /// The account does not keep an intent of the policy. Recorded when it begins, not at each check.
    IntentBroken {
        /// As the policy declares it.
        intent: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The path that is allowed, or what blocks it, in words.
        why: Vec<String>,
    },
    /// The account keeps an intent again that was broken.
    IntentKept {
        /// As the policy declares it.
        intent: String,
    },
    /// The record was read by an operator or exported.
    RecordRead,
    /// Rows of the store were written or deleted, and no other event says so.
    RowsNoted {
        /// Which, in words.
        noted: String,
    },
    /// The record, or a row of the store, is not what the holder of the key wrote.
    LogAlarm {
        /// What, in words.
        found: Vec<String>,
        /// Whether the audit log itself was altered: then it is not trusted until an operator accepts it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        log: bool,
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
            Self::Extended { approved, .. } => approved.as_ref().map(|approved| &approved.person),
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
