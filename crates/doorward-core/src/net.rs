//! Addresses, ports and flows, as AWS and every firewall understand them.

pub(crate) mod nat64;
pub(crate) mod ranges;
mod special;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use special::{Special, embedded, hands_out_credentials, special, special_prefix, special_within};

/// A text that is no address, no range of ports or no flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// Neither an address nor a prefix.
    #[error("`{0}` is not an address or a CIDR (like `203.0.113.7` or `198.51.100.0/24`)")]
    NotACidr(String),
    /// Bits are set behind the prefix; AWS would silently drop them, so we ask.
    #[error("`{given}` has host bits set; did you mean `{meant}`?")]
    HostBits {
        /// What was typed.
        given: String,
        /// The prefix that contains it.
        meant: Cidr,
    },
    /// Not a flow.
    #[error(
        "`{0}` is not a flow (like `tcp/5432`, `tcp/1000-2000`, `udp/53`, `icmp/8/0`, `proto/107` or `all`)"
    )]
    NotAFlow(String),
    /// The first port is greater than the last.
    #[error("`{0}` is in the wrong order; write the lower port first")]
    Backwards(String),
}

/// The two families of addresses; rules, routes and quotas count them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// A prefix of addresses whose bits behind the prefix are all zero.
///
/// An IPv4 address that came wrapped in IPv6 (`::ffff:203.0.113.7`) is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cidr(IpNet);

impl Cidr {
    /// The prefix of `bits` bits around one address; `bits` beyond the family's width means the address alone.
    pub fn around(address: IpAddr, bits: u8) -> Self {
        let address = address.to_canonical();
        let net = IpNet::new(address, bits).unwrap_or_else(|_| IpNet::from(address));
        Self(net.trunc())
    }

    /// One address.
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }

    /// Which family.
    pub fn family(self) -> Family {
        match self.0 {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }

    /// The first address.
    pub fn address(self) -> IpAddr {
        self.0.addr()
    }

    /// The length of the prefix in bits.
    pub fn bits(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether every address of the family is in it.
    pub fn is_everyone(self) -> bool {
        self.0.prefix_len() == 0
    }

    /// Whether one address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether all of `other` is in it.
    pub fn covers(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }

    /// As the `ipnet` crate sees it.
    pub fn net(self) -> IpNet {
        self.0
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Cidr {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::host(address));
        }
        let net: IpNet = text.parse().map_err(|_| NetError::NotACidr(text.into()))?;
        if net.trunc() != net {
            return Err(NetError::HostBits { given: text.into(), meant: Self(net.trunc()) });
        }
        Ok(Self(net))
    }
}

/// An inclusive range of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    from: u16,
    to: u16,
}

impl Ports {
    /// Every port, spelled out: no absence ever means this.
    pub const ALL: Self = Self { from: 0, to: u16::MAX };

    /// A single port.
    pub const fn one(port: u16) -> Self {
        Self { from: port, to: port }
    }

    /// `from` to `to`, both included; nothing when `from` is the greater.
    pub fn range(from: u16, to: u16) -> Option<Self> {
        (from <= to).then_some(Self { from, to })
    }

    /// The lowest port.
    pub fn from(self) -> u16 {
        self.from
    }

    /// The highest port.
    pub fn to(self) -> u16 {
        self.to
    }

    /// Whether a port is in it.
    pub fn contains(self, port: u16) -> bool {
        (self.from..=self.to).contains(&port)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to { write!(f, "{}", self.from) } else { write!(f, "{}-{}", self.from, self.to) }
    }
}

/// Which ICMP messages: all, those of a type, or those of a type and a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Icmp {
    /// Every type and code.
    All,
    /// One type, every code.
    Type(u8),
    /// One type and one code.
    Code(u8, u8),
}

impl Icmp {
    /// The flow of these messages in a family.
    pub fn flow(self, family: Family) -> Flow {
        match family {
            Family::V4 => Flow::Icmp(self),
            Family::V6 => Flow::Icmpv6(self),
        }
    }
}

