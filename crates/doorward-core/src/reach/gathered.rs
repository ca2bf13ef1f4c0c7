//! What is gathered between two ends: the sum of what passes, and whether all of it fares alike.

use std::collections::BTreeMap;

use super::intern::{FlowsIx, Interner, SpanIx};
use crate::net::Family;
use crate::net::ranges::Ranges;

/// What was gathered between two ends, by the numbers of one interner.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) span: SpanIx,
    first: Option<FlowsIx>,
    differ: bool,
    /// How many pairs, or how many hosts where one end is outside.
    pub(super) pairs: usize,
    addresses: BTreeMap<Family, Vec<(u128, u128)>>,
}

impl Gathered {
    /// Adds what passes between some pairs.
    pub(super) fn add(&mut self, interner: &mut Interner, span: SpanIx, pairs: usize) {
        self.differ |= *self.first.get_or_insert(span.sure) != span.sure;
        self.span = interner.either(self.span, span);
        self.pairs += pairs;
    }

    /// Notes addresses outside.
    pub(super) fn reach(&mut self, family: Family, first: u128, last: u128) {
        self.addresses.entry(family).or_default().push((first, last));
    }

    /// Whether the same surely passes for all that was added.
    pub(super) fn is_alike(&self) -> bool {
        !self.differ
    }

    /// The addresses outside, of each family that has some.
    pub(super) fn ranges(&self) -> Vec<Ranges> {
        self.addresses.iter().map(|(family, ranges)| Ranges::join(*family, ranges.clone())).collect()
    }
}
