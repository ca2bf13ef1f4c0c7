//! The client's address, and whether it uses TLS; accepted from a proxy only if the policy lists that proxy.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, StatusCode};
use doorward_core::policy::Server;
use doorward_core::proxy_protocol::Named;

use super::Web;
use super::failure::Failure;
use super::forwarded::{self, ForwardedClient};
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
    /// Whether the connection came from none of the proxies that the policy names.
    pub direct: bool,
}

/// Why a person's address is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// A proxy of ours does not say it, or says something that is no address.
    Silent,
    /// A proxy of ours has to name the client in a PROXY header and did not. The client wrote all that follows, HTTP headers
    /// included: a proxy that speaks the PROXY protocol forwards bytes that it does not read.
    NotInProxyHeader,
    /// The headers name proxies of ours, and no client.
    OnlyProxies,
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

    /// Whether passwords and sessions would cross a network in clear text although the policy does not accept that: a
    /// proxy has the TLS, and this client did not come through it.
    pub fn is_in_clear(self, server: &Server) -> bool {
        let beyond = !server.listen.ip().to_canonical().is_loopback() && !self.peer.is_loopback();
        beyond && self.direct && server.tls.is_none() && !server.insecure && !server.proxies.is_empty()
    }

    /// What the head of a request tells of it.
    pub fn of(server: &Server, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        // Without a connection there is nobody to admit.
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else {
            let (peer, unknown) = (Ipv4Addr::UNSPECIFIED.into(), Some(Unknown::Silent));
            return Self { peer, client: None, unknown, secure: server.is_https(), direct: false };
        };
        Self::from_peer(server, peer, extensions.get::<Arrival>().and_then(|arrival| arrival.header), headers)
    }

    /// `peer` is the remote end of the connection, or the client that `header` names.
    fn from_peer(server: &Server, peer: IpAddr, header: Option<Named>, headers: &HeaderMap) -> Self {
        let ours = |address: IpAddr| server.proxies.iter().any(|proxy| proxy.contains(address));
        let mut secure = server.is_https();
        let told = match header {
            Some(Named::Nobody) => Err(Unknown::NotInProxyHeader),
            // The policy did not require a PROXY header yet when this connection began.
            None if ours(peer) && server.proxy_protocol => Err(Unknown::NotInProxyHeader),
            _ if ours(peer) => {
                secure |= forwarded::is_https(headers);
                match forwarded::client(headers, ours) {
                    ForwardedClient::Client(client) => Ok(client),
                    ForwardedClient::Nothing | ForwardedClient::Unreadable => Err(Unknown::Silent),
                    ForwardedClient::OnlyProxies => Err(Unknown::OnlyProxies),
                    ForwardedClient::Contradiction => Err(Unknown::Contradiction),
                }
            }
            // The proxy names the same client twice: in the PROXY header and in an HTTP header.
            Some(Named::Client(_))
                if forwarded::client(headers, |_| false) == ForwardedClient::Client(peer) =>
            {
                Ok(peer)
            }
            Some(Named::Client(_)) | None => {
                let added = forwarded::ADDED.into_iter().find(|header| headers.contains_key(*header));
                added.map_or(Ok(peer), |header| Err(Unknown::Unnamed(header)))
            }
        };
        let direct = header.is_none() && !ours(peer);
        Self { peer, client: told.ok(), unknown: told.err(), secure, direct }
    }
}

impl Unknown {
    /// In a sentence.
    pub fn why(self, peer: IpAddr) -> String {
        match self {
            Self::Silent => {
                "your address is not known, because the proxy in front of Doorward does not forward it".into()
            }
            Self::NotInProxyHeader => {
                "your address is not known, because the PROXY header of your connection does not name you"
                    .into()
            }
            Self::OnlyProxies => {
                "your address is not known, because the proxies in front of Doorward name only each other"
                    .into()
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
            Self::NotInProxyHeader => {
                "an operator configures the load balancer to name clients by IP address in the PROXY header".into()
            }
            Self::OnlyProxies => {
                "an operator lists only the addresses of proxies in `proxies` of `[server]`; no person may come from one"
                    .into()
            }
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
        Ok(Self::of(&web.app().loaded().policy.server, &parts.extensions, &parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::policy;

    fn origin(peer: &str, lines: &[(&'static str, &str)], proxies: &[&str]) -> Origin {
        let mut server = policy().server;
        server.proxies = proxies.iter().map(|proxy| proxy.parse().expect("a prefix")).collect();
        arrived(&server, peer, None, lines)
    }

    fn arrived(server: &Server, peer: &str, header: Option<Named>, lines: &[(&'static str, &str)]) -> Origin {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a header"));
        }
        let peer: IpAddr = peer.parse().expect("an address");
        Origin::from_peer(server, peer.to_canonical(), header, &headers)
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
    fn a_proxy_of_ours_is_admitted_by_no_header() {
        for line in [("x-forwarded-for", "10.0.0.9"), ("forwarded", "for=10.0.0.1")] {
            let origin = origin("10.0.0.1", &[line], &["10.0.0.0/8"]);
            assert_eq!((origin.client, origin.unknown), (None, Some(Unknown::OnlyProxies)));
            assert!(origin.admitted().is_err());
        }
    }

    #[test]
    fn headers_count_only_from_a_proxy_that_the_proxy_header_names() {
        let mut server = policy().server;
        server.proxies = vec!["10.0.0.0/8".parse().expect("a prefix")];
        server.proxy_protocol = true;
        let forged =
            [("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7"), ("via", "1.1 squid")];
        for line in forged {
            for (peer, header) in [("10.0.0.1", Some(Named::Nobody)), ("10.0.0.1", None)] {
                let origin = arrived(&server, peer, header, &[line, ("x-forwarded-proto", "https")]);
                assert_eq!((origin.client, origin.unknown), (None, Some(Unknown::NotInProxyHeader)));
                assert!(!origin.secure && origin.admitted().is_err() && origin.counted().to_string() == peer);
            }
        }
        let named =
            |address: &str| Some(Named::Client(format!("{address}:4711").parse().expect("an address")));
        let client = |peer: &str, line: (&'static str, &str)| {
            let origin = arrived(&server, peer, named(peer), &[line]);
            origin.client.map(|client| client.to_string()).ok_or(origin.unknown)
        };
        let (forwarded, elsewhere) = ("x-forwarded-for", "203.0.113.7");
        assert_eq!(client("198.51.100.1", ("accept", "*/*")), Ok("198.51.100.1".into()));
        assert_eq!(client("198.51.100.1", (forwarded, "198.51.100.1")), Ok("198.51.100.1".into()));
        assert_eq!(client("198.51.100.1", (forwarded, elsewhere)), Err(Some(Unknown::Unnamed(forwarded))));
        // A proxy of ours behind the load balancer: it reads HTTP, so its header counts.
        assert_eq!(client("10.0.0.9", (forwarded, elsewhere)), Ok(elsewhere.into()));
        assert_eq!(client("10.0.0.9", (forwarded, "10.0.0.9")), Err(Some(Unknown::OnlyProxies)));
        assert_eq!(client("10.0.0.9", ("accept", "*/*")), Err(Some(Unknown::Silent)));
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
