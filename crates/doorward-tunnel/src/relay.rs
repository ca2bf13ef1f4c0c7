//! A TCP relay that carries connections of admitted addresses, and none a moment longer than it may.
//!
//! A relay admits nobody until it is given a ruleset. Each connection has an end of its own, taken from the rule
//! that admitted it: it is cut at that end whether or not anybody replaces the ruleset.

mod carry;
mod connections;
mod seats;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorward_core::firewall::{Because, Ruleset};
use doorward_core::net::Flow;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};

use self::connections::{ConnectionEntry, Live, Shared, State};
use crate::bound::Bound;
pub use crate::bound::{Clock, wall_clock};
use crate::carry::Bytes;
pub use seats::Seats;

/// Why a relay could not begin.
#[derive(Debug, thiserror::Error)]
#[error("the relay cannot listen on `{listen}`")]
pub struct CannotListen {
    pub listen: SocketAddr,
    pub source: io::Error,
}

/// Where connections are carried to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// An address or a name; a name is looked up for each connection.
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What one relay may use up. A connection needs two file descriptors and twice `buffer` of memory.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once. 4,096 by default.
    pub connections: usize,
    /// Connections at once from one network: an IPv4 address or the /64 of an IPv6 one, in which whoever has one address
    /// has them all. 1,024 by default: an office may come from one address.
    pub per_network: usize,
    /// What this relay and others may hold together. Without a bound by default.
    pub all: Seats,
    /// How long looking up and dialling may take. 10 seconds by default.
    pub dial: Duration,
    /// Bytes held in each direction of a connection when the other side is slower. 64 KiB by default.
    pub buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_network: 1024,
            all: Seats::new(usize::MAX),
            dial: Duration::from_secs(10),
            buffer: 64 * 1024,
        }
    }
}

/// What a relay did since it began, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are carried now.
    pub open: u64,
    /// Connections that were admitted.
    pub accepted: u64,
    /// Connections that were refused, because no rule admits their address.
    pub refused: u64,
    /// Connections that were turned away, because a limit was reached.
    pub turned_away: u64,
    /// Connections whose upstream could not be dialled.
    pub undialled: u64,
    /// Connections that were cut: at their end, or because no rule admits them any more.
    pub cut: u64,
    /// Bytes from clients to the upstream.
    pub up: u64,
    /// Bytes from the upstream to clients.
    pub down: u64,
}

/// A connection that is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Whose; an IPv4 address that came wrapped in IPv6 is IPv4.
    pub peer: SocketAddr,
    /// When it was accepted.
    pub since: Timestamp,
    /// When it will be cut; none: it was admitted by the static list.
    pub until: Option<Timestamp>,
    /// Why it was admitted.
    pub because: Because,
    /// Bytes from the client.
    pub up: u64,
    /// Bytes to the client.
    pub down: u64,
}

