//! The address of the server as people type it: a scheme, a host, perhaps a port and a path.

use std::net::{IpAddr, Ipv6Addr};

use super::walk::{Section, Walk};

/// `https://host…`, its scheme and host in lower case, without a slash at its end.
pub(super) fn read<'t>(
    walk: &mut Walk<'t>,
    section: &Section<'t, '_>,
    key: &str,
    like: &str,
) -> Option<String> {
    let text = section.plain(walk, key, like)?;
    let url = parse(text);
    if url.is_none() {
        let what = format!("`{text}` is not the URL of a site");
        walk.error(&section.value_at(key), what, Some(format!("write `{like}`")));
    }
    url
}

fn parse(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") {
        return None;
    }
    let rest = rest.trim_end_matches('/');
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let authority = authority.to_ascii_lowercase();
    let (host, port) = split(&authority)?;
    let good = is_host(host) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (good && is_path(path)).then(|| format!("{scheme}://{authority}{path}"))
}

/// Host and port of an authority; the host of an IPv6 address is in brackets.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None => rest.is_empty().then_some((host, None)),
    }
}

/// A name (RFC 1123, with the underscore that some have), an IPv4 address or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(label)
}

/// Nothing, or segments that mean the same to every proxy and browser: nothing to decode, no dots that go up.
fn is_path(path: &str) -> bool {
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
    };
    path.is_empty() || path.strip_prefix('/').is_some_and(|path| path.split('/').all(segment))
}

/// Whether a URL leads to the machine itself: an address of the loopback network, or a name that is always there (RFC 6761,
/// section 6.3).
pub(super) fn is_loopback(url: &str) -> bool {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or("");
    let Some((host, _)) = split(authority) else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(parse(text).as_deref(), expected, "{text}");
    }

    #[test]
    fn addresses_of_sites_are_read() {
        check("https://door.example", Some("https://door.example"));
        check("HTTPS://Door.Example:8443/", Some("https://door.example:8443"));
        check("https://x.example/door", Some("https://x.example/door"));
        check("https://x.example/Tools/door-1//", Some("https://x.example/Tools/door-1"));
        check("http://[2001:DB8::1]:8080/door", Some("http://[2001:db8::1]:8080/door"));
        check("https://10.0.0.5", Some("https://10.0.0.5"));
    }

    #[test]
    fn what_browsers_or_proxies_would_read_otherwise_is_refused() {
        for text in [
            "door.example",
            "ftp://door.example",
            "https://",
            "https:///door",
            "https://:8080",
            "https://jon@door.example",
            "https://door.example:0",
            "https://door.example:99999",
            "https://door.example:",
            "https://door..example",
            "https://-door.example",
            "https://dö.example",
            "https://[::1",
            "https://[door]",
            "https://[::1]x",
            "https://x.example/../door",
            "https://x.example//door",
            "https://x.example/do%6fr",
            "https://x.example/door?x",
            "https://x.example/door#x",
            "https://x.example/a b",
            "https://x.example/d;x",
            "https://x.example/\"",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn the_machine_itself_is_told_apart() {
        for url in [
            "http://localhost:8080",
            "http://door.localhost",
            "http://127.8.0.1",
            "http://[::1]/x",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://localhost.example",
            "http://10.0.0.5",
            "http://notlocalhost",
            "http://0.0.0.0",
            "http://[::]",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
