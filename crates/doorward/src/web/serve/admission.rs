//! Limits on connections: in total, per network, and before their first request.
//!
//! When a limit is reached, a new connection replaces an idle one of the network with the most connections. So a
//! network gets as much as any other that wants as much, and a flood out of few networks displaces itself. If every
//! network has few connections (an attacker with very many addresses), the site or the provider with the most is
//! reduced by its longest idle connection. Proxies that the policy lists are not displaced by strangers, and leave a
//! quarter of the limit to others.

mod census;
mod crowd;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use self::crowd::{Crowd, LITTLE, Tally, Width, masked};

/// Among how many of the networks that hold the most a connection is sought that may give way.
const TRIED: usize = 16;

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open at once.
    pub connections: usize,
    /// Open at once from one network.
    pub per_network: usize,
    /// Open at once that have not sent a whole request yet.
    pub arriving: usize,
    /// Likewise, from one network.
    pub arriving_per_network: usize,
    /// Open at once from all proxies that the policy names.
    pub proxies: usize,
    /// Connections that gave way and whose descriptors are still being closed.
    pub leaving: usize,
}

impl Limits {
    /// What fits into so many descriptors: one of five is for those that are being closed.
    pub fn of(descriptors: usize) -> Self {
        let leaving = (descriptors / 5).max(1);
        let connections = descriptors.saturating_sub(leaving).max(1);
        let per_network = (connections / 4).clamp(8, 1024);
        Self {
            connections,
            per_network,
            arriving: (connections / 4 * 3).max(1),
            arriving_per_network: (per_network / 2).max(4),
            proxies: (connections / 4 * 3).max(1),
            leaving,
        }
    }
}

/// The network that a connection counts for: an IPv4 address, or the /64 of an IPv6 one, which has one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    is_proxy: bool,
    first: IpAddr,
}

impl Network {
    /// The network of an address.
    pub fn of(address: IpAddr) -> Self {
        Self { is_proxy: false, first: masked(address.to_canonical(), 32, 64) }
    }

    /// A proxy that the policy names, which speaks for many.
    pub fn of_proxy(address: IpAddr) -> Self {
        Self { is_proxy: true, first: address.to_canonical() }
    }
}

/// What a connection does; what comes first gives way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It has not sent a whole request yet.
    Arriving,
    /// It is between two requests.
    Idle,
    /// It sends the body of a request.
    Receiving,
    /// An answer is being written to it.
    Sending,
    /// A request is being answered.
    Answering,
}

impl Phase {
    const ALL: [Self; 5] = [Self::Arriving, Self::Idle, Self::Receiving, Self::Sending, Self::Answering];
}

/// The house: who is in, and who gives way.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    serial: u64,
    seats: HashMap<u64, Seat>,
    crowds: HashMap<Crowd, BTreeSet<(Phase, u64, u64)>>,
    // Of strangers alone: who is not counted here is never chosen to give way to another.
    all: Tally,
    arriving: Tally,
    proxies: usize,
    leaving: usize,
    turned_away: u64,
    gave_way: u64,
}

#[derive(Debug)]
struct Seat {
    network: Network,
    phase: Phase,
    /// The serial number of its entering the phase: the least has been in it for the longest.
    entered: u64,
    gives_way: Arc<Notify>,
}

/// Why a connection is not accepted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// Connections that gave way are still being closed; there is room in a moment.
    InAMoment,
    /// Its network has as many as it may, all of them at work; or the whole house is at work.
    Full,
}

impl Admission {
    /// An empty house.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// A seat for a connection of that network, if need be by another's giving way.
    pub fn admit(self: &Arc<Self>, network: Network) -> Result<Ticket, NotNow> {
        let mut state = self.lock();
        if state.leaving >= self.limits.leaving {
            return Err(NotNow::InAMoment);
        }
        if !state.makes_room(network, &self.limits) {
            state.turned_away += 1;
            return Err(NotNow::Full);
        }
        let gives_way = Arc::new(Notify::new());
        let id = state.enter(network, Phase::Arriving, Arc::clone(&gives_way));
        Ok(Ticket { house: Arc::clone(self), id, gives_way })
    }

    /// How many connections there are, those included that are being closed.
    pub fn open(&self) -> usize {
        let state = self.lock();
        state.seats.len() + state.leaving
    }

    /// Connections that were not accepted, and connections that were displaced, since the last call.
    pub fn taken(&self) -> (u64, u64) {
        let mut state = self.lock();
        (std::mem::take(&mut state.turned_away), std::mem::take(&mut state.gave_way))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn enter(&mut self, network: Network, phase: Phase, gives_way: Arc<Notify>) -> u64 {
        let id = self.next();
        let entered = self.next();
        self.seats.insert(id, Seat { network, phase, entered, gives_way });
        for crowd in Crowd::of(network) {
            self.crowds.entry(crowd).or_default().insert((phase, entered, id));
        }
        if network.is_proxy {
            self.proxies += 1;
            return id;
        }
        self.all.add(network);
        if phase == Phase::Arriving {
            self.arriving.add(network);
        }
        id
    }

    fn leave(&mut self, id: u64) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        let network = seat.network;
        for crowd in Crowd::of(network) {
            if let Some(seats) = self.crowds.get_mut(&crowd) {
                seats.remove(&(seat.phase, seat.entered, id));
                if seats.is_empty() {
                    self.crowds.remove(&crowd);
                }
            }
        }
        if network.is_proxy {
            self.proxies -= 1;
            return Some(seat);
        }
        self.all.take(network);
        if seat.phase == Phase::Arriving {
            self.arriving.take(network);
        }
        Some(seat)
    }

