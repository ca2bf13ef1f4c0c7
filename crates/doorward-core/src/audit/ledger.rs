//! What the record says is open, kept beside it as it grows: the measure of every row of the store.

mod lately;
mod rows;

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Entry, Hash, Head, Table, What};
use crate::grant::GrantId;
use crate::policy::Person;
use lately::Lately;
use rows::{Before, Rows};

pub use lately::EndedLately;
pub use rows::{KEPT_AFTER_EXPIRY, TableRowMismatch};

/// Why a row is not believed, said of the grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowMismatch {
    /// Nobody opened it, or it is long over.
    #[error("no entry of the audit log says that it is open or requested")]
    Unknown,
    /// It ended.
    #[error("it ended with entry {seq} of the audit log")]
    Over {
        /// The entry that says so.
        seq: u64,
    },
    /// It is another.
    #[error("it differs from entry {seq} of the audit log")]
    Otherwise {
        /// The entry that tells of it last.
        seq: u64,
    },
    /// It is not there.
    #[error("entry {seq} of the audit log says that it is open or requested, but the store does not have it")]
    Gone {
        /// The entry that tells of it last.
        seq: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct LastEntry {
    seq: u64,
    /// Of the row; none where an early version did not say.
    state: Option<Hash>,
    over: bool,
}

/// How many changes are kept to tell how it was a moment ago.
const RECENT: usize = 4096;

/// How many alarms are kept in words.
const ALARMS: usize = 20;

/// The grants that are open or wait by the record, each with the state that its last entry left; and those that have
/// ended, until their rules are known to be gone. Beside them the other rows of the store.
///
/// It can be saved, and goes on from where it was without the entries before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ledger {
    head: Head,
    grants: BTreeMap<GrantId, LastEntry>,
    #[serde(skip)]
    recent: VecDeque<(u64, GrantId, Option<LastEntry>)>,
    rows: Rows,
    lately: Lately,
    /// The first entry of which a recent change may be missing.
    #[serde(skip)]
    from: u64,
    /// The last entry that sealed what came before it.
    sealed: u64,
    alarms: Vec<String>,
    log_alarm: Option<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            head: Head::EMPTY,
            grants: BTreeMap::new(),
            recent: VecDeque::new(),
            rows: Rows::default(),
            lately: Lately::default(),
            from: 0,
            sealed: 0,
            alarms: Vec::new(),
            log_alarm: None,
        }
    }
}

/// A ledger as it was after an earlier entry, for rows that were read before the newest came.
#[derive(Debug)]
pub struct Earlier<'a> {
    ledger: &'a Ledger,
    otherwise: BTreeMap<&'a GrantId, Option<LastEntry>>,
    rows: Before<'a>,
}

impl Ledger {
    /// The last entry that was taken in.
    pub fn head(&self) -> Head {
        self.head
    }

    /// What was found wrong and nobody accepted since, in words.
    pub fn alarms(&self) -> &[String] {
        &self.alarms
    }

    /// That the audit log itself was found altered and nobody accepted it since, in the words of the first such alarm.
    pub fn log_alarm(&self) -> Option<&str> {
        self.log_alarm.as_deref()
    }

    /// As text, for [`Self::restored`].
    pub fn saved(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// As it was saved. How it was before that is not known.
    pub fn restored(text: &str) -> Result<Self, serde_json::Error> {
        let ledger: Self = serde_json::from_str(text)?;
        Ok(Self { from: ledger.head.seq, ..ledger })
    }

    /// The last entry that sealed what came before it; 0 where there is none.
    pub fn sealed(&self) -> u64 {
        self.sealed
    }

    /// Whether any entry told of the rows beside the grants: those of a version before did not.
    pub fn tells_of_rows(&self) -> bool {
        self.rows.tracked
    }

    /// A person's grants that ended at an instant or later, and those of which nobody knows whose they were.
    pub fn ended_lately(&self, person: &Person, since: Timestamp) -> Vec<EndedLately> {
        self.lately.ended(person, since).cloned().collect()
    }

    /// Until when the credentials that were vended for a grant are good; none where there were none, or they ended long ago.
    pub fn vended_until(&self, grant: &GrantId) -> Option<Timestamp> {
        self.lately.vended_until(grant)
    }

    /// How many rows beside the grants there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Takes in the next entry, which is authentic and follows the last.
    pub fn take(&mut self, entry: &Entry) {
        self.note(entry);
        self.head = entry.head;
    }

    /// Takes in what an entry says although it does not follow the last: the record is broken between the two.
    pub fn note(&mut self, entry: &Entry) {
        let seq = entry.head.seq;
        self.lately.take(entry, |grant| self.grants.contains_key(grant));
        if let Some(oldest) = self.rows.take(entry) {
            self.from = self.from.max(oldest);
        }
        match &entry.line.event.what {
            What::LogSealed { grants, .. } => {
                self.sealed = seq;
                self.alarms.clear();
                self.log_alarm = None;
                let before: Vec<GrantId> = self.grants.keys().cloned().collect();
                for id in before {
                    self.set(seq, &id, None);
                }
                for (id, state) in grants {
                    self.set(seq, id, Some(LastEntry { seq, state: Some(*state), over: false }));
                }
            }
            What::LogAlarm { found, log } => {
                if *log {
                    self.log_alarm.get_or_insert_with(|| found.join("; "));
                }
                let room = ALARMS.saturating_sub(self.alarms.len());
                let new = found.iter().filter(|found| !self.alarms.contains(found));
                let new: Vec<String> = new.take(room).cloned().collect();
                self.alarms.extend(new);
            }
            What::Ended { grant, .. } => {
                self.set(seq, grant, Some(LastEntry { seq, state: entry.line.state, over: true }));
            }
            what => {
                if let (Some(grant), Some(state)) = (what.grant(), entry.line.state) {
                    self.set(seq, grant, Some(LastEntry { seq, state: Some(state), over: false }));
                }
            }
        }
    }

    fn set(&mut self, seq: u64, id: &GrantId, last: Option<LastEntry>) {
        let before = match last {
            Some(last) => self.grants.insert(id.clone(), last),
            None => self.grants.remove(id),
        };
        self.recent.push_back((seq, id.clone(), before));
        if self.recent.len() > RECENT
            && let Some((oldest, ..)) = self.recent.pop_front()
        {
            self.from = self.from.max(oldest);
        }
    }

    /// Forgets ended grants whose rules are known to be gone.
    pub fn forget(&mut self, gone: impl Fn(&GrantId) -> bool) {
        self.grants.retain(|id, last| !last.over || !gone(id));
    }

    /// How many grants it holds, ended ones included.
    pub fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// The ledger as it was when entry `seq` was the last; none when that is too long ago to be known.
    pub fn at(&self, seq: u64) -> Option<Earlier<'_>> {
        if seq < self.from {
            return None;
        }
        let mut otherwise = BTreeMap::new();
        for (_, id, before) in self.recent.iter().rev().take_while(|(at, ..)| *at > seq) {
            otherwise.insert(id, *before);
        }
        Some(Earlier { ledger: self, otherwise, rows: self.rows.since(seq) })
    }
}

