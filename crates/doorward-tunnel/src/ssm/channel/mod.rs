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

use std::collections::VecDeque;
use std::time::{Duration, Instant};

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
    /// A payload.
    Payload {
        /// What it is.
        payload_type: PayloadType,
        /// The payload.
        payload: Bytes,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Ready,
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
    /// Since when there was a first connection.
    began: Option<Instant>,
    /// Since when there is a connection, if there is one.
    connected: Option<Instant>,
    /// Since when the gateway wants us to be still.
    paused: Option<Instant>,
    /// When something came from the agent last.
    heard: Option<Instant>,
    /// Since when an acknowledgement is owed.
    owed: Option<Instant>,
    /// Nothing is read at the moment, or since when it is again.
    unread: bool,
    reading: Option<Instant>,
    /// Data that the far side has not answered; the agent may still hold it.
    unanswered: usize,
    /// The flag that ends the session, and when its acknowledgement is no longer waited for.
    last: Option<(Option<i64>, Instant)>,
    failed_ports: u64,
    /// A message that changes nothing, if there is one, and when one was sent last to see whether the agent lives.
    nothing: Option<(PayloadType, Vec<u8>)>,
    nudged: Option<Instant>,
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
            began: None,
            connected: None,
            paused: None,
            heard: None,
            owed: None,
            unread: false,
            reading: None,
            unanswered: 0,
            last: None,
            failed_ports: 0,
            nothing: None,
            nudged: None,
        }
    }

    /// Why it is over, once it is.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.phase {
            Phase::Ended(ending) => Some(ending),
            Phase::Opening | Phase::Ready => None,
        }
    }

    /// All is agreed on and it is not over.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// When something came from the agent last.
    pub fn heard(&self) -> Option<Instant> {
        self.heard
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
        self.began.get_or_insert(now);
        self.connected = Some(now);
        self.paused = None;
        self.outgoing.begin_anew();
    }

    /// The connection is gone. `too_big` if the gateway said that a message was that (1009).
    pub fn disconnected(&mut self, too_big: bool, now: Instant) {
        self.connected = None;
        if too_big {
            self.cut(now);
        } else if self.sizes.is_lost() {
            let bytes = self.sizes.trial().map_or(0, |trial| trial.size);
            self.end(Ending::TooLarge { bytes });
        }
        if self.last.is_some() {
            self.end(Ending::Finished);
        }
    }

    /// Nothing is read from the connection, or it is again: whoever is not heard is not thereby dead.
    pub fn reads(&mut self, reads: bool, now: Instant) {
        if self.unread == reads {
            self.unread = !reads;
            self.reading = Some(now);
        }
    }

    /// Nothing is read at the moment.
    pub fn is_unread(&self) -> bool {
        self.unread
    }

    /// The agent takes so many bytes before a far side that reads nothing can stop it.
    pub fn buffers_there(&mut self, bytes: usize) {
        self.limits.buffered_there = bytes;
    }

    /// So much was sent that the far side has not answered.
    pub fn is_unanswered(&mut self, bytes: usize) {
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
        self.owed.get_or_insert(now);
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
        let is_open = self.is_ready() && self.last.is_none() && self.sizes.trial().is_none();
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

    /// What changes nothing in a shell is the size that its terminal has; in a port session it is no bytes at all.
    pub fn changes_nothing(&mut self, payload_type: PayloadType, payload: Vec<u8>) {
        self.nothing = Some((payload_type, payload));
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
        if self.last.is_some() || self.ending().is_some() {
            return;
        }
        let understands = self.request.as_ref().is_some_and(|request| request.agent.understands_terminate());
        if !(self.is_ready() && understands && self.connected.is_some() && self.paused.is_none()) {
            return self.end(Ending::Finished);
        }
        let sequence = self.push(PayloadType::Flag, Draft::of(&Flag::TerminateSession.payload()), now);
        self.last = Some((Some(sequence), now + Duration::from_secs(1)));
    }

    /// The next frame to be sent; none: nothing is to be sent now.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        self.connected?;
        if self.ending().is_some() {
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
        if self.paused.is_some() {
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
