//! Counters by name, and the name with the highest one.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// How often each name was added and not taken.
#[derive(Debug)]
pub(super) struct Census<K> {
    counts: HashMap<K, (usize, u64)>,
    /// By count; among equals the name whose count has stood for the longest comes last.
    order: BTreeSet<(usize, u64, K)>,
    total: usize,
    /// Falls with each change.
    stamp: u64,
}

impl<K> Default for Census<K> {
    fn default() -> Self {
        Self { counts: HashMap::new(), order: BTreeSet::new(), total: 0, stamp: u64::MAX }
    }
}

impl<K: Copy + Ord + Hash> Census<K> {
    /// Of all names.
    pub(super) fn len(&self) -> usize {
        self.total
    }

    /// Of one name.
    pub(super) fn of(&self, name: K) -> usize {
        self.counts.get(&name).map_or(0, |(count, _)| *count)
    }

    /// Who has the most; of equals, who has had it for the longest. Nobody loses twice before all equals have lost once.
    pub(super) fn most(&self) -> Option<K> {
        self.order.last().map(|(.., name)| *name)
    }

    /// The first so many of those who have the most.
    pub(super) fn descending(&self, limit: usize) -> Vec<K> {
        self.order.iter().rev().take(limit).map(|(.., name)| *name).collect()
    }

    pub(super) fn add(&mut self, name: K) {
        let count = self.remove(name);
        self.insert(name, count + 1);
    }

    pub(super) fn take(&mut self, name: K) {
        let count = self.remove(name);
        if count > 1 {
            self.insert(name, count - 1);
        }
    }

    fn remove(&mut self, name: K) -> usize {
        let Some((count, stamp)) = self.counts.remove(&name) else { return 0 };
        self.order.remove(&(count, stamp, name));
        self.total -= count;
        count
    }

    fn insert(&mut self, name: K, count: usize) {
        self.stamp -= 1;
        self.counts.insert(name, (count, self.stamp));
        self.order.insert((count, self.stamp, name));
        self.total += count;
    }
}
