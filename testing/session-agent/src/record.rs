//! What was seen: the client's violations of the protocol, and what happened.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// More than these are not kept: a test that fails so often has failed.
const MOST_VIOLATIONS: usize = 1000;
const MOST_EVENTS: usize = 200_000;

/// Something that the client did and may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Timestamp,
    /// In which session; empty outside of one.
    pub session: String,
    /// In words.
    pub what: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// In which session; empty outside of one.
    pub session: String,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A call to the API, and its error's code if it failed.
    Called {
        /// `StartSession`.
        operation: String,
        /// `AccessDeniedException`.
        error: Option<String>,
    },
    /// A session was made.
    Started {
        /// The instance.
        target: String,
        /// The document.
        document: String,
        /// The parameters, after the document's defaults, as `name=value`.
        parameters: Vec<String>,
        /// The reason that was given.
        reason: Option<String>,
    },
    /// The client joined the data channel, for the how-manieth time.
    Joined {
        /// From 1.
        times: u32,
    },
    /// The client's connection to the data channel ended.
    Left {
        /// In words.
        why: String,
    },
    /// The handshake is over.
    Ready {
        /// What the client says it is.
        client: String,
        /// How bytes are carried from here on.
        mode: Mode,
    },
    /// The agent connected to a port.
    Connected {
        /// The address.
        to: String,
    },
    /// The agent could not connect to a port.
    NotConnected {
        /// As it was asked for.
        to: String,
        /// In words.
        why: String,
    },
    /// The client said that it ends the session.
    TerminateFlag,
    /// The terminal was resized.
    Resized {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// A fault was done to the connection.
    Fault {
        /// In words.
        what: String,
    },
    /// The session is over.
    Ended {
        /// In words.
        why: String,
    },
    /// A key was pushed for 60 seconds.
    KeyPushed {
        /// To which instance.
        instance: String,
        /// For which user of it.
        user: String,
    },
    /// A tunnel of an Instance Connect Endpoint was opened.
    TunnelOpened {
        /// As it was asked for.
        to: String,
    },
}

/// How the bytes of a session are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Many streams, smux version 1.
    Smux,
    /// One connection at a time.
    Basic,
    /// One connection, once.
    Raw,
    /// A shell in a terminal.
    Shell,
    /// A command with pipes.
    Command,
}

/// Where everything is written down.
#[derive(Debug, Default)]
pub(crate) struct Record {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    violations: Vec<Violation>,
    events: Vec<Event>,
}

impl Record {
    pub(crate) fn violation(&self, session: &str, what: impl Into<String>) {
        let mut inner = self.lock();
        if inner.violations.len() < MOST_VIOLATIONS {
            inner.violations.push(Violation {
                at: Timestamp::now(),
                session: session.to_owned(),
                what: what.into(),
            });
        }
    }

    pub(crate) fn event(&self, session: &str, what: What) {
        let mut inner = self.lock();
        if inner.events.len() < MOST_EVENTS {
            inner.events.push(Event { at: Timestamp::now(), session: session.to_owned(), what });
        }
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.lock().violations.clone()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
