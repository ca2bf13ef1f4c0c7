//! One session, driven: its websocket opened, resumed when it is lost, and closed, and what it carries moved.

mod carry;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use futures_util::task::AtomicWaker;
use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::channel::{Birth, Ending, Limits, opening};
use super::core::{Core, Wake};
use super::message::Uuid;
use super::{Opened, SessionError, Sessions};
use crate::news::{News, Tell, in_words};
use crate::websocket::{Connector, Socket, WebSocketError};

/// How long a session may be without its gateway before it is given up.
const GIVE_UP: Duration = Duration::from_secs(120);

/// And how long without ever having had it: somebody waits for it to begin.
const NEVER: Duration = Duration::from_secs(20);

/// Waits before attempts: the first is at once, for the gateway closes every connection about hourly.
const WAITS: [u64; 7] = [0, 250, 500, 1000, 2000, 4000, 5000];

/// How often in a row a gateway may refuse the upgrade before that is believed.
const REFUSALS: u32 = 3;

/// A connection that held so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// How long AWS may take to answer a call.
const CALL: Duration = Duration::from_secs(20);

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Opening,
    Ready,
    Ended(Ending),
}

/// What the driver, the pool and the streams share.
pub(super) struct Shared<C> {
    locked: Mutex<Locked<C>>,
    driver: AtomicWaker,
    state: watch::Sender<State>,
    done: watch::Sender<bool>,
}

pub(super) struct Locked<C> {
    pub(super) core: C,
    readers: BTreeMap<u32, Waker>,
    writers: BTreeMap<u32, Waker>,
}

impl<C: Core> Locked<C> {
    pub(super) fn waits_to_read(&mut self, id: u32, context: &Context<'_>) {
        self.readers.insert(id, context.waker().clone());
    }

    pub(super) fn waits_to_write(&mut self, id: u32, context: &Context<'_>) {
        self.writers.insert(id, context.waker().clone());
    }

    pub(super) fn forget(&mut self, id: u32) {
        self.readers.remove(&id);
        self.writers.remove(&id);
    }

    fn wake(&mut self) {
        while let Some(wake) = self.core.poll_wake() {
            let waker = match wake {
                Wake::Reader(id) => self.readers.remove(&id),
                Wake::Writer(id) => self.writers.remove(&id),
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        if self.core.channel().ending().is_some() {
            let readers = std::mem::take(&mut self.readers);
            let writers = std::mem::take(&mut self.writers);
            readers.into_values().chain(writers.into_values()).for_each(Waker::wake);
        }
    }
}

impl<C: Core> Shared<C> {
    fn lock(&self) -> MutexGuard<'_, Locked<C>> {
        // What panics under the lock has no half of anything to leave behind that is worse than the panic.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the session, and wakes whom that concerns, but not the driver.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Locked<C>) -> T) -> T {
        let mut locked = self.lock();
        let result = act(&mut locked);
        locked.wake();
        let channel = locked.core.channel();
        self.state.send_if_modified(|state| {
            let now = match channel.ending() {
                Some(ending) => State::Ended(ending.clone()),
                None if channel.is_ready() => State::Ready,
                None => State::Opening,
            };
            let is_other = *state != now;
            *state = now;
            is_other
        });
        result
    }

    /// The same, and the driver looks at what there is to do.
    pub(super) fn poke<T>(&self, act: impl FnOnce(&mut Locked<C>) -> T) -> T {
        let result = self.with(act);
        self.driver.wake();
        result
    }
}

/// Holds a session: when nobody does, it is terminated.
pub(super) struct Session<C: Core> {
    pub(super) shared: Arc<Shared<C>>,
    /// Its id at AWS.
    pub(super) id: String,
}

impl<C: Core> Drop for Session<C> {
    fn drop(&mut self) {
        self.terminate();
    }
}

/// A moment, and something random, for a channel.
pub(super) fn birth() -> Birth {
    let wall = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
    Birth { now: Instant::now(), wall, seed: u128::from_be_bytes(random()) }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        tracing::warn!("this machine has no randomness; names of messages are made of the time alone");
    }
    bytes
}

