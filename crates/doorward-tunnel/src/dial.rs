//! One connection to one place on the far side, whatever carries it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;

/// Bytes both ways: a socket, a channel of SSH, a stream of a session.
///
/// Shutting down the writing side says that no more comes; what the far side still sends can be read. Dropping it
/// closes both.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Takes bytes off the front to send them, and is ready when it took some. One that keeps what it was given until
    /// it is sent needs no copy of it.
    fn poll_send(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        let written = ready!(self.as_mut().poll_write(context, bytes))?;
        if written == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        bytes.advance(written);
        Poll::Ready(Ok(()))
    }
}

impl Stream for TcpStream {}
impl Stream for DuplexStream {}

/// A stream whose carrier does not matter.
pub type BoxedStream = Box<dyn Stream>;

impl Stream for BoxedStream {
    fn poll_send(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut **self).poll_send(context, bytes)
    }
}

/// An answer that is waited for, where a trait must stay usable behind a pointer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens connections to the far side. One transport is one of these.
pub trait Dial: Send + Sync + 'static {
    /// Opens one connection. Dropping the answer gives the attempt up.
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>>;
}

/// Where to, as the far side knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// An address, or a name that the far side looks up.
    pub host: Host,
    /// The TCP port.
    pub port: u16,
}

/// An address, or a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    Address(IpAddr),
    /// A DNS name.
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for Host {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        Ok(bare.parse().map_or_else(
            |_| Self::Name(text.to_owned()),
            |address: IpAddr| Self::Address(address.to_canonical()),
        ))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::Address(address.ip().to_canonical()), port: address.port() }
    }
}

/// Why a connection could not be opened. The transport itself may still be well.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The far side answered that nothing listens there.
    #[error("`{to}` refused the connection")]
    Refused { to: Destination },
    /// The far side cannot get there, or may not: in its own words.
    #[error("the remote end cannot reach `{to}`: {why}")]
    Unreachable {
        to: Destination,
        /// What it said.
        why: String,
    },
    /// Nobody answered in time.
    #[error("`{to}` did not respond within {seconds} s")]
    TimedOut {
        to: Destination,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// The transport is gone; what it was said to have ended of.
    #[error("the tunnel to `{to}` is closed: {why}")]
    Closed {
        to: Destination,
        /// Why it ended.
        why: String,
    },
    /// This machine's own network.
    #[error("cannot connect to `{to}`")]
    Local {
        to: Destination,
        /// What it said.
        source: io::Error,
    },
}

/// Connects from this machine itself: what an admitted address needs, and what the far side of a test does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Straight;

impl Dial for Straight {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(async move {
            let connected = match &to.host {
                Host::Address(address) => TcpStream::connect((*address, to.port)).await,
                Host::Name(name) => TcpStream::connect((name.as_str(), to.port)).await,
            };
            let stream = connected.map_err(|source| match source.kind() {
                io::ErrorKind::ConnectionRefused => DialError::Refused { to: to.clone() },
                _ => DialError::Local { to: to.clone(), source },
            })?;
            stream.set_nodelay(true).map_err(|source| DialError::Local { to: to.clone(), source })?;
            Ok(Box::new(stream) as BoxedStream)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_written_as_people_write_it() {
        fn check(host: &str, expected: &str) {
            let Ok(host) = host.parse::<Host>();
            assert_eq!(Destination { host, port: 5432 }.to_string(), expected);
        }
        check("10.0.0.1", "10.0.0.1:5432");
        check("[2001:db8::1]", "[2001:db8::1]:5432");
        check("2001:db8::1", "[2001:db8::1]:5432");
        check("::ffff:10.0.0.1", "10.0.0.1:5432");
        check("db.internal", "db.internal:5432");
    }
}
