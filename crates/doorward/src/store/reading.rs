//! Reads the audit log: from its first entry, or from a verified entry on.

use std::sync::atomic::Ordering;

use doorward_core::audit::{Broken, Contained, Entry, Hash, Head, Ledger, Said, Sealed, Verifier, Whole};
use doorward_core::firewall::InstallationId;
use doorward_core::grant::GrantId;
use sqlx::{AnyConnection, Row as _};

use super::{Error, Store};

/// Lines that are read at a time.
pub(super) const PAGE: u32 = 1000;

/// What a whole record was found to be.
#[derive(Debug)]
pub(super) struct Read {
    pub ledger: Ledger,
    pub early: Said,
    pub end: Head,
    pub digest: Hash,
    pub broken: Option<Broken>,
    pub sealed: Vec<Sealed>,
    /// Lines that have a MAC, right or wrong.
    pub macs: u64,
    /// Whether the head in the store is the last line.
    pub ends: bool,
}

impl Store {
    /// Whether the head in the store follows what was believed; what is new is read and checked.
    ///
    /// Where the audit log was found altered, and an operator has accepted it since, it is read again.
    pub async fn check_head(&self) -> Result<(), Error> {
        self.or_distrusted(self.compare_head().await)
    }

    async fn compare_head(&self) -> Result<(), Error> {
        let displaced = self.displaced();
        let is_displaced = displaced.is_some();
        self.trust.note_displaced(displaced);
        if is_displaced {
            // What the path leads to says nothing, and no connection more is opened to it.
            return Ok(());
        }
        if self.trust.inner().is_doubted() {
            return self.read_again_if_accepted().await;
        }
        let floor = self.trust.head();
        let mut connection = self.pool.acquire().await?;
        let (head, last, name) = super::record::tail(&mut connection).await?;
        if head.is_ok() && name.as_deref() != Some(self.installation.as_str()) {
            self.trust.distrust(of_another(&name.unwrap_or_default(), &self.installation));
            return Ok(());
        }
        let head = match head {
            Ok(head) => head,
            Err(why) => {
                self.trust.distrust(why);
                return Ok(());
            }
        };
        // A line comes with its head in one transaction, so that the last one is that of the head.
        let end = match &last {
            None => Some(Head::EMPTY),
            Some(last) => last.entry().map(|entry| entry.head),
        };
        if end != Some(head) {
            let seq = last.map_or(0, |last| u64::try_from(last.seq).unwrap_or(0));
            self.trust.distrust(match seq == head.seq {
                true => Broken::Changed { at: seq, seq },
                false => Broken::Head { seq, head: head.seq },
            });
            return Ok(());
        }
        if head.seq < floor.seq || (head.seq == floor.seq && head.hash != floor.hash) {
            self.trust.distrust(Broken::Head { seq: head.seq, head: floor.seq });
            return Ok(());
        }
        self.catch_up(&mut connection, head).await?;
        // Also if nothing is new: somebody may have removed the head file.
        self.trust.note_soon();
        Ok(())
    }

    /// Reads and checks what was appended since, up to `to`.
    pub(super) async fn catch_up(&self, connection: &mut AnyConnection, to: Head) -> Result<(), Error> {
        let known = self.trust.head();
        if self.trust.inner().is_doubted() || known.seq > to.seq {
            return Ok(());
        }
        let fault = self.read_tail(connection, known, to, &mut |entries| self.trust.take(&entries)).await?;
        if let Some(fault) = fault {
            self.trust.distrust(fault);
        }
        Ok(())
    }

    /// Reads the lines behind an entry that is believed, up to `to`; what is wrong with them, if anything.
    pub(super) async fn read_tail(
        &self,
        connection: &mut AnyConnection,
        from: Head,
        to: Head,
        take: &mut (dyn FnMut(Vec<Entry>) + Send),
    ) -> Result<Option<Broken>, Error> {
        let mut verifier = Verifier::after(from);
        loop {
            let known = verifier.head();
            if known.seq >= to.seq {
                let same = known == to;
                return Ok((!same).then_some(Broken::Head { seq: known.seq, head: to.seq }));
            }
            let after = i64::try_from(known.seq).unwrap_or(i64::MAX);
            let lines = self.kept_after(connection, after, PAGE).await?;
            let (mut entries, mut fault) = (Vec::new(), None);
            for kept in lines.iter().take_while(|kept| u64::try_from(kept.seq).is_ok_and(|seq| seq <= to.seq))
            {
                match verifier.entry(&kept.line) {
                    Ok(entry) if !entry.is_authentic(&self.trust.key) => {
                        let (seq, missing) = (entry.head.seq, entry.mac.is_none());
                        fault = Some(Broken::Unauthentic { first: seq, last: seq, missing });
                    }
                    Ok(entry) => match kept.misplaced(&entry) {
                        None => entries.push(entry),
                        misplaced => fault = misplaced,
                    },
                    Err(broken) => fault = Some(broken),
                }
                if fault.is_some() {
                    break;
                }
            }
            if entries.is_empty() {
                fault.get_or_insert(Broken::Head { seq: known.seq, head: to.seq });
            }
            take(entries);
            if fault.is_some() {
                return Ok(fault);
            }
        }
    }

