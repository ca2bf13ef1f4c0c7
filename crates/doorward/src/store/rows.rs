//! Rows of grants, each verified by the audit log before it is used.

use std::collections::BTreeSet;

use doorward_core::audit::{Earlier, Hash, RowMismatch};
use doorward_core::grant::{Grant, GrantId, Life};
use doorward_core::policy::Person;
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Row as _, ValueRef as _};

use super::{Error, Store};

/// A row that is not what the audit log says: nobody is admitted by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistrusted {
    /// The name under which it is kept, which may be anything.
    pub id: String,
    /// The row, where it can be read.
    pub row: Option<Grant>,
    /// Why it is not believed, in words.
    pub why: String,
    /// Whether the audit log tells of such a grant as one that is open, waits, or has just ended.
    pub known: bool,
}

impl Mistrusted {
    /// In a sentence, for an alarm.
    pub fn describe(&self) -> String {
        format!("the grant {:?} in the store: {}", self.id, self.why)
    }

    /// What tells it from another: its name and what it holds.
    pub fn key(&self) -> (String, String) {
        let row = self.row.as_ref().and_then(|row| serde_json::to_string(row).ok());
        (self.id.clone(), row.unwrap_or_default())
    }
}

/// A grant whose row is not there, although the audit log tells of it.
fn gone((id, mismatch): (GrantId, RowMismatch)) -> Mistrusted {
    Mistrusted { id: id.to_string(), row: None, why: mismatch.to_string(), known: true }
}

/// Grants that are not settled, as the store has them.
#[derive(Debug, Clone, Default)]
pub struct UnsettledGrants {
    /// Those that are what the audit log says.
    pub grants: Vec<Grant>,
    /// The others, and those that are missing.
    pub mistrusted: Vec<Mistrusted>,
}

/// A row as it is kept. The columns next to the body are there to be found by.
pub(super) struct Kept {
    pub id: String,
    person: String,
    target: String,
    state: String,
    changed: i64,
    pub body: String,
}

/// Which state a grant is kept under, and since when it is in it.
pub(super) fn columns(grant: &Grant) -> (&'static str, i64) {
    let (state, changed) = match grant.life() {
        Life::Waiting { asked, .. } => ("waiting", asked),
        Life::Open { since, .. } => ("open", since),
        Life::Ended { at, .. } => ("ended", at),
    };
    (state, changed.as_millisecond())
}

impl Kept {
    fn read(row: &AnyRow) -> Result<Option<Self>, sqlx::Error> {
        // A value of another type than we write is that of no grant: its row alone is not believed.
        let text = |column| row.try_get::<Option<String>, _>(column).ok().flatten().unwrap_or_default();
        if row.try_get_raw(1)?.is_null() {
            return Ok(None);
        }
        Ok(Some(Self {
            id: text(1),
            person: text(2),
            target: text(3),
            state: text(4),
            changed: row.try_get(5).unwrap_or(i64::MIN),
            body: text(6),
        }))
    }

    /// The grant, where the row is what the audit log says of it.
    #[expect(clippy::result_large_err, reason = "a row that is not believed is rare, and read at once")]
    pub fn believed(self, ledger: &Earlier<'_>) -> Result<Grant, Mistrusted> {
        let not = |row, why: String, known| Mistrusted { id: self.id.clone(), row, why, known };
        let grant: Grant = serde_json::from_str(&self.body)
            .map_err(|error| not(None, format!("it cannot be read: {error}"), false))?;
        let known = ledger.knows(grant.id());
        if let Err(mismatch) = ledger.check(grant.id(), &self.body, grant.ended()) {
            return Err(not(Some(grant), mismatch.to_string(), known));
        }
        let beside = (grant.id().as_str(), grant.person().as_str(), grant.target().as_str());
        let (state, changed) = columns(&grant);
        let kept = (self.id.as_str(), self.person.as_str(), self.target.as_str());
        if beside != kept || (state, changed) != (self.state.as_str(), self.changed) {
            let why = "its columns are not what its body says".to_owned();
            return Err(not(Some(grant), why, known));
        }
        Ok(grant)
    }
}

/// How often rows are read again because the audit log grew by very much meanwhile.
pub(super) const TRIES: usize = 5;

