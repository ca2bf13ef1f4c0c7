//! The verified content of the store: what the audit log contains, as far as the holder of the key wrote it.
//!
//! A [`Ledger`] in memory follows the audit log from its first entry on; each entry is read and checked once, and the
//! store's rows are verified by it. If the audit log itself is not intact, the ledger stays as it is: later entries are
//! not accepted, and no grants are opened until an operator has accepted the store.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_core::audit::{Broken, Earlier, Entry, Event, Head, Ledger, What};
use doorward_core::grant::{Ending, Grant, GrantId};
use jiff::Timestamp;

use super::Store;
use super::alarm::{Alarm, Untrusted};
use super::checkpoint::Checkpoint;
use super::key::Key;
use super::noticed::Noticed;
use super::outside::Noted;

/// Entries behind a checkpoint until there is a new one, so that a start reads no more than about these.
pub(super) const CHECKPOINT_EACH: u64 = 1000;

/// How many ends are remembered: more than end between two passes.
const ENDS: usize = 4096;

#[derive(Debug)]
pub(super) struct Trust {
    pub key: Key,
    /// Whether the key was made by this process, so that nothing was written with it before.
    pub key_is_new: bool,
    /// Where the head is noted.
    pub outside: PathBuf,
    pub installation: String,
    pub lines_read: AtomicU64,
    inner: Mutex<Inner>,
    noting: AtomicBool,
    pub noticed: Noticed,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub ledger: Ledger,
    pub broken: Option<Untrusted>,
    /// What was wrong until an operator accepted it, while the audit log is read anew.
    pub rereading: Option<Untrusted>,
    /// Why the files of the store are not those that were opened, if they are not.
    pub displaced: Option<String>,
    pub noted: Option<Head>,
    /// The alarm that was noted outside when the audit log was read, and was over by then.
    pub over: Option<Alarm>,
    /// The entry by which this process accepted the audit log.
    pub accepted: u64,
    /// The last entry of the checkpoint that is kept outside.
    pub saved: u64,
    /// The grants that ended last, for a moment in which single entries are written and read, and the grants are not.
    ends: VecDeque<(GrantId, Ending, Timestamp)>,
}

impl Inner {
    /// Whether the audit log is not believed, or is only being read anew.
    pub fn is_doubted(&self) -> bool {
        self.broken.is_some() || self.rereading.is_some()
    }
}

