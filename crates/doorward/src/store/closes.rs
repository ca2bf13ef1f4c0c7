//! Ends of grants and of sign-in sessions that are not recorded yet, kept outside the store: they survive the process, even
//! if the disk is full.
//!
//! The file is preallocated, so that a line overwrites blanks. A line is a MAC and an end; once the end is recorded, the line
//! is blanked again. A line without a valid MAC is ignored, and could only revoke.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use doorward_core::audit::{Event, What};
use doorward_core::firewall::InstallationId;
use doorward_core::grant::GrantId;
use doorward_core::policy::Person;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::key::{Key, sync_folder};
use super::outside::{AuditFiles, Noted};
use super::sessions::began_by;
use crate::state_file;

/// Bytes that are taken from the disk at the start: room for some 200 ends. More are kept as long as the disk has room.
const ROOM: usize = 64 * 1024;

/// The most bytes that are read, so that nobody's file fills the memory.
const MOST: u64 = 4 * 1024 * 1024;

/// How long another process may hold the file locked until it counts as one that cannot be used.
const LOCKED: Duration = Duration::from_millis(250);

const PURPOSE: &str = "decided end";

/// An end that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeptEnd {
    /// Of one sign-in session.
    Session {
        /// What it is called in a list ([`super::session_id`]).
        session: String,
        /// Whose it is.
        person: Person,
        /// The event that reports it, if there is one.
        event: Option<Event>,
        /// When it was decided.
        at: Timestamp,
    },
    /// Of all sign-in sessions of a person that began until an instant.
    Sessions {
        /// Whose they are.
        sessions_of: Person,
        /// The one that stays, as it is called in a list.
        but: Option<String>,
        /// The events that report it.
        events: Vec<Event>,
        /// When it was decided.
        at: Timestamp,
    },
    /// Of a grant.
    Grant(Event),
}

/// What an end is the end of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndOf {
    Grant(GrantId),
    /// A sign-in session, as it is called in a list.
    Session(String),
    /// A person's sign-in sessions.
    Sessions(Person),
}

impl std::fmt::Display for EndOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Grant(grant) => write!(f, "{grant}"),
            Self::Session(session) => write!(f, "the sign-in session {session}"),
            Self::Sessions(person) => write!(f, "the sign-in sessions of {person}"),
        }
    }
}

impl KeptEnd {
    /// What it is the end of; none of an event that ends no grant.
    pub fn of(&self) -> Option<EndOf> {
        match self {
            Self::Session { session, .. } => Some(EndOf::Session(session.clone())),
            Self::Sessions { sessions_of, .. } => Some(EndOf::Sessions(sessions_of.clone())),
            Self::Grant(Event { what: What::Ended { grant, .. }, .. }) => Some(EndOf::Grant(grant.clone())),
            Self::Grant(_) => None,
        }
    }

    /// Whether a sign-in session has ended by it.
    pub fn ends(&self, id: &str, of: &Person, made: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Session { session, person, .. } => session == id && person == of,
            Self::Sessions { sessions_of, but, at, .. } => {
                sessions_of == of && began_by(made, *at, now) && but.as_deref() != Some(id)
            }
            Self::Grant(_) => false,
        }
    }

    /// Both ends of the same, as one: of a grant the first, of sign-in sessions all that either ends.
    pub fn and(self, later: Self) -> Self {
        match (self, later) {
            (
                Self::Sessions { sessions_of, but, mut events, at },
                Self::Sessions { but: other, events: others, at: then, .. },
            ) => {
                events.extend(others);
                Self::Sessions {
                    sessions_of,
                    but: but.filter(|but| other.as_ref() == Some(but)),
                    events,
                    at: at.max(then),
                }
            }
            (first, _) => first,
        }
    }

    /// Whether the file holds it already.
    fn is_same(&self, there: &Self) -> bool {
        match (self, there) {
            (Self::Grant(one), Self::Grant(other)) => one.what == other.what,
            (one, other) => one == other,
        }
    }
}

/// What the file holds.
#[derive(Debug, Default)]
pub struct KeptEnds {
    /// What was decided.
    pub ends: Vec<KeptEnd>,
    /// Lines that were not written with the key.
    pub forged: usize,
}

/// The file, which can be written while the store cannot even be opened.
#[derive(Debug)]
pub struct EndsFile<'a> {
    key: &'a Key,
    installation: &'a str,
    head: &'a std::path::Path,
}

