//! The well-known prefix of NAT64, in which each address of IPv4 has one of IPv6 (RFC 6052).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::Family;
use crate::net::ranges::{Ranges, number};

/// `64:ff9b::/96`.
const PREFIX: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// The address of IPv4 in one of the prefix.
pub(crate) fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let [a, b, c, d, e, f, high, low] = address.segments();
    ([a, b, c, d, e, f] == PREFIX).then(|| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

/// The address that stands for one of IPv4, as DNS64 answers.
pub(crate) fn synthesized(address: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = PREFIX;
    let [first, second, third, fourth] = address.octets();
    let (high, low) = (u16::from_be_bytes([first, second]), u16::from_be_bytes([third, fourth]));
    Ipv6Addr::new(a, b, c, d, e, f, high, low)
}

/// Whether some addresses of the prefix are in ranges.
pub(crate) fn meets(ranges: &Ranges) -> bool {
    let bounds = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST].map(|end| number(IpAddr::V6(synthesized(end))));
    let [first, last] = bounds;
    ranges.family == Family::V6 && ranges.iter().any(|(from, to)| from <= last && to >= first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let address = Ipv4Addr::new(198, 51, 100, 77);
        let there = IpAddr::V6(synthesized(address));
        assert_eq!(there.to_string(), "64:ff9b::c633:644d");
        assert_eq!(embedded(there), Some(address));
        assert_eq!(embedded("64:ff9b:1::1".parse().expect("an address")), None);
        assert_eq!(embedded(IpAddr::V4(address)), None);
    }
}
