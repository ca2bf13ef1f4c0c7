//! Revocations by people: in force in memory at once, and recorded as soon as the store can be written.
//!
//! No answer of the store undoes one, nor does a client that disconnects. If it is not recorded quickly, it is kept in
//! a file next to the head of the audit log, so that it survives the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use doorward_core::audit::{Event, What};
use doorward_core::grant::{Ending, Grant, GrantId};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{Caller, Error, Requests, TRIES};
use crate::clock::Clock;
use crate::status::Nudge;
use crate::store::{self, Change, Store};

/// How long the store may take to record an end before the end goes on without it: it is kept in the file, and rules and
/// connections go.
const QUICKLY: Duration = Duration::from_millis(300);

/// How long a revoking client waits in total for it to be recorded.
const WAITS: Duration = Duration::from_secs(3);

/// How long one attempt may take. A slow database is waited for: an abandoned attempt starts again.
const TRY: Duration = Duration::from_secs(180);

/// How long to wait after a round of tries of which one failed.
const AGAIN: Duration = Duration::from_secs(1);

/// An end that is in force and not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrecorded {
    /// Of which grant.
    pub grant: GrantId,
    /// How it ended, in words.
    pub how: String,
    /// Why it is not recorded, in words.
    pub why: String,
    /// Whether it is kept outside of the store until then; else it does not outlive this process.
    pub kept: bool,
}

#[derive(Debug)]
struct Decided {
    event: Event,
    how: Ending,
    since: Instant,
    kept: bool,
    failed: Option<Arc<store::Error>>,
}

#[derive(Debug, Default)]
struct Inner {
    decided: BTreeMap<GrantId, Decided>,
    /// The grants that are not settled, as they were last read.
    known: BTreeMap<GrantId, Grant>,
    /// Whether a task is recording.
    recording: bool,
    /// When the file was last seen written.
    file: Option<SystemTime>,
}

/// What was decided and is not recorded.
#[derive(Debug)]
pub(super) struct Closes {
    store: Store,
    clock: Clock,
    nudge: Nudge,
    inner: Mutex<Inner>,
    /// Changes whenever one is recorded, or fails to be.
    tried: watch::Sender<()>,
    /// The runtime in which recording continues although the client is gone.
    runtime: Option<Handle>,
}

impl Closes {
    /// With what an earlier process has left.
    pub fn new(store: Store, clock: Clock, nudge: Nudge) -> Arc<Self> {
        let (tried, _) = watch::channel(());
        let (inner, runtime) = (Mutex::default(), Handle::try_current().ok());
        let closes = Arc::new(Self { store, clock, nudge, inner, tried, runtime });
        closes.read_file();
        closes
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole when the guard goes.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what another process, or an earlier one, has decided; whether there was anything new.
    pub fn read_file(&self) -> bool {
        let changed = self.store.closes_changed();
        if std::mem::replace(&mut self.inner().file, changed) == changed {
            return false;
        }
        let kept = match self.store.kept_closes() {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(%error, "could not read the ended grants that are not recorded yet");
                return false;
            }
        };
        if kept.forged > 0 {
            tracing::error!(
                lines = kept.forged,
                "ignoring forged lines among the ended grants that are not recorded yet"
            );
        }
        let mut inner = self.inner();
        let before = inner.decided.len();
        for event in kept.events {
            let What::Ended { grant, how } = &event.what else { continue };
            let (grant, how) = (grant.clone(), how.clone());
            let new = || Decided { event, how, since: Instant::now(), kept: true, failed: None };
            inner.decided.entry(grant).or_insert_with(new);
        }
        inner.decided.len() > before
    }

    /// From now on the grant has ended. The first who decides has decided.
    fn decide(&self, event: Event) {
        let What::Ended { grant, how } = &event.what else { return };
        let (grant, how) = (grant.clone(), how.clone());
        let new = || Decided { event, how, since: Instant::now(), kept: false, failed: None };
        self.inner().decided.entry(grant).or_insert_with(new);
    }

