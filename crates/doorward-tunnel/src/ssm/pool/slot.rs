//! A place for one session of a pool, from when it is being started until it is over.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::ssm::core::Core as _;
use crate::ssm::port::Port;
use crate::ssm::session::{Session, State};

#[derive(Clone)]
pub(super) enum Found {
    Starting,
    Live(Arc<Session<Port>>),
    Failed(String),
}

pub(super) struct Slot {
    found: watch::Sender<Found>,
    load: AtomicUsize,
    times: Mutex<Times>,
}

struct Times {
    born: Instant,
    idle: Instant,
    /// Connections that failed when a new session would not have been any better.
    excused: u64,
}

impl Slot {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            found: watch::channel(Found::Starting).0,
            load: AtomicUsize::new(0),
            times: Mutex::new(Times { born: now, idle: now, excused: 0 }),
        }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, found: Found) {
        self.found.send_replace(found);
        self.times().born = Instant::now();
    }

    /// The session, as soon as it carries, or why it does not.
    pub(super) async fn found(&self) -> Result<Arc<Session<Port>>, String> {
        let mut found = self.found.subscribe();
        match found.wait_for(|found| !matches!(found, Found::Starting)).await.as_deref() {
            Ok(Found::Live(session)) => Ok(Arc::clone(session)),
            Ok(Found::Failed(why)) => Err(why.clone()),
            // The sender is ours.
            Ok(Found::Starting) | Err(_) => Err("it was never started".to_owned()),
        }
    }

    pub(super) fn session(&self) -> Option<Arc<Session<Port>>> {
        match &*self.found.borrow() {
            Found::Live(session) => Some(Arc::clone(session)),
            Found::Starting | Found::Failed(_) => None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.session().is_some_and(|session| !is_over(&session))
    }

    pub(super) fn is_over(&self) -> bool {
        match &*self.found.borrow() {
            Found::Live(session) => is_over(session),
            Found::Failed(_) => true,
            Found::Starting => false,
        }
    }

    /// A connection through it failed, and it is so old that a name may mean another address by now.
    pub(super) fn is_stale(&self, after: Duration) -> bool {
        let Some(session) = self.session() else { return false };
        let failed = session.shared.with(|locked| locked.core.failed());
        let mut times = self.times();
        if times.born.elapsed() < after {
            times.excused = failed;
        }
        failed > times.excused
    }

    /// It carries nothing since so long.
    pub(super) fn is_idle(&self, since: Duration) -> bool {
        self.load.load(Ordering::Relaxed) == 0 && self.times().idle.elapsed() >= since
    }

    pub(super) fn carries(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Whether somebody who does not read holds it up, and how much it carries: the least is best.
    pub(super) fn load(&self) -> (bool, usize) {
        let is_full =
            self.session().is_some_and(|session| session.shared.with(|locked| !locked.core.has_room()));
        (is_full, self.carries())
    }
}

fn is_over(session: &Session<Port>) -> bool {
    matches!(*session.state().borrow(), State::Ended(_))
}

/// One connection's place.
pub(super) struct SlotUse {
    pub(super) slot: Arc<Slot>,
}

impl SlotUse {
    pub(super) fn take(slot: &Arc<Slot>) -> Self {
        slot.load.fetch_add(1, Ordering::Relaxed);
        Self { slot: Arc::clone(slot) }
    }
}

impl Drop for SlotUse {
    fn drop(&mut self) {
        self.slot.times().idle = Instant::now();
        self.slot.load.fetch_sub(1, Ordering::Relaxed);
    }
}
