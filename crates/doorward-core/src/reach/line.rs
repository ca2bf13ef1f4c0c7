//! A value for every address, cut where something changes.

use std::net::IpAddr;

use crate::net::ranges::{Ranges, address, family, number};
use crate::net::{Cidr, Family};

/// A value for every address, which changes only at the bounds of some prefixes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Line<T> {
    v4: Vec<(u128, T)>,
    v6: Vec<(u128, T)>,
}

impl<T: Clone + PartialEq> Line<T> {
    /// Asks for the value once between any two bounds.
    pub(super) fn new(cidrs: &[Cidr], value: impl Fn(IpAddr) -> T) -> Self {
        Self { v4: steps(Family::V4, cidrs, &value), v6: steps(Family::V6, cidrs, &value) }
    }

    /// From steps in their order; of several at one number the last counts.
    pub(super) fn of_steps(v4: Vec<(u128, T)>, v6: Vec<(u128, T)>) -> Self {
        Self { v4, v6 }
    }

    /// The same cuts with other values.
    pub(super) fn map<U>(&self, mut value: impl FnMut(&T) -> U) -> Line<U> {
        let mut steps = |steps: &[(u128, T)]| steps.iter().map(|(from, held)| (*from, value(held))).collect();
        Line { v4: steps(&self.v4), v6: steps(&self.v6) }
    }

    /// The value at an address.
    pub(super) fn at(&self, address: IpAddr) -> Option<&T> {
        let steps = match family(address) {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let at = number(address);
        let after = steps.partition_point(|(from, _)| *from <= at);
        steps.get(after.checked_sub(1)?).map(|(_, value)| value)
    }
}

fn steps<T: Clone + PartialEq>(
    family: Family,
    cidrs: &[Cidr],
    value: &impl Fn(IpAddr) -> T,
) -> Vec<(u128, T)> {
    let whole = Ranges::whole(family);
    let mut steps: Vec<(u128, T)> = Vec::new();
    for (from, _) in whole.cut(cidrs.iter().copied()) {
        let value = value(address(family, from));
        if steps.last().is_none_or(|(_, last)| *last != value) {
            steps.push((from, value));
        }
    }
    steps
}
