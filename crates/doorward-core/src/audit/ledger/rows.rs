//! The rows beside the grants that there are by the record, each with what it says.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::RECENT;
use crate::audit::row::{RowLeft, Table};
use crate::audit::{Entry, Hash, What};

/// Why a row is not believed, said of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableRowMismatch {
    /// It was never there, or is gone.
    #[error("no entry of the audit log says that it exists")]
    Unknown,
    /// It is another.
    #[error("it differs from entry {seq} of the audit log")]
    Otherwise {
        /// The entry that tells of it last.
        seq: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Coverage {
    pub seq: u64,
    state: Hash,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

type Key = Box<str>;

/// Every table, and what happened lately.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Rows {
    // The name in checkpoints of earlier versions.
    #[serde(rename = "told")]
    coverage: BTreeMap<Table, BTreeMap<Key, Coverage>>,
    /// Whether any entry has covered rows: those of a version before this one did not.
    pub tracked: bool,
    #[serde(skip)]
    recent: VecDeque<(u64, Table, Key, Option<Coverage>)>,
    /// Entries since those were looked for that have expired.
    #[serde(skip)]
    since_sweep: usize,
    /// How many rows were left then.
    #[serde(skip)]
    left: usize,
}

/// Entries between two sweeps, at least.
const SWEEP: usize = 1024;

/// How long a row stays in the store after it has expired: by so much may the clocks of those who write and of those who read
/// a store differ. A row that has not expired by the reader's clock was deleted by nobody who may.
pub const KEPT_AFTER_EXPIRY: SignedDuration = SignedDuration::from_hours(1);

const SLACK: i64 = KEPT_AFTER_EXPIRY.as_millis() as i64;

impl Rows {
    /// Takes in what an entry says; returns the oldest entry whose change is no longer known, if one was dropped.
    pub fn take(&mut self, entry: &Entry) -> Option<u64> {
        let (seq, mut dropped) = (entry.head.seq, None);
        let mut set = |rows: &mut Self, table, key: Key, coverage| {
            dropped = rows.set(seq, table, key, coverage).or(dropped);
        };
        match &entry.line.event.what {
            What::LogSealed { .. } => {
                let all = |(table, rows): (&Table, &BTreeMap<Key, Coverage>)| {
                    rows.keys().map(|key| (*table, key.clone())).collect::<Vec<_>>()
                };
                let before: Vec<(Table, Key)> = self.coverage.iter().flat_map(all).collect();
                before.into_iter().for_each(|(table, key)| set(self, table, key, None));
            }
            What::RowsNoted { .. } => self.tracked = true,
            _ => {}
        }
        self.tracked |= !entry.line.rows.is_empty();
        for RowLeft { table, key, state, until } in &entry.line.rows {
            let until = until.map(|until| until.as_millisecond());
            let coverage = state.map(|state| Coverage { seq, state, until });
            set(self, *table, key.as_str().into(), coverage);
        }
        self.since_sweep += 1;
        if self.since_sweep >= SWEEP.max(self.left) {
            self.forget_expired(entry.line.event.at.as_millisecond());
        }
        dropped
    }

    fn set(&mut self, seq: u64, table: Table, key: Key, coverage: Option<Coverage>) -> Option<u64> {
        let rows = self.coverage.entry(table).or_default();
        let before = match coverage {
            Some(coverage) => rows.insert(key.clone(), coverage),
            None => rows.remove(&key),
        };
        self.recent.push_back((seq, table, key, before));
        if self.recent.len() <= RECENT {
            return None;
        }
        self.recent.pop_front().map(|(oldest, ..)| oldest)
    }

    /// Forgets rows whose time is over: they say nothing, wherever they come from.
    fn forget_expired(&mut self, now: i64) {
        for rows in self.coverage.values_mut() {
            rows.retain(|_, coverage| coverage.until.is_none_or(|until| until > now.saturating_sub(SLACK)));
        }
        (self.since_sweep, self.left) = (0, self.len());
    }

    pub fn len(&self) -> usize {
        self.coverage.values().map(BTreeMap::len).sum()
    }

    pub fn since(&self, seq: u64) -> Before<'_> {
        let mut before = Before::new();
        for (_, table, key, coverage) in self.recent.iter().rev().take_while(|(at, ..)| *at > seq) {
            before.insert((*table, &**key), *coverage);
        }
        before
    }

    pub fn coverage<'k>(&self, before: &Before<'k>, table: Table, key: &'k str) -> Option<Coverage> {
        match before.get(&(table, key)) {
            Some(coverage) => *coverage,
            None => self.coverage.get(&table)?.get(key).copied(),
        }
    }

    pub fn check<'k>(
        &self,
        before: &Before<'k>,
        table: Table,
        key: &'k str,
        state: Hash,
    ) -> Result<(), TableRowMismatch> {
        match self.coverage(before, table, key) {
            Some(coverage) if coverage.state == state => Ok(()),
            Some(coverage) => Err(TableRowMismatch::Otherwise { seq: coverage.seq }),
            None => Err(TableRowMismatch::Unknown),
        }
    }

    /// Rows of a table with keys behind `after` and up to `to` that should be there at an instant and are not held,
    /// each with the entry that tells of it.
    pub fn missing(
        &self,
        before: &Before<'_>,
        table: Table,
        (after, to): (Option<&str>, Option<&str>),
        now: i64,
        held: impl Fn(&str) -> bool,
    ) -> Vec<(String, u64)> {
        let within = |key: &str| after.is_none_or(|after| key > after) && to.is_none_or(|to| key <= to);
        if matches!((after, to), (Some(after), Some(to)) if after >= to) {
            return Vec::new();
        }
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let up_to = to.map_or(Bound::Unbounded, Bound::Included);
        let rows = self.coverage.get(&table).into_iter().flat_map(|rows| rows.range::<str, _>((from, up_to)));
        let changed = |key: &Key| before.contains_key(&(table, &**key));
        let now_there = rows.filter(|(key, _)| !changed(key)).map(|(key, coverage)| (&**key, *coverage));
        let then = before.iter().filter(|((at, key), _)| *at == table && within(key));
        let then = then.filter_map(|((_, key), coverage)| Some((*key, (*coverage)?)));
        let due = |coverage: &Coverage| coverage.until.is_none_or(|until| until > now);
        let missing = now_there.chain(then).filter(|(key, coverage)| due(coverage) && !held(key));
        missing.map(|(key, coverage)| (key.to_string(), coverage.seq)).collect()
    }
}

/// The coverage of rows that changed since a moment, as it was then.
pub(super) type Before<'a> = BTreeMap<(Table, &'a str), Option<Coverage>>;
