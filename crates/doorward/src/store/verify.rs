//! The complete verification: the audit log from its first entry, the files outside the store, and every row.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::audit::{Contained, Entry, Event, Hash, Head, Left, Sealed, What, Who};
use doorward_core::grant::Grant;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use super::coverage::{shortened, surplus};
use super::grants::SWALLOWED;
use super::reading::PAGE;
use super::rows::{SETTLED, columns};
use super::{Error, Store, schema};

/// What a check of a store came to.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Where the audit log ends.
    pub head: Head,
    /// What is wrong, in words, the audit log first. Nothing: it is whole and authentic, and every row agrees with it.
    pub found: Vec<String>,
    /// What somebody added to the database and has to be removed there, in words: triggers and the like, and rows without a
    /// key. Accepting does not change that.
    pub foreign: Vec<String>,
    /// The heads that were given and that the audit log does not contain, in words.
    pub not_contained: Vec<String>,
    /// The entries that sealed the audit log as it stood then.
    pub sealed: Vec<Sealed>,
    /// How many grants were compared.
    pub grants: u64,
}

impl Verified {
    /// All that is wrong with the store, in words.
    pub fn faults(&self) -> Vec<String> {
        self.foreign.iter().chain(&self.found).cloned().collect()
    }
}

/// What the audit log says of a grant since it was last sealed.
#[derive(Debug, Clone, Copy)]
struct LoggedState {
    seq: u64,
    state: Option<Hash>,
    over: bool,
}

/// What was told of grants, and what was sealed of those that had ended by then.
#[derive(Debug, Default)]
struct Telling {
    grants: BTreeMap<String, LoggedState>,
    rows: Option<Hash>,
}

impl Telling {
    fn take(&mut self, entry: &Entry) {
        let seq = entry.head.seq;
        match &entry.line.event.what {
            What::LogSealed { rows, grants, .. } => {
                let told = |state: &Hash| LoggedState { seq, state: Some(*state), over: false };
                self.grants = grants.iter().map(|(id, state)| (id.to_string(), told(state))).collect();
                self.rows = Some(*rows);
            }
            What::Ended { grant, .. } => {
                self.grants
                    .insert(grant.to_string(), LoggedState { seq, state: entry.line.state, over: true });
            }
            what => {
                if let (Some(grant), Some(state)) = (what.grant(), entry.line.state) {
                    self.grants
                        .insert(grant.to_string(), LoggedState { seq, state: Some(state), over: false });
                }
            }
        }
    }
}

struct Row {
    id: String,
    person: String,
    target: String,
    state: String,
    changed: i64,
    settled: i64,
    seal: String,
    body: String,
}

/// Before what was found earlier and put right since.
pub(super) const STANDING: &str = "nobody has accepted yet what was found before: ";

impl Store {
    /// Checks everything, and that the audit log contains heads that were noted earlier.
    pub async fn verify_all(&self, heads: &[Head]) -> Result<Verified, Error> {
        let mut tries = 0;
        loop {
            let (verified, steady) = self.verify_once(heads).await?;
            // Rows that were written while they were compared may differ from what was read before.
            if steady || verified.faults().is_empty() || tries == 3 {
                return Ok(verified);
            }
            tries += 1;
        }
    }

    /// Where the audit log ends, or the first thing that is wrong with the store.
    pub async fn verify(&self) -> Result<Result<Head, String>, Error> {
        let verified = self.verify_all(&[]).await?;
        Ok(match verified.faults().into_iter().next() {
            None => Ok(verified.head),
            Some(found) => Err(found),
        })
    }