/// What a rule lets through: a protocol, and as much of ports or types as the protocol has.
///
/// Written `tcp/5432`, `tcp/1000-2000`, `udp/53`, `icmp`, `icmp/8/0`, `icmpv6/128`, `proto/107`, `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Flow {
    /// Every protocol (`-1` to AWS).
    All,
    /// TCP to these ports.
    Tcp(Ports),
    /// UDP to these ports.
    Udp(Ports),
    /// ICMP for IPv4.
    Icmp(Icmp),
    /// ICMP for IPv6.
    Icmpv6(Icmp),
    /// Another protocol, by its number; such have no ports here.
    Protocol(u8),
}

impl Flow {
    /// The ports, where the protocol has some.
    pub fn ports(self) -> Option<Ports> {
        match self {
            Self::Tcp(ports) | Self::Udp(ports) => Some(ports),
            Self::All | Self::Icmp(_) | Self::Icmpv6(_) | Self::Protocol(_) => None,
        }
    }

    /// Whether some packet can be in both.
    pub fn meets(self, other: Self) -> bool {
        let ports = |one: Ports, other: Ports| one.from() <= other.to() && other.from() <= one.to();
        let kinds = |one: Icmp, other: Icmp| match (one, other) {
            (Icmp::All, _) | (_, Icmp::All) => true,
            (Icmp::Type(one) | Icmp::Code(one, _), Icmp::Type(other))
            | (Icmp::Type(one), Icmp::Code(other, _)) => one == other,
            (Icmp::Code(..), Icmp::Code(..)) => one == other,
        };
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Tcp(one), Self::Tcp(other)) | (Self::Udp(one), Self::Udp(other)) => ports(one, other),
            (Self::Icmp(one), Self::Icmp(other)) | (Self::Icmpv6(one), Self::Icmpv6(other)) => {
                kinds(one, other)
            }
            (one, other) => one == other,
        }
    }

    /// Whether every packet that is in the other is in this one.
    pub fn covers(self, other: Self) -> bool {
        let ports = |one: Ports, other: Ports| one.from() <= other.from() && other.to() <= one.to();
        let kinds = |one: Icmp, other: Icmp| match (one, other) {
            (Icmp::All, _) => true,
            (Icmp::Type(one), Icmp::Type(other) | Icmp::Code(other, _)) => one == other,
            (one, other) => one == other,
        };
        match (self, other) {
            (Self::All, _) => true,
            (Self::Tcp(one), Self::Tcp(other)) | (Self::Udp(one), Self::Udp(other)) => ports(one, other),
            (Self::Icmp(one), Self::Icmp(other)) | (Self::Icmpv6(one), Self::Icmpv6(other)) => {
                kinds(one, other)
            }
            (one, other) => one == other,
        }
    }

    /// Whether a packet of that family can be in this flow: ICMP is bound to its family, all else is not.
    pub fn fits(self, family: Family) -> bool {
        match self {
            Self::Icmp(_) => family == Family::V4,
            Self::Icmpv6(_) => family == Family::V6,
            Self::All | Self::Tcp(_) | Self::Udp(_) | Self::Protocol(_) => true,
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let icmp = |f: &mut fmt::Formatter<'_>, name: &str, icmp: &Icmp| match icmp {
            Icmp::All => f.write_str(name),
            Icmp::Type(kind) => write!(f, "{name}/{kind}"),
            Icmp::Code(kind, code) => write!(f, "{name}/{kind}/{code}"),
        };
        match self {
            Self::All => f.write_str("all"),
            Self::Tcp(ports) => write!(f, "tcp/{ports}"),
            Self::Udp(ports) => write!(f, "udp/{ports}"),
            Self::Icmp(kind) => icmp(f, "icmp", kind),
            Self::Icmpv6(kind) => icmp(f, "icmpv6", kind),
            Self::Protocol(number) => write!(f, "proto/{number}"),
        }
    }
}

