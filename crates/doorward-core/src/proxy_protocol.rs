//! The PROXY protocol, versions 1 and 2: the line that a load balancer sends ahead of a connection to say whose it is.
//!
//! The form is HAProxy's (doc/proxy-protocol.txt, 2020/03/05). Whoever this names is admitted to databases, so
//! anything that the specification does not allow is refused, and nothing is guessed. Bytes in, verdict out: reading
//! and its time limit are the caller's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header of version 1, its line end included (section 2.1).
const LONGEST_LINE: usize = 107;
/// What version 2 begins with (section 2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The fixed part of version 2: signature, version and command, family, length.
const FIXED: usize = 16;
/// The most bytes behind the fixed part of version 2: addresses of Unix sockets take 216, and the additional fields
/// that load balancers send (AWS's endpoint id, a CRC, a TLS version and name) fit into the rest.
const LONGEST_REST: usize = 2048;
/// The most bytes of a header.
pub const LONGEST: usize = FIXED + LONGEST_REST;

/// Whose connection it is, by the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// This client's.
    Client(SocketAddr),
    /// The proxy's own (version 2's `LOCAL`: it checks whether we live), or that of somebody whom it cannot name.
    Nobody,
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The beginning of a header; more has to be read.
    Partial,
    /// A header of so many bytes; what follows is the client's.
    Whole {
        /// Whose connection it is.
        named: Named,
        /// Bytes.
        length: usize,
    },
}

/// Not a header of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection does not begin with a well-formed header of the PROXY protocol: {0}")]
pub struct Malformed(&'static str);

/// Reads the beginning of a connection. More than [`LONGEST`] bytes are never needed.
pub fn read(bytes: &[u8]) -> Result<Header, Malformed> {
    if bytes.is_empty() {
        return Ok(Header::Partial);
    }
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(one, other)| one == other);
    if begins(b"PROXY ") {
        line(bytes)
    } else if begins(SIGNATURE) {
        binary(bytes)
    } else {
        Err(Malformed("it begins with neither version"))
    }
}

fn line(bytes: &[u8]) -> Result<Header, Malformed> {
    let window = bytes.get(..LONGEST_LINE.min(bytes.len())).unwrap_or(bytes);
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        if bytes.len() >= LONGEST_LINE {
            return Err(Malformed("its line is longer than 107 bytes"));
        }
        return Ok(Header::Partial);
    };
    let text = bytes.get(..end).and_then(|line| std::str::from_utf8(line).ok());
    let text = text.filter(|text| text.is_ascii()).ok_or(Malformed("its line is not ASCII"))?;
    let whole = |named| Ok(Header::Whole { named, length: end + 2 });
    let mut words = text.split(' ').skip(1);
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        // The rest of that line is to be ignored (section 2.1).
        return whole(Named::Nobody);
    }
    let (source, destination) = (words.next(), words.next());
    let (from, to) = (words.next(), words.next());
    if words.next().is_some() {
        return Err(Malformed("its line has more words than it should"));
    }
    let address = |text: Option<&str>| -> Option<IpAddr> {
        match family {
            "TCP4" => text?.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let port = |text: Option<&str>| -> Option<u16> {
        // No sign and no leading zero (section 2.1).
        let text = text.filter(|text| *text == "0" || !text.starts_with(['0', '+']))?;
        text.parse().ok()
    };
    let source = address(source).zip(port(from)).map(|(address, port)| SocketAddr::new(address, port));
    let destination = address(destination).zip(port(to));
    match source.zip(destination) {
        Some((source, _)) => whole(Named::Client(source)),
        None => Err(Malformed("its line is not `PROXY TCP4|TCP6 source destination port port`")),
    }
}

fn binary(bytes: &[u8]) -> Result<Header, Malformed> {
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else { return Ok(Header::Partial) };
    let &[.., command, family, high, low] = fixed else { return Ok(Header::Partial) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_REST {
        return Err(Malformed("it announces more than 2,048 bytes"));
    }
    let local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed("its version or its command is none that there is")),
    };
    let Some(rest) = rest.get(..length) else { return Ok(Header::Partial) };
    let named = match family {
        // Whatever stands in it is to be ignored (section 2.2).
        _ if local => Named::Nobody,
        // A stream over IPv4 or IPv6: source, destination, source port, destination port.
        0x11 => Named::Client(source::<4>(rest)?),
        0x21 => Named::Client(source::<16>(rest)?),
        // Unspecified, or a Unix socket: nobody whose address could be admitted.
        0x00 | 0x31 => Named::Nobody,
        _ => return Err(Malformed("it speaks of something else than a stream")),
    };
    Ok(Header::Whole { named, length: FIXED + length })
}

