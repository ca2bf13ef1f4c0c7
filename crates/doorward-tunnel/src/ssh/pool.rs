//! The connections of one transport: made when needed, and the first made again when it is lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::link::Link;
use super::{Options, SshError, Status};
use crate::dial::Dial;
use crate::news::{News, in_words};

/// The first pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What one place in the pool holds.
#[derive(Clone)]
enum State {
    /// Nothing yet, or nothing any more.
    Idle,
    /// A connection is being made; why the last one failed.
    Connecting(Option<Arc<SshError>>),
    /// It stands.
    Up(Arc<Link>),
    /// It could not be made, and is not tried again unless somebody asks.
    Failed(Arc<SshError>),
}

/// All places, and what they have in common.
pub(super) struct Pool {
    carrier: Arc<dyn Dial>,
    options: Options,
    places: Mutex<Vec<State>>,
    changed: watch::Sender<u64>,
    ended: watch::Sender<Option<Arc<SshError>>>,
    reconnects: AtomicU64,
}

impl Pool {
    pub(super) fn new(carrier: Arc<dyn Dial>, options: Options) -> Arc<Self> {
        let places = options.limits.connections.clamp(1, 8);
        Arc::new(Self {
            carrier,
            options,
            places: Mutex::new(vec![State::Idle; places]),
            changed: watch::channel(0).0,
            ended: watch::channel(None).0,
            reconnects: AtomicU64::new(0),
        })
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// A connection that stands: the one with the fewest streams. Waits for one that is being made (again), as long
    /// as the limits say.
    pub(super) async fn link(self: &Arc<Self>) -> Result<Arc<Link>, Arc<SshError>> {
        let mut changed = self.changed.subscribe();
        let mut ended = self.ended.subscribe();
        let until = Instant::now() + self.options.limits.wait;
        loop {
            changed.borrow_and_update();
            if let Some(why) = ended.borrow_and_update().clone() {
                return Err(why);
            }
            if let Some(link) = self.pick() {
                return Ok(link);
            }
            let failed = self.begin(0);
            let news = async {
                tokio::select! {
                    _ = changed.changed() => {}
                    _ = ended.changed() => {}
                }
            };
            if tokio::time::timeout_at(until, news).await.is_err() {
                return Err(failed.unwrap_or_else(|| {
                    let seconds = self.options.limits.wait.as_secs();
                    Arc::new(SshError::TimedOut { at: self.options.at.clone(), seconds })
                }));
            }
            if let State::Failed(why) = self.state(0) {
                return Err(why);
            }
        }
    }

    fn state(&self, place: usize) -> State {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(place).cloned().unwrap_or(State::Idle)
    }

    fn set(&self, place: usize, state: State) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = places.get_mut(place) {
            *at = state;
        }
        drop(places);
        self.changed.send_modify(|changed| *changed = changed.wrapping_add(1));
    }

    /// The best connection of those that stand. Where even that has its share, another one is begun meanwhile.
    fn pick(self: &Arc<Self>) -> Option<Arc<Link>> {
        let links = self.links();
        let usable = links.iter().filter(|link| link.why().is_none());
        let best = usable.min_by_key(|link| (link.is_full(), link.channels()))?;
        if best.is_full() || best.channels() >= self.options.limits.spread {
            let idle = {
                let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
                places.iter().position(|state| matches!(state, State::Idle))
            };
            if let Some(idle) = idle {
                self.begin(idle);
            }
        }
        Some(Arc::clone(best))
    }

