//! One connection: asked, dialled, carried both ways, and cut at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{Asked, NotAsked, Shared};
use crate::bound::end;
use crate::carry::{both_ways, reset};
use crate::dial::{BoxedStream, Destination, DialError};
use crate::news::in_words;

/// The receive buffer of a client on this machine, in bytes; Linux doubles it, to what a connection starts with.
const NEAR: usize = 64 * 1024;

/// Turns a connection away, or counts it and has it carried.
pub(super) fn receive(shared: &Arc<Shared>, client: TcpStream) {
    shared.total.fetch_add(1, Ordering::Relaxed);
    let mut admitted = true;
    shared.open.send_modify(|open| {
        admitted = *open < shared.options.limits.connections;
        *open += u64::from(admitted);
    });
    if !admitted {
        let limit = shared.options.limits.connections;
        shared.turned_away(None, format!("{limit} connections are open already"));
        reset(&client);
        return;
    }
    let open = OpenConnection(Arc::clone(shared));
    tokio::spawn(carry(client, open));
}

/// A connection that is counted as open for as long as this lives.
struct OpenConnection(Arc<Shared>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open = open.saturating_sub(1));
    }
}

/// Has a client on this machine not write far ahead. It writes again within microseconds, and what waits for longer has
/// left the processor's cache by the time it is read: without this, a fifth less goes up in `./bench tunnels`.
fn keep_near(client: &TcpStream) {
    let is_local = client.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    if is_local && let Err(error) = SockRef::from(client).set_recv_buffer_size(NEAR) {
        tracing::debug!(%error, "cannot limit the receive buffer of a client");
    }
}

/// What became of a connection.
enum Outcome {
    /// Both sides ended it.
    Over,
    /// It was refused, broke or failed; the client sees a reset and not an end.
    Reset,
}

async fn carry(mut client: TcpStream, open: OpenConnection) {
    let shared = &*open.0;
    if let Err(error) = client.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY on a connection");
    }
    keep_near(&client);
    let end = end(shared.bound.subscribe(), Arc::clone(&shared.options.clock));
    let outcome = tokio::select! {
        biased;
        () = end => {
            shared.cut.fetch_add(1, Ordering::Relaxed);
            Outcome::Reset
        }
        outcome = carried(shared, &mut client) => outcome,
    };
    if matches!(outcome, Outcome::Reset) {
        reset(&client);
    }
    // The place is left after the socket is closed, so that a count of none means that none is open.
    drop(client);
    drop(open);
}

async fn carried(shared: &Shared, client: &mut TcpStream) -> Outcome {
    let asked = tokio::time::timeout(shared.options.limits.ask, shared.ask.ask(client)).await;
    let Asked { to, early } = match asked {
        Ok(Ok(asked)) => asked,
        Ok(Err(NotAsked::Gone(error))) => {
            tracing::debug!(%error, "a client disconnected before its request");
            return Outcome::Over;
        }
        Ok(Err(not @ NotAsked::NotUnderstood(_))) => {
            shared.failed(None, in_words(&not));
            return closing(client).await;
        }
        Ok(Err(NotAsked::NotAllowed { to, why })) => {
            shared.turned_away(Some(&to), format!("not allowed: {why}"));
            return closing(client).await;
        }
        Err(_) => {
            let seconds = shared.options.limits.ask.as_secs();
            shared.failed(None, format!("the client sent no request within {seconds} s"));
            return Outcome::Reset;
        }
    };
    let mut far = match dial(shared, &to).await {
        Ok(far) => far,
        Err(error) => {
            shared.failed(Some(&to), in_words(&error));
            return match shared.ask.answer(client, Err(&error)).await {
                Ok(()) if shared.ask.answers() => closing(client).await,
                _ => Outcome::Reset,
            };
        }
    };
    if let Err(error) = shared.ask.answer(client, Ok(())).await {
        tracing::debug!(%error, "a client disconnected while its destination was dialled");
        return Outcome::Reset;
    }
    if !early.is_empty() {
        shared.bytes.up.fetch_add(u64::try_from(early.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Err(error) = far.write_all(&early).await {
            shared.failed(Some(&to), in_words(&error));
            return Outcome::Reset;
        }
    }
    match both_ways(client, &mut far, &shared.bytes, shared.options.limits.buffer).await {
        Ok(()) => Outcome::Over,
        Err(broken) if broken.far => {
            shared.failed(Some(&to), in_words(&broken.error));
            Outcome::Reset
        }
        Err(broken) => {
            tracing::debug!(error = %broken.error, "a client broke its connection");
            Outcome::Reset
        }
    }
}

async fn dial(shared: &Shared, to: &Destination) -> Result<BoxedStream, DialError> {
    let limit = shared.options.limits.dial;
    let timed_out = |_| DialError::TimedOut { to: to.clone(), seconds: limit.as_secs() };
    tokio::time::timeout(limit, shared.dial.dial(to)).await.map_err(timed_out)?
}

/// Lets a client read the answer that it got: a reset at once could discard it on its side.
async fn closing(client: &mut TcpStream) -> Outcome {
    if client.shutdown().await.is_err() {
        return Outcome::Reset;
    }
    let mut rest = [0; 1024];
    let drained = async {
        while matches!(tokio::io::AsyncReadExt::read(client, &mut rest).await, Ok(read) if read > 0) {}
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), drained).await;
    Outcome::Over
}
