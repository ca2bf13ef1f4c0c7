//! A port session: a channel and the connections that it carries, bytes and the time in, bytes and events out.

mod carried;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes};

use super::channel::{Agent, Birth, Carries, Channel, Ending, Event, Limits};
use super::core::{Core, Wake};
use super::message::{Draft, Flag, PayloadType};
use super::plain::Plain;
use super::smux::{self, Read, Smux};
use carried::Carried;

/// The far side cannot be told that we send no more without closing its connection both ways, and an agent without smux
/// does not tell us that it sends no more. So the connection ends when nothing came for so long after our last byte
/// arrived.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_LOOK: Duration = Duration::from_millis(500);

/// An old agent's smux expects something this often, and is taken for dead when it was silent for so long.
const ALIVE: Duration = Duration::from_secs(10);
const DEAD: Duration = Duration::from_secs(40);

/// What waits is counted no further.
const MOST_COUNTED: usize = 1 << 17;

/// The only connection of a session without smux.
const ONLY: u32 = 0;

/// Without smux there is nothing but sockets between us and who reads.
const BUFFERED_BY_SOCKETS: usize = 64 << 10;

/// What keeps an old agent's smux from believing us dead.
#[derive(Debug)]
struct Alive {
    next: Instant,
    heard: Instant,
}

/// We send no more on a stream: since when nothing came, after which message, and how much had come.
#[derive(Debug)]
struct Shut {
    look: Instant,
    quiet: Instant,
    after: Option<i64>,
    came: u64,
}

/// One port session.
#[derive(Debug)]
pub struct Port {
    channel: Channel,
    carried: Carried,
    wakes: VecDeque<Wake>,
    agent: Option<Agent>,
    message: Option<String>,
    alive: Option<Alive>,
    shut: BTreeMap<u32, Shut>,
}

impl Port {
    /// A session that is not connected.
    pub fn new(birth: Birth, limits: Limits) -> Self {
        Self {
            channel: Channel::new(birth, limits),
            carried: Carried::Nothing,
            wakes: VecDeque::new(),
            agent: None,
            message: None,
            alive: None,
            shut: BTreeMap::new(),
        }
    }

    /// Who the agent is, once it said so.
    pub fn agent(&self) -> Option<&Agent> {
        self.agent.as_ref()
    }

    /// What the agent says to the person, once.
    pub fn take_message(&mut self) -> Option<String> {
        self.message.take()
    }

    /// How many connections it carries; without smux never more than one.
    pub fn streams(&self) -> usize {
        match &self.carried {
            Carried::Smux(smux) => smux.streams(),
            Carried::Nothing | Carried::Plain(_) => 0,
        }
    }

    /// How many connections ended at once, or could not be made at all. A name may mean another address by now.
    pub fn failed(&self) -> u64 {
        let dead = if let Carried::Smux(smux) = &self.carried { smux.dead() } else { 0 };
        self.channel.failed_ports().max(dead)
    }

    /// Opens a connection; none: it cannot carry another one.
    pub fn open(&mut self) -> Option<u32> {
        if !self.channel.is_ready() {
            return None;
        }
        match &mut self.carried {
            Carried::Smux(smux) => smux.open(),
            Carried::Plain(plain) => plain.open().then_some(ONLY),
            Carried::Nothing => None,
        }
    }

    /// Reads what came. Who gets nothing is woken by [`Wake::Reader`].
    pub fn read(&mut self, id: u32, into: &mut impl BufMut, now: Instant) -> io::Result<Read> {
        let read = match &mut self.carried {
            Carried::Smux(smux) => smux.read(id, into),
            Carried::Plain(plain) => plain.read(into),
            Carried::Nothing => Read::Nothing,
        };
        self.channel.set_reading(!self.carried.is_full(), now);
        match (read, self.channel.ending()) {
            (Read::Nothing, Some(ending)) if self.is_whole(ending) => Ok(Read::End),
            (Read::Nothing, Some(ending)) => Err(cut(ending)),
            (Read::Refused, _) => Err(io::Error::new(io::ErrorKind::ConnectionRefused, Ending::Port)),
            (read, _) => Ok(read),
        }
    }

