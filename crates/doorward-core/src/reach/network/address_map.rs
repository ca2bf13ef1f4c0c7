//! A value for every address, cut where it changes.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::net::ranges::{self, Ranges, address, family, number};
use crate::net::{Cidr, Family};

/// A value for every address, which changes only at the bounds of some prefixes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AddressMap<T> {
    v4: Vec<(u128, T)>,
    v6: Vec<(u128, T)>,
}

impl<T> Default for AddressMap<T> {
    fn default() -> Self {
        Self { v4: Vec::new(), v6: Vec::new() }
    }
}

impl<T: Clone + PartialEq> AddressMap<T> {
    /// Asks for the value once between any two bounds.
    pub(crate) fn new(cidrs: &[Cidr], value: impl Fn(IpAddr) -> T) -> Self {
        Self { v4: entries(Family::V4, cidrs, &value), v6: entries(Family::V6, cidrs, &value) }
    }

    /// The same cuts with other values.
    pub(crate) fn map<U>(&self, mut value: impl FnMut(&T) -> U) -> AddressMap<U> {
        let mut entries =
            |entries: &[(u128, T)]| entries.iter().map(|(from, held)| (*from, value(held))).collect();
        AddressMap { v4: entries(&self.v4), v6: entries(&self.v6) }
    }

    /// Where a value begins that is wanted, and where it ends, both included, of one family.
    pub(crate) fn ranges_where(
        &self,
        family: Family,
        wanted: impl Fn(&T) -> bool,
    ) -> impl Iterator<Item = (u128, u128)> {
        let entries = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let ends = entries.iter().skip(1).map(|(from, _)| from.saturating_sub(1));
        let ends = ends.chain(std::iter::once(ranges::last(family)));
        let ranges = entries.iter().zip(ends).filter(move |((_, value), _)| wanted(value));
        ranges.map(|((from, _), last)| (*from, last))
    }

    /// The value at an address.
    pub(crate) fn at(&self, address: IpAddr) -> Option<&T> {
        let entries = match family(address) {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let at = number(address);
        let after = entries.partition_point(|(from, _)| *from <= at);
        entries.get(after.checked_sub(1)?).map(|(_, value)| value)
    }
}

impl<T: Copy> AddressMap<Option<T>> {
    /// The value of the longest prefix that contains an address; of equal prefixes the first counts.
    pub(crate) fn of_longest(prefixes: impl IntoIterator<Item = (Cidr, T)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (cidr, value) in prefixes {
            let (first, last) = ranges::bounds(cidr);
            match cidr.family() {
                Family::V4 => v4.push((first, last, value)),
                Family::V6 => v6.push((first, last, value)),
            }
        }
        Self { v4: nested(v4), v6: nested(v6) }
    }
}

/// The entries of prefixes, of which one contains another or has nothing in common with it.
fn nested<T: Copy>(mut prefixes: Vec<(u128, u128, T)>) -> Vec<(u128, Option<T>)> {
    prefixes.sort_by_key(|(first, last, _)| (*first, Reverse(*last)));
    prefixes.dedup_by_key(|(first, last, _)| (*first, *last));
    let mut entries: Vec<(u128, Option<T>)> = vec![(0, None)];
    let mut open: Vec<(u128, T)> = Vec::new();
    let put = |entries: &mut Vec<(u128, Option<T>)>, at: u128, value: Option<T>| {
        if entries.last().is_some_and(|(last, _)| *last == at) {
            entries.pop();
        }
        entries.push((at, value));
    };
    let close = |open: &mut Vec<(u128, T)>, entries: &mut Vec<(u128, Option<T>)>| {
        if let Some((last, _)) = open.pop()
            && let Some(next) = last.checked_add(1)
        {
            put(entries, next, open.last().map(|(_, value)| *value));
        }
    };
    for (first, last, value) in prefixes {
        while open.last().is_some_and(|(end, _)| *end < first) {
            close(&mut open, &mut entries);
        }
        open.push((last, value));
        put(&mut entries, first, Some(value));
    }
    while !open.is_empty() {
        close(&mut open, &mut entries);
    }
    entries
}

fn entries<T: Clone + PartialEq>(
    family: Family,
    cidrs: &[Cidr],
    value: &impl Fn(IpAddr) -> T,
) -> Vec<(u128, T)> {
    let whole = Ranges::whole(family);
    let mut entries: Vec<(u128, T)> = Vec::new();
    for (from, _) in whole.cut(cidrs.iter().copied()) {
        let value = value(address(family, from));
        if entries.last().is_none_or(|(_, last)| *last != value) {
            entries.push((from, value));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().expect("a prefix")
    }

    #[test]
    fn the_longest_prefix_counts_and_of_equal_ones_the_first() {
        let prefixes = [
            ("10.0.0.0/8", 0),
            ("10.1.0.0/16", 1),
            ("10.1.0.0/16", 2),
            ("10.1.255.255/32", 3),
            ("255.255.255.0/24", 4),
            ("::/0", 5),
            ("2001:db8::/32", 6),
        ]
        .map(|(text, number)| (cidr(text), number));
        let map = AddressMap::of_longest(prefixes);
        let check = |address: &str, expected: Option<i32>| {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(map.at(address).copied().flatten(), expected, "{address}");
            let naive = prefixes.iter().filter(|(cidr, _)| cidr.contains(address));
            let naive = naive.min_by_key(|(cidr, _)| Reverse(cidr.bits()));
            assert_eq!(map.at(address).copied().flatten(), naive.map(|(_, number)| *number), "{address}");
        };
        check("9.255.255.255", None);
        check("10.0.0.0", Some(0));
        check("10.0.255.255", Some(0));
        check("10.1.0.0", Some(1));
        check("10.1.255.254", Some(1));
        check("10.1.255.255", Some(3));
        check("10.2.0.0", Some(0));
        check("11.0.0.0", None);
        check("255.255.255.255", Some(4));
        check("::", Some(5));
        check("2001:db8::1", Some(6));
        check("ffff::", Some(5));
    }

    #[test]
    fn ranges_are_told_by_their_values() {
        let map = AddressMap::of_longest([(cidr("10.0.0.0/8"), 0), (cidr("10.1.0.0/16"), 1)]);
        let ranges = |wanted: Option<i32>| -> Vec<String> {
            let ranges = map.ranges_where(Family::V4, |value| *value == wanted);
            let ends = |end| address(Family::V4, end).to_string();
            ranges.map(|(first, last)| format!("{}-{}", ends(first), ends(last))).collect()
        };
        assert_eq!(ranges(Some(1)), ["10.1.0.0-10.1.255.255"]);
        assert_eq!(ranges(Some(0)), ["10.0.0.0-10.0.255.255", "10.2.0.0-10.255.255.255"]);
        assert_eq!(ranges(None), ["0.0.0.0-9.255.255.255", "11.0.0.0-255.255.255.255"]);
        assert_eq!(map.ranges_where(Family::V6, Option::is_none).collect::<Vec<_>>(), [(0, u128::MAX)]);
    }
}
