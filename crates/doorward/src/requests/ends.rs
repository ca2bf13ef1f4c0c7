//! How grants end without a person's decision: by expiry or by the policy, even if the store cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use doorward_core::audit::{Event, What, Who};
use doorward_core::decision::still_allowed;
use doorward_core::grant::{Ending, Grant, Life};
use doorward_core::policy::Person;
use jiff::Timestamp;

use super::{Error, Requests, TRIES};
use crate::policy_file::Loaded;
use crate::store::{self, Change, KeptEnd, Mistrusted, SeenPassword};

/// How many ends are written in one transaction: when very many come at once, each step is kept although the
/// next is given up.
const AT_ONCE: usize = 500;

impl Requests {
    /// Ends what the time or the policy ends, and returns what is open then; called by the reconciler.
    ///
    /// `outlived` says of an open grant that it has lived its time by the clock that cannot be set back.
    pub async fn end_expired(
        &self,
        loaded: &Loaded,
        now: Timestamp,
        outlived: impl Fn(&Grant) -> bool,
    ) -> Result<Vec<Grant>, Error> {
        let (mut tries, mut forged) = (0, BTreeMap::new());
        self.end_sessions_of_the_gone(loaded);
        while tries < TRIES {
            let unfinished = self.all_applied(self.believed(now).await?);
            self.know(&unfinished);
            let replaced = self.replaced(loaded, &unfinished).await?;
            forged.extend(replaced.forged.clone());
            let mut changes = Vec::new();
            let mut events = Vec::new();
            for grant in unfinished.iter().filter(|grant| !grant.ended()) {
                let forbidden = || {
                    let why = still_allowed(&loaded.policy, &loaded.people, grant, now).err()?.to_string();
                    Some(Ending::NoLongerAllowed { why })
                };
                let outlived = || (grant.until().is_some() && outlived(grant)).then_some(Ending::TimeUp);
                let how = grant.overdue(now).or_else(outlived).or_else(forbidden);
                let how = how.or_else(|| replaced.ends(grant));
                let Some(how) = how else { continue };
                events.push(Event::new(
                    now,
                    Who::Doorward,
                    What::Ended { grant: grant.id().clone(), how: how.clone() },
                ));
                changes.push(Change { before: Some(grant.clone()), after: grant.end(how, now) });
            }
            if changes.is_empty() {
                self.note_passwords(&replaced, &forged).await?;
                return Ok(unfinished);
            }
            let first = changes.get(..AT_ONCE).unwrap_or(&changes);
            events.truncate(first.len());
            match self.app.reserved().commit(first, events).await {
                Ok(_) => {}
                Err(store::Error::Conflict) => tries += 1,
                // Rules must go although the store cannot say so now: the grants are ended in memory.
                Err(error) => {
                    tracing::error!(%error, "could not record ended grants, removing their rules nevertheless");
                    self.keep_to(&changes, now);
                    let ended = |grant: Grant| {
                        let after = changes.iter().find(|change| change.after.id() == grant.id());
                        after.map_or(grant, |change| change.after.clone())
                    };
                    return Ok(unfinished.into_iter().map(ended).collect());
                }
            }
        }
        Err(Error::Store(store::Error::Conflict))
    }

    /// Grants according to the audit log. A row that differs admits nobody: it is ended, with an alarm for operators.
    async fn believed(&self, now: Timestamp) -> Result<Vec<Grant>, Error> {
        let store = self.app.reserved();
        let read = match store.check_head().await {
            Ok(()) => store.unsettled().await,
            Err(error) => Err(error),
        };
        // Also of a store that cannot be read: the alarm is then noted outside of it.
        if let Some(alarm) = store.unrecorded_alarm() {
            let alarm = Event::new(now, Who::Doorward, alarm);
            if let Err(error) = self.record_first(vec![alarm]).await {
                tracing::error!(%error, "could not record that the audit log was altered");
                store.alarm_is_unrecorded();
            }
        }
        let unsettled = read?;
        // If the audit log itself was altered, the correct state is unknown: nothing is overwritten.
        if !unsettled.mistrusted.is_empty() && store.distrusted().is_none() {
            let fresh = self.not_given_up(&unsettled.mistrusted);
            if fresh.is_empty() {
                return Ok(unsettled.grants);
            }
            for one in &fresh {
                tracing::error!(grant = %one.id, why = %one.why, "grant in the store differs from the audit log, ending it");
            }
            let first = fresh.get(..AT_ONCE).unwrap_or(&fresh);
            match store.end_mistrusted(first, now, true).await {
                Ok(()) => {
                    self.give_up(first);
                    return Ok(store.unfinished().await?);
                }
                Err(error) => {
                    tracing::error!(%error, "could not end altered grants in the store")
                }
            }
        }
        Ok(unsettled.grants)
    }

    /// Rows that are not believed, without those that were ended before and that the store did not take: once is recorded,
    /// repeatedly would only fill the audit log.
    fn not_given_up(&self, mistrusted: &[Mistrusted]) -> Vec<Mistrusted> {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: BTreeSet<_> = mistrusted.iter().map(Mistrusted::key).collect();
        given_up.retain(|key| keys.contains(key));
        mistrusted.iter().filter(|one| !given_up.contains(&one.key())).cloned().collect()
    }

    fn give_up(&self, ended: &[Mistrusted]) {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        given_up.extend(ended.iter().map(Mistrusted::key));
    }

    /// Has what the policy ended stay so until it is recorded, whatever the policy says by then. What ended by its time does
    /// that without us.
    fn keep_to(&self, changes: &[Change], now: Timestamp) {
        for change in changes {
            if let Life::Ended { how: how @ Ending::NoLongerAllowed { .. }, .. } = change.after.life() {
                self.closes.decide_soon(ended_by_the_policy(&change.after, how.clone(), now));
            }
        }
    }

    /// Grants as they are now when the store cannot be read: what was closed, or is allowed no more, has ended.
    pub fn end_in_memory(&self, known: &[Grant], loaded: &Loaded, now: Timestamp) -> Vec<Grant> {
        let replaced = self.replaced_in_memory(loaded, known);
        let ended = |grant: &Grant| {
            let grant = &self.app.store().ended_by_log(self.closes.applied(grant.clone()));
            let forbidden = || {
                let why = still_allowed(&loaded.policy, &loaded.people, grant, now).err()?.to_string();
                Some(Ending::NoLongerAllowed { why })
            };
            match forbidden().or_else(|| replaced.ends(grant)).filter(|_| !grant.ended()) {
                Some(how) => {
                    self.closes.decide_soon(ended_by_the_policy(grant, how.clone(), now));
                    grant.end(how, now)
                }
                None => grant.clone(),
            }
        };
        known.iter().map(ended).collect()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, BTreeMap<Person, SeenPassword>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended_by_the_policy(grant: &Grant, how: Ending, now: Timestamp) -> KeptEnd {
    KeptEnd::Grant(Event::new(now, Who::Doorward, What::Ended { grant: grant.id().clone(), how }))
}
