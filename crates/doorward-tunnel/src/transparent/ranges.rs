//! Which addresses are carried: what was asked for, without what has to stay as it is.

use std::fmt;
use std::net::IpAddr;

use doorward_core::net::{Cidr, Family};

use super::routes::Routes;

/// Links of ours begin so, then comes the process.
pub(super) const LINK: &str = "doorward";

/// Why a range cannot be carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// No range.
    #[error("no range was named")]
    None,
    /// The whole internet.
    #[error("`{0}` contains every address; name the private range")]
    Everything(Cidr),
    /// Addresses that mean something on this machine or this link alone.
    #[error("`{range}` contains {kind} (`{special}`), which cannot be routed through a tunnel")]
    Special {
        /// What was asked for.
        range: Cidr,
        /// What is in it.
        special: Cidr,
        kind: &'static str,
    },
    /// Nothing of it is left, because the carrier itself needs it.
    #[error("`{range}` is only `{address}`, the address of the jump host itself")]
    OnlyCarrier {
        /// What was asked for.
        range: Cidr,
        /// The carrier's end.
        address: IpAddr,
    },
    /// Somebody routes exactly this.
    #[error("`{range}` already has a route on this machine, over `{link}`")]
    Routed {
        /// What was asked for.
        range: Cidr,
        link: String,
    },
    /// Another process of ours carries it.
    #[error("`{range}` overlaps `{route}`, which another doorward process routes (`{link}`)")]
    Ours {
        /// What was asked for.
        range: Cidr,
        /// What is carried.
        route: Cidr,
        /// The other's link.
        link: String,
    },
}

impl RangeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::None => {
                Some("for example `--range 10.0.0.0/16`, or `--range auto` for the range of the VPC")
            }
            Self::Everything(_) | Self::Special { .. } => {
                Some("name the range of a VPC: `--range auto` takes it from the inventory")
            }
            Self::OnlyCarrier { .. } => Some("it can be reached without a range"),
            Self::Routed { .. } => Some("disconnect the VPN or remove that route, or name a narrower range"),
            Self::Ours { .. } => Some("stop the other process, or name ranges that do not overlap"),
        }
    }
}

/// A part of a range that stays as it was, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exception {
    pub addresses: Cidr,
    pub because: Because,
}

/// Why addresses within a range are not carried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// The far side itself is reached by it.
    Carrier,
    /// This machine already has a route there, over that link; none where packets are discarded.
    Route(Option<String>),
    /// It is the next hop of a route.
    Gateway,
    /// It is the machine's own name server.
    NameServer,
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses;
        write!(f, "`{addresses}` is not routed: ")?;
        match &self.because {
            Because::Carrier => f.write_str("it is the address of the jump host itself"),
            Because::Route(Some(link)) => write!(f, "this machine routes it over `{link}`"),
            Because::Route(None) => f.write_str("a route of this machine discards it"),
            Because::Gateway => f.write_str("it is a gateway of this machine"),
            Because::NameServer => f.write_str("it is a name server of this machine"),
        }
    }
}

/// What is carried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Disjoint, in order.
    carried: Vec<Cidr>,
    exceptions: Vec<Exception>,
}