/// A statement that reads rows of grants together with the head: one statement is one moment on either engine.
macro_rules! rows {
    ($condition:literal) => {
        rows!($condition, "ORDER BY g.id")
    };
    ($condition:literal, $order:literal) => {
        sqlx::query(concat!(
            // A row that is longer than any of ours is not read into memory.
            "SELECT h.seq, g.id, SUBSTR(g.person, 1, 1000), SUBSTR(g.target, 1, 1000), SUBSTR(g.state, 1, 100), g.changed, \
             CASE WHEN OCTET_LENGTH(g.body) < 100000 THEN g.body END FROM head h LEFT JOIN grants g ON (",
            $condition,
            ") AND LENGTH(g.id) <= 100 WHERE h.id = 1 ",
            $order
        ))
    };
}

/// Reads rows by a statement and measures them by the audit log as it was at that moment.
macro_rules! measured {
    ($store:expr, $query:expr, $ask:expr) => {{
        let store: &Store = $store;
        let mut tries = 0;
        loop {
            let floor = store.trust.head().seq;
            let (seq, kept) = $crate::store::rows::read(&$query.fetch_all(&store.pool).await?)?;
            let seq = store.moment(floor, seq).await?;
            match store.trust.at(seq, |ledger| $ask(kept, ledger)) {
                Some(answer) => break answer,
                None if tries < $crate::store::rows::TRIES => tries += 1,
                None => return Err(Error::Conflict),
            }
        }
    }};
}

pub(super) use {measured, rows};

/// The number of the last entry at that moment, and the rows.
pub(super) fn read(rows: &[AnyRow]) -> Result<(Option<i64>, Vec<Kept>), sqlx::Error> {
    let seq = rows.first().map(|row| row.try_get(0)).transpose()?;
    let kept = rows.iter().filter_map(|row| Kept::read(row).transpose());
    Ok((seq, kept.collect::<Result<_, _>>()?))
}

fn split(kept: Vec<Kept>, ledger: &Earlier<'_>) -> UnsettledGrants {
    let mut unsettled = UnsettledGrants::default();
    for row in kept {
        match row.believed(ledger) {
            Ok(grant) => unsettled.grants.push(grant),
            Err(mistrusted) => unsettled.mistrusted.push(mistrusted),
        }
    }
    unsettled
}

/// Likewise of all that are not settled, with those that are missing.
fn split_all(kept: Vec<Kept>, ledger: &Earlier<'_>) -> UnsettledGrants {
    let ids: BTreeSet<String> = kept.iter().map(|row| row.id.clone()).collect();
    let mut unsettled = split(kept, ledger);
    unsettled.mistrusted.extend(ledger.gone(|id| ids.contains(id.as_str())).into_iter().map(gone));
    unsettled
}

impl Store {
    /// The entry after which rows were read, none later than what is believed by now.
    pub(super) async fn moment(&self, floor: u64, seq: Option<i64>) -> Result<u64, Error> {
        let seq = seq.and_then(|seq| u64::try_from(seq).ok());
        let Some(seq) = seq.filter(|seq| *seq >= floor) else {
            self.trust.distrust(doorward_core::audit::Broken::Head { seq: seq.unwrap_or(0), head: floor });
            return Ok(u64::MAX);
        };
        if seq > self.trust.head().seq {
            self.check_head().await?;
        }
        Ok(seq)
    }

    /// Every grant that waits or is open, and every ended one whose rules were not yet seen gone, by name; and what is in
    /// the store that the audit log does not say, or is missing from it.
    pub async fn unsettled(&self) -> Result<UnsettledGrants, Error> {
        self.or_distrusted(self.read_unsettled().await)
    }

