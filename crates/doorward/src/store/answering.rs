//! Whether the store answers, and whether it is still the one that was opened.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use super::{Error, Store};

/// The file of an SQLite store, as it was opened.
#[derive(Debug, Clone)]
pub(super) struct StoreFile {
    path: PathBuf,
    /// Device and inode.
    is: (u64, u64),
}

/// Where a file is, by device and inode. It is not opened for that: closing it would give up the locks that SQLite holds
/// on it in this process (sqlite.org/howtocorrupt.html, 2.2).
fn place(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

impl StoreFile {
    pub fn of(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), is: place(path).ok()? })
    }
}

/// Every table that the server needs.
const TABLES: [&str; 9] =
    ["head", "installation", "record", "grants", "sessions", "known", "passwords", "doors", "rules"];

impl Store {
    /// Why the file of the store is another than the one that was opened, if it is: nothing that is written now is there
    /// after a restart.
    pub(super) fn displaced(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        let what = match place(&file.path) {
            Ok(is) if is == file.is => return None,
            Ok(_) => "replaced",
            Err(_) => "removed",
        };
        let path = file.path.display();
        Some(format!(
            "the store `{path}` was {what} while the server was running: put the file back, or restart the server"
        ))
    }

    /// Whether every table can be read.
    pub async fn answers(&self) -> Result<(), Error> {
        if self.file.is_none() {
            return read_all(&mut *self.pool.acquire().await?).await;
        }
        // A connection that was open before may have all of a file that was overwritten in its cache.
        let mut connection = AnyConnection::connect_with(&self.pool.connect_options()).await?;
        let read = read_all(&mut connection).await;
        connection.close().await?;
        read
    }
}

async fn read_all(connection: &mut AnyConnection) -> Result<(), Error> {
    for table in TABLES {
        let one = format!("SELECT 1 FROM {table} LIMIT 1");
        sqlx::query(AssertSqlSafe(one)).fetch_optional(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::{Event, What, Who};
    use jiff::Timestamp;

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
