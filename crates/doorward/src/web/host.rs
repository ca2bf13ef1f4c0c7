//! The host of a request. A page of another name must not send requests to this server through a person's browser,
//! after that name was made to resolve to our address (DNS rebinding).

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode, Uri, Version};
use doorward_core::policy::Server;

use super::failure::Failure;

/// The host and the port that a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case, without the dot of the root at its end.
    Name(String),
}

/// Why a request does not say which host it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// HTTP/1.1 has to (RFC 9112, section 3.2).
    #[error("the request names no host")]
    Missing,
    /// Two that read `Host` could understand two different things.
    #[error("the request has several `Host` headers")]
    Several,
    /// Both are the same, if both are there (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1). HTTP/1.1 would have a server
    /// ignore `Host` then; a proxy in front that went by it took the request for another's.
    #[error("the target and `Host` of the request name different hosts")]
    Differ,
    /// The text is not a host.
    #[error("the host in the request is not a valid name or address")]
    Unreadable,
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::new(StatusCode::BAD_REQUEST, wrong.to_string())
    }
}

impl Authority {
    /// The host of a request: `:authority` in HTTP/2, the target's own in absolute form (RFC 9112, section 3.2.2), else `Host`.
    pub fn of(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<Self, Wrong> {
        let mut lines = headers.get_all(HOST).iter();
        let header = match lines.next() {
            Some(line) => Some(line.to_str().ok().and_then(Self::read).ok_or(Wrong::Unreadable)?),
            None => None,
        };
        if lines.next().is_some() {
            return Err(Wrong::Several);
        }
        let target = match uri.authority() {
            Some(authority) => Some(Self::read(authority.as_str()).ok_or(Wrong::Unreadable)?),
            None => None,
        };
        match (target, header) {
            (Some(target), Some(header)) if target != header => Err(Wrong::Differ),
            (Some(_), None) if version == Version::HTTP_11 => Err(Wrong::Missing),
            (Some(authority), _) | (None, Some(authority)) => Ok(authority),
            (None, None) => Err(Wrong::Missing),
        }
    }

    /// The content of `Host` or an origin without its scheme: a name or an address, and perhaps a port.
    pub fn read(text: &str) -> Option<Self> {
        let end = match text.starts_with('[') {
            true => text.find(']')? + 1,
            false => text.find(':').unwrap_or(text.len()),
        };
        let (host, rest) = text.split_at(end);
        let port = match rest.strip_prefix(':') {
            // An empty port is the scheme's own (RFC 3986, section 3.2.3).
            Some("") => None,
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
            Some(_) => return None,
            None if rest.is_empty() => None,
            None => return None,
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => Host::Address(IpAddr::V6(address.parse().ok()?).to_canonical()),
            None => match host.parse::<std::net::Ipv4Addr>() {
                Ok(address) => Host::Address(address.into()),
                Err(_) => Host::Name(name(host)?),
            },
        };
        Some(Self { host, port })
    }

    /// The same with the port that a scheme has where none is named.
    fn with_port(self, https: bool) -> Self {
        let port = self.port.or(Some(if https { 443 } else { 80 }));
        Self { port, ..self }
    }

    /// Whether an `Origin` header names this host and port, by the scheme that the browser used, as far as it is known.
    pub fn is_origin(&self, origin: &str, secure: bool) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let https = scheme.eq_ignore_ascii_case("https");
        let http = !secure && scheme.eq_ignore_ascii_case("http");
        if !https && !http {
            return false;
        }
        let Some(from) = Self::read(authority) else { return false };
        from.with_port(https) == self.clone().with_port(https)
    }

    /// Whether this server answers for it. The port is not compared: proxies leave it out or put their own.
    ///
    /// Where `url` is set, only its host is ours, and those of `url-v4` and `url-v6`. Otherwise a name is ours only where it
    /// cannot have been made to resolve here by somebody else: an address is no name, `localhost` always is this machine
    /// (RFC 6761, section 6.3), and under TLS the browser has compared the name with the certificate.
    pub fn is_ours(&self, server: &Server, secure: bool) -> bool {
        let urls = [&server.url, &server.url_v4, &server.url_v6];
        let named = urls.into_iter().flatten().filter_map(|url| Self::of_url(url));
        if named.into_iter().any(|authority| authority.host == self.host) {
            return true;
        }
        server.url.is_none()
            && match &self.host {
                Host::Address(_) => true,
                Host::Name(name) => secure || name == "localhost" || name.ends_with(".localhost"),
            }
    }

