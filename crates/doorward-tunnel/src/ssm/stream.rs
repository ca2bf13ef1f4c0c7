//! One connection of a port session, as bytes to be read and written.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::core::Core as _;
use super::port::Port;
use super::session::Session;
use super::smux::Read;
use crate::dial;

/// One connection. It holds its session.
pub(super) struct Stream {
    session: Arc<Session<Port>>,
    id: u32,
    /// What else is to be undone when it is closed.
    _place: Option<Box<dyn Send + Sync>>,
}

impl Stream {
    /// Opens one; none: the session carries no other.
    pub(super) fn open(session: &Arc<Session<Port>>, place: Option<Box<dyn Send + Sync>>) -> Option<Self> {
        let id = session.shared.poke(|locked| locked.core.open())?;
        Some(Self { session: Arc::clone(session), id, _place: place })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.session.shared.poke(|locked| {
            locked.forget(self.id);
            locked.core.close(self.id, Instant::now());
        });
    }
}

impl dial::Stream for Stream {}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let (was_full, read) = self.session.shared.with(|locked| {
            let was_full = !locked.core.has_room();
            let read = locked.core.read(self.id, buffer, Instant::now());
            if matches!(read, Ok(Read::Nothing)) {
                locked.waits_to_read(self.id, context);
            }
            (was_full, read)
        });
        // Who is driving stopped reading, and goes on.
        if was_full {
            self.session.shared.poke(|_| ());
        }
        match read? {
            Read::Nothing => Poll::Pending,
            Read::Bytes(_) | Read::End | Read::Refused => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.session.shared.poke(|locked| {
            let written = locked.core.write(self.id, bytes);
            if matches!(written, Ok(0)) && !bytes.is_empty() {
                locked.waits_to_write(self.id, context);
            }
            written
        });
        match written? {
            0 if !bytes.is_empty() => Poll::Pending,
            written => Poll::Ready(Ok(written)),
        }
    }

    /// What was written is on its way, not: it has arrived.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.session.shared.with(|locked| {
            let flushed = locked.core.flushed(self.id);
            if matches!(flushed, Ok(false)) {
                locked.waits_to_write(self.id, context);
            }
            flushed
        });
        if flushed? { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.shared.poke(|locked| locked.core.shut(self.id, Instant::now()));
        Poll::Ready(Ok(()))
    }
}
