//! EC2 Instance Connect Endpoint: one websocket a connection, to a private address and the ports 22 and 3389 only.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::{Sink as _, Stream as _};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::dial::{Answer, BoxedStream, Destination, Dial, DialError, Stream};
use crate::news::in_words;
use crate::websocket::{Connector, Socket, WebSocketError};

/// The largest frame that we send, in bytes.
const FRAME: usize = 32 * 1024;

/// Signs the way in.
pub trait Tunnels: Send + Sync + 'static {
    /// The presigned `wss://…/openTunnel?…` address for one connection, valid for a minute; why there is none.
    fn open_url<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<String, String>>;
}

/// An endpoint, as a transport.
pub struct Endpoint {
    tunnels: Arc<dyn Tunnels>,
    connector: Connector,
}

impl Endpoint {
    /// An endpoint whose addresses come from `tunnels`.
    pub fn new(tunnels: Arc<dyn Tunnels>, connector: Connector) -> Self {
        Self { tunnels, connector }
    }
}

impl Dial for Endpoint {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(async move {
            let unreachable = |why| DialError::Unreachable { to: to.clone(), why };
            let url = self.tunnels.open_url(to).await.map_err(unreachable)?;
            // The address bears a signature: it is in no message.
            let request = Request::get(url).body(());
            let request = request.map_err(|_| unreachable("its signed URL is not valid".to_owned()))?;
            let socket = self.connector.connect(request).await.map_err(|error| match error {
                WebSocketError::Connect { source, .. } => DialError::Local { to: to.clone(), source },
                error => unreachable(in_words(&error)),
            })?;
            Ok(Box::new(Frames { socket, chunk: Bytes::new(), over: false }) as BoxedStream)
        })
    }
}

/// A websocket's binary frames as a stream. It cannot be closed by halves: our end is the end of both.
struct Frames {
    socket: Socket,
    chunk: Bytes,
    over: bool,
}

/// What a close says: RFC 6455, 7.4.
fn closed(frame: Option<CloseFrame>) -> io::Result<()> {
    let Some(CloseFrame { code, reason }) = frame.filter(|frame| frame.code != CloseCode::Normal) else {
        return Ok(());
    };
    let reason: String = reason.chars().filter(|letter| !letter.is_control()).take(500).collect();
    let why = format!("the endpoint closed the connection: {reason} (code {})", u16::from(code));
    Err(io::Error::new(io::ErrorKind::ConnectionReset, why))
}

fn broken(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Io(error) => error,
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            io::Error::new(io::ErrorKind::BrokenPipe, "the endpoint's connection is closed")
        }
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

impl AsyncRead for Frames {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() && !self.over {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(data))) => self.chunk = data,
                Some(Ok(Message::Text(_))) => {
                    let why = "the endpoint sent a text message, which a tunnel does not have";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
                Some(Ok(Message::Close(frame))) => {
                    self.over = true;
                    closed(frame)?;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => {
                    let why = "the endpoint's connection broke";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
                }
            }
        }
        let size = self.chunk.len().min(buffer.remaining());
        buffer.put_slice(self.chunk.get(..size).unwrap_or_default());
        self.chunk.advance(size);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Frames {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(broken)?;
        let frame = bytes.get(..FRAME).unwrap_or(bytes);
        let message = Message::Binary(Bytes::copy_from_slice(frame));
        Pin::new(&mut self.socket).start_send(message).map_err(broken)?;
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(context)) {
            Ok(()) | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(broken(error))),
        }
    }
}

impl Stream for Frames {}

#[cfg(test)]
mod tests;
