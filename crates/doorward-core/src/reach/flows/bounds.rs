//! Flows that must be allowed and flows that may be: they differ only by what the inventory does not show.

use crate::reach::flows::Flows;

/// The flows that pass whatever could not be seen, and those that pass if all of it lets them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    pub(crate) must: Flows,
    pub(crate) may: Flows,
}

impl Bounds {
    pub(crate) fn exact(flows: Flows) -> Self {
        Self { may: flows.clone(), must: flows }
    }

    pub(crate) fn none() -> Self {
        Self { must: Flows::NONE, may: Flows::NONE }
    }

    pub(crate) fn all() -> Self {
        Self::exact(Flows::all())
    }

    /// Nothing is known.
    pub(crate) fn unknown() -> Self {
        Self { must: Flows::NONE, may: Flows::all() }
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        Self { must: self.must.and(&other.must), may: self.may.and(&other.may) }
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        Self { must: self.must.union(&other.must), may: self.may.union(&other.may) }
    }

    /// Cut to some flows.
    pub(crate) fn within(&self, flows: &Flows) -> Self {
        Self { must: self.must.and(flows), may: self.may.and(flows) }
    }

    /// Of IPv4 behind a NAT64, as those of IPv6 before it.
    pub(crate) fn before_nat64(&self) -> Self {
        Self { must: self.must.before_nat64(), may: self.may.before_nat64() }
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.must == self.may
    }
}
