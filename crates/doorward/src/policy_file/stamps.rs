//! What tells that a file changed: looked at each second, so without reading it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a file looked like at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of a file, if it is there, and whether its last change is so old that a further one has another time. A clock's tick
    /// is some milliseconds, and two seconds on the coarsest of file systems.
    pub(super) fn of(path: &Path) -> (Option<Self>, bool) {
        let Ok(file) = fs::metadata(path) else { return (None, true) };
        let age = file.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
        let stamp = Self {
            place: (file.dev(), file.ino()),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        };
        (Some(stamp), age.is_some_and(|age| age > Duration::from_secs(2)))
    }
}