    /// Has everything recorded, and goes on until it is.
    pub fn record_soon(self: &Arc<Self>) {
        let mut inner = self.inner();
        let runtime = self.runtime.clone().or_else(|| Handle::try_current().ok());
        let Some(runtime) = runtime.filter(|_| !inner.recording && !inner.decided.is_empty()) else { return };
        inner.recording = true;
        drop(inner);
        let closes = Arc::clone(self);
        runtime.spawn(async move {
            let recording = Recording(closes);
            while recording.0.goes_on() {
                if !recording.0.record_all().await {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        });
    }

    /// Keeps an end, and has it brought to the firewalls, where it is not recorded quickly; also when whoever decided it
    /// waits no longer.
    fn enforce_soon(self: &Arc<Self>, id: &GrantId) {
        let Some(runtime) = self.runtime.clone().or_else(|| Handle::try_current().ok()) else { return };
        let (closes, id) = (Arc::clone(self), id.clone());
        runtime.spawn(async move {
            if !closes.recorded(&id, QUICKLY).await {
                closes.nudge.wake();
                closes.keep(&id).await;
            }
        });
    }

    /// Whether there is anything left to record; if not, the next revocation starts the task again.
    fn goes_on(&self) -> bool {
        let mut inner = self.inner();
        inner.recording = !inner.decided.is_empty();
        inner.recording
    }

    /// One round of tries; whether all succeeded.
    async fn record_all(self: &Arc<Self>) -> bool {
        let decided: Vec<(GrantId, Event, Ending)> = {
            let inner = self.inner();
            let each = inner.decided.iter();
            each.map(|(id, one)| (id.clone(), one.event.clone(), one.how.clone())).collect()
        };
        let mut all = true;
        for (id, event, how) in decided {
            let tried = tokio::time::timeout(TRY, self.record(&id, event, how)).await;
            let failed = tried.unwrap_or(Err(store::Error::Late)).err().map(Arc::new);
            all &= failed.is_none();
            let over = {
                let mut inner = self.inner();
                match (&failed, inner.decided.get_mut(&id)) {
                    (Some(error), Some(one)) => {
                        if one.failed.is_none() {
                            let how = one.how.to_string();
                            tracing::error!(%error, grant = %id, how, "grant ended but not recorded, will retry");
                        }
                        one.failed = Some(Arc::clone(error));
                        None
                    }
                    _ => {
                        let over = inner.decided.remove(&id);
                        if let (Some(over), Some(known)) = (&over, inner.known.get_mut(&id)) {
                            *known = known.end(over.how.clone(), over.event.at);
                        }
                        over
                    }
                }
            };
            self.tried.send_replace(());
            match over {
                Some(over) if over.kept => self.drop_kept(id).await,
                Some(_) => {}
                None => self.keep(&id).await,
            }
        }
        all
    }

    async fn record(&self, id: &GrantId, event: Event, how: Ending) -> Result<(), store::Error> {
        for _ in 0..TRIES {
            let changes = match self.store.grant(id).await? {
                Some(grant) if grant.ended() => return Ok(()),
                Some(grant) => {
                    let after = grant.end(how.clone(), event.at);
                    vec![Change { before: Some(grant), after }]
                }
                // Nobody can tell by a record that is not believed.
                None if self.store.distrusted().is_some() => {
                    let why = self.store.distrusted().unwrap_or_default();
                    return Err(store::Error::Distrusted { why });
                }
                None if self.store.tells_open(id) => Vec::new(),
                None => return Ok(()),
            };
            // The log has the time of each entry; the grant has the time of its end.
            let event = Event { at: self.clock.now(), ..event.clone() };
            match self.store.commit(&changes, vec![event]).await {
                Err(store::Error::Conflict) => {}
                done => return done.map(drop),
            }
        }
        Err(store::Error::Conflict)
    }

    /// Keeps an end in the file until it is recorded.
    async fn keep(self: &Arc<Self>, id: &GrantId) {
        let event = match self.inner().decided.get(id) {
            Some(one) if !one.kept => one.event.clone(),
            _ => return,
        };
        let store = self.store.clone();
        let kept = tokio::task::spawn_blocking(move || store.keep_close(&event)).await;
        if let Ok(Err(error)) = kept {
            tracing::error!(%error, grant = %id, "could not save an unrecorded end outside the store, a restart would lose it");
            return;
        }
        let recorded = match self.inner().decided.get_mut(id) {
            Some(one) => {
                one.kept = true;
                false
            }
            None => true,
        };
        if recorded {
            self.drop_kept(id.clone()).await;
        }
    }

    async fn drop_kept(&self, id: GrantId) {
        let store = self.store.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || store.drop_close(&id)).await {
            tracing::error!(%error, "could not remove a recorded end from the file of unrecorded ends");
        }
    }

    /// Waits until an end is recorded; whether it is.
    async fn recorded(&self, id: &GrantId, limit: Duration) -> bool {
        let over = || !self.is_decided(id);
        let mut tried = self.tried.subscribe();
        let waits = tried.wait_for(|()| over());
        matches!(tokio::time::timeout(limit, waits).await, Ok(Ok(_))) || over()
    }

    /// Whether the grant's end was decided and is not recorded.
    pub fn is_decided(&self, id: &GrantId) -> bool {
        self.inner().decided.contains_key(id)
    }

    /// A grant as it is by what was decided.
    pub fn applied(&self, grant: Grant) -> Grant {
        match self.inner().decided.get(grant.id()) {
            Some(one) => grant.end(one.how.clone(), one.event.at),
            None => grant,
        }
    }

    /// What is not recorded although there was time for it.
    pub fn unrecorded(&self) -> Vec<Unrecorded> {
        let inner = self.inner();
        let late =
            inner.decided.iter().filter(|(_, one)| one.failed.is_some() || one.since.elapsed() > WAITS);
        late.map(|(id, one)| Unrecorded {
            grant: id.clone(),
            how: one.how.to_string(),
            why: one.failed.as_ref().map_or_else(|| store::Error::Late.to_string(), ToString::to_string),
            kept: one.kept,
        })
        .collect()
    }
}

/// The task that records: where it broke off, another may begin.
struct Recording(Arc<Closes>);

impl Drop for Recording {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.inner().recording = false;
        }
    }
}

