//! An HTTP proxy on a local port, for what speaks no SOCKS: CONNECT, and nothing else. RFC 9110, 9.3.6.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::dial::{Answer, Destination, DialError};
use crate::forward::{Allowed, Ask, Asked, NotAsked};
use crate::news::in_words;

/// The longest request that is read, in bytes.
const LONGEST: usize = 16 * 1024;

/// Speaks HTTP with each client until it is carried.
pub struct HttpProxy {
    allowed: Allowed,
}

impl HttpProxy {
    /// Lets clients go where it is allowed.
    pub fn new(allowed: Allowed) -> Self {
        Self { allowed }
    }
}

/// Why a request is not carried: a status and a line for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// `405 Method Not Allowed`
    pub status: &'static str,
    pub why: String,
}

/// Reads a request's head. None: it is not whole yet. Else where to, and how many bytes it took.
pub fn parse(heard: &[u8]) -> Result<Option<(Destination, usize)>, Refused> {
    let refused = |status, why: &str| Err(Refused { status, why: why.to_owned() });
    let Some(size) = heard.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4) else {
        // What is no request need not be waited for.
        if heard.first().is_some_and(|byte| !byte.is_ascii_alphabetic()) {
            return refused("400 Bad Request", "this is not HTTP");
        }
        if heard.len() >= LONGEST {
            return refused("431 Request Header Fields Too Large", "the request is too long");
        }
        return Ok(None);
    };
    let head = heard.get(..size).unwrap_or_default();
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let Some(line) = std::str::from_utf8(line).ok().filter(|line| line.is_ascii()) else {
        return refused("400 Bad Request", "this is not HTTP");
    };
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0"), None) =
        (method, target, version, words.next())
    else {
        return refused("400 Bad Request", "this is not HTTP/1");
    };
    if method != "CONNECT" {
        let why = "only CONNECT is supported; for other protocols than https use the SOCKS proxy or a forwarded port";
        return refused("405 Method Not Allowed", why);
    }
    let Some(to) = destination(target) else {
        return refused("400 Bad Request", "CONNECT needs a host and a port");
    };
    Ok(Some((to, size)))
}

fn destination(target: &str) -> Option<Destination> {
    let (host, port) = target.rsplit_once(':')?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let fits = |letter: u8| letter.is_ascii_graphic() && !b"/?#@".contains(&letter);
    if host.is_empty() || !host.bytes().all(fits) || host.contains(':') != bracketed {
        return None;
    }
    if !port.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let Ok(host) = host.parse();
    Some(Destination { host, port: port.parse().ok()? })
}

fn response(status: &str, why: &str) -> Vec<u8> {
    let allow = if status.starts_with("405") { "Allow: CONNECT\r\n" } else { "" };
    let size = why.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\n{allow}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {size}\r\n\
         Connection: close\r\n\r\n{why}\n"
    )
    .into_bytes()
}

impl Ask for HttpProxy {
    fn ask<'a>(&'a self, client: &'a mut TcpStream) -> Answer<'a, Result<Asked, NotAsked>> {
        Box::pin(async move {
            let mut heard = Vec::new();
            let (to, size) = loop {
                let mut buffer = [0; 2048];
                let read = client.read(&mut buffer).await.map_err(NotAsked::Gone)?;
                if read == 0 {
                    return Err(NotAsked::Gone(io::ErrorKind::UnexpectedEof.into()));
                }
                heard.extend_from_slice(buffer.get(..read).unwrap_or_default());
                match parse(&heard) {
                    Ok(Some(asked)) => break asked,
                    Ok(None) => {}
                    Err(refused) => {
                        let response = response(refused.status, &refused.why);
                        client.write_all(&response).await.map_err(NotAsked::Gone)?;
                        return Err(NotAsked::NotUnderstood(refused.why));
                    }
                }
            };
            if let Err(why) = (self.allowed)(&to) {
                let response = response("403 Forbidden", &format!("{to} is not allowed: {why}"));
                client.write_all(&response).await.map_err(NotAsked::Gone)?;
                return Err(NotAsked::NotAllowed { to, why });
            }
            Ok(Asked { to, early: heard.split_off(size) })
        })
    }

    fn answer<'a>(
        &'a self,
        client: &'a mut TcpStream,
        outcome: Result<(), &'a DialError>,
    ) -> Answer<'a, io::Result<()>> {
        let response = match outcome {
            Ok(()) => b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec(),
            Err(error @ DialError::TimedOut { .. }) => response("504 Gateway Timeout", &in_words(error)),
            Err(error) => response("502 Bad Gateway", &in_words(error)),
        };
        Box::pin(async move { client.write_all(&response).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a request: where to and what is left, or the status.
    fn check(heard: &str, expected: Result<Option<(&str, &str)>, &str>) {
        let parsed = parse(heard.as_bytes());
        let parsed = parsed.map(|asked| asked.map(|(to, size)| (to.to_string(), &heard[size..])));
        let parsed = parsed.as_ref().map(|asked| asked.as_ref().map(|(to, rest)| (to.as_str(), *rest)));
        assert_eq!(parsed.map_err(|refused| refused.status.get(..3).unwrap()), expected, "{heard:?}");
    }

    #[test]
    fn connect_names_a_host_and_a_port() {
        check("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n", Ok(Some(("db:5432", ""))));
        check("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\nhello", Ok(Some(("[2001:db8::1]:443", "hello"))));
        check("CONNECT 10.0.0.1:443 HTTP/1.0\r\n\r\n", Ok(Some(("10.0.0.1:443", ""))));
        check("CONNECT db:5432 HTTP/1.1\r\nHost", Ok(None));
        check("", Ok(None));
    }

    #[test]
    fn what_is_no_connect_is_told_so() {
        check("GET http://db/ HTTP/1.1\r\n\r\n", Err("405"));
        check("connect db:1 HTTP/1.1\r\n\r\n", Err("405"));
        check("\x05\x01\x00", Err("400"));
        check("CONNECT db HTTP/1.1\r\n\r\n", Err("400"));
        check("CONNECT :443 HTTP/1.1\r\n\r\n", Err("400"));
        check("CONNECT db:99999 HTTP/1.1\r\n\r\n", Err("400"));
        check("CONNECT db:+1 HTTP/1.1\r\n\r\n", Err("400"));
        check("CONNECT db: HTTP/1.1\r\n\r\n", Err("400"));
        check("CONNECT 2001:db8::1:443 HTTP/1.1\r\n\r\n", Err("400"));
        check("CONNECT me@db:443 HTTP/1.1\r\n\r\n", Err("400"));
        check("CONNECT db:443\r\n\r\n", Err("400"));
        check("CONNECT db:443 HTTP/1.1 x\r\n\r\n", Err("400"));
        check(&format!("CONNECT db:443 HTTP/1.1\r\nA: {}", "a".repeat(LONGEST)), Err("431"));
    }
}
