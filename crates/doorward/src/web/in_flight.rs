//! Limits on concurrent requests: in total, and per network.
//!
//! A request can wait as long as a firewall takes, and one HTTP/2 connection has many requests. So limits on
//! connections are not enough.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::failure::Failure;
use super::origin::Origin;
use super::serve::Network;
use super::{Web, arrival};

/// Of one network: an office is one, and its people open at the same time.
const PER_NETWORK: usize = 64;
/// In all; above that, only networks that have few of them get more, up to twice as many.
const ALL: usize = 512;
const FEW: usize = 4;

/// Requests that are being answered.
#[derive(Debug, Default)]
pub struct InFlight(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    of: HashMap<Network, usize>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
struct Begun {
    web: Arc<Web>,
    network: Option<Network>,
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Counts one more, if there may be one more. Without a network it is a proxy's, which speaks for many.
    fn begins(&mut self, network: Option<Network>) -> bool {
        let held = network.and_then(|network| self.of.get(&network).copied()).unwrap_or(0);
        let most = if held < FEW { 2 * ALL } else { ALL };
        if held >= PER_NETWORK || self.all >= most {
            return false;
        }
        self.all += 1;
        if let Some(network) = network {
            self.of.insert(network, held + 1);
        }
        true
    }

    fn ends(&mut self, network: Option<Network>) {
        self.all = self.all.saturating_sub(1);
        let Some(network) = network else { return };
        match self.of.get(&network).copied() {
            Some(held) if held > 1 => self.of.insert(network, held - 1),
            _ => self.of.remove(&network),
        };
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.web.in_flight().lock().ends(self.network);
    }
}

/// Answers what is not too much at once.
pub async fn bounded(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let origin = request.extensions().get::<Origin>().copied();
    let network = origin.and_then(|origin| origin.client).map(Network::of);
    if !web.in_flight().lock().begins(network) {
        let why = "too many requests from your network are in progress";
        let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, why).hint("try again in a few seconds");
        return arrival::refused(request.uri().path(), Failure { retry_after: Some(2), ..failure });
    }
    let _begun = Begun { web: Arc::clone(&web), network };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u32) -> Option<Network> {
        Some(Network::of(std::net::Ipv4Addr::from_bits(number).into()))
    }

    #[test]
    fn one_network_leaves_room_to_others_and_what_ends_is_free_again() {
        let mut counts = Counts::default();
        for _ in 0..PER_NETWORK {
            assert!(counts.begins(network(1)));
        }
        assert!(!counts.begins(network(1)));
        assert!(counts.begins(network(2)));
        counts.ends(network(1));
        assert!(counts.begins(network(1)));
        for number in 10..100 {
            while counts.begins(network(number)) {}
        }
        // Eight networks with many requests fill the first half; a network with few goes on.
        assert!(counts.all > ALL && counts.all < 2 * ALL, "{}", counts.all);
        assert!(counts.begins(network(1000)));
        for number in 0..2000 {
            for _ in 0..PER_NETWORK {
                counts.ends(network(number));
            }
        }
        assert!(counts.of.is_empty());
    }
}
