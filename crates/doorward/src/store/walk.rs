//! The store checked again while the server runs: the record from its first line, a part at a time, and every row beside the
//! grants. Grants are compared at each pass of the reconciler.
//!
//! It only reads, by the connections of the requests and without the writers' turn, so that it delays neither.

use std::time::Duration;

use doorward_core::audit::{Broken, Head, Table, Whole};
use jiff::Timestamp;

use super::reading::PAGE;
use super::{Error, Store};

/// How often a part of the record is read again, and all rows beside the grants.
const EVERY: Duration = Duration::from_secs(60);
/// The parts in which a whole record is read again, within twelve hours.
const PARTS: u64 = 720;
/// The most entries of one part, so that it costs less than a second: a record of over 14 million takes longer.
const MOST: u64 = 20_000;

/// A way through the record, from its first line to where it ended when the way began.
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
            // An operator accepted the record as it stands by now: that is the next walk's.
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
    /// Checks the store again and again, until it is dropped: all of the record within twelve hours, and the rows beside the
    /// grants each minute.
    pub async fn keep_verifying(&self, now: impl Fn() -> Timestamp) {
        loop {
            let mut walk = Walk::begin(self);
            loop {
                let whole = self.verify_part(&mut walk, now()).await;
                tokio::time::sleep(EVERY).await;
                match whole {
                    Ok(false) => {}
                    Ok(true) => break,
                    Err(error) => tracing::warn!(%error, "the store could not be checked again"),
                }
            }
        }
    }

    async fn verify_part(&self, walk: &mut Walk<'_>, now: Timestamp) -> Result<bool, Error> {
        if self.trust.broken().is_some() {
            return Ok(true);
        }
        for table in Table::ALL {
            self.mend(table, now).await?;
        }
        let entries = (walk.end.seq / PARTS).clamp(u64::from(PAGE), MOST);
        walk.step(self, entries).await
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::{Event, What, Who};

    use super::*;

    fn event() -> Event {
        Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead)
    }

    async fn store(folder: &tempfile::TempDir, entries: usize) -> Store {
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        store.commit(&[], vec![event(); entries]).await.expect("recorded");
        store
    }

    /// How many steps of so many entries a walk takes.
    async fn walk(store: &Store, entries: u64) -> usize {
        let mut walk = Walk::begin(store);
        let mut steps = 1;
        while !walk.step(store, entries).await.expect("read") {
            steps += 1;
        }
        steps
    }

    #[tokio::test]
    async fn the_record_is_read_again_by_parts_of_a_bounded_size() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, 25).await;
        let before = store.lines_read();
        let mut walk = Walk::begin(&store);
        assert!(!walk.step(&store, 10).await.expect("read"));
        assert_eq!(store.lines_read() - before, 10);
        // What is appended meanwhile is of the next walk.
        store.commit(&[], vec![event(); 25]).await.expect("recorded");
        assert!(!walk.step(&store, 10).await.expect("read"));
        assert!(walk.step(&store, 10).await.expect("read"));
        assert_eq!(store.distrusted(), None);
    }

    #[tokio::test]
    async fn an_edit_of_an_entry_that_was_read_long_ago_is_noticed_by_the_running_server() {
        for edit in [
            "UPDATE record SET line = replace(line, 'record-read', 'signed-in') WHERE seq = 3",
            "DELETE FROM record WHERE seq = 3",
            "UPDATE record SET at = 1 WHERE seq = 3",
            "UPDATE record SET line = (SELECT line FROM record WHERE seq = 4) WHERE seq = 3",
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = store(&folder, 25).await;
            assert_eq!(walk(&store, 10).await, 3, "{edit}");
            assert_eq!(store.distrusted(), None);
            sqlx::query(edit).execute(&store.pool).await.expect("an edit");
            store.check_head().await.expect("read");
            assert_eq!(store.distrusted(), None, "nothing was read again yet");
            walk(&store, 10).await;
            assert!(store.distrusted().is_some(), "{edit}");
        }
    }

    #[tokio::test]
    async fn what_an_operator_accepted_is_no_new_fault() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, 25).await;
        sqlx::query("UPDATE record SET at = 1 WHERE seq = 3").execute(&store.pool).await.expect("an edit");
        walk(&store, 10).await;
        let verified = store.verify_all(&[]).await.expect("read");
        let event = |what| Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
        store.accept(verified.head, event, verified.found).await.expect("accepted");
        walk(&store, 10).await;
        assert_eq!(store.distrusted(), None);
    }
}