    async fn verify_once(&self, heads: &[Head]) -> Result<(Verified, bool), Error> {
        let mut foreign = schema::additions(&mut *self.pool.acquire().await?).await?;
        let mut found = Vec::new();
        if self.has_row_before_the_first().await? {
            found.push("the audit log has a row before its first entry".into());
        }
        let wanted = heads.iter().copied().chain(self.trust.noted());
        let mut contained: Vec<Contained> = wanted.map(Contained::new).collect();
        let mut telling = Telling::default();
        let read = self
            .read_record(&mut contained, &mut |entry, authentic| {
                if authentic {
                    telling.take(entry);
                }
            })
            .await?;
        found.extend(read.broken.iter().map(ToString::to_string));
        if read.broken.is_none() {
            let all = sqlx::query_scalar("SELECT COUNT(*) FROM record").fetch_one(&self.pool).await?;
            foreign.extend(surplus("record", all, read.end.seq));
        }
        let mut not_contained = Vec::new();
        for (number, one) in contained.iter().enumerate() {
            let Err(broken) = one.check(read.end) else { continue };
            match heads.get(number) {
                Some(head) => {
                    not_contained.push(format!("the head {head} is not contained in the audit log: {broken}"))
                }
                None => {
                    let missed = broken.to_string();
                    if !found.contains(&missed) {
                        found.push(missed);
                    }
                }
            }
        }
        // One that was raised before says how it was then.
        let raised = self.trust.raised().or_else(|| read.ledger.log_alarm().map(str::to_owned));
        let broken = self.trust.broken().filter(|why| raised.as_ref() != Some(why));
        if let Some(why) = broken.filter(|why| !found.contains(why) && found.is_empty()) {
            found.push(why);
        }
        // Where a trigger is known to be, it is not tried what that does.
        if found.is_empty() && foreign.is_empty() && self.swallows().await {
            found.push(SWALLOWED.into());
        }
        let mut grants = 0;
        let rows = self.compare_rows(&telling, &mut grants, &mut foreign).await?;
        found.extend(rows);
        found.extend(self.wrong_rows(Timestamp::now(), &mut foreign).await?);
        // What was found before, and put right since, is over once an operator has looked.
        let mut alarms: Vec<&String> = raised.iter().collect();
        alarms.extend(read.ledger.alarms().iter().filter(|alarm| raised.as_ref() != Some(alarm)));
        alarms.retain(|alarm| !found.contains(alarm));
        let alarms: Vec<String> = alarms.into_iter().map(|alarm| format!("{STANDING}{alarm}")).collect();
        found.extend(alarms);
        let mut connection = self.pool.acquire().await?;
        let steady = super::record::head_of(&mut connection).await?.is_ok_and(|head| head == read.end);
        Ok((Verified { head: read.end, found, foreign, not_contained, sealed: read.sealed, grants }, steady))
    }

    /// Entries are numbered from 1.
    async fn has_row_before_the_first(&self) -> Result<bool, Error> {
        let before = sqlx::query("SELECT 1 FROM record WHERE seq < 1 OR seq IS NULL LIMIT 1");
        Ok(before.fetch_optional(&self.pool).await?.is_some())
    }

    /// Whether the store says that it takes an entry and does not keep it: one is appended, and undone.
    async fn swallows(&self) -> bool {
        let Ok(mut turn) = self.turn().await else { return false };
        let event = Event::new(Timestamp::now(), Who::Doorward, What::RecordRead);
        let appended = self.append(&mut turn.writing, turn.head, vec![(event, Left::default())]).await;
        let swallows = matches!(appended, Err(Error::Distrusted { .. }));
        // Undone in any case.
        let _ = turn.writing.end(Err::<(), Error>(Error::Conflict)).await;
        swallows
    }

    async fn compare_rows(
        &self,
        telling: &Telling,
        count: &mut u64,
        foreign: &mut Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let (mut early, mut keys, mut last) = (Sha256::new(), 0, String::new());
        self.each_row(&mut |row: Row| {
            *count += 1;
            keys += u64::from(row.id != last);
            last.clone_from(&row.id);
            match telling.grants.get(&row.id) {
                Some(told) => {
                    if let Some(why) = self.wrong(&row, Some(*told)) {
                        found.push(format!("the grant {:?} in the store: {why}", row.id));
                    }
                    seen.insert(row.id);
                }
                None => {
                    let known = telling.rows.is_some() && row.state == "ended";
                    if let Some(why) = self.wrong(&row, None).filter(|_| known) {
                        found.push(format!("the grant {:?} in the store: {why}", row.id));
                    } else if !known {
                        found.push(format!(
                            "the grant {:?} in the store: no entry of the audit log records it",
                            row.id
                        ));
                    }
                    if known {
                        add(&mut early, &row.id, &row.body);
                    }
                }
            }
        })
        .await?;
        let early = Hash::from_bytes(early.finalize().into());
        if telling.rows.is_some_and(|rows| rows != early) {
            found.push(
                "a grant that had ended when the audit log was sealed was altered, added or deleted since"
                    .into(),
            );
        }
        let missing = telling.grants.iter().filter(|(id, told)| told.state.is_some() && !seen.contains(*id));
        for (id, told) in missing {
            found.push(format!("the grant {id} is missing from the store: entry {} records it", told.seq));
        }
        let all: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM grants").fetch_one(&self.pool).await?;
        foreign.extend(surplus("grants", all, keys));
        Ok(shortened(found, 0, "grants"))
    }

