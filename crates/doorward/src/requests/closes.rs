//! Ends of grants and of sign-in sessions, by people or by the policy: in force in memory at once, and recorded as soon as
//! the store can be written.
//!
//! No answer of the store undoes one, nor does a client that disconnects. If it is not recorded quickly, it is kept in
//! a file next to the head of the audit log, so that it survives the process.

mod asked;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use doorward_core::audit::{Event, What};
use doorward_core::grant::{Ending, Grant, GrantId};
use doorward_core::policy::Person;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::TRIES;
use crate::clock::Clock;
use crate::status::Nudge;
use crate::store::{self, Change, EndOf, KeptEnd, Store};

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
    end: KeptEnd,
    since: Instant,
    kept: bool,
    failed: Option<Arc<store::Error>>,
}

#[derive(Debug, Default)]
struct Inner {
    decided: BTreeMap<EndOf, Decided>,
    /// The grants that are not settled, as they were last read.
    known: BTreeMap<GrantId, Grant>,
    /// Whether a task is recording.
    recording: bool,
    /// When the file was last written, as it was read; none where it has to be read.
    file: Option<Option<SystemTime>>,
    /// Whether the log says that it could not be read.
    unreadable: bool,
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

impl Decided {
    fn new(end: KeptEnd, kept: bool) -> Self {
        Self { end, since: Instant::now(), kept, failed: None }
    }

