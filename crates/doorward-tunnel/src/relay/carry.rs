//! One connection: dialled, carried both ways, and cut at its end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Upstream;
use super::places::Place;
use crate::bound::{Bound, end};
use crate::carry::{Bytes, both_ways, reset};

/// Carries a connection until one side ends it, or until its end.
pub(super) async fn carry(
    mut client: TcpStream,
    to: Upstream,
    bound: watch::Receiver<Bound>,
    bytes: Arc<Bytes>,
    place: Place,
) {
    let limits = place.shared.limits;
    let end = end(bound, Arc::clone(&place.shared.clock));
    tokio::pin!(end);
    let dialled = tokio::select! {
        biased;
        () = &mut end => Err(None),
        dialled = dial(&to, limits.dial) => dialled.map_err(Some),
    };
    let mut upstream = match dialled {
        Ok(upstream) => upstream,
        Err(why) => {
            match why {
                Some(error) => {
                    place.undialled();
                    tracing::warn!(%to, %error, "the relay cannot reach its upstream");
                }
                None => place.at_its_end(),
            }
            reset(&client);
            return;
        }
    };
    for stream in [&client, &upstream] {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is carried with Nagle's delay");
        }
    }
    let carried = tokio::select! {
        biased;
        () = &mut end => None,
        carried = both_ways(&mut client, &mut upstream, &bytes, limits.buffer) => Some(carried),
    };
    match carried {
        // Both sides came to their end and were told of the other's.
        Some(Ok(())) => {}
        Some(Err(broken)) => {
            tracing::debug!(error = %broken.error, "a connection broke");
            reset(&client);
            reset(&upstream);
        }
        None => {
            place.at_its_end();
            reset(&client);
            reset(&upstream);
        }
    }
    // The place is left after the sockets are closed, so that a count of none means that none is open.
    drop((client, upstream));
    drop(place);
}

async fn dial(to: &Upstream, limit: Duration) -> io::Result<TcpStream> {
    let dial = TcpStream::connect((to.host.as_str(), to.port));
    tokio::time::timeout(limit, dial).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
