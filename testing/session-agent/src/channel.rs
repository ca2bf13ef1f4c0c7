//! The agent's half of the channel's reliability: what was sent and not yet acknowledged, what came out of order.
//!
//! No socket and no clock: messages and `now` go in, bytes and verdicts come out.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use crate::message::{FIN, Kind, Message, SYN};
use crate::uuid::Uuid;

/// How many messages out of order are kept; one that finds no room is not acknowledged.
const ROOM: usize = 10_000;
/// Attempts at one message before the agent gives the session up.
const ATTEMPTS: u32 = 3000;
const FIRST_TIMEOUT: Duration = Duration::from_millis(200);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1);
const GRANULARITY: Duration = Duration::from_millis(10);

/// What is to be done with a message that came.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one: process it, then call [`Channel::processed`].
    Next,
    /// It is early and was kept: acknowledge it.
    Early,
    /// It is early and there is no room: say nothing.
    NoRoom,
    /// It was processed before: acknowledge it again.
    Again,
}

/// What the resending clock found.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// These bytes once more.
    Resend(Bytes),
    /// The client does not answer: the session is over.
    GiveUp,
}

#[derive(Debug)]
struct Outgoing {
    sequence: i64,
    frame: Bytes,
    sent: Instant,
    attempts: u32,
    acknowledged: bool,
}

/// The state of one session's channel, seen by the agent.
#[derive(Debug)]
pub struct Channel {
    outgoing: VecDeque<Outgoing>,
    outstanding: usize,
    next_outgoing: i64,
    incoming: BTreeMap<i64, Message>,
    expected: i64,
    round_trip: Duration,
    variance: Duration,
    timeout: Duration,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            outgoing: VecDeque::new(),
            outstanding: 0,
            next_outgoing: 0,
            incoming: BTreeMap::new(),
            expected: 0,
            round_trip: Duration::from_millis(100),
            variance: Duration::ZERO,
            timeout: FIRST_TIMEOUT,
        }
    }
}

impl Channel {
    /// A payload as the next message; it is kept until it is acknowledged. `created` is in milliseconds since 1970.
    pub fn send(&mut self, payload_type: u32, payload: Bytes, id: Uuid, created: u64, now: Instant) -> Bytes {
        let sequence = self.next_outgoing;
        self.next_outgoing += 1;
        let flags = if sequence == 0 { SYN } else { 0 };
        let frame =
            Message { kind: Kind::Output, created, sequence, flags, id, payload_type, payload }.encode();
        self.outstanding += frame.len();
        self.outgoing.push_back(Outgoing {
            sequence,
            frame: frame.clone(),
            sent: now,
            attempts: 1,
            acknowledged: false,
        });
        frame
    }

    /// Bytes that were sent and are not yet acknowledged.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// An acknowledgement of one of ours.
    pub fn acknowledged(&mut self, sequence: i64, now: Instant) {
        let Some(found) = self.outgoing.iter_mut().find(|it| it.sequence == sequence) else { return };
        if !found.acknowledged {
            found.acknowledged = true;
            self.outstanding -= found.frame.len();
            if found.attempts == 1 {
                let sample = now.saturating_duration_since(found.sent);
                self.measured(sample);
            }
        }
        while self.outgoing.front().is_some_and(|head| head.acknowledged) {
            self.outgoing.pop_front();
        }
    }

    fn measured(&mut self, sample: Duration) {
        let off = sample.abs_diff(self.round_trip);
        self.variance = self.variance * 3 / 4 + off / 4;
        self.round_trip = self.round_trip * 7 / 8 + sample / 8;
        self.timeout = (self.round_trip + GRANULARITY.max(self.variance * 4)).min(LONGEST_TIMEOUT);
    }

    /// Asked every 100 ms: the oldest message once more, when it waits too long.
    pub fn due(&mut self, now: Instant) -> Due {
        let timeout = self.timeout;
        let Some(head) = self.outgoing.front_mut() else { return Due::Nothing };
        if now.saturating_duration_since(head.sent) <= timeout {
            return Due::Nothing;
        }
        if head.attempts >= ATTEMPTS {
            return Due::GiveUp;
        }
        head.attempts += 1;
        head.sent = now;
        Due::Resend(head.frame.clone())
    }

