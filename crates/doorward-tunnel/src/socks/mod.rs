//! SOCKS 5 on a local port: every application that speaks it reaches the far side, without root.
//!
//! Names are looked up on the far side. Only CONNECT, and nobody is asked for a password: the port is the loopback's.

pub mod protocol;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use self::protocol::{Conversation, Event, Reply};
use crate::dial::{Answer, DialError};
use crate::forward::{Allowed, Ask, Asked, NotAsked};

/// Speaks SOCKS 5 with each client.
pub struct Socks {
    allowed: Allowed,
}

impl Socks {
    /// Lets clients go where it is allowed.
    pub fn new(allowed: Allowed) -> Self {
        Self { allowed }
    }
}

impl Ask for Socks {
    fn ask<'a>(&'a self, client: &'a mut TcpStream) -> Answer<'a, Result<Asked, NotAsked>> {
        Box::pin(async move {
            let mut conversation = Conversation::default();
            let mut buffer = [0; 1024];
            let to = loop {
                let read = client.read(&mut buffer).await.map_err(NotAsked::Gone)?;
                if read == 0 {
                    return Err(NotAsked::Gone(io::ErrorKind::UnexpectedEof.into()));
                }
                conversation.heard(buffer.get(..read).unwrap_or_default());
                match conversation.next() {
                    Ok(Event::More { say }) => client.write_all(&say).await.map_err(NotAsked::Gone)?,
                    Ok(Event::Asked { say, to }) => {
                        client.write_all(&say).await.map_err(NotAsked::Gone)?;
                        break to;
                    }
                    Err(refused) => {
                        client.write_all(&refused.say).await.map_err(NotAsked::Gone)?;
                        return Err(NotAsked::NotUnderstood(refused.why));
                    }
                }
            };
            if let Err(why) = (self.allowed)(&to) {
                client.write_all(&Reply::NotAllowed.encode(nowhere())).await.map_err(NotAsked::Gone)?;
                return Err(NotAsked::NotAllowed { to, why });
            }
            Ok(Asked { to, early: conversation.rest() })
        })
    }

    fn answer<'a>(
        &'a self,
        client: &'a mut TcpStream,
        outcome: Result<(), &'a DialError>,
    ) -> Answer<'a, io::Result<()>> {
        let reply = outcome.map_or_else(reply, |()| Reply::Succeeded);
        Box::pin(async move { client.write_all(&reply.encode(nowhere())).await })
    }
}

/// The address that a reply names is the far side's, which nobody knows.
fn nowhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
}

fn reply(error: &DialError) -> Reply {
    match error {
        DialError::Refused { .. } => Reply::Refused,
        DialError::Unreachable { .. } => Reply::HostUnreachable,
        DialError::TimedOut { .. } => Reply::TimedOut,
        DialError::Closed { .. } => Reply::Failed,
        DialError::Local { source, .. } => match source.kind() {
            io::ErrorKind::NetworkUnreachable => Reply::NetworkUnreachable,
            io::ErrorKind::HostUnreachable => Reply::HostUnreachable,
            io::ErrorKind::TimedOut => Reply::TimedOut,
            _ => Reply::Failed,
        },
    }
}
