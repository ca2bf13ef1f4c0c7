//! An alarm over the audit log itself: it lasts until an operator accepts the log, whatever is put back meanwhile.
//!
//! It is recorded in the audit log, where the other servers of the store see it, and noted next to the head outside the
//! store, where somebody who only writes the store cannot take it away. Both name an entry. The audit log is believed
//! again once it verifies, contains that entry, and has an entry behind it by which an operator accepted it: so no
//! acceptance of an earlier alarm counts, and no earlier state of the store.

use std::sync::Arc;

use doorward_core::audit::{Broken, Entry, Hash, Head, Ledger, What};

use super::checkpoint::Checkpoint;
use super::outside::Noted;
use super::reading::PAGE;
use super::trust::Trust;
use super::{Error, Store};

/// An alarm, as it is noted outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alarm {
    /// What was found, in words.
    pub why: String,
    /// The entry that records it; before it is recorded, the last that was believed.
    pub since: Head,
    /// An acceptance up to this entry was there before, and is none of this alarm.
    pub after: u64,
}

impl Alarm {
    fn accepted_from(&self) -> u64 {
        self.after.max(self.since.seq).saturating_add(1)
    }

    /// Whether an operator accepted the audit log behind it, by a ledger that has read all of it.
    fn is_over(&self, ledger: &Ledger) -> bool {
        ledger.sealed() >= self.accepted_from()
    }
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The store: only an operator ends it.
    Store,
    /// A file outside, with the head that was noted there then: it ends once the right file is back and the audit log
    /// verifies.
    Files { noted: Option<Head> },
}

/// Why the audit log is not believed.
#[derive(Debug)]
pub(super) struct Untrusted {
    pub alarm: Alarm,
    fault: Fault,
    /// Whether the alarm is in the audit log by now.
    recorded: bool,
    /// Whether the server raised it, or somebody else did before.
    raised: bool,
    /// Whether it is noted outside as it is now.
    noted: bool,
    /// Whether the log says that it could not be noted.
    reported: bool,
    /// The last line in which an acceptance was looked for.
    looked: Option<(i64, Hash)>,
}

impl Untrusted {
    fn new(alarm: Alarm, fault: Fault) -> Self {
        let (recorded, raised, noted, reported) = (false, false, false, false);
        Self { alarm, fault, recorded, raised, noted, reported, looked: None }
    }

    /// Found earlier, by this server or another; `noted` says that the alarm was read from the head file.
    fn lasting(alarm: Alarm, recorded: bool, noted: bool) -> Self {
        Self { recorded, noted, raised: true, ..Self::new(alarm, Fault::Store) }
    }

    /// Takes in an entry that was written meanwhile: it may record the alarm.
    pub fn take(&mut self, entry: &Entry) {
        if self.fault == Fault::Store && matches!(entry.line.event.what, What::LogAlarm { log: true, .. }) {
            (self.alarm.since, self.alarm.after) = (entry.head, entry.head.seq);
            (self.recorded, self.raised, self.noted, self.looked) = (true, true, false, None);
        }
    }

    fn is_to_be_noted(&self) -> bool {
        self.fault == Fault::Store && self.raised && !self.noted
    }
}

impl Trust {
    /// Believes nothing that was added to the store from now on, until an operator accepts it.
    pub fn distrust(&self, why: impl ToString) {
        let (believed, noted, after) = {
            let inner = self.inner();
            (inner.ledger.head(), inner.noted, inner.ledger.sealed())
        };
        let since = if believed == Head::EMPTY { noted.unwrap_or(Head::EMPTY) } else { believed };
        self.distrust_by(Untrusted::new(Alarm { why: why.to_string(), since, after }, Fault::Store));
    }

    /// Likewise, until the right file is back.
    pub fn distrust_files(&self, why: impl ToString) {
        let noted = self.inner().noted;
        let alarm = Alarm { why: why.to_string(), since: noted.unwrap_or(Head::EMPTY), after: 0 };
        self.distrust_by(Untrusted::new(alarm, Fault::Files { noted }));
    }

    fn distrust_by(&self, untrusted: Untrusted) {
        let mut inner = self.inner();
        let is_worse = |broken: &Untrusted| broken.fault != Fault::Store && untrusted.fault == Fault::Store;
        if inner.broken.as_ref().is_none_or(is_worse) {
            let why = &untrusted.alarm.why;
            tracing::error!(%why, "audit log in the store was altered, opening no new grants; see `doorward audit verify`");
            inner.broken = Some(untrusted);
        }
    }

    /// Distrusts a record that was read to its end and does not verify. An alarm that lasts is the one that is told.
    pub fn distrust_read(&self, broken: Broken, ledger: &Ledger, alarms: &[Alarm]) {
        match alarms.iter().find(|alarm| !alarm.is_over(ledger)) {
            Some(alarm) => {
                tracing::error!(why = %broken, "audit log in the store was altered");
                self.distrust_by(Untrusted::lasting(alarm.clone(), false, true));
            }
            None => self.distrust(broken),
        }
        self.accepted_before(ledger.sealed());
    }

