//! What the database itself makes of our statements: whether each of our tables is a table, and what else hangs on them.
//!
//! It is read from the catalog, which nobody can replace by a view, and before anything is read from a table: a view may never
//! end, and a trigger may hold up whoever writes.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use tokio::sync::OnceCell;

use super::Error;
use super::answering::TABLES;

/// An object of the database, as its catalog has it.
struct Object {
    kind: String,
    name: String,
    table: String,
    /// Whether it is a table with rows of its own.
    is_table: bool,
}

/// Generated columns are computed when they are read, and may take as long and as much as they like.
const SQLITE: &str = "\
SELECT type, name, tbl_name, type = 'table' AND rootpage > 0 FROM sqlite_master WHERE type <> 'index' \
UNION ALL SELECT 'foreign key', m.name, x.\"table\", 0 FROM sqlite_master m, pragma_foreign_key_list(m.name) x \
          WHERE m.type = 'table' \
UNION ALL SELECT 'index', x.name, m.name, 0 FROM sqlite_master m, pragma_index_list(m.name) x \
          WHERE m.type = 'table' AND m.rootpage > 0 AND x.origin = 'c' AND (x.\"unique\" OR x.partial OR EXISTS \
          (SELECT 1 FROM pragma_index_info(x.name) i WHERE i.cid = -2)) \
UNION ALL SELECT 'generated column', x.name, m.name, 0 FROM sqlite_master m, pragma_table_xinfo(m.name) x \
          WHERE m.type = 'table' AND m.rootpage > 0 AND x.hidden > 1";

/// What names, divided by commas, lead to by the same search path as in every statement, and what hangs on that.
const POSTGRESQL: &str = "\
WITH ours AS (SELECT c.oid, c.relname::text AS name, c.relkind::text AS kind, c.relrowsecurity AS filtered \
              FROM UNNEST(STRING_TO_ARRAY($1, ',')) AS named JOIN pg_catalog.pg_class c ON c.oid = TO_REGCLASS(named)) \
SELECT CASE kind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' \
       WHEN 'p' THEN 'partitioned table' ELSE 'table' END, name, name, kind = 'r' FROM ours \
UNION ALL SELECT 'row security', name, name, FALSE FROM ours WHERE filtered \
UNION ALL SELECT 'generated column', a.attname::text, ours.name, FALSE FROM pg_catalog.pg_attribute a \
          JOIN ours ON ours.oid = a.attrelid WHERE a.attgenerated <> '' \
UNION ALL SELECT 'trigger', t.tgname::text, ours.name, FALSE FROM pg_catalog.pg_trigger t \
          JOIN ours ON ours.oid = t.tgrelid WHERE NOT t.tgisinternal \
UNION ALL SELECT 'rule', r.rulename::text, ours.name, FALSE FROM pg_catalog.pg_rewrite r \
          JOIN ours ON ours.oid = r.ev_class WHERE ours.kind = 'r' \
UNION ALL SELECT CASE k.contype WHEN 'c' THEN 'check constraint' ELSE 'foreign key' END, k.conname::text, ours.name, FALSE \
          FROM pg_catalog.pg_constraint k JOIN ours ON ours.oid = CASE k.contype WHEN 'c' THEN k.conrelid ELSE k.confrelid END \
          WHERE k.contype IN ('c', 'f') \
UNION ALL SELECT 'index', c.relname::text, ours.name, FALSE FROM pg_catalog.pg_index i JOIN ours ON ours.oid = i.indrelid \
          JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisprimary \
          AND (i.indisunique OR i.indpred IS NOT NULL OR i.indexprs IS NOT NULL) \
UNION ALL SELECT 'lack of a primary key', '', ours.name, FALSE FROM ours WHERE kind = 'r' AND NOT EXISTS \
          (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conrelid = ours.oid AND k.contype = 'p') \
UNION ALL SELECT 'default of the column', a.attname::text, ours.name, FALSE FROM pg_catalog.pg_attrdef d \
          JOIN ours ON ours.oid = d.adrelid \
          JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum \
          WHERE ours.name <> '_sqlx_migrations' AND a.attgenerated = '' AND POSITION('(' IN PG_GET_EXPR(d.adbin, d.adrelid)) > 0 \
UNION ALL SELECT 'child table', c.relname::text, ours.name, FALSE FROM pg_catalog.pg_inherits i \
          JOIN ours ON ours.oid = i.inhparent JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid";

