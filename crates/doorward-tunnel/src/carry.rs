//! Bytes between two streams, both ways, counted.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;

/// What was carried.
#[derive(Debug, Default)]
pub struct Bytes {
    /// From the near side to the far side.
    pub up: AtomicU64,
    /// From the far side to the near side.
    pub down: AtomicU64,
}

/// Why bytes were no longer carried.
#[derive(Debug)]
pub struct Broken {
    /// Whether it was the far side; else the near one.
    pub far: bool,
    /// What it said.
    pub error: io::Error,
}

/// Carries until both sides said that no more comes, or one of them broke.
///
/// A side that ends is passed on as such: the other direction goes on. At most `buffer` bytes wait in each direction.
pub async fn both_ways<N, F>(near: &mut N, far: &mut F, bytes: &Bytes, buffer: usize) -> Result<(), Broken>
where
    N: AsyncRead + AsyncWrite + Unpin,
    F: AsyncRead + AsyncWrite + Unpin,
{
    let mut near = Counted { stream: near, read: &bytes.up, broke: false };
    let mut far = Counted { stream: far, read: &bytes.down, broke: false };
    match copy_bidirectional_with_sizes(&mut near, &mut far, buffer, buffer).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Broken { far: far.broke, error }),
    }
}

/// What is dropped afterwards is reset: unsent bytes are discarded, and both sides learn at once.
pub fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection could not be reset");
    }
}

/// A stream that counts what is read from it, and remembers whether it broke.
struct Counted<'a, S> {
    stream: &'a mut S,
    read: &'a AtomicU64,
    broke: bool,
}

impl<S> Counted<'_, S> {
    fn noting<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.broke |= matches!(polled, Poll::Ready(Err(_)));
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut *self.stream).poll_read(context, buffer);
        let read = buffer.filled().len().saturating_sub(before);
        self.read.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.noting(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.stream).poll_write(context, bytes);
        self.noting(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut *self.stream).poll_flush(context);
        self.noting(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut *self.stream).poll_shutdown(context);
        self.noting(polled)
    }
}
