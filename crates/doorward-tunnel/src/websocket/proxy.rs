//! The proxy that the environment names, as curl and the AWS command line take it, and the way through it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::WebSocketError;

/// The longest answer of a proxy that is read, in bytes.
const LONGEST: usize = 8 << 10;

/// One proxy, spoken to in plain HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    /// `Basic` credentials, encoded.
    credentials: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`, or the same without `http://`.
    pub fn read(text: &str) -> Result<Self, String> {
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some((scheme, _)) => return Err(format!("`{scheme}` is not supported, only `http`")),
            None => text,
        };
        let rest = rest.split('/').next().unwrap_or_default();
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let is_port = |(_, port): &(&str, &str)| !port.contains(']');
        let (host, port) = match place.rsplit_once(':').filter(is_port) {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("`{port}` is not a port"))?),
            None => (place, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("it names no host".to_owned());
        }
        let credentials = user.map(|user| STANDARD.encode(decoded(user)));
        Ok(Self { host: host.to_owned(), port, credentials })
    }

    /// Asks for a connection to somebody.
    pub(super) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, WebSocketError> {
        let proxy = format!("{}:{}", self.host, self.port);
        let failed = |source| WebSocketError::Connect { host: format!("{proxy} (the proxy)"), source };
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(failed)?;
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(credentials) = &self.credentials {
            request.push_str(&format!("Proxy-Authorization: Basic {credentials}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(failed)?;
        let mut head = Vec::new();
        // Byte by byte: what comes after the head is not ours to take.
        while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST {
            head.push(stream.read_u8().await.map_err(failed)?);
        }
        let head = String::from_utf8_lossy(&head);
        let answer = head.lines().next().unwrap_or_default();
        if answer.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) {
            return Ok(stream);
        }
        Err(WebSocketError::Tunnel { proxy, host: host.to_owned(), why: crate::peer_text::peer_text(answer) })
    }
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match after {
            [high, low, ..] if *first == b'%' => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(*high).zip(digit(*low)).map(|(high, low)| high * 16 + low)
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = after.get(if escaped.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    bytes
}

/// Which hosts are reached through which proxy. None: all are reached directly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    secure: Option<Proxy>,
    plain: Option<Proxy>,
    except: Vec<String>,
}

impl Proxies {
    /// As `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say, or the same in small letters.
    pub fn of_environment() -> Result<Self, WebSocketError> {
        Self::of(|variable| std::env::var(variable).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, WebSocketError> {
        let first = |names: [&'static str; 2]| {
            let set = names.into_iter().find_map(|name| Some((name, variable(name)?)));
            set.filter(|(_, value)| !value.trim().is_empty())
        };
        let proxy = |names| {
            let read = |(variable, value): (_, String)| {
                Proxy::read(value.trim()).map_err(|why| WebSocketError::Proxy { variable, why })
            };
            first(names).map(read).transpose()
        };
        let except = first(["no_proxy", "NO_PROXY"]).map(|(_, value)| value).unwrap_or_default();
        Ok(Self {
            secure: proxy(["https_proxy", "HTTPS_PROXY"])?,
            plain: proxy(["http_proxy", "HTTP_PROXY"])?,
            except: except
                .split(',')
                .map(|part| part.trim().trim_start_matches('.').to_ascii_lowercase())
                .filter(|part| !part.is_empty())
                .collect(),
        })
    }

    pub(super) fn to(&self, host: &str, is_secure: bool) -> Option<&Proxy> {
        let proxy = if is_secure { self.secure.as_ref() } else { self.plain.as_ref() }?;
        let host = host.to_ascii_lowercase();
        let is_excepted = self.except.iter().any(|except| {
            let is_under = host.strip_suffix(except.as_str()).is_some_and(|under| under.ends_with('.'));
            except == "*" || host == *except || is_under
        });
        (!is_excepted).then_some(proxy)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_proxy_is_read_as_curl_reads_it() {
        fn check(text: &str, expected: Result<(&str, u16, Option<&str>), &str>) {
            let read = Proxy::read(text);
            let expected = expected
                .map(|(host, port, user)| Proxy {
                    host: host.to_owned(),
                    port,
                    credentials: user.map(|user| STANDARD.encode(user)),
                })
                .map_err(str::to_owned);
            assert_eq!(read, expected, "{text}");
        }
        check("http://proxy.corp:3128", Ok(("proxy.corp", 3128, None)));
        check("proxy.corp:3128/", Ok(("proxy.corp", 3128, None)));
        check("http://proxy.corp", Ok(("proxy.corp", 80, None)));
        check("http://jon:p%40ss@proxy.corp:3128", Ok(("proxy.corp", 3128, Some("jon:p@ss"))));
        check("http://[::1]:3128", Ok(("::1", 3128, None)));
        check("http://[::1]", Ok(("::1", 80, None)));
        check("socks5://proxy", Err("`socks5` is not supported, only `http`"));
        check("http://proxy:many", Err("`many` is not a port"));
        check("http://", Err("it names no host"));
    }

    #[test]
    fn the_environment_decides_who_is_reached_how() {
        let proxies = Proxies::of(|variable| match variable {
            "HTTPS_PROXY" => Some("http://proxy:3128".to_owned()),
            "no_proxy" => Some("localhost, .internal,10.0.0.1".to_owned()),
            _ => None,
        })
        .unwrap();
        let check =
            |host, is_secure, expected| assert_eq!(proxies.to(host, is_secure).is_some(), expected, "{host}");
        check("ssmmessages.eu-west-1.amazonaws.com", true, true);
        check("ssmmessages.eu-west-1.amazonaws.com", false, false);
        check("LOCALHOST", true, false);
        check("gateway.internal", true, false);
        check("internal", true, false);
        check("notinternal", true, true);
        check("10.0.0.1", true, false);
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n").await.unwrap();
            String::from_utf8(head).unwrap()
        });
        let proxy = Proxy::read(&format!("http://jon:secret@{address}")).unwrap();
        let error = proxy.connect("gateway", 443).await.unwrap_err();
        let expected =
            format!("the proxy `{address}` does not connect to `gateway`: HTTP/1.1 407 Who are you");
        assert_eq!(error.to_string(), expected);
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("CONNECT gateway:443 HTTP/1.1\r\nHost: gateway:443\r\n"), "{asked}");
        assert!(asked.contains(&format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode("jon:secret"))));
    }
}