impl FromStr for Flow {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let not = || NetError::NotAFlow(text.into());
        let number = |part: &str| part.parse::<u8>().map_err(|_| not());
        let mut parts = text.split('/');
        let protocol = parts.next().unwrap_or_default();
        let rest = (parts.next(), parts.next(), parts.next());
        let icmp = || match rest {
            (None, ..) => Ok(Icmp::All),
            (Some(kind), None, _) => Ok(Icmp::Type(number(kind)?)),
            (Some(kind), Some(code), None) => Ok(Icmp::Code(number(kind)?, number(code)?)),
            _ => Err(not()),
        };
        match (protocol, rest) {
            ("all", (None, ..)) => Ok(Self::All),
            ("tcp", (Some(ports), None, _)) => Ok(Self::Tcp(parse_ports(ports, text)?)),
            ("udp", (Some(ports), None, _)) => Ok(Self::Udp(parse_ports(ports, text)?)),
            ("icmp", _) => Ok(Self::Icmp(icmp()?)),
            ("icmpv6", _) => Ok(Self::Icmpv6(icmp()?)),
            ("proto", (Some(protocol), None, _)) => Ok(match number(protocol)? {
                1 => Self::Icmp(Icmp::All),
                6 => Self::Tcp(Ports::ALL),
                17 => Self::Udp(Ports::ALL),
                58 => Self::Icmpv6(Icmp::All),
                other => Self::Protocol(other),
            }),
            _ => Err(not()),
        }
    }
}

fn parse_ports(ports: &str, whole: &str) -> Result<Ports, NetError> {
    let port = |part: &str| {
        // `parse` alone would take `+5432`.
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|_| digits).ok_or_else(|| NetError::NotAFlow(whole.into()))
    };
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    Ports::range(port(from)?, port(to)?).ok_or_else(|| NetError::Backwards(whole.into()))
}

crate::text::as_text!(Cidr, Flow);

#[cfg(test)]
mod tests {
    use super::*;

    fn check_flow(text: &str, expected: Result<Flow, NetError>) {
        assert_eq!(text.parse::<Flow>(), expected, "{text}");
    }

    #[test]
    fn flows_read_and_write_alike() {
        for text in [
            "all",
            "tcp/5432",
            "tcp/1000-2000",
            "udp/53",
            "icmp",
            "icmp/8",
            "icmp/8/0",
            "icmpv6/128",
            "proto/107",
            "tcp/0-65535",
        ] {
            assert_eq!(text.parse::<Flow>().map(|flow| flow.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_flow_is_refused() {
        for text in [
            "",
            "tcp",
            "tcp/",
            "tcp/x",
            "tcp/+1",
            "tcp/1-",
            "tcp/65536",
            "tcp/1/2",
            "icmp/8/0/1",
            "all/1",
            "proto/256",
        ] {
            check_flow(text, Err(NetError::NotAFlow(text.into())));
        }
        check_flow("tcp/20-10", Err(NetError::Backwards("tcp/20-10".into())));
    }

    #[test]
    fn flows_meet_where_a_packet_can_be_in_both() {
        let check = |one: &str, other: &str, expected: bool| {
            let (one, other): (Flow, Flow) = (one.parse().expect("a flow"), other.parse().expect("a flow"));
            assert_eq!((one.meets(other), other.meets(one)), (expected, expected), "{one} and {other}");
        };
        check("all", "tcp/1", true);
        check("tcp/1-10", "tcp/10-20", true);
        check("tcp/1-10", "tcp/11", false);
        check("tcp/53", "udp/53", false);
        check("icmp", "icmp/8/0", true);
        check("icmp/8", "icmp/8/0", true);
        check("icmp/8/1", "icmp/8/0", false);
        check("icmp/8", "icmpv6/8", false);
        check("proto/47", "proto/47", true);
        check("proto/47", "proto/50", false);
    }

    #[test]
    fn protocols_by_number_are_the_named_ones() {
        check_flow("proto/6", Ok(Flow::Tcp(Ports::ALL)));
        check_flow("proto/1", Ok(Flow::Icmp(Icmp::All)));
    }

    #[test]
    fn a_cidr_is_exact() {
        assert_eq!(
            "10.0.0.1/8".parse::<Cidr>().map_err(|error| error.to_string()),
            Err("`10.0.0.1/8` has host bits set; did you mean `10.0.0.0/8`?".into())
        );
        assert_eq!(
            "::ffff:203.0.113.7".parse::<Cidr>().map(|cidr| cidr.to_string()),
            Ok("203.0.113.7/32".into())
        );
    }

    #[test]
    fn a_wide_prefix_is_around_an_address() {
        let address: IpAddr = "2001:db8:1:2:3:4:5:6".parse().expect("an address");
        assert_eq!(Cidr::around(address, 64).to_string(), "2001:db8:1:2::/64");
        assert_eq!(Cidr::around("10.0.0.1".parse().expect("an address"), 64).to_string(), "10.0.0.1/32");
    }
}
