//! An operator accepts an altered store as it is.

use doorward_core::audit::{Event, Head, Left, RowLeft, What};
use jiff::Timestamp;

use super::outside::Noted;
use super::tables;
use super::told::Turn;
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
        let mistrusted = self.standing().await?.mistrusted;
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

    pub(super) async fn read_again_if_accepted(&self) -> Result<(), Error> {
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