impl<C: Core> Session<C> {
    /// Has a session driven that was started.
    pub(super) fn drive(core: C, opened: Opened, around: Around) -> Self {
        let locked = Locked { core, readers: BTreeMap::new(), writers: BTreeMap::new() };
        let shared = Arc::new(Shared {
            locked: Mutex::new(locked),
            driver: AtomicWaker::new(),
            state: watch::channel(State::Opening).0,
            done: watch::channel(false).0,
        });
        let id = opened.session.clone();
        let driver = Driver { shared: Arc::clone(&shared), around, client: Uuid(random()) };
        tokio::spawn(driver.run(opened));
        Self { shared, id }
    }

    /// Ends it.
    pub(super) fn terminate(&self) {
        self.shared.poke(|locked| locked.core.channel_mut().terminate(Instant::now()));
    }

    /// Where it is, and every change of that.
    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    /// Waits until it carries.
    pub(super) async fn ready(&self) -> Result<(), Ending> {
        let mut state = self.state();
        let ended = |state: &State| match state {
            State::Ended(ending) => Err(ending.clone()),
            State::Ready | State::Opening => Ok(()),
        };
        match state.wait_for(|state| *state != State::Opening).await {
            Ok(state) => ended(&state),
            // The sender is ours.
            Err(_) => Err(Ending::Finished),
        }
    }

    /// Waits until it is over and AWS was told.
    pub(super) async fn done(&self) {
        let _ = self.shared.done.subscribe().wait_for(|done| *done).await;
    }

    /// Waits until it is over.
    pub(super) async fn ended(&self) -> Ending {
        let mut state = self.state();
        let waited = state.wait_for(|state| matches!(state, State::Ended(_))).await;
        match waited.map(|state| state.clone()) {
            Ok(State::Ended(ending)) => ending,
            _ => Ending::Finished,
        }
    }
}

/// What a session is driven with.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) sessions: Arc<dyn Sessions>,
    pub(super) connector: Connector,
    pub(super) tell: Tell,
    /// The largest payload that no gateway has refused so far.
    pub(super) largest: Arc<AtomicUsize>,
}

impl Around {
    pub(super) fn new(sessions: Arc<dyn Sessions>, connector: Connector, tell: Tell) -> Self {
        Self { sessions, connector, tell, largest: Arc::new(AtomicUsize::new(usize::MAX)) }
    }

    /// Limits for another session.
    pub(super) fn limits(&self, limits: Limits) -> Limits {
        Limits { payload: limits.payload.min(self.largest.load(Ordering::Relaxed)), ..limits }
    }
}

struct Driver<C> {
    shared: Arc<Shared<C>>,
    around: Around,
    client: Uuid,
}

/// Why there is no connection this time.
enum Attempt {
    Ends(Ending),
    Again { why: String, refused: bool },
}

impl From<SessionError> for Attempt {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::TimedOut => Self::Ends(Ending::TimedOut),
            SessionError::Refused { why } => Self::Ends(Ending::Lost { why }),
            SessionError::Failed { why } => Self::Again { why, refused: false },
        }
    }
}

impl From<WebSocketError> for Attempt {
    fn from(error: WebSocketError) -> Self {
        let refused = matches!(error, WebSocketError::Refused { .. });
        Self::Again { why: in_words(&error), refused }
    }
}

impl<C: Core> Driver<C> {
    async fn run(self, opened: Opened) {
        let session = opened.session.clone();
        let ending = self.hold(opened).await;
        tracing::debug!(session, %ending, "a session has ended");
        let largest = self.shared.with(|locked| locked.core.channel().largest_payload());
        self.around.largest.fetch_min(largest, Ordering::Relaxed);
        let is_over_there = matches!(ending, Ending::Closed { .. } | Ending::TimedOut);
        if !is_over_there {
            let terminated = tokio::time::timeout(CALL, self.around.sessions.terminate(&session)).await;
            if !matches!(terminated, Ok(Ok(()))) {
                tracing::warn!(
                    session,
                    ?terminated,
                    "terminating a session failed; it times out when it is idle"
                );
            }
        }
        self.shared.done.send_replace(true);
    }

