//! What is believed of the store: what the record says, as far as the holder of the key wrote it.
//!
//! A [`Ledger`] in memory follows the record from its first line on; each line is read and checked once. The store's
//! rows are measured by it. Where the record itself is not whole, the ledger stays as it is: nothing that was added since is
//! believed, and nothing new is opened until an operator has looked.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_core::audit::{
    Broken, Contained, Early, Entry, Event, Hash, Head, Ledger, Sealed, Verifier, What, Who, Whole,
};
use doorward_core::grant::GrantId;
use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _};

use super::key::Key;
use super::outside::Noted;
use super::writing::Writing;
use super::{Error, Store};

/// Lines that are read at a time.
pub(super) const PAGE: u32 = 1000;

#[derive(Debug)]
pub(super) struct Trust {
    pub key: Key,
    /// Where the head is noted.
    outside: PathBuf,
    installation: String,
    inner: Mutex<Inner>,
    noting: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    ledger: Ledger,
    broken: Option<Untrusted>,
    noted: Option<Head>,
}

#[derive(Debug)]
struct Untrusted {
    why: String,
    /// Whether the alarm is in the record by now.
    recorded: bool,
    /// What was noted outside when it was found: it changes when an operator accepts the record.
    noted: Option<Head>,
}

/// What a whole record was found to be.
#[derive(Debug)]
pub(super) struct Read {
    pub ledger: Ledger,
    pub early: Early,
    pub end: Head,
    pub digest: Hash,
    pub broken: Option<Broken>,
    pub sealed: Vec<Sealed>,
    /// Lines that bear a MAC, right or wrong.
    pub macs: u64,
    /// Whether the head in the store is the last line.
    pub ends: bool,
}

impl Trust {
    pub fn new(key: Key, outside: PathBuf, installation: String) -> Self {
        Self { key, outside, installation, inner: Mutex::default(), noting: AtomicBool::new(false) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole when the guard goes, so a thread that panicked left nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last entry that is believed.
    pub fn head(&self) -> Head {
        self.inner().ledger.head()
    }

    /// Why the record is not believed, if it is not.
    pub fn broken(&self) -> Option<String> {
        self.inner().broken.as_ref().map(|broken| broken.why.clone())
    }

    /// Believes nothing that was added from now on.
    pub fn distrust(&self, why: impl ToString) {
        let mut inner = self.inner();
        if inner.broken.is_none() {
            let why = why.to_string();
            tracing::error!(%why, "the record in the store is not what was written: nothing new is opened; `doorward audit verify` says more");
            let noted = inner.noted;
            inner.broken = Some(Untrusted { why, recorded: false, noted });
        }
    }

    /// What has to be put into the record, once.
    pub fn unrecorded(&self) -> Option<String> {
        let mut inner = self.inner();
        let broken = inner.broken.as_mut().filter(|broken| !broken.recorded)?;
        broken.recorded = true;
        Some(broken.why.clone())
    }

    /// Takes in entries that were read or written, in their order.
    pub fn take(&self, entries: &[Entry]) {
        let mut inner = self.inner();
        let mut forked = false;
        for entry in entries {
            let head = inner.ledger.head();
            if inner.broken.is_some() {
                inner.ledger.note(entry);
            } else if entry.head.seq > head.seq {
                forked |= entry.line.prev != head.hash;
                if forked {
                    break;
                }
                inner.ledger.take(entry);
            } else if entry.head.seq == head.seq {
                forked |= entry.head.hash != head.hash;
            }
        }
        drop(inner);
        if forked {
            self.distrust(Broken::NotContained { seq: self.head().seq });
        }
    }

    pub fn forget(&self, gone: impl Fn(&GrantId) -> bool) {
        self.inner().ledger.forget(gone);
    }

    /// Asks the ledger as it was after an entry; none when that is too long ago.
    pub fn at<T>(&self, seq: u64, ask: impl FnOnce(&doorward_core::audit::Earlier<'_>) -> T) -> Option<T> {
        let inner = self.inner();
        // What came behind a fault is not believed, so that there is no earlier and no later.
        let seq = if inner.broken.is_some() { u64::MAX } else { seq };
        inner.ledger.at(seq).map(|earlier| ask(&earlier))
    }

    /// What operators have to hear of.
    pub fn alarms(&self) -> Vec<String> {
        let inner = self.inner();
        let broken = inner.broken.iter().map(|broken| broken.why.clone());
        broken.chain(inner.ledger.alarms().iter().cloned()).collect()
    }

    /// The head that is noted outside of the store.
    pub fn noted(&self) -> Option<Head> {
        self.inner().noted
    }

    /// Notes the newest head, without anybody waiting for the disk.
    pub fn note_soon(self: &Arc<Self>) {
        if self.is_noted() || self.noting.swap(true, Ordering::SeqCst) {
            return;
        }
        let trust = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            loop {
                let done = trust.note();
                trust.noting.store(false, Ordering::SeqCst);
                // One that came meanwhile and found us at it.
                if !done || trust.is_noted() || trust.noting.swap(true, Ordering::SeqCst) {
                    return;
                }
            }
        });
    }

    fn is_noted(&self) -> bool {
        let inner = self.inner();
        inner.broken.is_some() || inner.noted == Some(inner.ledger.head())
    }

    /// Notes the newest head; whether that was done.
    pub fn note(&self) -> bool {
        let head = {
            let inner = self.inner();
            if inner.broken.is_some() || inner.noted == Some(inner.ledger.head()) {
                return true;
            }
            inner.ledger.head()
        };
        // Another process of this store may have noted a later one.
        let later = match Noted::read(&self.outside, &self.key) {
            Ok(Some((noted, there))) => noted.installation == self.installation && there.seq >= head.seq,
            Ok(None) | Err(_) => false,
        };
        if later {
            self.inner().noted = Some(head);
        }
        later || self.write_down(head)
    }

    fn write_down(&self, head: Head) -> bool {
        match Noted::new(&self.installation, head, &self.key).write(&self.outside) {
            Ok(()) => {
                self.inner().noted = Some(head);
                true
            }
            Err(error) => {
                tracing::error!(%error, file = %self.outside.display(), "the head of the record could not be noted outside of the store");
                false
            }
        }
    }
}

impl Store {
    /// Why the record in the store is not believed, if it is not: then nothing new is opened.
    pub fn distrusted(&self) -> Option<String> {
        self.trust.broken()
    }

