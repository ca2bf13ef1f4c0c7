//! Rows that bear a MAC of their own, each looked at by `audit verify`, and thrown away when an operator accepts the store.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::{Error, Store, doors, known, passwords, rules, sessions};

/// A table each of whose rows is sealed: the columns under the MAC, the first of which is its key, and then the MAC.
struct Table {
    name: &'static str,
    purpose: &'static str,
    rows: &'static str,
    delete: &'static str,
    told: fn(&[String]) -> String,
}

const TABLES: [Table; 5] = [
    Table {
        name: "rules",
        purpose: rules::SEALED,
        rows: "SELECT id, group_id, noted, seal FROM rules ORDER BY id",
        delete: "DELETE FROM rules WHERE id = $1 AND seal = $2",
        told: |row| {
            format!("the rule {:?} in the store was noted by somebody without the key", column(row, 0))
        },
    },
    Table {
        name: "sessions",
        purpose: sessions::SEALED,
        rows: "SELECT token, person, kind, made, ends, origin, bound, used, used_from, seal FROM sessions ORDER BY token",
        delete: "DELETE FROM sessions WHERE token = $1 AND seal = $2",
        told: |row| {
            format!("a session of {:?} in the store was altered by somebody without the key", column(row, 1))
        },
    },
    Table {
        name: "known",
        purpose: known::SEALED,
        rows: "SELECT mark, person, kind, at, seal FROM known ORDER BY mark",
        delete: "DELETE FROM known WHERE mark = $1 AND seal = $2",
        told: |row| {
            let person = column(row, 1);
            format!("that {person:?} signed in before was put into the store by somebody without the key")
        },
    },
    Table {
        name: "passwords",
        purpose: passwords::SEALED,
        rows: "SELECT person, seen, own, seal FROM passwords ORDER BY person",
        delete: "DELETE FROM passwords WHERE person = $1 AND seal = $2",
        told: |row| {
            let person = column(row, 0);
            format!(
                "what the store says of the password of {person:?} was altered by somebody without the key"
            )
        },
    },
    Table {
        name: "doors",
        purpose: doors::SEALED,
        rows: "SELECT place, firewall, seal FROM doors ORDER BY place",
        delete: "DELETE FROM doors WHERE place = $1 AND seal = $2",
        told: |row| forged_door(column(row, 0)),
    },
];

/// What is said of a place whose row is not ours.
pub fn forged_door(place: &str) -> String {
    format!("the place of rules {place:?} in the store was noted by somebody without the key")
}

fn column(row: &[String], index: usize) -> &str {
    row.get(index).map(String::as_str).unwrap_or_default()
}

/// Every column as a text; what is neither a text nor a number is none, and so under no MAC.
fn texts(row: &AnyRow) -> Vec<String> {
    let text = |index| {
        let number = |_| row.try_get::<i64, _>(index).map(|number| number.to_string());
        row.try_get::<String, _>(index).or_else(number).unwrap_or_default()
    };
    (0..row.len()).map(text).collect()
}

impl Store {
    /// What bears no right MAC, in words.
    pub(super) async fn forged_rows(&self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let mut connection = self.pool.acquire().await?;
        for table in &TABLES {
            let rows = self.forged_of(&mut connection, table).await?;
            found.extend(rows.iter().map(|row| (table.told)(row)));
        }
        Ok(found)
    }

    async fn forged_of(
        &self,
        connection: &mut AnyConnection,
        table: &Table,
    ) -> Result<Vec<Vec<String>>, Error> {
        let rows = sqlx::query(table.rows).fetch_all(&mut *connection).await?;
        let forged = |row: &Vec<String>| {
            row.split_last().is_none_or(|(seal, fields)| {
                let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                !self.is_seal(seal, table.purpose, &fields)
            })
        };
        Ok(rows.iter().map(texts).filter(forged).collect())
    }