    /// Connects again and again until it is over.
    async fn hold(&self, opened: Opened) -> Ending {
        let session = opened.session.clone();
        let mut opened = Some(opened);
        let mut lost = Instant::now();
        let (mut attempts, mut refusals, mut was_connected) = (0_usize, 0, false);
        loop {
            let wait = WAITS.get(attempts).or(WAITS.last()).copied().unwrap_or(0);
            let attempt = async {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                self.connect(&session, opened.take()).await
            };
            let attempt = tokio::select! {
                biased;
                ending = self.watch() => return ending,
                attempt = attempt => attempt,
            };
            attempts += 1;
            let why = match attempt {
                Ok(socket) => {
                    refusals = 0;
                    if was_connected {
                        (self.around.tell)(News::Reconnected { away: lost.elapsed() });
                    }
                    was_connected = true;
                    let (since, left) = (Instant::now(), self.carry(socket).await);
                    let why = match left {
                        carry::Left::Over => return self.ending(),
                        carry::Left::Lost { why, .. } => why,
                    };
                    tracing::debug!(session, why, "a session lost its connection");
                    let heard = self.shared.with(|locked| locked.core.channel().heard());
                    if since.elapsed() >= GOOD {
                        (attempts, lost) = (0, Instant::now());
                    } else if heard.is_some_and(|heard| heard >= since) {
                        // It carried, if not for long: the next attempt is not at once, but it is another beginning.
                        (attempts, lost) = (1, Instant::now());
                    }
                    why
                }
                Err(Attempt::Ends(ending)) => return self.end(ending),
                Err(Attempt::Again { why, refused }) => {
                    refusals = if refused { refusals + 1 } else { 0 };
                    let after = WAITS.get(attempts).or(WAITS.last()).copied().unwrap_or(0);
                    let after = Duration::from_millis(after);
                    (self.around.tell)(News::Retrying { why: why.clone(), after });
                    why
                }
            };
            let give_up = if was_connected { GIVE_UP } else { NEVER };
            if lost.elapsed() >= give_up || refusals >= REFUSALS {
                return self.end(Ending::Lost { why });
            }
        }
    }

    fn end(&self, ending: Ending) -> Ending {
        self.shared.with(|locked| locked.core.channel_mut().end(ending));
        self.ending()
    }

    fn ending(&self) -> Ending {
        self.shared.with(|locked| locked.core.channel().ending().cloned()).unwrap_or(Ending::Finished)
    }

    /// While there is no connection: what was waited for too long, and an end from here.
    async fn watch(&self) -> Ending {
        loop {
            let now = Instant::now();
            let (ending, deadline) = self.shared.with(|locked| {
                locked.core.tick(now);
                (locked.core.channel().ending().cloned(), locked.core.next_deadline())
            });
            if let Some(ending) = ending {
                return ending;
            }
            // What is due may be something that only a connection can do.
            let deadline = deadline.unwrap_or(now + GIVE_UP).max(now + Duration::from_millis(50));
            let mut sleep = pin!(tokio::time::sleep_until(deadline.into()));
            let mut is_woken = false;
            std::future::poll_fn(|context| {
                self.shared.driver.register(context.waker());
                if std::mem::replace(&mut is_woken, true) {
                    return std::task::Poll::Ready(());
                }
                sleep.as_mut().poll(context)
            })
            .await;
        }
    }

    /// One attempt: a token, if there is none, a websocket, and the token shown.
    async fn connect(&self, session: &str, opened: Option<Opened>) -> Result<Socket, Attempt> {
        let sessions = &self.around.sessions;
        let slow = |_| SessionError::Failed { why: "AWS did not answer in time".to_owned() };
        let opened = match opened {
            Some(opened) => opened,
            None => tokio::time::timeout(CALL, sessions.resume(session)).await.map_err(slow)??,
        };
        let request = tokio::time::timeout(CALL, sessions.upgrade(&opened.url)).await.map_err(slow)??;
        let mut socket = self.around.connector.connect(request).await?;
        let opening = opening(&opened.token, Uuid(random()), self.client);
        let sent = tokio::time::timeout(CALL, socket.send(Message::text(opening))).await;
        match sent {
            Ok(Ok(())) => Ok(socket),
            Ok(Err(error)) => Err(Attempt::Again { why: crate::websocket::in_words(&error), refused: false }),
            Err(_) => {
                Err(Attempt::Again { why: "the gateway does not accept data".to_owned(), refused: false })
            }
        }
    }
}
