//! The connections of a relay, and until when each may live.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_core::firewall::{Because, Ruleset};
use doorward_core::net::Flow;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::seats::Seat;
use super::{Clock, Counts, Limits, Upstream};
use crate::bound::Bound;
use crate::carry::Bytes;

/// What the listener, the connections and the owner of a relay have in common.
///
/// The ruleset and the list of connections are behind one lock, so that no connection is admitted by a ruleset
/// that was replaced before it was listed.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// How many connections are in the list.
    pub(super) carried: watch::Sender<usize>,
    /// Turns to look the upstream's name up.
    pub(super) looking_up: Arc<Semaphore>,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct State {
    pub(super) to: Upstream,
    pub(super) flow: Flow,
    pub(super) ruleset: Ruleset,
    pub(super) serial: u64,
    pub(super) live: BTreeMap<u64, Live>,
    pub(super) by_network: BTreeMap<IpAddr, usize>,
    /// What connections did that are over, and what never became one.
    pub(super) past: Counts,
}

impl State {
    /// Gives each connection the end that the ruleset says now, and cuts those that it admits no more.
    pub(super) fn judge(&mut self, now: Timestamp) -> usize {
        let mut cut = 0;
        for live in self.live.values_mut().filter(|live| !live.is_cut()) {
            let rule = self.ruleset.admits(live.peer.ip(), self.flow, now);
            let bound = rule.map_or(Bound::Cut, |rule| Bound::of(rule.until()));
            if let Some(rule) = rule {
                live.because = rule.because().clone();
            }
            cut += usize::from(bound == Bound::Cut);
            live.bind(bound);
        }
        self.past.cut += u64::try_from(cut).unwrap_or(u64::MAX);
        cut
    }

    pub(super) fn cut_all(&mut self) -> usize {
        let open = self.live.values().filter(|live| !live.is_cut());
        let cut = open.map(|live| live.bind(Bound::Cut)).count();
        self.past.cut += u64::try_from(cut).unwrap_or(u64::MAX);
        cut
    }
}

pub(super) struct Live {
    pub(super) peer: SocketAddr,
    pub(super) since: Timestamp,
    pub(super) because: Because,
    pub(super) bound: watch::Sender<Bound>,
    pub(super) bytes: Arc<Bytes>,
}

impl Live {
    pub(super) fn is_cut(&self) -> bool {
        *self.bound.borrow() == Bound::Cut
    }

    pub(super) fn bind(&self, bound: Bound) {
        self.bound.send_if_modified(|now| std::mem::replace(now, bound) != bound);
    }
}

/// A connection's place in the list, which it leaves however it ends.
pub(super) struct ConnectionEntry {
    pub(super) shared: Arc<Shared>,
    pub(super) id: u64,
    pub(super) _seat: Seat,
}

/// The network that a connection is counted for: an IPv4 address, or the first address of an IPv6 one's /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

impl ConnectionEntry {
    /// Notes that the end came by the clock and not by a replaced ruleset.
    pub(super) fn at_its_end(&self) {
        let mut state = self.shared.lock();
        if let Some(live) = state.live.get(&self.id).filter(|live| !live.is_cut()) {
            live.bind(Bound::Cut);
            state.past.cut += 1;
        }
    }

    pub(super) fn undialled(&self) {
        self.shared.lock().past.undialled += 1;
    }
}

impl Drop for ConnectionEntry {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let Some(live) = state.live.remove(&self.id) else { return };
        state.past.up += live.bytes.up.load(Ordering::Relaxed);
        state.past.down += live.bytes.down.load(Ordering::Relaxed);
        let network = network(live.peer.ip());
        let left = state.by_network.get(&network).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            state.by_network.remove(&network);
        } else {
            state.by_network.insert(network, left);
        }
        self.shared.carried.send_replace(state.live.len());
    }
}
