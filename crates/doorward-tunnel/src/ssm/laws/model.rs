//! A network that does what it likes, and an agent behind it, in memory and without a clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::ssm::channel::{Birth, Ending, Limits};
use crate::ssm::core::Core;
use crate::ssm::message::{Draft, Flag, Header, Kind, Message, PayloadType, Uuid};
use crate::ssm::port::Port;
use crate::ssm::smux::Read;

const STEP: Duration = Duration::from_millis(5);

/// What the network does to a message, and to the connection once a second, each with a chance.
#[derive(Debug, Clone)]
pub struct Faults {
    pub seed: u64,
    pub drops: f64,
    pub doubles: f64,
    /// The longest delay, in milliseconds; each message has its own, so they overtake each other.
    pub delay: u64,
    pub closes: f64,
    pub pauses: bool,
}

impl Faults {
    pub fn none() -> Self {
        Self { seed: 0, drops: 0.0, doubles: 0.0, delay: 0, closes: 0.0, pauses: false }
    }
}

/// Small numbers from one seed, always the same.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn happens(&mut self, chance: f64) -> bool {
        (self.next() % 1_000_000) as f64 / 1e6 < chance
    }
}

struct Sent {
    frame: Bytes,
    at: Instant,
}

/// How an agent and its gateway are.
#[derive(Debug, Clone)]
pub struct Habits {
    /// The agent says nothing to a message that it had before.
    pub acknowledges_once: bool,
    pub carries_smux: bool,
    /// What it says it is, and what it says it carries.
    pub version: &'static str,
    pub session_type: &'static str,
    /// Until then it neither takes data nor acknowledges it.
    pub opens_after: Duration,
    /// The largest payload that the gateway takes, and what it does at a larger one.
    pub takes: usize,
    pub at_larger: AtLarger,
}

/// What a gateway does with a message that is too large for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtLarger {
    /// It closes the connection with 1009.
    TooBig,
    /// It breaks the connection.
    Breaks,
    /// It passes over it.
    Silent,
}

impl Habits {
    /// One connection, or one terminal, and nothing but its bytes.
    pub fn plain(version: &'static str, session_type: &'static str) -> Self {
        Self { carries_smux: false, version, session_type, ..Self::default() }
    }
}

/// A port session for SSH.
pub const SSH: &str = r#""Port","Properties":{"portNumber":"22"}"#;

/// A shell.
pub const SHELL: &str = r#""Standard_Stream""#;

/// A port session for many connections, if the agent is not too old for that.
pub const LOCAL: &str = r#""Port","Properties":{"type":"LocalPortForwarding"}"#;

impl Default for Habits {
    fn default() -> Self {
        Self {
            acknowledges_once: false,
            carries_smux: true,
            version: "3.3.0.0",
            session_type: LOCAL,
            opens_after: Duration::ZERO,
            takes: usize::MAX,
            at_larger: AtLarger::TooBig,
        }
    }
}

/// An agent that carries out what it is told.
pub struct Agent {
    habits: Habits,
    pub is_dead: bool,
    pub flags: Vec<Flag>,
    /// Sizes of the terminal.
    pub sizes: Vec<(u64, u64)>,
    expected: i64,
    early: BTreeMap<i64, Message>,
    next: i64,
    unacknowledged: VecDeque<(i64, Sent)>,
    started: Option<Instant>,
    is_complete: bool,
    read: BTreeMap<u32, Vec<u8>>,
    ended: BTreeMap<u32, bool>,
    wire: Vec<u8>,
    write: VecDeque<u8>,
    out: VecDeque<Bytes>,
    echoed: BTreeMap<u32, usize>,
    opened: Vec<u32>,
}

impl Agent {
    pub fn new(habits: Habits) -> Self {
        Self {
            habits,
            is_dead: false,
            flags: Vec::new(),
            sizes: Vec::new(),
            expected: 0,
            early: BTreeMap::new(),
            next: 0,
            unacknowledged: VecDeque::new(),
            started: None,
            is_complete: false,
            read: BTreeMap::new(),
            ended: BTreeMap::new(),
            wire: Vec::new(),
            write: VecDeque::new(),
            out: VecDeque::new(),
            echoed: BTreeMap::new(),
            opened: Vec::new(),
        }
    }
}