    /// A line behind the head, which nobody appended: a line comes with its head in one transaction.
    async fn line_behind(&self, connection: &mut AnyConnection, end: Head) -> Result<Option<u64>, Error> {
        if !is_head(connection, end).await? {
            return Ok(None);
        }
        let last = i64::try_from(end.seq).unwrap_or(i64::MAX);
        let behind = self.kept_after(connection, last, 1).await?;
        let Some(kept) = behind.first() else { return Ok(None) };
        // It may have been appended since.
        let still = is_head(connection, end).await?;
        Ok(still.then(|| u64::try_from(kept.seq).unwrap_or(0)))
    }

    /// Likewise, whether there is one.
    pub(super) async fn is_longer(&self, connection: &mut AnyConnection, end: Head) -> Result<bool, Error> {
        Ok(self.line_behind(connection, end).await?.is_some())
    }

    /// How many lines of the audit log this process has read from the store to check them.
    pub fn lines_read(&self) -> u64 {
        self.trust.lines_read.load(Ordering::Relaxed)
    }

    pub(super) async fn kept_after(
        &self,
        connection: &mut AnyConnection,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Kept>, Error> {
        let rows =
            sqlx::query(LINES_AFTER).bind(after).bind(i64::from(limit)).fetch_all(&mut *connection).await?;
        self.trust.lines_read.fetch_add(rows.len() as u64, Ordering::Relaxed);
        rows.iter().map(|row| Kept::read(row, 0)).collect::<Result<_, sqlx::Error>>().map_err(Error::from)
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
        let (mut ledger, mut early, mut macs) = (Ledger::default(), Said::default(), 0);
        let mut after = i64::MIN;
        'pages: loop {
            let lines = self.kept_after(&mut connection, after, PAGE).await?;
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
        if whole.broken().is_none()
            && let Some(seq) = self.line_behind(&mut connection, end).await?
        {
            whole.note(Broken::Head { seq, head: end.seq });
        }
        let (broken, sealed) = (whole.broken().cloned(), whole.sealed().to_vec());
        Ok(Read { ledger, early, end, digest, broken, sealed, macs, ends })
    }
}

/// Lines of the audit log. One that is longer than any of ours is not read into memory.
const LINES_AFTER: &str = "SELECT seq, at, grant_id, CASE WHEN OCTET_LENGTH(line) < 1000000 THEN line END FROM record \
    WHERE seq > $1 ORDER BY seq LIMIT $2";

/// That the store says that another installation wrote it.
pub(super) fn of_another(name: &str, installation: &InstallationId) -> String {
    format!("the store says that it is that of `{name}`, and it was that of `{installation}`")
}

/// A row of the audit log, with what stands next to the line.
pub(super) struct Kept {
    pub seq: i64,
    at: i64,
    grant: Option<String>,
    pub line: String,
}

impl Kept {
    /// The number, the time, the grant and the line, in the columns from `first` on. A value of another type than we write
    /// is one that no entry has, so that the check of the entry says where it is.
    pub fn read(row: &sqlx::any::AnyRow, first: usize) -> Result<Self, sqlx::Error> {
        let seq = row.try_get(first)?;
        let at = row.try_get(first + 1).unwrap_or(i64::MIN);
        let grant = row.try_get(first + 2).unwrap_or_else(|_| Some(String::new()));
        let line: Option<String> = row.try_get(first + 3).unwrap_or_default();
        Ok(Self { seq, at, grant, line: line.unwrap_or_default() })
    }

    /// What the line says, where it can be read and everything next to it is right.
    pub fn entry(&self) -> Option<Entry> {
        Entry::read(&self.line).ok().filter(|entry| self.misplaced(entry).is_none())
    }

    /// What is wrong with the row, where its line is right.
    pub fn misplaced(&self, entry: &Entry) -> Option<Broken> {
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

async fn is_head(connection: &mut AnyConnection, end: Head) -> Result<bool, Error> {
    Ok(super::record::head_of(connection).await?.is_ok_and(|now| now == end))
}

async fn forget_settled(connection: &mut AnyConnection, ledger: &mut Ledger) -> Result<(), Error> {
    let rows = sqlx::query("SELECT id FROM grants WHERE settled = 0").fetch_all(&mut *connection).await?;
    let unsettled: std::collections::BTreeSet<String> =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    ledger.forget(|id| !unsettled.contains(id.as_str()));
    Ok(())
}
