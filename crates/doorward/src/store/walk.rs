//! Verifies the store again while the server runs: the audit log from its first entry, in parts, its latest entries,
//! and every row other than the grants. Grants are compared in each pass of the reconciler, and the last entry each
//! second.
//!
//! It only reads, over the connections of the requests and without the writers' turn, so that it delays neither.

use std::time::Duration;

use doorward_core::audit::{Broken, Hash, Head, Table, Verifier, Whole};
use jiff::Timestamp;

use super::reading::{Kept, PAGE};
use super::{Error, Store};

/// How often a part of the audit log is read again, and all rows of the other tables.
const EVERY: Duration = Duration::from_secs(30);
/// The parts in which a whole record is read again, within twelve hours.
const PARTS: u64 = 1440;
/// The least entries of one part: a shorter record is read again as a whole each time.
const LEAST: u64 = 5000;
/// The most entries of one part, so that it costs less than a second: a record of over 14 million takes longer.
const MOST: u64 = 10_000;

/// A way through the audit log, from its first line to where it ended when the way began.
struct Walk<'k> {
    whole: Whole<'k>,
    after: i64,
    end: Head,
}

impl<'k> Walk<'k> {
    fn begin(store: &'k Store) -> Self {
        Self { whole: Whole::new(Some(&store.trust.key)), after: i64::MIN, end: store.trust.head() }
    }

    /// Reads on by at most so many entries. Whether the end was reached.
    async fn step(&mut self, store: &Store, entries: u64) -> Result<bool, Error> {
        let mut left = entries;
        while left > 0 && self.whole.end().seq < self.end.seq {
            let page = u32::try_from(left).unwrap_or(u32::MAX).min(PAGE);
            let lines = {
                let mut connection = store.pool.acquire().await?;
                store.kept_after(&mut connection, self.after, page).await?
            };
            let Some(last) = lines.last() else {
                let (seq, head) = (self.whole.end().seq, self.end.seq);
                self.whole.note(Broken::Head { seq, head });
                break;
            };
            self.after = last.seq;
            for kept in &lines {
                if let Some((entry, _)) = self.whole.line(&kept.line)
                    && let Some(broken) = kept.misplaced(&entry)
                {
                    self.whole.note(broken);
                }
                if self.whole.end().seq >= self.end.seq {
                    break;
                }
            }
            left = left.saturating_sub(lines.len() as u64);
            // Others have the thread between two pages.
            tokio::task::yield_now().await;
        }
        let (end, sealed) = (self.whole.end(), store.trust.sealed());
        if sealed > self.end.seq {
            // An operator accepted the audit log as it is by now: that is the next walk's.
            return Ok(true);
        }
        if end.seq >= self.end.seq && end != self.end {
            self.whole.note(Broken::NotContained { seq: self.end.seq });
        }
        match self.whole.broken() {
            // A fault that an operator accepted is sealed by a later entry.
            Some(broken) if end.seq >= sealed => {
                store.trust.distrust(broken);
                Ok(true)
            }
            _ => Ok(end.seq >= self.end.seq),
        }
    }
}

impl Store {
    /// Checks the store again and again, until it is dropped: all of the audit log within twelve hours, and the rows of the
    /// other tables each minute.
    pub async fn keep_verifying(&self, now: impl Fn() -> Timestamp) {
        loop {
            let mut walk = Walk::begin(self);
            loop {
                let whole = self.verify_part(&mut walk, now()).await;
                tokio::time::sleep(EVERY).await;
                match self.or_distrusted(whole) {
                    Ok(false) => {}
                    Ok(true) => break,
                    Err(error) => tracing::warn!(%error, "could not check the store"),
                }
            }
        }
    }

    async fn verify_part(&self, walk: &mut Walk<'_>, now: Timestamp) -> Result<bool, Error> {
        if self.trust.broken().is_some() {
            return Ok(true);
        }
        let added = self.answers().await?;
        // That is an operator's to look at: nothing false is believed because of it.
        if !added.is_empty() {
            tracing::error!(found = added.join("; "), "store altered; see `doorward audit verify`");
        }
        for table in Table::ALL {
            self.mend(table, now).await?;
        }
        self.verify_latest().await?;
        let entries = (walk.end.seq / PARTS).clamp(LEAST, MOST);
        walk.step(self, entries).await
    }

    /// Checks the latest entries, which somebody who hides what they just did would edit, by the last that is believed: each
    /// names the hash of the one before.
    async fn verify_latest(&self) -> Result<(), Error> {
        let (end, sealed) = (self.trust.head(), self.trust.sealed());
        // What an operator accepted stays as it is.
        let before = end.seq.saturating_sub(u64::from(PAGE)).max(sealed.saturating_sub(1));
        let lines = {
            let mut connection = self.pool.acquire().await?;
            self.kept_after(&mut connection, i64::try_from(before).unwrap_or(i64::MAX), PAGE).await?
        };
        let first = lines.first().and_then(Kept::entry);
        let prev = first.map_or(Hash::ZERO, |first| first.line.prev);
        let mut verifier = Verifier::after(Head { seq: before, hash: prev });
        for kept in lines.iter().take_while(|kept| u64::try_from(kept.seq).is_ok_and(|seq| seq <= end.seq)) {
            let broken = match verifier.entry(&kept.line) {
                Ok(entry) => kept.misplaced(&entry),
                Err(broken) => Some(broken),
            };
            if let Some(broken) = broken {
                self.trust.distrust(broken);
                return Ok(());
            }
        }
        if end.seq > 0 && verifier.head() != end {
            self.trust.distrust(Broken::Head { seq: verifier.head().seq, head: end.seq });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
