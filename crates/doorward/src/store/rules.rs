//! Rules of security groups that are ours by their ids: a description and a tag can be edited, an id cannot.

use doorward_core::inventory::{SecurityGroupId, SecurityGroupRuleId};
use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

use super::grants::instant;
use super::writing::Writing;
use super::{Error, Store};

/// A rule that was made by this installation, or was seen with its tag and its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedRule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// The group that it is in.
    pub group: SecurityGroupId,
    /// When it was noted.
    pub noted: Timestamp,
}

impl Store {
    /// Every rule that is noted.
    pub async fn rules(&self) -> Result<Vec<NotedRule>, Error> {
        let rows =
            sqlx::query("SELECT id, group_id, noted FROM rules ORDER BY id").fetch_all(&self.pool).await?;
        let read = |row: &sqlx::any::AnyRow| -> Result<NotedRule, Error> {
            let (id, group): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok(NotedRule {
                id: id.parse().map_err(|error| Error::damaged("rules", error))?,
                group: group.parse().map_err(|error| Error::damaged("rules", error))?,
                noted: instant(row.try_get(2)?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Notes rules; one that is noted stays as it is.
    pub async fn note_rules(&self, rules: &[NotedRule]) -> Result<(), Error> {
        let mut writing = Writing::begin(&self.pool).await?;
        let done = note(&mut writing, rules).await;
        writing.end(done).await
    }

    /// Forgets rules that are gone.
    pub async fn forget_rules(&self, ids: &[SecurityGroupRuleId]) -> Result<(), Error> {
        let mut writing = Writing::begin(&self.pool).await?;
        let done = forget(&mut writing, ids).await;
        writing.end(done).await
    }
}

async fn note(connection: &mut AnyConnection, rules: &[NotedRule]) -> Result<(), Error> {
    for rule in rules {
        sqlx::query(
            "INSERT INTO rules (id, group_id, noted) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
        )
        .bind(rule.id.as_str())
        .bind(rule.group.as_str())
        .bind(rule.noted.as_millisecond())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn forget(connection: &mut AnyConnection, ids: &[SecurityGroupRuleId]) -> Result<(), Error> {
    for id in ids {
        sqlx::query("DELETE FROM rules WHERE id = $1").bind(id.as_str()).execute(&mut *connection).await?;
    }
    Ok(())
}