fn sealed(kind: Kind, sequence: i64, payload_type: PayloadType, payload: &[u8]) -> Bytes {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&sequence.to_be_bytes());
    let header = Header { kind, created: 1, sequence, flags: 0, id: Uuid(id), payload: payload_type };
    Draft::of(payload).seal(&header)
}

impl Agent {
    pub fn read(&self, id: u32) -> &[u8] {
        self.read.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many streams sent something.
    pub fn streams(&self) -> usize {
        self.read.len()
    }

    /// Sends back what came since the last time.
    pub fn echo(&mut self) {
        let came: Vec<(u32, Vec<u8>)> = self
            .read
            .iter()
            .map(|(id, read)| (*id, read[self.echoed.get(id).copied().unwrap_or(0)..].to_vec()))
            .filter(|(_, new)| !new.is_empty())
            .collect();
        for (id, new) in came {
            *self.echoed.entry(id).or_default() += new.len();
            self.write(id, new);
        }
    }

    /// Says of every stream that there is nothing to connect it to.
    pub fn refuse(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.opened) {
            self.send(PayloadType::Flag, &Flag::ConnectToPortError.payload(), now);
            let [a, b, c, d] = id.to_le_bytes();
            self.write.extend([1, 1, 0, 0, a, b, c, d]);
        }
    }

    pub fn take_out(&mut self) -> Vec<Bytes> {
        self.out.drain(..).collect()
    }

    pub fn has_ended(&self, id: u32) -> bool {
        self.ended.contains_key(&id)
    }

    pub fn write(&mut self, id: u32, bytes: Vec<u8>) {
        for part in bytes.chunks(4000) {
            if self.habits.carries_smux {
                self.write.extend([1, 2]);
                self.write.extend((part.len() as u16).to_le_bytes());
                self.write.extend(id.to_le_bytes());
            }
            self.write.extend(part);
        }
    }

    pub fn send(&mut self, payload_type: PayloadType, payload: &[u8], now: Instant) {
        let frame = sealed(Kind::Output, self.next, payload_type, payload);
        self.unacknowledged.push_back((self.next, Sent { frame: frame.clone(), at: now }));
        self.next += 1;
        self.out.push_back(frame);
    }

    pub fn tick(&mut self, now: Instant) {
        if self.started.is_none() {
            self.started = Some(now);
            let Habits { version, session_type, .. } = self.habits;
            let request = format!(
                r#"{{"AgentVersion":"{version}","RequestedClientActions":[{{"ActionType":"SessionType","ActionParameters":
                {{"SessionType":{session_type}}}}}]}}"#
            );
            self.send(PayloadType::HandshakeRequest, request.as_bytes(), now);
        }
        for _ in 0..8 {
            if self.is_complete && !self.write.is_empty() {
                let part: Vec<u8> = self.write.drain(..self.write.len().min(1024)).collect();
                self.send(PayloadType::Output, &part, now);
            }
        }
        if let Some((_, head)) = self.unacknowledged.front_mut()
            && now.duration_since(head.at) >= Duration::from_millis(700)
        {
            head.at = now;
            self.out.push_back(head.frame.clone());
        }
    }

    pub fn receive(&mut self, frame: Bytes, now: Instant) {
        let message = Message::decode(frame).unwrap();
        match message.header.kind {
            Kind::Acknowledge => {
                let json: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
                let sequence = json["AcknowledgedMessageSequenceNumber"].as_i64().unwrap();
                self.unacknowledged.retain(|(kept, _)| *kept != sequence);
            }
            Kind::Input => {
                let sequence = message.header.sequence;
                if sequence > self.expected {
                    self.acknowledge(&message);
                    self.early.insert(sequence, message);
                } else if sequence < self.expected {
                    if !self.habits.acknowledges_once {
                        self.acknowledge(&message);
                    }
                } else if self.is_open(&message, now) {
                    self.acknowledge(&message);
                    self.process(message, now);
                    while let Some(message) = self.early.remove(&self.expected) {
                        self.process(message, now);
                    }
                }
            }
            other => panic!("{other:?} came to the agent"),
        }
    }

    fn is_open(&self, message: &Message, now: Instant) -> bool {
        let opened = now.duration_since(self.started.unwrap()) >= self.habits.opens_after;
        opened || message.header.payload == PayloadType::HandshakeResponse
    }

    fn acknowledge(&mut self, message: &Message) {
        let payload = format!(
            r#"{{"AcknowledgedMessageType":"input_stream_data","AcknowledgedMessageId":"{}","AcknowledgedMessageSequenceNumber":{},"IsSequentialMessage":true}}"#,
            message.header.id, message.header.sequence
        );
        self.out.push_back(sealed(Kind::Acknowledge, 0, PayloadType::None, payload.as_bytes()));
    }

    fn process(&mut self, message: Message, now: Instant) {
        self.expected += 1;
        match message.header.payload {
            PayloadType::HandshakeResponse => {
                self.is_complete = true;
                self.send(
                    PayloadType::HandshakeComplete,
                    br#"{"HandshakeTimeToComplete":1,"CustomerMessage":""}"#,
                    now,
                );
            }
            PayloadType::Flag => self.flags.push(Flag::of(&message.payload).unwrap()),
            PayloadType::Output if self.habits.carries_smux => {
                self.wire.extend_from_slice(&message.payload);
                self.parse();
            }
            PayloadType::Output => self.read.entry(0).or_default().extend_from_slice(&message.payload),
            PayloadType::Size => {
                let size: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
                self.sizes.push((size["cols"].as_u64().unwrap(), size["rows"].as_u64().unwrap()));
            }
            other => panic!("{other:?} came to the agent"),
        }
    }

    fn parse(&mut self) {
        while let [1, command, low, high, a, b, c, d, rest @ ..] = self.wire.as_slice() {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let id = u32::from_le_bytes([*a, *b, *c, *d]);
            if rest.len() < length {
                return;
            }
            match command {
                2 => self.read.entry(id).or_default().extend_from_slice(&rest[..length]),
                1 => drop(self.ended.insert(id, true)),
                0 => self.opened.push(id),
                _ => {}
            }
            self.wire.drain(..8 + length);
        }
    }
}