/// How long the catalog may take.
const ANSWERS: Duration = Duration::from_secs(10);

/// How long PostgreSQL may take for a statement: a trigger of somebody else may never end. SQLite runs none.
const STATEMENT: Duration = Duration::from_secs(30);

/// The tables whose rows are read, that of the migrations included.
fn names() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().chain(["_sqlx_migrations"])
}

/// Has PostgreSQL give up statements of this connection after [`STATEMENT`].
pub(super) async fn limit_statements(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let set = format!("SET statement_timeout = {}", STATEMENT.as_millis());
    sqlx::query(AssertSqlSafe(set)).execute(connection).await.map(drop)
}

/// The statements by which the tables of a new SQLite store are created, without spaces and quotation marks.
async fn created() -> Result<&'static BTreeMap<String, String>, Error> {
    static CREATED: OnceCell<BTreeMap<String, String>> = OnceCell::const_new();
    CREATED.get_or_try_init(create).await
}

async fn create() -> Result<BTreeMap<String, String>, Error> {
    let new = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    let migrated = Migrator::with_migrations(super::opening::migrations()).run(&new).await;
    migrated.map_err(|source| Error::Form { store: "in memory".into(), source })?;
    let created = tables_of(&mut *new.acquire().await?).await?;
    new.close().await;
    Ok(created)
}

/// How each of our tables was created, by SQLite's catalog.
async fn tables_of(connection: &mut AnyConnection) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let all = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND rootpage > 0";
    let mut tables = BTreeMap::new();
    for row in &sqlx::query(all).fetch_all(connection).await? {
        let (name, sql): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if TABLES.contains(&name.as_str()) {
            let words = sql.chars().filter(|letter| !letter.is_whitespace() && *letter != '"');
            tables.insert(name, words.collect());
        }
    }
    Ok(tables)
}

/// Which tables of an SQLite store were created otherwise than by Doorward: without a key, say, a row may be there twice.
async fn created_otherwise(connection: &mut AnyConnection) -> Result<Vec<String>, Error> {
    if connection.backend_name() != "SQLite" {
        return Ok(Vec::new());
    }
    let (ours, theirs) = (created().await?, tables_of(connection).await?);
    let other = theirs.iter().filter(|(name, sql)| ours.get(*name).is_some_and(|ours| ours != *sql));
    Ok(other
        .map(|(name, _)| format!("the table `{name}` of the store is not as Doorward created it"))
        .collect())
}

/// Has PostgreSQL look up functions and operators in its own catalog first, as it does unless a search path says otherwise.
pub(super) async fn own_catalog_first(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let path: String = sqlx::query_scalar("SHOW search_path").fetch_one(&mut *connection).await?;
    let is_catalog = |schema: &&str| schema.trim().trim_matches('"') == "pg_catalog";
    if path.split(',').any(|schema| is_catalog(&schema)) {
        let others: Vec<&str> = path.split(',').filter(|schema| !is_catalog(schema)).collect();
        sqlx::query("SELECT pg_catalog.set_config('search_path', $1, false)")
            .bind(others.join(","))
            .fetch_all(connection)
            .await?;
    }
    Ok(())
}

