//! Flow sets by number, so that what was combined once is combined by a look-up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;

/// The number of a set of flows. Equal sets have equal numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FlowsIx(u32);

impl FlowsIx {
    pub(crate) const NONE: Self = Self(0);
}

/// A bounds by the numbers of its sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BoundsIx {
    pub(crate) must: FlowsIx,
    pub(crate) may: FlowsIx,
}

impl BoundsIx {
    pub(crate) const NONE: Self = Self { must: FlowsIx::NONE, may: FlowsIx::NONE };

    pub(crate) fn exact(flows: FlowsIx) -> Self {
        Self { must: flows, may: flows }
    }

    pub(crate) fn is_none(self) -> bool {
        self.may == FlowsIx::NONE
    }
}

/// Mixes small numbers; nobody outside chooses them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Mix(u64);

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
pub(crate) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// Sets of flows, each once.
#[derive(Debug)]
pub(crate) struct Interner {
    sets: Vec<Flows>,
    numbers: HashMap<Flows, FlowsIx>,
    both: FastMap<(u32, u32), FlowsIx>,
    either: FastMap<(u32, u32), FlowsIx>,
    less: FastMap<(u32, u32), FlowsIx>,
}

impl Default for Interner {
    fn default() -> Self {
        let mut interner = Self {
            sets: Vec::new(),
            numbers: HashMap::new(),
            both: FastMap::default(),
            either: FastMap::default(),
            less: FastMap::default(),
        };
        interner.number(&Flows::NONE);
        interner
    }
}

impl Interner {
    pub(crate) fn number(&mut self, flows: &Flows) -> FlowsIx {
        if let Some(known) = self.numbers.get(flows) {
            return *known;
        }
        let number = FlowsIx(u32::try_from(self.sets.len()).unwrap_or(u32::MAX));
        self.sets.push(flows.clone());
        self.numbers.insert(flows.clone(), number);
        number
    }

    pub(crate) fn bounds(&mut self, bounds: &Bounds) -> BoundsIx {
        BoundsIx { must: self.number(&bounds.must), may: self.number(&bounds.may) }
    }

    /// The number here of a bounds that another has numbered.
    pub(crate) fn taken(&mut self, bounds: BoundsIx, other: &Self) -> BoundsIx {
        BoundsIx { must: self.number(other.flows(bounds.must)), may: self.number(other.flows(bounds.may)) }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a number is made only by `number` of this interner, which never forgets"
    )]
    pub(crate) fn flows(&self, number: FlowsIx) -> &Flows {
        &self.sets[number.0 as usize]
    }

    pub(crate) fn and(&mut self, a: FlowsIx, b: FlowsIx) -> FlowsIx {
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

    pub(crate) fn union(&mut self, a: FlowsIx, b: FlowsIx) -> FlowsIx {
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

    pub(crate) fn minus(&mut self, a: FlowsIx, b: FlowsIx) -> FlowsIx {
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

    pub(crate) fn both(&mut self, a: BoundsIx, b: BoundsIx) -> BoundsIx {
        let must = self.and(a.must, b.must);
        let exact = a.must == a.may && b.must == b.may;
        BoundsIx { must, may: if exact { must } else { self.and(a.may, b.may) } }
    }

    pub(crate) fn either(&mut self, a: BoundsIx, b: BoundsIx) -> BoundsIx {
        let must = self.union(a.must, b.must);
        let exact = a.must == a.may && b.must == b.may;
        BoundsIx { must, may: if exact { must } else { self.union(a.may, b.may) } }
    }

    /// What the one has and the other has not.
    pub(crate) fn lost(&mut self, one: BoundsIx, other: BoundsIx) -> BoundsIx {
        BoundsIx { must: self.minus(one.must, other.must), may: self.minus(one.may, other.may) }
    }
}