    fn of_url(url: &str) -> Option<Self> {
        Self::read(url.split_once("://")?.1.split('/').next()?)
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Address(address) => write!(f, "{address}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

/// A name of the DNS in lower case, without the dot of the root at its end.
fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let good = !text.is_empty() && text.len() <= 253 && text.bytes().all(letter) && !text.starts_with('.');
    good.then(|| text.to_ascii_lowercase())
}

/// Says that this server does not answer for a host: 421 (RFC 9110, section 15.5.20).
pub fn misdirected(authority: &Authority, server: &Server, through_proxy: bool) -> Failure {
    let failure = Failure::new(
        StatusCode::MISDIRECTED_REQUEST,
        format!("this server does not answer for the host `{authority}`"),
    );
    failure.hint(match &server.url {
        Some(url) if through_proxy => {
            format!(
                "its address is `{url}`; the proxy in front of it has to forward the `Host` header unchanged"
            )
        }
        Some(url) => format!("its address is `{url}`"),
        None => "an operator sets `url` in `[server]` to the address that people type".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::policy;

    fn of(version: Version, uri: &str, hosts: &[&str]) -> Result<String, Wrong> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().expect("a header"));
        }
        let authority = Authority::of(version, &uri.parse().expect("a URI"), &headers)?;
        Ok(authority.port.map_or_else(|| authority.to_string(), |port| format!("{authority} {port}")))
    }

    #[test]
    fn each_version_of_http_names_its_host() {
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        let good = |text: &str| Ok(text.to_owned());
        assert_eq!(of(one, "/x", &["Door.Example."]), good("door.example"));
        assert_eq!(of(one, "/x", &["door.example:8080"]), good("door.example 8080"));
        assert_eq!(of(one, "/x", &["[0:0::1]:80"]), good("::1 80"));
        assert_eq!(of(one, "/x", &["[::ffff:10.0.0.5]"]), good("10.0.0.5"));
        assert_eq!(of(one, "http://door.example/x", &["DOOR.example"]), good("door.example"));
        assert_eq!(of(one, "http://door.example/x", &["evil.test"]), Err(Wrong::Differ));
        assert_eq!(of(one, "http://door.example/x", &[]), Err(Wrong::Missing));
        assert_eq!(of(one, "/x", &[]), Err(Wrong::Missing));
        assert_eq!(of(Version::HTTP_10, "/x", &["door.example"]), good("door.example"));
        assert_eq!(of(Version::HTTP_10, "/x", &[]), Err(Wrong::Missing));
        assert_eq!(of(one, "/x", &["door.example", "door.example"]), Err(Wrong::Several));
        assert_eq!(of(two, "https://door.example/x", &[]), good("door.example"));
        assert_eq!(of(two, "https://door.example/x", &["DOOR.example"]), good("door.example"));
        assert_eq!(of(two, "https://door.example/x", &["evil.test"]), Err(Wrong::Differ));
        assert_eq!(of(two, "/x", &["door.example"]), good("door.example"));
    }

    #[test]
    fn what_is_no_host_is_none() {
        for host in [
            "",
            ".",
            "..",
            ".a",
            "a b",
            "a/b",
            "jon@door.example",
            "door:x",
            "door:99999",
            "door:80:80",
            "[::1",
            "[x]",
            "[::1]x",
            "a,b",
            "d\u{f6}",
        ] {
            assert_eq!(Authority::read(host), None, "{host:?}");
        }
        assert_eq!(Authority::read("door:").map(|read| read.port), Some(None));
    }

    fn ours(url: Option<&str>, secure: bool, host: &str) -> bool {
        let mut server = policy().server;
        server.url = url.map(str::to_owned);
        server.url_v4 = url.map(|_| "https://v4.door.example".to_owned());
        Authority::read(host).expect("a host").is_ours(&server, secure)
    }

    #[test]
    fn where_the_policy_names_an_address_only_its_host_is_ours() {
        let url = Some("https://door.example:8443/door");
        for host in [
            "door.example",
            "DOOR.EXAMPLE",
            "door.example.",
            "door.example:8443",
            "door.example:80",
            "v4.door.example",
        ] {
            assert!(ours(url, true, host), "{host}");
        }
        for host in [
            "evil.test",
            "door.example.evil.test",
            "x.door.example",
            "127.0.0.1",
            "[::1]",
            "localhost",
            "203.0.113.9",
        ] {
            assert!(!ours(url, true, host), "{host}");
        }
        assert!(ours(Some("https://[2001:db8::1]:8443"), true, "[2001:DB8:0::1]"));
    }

    #[test]
    fn where_it_names_none_no_name_is_ours_that_could_be_anybodys() {
        for host in ["127.0.0.1:8080", "[::1]", "10.0.0.5", "localhost:8080", "LOCALHOST.", "door.localhost"]
        {
            assert!(ours(None, false, host), "{host}");
        }
        for host in ["door.example", "127.0.0.1.nip.example", "localhost.evil.test", "0x7f.1", "2130706433"] {
            assert!(!ours(None, false, host), "{host}");
            assert!(ours(None, true, host), "{host}");
        }
    }

    #[test]
    fn an_origin_is_that_of_its_own_page() {
        let check = |host: &str, origin: &str, secure: bool, expected: bool| {
            let authority = Authority::read(host).expect("a host");
            assert_eq!(authority.is_origin(origin, secure), expected, "{host} {origin} {secure}");
        };
        check("door.example", "https://door.example", true, true);
        check("door.example:443", "https://DOOR.example", true, true);
        check("door.example", "https://door.example:443", true, true);
        check("door.example", "http://door.example", true, false);
        check("10.0.0.5:8080", "http://10.0.0.5:8080", false, true);
        check("10.0.0.5:8080", "http://10.0.0.5:8081", false, false);
        check("10.0.0.5:8080", "http://10.0.0.5", false, false);
        check("[::1]:8080", "http://[::1]:8080", false, true);
        check("door.example", "https://door.example.evil.test", true, false);
        check("null", "null", false, false);
        check("door.example", "file://door.example", false, false);
        check("door.example", "https://", true, false);
    }
}