    /// What was found altered in the store and no operator has accepted since, in words.
    pub fn alarms(&self) -> Vec<String> {
        self.trust.alarms()
    }

    /// What is to be put into the record because the record itself was found altered; each is told once.
    pub fn unrecorded_alarm(&self) -> Option<String> {
        self.trust.unrecorded()
    }

    /// Whether the head in the store follows what was believed; what is new is read and checked.
    ///
    /// Where the record was found altered, and an operator has accepted it since, it is read anew.
    pub async fn check_head(&self) -> Result<(), Error> {
        if self.trust.broken().is_some() {
            return self.read_again_if_accepted().await;
        }
        let floor = self.trust.head();
        let mut connection = self.pool.acquire().await?;
        let head = match super::record::head_of(&mut connection).await? {
            Ok(head) => head,
            Err(why) => {
                self.trust.distrust(why);
                return Ok(());
            }
        };
        if head.seq < floor.seq || (head.seq == floor.seq && head.hash != floor.hash) {
            self.trust.distrust(Broken::Head { seq: head.seq, head: floor.seq });
            return Ok(());
        }
        self.catch_up(&mut connection, head).await
    }

    /// Reads and checks what was appended since, up to `to`.
    pub(super) async fn catch_up(&self, connection: &mut AnyConnection, to: Head) -> Result<(), Error> {
        loop {
            let known = self.trust.head();
            if self.trust.broken().is_some() || known.seq > to.seq {
                return Ok(());
            }
            if known.seq == to.seq {
                if known.hash != to.hash {
                    self.trust.distrust(Broken::Head { seq: known.seq, head: to.seq });
                }
                return Ok(());
            }
            let lines = lines_after(connection, known.seq, PAGE).await?;
            let mut verifier = Verifier::after(known);
            let (mut entries, mut fault) = (Vec::new(), None);
            for (_, line) in lines.iter().take_while(|(seq, _)| *seq <= to.seq) {
                match verifier.entry(line) {
                    Ok(entry) if entry.is_authentic(&self.trust.key) => entries.push(entry),
                    Ok(entry) => {
                        let (seq, missing) = (entry.head.seq, entry.mac.is_none());
                        fault = Some(Broken::Unauthentic { first: seq, last: seq, missing });
                    }
                    Err(broken) => fault = Some(broken),
                }
                if fault.is_some() {
                    break;
                }
            }
            if entries.is_empty() {
                fault.get_or_insert(Broken::Head { seq: known.seq, head: to.seq });
            }
            self.trust.take(&entries);
            if let Some(fault) = fault {
                self.trust.distrust(fault);
            }
        }
    }

