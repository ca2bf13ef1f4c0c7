//! The recorded account that the policy names: read once, and again when its folder changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use doorward_aws::NotRecorded;
use doorward_core::reach::{PathQuery, Reachability};
use jiff::Timestamp;
use tokio::sync::Mutex;

use doorward_picture::{self as picture, Drawing};

use crate::few_threads::{FewThreads, NotRead};

/// How deep a folder is looked through, and for how many files; beyond that a change may go unseen for a restart.
const DEEPEST: usize = 8;
const FILES: usize = 10_000;

/// How long reading a recorded account may take.
const READS: Duration = Duration::from_secs(60);

/// Why there is no account to look at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("the recorded account that the policy names cannot be read")]
    NotRecorded(#[from] NotRecorded),
    /// Reading it takes too long, or broke off.
    #[error("the recorded account that the policy names cannot be read")]
    NotRead(#[from] NotRead),
}

/// An account as it was recorded.
#[derive(Debug)]
pub struct RecordedAccount {
    folder: PathBuf,
    files: Files,
    /// Who can reach what in it.
    pub reachability: Reachability,
    drawing: OnceLock<Drawing>,
}

impl RecordedAccount {
    /// When the newest of its files was written; none where the file system does not say.
    pub fn recorded(&self) -> Option<Timestamp> {
        let newest = self.files.0.iter().filter_map(|(_, _, written)| *written).max()?;
        Timestamp::try_from(newest).ok()
    }

    /// The folder that it was read from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The picture of all of it. The first look takes as long as finding every way does.
    pub fn drawing(&self) -> &Drawing {
        self.drawing.get_or_init(|| picture::drawing(&self.reachability, &PathQuery::default()))
    }
}

/// The account that was read last.
#[derive(Debug)]
pub struct Account {
    last: Mutex<Option<Arc<RecordedAccount>>>,
    threads: FewThreads,
}

impl Default for Account {
    fn default() -> Self {
        Self { last: Mutex::default(), threads: FewThreads::new(1) }
    }
}

impl Account {
    /// What a folder holds now.
    pub async fn read(&self, folder: &Path) -> Result<Arc<RecordedAccount>, Error> {
        // Held while it is read: whoever asks meanwhile waits and finds it read.
        let mut last = self.last.lock().await;
        let (folder, before) = (folder.to_owned(), last.clone());
        let read = move || -> Result<Arc<RecordedAccount>, NotRecorded> {
            let files = Files::of(&folder);
            if let Some(before) = before.filter(|before| before.folder == folder && before.files == files) {
                return Ok(before);
            }
            let reachability = Reachability::of(doorward_aws::recorded(&folder)?);
            Ok(Arc::new(RecordedAccount { folder, files, reachability, drawing: OnceLock::new() }))
        };
        let seen = self.threads.read(READS, read).await??;
        *last = Some(Arc::clone(&seen));
        Ok(seen)
    }
}

/// The files of a folder: their paths, lengths and times.
#[derive(Debug, Default, PartialEq, Eq)]
struct Files(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Files {
    /// What cannot be seen is left out: reading it will say why.
    fn of(folder: &Path) -> Self {
        let mut files = Self::default();
        files.add(folder);
        files.below(folder, DEEPEST);
        files.0.sort();
        files
    }

    fn below(&mut self, folder: &Path, deep: usize) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && deep > 1 {
                self.below(&path, deep - 1);
            } else {
                self.add(&path);
            }
        }
    }

    /// Notes a file; a recording may be a single one.
    fn add(&mut self, path: &Path) {
        let Ok(about) = fs::metadata(path) else { return };
        if about.is_file() && self.0.len() < FILES {
            self.0.push((path.to_owned(), about.len(), about.modified().ok()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/account");

    #[tokio::test]
    async fn an_account_is_read_again_when_its_folder_changed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in fs::read_dir(EXAMPLE).expect("the example") {
            let file = file.expect("a file").path();
            fs::copy(&file, folder.path().join(file.file_name().expect("a name"))).expect("a copy");
        }
        let account = Account::default();
        let first = account.read(folder.path()).await.expect("an account");
        assert!(!first.drawing().edges.is_empty());
        let same = account.read(folder.path()).await.expect("an account");
        assert!(Arc::ptr_eq(&first, &same));
        fs::remove_file(folder.path().join("describe-network-interfaces.json")).expect("a file");
        let after = account.read(folder.path()).await.expect("an account");
        assert!(!Arc::ptr_eq(&first, &after) && after.drawing().edges.len() < first.drawing().edges.len());
        let gone = account.read(&folder.path().join("gone")).await;
        assert!(matches!(gone, Err(Error::NotRecorded(_))));
    }
}
