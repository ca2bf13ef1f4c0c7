//! Opens a store: what has to be there before anything is written, its migrations, and where trust in it begins.
//!
//! A start reads before it writes and writes only what is missing: another process may hold the database locked for as long
//! as it likes, and a server has to revoke meanwhile.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use doorward_core::firewall::InstallationId;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection as _, Row as _};

use super::answering::{Keeper, StoreFile};
use super::outside::{AuditFiles, Noted};
use super::owners::Foreign;
use super::trust::Trust;
use super::unusable::{Unusable, usable};
use super::url::{sqlite_url, without_password};
use super::writing::Queue;
use super::{Error, Store, foreign, reading, record, schema, sqlite};

/// What is done about an SQLite store whose file is missing, where the head file shows that there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLost {
    /// Nothing is created: a command has nothing to do there.
    Refuse,
    /// An empty store is created and distrusted: a server has rules to revoke.
    Distrust,
}

/// How many connections are set apart for who ends grants.
const RESERVED: u32 = 2;

/// How long the database may take to give a connection.
const ANSWERS: Duration = Duration::from_secs(10);

/// The migration by which every row of `passwords` and `doors` came to have a seal.
const SEALS_OF_ALL: i64 = 6;
/// The one by which the audit log came to tell of every row.
const ROWS_TOLD: i64 = 7;

impl Store {
    /// Opens a store, making it when it is not there: `postgres://…`, or the path of an SQLite file. The key of its record
    /// is next to it.
    ///
    /// `random` names the installation when the store is new.
    pub async fn open(store: &str, random: [u8; 4]) -> Result<Self, Error> {
        Self::open_with(store, &AuditFiles::beside(store), random).await
    }

    /// The same with the key and the head of the audit log in files of one's choice; a key that is not there is made.
    ///
    /// The whole record is read and checked. One that is not what was written is no reason not to open it: what is
    /// open has to be closed. See [`Self::distrusted`].
    pub async fn open_with(store: &str, files: &AuditFiles, random: [u8; 4]) -> Result<Self, Error> {
        Self::open_for(store, files, random, WhenLost::Distrust).await
    }

