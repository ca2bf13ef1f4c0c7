//! What a carrier is dialled with, so that no range takes its connection.

use std::io;
use std::net::SocketAddr;

use super::socket;
use crate::dial::{Answer, BoxedStream, Destination, Dial, DialError, Host};

/// This machine's own TCP, by sockets that no range takes: what a carrier is to be dialled with.
#[derive(Debug, Clone, Copy)]
pub struct Marked(pub u32);

impl Dial for Marked {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(async move {
            let local = |source: io::Error| match source.kind() {
                io::ErrorKind::ConnectionRefused => DialError::Refused { to: to.clone() },
                _ => DialError::Local { to: to.clone(), source },
            };
            let addresses: Vec<SocketAddr> = match &to.host {
                Host::Address(address) => vec![(*address, to.port).into()],
                Host::Name(name) => {
                    tokio::net::lookup_host((name.as_str(), to.port)).await.map_err(local)?.collect()
                }
            };
            let mut last = io::ErrorKind::NotFound.into();
            for address in addresses {
                match socket::connect(address, self.0).await {
                    Ok(stream) => return Ok(Box::new(stream) as BoxedStream),
                    Err(error) => last = error,
                }
            }
            Err(local(last))
        })
    }
}
