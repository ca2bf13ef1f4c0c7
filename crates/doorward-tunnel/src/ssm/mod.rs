//! Session Manager, natively: sessions on a gateway of AWS that carry connections, or a shell, to an instance.
//!
//! The protocol's parts know neither clocks nor sockets ([`message`], [`channel`], [`smux`], [`port`], [`shell`]'s
//! core); a task for each session drives them over a websocket.

pub mod channel;
pub mod core;
pub mod message;
mod plain;
mod pool;
pub mod port;
mod raw;
mod session;
pub mod shell;
pub mod smux;
mod stream;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::dial::{Answer, Destination};

pub use channel::{Ending, Limits};
pub use pool::{Pool, Ssm};
pub use raw::Raw;

/// A session that was started or resumed: where to connect, and what to show there. The token is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The session's id.
    pub session: String,
    /// What the gateway wants to see, once.
    pub token: String,
    /// The `wss` address.
    pub url: String,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("session", &self.session).finish_non_exhaustive()
    }
}

/// A key that KMS made for one session. It is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    /// 64 bytes: what the agent encrypts with, and what we encrypt with.
    pub plaintext: Vec<u8>,
    /// The same, encrypted by KMS, for the agent.
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

/// Why AWS does not do what a session needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It was idle for too long, or lived as long as a session may: there is no token for it any more.
    #[error("the session timed out")]
    TimedOut,
    /// It will say the same again: not permitted, no such instance, not online.
    #[error("{why}")]
    Refused {
        /// What it said.
        why: String,
    },
    /// It may work the next time.
    #[error("{why}")]
    Failed {
        /// What it said.
        why: String,
    },
}

/// What sessions need of AWS.
pub trait Sessions: Send + Sync + 'static {
    /// Starts a session to somewhere. Which document it is of is not asked here.
    fn start<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<Opened, SessionError>>;

    /// Gets a new token for a session that lives.
    fn resume<'a>(&'a self, session: &'a str) -> Answer<'a, Result<Opened, SessionError>>;

    /// Ends a session.
    fn terminate<'a>(&'a self, session: &'a str) -> Answer<'a, Result<(), SessionError>>;

    /// Whether the agent is connected to Session Manager; none: nobody could say.
    fn is_there(&self) -> Answer<'_, Option<bool>> {
        Box::pin(async { None })
    }

    /// The request that becomes the websocket, signed for this moment.
    fn upgrade<'a>(&'a self, url: &'a str) -> Answer<'a, Result<http::Request<()>, SessionError>>;

    /// A key of 64 bytes by the KMS key that a shell's agent names, in the context of the session and its target.
    fn data_key<'a>(&'a self, session: &'a str, key: &'a str) -> Answer<'a, Result<DataKey, SessionError>>;
}
