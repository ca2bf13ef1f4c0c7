//! Persistent state: grants, the audit log, sessions. SQLite, or PostgreSQL for several servers.
//!
//! Every change of grants is written in one transaction with its entries of the audit log.

mod accept;
mod alarm;
mod answering;
mod attempts;
mod beginning;
mod checkpoint;
mod closes;
mod coverage;
mod earlier_versions;
mod event_log;
mod foreign;
mod grants;
mod history;
mod key;
mod known;
mod noticed;
mod opening;
mod outside;
mod owners;
mod passwords;
mod reading;
mod record;
mod remembered_groups;
mod rows;
mod rules;
mod schema;
mod sessions;
mod sqlite;
mod tables;
mod trust;
mod unusable;
mod url;
mod vended;
mod verify;
mod walk;
mod writing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use answering::{Keeper, StoreFile};
use doorward_core::firewall::InstallationId;
use jiff::{SignedDuration, Timestamp};
use sqlx::AnyPool;
use trust::Trust;
use unusable::Unusable;
use writing::Queue;

use crate::clock::SKEW;

pub use closes::{EndOf, KeptEnd, KeptEnds, keep_without_store, noted_installation};
pub use grants::Change;
pub use key::{Key, KeyError, Seals};
pub use known::{Mark, REMEMBERED};
pub use opening::WhenLost;
pub use outside::AuditFiles;
pub use owners::Foreign;
pub use passwords::{Binding, SeenPassword};
pub use remembered_groups::KeptGroups;
pub use rows::{Mistrusted, UnsettledGrants};
pub use rules::NotedRule;
pub use sessions::{Listed, Session, SessionKind, is_due, session_id};
pub use unusable::obstacle;
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
    /// When the last entry was recorded that was there when it was opened.
    last_recorded: Option<Timestamp>,
    keeper: Arc<Keeper>,
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
    /// A table or a column is missing, or a value is of another type than we write: somebody else wrote to it, or it is
    /// damaged.
    #[error("the store was altered or is damaged")]
    Altered(#[source] sqlx::Error),
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

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let full = error.as_database_error().is_some_and(|error| {
            // SQLite's SQLITE_FULL and PostgreSQL's disk_full.
            error.code().is_some_and(|code| code == "13" || code == "53100")
        });
        match error {
            _ if full => Self::Full,
            error if is_of_another_form(&error) => Self::Altered(error),
            error => Self::Query(error),
        }
    }
}

/// Whether a database has answered, and not in the form that we gave it.
fn is_of_another_form(error: &sqlx::Error) -> bool {
    use sqlx::Error::{ColumnDecode, ColumnIndexOutOfBounds, ColumnNotFound, Database, Decode, TypeNotFound};
    match error {
        ColumnDecode { .. }
        | ColumnIndexOutOfBounds { .. }
        | ColumnNotFound(_)
        | Decode(_)
        | TypeNotFound { .. } => true,
        Database(refused) => {
            let code = refused.code().unwrap_or_default();
            // PostgreSQL's have five digits or letters: undefined_table, undefined_column, undefined_function of a column of
            // another type, character_not_in_repertoire.
            let of_postgres = ["42P01", "42703", "42883", "22021"].contains(&code.as_ref());
            // The low byte of SQLite's extended codes is the plain one: SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_NOTADB.
            let of_sqlite =
                match code.parse::<i32>().ok().filter(|code| *code < 10_000).map(|code| code & 0xff) {
                    Some(1) => ["no such table", "no such column"]
                        .iter()
                        .any(|text| refused.message().contains(text)),
                    Some(code) => [11, 26].contains(&code),
                    None => false,
                };
            of_postgres || of_sqlite
        }
        _ => false,
    }
}

impl Error {
    /// What to do about it, where somebody at the machine can.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Key(error) => error.hint(),
            Self::Open { source, .. } => source.downcast_ref::<Unusable>().and_then(Unusable::hint),
            Self::Owner(foreign) => Some(foreign.hint()),
            Self::Altered(_) => Some(
                "restore the database, or remove what somebody added to it: Doorward cannot read what is there".into(),
            ),
            _ => None,
        }
    }

    fn damaged(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged { what: what.into(), source: source.into() }
    }
}

impl Store {
    /// The same store by the connections, and with the turn at writing, that are set apart for who ends grants.
    pub fn reserved(&self) -> Self {
        Self { pool: self.reserved.clone(), queue: self.queue.first(), ..self.clone() }
    }

    /// Distrusts the store where an answer of it was not in the form that we gave it: nothing new is opened until an
    /// operator has accepted it. The same answer.
    fn or_distrusted<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Altered(source)) = &answer {
            self.trust.distrust(format!("a table of the store cannot be read: {source}"));
            self.trust.note_soon();
        }
        answer
    }

    /// By how much the clock is behind what the audit log had when the store was opened, if that is more than two clocks may
    /// differ by: then it cannot say what is over.
    pub fn clock_is_behind(&self, now: Timestamp) -> Option<SignedDuration> {
        let behind = self.last_recorded?.duration_since(now);
        (behind > SKEW).then_some(behind)
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
        self.keeper.close().await;
    }
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
