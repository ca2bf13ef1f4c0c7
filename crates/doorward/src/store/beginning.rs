//! How trust in a store begins, or begins again after an operator accepted it.

use doorward_core::audit::{Broken, Contained, Entry, Head, Ledger};

use super::alarm::Alarm;
use super::checkpoint::Checkpoint;
use super::outside::{Noted, Unnoted};
use super::reading::Read;
use super::{Error, Store};

impl Store {
    /// Trusts the audit log for the first time, or again after it was accepted: as far as it goes on from the checkpoint
    /// and contains the head that is noted outside. Without a checkpoint it is read from its first line.
    pub(super) async fn begin_to_trust(&self) -> Result<(), Error> {
        let (outside, key) = (&self.trust.outside, &self.trust.key);
        let there = self.or_distrust(Noted::read(outside, key));
        let noted = there.as_ref().map(|(_, head)| *head);
        self.trust.inner().noted = noted;
        let checkpoint = self.or_distrust(Checkpoint::read(outside, key));
        let alarm = there.and_then(|(noted, head)| noted.alarm(head));
        // What came behind the alarm may be in the checkpoint and not in what an operator accepted.
        let checkpoint = checkpoint.filter(|_| alarm.is_none());
        let alarms = self.trust.lasting(alarm);
        let mut heads: Vec<Head> = noted.into_iter().chain(alarms.iter().map(|alarm| alarm.since)).collect();
        if let (Some(noted), Some((end, ledger, installation))) = (noted, checkpoint)
            && installation == self.trust.installation
        {
            // One that is later than the head was not written by us in this order.
            if !self.trust.fault() && end.seq <= noted.seq {
                let mut wanted: Vec<Contained> = heads.iter().copied().map(Contained::new).collect();
                if self.goes_on(end, ledger, &mut wanted, &alarms).await? {
                    return Ok(());
                }
            }
            heads.push(end);
        }
        self.trust_from_the_first(noted, &heads, &alarms).await
    }

    fn or_distrust<T>(&self, read: Result<Option<T>, Unnoted>) -> Option<T> {
        read.unwrap_or_else(|error| {
            let why = std::error::Error::source(&error).map(|source| format!(": {source}"));
            self.trust.distrust_files(format!("{error}{}", why.unwrap_or_default()));
            None
        })
    }

    /// Whether the audit log goes on from a checkpoint without a fault, and is trusted so. Where it does not, reading all
    /// of it says what is wrong.
    async fn goes_on(
        &self,
        end: Head,
        mut ledger: Ledger,
        wanted: &mut [Contained],
        alarms: &[Alarm],
    ) -> Result<bool, Error> {
        let mut connection = self.pool.acquire().await?;
        let Ok(head) = super::record::head_of(&mut connection).await? else { return Ok(false) };
        let before = i64::try_from(end.seq).unwrap_or(i64::MAX).saturating_sub(1);
        let last = self.kept_after(&mut connection, before, 1).await?;
        let is_there = last.first().is_some_and(|kept| kept.entry().is_some_and(|entry| entry.head == end));
        if !is_there || head.seq < end.seq {
            return Ok(false);
        }
        wanted.iter_mut().for_each(|one| one.take(end));
        let take = &mut |entries: Vec<Entry>| {
            for entry in &entries {
                wanted.iter_mut().for_each(|one| one.take(entry.head));
                ledger.take(entry);
            }
        };
        let fault = self.read_tail(&mut connection, end, head, take).await?;
        let is_missed = wanted.iter().any(|one| one.check(head).is_err());
        if fault.is_some() || is_missed || self.is_longer(&mut connection, head).await? {
            return Ok(false);
        }
        if !self.trust.lasts(&ledger, alarms) {
            let mut inner = self.trust.inner();
            (inner.ledger, inner.saved) = (ledger, end.seq);
        }
        Ok(true)
    }

    async fn trust_from_the_first(
        &self,
        noted: Option<Head>,
        heads: &[Head],
        alarms: &[Alarm],
    ) -> Result<(), Error> {
        let mut contained: Vec<Contained> = heads.iter().copied().map(Contained::new).collect();
        let read = self.read_record(&mut contained, &mut |_, _| {}).await?;
        // A key that was there before may have written what has no MAC now.
        let is_early = noted.is_none() && self.trust.key_is_new && read.macs == 0 && read.end.seq > 0;
        if is_early && is_unsealed(&read) {
            if self.trust.fault() {
                return Ok(());
            }
            // Noted before there is an authentic entry, so that a crash in between leaves no such entry without a head.
            self.trust.write_down(read.end);
            return self.seal_early(&read).await;
        }
        let missed = contained.iter().find_map(|one| one.check(read.end).err());
        if let Some(broken) = read.broken.or(missed) {
            self.trust.distrust_read(broken, &read.ledger, alarms);
            return Ok(());
        }
        if self.trust.lasts(&read.ledger, alarms) || self.trust.fault() {
            self.trust.accepted_before(read.ledger.sealed());
            return Ok(());
        }
        if noted.is_none() && read.end.seq > 0 {
            let file = self.trust.outside.display();
            self.trust.distrust_files(format!("the head file of the audit log, `{file}`, is missing, so a truncation of the audit log cannot be ruled out: restore it from a current copy, or from another server of this store"));
            return Ok(());
        }
        {
            let mut inner = self.trust.inner();
            (inner.ledger, inner.over) = (read.ledger, alarms.first().cloned());
        }
        if noted.is_none() {
            // Before the first entry, likewise.
            self.trust.write_down(read.end);
        }
        Ok(())
    }
}

/// Whether nothing is wrong with a record but that none of its entries has a MAC.
fn is_unsealed(read: &Read) -> bool {
    read.ends
        && matches!(read.broken, Some(Broken::Unauthentic { first: 1, last, missing: true }) if last == read.end.seq)
}
