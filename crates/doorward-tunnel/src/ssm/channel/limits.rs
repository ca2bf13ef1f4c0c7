//! What a channel waits for, and how much it holds.

use std::time::Duration;

/// What a channel waits for, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long the agent may take to begin. 30 seconds by default; it waits 15 for our answer itself.
    pub handshake: Duration,
    /// How long nothing may come from the agent while it owes an acknowledgement. 8 seconds by default.
    pub patience: Duration,
    /// The same before the agent has its port open. 30 seconds by default.
    pub opening: Duration,
    /// The same when so much was sent without an answer that the far side may be what is slow: the agent takes nothing
    /// more then, and is as silent as a dead one. 60 seconds by default.
    pub stalled: Duration,
    /// How many bytes the agent takes before a far side that reads nothing can stop it. 4 MiB by default.
    pub buffered_there: usize,
    /// Bytes that are sent and not acknowledged. 4 MiB by default.
    pub window: usize,
    /// The largest payload that is tried. 64 KiB by default.
    pub payload: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(30),
            patience: Duration::from_secs(8),
            opening: Duration::from_secs(30),
            stalled: Duration::from_secs(60),
            buffered_there: 4 << 20,
            window: 4 << 20,
            payload: 64 << 10,
        }
    }
}
