//! How a client says where it wants to go.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::dial::{Answer, Destination, DialError};

/// How a client says where it wants to go, and how it learns what became of that.
pub trait Ask: Send + Sync + 'static {
    /// Reads what the client wants. Who is not let in has been told so before this returns.
    fn ask<'a>(&'a self, client: &'a mut TcpStream) -> Answer<'a, Result<Asked, NotAsked>>;

    /// Whether the protocol has words for a refusal. Where it has none, the client is reset.
    fn answers(&self) -> bool {
        true
    }

    /// Tells the client that its stream stands, or why not. Afterwards bytes are carried, or the client is cut off.
    fn answer<'a>(
        &'a self,
        client: &'a mut TcpStream,
        outcome: Result<(), &'a DialError>,
    ) -> Answer<'a, io::Result<()>>;
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub to: Destination,
    /// What it has sent already for the far side.
    pub early: Vec<u8>,
}

/// Why a client is not carried anywhere.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    /// It went away, or broke.
    #[error("the client disconnected")]
    Gone(#[source] io::Error),
    /// It does not speak the protocol that is spoken here.
    #[error("{0}")]
    NotUnderstood(String),
    /// It may not go there.
    #[error("`{to}` is not allowed: {why}")]
    NotAllowed { to: Destination, why: String },
}

/// Whether a client may go there; why not.
pub type Allowed = Arc<dyn Fn(&Destination) -> Result<(), String> + Send + Sync>;

/// Everywhere: for a transport that itself reaches only what it may.
pub fn anywhere() -> Allowed {
    Arc::new(|_| Ok(()))
}

/// Every client goes to the same place, and need not ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed(pub Destination);

impl Ask for Fixed {
    fn ask<'a>(&'a self, _: &'a mut TcpStream) -> Answer<'a, Result<Asked, NotAsked>> {
        Box::pin(async { Ok(Asked { to: self.0.clone(), early: Vec::new() }) })
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
