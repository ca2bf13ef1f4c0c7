//! What tells that a file changed: looked at each second, so without reading it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::PeoplePaths;

/// What the files looked like at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamps {
    pub(super) people: Vec<PeoplePaths>,
    pub(super) files: Vec<Option<Stamp>>,
    /// Whether all changes are so old that a further one has another time. A clock's tick is some milliseconds, and
    /// two seconds on the coarsest of file systems.
    pub(super) settled: bool,
}

impl Stamps {
    pub(super) fn of(policy: &Path, people: Vec<PeoplePaths>) -> Self {
        let metadata = |path: &Path| fs::metadata(path).ok();
        let people_files = people.iter().flat_map(|people| [&people.passwords, &people.groups]);
        let files: Vec<Option<Metadata>> =
            std::iter::once(policy).chain(people_files.map(PathBuf::as_path)).map(metadata).collect();
        let now = SystemTime::now();
        let settled = files.iter().flatten().all(|file| {
            let age = file.modified().ok().and_then(|modified| now.duration_since(modified).ok());
            age.is_some_and(|age| age > Duration::from_secs(2))
        });
        Self { people, files: files.iter().map(|file| file.as_ref().map(Stamp::of)).collect(), settled }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            place: (file.dev(), file.ino()),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}
