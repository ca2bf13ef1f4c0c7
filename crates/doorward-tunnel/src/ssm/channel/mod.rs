//! A data channel from the client's side: bytes and the time in, bytes and events out.
//!
//! Everything that has a number is kept until it is acknowledged, across any number of connections to the gateway, and
//! what comes is put in order: no byte is lost, none comes twice.

mod ending;
mod handshake;
mod incoming;
mod limits;
mod names;
mod outgoing;
mod patience;
mod receiving;
mod round_trip;
mod sizes;
mod timers;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

pub use ending::Ending;
pub use handshake::{Agent, CLIENT_VERSION, Carries, Version};
pub(crate) use handshake::{opening, read_challenge, write_challenge};

use super::message::{Draft, Flag, HEADER, Header, Kind, PayloadType, Uuid};
use handshake::Request;
use incoming::Incoming;
pub use limits::Limits;
use names::Names;
use outgoing::Outgoing;
use sizes::Sizes;
use timers::{Connection, Farewell, Probe, Silence};

/// How many acknowledgements wait to be sent before nothing more is read.
const MOST_ACKNOWLEDGEMENTS: usize = 1024;

/// What a channel needs from outside, once: it has neither clock nor dice.
#[derive(Debug, Clone, Copy)]
pub struct Birth {
    /// When it begins.
    pub now: Instant,
    /// The same moment in milliseconds since 1970.
    pub wall: u64,
    /// Random, for the names of messages.
    pub seed: u128,
}

/// Something that came, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The agent wants encryption with a key of KMS: [`Channel::answer_key`] answers.
    KeyWanted {
        /// The key's id, ARN or alias.
        key: String,
    },
    /// All is agreed on; from now on data is taken.
    Ready {
        /// Who the agent is.
        agent: Agent,
        /// What it says to the person.
        message: Option<String>,
    },
    Payload {
        /// What it is.
        payload_type: PayloadType,
        payload: Bytes,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Ready,
    /// The session is being ended from here.
    Leaving(Farewell),
    Ended(Ending),
}

/// One session's channel.
#[derive(Debug)]
pub struct Channel {
    birth: Birth,
    limits: Limits,
    names: Names,
    phase: Phase,
    request: Option<Request>,
    incoming: Incoming,
    outgoing: Outgoing,
    acknowledgements: VecDeque<(Uuid, i64)>,
    events: VecDeque<Event>,
    sizes: Sizes,
    malformed: u32,
    connection: Connection,
    silence: Silence,
    /// Bytes that the remote end has not answered; the agent may still hold them.
    unanswered: usize,
    failed_ports: u64,
    probe: Option<Probe>,
}

impl Channel {
    /// A channel that is not connected.
    pub fn new(birth: Birth, limits: Limits) -> Self {
        Self {
            birth,
            limits,
            names: Names::new(birth.seed),
            phase: Phase::Opening,
            request: None,
            incoming: Incoming::default(),
            outgoing: Outgoing::new(),
            acknowledgements: VecDeque::new(),
            events: VecDeque::new(),
            sizes: Sizes::new(limits.payload),
            malformed: 0,
            connection: Connection::default(),
            silence: Silence::default(),
            unanswered: 0,
            failed_ports: 0,
            probe: None,
        }
    }

