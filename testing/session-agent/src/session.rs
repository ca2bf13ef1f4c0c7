//! One session: what the API, the gateway and the agent share of it.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::conduct::Conduct;
use crate::documents::Resolved;

/// Frames between gateway and agent, each way, before somebody waits.
pub(crate) const TO_AGENT: usize = 32;
pub(crate) const FROM_AGENT: usize = 256;

/// What the agent of a session is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    Work,
    /// End the session, with this as the reason.
    End(String),
    /// Say nothing more.
    Vanish,
}

/// One session.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) target: String,
    pub(crate) document: String,
    pub(crate) resolved: Resolved,
    pub(crate) reason: Option<String>,
    pub(crate) owner: String,
    pub(crate) started: Timestamp,
    tokens: Mutex<BTreeSet<String>>,
    conduct: Mutex<Conduct>,
    pub(crate) joins: AtomicU32,
    pub(crate) to_agent: mpsc::Sender<Bytes>,
    /// Held by the connection that has the session; a later one waits until it lets go.
    pub(crate) from_agent: tokio::sync::Mutex<mpsc::Receiver<Bytes>>,
    /// Whether a client is there.
    pub(crate) attached: watch::Sender<bool>,
    /// The connection that has the session, by its number.
    pub(crate) holder: watch::Sender<u32>,
    pub(crate) orders: watch::Sender<Order>,
    /// Why and when it ended.
    pub(crate) ended: watch::Sender<Option<(String, Timestamp)>>,
}

/// What the agent gets of a new session.
pub(crate) struct AgentEnd {
    pub(crate) inbox: mpsc::Receiver<Bytes>,
    pub(crate) outbox: mpsc::Sender<Bytes>,
}

impl Session {
    pub(crate) fn new(
        id: String,
        target: String,
        document: String,
        resolved: Resolved,
        reason: Option<String>,
        owner: String,
    ) -> (Self, AgentEnd) {
        let (to_agent, inbox) = mpsc::channel(TO_AGENT);
        let (outbox, from_agent) = mpsc::channel(FROM_AGENT);
        let conduct = Conduct::new(resolved.purpose.is_shell());
        let session = Self {
            id,
            target,
            document,
            resolved,
            reason,
            owner,
            started: Timestamp::now(),
            tokens: Mutex::default(),
            conduct: Mutex::new(conduct),
            joins: AtomicU32::new(0),
            to_agent,
            from_agent: tokio::sync::Mutex::new(from_agent),
            attached: watch::Sender::new(false),
            holder: watch::Sender::new(0),
            orders: watch::Sender::new(Order::Work),
            ended: watch::Sender::new(None),
        };
        (session, AgentEnd { inbox, outbox })
    }

    pub(crate) fn admit(&self, token: String) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(token);
    }

    /// Whether the token admits; a single-use one does so once.
    pub(crate) fn is_admitted(&self, token: &str, once: bool) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if once { tokens.remove(token) } else { tokens.contains(token) }
    }

    pub(crate) fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Has the agent end it, if it still works.
    pub(crate) fn order_end(&self, why: &str) {
        self.orders.send_if_modified(|order| {
            let works = *order == Order::Work;
            if works {
                *order = Order::End(why.to_owned());
            }
            works
        });
    }

    /// It is over; true the first time.
    pub(crate) fn end(&self, why: &str) -> bool {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some((why.to_owned(), Timestamp::now()));
            }
            first
        })
    }
}
