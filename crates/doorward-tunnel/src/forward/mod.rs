//! A local listener whose connections are carried to the far side, each over one stream of a transport.
//!
//! Every front end is one of these: a fixed port, SOCKS, an HTTP proxy, a redirected range. They differ in how a
//! client says where it wants to go, which is [`Ask`].

mod ask;
mod connection;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::ask::{Allowed, Ask, Asked, Fixed, NotAsked, anywhere};
use crate::bound::{Bound, Clock, end, wall_clock};
use crate::carry::Bytes;
use crate::dial::{Destination, Dial};
use crate::news::{News, Tell, nobody};

/// Why a forward could not begin.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{listen}`")]
pub struct CannotListen {
    pub listen: SocketAddr,
    pub source: io::Error,
}

/// What one forward may use up. A connection needs a file descriptor, a stream of its transport and twice `buffer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. 4,096 by default.
    pub connections: u64,
    /// How long a client may take to say where it wants to go. 10 seconds by default.
    pub ask: Duration,
    /// How long dialling may take. 60 seconds by default: a transport may be connecting again meanwhile.
    pub dial: Duration,
    /// Bytes that wait in each direction of a connection. 256 KiB by default.
    pub buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            ask: Duration::from_secs(10),
            dial: Duration::from_secs(60),
            buffer: 256 * 1024,
        }
    }
}

/// What a forward did since it began, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are open now, those included that are still being dialled.
    pub open: u64,
    /// Connections that were accepted.
    pub total: u64,
    /// Connections that could not be carried, or that the far side broke.
    pub failed: u64,
    /// Connections that were turned away, because a limit was reached or the place is not allowed.
    pub turned_away: u64,
    /// Connections that were cut, because the forward ended before them.
    pub cut: u64,
    /// Bytes from clients.
    pub up: u64,
    /// Bytes to clients.
    pub down: u64,
}

/// How a forward carries; what is not said is the default.
#[derive(Clone)]
pub struct Options {
    /// What it may use up.
    pub limits: Limits,
    /// Who is told of connections that fail, and of the end.
    pub tell: Tell,
    /// Until when it carries.
    pub bound: Bound,
    /// Tells the time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), tell: nobody(), bound: Bound::Endless, clock: wall_clock() }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("limits", &self.limits)
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}

/// What the listener, the connections and the owner of a forward have in common.
pub(crate) struct Shared {
    pub(crate) ask: Arc<dyn Ask>,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) options: Options,
    pub(crate) bound: watch::Sender<Bound>,
    pub(crate) open: watch::Sender<u64>,
    pub(crate) bytes: Bytes,
    pub(crate) total: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) cut: AtomicU64,
}

/// A listener and the connections that it carries. Dropped, it cuts them all.
pub struct Forward {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Forward {
    /// Listens, and carries every connection to one place. Port 0 takes a free one.
    pub fn to(
        listen: SocketAddr,
        to: Destination,
        dial: Arc<dyn Dial>,
        options: Options,
    ) -> Result<Self, CannotListen> {
        Self::asking(listen, Arc::new(Fixed(to)), dial, options)
    }

    /// Listens, and carries every connection to where it asks. Port 0 takes a free one.
    pub fn asking(
        listen: SocketAddr,
        ask: Arc<dyn Ask>,
        dial: Arc<dyn Dial>,
        options: Options,
    ) -> Result<Self, CannotListen> {
        let cannot = |source| CannotListen { listen, source };
        Self::on(listener(listen).map_err(cannot)?, ask, dial, options).map_err(cannot)
    }

    /// Likewise on a listener that was made elsewhere.
    pub fn on(
        listener: TcpListener,
        ask: Arc<dyn Ask>,
        dial: Arc<dyn Dial>,
        options: Options,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            ask,
            dial,
            bound: watch::channel(options.bound).0,
            options,
            open: watch::channel(0).0,
            bytes: Bytes::default(),
            total: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            cut: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it did and holds.
    pub fn counts(&self) -> Counts {
        let shared = &self.shared;
        Counts {
            open: *shared.open.borrow(),
            total: shared.total.load(Ordering::Relaxed),
            failed: shared.failed.load(Ordering::Relaxed),
            turned_away: shared.turned_away.load(Ordering::Relaxed),
            cut: shared.cut.load(Ordering::Relaxed),
            up: shared.bytes.up.load(Ordering::Relaxed),
            down: shared.bytes.down.load(Ordering::Relaxed),
        }
    }

    /// Carries until another time from now on. What has ended does not begin again.
    pub fn bind(&self, bound: Bound) {
        self.shared
            .bound
            .send_if_modified(|now| *now != Bound::Cut && std::mem::replace(now, bound) != bound);
    }

    /// Comes when the end has come and every connection is gone.
    pub async fn ended(&self) {
        end(self.shared.bound.subscribe(), Arc::clone(&self.shared.options.clock)).await;
        self.shared.emptied().await;
    }

    /// Accepts no more and cuts every connection; how many that were.
    pub async fn close(self) -> u64 {
        let before = self.shared.cut.load(Ordering::Relaxed);
        self.accepting.abort();
        self.shared.bound.send_replace(Bound::Cut);
        self.shared.emptied().await;
        self.shared.cut.load(Ordering::Relaxed).saturating_sub(before)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.bound.send_replace(Bound::Cut);
    }
}

impl Shared {
    /// Each connection's task resets its socket and waits for nobody, so that a second is plenty.
    async fn emptied(&self) {
        let mut open = self.open.subscribe();
        let _ = tokio::time::timeout(Duration::from_secs(1), open.wait_for(|open| *open == 0)).await;
    }

    pub(crate) fn failed(&self, to: Option<&Destination>, why: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        (self.options.tell)(News::Failed { to: to.cloned(), why });
    }

    pub(crate) fn turned_away(&self, to: Option<&Destination>, why: String) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        (self.options.tell)(News::Failed { to: to.cloned(), why });
    }
}

fn listener(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(1024)
}

/// Accepts until the end, and then cuts.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let end = end(shared.bound.subscribe(), Arc::clone(&shared.options.clock));
    tokio::pin!(end);
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut end => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((client, _)) => {
                failing = false;
                connection::receive(&shared, client);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Out of file descriptors, most likely: the connection waits in the queue and so do we.
                if !failing {
                    shared.failed(None, format!("cannot accept: {error}"));
                }
                failing = true;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    shared.bound.send_replace(Bound::Cut);
    shared.emptied().await;
    (shared.options.tell)(News::Ended { why: "the grant expired".to_owned() });
}

#[cfg(test)]
mod tests;
