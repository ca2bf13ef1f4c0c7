//! The record as it is kept: each line's exact text, and the head that says where it ends.

use doorward_core::audit::{Broken, Head, Verifier};
use doorward_core::grant::GrantId;
use sqlx::{AnyConnection, Row};

use super::{Error, Store};

/// How a check of the record ended.
pub type Verified = Result<Head, Broken>;

impl Store {
    /// Where the record ends.
    pub async fn head(&self) -> Result<Head, Error> {
        let row = sqlx::query("SELECT seq, hash FROM head WHERE id = 1").fetch_one(&self.pool).await?;
        read_head(&row)
    }

    /// The number of the last line that tells of a grant; 0 where there is none.
    pub async fn last_change(&self) -> Result<u64, Error> {
        let row = sqlx::query("SELECT seq FROM record WHERE grant_id IS NOT NULL ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&self.pool)
            .await?;
        let seq: i64 = row.map_or(Ok(0), |row| row.try_get(0))?;
        Ok(u64::try_from(seq).unwrap_or(0))
    }

    /// Lines behind `after`, in order, at most `limit`.
    ///
    /// Each with the number under which it is kept, which is its own unless somebody changed it.
    pub async fn lines(&self, after: u64, limit: u32) -> Result<Vec<(u64, String)>, Error> {
        let rows = sqlx::query("SELECT seq, line FROM record WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(kept).collect()
    }

    /// Lines before `before` (none: from the end), the latest first, at most `limit`.
    pub async fn latest_lines(&self, before: Option<u64>, limit: u32) -> Result<Vec<(u64, String)>, Error> {
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        let rows = sqlx::query("SELECT seq, line FROM record WHERE seq < $1 ORDER BY seq DESC LIMIT $2")
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(kept).collect()
    }

    /// The lines that tell of one grant, in order.
    pub async fn lines_of(&self, grant: &GrantId) -> Result<Vec<(u64, String)>, Error> {
        let rows = sqlx::query("SELECT seq, line FROM record WHERE grant_id = $1 ORDER BY seq")
            .bind(grant.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(kept).collect()
    }

    /// Reads the whole record and checks its chain up to the head, a thousand lines at a time.
    pub async fn verify(&self) -> Result<Verified, Error> {
        // The head is read first: lines that are appended meanwhile lie behind it.
        let head = self.head().await?;
        let mut verifier = Verifier::default();
        let mut read: u64 = 0;
        while verifier.head().seq < head.seq {
            let lines = self.lines(read, 1000).await?;
            if lines.is_empty() {
                break;
            }
            for (seq, line) in lines {
                if verifier.head().seq == head.seq {
                    break;
                }
                match verifier.line(&line) {
                    Ok(_) => read = seq,
                    Err(broken) => return Ok(Err(broken)),
                }
            }
        }
        if let Err(broken) = verifier.ends_at(head) {
            return Ok(Err(broken));
        }
        // A line comes with its head in one transaction, so one that lies behind a head read later was not appended.
        let behind = self.lines(head.seq, 1).await?;
        let Some((_, line)) = behind.first() else { return Ok(Ok(head)) };
        if self.head().await?.seq > head.seq {
            return Ok(Ok(head));
        }
        Ok(verifier.line(line).and_then(|line| Err(Broken::Head { seq: line.seq, head: head.seq })))
    }
}

pub(super) async fn lock_head(connection: &mut AnyConnection) -> Result<Head, Error> {
    sqlx::query("UPDATE head SET seq = seq WHERE id = 1").execute(&mut *connection).await?;
    let row = sqlx::query("SELECT seq, hash FROM head WHERE id = 1").fetch_one(&mut *connection).await?;
    read_head(&row)
}

pub(super) async fn write_head(connection: &mut AnyConnection, head: Head) -> Result<(), Error> {
    sqlx::query("UPDATE head SET seq = $1, hash = $2 WHERE id = 1")
        .bind(i64::try_from(head.seq).unwrap_or(i64::MAX))
        .bind(head.hash.to_string())
        .execute(&mut *connection)
        .await?;
    Ok(())
}

fn kept(row: &sqlx::any::AnyRow) -> Result<(u64, String), Error> {
    let seq: i64 = row.try_get(0)?;
    Ok((u64::try_from(seq).unwrap_or(0), row.try_get(1)?))
}

fn read_head(row: &sqlx::any::AnyRow) -> Result<Head, Error> {
    let seq: i64 = row.try_get(0)?;
    let hash: String = row.try_get(1)?;
    let seq = u64::try_from(seq).map_err(|error| Error::damaged("head", error))?;
    Ok(Head { seq, hash: hash.parse().map_err(|error| Error::damaged("head", error))? })
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::{Event, What, Who, append};
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn a_line_that_was_put_behind_the_end_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let event = || Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead);
        let head = store.commit(&[], vec![event(), event()]).await.expect("recorded");
        assert_eq!(store.verify().await.expect("read"), Ok(head));
        // Chained as it should be, and yet nobody appended it.
        let (line, forged) = append(head, event()).expect("a line");
        sqlx::query("INSERT INTO record (seq, at, grant_id, line) VALUES ($1, 0, NULL, $2)")
            .bind(3_i64)
            .bind(line)
            .execute(&store.pool)
            .await
            .expect("a row");
        assert_eq!(
            store.verify().await.expect("read"),
            Err(Broken::Head { seq: forged.seq, head: head.seq })
        );
    }
}
