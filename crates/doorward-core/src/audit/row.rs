//! Rows of the store beside the grants, as entries tell of them: which of them there are, and what each says.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Hash;

/// A table of the store whose rows are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    /// Who is signed in.
    Sessions,
    /// Who signed in before, from where and with which device.
    Known,
    /// Which password each person was last seen to have.
    Passwords,
    /// Where rules of ours may be.
    Doors,
    /// Rules of security groups that are ours by their ids.
    Rules,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 5] = [Self::Rules, Self::Sessions, Self::Known, Self::Passwords, Self::Doors];
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sessions => "session",
            Self::Known => "earlier sign-in",
            Self::Passwords => "password that was seen",
            Self::Doors => "location of rules",
            Self::Rules => "rule of a security group",
        })
    }
}

/// How an event left one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowLeft {
    /// Where it is kept.
    pub table: Table,
    /// What tells it from the other rows of its table.
    pub key: String,
    /// SHA-256 of all in it that lasts; none of a row that is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Hash>,
    /// From when on it says nothing any more and may be gone, where there is such an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl RowLeft {
    /// Of a row that is gone.
    pub fn gone(table: Table, key: impl Into<String>) -> Self {
        Self { table, key: key.into(), state: None, until: None }
    }
}

/// What an event left in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// SHA-256 of the grant that it tells of, as the store keeps it.
    pub grant: Option<Hash>,
    /// The other rows that were written or deleted with it.
    pub rows: Vec<RowLeft>,
}
