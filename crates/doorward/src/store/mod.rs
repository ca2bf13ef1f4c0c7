//! Persistent state: grants, the audit log, sessions. SQLite, or PostgreSQL for several servers.
//!
//! Every change of grants is written in one transaction with its entries of the audit log.

mod accept;
mod answering;
mod attempts;
mod beginning;
mod checkpoint;
mod closes;
mod doors;
mod earlier_versions;
mod event_log;
mod foreign;
mod grants;
mod history;
mod key;
mod known;
mod noticed;
mod outside;
mod owners;
mod passwords;
mod reading;
mod record;
mod rows;
mod rules;
mod sessions;
mod tables;
mod told;
mod trust;
mod url;
mod vended;
mod verify;
mod walk;
mod writing;

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use answering::StoreFile;
use doorward_core::firewall::InstallationId;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection as _, Row};
use trust::Trust;
use url::{sqlite_url, without_password};
use writing::Queue;

use crate::state_file;

pub use closes::{EndOf, KeptEnd, KeptEnds, keep_without_store};
pub use doors::KeptDoors;
pub use grants::Change;
pub use key::{Key, KeyError};
pub use known::{Mark, REMEMBERED};
pub use outside::AuditFiles;
pub use owners::Foreign;
pub use passwords::{Binding, Seen};
pub use rows::{Mistrusted, Standing};
pub use rules::NotedRule;
pub use sessions::{Listed, Session, SessionKind, is_due, session_id};
pub use verify::Verified;

/// Grants, the audit log and sessions.
///
/// Who ends grants has connections of its own ([`Self::reserved`]): however many requests wait for the others, it waits
/// for none of them.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    reserved: AnyPool,
    queue: Queue,
    installation: InstallationId,
    trust: Arc<Trust>,
    file: Option<StoreFile>,
}