    /// A message of the client's.
    pub fn arrived(&mut self, message: &Message) -> Arrival {
        match message.sequence.cmp(&self.expected) {
            std::cmp::Ordering::Equal => Arrival::Next,
            std::cmp::Ordering::Less => Arrival::Again,
            std::cmp::Ordering::Greater if self.incoming.contains_key(&message.sequence) => Arrival::Early,
            std::cmp::Ordering::Greater if self.incoming.len() >= ROOM => Arrival::NoRoom,
            std::cmp::Ordering::Greater => {
                self.incoming.insert(message.sequence, message.clone());
                Arrival::Early
            }
        }
    }

    /// The expected message was processed; the answer is the next one, when it came early.
    pub fn processed(&mut self) -> Option<Message> {
        self.expected += 1;
        self.incoming.remove(&self.expected)
    }
}

/// The acknowledgement of a message.
pub fn acknowledgement(of: &Message, id: Uuid, created: u64) -> Bytes {
    let payload = json!({
        "AcknowledgedMessageType": of.kind.name(),
        "AcknowledgedMessageId": of.id,
        "AcknowledgedMessageSequenceNumber": of.sequence,
        "IsSequentialMessage": true,
    });
    let payload = Bytes::from(payload.to_string());
    Message { kind: Kind::Acknowledge, created, sequence: 0, flags: SYN | FIN, id, payload_type: 0, payload }
        .encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid([7; 16]);

    fn input(sequence: i64) -> Message {
        Message {
            kind: Kind::Input,
            created: 0,
            sequence,
            flags: 0,
            id: ID,
            payload_type: 1,
            payload: Bytes::from_static(b"x"),
        }
    }

    #[test]
    fn only_the_head_is_sent_again_and_not_too_early() {
        let mut channel = Channel::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let first = channel.send(1, Bytes::from_static(b"one"), ID, 0, at(0));
        let second = channel.send(1, Bytes::from_static(b"two"), ID, 0, at(0));
        assert_eq!(Message::decode(&first).unwrap().flags, SYN);
        assert_eq!(Message::decode(&second).unwrap().flags, 0);
        assert_eq!(channel.due(at(200)), Due::Nothing);
        assert_eq!(channel.due(at(201)), Due::Resend(first.clone()));
        assert_eq!(channel.due(at(300)), Due::Nothing);
        assert_eq!(channel.due(at(402)), Due::Resend(first));
        channel.acknowledged(0, at(403));
        assert_eq!(channel.due(at(404)), Due::Resend(second));
        channel.acknowledged(1, at(405));
        channel.acknowledged(1, at(406));
        assert_eq!((channel.due(at(9999)), channel.outstanding()), (Due::Nothing, 0));
    }

    #[test]
    fn a_resent_message_teaches_nothing_of_the_round_trip() {
        let mut channel = Channel::default();
        let start = Instant::now();
        channel.send(1, Bytes::new(), ID, 0, start);
        assert!(matches!(channel.due(start + Duration::from_millis(201)), Due::Resend(_)));
        channel.acknowledged(0, start + Duration::from_millis(202));
        assert_eq!(channel.timeout, FIRST_TIMEOUT);
        channel.send(1, Bytes::new(), ID, 0, start);
        channel.acknowledged(1, start + Duration::from_millis(20));
        // 100 ms and a sample of 20 ms: 90 ms, and four times a quarter of what it was off.
        assert_eq!(channel.timeout, Duration::from_millis(170));
    }

    #[test]
    fn it_gives_up_in_the_end() {
        let mut channel = Channel::default();
        let mut now = Instant::now();
        channel.send(1, Bytes::new(), ID, 0, now);
        for _ in 1..ATTEMPTS {
            now += Duration::from_secs(2);
            assert!(matches!(channel.due(now), Due::Resend(_)));
        }
        assert_eq!(channel.due(now + Duration::from_secs(2)), Due::GiveUp);
    }

    #[test]
    fn what_comes_early_waits_for_its_turn() {
        let mut channel = Channel::default();
        assert_eq!(channel.arrived(&input(1)), Arrival::Early);
        assert_eq!(channel.arrived(&input(1)), Arrival::Early);
        assert_eq!(channel.arrived(&input(0)), Arrival::Next);
        assert_eq!(channel.processed(), Some(input(1)));
        assert_eq!(channel.processed(), None);
        assert_eq!(channel.arrived(&input(1)), Arrival::Again);
        for early in 0..ROOM as i64 {
            assert_eq!(channel.arrived(&input(3 + early)), Arrival::Early);
        }
        assert_eq!(channel.arrived(&input(20_000)), Arrival::NoRoom);
        assert_eq!(channel.arrived(&input(2)), Arrival::Next);
    }
}
