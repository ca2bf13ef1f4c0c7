//! Performs a plan for networks and roles on an account.
//!
//! A run may be killed at any moment, also between a call and its answer. Nothing is kept about it but the account itself:
//! the next run reads the account, plans anew, and finds what the killed one made by the tags that every creating call
//! writes. So a run never needs to be resumed, and ends with the same account however often it was interrupted.
//!
//! Within a run an answer can be lost, too. Where EC2 has client tokens, the call is repeated with the same one. Where it has
//! none, the resource is looked up by its tags before it is made again. All other calls have the same effect twice.

mod again;
mod create;
mod environments;
mod lifecycle;
mod remove;
mod run;
mod scaled;
mod schedule;
mod set;
mod step;
mod token;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use doorward_core::inventory::Inventory;
use doorward_core::name::InstallationId;
use doorward_core::plan::network::{NetworkStep, needs};
use doorward_core::plan::{Moved, Plan};
use tokio::sync::watch;

use crate::account::Account;
use crate::error::Error;
use run::Run;

/// How a plan is performed.
#[derive(Clone, Copy)]
pub struct Applying<'a> {
    /// The installation that the plan is of.
    pub by: &'a InstallationId,
    /// The pauses between polls and attempts.
    pub pace: Pace,
    /// Stops the run in order.
    pub stop: &'a Stop,
    /// Is called with everything that happens.
    pub events: &'a (dyn Fn(Event) + Send + Sync),
}

/// The pauses between two polls of a state, or two attempts of a call: each is twice the last one, up to the longest.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Pace {
    /// AWS's own waiters poll every 15 seconds; what takes only seconds is noticed earlier.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(15) }
    }
}

impl Pace {
    fn pause(self, number: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(number.min(16))).min(self.longest)
    }
}

/// Stops a run: no further step begins, calls that are on their way are awaited, and polling ends. Clones are the same.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Stops the run.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether the run stops.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Ready when the run stops.
    async fn stopped(&self) {
        // The sender is this one, so it is never closed.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}

/// What happens during a run. Steps have the numbers that they have in the plan, from 0.
#[derive(Debug, Clone)]
pub enum Event {
    /// A step begins.
    Begins(usize),
    /// A step that waits for a state has polled it.
    Waits {
        step: usize,
        /// How long it has been waiting.
        since: Duration,
        /// The state by now, in words.
        state: String,
    },
    /// A call is made again after a pause.
    Again {
        step: usize,
        /// Why, in words.
        why: String,
    },
    /// A step is done.
    Done(usize),
    /// A step failed; its reason is in [`Applied`].
    Failed(usize),
}

/// What became of a plan.
#[derive(Debug)]
pub struct Applied {
    /// All steps of the plan.
    pub steps: Vec<NetworkStep>,
    /// The numbers of the steps that are done, in the order in which they were.
    pub done: Vec<usize>,
    /// The steps that failed. After the first one no other was begun.
    pub failed: Vec<(usize, NotDone)>,
    /// The steps that were not begun, or that were waiting for a state when the run stopped.
    pub left: Vec<usize>,
}

impl Applied {
    /// Whether all steps are done.
    pub fn is_whole(&self) -> bool {
        self.done.len() == self.steps.len()
    }
}

/// Why a step is not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotDone {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Error),
    /// The run was stopped.
    #[error("the run was stopped")]
    Stopped,
    /// A resource is still used.
    #[error("{what} is in use by {users}")]
    InUse {
        /// The resource, with its kind.
        what: String,
        /// Its users, with their owners.
        users: String,
    },
    /// A state was not reached.
    #[error("{what} is still {state} after {} minutes", .waited.as_secs().div_ceil(60))]
    Late {
        /// The resource, with its kind.
        what: String,
        state: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A state cannot be reached any more.
    #[error("{what} is {state}: {why}")]
    Dead {
        /// The resource, with its kind.
        what: String,
        state: String,
        /// AWS's reason.
        why: String,
        /// Whether the next run replaces it. What has data is never replaced.
        is_replaced: bool,
    },
    /// Something that the step needs is not in the account.
    #[error("{0} was not found")]
    Missing(String),
    /// The program failed.
    #[error("the step was cut short")]
    Broken,
}

impl NotDone {
    /// The command to type next, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Call(error) => error.hint(),
            Self::InUse { .. } => Some("detach it there, or wait, and run the command again"),
            Self::Late { .. } => Some("run the command again: it goes on where this run ended"),
            Self::Dead { is_replaced: true, .. } => {
                Some("run the command again: it removes the failed resource and creates another")
            }
            Self::Dead { is_replaced: false, .. } => {
                Some("repair it, or delete it if a snapshot has its data, and run the command again")
            }
            Self::Stopped | Self::Missing(_) | Self::Broken => None,
        }
    }
}

impl Account {
    /// Performs a plan that was made from `actual`, which has to be what the account is now.
    ///
    /// Steps that do not depend on each other are performed at the same time. After a failure no further step begins. To
    /// stop in order, use [`Stop`]; dropping the future is like killing the process.
    pub async fn apply(
        &self,
        plan: Plan<NetworkStep>,
        actual: &Inventory,
        how: Applying<'_>,
    ) -> Result<Applied, Moved> {
        let steps = plan.for_account(actual.digest())?;
        let needs = needs(actual, &steps);
        let run = Run::new(self, actual, &how);
        Ok(schedule::perform(Arc::new(run), steps, &needs, how.events).await)
    }
}
