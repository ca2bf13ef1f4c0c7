//! A store whose audit log has another key: nothing is written to it, because its own servers could not verify that and
//! would refuse to open grants.

use doorward_core::audit::Entry;
use sqlx::AnyPool;

use super::key::{Key, KeyError};
use super::outside::{AuditFiles, Noted};
use super::{Error, record};

/// Lines that are read at a time.
const PAGE: u32 = 1000;

/// Reads the key of a store's record, or makes it for a record that has none yet; and whether it was made.
///
/// Called before anything is written: a record that another key authenticates is none of ours.
pub(super) async fn key(files: &AuditFiles, pool: &AnyPool) -> Result<(Key, bool), Error> {
    let (path, head) = (files.key.clone(), files.head.clone());
    let Some(key) = Key::read(&path)? else {
        // A new one would not know what was written with the old one, and would make a record look forged.
        if head.exists() {
            return Err(KeyError::Lost { path, head }.into());
        }
        if is_foreign(pool, None).await? {
            return Err(KeyError::Absent { path, head }.into());
        }
        let random = crate::clock::random().map_err(Error::Random)?;
        return Ok((Key::make(&path, random)?, true));
    };
    // With a head of its own it has written this store, whatever somebody made of the audit log since.
    let is_ours = Noted::read(&head, &key).is_ok_and(|noted| noted.is_some());
    if !is_ours && is_foreign(pool, Some(&key)).await? {
        return Err(KeyError::Foreign { path, head }.into());
    }
    Ok((key, false))
}

/// Whether a record has entries with a MAC, and none of them is the key's: read from the end up to the first that is.
async fn is_foreign(pool: &AnyPool, key: Option<&Key>) -> Result<bool, Error> {
    let (mut before, mut others) = (None, false);
    loop {
        let lines = match record::latest(pool, before, PAGE).await {
            Ok(lines) => lines,
            Err(error) if is_no_table(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let Some((last, _)) = lines.last() else { return Ok(others) };
        before = Some(*last);
        for entry in lines.iter().filter_map(|(_, line)| Entry::read(line).ok()) {
            others |= entry.mac.is_some();
            if key.is_some_and(|key| entry.is_authentic(key)) {
                return Ok(false);
            }
        }
        if key.is_none() && others {
            return Ok(true);
        }
    }
}

/// Whether a database says that there is no such table: SQLite's SQLITE_ERROR, of a statement that is right otherwise, and
/// PostgreSQL's undefined_table.
fn is_no_table(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "1" || code == "42P01")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use doorward_core::audit::{Event, What, Who};
    use jiff::Timestamp;

    use super::super::Store;
    use super::*;

    fn event() -> Event {
        Event::new(Timestamp::UNIX_EPOCH, Who::Doorward, What::RecordRead)
    }

    fn files(folder: &Path) -> AuditFiles {
        fs::create_dir_all(folder).expect("a folder");
        AuditFiles { key: folder.join("key"), head: folder.join("head") }
    }

    /// All that is in the store, as somebody with a database client sees it.
    async fn written(store: &Store) -> String {
        let mut all = String::new();
        for table in ["record", "head", "installation", "_sqlx_migrations"] {
            let count = format!("SELECT COUNT(*) FROM {table}");
            let count: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&store.pool).await.expect("a count");
            all += &format!("{table} {count} ");
        }
        format!("{all}{}", store.head().await.expect("a head"))
    }

    #[tokio::test]
    async fn a_store_of_another_key_is_not_written_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let (ours, theirs) = (files(&folder.path().join("ours")), files(&folder.path().join("theirs")));
        let store = Store::open_with(&path, &ours, [1; 4]).await.expect("a store");
        store.commit(&[], vec![event(), event()]).await.expect("recorded");
        let before = written(&store).await;
        let refused = async || {
            let error = Store::open_with(&path, &theirs, [2; 4]).await.expect_err("another's");
            assert_eq!(written(&store).await, before);
            let hint = error.hint().unwrap_or_default();
            assert!(hint.contains(&theirs.key.display().to_string()), "{hint}");
            assert!(hint.contains(&theirs.head.display().to_string()), "{hint}");
            assert!(hint.contains("docs/audit.md"), "{hint}");
            error.to_string()
        };
        let told = refused().await;
        assert!(told.contains("but there is no key at"), "{told}");
        assert!(!theirs.key.exists() && !theirs.head.exists(), "no key is made");
        fs::write(&theirs.key, format!("{}\n", "7".repeat(64))).expect("a key");
        assert!(refused().await.contains("by another key than"));
        // Only the head, and not the key.
        fs::remove_file(&theirs.key).expect("a key");
        fs::copy(&ours.head, &theirs.head).expect("a head");
        assert!(refused().await.contains("is missing"));
        // With both it is a server more.
        fs::copy(&ours.key, &theirs.key).expect("a key");
        let more = Store::open_with(&path, &theirs, [2; 4]).await.expect("a store");
        assert_eq!((more.distrusted(), more.installation()), (None, store.installation()));
        more.commit(&[], vec![event()]).await.expect("recorded");
        store.check_head().await.expect("read");
        assert_eq!(store.distrusted(), None);
    }

    #[tokio::test]
    async fn who_forges_a_whole_record_keeps_no_server_from_revoking() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let store = Store::open(&path, [1; 4]).await.expect("a store");
        store.commit(&[], vec![event(), event()]).await.expect("recorded");
        let forge = "UPDATE record SET line = substr(line, 1, length(line) - 66) || \
            '0000000000000000000000000000000000000000000000000000000000000000\"}'";
        sqlx::query(forge).execute(&store.pool).await.expect("forged");
        store.close().await;
        let checkpoint = format!("{}.checkpoint", AuditFiles::beside(&path).head.display());
        fs::remove_file(checkpoint).expect("a checkpoint");
        let store = Store::open(&path, [1; 4]).await.expect("it starts");
        assert!(store.distrusted().is_some());
    }

    #[tokio::test]
    async fn a_record_without_macs_is_not_sealed_where_there_was_a_key_before() {
        for has_key in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("doorward.db").display().to_string();
            let files = AuditFiles::beside(&path);
            let store = Store::open(&path, [1; 4]).await.expect("a store");
            store.commit(&[], vec![event()]).await.expect("recorded");
            let strip = "UPDATE record SET line = substr(line, 1, length(line) - 74) || '}'";
            sqlx::query(strip).execute(&store.pool).await.expect("stripped");
            store.close().await;
            let checkpoint = format!("{}.checkpoint", files.head.display());
            fs::remove_file(&files.head).expect("a head");
            fs::remove_file(checkpoint).expect("a checkpoint");
            if !has_key {
                fs::remove_file(&files.key).expect("a key");
            }
            let store = Store::open(&path, [1; 4]).await.expect("a store");
            assert_eq!(store.distrusted().is_some(), has_key, "{:?}", store.distrusted());
            let entries = store.head().await.expect("a head").seq;
            assert_eq!(entries, if has_key { 1 } else { 2 }, "a seal is an entry");
        }
    }
}
