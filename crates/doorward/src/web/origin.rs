//! The address that a person comes from; believed from a proxy only where the policy names that proxy.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use doorward_core::net::Cidr;

use super::Web;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The other end of the connection: the person's machine, or a proxy.
    pub peer: IpAddr,
    /// The person's address; none when a proxy did not say it.
    pub client: Option<IpAddr>,
}

impl Origin {
    /// Whom attempts are counted against.
    pub fn counted(self) -> IpAddr {
        self.client.unwrap_or(self.peer)
    }
}

impl FromRequestParts<Arc<Web>> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        // Without a connection there is nobody to admit.
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else {
            return Ok(Self { peer: Ipv4Addr::UNSPECIFIED.into(), client: None });
        };
        let loaded = web.requests().loaded();
        Ok(Self { peer, client: client(peer, &parts.headers, &loaded.policy.server.proxies) })
    }
}

/// The person's address: the right-most one that is not a proxy of ours.
///
/// A proxy that says nothing, or something that is no address, leaves it unknown: its own address must never
/// be the one that is admitted.
pub fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Cidr]) -> Option<IpAddr> {
    let ours = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    let peer = peer.to_canonical();
    if !ours(peer) {
        return Some(peer);
    }
    let mut hops: Vec<&str> = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        hops.extend(value.to_str().ok()?.split(','));
    }
    let mut nearest = None;
    for hop in hops.into_iter().rev() {
        let address = address(hop.trim())?;
        nearest = Some(address);
        if !ours(address) {
            break;
        }
    }
    nearest
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = || hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded: &[&str], proxies: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().expect("a header"));
        }
        let proxies: Vec<Cidr> = proxies.iter().map(|proxy| proxy.parse().expect("a prefix")).collect();
        let found = client(peer.parse().expect("an address"), &headers, &proxies);
        assert_eq!(found.map(|address| address.to_string()).as_deref(), expected, "{peer} {forwarded:?}");
    }

    #[test]
    fn nobody_is_believed_unasked() {
        check("203.0.113.7", &["198.51.100.1"], &[], Some("203.0.113.7"));
        check("203.0.113.7", &["198.51.100.1"], &["10.0.0.0/8"], Some("203.0.113.7"));
    }

    #[test]
    fn a_proxy_of_ours_is_believed_as_far_as_it_reaches() {
        let ours = ["10.0.0.0/8", "2001:db8::/32"];
        check("10.0.0.1", &["203.0.113.7"], &ours, Some("203.0.113.7"));
        check("10.0.0.1", &["1.1.1.1, 203.0.113.7"], &ours, Some("203.0.113.7"));
        check("10.0.0.1", &["1.1.1.1, 203.0.113.7, 10.0.0.9"], &ours, Some("203.0.113.7"));
        check("10.0.0.1", &["1.1.1.1", "203.0.113.7", "10.0.0.9"], &ours, Some("203.0.113.7"));
        check("2001:db8::1", &["203.0.113.7:5511"], &ours, Some("203.0.113.7"));
        check("10.0.0.1", &["[2001:470::7]:443"], &ours, Some("2001:470::7"));
        check("10.0.0.1", &["[2001:470::7]"], &ours, Some("2001:470::7"));
        check("10.0.0.1", &["10.0.0.8, 10.0.0.9"], &ours, Some("10.0.0.8"));
    }

    #[test]
    fn what_a_proxy_leaves_open_stays_unknown() {
        let ours = ["10.0.0.0/8"];
        check("10.0.0.1", &[], &ours, None);
        check("10.0.0.1", &[""], &ours, None);
        check("10.0.0.1", &["unknown"], &ours, None);
        check("10.0.0.1", &["203.0.113.7, unknown"], &ours, None);
        check("10.0.0.1", &["203.0.113.7,"], &ours, None);
    }

    #[test]
    fn ipv4_in_ipv6_is_ipv4() {
        check("::ffff:203.0.113.7", &[], &[], Some("203.0.113.7"));
        check("::ffff:10.0.0.1", &["::ffff:203.0.113.7"], &["10.0.0.0/8"], Some("203.0.113.7"));
    }
}
