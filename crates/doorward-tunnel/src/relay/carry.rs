//! One connection: dialled, carried both ways, and cut at its end.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use doorward_core::net::{Special, hands_out_credentials, special};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use super::Upstream;
use super::connections::ConnectionEntry;
use crate::bound::{Bound, end};
use crate::carry::{Bytes, both_ways, reset};

/// Carries a connection until one side ends it, or until its end.
pub(super) async fn carry(
    mut client: TcpStream,
    to: Upstream,
    bound: watch::Receiver<Bound>,
    bytes: Arc<Bytes>,
    entry: ConnectionEntry,
) {
    let limits = entry.shared.limits.clone();
    let end = end(bound, Arc::clone(&entry.shared.clock));
    tokio::pin!(end);
    let dialled = tokio::select! {
        biased;
        () = &mut end => Err(None),
        dialled = dial(&to, limits.dial, &entry.shared.looking_up) => dialled.map_err(Some),
    };
    let mut upstream = match dialled {
        Ok(upstream) => upstream,
        Err(why) => {
            match why {
                Some(error) => {
                    entry.undialled();
                    tracing::warn!(%to, %error, "the relay cannot reach its upstream");
                }
                None => entry.at_its_end(),
            }
            reset(&client);
            return;
        }
    };
    for stream in [&client, &upstream] {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY on a connection");
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
            entry.at_its_end();
            reset(&client);
            reset(&upstream);
        }
    }
    // The place is left after the sockets are closed, so that a count of none means that none is open.
    drop((client, upstream));
    drop(entry);
}

/// How many names all relays look up at once, and one relay alone. Each look-up keeps a thread and its descriptors for as
/// long as the resolver is silent, also when nobody waits for it any more; the rest waits here, where it costs nothing.
static LOOKING_UP: Semaphore = Semaphore::const_new(16);
pub(super) const LOOKS_UP: usize = 4;

async fn dial(to: &Upstream, limit: Duration, looking_up: &Arc<Semaphore>) -> io::Result<TcpStream> {
    let dial = async {
        let addresses = match to.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, to.port)],
            Err(_) => look_up(to, looking_up).await?,
        };
        TcpStream::connect(&*addresses).await
    };
    tokio::time::timeout(limit, dial).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn look_up(to: &Upstream, looking_up: &Arc<Semaphore>) -> io::Result<Vec<SocketAddr>> {
    let own = Arc::clone(looking_up).acquire_owned().await.map_err(io::Error::other)?;
    let turn = LOOKING_UP.acquire().await.map_err(io::Error::other)?;
    let (host, port) = (to.host.clone(), to.port);
    let looked_up = tokio::task::spawn_blocking(move || {
        // Held until the resolver has answered, which a time limit does not shorten.
        let _held = (own, turn);
        targets((host.as_str(), port).to_socket_addrs()?)
    });
    looked_up.await.map_err(io::Error::other)?
}

/// The addresses of a name that can be a target's. Whoever answers for a name decides where the relay connects: it must not
/// be to the credentials of the server's own role.
fn targets(resolved: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<SocketAddr>> {
    let refused = |address: &SocketAddr| {
        hands_out_credentials(address.ip()) || special(address.ip()).is_some_and(Special::is_no_target)
    };
    let (refused, targets): (Vec<_>, Vec<_>) = resolved.partition(refused);
    match refused.first() {
        Some(address) if targets.is_empty() => {
            let why =
                format!("the name resolves to {}, which cannot be the address of a target", address.ip());
            Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
        }
        _ => Ok(targets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_credentials() {
        let resolve = |addresses: &[&str]| {
            let found = addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 80));
            targets(found).map(|to| to.into_iter().map(|to| to.ip().to_string()).collect::<Vec<_>>())
        };
        for closed in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "169.254.170.2",
            "fd00:ec2::254",
            "fe80::1",
            "224.0.0.1",
        ] {
            let refused = resolve(&[closed]).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{closed}");
        }
        assert_eq!(resolve(&["169.254.169.254", "10.0.0.7"]).unwrap(), ["10.0.0.7"]);
        assert_eq!(resolve(&["127.0.0.1", "fd00:ec2::253"]).unwrap(), ["127.0.0.1", "fd00:ec2::253"]);
        assert_eq!(resolve(&[]).unwrap(), Vec::<String>::new());
    }
}