    /// Why it is over, once it is.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Ended(ending) => Some(ending),
            Phase::Opening | Phase::Ready | Phase::Leaving(_) => None,
        }
    }

    /// All is agreed on and it is not over.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Leaving(_))
    }

    /// When something came from the agent last.
    pub fn heard(&self) -> Option<Instant> {
        self.silence.heard()
    }

    /// How often the agent said that it could not connect.
    pub fn failed_ports(&self) -> u64 {
        self.failed_ports
    }

    /// Ends it. The first reason stays.
    pub fn end(&mut self, ending: Ending) {
        if self.ending().is_none() {
            self.phase = Phase::Ended(ending);
        }
    }

    /// There is a connection, and the gateway has our token.
    pub fn connected(&mut self, now: Instant) {
        self.connection.open(now);
        self.outgoing.begin_anew();
    }

    /// The connection is gone. `too_big` if the gateway said that a message was that (1009).
    pub fn disconnected(&mut self, too_big: bool, now: Instant) {
        self.connection.lose();
        if too_big {
            self.cut(now);
        } else if self.sizes.is_lost() {
            let bytes = self.sizes.trial().map_or(0, |trial| trial.size);
            self.end(Ending::TooLarge { bytes });
        }
        if self.is_leaving() {
            self.end(Ending::Finished);
        }
    }

    fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_))
    }

    /// Sets whether frames are read from the connection: an agent that is not heard meanwhile is not thereby dead.
    pub fn set_reading(&mut self, reads: bool, now: Instant) {
        self.silence.set_reading(reads, now);
    }

    /// Nothing is read at the moment.
    pub fn is_unread(&self) -> bool {
        self.silence.is_unread()
    }

    /// Sets how many bytes the agent takes before a remote end that reads nothing can stop it.
    pub fn set_remote_buffer(&mut self, bytes: usize) {
        self.limits.buffered_there = bytes;
    }

    /// Sets how many bytes were sent that the remote end has not answered.
    pub fn set_unanswered(&mut self, bytes: usize) {
        self.unanswered = bytes;
    }

    /// The number that the next message will have.
    pub fn next_sequence(&self) -> i64 {
        self.outgoing.next_sequence()
    }

    /// Everything before that number was acknowledged.
    pub fn has_arrived(&self, sequence: i64) -> bool {
        self.outgoing.has_arrived(sequence)
    }

    /// More may be read. If not, acknowledgements must be sent first.
    pub fn has_room(&self) -> bool {
        self.acknowledgements.len() < MOST_ACKNOWLEDGEMENTS
    }

    fn push(&mut self, payload_type: PayloadType, draft: Draft, now: Instant) -> i64 {
        let weight = draft.payload.len();
        let sequence = self.outgoing.next_sequence();
        let frame = self.seal(payload_type, sequence, draft, now);
        self.outgoing.push(frame, weight, payload_type == PayloadType::Output);
        self.silence.owe(now);
        sequence
    }

    fn seal(&mut self, payload: PayloadType, sequence: i64, draft: Draft, now: Instant) -> Bytes {
        let header = Header {
            kind: Kind::Input,
            created: self.wall(now),
            sequence,
            flags: 0,
            id: self.names.next(),
            payload,
        };
        draft.seal(&header)
    }

    fn wall(&self, now: Instant) -> u64 {
        let age = now.saturating_duration_since(self.birth.now).as_millis();
        self.birth.wall.saturating_add(u64::try_from(age).unwrap_or(u64::MAX))
    }

    /// Another payload is taken now: it is not yet too much that waits for an acknowledgement.
    pub fn takes(&self) -> bool {
        let is_open = self.phase == Phase::Ready && self.sizes.trial().is_none();
        is_open && self.outgoing.bytes() < self.limits.window && self.outgoing.has_room()
    }

    /// The largest payload to give, in bytes, when so many are waiting.
    pub fn payload_size(&self, waiting: usize) -> usize {
        match self.sizes.next() {
            (taken, Some(larger)) if waiting > taken => larger,
            (taken, _) => taken,
        }
    }

    /// The most that this gateway has not refused, in bytes.
    pub fn largest_payload(&self) -> usize {
        match (self.sizes.trial(), self.ending()) {
            // An end with a trial under way: that may be why.
            (Some(_), Some(Ending::Unanswered { .. } | Ending::TooLarge { .. })) => sizes::SMALL,
            _ => self.sizes.most(),
        }
    }

    /// Sets the message that changes nothing, by which an agent shows whether it lives: in a shell the size that its
    /// terminal has, in a port session no bytes at all.
    pub fn set_probe(&mut self, payload_type: PayloadType, payload: Vec<u8>) {
        let sent = self.probe.as_ref().and_then(|probe| probe.sent);
        self.probe = Some(Probe { payload_type, payload, sent });
    }

    /// The gateway did not hand on the message that it found too big: it goes in pieces.
    fn cut(&mut self, now: Instant) {
        let Some(trial) = self.sizes.fails() else {
            return self.end(Ending::TooLarge { bytes: self.sizes.most() });
        };
        let Some(frame) = self.outgoing.take_back(trial.sequence) else {
            return self.end(Ending::TooLarge { bytes: trial.size });
        };
        tracing::debug!(bytes = trial.size, "a payload was too big for the gateway");
        for piece in frame.get(HEADER..).unwrap_or_default().chunks(self.sizes.most()) {
            self.push(PayloadType::Output, Draft::of(piece), now);
        }
    }

    /// Gives one payload. It is sent in its turn; how much may wait is for the caller to heed, by [`Channel::takes`].
    pub fn send(&mut self, payload_type: PayloadType, draft: Draft, now: Instant) {
        let size = draft.payload.len();
        let sequence = self.push(payload_type, draft, now);
        if payload_type == PayloadType::Output {
            self.sizes.tries(sequence, size);
        }
    }

    /// Ends the session from here: by a flag, if the agent understands it and is there.
    pub fn terminate(&mut self, now: Instant) {
        if self.is_leaving() || self.ending().is_some() {
            return;
        }
        let understands = self.request.as_ref().is_some_and(|request| request.agent.understands_terminate());
        if !(self.is_ready() && understands && self.connection.may_send()) {
            return self.end(Ending::Finished);
        }
        let sequence = self.push(PayloadType::Flag, Draft::of(&Flag::TerminateSession.payload()), now);
        self.phase = Phase::Leaving(Farewell::given(sequence, now));
    }

    /// The next frame to be sent; none: nothing is to be sent now.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        if !self.connection.is_open() || self.ending().is_some() {
            return None;
        }
        if let Some((id, sequence)) = self.acknowledgements.pop_front() {
            let payload = handshake::acknowledge(Kind::Output.name(), id, sequence);
            let header = Header {
                kind: Kind::Acknowledge,
                created: self.wall(now),
                sequence: 0,
                flags: 3,
                id: self.names.next(),
                payload: PayloadType::None,
            };
            return Some(Draft::of(payload.as_bytes()).seal(&header));
        }
        if self.connection.is_paused() {
            return None;
        }
        match self.outgoing.resend(now) {
            Ok(None) => {}
            Ok(again) => return again,
            Err(too_often) => {
                self.end(Ending::GaveUp { times: too_often.times });
                return None;
            }
        }
        self.outgoing.transmit(now)
    }

    /// Everything that was given was sent once; whether it arrived is another question.
    pub fn is_sent(&self) -> bool {
        self.outgoing.is_sent()
    }

    /// Something came that has its place behind something that did not.
    pub fn has_gap(&self) -> bool {
        self.incoming.has_gap()
    }

    /// Bytes that were given and are not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.outgoing.bytes()
    }

    /// What came, in its order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