impl Trust {
    pub fn new(key: Key, key_is_new: bool, outside: PathBuf, installation: String) -> Self {
        let lines_read = AtomicU64::new(0);
        let (inner, noting, noticed) = (Mutex::default(), AtomicBool::new(false), Noticed::default());
        Self { key, key_is_new, outside, installation, lines_read, inner, noting, noticed }
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole when the guard goes, so a thread that panicked left nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last entry that is believed.
    pub fn head(&self) -> Head {
        self.inner().ledger.head()
    }

    /// The last entry that sealed what came before it.
    pub fn sealed(&self) -> u64 {
        self.inner().ledger.sealed()
    }

    /// Why the audit log is not believed, if it is not.
    pub fn broken(&self) -> Option<String> {
        let inner = self.inner();
        let broken =
            inner.broken.as_ref().or(inner.rereading.as_ref()).map(|broken| broken.alarm.why.clone());
        broken.or_else(|| inner.displaced.clone())
    }

    /// What is wrong with the record as it was read last, if anything is.
    pub fn fault(&self) -> bool {
        self.inner().broken.is_some()
    }

    /// Whether the store is the one that was opened, or why not.
    pub fn note_displaced(&self, why: Option<String>) {
        let before = std::mem::replace(&mut self.inner().displaced, why.clone());
        if let Some(why) = why.filter(|_| before.is_none()) {
            tracing::error!(%why, "nothing new is opened");
        }
    }

    /// How and when a grant ended, as entries say that were written or read a moment ago.
    pub fn end_of(&self, grant: &GrantId) -> Option<(Ending, Timestamp)> {
        let inner = self.inner();
        let end = inner.ends.iter().rev().find(|(ended, ..)| ended == grant);
        end.map(|(_, how, at)| (how.clone(), *at))
    }

    /// Takes in entries that were read or written, in their order.
    pub fn take(&self, entries: &[Entry]) {
        let mut guard = self.inner();
        let inner = &mut *guard;
        for entry in entries {
            let Event { at, what: What::Ended { grant, how }, .. } = &entry.line.event else { continue };
            inner.ends.push_back((grant.clone(), how.clone(), *at));
            if inner.ends.len() > ENDS {
                inner.ends.pop_front();
            }
        }
        let mut forked = false;
        for entry in entries {
            let head = inner.ledger.head();
            if inner.is_doubted() {
                inner.ledger.note(entry);
                inner.broken.iter_mut().chain(&mut inner.rereading).for_each(|broken| broken.take(entry));
            } else if entry.head.seq > head.seq {
                forked |= entry.line.prev != head.hash;
                if forked {
                    break;
                }
                inner.ledger.take(entry);
            } else if entry.head.seq == head.seq {
                forked |= entry.head.hash != head.hash;
            }
        }
        drop(guard);
        if forked {
            self.distrust(Broken::NotContained { seq: self.head().seq });
        }
        self.take_alarm();
    }

    /// Trusts a record that begins, for what is open, with these entries: they seal what came before.
    pub fn begin_with(&self, entries: &[Entry]) {
        let mut ledger = Ledger::default();
        entries.iter().for_each(|entry| ledger.take(entry));
        let mut inner = self.inner();
        inner.accepted = ledger.sealed();
        (inner.ledger, inner.broken, inner.rereading) = (ledger, None, None);
    }

    pub fn forget(&self, gone: impl Fn(&GrantId) -> bool) {
        self.inner().ledger.forget(gone);
    }

    /// Asks the ledger as it was after an entry; none when that is too long ago.
    pub fn at<T>(&self, seq: u64, ask: impl FnOnce(&Earlier<'_>) -> T) -> Option<T> {
        let inner = self.inner();
        // What came behind a fault is not believed, so that there is no earlier and no later.
        let seq = if inner.is_doubted() { u64::MAX } else { seq };
        inner.ledger.at(seq).map(|earlier| ask(&earlier))
    }

    /// What operators have to hear of.
    pub fn alarms(&self) -> Vec<String> {
        let inner = self.inner();
        let mut alarms: Vec<String> =
            inner.broken.iter().chain(&inner.rereading).map(|broken| broken.alarm.why.clone()).collect();
        alarms.extend(inner.displaced.clone());
        let recorded = inner.ledger.alarms().iter().filter(|alarm| !alarms.contains(alarm));
        let recorded: Vec<String> = recorded.cloned().collect();
        alarms.extend(recorded);
        alarms
    }

    /// The head that is noted outside of the store.
    pub fn noted(&self) -> Option<Head> {
        self.inner().noted
    }

    /// Notes the newest head, without anybody waiting for the disk.
    pub fn note_soon(self: &Arc<Self>) {
        if self.is_noted() || self.noting.swap(true, Ordering::SeqCst) {
            return;
        }
        let turn = NotingTurn(Some(Arc::clone(self)));
        tokio::task::spawn_blocking(move || {
            let Some(trust) = turn.take() else { return };
            loop {
                let done = trust.note(CHECKPOINT_EACH);
                trust.noting.store(false, Ordering::SeqCst);
                // One that came meanwhile and found us at it.
                if !done || trust.is_noted() || trust.noting.swap(true, Ordering::SeqCst) {
                    return;
                }
            }
        });
    }

    /// Whether a head is being noted now.
    pub fn is_noting(&self) -> bool {
        self.noting.load(Ordering::SeqCst)
    }

    fn is_noted(&self) -> bool {
        let is_noted = {
            let inner = self.inner();
            // Of an audit log that is not believed there is only an alarm to note, whether the file is there or not.
            (!inner.is_doubted()).then(|| inner.noted == Some(inner.ledger.head()))
        };
        match is_noted {
            Some(is_noted) => is_noted && !self.is_head_file_missing(),
            None => self.is_alarm_noted(),
        }
    }

    /// Whether somebody removed the head file. The running process still knows the head; the next start would not, and
    /// would treat the store as altered. Without its folder there is nothing to write it to.
    fn is_head_file_missing(&self) -> bool {
        let missing = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        self.outside.symlink_metadata().is_err_and(missing)
            && self.outside.parent().is_some_and(|folder| folder.as_os_str().is_empty() || folder.exists())
    }

    /// Notes the newest head, and where so many entries came since the last checkpoint keeps another; of an audit log that is
    /// not believed the alarm. Whether that was done.
    pub fn note(&self, checkpoint_each: u64) -> bool {
        let is_missing = self.is_head_file_missing();
        let (head, saved) = {
            let inner = self.inner();
            if inner.is_doubted() {
                drop(inner);
                return self.note_alarm();
            }
            let head = inner.ledger.head();
            let due = head.seq > 0 && head.seq >= inner.saved.saturating_add(checkpoint_each);
            if inner.noted == Some(head) && !due && !is_missing {
                return true;
            }
            if inner.noted.is_some() && is_missing {
                let file = self.outside.display();
                tracing::error!(%file, "the head file of the audit log is gone, writing it again");
            }
            (head, due.then(|| inner.ledger.saved()))
        };
        // Another process of this store may have noted a later one.
        let later = match Noted::read(&self.outside, &self.key) {
            Ok(Some((noted, there))) if noted.installation == self.installation => match noted.alarm(there) {
                Some(alarm) if !self.is_known_to_be_over(&alarm) => return false,
                Some(_) => false,
                None => there.seq >= head.seq,
            },
            Ok(Some(_)) => false,
            Ok(None) | Err(_) => false,
        };
        if later {
            self.inner().noted = Some(head);
        }
        let done = later || self.write_down(head);
        // A checkpoint is never later than the head that is noted.
        match saved {
            Some(Ok(ledger)) if done => self.save(head, ledger),
            Some(Err(error)) => tracing::error!(%error, "could not save the ledger"),
            _ => {}
        }
        done
    }

    pub fn write_down(&self, head: Head) -> bool {
        match Noted::new(&self.installation, head, None, &self.key).write(&self.outside) {
            Ok(()) => {
                self.inner().noted = Some(head);
                true
            }
            Err(error) => {
                tracing::error!(%error, file = %self.outside.display(), "could not write the head file of the audit log, without it the next start treats the store as altered");
                false
            }
        }
    }

    fn save(&self, head: Head, ledger: String) {
        let checkpoint = Checkpoint { installation: self.installation.clone(), head, ledger };
        match checkpoint.write(&self.outside, &self.key) {
            Ok(()) => self.inner().saved = head.seq,
            Err(error) => {
                tracing::warn!(%error, "could not write a checkpoint, the next start reads more of the audit log");
            }
        }
    }
}

/// The turn at noting, on its way to the thread that takes it. A runtime that ends drops what it has not begun, and then
/// the turn is given back: else the store would wait for it when it is closed.
struct NotingTurn(Option<Arc<Trust>>);

impl NotingTurn {
    fn take(mut self) -> Option<Arc<Trust>> {
        self.0.take()
    }
}

impl Drop for NotingTurn {
    fn drop(&mut self) {
        if let Some(trust) = self.0.take() {
            trust.noting.store(false, Ordering::SeqCst);
        }
    }
}

impl Store {
    /// Why the audit log in the store is not believed, if it is not: then nothing new is opened.
    pub fn distrusted(&self) -> Option<String> {
        self.trust.broken()
    }

    /// Whether the audit log was not read, for want of a file outside, and so says nothing of any row.
    pub fn is_unread(&self) -> bool {
        self.trust.is_unread()
    }

    /// A grant with the end that the audit log says it has, for who cannot read the grants now.
    pub fn ended_by_log(&self, grant: Grant) -> Grant {
        match self.trust.end_of(grant.id()) {
            Some((how, at)) if !grant.ended() => grant.end(how, at),
            _ => grant,
        }
    }

    /// What was found altered in the store and no operator has accepted since, in words.
    pub fn alarms(&self) -> Vec<String> {
        self.trust.alarms()
    }
}

#[cfg(test)]
mod tests;
