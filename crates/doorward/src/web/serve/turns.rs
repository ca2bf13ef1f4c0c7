//! Schedules CPU time by network: a network that keeps the CPUs busy with handshakes and requests waits for all others.
//!
//! A connection works in steps, between which it waits for bytes. Each step is queued and starts when an earlier one
//! has finished: the network with the fewest steps comes first. So networks that flood the server share the CPUs
//! evenly, for any number of connections, and an idle client does not wait for them. No step runs unscheduled, because
//! the runtime's own queue does not distinguish networks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::admission::Network;

/// How many steps a network that comes has taken less than those that are being called: enough for whoever signs in and opens
/// a page. No rest is worth more.
const AHEAD: u64 = 32;
/// How many networks are remembered that are at rest. Beyond, all of them are taken for new ones.
const REMEMBERED: usize = 4096;

/// Who takes a step, and who waits to.
#[derive(Debug)]
pub(super) struct Turns(Mutex<Line>);

#[derive(Debug)]
struct Line {
    /// How many more may be called.
    free: usize,
    serial: u64,
    /// The networks of those who wait, in turn: by the steps that they took, and since when they wait for the next.
    networks: BTreeSet<(u64, u64, Network)>,
    waiting: HashMap<Network, Waiting>,
    /// The steps that networks took which do not wait at present.
    at_rest: HashMap<Network, u64>,
    /// The most steps of a network that was called.
    reached: u64,
    /// Who was called, and has not taken the step yet.
    called: HashSet<u64>,
}

/// Those of a network who wait.
#[derive(Debug)]
struct Waiting {
    steps: u64,
    since: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Turns {
    /// For so many steps at once.
    pub(super) fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Line {
            free: at_once,
            serial: 0,
            networks: BTreeSet::new(),
            waiting: HashMap::new(),
            at_rest: HashMap::new(),
            reached: 0,
            called: HashSet::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self) {
        let mut line = self.lock();
        line.free += 1;
        let next = line.calls();
        drop(line);
        if let Some(next) = next {
            next.wake();
        }
    }

    /// Whether the turn of one that waits, or begins to, has come.
    fn comes(&self, network: Network, waits: &mut Option<u64>, waker: &Waker) -> Poll<()> {
        let mut line = self.lock();
        let Some(id) = *waits else {
            *waits = Some(line.enters(network, waker));
            let next = line.calls();
            drop(line);
            if let Some(next) = next {
                next.wake();
            }
            return Poll::Pending;
        };
        if line.called.remove(&id) {
            *waits = None;
            return Poll::Ready(());
        }
        if let Some(known) = line.waiting.get_mut(&network).and_then(|of| of.wakers.get_mut(&id)) {
            known.clone_from(waker);
        }
        Poll::Pending
    }
}

impl Line {
    fn enters(&mut self, network: Network, waker: &Waker) -> u64 {
        self.serial += 1;
        let id = self.serial;
        let of = self.waiting.entry(network).or_insert_with(|| {
            let taken = self.at_rest.remove(&network).unwrap_or(0);
            let steps = taken.max(self.reached.saturating_sub(AHEAD));
            self.networks.insert((steps, id, network));
            Waiting { steps, since: id, wakers: BTreeMap::new() }
        });
        of.wakers.insert(id, waker.clone());
        id
    }

    /// Calls the next, if there may be one more step.
    fn calls(&mut self) -> Option<Waker> {
        if self.free == 0 {
            return None;
        }
        let (steps, _, network) = self.networks.pop_first()?;
        let of = self.waiting.get_mut(&network)?;
        let (id, waker) = of.wakers.pop_first()?;
        self.free -= 1;
        self.called.insert(id);
        self.reached = self.reached.max(steps);
        of.steps = steps + 1;
        if of.wakers.is_empty() {
            self.rests(network);
        } else {
            self.serial += 1;
            of.since = self.serial;
            self.networks.insert((of.steps, of.since, network));
        }
        Some(waker)
    }

    /// Nobody of that network waits any longer.
    fn rests(&mut self, network: Network) {
        let Some(of) = self.waiting.remove(&network) else { return };
        self.networks.remove(&(of.steps, of.since, network));
        // Where nobody waits, nobody has taken steps from anybody.
        if self.waiting.is_empty() || self.at_rest.len() >= REMEMBERED {
            self.at_rest.clear();
        }
        if !self.waiting.is_empty() {
            self.at_rest.insert(network, of.steps);
        }
    }