/// A listener and the connections that it carries. Dropped, it cuts them all.
pub struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Relay {
    /// Listens and admits nobody. Connections go to `to`, and are admitted by rules for exactly `flow`.
    pub fn bind(
        listen: SocketAddr,
        to: Upstream,
        flow: Flow,
        limits: Limits,
        clock: Clock,
    ) -> Result<Self, CannotListen> {
        let cannot = |source| CannotListen { listen, source };
        let listener = listener(listen).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let state = State {
            to,
            flow,
            ruleset: Ruleset::default(),
            serial: 0,
            live: BTreeMap::new(),
            by_network: BTreeMap::new(),
            past: Counts::default(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            carried: watch::channel(0).0,
            looking_up: Arc::new(Semaphore::new(carry::LOOKS_UP)),
            limits,
            clock,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Admits exactly whom the ruleset admits. Connections that it no longer admits are cut; how many.
    pub fn replace(&self, ruleset: Ruleset) -> usize {
        let now = (self.shared.clock)();
        let mut state = self.shared.lock();
        state.ruleset = ruleset;
        state.judge(now)
    }

    /// Carries to another upstream, or is admitted to by rules for another flow, from now on; the listener stays.
    /// Connections to an upstream that is no longer the one are cut; how many.
    pub fn retarget(&self, to: Upstream, flow: Flow) -> usize {
        let now = (self.shared.clock)();
        let mut state = self.shared.lock();
        state.flow = flow;
        let moved = state.to != to;
        state.to = to;
        if moved { state.cut_all() } else { state.judge(now) }
    }

    /// What it did and holds.
    pub fn counts(&self) -> Counts {
        let state = self.shared.lock();
        let mut counts = state.past;
        for live in state.live.values() {
            counts.open += u64::from(!live.is_cut());
            counts.up += live.bytes.up.load(Ordering::Relaxed);
            counts.down += live.bytes.down.load(Ordering::Relaxed);
        }
        counts
    }

    /// The connections that it carries, the oldest first.
    pub fn connections(&self) -> Vec<Connection> {
        let state = self.shared.lock();
        let connection = |live: &Live| {
            let until = match *live.bound.borrow() {
                Bound::Cut => return None,
                Bound::Until(until) => Some(until),
                Bound::Endless => None,
            };
            Some(Connection {
                peer: live.peer,
                since: live.since,
                until,
                because: live.because.clone(),
                up: live.bytes.up.load(Ordering::Relaxed),
                down: live.bytes.down.load(Ordering::Relaxed),
            })
        };
        state.live.values().filter_map(connection).collect()
    }

    fn close(&self) {
        self.accepting.abort();
        // One that is being accepted at this moment is refused.
        self.shared.lock().ruleset = Ruleset::default();
    }

    /// Accepts no more, lets what is carried come to its own end for as long as `grace`, and cuts the rest; how many.
    pub async fn stop(self, grace: Duration) -> usize {
        self.close();
        let mut carried = self.shared.carried.subscribe();
        if tokio::time::timeout(grace, carried.wait_for(|carried| *carried == 0)).await.is_ok() {
            return 0;
        }
        let cut = self.shared.lock().cut_all();
        // Each connection's task sends its resets; none of them waits for anybody.
        let _ = tokio::time::timeout(Duration::from_secs(1), carried.wait_for(|carried| *carried == 0)).await;
        cut
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.close();
        self.shared.lock().cut_all();
    }
}

fn listener(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Linux lets accepted sockets inherit it: a client that vanished does not hold its place for ever.
    socket.set_keepalive(true)?;
    socket.bind(listen)?;
    socket.listen(1024)
}

/// Accepts until it is aborted.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((client, peer)) => {
                failing = false;
                receive(&shared, client, SocketAddr::new(peer.ip().to_canonical(), peer.port()));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                // Out of file descriptors, most likely: the connection waits in the queue and so do we.
                if !failing {
                    tracing::warn!(%error, "the relay cannot accept connections");
                }
                failing = true;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Refuses a connection, or lists it and has it carried.
fn receive(shared: &Arc<Shared>, client: TcpStream, peer: SocketAddr) {
    // A reset instead of an end: who is refused should see a refusal, and no state of it stays here.
    let turn_away = |client: TcpStream| {
        if let Err(error) = client.set_zero_linger() {
            tracing::debug!(%error, "a refused connection could not be reset");
        }
    };
    let now = (shared.clock)();
    let mut state = shared.lock();
    let Some(rule) = state.ruleset.admits(peer.ip(), state.flow, now) else {
        state.past.refused += 1;
        drop(state);
        tracing::debug!(%peer, "refused");
        return turn_away(client);
    };
    let (bound, because) = (Bound::of(rule.until()), rule.because().clone());
    let network = connections::network(peer.ip());
    let from_there = state.by_network.get(&network).copied().unwrap_or(0);
    let full = state.live.len() >= shared.limits.connections || from_there >= shared.limits.per_network;
    let Some(seat) = (!full).then(|| shared.limits.all.take()).flatten() else {
        state.past.turned_away += 1;
        drop(state);
        tracing::debug!(%peer, "connections refused at a limit");
        return turn_away(client);
    };
    let id = state.serial;
    state.serial += 1;
    state.past.accepted += 1;
    state.by_network.insert(network, from_there + 1);
    let (sender, receiver) = watch::channel(bound);
    let bytes = Arc::new(Bytes::default());
    state.live.insert(id, Live { peer, since: now, because, bound: sender, bytes: Arc::clone(&bytes) });
    shared.carried.send_replace(state.live.len());
    let to = state.to.clone();
    drop(state);
    let entry = ConnectionEntry { shared: Arc::clone(shared), id, _seat: seat };
    tokio::spawn(carry::carry(client, to, receiver, bytes, entry));
}
