//! Reads a client's data in portions: a step of a connection ends after a fixed number of bytes, even if more are
//! available.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};

/// Bytes of a portion: hundreds of the smallest frames of HTTP/2, and most of the head of a request of a browser.
const PORTION: u64 = 4 * 1024;

/// Bytes both ways, those that come in portions.
#[derive(Debug)]
pub(super) struct Portions<S>(Take<S>);

impl<S: AsyncRead> Portions<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(stream.take(PORTION))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Portions<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.limit() == 0 {
            self.0.set_limit(PORTION);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Portions<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.0.get_mut()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.0.get_mut()).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.get_mut()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.get_mut()).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn a_step_reads_one_portion_and_nothing_is_lost() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let sent: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        client.write_all(&sent).await.expect("it is taken");
        drop(client);
        let mut portions = Portions::new(server);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut bytes = vec![0; sent.len()];
        let mut buffer = ReadBuf::new(&mut bytes);
        assert!(Pin::new(&mut portions).poll_read(&mut context, &mut buffer).is_ready());
        assert!(Pin::new(&mut portions).poll_read(&mut context, &mut buffer).is_pending());
        let mut read = buffer.filled().to_vec();
        assert_eq!(read.len() as u64, PORTION);
        portions.read_to_end(&mut read).await.expect("the rest");
        assert!(read == sent);
    }
}
