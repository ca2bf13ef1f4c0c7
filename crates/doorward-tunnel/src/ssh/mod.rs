//! SSH as a transport: every stream is a direct-tcpip channel, and the far side needs nothing but its sshd.
//!
//! An [`Ssh`] stands on another transport: directly, over a session or an endpoint, or over another `Ssh` (a second
//! hop). It keeps a small pool of connections, and connects again by itself when one is lost.

mod carrier;
pub mod console;
mod extra;
pub mod host_keys;
mod key_file;
pub mod known_hosts;
mod link;
pub mod login;
pub mod pins;
mod pool;
pub mod shell;
mod stream;
mod watcher;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::extra::Extra;
use self::host_keys::{Host, HostKeyError, HostKeys};
use self::login::{Login, LoginError};
use self::pool::Pool;
use crate::dial::{Answer, BoxedStream, Destination, Dial, DialError};
use crate::news::{Tell, in_words};

/// Why an SSH connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The carrier did not get to the far side's sshd.
    #[error("cannot connect to the sshd at `{at}`")]
    Carrier {
        /// Where it should be.
        at: Destination,
        source: DialError,
    },
    /// The far side's key is not the one that was expected, or nobody vouches for it.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
    /// The far side did not let us in.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// What answers does not speak SSH as we do.
    #[error("SSH negotiation with the sshd at `{at}` failed: {why}")]
    Protocol {
        /// Where it is.
        at: Destination,
        /// What went wrong.
        why: String,
    },
    /// Connecting and logging in took too long.
    #[error("the login at the sshd `{at}` did not finish within {seconds} s")]
    TimedOut {
        /// Where it should be.
        at: Destination,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// The connection is gone.
    #[error("the SSH connection was lost: {why}")]
    Lost { why: String },
    /// The far side does not start what was asked for.
    #[error("the server refused: {what}")]
    Refused {
        /// What was asked for, and what it said.
        what: String,
    },
}

impl SshError {
    /// Whether trying again would be wrong, or say the same: a host key that changed does not change back.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::HostKey(error) if error.is_final())
    }
}

/// Where to, as whom, and how.
#[derive(Clone)]
pub struct Options {
    /// Where the carrier finds the sshd.
    pub at: Destination,
    /// What its host key is looked up by.
    pub host: Host,
    /// The account.
    pub user: String,
    /// How we show that we may.
    pub login: Login,
    /// Who says whether the far side is the one that is meant.
    pub host_keys: Arc<dyn HostKeys>,
    /// Who is told what happens.
    pub tell: Tell,
    /// How much, and how long.
    pub limits: Limits,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("at", &self.at)
            .field("host", &self.host)
            .field("user", &self.user)
            .field("login", &self.login)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// How many connections, and how long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// SSH connections that streams are spread over, 1 to 8. 4 by default; more than one is made only when needed.
    pub connections: usize,
    /// Streams on a connection before another connection is made. 4 by default.
    pub spread: usize,
    /// How long connecting and logging in may take. 30 seconds by default.
    pub connect: Duration,
    /// How long a dial waits for a connection that is being made (again). 30 seconds by default.
    pub wait: Duration,
    /// How long nothing may come before the far side is asked whether it lives. 10 seconds by default.
    pub quiet: Duration,
    /// How many such questions may stay unanswered. 2 by default, so that a dead carrier is found after 30 seconds.
    pub unanswered: usize,
    /// The longest pause between two attempts to connect again. 15 seconds by default; it begins at a quarter second.
    pub backoff: Duration,
    /// Bytes that a connection holds for readers who do not take them. 64 MiB by default.
    ///
    /// The library gives the far side its window back when data comes and not when it is read
    /// (<https://github.com/Eugeny/russh/pull/730>), so that only the connection as a whole can be held back: beyond
    /// this the others on it wait too, and new streams go elsewhere.
    pub held: usize,
    /// How long a reader who takes nothing may hold up the others on a full connection before it is cut. 30 seconds
    /// by default.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4,
            spread: 4,
            connect: Duration::from_secs(30),
            wait: Duration::from_secs(30),
            quiet: Duration::from_secs(10),
            unanswered: 2,
            backoff: Duration::from_secs(15),
            held: 64 * 1024 * 1024,
            stalled: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// How long the carrier may take nothing of what we send before it is given up.
    fn patience(&self) -> Duration {
        self.quiet.saturating_mul(u32::try_from(self.unanswered.saturating_add(1)).unwrap_or(u32::MAX))
    }
}

/// How often a dial is begun anew because its connection was lost meanwhile.
const ATTEMPTS: usize = 3;

/// A transport over SSH. Dropped, it ends, and cuts what is still carried.
pub struct Ssh {
    pool: Arc<Pool>,
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh").field("options", self.pool.options()).finish_non_exhaustive()
    }
}

/// What the transport is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// SSH connections that stand.
    pub connections: usize,
    /// Streams that are open.
    pub streams: usize,
    /// How often the connection was lost and made again.
    pub reconnects: u64,
}

impl Ssh {
    /// A transport that connects at its first use. It needs a tokio runtime.
    pub fn new(carrier: Arc<dyn Dial>, options: Options) -> Self {
        Self { pool: Pool::new(carrier, options) }
    }

    /// Connects now, so that whoever waits learns why not.
    pub async fn connect(&self) -> Result<(), Arc<SshError>> {
        self.pool.link().await.map(|_| ())
    }

    /// What it is doing.
    pub fn status(&self) -> Status {
        self.pool.status()
    }

    /// Says goodbye and cuts what is still carried; how many streams that were. It does not connect again.
    pub async fn close(&self) -> usize {
        self.pool.close().await
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.pool.cut("it was closed");
    }
}

impl Dial for Ssh {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(async move {
            let closed = |why| DialError::Closed { to: to.clone(), why };
            let mut lost = String::new();
            for _ in 0..ATTEMPTS {
                let link = self.pool.link().await.map_err(|error| closed(in_words(&*error)))?;
                match link.dial(to).await {
                    Ok(stream) => return Ok(Box::new(stream) as BoxedStream),
                    Err(link::NotDialled::Refused(error)) => return Err(error),
                    // Nothing was sent to the destination yet, so that another connection may be tried.
                    Err(link::NotDialled::Lost) => lost = link.over().await,
                }
            }
            Err(closed(lost))
        })
    }
}