    fn turn(&mut self, id: u64, phase: Phase) {
        let entered = self.next();
        let Some(seat) = self.seats.get_mut(&id).filter(|seat| seat.phase != phase) else { return };
        let before = (seat.phase, seat.entered, id);
        let network = seat.network;
        // It never comes back to that phase.
        if seat.phase == Phase::Arriving && !network.is_proxy {
            self.arriving.take(network);
        }
        (seat.phase, seat.entered) = (phase, entered);
        for crowd in Crowd::of(network) {
            let seats = self.crowds.entry(crowd).or_default();
            seats.remove(&before);
            seats.insert((phase, entered, id));
        }
    }

    /// Whether there is room for one more of that network that is arriving, made where it can be.
    fn makes_room(&mut self, network: Network, limits: &Limits) -> bool {
        let own = Crowd::around(network, Width::Network);
        if network.is_proxy {
            let room = self.proxies < limits.proxies || self.gives_way(own, Phase::Sending);
            return room && (self.seats.len() < limits.connections || self.any_gives_way(Phase::Sending));
        }
        if self.all.of(network) >= limits.per_network && !self.gives_way(own, Phase::Sending) {
            return false;
        }
        if self.arriving.of(network) >= limits.arriving_per_network && !self.gives_way(own, Phase::Arriving) {
            return false;
        }
        if self.arriving.len() >= limits.arriving {
            let held = self.arriving.of(network);
            let most = self.arriving.most().filter(|(_, most)| *most > held).map(|(most, _)| most);
            let crowd = self.arriving.heaviest().or(most).unwrap_or(own);
            if !self.gives_way(crowd, Phase::Arriving) && !self.any_gives_way(Phase::Arriving) {
                return false;
            }
        }
        self.seats.len() < limits.connections
            || self.any_gives_way(Phase::Sending)
            || self.interrupts(network)
    }

    /// Has one of the crowd that holds the most give way, if one of it does nothing; else of the next network.
    fn any_gives_way(&mut self, up_to: Phase) -> bool {
        let crowds = self.all.heaviest().into_iter().chain(self.all.descending(TRIED));
        crowds.into_iter().any(|crowd| self.gives_way(crowd, up_to))
    }

    /// Has one connection of a crowd give way: of a network's, the one that does the least; of a wider crowd, the one that has
    /// been in its phase for the longest, so that a client that has just connected outlasts those that wait.
    fn gives_way(&mut self, crowd: Crowd, up_to: Phase) -> bool {
        let Some(seats) = self.crowds.get(&crowd) else { return false };
        let first = |phase| seats.range((phase, 0, 0)..).next().filter(|(found, ..)| *found == phase);
        let mut firsts = Phase::ALL.into_iter().filter(|phase| *phase <= up_to).filter_map(first);
        let chosen = match crowd.width {
            Width::Network => firsts.next(),
            Width::Site | Width::Provider => firsts.min_by_key(|(_, entered, _)| *entered),
        };
        let Some((_, _, id)) = chosen.copied() else { return false };
        self.put_out(id);
        true
    }

    /// Everybody is at work: who holds many more than the newcomer's network loses one of them all the same.
    fn interrupts(&mut self, network: Network) -> bool {
        let held = self.all.of(network);
        let most = self.all.most().filter(|(_, most)| *most > held + LITTLE);
        most.is_some_and(|(most, _)| self.gives_way(most, Phase::Answering))
    }

    fn put_out(&mut self, id: u64) {
        if let Some(seat) = self.leave(id) {
            self.leaving += 1;
            self.gave_way += 1;
            seat.gives_way.notify_one();
        }
    }
}

/// A connection's seat, which it leaves however it ends. It must be dropped after its socket.
#[derive(Debug)]
pub struct Ticket {
    house: Arc<Admission>,
    id: u64,
    gives_way: Arc<Notify>,
}

/// A seat by its number, for updates of its connection's state.
#[derive(Debug, Clone)]
pub struct SeatNumber {
    house: Arc<Admission>,
    id: u64,
}

impl SeatNumber {
    /// Notes what the connection does now.
    pub fn turn(&self, phase: Phase) {
        self.house.lock().turn(self.id, phase);
    }
}

impl Ticket {
    /// Its seat.
    pub fn seat(&self) -> SeatNumber {
        SeatNumber { house: Arc::clone(&self.house), id: self.id }
    }

    /// Ready when the connection has to give way.
    pub async fn gives_way(&self) {
        self.gives_way.notified().await;
    }

    /// Counts the connection for another network from now on: the one that a proxy names. Whether there is room.
    pub fn belongs_to(&mut self, network: Network) -> bool {
        let house = Arc::clone(&self.house);
        let mut state = house.lock();
        // One that has to give way stays counted as leaving.
        let Some(seat) = state.leave(self.id) else { return false };
        let room = state.makes_room(network, &house.limits);
        if !room {
            state.turned_away += 1;
        }
        let to = if room { network } else { seat.network };
        self.id = state.enter(to, seat.phase, seat.gives_way);
        room
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.house.lock();
        if state.leave(self.id).is_none() {
            state.leaving = state.leaving.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
