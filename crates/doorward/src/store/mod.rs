//! What outlives the program: grants, the record, sessions. SQLite, or PostgreSQL when one machine is not enough.
//!
//! Every change of grants is written in one transaction with the lines of the record that tell of it.

mod grants;
mod record;
mod sessions;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use doorward_core::firewall::InstallationId;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, Row};

pub use grants::Change;
pub use sessions::{Session, SessionKind};

/// Grants, the record and sessions.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    installation: InstallationId,
}

/// Why the store did not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be opened.
    #[error("the store `{store}` could not be opened")]
    Open {
        /// As the policy names it, without a password.
        store: String,
        /// Why.
        source: sqlx::Error,
    },
    /// Its tables are not ours.
    #[error("the store `{store}` could not be brought to this version's form")]
    Form {
        /// As the policy names it, without a password.
        store: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// No room on the disk.
    #[error("the disk under the store is full, so nothing was changed")]
    Full,
    /// Somebody else changed the same grant in the meantime.
    #[error("the grant was changed by somebody else in the same moment")]
    Conflict,
    /// The database refused or broke off.
    #[error("the store gave no answer")]
    Query(#[source] sqlx::Error),
    /// What is kept cannot be read: another version's, or damaged.
    #[error("`{what}` in the store cannot be read")]
    Damaged {
        /// Which row.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
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
    fn damaged(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged { what: what.into(), source: source.into() }
    }
}

impl Store {
    /// Opens a store, making it when it is not there: `postgres://…`, or the path of an SQLite file.
    ///
    /// `random` names the installation when the store is new.
    pub async fn open(store: &str, random: [u8; 4]) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let remote = store.starts_with("postgres://") || store.starts_with("postgresql://");
        let shown = if remote { without_password(store) } else { store.to_owned() };
        let url = if remote { store.to_owned() } else { sqlite_url(Path::new(store)) };
        let options = AnyPoolOptions::new()
            .max_connections(if remote { 8 } else { 4 })
            .acquire_timeout(Duration::from_secs(10))
            // A connection to another machine may have been cut; a file is where it was.
            .test_before_acquire(remote)
            .after_connect(move |connection, _| {
                Box::pin(async move {
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
                })
            });
        let opened = |source| Error::Open { store: shown.clone(), source };
        let pool = options.connect(&url).await.map_err(opened)?;
        let first = Migration::new(
            1,
            Cow::Borrowed("first"),
            MigrationType::Simple,
            sqlx::SqlSafeStr::into_sql_str(include_str!("../../migrations/0001_first.sql")),
            false,
        );
        let form = |source| Error::Form { store: shown.clone(), source };
        Migrator::with_migrations(vec![first]).run(&pool).await.map_err(form)?;

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
        let installation = name.parse().map_err(|error| Error::damaged("installation", error))?;
        Ok(Self { pool, installation })
    }

    /// Which installation this store belongs to.
    pub fn installation(&self) -> &InstallationId {
        &self.installation
    }

    /// Ends all connections; an SQLite file is then whole without its side files.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The places of enforcement that ever had a rule of ours and were not yet seen empty since the policy
    /// forgot them, each with the name of its firewall.
    pub async fn doors(&self) -> Result<Vec<(String, String)>, Error> {
        let rows =
            sqlx::query("SELECT place, firewall FROM doors ORDER BY place").fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Remembers a place of enforcement.
    pub async fn keep_door(&self, place: &str, firewall: &str) -> Result<(), Error> {
        sqlx::query("INSERT INTO doors (place, firewall) VALUES ($1, $2) ON CONFLICT (place) DO NOTHING")
            .bind(place)
            .bind(firewall)
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

/// SQLite's URL form, in which `?`, `#` and `%` of a path are escaped.
fn sqlite_url(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("sqlite://{path}?mode=rwc")
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        None => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(without_password("postgres://jon:s@cret@db/doorward"), "postgres://jon@db/doorward");
        assert_eq!(without_password("postgres://db/doorward"), "postgres://db/doorward");
    }
}
