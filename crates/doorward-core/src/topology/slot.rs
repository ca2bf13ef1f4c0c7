//! Which prefix a subnet has: a function of its network, its kind and its zone, whatever other subnets there are.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::ZoneId;
use crate::net::{Cidr, Family};

/// Whether the internet reaches what is in a subnet by an internet gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubnetKind {
    /// Its route table has a route to an internet gateway.
    Public,
    /// It has none.
    Private,
}

impl SubnetKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Public, Self::Private];

    /// The word for it in tags and names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

impl fmt::Display for SubnetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Pairs of one public and one private subnet, each aligned to its size, by which a network is divided.
///
/// A zone's pair is the one of its number, so that no zone moves another: euw1-az2 has the second pair also where there is
/// no subnet in euw1-az1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairs {
    network: Cidr,
    bits: u8,
    /// Whether the first pair is at the end of the network. AWS fills a default VPC from its beginning.
    from_end: bool,
}

impl Pairs {
    /// The pairs of subnets with prefixes of `bits` bits; none where not one pair fits, or the network is not IPv4.
    pub fn of(network: Cidr, bits: u8, from_end: bool) -> Option<Self> {
        let fits = network.family() == Family::V4 && network.bits() < bits && bits <= 28;
        fits.then_some(Self { network, bits, from_end })
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        1 << (u32::from(self.bits) - u32::from(self.network.bits()) - 1)
    }

    /// The number of a zone's own pair, from 0; none where the network is too small for it.
    pub fn preferred(self, zone: &ZoneId) -> Option<u32> {
        let number = u32::from(zone.number()) - 1;
        (number < self.count()).then_some(number)
    }

    /// A subnet of the pair with a number, from 0.
    pub fn subnet(self, pair: u32, kind: SubnetKind) -> Option<Cidr> {
        let IpAddr::V4(first) = self.network.address() else { return None };
        if pair >= self.count() {
            return None;
        }
        let pair = if self.from_end { self.count() - 1 - pair } else { pair };
        let index = pair * 2 + u32::from(kind == SubnetKind::Private);
        let size = 1_u32 << (32 - u32::from(self.bits));
        let address = u32::from(first).checked_add(index.checked_mul(size)?)?;
        Some(Cidr::around(Ipv4Addr::from(address).into(), self.bits))
    }
}

/// The prefix that a subnet of a network of our own has, where nobody else's subnet is in the way.
pub fn preferred(network: Cidr, bits: u8, kind: SubnetKind, zone: &ZoneId) -> Option<Cidr> {
    let pairs = Pairs::of(network, bits, false)?;
    pairs.subnet(pairs.preferred(zone)?, kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(number: u8) -> ZoneId {
        format!("euw1-az{number}").parse().expect("a zone")
    }

    #[test]
    fn a_zone_has_its_own_pair() {
        let network: Cidr = "10.0.0.0/16".parse().expect("a prefix");
        let check = |number: u8, kind, expected: &str| {
            let cidr = preferred(network, 21, kind, &zone(number)).expect("it fits");
            assert_eq!(cidr.to_string(), expected);
        };
        check(1, SubnetKind::Public, "10.0.0.0/21");
        check(1, SubnetKind::Private, "10.0.8.0/21");
        check(2, SubnetKind::Public, "10.0.16.0/21");
        check(16, SubnetKind::Private, "10.0.248.0/21");
        assert_eq!(preferred(network, 21, SubnetKind::Public, &zone(17)), None);
        assert_eq!(preferred(network, 16, SubnetKind::Public, &zone(1)), None);
        assert_eq!(preferred(network, 29, SubnetKind::Public, &zone(1)), None);
    }

    #[test]
    fn a_default_vpc_is_filled_from_its_end() {
        let pairs = Pairs::of("172.31.0.0/16".parse().expect("a prefix"), 21, true).expect("it fits");
        let of = |number, kind| pairs.subnet(number, kind).expect("it fits").to_string();
        assert_eq!(of(0, SubnetKind::Public), "172.31.240.0/21");
        assert_eq!(of(0, SubnetKind::Private), "172.31.248.0/21");
        // Six zones end where AWS's own /20 of a sixth zone, 172.31.80.0/20, is far away.
        assert_eq!(of(5, SubnetKind::Public), "172.31.160.0/21");
    }

    proptest! {
        #[test]
        fn slots_are_within_the_network_and_apart(
            address: u32, length in 16..=26_u8, more in 1..=6_u8, from_end: bool,
        ) {
            let network = Cidr::around(Ipv4Addr::from(address).into(), length);
            let bits = (length + more).min(28);
            let pairs = Pairs::of(network, bits, from_end).expect("it fits");
            let all: Vec<Cidr> = (0..pairs.count())
                .flat_map(|pair| SubnetKind::ALL.map(|kind| pairs.subnet(pair, kind).expect("it fits")))
                .collect();
            for (number, one) in all.iter().enumerate() {
                prop_assert!(network.covers(*one) && one.bits() == bits);
                for other in &all[..number] {
                    prop_assert!(!one.covers(*other) && !other.covers(*one));
                }
            }
            prop_assert_eq!(all.len(), 1 << (bits - length));
        }
    }
}