impl Store {
    fn ends_file(&self) -> EndsFile<'_> {
        EndsFile { key: &self.trust.key, installation: self.installation.as_str(), head: &self.trust.outside }
    }

    /// Takes the file's room from the disk, where it does not have it yet.
    pub fn make_room_for_ends(&self) -> io::Result<()> {
        self.ends_file().make_room()
    }

    /// When the file was last written; none where there is none.
    pub fn ends_changed(&self) -> Option<SystemTime> {
        std::fs::metadata(self.ends_file().path()).and_then(|file| file.modified()).ok()
    }

    /// What the file holds; nothing where there is none.
    pub fn kept_ends(&self) -> io::Result<KeptEnds> {
        self.ends_file().read()
    }

    /// Keeps an end until it is recorded.
    pub fn keep_end(&self, end: &KeptEnd) -> io::Result<()> {
        self.ends_file().keep(end)
    }

    /// Forgets an end, which is recorded by now.
    pub fn drop_end(&self, of: &EndOf) -> io::Result<()> {
        self.ends_file().forget(of)
    }
}

/// The installation of a store that need not be opened for it: as the head of its audit log names it. None where there is
/// no head, or where it was not written with the key.
pub fn noted_installation(files: &AuditFiles) -> Option<InstallationId> {
    let key = Key::read(&files.key).ok()??;
    let (noted, _) = Noted::read(&files.head, &key).ok()??;
    noted.installation.parse().ok()
}

/// Keeps an end for the server of a store that cannot be opened; it is in force as soon as the server has read the file,
/// within a second. False where no key and head say which store that is.
pub fn keep_without_store(files: &AuditFiles, end: &KeptEnd) -> io::Result<bool> {
    let Some(key) = Key::read(&files.key).map_err(io::Error::other)? else { return Ok(false) };
    let Some((noted, _)) = Noted::read(&files.head, &key).map_err(io::Error::other)? else {
        return Ok(false);
    };
    EndsFile { key: &key, installation: &noted.installation, head: &files.head }.keep(end)?;
    Ok(true)
}

impl EndsFile<'_> {
    fn make_room(&self) -> io::Result<()> {
        let mut file = self.opened(true)?;
        let has = file.metadata()?.len();
        let lacks = ROOM.saturating_sub(usize::try_from(has).unwrap_or(ROOM));
        if lacks > 0 {
            file.seek(SeekFrom::End(0))?;
            file.write_all(&vec![b'\n'; lacks])?;
            file.sync_all()?;
            sync_folder(&self.path())?;
        }
        Ok(())
    }

    fn read(&self) -> io::Result<KeptEnds> {
        match self.opened(false) {
            Ok(mut file) => {
                let bytes = read(&mut file)?;
                let mut kept = KeptEnds::default();
                for (_, line) in lines(&bytes) {
                    match self.end_of(line) {
                        Some(end) => kept.ends.push(end),
                        None => kept.forged += 1,
                    }
                }
                Ok(kept)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeptEnds::default()),
            Err(error) => Err(error),
        }
    }

    fn keep(&self, end: &KeptEnd) -> io::Result<()> {
        let mut file = self.opened(true)?;
        let bytes = read(&mut file)?;
        let is_there = |line: &[u8]| self.end_of(line).is_some_and(|there| end.is_same(&there));
        if lines(&bytes).any(|(_, line)| is_there(line)) {
            return Ok(());
        }
        let end = serde_json::to_string(end)?;
        let seal = self.key.seal(PURPOSE, &[self.installation, &end]);
        let at = bytes.trim_ascii_end().len();
        let line = format!("{}{seal} {end}\n", if at > 0 { "\n" } else { "" });
        if (at + line.len()) as u64 > MOST {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "it has too many entries"));
        }
        file.seek(SeekFrom::Start(at as u64))?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }

    fn forget(&self, of: &EndOf) -> io::Result<()> {
        let mut file = match self.opened(false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let bytes = read(&mut file)?;
        for (at, line) in lines(&bytes) {
            if self.end_of(line).is_some_and(|end| end.of().as_ref() == Some(of)) {
                file.seek(SeekFrom::Start(at as u64))?;
                file.write_all(&vec![b' '; line.len()])?;
            }
        }
        file.sync_data()
    }

    fn path(&self) -> PathBuf {
        state_file::beside(self.head, ".closes")
    }

    /// The file, which no other process writes meanwhile.
    fn opened(&self, make: bool) -> io::Result<File> {
        let file = state_file::open(&self.path(), make, self.head)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                // Whoever writes it does so within milliseconds; who holds it longer must not hold up a revocation.
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOCKED => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds it locked"));
                }
            }
        }
    }

    fn end_of(&self, line: &[u8]) -> Option<KeptEnd> {
        let (seal, text) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        let end: KeptEnd = serde_json::from_str(text).ok()?;
        let is_ours = || self.key.is_seal(seal, PURPOSE, &[self.installation, text]);
        (end.of().is_some() && is_ours()).then_some(end)
    }
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The lines that are not blank, each with the byte at which it begins.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    bytes.split(|byte| *byte == b'\n').filter_map(move |line| {
        let begins = at;
        at += line.len() + 1;
        (!line.trim_ascii().is_empty()).then_some((begins, line))
    })
}

