//! The client's address from a proxy: `Forwarded` (RFC 7239) and `X-Forwarded-For`, read from the nearest hop outwards.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// What proxies add to a request. A peer that sends one of these and is not named in the policy is a proxy that the operator
/// has forgotten, or a client that pretends to be one.
pub const ADDED: [&str; 11] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-forwarded",
];

/// The client as each of the two headers names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardedClient {
    /// Neither header is there.
    Nothing,
    /// One address.
    Client(IpAddr),
    /// A header that cannot be read, or that hides the address.
    Unreadable,
    /// Proxies of ours, and no client.
    OnlyProxies,
    /// Two headers that name different clients.
    Contradiction,
}

/// The client that proxies of ours name: the right-most address that is not one of theirs.
pub fn client(headers: &HeaderMap, ours: impl Fn(IpAddr) -> bool) -> ForwardedClient {
    let x_forwarded_for = headers.contains_key("x-forwarded-for").then(|| nearest(listed(headers), &ours));
    let forwarded = headers.contains_key("forwarded").then(|| {
        let elements = elements(headers);
        nearest(elements.map(|elements| elements.into_iter().map(|element| element.address).collect()), &ours)
    });
    match (x_forwarded_for, forwarded) {
        (None, None) => ForwardedClient::Nothing,
        (Some(one), Some(other)) if one != other => ForwardedClient::Contradiction,
        (Some(said), _) | (None, Some(said)) => said,
    }
}

/// Whether a proxy says that the client spoke TLS to it. Of a list the first is the client's own connection.
pub fn is_https(headers: &HeaderMap) -> bool {
    let listed = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let first = listed.and_then(|value| value.split(',').next());
    first.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
        || elements(headers).is_some_and(|elements| {
            elements
                .iter()
                .any(|element| element.proto.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("https")))
        })
}

/// The right-most address that is not a proxy of ours: each proxy of ours names the client that connected to it. Where all
/// addresses are proxies of ours, the left-most one names no client.
fn nearest(hops: Option<Vec<Option<IpAddr>>>, ours: impl Fn(IpAddr) -> bool) -> ForwardedClient {
    for hop in hops.unwrap_or_else(|| vec![None]).into_iter().rev() {
        match hop {
            None => return ForwardedClient::Unreadable,
            Some(address) if !ours(address) => return ForwardedClient::Client(address),
            Some(_) => {}
        }
    }
    ForwardedClient::OnlyProxies
}

fn listed(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let mut hops = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        hops.extend(value.to_str().ok()?.split(',').map(|hop| address(hop.trim())));
    }
    Some(hops)
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = || hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare().or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

/// One hop of `Forwarded`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    /// None where it is hidden: `unknown`, an obfuscated identifier (`_hidden`), or no `for` at all.
    address: Option<IpAddr>,
    proto: Option<String>,
}

/// Every hop, the client's first (RFC 7239, section 4). None where a header breaks the grammar.
fn elements(headers: &HeaderMap) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    for value in headers.get_all("forwarded") {
        let mut rest = value.to_str().ok()?;
        loop {
            let (element, after) = element(rest)?;
            elements.push(element);
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
    }
    Some(elements)
}

/// The first hop of a header, and the rest after its comma.
fn element(text: &str) -> Option<(Element, Option<&str>)> {
    let (mut element, mut rest) = (Element::default(), text);
    let mut seen: Vec<String> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let (name, after) = rest.split_once('=')?;
        let name = name.to_ascii_lowercase();
        // No parameter may occur twice in one element (section 4).
        if !is_token(&name) || seen.contains(&name) {
            return None;
        }
        let (value, after) = value(after)?;
        match name.as_str() {
            "for" => element.address = node(&value)?,
            "proto" => element.proto = Some(value),
            _ => {}
        }
        seen.push(name);
        rest = after.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return Some((element, None));
        }
        if let Some(after) = rest.strip_prefix(',') {
            return Some((element, Some(after)));
        }
        rest = rest.strip_prefix(';')?;
    }
}

/// A token or a quoted string (RFC 9110, section 5.6), and the rest after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return is_token(token).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    let marks = b"!#$%&'*+-.^_`|~";
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
}