fn source<const N: usize>(rest: &[u8]) -> Result<SocketAddr, Malformed>
where
    IpAddr: From<[u8; N]>,
{
    let short = Malformed("it is too short for its addresses");
    let (address, after) = rest.split_first_chunk::<N>().ok_or(short)?;
    let (_, after) = after.split_first_chunk::<N>().ok_or(short)?;
    let (ports, _) = after.split_first_chunk::<4>().ok_or(short)?;
    let [high, low, ..] = *ports;
    Ok(SocketAddr::new(IpAddr::from(*address), u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], expected: Result<Header, &str>) {
        let found = read(bytes);
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{bytes:?}"),
            (Err(Malformed(why)), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, expected) => panic!("{bytes:?}: {found:?}, and not {expected:?}"),
        }
    }

    fn whole(client: &str, length: usize) -> Result<Header, &'static str> {
        Ok(Header::Whole { named: Named::Client(client.parse().expect("an address")), length })
    }

    fn nobody(length: usize) -> Result<Header, &'static str> {
        Ok(Header::Whole { named: Named::Nobody, length })
    }

    fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("it fits").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[test]
    fn the_line_of_version_one() {
        let line = b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n";
        check(&[line, &b"GET / HTTP/1.1\r\n"[..]].concat(), whole("203.0.113.7:56324", line.len()));
        let line = b"PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n";
        check(line, whole("[2001:db8::7]:0", line.len()));
        check(b"PROXY UNKNOWN\r\n", nobody(15));
        check(b"PROXY UNKNOWN ffff::1 anything at all\r\nGET", nobody(39));
        for end in 0..line.len() {
            check(&line[..end], Ok(Header::Partial));
        }
    }

    #[test]
    fn a_line_that_is_not_exactly_as_it_should_be_is_refused() {
        for text in [
            "PROXY TCP4 203.0.113.7 10.0.0.1 56324\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 56324 443 1\r\n",
            "PROXY TCP4 203.0.113.7  10.0.0.1 56324 443\r\n",
            "PROXY TCP4 2001:db8::7 10.0.0.1 56324 443\r\n",
            "PROXY TCP6 203.0.113.7 2001:db8::1 56324 443\r\n",
            "PROXY TCP4 203.0.113.07 10.0.0.1 56324 443\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 +1 443\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 01 443\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 65536 443\r\n",
            "PROXY UDP4 203.0.113.7 10.0.0.1 1 443\r\n",
            "PROXY \r\n",
            "PROXY unknown\r\n",
        ] {
            check(text.as_bytes(), Err("its line"));
        }
        check(b"PROXY TCP4 203.0.113.7 10.0.0.1 1 \xff\r\n", Err("ASCII"));
        check(b"PROXYTCP4", Err("neither"));
        check(b"proxy ", Err("neither"));
        check(b"GET / HTTP/1.1\r\n", Err("neither"));
        check(b"\x16\x03\x01", Err("neither"));
        check(format!("PROXY UNKNOWN {}", "x".repeat(200)).as_bytes(), Err("longer"));
        check(format!("PROXY UNKNOWN {}\r\n", "x".repeat(92)).as_bytes(), Err("longer"));
        check(format!("PROXY UNKNOWN {}\r\n", "x".repeat(91)).as_bytes(), nobody(107));
    }

    #[test]
    fn version_two() {
        let four = [203, 0, 113, 7, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];
        check(&second(0x21, 0x11, &four), whole("203.0.113.7:56324", 28));
        let more = [&four[..], &[0x04, 0x00, 0x01, 0x00]].concat();
        check(&[second(0x21, 0x11, &more), b"GET".to_vec()].concat(), whole("203.0.113.7:56324", 32));
        let (mine, theirs) =
            (Ipv6Addr::LOCALHOST.octets(), "2001:db8::7".parse::<Ipv6Addr>().expect("an address"));
        let six = [&theirs.octets()[..], &mine, &[0, 80, 0, 80]].concat();
        check(&second(0x21, 0x21, &six), whole("[2001:db8::7]:80", 52));
        check(&second(0x20, 0x00, &[]), nobody(16));
        check(&second(0x20, 0x11, &four), nobody(28));
        check(&second(0x21, 0x00, b"more"), nobody(20));
        check(&second(0x21, 0x31, &[0; 216]), nobody(232));
        let bytes = second(0x21, 0x11, &more);
        for end in 0..bytes.len() {
            check(&bytes[..end], Ok(Header::Partial));
        }
        check(&second(0x21, 0x11, &four[..11]), Err("too short"));
        check(&second(0x21, 0x21, &four), Err("too short"));
        check(&second(0x21, 0x12, &four), Err("stream"));
        check(&second(0x11, 0x11, &four), Err("version"));
        check(&second(0x22, 0x11, &four), Err("version"));
        check(&second(0x21, 0x11, &[0; 2049]), Err("2,048"));
    }

    proptest! {
        #[test]
        fn nothing_beyond_the_header_changes_it_and_nothing_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            prefix in prop_oneof![Just(&b""[..]), Just(&b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"[..]), Just(&SIGNATURE[..])],
        ) {
            let bytes = [prefix, &bytes].concat();
            if let Ok(Header::Whole { length, named }) = read(&bytes) {
                prop_assert!(length <= bytes.len() && length <= LONGEST);
                prop_assert_eq!(read(&bytes[..length]), Ok(Header::Whole { length, named }));
                for end in 0..length {
                    prop_assert_eq!(read(&bytes[..end]), Ok(Header::Partial));
                }
            }
        }
    }
}
