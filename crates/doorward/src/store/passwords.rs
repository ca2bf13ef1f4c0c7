//! The last known password of each person, so that a change by an operator is noticed.
//!
//! It is stored as a digest of the hash. Two servers of one store with different password files take each other's for a
//! change: grants end then, and nobody gets access.

use std::collections::BTreeMap;

use doorward_core::audit::Table;
use doorward_core::policy::{PasswordHash, Person};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::coverage::{Bind, Turn};
use super::tables::{Kept, PASSWORDS};
use super::{Error, Store};

/// What was last seen of a person's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPassword {
    /// The password that they had.
    pub seen: Binding,
    /// The one that they are just setting themselves, if any.
    pub own: Option<Binding>,
    /// Whether we noted it, and nobody without the key.
    pub authentic: bool,
}

impl SeenPassword {
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
pub struct Binding(pub(super) String);

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
    pub async fn seen_passwords(&self, now: Timestamp) -> Result<BTreeMap<Person, SeenPassword>, Error> {
        let measured = self.all_rows(&PASSWORDS, now).await?;
        let mut seen = BTreeMap::new();
        for (row, wrong) in &measured.rows {
            let Ok(person) = row.text(0).parse() else { continue };
            let own = row.text(2);
            let own = (!own.is_empty()).then(|| Binding(own.to_owned()));
            seen.insert(
                person,
                SeenPassword { seen: Binding(row.text(1).to_owned()), own, authentic: wrong.is_none() },
            );
        }
        // What was seen and is there no more tells of no password.
        for (name, _) in &measured.missing {
            let Ok(person) = name.parse() else { continue };
            seen.insert(person, SeenPassword { seen: Binding(String::new()), own: None, authentic: false });
        }
        Ok(seen)
    }

    /// Notes which password a person has, once all that was opened under another has ended.
    pub async fn see_password(
        &self,
        person: &Person,
        binding: &Binding,
        now: Timestamp,
    ) -> Result<(), Error> {
        let fields = [person.to_string(), binding.0.clone(), String::new()];
        let mut turn = self.turn().await?;
        let done = async {
            // Another server may have noted it meanwhile.
            if self.password_row(&mut turn, person, now).await?.is_some_and(|row| row.fields == fields) {
                return Ok(((), Vec::new()));
            }
            Ok(((), vec![self.put_row(&mut turn, &PASSWORDS, &fields).await?]))
        }
        .await;
        self.finish(turn, done, Vec::new(), (now, format!("which password {person} has"))).await
    }

    /// Notes that a person is about to change their password themselves, from one to another.
    pub async fn change_own_password(
        &self,
        person: &Person,
        from: &Binding,
        to: &Binding,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut turn = self.turn().await?;
        let done = async {
            let row = self.password_row(&mut turn, person, now).await?;
            let told =
                self.trust.at(u64::MAX, |ledger| ledger.row(Table::Passwords, person.as_str()).is_some());
            let seen = match row {
                Some(row) => row.text(1).to_owned(),
                // What somebody without the key wrote or deleted stays so until all that was opened has ended.
                None if told != Some(false) => return Ok(((), Vec::new())),
                None => from.0.clone(),
            };
            let fields = [person.to_string(), seen, to.0.clone()];
            Ok(((), vec![self.put_row(&mut turn, &PASSWORDS, &fields).await?]))
        }
        .await;
        self.finish(turn, done, Vec::new(), (now, format!("that {person} changes their password"))).await
    }

    /// The row of a person, if it is believed.
    async fn password_row(
        &self,
        turn: &mut Turn,
        person: &Person,
        now: Timestamp,
    ) -> Result<Option<Kept>, Error> {
        let binds = [Bind::Text(person.to_string())];
        let measured = self.rows_where(Some(turn), &PASSWORDS, ("t.person = $1", "2"), &binds, now).await?;
        Ok(measured.believed().next())
    }
}

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
        let now = Timestamp::now();
        store.see_password(&jon, &third, now).await.expect("noted");
        let copy = "CREATE TABLE copy AS SELECT * FROM passwords";
        sqlx::query(copy).execute(&store.pool).await.expect("a copy");
        for edit in [
            "UPDATE passwords SET seen = 'c'",
            "UPDATE passwords SET own = 'c'",
            "UPDATE passwords SET seal = ''",
            "DELETE FROM passwords",
            "REPLACE INTO passwords SELECT * FROM copy",
        ] {
            store.see_password(&jon, &old, now).await.expect("noted");
            store.change_own_password(&jon, &old, &new, now).await.expect("noted");
            let seen = store.seen_passwords(now).await.expect("read").remove(&jon).expect("a row");
            assert!(seen.accepts(&old) && seen.accepts(&new) && !seen.accepts(&third));
            assert_eq!(store.wrong_rows(now, &mut Vec::new()).await.expect("read"), [""; 0]);
            sqlx::query(edit).execute(&store.pool).await.expect("an edit");
            let found = store.verify().await.expect("read").expect_err("a fault");
            assert!(found.contains("password"), "{found}");
            // One's own change does not make it right.
            store.change_own_password(&jon, &old, &new, now).await.expect("noted");
            let seen = store.seen_passwords(now).await.expect("read").remove(&jon).expect("a row");
            for now in [&old, &new, &third] {
                assert!(!seen.accepts(now), "{edit}");
            }
        }
    }
}
