//! The whole check: the record from its first line, what is noted outside, and every row of the store beside it.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::audit::{Contained, Entry, Hash, Head, Sealed, What};
use doorward_core::grant::Grant;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use super::rows::{SETTLED, columns};
use super::trust::PAGE;
use super::{Error, Store};

/// What a check of a store came to.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Where the record ends.
    pub head: Head,
    /// What is wrong, in words, the record first. Nothing: it is whole and authentic, and every row agrees with it.
    pub found: Vec<String>,
    /// The heads that were given and that the record does not contain, in words.
    pub not_contained: Vec<String>,
    /// The entries that sealed the record as it stood then.
    pub sealed: Vec<Sealed>,
    /// How many grants were compared.
    pub grants: u64,
}

/// What the record says of a grant since it was last sealed.
#[derive(Debug, Clone, Copy)]
struct Told {
    seq: u64,
    state: Option<Hash>,
    over: bool,
}

/// What was told of grants, and what was sealed of those that had ended by then.
#[derive(Debug, Default)]
struct Telling {
    grants: BTreeMap<String, Told>,
    rows: Option<Hash>,
}

impl Telling {
    fn take(&mut self, entry: &Entry) {
        let seq = entry.head.seq;
        match &entry.line.event.what {
            What::LogSealed { rows, grants, .. } => {
                let told = |state: &Hash| Told { seq, state: Some(*state), over: false };
                self.grants = grants.iter().map(|(id, state)| (id.to_string(), told(state))).collect();
                self.rows = Some(*rows);
            }
            What::Ended { grant, .. } => {
                self.grants.insert(grant.to_string(), Told { seq, state: entry.line.state, over: true });
            }
            what => {
                if let (Some(grant), Some(state)) = (what.grant(), entry.line.state) {
                    self.grants.insert(grant.to_string(), Told { seq, state: Some(state), over: false });
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

/// How many faults of rows are told one by one.
const TOLD: usize = 100;

impl Store {
    /// Checks everything, and that the record contains heads that were noted earlier.
    pub async fn verify_all(&self, heads: &[Head]) -> Result<Verified, Error> {
        let mut tries = 0;
        loop {
            let (verified, steady) = self.verify_once(heads).await?;
            // Rows that were written while they were compared may differ from what was read before.
            if steady || verified.found.is_empty() || tries == 3 {
                return Ok(verified);
            }
            tries += 1;
        }
    }

    /// Where the record ends, or the first thing that is wrong with the store.
    pub async fn verify(&self) -> Result<Result<Head, String>, Error> {
        let Verified { head, found, .. } = self.verify_all(&[]).await?;
        Ok(match found.into_iter().next() {
            None => Ok(head),
            Some(found) => Err(found),
        })
    }

    async fn verify_once(&self, heads: &[Head]) -> Result<(Verified, bool), Error> {
        let mut found = Vec::new();
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
        let mut not_contained = Vec::new();
        for (number, one) in contained.iter().enumerate() {
            let Err(broken) = one.check(read.end) else { continue };
            match heads.get(number) {
                Some(head) => {
                    not_contained.push(format!("the head {head} is not contained in the record: {broken}"))
                }
                None => {
                    let missed = broken.to_string();
                    if !found.contains(&missed) {
                        found.push(missed);
                    }
                }
            }
        }
        if let Some(why) = self.trust.broken().filter(|why| !found.contains(why) && found.is_empty()) {
            found.push(why);
        }
        let mut grants = 0;
        let rows = self.compare_rows(&telling, &mut grants).await?;
        found.extend(rows);
        found.extend(self.forged_rows().await?);
        let mut connection = self.pool.acquire().await?;
        let steady = super::record::head_of(&mut connection).await?.is_ok_and(|head| head == read.end);
        Ok((Verified { head: read.end, found, not_contained, sealed: read.sealed, grants }, steady))
    }

    async fn compare_rows(&self, telling: &Telling, count: &mut u64) -> Result<Vec<String>, Error> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let mut early = Sha256::new();
        self.each_row(&mut |row: Row| {
            *count += 1;
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
                            "the grant {:?} in the store: no entry of the record tells of it",
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
                "a grant that had ended when the record was sealed was altered, added or deleted since"
                    .into(),
            );
        }
        let missing = telling.grants.iter().filter(|(id, told)| told.state.is_some() && !seen.contains(*id));
        for (id, told) in missing {
            found.push(format!("the grant {id} is missing from the store: entry {} tells of it", told.seq));
        }
        let more = found.len().saturating_sub(TOLD);
        found.truncate(TOLD);
        if more > 0 {
            found.push(format!("{more} grants more"));
        }
        Ok(found)
    }

    fn wrong(&self, row: &Row, told: Option<Told>) -> Option<String> {
        let Ok(grant) = serde_json::from_str::<Grant>(&row.body) else {
            // One that was found so and ended stays as it was found.
            let ended = row.state == "ended" && told.is_some_and(|told| told.over && told.state.is_none());
            return (!ended).then(|| "it cannot be read".into());
        };
        if let Some(told) = told {
            let same = told.state.is_none() || told.state == Some(Hash::of(row.body.as_bytes()));
            if !same || grant.ended() != told.over {
                return Some(format!("it is not what entry {} of the record says", told.seq));
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
            // What was settled before there was a key bears no seal.
            1 => grant.ended() && (sealed || told.is_none()),
            0 => row.seal.is_empty(),
            _ => false,
        };
        (!right).then(|| "somebody without the key marked whether its rules are gone".into())
    }

    async fn each_row(&self, each: &mut (dyn FnMut(Row) + Send)) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let query = match &after {
                None => sqlx::query(
                    "SELECT id, person, target, state, changed, settled, seal, body FROM grants ORDER BY id LIMIT $1",
                ),
                Some(after) => sqlx::query(
                    "SELECT id, person, target, state, changed, settled, seal, body FROM grants WHERE id > $1 ORDER BY id LIMIT $2",
                )
                .bind(after.clone()),
            };
            let rows = query.bind(i64::from(PAGE)).fetch_all(&self.pool).await?;
            for row in &rows {
                let row = Row {
                    id: row.try_get(0)?,
                    person: row.try_get(1)?,
                    target: row.try_get(2)?,
                    state: row.try_get(3)?,
                    changed: row.try_get(4)?,
                    settled: row.try_get(5)?,
                    seal: row.try_get(6)?,
                    body: row.try_get(7)?,
                };
                after = Some(row.id.clone());
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
mod tests {
    use doorward_core::audit::{Event, Head, What, Who, append};
    use jiff::Timestamp;

    use super::super::{AuditFiles, Store};

    fn event() -> Event {
        Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead)
    }

    async fn opened(folder: &std::path::Path) -> Store {
        let path = folder.join("doorward.db").display().to_string();
        Store::open(&path, [1; 4]).await.expect("a store")
    }

    #[tokio::test]
    async fn a_line_that_was_put_behind_the_end_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        let head = store.commit(&[], vec![event(), event()]).await.expect("recorded");
        assert_eq!(store.verify().await.expect("read"), Ok(head));
        // Chained as it should be, and yet nobody appended it.
        let (line, _) = append(head, event()).expect("a line");
        sqlx::query("INSERT INTO record (seq, at, grant_id, line) VALUES ($1, 0, NULL, $2)")
            .bind(3_i64)
            .bind(line)
            .execute(&store.pool)
            .await
            .expect("a row");
        let found = store.verify().await.expect("read").expect_err("a fault");
        assert_eq!(found, "the record ends at entry 3, but its head says 2: its end was cut off or replaced");
    }

    /// One appends, the other cuts what was appended off, as they run.
    #[tokio::test]
    async fn an_end_that_is_cut_off_is_found_by_whoever_knew_it_and_by_the_head_outside() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        let earlier = store.commit(&[], vec![event(), event()]).await.expect("recorded");
        store.commit(&[], vec![event(), event()]).await.expect("recorded");
        store.close().await;
        let store = opened(folder.path()).await;
        let cut = |head: Head| {
            let pool = store.pool.clone();
            async move {
                sqlx::query("DELETE FROM record WHERE seq > $1")
                    .bind(head.seq as i64)
                    .execute(&pool)
                    .await
                    .expect("cut");
                sqlx::query("UPDATE head SET seq = $1, hash = $2")
                    .bind(head.seq as i64)
                    .bind(head.hash.to_string())
                    .execute(&pool)
                    .await
                    .expect("a head");
            }
        };
        store.check_head().await.expect("read");
        assert_eq!(store.distrusted(), None);
        cut(earlier).await;
        store.check_head().await.expect("read");
        assert!(store.distrusted().is_some());
        assert_eq!(store.unrecorded_alarm(), store.distrusted());
        assert_eq!(store.unrecorded_alarm(), None, "once");
        store.close().await;
        let again = opened(folder.path()).await;
        let found = again.distrusted().expect("an alarm");
        assert_eq!(found, "the record ends at entry 2, but its head says 4: its end was cut off or replaced");
        again.close().await;
        // Nobody but the head outside can know it.
        std::fs::remove_file(
            AuditFiles::beside(&folder.path().join("doorward.db").display().to_string()).head,
        )
        .expect("a file");
        assert_eq!(opened(folder.path()).await.distrusted(), None);
    }

    #[tokio::test]
    async fn a_store_that_was_deleted_is_not_taken_for_a_new_one_until_an_operator_accepts_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        store.commit(&[], vec![event(), event()]).await.expect("recorded");
        let installation = store.installation().clone();
        store.close().await;
        for entry in std::fs::read_dir(folder.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            if !path.to_string_lossy().contains("audit") {
                std::fs::remove_file(path).expect("a file");
            }
        }
        let again = Store::open(&folder.path().join("doorward.db").display().to_string(), [2; 4]).await;
        let again = again.expect("a store");
        assert!(again.distrusted().is_some());
        assert_eq!(*again.installation(), installation, "its rules in AWS are ours still");
        let verified = again.verify_all(&[]).await.expect("read");
        assert!(!verified.found.is_empty());
        let event = |what| Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
        again.accept(verified.head, event, verified.found).await.expect("accepted");
        assert_eq!(again.distrusted(), None);
        again.close().await;
        let third = opened(folder.path()).await;
        assert_eq!(third.distrusted(), None);
        assert!(third.verify().await.expect("read").is_ok());
    }
}
