//! The firewalls that ever had one of our rules and were not yet seen empty since the policy stopped listing them.

use doorward_core::audit::{RowLeft, Table};
use jiff::Timestamp;

use super::tables::DOORS;
use super::told::Bind;
use super::{Error, Store};

/// Places as the store remembers them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptDoors {
    /// Those that were remembered by us.
    pub places: Vec<String>,
    /// Those that somebody without the key has put there, back there, or edited.
    pub forged: Vec<String>,
    /// Those whose row somebody else has deleted.
    pub missing: Vec<String>,
}

impl Store {
    /// Every place that is remembered.
    pub async fn doors(&self, now: Timestamp) -> Result<KeptDoors, Error> {
        let measured = self.all_rows(None, &DOORS, now).await?;
        let mut kept = KeptDoors::default();
        for (row, wrong) in &measured.rows {
            let places = if wrong.is_none() { &mut kept.places } else { &mut kept.forged };
            places.push(row.text(0).to_owned());
        }
        kept.missing = measured.missing.into_iter().map(|(place, _)| place).collect();
        Ok(kept)
    }

    /// Remembers a place of enforcement.
    pub async fn keep_door(&self, place: &str, firewall: &str, now: Timestamp) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let of_place = ("t.place = $1", "2");
            let binds = [Bind::Text(place.to_owned())];
            let measured = self.rows_where(Some(&mut turn), &DOORS, of_place, &binds, now).await?;
            if measured.believed().next().is_some() {
                return Ok(((), Vec::new()));
            }
            let row = self.put_row(&mut turn, &DOORS, &[place.to_owned(), firewall.to_owned()]).await?;
            Ok(((), vec![row]))
        }
        .await;
        let noted = format!("that rules of ours may be in {firewall}");
        self.finish(turn, done, Vec::new(), (now, noted)).await
    }

    /// Forgets a place of enforcement that was seen empty.
    pub async fn forget_door(&self, place: &str, now: Timestamp) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            sqlx::query("DELETE FROM doors WHERE place = $1").bind(place).execute(&mut *turn).await?;
            Ok(((), vec![RowLeft::gone(Table::Doors, place)]))
        }
        .await;
        self.finish(turn, done, Vec::new(), (now, format!("that no rule of ours is in {place} any more")))
            .await
    }
}
