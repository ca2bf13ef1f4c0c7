//! Redirected connections: taken in, dialled, carried and cut.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::ranges::Ranges;
use super::socket;
use crate::dial::{Destination, Dial, DialError};

/// What a range may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. 4,096 by default.
    pub flows: usize,
    /// How long the far side may take to connect. 15 seconds by default.
    pub dial: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 4096, dial: Duration::from_secs(15) }
    }
}

/// What was carried.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub open: AtomicU64,
    pub carried: AtomicU64,
    pub refused: AtomicU64,
    pub turned_away: AtomicU64,
    pub cut: AtomicU64,
    pub up: AtomicU64,
    pub down: AtomicU64,
}

/// What all flows share.
struct Shared {
    dial: Arc<dyn Dial>,
    ranges: Ranges,
    limits: Limits,
    room: Arc<Semaphore>,
    tally: Arc<Tally>,
    over: watch::Receiver<bool>,
}

/// The listeners that the kernel brings connections to.
pub(super) struct Flows {
    pub listeners: Vec<SocketAddr>,
    pub tally: Arc<Tally>,
    over: watch::Sender<bool>,
    accepting: JoinSet<JoinSet<()>>,
}

impl Flows {
    /// Listens on each of these loopback addresses.
    pub async fn listen(
        loopbacks: &[IpAddr],
        ranges: &Ranges,
        dial: &Arc<dyn Dial>,
        limits: Limits,
    ) -> io::Result<Self> {
        let (over, is_over) = watch::channel(false);
        let tally = Arc::new(Tally::default());
        let shared = Arc::new(Shared {
            dial: Arc::clone(dial),
            ranges: ranges.clone(),
            limits,
            room: Arc::new(Semaphore::new(limits.flows)),
            tally: Arc::clone(&tally),
            over: is_over,
        });
        let (mut listeners, mut accepting) = (Vec::new(), JoinSet::new());
        for loopback in loopbacks {
            let socket = if loopback.is_ipv4() {
                tokio::net::TcpSocket::new_v4()
            } else {
                tokio::net::TcpSocket::new_v6()
            }?;
            socket.bind((*loopback, 0).into())?;
            // A browser opens dozens at once, a load test thousands.
            let listener = socket.listen(4096)?;
            listeners.push(listener.local_addr()?);
            accepting.spawn(accept(listener, Arc::clone(&shared)));
        }
        Ok(Self { listeners, tally, over, accepting })
    }

    /// Takes no more, and cuts what is carried; how many were cut.
    pub async fn cut(&mut self) -> u64 {
        self.over.send_replace(true);
        while let Some(flows) = self.accepting.join_next().await {
            let Ok(mut flows) = flows else { continue };
            while flows.join_next().await.is_some() {}
        }
        self.tally.cut.load(Relaxed)
    }
}

/// Takes connections until it is over; those that it still carries then.
async fn accept(listener: TcpListener, shared: Arc<Shared>) -> JoinSet<()> {
    let mut flows = JoinSet::new();
    let mut over = shared.over.clone();
    loop {
        while flows.try_join_next().is_some() {}
        let accepted = tokio::select! {
            _ = over.wait_for(|over| *over) => return flows,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                flows.spawn(async move { flow(stream, &shared).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the range was not taken");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// One connection, from its first packet to its last.
async fn flow(mut near: TcpStream, shared: &Shared) {
    let tally = &shared.tally;
    let Some(to) = destination(&near, shared) else {
        return reset(&near);
    };
    let Ok(_permit) = Arc::clone(&shared.room).try_acquire_owned() else {
        tally.turned_away.fetch_add(1, Relaxed);
        return reset(&near);
    };
    let mut over = shared.over.clone();
    let over = over.wait_for(|over| *over);
    tokio::pin!(over);
    let dialled = tokio::select! {
        biased;
        _ = &mut over => {
            tally.cut.fetch_add(1, Relaxed);
            return reset(&near);
        }
        dialled = tokio::time::timeout(shared.limits.dial, shared.dial.dial(&to)) => dialled,
    };
    let seconds = shared.limits.dial.as_secs();
    let mut far = match dialled.unwrap_or_else(|_| Err(DialError::TimedOut { to: to.clone(), seconds })) {
        Ok(far) => far,
        Err(error) => {
            tally.refused.fetch_add(1, Relaxed);
            tracing::debug!(%error, "a connection to the range was refused");
            return reset(&near);
        }
    };
    tally.carried.fetch_add(1, Relaxed);
    tally.open.fetch_add(1, Relaxed);
    let carried = tokio::select! {
        biased;
        _ = &mut over => None,
        carried = super::carry::carry(&mut near, &mut far, tally) => Some(carried),
    };
    tally.open.fetch_sub(1, Relaxed);
    match carried {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            tracing::debug!(%to, %error, "a connection to the range broke");
            reset(&near);
        }
        None => {
            tally.cut.fetch_add(1, Relaxed);
            reset(&near);
        }
    }
}

/// Where it was going; none where nobody redirected it, or not to a place that is carried.
fn destination(stream: &TcpStream, shared: &Shared) -> Option<Destination> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection is carried with Nagle's delay");
    }
    let to = socket::original(stream).ok()?;
    // Somebody on this machine who connects to the listener itself would be carried to it for ever.
    shared.ranges.contains(to.ip()).then(|| to.into())
}

/// What is dropped afterwards is reset, so that the client learns at once that nobody answers.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection could not be reset");
    }
}
