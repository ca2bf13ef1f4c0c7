//! The time of the account: it does not pass until the test moves it.

use jiff::{SignedDuration, Timestamp};

/// A clock, which a call may move too.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    now: Timestamp,
    /// Seconds by which each call moves it: a client that waits by asking again gets on without the test.
    pub(crate) tick: i64,
}

impl Clock {
    pub(crate) fn new(now: Timestamp, tick: i64) -> Self {
        Self { now, tick }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves it forwards; it never moves back.
    pub(crate) fn advance(&mut self, seconds: i64) {
        self.now = later(self.now, seconds.max(0));
    }

    pub(crate) fn tick(&mut self) {
        self.advance(self.tick);
    }
}

/// The time so many seconds after another one.
pub(crate) fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
