//! One run: the account, what it has made so far, and the calls that it makes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_core::inventory::{AllocationId, Inventory};
use doorward_core::name::InstallationId;
use doorward_core::plan::network::Ids;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use super::token::Tokens;
use super::{Applying, Event, NotDone, Pace, Stop};
use crate::account::Account;
use crate::error::Error;
use crate::operation::{Operation, Paged, action};

/// How many calls are on their way at once: of calls that change something EC2 refills five a second (EC2 developer guide,
/// "Request throttling").
const AT_ONCE: usize = 4;

/// One run.
pub(super) struct Run {
    /// The account, of which each call is tried once: what is done after a failure depends on the call.
    pub(super) account: Account,
    /// The account before the run.
    pub(super) actual: Inventory,
    pub(super) by: InstallationId,
    pub(super) pace: Pace,
    pub(super) stop: Stop,
    pub(super) tokens: Tokens,
    turns: Semaphore,
    known: Mutex<Known>,
}

/// What the run has learnt.
#[derive(Debug, Default)]
struct Known {
    ids: Ids,
    allocations: BTreeMap<Ipv4Addr, AllocationId>,
    /// The ids of all that it made: only of these it is known that they exist, although a call may not find them yet.
    made: BTreeSet<String>,
}

impl Run {
    pub(super) fn new(account: &Account, actual: &Inventory, how: &Applying<'_>) -> Self {
        let elastic = actual.elastic_addresses.values();
        let allocations = elastic.filter_map(|it| Some((it.public, it.allocation.clone()?))).collect();
        Self {
            account: account.trying_once(),
            actual: actual.clone(),
            by: how.by.clone(),
            pace: how.pace,
            stop: how.stop.clone(),
            tokens: Tokens::of_a_run(),
            turns: Semaphore::new(AT_ONCE),
            known: Mutex::new(Known { allocations, ..Known::default() }),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids that AWS has given so far.
    pub(super) fn ids(&self) -> Ids {
        self.known().ids.clone()
    }

    /// Notes the id of something that this run made for what was planned.
    pub(super) fn note(&self, planned: &impl std::fmt::Display, given: &impl std::fmt::Display) {
        let mut known = self.known();
        known.ids.note(planned, given);
        known.made.insert(given.to_string());
    }

    /// Notes an elastic address that this run allocated.
    pub(super) fn note_address(&self, planned: Ipv4Addr, given: Ipv4Addr, allocation: AllocationId) {
        let mut known = self.known();
        known.ids.note_address(planned, given);
        known.made.insert(allocation.to_string());
        known.allocations.insert(given, allocation);
    }

    /// The allocation of an address.
    pub(super) fn allocation(&self, address: Ipv4Addr) -> Option<AllocationId> {
        self.known().allocations.get(&address).cloned()
    }

    /// Whether a text names something that this run made.
    pub(super) fn names_own(&self, text: &str) -> bool {
        self.known().made.iter().any(|id| text.contains(id.as_str()))
    }

    /// Makes one call, once, when it is its turn.
    pub(super) async fn call<O: Operation>(&self, operation: &O) -> Result<O::Answer, Tried> {
        let _turn = self.turn().await?;
        let answer = self.account.0.connection.call(operation).await;
        Ok(answer.map_err(|failure| failure.at(&action::<O>(), self.account.account_region(), None))?)
    }

    /// All pages of a call that describes something.
    pub(super) async fn pages<O: Paged>(&self, operation: O) -> Result<Vec<O::Item>, Tried> {
        let _turn = self.turn().await?;
        let pages = self.account.pages(operation).await;
        Ok(pages.map_err(|failure| failure.at(&action::<O>(), self.account.account_region(), None))?)
    }

    /// Waits for a turn; none after the run was stopped.
    pub(super) async fn turn(&self) -> Result<Option<tokio::sync::SemaphorePermit<'_>>, Tried> {
        // The semaphore is never closed, and a call without a turn is better than a lost one.
        let turn = self.turns.acquire().await.ok();
        if self.stop.is_stopped() { Err(Tried::Stopped) } else { Ok(turn) }
    }

    /// Pauses, unless the run is stopped.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), NotDone> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.stop.stopped() => Err(NotDone::Stopped),
        }
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Tried {
    /// The run was stopped, and no call was made.
    Stopped,
    /// The call failed.
    Failed(Error),
}

impl From<Error> for Tried {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Tried> for NotDone {
    fn from(tried: Tried) -> Self {
        match tried {
            Tried::Stopped => Self::Stopped,
            Tried::Failed(error) => Self::Call(error),
        }
    }
}

/// A step in progress: where it reports what happens.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) step: usize,
    pub(super) events: UnboundedSender<Event>,
}

impl Reporter {
    pub(super) fn report(&self, event: Event) {
        // Nobody listens any more when the run was dropped.
        let _ = self.events.send(event);
    }
}
