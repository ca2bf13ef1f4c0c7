//! The ids of our security group rules: a description and a tag can be edited, an id cannot.

use doorward_core::audit::{RowLeft, Table};
use doorward_core::inventory::{SecurityGroupId, SecurityGroupRuleId};
use jiff::Timestamp;

use super::coverage::Bind;
use super::grants::instant;
use super::tables::{Kept, RULES};
use super::{Error, Store};

/// A rule that was made by this installation, or was seen with its tag and its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedRule {
    pub id: SecurityGroupRuleId,
    /// The group that it is in.
    pub group: SecurityGroupId,
    /// When it was noted.
    pub noted: Timestamp,
}

impl Store {
    /// Every rule that is noted. One that somebody without the key has put there is nobody's, and one whose row somebody
    /// deleted or edited is noted again.
    pub async fn rules(&self, now: Timestamp) -> Result<Vec<NotedRule>, Error> {
        let mut measured = self.all_rows(&RULES, now).await?;
        if !measured.found(&RULES).is_empty() && !self.mend(Table::Rules, now).await?.is_empty() {
            measured = self.all_rows(&RULES, now).await?;
        }
        let read = |row: Kept| {
            Ok(NotedRule {
                id: row.text(0).parse().map_err(|error| Error::damaged("rules", error))?,
                group: row.text(1).parse().map_err(|error| Error::damaged("rules", error))?,
                noted: instant(row.number(2)),
            })
        };
        measured.believed().map(read).collect()
    }

    /// Notes rules; one that is noted stays as it is.
    pub async fn note_rules(&self, rules: &[NotedRule], now: Timestamp) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let mut rows = Vec::new();
            for rule in rules {
                let binds = [Bind::Text(rule.id.to_string())];
                let measured =
                    self.rows_where(Some(&mut turn), &RULES, ("t.id = $1", "2"), &binds, now).await?;
                if measured.believed().next().is_none() {
                    let noted = rule.noted.as_millisecond().to_string();
                    let fields = [rule.id.to_string(), rule.group.to_string(), noted];
                    rows.push(self.put_row(&mut turn, &RULES, &fields).await?);
                }
            }
            Ok(((), rows))
        }
        .await;
        self.finish(turn, done, Vec::new(), (now, format!("the ids of rules of ours: {}", rules.len()))).await
    }

    /// Forgets rules that are gone.
    pub async fn forget_rules(&self, rules: &[NotedRule], now: Timestamp) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let mut rows = Vec::new();
            for rule in rules {
                sqlx::query("DELETE FROM rules WHERE id = $1")
                    .bind(rule.id.as_str())
                    .execute(&mut *turn)
                    .await?;
                let key = RULES.key(&[rule.id.to_string(), rule.group.to_string()]);
                rows.push(RowLeft::gone(Table::Rules, key));
            }
            Ok(((), rows))
        }
        .await;
        self.finish(turn, done, Vec::new(), (now, format!("that rules of ours are gone: {}", rules.len())))
            .await
    }
}