    /// The same for a server or for a command: they differ in what they do about a store that was there and is not.
    pub async fn open_for(
        store: &str,
        files: &AuditFiles,
        random: [u8; 4],
        lost: WhenLost,
    ) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        sqlite::ignore_triggers_and_views();
        let remote = store.starts_with("postgres://") || store.starts_with("postgresql://");
        match Self::open_at(store, remote, files, random, lost, None).await {
            // It was ours, so what is open has to be revoked, by a server that remembers nothing of it.
            Err(error) if lost == WhenLost::Distrust && is_overwritten(&error) && files.head.exists() => {
                let shown = if remote { without_password(store) } else { store.to_owned() };
                let why = match &error {
                    Error::Form { .. } => {
                        format!(
                            "the store `{shown}` is of a later version of Doorward, or somebody altered its migrations"
                        )
                    }
                    Error::Altered(source) => format!("the store `{shown}` cannot be read: {source}"),
                    Error::Open { source, .. } if source.is::<Unusable>() => {
                        format!("the store `{shown}` is not a database any more: {source}")
                    }
                    _ => format!("the store `{shown}` is not a database any more"),
                };
                tracing::error!(
                    why,
                    "the store was overwritten: revoking everything, and opening nothing until it is back, the server is restarted and an operator has run `doorward audit accept`"
                );
                Self::open_at(IN_MEMORY, false, files, random, lost, Some(why)).await
            }
            opened => opened,
        }
    }

    async fn open_at(
        store: &str,
        remote: bool,
        files: &AuditFiles,
        random: [u8; 4],
        lost: WhenLost,
        overwritten: Option<String>,
    ) -> Result<Self, Error> {
        let shown = if remote { without_password(store) } else { store.to_owned() };
        let (url, path) = match store {
            IN_MEMORY => (in_memory(), None),
            _ if remote => (store.to_owned(), None),
            _ => (sqlite_url(Path::new(store)), Some(Path::new(store))),
        };
        let opened = |source| Error::Open { store: shown.clone(), source };
        if let Some(foreign) = Foreign::to_this_process(path, files) {
            return Err(Error::Owner(foreign));
        }
        if let Some(path) = path {
            usable(path, &files.head, lost).map_err(|source| opened(source.into()))?;
        }
        let file = path.map(StoreFile::of).transpose();
        let file = file.map_err(|source| opened(Unusable::ReadOnly(source.into()).into()))?;
        // Once without the pool, which would try again and again and then say only that it did.
        let first = first_answer(&url, remote).await.map_err(|source| opened(boxed(source)))?;
        let keeper =
            Keeper::new(first, file.as_ref(), remote).await.map_err(|source| opened(boxed(source)))?;
        let (pool, reserved) =
            pools(&url, remote, file.clone()).await.map_err(|source| opened(boxed(source)))?;
        // Before the first reading, which a view in the place of a table might never end.
        schema::additions(&mut *pool.acquire().await?).await?;
        let migrations = migrations();
        // Before the first write.
        let (key, is_new) = foreign::key(files, &pool).await?;
        files.clear();
        let applied = applied(&pool).await;
        // A new one, in which there are no rows, is as if it was migrated before.
        let had = |version| applied.is_empty() || applied.iter().any(|(applied, _)| *applied == version);
        let is_current = applied.len() == migrations.len()
            && applied
                .iter()
                .zip(&migrations)
                .all(|(applied, ours)| *applied == (ours.version, ours.checksum.to_vec()));
        // Whose the rules in AWS are is noted outside, too: by another name none of them would be ours.
        let noted = Noted::read(&files.head, &key).ok().flatten();
        let mut altered = overwritten;
        if !is_current {
            let form = |source| Error::Form { store: shown.clone(), source };
            match migrate(migrations, &pool, Some(&url).filter(|_| remote)).await {
                // The store of a later version.
                Err(source @ MigrateError::VersionMissing(_)) => return Err(form(source)),
                // It was ours, so what is open has to be revoked all the same.
                Err(source) if noted.is_some() => {
                    altered = Some(format!("the tables of the store cannot be migrated: {source}"));
                }
                done => done.map_err(form)?,
            }
        }

        let head = noted.as_ref().map(|(_, head)| *head);
        let noted: Option<InstallationId> = noted.and_then(|(noted, _)| noted.installation.parse().ok());
        let name = match named(&pool, &InstallationId::from_random(random)).await {
            Err(error) if noted.is_some() => {
                tracing::error!(%error, "could not write what is missing in the store");
                String::new()
            }
            named => named?,
        };
        let kept = name.parse::<InstallationId>().map_err(|error| Error::damaged("installation", error));
        let installation = match (&noted, kept) {
            (Some(noted), _) => noted.clone(),
            (None, kept) => kept?,
        };
        files.tell_of_others(path);
        let trust = Trust::new(key, is_new, files.head.clone(), installation.to_string());
        // What is found from here on is accepted by another head than this.
        trust.inner().noted = head;
        if let Some(why) = altered {
            trust.distrust(why);
        }
        if installation.as_str() != name {
            trust.distrust(reading::of_another(&name, &installation));
        }
        let last_recorded = record::last_recorded(&pool).await;
        let (queue, trust, keeper) = (Queue::new(), Arc::new(trust), Arc::new(keeper));
        let store = Self { pool, reserved, queue, installation, trust, file, last_recorded, keeper };
        if !had(SEALS_OF_ALL) {
            store.seal_what_was_there().await?;
        }
        store.begin_to_trust_all().await?;
        if !had(ROWS_TOLD) {
            store.tell_of_rows_before().await?;
        }
        Ok(store)
    }

    async fn begin_to_trust_all(&self) -> Result<(), Error> {
        match self.begin_to_trust().await {
            // Another server of this store has just sealed its record.
            Err(Error::Conflict) => self.begin_to_trust().await?,
            // What is open has to be revoked all the same.
            Err(error @ Error::Altered(_)) => drop(self.or_distrusted::<()>(Err(error))),
            done => done?,
        }
        self.trust.note_soon();
        Ok(())
    }
}

/// The connections of requests, and those of who ends grants.
async fn pools(url: &str, remote: bool, file: Option<StoreFile>) -> Result<(AnyPool, AnyPool), sqlx::Error> {
    let in_memory = !remote && file.is_none();
    let options = AnyPoolOptions::new()
        .acquire_timeout(ANSWERS)
        // A connection to another machine may have been cut; a file is where it was.
        .test_before_acquire(remote)
        .after_connect(move |connection, _| {
            let file = file.clone();
            Box::pin(async move {
                if in_memory {
                    // Connections that share a cache wait for no writer's lock, they fail. Writers take turns anyway.
                    sqlx::query("PRAGMA read_uncommitted = 1").execute(&mut *connection).await?;
                }
                prepare(connection, file.as_ref()).await
            })
        });
    let lasting = |options: AnyPoolOptions| options.idle_timeout(None).max_lifetime(None);
    // A connection to a file is as good as on its first day, and a later one might lead to another file.
    let of_requests =
        if remote { options.clone().max_connections(8) } else { lasting(options.clone()).max_connections(4) };
    let pool = of_requests.connect(url).await?;
    // Connected when first asked, by the thread that asks, and kept from then on: a database that has no connection
    // left for anybody has these.
    let reserved = lasting(options).max_connections(RESERVED).connect_lazy(url)?;
    Ok((pool, reserved))
}

/// Stands for a store whose file holds something else by now.
const IN_MEMORY: &str = ":memory:";

/// A database of this process alone, which all of its connections share (sqlite.org/inmemorydb.html).
fn in_memory() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("sqlite:file:doorward-{}-{number}?mode=memory&cache=shared", std::process::id())
}

