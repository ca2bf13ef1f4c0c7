//! Proxies that the policy does not list: detected by the headers that they add, logged once, and shown to operators.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::origin::{Origin, Unknown};

/// The most that are remembered. Anybody can pretend to be one, so there is a bound; one that is not seen for an hour makes room.
const MOST: usize = 64;
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Those that were seen lately.
#[derive(Debug, Default)]
pub struct Unnamed {
    seen: BTreeMap<IpAddr, (&'static str, Duration)>,
}

impl Unnamed {
    /// Remembers a request's proxy, and logs it the first time.
    pub fn notice(&mut self, origin: Origin, now: Duration) {
        let Some(Unknown::Unnamed(header)) = origin.unknown else { return };
        if let Some((_, last)) = self.seen.get_mut(&origin.peer) {
            *last = now;
            return;
        }
        self.seen.retain(|_, (_, last)| now.saturating_sub(*last) < REMEMBERED);
        if self.seen.len() < MOST {
            self.seen.insert(origin.peer, (header, now));
            let peer = origin.peer;
            tracing::warn!(%peer, header, "proxy is not listed in `proxies`; grants through it are refused");
        }
    }

    /// Those of the last hour that the policy still does not name: the address and the header that gave it away.
    pub fn lately(&self, now: Duration, named: impl Fn(IpAddr) -> bool) -> Vec<(IpAddr, &'static str)> {
        let lately = |(_, last): &(&str, Duration)| now.saturating_sub(*last) < REMEMBERED;
        let seen = self.seen.iter().filter(|(peer, seen)| lately(seen) && !named(**peer));
        seen.map(|(peer, (header, _))| (*peer, *header)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(peer: IpAddr) -> Origin {
        Origin { peer, client: None, unknown: Some(Unknown::Unnamed("via")), secure: false, direct: true }
    }

    #[test]
    fn a_flood_of_pretended_proxies_takes_no_more_room() {
        let (mut unnamed, at) = (Unnamed::default(), Duration::from_secs);
        for number in 0..1000_u32 {
            unnamed.notice(through(IpAddr::V4(number.into())), at(10));
        }
        assert_eq!(unnamed.lately(at(11), |_| false).len(), MOST);
        let late: IpAddr = "192.0.2.9".parse().expect("an address");
        unnamed.notice(through(late), at(20));
        assert_eq!(unnamed.lately(at(21), |_| false).len(), MOST);
        unnamed.notice(through(late), at(3620));
        assert_eq!(unnamed.lately(at(3621), |_| false), [(late, "via")]);
        assert_eq!(unnamed.lately(at(3621), |peer| peer == late), []);
        assert_eq!(unnamed.lately(at(9000), |_| false), []);
    }

    #[test]
    fn only_proxies_are_noticed() {
        let mut unnamed = Unnamed::default();
        let peer = "192.0.2.9".parse().expect("an address");
        for unknown in [None, Some(Unknown::Silent), Some(Unknown::Contradiction)] {
            unnamed.notice(Origin { unknown, ..through(peer) }, Duration::ZERO);
        }
        assert_eq!(unnamed.lately(Duration::ZERO, |_| false), []);
    }
}
