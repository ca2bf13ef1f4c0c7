//! A file that is followed: read again when it changes, by a thread of its own, so that one that does not answer keeps no
//! other waiting. The thread lives as long as the file is followed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::stamps::Stamp;
use crate::bounded_file::read;

/// How long a file may take to be read before the others are taken in without it.
pub(super) const READS: Duration = Duration::from_millis(400);

/// How a file is read, and how large it may be.
pub(super) type Read = fn(&Path, u64) -> io::Result<Vec<u8>>;

/// A file as it was last read.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    most: u64,
    by: Read,
    stamp: Option<Stamp>,
    /// Whether its last change is so old that a further one has another time.
    settled: bool,
    bytes: Arc<Vec<u8>>,
    /// Why the file as it is now could not be read.
    unread: Option<(io::ErrorKind, String)>,
    /// Who reads it, from the first time on.
    reader: Option<Reader>,
    /// Whether a reading goes on.
    reading: bool,
    /// Whether that takes longer than is waited for.
    is_late: bool,
}

/// The thread that reads one file whenever it is asked to. It ends when this is dropped.
#[derive(Debug)]
struct Reader {
    ask: Sender<Ask>,
    found: Receiver<Seen>,
}

/// One reading. `known` is the stamp of which the bytes are known, where they are.
#[derive(Debug)]
struct Ask {
    by: Read,
    known: Option<Option<Stamp>>,
}

impl Reader {
    fn start(path: &Path, most: u64) -> io::Result<Self> {
        let (ask, asked) = channel::<Ask>();
        let (tell, found) = channel();
        let path = path.to_owned();
        let reads = move || {
            for Ask { by, known } in asked {
                if tell.send(Seen::of(&path, most, by, known)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("policy-file".into()).spawn(reads)?;
        Ok(Self { ask, found })
    }
}

/// What a reading found; no bytes of a file that has not changed.
#[derive(Debug)]
struct Seen {
    stamp: Option<Stamp>,
    settled: bool,
    bytes: Option<io::Result<Vec<u8>>>,
}

impl Watched {
    /// A file of which these bytes were read.
    pub fn new(path: &Path, most: u64, bytes: Arc<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            most,
            by: read,
            stamp: None,
            settled: false,
            bytes,
            unread: None,
            reader: None,
            reading: false,
            is_late: false,
        }
    }

    /// A file that was not read yet.
    pub fn unread(path: &Path, most: u64) -> Self {
        let why = (io::ErrorKind::NotFound, "it was not read yet".to_owned());
        Self { unread: Some(why), ..Self::new(path, most, Arc::default()) }
    }

    /// Read otherwise than from the disk.
    #[cfg(test)]
    pub fn read_by(&mut self, by: Read) {
        (self.by, self.settled) = (by, false);
    }

    /// Begins to look whether it changed, unless a reading goes on.
    pub fn begin(&mut self) {
        if self.reading {
            return;
        }
        if self.reader.is_none() {
            self.reader = Reader::start(&self.path, self.most).ok();
        }
        // Without a thread there is nobody to wait for, and the next look tries again.
        let Some(reader) = &self.reader else { return };
        let known = self.settled.then(|| self.stamp.clone());
        self.reading = reader.ask.send(Ask { by: self.by, known }).is_ok();
        if !self.reading {
            self.reader = None;
        }
    }

    /// Takes what was found in, and waits for it until an instant where it was not late before. Whether anything is another.
    pub fn take(&mut self, until: Instant) -> bool {
        let Some(reader) = self.reader.as_ref().filter(|_| self.reading) else { return false };
        let limit =
            if self.is_late { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) };
        let seen = match reader.found.recv_timeout(limit) {
            Ok(seen) => seen,
            Err(RecvTimeoutError::Timeout) if self.is_late => return false,
            Err(RecvTimeoutError::Timeout) => {
                self.is_late = true;
                tracing::error!(
                    file = %self.path.display(),
                    "a policy file does not respond; its last content stays in force, and the other files are still followed"
                );
                return true;
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.reader = None;
                let why = io::Error::other("the thread that read it broke off");
                Seen { stamp: None, settled: false, bytes: Some(Err(why)) }
            }
        };
        self.reading = false;
        let was_late = std::mem::take(&mut self.is_late);
        let before = (Arc::clone(&self.bytes), self.unread.take());
        (self.stamp, self.settled) = (seen.stamp, seen.settled);
        match seen.bytes {
            None => self.unread.clone_from(&before.1),
            Some(Ok(bytes)) if bytes != *self.bytes => self.bytes = Arc::new(bytes),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                // It may be readable at the next look, without a change that a stamp shows.
                self.settled = false;
                self.unread = Some((error.kind(), error.to_string()));
            }
        }
        was_late || self.unread != before.1 || !Arc::ptr_eq(&self.bytes, &before.0)
    }

    /// What it holds, or why it cannot be read now.
    pub fn content(&self) -> io::Result<Arc<Vec<u8>>> {
        if self.is_late {
            let why = format!("it did not answer within {} ms", READS.as_millis());
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        match &self.unread {
            Some((kind, why)) => Err(io::Error::new(*kind, why.clone())),
            None => Ok(Arc::clone(&self.bytes)),
        }
    }

    /// What it held when it could last be read.
    pub fn last(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.bytes)
    }
}

impl Seen {
    fn of(path: &Path, most: u64, by: Read, known: Option<Option<Stamp>>) -> Self {
        // The stamp is older than what is read: what changes in between is read at the next look.
        let (stamp, settled) = Stamp::of(path);
        let is_same = known.is_some_and(|known| known == stamp);
        Self { stamp, settled, bytes: (!is_same).then(|| by(path, most)) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Mutex, PoisonError};
    use std::thread::{self, ThreadId};

    use super::*;

    static READERS: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());

    fn noting(path: &Path, most: u64) -> io::Result<Vec<u8>> {
        READERS.lock().unwrap_or_else(PoisonError::into_inner).push(thread::current().id());
        read(path, most)
    }

    fn breaking_off(_: &Path, _: u64) -> io::Result<Vec<u8>> {
        panic!("a fault of the file system")
    }

    #[test]
    fn one_thread_reads_a_file_however_often_and_another_one_once_that_broke_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("people.groups");
        let mut file = Watched::unread(&path, 100);
        file.read_by(noting);
        let mut look = |text: String| {
            std::fs::write(&path, &text).expect("a file");
            file.begin();
            file.begin();
            assert!(file.take(Instant::now() + Duration::from_secs(10)));
            assert_eq!(*file.content().expect("its content"), text.into_bytes());
        };
        (0..50).for_each(|number| look(format!("dbs: jon{number}\n")));
        let readers = || READERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert_eq!(readers().len(), 50);
        assert_eq!(readers().into_iter().collect::<HashSet<_>>().len(), 1);

        file.read_by(breaking_off);
        file.begin();
        assert!(file.take(Instant::now() + Duration::from_secs(10)));
        assert!(file.content().is_err());
        file.read_by(noting);
        file.begin();
        assert!(file.take(Instant::now() + Duration::from_secs(10)));
        assert_eq!(*file.content().expect("its content"), b"dbs: jon49\n");
        assert_eq!(readers().into_iter().collect::<HashSet<_>>().len(), 2);
    }
}