    /// That what an operator accepted up to an entry was there when the fault was found.
    pub fn accepted_before(&self, sealed: u64) {
        if let Some(broken) = self.inner().broken.as_mut() {
            broken.alarm.after = broken.alarm.after.max(sealed);
        }
    }

    /// Whether an alarm lasts over a record that was read to its end and verifies: then it is distrusted.
    pub fn lasts(&self, ledger: &Ledger, alarms: &[Alarm]) -> bool {
        let noted = alarms.iter().find(|alarm| !alarm.is_over(ledger)).cloned();
        let recorded = ledger.log_alarm();
        let of_log = |why: &str| Alarm { why: why.into(), since: ledger.head(), after: ledger.sealed() };
        let is_noted = noted.is_some();
        let lasting = noted.or_else(|| recorded.map(of_log));
        let Some(alarm) = lasting else { return false };
        self.distrust_by(Untrusted::lasting(alarm, recorded.is_some(), is_noted));
        true
    }

    /// Likewise, while the store is read on: another server of it raised the alarm.
    pub fn take_alarm(&self) {
        let alarm = {
            let inner = self.inner();
            let ledger = &inner.ledger;
            let why = ledger.log_alarm().filter(|_| !inner.is_doubted());
            why.map(|why| Alarm { why: why.into(), since: ledger.head(), after: ledger.sealed() })
        };
        if let Some(alarm) = alarm {
            self.distrust_by(Untrusted::lasting(alarm, true, false));
        }
    }

    /// The alarms that have to be over before a record is believed: the one that is noted outside, and the one that was
    /// found by this process.
    pub fn lasting(&self, noted: Option<Alarm>) -> Vec<Alarm> {
        let inner = self.inner();
        let rereading = inner.rereading.as_ref().filter(|untrusted| untrusted.fault == Fault::Store);
        noted.into_iter().chain(rereading.map(|untrusted| untrusted.alarm.clone())).collect()
    }

    /// What has to be put into the audit log, once.
    pub fn unrecorded(&self) -> Option<What> {
        let mut inner = self.inner();
        let broken = inner.broken.as_mut().filter(|broken| !broken.recorded)?;
        (broken.recorded, broken.raised) = (true, true);
        Some(What::LogAlarm { found: vec![broken.alarm.why.clone()], log: broken.fault == Fault::Store })
    }

    /// That what was to be put into the audit log could not be, or is no longer there.
    pub fn is_unrecorded(&self) {
        if let Some(broken) = self.inner().broken.as_mut() {
            broken.recorded = false;
        }
    }

    /// Whether the alarm was raised before this check, rather than found by it.
    pub fn raised(&self) -> Option<String> {
        let inner = self.inner();
        let broken = inner.broken.as_ref().filter(|broken| broken.fault == Fault::Store && broken.raised);
        broken.map(|broken| broken.alarm.why.clone())
    }

    /// Whether a file outside is missing or wrong, so that the audit log was not read: it says nothing of any row then.
    pub fn is_unread(&self) -> bool {
        let inner = self.inner();
        inner.broken.as_ref().is_some_and(|broken| matches!(broken.fault, Fault::Files { .. }))
    }

    /// Whether nothing has to be noted outside about the alarm.
    pub fn is_alarm_noted(&self) -> bool {
        !self.inner().broken.as_ref().is_some_and(Untrusted::is_to_be_noted)
    }

    /// Notes the alarm outside; whether that was done.
    pub fn note_alarm(&self) -> bool {
        let alarm = {
            let inner = self.inner();
            let broken = inner.broken.as_ref().filter(|broken| broken.is_to_be_noted());
            let Some(broken) = broken else { return true };
            broken.alarm.clone()
        };
        let noted = Noted::new(&self.installation, alarm.since, Some(&alarm), &self.key);
        let written = noted.write(&self.outside);
        if written.is_ok() {
            // It may be of a later entry than the alarm's. The next start reads all of the audit log.
            Checkpoint::remove(&self.outside);
        }
        let mut inner = self.inner();
        if written.is_ok() {
            inner.saved = 0;
        }
        let Some(broken) = inner.broken.as_mut().filter(|broken| broken.alarm == alarm) else {
            return written.is_ok();
        };
        broken.noted = written.is_ok();
        if let Err(error) = written
            && !std::mem::replace(&mut broken.reported, true)
        {
            tracing::error!(%error, file = %self.outside.display(), "could not write the alarm to the head file of the audit log");
        }
        broken.noted
    }