#[cfg(test)]
mod tests {
    use doorward_core::audit::Who;
    use doorward_core::grant::Ending;

    use super::*;

    fn end(grant: &str, by: &str) -> KeptEnd {
        let by: doorward_core::policy::Person = by.parse().expect("a name");
        let what =
            What::Ended { grant: grant.parse().expect("a grant"), how: Ending::Closed { by: by.clone() } };
        let at = "2026-11-22T10:00:00Z".parse().expect("an instant");
        KeptEnd::Grant(Event::new(at, Who::Person(by), what))
    }

    #[tokio::test]
    async fn what_is_kept_is_read_until_it_is_dropped_and_takes_no_more_of_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("d.db");
        let store = Store::open(&path.display().to_string(), [1; 4]).await.expect("a store");
        assert!(store.kept_ends().expect("none").ends.is_empty());
        store.make_room_for_ends().expect("room");
        let size = || std::fs::metadata(store.ends_file().path()).expect("a file").len();
        assert_eq!(size(), ROOM as u64);
        let (one, other) = (end("g-aaaaaaaaaaaa", "jörg \"the\" admin"), end("g-bbbbbbbbbbbb", "maria"));
        for event in [&one, &other, &one] {
            store.keep_end(event).expect("kept");
        }
        assert_eq!(store.kept_ends().expect("read").ends, [one.clone(), other.clone()]);
        store.drop_end(&one.of().expect("a grant")).expect("dropped");
        assert_eq!(store.kept_ends().expect("read").ends, std::slice::from_ref(&other));
        store.keep_end(&one).expect("kept");
        assert_eq!(store.kept_ends().expect("read").ends, [other.clone(), one.clone()]);
        for number in 1..100_u8 {
            let id = GrantId::from_random([number; 8]);
            store.keep_end(&end(id.as_str(), "maria")).expect("kept");
            store.drop_end(&EndOf::Grant(id)).expect("dropped");
        }
        assert_eq!(size(), ROOM as u64);

        // Another's line is not heard, nor one that was altered, and neither hides the others.
        let text = std::fs::read_to_string(store.ends_file().path()).expect("text");
        std::fs::write(store.ends_file().path(), text.replacen("bbbbbbbbbbbb", "cccccccccccc", 1))
            .expect("a file");
        let kept = store.kept_ends().expect("read");
        assert_eq!((kept.ends, kept.forged), (vec![one], 1));
        std::fs::write(store.ends_file().path(), b"\xff\xfe\n").expect("a file");
        store.keep_end(&other).expect("kept");
        assert_eq!(store.kept_ends().expect("read").ends, [other]);
        store.close().await;
    }

    #[tokio::test]
    async fn who_holds_the_file_locked_holds_up_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("d.db");
        let store = Store::open(&path.display().to_string(), [1; 4]).await.expect("a store");
        let kept = end("g-aaaaaaaaaaaa", "maria");
        store.keep_end(&kept).expect("kept");
        let holder = File::open(store.ends_file().path()).expect("a file");
        holder.lock().expect("locked");
        let begun = Instant::now();
        assert!(store.kept_ends().is_err());
        assert!(store.keep_end(&end("g-bbbbbbbbbbbb", "maria")).is_err());
        assert!(store.drop_end(&kept.of().expect("a grant")).is_err());
        assert!(begun.elapsed() < Duration::from_secs(5));
        holder.unlock().expect("unlocked");
        assert_eq!(store.kept_ends().expect("read").ends, [kept]);
        store.close().await;
    }
}
