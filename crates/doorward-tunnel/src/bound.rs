//! Until when a connection may live.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Tells the time; the wall clock but in tests.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The wall clock.
pub fn wall_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// How long a wall clock that was set forward may stay unnoticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// As long as both sides like.
    Endless,
    /// Until then.
    Until(Timestamp),
    /// Not a moment longer.
    Cut,
}

impl Bound {
    /// Of an end that there may be.
    pub fn of(until: Option<Timestamp>) -> Self {
        until.map_or(Self::Endless, Self::Until)
    }
}

/// Comes when the time is over: by the wall clock, which is looked at again and again because it may be set
/// forward, or because it was cut, or because nobody is left who could extend it.
pub async fn end(mut bound: watch::Receiver<Bound>, clock: Clock) {
    loop {
        let now = *bound.borrow_and_update();
        let wait = match now {
            Bound::Cut => return,
            Bound::Endless => None,
            Bound::Until(until) => {
                let now = clock();
                if now >= until {
                    return;
                }
                Some(Duration::try_from(until.duration_since(now)).unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN))
            }
        };
        let changed = match wait {
            Some(wait) => tokio::time::timeout(wait, bound.changed()).await.unwrap_or(Ok(())),
            None => bound.changed().await,
        };
        if changed.is_err() {
            return;
        }
    }
}
