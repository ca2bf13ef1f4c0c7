//! A value for every address, cut where it changes.

use std::net::IpAddr;

use crate::net::ranges::{Ranges, address, family, number};
use crate::net::{Cidr, Family};

/// A value for every address, which changes only at the bounds of some prefixes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AddressMap<T> {
    v4: Vec<(u128, T)>,
    v6: Vec<(u128, T)>,
}

impl<T: Clone + PartialEq> AddressMap<T> {
    /// Asks for the value once between any two bounds.
    pub(crate) fn new(cidrs: &[Cidr], value: impl Fn(IpAddr) -> T) -> Self {
        Self { v4: entries(Family::V4, cidrs, &value), v6: entries(Family::V6, cidrs, &value) }
    }

    /// From entries in their order; of several at one number the last counts.
    pub(crate) fn of_entries(v4: Vec<(u128, T)>, v6: Vec<(u128, T)>) -> Self {
        Self { v4, v6 }
    }

    /// The same cuts with other values.
    pub(crate) fn map<U>(&self, mut value: impl FnMut(&T) -> U) -> AddressMap<U> {
        let mut entries =
            |entries: &[(u128, T)]| entries.iter().map(|(from, held)| (*from, value(held))).collect();
        AddressMap { v4: entries(&self.v4), v6: entries(&self.v6) }
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