    /// Reads the whole record.
    ///
    /// `each` is told of every entry that can be read, and whether it is authentic by itself.
    pub(super) async fn read_record(
        &self,
        contained: &mut [Contained],
        each: &mut (dyn FnMut(&Entry, bool) + Send),
    ) -> Result<Read, Error> {
        let mut connection = self.pool.acquire().await?;
        // The head is read first: lines that are appended meanwhile lie behind it.
        let head = super::record::head_of(&mut connection).await?;
        let mut whole = Whole::new(Some(&self.trust.key));
        let (mut ledger, mut early, mut macs) = (Ledger::default(), Early::default(), 0);
        let mut after = i64::MIN;
        'pages: loop {
            let lines = kept_after(&mut connection, after).await?;
            let Some(last) = lines.last() else { break };
            after = last.seq;
            for kept in &lines {
                if head.as_ref().is_ok_and(|head| *head == whole.end()) && whole.broken().is_none() {
                    break 'pages;
                }
                let entry = whole.line(&kept.line);
                contained.iter_mut().for_each(|one| one.take(whole.end()));
                let Some((entry, authentic)) = entry else { continue };
                if let Some(broken) = kept.misplaced(&entry) {
                    whole.note(broken);
                }
                macs += u64::from(entry.mac.is_some());
                each(&entry, authentic);
                if authentic {
                    ledger.take(&entry);
                } else if macs == 0 {
                    early.take(&entry.line);
                }
            }
            if ledger.len() > 20_000 {
                forget_settled(&mut connection, &mut ledger).await?;
            }
        }
        let digest = whole.digest();
        let end = whole.end();
        let ends = head.as_ref().is_ok_and(|head| *head == end);
        if !ends {
            whole.note(Broken::Head { seq: end.seq, head: head.map_or(0, |head| head.seq) });
        }
        // A line comes with its head in one transaction, so one that lies behind a head read later was not appended.
        if whole.broken().is_none()
            && super::record::head_of(&mut connection).await?.is_ok_and(|now| now == end)
        {
            let behind = lines_after(&mut connection, end.seq, 1).await?;
            if let Some((seq, _)) = behind.first() {
                let now = super::record::head_of(&mut connection).await?;
                if now.is_ok_and(|now| now == end) {
                    whole.note(Broken::Head { seq: *seq, head: end.seq });
                }
            }
        }
        let (broken, sealed) = (whole.broken().cloned(), whole.sealed().to_vec());
        Ok(Read { ledger, early, end, digest, broken, sealed, macs, ends })
    }

    /// Reads the record for the first time, or anew after it was accepted, and measures it by what is noted outside.
    pub(super) async fn begin_to_trust(&self) -> Result<(), Error> {
        let noted = match Noted::read(&self.trust.outside, &self.trust.key) {
            Ok(noted) => noted,
            Err(error) => {
                let why = std::error::Error::source(&error).map(|source| format!(": {source}"));
                self.trust.distrust(format!("{error}{}", why.unwrap_or_default()));
                None
            }
        };
        let there = noted.as_ref().map(|(_, head)| *head);
        let mut contained: Vec<Contained> = there.map(Contained::new).into_iter().collect();
        let read = self.read_record(&mut contained, &mut |_, _| {}).await?;
        self.trust.inner().noted = there;
        if there.is_none() && read.macs == 0 && read.end.seq > 0 && is_unsealed(&read) {
            if self.trust.broken().is_some() {
                return Ok(());
            }
            return self.seal_early(&read).await;
        }
        let missed = contained.iter().find_map(|one| one.check(read.end).err());
        if let Some(broken) = read.broken.or(missed) {
            self.trust.distrust(broken);
            return Ok(());
        }
        if self.trust.broken().is_some() {
            return Ok(());
        }
        if there.is_none() && read.end.seq > 0 {
            tracing::warn!(head = %read.end, file = %self.trust.outside.display(), "no head of the record was noted outside of the store: its end is taken as it is");
        }
        self.trust.inner().ledger = read.ledger;
        Ok(())
    }

