//! IANA's special-purpose address registries: addresses that no person comes from, and those of private networks.
//!
//! The two registries (iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, RFC 6890), with
//! the multicast and reserved blocks that stand in the registries of the address spaces themselves.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Cidr;

/// What an address is for, when it is not the address of one host on the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Special {
    /// `0.0.0.0` and `::`.
    Unspecified,
    /// The rest of 0.0.0.0/8 (RFC 791).
    ThisNetwork,
    /// RFC 1918, and unique local addresses (RFC 4193).
    Private,
    /// Between a carrier's NAT and its customers (RFC 6598).
    Shared,
    /// RFC 1122, RFC 4291.
    Loopback,
    /// RFC 3927, RFC 4291.
    LinkLocal,
    /// Site-local addresses, which nobody has any more (RFC 3879).
    SiteLocal,
    /// Examples (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// Measurements of network devices (RFC 2544, RFC 5180).
    Benchmarking,
    /// RFC 5771, RFC 4291.
    Multicast,
    /// 255.255.255.255 (RFC 919).
    Broadcast,
    /// Set apart for IETF protocols, anycast services and identifiers: of no host that asks for something.
    Protocol,
    /// Nowhere assigned, or for the future.
    Reserved,
    /// An IPv4 address behind a translator (RFC 6052).
    Translated,
    /// An IPv4 address behind a translator of one network (RFC 8215).
    LocallyTranslated,
    /// A client of a Teredo server (RFC 4380).
    Teredo,
    /// An IPv4 host that tunnels (RFC 3056).
    SixToFour,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "the unspecified address",
            Self::ThisNetwork => "an address of \"this network\"",
            Self::Private => "a private address",
            Self::Shared => "an address behind a carrier's NAT",
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::SiteLocal => "a site-local address",
            Self::Documentation => "an address for documentation",
            Self::Benchmarking => "an address for benchmarks",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Protocol => "an address that is set apart for protocols",
            Self::Reserved => "a reserved address",
            Self::Translated | Self::LocallyTranslated => "an address behind a NAT64 translator",
            Self::Teredo => "a Teredo address",
            Self::SixToFour => "a 6to4 address",
        })
    }
}

impl Special {
    /// Whether nothing that a relay may forward to has such an address: it means this link, several hosts or none.
    pub fn is_no_target(self) -> bool {
        matches!(
            self,
            Self::LinkLocal | Self::ThisNetwork | Self::Multicast | Self::Broadcast | Self::Reserved
        )
    }
}

/// Link-local services of EC2 that hand out credentials, and those of ECS and EKS, by IPv4 and by IPv6 (EC2 user guide,
/// "Access instance metadata for an EC2 instance"; ECS developer guide, "Task IAM role"; EKS user guide, "Learn how EKS Pod
/// Identity grants pods access to AWS services").
const CREDENTIALS: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

const V4: [(Ipv4Addr, u8, Special); 22] = [
    (Ipv4Addr::UNSPECIFIED, 32, Special::Unspecified),
    (Ipv4Addr::UNSPECIFIED, 8, Special::ThisNetwork),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Special::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Special::Shared),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Special::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Special::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Special::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Special::Protocol),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Special::Documentation),
    // AS112 (RFC 7535, RFC 7534), AMT (RFC 7450), the relays of 6to4 (RFC 7526).
    (Ipv4Addr::new(192, 31, 196, 0), 24, Special::Protocol),
    (Ipv4Addr::new(192, 52, 193, 0), 24, Special::Protocol),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Special::Protocol),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Special::Private),
    (Ipv4Addr::new(192, 175, 48, 0), 24, Special::Protocol),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Special::Benchmarking),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Special::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Special::Documentation),
    // MCAST-TEST-NET is multicast, and for documentation too (RFC 6676).
    (Ipv4Addr::new(233, 252, 0, 0), 24, Special::Multicast),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Special::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Special::Reserved),
    (Ipv4Addr::BROADCAST, 32, Special::Broadcast),
    (Ipv4Addr::new(192, 0, 0, 170), 31, Special::Protocol),
];

const V6: [(Ipv6Addr, u8, Special); 18] = [
    (Ipv6Addr::UNSPECIFIED, 128, Special::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Special::Loopback),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, Special::Translated),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Special::LocallyTranslated),
    // Discard-only (RFC 6666) and the dummy prefix (RFC 9780) lie in 100::/16.
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 16, Special::Protocol),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Special::Protocol),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Special::Teredo),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, Special::Benchmarking),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Special::Documentation),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Special::SixToFour),
    // AS112 (RFC 7534).
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, Special::Protocol),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Special::Documentation),
    // Identifiers of segment routing (RFC 9602).
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, Special::Protocol),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Special::Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Special::LinkLocal),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Special::SiteLocal),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Special::Multicast),
    // All that is assigned to hosts of the internet lies in 2000::/3 (RFC 4291, 2.4).
    (Ipv6Addr::UNSPECIFIED, 0, Special::Reserved),
];

