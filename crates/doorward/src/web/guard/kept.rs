//! A map of limited size that forgets its least recently used entry, for data that may be lost.

use std::collections::HashMap;
use std::hash::Hash;

/// Entries; beyond them the longest unused go.
const KEPT: usize = 16_384;

/// A bounded map.
#[derive(Debug)]
pub struct Kept<K, V> {
    entries: HashMap<K, (u64, V)>,
    uses: u64,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), uses: 0 }
    }
}

impl<K: Hash + Eq, V> Kept<K, V> {
    /// The entry of a key, made where there is none.
    pub fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.uses += 1;
        if self.entries.len() >= KEPT && !self.entries.contains_key(&key) {
            let mut uses: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
            let (_, oldest, _) = uses.select_nth_unstable(KEPT / 8);
            let oldest = *oldest;
            self.entries.retain(|_, (used, _)| *used > oldest);
        }
        let entry = self.entries.entry(key).or_default();
        entry.0 = self.uses;
        &mut entry.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded() {
        let mut kept: Kept<u32, u32> = Kept::default();
        for key in 0..50_000 {
            *kept.entry(key) = key;
        }
        assert!(kept.entries.len() <= KEPT);
        assert_eq!(*kept.entry(49_999), 49_999);
    }
}
