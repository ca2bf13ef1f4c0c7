//! What a redirected client wants is what the kernel remembers of it.

use std::io;

use tokio::net::TcpStream;

use super::ranges::Ranges;
use super::socket::original;
use crate::dial::{Answer, DialError};
use crate::forward::{Ask, Asked, NotAsked};

/// Clients that the kernel brought to us from within these ranges.
pub(super) struct Redirected(pub Ranges);

impl Ask for Redirected {
    fn ask<'a>(&'a self, client: &'a mut TcpStream) -> Answer<'a, Result<Asked, NotAsked>> {
        Box::pin(async move {
            let to = original(client).map_err(NotAsked::Gone)?;
            if !self.0.contains(to.ip()) {
                // Somebody on this machine who connects to the listener itself would be carried to it for ever.
                let why = "it is not in the range".to_owned();
                return Err(NotAsked::NotAllowed { to: to.into(), why });
            }
            Ok(Asked { to: to.into(), early: Vec::new() })
        })
    }

    fn answers(&self) -> bool {
        false
    }

    fn answer<'a>(
        &'a self,
        _: &'a mut TcpStream,
        _: Result<(), &'a DialError>,
    ) -> Answer<'a, io::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
