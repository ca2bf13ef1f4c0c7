//! The sum of the flows between two ends, and whether all pairs agree.

use std::collections::BTreeMap;

use crate::net::Family;
use crate::net::ranges::Ranges;
use crate::reach::flows::intern::{BoundsIx, FlowsIx, Interner};

/// What was gathered between two ends, by the numbers of one interner.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) bounds: BoundsIx,
    first: Option<FlowsIx>,
    differ: bool,
    /// How many pairs, or how many interfaces where one end is outside.
    pub(crate) pairs: usize,
    addresses: BTreeMap<Family, Vec<(u128, u128)>>,
}

impl Totals {
    /// Adds what passes between some pairs.
    pub(crate) fn add(&mut self, interner: &mut Interner, bounds: BoundsIx, pairs: usize) {
        self.differ |= *self.first.get_or_insert(bounds.must) != bounds.must;
        self.bounds = interner.either(self.bounds, bounds);
        self.pairs += pairs;
    }

    /// Notes addresses outside.
    pub(crate) fn reach(&mut self, family: Family, first: u128, last: u128) {
        self.addresses.entry(family).or_default().push((first, last));
    }

    /// Whether the same surely passes for all that was added.
    pub(crate) fn is_alike(&self) -> bool {
        !self.differ
    }

    /// The addresses outside, of each family that has some.
    pub(crate) fn ranges(&self) -> Vec<Ranges> {
        self.addresses.iter().map(|(family, ranges)| Ranges::join(*family, ranges.clone())).collect()
    }
}
