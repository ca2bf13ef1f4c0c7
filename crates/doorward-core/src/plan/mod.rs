//! A plan: the difference between the account as it is and as it should be, as ordered steps.

#[cfg(test)]
mod laws;
pub mod network;
mod perform;
mod room;
mod rules;

pub use perform::{NotPerformed, perform};
pub use room::{NoRoom, room};
pub use rules::{Remark, Step, difference, steps, sweep, wanted};

use crate::inventory::{Digest, Inventory};

/// Ordered steps, for the inventory that they were made from and for no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<S = Step> {
    of: Digest,
    steps: Vec<S>,
}

/// The account is no longer what the plan was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the account changed since the plan was made")]
pub struct Moved;

impl<S> Plan<S> {
    /// Steps that were made from an inventory.
    fn of(actual: &Inventory, steps: Vec<S>) -> Self {
        Self { of: actual.digest(), steps }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps, to be shown.
    pub fn steps(&self) -> &[S] {
        &self.steps
    }

    /// The digest of the inventory that it was made from.
    pub fn made_from(&self) -> Digest {
        self.of
    }

    /// The steps, to be performed on the inventory with that digest.
    pub fn for_account(self, digest: Digest) -> Result<Vec<S>, Moved> {
        if self.of == digest { Ok(self.steps) } else { Err(Moved) }
    }
}