/// Triggers, rules and the like on our tables, in words. Doorward makes none, and none of them makes a false entry
/// authentic, but each can hold up or swallow what is written.
///
/// # Errors
///
/// [`Error::Altered`] where one of our names is no table, or its rows are computed when they are read: a view, say. One that is
/// missing is no error here. [`Error::Late`] where the catalog does not answer.
pub(super) async fn additions(connection: &mut AnyConnection) -> Result<Vec<String>, Error> {
    let query = match connection.backend_name() {
        "SQLite" => sqlx::query(SQLITE),
        _ => sqlx::query(POSTGRESQL).bind(names().collect::<Vec<_>>().join(",")),
    };
    let rows = tokio::time::timeout(ANSWERS, query.fetch_all(&mut *connection)).await;
    let mut added = Vec::new();
    for row in &rows.map_err(|_| Error::Late)?? {
        let object = Object {
            kind: row.try_get(0)?,
            name: row.try_get(1)?,
            table: row.try_get(2)?,
            is_table: truth(row, 3)?,
        };
        let Object { kind, name, table, is_table } = &object;
        if *is_table || !names().any(|ours| ours == table) {
            continue;
        }
        let what = match kind.as_str() {
            "lack of a primary key" => {
                added.push(format!("the table `{table}` of the store has no primary key"));
                continue;
            }
            "trigger"
            | "rule"
            | "check constraint"
            | "foreign key"
            | "index"
            | "default of the column"
            | "child table" => {
                added.push(format!(
                    "the {kind} {name:?} on the table `{table}` of the store is not Doorward's"
                ));
                continue;
            }
            "row security" => format!("row security is on for `{table}`"),
            "generated column" => format!("`{name}` of `{table}` is a generated column"),
            kind => format!("`{table}` is not a table but a {kind}"),
        };
        return Err(Error::Altered(sqlx::Error::Protocol(what)));
    }
    added.extend(created_otherwise(connection).await?);
    added.sort();
    Ok(added)
}

