//! Accepts connections, on a separate thread.
//!
//! Whatever the other threads do, this one accepts what the kernel queues and closes excess connections. If descriptors
//! run out nevertheless (somebody has lowered the limit, or the whole machine is out of them), it waits and tries
//! again.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::admission::{Admission, Network, NotNow};
use super::connection::{Arrived, Serving};
use crate::web::Web;

/// How long nothing is taken after there was no descriptor: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often it is logged that connections cannot be taken.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// How often it is asked whether there is room while connections that gave way are being closed, and for how long.
const ROOM: Duration = Duration::from_millis(1);
const ROOM_TRIES: u32 = 250;
/// How long the thread may take to end.
const CLOSES: Duration = Duration::from_millis(300);

/// The thread that takes connections; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Acceptor {
    stop: Option<oneshot::Sender<()>>,
    over: oneshot::Receiver<io::Error>,
}

impl Acceptor {
    /// Begins to take connections, and has them served by the runtime that calls.
    pub(super) fn open(
        listener: TcpListener,
        house: Arc<Admission>,
        web: Arc<Web>,
        serving: Serving,
    ) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, over) = oneshot::channel();
        let threads = Handle::current();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        std::thread::Builder::new().name("door".into()).spawn(move || {
            let taking = Taking { house, web, serving, threads, pause: FIRST_PAUSE, told: None };
            let ended = runtime.block_on(async {
                tokio::select! {
                    _ = stopped => Ok(()),
                    ended = taking.run(listener) => ended,
                }
            });
            // Without an error it was asked to end: the sender that is dropped says so.
            if let Err(error) = ended {
                let _ = tell.send(error);
            }
        })?;
        Ok(Self { stop: Some(stop), over })
    }

    /// Ready when it has ended by itself, which it should not.
    pub(super) async fn broke(&mut self) -> io::Error {
        (&mut self.over).await.unwrap_or_else(|_| io::Error::other("the listener thread ended"))
    }

    /// Takes no more, and gives the address back.
    pub(super) async fn close(mut self) {
        drop(self.stop.take());
        // Where it has ended already, this is ready at once.
        let _ = tokio::time::timeout(CLOSES, &mut self.over).await;
    }
}

struct Taking {
    house: Arc<Admission>,
    web: Arc<Web>,
    serving: Serving,
    threads: Handle,
    pause: Duration,
    told: Option<Instant>,
}

impl Taking {
    async fn run(mut self, listener: TcpListener) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            // The threads that serve it have an eye of their own on its socket.
            match listener.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    self.take(stream, peer).await;
                }
                Err(error) => self.survive(error).await,
            }
        }
    }

    /// Waits where nothing can be taken at present.
    async fn survive(&mut self, error: io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        // The client had gone already (accept(2)).
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return;
        }
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(%error, "cannot accept connections; grants are still revoked");
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    async fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let begun = tokio::time::Instant::now();
        let network = self.network(peer.ip());
        for _ in 0..ROOM_TRIES {
            match self.house.admit(network) {
                Ok(ticket) => {
                    let arrived = Arrived { stream, peer, begun, ticket };
                    let (serving, web) = (self.serving.clone(), Arc::clone(&self.web));
                    self.threads.spawn(async move { arrived.serve(serving, &web).await });
                    return;
                }
                Err(NotNow::InAMoment) => tokio::time::sleep(ROOM).await,
                Err(NotNow::Full) => break,
            }
        }
        // A reset: nothing of it stays here, and the client notices at once.
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }

    fn network(&self, peer: IpAddr) -> Network {
        let loaded = self.web.app().loaded();
        let named = loaded.policy.server.proxies.iter().any(|proxy| proxy.contains(peer.to_canonical()));
        if named { Network::of_proxy(peer) } else { Network::of(peer) }
    }
}
