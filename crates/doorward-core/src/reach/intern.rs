//! Flow sets by number, so that what was combined once is combined by a look-up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::Flows;
use super::span::Span;

/// The number of a set of flows. Equal sets have equal numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FlowsIx(u32);

impl FlowsIx {
    pub(super) const NONE: Self = Self(0);
}

/// A span by the numbers of its sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SpanIx {
    pub(super) sure: FlowsIx,
    pub(super) maybe: FlowsIx,
}

impl SpanIx {
    pub(super) const NONE: Self = Self { sure: FlowsIx::NONE, maybe: FlowsIx::NONE };

    pub(super) fn exact(flows: FlowsIx) -> Self {
        Self { sure: flows, maybe: flows }
    }

    pub(super) fn is_none(self) -> bool {
        self.maybe == FlowsIx::NONE
    }
}

/// Mixes small numbers; nobody outside chooses them.
#[derive(Debug, Default, Clone)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        // The odd multiplier is 2^64 over the golden ratio.
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// What was looked at already, by small numbers.
pub(super) type Known<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// Sets of flows, each once.
#[derive(Debug)]
pub(super) struct Interner {
    sets: Vec<Flows>,
    numbers: HashMap<Flows, FlowsIx>,
    both: Known<(u32, u32), FlowsIx>,
    either: Known<(u32, u32), FlowsIx>,
    less: Known<(u32, u32), FlowsIx>,
}

impl Default for Interner {
    fn default() -> Self {
        let mut interner = Self {
            sets: Vec::new(),
            numbers: HashMap::new(),
            both: Known::default(),
            either: Known::default(),
            less: Known::default(),
        };
        interner.number(&Flows::NONE);
        interner
    }
}

impl Interner {
    pub(super) fn number(&mut self, flows: &Flows) -> FlowsIx {
        if let Some(known) = self.numbers.get(flows) {
            return *known;
        }
        let number = FlowsIx(u32::try_from(self.sets.len()).unwrap_or(u32::MAX));
        self.sets.push(flows.clone());
        self.numbers.insert(flows.clone(), number);
        number
    }

    pub(super) fn span(&mut self, span: &Span) -> SpanIx {
        SpanIx { sure: self.number(&span.sure), maybe: self.number(&span.maybe) }
    }

    /// The number here of a span that another has numbered.
    pub(super) fn taken(&mut self, span: SpanIx, other: &Self) -> SpanIx {
        SpanIx { sure: self.number(other.flows(span.sure)), maybe: self.number(other.flows(span.maybe)) }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a number is made only by `number` of this interner, which never forgets"
    )]
    pub(super) fn flows(&self, number: FlowsIx) -> &Flows {
        &self.sets[number.0 as usize]
    }

    pub(super) fn and(&mut self, a: FlowsIx, b: FlowsIx) -> FlowsIx {
        if a == b || a == FlowsIx::NONE {
            return a;
        }
        if b == FlowsIx::NONE {
            return b;
        }
        let key = (a.0.min(b.0), a.0.max(b.0));
        if let Some(known) = self.both.get(&key) {
            return *known;
        }
        let flows = self.flows(a).and(self.flows(b));
        let number = self.number(&flows);
        self.both.insert(key, number);
        number
    }

    pub(super) fn union(&mut self, a: FlowsIx, b: FlowsIx) -> FlowsIx {
        if a == b || b == FlowsIx::NONE {
            return a;
        }
        if a == FlowsIx::NONE {
            return b;
        }
        let key = (a.0.min(b.0), a.0.max(b.0));
        if let Some(known) = self.either.get(&key) {
            return *known;
        }
        let flows = self.flows(a).union(self.flows(b));
        let number = self.number(&flows);
        self.either.insert(key, number);
        number
    }

    pub(super) fn minus(&mut self, a: FlowsIx, b: FlowsIx) -> FlowsIx {
        if a == b || a == FlowsIx::NONE {
            return FlowsIx::NONE;
        }
        if b == FlowsIx::NONE {
            return a;
        }
        if let Some(known) = self.less.get(&(a.0, b.0)) {
            return *known;
        }
        let flows = self.flows(a).minus(self.flows(b));
        let number = self.number(&flows);
        self.less.insert((a.0, b.0), number);
        number
    }

    pub(super) fn both(&mut self, a: SpanIx, b: SpanIx) -> SpanIx {
        let sure = self.and(a.sure, b.sure);
        let exact = a.sure == a.maybe && b.sure == b.maybe;
        SpanIx { sure, maybe: if exact { sure } else { self.and(a.maybe, b.maybe) } }
    }

    pub(super) fn either(&mut self, a: SpanIx, b: SpanIx) -> SpanIx {
        let sure = self.union(a.sure, b.sure);
        let exact = a.sure == a.maybe && b.sure == b.maybe;
        SpanIx { sure, maybe: if exact { sure } else { self.union(a.maybe, b.maybe) } }
    }

    /// What the one has and the other has not.
    pub(super) fn lost(&mut self, one: SpanIx, other: SpanIx) -> SpanIx {
        SpanIx { sure: self.minus(one.sure, other.sure), maybe: self.minus(one.maybe, other.maybe) }
    }
}