    fn links(&self) -> Vec<Arc<Link>> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let up = |state: &State| match state {
            State::Up(link) => Some(Arc::clone(link)),
            _ => None,
        };
        places.iter().filter_map(up).collect()
    }

    /// Begins to connect, unless it stands or is under way; why the last attempt failed, where there was one.
    fn begin(self: &Arc<Self>, place: usize) -> Option<Arc<SshError>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let state = places.get_mut(place)?;
        match state {
            State::Up(_) => return None,
            State::Connecting(why) => return why.clone(),
            State::Idle | State::Failed(_) => *state = State::Connecting(None),
        }
        drop(places);
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let mut ended = pool.ended.subscribe();
            tokio::select! {
                _ = ended.wait_for(Option::is_some) => {}
                () = pool.hold(place) => {}
            }
        });
        None
    }

    /// Makes a connection and holds it. The first place tells what happens and connects again; the others are quiet,
    /// and made again when they are needed.
    async fn hold(&self, place: usize) {
        let tell = |news| {
            if place == 0 {
                (self.options.tell)(news);
            }
        };
        let to = || format!("`{}` as `{}`", self.options.host.label(), self.options.user);
        tell(News::Connecting { to: to() });
        let mut lost: Option<Instant> = None;
        let mut worn: Option<Arc<Link>> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            // The same words again would be noise.
            match self.connect(place == 0 && lost.is_none() && worn.is_none()).await {
                Ok(link) => {
                    match lost {
                        Some(lost) => {
                            self.reconnects.fetch_add(1, Ordering::Relaxed);
                            tell(News::Reconnected { away: lost.elapsed() });
                        }
                        None if worn.is_none() => tell(News::Connected { to: to() }),
                        None => {}
                    }
                    self.set(place, State::Up(Arc::clone(&link)));
                    // Who dials from now on takes the new one; its streams keep the old one.
                    if let Some(worn) = worn.take() {
                        self.see_out(worn);
                    }
                    let why = tokio::select! {
                        why = link.closed() => why,
                        () = link.idle(), if place > 0 => {
                            self.set(place, State::Idle);
                            return self.see_out(link);
                        }
                        () = link.worn() => {
                            worn = Some(link);
                            lost = None;
                            continue;
                        }
                    };
                    drop(link);
                    if place > 0 {
                        return self.set(place, State::Idle);
                    }
                    self.set(place, State::Connecting(Some(Arc::new(SshError::Lost { why: why.clone() }))));
                    tell(News::Lost { why });
                    lost = Some(Instant::now());
                    pause = FIRST_PAUSE;
                }
                Err(error) if worn.as_ref().is_some_and(|worn| worn.why().is_none()) => {
                    tracing::debug!(error = %in_words(&error), "replacing an SSH connection that is due for rotation failed");
                    tokio::time::sleep(self.options.limits.backoff).await;
                }
                Err(error) => {
                    let error = Arc::new(error);
                    if place > 0 {
                        tracing::debug!(error = %in_words(&*error), "opening another SSH connection failed");
                        // Whoever needs it asks again; not at once.
                        tokio::time::sleep(self.options.limits.backoff).await;
                        return self.set(place, State::Idle);
                    }
                    if error.is_final() && lost.is_some() {
                        tell(News::Ended { why: in_words(&*error) });
                    }
                    if error.is_final() || lost.is_none() {
                        return self.set(place, State::Failed(error));
                    }
                    tell(News::Retrying { why: in_words(&*error), after: pause });
                    self.set(place, State::Connecting(Some(error)));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(self.options.limits.backoff);
                }
            }
        }
    }

    /// Lets a connection that was replaced go with its last stream.
    fn see_out(&self, worn: Arc<Link>) {
        let mut ended = self.ended.subscribe();
        tokio::spawn(async move {
            let emptied = async {
                while worn.channels() > 0 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            tokio::select! {
                () = emptied => {}
                _ = ended.wait_for(Option::is_some) => {}
                _ = worn.closed() => {}
            }
            worn.goodbye("it was not needed any more").await;
        });
    }

    async fn connect(&self, shows_banner: bool) -> Result<Arc<Link>, SshError> {
        let limit = self.options.limits.connect;
        let timed_out = |_| SshError::TimedOut { at: self.options.at.clone(), seconds: limit.as_secs() };
        let connecting = Link::connect(&*self.carrier, &self.options, shows_banner);
        tokio::time::timeout(limit, connecting).await.map_err(timed_out)?
    }

    pub(super) fn status(&self) -> Status {
        let links = self.links();
        Status {
            connections: links.iter().filter(|link| link.why().is_none()).count(),
            streams: links.iter().map(|link| link.channels()).sum(),
            reconnects: self.reconnects.load(Ordering::Relaxed),
        }
    }

    fn end(&self, why: &str) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert_with(|| Arc::new(SshError::Lost { why: why.to_owned() }));
            first
        });
    }

    /// Ends all at once.
    pub(super) fn cut(&self, why: &str) {
        self.end(why);
        for link in self.links() {
            link.cut(why);
        }
        self.empty();
    }

    /// Ends all politely; how many streams were open.
    pub(super) async fn close(&self) -> usize {
        let why = "it was closed";
        self.end(why);
        let links = self.links();
        let open = links.iter().map(|link| link.channels()).sum();
        for link in links {
            link.goodbye(why).await;
        }
        self.empty();
        open
    }

    fn empty(&self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).fill(State::Idle);
    }
}