/// The first and the last address of the part of IPv6 that is given to hosts of the internet.
const GLOBAL_V6: (u16, u16) = (0x2000, 0x3fff);

/// What an address is set apart for; nothing for an address of one host on the internet.
///
/// An IPv4 address that came wrapped in IPv6 (`::ffff:10.0.0.1`) is IPv4.
pub fn special(address: IpAddr) -> Option<Special> {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            narrowest(V4.iter().map(|(net, bits, kind)| (*net, *bits, *kind)), |net, bits| {
                differs_behind(u128::from(net.to_bits() ^ address.to_bits()) << 96, bits)
            })
        }
        IpAddr::V6(address) => {
            let global =
                address.segments().first().is_some_and(|first| (GLOBAL_V6.0..=GLOBAL_V6.1).contains(first));
            // Only the last line, which is all of IPv6, has no bits.
            let lines = V6.iter().map(|(net, bits, kind)| (*net, *bits, *kind));
            narrowest(lines.filter(|(_, bits, _)| !global || *bits > 0), |net, bits| {
                differs_behind(net.to_bits() ^ address.to_bits(), bits)
            })
        }
    }
}

/// Whether AWS hands out the credentials of a role at an address, to whoever can connect from the machine that has the role.
pub fn hands_out_credentials(address: IpAddr) -> bool {
    CREDENTIALS.contains(&address.to_canonical())
}

/// Whether the first `bits` bits of a difference are all zero.
fn differs_behind(difference: u128, bits: u8) -> bool {
    difference.leading_zeros() >= u32::from(bits)
}

fn narrowest<A>(
    lines: impl Iterator<Item = (A, u8, Special)>,
    within: impl Fn(A, u8) -> bool,
) -> Option<Special> {
    let mut found: Option<(u8, Special)> = None;
    for (net, bits, kind) in lines {
        if found.is_none_or(|(before, _)| bits > before) && within(net, bits) {
            found = Some((bits, kind));
        }
    }
    found.map(|(_, kind)| kind)
}

/// The IPv4 address inside an IPv6 address that stands for it: behind a translator, in 6to4 or in Teredo.
pub fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address.to_canonical() else { return None };
    let bits = address.to_bits();
    // Each time the low 32 bits of what is left are meant.
    let low = |shift: u32| Ipv4Addr::from_bits(u32::try_from((bits >> shift) & 0xffff_ffff).unwrap_or(0));
    match special(IpAddr::V6(address))? {
        Special::Translated => Some(low(0)),
        Special::SixToFour => Some(low(80)),
        // A Teredo client's address is kept with every bit turned round (RFC 4380, 4).
        Special::Teredo => Some(Ipv4Addr::from_bits(!low(0).to_bits())),
        _ => None,
    }
}

/// What a whole prefix is set apart for: nothing when it is not all for one thing.
pub fn special_prefix(prefix: Cidr) -> Option<Special> {
    let kind = special(prefix.address())?;
    let last = prefix.net().broadcast();
    let all = special(last) == Some(kind);
    // Two blocks of one kind need not be neighbours: 10.0.0.0 and 192.168.255.255 are both private.
    let within = |net: IpAddr, bits: u8| Cidr::around(net, bits).covers(prefix);
    let one_block = match prefix.address() {
        IpAddr::V4(_) => V4.iter().any(|(net, bits, of)| *of == kind && within((*net).into(), *bits)),
        IpAddr::V6(_) => V6.iter().any(|(net, bits, of)| *of == kind && within((*net).into(), *bits)),
    };
    (all && one_block).then_some(kind)
}

