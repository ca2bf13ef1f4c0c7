//! Connections striped over sessions, for an agent lets no more than 0.6 MB/s down through one.

mod slot;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Sessions;
use super::channel::{Carries, Ending, Limits};
use super::core::Core as _;
use super::port::Port;
use super::session::{Around, Session, State, birth};
use super::stream::Stream;
use crate::dial::{Answer, BoxedStream, Destination, Dial, DialError};
use crate::news::{News, Tell};
use crate::websocket::Connector;
use slot::{Found, Slot, SlotUse};

/// How many sessions there are, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Sessions to one destination at once, each for any number of connections. 4 by default.
    pub sessions: usize,
    /// Sessions to one destination at once where each carries one connection, as agents of 2020 do it. 16 by default.
    pub alone: usize,
    /// How long one that carries nothing is kept, unless it is the only one. 60 seconds by default.
    pub idle: Duration,
    /// A name that was looked up so long ago is looked up again, by a new session, after a connection failed. 10 seconds
    /// by default.
    pub stale: Duration,
    /// How long a connection waits for a session of its own while others are busy. 3 seconds by default.
    pub patience: Duration,
    /// What each session waits for and holds.
    pub limits: Limits,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            sessions: 4,
            alone: 16,
            idle: Duration::from_secs(60),
            stale: Duration::from_secs(10),
            patience: Duration::from_secs(3),
            limits: Limits::default(),
        }
    }
}

/// How long AWS may take to start a session.
const START: Duration = Duration::from_secs(30);

/// How long a pool that AWS does not let grow makes do with what it has.
const GROW_AGAIN: Duration = Duration::from_secs(30);

/// How often a place is looked for while there is none.
const FREE_AGAIN: Duration = Duration::from_millis(20);

/// How often what is idle is looked for.
const LOOK: Duration = Duration::from_secs(5);

/// How long a farewell to all sessions may take.
const FAREWELL: Duration = Duration::from_secs(10);

/// Connections through Session Manager: a pool of sessions for each destination, which grows when it is busy and shrinks
/// when it is not. Dropped, it leaves the connections that it made alone.
pub struct Ssm {
    inner: Arc<Inner>,
}

struct Inner {
    around: Around,
    pool: Pool,
    to: Mutex<BTreeMap<Destination, Lane>>,
    is_closed: AtomicBool,
}

/// All sessions to one destination.
#[derive(Default)]
struct Lane {
    slots: Vec<Arc<Slot>>,
    /// Its agent carries one connection in a session.
    is_alone: bool,
    was_connected: bool,
    /// AWS did not start another session; it is not asked again before.
    grows_from: Option<Instant>,
}

impl Ssm {
    /// A pool without any session. Sessions are of `sessions`, over connections that `connector` makes.
    pub fn new(sessions: Arc<dyn Sessions>, connector: Connector, pool: Pool, tell: Tell) -> Self {
        let around = Around::new(sessions, connector, tell);
        let inner = Inner { around, pool, to: Mutex::default(), is_closed: AtomicBool::new(false) };
        Self { inner: Arc::new(inner) }
    }

    /// Makes sure that there is a session to a destination, so that what is wrong shows before anybody connects.
    pub async fn open(&self, to: &Destination) -> Result<(), DialError> {
        let place = self.inner.place(to, false)?;
        place.slot.found().await.map(drop).map_err(|why| self.inner.failed(to, &place, why))
    }

    /// How many sessions there are to a destination, those included that are being started.
    pub fn sessions(&self, to: &Destination) -> usize {
        self.inner.lock().get(to).map_or(0, |lane| lane.slots.len())
    }

    /// Ends all sessions and what they carry, and waits until AWS was told.
    pub async fn close(&self) {
        self.inner.is_closed.store(true, Ordering::Relaxed);
        let lanes = std::mem::take(&mut *self.inner.lock());
        let slots: Vec<Arc<Slot>> = lanes.into_values().flat_map(|lane| lane.slots).collect();
        let sessions: Vec<Arc<Session<Port>>> = slots.iter().filter_map(|slot| slot.session()).collect();
        drop(slots);
        sessions.iter().for_each(|session| session.terminate());
        let all = futures_util::future::join_all(sessions.iter().map(|session| session.done()));
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            tracing::warn!("not every session was ended in time; the rest time out when they are idle");
        }
        (self.inner.around.tell)(News::Ended { why: "it was closed here".to_owned() });
    }
}

