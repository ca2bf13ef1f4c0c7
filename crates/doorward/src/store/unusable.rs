//! Whether a path can be an SQLite store, before SQLite is asked: it would create a file in the place of one that was moved
//! away, and delete what the write-ahead log of that one has.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::opening::WhenLost;
use super::owners;
use crate::{bounded_file, state_file};

/// What every SQLite database begins with (sqlite.org/fileformat.html, 1.3).
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Why an SQLite file cannot be a store, where that can be told better than SQLite does.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is a folder")]
    Folder,
    #[error("its folder does not exist")]
    NoFolder,
    #[error("it is not an SQLite database")]
    Foreign,
    #[error("it is not a regular file")]
    Irregular,
    #[error("`{}` is not a regular file", .0.display())]
    IrregularSide(PathBuf),
    #[error("it is not writable: the file, its folder or the whole disk is read-only")]
    ReadOnly(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was committed last is only in the file next to it.
    #[error("the file is missing or empty, but `{}` has changes of it", .0.display())]
    LogLeft(PathBuf),
    /// There was one.
    #[error("the file is missing, but `{}` shows that there was one", .0.display())]
    Lost(PathBuf),
}

impl Unusable {
    /// Whether something else is where the store was.
    pub fn is_replaced(&self) -> bool {
        matches!(
            self,
            Self::Folder | Self::Foreign | Self::Irregular | Self::IrregularSide(_) | Self::LogLeft(_)
        )
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::LogLeft(log) => Some(format!(
                "put the file back where it was; only if it does not exist any more, move `{}` away, too",
                log.display()
            )),
            Self::Lost(_) => Some(
                "put the file back, or restore a copy; `doorward serve` starts without it, revokes every grant and opens none until `doorward audit accept`"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// Why a path cannot be a store, as far as that is seen without making anything.
pub fn obstacle(path: &Path) -> Option<String> {
    match placed(path).and_then(|()| start_of(path)) {
        Ok(_) | Err(Unusable::ReadOnly(_)) => None,
        Err(unusable) => Some(unusable.to_string()),
    }
}

/// A store is a file in a folder that is there.
fn placed(path: &Path) -> Result<(), Unusable> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Unusable::NoFolder);
    }
    if path.is_dir() { Err(Unusable::Folder) } else { Ok(()) }
}

/// The first bytes of a database, or none of an empty file or no file.
fn start_of(path: &Path) -> Result<Vec<u8>, Unusable> {
    match bounded_file::open(path) {
        Ok(file) => begins(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        // Links that lead to each other.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            Err(Unusable::Irregular)
        }
        Err(error) => Err(Unusable::ReadOnly(error.into())),
    }
}

fn begins(file: &File) -> Result<Vec<u8>, Unusable> {
    let unreadable = |error: io::Error| Unusable::ReadOnly(error.into());
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Unusable::Irregular);
    }
    let mut start = Vec::new();
    file.take(SQLITE.len() as u64).read_to_end(&mut start).map_err(unreadable)?;
    if start.is_empty() || start == SQLITE { Ok(start) } else { Err(Unusable::Foreign) }
}

/// A file that is there is a database, or as empty as a new one. A new one is created, unless there was one before.
pub(super) fn usable(path: &Path, head: &Path, lost: WhenLost) -> Result<(), Unusable> {
    placed(path)?;
    // SQLite would wait for the writer of a pipe.
    let mut sides = ["-wal", "-shm", "-journal"].into_iter().map(|ending| state_file::beside(path, ending));
    if let Some(side) = sides.find(|side| std::fs::metadata(side).is_ok_and(|side| !side.is_file())) {
        return Err(Unusable::IrregularSide(side));
    }
    if start_of(path)?.is_empty() {
        // An empty file has no hot journal but that of its first transaction.
        let exists = path.exists();
        let logs: &[&str] = if exists { &["-wal"] } else { &["-wal", "-journal"] };
        let mut logs = logs.iter().map(|ending| state_file::beside(path, ending));
        if let Some(log) = logs.find(|log| std::fs::metadata(log).is_ok_and(|log| log.len() > 0)) {
            return Err(Unusable::LogLeft(log));
        }
        if !exists && lost == WhenLost::Refuse && head.exists() {
            return Err(Unusable::Lost(head.into()));
        }
    }
    // Nobody else reads who opened what; SQLite's side files follow.
    let opened = state_file::open_or_create(path, |created| owners::give_to_folders_owner(created, path));
    begins(&opened.map_err(|error| Unusable::ReadOnly(error.into()))?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &Path, lost: WhenLost) -> String {
        usable(path, &path.with_extension("head"), lost)
            .map_or_else(|why| why.to_string(), |()| "usable".into())
    }

    #[test]
    fn a_file_that_was_moved_away_is_not_replaced() {
        for (side, database, refused) in [
            ("-wal", None, true),
            ("-journal", None, true),
            ("-wal", Some(""), true),
            ("-journal", Some(""), false),
            ("-wal", Some("SQLite format 3\0"), false),
        ] {
            for lost in [WhenLost::Refuse, WhenLost::Distrust] {
                let folder = tempfile::tempdir().expect("a folder");
                let path = folder.path().join("doorward.db");
                let log = state_file::beside(&path, side);
                if let Some(database) = database {
                    std::fs::write(&path, database).expect("a file");
                }
                std::fs::write(&log, "").expect("a file");
                if database.is_some() {
                    assert_eq!(check(&path, lost), "usable", "an empty {side} has nothing");
                }
                std::fs::write(&log, "something").expect("a file");
                let told = check(&path, lost);
                assert_eq!(told != "usable", refused, "{side}, {database:?}: {told}");
                assert_eq!(path.exists(), database.is_some() || !refused);
                assert_eq!(std::fs::read(&log).expect("a file"), b"something");
            }
        }
    }

    #[test]
    fn only_a_server_goes_on_without_a_store_that_was_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db");
        std::fs::write(path.with_extension("head"), "a head").expect("a file");
        assert!(check(&path, WhenLost::Refuse).contains("doorward.head` shows that there was one"));
        assert!(!path.exists());
        assert_eq!(check(&path, WhenLost::Distrust), "usable");
        assert!(path.exists());
        assert_eq!(check(&path, WhenLost::Refuse), "usable");
    }

    #[test]
    fn what_is_no_regular_file_is_no_store_and_nobody_waits_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        assert_eq!(obstacle(&path).as_deref(), Some("it is not a regular file"));
        assert_eq!(check(&path, WhenLost::Distrust), "it is not a regular file");
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(folder.path().join("elsewhere.db"), &link).expect("a link");
        assert_eq!(check(&link, WhenLost::Distrust), "usable", "an operator may have it elsewhere");
        assert!(folder.path().join("elsewhere.db").exists());
    }
}
