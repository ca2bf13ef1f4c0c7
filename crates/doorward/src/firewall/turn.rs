//! Which process of this machine runs the relays of a store: a server, or a command that holds a grant. Two processes cannot
//! listen on one port, so the others leave the relays alone, and read their state from the locked file.
//!
//! Who can write the folder and has no key can delay what these processes learn of each other, and nothing else: what is
//! noted has a MAC by the key of the audit log, and says of one change that the relays are in sync with it. Nothing is read
//! from or written to a link, a pipe or a device in the place of the file.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use doorward_core::policy::FirewallName;
use serde::{Deserialize, Serialize};

use crate::store::Seals;
use crate::{bounded_file, state_file};

/// The most bytes that are read of what another process has noted.
const AT_MOST: u64 = 1 << 20;

const PURPOSE: &str = "state of the relays";

/// The turn at running relays: a lock on a file next to the head of the audit log, which ends with the process.
#[derive(Debug, Default)]
pub struct RelayTurn {
    /// None: no other process runs them.
    path: Option<PathBuf>,
    /// None where nobody notes anything.
    seals: Option<Seals>,
    held: Option<Locked>,
    /// What was wrong with the file when that was last logged.
    logged: Option<String>,
    /// What was read of it that has no valid MAC: it may have been read while it was written.
    unauthentic: Option<Vec<u8>>,
}

/// The file, locked until this is dropped.
#[derive(Debug)]
struct Locked(File);

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runs {
    /// This process runs the relays.
    Here,
    /// Another process does.
    Elsewhere,
    /// Nobody may: something else is in the place of the file, as this says.
    Nowhere(String),
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
        Self { path: Some(state_file::beside(head, ".relays")), ..Self::default() }
    }

    /// What is noted is authenticated by these.
    pub fn noting(self, seals: Seals) -> Self {
        Self { seals: Some(seals), ..self }
    }

    /// Takes the turn, unless another process has it. Where this process may not use the file nobody can tell, and the port
    /// itself decides.
    pub fn take(&mut self) -> Runs {
        if self.held.is_some() {
            return Runs::Here;
        }
        let Some(path) = self.path.clone() else { return Runs::Here };
        if let Some(what) = foreign(&path) {
            return self.nowhere(&path, what);
        }
        let file = match state_file::open(&path, true, path.parent().unwrap_or(&path)) {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(%error, file = %path.display(), "cannot determine whether another process runs the relays");
                return Runs::Here;
            }
        };
        if !is_at(&file, &path) {
            return self.nowhere(&path, "another file than a moment ago");
        }
        let locked = file.try_lock();
        self.logged = None;
        match locked {
            Ok(()) => {
                self.held = Some(Locked(file));
                Runs::Here
            }
            Err(TryLockError::WouldBlock) => Runs::Elsewhere,
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, file = %path.display(), "cannot determine whether another process runs the relays");
                Runs::Here
            }
        }
    }

    fn nowhere(&mut self, path: &Path, what: &str) -> Runs {
        let why = format!("`{}` is {what}; remove it, and Doorward creates the file again", path.display());
        self.log(&why);
        Runs::Nowhere(why)
    }

    /// Logs what is wrong with the file, once.
    fn log(&mut self, why: &str) {
        if self.logged.as_deref() != Some(why) {
            tracing::error!("the state of the relays is not believed: {why}");
            self.logged = Some(why.to_owned());
        }
    }

    /// Notes the state of the relays, for the other processes.
    pub fn note(&mut self, state: &RelayState) {
        let (Some(Locked(file)), Some(seals)) = (&mut self.held, &self.seals) else { return };
        let noted = serde_json::to_string(state).map_err(io::Error::from).and_then(|text| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(seals.sealed(PURPOSE, &text).as_bytes())
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "could not note the state of the relays for other commands on this machine");
        }
    }

    /// What another process has noted; none while it is being written, and none that was not written with the key.
    pub fn noted(&mut self) -> Option<RelayState> {
        let (path, seals) = (self.path.clone()?, self.seals.as_ref()?);
        let bytes = bounded_file::read(&path, AT_MOST).ok()?;
        let line = std::str::from_utf8(&bytes).ok();
        if let Some(text) = line.and_then(|line| seals.opened(PURPOSE, line)) {
            let state = serde_json::from_str(text).ok();
            (self.logged, self.unauthentic) = (None, None);
            return state;
        }
        if !bytes.is_empty() && self.unauthentic.as_ref() == Some(&bytes) {
            self.log(&format!("`{}` was not written with the key of the audit log", path.display()));
        }
        self.unauthentic = Some(bytes);
        None
    }
}