/// SQLite has no booleans.
fn truth(row: &sqlx::any::AnyRow, column: usize) -> Result<bool, sqlx::Error> {
    row.try_get::<bool, _>(column).or_else(|_| row.try_get::<i64, _>(column).map(|number| number != 0))
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::{Event, What, Who};
    use jiff::Timestamp;

    use super::super::{AuditFiles, Store, WhenLost};

    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i > 0)";

    async fn altered(folder: &tempfile::TempDir, statements: &[String]) -> String {
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        let event = Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead);
        store.commit(&[], vec![event; 3]).await.expect("recorded");
        for statement in statements {
            sqlx::query(sqlx::AssertSqlSafe(statement.clone()))
                .execute(&store.pool)
                .await
                .expect("a statement");
        }
        store.close().await;
        path
    }

    use super::Duration;

    async fn in_time<T>(answer: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), answer).await.expect("it does not wait")
    }

    #[tokio::test]
    async fn a_view_in_the_place_of_a_table_is_not_read_and_a_server_starts_without_it() {
        for table in super::names() {
            let folder = tempfile::tempdir().expect("a folder");
            let statements = [
                format!("ALTER TABLE {table} RENAME TO hidden"),
                format!(
                    "CREATE VIEW {table} AS {ENDLESS} SELECT i AS id, i AS seq, '' AS line FROM n WHERE i < 0"
                ),
            ];
            let path = altered(&folder, &statements).await;
            let files = AuditFiles::beside(&path);
            let command = Store::open_for(&path, &files, [1; 4], WhenLost::Refuse);
            let refused = in_time(command).await.expect_err("no table");
            let source = std::error::Error::source(&refused).expect("a source").to_string();
            assert!(source.contains(&format!("`{table}` is not a table but a view")), "{source}");
            let store = in_time(Store::open(&path, [1; 4])).await.expect("a stand-in");
            assert!(store.distrusted().is_some_and(|why| why.contains(table)), "{:?}", store.distrusted());
            assert_eq!(in_time(store.unsettled()).await.expect("read").grants, []);
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_generated_column_is_not_computed() {
        let folder = tempfile::tempdir().expect("a folder");
        let statements = ["ALTER TABLE known ADD COLUMN more TEXT AS (hex(zeroblob(400000000)))".to_owned()];
        let path = altered(&folder, &statements).await;
        let store = in_time(Store::open(&path, [1; 4])).await.expect("a stand-in");
        let why = store.distrusted().expect("distrusted");
        assert!(why.contains("`more` of `known` is a generated column"), "{why}");
        store.close().await;
    }

    #[tokio::test]
    async fn a_migration_that_is_unknown_keeps_no_server_from_revoking() {
        let folder = tempfile::tempdir().expect("a folder");
        let forged = "INSERT INTO _sqlx_migrations VALUES (99999999999999, 'x', 0, 1, x'00', 0)".to_owned();
        let path = altered(&folder, &[forged]).await;
        let files = AuditFiles::beside(&path);
        assert!(Store::open_for(&path, &files, [1; 4], WhenLost::Refuse).await.is_err());
        let store = in_time(Store::open(&path, [1; 4])).await.expect("a stand-in");
        assert!(
            store.distrusted().is_some_and(|why| why.contains("a later version")),
            "{:?}",
            store.distrusted()
        );
        assert_eq!(store.unsettled().await.expect("read").grants, []);
        store.close().await;
    }

    #[tokio::test]
    async fn a_row_before_the_first_entry_is_found() {
        for seq in ["-9223372036854775808", "-5", "0"] {
            let folder = tempfile::tempdir().expect("a folder");
            let path =
                altered(&folder, &[format!("INSERT INTO record VALUES ({seq}, 0, NULL, '{{}}')")]).await;
            let store = Store::open(&path, [1; 4]).await.expect("a store");
            assert_ne!(store.verify_all(&[]).await.expect("read").found, Vec::<String>::new(), "{seq}");
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_running_server_notices_a_view_before_it_reads_from_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = altered(&folder, &[]).await;
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        store.answers().await.expect("tables");
        for statement in [
            "ALTER TABLE known RENAME TO hidden".to_owned(),
            format!("CREATE VIEW known AS {ENDLESS} SELECT i AS mark FROM n WHERE i < 0"),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&store.pool).await.expect("a statement");
        }
        assert!(in_time(store.answers()).await.is_err());
        assert!(store.distrusted().is_some_and(|why| why.contains("`known` is not a table but a view")));
        store.close().await;
    }

    #[tokio::test]
    async fn a_trigger_is_reported_even_if_it_never_ends_and_other_objects_are_an_operators_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let statements = [
            format!("CREATE VIEW endless AS {ENDLESS} SELECT i FROM n"),
            "CREATE TRIGGER loops BEFORE INSERT ON record BEGIN SELECT COUNT(*) FROM endless; END".to_owned(),
            "CREATE VIEW report AS SELECT person FROM grants".to_owned(),
            "CREATE INDEX more ON record (at)".to_owned(),
            "CREATE INDEX some ON record (at) WHERE seq > 9".to_owned(),
            "CREATE INDEX computed ON grants (abs(changed))".to_owned(),
            "CREATE UNIQUE INDEX one ON known (kind)".to_owned(),
        ];
        let path = altered(&folder, &statements).await;
        let store = in_time(Store::open(&path, [1; 4])).await.expect("a store");
        assert_eq!(store.distrusted(), None);
        let verified = in_time(store.verify_all(&[])).await.expect("read");
        assert_eq!(verified.found, [""; 0]);
        let not_ours = |what: &str, table: &str| {
            format!("the {what} on the table `{table}` of the store is not Doorward's")
        };
        assert_eq!(
            verified.foreign,
            [
                not_ours("index \"computed\"", "grants"),
                not_ours("index \"one\"", "known"),
                not_ours("index \"some\"", "record"),
                not_ours("trigger \"loops\"", "record"),
            ]
        );
        store.close().await;
    }
}
