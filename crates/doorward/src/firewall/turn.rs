//! Which process of this machine carries the relays of a store: a server, or a command that holds a grant. Two cannot listen
//! on one port, so the others leave the relays alone, and read beside the lock what became of them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use doorward_core::policy::FirewallName;
use serde::{Deserialize, Serialize};

/// The most bytes that are read of what another process has noted.
const AT_MOST: u64 = 1 << 20;

/// The turn at carrying relays: a lock on a file next to the head of the audit log, which ends with the process.
#[derive(Debug, Default)]
pub struct RelayTurn {
    /// None: nobody else carries them.
    path: Option<PathBuf>,
    held: Option<File>,
}

/// What became of the relays, as the process that carries them last noted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The last change of a grant that the relays were brought to, by its number in the audit log.
    pub change: u64,
    /// Relays that could not be, and why.
    pub failing: BTreeMap<FirewallName, String>,
}

impl RelayTurn {
    /// Of the store whose audit log has its head there.
    pub fn beside(head: &Path) -> Self {
        let mut path = head.as_os_str().to_owned();
        path.push(".relays");
        Self { path: Some(path.into()), held: None }
    }

    /// Takes the turn, unless another process has it; whether it is ours. Where the file cannot be used nobody can tell, and
    /// the port itself decides.
    pub fn take(&mut self) -> bool {
        if self.held.is_some() {
            return true;
        }
        let Some(path) = &self.path else { return true };
        let made = !path.exists();
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(%error, file = %path.display(), "cannot determine whether another process runs the relays");
                return true;
            }
        };
        if made && let Some(Ok(folder)) = path.parent().map(std::fs::metadata) {
            // An operator who is root makes it for the server, which has to write it.
            let _ = chown(path, Some(folder.uid()), Some(folder.gid()));
        }
        match file.try_lock() {
            Ok(()) => {
                self.held = Some(file);
                true
            }
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, file = %path.display(), "cannot determine whether another process runs the relays");
                true
            }
        }
    }

    /// Notes what became of the relays, for the other processes.
    pub fn note(&mut self, carried: &Carried) {
        let Some(file) = &mut self.held else { return };
        let noted = serde_json::to_vec(carried).map_err(std::io::Error::from).and_then(|text| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&text)
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "could not note the state of the relays for other commands on this machine");
        }
    }

    /// What another process has noted; none while it is being written.
    pub fn noted(&self) -> Option<Carried> {
        let file = File::open(self.path.as_ref()?).ok()?;
        let mut text = String::new();
        file.take(AT_MOST).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_carries_and_the_next_takes_over_when_it_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = folder.path().join("audit.head");
        let (mut first, mut second) = (RelayTurn::beside(&head), RelayTurn::beside(&head));
        assert!(first.take() && first.take());
        assert!(!second.take());
        let mut carried = Carried { change: 7, failing: BTreeMap::new() };
        carried.failing.insert("door".parse().expect("a name"), "the port is taken".into());
        first.note(&carried);
        assert_eq!(second.noted(), Some(carried));
        // A shorter note leaves nothing of a longer one.
        first.note(&Carried { change: 8, failing: BTreeMap::new() });
        assert_eq!(second.noted().map(|carried| carried.change), Some(8));
        drop(first);
        assert!(second.take());
        assert!(RelayTurn::default().take(), "without a file there is nobody else");
    }
}
