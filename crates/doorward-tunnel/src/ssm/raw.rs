//! One session for each connection, and nothing but its bytes in it: how SSH goes over Session Manager.

use std::sync::Arc;

use super::channel::Limits;
use super::pool::{closed, start};
use super::session::Around;
use super::stream::Stream;
use super::{Ending, Sessions};
use crate::dial::{Answer, BoxedStream, Destination, Dial, DialError};
use crate::news::Tell;
use crate::websocket::Connector;

/// Starts a session a connection.
pub struct Raw {
    around: Around,
    limits: Limits,
}

impl Raw {
    /// Sessions that `sessions` starts, over connections that `connector` makes.
    pub fn new(sessions: Arc<dyn Sessions>, connector: Connector, limits: Limits, tell: Tell) -> Self {
        Self { around: Around::new(sessions, connector, tell), limits }
    }
}

impl Dial for Raw {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(async move {
            let session =
                Arc::new(start(&self.around, to, self.limits).await.map_err(|why| closed(to, why))?);
            session.ready().await.map_err(|ending| ended(to, &ending))?;
            match Stream::open(&session, None) {
                Some(stream) => Ok(Box::new(stream) as BoxedStream),
                None => Err(ended(to, &session.ended().await)),
            }
        })
    }
}

/// An end before there was a connection.
pub(super) fn ended(to: &Destination, ending: &Ending) -> DialError {
    match ending {
        Ending::Port => DialError::Unreachable { to: to.clone(), why: ending.to_string() },
        _ => closed(to, ending.to_string()),
    }
}
