//! The one place that reads the clock; everything below takes `now` as an argument.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// How far apart the clocks of two servers, or of one before and after a start, may be. What was noted later than that by the
/// present clock was noted by another, so this one cannot say what is over.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What time it is, and how long the program has run.
///
/// The wall clock can be set back, the other cannot: a grant ends by whichever says so first.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    /// The machine's.
    pub fn system() -> Self {
        let start = Instant::now();
        Self { wall: Arc::new(Timestamp::now), uptime: Arc::new(move || start.elapsed()) }
    }

    /// One that a test turns manually.
    pub fn by_hand(
        wall: impl Fn() -> Timestamp + Send + Sync + 'static,
        uptime: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(wall), uptime: Arc::new(uptime) }
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        (self.wall)()
    }

    /// Time since the start, which never runs backwards.
    pub fn uptime(&self) -> Duration {
        (self.uptime)()
    }
}

/// Bytes that nobody can guess, from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
