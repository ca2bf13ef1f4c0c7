//! Grants as they are kept: one row each, written together with the record of why.

use std::collections::BTreeSet;

use doorward_core::audit::{Event, Head, append};
use doorward_core::grant::{Grant, GrantId, Life};
use doorward_core::policy::Person;
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::writing::Writing;
use super::{Error, Store};

/// A grant before and after; nothing before, when it is new.
#[derive(Debug, Clone)]
pub struct Change {
    /// As it was read. Should it be otherwise by now, nothing is written.
    pub before: Option<Grant>,
    /// As it shall be.
    pub after: Grant,
}

impl Store {
    /// Writes grants and the events that tell of them, in one transaction, or nothing at all.
    pub async fn commit(&self, changes: &[Change], events: Vec<Event>) -> Result<Head, Error> {
        let mut writing = Writing::begin(&self.pool).await?;
        let done = write_all(&mut writing, changes, events.clone()).await;
        let head = writing.end(done).await?;
        crate::events::log(&events, changes);
        Ok(head)
    }

    /// Every grant that waits or is open, and every ended one whose rules were not yet seen gone, by name.
    pub async fn unfinished(&self) -> Result<Vec<Grant>, Error> {
        let rows = sqlx::query("SELECT id, body FROM grants WHERE settled = 0 ORDER BY id")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().filter_map(readable).collect())
    }

    /// A person's among them.
    pub async fn unfinished_of(&self, person: &Person) -> Result<Vec<Grant>, Error> {
        let rows = sqlx::query("SELECT id, body FROM grants WHERE settled = 0 AND person = $1 ORDER BY id")
            .bind(person.as_str())
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().filter_map(readable).collect())
    }

    /// Every grant that waits for somebody's answer, by name.
    pub async fn waiting(&self) -> Result<Vec<Grant>, Error> {
        let rows = sqlx::query("SELECT id, body FROM grants WHERE state = 'waiting' ORDER BY id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// One grant.
    pub async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, Error> {
        let row = sqlx::query("SELECT id, body FROM grants WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Ended grants, the latest first: a person's, or everybody's.
    pub async fn history(&self, person: Option<&Person>, limit: u32) -> Result<Vec<Grant>, Error> {
        let rows = match person {
            Some(person) => {
                sqlx::query("SELECT id, body FROM grants WHERE state = 'ended' AND person = $1 ORDER BY changed DESC, id LIMIT $2")
                    .bind(person.as_str())
                    .bind(i64::from(limit))
                    .fetch_all(&self.pool)
                    .await?
            }
            None => {
                sqlx::query("SELECT id, body FROM grants WHERE state = 'ended' ORDER BY changed DESC, id LIMIT $1")
                    .bind(i64::from(limit))
                    .fetch_all(&self.pool)
                    .await?
            }
        };
        rows.iter().map(read).collect()
    }

    /// A person's grants that ended at an instant or later.
    pub async fn ended_since(&self, person: &Person, since: Timestamp) -> Result<Vec<Grant>, Error> {
        let rows = sqlx::query(
            "SELECT id, body FROM grants WHERE person = $1 AND changed >= $2 AND state = 'ended' ORDER BY id",
        )
        .bind(person.as_str())
        .bind(since.as_millisecond())
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().filter_map(readable).collect())
    }

    /// Notes that the rules of ended grants were seen gone.
    pub async fn settle(&self, grants: &BTreeSet<GrantId>) -> Result<(), Error> {
        if grants.is_empty() {
            return Ok(());
        }
        let mut writing = Writing::begin(&self.pool).await?;
        let done = async {
            for grant in grants {
                sqlx::query("UPDATE grants SET settled = 1 WHERE id = $1 AND state = 'ended'")
                    .bind(grant.as_str())
                    .execute(&mut *writing)
                    .await?;
            }
            Ok(())
        }
        .await;
        writing.end(done).await
    }
}

async fn write_all(
    connection: &mut AnyConnection,
    changes: &[Change],
    events: Vec<Event>,
) -> Result<Head, Error> {
    // The first statement writes the head's row, so two writers queue here on either engine.
    let mut head = super::record::lock_head(connection).await?;
    for change in changes {
        write(connection, change).await?;
    }
    for event in events {
        let (at, grant) = (event.at, event.what.grant().cloned());
        let (line, next) = append(head, event).map_err(|error| Error::damaged("event", error))?;
        head = next;
        sqlx::query("INSERT INTO record (seq, at, grant_id, line) VALUES ($1, $2, $3, $4)")
            .bind(i64::try_from(head.seq).unwrap_or(i64::MAX))
            .bind(at.as_millisecond())
            .bind(grant.map(|grant| grant.to_string()))
            .bind(line)
            .execute(&mut *connection)
            .await?;
    }
    super::record::write_head(connection, head).await?;
    Ok(head)
}

async fn write(connection: &mut AnyConnection, change: &Change) -> Result<(), Error> {
    let grant = &change.after;
    if change.before.is_none() {
        alone(connection, grant).await?;
    }
    let (state, changed) = match grant.life() {
        Life::Waiting { asked, .. } => ("waiting", *asked),
        Life::Open { since, .. } => ("open", *since),
        Life::Ended { at, .. } => ("ended", *at),
    };
    // What never was open has no rules to be seen gone.
    let settled = i64::from(grant.ended() && grant.since().is_none());
    let body = to_text(grant)?;
    let query = match &change.before {
        None => sqlx::query(
            "INSERT INTO grants (state, changed, settled, body, person, target, id) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(state)
        .bind(changed.as_millisecond())
        .bind(settled)
        .bind(body)
        .bind(grant.person().as_str())
        .bind(grant.target().as_str())
        .bind(grant.id().as_str()),
        Some(before) => {
            sqlx::query("UPDATE grants SET state = $1, changed = $2, settled = $3, body = $4 WHERE id = $5 AND body = $6")
                .bind(state)
                .bind(changed.as_millisecond())
                .bind(settled)
                .bind(body)
                .bind(grant.id().as_str())
                .bind(to_text(before)?)
        }
    };
    let done = query.execute(&mut *connection).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// That nobody gave the person the same in the meantime, through another server of this store: that would have been
/// extended, and not doubled.
async fn alone(connection: &mut AnyConnection, grant: &Grant) -> Result<(), Error> {
    let (state, now) = match grant.life() {
        Life::Waiting { asked, .. } => ("waiting", *asked),
        Life::Open { since, .. } => ("open", *since),
        Life::Ended { .. } => return Ok(()),
    };
    let rows = sqlx::query("SELECT id, body FROM grants WHERE person = $1 AND target = $2 AND state = $3")
        .bind(grant.person().as_str())
        .bind(grant.target().as_str())
        .bind(state)
        .fetch_all(&mut *connection)
        .await?;
    for row in &rows {
        let other = read(row)?;
        let same = other.source() == grant.source() && other.transport() == grant.transport();
        if same && other.overdue(now).is_none() {
            return Err(Error::Conflict);
        }
    }
    Ok(())
}

fn to_text(grant: &Grant) -> Result<String, Error> {
    serde_json::to_string(grant).map_err(|error| Error::damaged(grant.id().as_str(), error))
}

/// One that cannot be read lets nobody in, and keeps nobody else out.
fn readable(row: &AnyRow) -> Option<Grant> {
    read(row).map_err(|error| tracing::error!(%error, "a grant is left out")).ok()
}

fn read(row: &AnyRow) -> Result<Grant, Error> {
    let id: String = row.try_get(0)?;
    let body: String = row.try_get(1)?;
    serde_json::from_str(&body).map_err(|error| Error::damaged(id, error))
}

/// Milliseconds since 1970, as they are kept, to an instant.
pub(super) fn instant(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