    /// Seals a record that was begun before there was a key.
    async fn seal_early(&self, read: &Read) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await?;
        let rows =
            sqlx::query("SELECT body FROM grants WHERE state <> 'ended'").fetch_all(&mut *connection).await?;
        let mut grants = std::collections::BTreeMap::new();
        for row in &rows {
            let body: String = row.try_get(0)?;
            let Ok(grant) = serde_json::from_str::<doorward_core::grant::Grant>(&body) else { continue };
            if read.early.tells_of(&grant) {
                grants.insert(grant.id().clone(), Hash::of(body.as_bytes()));
            }
        }
        drop(connection);
        tracing::warn!(head = %read.end, grants = grants.len(), "the record was begun before there was a key: it is sealed as it stands");
        let seal = What::LogSealed {
            sealed: read.end.to_string(),
            digest: read.digest,
            rows: self.ended_rows().await?,
            found: Vec::new(),
            grants,
        };
        self.append_seal(read.end, Event::new(Timestamp::now(), Who::Doorward, seal)).await
    }

    async fn append_seal(&self, end: Head, event: Event) -> Result<(), Error> {
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        let done = async {
            let head = super::record::lock_head(&mut writing).await?;
            if head != end {
                // Another server of this store was faster.
                return Err(Error::Conflict);
            }
            let (line, entry) = doorward_core::audit::append_authentic(head, event, None, &self.trust.key)
                .map_err(|error| Error::damaged("event", error))?;
            super::record::insert(&mut writing, &entry, &line).await?;
            super::record::write_head(&mut writing, entry.head).await?;
            Ok(entry)
        }
        .await;
        let entry = writing.end(done).await?;
        let mut inner = self.trust.inner();
        let mut ledger = Ledger::default();
        ledger.take(&entry);
        inner.ledger = ledger;
        Ok(())
    }

    /// Accepts a record, and the store beside it, as they stand: what was found is in the entry that seals them.
    ///
    /// Where the record itself is altered every grant ends, since nobody can say any more what is open; else those stay of
    /// which the record tells.
    pub async fn accept(
        &self,
        end: Head,
        event: impl FnOnce(What) -> Event,
        found: Vec<String>,
    ) -> Result<Head, Error> {
        let read = self.read_record(&mut [], &mut |_, _| {}).await?;
        if read.end != end {
            return Err(Error::Conflict);
        }
        let whole = self.trust.broken().is_none();
        let grants = if whole {
            read.ledger.at(u64::MAX).map(|now| now.open()).unwrap_or_default()
        } else {
            Default::default()
        };
        let event = event(What::LogSealed {
            sealed: end.to_string(),
            digest: read.digest,
            rows: self.ended_rows().await?,
            found,
            grants,
        });
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        let done = async {
            super::record::mend_head(&mut writing, end).await?;
            sqlx::query("UPDATE installation SET name = $1 WHERE id = 1")
                .bind(&self.trust.installation)
                .execute(&mut *writing)
                .await?;
            self.drop_forged(&mut writing).await
        }
        .await;
        writing.end(done).await?;
        self.append_seal(end, event).await?;
        let head = {
            let mut inner = self.trust.inner();
            inner.broken = None;
            inner.ledger.head()
        };
        self.trust.write_down(head);
        Ok(head)
    }

    async fn read_again_if_accepted(&self) -> Result<(), Error> {
        let there = Noted::read(&self.trust.outside, &self.trust.key).ok().flatten().map(|(_, head)| head);
        {
            let mut inner = self.trust.inner();
            let Some(broken) = &inner.broken else { return Ok(()) };
            if there.is_none() || there == broken.noted {
                return Ok(());
            }
            inner.broken = None;
        }
        self.begin_to_trust().await
    }
}

/// Whether nothing is wrong with a record but that none of its entries has a MAC.
fn is_unsealed(read: &Read) -> bool {
    read.ends
        && matches!(read.broken, Some(Broken::Unauthentic { first: 1, last, missing: true }) if last == read.end.seq)
}

pub(super) async fn lines_after(
    connection: &mut AnyConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, String)>, Error> {
    let rows = sqlx::query("SELECT seq, line FROM record WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
    rows.iter().map(super::record::kept).collect()
}

/// A row of the record, with what stands beside the line.
struct Kept {
    seq: i64,
    at: i64,
    grant: Option<String>,
    line: String,
}

impl Kept {
    /// What is wrong with the row, where its line is right.
    fn misplaced(&self, entry: &Entry) -> Option<Broken> {
        let (seq, event) = (entry.head.seq, &entry.line.event);
        let key = u64::try_from(self.seq).unwrap_or(0);
        if key != seq {
            return Some(Broken::Reordered { at: key, expected: key, seq });
        }
        let grant = event.what.grant().map(GrantId::as_str);
        let same = self.at == event.at.as_millisecond() && self.grant.as_deref() == grant;
        (!same).then_some(Broken::Changed { at: seq, seq })
    }
}

async fn kept_after(connection: &mut AnyConnection, after: i64) -> Result<Vec<Kept>, Error> {
    let rows = sqlx::query("SELECT seq, at, grant_id, line FROM record WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(after)
        .bind(i64::from(PAGE))
        .fetch_all(&mut *connection)
        .await?;
    let kept = |row: &sqlx::any::AnyRow| {
        let (seq, at) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Kept { seq, at, grant: row.try_get(2)?, line: row.try_get(3)? })
    };
    rows.iter().map(kept).collect::<Result<_, sqlx::Error>>().map_err(Error::from)
}

async fn forget_settled(connection: &mut AnyConnection, ledger: &mut Ledger) -> Result<(), Error> {
    let rows = sqlx::query("SELECT id FROM grants WHERE settled = 0").fetch_all(&mut *connection).await?;
    let unsettled: std::collections::BTreeSet<String> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    ledger.forget(|id| !unsettled.contains(id.as_str()));
    Ok(())
}
