//! The queue of password verifications: a few at a time, in an order that is fair to networks.
//!
//! Passwords are slow on purpose, so attackers can use up the CPUs. The queue is served in rotation over providers,
//! within each over neighbourhoods, within each of these over addresses, and there over the typed names: sixty
//! attackers in one network delay a client of another one by one place. The queue is limited; if it is full, its
//! longest part loses its newest entry.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_core::policy::{PasswordHash, People};
use tokio::sync::oneshot;

use super::guard::{neighbourhood, provider, site};
use crate::people::cost::Costs;
use crate::people::password::verify;

/// How long a try waits for a processor that looks at it.
const WAITS: Duration = Duration::from_secs(10);
/// The most that wait.
const LINE: usize = 512;

/// The server has no CPU time for another attempt, of any client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Looks at passwords.
#[derive(Debug)]
pub struct Verifying {
    line: Arc<Mutex<Line>>,
    waits: Duration,
    state: RandomState,
    costs: Mutex<Option<(Arc<People>, Arc<Costs>)>>,
}

#[derive(Debug)]
struct Line {
    free: usize,
    waiting: Node,
}

impl Verifying {
    /// With so many at once.
    pub fn new(at_once: usize) -> Self {
        let line = Line { free: at_once.max(1), waiting: Node::default() };
        Self {
            line: Arc::new(Mutex::new(line)),
            waits: WAITS,
            state: RandomState::new(),
            costs: Mutex::default(),
        }
    }

    /// What trying these people's passwords costs.
    pub fn costs(&self, people: &Arc<People>) -> Arc<Costs> {
        let mut costs = self.costs.lock().unwrap_or_else(PoisonError::into_inner);
        match &*costs {
            Some((of, costs)) if Arc::ptr_eq(of, people) => Arc::clone(costs),
            _ => {
                let new = Arc::new(Costs::of(people));
                *costs = Some((Arc::clone(people), Arc::clone(&new)));
                new
            }
        }
    }

    /// A fingerprint that nobody else can compute.
    pub fn fingerprint(&self, of: impl Hash) -> u64 {
        self.state.hash_one(of).max(1)
    }

    /// Waits for a turn.
    pub async fn turn(&self, address: IpAddr, name: &str) -> Result<Turn, Busy> {
        let path = [
            self.state.hash_one(provider(address)),
            self.state.hash_one(neighbourhood(address)),
            self.state.hash_one(site(address)),
            self.state.hash_one(name),
        ];
        let called = {
            let mut line = lock(&self.line);
            if let Some(free) = line.free.checked_sub(1) {
                line.free = free;
                return Ok(Turn { line: Some(Arc::clone(&self.line)) });
            }
            if line.waiting.count >= LINE {
                line.waiting.forget_gone();
            }
            let (call, called) = oneshot::channel();
            line.waiting.push(&path, call);
            if line.waiting.count > LINE {
                line.waiting.shed();
            }
            called
        };
        match tokio::time::timeout(self.waits, called).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

/// Tries a password, and takes as long as the dearest hash where it is wrong: on a thread of its own, which keeps its turn until it is done also when nobody waits for it, and
/// which the end of the program does not wait for. False where there is no thread.
pub async fn tried(turn: Turn, hash: PasswordHash, costs: Arc<Costs>, password: String) -> bool {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("password".into()).spawn(move || {
        let good = verify(&hash, &password);
        if let Some(decoy) = costs.decoy_after(&hash).filter(|_| !good) {
            std::hint::black_box(verify(decoy, &password));
        }
        drop(turn);
        // Nobody may be there any more.
        let _ = tell.send(good);
    });
    match thread {
        Ok(_) => told.await.unwrap_or(false),
        Err(error) => {
            tracing::error!(%error, "could not verify a password");
            false
        }
    }
}

/// A right to one processor; its end is the next one's turn.
#[derive(Debug)]
pub struct Turn {
    line: Option<Arc<Mutex<Line>>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(shared) = self.line.take() else { return };
        let mut line = lock(&shared);
        let mut turn = Turn { line: Some(Arc::clone(&shared)) };
        while let Some(call) = line.waiting.pop() {
            match call.send(turn) {
                Ok(()) => return,
                // Nobody waits there any more.
                Err(back) => turn = back,
            }
        }
        turn.line = None;
        line.free += 1;
    }
}

fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A part of the line: those who wait here, and parts below it that take turns.
#[derive(Debug, Default)]
struct Node {
    count: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
    below: HashMap<u64, Node>,
    order: VecDeque<u64>,
}

impl Node {
    fn push(&mut self, path: &[u64], call: oneshot::Sender<Turn>) {
        self.count += 1;
        let Some((next, rest)) = path.split_first() else {
            self.waiting.push_back(call);
            return;
        };
        if !self.below.contains_key(next) {
            self.order.push_back(*next);
        }
        self.below.entry(*next).or_default().push(rest, call);
    }

    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        if let Some(call) = self.waiting.pop_front() {
            self.count -= 1;
            return Some(call);
        }
        let next = self.order.pop_front()?;
        let node = self.below.get_mut(&next)?;
        let call = node.pop();
        if node.count > 0 {
            self.order.push_back(next);
        } else {
            self.below.remove(&next);
        }
        self.count -= usize::from(call.is_some());
        call
    }