/// Whether the file of a store is none of a database, or none that can be read.
fn is_overwritten(error: &Error) -> bool {
    match error {
        Error::Altered(_) | Error::Form { source: MigrateError::VersionMissing(_), .. } => true,
        Error::Open { source, .. } => {
            let replaced = source.downcast_ref::<Unusable>().is_some_and(Unusable::is_replaced);
            replaced || source.downcast_ref::<sqlx::Error>().is_some_and(super::is_of_another_form)
        }
        _ => false,
    }
}

pub(super) fn migrations() -> Vec<Migration> {
    let migration = |version, name, text| {
        let sql = sqlx::SqlSafeStr::into_sql_str(text);
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql, false)
    };
    vec![
        migration(1, "first", include_str!("../../migrations/0001_first.sql")),
        migration(2, "sign-ins", include_str!("../../migrations/0002_sign_ins.sql")),
        migration(3, "seals", include_str!("../../migrations/0003_seals.sql")),
        migration(5, "rules", include_str!("../../migrations/0005_rules.sql")),
        migration(SEALS_OF_ALL, "seals of all", include_str!("../../migrations/0006_seals_of_all.sql")),
        migration(ROWS_TOLD, "rows told", include_str!("../../migrations/0007_rows_told.sql")),
    ]
}

/// On a server by a connection without a limit of time: a change of a whole table takes as long as it takes.
async fn migrate(
    migrations: Vec<Migration>,
    pool: &AnyPool,
    remote: Option<&String>,
) -> Result<(), MigrateError> {
    let migrator = Migrator::with_migrations(migrations);
    let Some(url) = remote else { return migrator.run(pool).await };
    let own = AnyPoolOptions::new()
        .max_connections(1)
        .after_connect(|connection, _| Box::pin(schema::own_catalog_first(connection)));
    let own = own.connect(url).await?;
    let migrated = migrator.run(&own).await;
    own.close().await;
    migrated
}

/// The migrations that a store has, each with its checksum; none of a new one.
async fn applied(pool: &AnyPool) -> Vec<(i64, Vec<u8>)> {
    let query = sqlx::query("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version");
    let rows = query.fetch_all(pool).await.unwrap_or_default();
    rows.iter().filter_map(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?))).collect()
}

/// The name of the store's installation; a new store gets this one, and the head of an empty audit log.
async fn named(pool: &AnyPool, new: &InstallationId) -> Result<String, Error> {
    let read = async || {
        let row = sqlx::query("SELECT i.name FROM head h, installation i WHERE h.id = 1 AND i.id = 1");
        let row = row.fetch_optional(pool).await?;
        row.map(|row| row.try_get::<String, _>(0)).transpose()
    };
    if let Some(name) = read().await? {
        return Ok(name);
    }
    sqlx::query("INSERT INTO installation (id, name) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
        .bind(new.as_str())
        .execute(pool)
        .await?;
    sqlx::query("INSERT INTO head (id, seq, hash) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING")
        .bind(doorward_core::audit::Hash::ZERO.to_string())
        .execute(pool)
        .await?;
    read().await?.ok_or_else(|| Error::Query(sqlx::Error::RowNotFound))
}

/// A connection; a database that is only starting is waited for.
async fn first_answer(url: &str, remote: bool) -> Result<AnyConnection, sqlx::Error> {
    let begun = Instant::now();
    let mut reported = false;
    loop {
        match AnyConnection::connect(url).await {
            Err(sqlx::Error::Io(error)) if remote && begun.elapsed() < ANSWERS => {
                if !std::mem::replace(&mut reported, true) {
                    let seconds = ANSWERS.as_secs();
                    tracing::warn!(%error, seconds, "the store's database does not answer, waiting");
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            done => return done,
        }
    }
}

/// Prepares a new connection; of an SQLite store one that leads to the file that was opened.
pub(super) async fn prepare(
    connection: &mut AnyConnection,
    file: Option<&StoreFile>,
) -> Result<(), sqlx::Error> {
    let Some(file) = file else {
        return match connection.backend_name() {
            "SQLite" => Ok(()),
            _ => {
                schema::limit_statements(connection).await?;
                schema::own_catalog_first(connection).await
            }
        };
    };
    // Before the first statement: with it SQLite reads the side files, and takes those of another database for its own.
    file.check()?;
    // A commit that returned outlives a power cut; readers never wait for the writer.
    for pragma in [
        "PRAGMA busy_timeout = 10000",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA cache_size = -2000",
    ] {
        sqlx::query(pragma).execute(&mut *connection).await?;
    }
    Ok(file.check()?)
}

fn boxed(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    // The low byte of SQLite's extended codes is the plain one; PostgreSQL's have five digits or letters.
    // 8: SQLITE_READONLY; 14: SQLITE_CANTOPEN, of a side file, since the file itself was opened.
    match code.filter(|code| *code < 10_000).map(|code| code & 0xff) {
        Some(8 | 14) => Unusable::ReadOnly(error.into()).into(),
        _ => error.into(),
    }
}
