//! The firewalls that ever had one of our rules and were not yet seen empty since the policy stopped listing them.

use doorward_core::audit::{RowLeft, Table};
use jiff::Timestamp;

use super::coverage::Bind;
use super::tables::DOORS;
use super::{Error, Store};

/// Security groups as the store remembers them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptGroups {
    /// Those that were remembered by us.
    pub groups: Vec<String>,
    /// Those that somebody without the key has put there, back there, or edited.
    pub forged: Vec<String>,
    /// Those whose row somebody else has deleted.
    pub missing: Vec<String>,
}

impl Store {
    /// Every group that is remembered.
    pub async fn remembered_groups(&self, now: Timestamp) -> Result<KeptGroups, Error> {
        let measured = self.all_rows(&DOORS, now).await?;
        let mut kept = KeptGroups::default();
        for (row, wrong) in &measured.rows {
            let groups = if wrong.is_none() { &mut kept.groups } else { &mut kept.forged };
            groups.push(row.text(0).to_owned());
        }
        kept.missing = measured.missing.into_iter().map(|(group, _)| group).collect();
        Ok(kept)
    }

    /// Remembers a security group that may have rules of ours.
    pub async fn remember_group(&self, group: &str, firewall: &str, now: Timestamp) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let of_group = ("t.place = $1", "2");
            let binds = [Bind::Text(group.to_owned())];
            let measured = self.rows_where(Some(&mut turn), &DOORS, of_group, &binds, now).await?;
            if measured.believed().next().is_some() {
                return Ok(((), Vec::new()));
            }
            let row = self.put_row(&mut turn, &DOORS, &[group.to_owned(), firewall.to_owned()]).await?;
            Ok(((), vec![row]))
        }
        .await;
        let noted = format!("that rules of ours may be in {firewall}");
        self.finish(turn, done, Vec::new(), (now, noted)).await
    }

    /// Forgets a security group that was seen empty.
    pub async fn forget_group(&self, group: &str, now: Timestamp) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            sqlx::query("DELETE FROM doors WHERE place = $1").bind(group).execute(&mut *turn).await?;
            Ok(((), vec![RowLeft::gone(Table::Doors, group)]))
        }
        .await;
        self.finish(turn, done, Vec::new(), (now, format!("that no rule of ours is in {group} any more")))
            .await
    }
}