    /// Whether an alarm that another process noted outside may be written over: this process has read, or made, the entry
    /// that accepted the audit log behind it. Else it is this process's, too.
    pub fn is_known_to_be_over(&self, alarm: &Alarm) -> bool {
        let is_over = {
            let inner = self.inner();
            inner.over.as_ref() == Some(alarm) || inner.accepted >= alarm.accepted_from()
        };
        if !is_over {
            self.distrust_by(Untrusted::lasting(alarm.clone(), false, true));
        }
        is_over
    }

    /// Compares the head file with the alarm: another process may just have replaced it.
    fn check_alarm_file(self: &Arc<Self>, there: Option<&(Noted, Head)>) {
        if let Some(broken) = self.inner().broken.as_mut() {
            let alarm = there.and_then(|(noted, head)| noted.alarm(*head));
            broken.noted = alarm.as_ref() == Some(&broken.alarm);
        }
        self.note_soon();
    }
}

impl Store {
    /// Reads the record anew where an operator has accepted it, or the right file is back. It is believed only once it was
    /// read to its end.
    pub(super) async fn read_again_if_accepted(&self) -> Result<(), Error> {
        let fault = {
            let inner = self.trust.inner();
            // A reading that was given up is done once more.
            let broken = inner.broken.as_ref().filter(|_| inner.rereading.is_none());
            broken.map(|broken| broken.fault)
        };
        if let Some(fault) = fault {
            let there = Noted::read(&self.trust.outside, &self.trust.key).ok().flatten();
            let ends = match fault {
                Fault::Files { noted } => there.as_ref().is_some_and(|(_, head)| Some(*head) != noted),
                Fault::Store => self.is_accepted().await.unwrap_or_else(|error| {
                    tracing::debug!(%error, "could not read whether an operator accepted the audit log");
                    false
                }),
            };
            if !ends {
                self.trust.check_alarm_file(there.as_ref());
                return Ok(());
            }
        }
        {
            let mut inner = self.trust.inner();
            if inner.rereading.is_none() {
                inner.rereading = inner.broken.take();
            }
        }
        let done = self.begin_to_trust().await;
        let mut inner = self.trust.inner();
        let before = inner.rereading.take();
        if done.is_err() && inner.broken.is_none() {
            inner.broken = before;
        }
        done
    }

    /// Whether an authentic entry behind the alarm accepts the audit log, as far as a line tells that by itself. Reads what
    /// was appended since it was asked last; where what it read then is gone, from the alarm on.
    async fn is_accepted(&self) -> Result<bool, Error> {
        let asked = {
            let inner = self.trust.inner();
            inner.broken.as_ref().map(|broken| (broken.alarm.clone(), broken.looked, broken.recorded))
        };
        let Some((alarm, mut looked, recorded)) = asked else { return Ok(false) };
        let mut connection = self.pool.acquire().await?;
        let signed = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        let mut accepted = false;
        loop {
            // From the last line on that was read, so that its text shows whether it is still there.
            let from = looked.map_or(signed(alarm.since.seq), |(seq, _)| seq).saturating_sub(1);
            let lines = self.kept_after(&mut connection, from, PAGE).await?;
            let first = lines.first();
            if let Some((seq, text)) = looked {
                if first.is_none_or(|first| first.seq != seq || Hash::of(first.line.as_bytes()) != text) {
                    looked = None;
                    continue;
                }
            } else if recorded
                && first.and_then(super::reading::Kept::entry).is_none_or(|entry| entry.head != alarm.since)
            {
                // Somebody deleted the entry of the alarm: it is recorded once more.
                self.trust.is_unrecorded();
            }
            let behind = lines.iter().filter(|kept| kept.seq >= signed(alarm.accepted_from()));
            accepted |= behind.filter(|kept| kept.line.contains("log-sealed")).any(|kept| {
                kept.entry().is_some_and(|entry| {
                    matches!(entry.line.event.what, What::LogSealed { .. })
                        && entry.is_authentic(&self.trust.key)
                })
            });
            let last = lines.last().map(|last| (last.seq, Hash::of(last.line.as_bytes())));
            let is_end = lines.len() < PAGE as usize;
            looked = last.or(looked);
            if let Some(broken) = self.trust.inner().broken.as_mut().filter(|broken| broken.alarm == alarm) {
                broken.looked = looked;
            }
            if accepted || is_end {
                return Ok(accepted);
            }
        }
    }

    /// What is to be put into the audit log because the audit log itself, or a file of it outside, was found altered; each
    /// is told once, and noted outside meanwhile.
    pub fn unrecorded_alarm(&self) -> Option<What> {
        let alarm = self.trust.unrecorded()?;
        self.trust.note_soon();
        Some(alarm)
    }

    /// That it could not be: it is told once more.
    pub fn alarm_is_unrecorded(&self) {
        self.trust.is_unrecorded();
    }
}

#[cfg(test)]
mod tests;
