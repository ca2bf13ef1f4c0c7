//! Sets of addresses of one family: exact, whatever prefixes they were written as.

use super::facts::few;
use crate::net::ranges::{Ranges, bounds};
use crate::net::{Cidr, Family};

/// A set of addresses of one family, as findings speak of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Addresses(Ranges);

impl Addresses {
    /// The prefixes of that family among some; the others are left out.
    pub(super) fn of(family: Family, cidrs: impl IntoIterator<Item = Cidr>) -> Self {
        Self(Ranges::of(family, cidrs))
    }

    /// The union of ranges, both ends included.
    pub(super) fn from_ranges(family: Family, given: Vec<(u128, u128)>) -> Self {
        Self(Ranges::join(family, given))
    }

    /// Whether every address of the family is in it.
    pub(super) fn is_everyone(&self) -> bool {
        self.0 == Ranges::whole(self.0.family)
    }

    /// Whether it is everyone, or more than a /8 of IPv4 or a /32 of IPv6 in total.
    pub(super) fn is_wide(&self) -> bool {
        let most = match self.0.family {
            Family::V4 => 1_u128 << 24,
            Family::V6 => 1_u128 << 96,
        };
        let sizes = self.0.iter().map(|(from, to)| (to - from).saturating_add(1));
        sizes.fold(0, u128::saturating_add) > most
    }

    /// Whether any address of a prefix of the family is in it.
    pub(super) fn meets(&self, cidr: Cidr) -> bool {
        let (first, last) = bounds(cidr);
        cidr.family() == self.0.family && self.0.iter().any(|(from, to)| from <= last && first <= to)
    }

    /// Every address of the family that is not in it.
    pub(super) fn others(&self) -> Self {
        Self(Ranges::whole(self.0.family).minus(&self.0))
    }

    /// The fewest prefixes that are the same addresses, in their order.
    pub(super) fn cidrs(&self) -> Vec<Cidr> {
        self.0.prefixes()
    }
}

/// How many prefixes are said before it is said more shortly.
const SAID: usize = 6;

