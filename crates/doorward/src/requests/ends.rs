//! How grants end without a person's decision: by expiry or by the policy, even if the store cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use doorward_core::audit::{Event, What, Who};
use doorward_core::decision::still_allowed;
use doorward_core::grant::{Ending, Grant, Life};
use doorward_core::policy::Person;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::{Error, Requests, TRIES};
use crate::policy_file::Loaded;
use crate::store::{self, Change, KeptEnd, Mistrusted, SeenPassword, Store};

/// How many ends are written in one transaction: when very many come at once, each step is kept although the
/// next is given up.
const AT_ONCE: usize = 500;
/// How many rows are reported one by one that have not ended in the store yet.
const ROWS_SHOWN: usize = 20;

/// How long a pass waits until rows that are not believed have ended in the store. They admit nobody meanwhile.
const ENDS_ROWS: Duration = Duration::from_millis(300);

/// Rows that are not believed, and the task that ends them in the store, however long that takes.
#[derive(Debug)]
pub(super) struct EndingRows {
    rows: Vec<Mistrusted>,
    task: JoinHandle<Result<(), store::Error>>,
}

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
        let why = unsettled.mistrusted.iter().map(|one| (one.id.clone(), one.why.clone())).collect();
        *self.mistrusted.lock().unwrap_or_else(PoisonError::into_inner) = why;
        // If the audit log itself was altered, the correct state is unknown: nothing is overwritten.
        if !unsettled.mistrusted.is_empty() && store.distrusted().is_none() {
            let fresh = self.not_given_up(&unsettled.mistrusted);
            if fresh.is_empty() {
                return Ok(unsettled.grants);
            }
            for one in &fresh {
                tracing::error!(grant = %one.id, why = %one.why, "grant in the store differs from the audit log, ending it");
            }
            let first = fresh.get(..AT_ONCE).unwrap_or(&fresh).to_vec();
            match self.end_rows(store.clone(), first, now).await {
                Some(Ok(ended)) => {
                    self.give_up(&ended);
                    return Ok(store.unfinished().await?);
                }
                Some(Err(error)) => tracing::error!(%error, "could not end altered grants in the store"),
                None => tracing::error!(
                    "the store takes long to end altered grants, which admit nobody meanwhile"
                ),
            }
        }
        Ok(unsettled.grants)
    }

    /// Ends rows in the store, after those for which it took long; none while it takes long. Those that were ended.
    async fn end_rows(
        &self,
        store: Store,
        rows: Vec<Mistrusted>,
        now: Timestamp,
    ) -> Option<Result<Vec<Mistrusted>, store::Error>> {
        let mut ending = self.ending.lock().await;
        let EndingRows { task, .. } = ending.get_or_insert_with(|| {
            let ended = rows.clone();
            EndingRows {
                rows,
                task: tokio::spawn(async move { store.end_mistrusted(&ended, now, true).await }),
            }
        });
        let done = tokio::time::timeout(ENDS_ROWS, task).await.ok()?;
        let rows = ending.take()?.rows;
        Some(done.unwrap_or(Err(store::Error::Late)).map(|()| rows))
    }

    /// What operators have to hear of the store: what is recorded of it, and rows that are not believed and have not ended in
    /// it yet.
    pub fn alarms(&self) -> Vec<String> {
        let mut alarms = self.app.reserved().alarms();
        let mistrusted = self.mistrusted.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = mistrusted.iter().map(|(id, why)| format!("the grant {id:?} in the store: {why}"));
        let rows: Vec<String> = rows.filter(|row| !alarms.contains(row)).take(ROWS_SHOWN).collect();
        alarms.extend(rows);
        alarms
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
            let altered = || self.altered(grant);
            match forbidden().or_else(|| replaced.ends(grant)).or_else(altered).filter(|_| !grant.ended()) {
                Some(how) => {
                    self.closes.decide_soon(ended_by_the_policy(grant, how.clone(), now));
                    grant.end(how, now)
                }
                None => grant.clone(),
            }
        };
        known.iter().map(ended).collect()
    }

    /// How a grant ended whose row was not believed when it was last read.
    fn altered(&self, grant: &Grant) -> Option<Ending> {
        let mistrusted = self.mistrusted.lock().unwrap_or_else(PoisonError::into_inner);
        let why = mistrusted.get(grant.id().as_str())?.clone();
        Some(Ending::NoLongerAllowed { why })
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, BTreeMap<Person, SeenPassword>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended_by_the_policy(grant: &Grant, how: Ending, now: Timestamp) -> KeptEnd {
    KeptEnd::Grant(Event::new(now, Who::Doorward, What::Ended { grant: grant.id().clone(), how }))
}
