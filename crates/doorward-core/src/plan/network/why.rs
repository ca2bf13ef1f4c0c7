//! Why a change to a network is planned.

use std::fmt;

use crate::inventory::Tags;
use crate::name::InstallationId;
use crate::topology::{Part, Purpose, purpose_of};

/// The reason for a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The policy declares it.
    Declared(Purpose),
    /// The policy does not declare it any more.
    Undeclared(Purpose),
    /// It belongs to another change.
    For(&'static str),
}

impl Why {
    /// That what has these tags is declared.
    pub(super) fn declared(tags: &Tags, by: &InstallationId) -> Self {
        purpose_of(tags, by).map_or(Self::For("the policy declares it"), Self::Declared)
    }

    /// That what has these tags is not declared any more.
    pub(super) fn undeclared(tags: &Tags, by: &InstallationId) -> Self {
        purpose_of(tags, by).map_or(Self::For("the policy does not declare it any more"), Self::Undeclared)
    }
}

/// The table of the policy that speaks of it.
fn table(purpose: &Purpose) -> String {
    match &purpose.part {
        Part::Role(role) => format!("[role.{role}]"),
        Part::Environment(environment, _) => format!("[environment.{environment}]"),
        _ => format!("[network.{}]", purpose.network),
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(purpose) => write!(f, "{} needs {}", table(purpose), purpose.words()),
            Self::Undeclared(purpose) => {
                write!(f, "{} does not need {} any more", table(purpose), purpose.words())
            }
            Self::For(why) => f.write_str(why),
        }
    }
}
