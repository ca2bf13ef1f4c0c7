//! The places of enforcement that ever had a rule of ours and were not yet seen empty since the policy forgot them.

use sqlx::Row as _;

use super::{Error, Store};

/// Places as the store remembers them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptDoors {
    /// Those that were remembered by us.
    pub places: Vec<String>,
    /// Those that somebody without the key has put there, or edited.
    pub forged: Vec<String>,
}

/// The purpose of the MAC of a place's row.
pub(super) const SEALED: &str = "door";

impl Store {
    /// Every place that is remembered.
    pub async fn doors(&self) -> Result<KeptDoors, Error> {
        let rows = sqlx::query("SELECT place, firewall, seal FROM doors ORDER BY place")
            .fetch_all(&self.pool)
            .await?;
        let mut kept = KeptDoors::default();
        for row in &rows {
            let (place, firewall): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let seal: String = row.try_get(2)?;
            let is_ours = self.is_seal(&seal, SEALED, &[&place, &firewall]);
            if is_ours { &mut kept.places } else { &mut kept.forged }.push(place);
        }
        Ok(kept)
    }

    /// Remembers a place of enforcement.
    pub async fn keep_door(&self, place: &str, firewall: &str) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO doors (place, firewall, seal) VALUES ($1, $2, $3) ON CONFLICT (place) DO NOTHING",
        )
        .bind(place)
        .bind(firewall)
        .bind(self.seal(SEALED, &[place, firewall]))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Forgets a place of enforcement that was seen empty.
    pub async fn forget_door(&self, place: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM doors WHERE place = $1").bind(place).execute(&self.pool).await?;
        Ok(())
    }
}
