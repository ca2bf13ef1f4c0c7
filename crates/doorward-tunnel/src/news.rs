//! What a transport tells while it is held, for whoever shows or records it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::dial::Destination;

/// Something that happened to a transport, or to one connection through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The first connection to the far side is being made.
    Connecting {
        /// To what, as a person would say it.
        to: String,
    },
    /// It stands.
    Connected { to: String },
    /// It broke; what was carried over it is cut. It will be tried again.
    Lost { why: String },
    /// An attempt failed; the next one follows.
    Retrying {
        /// Why the last attempt failed.
        why: String,
        /// How long until the next.
        after: Duration,
    },
    /// It stands again.
    Reconnected {
        /// How long it was away.
        away: Duration,
    },
    /// The far side could not be compared with anything, and is remembered from now on.
    Pinned {
        host: String,
        /// Its key's fingerprint.
        fingerprint: String,
    },
    /// The far side says something to the person before they are let in.
    Banner {
        /// Its words, as they came but without control characters.
        text: String,
    },
    /// One connection could not be carried, or broke; the transport goes on.
    Failed {
        /// Where it should have gone; none: that was not said, or could not be understood.
        to: Option<Destination>,
        why: String,
    },
    /// Nothing more comes; what was still open is cut.
    Ended { why: String },
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting { to } => write!(f, "connecting to {to}"),
            Self::Connected { to } => write!(f, "connected to {to}"),
            Self::Lost { why } => write!(f, "the connection was lost: {why}"),
            Self::Retrying { why, after } => write!(f, "{why}; retrying in {:.1} s", after.as_secs_f64()),
            Self::Reconnected { away } => write!(f, "connected again after {:.1} s", away.as_secs_f64()),
            Self::Pinned { host, fingerprint } => {
                write!(f, "the host key of {host} is {fingerprint}: seen for the first time, and saved")
            }
            Self::Banner { text } => f.write_str(text),
            Self::Failed { to: Some(to), why } => write!(f, "a connection to {to} failed: {why}"),
            Self::Failed { to: None, why } => write!(f, "a connection failed: {why}"),
            Self::Ended { why } => write!(f, "ended: {why}"),
        }
    }
}

/// Takes news. It is called from the tasks that carry packets, so it returns at once.
pub type Tell = Arc<dyn Fn(News) + Send + Sync>;

/// Tells nobody.
pub fn nobody() -> Tell {
    Arc::new(|_| {})
}

/// An error with everything under it, in one line.
pub fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut under = error.source();
    while let Some(source) = under {
        words.push_str(": ");
        words.push_str(&source.to_string());
        under = source.source();
    }
    words
}