/// Why the store did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be opened.
    #[error("cannot open the store `{store}`")]
    Open {
        /// As the policy names it, without a password.
        store: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its tables are not ours.
    #[error("cannot migrate the store `{store}`")]
    Form {
        /// As the policy names it, without a password.
        store: String,
        source: sqlx::migrate::MigrateError,
    },
    /// No room on the disk.
    #[error("the store's disk is full, so nothing was changed")]
    Full,
    /// Somebody else changed the same grant in the meantime.
    #[error("the grant was changed by somebody else at the same time")]
    Conflict,
    /// It was not waited for any longer.
    #[error("the store did not answer in time")]
    Late,
    /// The database refused or broke off.
    #[error("the store did not answer")]
    Query(#[source] sqlx::Error),
    /// The audit log is not what the holder of the key wrote, so nothing new is opened.
    #[error("the audit log in the store was altered, so no grant is opened")]
    Distrusted {
        /// What was found, in words; not for those who only ask for a grant.
        why: String,
    },
    /// Another user owns its files.
    #[error("cannot open the store: {0}")]
    Owner(Foreign),
    /// The key of the audit log is not there, or is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The operating system had no random bytes.
    #[error("the operating system provided no random bytes")]
    Random(#[source] getrandom::Error),
    /// What is kept cannot be read: another version's, or damaged.
    #[error("cannot read `{what}` in the store")]
    Damaged { what: String, source: Box<dyn std::error::Error + Send + Sync> },
}

/// Why an SQLite file cannot be a store, where that can be told better than SQLite does.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it is a folder")]
    Folder,
    #[error("its folder does not exist")]
    NoFolder,
    #[error("it is not an SQLite database")]
    Foreign,
    #[error("it is not writable: the file, its folder or the whole disk is read-only")]
    ReadOnly(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let full = error.as_database_error().is_some_and(|error| {
            // SQLite's SQLITE_FULL and PostgreSQL's disk_full.
            error.code().is_some_and(|code| code == "13" || code == "53100")
        });
        if full { Self::Full } else { Self::Query(error) }
    }
}

impl Error {
    /// What to do about it, where somebody at the machine can.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Key(error) => error.hint(),
            Self::Owner(foreign) => Some(foreign.hint()),
            _ => None,
        }
    }

    fn damaged(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged { what: what.into(), source: source.into() }
    }
}

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
        sqlx::any::install_default_drivers();
        let remote = store.starts_with("postgres://") || store.starts_with("postgresql://");
        let shown = if remote { without_password(store) } else { store.to_owned() };
        let url = if remote { store.to_owned() } else { sqlite_url(Path::new(store)) };
        let opened = |source| Error::Open { store: shown.clone(), source };
        let file = (!remote).then(|| Path::new(store));
        if let Some(foreign) = Foreign::to_this_process(file, files) {
            return Err(Error::Owner(foreign));
        }
        if !remote {
            usable(Path::new(store)).map_err(|source| opened(source.into()))?;
        }
        // Once without the pool, which would try again and again and then say only that it did.
        let mut tried = first_answer(&url, remote).await.map_err(|source| opened(told(source)))?;
        settings(&mut tried, remote).await.map_err(|source| opened(told(source)))?;
        tried.close().await.map_err(|source| opened(told(source)))?;
        let options = AnyPoolOptions::new()
            .acquire_timeout(ANSWERS)
            // A connection to another machine may have been cut; a file is where it was.
            .test_before_acquire(remote)
            .after_connect(move |connection, _| Box::pin(settings(connection, remote)));
        let pool = options.clone().max_connections(if remote { 8 } else { 4 }).connect(&url).await;
        let pool = pool.map_err(|source| opened(told(source)))?;
        // Connected when first asked, by the thread that asks, and kept from then on: a database that has no connection
        // left for anybody has these.
        let reserved = options.max_connections(RESERVED).idle_timeout(None).max_lifetime(None);
        let reserved = reserved.connect_lazy(&url).map_err(|source| opened(told(source)))?;
        let migration = |version, name, text| {
            let sql = sqlx::SqlSafeStr::into_sql_str(text);
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql, false)
        };
        let migrations = vec![
            migration(1, "first", include_str!("../../migrations/0001_first.sql")),
            migration(2, "sign-ins", include_str!("../../migrations/0002_sign_ins.sql")),
            migration(3, "seals", include_str!("../../migrations/0003_seals.sql")),
            migration(5, "rules", include_str!("../../migrations/0005_rules.sql")),
            migration(SEALS_OF_ALL, "seals of all", include_str!("../../migrations/0006_seals_of_all.sql")),
            migration(ROWS_TOLD, "rows told", include_str!("../../migrations/0007_rows_told.sql")),
        ];
        // Before the first write.
        let (key, is_new) = foreign::key(files, &pool).await?;
        files.clear();
        let (sealed, told) = (has(&pool, SEALS_OF_ALL).await, has(&pool, ROWS_TOLD).await);
        let form = |source| Error::Form { store: shown.clone(), source };
        Migrator::with_migrations(migrations).run(&pool).await.map_err(form)?;

        let name = InstallationId::from_random(random);
        sqlx::query("INSERT INTO installation (id, name) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
            .bind(name.as_str())
            .execute(&pool)
            .await?;
        sqlx::query("INSERT INTO head (id, seq, hash) VALUES (1, 0, $1) ON CONFLICT (id) DO NOTHING")
            .bind(doorward_core::audit::Hash::ZERO.to_string())
            .execute(&pool)
            .await?;
        let row = sqlx::query("SELECT name FROM installation WHERE id = 1").fetch_one(&pool).await?;
        let name: String = row.try_get(0)?;
        // Whose the rules in AWS are is noted outside, too: by another name none of them would be ours.
        let noted = outside::Noted::read(&files.head, &key).ok().flatten();
        let head = noted.as_ref().map(|(_, head)| *head);
        let noted: Option<InstallationId> = noted.and_then(|(noted, _)| noted.installation.parse().ok());
        let kept = name.parse::<InstallationId>().map_err(|error| Error::damaged("installation", error));
        let installation = match (&noted, kept) {
            (Some(noted), _) => noted.clone(),
            (None, kept) => kept?,
        };
        files.tell_of_others(file);
        let trust = Trust::new(key, is_new, files.head.clone(), installation.to_string());
        // What is found from here on is accepted by another head than this.
        trust.inner().noted = head;
        if installation.as_str() != name {
            trust.distrust(reading::of_another(&name, &installation));
        }
        let (queue, trust) = (Queue::new(), Arc::new(trust));
        let file = if remote { None } else { StoreFile::of(Path::new(store)) };
        let store = Self { pool, reserved, queue, installation, trust, file };
        if !sealed {
            store.seal_what_was_there().await?;
        }
        store.begin_to_trust_all().await?;
        if !told {
            store.tell_of_rows_before().await?;
        }
        Ok(store)
    }

    async fn begin_to_trust_all(&self) -> Result<(), Error> {
        match self.begin_to_trust().await {
            // Another server of this store has just sealed its record.
            Err(Error::Conflict) => self.begin_to_trust().await?,
            done => done?,
        }
        self.trust.note_soon();
        Ok(())
    }

    /// The same store by the connections, and with the turn at writing, that are set apart for who ends grants.
    pub fn reserved(&self) -> Self {
        Self { pool: self.reserved.clone(), queue: self.queue.first(), ..self.clone() }
    }

    /// Which installation this store belongs to.
    pub fn installation(&self) -> &InstallationId {
        &self.installation
    }

    /// Ends all connections; an SQLite file is then whole without its side files.
    pub async fn close(&self) {
        let trust = Arc::clone(&self.trust);
        // It says itself when it cannot.
        let _ = tokio::task::spawn_blocking(move || trust.note(1)).await;
        while self.trust.is_noting() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.pool.close().await;
        self.reserved.close().await;
    }
}

