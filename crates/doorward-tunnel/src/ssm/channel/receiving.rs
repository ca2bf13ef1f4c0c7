//! What comes from the gateway: what it is, whether it is in order, and what becomes of it.

use std::time::Instant;

use bytes::Bytes;

use super::handshake::{self, Request};
use super::incoming::Taken;
use super::{Channel, Draft, Ending, Event, Flag, Header, Kind, Phase};
use crate::ssm::message::{Message, PayloadType};

/// How many messages that cannot be read may follow each other.
const MOST_MALFORMED: u32 = 64;

impl Channel {
    /// Takes one binary frame.
    pub fn receive(&mut self, frame: Bytes, now: Instant) {
        if self.ending().is_some() {
            return;
        }
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(error) => {
                // It is not acknowledged, so it comes again.
                tracing::debug!(%error, "a message cannot be read");
                self.malformed += 1;
                if self.malformed >= MOST_MALFORMED {
                    self.end(Ending::Malformed { why: error.to_string() });
                }
                return;
            }
        };
        self.malformed = 0;
        match message.header.kind {
            Kind::Output => self.take(message, now),
            Kind::Acknowledge => {
                self.resume(now);
                match handshake::acknowledged(&message.payload) {
                    Some(sequence) => self.acknowledged(sequence, now),
                    None => tracing::debug!("an acknowledgement names no message"),
                }
            }
            Kind::ChannelClosed => {
                let reason = handshake::closing_reason(&message.payload);
                self.end(if self.is_leaving() { Ending::Finished } else { Ending::Closed { reason } });
            }
            Kind::PausePublication => self.connection.pause(now),
            Kind::StartPublication => self.resume(now),
            Kind::Input | Kind::Unknown => tracing::debug!("a message is not for a client"),
        }
    }

    fn resume(&mut self, now: Instant) {
        self.connection.resume();
        self.silence.hear(now);
    }

    fn take(&mut self, message: Message, now: Instant) {
        self.resume(now);
        let Header { id, sequence, payload, .. } = message.header;
        match self.incoming.take(sequence, payload, message.payload) {
            Taken::Yes | Taken::Before => self.acknowledgements.push_back((id, sequence)),
            Taken::No => return,
        }
        while let Some((payload_type, payload)) = self.incoming.next() {
            self.process(payload_type, payload);
        }
    }

    fn process(&mut self, payload_type: PayloadType, payload: Bytes) {
        match payload_type {
            PayloadType::HandshakeRequest => self.requested(&payload),
            PayloadType::HandshakeComplete => self.completed(&payload),
            PayloadType::Flag if Flag::of(&payload) == Some(Flag::ConnectToPortError) => {
                self.failed_ports += 1;
                self.events.push_back(Event::Payload { payload_type, payload });
            }
            _ => self.events.push_back(Event::Payload { payload_type, payload }),
        }
    }

    fn requested(&mut self, payload: &[u8]) {
        if self.request.is_some() || self.phase != Phase::Opening {
            return;
        }
        match Request::read(payload) {
            Ok(request) => {
                let key = request.key.clone();
                self.request = Some(request);
                match key {
                    Some(key) => self.events.push_back(Event::KeyWanted { key }),
                    None => self.respond(None),
                }
            }
            Err(why) => self.end(Ending::Handshake { why }),
        }
    }

    /// Answers a wish for encryption: the data key as KMS encrypted it, or why there is none.
    pub fn answer_key(&mut self, key: Result<&[u8], &str>) {
        self.respond(Some(key));
    }

    fn respond(&mut self, key: Option<Result<&[u8], &str>>) {
        if let Some(response) = self.request.as_ref().map(|request| request.respond(key)) {
            self.push(
                PayloadType::HandshakeResponse,
                Draft::of(&response),
                self.silence.heard().unwrap_or(self.birth.now),
            );
        }
    }

    fn completed(&mut self, payload: &[u8]) {
        if self.phase != Phase::Opening {
            return;
        }
        let Some(request) = &self.request else {
            let why = "it was complete before it began".to_owned();
            return self.end(Ending::Handshake { why });
        };
        self.phase = Phase::Ready;
        let message = handshake::customer_message(payload);
        self.events.push_back(Event::Ready { agent: request.agent.clone(), message });
    }

    /// Takes the session as it is, if the agent began with something else than a handshake.
    pub fn begin_without_handshake(&mut self) {
        if self.phase == Phase::Opening && self.request.is_none() {
            self.phase = Phase::Ready;
        }
    }

    fn acknowledged(&mut self, sequence: i64, now: Instant) {
        self.sizes.acknowledged(sequence);
        let Some(acknowledged) = self.outgoing.acknowledge(sequence, now) else { return };
        if acknowledged.data {
            self.sizes.through(acknowledged.weight);
        }
        self.silence.acknowledge(!self.outgoing.is_empty(), now);
        if matches!(self.phase, Phase::Leaving(farewell) if farewell.sequence == sequence) {
            self.end(Ending::Finished);
        }
    }
}
