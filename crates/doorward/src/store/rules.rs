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

/// The purpose of the MAC of a rule's row.
pub(super) const SEALED: &str = "rule";

impl Store {
    /// Every rule that is noted. One that somebody without the key has put there is nobody's, and forgotten.
    pub async fn rules(&self) -> Result<Vec<NotedRule>, Error> {
        let rows = sqlx::query("SELECT id, group_id, noted, seal FROM rules ORDER BY id")
            .fetch_all(&self.pool)
            .await?;
        let (mut rules, mut forged) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            let (id, group): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let (noted, seal): (i64, String) = (row.try_get(2)?, row.try_get(3)?);
            if !self.is_seal(&seal, SEALED, &[&id, &group, &noted.to_string()]) {
                tracing::error!(rule = %id, "a rule in the store was not noted by Doorward: it is taken to be nobody's");
                forged.push(id);
                continue;
            }
            rules.push(NotedRule {
                id: id.parse().map_err(|error| Error::damaged("rules", error))?,
                group: group.parse().map_err(|error| Error::damaged("rules", error))?,
                noted: instant(noted),
            });
        }
        for id in forged {
            sqlx::query("DELETE FROM rules WHERE id = $1").bind(id).execute(&self.pool).await?;
        }
        Ok(rules)
    }

    /// Notes rules; one that is noted stays as it is.
    pub async fn note_rules(&self, rules: &[NotedRule]) -> Result<(), Error> {
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        let done = self.note(&mut writing, rules).await;
        writing.end(done).await
    }

    async fn note(&self, connection: &mut AnyConnection, rules: &[NotedRule]) -> Result<(), Error> {
        for rule in rules {
            let noted = rule.noted.as_millisecond();
            let seal = self.seal(SEALED, &[rule.id.as_str(), rule.group.as_str(), &noted.to_string()]);
            sqlx::query(
                "INSERT INTO rules (id, group_id, noted, seal) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
            )
            .bind(rule.id.as_str())
            .bind(rule.group.as_str())
            .bind(noted)
            .bind(seal)
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }

    /// Forgets rules that are gone.
    pub async fn forget_rules(&self, ids: &[SecurityGroupRuleId]) -> Result<(), Error> {
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        let done = forget(&mut writing, ids).await;
        writing.end(done).await
    }
}

async fn forget(connection: &mut AnyConnection, ids: &[SecurityGroupRuleId]) -> Result<(), Error> {
    for id in ids {
        sqlx::query("DELETE FROM rules WHERE id = $1").bind(id.as_str()).execute(&mut *connection).await?;
    }
    Ok(())
}