    /// Throws away what bears no right MAC, once an operator has accepted the store.
    pub(super) async fn drop_forged(&self, connection: &mut AnyConnection) -> Result<(), Error> {
        for table in &TABLES {
            for row in self.forged_of(connection, table).await? {
                let seal = row.last().map(String::as_str).unwrap_or_default();
                let done = sqlx::query(table.delete)
                    .bind(column(&row, 0))
                    .bind(seal)
                    .execute(&mut *connection)
                    .await?;
                let rows = done.rows_affected();
                tracing::warn!(table = table.name, rows, "a row without a seal was deleted from the store");
            }
        }
        Ok(())
    }

    /// Seals the rows that were there before their tables had seals.
    pub(super) async fn seal_what_was_there(&self) -> Result<(), Error> {
        let rows =
            sqlx::query("SELECT place, firewall FROM doors WHERE seal = ''").fetch_all(&self.pool).await?;
        for row in &rows {
            let (place, firewall): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            sqlx::query("UPDATE doors SET seal = $1 WHERE place = $2 AND firewall = $3 AND seal = ''")
                .bind(self.seal(doors::SEALED, &[&place, &firewall]))
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
            .bind(self.seal(passwords::SEALED, &[&person, &seen, &own]))
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
    use jiff::Timestamp;

    use super::super::passwords::Binding;
    use super::super::{KeptDoors, Mark};
    use super::*;

    async fn run(store: &Store, statements: &[&'static str]) {
        for statement in statements {
            sqlx::query(*statement).execute(&store.pool).await.expect("a statement");
        }
    }

    #[tokio::test]
    async fn rows_from_before_the_seals_are_sealed_once_and_what_is_edited_later_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let jon = "jon".parse().expect("a name");
        let (now, password) = (Timestamp::UNIX_EPOCH, Binding::of(&hash()));
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        store.keep_door("group 1", "clients").await.expect("kept");
        store.see_password(&jon, &password).await.expect("noted");
        let (network, device) = (Mark::network(&jon, "x"), Mark::device(&jon, "x"));
        store.remember(&jon, network, device, now).await.expect("remembered");
        // As the version before left it.
        run(
            &store,
            &[
                "ALTER TABLE doors DROP COLUMN seal",
                "ALTER TABLE passwords DROP COLUMN seal",
                "ALTER TABLE known DROP COLUMN seal",
                "DELETE FROM _sqlx_migrations WHERE version = 6",
            ],
        )
        .await;
        store.close().await;

        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let doors = KeptDoors { places: vec!["group 1".into()], forged: Vec::new() };
        assert_eq!(store.doors().await.expect("read"), doors);
        assert!(store.seen_passwords().await.expect("read")[&jon].accepts(&password));
        assert_eq!(store.known(now).await.expect("read"), []);
        assert!(store.verify().await.expect("read").is_ok());

        // A row without a seal is not sealed at any later start.
        run(&store, &["UPDATE doors SET seal = ''", "UPDATE passwords SET seal = ''"]).await;
        store.close().await;
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let doors = KeptDoors { places: Vec::new(), forged: vec!["group 1".into()] };
        assert_eq!(store.doors().await.expect("read"), doors);
        assert!(!store.seen_passwords().await.expect("read")[&jon].accepts(&password));
        let verified = store.verify_all(&[]).await.expect("read");
        assert_eq!(verified.found.len(), 2, "{verified:?}");
        assert!(verified.found[0].contains("\"jon\"") && verified.found[1] == forged_door("group 1"));

        // Who accepts the store as it stands goes on without those rows.
        let event = |what| doorward_core::audit::Event::new(now, doorward_core::audit::Who::Doorward, what);
        store.accept(verified.head, event, verified.found).await.expect("accepted");
        assert!(store.verify().await.expect("read").is_ok());
        assert_eq!(store.doors().await.expect("read"), KeptDoors::default());
    }

    fn hash() -> doorward_core::policy::PasswordHash {
        "$2y$04$jJ/WporsmEoDRE2e/WABxO0LceGeskU4GolGQywMqjrYT0Gfi4ExS".parse().expect("a hash")
    }
}