/// What is in the place of the file that is no file of ours.
fn foreign(path: &Path) -> Option<&'static str> {
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    match (kind.is_symlink(), kind.is_file()) {
        (true, _) => Some("a symbolic link"),
        (_, true) => None,
        (_, false) => Some("not a regular file"),
    }
}

/// Whether an open file is the regular one at a path, and was not reached through a link.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    open.is_file() && (open.dev(), open.ino()) == (there.dev(), there.ino())
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A child process that has been forked and has not called exec yet has the file too: closing it here alone would leave
        // it locked.
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the lock of the relays was not released");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::store::Key;

    fn turn(head: &Path, key: u8) -> RelayTurn {
        RelayTurn::beside(head).noting(Seals::new(Key::new(&[key; 32]), "an installation"))
    }

    fn state(change: u64) -> RelayState {
        RelayState { change, failing: BTreeMap::new() }
    }

    #[test]
    fn one_runs_the_relays_and_the_next_takes_over_when_it_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = folder.path().join("audit.head");
        let (mut first, mut second) = (turn(&head, 1), turn(&head, 1));
        assert_eq!((first.take(), first.take()), (Runs::Here, Runs::Here));
        assert_eq!(second.take(), Runs::Elsewhere);
        let mut seventh = state(7);
        seventh.failing.insert("door".parse().expect("a name"), "the port is taken".into());
        first.note(&seventh);
        assert_eq!(second.noted(), Some(seventh));
        // A shorter note leaves nothing of a longer one.
        first.note(&state(8));
        assert_eq!(second.noted().map(|state| state.change), Some(8));
        drop(first);
        assert_eq!(second.take(), Runs::Here);
        assert_eq!(RelayTurn::default().take(), Runs::Here, "without a file there is nobody else");
    }

    #[test]
    fn a_note_without_the_key_is_not_believed_and_is_logged_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = folder.path().join("audit.head");
        let path = folder.path().join("audit.head.relays");
        let (mut stranger, mut ours) = (turn(&head, 2), turn(&head, 1));
        assert_eq!(stranger.take(), Runs::Here);
        stranger.note(&state(1_000_000));
        assert_eq!(ours.noted(), None);
        assert_eq!(ours.logged, None, "it may be half written");
        assert_eq!(ours.noted(), None);
        let logged = ours.logged.clone().expect("logged");
        assert!(
            logged.ends_with("audit.head.relays` was not written with the key of the audit log"),
            "{logged}"
        );
        for forged in ["{\"change\":1000000,\"failing\":{}}", "x y\n", "\u{0}"] {
            fs::write(&path, forged).expect("written");
            assert_eq!((ours.noted(), ours.noted()), (None, None), "{forged}");
        }
        // Of another store of the same key.
        let other =
            Seals::new(Key::new(&[1; 32]), "another").sealed(PURPOSE, "{\"change\":9,\"failing\":{}}");
        fs::write(&path, other).expect("written");
        assert_eq!(ours.noted(), None);
        drop(stranger);
        assert_eq!(ours.take(), Runs::Here);
        ours.note(&state(9));
        assert_eq!(turn(&head, 1).noted(), Some(state(9)));
        // More than is read is not believed either, whatever is in front.
        let mut long = fs::read(&path).expect("read");
        long.resize(long.len() + usize::try_from(AT_MOST).expect("few"), b' ');
        fs::write(&path, long).expect("written");
        assert_eq!(turn(&head, 1).noted(), None);
    }

    #[test]
    fn a_link_or_a_pipe_in_the_place_of_the_file_is_neither_read_nor_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = folder.path().join("audit.head");
        let path = folder.path().join("audit.head.relays");
        let other = folder.path().join("other");
        fs::write(&other, "of somebody else").expect("written");
        let mut turn = turn(&head, 1);
        let check = |turn: &mut RelayTurn, what: &str| {
            let Runs::Nowhere(why) = turn.take() else { panic!("{what} is used") };
            assert!(why.contains(what) && why.contains("remove it"), "{why}");
            assert_eq!(turn.logged.as_ref(), Some(&why));
            turn.note(&state(1));
            assert_eq!(turn.noted(), None);
        };
        symlink(&other, &path).expect("a link");
        check(&mut turn, "a symbolic link");
        fs::remove_file(&path).expect("removed");
        symlink(folder.path().join("nowhere"), &path).expect("a link");
        check(&mut turn, "a symbolic link");
        assert!(!folder.path().join("nowhere").exists(), "nothing is created through a link");
        fs::remove_file(&path).expect("removed");
        let pipe = rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        );
        pipe.expect("a pipe");
        check(&mut turn, "not a regular file");
        assert_eq!(fs::read_to_string(&other).expect("read"), "of somebody else");
        fs::remove_file(&path).expect("removed");
        assert_eq!(turn.take(), Runs::Here);
    }
}