    async fn read_unsettled(&self) -> Result<UnsettledGrants, Error> {
        let unsettled = measured!(self, rows!("g.settled = 0"), |kept: Vec<Kept>, ledger: &Earlier<'_>| {
            let ids: BTreeSet<String> = kept.iter().map(|row| row.id.clone()).collect();
            (split_all(kept, ledger), ledger.over(|id| ids.contains(id.as_str())))
        });
        let (mut unsettled, over) = unsettled;
        if !over.is_empty() {
            unsettled.mistrusted.extend(self.settled_by_nobody(over).await?);
        }
        Ok(unsettled)
    }

    /// Those among ended grants that are marked as settled by nobody who has the key; the others are forgotten.
    async fn settled_by_nobody(&self, over: Vec<(GrantId, bool)>) -> Result<Vec<Mistrusted>, Error> {
        let (mut forged, mut settled) = (Vec::new(), BTreeSet::new());
        for (id, kept) in over {
            let row = sqlx::query("SELECT settled, seal, body FROM grants WHERE id = $1")
                .bind(id.as_str())
                .fetch_optional(&self.pool)
                .await?;
            let not = |row, why: &str| Mistrusted { id: id.to_string(), row, why: why.into(), known: true };
            let Some(row) = row else {
                if kept {
                    forged.push(not(None, "it ended, and its row was deleted"));
                } else {
                    settled.insert(id);
                }
                continue;
            };
            let (mark, seal, body): (i64, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            if self.trust.key.is_seal(&seal, SETTLED, &[id.as_str()]) {
                settled.insert(id);
            } else if mark != 0 {
                let row = serde_json::from_str::<Grant>(&body).ok();
                forged.push(not(row, "it ended, and somebody without the key marked its rules as gone"));
            }
        }
        self.trust.forget(|id| settled.contains(id));
        Ok(forged)
    }

    /// Every grant that waits or is open, and every ended one whose rules were not yet seen gone, by name.
    pub async fn unfinished(&self) -> Result<Vec<Grant>, Error> {
        Ok(self.believed(measured!(self, rows!("g.settled = 0"), split_all)))
    }

    /// A person's among them.
    pub async fn unfinished_of(&self, person: &Person) -> Result<Vec<Grant>, Error> {
        let query = || rows!("g.settled = 0 AND g.person = $1").bind(person.as_str());
        Ok(self.believed(measured!(self, query(), split)))
    }

    /// Every grant that waits for somebody's answer, by name.
    pub async fn waiting(&self) -> Result<Vec<Grant>, Error> {
        Ok(self.believed(measured!(self, rows!("g.state = 'waiting'"), split)))
    }

    /// One grant.
    pub async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, Error> {
        let query = || rows!("g.id = $1").bind(id.as_str());
        let unsettled = measured!(self, query(), |kept: Vec<Kept>, ledger: &Earlier<'_>| {
            let is_there = !kept.is_empty();
            let mut unsettled = split(kept, ledger);
            let missing = ledger.gone(|other| is_there || other != id);
            unsettled.mistrusted.extend(missing.into_iter().map(gone));
            unsettled
        });
        Ok(self.believed(unsettled).into_iter().next())
    }

    /// Whether the audit log says of a grant that it is open or waits.
    pub fn tells_open(&self, id: &GrantId) -> bool {
        let checked = self.trust.at(u64::MAX, |ledger| ledger.check(id, "", false));
        matches!(checked, Some(Err(RowMismatch::Otherwise { .. })))
    }

    /// A person's grants that ended at an instant or later: which they are, the audit log says, and the rows are compared with
    /// it. Where one is missing nobody can say how long the person has had access, and nothing is opened by that.
    pub async fn ended_since(
        &self,
        person: &Person,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Grant>, Error> {
        let query = || {
            rows!("g.person = $1 AND g.changed >= $2 AND g.state = 'ended'")
                .bind(person.as_str())
                .bind(since.as_millisecond())
        };
        let mut ended = measured!(self, query(), split).grants;
        let recent = self.trust.inner().ledger.ended_lately(person, since);
        let (mut found, mut missing) = (Vec::new(), false);
        for one in recent {
            let row = || rows!("g.id = $1").bind(one.grant.as_str());
            let (_, kept) = read(&row().fetch_all(&self.pool).await?)?;
            let row = kept.into_iter().find(|row| Hash::of(row.body.as_bytes()) == one.state);
            let grant = row.as_ref().and_then(|row| serde_json::from_str::<Grant>(&row.body).ok());
            let recorded = row.and_then(|row| self.trust.at(u64::MAX, |ledger| row.believed(ledger).ok()));
            if recorded.flatten().is_none() {
                let (grant, seq) = (&one.grant, one.seq);
                found.push(format!("the grant \"{grant}\" in the store: it ended with entry {seq} of the audit log, and its row is missing or was altered"));
            }
            match grant {
                Some(grant) if grant.person() == person => ended.push(grant),
                Some(_) => {}
                None => missing = true,
            }
        }
        ended.sort_by(|one, other| one.id().cmp(other.id()));
        ended.dedup_by(|one, other| one.id() == other.id());
        if let Some(alarm) = self.alarm(&found, false, now) {
            self.record(alarm).await?;
        }
        match found.into_iter().next().filter(|_| missing) {
            Some(why) => Err(Error::Distrusted { why }),
            None => Ok(ended),
        }
    }
}

/// The purpose of the MAC that says that an ended grant's rules were seen gone.
pub(super) const SETTLED: &str = "settled grant";
