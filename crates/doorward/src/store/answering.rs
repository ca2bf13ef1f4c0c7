//! Whether the store answers, and whether it is still the one that was opened.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use super::writing::Writing;
use super::{Error, Store, schema};
use crate::state_file;

/// The file of an SQLite store, as it was opened.
#[derive(Debug, Clone)]
pub(super) struct StoreFile(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    /// Device and inode.
    is: (u64, u64),
    /// Those of its write-ahead log and of the index of that.
    sides: OnceLock<Vec<(PathBuf, (u64, u64))>>,
}

/// Why a path leads to other files than those that were opened.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Displaced(String);

impl From<Displaced> for sqlx::Error {
    fn from(displaced: Displaced) -> Self {
        Self::Io(std::io::Error::other(displaced))
    }
}

/// Where a file is, by device and inode. It is not opened for that: closing it would give up the locks that SQLite holds
/// on it in this process (sqlite.org/howtocorrupt.html, 2.2).
fn place(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

impl StoreFile {
    pub fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self(Arc::new(Opened { path: path.to_owned(), is: place(path)?, sides: OnceLock::new() })))
    }

    /// Notes the side files, once a connection has opened them.
    fn note_sides(&self) {
        let sides = ["-wal", "-shm"].map(|ending| state_file::beside(&self.0.path, ending));
        let sides = sides.into_iter().filter_map(|path| Some((path.clone(), place(&path).ok()?)));
        self.0.sides.get_or_init(|| sides.collect());
    }

    /// That the path still leads to the files that were opened.
    pub fn check(&self) -> Result<(), Displaced> {
        let what = |path: &Path, is: (u64, u64)| match place(path) {
            Ok(now) if now == is => None,
            Ok(_) => Some("replaced"),
            Err(_) => Some("removed"),
        };
        if let Some(what) = what(&self.0.path, self.0.is) {
            let path = self.0.path.display();
            return Err(Displaced(format!(
                "the store `{path}` was {what} while the server was running: put the file back, or restart the server"
            )));
        }
        for (path, is) in self.0.sides.get().into_iter().flatten() {
            if let Some(what) = what(path, *is) {
                return Err(Displaced(format!(
                    "`{}`, a file of the store, was {what} while the server was running: restart the server",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

/// A connection that is only held: as long as one exists, SQLite keeps the side files, so that other ones are somebody
/// else's.
pub(super) struct Keeper(Mutex<Option<AnyConnection>>);

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keeper")
    }
}

impl Keeper {
    /// Keeps the first connection to a file, or to memory, which lasts as long as one does; to a server of its own none has
    /// to be kept.
    pub async fn new(
        mut first: AnyConnection,
        file: Option<&StoreFile>,
        remote: bool,
    ) -> Result<Self, sqlx::Error> {
        let Some(file) = file else {
            if !remote {
                return Ok(Self(Mutex::new(Some(first))));
            }
            first.close().await?;
            return Ok(Self(Mutex::new(None)));
        };
        super::opening::prepare(&mut first, Some(file)).await?;
        // The first reading opens them.
        sqlx::query("SELECT COUNT(*) FROM sqlite_master").fetch_one(&mut first).await?;
        file.note_sides();
        Ok(Self(Mutex::new(Some(first))))
    }

    pub async fn close(&self) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(kept) = kept
            && let Err(error) = kept.close().await
        {
            tracing::warn!(%error, "could not close the store");
        }
    }
}

/// Every table that the server needs.
pub(super) const TABLES: [&str; 9] =
    ["head", "installation", "record", "grants", "sessions", "known", "passwords", "doors", "rules"];

impl Store {
    /// Why the file of the store is another than the one that was opened, if it is: nothing that is written now is there
    /// after a restart.
    pub(super) fn displaced(&self) -> Option<String> {
        self.file.as_ref()?.check().err().map(|displaced| displaced.to_string())
    }

    /// Whether every table can be read; what somebody hung on them, in words.
    pub async fn answers(&self) -> Result<Vec<String>, Error> {
        self.or_distrusted(self.read_tables().await)
    }

    /// Whether the disk has room. It is tried only if it had none at the last write, so that this costs nothing else.
    pub async fn has_room(&self) -> Result<(), Error> {
        if !self.queue.is_full() {
            return Ok(());
        }
        let mut writing = Writing::begin(&self.pool, &self.queue).await?;
        // Its first statement writes.
        let written = super::record::lock_head(&mut writing).await.map(drop);
        writing.end(written).await
    }

    async fn read_tables(&self) -> Result<Vec<String>, Error> {
        let Some(file) = &self.file else {
            return read_all(&mut *self.pool.acquire().await?).await;
        };
        file.check().map_err(sqlx::Error::from)?;
        // A connection that was open before may have all of a file that was overwritten in its cache.
        let mut connection = AnyConnection::connect_with(&self.pool.connect_options()).await?;
        // Before the first statement, by which SQLite would take the side files for those of another database.
        let read = match file.check() {
            Ok(()) => read_all(&mut connection).await,
            Err(displaced) => Err(sqlx::Error::from(displaced).into()),
        };
        connection.close().await?;
        read
    }
}

async fn read_all(connection: &mut AnyConnection) -> Result<Vec<String>, Error> {
    let added = schema::additions(connection).await?;
    for table in TABLES {
        let one = format!("SELECT 1 FROM {table} LIMIT 1");
        sqlx::query(AssertSqlSafe(one)).fetch_optional(&mut *connection).await?;
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::{Event, What, Who};
    use jiff::Timestamp;

    use super::super::{AuditFiles, WhenLost};
    use super::*;

    async fn opened(folder: &Path) -> Store {
        let path = folder.join("doorward.db").display().to_string();
        Store::open(&path, [1; 4]).await.expect("a store")
    }

    #[tokio::test]
    async fn a_file_that_was_removed_or_replaced_opens_nothing_until_it_is_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        let event = Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead);
        store.commit(&[], vec![event]).await.expect("recorded");
        let (path, aside) = (folder.path().join("doorward.db"), folder.path().join("aside.db"));
        let is_trusted = async || {
            store.check_head().await.expect("read");
            assert_eq!(store.distrusted().is_none(), store.alarms().is_empty());
            store.distrusted().is_none()
        };
        assert!(is_trusted().await);
        std::fs::rename(&path, &aside).expect("moved");
        assert!(!is_trusted().await, "removed");
        std::fs::copy(&aside, &path).expect("a copy");
        assert!(!is_trusted().await, "replaced by a copy");
        assert!(store.alarms()[0].contains("was replaced while the server was running"));
        std::fs::rename(&aside, &path).expect("moved");
        assert!(is_trusted().await, "back");
        store.close().await;
    }

    #[tokio::test]
    async fn a_file_that_is_moved_away_for_a_moment_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        let event = || Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead);
        store.commit(&[], vec![event()]).await.expect("recorded");
        let (path, aside) = (folder.path().join("doorward.db"), folder.path().join("aside.db"));
        std::fs::rename(&path, &aside).expect("moved");
        assert!(store.answers().await.is_err());
        // Nor does a connection more, as under load.
        let more = store.pool.connect_options();
        assert!(AnyConnection::connect_with(&more).await.is_err());
        let shown = path.display().to_string();
        let files = AuditFiles::beside(&shown);
        let refused =
            Store::open_for(&shown, &files, [2; 4], WhenLost::Refuse).await.expect_err("moved away");
        assert!(refused.hint().is_some_and(|hint| hint.contains("put the file back")), "{refused:?}");
        assert!(!path.exists(), "nobody created another");
        // Nor is another taken for it.
        std::fs::write(&path, "").expect("a file");
        assert!(store.answers().await.is_err());
        let mut other = AnyConnection::connect_with(&more).await.expect("a connection");
        let prepared = super::super::opening::prepare(&mut other, store.file.as_ref()).await;
        assert!(prepared.is_err_and(|error| error.to_string().contains("was replaced")));
        other.close().await.expect("closed");
        std::fs::remove_file(&path).expect("a file");
        let head = store.commit(&[], vec![event()]).await.expect("the open file takes it");
        std::fs::rename(&aside, &path).expect("moved");
        store.answers().await.expect("back");
        store.check_head().await.expect("read");
        assert_eq!(store.distrusted(), None);
        // As after a crash: only what is in the files counts.
        let copy = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(folder.path()).expect("a folder") {
            let entry = entry.expect("an entry");
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copied");
        }
        let again = opened(copy.path()).await;
        assert_eq!((again.head().await.expect("a head"), again.distrusted()), (head, None));
        again.close().await;
        store.close().await;
    }

    #[tokio::test]
    async fn side_files_that_were_removed_or_replaced_open_nothing_and_lose_nothing() {
        for (ending, is_replaced) in [("-wal", false), ("-wal", true), ("-shm", false)] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = opened(folder.path()).await;
            let event = || Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead);
            store.commit(&[], vec![event()]).await.expect("recorded");
            let side = folder.path().join(format!("doorward.db{ending}"));
            // Kept, so that no other file gets its inode.
            std::fs::rename(&side, folder.path().join("aside")).expect("moved");
            if is_replaced {
                std::fs::write(&side, "").expect("a file");
            }
            store.check_head().await.expect("read");
            let why = store.distrusted().expect("displaced");
            assert!(why.contains(&format!("doorward.db{ending}`, a file of the store, was re")), "{why}");
            assert!(store.answers().await.is_err());
            let head = store.commit(&[], vec![event()]).await.expect("the open file takes it");
            store.close().await;
            let again = opened(folder.path()).await;
            assert_eq!((again.head().await.expect("a head"), again.distrusted()), (head, None), "{ending}");
            again.close().await;
        }
    }

    #[tokio::test]
    async fn a_start_reads_although_another_process_holds_the_store_locked() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        let event = Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead);
        store.commit(&[], vec![event]).await.expect("recorded");
        store.close().await;
        let url = format!("sqlite://{}", folder.path().join("doorward.db").display());
        for statement in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
            let mut other = AnyConnection::connect(&url).await.expect("a connection");
            sqlx::query(statement).execute(&mut other).await.expect("locked");
            let begun = std::time::Instant::now();
            let again = opened(folder.path()).await;
            assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{statement}");
            assert_eq!(again.distrusted(), None);
            assert_eq!(again.installation(), store.installation());
            sqlx::query("ROLLBACK").execute(&mut other).await.expect("unlocked");
            other.close().await.expect("closed");
            again.close().await;
        }
    }

    #[tokio::test]
    async fn a_store_of_which_any_table_cannot_be_read_does_not_answer() {
        for table in TABLES {
            let folder = tempfile::tempdir().expect("a folder");
            let store = opened(folder.path()).await;
            store.answers().await.expect("all is there");
            let rename = format!("ALTER TABLE {table} RENAME TO hidden");
            sqlx::query(AssertSqlSafe(rename)).execute(&store.pool).await.expect("renamed");
            assert!(store.answers().await.is_err(), "{table}");
            store.close().await;
        }
        // The old connections may still have all of it in their caches.
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(folder.path()).await;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&store.pool).await.expect("a checkpoint");
        let path = folder.path().join("doorward.db");
        let length = std::fs::metadata(&path).expect("a file").len();
        std::fs::write(&path, vec![0xa5; usize::try_from(length).expect("a length")]).expect("overwritten");
        assert!(store.answers().await.is_err(), "overwritten");
    }
}
