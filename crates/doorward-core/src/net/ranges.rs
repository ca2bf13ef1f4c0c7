//! Ranges of addresses: the line of a family, its prefixes, and their arithmetic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::{Cidr, Family};

/// An address as a number on the line of its family.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

pub(crate) fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// The address at a number of the line.
pub(crate) fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        Family::V6 => Ipv6Addr::from(number).into(),
    }
}

/// The last number of a family's line.
pub(crate) fn last(family: Family) -> u128 {
    match family {
        Family::V4 => u128::from(u32::MAX),
        Family::V6 => u128::MAX,
    }
}

/// The first and the last number of a prefix.
pub(crate) fn bounds(cidr: Cidr) -> (u128, u128) {
    let net = cidr.net();
    (number(net.network()), number(net.broadcast()))
}

/// The fewest prefixes that are a range, both ends included.
pub(crate) fn prefixes(family: Family, from: u128, to: u128) -> Vec<Cidr> {
    match (address(family, from), address(family, to)) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipnet::Ipv4Subnets::new(from, to, 0)
            .map(|net: Ipv4Net| cidr(net.addr().into(), net.prefix_len()))
            .collect(),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipnet::Ipv6Subnets::new(from, to, 0)
            .map(|net: Ipv6Net| cidr(net.addr().into(), net.prefix_len()))
            .collect(),
        _ => Vec::new(),
    }
}

/// The prefix at a plain address: an IPv6 line has IPv4-mapped addresses that must stay IPv6.
fn cidr(address: IpAddr, bits: u8) -> Cidr {
    Cidr::around(address, bits)
}

/// Where prefixes begin, and where what follows them does: sorted, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cuts {
    v4: Vec<u128>,
    v6: Vec<u128>,
}

impl Cuts {
    /// Of some prefixes.
    pub(crate) fn of(cidrs: impl IntoIterator<Item = Cidr>) -> Self {
        let mut cuts = Self::default();
        for cidr in cidrs {
            let (from, to) = bounds(cidr);
            let of_family = match cidr.family() {
                Family::V4 => &mut cuts.v4,
                Family::V6 => &mut cuts.v6,
            };
            of_family.push(from);
            of_family.extend(to.checked_add(1));
        }
        for of_family in [&mut cuts.v4, &mut cuts.v6] {
            of_family.sort_unstable();
            of_family.dedup();
        }
        cuts
    }

    fn of_family(&self, family: Family) -> &[u128] {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }
}

/// Disjoint ranges of a family's line, sorted, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ranges {
    pub(crate) family: Family,
    /// Both ends included; they neither overlap nor touch.
    ranges: Vec<(u128, u128)>,
}

impl Ranges {
    /// Every address of a family.
    pub(crate) fn whole(family: Family) -> Self {
        Self { family, ranges: vec![(0, last(family))] }
    }

    /// The prefixes of a family among some; the others are left out.
    pub(crate) fn of(family: Family, cidrs: impl IntoIterator<Item = Cidr>) -> Self {
        let cidrs = cidrs.into_iter().filter(|cidr| cidr.family() == family).map(bounds);
        Self::join(family, cidrs.collect())
    }

    /// The union of ranges, both ends included.
    pub(crate) fn join(family: Family, mut ranges: Vec<(u128, u128)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match joined.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self { family, ranges: joined }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u128, u128)> + '_ {
        self.ranges.iter().copied()
    }

    /// What is in it and not in `other`.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut rest = Vec::new();
        for &(from, to) in &self.ranges {
            let mut at = Some(from);
            let first = other.ranges.partition_point(|(_, cut_to)| *cut_to < from);
            for &(cut_from, cut_to) in other.ranges.iter().skip(first) {
                let Some(begin) = at.filter(|_| cut_from <= to) else { break };
                if cut_from > begin {
                    rest.push((begin, cut_from - 1));
                }
                at = cut_to.checked_add(1).filter(|next| *next <= to);
            }
            rest.extend(at.filter(|begin| *begin <= to).map(|begin| (begin, to)));
        }
        Self { family: self.family, ranges: rest }
    }

    /// What is in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for &(a, b) in &self.ranges {
            let first = other.ranges.partition_point(|(_, d)| *d < a);
            for &(c, d) in other.ranges.iter().skip(first).take_while(|(c, _)| *c <= b) {
                both.push((a.max(c), b.min(d)));
            }
        }
        Self { family: self.family, ranges: both }
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let at = number(address);
        let after = self.ranges.partition_point(|(from, _)| *from <= at);
        let range = after.checked_sub(1).and_then(|before| self.ranges.get(before));
        family(address) == self.family && range.is_some_and(|(_, to)| at <= *to)
    }

    /// Cut at the bounds of prefixes: within each piece no prefix begins or ends.
    pub(crate) fn cut(&self, cidrs: impl IntoIterator<Item = Cidr>) -> Vec<(u128, u128)> {
        self.cut_at(&[&Cuts::of(cidrs)])
    }

    /// The same at cuts that were made before.
    pub(crate) fn cut_at(&self, cuts: &[&Cuts]) -> Vec<(u128, u128)> {
        let mut pieces = Vec::new();
        let mut within: Vec<u128> = Vec::new();
        for &(from, to) in &self.ranges {
            within.clear();
            for cuts in cuts.iter().map(|cuts| cuts.of_family(self.family)) {
                let first = cuts.partition_point(|cut| *cut <= from);
                within.extend(cuts.iter().skip(first).take_while(|cut| **cut <= to));
            }
            within.sort_unstable();
            within.dedup();
            let mut begin = from;
            for &cut in &within {
                pieces.push((begin, cut - 1));
                begin = cut;
            }
            pieces.push((begin, to));
        }
        pieces
    }

    /// The fewest prefixes that are the same addresses.
    pub(crate) fn prefixes(&self) -> Vec<Cidr> {
        self.ranges.iter().flat_map(|&(from, to)| prefixes(self.family, from, to)).collect()
    }
}
