//! Serialises requests about the same thing; all others are decided concurrently.
//!
//! Except for the store, which every request needs, nothing outside this program is awaited during a turn. So an
//! unresponsive Region delays nobody. Between two processes the store's `Conflict` makes the loser decide again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// A lock for each key that somebody holds or waits for; one that is at rest is gone.
#[derive(Debug)]
pub(super) struct Turns<K: Ord>(Mutex<BTreeMap<K, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    /// Those who hold it or wait for it.
    users: usize,
    lock: Arc<tokio::sync::Mutex<()>>,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a, K: Ord> {
    // Dropped first: whoever is next has it before the entry may go.
    _lock: OwnedMutexGuard<()>,
    _entry: QueueEntry<'a, K>,
}

#[derive(Debug)]
struct QueueEntry<'a, K: Ord> {
    turns: &'a Turns<K>,
    key: K,
}

impl<K: Ord> Default for Turns<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Turns<K> {
    /// Waits for a turn. Whoever stops waiting leaves nothing behind.
    pub(super) async fn turn(&self, key: K) -> Turn<'_, K> {
        let lock = {
            let mut entries = self.entries();
            let entry = entries.entry(key.clone()).or_default();
            entry.users += 1;
            Arc::clone(&entry.lock)
        };
        let entry = QueueEntry { turns: self, key };
        Turn { _lock: lock.lock_owned().await, _entry: entry }
    }
}

impl<K: Ord> Turns<K> {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<K, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Drop for QueueEntry<'_, K> {
    fn drop(&mut self) {
        let mut entries = self.turns.entries();
        if let Some(entry) = entries.get_mut(&self.key) {
            entry.users -= 1;
            if entry.users == 0 {
                entries.remove(&self.key);
            }
        }
    }
}

/// How many requests of each key wait for the outside, up to a most.
#[derive(Debug)]
pub(super) struct Waits<K: Ord>(Mutex<BTreeMap<K, usize>>);

/// One that waits.
#[derive(Debug)]
pub(super) struct Wait<'a, K: Ord> {
    waits: &'a Waits<K>,
    key: K,
}

impl<K: Ord> Default for Waits<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Waits<K> {
    /// A place among those that wait; none when as many as `most` wait already.
    pub(super) fn begin(&self, key: &K, most: usize) -> Option<Wait<'_, K>> {
        let mut counts = self.counts();
        let count = counts.entry(key.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Wait { waits: self, key: key.clone() })
    }
}

impl<K: Ord> Waits<K> {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<K, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Drop for Wait<'_, K> {
    fn drop(&mut self) {
        let mut counts = self.waits.counts();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Whether somebody gets a turn without waiting.
    async fn at_once<'a>(
        turns: &'a Turns<&'static str>,
        key: &'static str,
    ) -> Option<Turn<'a, &'static str>> {
        tokio::time::timeout(Duration::from_millis(20), turns.turn(key)).await.ok()
    }

    #[tokio::test]
    async fn only_the_same_waits_for_the_same() {
        let turns = Turns::default();
        let held = turns.turn("orders").await;
        assert!(at_once(&turns, "wiki").await.is_some());
        assert!(at_once(&turns, "orders").await.is_none());
        drop(held);
        assert!(at_once(&turns, "orders").await.is_some());
    }

    #[tokio::test]
    async fn what_is_at_rest_is_gone() {
        let turns = Turns::default();
        let held = turns.turn("orders").await;
        assert!(at_once(&turns, "orders").await.is_none(), "who stopped waiting left nothing behind");
        assert_eq!(turns.entries().len(), 1);
        drop(held);
        assert!(turns.entries().is_empty());
    }

    #[test]
    fn no_more_wait_than_may() {
        let waits = Waits::default();
        let first = waits.begin(&"jon", 2).expect("the first");
        let second = waits.begin(&"jon", 2).expect("the second");
        assert!(waits.begin(&"jon", 2).is_none());
        assert!(waits.begin(&"maria", 2).is_some(), "another person's are counted apart");
        drop(second);
        assert!(waits.begin(&"jon", 2).is_some());
        drop(first);
        assert!(waits.counts().is_empty());
    }
}
