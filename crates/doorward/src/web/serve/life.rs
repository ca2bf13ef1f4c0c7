//! What a connection does, and until when it may do that.
//!
//! A state machine of one connection. Its time limit is set when it is taken (to its first whole request head), when a
//! request begins (to the end of its answer) and when the last of its requests ends (to the next one); each of them clears
//! the one before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::admission::{Phase, SeatNumber};

/// How long a client may take for each of what it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// From the first packet over the handshake of TLS to the first whole head of a request. Of HTTP/1.1 also for each
    /// later head.
    pub(super) head: Duration,
    /// From a head to the last byte of its body. A form has a few hundred.
    pub(super) body: Duration,
    /// From a head to the last byte of the answer: what a request may take, and the rest for a client that reads slowly.
    pub(super) whole: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
}

/// A browser on a slow line takes a second or two for the first, and a page of operators two for the third.
pub(super) const TIMES: Times = Times {
    head: Duration::from_secs(10),
    body: Duration::from_secs(10),
    whole: Duration::from_secs(60),
    idle: Duration::from_secs(30),
};

/// A connection's life from its first request on.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) times: Times,
    seat: SeatNumber,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests that have begun and whose answers were not written yet.
    turns: BTreeMap<u64, (Phase, Instant)>,
    begun: u64,
    /// The limit while there are none.
    until: Instant,
}

/// What is to be done when it is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before then.
    LiveUntil(Instant),
    /// It was idle for too long: the client is notified, and it is closed.
    Idle,
    /// It is cut.
    Over,
}

impl Life {
    /// Of a connection that was taken at `begun`.
    pub(super) fn new(seat: SeatNumber, begun: Instant, times: Times) -> Arc<Self> {
        let state = State { turns: BTreeMap::new(), begun: 0, until: begun + times.head };
        Arc::new(Self { times, seat, state: Mutex::new(state) })
    }

    /// A request begins: its head was read.
    pub(super) fn begin(self: &Arc<Self>, has_body: bool) -> Arc<Turn> {
        let phase = if has_body { Phase::Receiving } else { Phase::Answering };
        let mut state = self.lock();
        state.begun += 1;
        let id = state.begun;
        state.turns.insert(id, (phase, Instant::now()));
        self.tell(&state);
        drop(state);
        Arc::new(Turn { life: Arc::clone(self), id })
    }

    pub(super) fn verdict(&self, now: Instant) -> Verdict {
        let state = self.lock();
        let limit = state.turns.values().map(|(_, since)| *since + self.times.whole).min();
        match limit {
            Some(limit) if now < limit => Verdict::LiveUntil(limit),
            Some(_) => Verdict::Over,
            None if now < state.until => Verdict::LiveUntil(state.until),
            None if state.begun > 0 => Verdict::Idle,
            None => Verdict::Over,
        }
    }

    fn tell(&self, state: &State) {
        // What gives way last is what the connection does.
        let phase = state.turns.values().map(|(phase, _)| *phase).max().unwrap_or(Phase::Idle);
        self.seat.turn(phase);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request of a connection, until the last who has to do with it drops it.
#[derive(Debug)]
pub(super) struct Turn {
    life: Arc<Life>,
    id: u64,
}

impl Turn {
    /// Until when its body may come.
    pub(super) fn body_until(&self) -> Instant {
        Instant::now() + self.life.times.body
    }

    /// Notes how far it is.
    pub(super) fn comes_to(&self, phase: Phase) {
        let mut state = self.life.lock();
        if let Some((known, _)) = state.turns.get_mut(&self.id).filter(|(known, _)| *known != phase) {
            *known = phase;
            self.life.tell(&state);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.life.lock();
        state.turns.remove(&self.id);
        state.until = Instant::now() + self.life.times.idle;
        self.life.tell(&state);
    }
}
