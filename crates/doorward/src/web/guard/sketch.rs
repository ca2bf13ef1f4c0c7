//! Counters for any number of keys in a fixed number of cells, which an attacker cannot choose.
//!
//! A count-min sketch (Cormode, Muthukrishnan 2005): a key is counted in one cell of each row, and its count is the
//! least of them. A cell may also count other keys, so a count can be too high but never too low; choosing keys that
//! share a cell requires this process's hash key. Nothing is ever evicted.

use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

/// Two keys that share one cell do not share the others.
const ROWS: usize = 4;

/// Cells by key; `C` is what is counted.
#[derive(Debug)]
pub(super) struct Sketch<C> {
    rows: [(RandomState, Vec<C>); ROWS],
}

impl<C: Copy + Default> Sketch<C> {
    /// With so many cells in each row.
    pub(super) fn new(width: usize) -> Self {
        Self { rows: std::array::from_fn(|_| (RandomState::new(), vec![C::default(); width.max(1)])) }
    }

    /// The cells of a key.
    pub(super) fn cells(&self, key: &impl Hash) -> impl Iterator<Item = C> {
        self.rows.iter().filter_map(move |(state, row)| row.get(place(state, key, row.len())).copied())
    }

    /// Changes each cell of a key.
    pub(super) fn change(&mut self, key: &impl Hash, mut change: impl FnMut(&mut C)) {
        for (state, row) in &mut self.rows {
            let place = place(state, key, row.len());
            row.get_mut(place).map(&mut change);
        }
    }

    /// How many cells there are: as many after any flood as before.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.rows.iter().map(|(_, row)| row.len()).sum()
    }
}

fn place(state: &RandomState, key: &impl Hash, width: usize) -> usize {
    usize::try_from(state.hash_one(key) % width as u64).unwrap_or(0)
}

/// So many at once, and another each so often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) most: u32,
    pub(super) each: Duration,
}

/// What was taken of a budget and not yet given back by time.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Bucket {
    taken: u32,
    // When `taken` was last brought up to date, in milliseconds.
    at: u64,
}

impl Bucket {
    fn brought_up(self, budget: Budget, now: Duration) -> Self {
        let (now, each) = (millis(now), millis(budget.each).max(1));
        let back = now.saturating_sub(self.at) / each;
        let taken = self.taken.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX));
        Self { taken, at: if taken == 0 { now } else { self.at + each * back } }
    }

    /// How long until there is something left.
    pub(super) fn wait(self, budget: Budget, now: Duration) -> Duration {
        let bucket = self.brought_up(budget, now);
        let Some(over) = bucket.taken.checked_sub(budget.most) else { return Duration::ZERO };
        let free = Duration::from_millis(bucket.at) + budget.each * (over + 1);
        free.saturating_sub(now)
    }

    /// Takes one.
    pub(super) fn take(&mut self, budget: Budget, now: Duration) {
        *self = self.brought_up(budget, now);
        self.taken = self.taken.saturating_add(1);
    }

    /// Gives one back.
    pub(super) fn give(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Whether it is as if nothing had ever been taken.
    pub(super) fn at_rest(self, budget: Budget, now: Duration) -> bool {
        self.brought_up(budget, now).taken == 0
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_taken_for_idler_than_it_is() {
        let mut sketch: Sketch<u32> = Sketch::new(64);
        for key in 0..1000_u32 {
            for _ in 0..key % 5 {
                sketch.change(&key, |count| *count += 1);
            }
        }
        for key in 0..1000_u32 {
            let count = sketch.cells(&key).min().unwrap_or_default();
            assert!(count >= key % 5, "{key}: {count}");
        }
    }

    #[test]
    fn a_budget_comes_back_with_time() {
        let budget = Budget { most: 2, each: Duration::from_secs(10) };
        let at = Duration::from_secs;
        let mut bucket = Bucket::default();
        bucket.take(budget, at(100));
        assert_eq!(bucket.wait(budget, at(100)), Duration::ZERO);
        bucket.take(budget, at(101));
        assert_eq!(bucket.wait(budget, at(104)), at(6));
        assert_eq!(bucket.wait(budget, at(110)), Duration::ZERO);
        assert!(!bucket.at_rest(budget, at(119)) && bucket.at_rest(budget, at(120)));
        bucket.give();
        bucket.give();
        bucket.give();
        assert!(bucket.at_rest(budget, at(101)));
    }
}
