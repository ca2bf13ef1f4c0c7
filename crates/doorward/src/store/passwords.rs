//! Which password each person had when it was last looked at, so that a change by an operator is noticed.
//!
//! Kept is a digest of the hash. Two servers of one store that read different password files take each other's for a
//! change: grants end then, and nobody is let in.

use std::collections::BTreeMap;

use doorward_core::policy::{PasswordHash, Person};
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::{Error, Store};

/// What was last seen of a person's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The password that they had.
    pub seen: Binding,
    /// The one that they are just setting themselves, if any.
    pub own: Option<Binding>,
}

impl Seen {
    /// Whether the password is the one that was seen, or the person's own new one.
    pub fn accepts(&self, now: &Binding) -> bool {
        self.seen == *now || self.own.as_ref() == Some(now)
    }
}

/// A digest of a hashed password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding(String);

impl Binding {
    /// Of a hash.
    pub fn of(hash: &PasswordHash) -> Self {
        let (kind, cost) = (hash.kind().prefix(), hash.cost());
        let text = format!("doorward password {kind} {cost} {} {}", hash.salt(), hash.digest());
        Self(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Store {
    /// What was last seen of everybody's password.
    pub async fn seen_passwords(&self) -> Result<BTreeMap<Person, Seen>, Error> {
        let rows = sqlx::query("SELECT person, seen, own FROM passwords").fetch_all(&self.pool).await?;
        let mut seen = BTreeMap::new();
        for row in &rows {
            let person: String = row.try_get(0)?;
            let Ok(person) = person.parse() else { continue };
            let own: String = row.try_get(2)?;
            let own = (!own.is_empty()).then_some(Binding(own));
            seen.insert(person, Seen { seen: Binding(row.try_get(1)?), own });
        }
        Ok(seen)
    }

    /// Notes which password a person has, once all that was opened under another has ended.
    pub async fn see_password(&self, person: &Person, now: &Binding) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO passwords (person, seen, own) VALUES ($1, $2, '') \
             ON CONFLICT (person) DO UPDATE SET seen = excluded.seen, own = excluded.own",
        )
        .bind(person.as_str())
        .bind(&now.0)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that a person is about to change their password themselves, from one to another.
    pub async fn change_own_password(
        &self,
        person: &Person,
        from: &Binding,
        to: &Binding,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO passwords (person, seen, own) VALUES ($1, $2, $3) \
             ON CONFLICT (person) DO UPDATE SET own = excluded.own",
        )
        .bind(person.as_str())
        .bind(&from.0)
        .bind(&to.0)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