/// The migration by which every row of `passwords` and `doors` came to have a seal.
const SEALS_OF_ALL: i64 = 6;
/// The one by which the audit log came to tell of every row.
const ROWS_TOLD: i64 = 7;

/// Whether a store was brought to a form before; a new one, in which there are no migrations and no rows, is as if it was.
async fn has(pool: &AnyPool, version: i64) -> bool {
    let query = sqlx::query("SELECT version FROM _sqlx_migrations WHERE version = $1").bind(version);
    query.fetch_optional(pool).await.map_or(true, |row| row.is_some())
}

/// How long one who has to close waits for the store.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the store is asked, given up after a second: a closing does not wait for it. What was to be written may
/// have been written or not.
pub async fn in_time<T, E: From<Error>>(asked: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(Error::Late.into()))
}

/// Whether there is a store to open; one on a server is asked only by opening it.
pub fn is_there(store: &str) -> bool {
    store.contains("://") || Path::new(store).exists()
}

/// How many connections are set apart for who ends grants.
const RESERVED: u32 = 2;

/// How long the database may take to give a connection.
const ANSWERS: Duration = Duration::from_secs(10);

/// What every SQLite database begins with (sqlite.org/fileformat.html, 1.3).
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Why a path cannot be a store, as far as that is seen without making anything.
pub fn obstacle(path: &Path) -> Option<String> {
    if let Err(unusable @ (Unusable::NoFolder | Unusable::Folder)) = placed(path) {
        return Some(unusable.to_string());
    }
    let start = File::open(path).and_then(starts);
    start.is_ok_and(|start| !is_database(&start)).then(|| Unusable::Foreign.to_string())
}

/// A store is a file in a folder that is there.
fn placed(path: &Path) -> Result<(), Unusable> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Unusable::NoFolder);
    }
    if path.is_dir() { Err(Unusable::Folder) } else { Ok(()) }
}

fn starts(file: File) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.take(SQLITE.len() as u64).read_to_end(&mut start)?;
    Ok(start)
}

fn is_database(start: &[u8]) -> bool {
    start.is_empty() || start == SQLITE
}

/// A file that is there is a database, or as empty as a new one.
fn usable(path: &Path) -> Result<(), Unusable> {
    placed(path)?;
    // Nobody else reads who opened what; SQLite's side files follow.
    let opened = state_file::open_or_create(path, |created| owners::give_to_folders_owner(created, path));
    let start = opened.and_then(starts).map_err(|error| Unusable::ReadOnly(error.into()))?;
    if is_database(&start) { Ok(()) } else { Err(Unusable::Foreign) }
}

/// A connection; a database that is only starting is waited for.
async fn first_answer(url: &str, remote: bool) -> Result<AnyConnection, sqlx::Error> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        match AnyConnection::connect(url).await {
            Err(sqlx::Error::Io(error)) if remote && begun.elapsed() < ANSWERS => {
                if !std::mem::replace(&mut told, true) {
                    let seconds = ANSWERS.as_secs();
                    tracing::warn!(%error, seconds, "the store's database does not answer, waiting");
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            done => return done,
        }
    }
}

async fn settings(connection: &mut AnyConnection, remote: bool) -> Result<(), sqlx::Error> {
    if !remote {
        // A commit that returned outlives a power cut; readers never wait for the writer.
        for pragma in [
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA busy_timeout = 10000",
            "PRAGMA cache_size = -2000",
        ] {
            sqlx::query(pragma).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

fn told(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    // The low byte of SQLite's extended codes is the plain one; PostgreSQL's have five digits or letters.
    // 8: SQLITE_READONLY; 14: SQLITE_CANTOPEN, of a side file, since the file itself was opened.
    match code.filter(|code| *code < 10_000).map(|code| code & 0xff) {
        Some(8 | 14) => Unusable::ReadOnly(error.into()).into(),
        _ => error.into(),
    }
}
