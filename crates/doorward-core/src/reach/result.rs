//! The result of a question: the verdict, the path hop by hop, and every blocker.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::inventory::{Gap, NamedResource, ResourceRef, SecurityGroupId, SubnetId, VpcId};
use crate::net::{Cidr, Ports};
use crate::reach::code::Code;
use crate::reach::compare::change::Change;
use crate::reach::flows::Flows;

/// Whether it passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All that was asked passes, from every sender to every receiver, and all replies.
    Yes,
    /// Nothing of it does.
    No,
    /// Some of it does.
    Partly,
    /// What could not be seen decides.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Partly => "partly",
            Self::Unknown => "unknown",
        })
    }
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// In a word.
    pub verdict: Verdict,
    /// What passes of what was asked, between any sender and any receiver, whatever could not be seen.
    pub flows: Flows,
    /// What would pass if all that could not be seen let everything through; the same as `flows` without gaps.
    pub at_most: Flows,
    /// The way of a pair that shows the verdict: the first that passes, else the one that gets furthest.
    pub hops: Vec<Hop>,
    /// All that is in the way of what was asked and does not pass, of every pair, each once.
    pub blockers: Vec<Blocker>,
    /// The replies.
    pub back: Back,
    /// What could not be seen and could change this answer.
    pub gaps: Vec<Gap>,
    /// Which senders and receivers differ; empty when all fare alike.
    pub parts: Vec<Part>,
    /// What a reader should know and nothing depends on, like an assumption.
    pub notes: Vec<String>,
}

/// A resource on the way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// Which one; `internet`, or a prefix, outside.
    pub resource: ResourceRef,
    /// The name that people gave it.
    pub name: Option<String>,
    /// Which of its rules, entries or routes lets the packet through.
    pub because: String,
}

/// Something that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Its explanation code.
    pub code: Code,
    /// The resource that stops the packet.
    pub resource: ResourceRef,
    /// The name that people gave it.
    pub name: Option<String>,
    /// Why it stops it.
    pub why: String,
    /// What fixes it.
    pub fix: Fix,
    /// What of the asked it stops.
    pub flows: Flows,
    /// Whether it stops the replies and not the packet itself.
    pub replies: bool,
}

/// What fixes a blocker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// These changes, which can be made to the account as it was read.
    Changes(Vec<Change>),
    /// What people can do, where no change is known that does it: something has to be created, or is in a state that
    /// no setting changes.
    Advice(String),
}

impl Fix {
    /// The changes, or the advice where there are none.
    pub(crate) fn of(changes: Vec<Change>, advice: impl FnOnce() -> String) -> Self {
        if changes.is_empty() { Self::Advice(advice()) } else { Self::Changes(changes) }
    }

    /// The changes; none of an advice.
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::Changes(changes) => changes,
            Self::Advice(_) => &[],
        }
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changes(changes) => {
                let words: Vec<String> = changes.iter().map(Change::to_string).collect();
                f.write_str(&words.join("; "))
            }
            Self::Advice(advice) => f.write_str(advice),
        }
    }
}

/// How replies fare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// `Yes` when every reply comes back, `Partly` when it depends on the sender's own port, `No` when none does.
    pub verdict: Verdict,
    /// The sender's ports that replies come back to, 1024 to 65535 when all do; empty where there are no ports.
    pub ports: Vec<Ports>,
    /// The way of the replies, for the pair that `hops` show.
    pub hops: Vec<Hop>,
}

/// Some senders and receivers that fare alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The senders.
    pub from: String,
    /// The receivers.
    pub to: String,
    /// What passes between them of what was asked.
    pub flows: Flows,
    /// Whether that is known.
    pub verdict: Verdict,
}

/// The number of a role in [`super::Reachability::roles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RoleId(pub u32);

/// Interfaces that the network treats alike: the same VPC, route table, network ACL and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its number.
    pub id: RoleId,
    /// What people would call it: what its interfaces belong to, else their groups.
    pub name: String,
    pub vpc: VpcId,
    /// Their subnets, which share a route table and a network ACL.
    pub subnets: BTreeSet<SubnetId>,
    pub groups: BTreeSet<SecurityGroupId>,
    /// The ids of the interfaces; what has an interface that was not seen stands by its own name, like `rds:orders`.
    pub members: Vec<ResourceRef>,
    /// What the members belong to, like `instance i-0a1b (web)`, each once.
    pub owners: Vec<NamedResource>,
    /// Whether any of them has a public address.
    pub public: bool,
}

/// One end of a way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Public addresses outside.
    Internet,
    /// What is behind a VPN gateway or a VPN attachment, by its id.
    Remote(ResourceRef),
    /// Interfaces of a role.
    Role(RoleId),
}

/// What passes between two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedPath {
    /// Who sends.
    pub from: End,
    /// Who receives.
    pub to: End,
    /// What passes, replies included, between any two of them.
    pub flows: Flows,
    /// What may pass besides, if what could not be seen lets it.
    pub at_most: Flows,
    /// Whether all of it passes between any two of them.
    pub whole: bool,
    /// Which addresses outside, where not all of them are meant.
    pub addresses: Vec<Cidr>,
}

/// What passes between two interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Who sends, as in [`Role::members`].
    pub from: &'a ResourceRef,
    /// Who receives.
    pub to: &'a ResourceRef,
    /// What passes, replies included.
    pub flows: &'a Flows,
}

/// What a change opens and closes, and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What passes afterwards and did not before.
    pub opened: Vec<AllowedPath>,
    /// What passed before and no longer does.
    pub closed: Vec<AllowedPath>,
}