    /// Whether one that waited no longer does, and its turn had come.
    fn leaves(&mut self, network: Network, id: u64) -> bool {
        if self.called.remove(&id) {
            return true;
        }
        if let Some(of) = self.waiting.get_mut(&network) {
            of.wakers.remove(&id);
            if of.wakers.is_empty() {
                self.rests(network);
            }
        }
        false
    }
}

/// A future whose steps are taken in turn.
#[derive(Debug)]
pub(super) struct InTurn<F> {
    turns: Arc<Turns>,
    network: Network,
    waits: Option<u64>,
    future: F,
}

impl<F> InTurn<F> {
    pub(super) fn new(turns: &Arc<Turns>, network: Network, future: F) -> Self {
        Self { turns: Arc::clone(turns), network, waits: None, future }
    }
}

/// A step, until this is dropped.
struct Step<'t>(&'t Turns);

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.over();
    }
}

impl<F: Future + Unpin> Future for InTurn<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        ready!(this.turns.comes(this.network, &mut this.waits, context.waker()));
        let _step = Step(&this.turns);
        Pin::new(&mut this.future).poll(context)
    }
}

impl<F> Drop for InTurn<F> {
    fn drop(&mut self) {
        let Some(id) = self.waits else { return };
        let called = self.turns.lock().leaves(self.network, id);
        if called {
            self.turns.over();
        }
    }
}

/// Where the requests of a connection of HTTP/2 are answered: each in a task, in the turn of the connection's network.
#[derive(Debug, Clone)]
pub(super) struct Tasks {
    pub(super) turns: Arc<Turns>,
    pub(super) network: Network,
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(InTurn::new(&self.turns, self.network, Box::pin(future)));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::task::{JoinSet, yield_now};

    use super::*;

    fn network(number: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(number).into())
    }

    fn is_at_rest(turns: &Turns, at_once: usize) {
        let line = turns.lock();
        assert_eq!(line.free, at_once);
        assert!(line.networks.is_empty() && line.waiting.is_empty() && line.called.is_empty(), "{line:?}");
    }

    #[tokio::test]
    async fn a_person_waits_for_no_network_that_floods() {
        let turns = Turns::new(2);
        let steps = Arc::<AtomicUsize>::default();
        let mut flood = JoinSet::new();
        for number in 0..1000 {
            let steps = Arc::clone(&steps);
            let busy = async move {
                loop {
                    steps.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            };
            flood.spawn(InTurn::new(&turns, network(number % 100), Box::pin(busy)));
        }
        while steps.load(Ordering::Relaxed) < 5000 {
            yield_now().await;
        }
        let before = steps.load(Ordering::Relaxed);
        let person = InTurn::new(
            &turns,
            network(4711),
            Box::pin(async {
                for _ in 0..5 {
                    yield_now().await;
                }
            }),
        );
        tokio::spawn(person).await.expect("a person");
        // Six steps, before each of which the runtime lets some 30 others come: behind each network they would be 600, behind
        // each connection 6,000.
        let waited = steps.load(Ordering::Relaxed) - before;
        assert!(waited < 300, "{waited}");
        flood.shutdown().await;
        is_at_rest(&turns, 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn everybody_gets_through_whoever_leaves_or_panics() {
        let turns = Turns::new(3);
        let mut tasks = JoinSet::new();
        for number in 0..2000_u32 {
            let steps = async move {
                for step in 0..number % 7 {
                    yield_now().await;
                    assert!(number % 11 != 0 || step < 3, "a fault");
                }
            };
            let within = Duration::from_micros(if number % 3 == 0 { number.into() } else { 60_000_000 });
            let task = InTurn::new(&turns, network(number % 5), Box::pin(steps));
            tasks.spawn(async move { tokio::time::timeout(within, task).await.is_ok() });
        }
        let mut whole = 0;
        while let Some(done) =
            tokio::time::timeout(Duration::from_secs(60), tasks.join_next()).await.expect("in time")
        {
            whole += usize::from(done.unwrap_or(false));
        }
        assert!(whole >= 1100, "{whole}");
        is_at_rest(&turns, 3);
    }
}
