//! The verified content of the store: what the audit log contains, as far as the holder of the key wrote it.
//!
//! A [`Ledger`] in memory follows the audit log from its first entry on; each entry is read and checked once, and the
//! store's rows are verified by it. If the audit log itself is not intact, the ledger stays as it is: later entries are
//! not accepted, and no grants are opened until an operator has accepted the store.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_core::audit::{Broken, Earlier, Entry, Head, Ledger};
use doorward_core::grant::GrantId;

use super::Store;
use super::checkpoint::Checkpoint;
use super::key::Key;
use super::noticed::Noticed;
use super::outside::Noted;

/// Entries behind a checkpoint until there is a new one, so that a start reads no more than about these.
pub(super) const CHECKPOINT_EACH: u64 = 1000;

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
    /// The last entry of the checkpoint that is kept outside.
    pub saved: u64,
}

#[derive(Debug)]
pub(super) struct Untrusted {
    pub why: String,
    /// Whether the alarm is in the audit log by now.
    recorded: bool,
    /// What was noted outside when it was found: it changes when an operator accepts the audit log.
    pub noted: Option<Head>,
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
        let broken = inner.broken.as_ref().or(inner.rereading.as_ref()).map(|broken| broken.why.clone());
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

    /// Believes nothing that was added from now on.
    pub fn distrust(&self, why: impl ToString) {
        let mut inner = self.inner();
        if inner.broken.is_none() {
            let why = why.to_string();
            tracing::error!(%why, "audit log in the store was altered, opening no new grants; see `doorward audit verify`");
            let noted = inner.noted;
            inner.broken = Some(Untrusted { why, recorded: false, noted });
        }
    }

    /// That what was to be put into the audit log could not be.
    pub fn is_unrecorded(&self) {
        if let Some(broken) = self.inner().broken.as_mut() {
            broken.recorded = false;
        }
    }

    /// What has to be put into the audit log, once.
    pub fn unrecorded(&self) -> Option<String> {
        let mut inner = self.inner();
        let broken = inner.broken.as_mut().filter(|broken| !broken.recorded)?;
        broken.recorded = true;
        Some(broken.why.clone())
    }

    /// Takes in entries that were read or written, in their order.
    pub fn take(&self, entries: &[Entry]) {
        let mut inner = self.inner();
        let mut forked = false;
        for entry in entries {
            let head = inner.ledger.head();
            if inner.broken.is_some() {
                inner.ledger.note(entry);
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
        drop(inner);
        if forked {
            self.distrust(Broken::NotContained { seq: self.head().seq });
        }
    }

    /// Trusts a record that begins, for what is open, with these entries: they seal what came before.
    pub fn begin_with(&self, entries: &[Entry]) {
        let mut ledger = Ledger::default();
        entries.iter().for_each(|entry| ledger.take(entry));
        let mut inner = self.inner();
        (inner.ledger, inner.broken, inner.rereading) = (ledger, None, None);
    }

    pub fn forget(&self, gone: impl Fn(&GrantId) -> bool) {
        self.inner().ledger.forget(gone);
    }

    /// Asks the ledger as it was after an entry; none when that is too long ago.
    pub fn at<T>(&self, seq: u64, ask: impl FnOnce(&Earlier<'_>) -> T) -> Option<T> {
        let inner = self.inner();
        // What came behind a fault is not believed, so that there is no earlier and no later.
        let seq = if inner.broken.is_some() { u64::MAX } else { seq };
        inner.ledger.at(seq).map(|earlier| ask(&earlier))
    }

    /// What operators have to hear of.
    pub fn alarms(&self) -> Vec<String> {
        let inner = self.inner();
        let broken = inner.broken.iter().chain(&inner.rereading).map(|broken| broken.why.clone());
        broken.chain(inner.displaced.clone()).chain(inner.ledger.alarms().iter().cloned()).collect()
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
        let inner = self.inner();
        inner.broken.is_some() || inner.noted == Some(inner.ledger.head())
    }

    /// Notes the newest head, and where so many entries came since the last checkpoint keeps another; whether that was done.
    pub fn note(&self, checkpoint_each: u64) -> bool {
        let (head, saved) = {
            let inner = self.inner();
            let head = inner.ledger.head();
            let due = head.seq > 0 && head.seq >= inner.saved.saturating_add(checkpoint_each);
            if inner.broken.is_some() || (inner.noted == Some(head) && !due) {
                return true;
            }
            (head, due.then(|| inner.ledger.saved()))
        };
        // Another process of this store may have noted a later one.
        let later = match Noted::read(&self.outside, &self.key) {
            Ok(Some((noted, there))) => noted.installation == self.installation && there.seq >= head.seq,
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
        match Noted::new(&self.installation, head, &self.key).write(&self.outside) {
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

    /// What was found altered in the store and no operator has accepted since, in words.
    pub fn alarms(&self) -> Vec<String> {
        self.trust.alarms()
    }

    /// What is to be put into the audit log because the audit log itself was found altered; each is told once.
    pub fn unrecorded_alarm(&self) -> Option<String> {
        self.trust.unrecorded()
    }

    /// That it could not be: it is told once more.
    pub fn alarm_is_unrecorded(&self) {
        self.trust.is_unrecorded();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_head_that_a_runtime_did_not_begin_to_note_before_its_end_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doorward.db").display().to_string();
        let runtime = || {
            tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .max_blocking_threads(1)
                .build()
                .expect("a runtime")
        };
        let (own, ending) = (runtime(), runtime());
        let store = own.block_on(Store::open(&path, [1; 4])).expect("a store");
        own.block_on(async {
            while store.trust.is_noting() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        // The only thread that could note is busy until its runtime has been told to end.
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        ending.spawn_blocking(move || wait.recv());
        store.trust.inner().noted = None;
        let entered = ending.enter();
        store.trust.note_soon();
        drop(entered);
        assert!(store.trust.is_noting());
        ending.shutdown_background();
        drop(go_on);
        let closed = async { tokio::time::timeout(Duration::from_secs(20), store.close()).await };
        own.block_on(closed).expect("it is closed");
    }
}
