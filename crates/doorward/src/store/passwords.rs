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
    /// Whether we noted it, and nobody without the key.
    pub authentic: bool,
}

/// The purpose of the MAC of a row.
pub(super) const SEALED: &str = "password seen";

impl Seen {
    /// Whether the password is the one that was seen, or the person's own new one. Where that was altered nobody can say
    /// it, so that it is not.
    pub fn accepts(&self, now: &Binding) -> bool {
        self.is_of(now) || self.authentic && self.own.as_ref() == Some(now)
    }

    /// Whether there is nothing to note.
    pub fn is_of(&self, now: &Binding) -> bool {
        self.authentic && self.seen == *now
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
        let rows = sqlx::query("SELECT person, seen, own, seal FROM passwords").fetch_all(&self.pool).await?;
        let mut seen = BTreeMap::new();
        for row in &rows {
            let (name, binding): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let (own, seal): (String, String) = (row.try_get(2)?, row.try_get(3)?);
            let Ok(person) = name.parse() else { continue };
            let authentic = self.is_seal(&seal, SEALED, &[&name, &binding, &own]);
            let own = (!own.is_empty()).then_some(Binding(own));
            seen.insert(person, Seen { seen: Binding(binding), own, authentic });
        }
        Ok(seen)
    }

    /// Notes which password a person has, once all that was opened under another has ended.
    pub async fn see_password(&self, person: &Person, now: &Binding) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO passwords (person, seen, own, seal) VALUES ($1, $2, '', $3) \
             ON CONFLICT (person) DO UPDATE SET seen = excluded.seen, own = excluded.own, seal = excluded.seal",
        )
        .bind(person.as_str())
        .bind(&now.0)
        .bind(self.seal(SEALED, &[person.as_str(), &now.0, ""]))
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
        for _ in 0..TRIES {
            let row = sqlx::query("SELECT seen, seal, own FROM passwords WHERE person = $1")
                .bind(person.as_str())
                .fetch_optional(&self.pool)
                .await?;
            let done = match row {
                None => {
                    sqlx::query(
                        "INSERT INTO passwords (person, seen, own, seal) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (person) DO NOTHING",
                    )
                    .bind(person.as_str())
                    .bind(&from.0)
                    .bind(&to.0)
                    .bind(self.seal(SEALED, &[person.as_str(), &from.0, &to.0]))
                    .execute(&self.pool)
                    .await?
                }
                Some(row) => {
                    let (seen, old): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                    let own: String = row.try_get(2)?;
                    // What somebody without the key wrote stays what it is until all that was opened has ended.
                    let authentic = self.is_seal(&old, SEALED, &[person.as_str(), &seen, &own]);
                    let seal = authentic.then(|| self.seal(SEALED, &[person.as_str(), &seen, &to.0]));
                    sqlx::query(
                        "UPDATE passwords SET own = $1, seal = $2 WHERE person = $3 AND seen = $4 AND seal = $5",
                    )
                    .bind(&to.0)
                    .bind(seal.unwrap_or_default())
                    .bind(person.as_str())
                    .bind(seen)
                    .bind(old)
                    .execute(&self.pool)
                    .await?
                }
            };
            // Somebody else noted another one in this moment.
            if done.rows_affected() > 0 {
                return Ok(());
            }
        }
        Err(Error::Conflict)
    }
}

/// How often a row is read anew because it was written meanwhile.
const TRIES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_somebody_wrote_of_a_password_into_the_store_is_taken_for_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let jon: Person = "jon".parse().expect("a name");
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let (old, new, third) = (Binding("a".into()), Binding("b".into()), Binding("c".into()));
        for edit in [
            "UPDATE passwords SET seen = 'c'",
            "UPDATE passwords SET own = 'c'",
            "UPDATE passwords SET seal = ''",
        ] {
            store.see_password(&jon, &old).await.expect("noted");
            store.change_own_password(&jon, &old, &new).await.expect("noted");
            let seen = store.seen_passwords().await.expect("read").remove(&jon).expect("a row");
            assert!(seen.accepts(&old) && seen.accepts(&new) && !seen.accepts(&third));
            assert!(store.verify().await.expect("read").is_ok());
            sqlx::query(edit).execute(&store.pool).await.expect("an edit");
            let found = store.verify().await.expect("read").expect_err("a fault");
            assert!(found.contains("the password of \"jon\""), "{found}");
            // One's own change does not make it right.
            store.change_own_password(&jon, &old, &new).await.expect("noted");
            let seen = store.seen_passwords().await.expect("read").remove(&jon).expect("a row");
            for now in [&old, &new, &third] {
                assert!(!seen.accepts(now), "{edit}");
            }
        }
    }
}
