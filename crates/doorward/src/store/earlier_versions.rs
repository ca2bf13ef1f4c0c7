//! Migrates the trust in stores of earlier versions: each step once, by the start that adds it.

use doorward_core::audit::{Event, Hash, Head, Left, What, Who};
use doorward_core::grant::Grant;
use jiff::Timestamp;
use sqlx::Row as _;

use super::coverage::Turn;
use super::reading::Read;
use super::tables;
use super::writing::Writing;
use super::{Error, Store};

impl Store {
    /// Seals a record that was begun before there was a key.
    pub(super) async fn seal_early(&self, read: &Read) -> Result<(), Error> {
        let rows =
            sqlx::query("SELECT body FROM grants WHERE state <> 'ended'").fetch_all(&self.pool).await?;
        let mut grants = std::collections::BTreeMap::new();
        for row in &rows {
            let body: String = row.try_get(0)?;
            let Ok(grant) = serde_json::from_str::<Grant>(&body) else { continue };
            if read.early.tells_of(&grant) {
                grants.insert(grant.id().clone(), Hash::of(body.as_bytes()));
            }
        }
        tracing::warn!(head = %read.end, grants = grants.len(), "audit log is older than its key, sealing it");
        let seal = What::LogSealed {
            sealed: read.end.to_string(),
            digest: read.digest,
            rows: self.ended_rows().await?,
            found: Vec::new(),
            grants,
        };
        let mut turn = Turn { writing: Writing::begin(&self.pool, &self.queue).await?, head: read.end };
        let done = async {
            if super::record::lock_head(&mut turn).await? != read.end {
                // Another server of this store was faster.
                return Err(Error::Conflict);
            }
            let left = Left { grant: None, rows: self.sealed_rows(&mut turn).await? };
            let event = Event::new(Timestamp::now(), Who::Doorward, seal);
            self.append(&mut turn.writing, turn.head, vec![(event, left)]).await
        }
        .await;
        let (_, entries) = turn.writing.end(done).await?;
        self.trust.begin_with(&entries);
        Ok(())
    }

    /// Has the audit log tell of the rows that a version before left, of which it said nothing; called once, by the start
    /// that brings the store to this form. Sessions and earlier sign-ins are gone by then.
    pub(super) async fn tell_of_rows_before(&self) -> Result<(), Error> {
        let needless = {
            let inner = self.trust.inner();
            inner.broken.is_some() || inner.ledger.tells_of_rows() || inner.ledger.head() == Head::EMPTY
        };
        if needless {
            return Ok(());
        }
        let mut turn = self.turn().await?;
        let done = async {
            let rows = self.sealed_rows(&mut turn).await?;
            let noted = format!("the rows that a version before had left in the store: {}", rows.len());
            let event = Event::new(Timestamp::now(), Who::Doorward, What::RowsNoted { noted });
            self.append(&mut turn.writing, turn.head, vec![(event, Left { grant: None, rows })]).await
        }
        .await;
        let appended = turn.writing.end(done).await?;
        self.appended(appended);
        Ok(())
    }

