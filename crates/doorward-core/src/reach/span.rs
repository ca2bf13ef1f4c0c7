//! What surely passes, and what may: the two differ only by what could not be seen.

use super::Flows;

/// The flows that pass whatever could not be seen, and those that pass if all of it lets them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Span {
    pub(super) sure: Flows,
    pub(super) maybe: Flows,
}

impl Span {
    pub(super) fn exact(flows: Flows) -> Self {
        Self { maybe: flows.clone(), sure: flows }
    }

    pub(super) fn none() -> Self {
        Self { sure: Flows::NONE, maybe: Flows::NONE }
    }

    pub(super) fn all() -> Self {
        Self::exact(Flows::all())
    }

    /// Nothing is known.
    pub(super) fn unknown() -> Self {
        Self { sure: Flows::NONE, maybe: Flows::all() }
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self { sure: self.sure.and(&other.sure), maybe: self.maybe.and(&other.maybe) }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self { sure: self.sure.union(&other.sure), maybe: self.maybe.union(&other.maybe) }
    }

    /// Cut to some flows.
    pub(super) fn within(&self, flows: &Flows) -> Self {
        Self { sure: self.sure.and(flows), maybe: self.maybe.and(flows) }
    }

    pub(super) fn is_exact(&self) -> bool {
        self.sure == self.maybe
    }
}