    /// Of a grant, how and when it ended.
    fn of_grant(&self) -> Option<(&Ending, Timestamp)> {
        match &self.end {
            KeptEnd::Grant(Event { at, what: What::Ended { how, .. }, .. }) => Some((how, *at)),
            _ => None,
        }
    }
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
        let changed = self.store.ends_changed();
        if self.inner().file == Some(changed) {
            return false;
        }
        let kept = match self.store.kept_ends() {
            Ok(kept) => kept,
            // It is read once more the next time.
            Err(error) => {
                if !std::mem::replace(&mut self.inner().unreadable, true) {
                    tracing::error!(%error, "could not read the ended grants that are not recorded yet, will retry");
                }
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
        (inner.file, inner.unreadable) = (Some(changed), false);
        let before = inner.decided.len();
        for end in kept.ends {
            let Some(of) = end.of() else { continue };
            inner.decided.entry(of).or_insert_with(|| Decided::new(end, true));
        }
        inner.decided.len() > before
    }

    /// From now on it has ended. Of a grant the first decision stays.
    pub(super) fn decide(&self, end: KeptEnd) {
        let Some(of) = end.of() else { return };
        let mut inner = self.inner();
        let both = match inner.decided.remove(&of) {
            Some(before) => {
                let both = before.end.clone().and(end);
                let same = both == before.end;
                if same { before } else { Decided { kept: false, end: both, ..before } }
            }
            None => Decided::new(end, false),
        };
        inner.decided.insert(of, both);
    }

    /// The same, and recorded soon; kept where that is not done quickly.
    pub(super) fn decide_soon(self: &Arc<Self>, end: KeptEnd) {
        let Some(of) = end.of() else { return };
        self.decide(end);
        self.record_soon();
        self.enforce_soon(&of);
    }

    /// Decides an end of sign-in sessions and waits until it is recorded, or else kept.
    pub(super) async fn sign_out(self: &Arc<Self>, end: KeptEnd) -> Result<(), store::Error> {
        let Some(of) = end.of() else { return Ok(()) };
        self.decide_soon(end);
        if self.recorded(&of, QUICKLY).await {
            return Ok(());
        }
        self.keep(&of).await;
        match self.inner().decided.get(&of) {
            Some(one) if !one.kept => Err(store::Error::Late),
            _ => Ok(()),
        }
    }

    /// Whether the end of a sign-in session was decided and is not recorded.
    pub(super) fn is_signed_out(&self, id: &str, person: &Person, made: Timestamp) -> bool {
        let (inner, now) = (self.inner(), self.clock.now());
        let may_be = [EndOf::Session(id.to_owned()), EndOf::Sessions(person.clone())];
        may_be.iter().filter_map(|of| inner.decided.get(of)).any(|one| one.end.ends(id, person, made, now))
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
    fn enforce_soon(self: &Arc<Self>, of: &EndOf) {
        let Some(runtime) = self.runtime.clone().or_else(|| Handle::try_current().ok()) else { return };
        let (closes, of) = (Arc::clone(self), of.clone());
        runtime.spawn(async move {
            if !closes.recorded(&of, QUICKLY).await {
                closes.nudge.wake();
                closes.keep(&of).await;
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
        let decided: Vec<(EndOf, KeptEnd)> = {
            let inner = self.inner();
            inner.decided.iter().map(|(of, one)| (of.clone(), one.end.clone())).collect()
        };
        let mut all = true;
        for (of, end) in decided {
            let tried = tokio::time::timeout(TRY, self.record(&end)).await;
            let failed = tried.unwrap_or(Err(store::Error::Late)).err().map(Arc::new);
            let recorded = self.tried(&of, &end, failed.as_ref());
            all &= recorded.is_some();
            self.tried.send_replace(());
            match recorded {
                Some(true) => self.drop_kept(of).await,
                Some(false) => {}
                None => self.keep(&of).await,
            }
        }
        all
    }

    /// Notes what came of a try: where the end is recorded, whether it was kept in the file; none where it is to be tried again.
    fn tried(&self, of: &EndOf, tried: &KeptEnd, failed: Option<&Arc<store::Error>>) -> Option<bool> {
        let mut inner = self.inner();
        let one = inner.decided.get_mut(of)?;
        if let Some(error) = failed {
            if one.failed.is_none() {
                tracing::error!(%error, end = %of, "ended but not recorded, will retry");
            }
            one.failed = Some(Arc::clone(error));
            return None;
        }
        // More was decided of the same meanwhile.
        if one.end != *tried {
            return None;
        }
        let over = inner.decided.remove(of)?;
        if let (EndOf::Grant(id), Some((how, at))) = (of, over.of_grant())
            && let Some(known) = inner.known.get_mut(id)
        {
            *known = known.end(how.clone(), at);
        }
        Some(over.kept)
    }

    async fn record(&self, end: &KeptEnd) -> Result<(), store::Error> {
        match end {
            KeptEnd::Grant(event) => match &event.what {
                What::Ended { grant, how } => self.record_grant(grant, event.clone(), how.clone()).await,
                _ => Ok(()),
            },
            KeptEnd::Session { session, person, event, at } => {
                self.store.end_session_of(person, session, event.clone(), *at).await.map(drop)
            }
            KeptEnd::Sessions { sessions_of, but, events, at } => {
                let (but, began) = (but.as_deref(), (*at, self.clock.now()));
                let ended = self.store.end_sessions_until(sessions_of, but, events.clone(), began);
                ended.await.map(drop)
            }
        }
    }

    async fn record_grant(&self, id: &GrantId, event: Event, how: Ending) -> Result<(), store::Error> {
        for _ in 0..TRIES {
            let mut how = how.clone();
            let changes = match self.store.grant(id).await? {
                Some(grant) if grant.ended() => return Ok(()),
                Some(grant) => {
                    how = how.of(&grant);
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
            let what = What::Ended { grant: id.clone(), how };
            let event = Event { at: self.clock.now(), what, ..event.clone() };
            match self.store.commit(&changes, vec![event]).await {
                Err(store::Error::Conflict) => {}
                done => return done.map(drop),
            }
        }
        Err(store::Error::Conflict)
    }

    /// Keeps an end in the file until it is recorded.
    async fn keep(self: &Arc<Self>, of: &EndOf) {
        let end = match self.inner().decided.get(of) {
            Some(one) if !one.kept => one.end.clone(),
            _ => return,
        };
        let (store, keeps) = (self.store.clone(), end.clone());
        let kept = tokio::task::spawn_blocking(move || store.keep_end(&keeps)).await;
        if let Ok(Err(error)) = kept {
            tracing::error!(%error, end = %of, "could not save an unrecorded end outside the store, a restart would lose it");
            return;
        }
        let recorded = match self.inner().decided.get_mut(of) {
            Some(one) => {
                one.kept |= one.end == end;
                false
            }
            None => true,
        };
        if recorded {
            self.drop_kept(of.clone()).await;
        }
    }

    async fn drop_kept(&self, of: EndOf) {
        let store = self.store.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || store.drop_end(&of)).await {
            tracing::error!(%error, "could not remove a recorded end from the file of unrecorded ends, will retry");
            // Read again it is found recorded, and removed.
            self.inner().file = None;
        }
    }

    /// Waits until an end is recorded; whether it is.
    async fn recorded(&self, of: &EndOf, limit: Duration) -> bool {
        let over = || !self.inner().decided.contains_key(of);
        let mut tried = self.tried.subscribe();
        let waits = tried.wait_for(|()| over());
        matches!(tokio::time::timeout(limit, waits).await, Ok(Ok(_))) || over()
    }

    /// Whether the grant's end was decided and is not recorded.
    pub fn is_decided(&self, id: &GrantId) -> bool {
        self.inner().decided.contains_key(&EndOf::Grant(id.clone()))
    }

    /// A grant as it is by what was decided.
    pub fn applied(&self, grant: Grant) -> Grant {
        match self.inner().decided.get(&EndOf::Grant(grant.id().clone())).and_then(Decided::of_grant) {
            Some((how, at)) => grant.end(how.clone(), at),
            None => grant,
        }
    }

    /// What is not recorded although there was time for it.
    pub fn unrecorded(&self) -> Vec<Unrecorded> {
        let inner = self.inner();
        let late =
            inner.decided.iter().filter(|(_, one)| one.failed.is_some() || one.since.elapsed() > WAITS);
        late.filter_map(|(of, one)| match (of, one.of_grant()) {
            (EndOf::Grant(grant), Some((how, _))) => Some(Unrecorded {
                grant: grant.clone(),
                how: how.to_string(),
                why: one.failed.as_ref().map_or_else(|| store::Error::Late.to_string(), ToString::to_string),
                kept: one.kept,
            }),
            _ => None,
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

#[cfg(test)]
mod tests;
