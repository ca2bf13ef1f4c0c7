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
pub enum UntoldRow {
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
pub(super) struct Told {
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
    told: BTreeMap<Table, BTreeMap<Key, Told>>,
    /// Whether any entry told of rows: a version before this one did not.
    pub tracked: bool,
    #[serde(skip)]
    recent: VecDeque<(u64, Table, Key, Option<Told>)>,
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
        let mut set = |rows: &mut Self, table, key: Key, told| {
            dropped = rows.set(seq, table, key, told).or(dropped);
        };
        match &entry.line.event.what {
            What::LogSealed { .. } => {
                let all = |(table, rows): (&Table, &BTreeMap<Key, Told>)| {
                    rows.keys().map(|key| (*table, key.clone())).collect::<Vec<_>>()
                };
                let before: Vec<(Table, Key)> = self.told.iter().flat_map(all).collect();
                before.into_iter().for_each(|(table, key)| set(self, table, key, None));
            }
            What::RowsNoted { .. } => self.tracked = true,
            _ => {}
        }
        self.tracked |= !entry.line.rows.is_empty();
        for RowLeft { table, key, state, until } in &entry.line.rows {
            let until = until.map(|until| until.as_millisecond());
            let told = state.map(|state| Told { seq, state, until });
            set(self, *table, key.as_str().into(), told);
        }
        self.since_sweep += 1;
        if self.since_sweep >= SWEEP.max(self.left) {
            self.forget_expired(entry.line.event.at.as_millisecond());
        }
        dropped
    }

    fn set(&mut self, seq: u64, table: Table, key: Key, told: Option<Told>) -> Option<u64> {
        let rows = self.told.entry(table).or_default();
        let before = match told {
            Some(told) => rows.insert(key.clone(), told),
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
        for rows in self.told.values_mut() {
            rows.retain(|_, told| told.until.is_none_or(|until| until > now.saturating_sub(SLACK)));
        }
        (self.since_sweep, self.left) = (0, self.len());
    }

    pub fn len(&self) -> usize {
        self.told.values().map(BTreeMap::len).sum()
    }

    pub fn since(&self, seq: u64) -> Before<'_> {
        let mut before = Before::new();
        for (_, table, key, told) in self.recent.iter().rev().take_while(|(at, ..)| *at > seq) {
            before.insert((*table, &**key), *told);
        }
        before
    }

    pub fn told<'k>(&self, before: &Before<'k>, table: Table, key: &'k str) -> Option<Told> {
        match before.get(&(table, key)) {
            Some(told) => *told,
            None => self.told.get(&table)?.get(key).copied(),
        }
    }

    pub fn check<'k>(
        &self,
        before: &Before<'k>,
        table: Table,
        key: &'k str,
        state: Hash,
    ) -> Result<(), UntoldRow> {
        match self.told(before, table, key) {
            Some(told) if told.state == state => Ok(()),
            Some(told) => Err(UntoldRow::Otherwise { seq: told.seq }),
            None => Err(UntoldRow::Unknown),
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
        let rows = self.told.get(&table).into_iter().flat_map(|rows| rows.range::<str, _>((from, up_to)));
        let changed = |key: &Key| before.contains_key(&(table, &**key));
        let now_there = rows.filter(|(key, _)| !changed(key)).map(|(key, told)| (&**key, *told));
        let then = before.iter().filter(|((at, key), _)| *at == table && within(key));
        let then = then.filter_map(|((_, key), told)| Some((*key, (*told)?)));
        let due = |told: &Told| told.until.is_none_or(|until| until > now);
        let missing = now_there.chain(then).filter(|(key, told)| due(told) && !held(key));
        missing.map(|(key, told)| (key.to_string(), told.seq)).collect()
    }
}

/// What was told of rows that changed since a moment, as it was then.
pub(super) type Before<'a> = BTreeMap<(Table, &'a str), Option<Told>>;
