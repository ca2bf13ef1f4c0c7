//! How many connections several relays may hold together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Seats for connections, shared by every relay that has a clone.
#[derive(Debug, Clone)]
pub struct Seats(Arc<Semaphore>);

/// A seat that is taken; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Seat(#[allow(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

impl Seats {
    /// So many.
    pub fn new(seats: usize) -> Self {
        Self(Arc::new(Semaphore::new(seats.min(Semaphore::MAX_PERMITS))))
    }

    /// One, if there is one left.
    pub(super) fn take(&self) -> Option<Seat> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(Seat)
    }
}