    /// An agent that carries one connection closes the session when that is closed, and says nothing else.
    fn is_whole(&self, ending: &Ending) -> bool {
        let is_plain = matches!(self.carried, Carried::Plain(_));
        is_plain
            && !self.channel.has_gap()
            && matches!(ending, Ending::Closed { reason } if reason.is_empty())
    }

    /// Takes bytes to be sent; how many. Who gets rid of none is woken by [`Wake::Writer`].
    pub fn write(&mut self, id: u32, bytes: &[u8]) -> io::Result<usize> {
        if let Some(ending) = self.channel.ending() {
            return Err(cut(ending));
        }
        let written = match &mut self.carried {
            Carried::Smux(smux) => smux.write(id, bytes),
            Carried::Plain(plain) => plain.write(bytes),
            Carried::Nothing => None,
        };
        written.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// All that was written is on its way. If not, [`Wake::Writer`] tells when to ask again.
    pub fn flushed(&mut self, id: u32) -> io::Result<bool> {
        if let Some(ending) = self.channel.ending() {
            return Err(cut(ending));
        }
        Ok(match &mut self.carried {
            Carried::Smux(smux) => smux.flushed(id),
            Carried::Plain(plain) => plain.flushed(),
            Carried::Nothing => true,
        })
    }

    /// Nothing more is written; what the far side answers can still be read.
    pub fn shut(&mut self, id: u32, now: Instant) {
        let came = self.carried.came(id);
        if let Carried::Plain(plain) = &mut self.carried {
            plain.shut();
        }
        let shut = Shut { look: now + LINGER_LOOK, quiet: now, after: None, came };
        self.shut.entry(id).or_insert(shut);
    }

    /// Nobody reads or writes any more.
    pub fn close(&mut self, id: u32, now: Instant) {
        self.shut.remove(&id);
        match &mut self.carried {
            Carried::Smux(smux) => smux.close(id),
            // The agent would connect again for what comes next, and nobody could tell what is of which connection.
            Carried::Plain(_) => {
                if self.agent.as_ref().is_some_and(|agent| agent.carries == Carries::Basic)
                    && self.channel.takes()
                {
                    self.channel.send(PayloadType::Flag, Draft::of(&Flag::DisconnectToPort.payload()), now);
                }
                self.channel.terminate(now);
            }
            Carried::Nothing => {}
        }
        self.channel.set_reading(!self.carried.is_full(), now);
        self.drain_smux();
    }

    fn process(&mut self, event: Event, now: Instant) {
        match event {
            Event::KeyWanted { .. } => self.channel.answer_key(Err("a port session is not encrypted")),
            Event::Ready { agent, message } => {
                self.carried = match agent.carries {
                    Carries::Smux => Carried::Smux(Smux::new()),
                    Carries::Basic | Carries::Raw => {
                        self.channel.set_remote_buffer(BUFFERED_BY_SOCKETS);
                        Carried::Plain(Plain::default())
                    }
                    Carries::Shell => {
                        let why = "it is a shell session, not a port session".to_owned();
                        return self.channel.end(Ending::Handshake { why });
                    }
                };
                if agent.carries == Carries::Smux && !agent.smux_is_quiet() {
                    self.alive = Some(Alive { next: now + ALIVE, heard: now });
                }
                self.channel.set_probe(PayloadType::Output, Vec::new());
                self.agent = Some(agent);
                self.message = message;
            }
            Event::Payload { payload_type: PayloadType::Output, payload } => self.take(&payload, now),
            Event::Payload { payload_type: PayloadType::Flag, payload }
                if Flag::of(&payload) == Some(Flag::ConnectToPortError) =>
            {
                match &mut self.carried {
                    Carried::Smux(smux) => smux.refused(),
                    Carried::Plain(_) | Carried::Nothing => self.channel.end(Ending::Port),
                }
            }
            Event::Payload { payload_type, .. } => {
                tracing::debug!(?payload_type, "a payload that a port session does not have");
            }
        }
    }

    fn take(&mut self, payload: &[u8], now: Instant) {
        match &mut self.carried {
            Carried::Smux(smux) => {
                if let Some(alive) = &mut self.alive {
                    alive.heard = now;
                }
                if let Err(error) = smux.receive(payload) {
                    self.channel.end(Ending::Malformed { why: error.to_string() });
                }
                self.drain_smux();
            }
            Carried::Plain(plain) => {
                if plain.receive(payload) {
                    self.wakes.push_back(Wake::Reader(ONLY));
                }
            }
            Carried::Nothing => {
                let why = "it sends data before it is ready".to_owned();
                self.channel.end(Ending::Handshake { why });
            }
        }
    }

    fn drain_smux(&mut self) {
        let Carried::Smux(smux) = &mut self.carried else { return };
        while let Some(event) = smux.poll_event() {
            self.wakes.push_back(match event {
                smux::Event::Readable(id) => Wake::Reader(id),
                smux::Event::Writable(id) => Wake::Writer(id),
            });
        }
    }

    fn look_at_shut(&mut self, now: Instant) {
        let (channel, carried, wakes) = (&self.channel, &mut self.carried, &mut self.wakes);
        self.shut.retain(|id, shut| {
            if now < shut.look {
                return true;
            }
            shut.look = now + LINGER_LOOK;
            let came = carried.came(*id);
            let arrived = match shut.after {
                Some(after) => channel.has_arrived(after),
                None => {
                    shut.after = carried.is_sent(*id).then(|| channel.next_sequence());
                    false
                }
            };
            if came != shut.came || !arrived {
                (shut.came, shut.quiet) = (came, now);
            }
            let is_quiet = now.duration_since(shut.quiet) >= LINGER;
            if is_quiet && carried.finish(*id) {
                wakes.push_back(Wake::Reader(*id));
            }
            !is_quiet
        });
    }
}

fn cut(ending: &Ending) -> io::Error {
    let kind = match ending {
        Ending::Port => io::ErrorKind::ConnectionRefused,
        Ending::Finished => io::ErrorKind::ConnectionAborted,
        _ => io::ErrorKind::ConnectionReset,
    };
    io::Error::new(kind, ending.clone())
}

impl Core for Port {
    fn channel(&self) -> &Channel {
        &self.channel
    }

