//! The moments that a channel's deadlines are counted from, and when each is set and cleared.

use std::time::{Duration, Instant};

use crate::ssm::message::PayloadType;

/// The connection to the gateway, which a channel outlives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Connection {
    /// There was none yet.
    #[default]
    Awaited,
    /// It was lost.
    Lost {
        /// When the first one was there: set by it and never cleared. The handshake is counted from it.
        first: Instant,
    },
    /// There is one.
    Open {
        /// As before.
        first: Instant,
        /// When this one was there: set by each connection, and cleared with it.
        since: Instant,
        /// When the gateway asked for silence: set by its first such message, cleared by the one that ends it, by
        /// anything from the agent, and with the connection.
        paused: Option<Instant>,
    },
}

impl Connection {
    pub(super) fn first(self) -> Option<Instant> {
        match self {
            Self::Awaited => None,
            Self::Lost { first } | Self::Open { first, .. } => Some(first),
        }
    }

    pub(super) fn since(self) -> Option<Instant> {
        match self {
            Self::Awaited | Self::Lost { .. } => None,
            Self::Open { since, .. } => Some(since),
        }
    }

    pub(super) fn is_open(self) -> bool {
        self.since().is_some()
    }

    pub(super) fn is_paused(self) -> bool {
        matches!(self, Self::Open { paused: Some(_), .. })
    }

    /// Whether messages may be sent now.
    pub(super) fn may_send(self) -> bool {
        matches!(self, Self::Open { paused: None, .. })
    }

    pub(super) fn open(&mut self, now: Instant) {
        *self = Self::Open { first: self.first().unwrap_or(now), since: now, paused: None };
    }

    pub(super) fn lose(&mut self) {
        if let Self::Open { first, .. } = *self {
            *self = Self::Lost { first };
        }
    }

    pub(super) fn pause(&mut self, now: Instant) {
        if let Self::Open { paused, .. } = self {
            paused.get_or_insert(now);
        }
    }

    pub(super) fn resume(&mut self) {
        if let Self::Open { paused, .. } = self {
            *paused = None;
        }
    }
}

/// Whether frames are read from the connection. What is not read is not heard, and its sender not thereby dead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Reading {
    /// They always were.
    #[default]
    Always,
    /// They are not.
    Stopped,
    /// They are again since then: set when reading goes on, cleared when it stops.
    Since(Instant),
}

/// How long the agent has owed an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Silence {
    /// When something came from the agent last: set by each message, and never cleared.
    heard: Option<Instant>,
    /// Since when an acknowledgement is owed: set by the first message that waits for one, again by each acknowledgement
    /// that leaves others, and cleared by the one that leaves none.
    owed: Option<Instant>,
    reading: Reading,
}

impl Silence {
    pub(super) fn heard(&self) -> Option<Instant> {
        self.heard
    }

    pub(super) fn is_unread(&self) -> bool {
        self.reading == Reading::Stopped
    }

    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    pub(super) fn owe(&mut self, now: Instant) {
        self.owed.get_or_insert(now);
    }

    pub(super) fn acknowledge(&mut self, others_left: bool, now: Instant) {
        self.owed = others_left.then_some(now);
    }

    pub(super) fn set_reading(&mut self, reads: bool, now: Instant) {
        if self.is_unread() == reads {
            self.reading = if reads { Reading::Since(now) } else { Reading::Stopped };
        }
    }

    /// Since when the agent owes an answer and nothing came from it, on a connection that is there since then, while
    /// frames are read.
    pub(super) fn since(&self, connected: Instant) -> Option<Instant> {
        let owed = self.owed?;
        let read = match self.reading {
            Reading::Always => connected,
            Reading::Stopped => return None,
            Reading::Since(read) => read,
        };
        Some(connected.max(owed).max(read).max(self.heard.unwrap_or(connected)))
    }
}

/// A message that changes nothing, for an agent that may have lost an acknowledgement: if it lives, it acknowledges a
/// new message.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) payload_type: PayloadType,
    pub(super) payload: Vec<u8>,
    /// When it was sent last: set each time, and never cleared.
    pub(super) sent: Option<Instant>,
}

/// The flag that ends the session from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Farewell {
    /// The number of its message, whose acknowledgement ends the channel.
    pub(super) sequence: i64,
    /// When that is no longer waited for: set once, when it is given, and cleared with the channel's end.
    pub(super) until: Instant,
}

impl Farewell {
    /// How long an acknowledgement is waited for.
    const PATIENCE: Duration = Duration::from_secs(1);

    pub(super) fn given(sequence: i64, now: Instant) -> Self {
        Self { sequence, until: now + Self::PATIENCE }
    }
}