impl std::fmt::Display for Addresses {
    /// The prefixes of the union; everyone, and everyone but a few, are said as that.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_everyone() {
            return write!(f, "everyone on {}", self.0.family);
        }
        let cidrs = self.cidrs();
        let but = self.others().cidrs();
        if cidrs.len() > SAID && but.len() <= SAID {
            return write!(f, "everyone on {} but {}", self.0.family, few(but, SAID));
        }
        f.write_str(&few(cidrs, SAID))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use proptest::prelude::*;

    fn check(cidrs: &[&str], expected: &[&str]) {
        let cidrs: Vec<Cidr> = cidrs.iter().map(|cidr| cidr.parse().expect("a prefix")).collect();
        let family = cidrs.first().map_or(Family::V4, |cidr| cidr.family());
        let union = Addresses::of(family, cidrs).cidrs();
        assert_eq!(union.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn prefixes_are_united_exactly() {
        check(&["0.0.0.0/1", "128.0.0.0/1"], &["0.0.0.0/0"]);
        check(&["::/1", "8000::/1"], &["::/0"]);
        check(&["10.0.0.0/9", "10.128.0.0/9", "10.1.2.3/32"], &["10.0.0.0/8"]);
        check(&["10.0.1.0/24", "10.0.2.0/24"], &["10.0.1.0/24", "10.0.2.0/24"]);
        check(&["10.0.0.0/24", "10.0.1.0/25"], &["10.0.0.0/24", "10.0.1.0/25"]);
        check(&["255.255.255.255/32", "255.255.255.254/32"], &["255.255.255.254/31"]);
        check(&["0.0.0.0/0"], &["0.0.0.0/0"]);
        check(&[], &[]);
    }

    #[test]
    fn everyone_but_a_few_is_said_as_that() {
        let check = |cidrs: &[&str], expected: &str| {
            let cidrs = cidrs.iter().map(|cidr| cidr.parse().expect("a prefix"));
            let union = Addresses::of(Family::V4, cidrs);
            assert_eq!(union.to_string(), expected);
            assert_eq!(union.others().others(), union);
        };
        check(&["0.0.0.0/0"], "everyone on IPv4");
        check(&["0.0.0.0/1"], "0.0.0.0/1");
        let but = Addresses::of(Family::V4, ["192.0.2.7/32".parse().expect("a prefix")]).others();
        assert_eq!(but.to_string(), "everyone on IPv4 but 192.0.2.7/32");
        let many: Vec<String> = (0..8).map(|at| format!("10.{}.0.0/16", 2 * at)).collect();
        check(
            &many.iter().map(String::as_str).collect::<Vec<_>>(),
            "10.0.0.0/16, 10.2.0.0/16, 10.4.0.0/16, 10.6.0.0/16, 10.8.0.0/16, 10.10.0.0/16 and 2 more",
        );
        check(&[], "");
    }

    #[test]
    fn wide_is_more_than_an_eighth_bit_in_total() {
        let wide = |family: Family, cidrs: &[&str]| {
            Addresses::of(family, cidrs.iter().map(|cidr| cidr.parse().expect("a prefix"))).is_wide()
        };
        assert!(!wide(Family::V4, &["10.0.0.0/8"]));
        assert!(wide(Family::V4, &["10.0.0.0/8", "11.0.0.0/32"]));
        assert!(!wide(Family::V4, &["10.0.0.0/8", "10.9.0.0/16"]));
        assert!(wide(Family::V4, &["0.0.0.0/0"]));
        assert!(!wide(Family::V6, &["2001:db8::/32"]));
        assert!(wide(Family::V6, &["2001:db8::/31"]));
        assert!(wide(Family::V6, &["::/0"]));
    }

    proptest! {
        /// Against asking every prefix for every address of a small world at an end of a family.
        #[test]
        fn a_union_is_what_its_prefixes_are(
            picks in prop::collection::vec((0_u32..256, 22_u8..=32), 0..12),
            high in any::<bool>(),
        ) {
            let base = if high { u32::MAX - 1023 } else { 0 };
            let cidrs: Vec<Cidr> = picks
                .iter()
                .map(|(at, bits)| Cidr::around(Ipv4Addr::from(base + 4 * at).into(), *bits))
                .collect();
            let union = Addresses::of(Family::V4, cidrs.clone());
            let found = union.cidrs();
            for at in 0..1024 {
                let address = IpAddr::from(Ipv4Addr::from(base + at));
                let naive = cidrs.iter().any(|cidr| cidr.contains(address));
                let holders = found.iter().filter(|cidr| cidr.contains(address)).count();
                prop_assert_eq!(usize::from(naive), holders, "{}", address);
            }
            // The fewest: no two of them are the halves of one.
            for pair in found.windows(2) {
                if let [one, other] = pair {
                    let above = Cidr::around(one.address(), one.bits().saturating_sub(1));
                    let halves = one.bits() == other.bits() && one.bits() > 0 && above.covers(*other);
                    prop_assert!(!halves, "{} and {}", one, other);
                }
            }
        }

        #[test]
        fn order_and_repetition_change_nothing(numbers in prop::collection::vec((any::<u128>(), 0_u8..=128), 0..8)) {
            let cidrs: Vec<Cidr> =
                numbers.iter().map(|(at, bits)| Cidr::around(Ipv6Addr::from(*at).into(), *bits)).collect();
            let union = Addresses::of(Family::V6, cidrs.clone());
            let again = Addresses::of(Family::V6, cidrs.iter().rev().chain(&cidrs).copied());
            prop_assert_eq!(&union, &again);
            prop_assert_eq!(Addresses::of(Family::V6, union.cidrs()), union);
        }
    }
}