    fn wrong(&self, row: &Row, told: Option<LoggedState>) -> Option<String> {
        let Ok(grant) = serde_json::from_str::<Grant>(&row.body) else {
            // One that was found so and ended stays as it was found.
            let ended = row.state == "ended" && told.is_some_and(|told| told.over && told.state.is_none());
            return (!ended).then(|| "it cannot be read".into());
        };
        if let Some(told) = told {
            let same = told.state.is_none() || told.state == Some(Hash::of(row.body.as_bytes()));
            if !same || grant.ended() != told.over {
                return Some(format!("it is not what entry {} of the audit log says", told.seq));
            }
        }
        let (state, changed) = columns(&grant);
        let beside = (grant.id().as_str(), grant.person().as_str(), grant.target().as_str(), state, changed);
        let kept =
            (row.id.as_str(), row.person.as_str(), row.target.as_str(), row.state.as_str(), row.changed);
        if beside != kept {
            return Some("its columns are not what its body says".into());
        }
        let sealed = self.trust.key.is_seal(&row.seal, SETTLED, &[&row.id]);
        let right = match row.settled {
            // What was settled before there was a key has no seal.
            1 => grant.ended() && (sealed || told.is_none()),
            0 => row.seal.is_empty(),
            _ => false,
        };
        (!right).then(|| "somebody without the key marked whether its rules are gone".into())
    }

    async fn each_row(&self, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            // What is longer than any of ours is not read into memory, and null is none of ours.
            let page = sqlx::query(
                "SELECT id, SUBSTR(person, 1, 1000), SUBSTR(target, 1, 1000), SUBSTR(state, 1, 100), changed, settled, \
                 SUBSTR(seal, 1, 1000), CASE WHEN OCTET_LENGTH(body) < 100000 THEN body END FROM grants \
                 WHERE id > $1 AND LENGTH(id) <= 100 ORDER BY id LIMIT $2",
            );
            let page = page.bind(after.clone()).bind(i64::from(PAGE));
            let rows = page.fetch_all(&self.pool).await?;
            for row in &rows {
                let text = |column| row.try_get::<Option<String>, _>(column).ok().flatten();
                let number = |column| row.try_get::<Option<i64>, _>(column).ok().flatten();
                let row = Row {
                    id: row.try_get(0)?,
                    person: text(1).unwrap_or_default(),
                    target: text(2).unwrap_or_default(),
                    state: text(3).unwrap_or_default(),
                    changed: number(4).unwrap_or(i64::MIN),
                    settled: number(5).unwrap_or(-1),
                    seal: text(6).unwrap_or_default(),
                    body: text(7).unwrap_or_default(),
                };
                after.clone_from(&row.id);
                each(row);
            }
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// SHA-256 of the rows of all grants that have ended.
    pub(super) async fn ended_rows(&self) -> Result<Hash, Error> {
        let mut digest = Sha256::new();
        self.each_row(&mut |row| {
            if row.state == "ended" {
                add(&mut digest, &row.id, &row.body);
            }
        })
        .await?;
        Ok(Hash::from_bytes(digest.finalize().into()))
    }
}

fn add(digest: &mut Sha256, id: &str, body: &str) {
    for text in [id, body] {
        digest.update(text.as_bytes());
        digest.update(b"\n");
    }
}

#[cfg(test)]
mod tests;
