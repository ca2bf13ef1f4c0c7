//! The stored audit log: each entry's exact text, and the head that marks its end.

use doorward_core::audit::{Entry, Head};
use doorward_core::grant::GrantId;
use jiff::Timestamp;
use sqlx::{AnyConnection, AnyPool, Row};

use super::reading::Kept;
use super::{Error, Store};

impl Store {
    /// Where the audit log ends.
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
        let before = before.and_then(|before| i64::try_from(before).ok());
        let lines = latest(&self.pool, before, limit).await?;
        Ok(lines.into_iter().map(|(seq, line)| (u64::try_from(seq).unwrap_or(0), line)).collect())
    }
}

/// Lines before `before` (none: from the end), the latest first.
pub(super) async fn latest(
    pool: &AnyPool,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    let rows = sqlx::query("SELECT seq, line FROM record WHERE seq < $1 ORDER BY seq DESC LIMIT $2")
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// When the last entry was recorded, by the clock of then; none of an audit log without entries, or that cannot be read.
pub(super) async fn last_recorded(pool: &AnyPool) -> Option<Timestamp> {
    let lines = latest(pool, None, 1).await.ok()?;
    let entry = Entry::read(&lines.first()?.1).ok()?;
    Some(entry.line.event.at)
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

/// Appends a line.
pub(super) async fn insert(connection: &mut AnyConnection, entry: &Entry, line: &str) -> Result<(), Error> {
    let event = &entry.line.event;
    sqlx::query("INSERT INTO record (seq, at, grant_id, line) VALUES ($1, $2, $3, $4)")
        .bind(i64::try_from(entry.head.seq).unwrap_or(i64::MAX))
        .bind(event.at.as_millisecond())
        .bind(event.what.grant().map(GrantId::to_string))
        .bind(line)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Whether the store has what was appended behind an entry, in the transaction that appended it: a trigger or a rule may swallow
/// lines, or the head, and say nothing.
pub(super) async fn is_kept(
    connection: &mut AnyConnection,
    from: Head,
    lines: &[String],
    to: Head,
) -> Result<bool, Error> {
    let rows = sqlx::query(
        "SELECT h.seq, h.hash, r.line FROM head h LEFT JOIN record r ON r.seq > $1 WHERE h.id = 1 ORDER BY r.seq",
    )
    .bind(i64::try_from(from.seq).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await?;
    let mut kept = Vec::with_capacity(rows.len());
    for row in &rows {
        let line: Option<String> = row.try_get(2)?;
        if read_head(row).ok() != Some(to) {
            return Ok(false);
        }
        kept.extend(line);
    }
    Ok(!rows.is_empty() && kept == lines)
}

/// What the store says of itself at one moment: where the audit log ends, its last line, and whose it is.
pub(super) type Tail = (Result<Head, String>, Option<Kept>, Option<String>);

/// Where the audit log ends by the store's own word, its last line, and the name of its installation, of one moment.
pub(super) async fn tail(connection: &mut AnyConnection) -> Result<Tail, Error> {
    let row = sqlx::query(
        "SELECT h.seq, h.hash, r.seq, r.at, r.grant_id, \
         CASE WHEN OCTET_LENGTH(r.line) < 1000000 THEN r.line END, i.name FROM head h \
         LEFT JOIN installation i ON i.id = 1 LEFT JOIN record r ON r.seq = (SELECT MAX(seq) FROM record) WHERE h.id = 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok((Err(NO_HEAD.into()), None, None)) };
    let last: Option<i64> = row.try_get(2)?;
    let last = last.map(|_| Kept::read(&row, 2)).transpose()?;
    Ok((read_head(&row).map_err(|_| UNREADABLE_HEAD.into()), last, row.try_get(6)?))
}

const NO_HEAD: &str = "the store has no head of the audit log";
const UNREADABLE_HEAD: &str = "cannot read the head of the audit log in the store";

/// Sets the head to the last line, whatever it is.
pub(super) async fn mend_head(connection: &mut AnyConnection, head: Head) -> Result<(), Error> {
    let seq = i64::try_from(head.seq).unwrap_or(i64::MAX);
    sqlx::query("DELETE FROM head").execute(&mut *connection).await?;
    sqlx::query("INSERT INTO head (id, seq, hash) VALUES (1, $1, $2)")
        .bind(seq)
        .bind(head.hash.to_string())
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Where the audit log ends by the store's own word, or why that is none.
pub(super) async fn head_of(connection: &mut AnyConnection) -> Result<Result<Head, String>, Error> {
    let row = sqlx::query("SELECT seq, hash FROM head WHERE id = 1").fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(Err(NO_HEAD.into())) };
    Ok(read_head(&row).map_err(|_| UNREADABLE_HEAD.into()))
}

pub(super) fn kept(row: &sqlx::any::AnyRow) -> Result<(u64, String), Error> {
    let seq: i64 = row.try_get(0)?;
    Ok((u64::try_from(seq).unwrap_or(0), row.try_get(1)?))
}

fn read_head(row: &sqlx::any::AnyRow) -> Result<Head, Error> {
    let seq: i64 = row.try_get(0)?;
    let hash: String = row.try_get(1)?;
    let seq = u64::try_from(seq).map_err(|error| Error::damaged("head", error))?;
    Ok(Head { seq, hash: hash.parse().map_err(|error| Error::damaged("head", error))? })
}
