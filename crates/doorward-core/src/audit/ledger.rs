//! What the record says is open, kept beside it as it grows: the measure of every row of the store.

use std::collections::{BTreeMap, VecDeque};

use super::{Entry, Hash, Head, What};
use crate::grant::GrantId;

/// Why a row is not believed, said of the grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// Nobody opened it, or it is long over.
    #[error("no entry of the record says that it is open or waits")]
    Unknown,
    /// It ended.
    #[error("it ended with entry {seq} of the record")]
    Over {
        /// The entry that says so.
        seq: u64,
    },
    /// It is another.
    #[error("it is not what entry {seq} of the record says")]
    Otherwise {
        /// The entry that tells of it last.
        seq: u64,
    },
    /// It is not there.
    #[error("entry {seq} of the record says that it is open or waits, and the store does not have it")]
    Gone {
        /// The entry that tells of it last.
        seq: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
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
/// ended, until their rules are known to be gone.
#[derive(Debug, Clone)]
pub struct Ledger {
    head: Head,
    grants: BTreeMap<GrantId, Told>,
    recent: VecDeque<(u64, GrantId, Option<Told>)>,
    /// The first entry of which a change in `recent` may be missing.
    from: u64,
    alarms: Vec<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            head: Head::EMPTY,
            grants: BTreeMap::new(),
            recent: VecDeque::new(),
            from: 0,
            alarms: Vec::new(),
        }
    }
}

/// A ledger as it was after an earlier entry, for rows that were read before the newest came.
#[derive(Debug)]
pub struct Earlier<'a> {
    ledger: &'a Ledger,
    otherwise: BTreeMap<&'a GrantId, Option<Told>>,
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

    /// Takes in the next entry, which is authentic and follows the last.
    pub fn take(&mut self, entry: &Entry) {
        self.note(entry);
        self.head = entry.head;
    }

    /// Takes in what an entry says although it does not follow the last: the record is broken between the two.
    pub fn note(&mut self, entry: &Entry) {
        let seq = entry.head.seq;
        match &entry.line.event.what {
            What::LogSealed { grants, .. } => {
                self.alarms.clear();
                let before: Vec<GrantId> = self.grants.keys().cloned().collect();
                for id in before {
                    self.set(seq, &id, None);
                }
                for (id, state) in grants {
                    self.set(seq, id, Some(Told { seq, state: Some(*state), over: false }));
                }
            }
            What::LogAlarm { found } => {
                let room = ALARMS.saturating_sub(self.alarms.len());
                let new = found.iter().filter(|found| !self.alarms.contains(found));
                let new: Vec<String> = new.take(room).cloned().collect();
                self.alarms.extend(new);
            }
            What::Ended { grant, .. } => {
                self.set(seq, grant, Some(Told { seq, state: entry.line.state, over: true }));
            }
            what => {
                if let (Some(grant), Some(state)) = (what.grant(), entry.line.state) {
                    self.set(seq, grant, Some(Told { seq, state: Some(state), over: false }));
                }
            }
        }
    }

    fn set(&mut self, seq: u64, id: &GrantId, told: Option<Told>) {
        let before = match told {
            Some(told) => self.grants.insert(id.clone(), told),
            None => self.grants.remove(id),
        };
        self.recent.push_back((seq, id.clone(), before));
        if self.recent.len() > RECENT
            && let Some((oldest, ..)) = self.recent.pop_front()
        {
            self.from = oldest;
        }
    }

    /// Forgets ended grants whose rules are known to be gone.
    pub fn forget(&mut self, gone: impl Fn(&GrantId) -> bool) {
        self.grants.retain(|id, told| !told.over || !gone(id));
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
        Some(Earlier { ledger: self, otherwise })
    }
}

impl<'a> Earlier<'a> {
    fn told(&self, id: &GrantId) -> Option<Told> {
        match self.otherwise.get(id) {
            Some(told) => *told,
            None => self.ledger.grants.get(id).copied(),
        }
    }

    /// Whether the record tells of a grant that is open, waits, or has ended and is not settled.
    pub fn knows(&self, id: &GrantId) -> bool {
        self.told(id).is_some()
    }

    /// Ended grants that are held and are not among these, each with whether its row should be there.
    pub fn over(&self, held: impl Fn(&GrantId) -> bool) -> Vec<(GrantId, bool)> {
        let over = self
            .ledger
            .grants
            .iter()
            .filter(|(id, told)| told.over && !self.otherwise.contains_key(id) && !held(id));
        over.map(|(id, told)| (id.clone(), told.state.is_some())).collect()
    }

    /// Whether a row is what the record says: its text, and whether it says that the grant has ended.
    ///
    /// One that ended and is no longer held here opens nothing, and may have ended before there was a key.
    pub fn check(&self, id: &GrantId, row: &str, ended: bool) -> Result<(), Untold> {
        let state = || Hash::of(row.as_bytes());
        match self.told(id) {
            None if ended => Ok(()),
            None => Err(Untold::Unknown),
            Some(told) if told.over && !ended => Err(Untold::Over { seq: told.seq }),
            Some(Told { over: true, state: None, .. }) => Ok(()),
            Some(told) if told.over == ended && told.state == Some(state()) => Ok(()),
            Some(told) => Err(Untold::Otherwise { seq: told.seq }),
        }
    }