impl Dial for Ssm {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(self.inner.dial(to))
    }
}

/// Starts a session, and has it driven.
pub(super) async fn start(
    around: &Around,
    to: &Destination,
    limits: Limits,
) -> Result<Session<Port>, String> {
    match tokio::time::timeout(START, around.sessions.start(to)).await {
        Ok(Ok(opened)) => {
            Ok(Session::drive(Port::new(birth(), around.limits(limits)), opened, around.clone()))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("AWS did not start a session within {} s", START.as_secs())),
    }
}

pub(super) fn closed(to: &Destination, why: String) -> DialError {
    DialError::Closed { to: to.clone(), why }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Destination, Lane>> {
        self.to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn dial(self: &Arc<Self>, to: &Destination) -> Result<BoxedStream, DialError> {
        // What was found may be over, or taken by somebody else, before it is used.
        for _ in 0..8 {
            let place = self.free(to).await?;
            let place = self.hurry(to, place).await?;
            let session = match place.slot.found().await {
                Ok(session) => session,
                Err(why) => return Err(self.failed(to, &place, why)),
            };
            let slot = Arc::clone(&place.slot);
            if let Some(stream) = Stream::open(&session, Some(Box::new(place))) {
                return Ok(Box::new(stream));
            }
            self.cannot_carry(to, &slot, &session);
        }
        Err(closed(to, "every session to it ended at once".to_owned()))
    }

    /// Finds the place for one more connection; where each is alone in its session, one that ends makes room in a moment.
    async fn free(self: &Arc<Self>, to: &Destination) -> Result<SlotUse, DialError> {
        let until = Instant::now() + self.pool.patience;
        loop {
            match self.place(to, false) {
                Err(DialError::Unreachable { .. }) if Instant::now() < until => {
                    tokio::time::sleep(FREE_AGAIN).await;
                }
                found => return found,
            }
        }
    }

    /// Waits for the session that was chosen, but not for ever if another one is there.
    async fn hurry(self: &Arc<Self>, to: &Destination, place: SlotUse) -> Result<SlotUse, DialError> {
        let waited = tokio::time::timeout(self.pool.patience, place.slot.found()).await;
        let is_another_there =
            || self.lock().get(to).is_some_and(|lane| lane.slots.iter().any(|slot| slot.is_live()));
        match waited {
            Ok(Ok(_)) => Ok(place),
            Ok(Err(why)) => {
                let failed = self.failed(to, &place, why);
                if !is_another_there() {
                    return Err(failed);
                }
                tracing::debug!(%to, %failed, "starting another session failed");
                if let Some(lane) = self.lock().get_mut(to) {
                    lane.grows_from = Some(Instant::now() + GROW_AGAIN);
                }
                self.place(to, true)
            }
            Err(_) if is_another_there() => self.place(to, true),
            Err(_) => Ok(place),
        }
    }

    /// Finds the place for one more connection: in a session of its own as long as there may be more of them.
    fn place(self: &Arc<Self>, to: &Destination, only_live: bool) -> Result<SlotUse, DialError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed(to, "it was closed here".to_owned()));
        }
        let mut lanes = self.lock();
        let lane = lanes.entry(to.clone()).or_default();
        lane.slots.retain(|slot| !slot.is_over() && !slot.is_stale(self.pool.stale));
        let found =
            lane.slots.iter().filter(|slot| !only_live || slot.is_live()).min_by_key(|slot| slot.load());
        let may_grow = lane.slots.is_empty() || lane.grows_from.is_none_or(|from| Instant::now() >= from);
        let most = if lane.is_alone { self.pool.alone } else { self.pool.sessions };
        let is_free = |slot: &Arc<Slot>| !lane.is_alone && slot.load() == (false, 0);
        match found {
            Some(slot) if is_free(slot) => Ok(SlotUse::take(slot)),
            _ if !only_live && may_grow && lane.slots.len() < most.max(1) => {
                let slot = Arc::new(Slot::new());
                let is_first = !std::mem::replace(&mut lane.was_connected, true);
                self.start(to.clone(), &slot, is_first);
                let place = SlotUse::take(&slot);
                lane.slots.push(slot);
                Ok(place)
            }
            Some(_) if lane.is_alone => {
                let why = format!(
                    "its agent supports one connection per session, and there are {most} sessions already"
                );
                Err(DialError::Unreachable { to: to.clone(), why })
            }
            Some(slot) => Ok(SlotUse::take(slot)),
            None => Err(closed(to, "every session to it ended at once".to_owned())),
        }
    }

    /// Starts the session of a slot, and has it looked after.
    fn start(self: &Arc<Self>, to: Destination, slot: &Arc<Slot>, is_first: bool) {
        let (inner, slot) = (Arc::downgrade(self), Arc::downgrade(slot));
        let (around, limits) = (self.around.clone(), self.pool.limits);
        tokio::spawn(async move {
            if is_first {
                (around.tell)(News::Connecting { to: to.to_string() });
            }
            let started = async {
                let session = start(&around, &to, limits).await?;
                session.ready().await.map(|()| session).map_err(|ending| ending.to_string())
            };
            let started = started.await;
            // Nobody waits for it any more.
            let Some(live) = slot.upgrade() else { return };
            let session = match started {
                Ok(session) => Arc::new(session),
                Err(why) => {
                    if let (Some(inner), true) = (inner.upgrade(), is_first) {
                        inner.forget_connected(&to);
                    }
                    return live.set(Found::Failed(why));
                }
            };
            if is_first {
                (around.tell)(News::Connected { to: to.to_string() });
            }
            if let Some(text) = session.shared.with(|locked| locked.core.take_message()) {
                (around.tell)(News::Banner { text });
            }
            let state = session.state();
            live.set(Found::Live(session));
            drop(live);
            look_after(inner, to, slot, state, around.tell).await;
        });
    }

    fn forget_connected(&self, to: &Destination) {
        if let Some(lane) = self.lock().get_mut(to) {
            lane.was_connected = false;
        }
    }

    fn take_out(&self, to: &Destination, slot: &Arc<Slot>) {
        if let Some(lane) = self.lock().get_mut(to) {
            lane.slots.retain(|other| !Arc::ptr_eq(other, slot));
        }
    }

    /// Only the last one is kept.
    fn take_out_if_idle(&self, to: &Destination, slot: &Arc<Slot>) {
        if let Some(lane) = self.lock().get_mut(to)
            && slot.is_idle(self.pool.idle)
            && (lane.slots.len() > 1 || slot.is_stale(self.pool.stale))
        {
            lane.slots.retain(|other| !Arc::ptr_eq(other, slot));
        }
    }

    fn failed(&self, to: &Destination, place: &SlotUse, why: String) -> DialError {
        self.take_out(to, &place.slot);
        closed(to, why)
    }

    /// A session that was there and takes no connection: it is over, or carries the one that it can.
    fn cannot_carry(&self, to: &Destination, slot: &Arc<Slot>, session: &Arc<Session<Port>>) {
        let is_alone = session.shared.with(|locked| {
            let is_smux = locked.core.agent().is_some_and(|agent| agent.carries == Carries::Smux);
            locked.core.channel().ending().is_none() && !is_smux
        });
        if !is_alone {
            return self.take_out(to, slot);
        }
        if let Some(lane) = self.lock().get_mut(to) {
            lane.is_alone = true;
        }
    }
}

/// Tells what becomes of a session, and takes it out when it is over or not needed. It does not hold it.
async fn look_after(
    inner: Weak<Inner>,
    to: Destination,
    slot: Weak<Slot>,
    mut state: watch::Receiver<State>,
    tell: Tell,
) {
    let Some(look) = inner.upgrade().map(|inner| LOOK.min(inner.pool.idle)) else { return };
    loop {
        let ended =
            tokio::time::timeout(look, state.wait_for(|state| matches!(state, State::Ended(_)))).await;
        let ended = match ended {
            Ok(Ok(state)) => Some(state.clone()),
            Ok(Err(_)) => return,
            Err(_) => None,
        };
        let (Some(inner), Some(slot)) = (inner.upgrade(), slot.upgrade()) else { return };
        if let Some(State::Ended(ending)) = ended {
            inner.take_out(&to, &slot);
            if slot.carries() > 0 && ending != Ending::Finished {
                tell(News::Lost { why: ending.to_string() });
            } else {
                tracing::debug!(%to, %ending, "an unused session has ended");
            }
            return;
        }
        inner.take_out_if_idle(&to, &slot);
    }
}