    /// Seals the rows that were there before their tables had seals.
    pub(super) async fn seal_what_was_there(&self) -> Result<(), Error> {
        let rows =
            sqlx::query("SELECT place, firewall FROM doors WHERE seal = ''").fetch_all(&self.pool).await?;
        for row in &rows {
            let (place, firewall): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            sqlx::query("UPDATE doors SET seal = $1 WHERE place = $2 AND firewall = $3 AND seal = ''")
                .bind(tables::DOORS.seal(&self.trust.key, &[place.clone(), firewall.clone()]))
                .bind(place)
                .bind(firewall)
                .execute(&self.pool)
                .await?;
        }
        let rows = sqlx::query("SELECT person, seen, own FROM passwords WHERE seal = ''")
            .fetch_all(&self.pool)
            .await?;
        for row in &rows {
            let (person, seen, own): (String, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            sqlx::query(
                "UPDATE passwords SET seal = $1 WHERE person = $2 AND seen = $3 AND own = $4 AND seal = ''",
            )
            .bind(tables::PASSWORDS.seal(&self.trust.key, &[person.clone(), seen.clone(), own.clone()]))
            .bind(person)
            .bind(seen)
            .bind(own)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::Table;
    use doorward_core::policy::{PasswordHash, Person};

    use super::super::passwords::Binding;
    use super::super::{KeptGroups, SeenPassword};
    use super::*;

    async fn run(store: &Store, statements: &[&'static str]) {
        for statement in statements {
            sqlx::query(*statement).execute(&store.pool).await.expect("a statement");
        }
    }

    /// A store with a record that says nothing of a place and a password that are in it without seals.
    async fn early(path: &str, password: &Binding) {
        let store = Store::open(path, [1; 4]).await.expect("a store");
        let event = Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::SignedIn);
        store.commit(&[], vec![event]).await.expect("recorded");
        run(
            &store,
            &[
                "INSERT INTO doors (place, firewall, seal) VALUES ('group 1', 'clients', '')",
                "INSERT INTO known (mark, person, kind, at, seal) VALUES ('0', 'jon', 'device', 0, '')",
            ],
        )
        .await;
        sqlx::query("INSERT INTO passwords (person, seen, own, seal) VALUES ('jon', $1, '', '')")
            .bind(&password.0)
            .execute(&store.pool)
            .await
            .expect("a row");
        store.close().await;
    }

    async fn as_version(path: &str, version: i64) {
        let store = Store::open(path, [1; 4]).await.expect("a store");
        if version < SEALS {
            for table in ["doors", "passwords", "known"] {
                let drop = format!("ALTER TABLE {table} DROP COLUMN seal");
                sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&store.pool).await.expect("dropped");
            }
        }
        let gone = sqlx::query("DELETE FROM _sqlx_migrations WHERE version > $1").bind(version);
        gone.execute(&store.pool).await.expect("deleted");
        store.close().await;
    }

    const SEALS: i64 = 6;

    #[tokio::test]
    async fn rows_from_before_the_seals_are_sealed_once_and_what_is_edited_later_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let jon: Person = "jon".parse().expect("a name");
        let (now, password) = (Timestamp::now(), Binding::of(&hash()));
        early(&path, &password).await;
        as_version(&path, SEALS - 1).await;

        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let remembered_groups = KeptGroups { groups: vec!["group 1".into()], ..KeptGroups::default() };
        assert_eq!(store.remembered_groups(now).await.expect("read"), remembered_groups);
        assert!(store.seen_passwords(now).await.expect("read")[&jon].accepts(&password));
        assert_eq!(store.known(now).await.expect("read"), []);
        assert!(store.verify().await.expect("read").is_ok());

        // A row without a seal is not sealed at any later start.
        run(&store, &["UPDATE doors SET seal = ''", "UPDATE passwords SET seal = ''"]).await;
        store.close().await;
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let remembered_groups = KeptGroups { forged: vec!["group 1".into()], ..KeptGroups::default() };
        assert_eq!(store.remembered_groups(now).await.expect("read"), remembered_groups);
        assert!(!store.seen_passwords(now).await.expect("read")[&jon].accepts(&password));
        let verified = store.verify_all(&[]).await.expect("read");
        let noted = "the firewall entry \"group 1\" was noted by somebody without the key";
        assert_eq!(verified.found.len(), 2, "{verified:?}");
        assert!(verified.found[0].contains("\"jon\"") && verified.found[1] == noted);

        // Who accepts the store as it is goes on without those rows.
        let event = |what| Event::new(now, Who::Doorward, what);
        store.accept(verified.head, event, verified.found).await.expect("accepted");
        assert!(store.verify().await.expect("read").is_ok());
        assert_eq!(store.remembered_groups(now).await.expect("read"), KeptGroups::default());
    }

    #[tokio::test]
    async fn rows_of_a_version_whose_record_said_nothing_of_them_are_told_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let jon: Person = "jon".parse().expect("a name");
        let (now, password) = (Timestamp::now(), Binding::of(&hash()));
        early(&path, &password).await;
        as_version(&path, SEALS - 1).await;
        Store::open(&path, [1; 4]).await.expect("a store").close().await;
        // It is as the last version left it, but for what the audit log says.
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let seen = SeenPassword { seen: password.clone(), own: None, authentic: true };
        assert_eq!(store.seen_passwords(now).await.expect("read")[&jon], seen);
        let entries = store.head().await.expect("a head").seq;
        run(&store, &["CREATE TABLE copy AS SELECT * FROM passwords"]).await;
        let other = Binding("other".into());
        store.see_password(&jon, &other, now).await.expect("noted");
        store.close().await;
        // Somebody without the key puts the row of then back, and has the start of then come again.
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        run(&store, &["DELETE FROM passwords", "INSERT INTO passwords SELECT * FROM copy"]).await;
        store.close().await;
        as_version(&path, SEALS).await;
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        assert_eq!(store.head().await.expect("a head").seq, entries + 1, "nothing more is told");
        assert!(!store.seen_passwords(now).await.expect("read")[&jon].authentic);
        assert_eq!(store.mend(Table::Passwords, now).await.expect("found").len(), 1);
    }

    fn hash() -> PasswordHash {
        "$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS".parse().expect("a hash")
    }
}
