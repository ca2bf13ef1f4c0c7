//! Which process of this machine runs the relays of a store: a server, or a command that holds a grant. Two processes cannot
//! listen on one port, so the others leave the relays alone, and read their state from the locked file.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use doorward_core::policy::FirewallName;
use serde::{Deserialize, Serialize};

use crate::state_file;

/// The most bytes that are read of what another process has noted.
const AT_MOST: u64 = 1 << 20;

/// The turn at running relays: a lock on a file next to the head of the audit log, which ends with the process.
#[derive(Debug, Default)]
pub struct RelayTurn {
    /// None: no other process runs them.
    path: Option<PathBuf>,
    held: Option<File>,
}

/// The state of the relays, as noted by the process that runs them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayState {
    /// The last change of a grant that the relays are in sync with, by its number in the audit log.
    pub change: u64,
    /// Relays that are out of sync, and why.
    pub failing: BTreeMap<FirewallName, String>,
}

impl RelayTurn {
    /// Of the store whose audit log has its head there.
    pub fn beside(head: &Path) -> Self {
        Self { path: Some(state_file::beside(head, ".relays")), held: None }
    }

    /// Takes the turn, unless another process has it; whether it is ours. Where the file cannot be used nobody can tell, and
    /// the port itself decides.
    pub fn take(&mut self) -> bool {
        if self.held.is_some() {
            return true;
        }
        let Some(path) = &self.path else { return true };
        let file = match state_file::open(path, true, path.parent().unwrap_or(path)) {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(%error, file = %path.display(), "cannot determine whether another process runs the relays");
                return true;
            }
        };
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

    /// Notes the state of the relays, for the other processes.
    pub fn note(&mut self, state: &RelayState) {
        let Some(file) = &mut self.held else { return };
        let noted = serde_json::to_vec(state).map_err(std::io::Error::from).and_then(|text| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&text)
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "could not note the state of the relays for other commands on this machine");
        }
    }

    /// What another process has noted; none while it is being written.
    pub fn noted(&self) -> Option<RelayState> {
        let file = File::open(self.path.as_ref()?).ok()?;
        let mut text = String::new();
        file.take(AT_MOST).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl Drop for RelayTurn {
    fn drop(&mut self) {
        // A child process that has been forked and has not called exec yet has the file too: closing it here alone would leave
        // it locked.
        if let Some(file) = &self.held
            && let Err(error) = file.unlock()
        {
            tracing::debug!(%error, "the lock of the relays was not released");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_the_relays_and_the_next_takes_over_when_it_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = folder.path().join("audit.head");
        let (mut first, mut second) = (RelayTurn::beside(&head), RelayTurn::beside(&head));
        assert!(first.take() && first.take());
        assert!(!second.take());
        let mut state = RelayState { change: 7, failing: BTreeMap::new() };
        state.failing.insert("door".parse().expect("a name"), "the port is taken".into());
        first.note(&state);
        assert_eq!(second.noted(), Some(state));
        // A shorter note leaves nothing of a longer one.
        first.note(&RelayState { change: 8, failing: BTreeMap::new() });
        assert_eq!(second.noted().map(|state| state.change), Some(8));
        drop(first);
        assert!(second.take());
        assert!(RelayTurn::default().take(), "without a file there is nobody else");
    }
}