    /// Drops the newest of the longest part.
    fn shed(&mut self) {
        self.count = self.count.saturating_sub(1);
        let longest = self.below.iter().max_by_key(|(_, node)| node.count).map(|(key, _)| *key);
        let Some(longest) = longest else {
            self.waiting.pop_back();
            return;
        };
        let Some(node) = self.below.get_mut(&longest) else { return };
        node.shed();
        if node.count == 0 {
            self.below.remove(&longest);
            self.order.retain(|key| *key != longest);
        }
    }

    /// Drops those who went away.
    fn forget_gone(&mut self) {
        self.waiting.retain(|call| !call.is_closed());
        for node in self.below.values_mut() {
            node.forget_gone();
        }
        self.below.retain(|_, node| node.count > 0);
        let below = &self.below;
        self.order.retain(|key| below.contains_key(key));
        self.count = self.waiting.len() + self.below.values().map(|node| node.count).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: [u8; 4]) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(last))
    }

    /// Waits in the line from an address, and writes down that it was served.
    fn wait(
        verifying: &Arc<Verifying>,
        from: [u8; 4],
        name: &str,
        served: &Arc<Mutex<Vec<String>>>,
    ) -> tokio::task::JoinHandle<Result<(), Busy>> {
        let (verifying, served, name) = (Arc::clone(verifying), Arc::clone(served), name.to_owned());
        tokio::spawn(async move {
            let turn = verifying.turn(address(from), &name).await?;
            served.lock().expect("a list").push(name);
            tokio::task::yield_now().await;
            drop(turn);
            Ok(())
        })
    }

    async fn settle() {
        for _ in 0..2000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn guessers_of_one_network_hold_up_another_by_one_place() {
        let verifying = Arc::new(Verifying::new(1));
        let held = verifying.turn(address([192, 0, 2, 1]), "first").await.expect("a turn");
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for guess in 0..60 {
            waiting.push(wait(&verifying, [203, 0, 113, 9], &format!("guess-{guess}"), &served));
            settle().await;
        }
        for (from, name) in [
            ([203, 0, 113, 10], "same neighbourhood"),
            ([203, 0, 99, 10], "same provider"),
            ([198, 51, 100, 7], "elsewhere"),
        ] {
            waiting.push(wait(&verifying, from, name, &served));
            settle().await;
        }
        drop(held);
        for one in waiting {
            assert_eq!(one.await.expect("a task"), Ok(()));
        }
        let served = served.lock().expect("a list");
        for name in ["same neighbourhood", "same provider", "elsewhere"] {
            let place = served.iter().position(|served| served == name).expect("served");
            assert!(place < 8, "{name} was served as number {place}");
        }
    }

    #[tokio::test]
    async fn the_line_is_bounded_and_its_longest_part_is_cut() {
        let verifying = Arc::new(Verifying::new(1));
        let held = verifying.turn(address([192, 0, 2, 1]), "first").await.expect("a turn");
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut flood = Vec::new();
        for guess in 0..LINE + 100 {
            flood.push(wait(&verifying, [203, 0, 113, 9], &format!("guess-{guess}"), &served));
        }
        settle().await;
        assert_eq!(lock(&verifying.line).waiting.count, LINE);
        let jon = wait(&verifying, [198, 51, 100, 7], "jon", &served);
        settle().await;
        assert_eq!(lock(&verifying.line).waiting.count, LINE);
        drop(held);
        assert_eq!(jon.await.expect("a task"), Ok(()));
        let mut busy = 0;
        for one in flood {
            busy += usize::from(one.await.expect("a task") == Err(Busy));
        }
        assert_eq!(busy, 101);
    }

    #[tokio::test]
    async fn a_turn_comes_back_from_those_who_went_away() {
        let waits = Duration::from_millis(50);
        let verifying = Arc::new(Verifying { waits, ..Verifying::new(2) });
        let held = [
            verifying.turn(address([192, 0, 2, 1]), "a").await.expect("a turn"),
            verifying.turn(address([192, 0, 2, 1]), "b").await.expect("a turn"),
        ];
        // One gives up, another's connection breaks.
        assert_eq!(verifying.turn(address([192, 0, 2, 2]), "late").await.err(), Some(Busy));
        let served = Arc::new(Mutex::new(Vec::new()));
        let gone = wait(&verifying, [192, 0, 2, 3], "gone", &served);
        settle().await;
        gone.abort();
        settle().await;
        drop(held);
        let line = lock(&verifying.line);
        assert_eq!((line.free, line.waiting.count), (2, 0));
    }
}
