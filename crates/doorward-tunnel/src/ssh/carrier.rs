//! The stream under an SSH connection: given up when it takes nothing any more, and cut on demand.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use crate::dial::{Answer, BoxedStream};

/// Bytes that are read from the carrier ahead of what is asked for.
///
/// A packet is asked for in two pieces, of which the first has four bytes. So much makes one read of a small packet; a
/// large one is read into its place but for its beginning, instead of all of it here first and copied then.
const AHEAD: usize = 4 * 1024;

/// A stream that breaks when nothing of what is written is taken for some time, or when it is cut.
pub(super) struct Carrier {
    stream: BufReader<BoxedStream>,
    cut: Answer<'static, ()>,
    patience: Duration,
    /// When the write that waits is given up.
    waiting: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl Carrier {
    pub(super) fn new(stream: BoxedStream, mut cut: watch::Receiver<bool>, patience: Duration) -> Self {
        let cut = Box::pin(async move {
            let _ = cut.wait_for(|cut| *cut).await;
        });
        let stream = BufReader::with_capacity(AHEAD, stream);
        Self { stream, cut, patience, waiting: None, over: false }
    }

    fn poll_over(&mut self, context: &mut Context<'_>) -> bool {
        self.over = self.over || self.cut.as_mut().poll(context).is_ready();
        self.over
    }

    /// Passes on what a write said, unless it has waited too long.
    fn patiently<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let patience = self.patience;
        let waiting =
            self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        ready!(waiting.as_mut().poll(context));
        self.over = true;
        let why = format!("nothing was taken for {} s", patience.as_secs());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

fn closed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "it was closed")))
}

impl AsyncRead for Carrier {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_over(context) {
            return closed();
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.poll_over(context) {
            return closed();
        }
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patiently(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_over(context) {
            return closed();
        }
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.patiently(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is cut needs no goodbye, and what is stuck would not hear it.
        if self.poll_over(context) {
            return Poll::Ready(Ok(()));
        }
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.patiently(context, polled)
    }
}