/// A client, a network and an agent.
pub struct World {
    pub port: Port,
    pub agent: Agent,
    pub now: Instant,
    /// The largest payload that the agent got.
    pub largest: usize,
    pub connections: usize,
    dice: Dice,
    faults: Faults,
    to_agent: Vec<(Instant, Bytes)>,
    to_client: Vec<(Instant, Bytes)>,
    reconnects: Option<Instant>,
    look: Instant,
    is_paused: bool,
    writes: Vec<(u32, Vec<u8>, usize)>,
    read: BTreeMap<u32, Vec<u8>>,
    /// Streams that nobody reads.
    pub stalled: Vec<u32>,
    /// The client reads from its connection.
    pub reads: bool,
    pub keeps_paused: bool,
    /// How many messages the client has sent.
    pub sent: usize,
}

/// The gateway's farewell.
pub fn closed(why: &str) -> Bytes {
    let payload = format!(r#"{{"MessageType":"channel_closed","Output":"{why}"}}"#);
    sealed(Kind::ChannelClosed, 0, PayloadType::None, payload.as_bytes())
}

impl World {
    pub fn new(faults: Faults, habits: Habits, limits: Limits) -> Self {
        let now = Instant::now();
        let birth = Birth { now, wall: 1_700_000_000_000, seed: u128::from(faults.seed) };
        Self {
            port: Port::new(birth, limits),
            agent: Agent::new(habits),
            now,
            largest: 0,
            connections: 0,
            dice: Dice(faults.seed),
            faults,
            to_agent: Vec::new(),
            to_client: Vec::new(),
            reconnects: Some(now),
            look: now,
            is_paused: false,
            writes: Vec::new(),
            read: BTreeMap::new(),
            stalled: Vec::new(),
            reads: true,
            keeps_paused: false,
            sent: 0,
        }
    }

    pub fn is_ready(&self) -> bool {
        self.port.channel().is_ready()
    }

    pub fn ending(&self) -> Option<&Ending> {
        self.port.channel().ending()
    }

    /// Writes as room comes, in pieces.
    pub fn write(&mut self, id: u32, bytes: Vec<u8>, piece: usize) {
        self.writes.push((id, bytes, piece));
    }

    pub fn read(&self, id: u32) -> &[u8] {
        self.read.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Goes on until it is so; not for ever.
    pub fn until(&mut self, most: Duration, is_so: impl Fn(&Self) -> bool) {
        let end = self.now + most;
        while !is_so(self) {
            assert!(self.ending().is_none(), "it ended: {}", self.ending().unwrap());
            assert!(self.now < end, "it takes too long: {:?}", self.port);
            self.step();
        }
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    pub fn disconnect(&mut self, too_big: bool) {
        if self.reconnects.is_none() {
            self.port.channel_mut().disconnected(too_big, self.now);
            self.to_agent.clear();
            self.to_client.clear();
            self.reconnects = Some(self.now + Duration::from_millis(300));
        }
    }

    pub fn pause(&mut self, pauses: bool) {
        let kind = if pauses { Kind::PausePublication } else { Kind::StartPublication };
        self.port.receive(sealed(kind, 0, PayloadType::None, b""), self.now);
        self.is_paused = pauses;
    }

    pub fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        if self.reconnects.is_some_and(|at| now >= at) {
            self.reconnects = None;
            self.connections += 1;
            self.port.channel_mut().connected(now);
        }
        if now >= self.look {
            self.look = now + Duration::from_secs(1);
            if self.dice.happens(self.faults.closes) {
                self.disconnect(false);
            }
            if self.faults.pauses && self.reconnects.is_none() && self.dice.happens(0.3) {
                self.pause(!self.is_paused);
            } else if self.is_paused && !self.keeps_paused {
                self.pause(false);
            }
        }
        let arrived = if self.agent.is_dead { Vec::new() } else { due(&mut self.to_agent, now) };
        for frame in arrived {
            self.largest = self.largest.max(frame.len() - 120);
            self.agent.receive(frame, now);
        }
        if !self.agent.is_dead {
            self.agent.tick(now);
        }
        let arrived = if self.reads { due(&mut self.to_client, now) } else { Vec::new() };
        for frame in arrived {
            self.port.receive(frame, now);
        }
        self.use_streams();
        self.port.tick(now);
        while let Some(frame) = self.port.poll_transmit(now) {
            self.sent += 1;
            let is_too_large = frame.len() - 120 > self.agent.habits.takes;
            if is_too_large && self.agent.habits.at_larger != AtLarger::Silent {
                self.disconnect(self.agent.habits.at_larger == AtLarger::TooBig);
                break;
            }
            if !is_too_large {
                let at = self.arrivals();
                self.to_agent.extend(at.into_iter().map(|at| (at, frame.clone())));
            }
        }
        for frame in std::mem::take(&mut self.agent.out) {
            if self.reconnects.is_none() {
                let at = self.arrivals();
                self.to_client.extend(at.into_iter().map(|at| (at, frame.clone())));
            }
        }
        while self.port.poll_wake().is_some() {}
    }

    /// When a message arrives: not at all, once, or more often.
    fn arrivals(&mut self) -> Vec<Instant> {
        let mut arrivals = Vec::new();
        if !self.dice.happens(self.faults.drops) {
            arrivals.push(self.now);
        }
        if self.dice.happens(self.faults.doubles) {
            arrivals.push(self.now);
        }
        for at in &mut arrivals {
            *at += STEP + Duration::from_millis(self.dice.next() % (self.faults.delay + 1));
        }
        arrivals
    }

    fn use_streams(&mut self) {
        for (id, bytes, piece) in &mut self.writes {
            loop {
                let count = bytes.len().min(*piece);
                match self.port.write(*id, &bytes[..count]) {
                    Ok(written) if written > 0 => drop(bytes.drain(..written)),
                    _ => break,
                }
            }
        }
        self.writes.retain(|(_, bytes, _)| !bytes.is_empty());
        for id in std::iter::once(0).chain((3..60).step_by(2)) {
            if self.stalled.contains(&id) {
                continue;
            }
            let read = self.read.entry(id).or_default();
            while let Ok(Read::Bytes(_)) = self.port.read(id, read, self.now) {}
        }
    }
}

fn due(way: &mut Vec<(Instant, Bytes)>, now: Instant) -> Vec<Bytes> {
    let mut due = Vec::new();
    way.retain(|(at, frame)| {
        let is_due = *at <= now;
        if is_due {
            due.push((*at, frame.clone()));
        }
        !is_due
    });
    due.sort_by_key(|(at, _)| *at);
    due.into_iter().map(|(_, frame)| frame).collect()
}
