//! Revocations that are not recorded yet, kept outside the store: they survive the process, even if the disk is full.
//!
//! The file is preallocated, so that a line overwrites blanks. A line is a MAC and the event that ends a grant; once
//! the event is recorded, the line is blanked again. A line without a valid MAC is ignored, and could only revoke.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::PathBuf;
use std::time::SystemTime;

use doorward_core::audit::{Event, What};
use doorward_core::grant::{Ending, GrantId};

use super::Store;
use super::key::sync_folder;
use super::outside::beside_head;

/// Bytes that are taken from the disk at the start: room for some 200 ends. More are kept as long as the disk has room.
const ROOM: usize = 64 * 1024;

/// The most bytes that are read, so that nobody's file fills the memory.
const MOST: u64 = 4 * 1024 * 1024;

const PURPOSE: &str = "decided end";

/// What the file holds.
#[derive(Debug, Default)]
pub struct KeptCloses {
    /// Each ends a grant.
    pub events: Vec<Event>,
    /// Lines that were not written with the key.
    pub forged: usize,
}

impl Store {
    /// Takes the file's room from the disk, where it does not have it yet.
    pub fn make_room_for_closes(&self) -> io::Result<()> {
        let mut file = self.opened_closes(true)?;
        let has = file.metadata()?.len();
        let lacks = ROOM.saturating_sub(usize::try_from(has).unwrap_or(ROOM));
        if lacks > 0 {
            file.seek(SeekFrom::End(0))?;
            file.write_all(&vec![b'\n'; lacks])?;
            file.sync_all()?;
            sync_folder(&self.closes())?;
        }
        Ok(())
    }

    /// When the file was last written; none where there is none.
    pub fn closes_changed(&self) -> Option<SystemTime> {
        std::fs::metadata(self.closes()).and_then(|file| file.modified()).ok()
    }

    /// What the file holds; nothing where there is none.
    pub fn kept_closes(&self) -> io::Result<KeptCloses> {
        match self.opened_closes(false) {
            Ok(mut file) => {
                let bytes = read(&mut file)?;
                Ok(self.heard(&bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeptCloses::default()),
            Err(error) => Err(error),
        }
    }

    /// Keeps an end until it is recorded.
    pub fn keep_close(&self, event: &Event) -> io::Result<()> {
        let mut file = self.opened_closes(true)?;
        let bytes = read(&mut file)?;
        let is_there = |line: &[u8]| self.event_of(line).is_some_and(|there| there.what == event.what);
        if lines(&bytes).any(|(_, line)| is_there(line)) {
            return Ok(());
        }
        let event = serde_json::to_string(event)?;
        let seal = self.trust.key.seal(PURPOSE, &[self.installation.as_str(), &event]);
        let at = bytes.trim_ascii_end().len();
        let line = format!("{}{seal} {event}\n", if at > 0 { "\n" } else { "" });
        if (at + line.len()) as u64 > MOST {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "it has too many entries"));
        }
        file.seek(SeekFrom::Start(at as u64))?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }

    /// Forgets the end of a grant, which is recorded by now.
    pub fn drop_close(&self, grant: &GrantId) -> io::Result<()> {
        let mut file = match self.opened_closes(false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let bytes = read(&mut file)?;
        for (at, line) in lines(&bytes) {
            if self.event_of(line).is_some_and(|event| event.what.grant() == Some(grant)) {
                file.seek(SeekFrom::Start(at as u64))?;
                file.write_all(&vec![b' '; line.len()])?;
            }
        }
        file.sync_data()
    }

    fn closes(&self) -> PathBuf {
        beside_head(&self.trust.outside, ".closes")
    }

    /// The file, which no other process writes meanwhile.
    fn opened_closes(&self, make: bool) -> io::Result<File> {
        let path = self.closes();
        let made = make && !path.exists();
        let file =
            OpenOptions::new().read(true).write(true).create(make).truncate(false).mode(0o600).open(&path)?;
        if made && let Ok(head) = std::fs::metadata(&self.trust.outside) {
            // An operator who is root makes it for the server, which has to write it.
            let _ = chown(path, Some(head.uid()), Some(head.gid()));
        }
        file.lock()?;
        Ok(file)
    }

    fn heard(&self, bytes: &[u8]) -> KeptCloses {
        let mut kept = KeptCloses::default();
        for (_, line) in lines(bytes) {
            match self.event_of(line) {
                Some(event) => kept.events.push(event),
                None => kept.forged += 1,
            }
        }
        kept
    }

    fn event_of(&self, line: &[u8]) -> Option<Event> {
        let (seal, text) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        let event: Event = serde_json::from_str(text).ok()?;
        let is_decided =
            matches!(&event.what, What::Ended { how: Ending::Closed { .. } | Ending::Rejected { .. }, .. });
        (is_decided && self.trust.key.is_seal(seal, PURPOSE, &[self.installation.as_str(), text]))
            .then_some(event)
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

    use super::*;

    fn end(grant: &str, by: &str) -> Event {
        let by: doorward_core::policy::Person = by.parse().expect("a name");
        let what =
            What::Ended { grant: grant.parse().expect("a grant"), how: Ending::Closed { by: by.clone() } };
        Event::new("2026-11-22T10:00:00Z".parse().expect("an instant"), Who::Person(by), what)
    }

    #[tokio::test]
    async fn what_is_kept_is_read_until_it_is_dropped_and_takes_no_more_of_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("d.db");
        let store = Store::open(&path.display().to_string(), [1; 4]).await.expect("a store");
        assert!(store.kept_closes().expect("none").events.is_empty());
        store.make_room_for_closes().expect("room");
        let size = || std::fs::metadata(store.closes()).expect("a file").len();
        assert_eq!(size(), ROOM as u64);
        let (one, other) = (end("g-aaaaaaaaaaaa", "jörg \"the\" admin"), end("g-bbbbbbbbbbbb", "maria"));
        for event in [&one, &other, &one] {
            store.keep_close(event).expect("kept");
        }
        assert_eq!(store.kept_closes().expect("read").events, [one.clone(), other.clone()]);
        store.drop_close(one.what.grant().expect("a grant")).expect("dropped");
        assert_eq!(store.kept_closes().expect("read").events, std::slice::from_ref(&other));
        store.keep_close(&one).expect("kept");
        assert_eq!(store.kept_closes().expect("read").events, [other.clone(), one.clone()]);
        for number in 1..100_u8 {
            let id = GrantId::from_random([number; 8]);
            store.keep_close(&end(id.as_str(), "maria")).expect("kept");
            store.drop_close(&id).expect("dropped");
        }
        assert_eq!(size(), ROOM as u64);

        // Another's line is not heard, nor one that was altered, and neither hides the others.
        let text = std::fs::read_to_string(store.closes()).expect("text");
        std::fs::write(store.closes(), text.replacen("bbbbbbbbbbbb", "cccccccccccc", 1)).expect("a file");
        let kept = store.kept_closes().expect("read");
        assert_eq!((kept.events, kept.forged), (vec![one], 1));
        std::fs::write(store.closes(), b"\xff\xfe\n").expect("a file");
        store.keep_close(&other).expect("kept");
        assert_eq!(store.kept_closes().expect("read").events, [other]);
        store.close().await;
    }
}