    fn channel_mut(&mut self) -> &mut Channel {
        &mut self.channel
    }

    fn receive(&mut self, frame: Bytes, now: Instant) {
        self.channel.receive(frame, now);
        while let Some(event) = self.channel.poll_event() {
            self.process(event, now);
        }
        self.channel.set_reading(!self.carried.is_full(), now);
        self.channel.set_unanswered(self.carried.unanswered());
    }

    fn has_room(&self) -> bool {
        !self.carried.is_full() && self.channel.has_room()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        loop {
            let frame = self.channel.poll_transmit(now);
            if frame.is_some() {
                return frame;
            }
            if !(self.channel.takes() && self.channel.is_sent() && self.carried.has_more()) {
                return None;
            }
            let waiting = match &self.carried {
                Carried::Smux(smux) => smux.waiting(MOST_COUNTED),
                Carried::Plain(plain) => plain.waiting(),
                Carried::Nothing => 0,
            };
            let size = self.channel.payload_size(waiting);
            let mut draft = Draft::with_capacity(waiting.min(size));
            match &mut self.carried {
                Carried::Smux(smux) => smux.fill(&mut draft.payload, size),
                Carried::Plain(plain) => {
                    if plain.fill(&mut draft.payload, size) {
                        self.wakes.push_back(Wake::Writer(ONLY));
                    }
                }
                Carried::Nothing => {}
            }
            self.drain_smux();
            self.channel.set_unanswered(self.carried.unanswered());
            self.channel.send(PayloadType::Output, draft, now);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.channel.tick(now);
        self.look_at_shut(now);
        if let (Some(alive), Carried::Smux(smux)) = (&mut self.alive, &mut self.carried) {
            if self.channel.is_unread() {
                alive.heard = now;
            }
            if now >= alive.next {
                alive.next = now + ALIVE;
                smux.keep_alive();
            }
            if now >= alive.heard + DEAD {
                let (seconds, bytes) = (DEAD.as_secs(), self.channel.unacknowledged());
                self.channel.end(Ending::Unanswered { seconds, bytes });
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let alive = self.alive.as_ref().map(|alive| alive.next.min(alive.heard + DEAD));
        let shut = self.shut.values().map(|shut| shut.look).min();
        let deadline = [self.channel.next_deadline(), alive, shut].into_iter().flatten().min();
        deadline.filter(|_| self.channel.ending().is_none())
    }

    fn poll_wake(&mut self) -> Option<Wake> {
        self.wakes.pop_front()
    }
}
