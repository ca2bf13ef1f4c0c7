//! The client's address, and whether it uses TLS; accepted from a proxy only if the policy lists that proxy.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, StatusCode};
use doorward_core::policy::Server;

use super::Web;
use super::failure::Failure;
use super::forwarded::{self, Said};
use super::serve::Arrival;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The remote end of the connection: the person's machine, or a proxy.
    pub peer: IpAddr,
    /// The person's address; none where `unknown` says why.
    pub client: Option<IpAddr>,
    /// Why the person's address is not known.
    pub unknown: Option<Unknown>,
    /// Whether the browser spoke TLS, to this server or to a proxy that the policy names.
    pub secure: bool,
}

/// Why a person's address is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// A proxy of ours does not say it, or says something that is no address.
    Silent,
    /// A proxy of ours hands on two headers that name different addresses.
    Contradiction,
    /// The request came through a proxy that the policy does not list: this header tells.
    Unnamed(&'static str),
}

impl Origin {
    /// The address against which attempts are counted.
    pub fn counted(self) -> IpAddr {
        self.client.unwrap_or(self.peer)
    }

    /// The address that a grant may admit. A proxy's own address never is one: it would admit everybody behind it.
    pub fn admitted(self) -> Result<IpAddr, Failure> {
        let Some(unknown) = self.unknown else { return Ok(self.client.unwrap_or(self.peer)) };
        let failure = Failure::new(StatusCode::UNPROCESSABLE_ENTITY, unknown.why(self.peer));
        Err(failure.hint(unknown.hint(self.peer)))
    }

    /// What the head of a request tells of it.
    pub fn of(server: &Server, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        // Without a connection there is nobody to admit.
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else {
            let (peer, unknown) = (Ipv4Addr::UNSPECIFIED.into(), Some(Unknown::Silent));
            return Self { peer, client: None, unknown, secure: server.is_https() };
        };
        let origin = Self::from_peer(server, peer, headers);
        let named = extensions.get::<Arrival>().is_some_and(|arrival| arrival.named_by.is_some());
        if named && origin.client.is_none() && forwarded::client(headers, |_| false) == Said::Client(peer) {
            // A proxy that names the client twice, ahead of the connection and in a header, and the same.
            return Self { client: Some(peer), unknown: None, ..origin };
        }
        origin
    }

    fn from_peer(server: &Server, peer: IpAddr, headers: &HeaderMap) -> Self {
        let ours = |address: IpAddr| server.proxies.iter().any(|proxy| proxy.contains(address));
        let told = if ours(peer) {
            match forwarded::client(headers, ours) {
                Said::Client(client) => Ok(client),
                Said::Nothing | Said::Unreadable => Err(Unknown::Silent),
                Said::Contradiction => Err(Unknown::Contradiction),
            }
        } else {
            let added = forwarded::ADDED.into_iter().find(|header| headers.contains_key(*header));
            added.map_or(Ok(peer), |header| Err(Unknown::Unnamed(header)))
        };
        let secure = server.is_https() || (ours(peer) && forwarded::is_https(headers));
        Self { peer, client: told.ok(), unknown: told.err(), secure }
    }
}

impl Unknown {
    /// In a sentence.
    pub fn why(self, peer: IpAddr) -> String {
        match self {
            Self::Silent => {
                "your address is not known, because the proxy in front of Doorward does not forward it".into()
            }
            Self::Contradiction => {
                "your address is not known: `X-Forwarded-For` and `Forwarded` name different ones".into()
            }
            Self::Unnamed(header) => format!(
                "your address is not known: you come through a proxy ({peer} sent `{}`) that the policy does not list",
                as_written(header)
            ),
        }
    }

    /// What would help.
    pub fn hint(self, peer: IpAddr) -> String {
        match self {
            Self::Silent => "an operator configures the proxy to send `X-Forwarded-For` or `Forwarded`".into(),
            Self::Contradiction => {
                "an operator configures the proxy to set one of the two headers and to remove the other from what clients send"
                    .into()
            }
            Self::Unnamed(_) => format!(
                "an operator adds `proxies = [\"{peer}\"]` to `[server]`; if it is not their proxy, connect without it"
            ),
        }
    }
}

/// A header's name as people write it: `X-Forwarded-For`.
pub fn as_written(header: &str) -> String {
    let word = |word: &str| match word {
        "ip" => "IP".to_owned(),
        "cf" => "CF".to_owned(),
        _ => word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default(),
    };
    header.split('-').map(word).collect::<Vec<_>>().join("-")
}

impl FromRequestParts<Arc<Web>> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Infallible> {
        if let Some(origin) = parts.extensions.get::<Self>() {
            return Ok(*origin);
        }
        Ok(Self::of(&web.requests().loaded().policy.server, &parts.extensions, &parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::policy;

    fn origin(peer: &str, lines: &[(&'static str, &str)], proxies: &[&str]) -> Origin {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a header"));
        }
        let mut server = policy().server;
        server.proxies = proxies.iter().map(|proxy| proxy.parse().expect("a prefix")).collect();
        let peer: IpAddr = peer.parse().expect("an address");
        Origin::from_peer(&server, peer.to_canonical(), &headers)
    }

    #[test]
    fn without_a_proxy_the_connection_tells() {
        for peer in ["203.0.113.7", "::ffff:203.0.113.7"] {
            let origin = origin(peer, &[("x-request-id", "1")], &["10.0.0.0/8"]);
            assert_eq!(origin.admitted().expect("an address").to_string(), "203.0.113.7");
        }
    }

    #[test]
    fn a_proxy_that_is_not_named_admits_nobody() {
        for header in forwarded::ADDED {
            let origin = origin("192.0.2.9", &[(header, "198.51.100.1")], &["10.0.0.0/8"]);
            assert_eq!((origin.client, origin.unknown), (None, Some(Unknown::Unnamed(header))));
            assert_eq!(origin.counted().to_string(), "192.0.2.9");
            let failure = origin.admitted().expect_err("nobody");
            assert!(
                failure.why.contains("192.0.2.9") && failure.why.contains(&as_written(header)),
                "{failure:?}"
            );
            let hint = failure.hint.expect("a hint");
            assert!(hint.contains("`proxies = [\"192.0.2.9\"]`"), "{hint}");
        }
    }

    #[test]
    fn a_proxy_that_is_named_is_believed() {
        let ours = ["10.0.0.0/8"];
        let client = |lines: &[(&'static str, &str)]| origin("10.0.0.1", lines, &ours).client;
        let expected: Option<IpAddr> = Some("203.0.113.7".parse().expect("an address"));
        assert_eq!(client(&[("x-forwarded-for", "203.0.113.7")]), expected);
        assert_eq!(client(&[("forwarded", "for=203.0.113.7")]), expected);
        let silent = origin("10.0.0.1", &[("via", "1.1 squid"), ("x-real-ip", "203.0.113.7")], &ours);
        assert_eq!(silent.unknown, Some(Unknown::Silent));
        let both = [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=198.51.100.1")];
        assert_eq!(origin("10.0.0.1", &both, &ours).unknown, Some(Unknown::Contradiction));
    }

    #[test]
    fn only_a_proxy_that_is_named_says_that_tls_was_spoken() {
        let lines = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
        assert!(origin("10.0.0.1", &lines, &["10.0.0.0/8"]).secure);
        assert!(!origin("10.0.0.1", &lines, &[]).secure);
        let plain = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "http")];
        assert!(!origin("10.0.0.1", &plain, &["10.0.0.0/8"]).secure);
    }
}
