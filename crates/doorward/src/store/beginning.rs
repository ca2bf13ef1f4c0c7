//! How trust in a store begins, or begins again after an operator accepted it.

use doorward_core::audit::{Broken, Contained, Entry, Head, Ledger};

use super::checkpoint::Checkpoint;
use super::outside::{Noted, Unnoted};
use super::reading::Read;
use super::{Error, Store};

impl Store {
    /// Trusts the audit log for the first time, or again after it was accepted: as far as it goes on from the checkpoint
    /// and contains the head that is noted outside. Without a checkpoint it is read from its first line.
    pub(super) async fn begin_to_trust(&self) -> Result<(), Error> {
        let (outside, key) = (&self.trust.outside, &self.trust.key);
        let noted = self.or_distrust(Noted::read(outside, key)).map(|(_, head)| head);
        let checkpoint = self.or_distrust(Checkpoint::read(outside, key));
        self.trust.inner().noted = noted;
        let mut heads: Vec<Head> = noted.into_iter().collect();
        if let (Some(noted), Some((end, ledger, installation))) = (noted, checkpoint)
            && installation == self.trust.installation
        {
            // One that is later than the head was not written by us in this order.
            if !self.trust.fault() && end.seq <= noted.seq {
                let mut wanted = Contained::new(noted);
                if self.goes_on(end, ledger, &mut wanted).await? {
                    return Ok(());
                }
            }
            heads.push(end);
        }
        self.trust_from_the_first(noted, &heads).await
    }

    fn or_distrust<T>(&self, read: Result<Option<T>, Unnoted>) -> Option<T> {
        read.unwrap_or_else(|error| {
            let why = std::error::Error::source(&error).map(|source| format!(": {source}"));
            self.trust.distrust(format!("{error}{}", why.unwrap_or_default()));
            None
        })
    }

    /// Whether the audit log goes on from a checkpoint without a fault, and is trusted so. Where it does not, reading all
    /// of it says what is wrong.
    async fn goes_on(&self, end: Head, mut ledger: Ledger, wanted: &mut Contained) -> Result<bool, Error> {
        let mut connection = self.pool.acquire().await?;
        let Ok(head) = super::record::head_of(&mut connection).await? else { return Ok(false) };
        let before = i64::try_from(end.seq).unwrap_or(i64::MAX).saturating_sub(1);
        let last = self.kept_after(&mut connection, before, 1).await?;
        let is_there = last.first().is_some_and(|kept| kept.entry().is_some_and(|entry| entry.head == end));
        if !is_there || head.seq < end.seq {
            return Ok(false);
        }
        wanted.take(end);
        let take = &mut |entries: Vec<Entry>| {
            for entry in &entries {
                wanted.take(entry.head);
                ledger.take(entry);
            }
        };
        let fault = self.read_tail(&mut connection, end, head, take).await?;
        if fault.is_some() || wanted.check(head).is_err() || self.is_longer(&mut connection, head).await? {
            return Ok(false);
        }
        let mut inner = self.trust.inner();
        (inner.ledger, inner.saved) = (ledger, end.seq);
        Ok(true)
    }

    async fn trust_from_the_first(&self, noted: Option<Head>, heads: &[Head]) -> Result<(), Error> {
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
            self.trust.distrust(broken);
            return Ok(());
        }
        if self.trust.fault() {
            return Ok(());
        }
        if noted.is_none() && read.end.seq > 0 {
            let file = self.trust.outside.display();
            self.trust.distrust(format!("the head file of the audit log, `{file}`, is missing, so a truncation of the audit log cannot be ruled out: restore it from a current copy, or from another server of this store"));
            return Ok(());
        }
        self.trust.inner().ledger = read.ledger;
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
