//! Limits on connections: in total, per network, and before their first request.
//!
//! When a limit is reached, a new connection replaces an idle one of the network with the most connections. So a
//! network gets as much as any other that wants as much, and a flood out of few networks displaces itself. If every
//! network has few connections (an attacker with very many addresses), the wider network (/24, /48) with the most is
//! reduced. Proxies that the policy lists are not displaced by strangers, and leave a quarter of the limit to others.

mod census;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use self::census::Census;

/// A network holds little when it holds no more than this: a browser opens up to six connections.
const LITTLE: usize = 8;

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

    /// The /24 or the /48 that it is in.
    fn wider(self) -> Self {
        Self { first: masked(self.first, 24, 48), ..self }
    }
}

fn masked(address: IpAddr, v4: u32, v6: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from_bits(address.to_bits() & u32::MAX.checked_shl(32 - v4).unwrap_or(0)).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(128 - v6).unwrap_or(0)).into()
        }
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
    networks: BTreeMap<Network, BTreeSet<(Phase, u64, u64)>>,
    // Of strangers alone: who is not counted here is never chosen to give way to another.
    all: Census<Network>,
    arriving: Census<Network>,
    wider: Census<Network>,
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
        self.networks.entry(network).or_default().insert((phase, entered, id));
        if network.is_proxy {
            self.proxies += 1;
            return id;
        }
        self.all.add(network);
        self.wider.add(network.wider());
        if phase == Phase::Arriving {
            self.arriving.add(network);
        }
        id
    }

    fn leave(&mut self, id: u64) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        let network = seat.network;
        if let Some(seats) = self.networks.get_mut(&network) {
            seats.remove(&(seat.phase, seat.entered, id));
            if seats.is_empty() {
                self.networks.remove(&network);
            }
        }
        if network.is_proxy {
            self.proxies -= 1;
            return Some(seat);
        }
        self.all.take(network);
        self.wider.take(network.wider());
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
        let seats = self.networks.entry(network).or_default();
        seats.remove(&before);
        seats.insert((phase, entered, id));
    }

    /// Whether there is room for one more of that network that is arriving, made where it can be.
    fn makes_room(&mut self, network: Network, limits: &Limits) -> bool {
        if network.is_proxy {
            let room = self.proxies < limits.proxies || self.gives_way(network, Phase::Sending);
            return room && (self.seats.len() < limits.connections || self.any_gives_way(Phase::Sending));
        }
        if self.all.of(network) >= limits.per_network && !self.gives_way(network, Phase::Sending) {
            return false;
        }
        if self.arriving.of(network) >= limits.arriving_per_network
            && !self.gives_way(network, Phase::Arriving)
        {
            return false;
        }
        if self.arriving.len() >= limits.arriving {
            let most =
                self.arriving.most().filter(|most| self.arriving.of(*most) > self.arriving.of(network));
            if !self.gives_way(most.unwrap_or(network), Phase::Arriving)
                && !self.any_gives_way(Phase::Arriving)
            {
                return false;
            }
        }
        self.seats.len() < limits.connections
            || self.any_gives_way(Phase::Sending)
            || self.interrupts(network)
    }

    /// Has one of the network that holds the most give way, if one of it does nothing; else of the next.
    fn any_gives_way(&mut self, up_to: Phase) -> bool {
        let most = self.all.most();
        let little = most.is_none_or(|most| self.all.of(most) <= LITTLE);
        let crowd = self.wider.most().filter(|_| little).and_then(|wide| {
            let within = self.networks.range(wide..).take_while(|(network, _)| network.wider() == wide);
            within.map(|(network, _)| *network).max_by_key(|network| self.all.rank(*network))
        });
        for network in crowd.into_iter().chain(self.all.descending(TRIED)) {
            if self.gives_way(network, up_to) {
                return true;
            }
        }
        false
    }

    /// Has the connection of a network give way that has done nothing for the longest.
    fn gives_way(&mut self, network: Network, up_to: Phase) -> bool {
        let first = self.networks.get(&network).and_then(|seats| seats.first().copied());
        let Some((_, _, id)) = first.filter(|(phase, ..)| *phase <= up_to) else { return false };
        self.put_out(id);
        true
    }

    /// Everybody is at work: who holds many more than the newcomer's network loses one of them all the same.
    fn interrupts(&mut self, network: Network) -> bool {
        let held = self.all.of(network);
        let Some(most) = self.all.most().filter(|most| self.all.of(*most) > held + LITTLE) else {
            return false;
        };
        self.gives_way(most, Phase::Answering)
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
