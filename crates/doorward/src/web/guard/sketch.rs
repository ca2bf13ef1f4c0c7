//! Counters for any number of keys in a fixed number of cells, which an attacker cannot choose.
//!
//! A count-min sketch (Cormode, Muthukrishnan 2005): a key is counted in one cell of each row, and its count is the
//! least of them. A cell may also count other keys, so a count can be too high but never too low; choosing keys that
//! share a cell requires the key that the cells are chosen with. Nothing is ever evicted.

mod row;

use std::hash::{Hash, Hasher};
use std::time::Duration;

use ring::hmac;
use serde::{Deserialize, Serialize};

use self::row::Row;

/// Two keys that share one cell do not share the others.
const ROWS: usize = 4;

/// Cells by key; `C` is what is counted.
#[derive(Debug)]
pub(super) struct Sketch<C> {
    key: hmac::Key,
    rows: [Row<C>; ROWS],
}

/// What is hashed of a key.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Nobody asks for it: the bytes are what is used.
    fn finish(&self) -> u64 {
        0
    }
}

impl<C: Copy + Default> Sketch<C> {
    /// With so many cells in each row, chosen by a secret.
    pub(super) fn new(width: usize, secret: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self { key, rows: std::array::from_fn(|_| Row::new(width)) }
    }

    /// The cells of a key.
    pub(super) fn cells(&self, key: &impl Hash) -> impl Iterator<Item = C> {
        let places = self.places(key);
        self.rows.iter().zip(places).filter_map(|(row, place)| row.get(place))
    }

    /// Changes each cell of a key.
    pub(super) fn change(&mut self, key: &impl Hash, mut change: impl FnMut(&mut C)) {
        let places = self.places(key);
        for (row, place) in self.rows.iter_mut().zip(places) {
            row.get_mut(place).map(&mut change);
        }
    }

    /// The place of a key in each row: a quarter of its MAC for each.
    fn places(&self, key: &impl Hash) -> [usize; ROWS] {
        let mut bytes = Bytes::default();
        key.hash(&mut bytes);
        let tag = hmac::sign(&self.key, &bytes.0);
        let mut places = [0; ROWS];
        for ((place, part), row) in places.iter_mut().zip(tag.as_ref().as_chunks::<8>().0).zip(&self.rows) {
            *place = usize::try_from(u64::from_le_bytes(*part) % row.len() as u64).unwrap_or(0);
        }
        places
    }

    /// How many cells there are: as many after any flood as before.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.rows.iter().map(Row::len).sum()
    }
}

/// One cell of budgets as it is saved: its number over all rows, what is taken, and for how many milliseconds the last of
/// that has been coming back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell(usize, u32, u64);

impl Sketch<Bucket> {
    /// Every cell of which something is taken.
    pub(super) fn saved(&self, budget: Budget, now: Duration) -> Vec<Cell> {
        let rows =
            self.rows.iter().scan(0, |first, row| Some((std::mem::replace(first, *first + row.len()), row)));
        let cells = rows.flat_map(|(first, row)| row.changed().map(move |(at, bucket)| (first + at, bucket)));
        let cells = cells.map(|(number, bucket)| (number, bucket.brought_up(budget, now)));
        cells
            .filter(|(_, bucket)| bucket.taken > 0)
            .map(|(number, bucket)| Cell(number, bucket.taken, millis(now).saturating_sub(bucket.at)))
            .collect()
    }

    /// Takes again what was taken, as it is after `since`, at the uptime `now`.
    pub(super) fn restore(&mut self, cells: &[Cell], budget: Budget, (since, now): (Duration, Duration)) {
        let each = millis(budget.each).max(1);
        let width = self.rows.iter().map(Row::len).min().unwrap_or(1).max(1);
        for Cell(number, taken, for_millis) in cells {
            let row = self.rows.get_mut(number / width);
            let Some(bucket) = row.and_then(|row| row.get_mut(number % width)) else { continue };
            let passed = for_millis.saturating_add(millis(since));
            let back = u32::try_from(passed / each).unwrap_or(u32::MAX);
            let at = millis(now).saturating_sub(passed % each);
            *bucket = Bucket { taken: taken.saturating_sub(back).max(bucket.taken), at };
        }
    }
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
        let mut sketch: Sketch<u32> = Sketch::new(64, &[7; 32]);
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