    /// The grants that are open or wait by the record and are not among these.
    pub fn gone(&self, held: impl Fn(&GrantId) -> bool) -> Vec<(GrantId, Untold)> {
        let now = self.ledger.grants.iter().filter(|(id, _)| !self.otherwise.contains_key(id));
        let now = now.map(|(id, told)| (id, *told));
        let then = self.otherwise.iter().filter_map(|(id, told)| Some((*id, (*told)?)));
        let missing = now.chain(then).filter(|(id, told)| !told.over && !held(id));
        missing.map(|(id, told)| (id.clone(), Untold::Gone { seq: told.seq })).collect()
    }

    /// The states of the grants that are open or wait, for an entry that seals the record.
    pub fn open(&self) -> BTreeMap<GrantId, Hash> {
        let open = self.ledger.grants.iter().filter(|(_, told)| !told.over);
        open.filter_map(|(id, told)| Some((id.clone(), told.state?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::audit::{Authenticator, Event, Who, append_authentic};
    use crate::grant::Ending;

    struct Key;

    impl Authenticator for Key {
        fn mac(&self, text: &[u8]) -> Hash {
            Hash::of(&[b"secret", text].concat())
        }

        fn is_mac(&self, text: &[u8], mac: &Hash) -> bool {
            self.mac(text) == *mac
        }
    }

    fn id(letter: u8) -> GrantId {
        GrantId::from_random([letter; 8])
    }

    fn entry(head: Head, what: What, row: &str) -> Entry {
        let event = Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
        append_authentic(head, event, Some(Hash::of(row.as_bytes())), &Key).expect("an entry").1
    }

    fn extended(letter: u8) -> What {
        What::Extended { grant: id(letter), until: Timestamp::UNIX_EPOCH, reason: None }
    }

    fn ended(letter: u8) -> What {
        What::Ended { grant: id(letter), how: Ending::TimeUp }
    }

    fn ledger(entries: &[(What, &str)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (what, row) in entries {
            ledger.take(&entry(ledger.head(), what.clone(), row));
        }
        ledger
    }

    #[test]
    fn a_row_is_measured_by_the_last_entry_of_its_grant() {
        let ledger =
            ledger(&[(extended(1), "one"), (extended(2), "two"), (extended(1), "later"), (ended(2), "over")]);
        let now = ledger.at(4).expect("now");
        assert_eq!(now.check(&id(1), "later", false), Ok(()));
        assert_eq!(now.check(&id(1), "one", false), Err(Untold::Otherwise { seq: 3 }), "an earlier row");
        assert_eq!(now.check(&id(1), "later", true), Err(Untold::Otherwise { seq: 3 }), "ended by nobody");
        assert_eq!(now.check(&id(2), "two", false), Err(Untold::Over { seq: 4 }), "an ended one is back");
        assert_eq!(now.check(&id(2), "over", true), Ok(()));
        assert_eq!(now.check(&id(2), "altered", true), Err(Untold::Otherwise { seq: 4 }));
        assert_eq!(now.check(&id(3), "three", false), Err(Untold::Unknown));
        assert_eq!(now.gone(|_| false), [(id(1), Untold::Gone { seq: 3 })]);
        assert_eq!(now.gone(|held| *held == id(1)), []);
    }

    #[test]
    fn rows_that_were_read_a_moment_ago_are_measured_by_that_moment() {
        let ledger =
            ledger(&[(extended(1), "one"), (extended(1), "later"), (ended(1), "over"), (extended(2), "two")]);
        for (seq, row, over) in [(1, "one", false), (2, "later", false), (3, "over", true), (4, "over", true)]
        {
            let then = ledger.at(seq).expect("a moment");
            assert_eq!(then.check(&id(1), row, over), Ok(()), "{seq}");
        }
        let then = ledger.at(3).expect("a moment");
        assert_eq!(then.check(&id(2), "two", false), Err(Untold::Unknown), "it came later");
        assert_eq!(ledger.at(2).expect("a moment").gone(|_| false), [(id(1), Untold::Gone { seq: 2 })]);
        assert_eq!(ledger.at(3).expect("a moment").gone(|_| false), []);
    }

    #[test]
    fn what_is_too_long_ago_is_not_known() {
        let mut ledger = Ledger::default();
        for number in 0..RECENT as u64 + 10 {
            ledger.take(&entry(ledger.head(), extended((number % 7) as u8), "row"));
        }
        assert!(ledger.at(5).is_none());
        assert!(ledger.at(RECENT as u64).is_some());
    }

    #[test]
    fn an_alarm_stands_until_the_record_is_sealed() {
        let alarm = What::LogAlarm { found: vec!["a row".into()] };
        let mut ledger =
            ledger(&[(extended(1), "one"), (extended(2), "two"), (alarm.clone(), ""), (alarm, "")]);
        assert_eq!(ledger.alarms(), ["a row"]);
        let seal = What::LogSealed {
            sealed: ledger.head().to_string(),
            digest: Hash::ZERO,
            rows: Hash::ZERO,
            found: vec!["a row".into()],
            grants: [(id(2), Hash::of(b"two"))].into(),
        };
        ledger.take(&entry(ledger.head(), seal, ""));
        assert!(ledger.alarms().is_empty());
        let now = ledger.at(5).expect("now");
        assert_eq!(now.check(&id(1), "one", false), Err(Untold::Unknown), "it was not taken over");
        assert_eq!(now.check(&id(2), "two", false), Ok(()));
        assert_eq!(ledger.at(4).expect("before").check(&id(1), "one", false), Ok(()));
    }
}