/// What a prefix is set apart for, or the first of the special-purpose networks that lie within it.
pub fn special_within(prefix: Cidr) -> Option<(Cidr, Special)> {
    if let Some(kind) = special_prefix(prefix) {
        return Some((prefix, kind));
    }
    let v4 = V4.iter().map(|(net, bits, kind)| (IpAddr::V4(*net), *bits, *kind));
    let v6 = V6.iter().map(|(net, bits, kind)| (IpAddr::V6(*net), *bits, *kind));
    let blocks = v4.chain(v6).filter(|(_, bits, _)| *bits > 0);
    let blocks = blocks.map(|(net, bits, kind)| (Cidr::around(net, bits), kind));
    let mut within = blocks.filter(|(block, _)| prefix.covers(*block));
    // Single addresses of no meaning to a rule, like 0.0.0.0, say less than the network that they begin.
    within.find(|(_, kind)| !matches!(kind, Special::Unspecified | Special::Documentation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn check(kind: Option<Special>, addresses: &[&str]) {
        for text in addresses {
            assert_eq!(special(address(text)), kind, "{text}");
        }
    }

    #[test]
    fn every_line_of_the_registries_is_known_from_its_first_to_its_last_address() {
        check(Some(Special::Unspecified), &["0.0.0.0", "::", "::ffff:0.0.0.0"]);
        check(Some(Special::ThisNetwork), &["0.0.0.1", "0.255.255.255"]);
        check(
            Some(Special::Private),
            &[
                "10.0.0.0",
                "10.255.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.168.0.0",
                "192.168.255.255",
                "fc00::",
                "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "::ffff:10.0.0.1",
            ],
        );
        check(Some(Special::Shared), &["100.64.0.0", "100.127.255.255"]);
        check(Some(Special::Loopback), &["127.0.0.0", "127.255.255.255", "::1", "::ffff:127.0.0.1"]);
        check(Some(Special::LinkLocal), &["169.254.0.0", "169.254.255.255", "fe80::", "febf::1"]);
        check(Some(Special::SiteLocal), &["fec0::1", "feff::1"]);
        check(
            Some(Special::Documentation),
            &[
                "192.0.2.0",
                "192.0.2.255",
                "198.51.100.7",
                "203.0.113.255",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            ],
        );
        check(Some(Special::Benchmarking), &["198.18.0.0", "198.19.255.255", "2001:2::1"]);
        check(
            Some(Special::Multicast),
            &["224.0.0.0", "233.252.0.1", "239.255.255.255", "ff00::", "ff02::1"],
        );
        check(Some(Special::Broadcast), &["255.255.255.255"]);
        check(Some(Special::Reserved), &["240.0.0.0", "255.255.255.254", "::1.2.3.4", "4000::1", "200::1"]);
        check(
            Some(Special::Protocol),
            &[
                "192.0.0.0",
                "192.0.0.9",
                "192.0.0.170",
                "192.31.196.1",
                "192.52.193.1",
                "192.88.99.1",
                "192.175.48.1",
                "100::1",
                "100:0:0:1::1",
                "2001:1::1",
                "2001:3::1",
                "2001:4:112::1",
                "2001:10::1",
                "2001:20::1",
                "2001:30::1",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2620:4f:8000::1",
                "5f00::1",
            ],
        );
        check(Some(Special::Translated), &["64:ff9b::", "64:ff9b::ffff:ffff"]);
        check(Some(Special::LocallyTranslated), &["64:ff9b:1::1", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"]);
        check(Some(Special::Teredo), &["2001::1", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"]);
        check(Some(Special::SixToFour), &["2002::1", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
    }

    #[test]
    fn hosts_of_the_internet_are_not_special() {
        check(
            None,
            &[
                "1.0.0.0",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.0",
                "192.0.3.0",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "::ffff:8.8.8.8",
                "2001:200::1",
                "2001:db7:ffff::1",
                "2001:db9::1",
                "2003::1",
                "2a00:1450:4001:82a::200e",
                "2620:4f:8001::1",
                "3fff:1000::1",
                "3ffe::1",
            ],
        );
    }

    #[test]
    fn an_ipv4_address_inside_another_is_found() {
        let check = |text: &str, expected: Option<[u8; 4]>| {
            assert_eq!(embedded(address(text)), expected.map(Ipv4Addr::from), "{text}");
        };
        check("64:ff9b::808:808", Some([8, 8, 8, 8]));
        check("2002:808:808::1", Some([8, 8, 8, 8]));
        // RFC 4380, 4: 192.0.2.45 is kept as 3fff:fdd2.
        check("2001:0:4136:e378:8000:63bf:3fff:fdd2", Some([192, 0, 2, 45]));
        check("2a00:1450::1", None);
        check("8.8.8.8", None);
    }

    #[test]
    fn a_prefix_is_special_when_all_of_it_is_for_one_thing() {
        let check = |text: &str, expected: Option<Special>| {
            assert_eq!(special_prefix(text.parse().expect("a prefix")), expected, "{text}");
        };
        check("10.0.0.0/8", Some(Special::Private));
        check("10.1.2.3", Some(Special::Private));
        check("172.16.0.0/12", Some(Special::Private));
        check("fd00::/8", Some(Special::Private));
        check("127.0.0.0/8", Some(Special::Loopback));
        check("203.0.113.0/24", Some(Special::Documentation));
        check("100.64.0.0/10", Some(Special::Shared));
        check("10.0.0.0/7", None);
        check("192.0.0.0/16", None);
        check("0.0.0.0/0", None);
        check("::/0", None);
        check("8.8.8.0/24", None);
        check("2000::/3", None);
    }
}