/// The address of a node (section 6): outer none for what is no node, inner none for one that hides its address.
fn node(text: &str) -> Option<Option<IpAddr>> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']')?;
            let address = inside.parse::<std::net::Ipv6Addr>().ok()?;
            (Some(IpAddr::V6(address)), port.strip_prefix(':').or(port.is_empty().then_some("0"))?)
        }
        None => {
            let (name, port) = text.split_once(':').unwrap_or((text, "0"));
            let hidden = name.eq_ignore_ascii_case("unknown") || is_obfuscated(name);
            let address = name.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::V4);
            if address.is_none() && !hidden {
                return None;
            }
            (address, port)
        }
    };
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    (digits || is_obfuscated(port)).then(|| name.map(|address| address.to_canonical()))
}

fn is_obfuscated(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.strip_prefix('_').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(letter))
}

#[cfg(test)]
mod tests {
    use doorward_core::net::Cidr;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a header"));
        }
        headers
    }

    fn said(lines: &[(&'static str, &str)]) -> ForwardedClient {
        let ours: [Cidr; 2] = ["10.0.0.0/8", "2001:db8::/32"].map(|proxy| proxy.parse().expect("a prefix"));
        client(&headers(lines), |address| ours.iter().any(|proxy| proxy.contains(address)))
    }

    fn check(name: &'static str, lines: &[&str], expected: Option<&str>) {
        let lines: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
        let expected = expected.map_or(ForwardedClient::Unreadable, |address| {
            ForwardedClient::Client(address.parse().expect("an address"))
        });
        assert_eq!(said(&lines), expected, "{lines:?}");
    }

    #[test]
    fn a_proxy_of_ours_is_believed_as_far_as_it_reaches() {
        let check = |lines: &[&str], expected| check("x-forwarded-for", lines, Some(expected));
        check(&["203.0.113.7"], "203.0.113.7");
        check(&["1.1.1.1, 203.0.113.7"], "203.0.113.7");
        check(&["1.1.1.1, 203.0.113.7, 10.0.0.9"], "203.0.113.7");
        check(&["1.1.1.1", "203.0.113.7", "10.0.0.9"], "203.0.113.7");
        check(&["203.0.113.7:5511"], "203.0.113.7");
        check(&["[2001:470::7]:443"], "2001:470::7");
        check(&["[2001:470::7]"], "2001:470::7");
        check(&["::ffff:203.0.113.7"], "203.0.113.7");
        // What a client writes on the left does not matter.
        check(&["nonsense, 203.0.113.7"], "203.0.113.7");
    }

    #[test]
    fn a_proxy_of_ours_is_never_the_client() {
        for line in ["10.0.0.9", "10.0.0.8, 10.0.0.9", "2001:db8::7", "[2001:db8::7]:443", "::ffff:10.0.0.9"]
        {
            assert_eq!(said(&[("x-forwarded-for", line)]), ForwardedClient::OnlyProxies, "{line}");
        }
        for line in ["for=10.0.0.9", "for=10.0.0.8, for=\"[2001:db8::7]\""] {
            assert_eq!(said(&[("forwarded", line)]), ForwardedClient::OnlyProxies, "{line}");
        }
        assert_eq!(said(&[("x-forwarded-for", "unknown, 10.0.0.9")]), ForwardedClient::Unreadable);
        let both = [("x-forwarded-for", "10.0.0.9"), ("forwarded", "for=203.0.113.7")];
        assert_eq!(said(&both), ForwardedClient::Contradiction);
    }

    #[test]
    fn what_a_proxy_leaves_open_stays_unknown() {
        for line in ["", "unknown", "203.0.113.7, unknown", "203.0.113.7,", "_hidden", "203.0.113.7 10.0.0.1"]
        {
            check("x-forwarded-for", &[line], None);
        }
        assert_eq!(said(&[]), ForwardedClient::Nothing);
    }

    #[test]
    fn forwarded_is_read_as_the_rfc_writes_it() {
        let check = |lines: &[&str], expected| check("forwarded", lines, Some(expected));
        check(&["for=203.0.113.7"], "203.0.113.7");
        check(&["For=203.0.113.7;proto=https;by=10.0.0.1"], "203.0.113.7");
        check(&["for=\"203.0.113.7:5511\""], "203.0.113.7");
        check(&["For=\"[2001:470::7]:4711\""], "2001:470::7");
        check(&["for=\"[2001:470::7]\""], "2001:470::7");
        check(&["for=\"[::ffff:203.0.113.7]\""], "203.0.113.7");
        check(&["for=\"203.0.113.7:_port\""], "203.0.113.7");
        check(&["for=\"20\\3.0.113.7\""], "203.0.113.7");
        check(&["for=1.1.1.1, for=203.0.113.7"], "203.0.113.7");
        check(&["for=1.1.1.1", "for=203.0.113.7 ; proto=http", "for=10.0.0.9"], "203.0.113.7");
        check(&["for=unknown, for=_hidden, for=203.0.113.7"], "203.0.113.7");
        check(&["host=\"a, for=1.1.1.1\";for=203.0.113.7"], "203.0.113.7");
    }

    #[test]
    fn a_client_that_forwarded_hides_stays_unknown() {
        for line in [
            "for=unknown",
            "for=_hidden",
            "for=\"_hidden:_port\"",
            "proto=https",
            "for=203.0.113.7, for=unknown",
            "for=203.0.113.7, proto=https",
        ] {
            check("forwarded", &[line], None);
        }
    }

    #[test]
    fn a_forwarded_that_breaks_the_grammar_is_not_believed() {
        for line in [
            "",
            ",",
            "for",
            "for=",
            "for=203.0.113.7;",
            "for=203.0.113.7,",
            "for=203.0.113.7;for=198.51.100.1",
            "for=203.0.113.7:80",
            "for=[2001:470::7]",
            "for=\"2001:470::7\"",
            "for=\"203.0.113.7",
            "for=\"203.0.113.7\\",
            "for=\"203.0.113.7:\"",
            "for=\"203.0.113.7:123456\"",
            "for=\"[203.0.113.7]\"",
            "for=\"[2001:470::7]80\"",
            "for=\"203.0.113.7\"x",
            "for=jon",
            "for = 203.0.113.7",
            "fo r=203.0.113.7",
        ] {
            check("forwarded", &[line], None);
        }
    }

    #[test]
    fn two_headers_that_disagree_name_nobody() {
        let both = |one, other| said(&[("x-forwarded-for", one), ("forwarded", other)]);
        let client = ForwardedClient::Client("203.0.113.7".parse().expect("an address"));
        assert_eq!(both("203.0.113.7", "for=203.0.113.7"), client);
        assert_eq!(both("203.0.113.7, 10.0.0.9", "for=203.0.113.7"), client);
        assert_eq!(both("203.0.113.7", "for=198.51.100.1"), ForwardedClient::Contradiction);
        assert_eq!(both("203.0.113.7", "for=unknown"), ForwardedClient::Contradiction);
        assert_eq!(both("unknown", "for=203.0.113.7"), ForwardedClient::Contradiction);
        assert_eq!(both("203.0.113.7", "nonsense"), ForwardedClient::Contradiction);
        assert_eq!(both("unknown", "for=unknown"), ForwardedClient::Unreadable);
    }

    #[test]
    fn tls_is_what_the_client_spoke() {
        let check = |lines: &[(&'static str, &str)], expected| {
            assert_eq!(is_https(&headers(lines)), expected, "{lines:?}");
        };
        check(&[], false);
        check(&[("x-forwarded-proto", "https")], true);
        check(&[("x-forwarded-proto", "HTTPS, http")], true);
        check(&[("x-forwarded-proto", "http, https")], false);
        check(&[("x-forwarded-proto", "http")], false);
        check(&[("forwarded", "for=203.0.113.7;proto=https")], true);
        check(&[("forwarded", "for=203.0.113.7;proto=\"HTTPS\", for=10.0.0.9")], true);
        check(&[("forwarded", "for=203.0.113.7;proto=http")], false);
        check(&[("forwarded", "proto=https;nonsense")], false);
    }
}