impl Requests {
    /// Ends that are in force and that the store has not recorded.
    pub fn unrecorded(&self) -> Vec<Unrecorded> {
        self.closes.unrecorded()
    }

    /// Makes ends outlive this process also on a full disk, and records those of an earlier one.
    pub async fn keep_closes(&self) {
        let store = self.store.clone();
        let made = tokio::task::spawn_blocking(move || store.make_room_for_closes()).await;
        if let Ok(Err(error)) = made {
            tracing::error!(%error, "no disk space for unrecorded ends, a restart would lose them");
        }
        self.closes.record_soon();
    }

    /// Whether another process has decided an end that the store has not recorded; it is in force from now on.
    pub fn closed_elsewhere(&self) -> bool {
        let new = self.closes.read_file();
        if new {
            self.closes.record_soon();
        }
        new
    }

    /// Ends a grant because somebody decided that.
    pub(super) async fn decide_end(
        &self,
        caller: &Caller,
        grant: &Grant,
        how: Ending,
    ) -> Result<Grant, Error> {
        let id = grant.id();
        let denied = matches!(how, Ending::Rejected { .. });
        self.closes.decide(self.event(caller, What::Ended { grant: id.clone(), how }));
        let after = self.closes.applied(grant.clone());
        self.closes.record_soon();
        self.closes.enforce_soon(id);
        if self.closes.recorded(id, QUICKLY).await {
            return Ok(self.as_recorded(after).await);
        }
        self.standing_at_end(&after).await;
        if self.closes.recorded(id, WAITS).await {
            return Ok(self.as_recorded(after).await);
        }
        self.closes.keep(id).await;
        let failed = self.closes.inner().decided.get(id).and_then(|one| one.failed.clone());
        let source = failed.unwrap_or_else(|| Arc::new(store::Error::Late));
        Err(Error::Unwritten { grant: id.clone(), denied, source })
    }

    /// How the grant ended by the store: another end may have come first.
    async fn as_recorded(&self, after: Grant) -> Grant {
        let kept = store::in_time(self.store.grant(after.id())).await;
        kept.ok().flatten().filter(Grant::ended).unwrap_or(after)
    }

    /// Notes the grants that are not settled, for when the store cannot be asked.
    pub(super) fn know(&self, grants: &[Grant]) {
        let known = grants.iter().map(|grant| (grant.id().clone(), grant.clone())).collect();
        self.closes.inner().known = known;
    }

    /// The grants that are not settled, as they were last read.
    pub(super) fn known(&self) -> Vec<Grant> {
        let known = self.closes.inner().known.values().cloned().collect();
        self.all_applied(known)
    }

    /// Grants from the store; where it does not answer in time, those that the reconciler last knew, so that who has to
    /// close something sees what there is.
    pub(super) async fn or_known(
        &self,
        read: impl Future<Output = Result<Vec<Grant>, store::Error>>,
        known: impl FnOnce() -> Vec<Grant>,
    ) -> Result<Vec<Grant>, Error> {
        match tokio::time::timeout(WAITS, read).await {
            Ok(read) => Ok(self.all_applied(read?)),
            Err(_) if self.nudge.status().at.is_some() => Ok(known()),
            Err(_) => Err(Error::Store(store::Error::Late)),
        }
    }

    /// A grant that somebody wants to end: by what is known, so that a store that does not answer keeps nobody.
    pub(super) async fn to_be_ended(&self, id: &GrantId) -> Result<Grant, Error> {
        let known = self.closes.inner().known.get(id).cloned();
        match known.map(|grant| self.closes.applied(grant)) {
            Some(grant) if !grant.ended() => Ok(grant),
            known => match (self.grant(id).await, known) {
                (Ok(Some(grant)), _) | (_, Some(grant)) => Ok(grant),
                (Ok(None), None) => Err(Error::NoSuchGrant(id.clone())),
                (Err(error), None) => Err(error),
            },
        }
    }

    /// One grant, as it is by what was decided.
    pub(super) async fn grant(&self, id: &GrantId) -> Result<Option<Grant>, Error> {
        Ok(self.store.grant(id).await?.map(|grant| self.closes.applied(grant)))
    }

    /// Those that are not settled, likewise.
    pub(super) async fn unfinished(&self) -> Result<Vec<Grant>, Error> {
        Ok(self.all_applied(self.store.unfinished().await?))
    }

    pub(super) fn all_applied(&self, grants: Vec<Grant>) -> Vec<Grant> {
        grants.into_iter().map(|grant| self.closes.applied(grant)).collect()
    }
}

#[cfg(test)]
mod tests;