impl<'a> Earlier<'a> {
    fn last(&self, id: &GrantId) -> Option<LastEntry> {
        match self.otherwise.get(id) {
            Some(last) => *last,
            None => self.ledger.grants.get(id).copied(),
        }
    }

    /// Whether the record tells of a grant that is open, waits, or has ended and is not settled.
    pub fn knows(&self, id: &GrantId) -> bool {
        self.last(id).is_some()
    }

    /// Ended grants that are held and are not among these, each with whether its row should be there.
    pub fn over(&self, held: impl Fn(&GrantId) -> bool) -> Vec<(GrantId, bool)> {
        let over = self
            .ledger
            .grants
            .iter()
            .filter(|(id, last)| last.over && !self.otherwise.contains_key(id) && !held(id));
        over.map(|(id, last)| (id.clone(), last.state.is_some())).collect()
    }

    /// Whether a row is what the record says: its text, and whether it says that the grant has ended.
    ///
    /// One that ended and is no longer held here opens nothing, and may have ended before there was a key.
    pub fn check(&self, id: &GrantId, row: &str, ended: bool) -> Result<(), RowMismatch> {
        let state = || Hash::of(row.as_bytes());
        match self.last(id) {
            None if ended => Ok(()),
            None => Err(RowMismatch::Unknown),
            Some(last) if last.over && !ended => Err(RowMismatch::Over { seq: last.seq }),
            Some(LastEntry { over: true, state: None, .. }) => Ok(()),
            Some(last) if last.over == ended && last.state == Some(state()) => Ok(()),
            Some(last) => Err(RowMismatch::Otherwise { seq: last.seq }),
        }
    }

    /// The grants that are open or wait by the record and are not among these.
    pub fn gone(&self, held: impl Fn(&GrantId) -> bool) -> Vec<(GrantId, RowMismatch)> {
        let now = self.ledger.grants.iter().filter(|(id, _)| !self.otherwise.contains_key(id));
        let now = now.map(|(id, last)| (id, *last));
        let then = self.otherwise.iter().filter_map(|(id, last)| Some((*id, (*last)?)));
        let missing = now.chain(then).filter(|(id, last)| !last.over && !held(id));
        missing.map(|(id, last)| (id.clone(), RowMismatch::Gone { seq: last.seq })).collect()
    }

    /// Whether a row beside the grants is what the record says of it.
    pub fn check_row(&self, table: Table, key: &str, state: Hash) -> Result<(), TableRowMismatch> {
        self.ledger.rows.check(&self.rows, table, key, state)
    }

    /// The entry that tells of such a row, where there should be one.
    pub fn row(&self, table: Table, key: &str) -> Option<u64> {
        self.ledger.rows.coverage(&self.rows, table, key).map(|last| last.seq)
    }

    /// Rows of a table that should be there now and are not among these, each with the entry that tells of it; of keys
    /// behind the first bound and up to the second.
    pub fn missing_rows(
        &self,
        table: Table,
        within: (Option<&str>, Option<&str>),
        now: Timestamp,
        held: impl Fn(&str) -> bool,
    ) -> Vec<(String, u64)> {
        self.ledger.rows.missing(&self.rows, table, within, now.as_millisecond(), held)
    }

    /// The states of the grants that are open or wait, for an entry that seals the record.
    pub fn open(&self) -> BTreeMap<GrantId, Hash> {
        let open = self.ledger.grants.iter().filter(|(_, last)| !last.over);
        open.filter_map(|(id, last)| Some((id.clone(), last.state?))).collect()
    }
}

#[cfg(test)]
mod tests;
