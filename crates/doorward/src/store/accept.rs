//! An operator accepts an altered store as it is.

use doorward_core::audit::{Event, Head, Left, RowLeft, What};
use jiff::Timestamp;

use super::coverage::Turn;
use super::tables;
use super::writing::Writing;
use super::{Error, Store};

impl Store {
    /// Accepts an audit log and its store as they are: what was found is in the entry that seals them.
    ///
    /// Where the audit log itself is altered every grant ends, since nobody can say any more what is open; else those stay
    /// of which the audit log tells. How many ended.
    pub async fn accept(
        &self,
        end: Head,
        event: impl FnOnce(What) -> Event,
        found: Vec<String>,
    ) -> Result<usize, Error> {
        let read = self.read_record(&mut [], &mut |_, _| {}).await?;
        if read.end != end {
            return Err(Error::Conflict);
        }
        let whole = self.trust.broken().is_none() && read.ledger.log_alarm().is_none();
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
        let now = event.at;
        let mut turn = Turn { writing: Writing::begin(&self.pool, &self.queue).await?, head: end };
        let done = async {
            super::record::mend_head(&mut turn, end).await?;
            sqlx::query("UPDATE installation SET name = $1 WHERE id = 1")
                .bind(&self.trust.installation)
                .execute(&mut *turn)
                .await?;
            let rows = self.drop_wrong(&mut turn, whole, now).await?;
            self.append(&mut turn.writing, end, vec![(event, Left { grant: None, rows })]).await
        }
        .await;
        let (_, entries) = turn.writing.end(done).await?;
        self.trust.begin_with(&entries);
        let mistrusted = self.unsettled().await?.mistrusted;
        if !mistrusted.is_empty() {
            self.end_mistrusted(&mistrusted, now, false).await?;
        }
        // A server goes on when it sees another head here: by then nothing is left that it would find.
        self.trust.write_down(self.trust.head());
        // What was wrong may be the checkpoint.
        self.trust.note(0);
        Ok(mistrusted.len())
    }

    /// Deletes the rows that are not believed, and all that sign somebody in; what is left.
    async fn drop_wrong(&self, turn: &mut Turn, whole: bool, now: Timestamp) -> Result<Vec<RowLeft>, Error> {
        for all in ["DELETE FROM sessions", "DELETE FROM known"] {
            sqlx::query(all).execute(&mut **turn).await?;
        }
        for table in [&tables::PASSWORDS, &tables::DOORS, &tables::RULES] {
            let measured = self.rows_where(Some(turn), table, ("1 = 1", "2"), &[], now).await?;
            let is_right = |row: &tables::Kept, wrong: &Option<String>| {
                // Where the audit log was altered only the MAC says anything.
                if whole { wrong.is_none() } else { table.is_sealed(&self.trust.key, row) }
            };
            for (row, _) in measured.rows.iter().filter(|(row, wrong)| !is_right(row, wrong)) {
                tracing::warn!(table = table.name, "deleting an altered row from the store");
                self.delete_row(turn, table, row).await?;
            }
        }
        self.sealed_rows(turn).await
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use doorward_core::audit::Who;

    use super::*;

    fn event(what: What) -> Event {
        Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what)
    }

    async fn renames(store: &Store, name: &str) {
        let query = sqlx::query("UPDATE installation SET name = $1").bind(name.to_owned());
        query.execute(&store.pool).await.expect("renamed");
    }

    #[tokio::test]
    async fn a_store_that_says_it_is_anothers_is_believed_only_once_an_operator_accepted_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        store.commit(&[], vec![event(What::RecordRead)]).await.expect("recorded");
        store.check_head().await.expect("read");
        assert_eq!(store.distrusted(), None);
        // While it runs.
        renames(&store, "deadbeef").await;
        store.check_head().await.expect("read");
        assert!(store.distrusted().is_some());
        store.close().await;

        let store = Store::open(&path, [1; 4]).await.expect("a store");
        for _ in 0..3 {
            let why = store.distrusted().expect("nobody has accepted it");
            assert!(why.contains("deadbeef"), "{why}");
            assert_eq!(store.alarms(), [why]);
            store.check_head().await.expect("read");
        }
        let another = Store::open(&path, [1; 4]).await.expect("a store");
        let end = another.verify_all(&[]).await.expect("read").head;
        let sealed = |what| Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, what);
        another.accept(end, sealed, vec!["a name".into()]).await.expect("accepted");
        store.check_head().await.expect("read");
        assert_eq!(store.distrusted(), None);
        another.close().await;
        store.close().await;
    }

    #[tokio::test]
    async fn nothing_is_believed_while_an_accepted_record_is_read_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        store.commit(&[], vec![event(What::RecordRead)]).await.expect("recorded");
        store.trust.distrust("something");
        let another = Store::open(&path, [1; 4]).await.expect("a store");
        let end = another.verify_all(&[]).await.expect("read").head;
        another.accept(end, event, vec!["something".into()]).await.expect("accepted");
        another.close().await;
        // Until it has a connection, it cannot have read anything.
        let mut held = Vec::new();
        for _ in 0..store.pool.options().get_max_connections() {
            held.push(store.pool.acquire().await.expect("a connection"));
        }
        let mut reading = std::pin::pin!(store.check_head());
        let mut once = async || {
            std::future::poll_fn(|context| Poll::Ready(reading.as_mut().poll(context).is_pending())).await
        };
        assert!(once().await, "it waits for a connection");
        assert!(store.distrusted().is_some());
        drop(held);
        while once().await {
            assert!(store.distrusted().is_some());
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(store.distrusted(), None);
    }
}
