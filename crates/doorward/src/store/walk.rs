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
                match whole {
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
mod tests {
    use doorward_core::audit::{Event, What, Who};

    use super::super::grants::SWALLOWED;
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

    async fn run(store: &Store, statement: &'static str) {
        sqlx::query(statement).execute(&store.pool).await.expect("a statement");
    }

    #[tokio::test]
    async fn a_store_that_swallows_or_alters_entries_is_noticed_with_the_first_and_opens_nothing_more() {
        for (what, trigger) in [
            ("record", "BEFORE INSERT ON record BEGIN SELECT RAISE(IGNORE); END"),
            ("record", "AFTER INSERT ON record BEGIN DELETE FROM record WHERE seq = NEW.seq; END"),
            ("record", "AFTER INSERT ON record BEGIN UPDATE record SET line = 'x' WHERE seq = NEW.seq; END"),
            ("head", "BEFORE UPDATE ON head WHEN NEW.seq <> OLD.seq BEGIN SELECT RAISE(IGNORE); END"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = store(&folder, 3).await;
            let head = store.head().await.expect("a head");
            let create = sqlx::AssertSqlSafe(format!("CREATE TRIGGER swallows {trigger}"));
            sqlx::query(create).execute(&store.pool).await.expect("a trigger");
            let error = store.commit(&[], vec![event()]).await.expect_err("swallowed");
            assert!(matches!(error, Error::Distrusted { .. }), "{what}: {error}");
            assert!(store.distrusted().is_some(), "{trigger}");
            assert_eq!(store.head().await.expect("a head"), head, "undone: {trigger}");
            // Who looks on the machine hears of it, although the audit log is whole.
            let path = folder.path().join("doorward.db").display().to_string();
            let again = Store::open(&path, [1; 4]).await.expect("a store");
            assert_eq!(again.verify_all(&[]).await.expect("read").found, [SWALLOWED], "{trigger}");
            again.close().await;
            // It is told in the audit log as soon as that keeps anything.
            assert_eq!(store.unrecorded_alarm().as_deref(), Some(SWALLOWED));
            store.alarm_is_unrecorded();
            run(&store, "DROP TRIGGER swallows").await;
            assert_eq!(store.unrecorded_alarm().as_deref(), Some(SWALLOWED));
            assert_eq!(store.unrecorded_alarm(), None);
        }
    }

    #[tokio::test]
    async fn an_end_that_was_cut_off_or_altered_is_noticed_by_a_pass_although_the_head_stayed() {
        for edit in [
            "DELETE FROM record WHERE seq = 25",
            "DELETE FROM record WHERE seq > 20",
            "UPDATE record SET line = replace(line, 'record-read', 'signed-in') WHERE seq = 25",
            "UPDATE record SET at = 1 WHERE seq = 25",
            "UPDATE record SET line = (SELECT line FROM record WHERE seq = 24) WHERE seq = 25",
            "INSERT INTO record SELECT 26, at, grant_id, line FROM record WHERE seq = 25",
            "DELETE FROM record",
            "DELETE FROM head",
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = store(&folder, 25).await;
            store.check_head().await.expect("read");
            assert_eq!(store.distrusted(), None);
            run(&store, edit).await;
            store.check_head().await.expect("read");
            assert!(store.distrusted().is_some(), "{edit}");
        }
    }

    #[tokio::test]
    async fn a_record_of_5000_entries_is_read_again_at_once_and_of_a_longer_one_the_latest_entries() {
        for (entries, seq) in [(5000, 2), (7000, 6500)] {
            for edit in ["DELETE FROM record WHERE seq = $1", "UPDATE record SET line = 'x' WHERE seq = $1"] {
                let folder = tempfile::tempdir().expect("a folder");
                let store = store(&folder, entries).await;
                let mut walk = Walk::begin(&store);
                store.verify_part(&mut walk, Timestamp::now()).await.expect("read");
                assert_eq!(store.distrusted(), None, "{entries}");
                sqlx::query(edit).bind(seq).execute(&store.pool).await.expect("an edit");
                let mut walk = Walk::begin(&store);
                store.verify_part(&mut walk, Timestamp::now()).await.expect("read");
                assert!(store.distrusted().is_some(), "{entries}: {edit}");
            }
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
        store.verify_latest().await.expect("read");
        assert_eq!(store.distrusted(), None);
    }
}
