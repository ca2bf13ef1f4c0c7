//! `[[never]]` and `[[always]]`: traffic that an account must never, or always, allow.

use std::collections::BTreeSet;
use std::fmt;

use super::Spot;
use crate::inventory::SecurityGroupId;
use crate::name::RoleName;
use crate::net::Flow;

/// What must hold of an account, whatever is changed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Whether the traffic is forbidden or required.
    pub kind: IntentKind,
    /// The source.
    pub from: IntentEnd,
    /// The destination.
    pub to: IntentEnd,
    /// The traffic; none for any, which only what is forbidden may be.
    pub ports: Option<BTreeSet<Flow>>,
    /// The reason, in the operator's words.
    pub reason: Option<String>,
    /// Where it is in the policy.
    pub at: Spot,
}

/// Whether traffic is forbidden or required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntentKind {
    Never,
    Always,
}

impl IntentKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Never, Self::Always];

    /// As a policy says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Always => "always",
        }
    }
}

impl fmt::Display for IntentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One end of the traffic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntentEnd {
    /// All that has a role attached.
    Role {
        /// Its name.
        role: RoleName,
        /// Its security group, where it is one that exists.
        group: Option<SecurityGroupId>,
    },
    /// `internet`, an address, a prefix, or a resource as `doorward reach` names it.
    Named(String),
}

impl fmt::Display for IntentEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role { role, .. } => write!(f, "role:{role}"),
            Self::Named(text) => f.write_str(text),
        }
    }
}

/// Like `never tcp/5432 from internet to role:db`.
impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(ports) = &self.ports {
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            write!(f, "{} ", ports.join(", "))?;
        }
        write!(f, "from {} to {}", self.from, self.to)
    }
}