/// Addresses that no far side can stand for (RFC 6890 and the registries that it founded).
const SPECIAL: [(&str, &str); 10] = [
    ("0.0.0.0/8", "this network"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local addresses"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("::/128", "the unspecified address"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "IPv4-mapped addresses"),
    ("fe80::/10", "link-local addresses"),
    ("ff00::/8", "multicast"),
];

impl Ranges {
    /// Checks what was asked for against what may not be touched: the carrier's ends, and what the machine reaches
    /// already.
    pub(super) fn new(
        asked: &[Cidr],
        carriers: &[IpAddr],
        name_servers: &[IpAddr],
        routes: &Routes,
    ) -> Result<Self, RangeError> {
        if asked.is_empty() {
            return Err(RangeError::None);
        }
        for range in asked {
            special(*range)?;
        }
        let carried = widest(asked.to_vec());
        let mut exceptions = Vec::new();
        for range in &carried {
            exceptions.extend(routed(*range, routes)?);
        }
        let within = |address: &IpAddr| carried.iter().any(|range| range.contains(*address));
        for carrier in carriers.iter().filter(|address| within(address)) {
            if let Some(range) = carried.iter().find(|range| **range == Cidr::host(*carrier)) {
                return Err(RangeError::OnlyCarrier { range: *range, address: *carrier });
            }
            exceptions.push(Exception { addresses: Cidr::host(*carrier), because: Because::Carrier });
        }
        for (addresses, because) in
            [(&routes.gateways[..], Because::Gateway), (name_servers, Because::NameServer)]
        {
            for address in addresses.iter().filter(|address| within(address)) {
                exceptions.push(Exception { addresses: Cidr::host(*address), because: because.clone() });
            }
        }
        let addresses = widest(exceptions.iter().map(|exception| exception.addresses).collect());
        exceptions.sort();
        exceptions.dedup_by_key(|exception| exception.addresses);
        exceptions.retain(|exception| addresses.contains(&exception.addresses));
        Ok(Self { carried, exceptions })
    }

    /// Whether connections to an address are carried.
    pub fn contains(&self, address: IpAddr) -> bool {
        let within = |range: &Cidr| range.contains(address);
        self.carried.iter().any(within) && !self.exceptions.iter().any(|except| within(&except.addresses))
    }

    /// The ranges, disjoint and in order.
    pub fn carried(&self) -> &[Cidr] {
        &self.carried
    }

    /// What in them stays as it was.
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// Whether any of them is of that family.
    pub(super) fn has(&self, family: Family) -> bool {
        self.carried.iter().any(|range| range.family() == family)
    }
}

/// Each that is in no other, once, in order.
fn widest(mut all: Vec<Cidr>) -> Vec<Cidr> {
    all.sort();
    all.dedup();
    let inner = |one: &Cidr| all.iter().any(|other| other != one && other.covers(*one));
    all.iter().filter(|one| !inner(one)).copied().collect()
}

fn special(range: Cidr) -> Result<(), RangeError> {
    if range.is_everyone() {
        return Err(RangeError::Everything(range));
    }
    for (special, kind) in SPECIAL {
        let Ok(special) = special.parse::<Cidr>() else { continue };
        if special.covers(range) || range.covers(special) {
            return Err(RangeError::Special { range, special, kind });
        }
    }
    Ok(())
}

/// What in a range the machine already reaches, by routes that are narrower. A wider route gives way to ours.
fn routed(range: Cidr, routes: &Routes) -> Result<Vec<Exception>, RangeError> {
    let mut exceptions = Vec::new();
    for route in &routes.routes {
        let ours = route.link.as_deref().filter(|link| is_ours(link));
        if let Some(link) = ours.filter(|_| route.to.covers(range) || range.covers(route.to)) {
            return Err(RangeError::Ours { range, route: route.to, link: link.to_owned() });
        }
        if !range.covers(route.to) {
            continue;
        }
        if route.to == range {
            let link = route.link.clone().unwrap_or_else(|| "nothing".into());
            return Err(RangeError::Routed { range, link });
        }
        exceptions.push(Exception { addresses: route.to, because: Because::Route(route.link.clone()) });
    }
    Ok(exceptions)
}

/// Whether a link is one that we made.
fn is_ours(link: &str) -> bool {
    link.strip_prefix(LINK)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::routes::Route;
    use super::*;

    fn routes(routes: &[(&str, Option<&str>)], gateways: &[&str]) -> Routes {
        let route = |(to, link): &(&str, Option<&str>)| Route {
            to: to.parse().expect("a CIDR"),
            link: link.map(str::to_owned),
        };
        Routes {
            routes: routes.iter().map(route).collect(),
            gateways: gateways.iter().map(|text| text.parse().expect("an address")).collect(),
        }
    }

    fn ranges(asked: &[&str], carriers: &[&str], routes: &Routes) -> Result<Ranges, RangeError> {
        let asked: Vec<Cidr> = asked.iter().map(|text| text.parse().expect("a CIDR")).collect();
        let carriers: Vec<IpAddr> = carriers.iter().map(|text| text.parse().expect("an address")).collect();
        Ranges::new(&asked, &carriers, &["10.0.3.53".parse().expect("an address")], routes)
    }

    fn refused(asked: &str, routes: &Routes, expected: &str) {
        let error = ranges(&[asked], &["10.0.9.9"], routes).expect_err("it is refused");
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().is_some());
    }

    #[test]
    fn what_means_something_else_here_is_refused() {
        let none = Routes::default();
        refused("0.0.0.0/0", &none, "`0.0.0.0/0` contains every address; name the private range");
        refused("::/0", &none, "`::/0` contains every address; name the private range");
        refused(
            "127.0.0.0/16",
            &none,
            "`127.0.0.0/16` contains loopback (`127.0.0.0/8`), which cannot be routed through a tunnel",
        );
        for asked in ["0.0.0.0/1", "128.0.0.0/1", "169.254.169.254", "fe80::/64", "::1", "::/1", "224.0.0.1"]
        {
            let error = ranges(&[asked], &[], &none).expect_err(asked);
            assert!(matches!(error, RangeError::Special { .. }), "{asked}: {error}");
        }
        refused("10.0.9.9", &none, "`10.0.9.9/32` is only `10.0.9.9`, the address of the jump host itself");
        assert_eq!(ranges(&[], &[], &none), Err(RangeError::None));
    }

    #[test]
    fn what_the_machine_reaches_already_is_left_to_it() {
        let machine = routes(
            &[
                ("10.0.1.0/24", Some("eth0")),
                ("10.0.1.7", Some("wg0")),
                ("10.0.2.0/24", None),
                ("10.0.0.0/8", Some("tun0")),
                ("192.168.0.0/16", Some("eth1")),
            ],
            &["10.0.1.1", "10.0.5.1", "192.168.0.1"],
        );
        let found = ranges(&["10.0.0.0/16"], &["10.0.9.9", "203.0.113.1"], &machine).expect("a range");
        let said: Vec<String> = found.exceptions().iter().map(ToString::to_string).collect();
        let wanted = [
            "`10.0.1.0/24` is not routed: this machine routes it over `eth0`",
            "`10.0.2.0/24` is not routed: a route of this machine discards it",
            "`10.0.3.53/32` is not routed: it is a name server of this machine",
            "`10.0.5.1/32` is not routed: it is a gateway of this machine",
            "`10.0.9.9/32` is not routed: it is the address of the jump host itself",
        ];
        assert_eq!(said, wanted);
        let contains = |text: &str| found.contains(text.parse().expect("an address"));
        assert!(contains("10.0.4.4") && contains("::ffff:10.0.4.4"));
        assert!(!contains("10.0.1.4") && !contains("10.0.9.9") && !contains("10.1.0.1"));
        refused(
            "192.168.0.0/16",
            &machine,
            "`192.168.0.0/16` already has a route on this machine, over `eth1`",
        );
        refused("10.0.2.0/24", &machine, "`10.0.2.0/24` already has a route on this machine, over `nothing`");
    }

    #[test]
    fn another_of_ours_is_never_overlapped() {
        let machine =
            routes(&[("10.1.0.0/16", Some("doorward77")), ("10.3.0.0/16", Some("doorwardish"))], &[]);
        for asked in ["10.1.0.0/16", "10.1.7.0/24", "10.0.0.0/8"] {
            let error = ranges(&[asked], &[], &machine).expect_err(asked);
            assert!(matches!(error, RangeError::Ours { .. }), "{error}");
        }
        assert!(ranges(&["10.2.0.0/16"], &[], &machine).is_ok());
        assert!(matches!(ranges(&["10.3.0.0/16"], &[], &machine), Err(RangeError::Routed { .. })));
    }

    #[test]
    fn what_is_named_twice_is_carried_once() {
        let asked = ["fd00::/64", "10.0.7.0/24", "10.0.0.0/16", "10.0.0.0/16", "10.0.7.7"];
        let found = ranges(&asked, &[], &Routes::default());
        let found = found.expect("ranges");
        let carried: Vec<String> = found.carried().iter().map(ToString::to_string).collect();
        assert_eq!(carried, ["10.0.0.0/16", "fd00::/64"]);
        assert!(found.has(Family::V4) && found.has(Family::V6));
    }
}
