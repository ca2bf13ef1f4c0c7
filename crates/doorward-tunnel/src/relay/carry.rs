//! One connection: dialled, carried both ways, and cut at its end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::places::{Bound, Bytes, Place};
use super::{Clock, Upstream};

/// How long a wall clock that was set forward may stay unnoticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Carries a connection until one side ends it, or until its end.
pub(super) async fn carry(
    mut client: TcpStream,
    to: Upstream,
    bound: watch::Receiver<Bound>,
    bytes: Arc<Bytes>,
    place: Place,
) {
    let limits = place.shared.limits;
    let end = end(bound, Arc::clone(&place.shared.clock));
    tokio::pin!(end);
    let dialled = tokio::select! {
        biased;
        () = &mut end => Err(None),
        dialled = dial(&to, limits.dial) => dialled.map_err(Some),
    };
    let mut upstream = match dialled {
        Ok(upstream) => upstream,
        Err(why) => {
            match why {
                Some(error) => {
                    place.undialled();
                    tracing::warn!(%to, %error, "the relay cannot reach its upstream");
                }
                None => place.at_its_end(),
            }
            reset(&client);
            return;
        }
    };
    for stream in [&client, &upstream] {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is carried with Nagle's delay");
        }
    }
    let carried = {
        let mut near = Counted { stream: &mut client, read: &bytes.up };
        let mut far = Counted { stream: &mut upstream, read: &bytes.down };
        tokio::select! {
            biased;
            () = &mut end => None,
            carried = copy_bidirectional_with_sizes(&mut near, &mut far, limits.buffer, limits.buffer) => Some(carried),
        }
    };
    match carried {
        // Both sides came to their end and were told of the other's.
        Some(Ok(_)) => {}
        Some(Err(error)) => {
            tracing::debug!(%error, "a connection broke");
            reset(&client);
            reset(&upstream);
        }
        None => {
            place.at_its_end();
            reset(&client);
            reset(&upstream);
        }
    }
    // The place is left after the sockets are closed, so that a count of none means that none is open.
    drop((client, upstream));
    drop(place);
}

async fn dial(to: &Upstream, limit: Duration) -> io::Result<TcpStream> {
    let dial = TcpStream::connect((to.host.as_str(), to.port));
    tokio::time::timeout(limit, dial).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What is dropped afterwards is reset: unsent bytes are discarded, and both sides learn at once.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection could not be reset");
    }
}

/// Comes when the connection's time is over: by the wall clock, which is looked at again and again because it
/// may be set forward, or because it was cut.
async fn end(mut bound: watch::Receiver<Bound>, clock: Clock) {
    loop {
        let now = *bound.borrow_and_update();
        let wait = match now {
            Bound::Cut => return,
            Bound::Static => None,
            Bound::Until(until) => {
                let now = clock();
                if now >= until {
                    return;
                }
                Some(Duration::try_from(until.duration_since(now)).unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN))
            }
        };
        let changed = match wait {
            Some(wait) => tokio::time::timeout(wait, bound.changed()).await.unwrap_or(Ok(())),
            None => bound.changed().await,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// A stream that counts what is read from it.
struct Counted<'a> {
    stream: &'a mut TcpStream,
    read: &'a AtomicU64,
}

impl AsyncRead for Counted<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut *self.stream).poll_read(context, buffer);
        let read = buffer.filled().len().saturating_sub(before);
        self.read.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(context)
    }
}
