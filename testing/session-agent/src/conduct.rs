//! What the protocol asks of the client, checked where its frames enter, before any fault touches them.
//!
//! No socket and no clock: what passed and `now` go in, violations come out.

mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::message::{FIN, Kind, Message, SYN, flag, payload};
use crate::uuid::Uuid;
pub(crate) use shapes::Size;
use shapes::{Acknowledgement, Asked, Opening, Response};

/// A client's clock ticks each 100 ms, and sends one message again …
const TICK: Duration = Duration::from_millis(90);
/// … a few ticks late when it is not given its time, and then as many at once.
const LATE: Duration = Duration::from_millis(360);
/// How long a client may take to act on what it has read.
const LEEWAY: Duration = Duration::from_secs(1);
/// A client pings every 25 to 30 s.
const PING: Duration = Duration::from_secs(35);
/// How far the created date of a new message may be off, in milliseconds.
const SKEW: u64 = 60_000;
const ATTEMPTS: u32 = 3000;
/// Messages of each direction that are looked back at.
const REMEMBERED: usize = 50_000;
/// How fast a pause must act.
const PAUSE: Duration = Duration::from_millis(400);
/// After a join, how long what was underway may be sent once more.
const AFTER_JOIN: Duration = Duration::from_secs(1);

/// One session's client, watched.
#[derive(Debug)]
pub(crate) struct Conduct {
    shell: bool,
    stage: Stage,
    client_version: Option<String>,
    requested: Vec<String>,
    next: i64,
    sent: BTreeMap<i64, Sent>,
    /// Of these, the ones whose acknowledgement was never written to the client.
    waiting: BTreeSet<i64>,
    /// What an earlier connection took with it before it came here.
    lost: BTreeSet<i64>,
    /// No message of this connection was new yet, and there was one before it.
    is_rejoined: bool,
    delivered: BTreeMap<i64, Delivered>,
    /// Delivered messages below it are forgotten.
    forgotten: i64,
    /// Frames written to the client so far, and how many of them it has read for sure.
    written: u64,
    read: u64,
    /// After a join every outstanding message may be sent once more, in order: the next of them, and until when.
    again_from: Option<(i64, Instant)>,
    /// Before it no message need be sent again.
    next_tick: Option<Instant>,
    paused: Option<Instant>,
    terminated: bool,
    closed: Option<Instant>,
    last_ping: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Before,
    Requested,
    Responded,
    Complete,
}

#[derive(Debug)]
struct Sent {
    message: Uuid,
    length: usize,
    times: u32,
    /// Which written frame acknowledged it, on a connection that still is.
    acknowledged_by: Option<u64>,
    /// When it was first seen again although that frame had been read.
    needless: Option<Instant>,
}

#[derive(Debug)]
struct Delivered {
    message: Uuid,
    /// The written frame that first bore it.
    frame: u64,
    times: u32,
    acknowledged: u32,
}

impl Conduct {
    pub(crate) fn new(shell: bool) -> Self {
        Self {
            shell,
            stage: Stage::Before,
            client_version: None,
            requested: Vec::new(),
            next: 0,
            sent: BTreeMap::new(),
            waiting: BTreeSet::new(),
            lost: BTreeSet::new(),
            is_rejoined: false,
            written: 0,
            read: 0,
            delivered: BTreeMap::new(),
            forgotten: 0,
            again_from: None,
            next_tick: None,
            paused: None,
            terminated: false,
            closed: None,
            last_ping: None,
        }
    }

    /// The client joined with this text.
    pub(crate) fn joined(&mut self, text: &str, now: Instant) -> (Option<Opening>, Vec<String>) {
        let opening: Opening = match serde_json::from_str(text) {
            Ok(opening) => opening,
            Err(error) => return (None, vec![format!("the first frame is not as it should be: {error}")]),
        };
        let mut wrong = Vec::new();
        if opening.message_schema_version != "1.0" {
            wrong.push(format!(
                "the message schema version is `{}`, not `1.0`",
                opening.message_schema_version
            ));
        }
        if opening.request_id.len() < 16 || opening.client_id.is_empty() {
            wrong.push("an id of the first frame is too short".into());
        }
        if crate::agent::version(&opening.client_version).is_none() {
            wrong.push(format!("`{}` is no client version", opening.client_version));
        }
        self.is_rejoined = self.client_version.is_some();
        self.client_version = Some(opening.client_version.clone());
        self.last_ping = Some(now);
        self.again_from = Some((0, now + AFTER_JOIN));
        self.paused = None;
        // What the last connection took with it was perhaps never read.
        for sent in self.sent.values_mut() {
            sent.acknowledged_by = sent.acknowledged_by.filter(|frame| *frame <= self.read);
        }
        (Some(opening), wrong)
    }

    /// A ping of the client's.
    pub(crate) fn pinged(&mut self, now: Instant) {
        self.last_ping = Some(now);
    }

    /// A message that was written to the client.
    pub(crate) fn delivered(&mut self, message: &Message, now: Instant) {
        self.written += 1;
        match message.kind {
            Kind::Output => {
                self.paused = None;
                if message.sequence >= self.forgotten {
                    let first =
                        Delivered { message: message.id, frame: self.written, times: 0, acknowledged: 0 };
                    self.delivered.entry(message.sequence).or_insert(first).times += 1;
                }
                while self.delivered.len() > REMEMBERED {
                    if let Some((sequence, _)) = self.delivered.pop_first() {
                        self.forgotten = sequence + 1;
                    }
                }
                match message.payload_type {
                    payload::HANDSHAKE_REQUEST if self.stage == Stage::Before => {
                        self.stage = Stage::Requested;
                        self.requested = serde_json::from_slice::<Asked>(&message.payload)
                            .map(|it| {
                                it.requested_client_actions.into_iter().map(|it| it.action_type).collect()
                            })
                            .unwrap_or_default();
                    }
                    payload::HANDSHAKE_COMPLETE => self.stage = Stage::Complete,
                    _ => {}
                }
            }
            Kind::Acknowledge => {
                self.paused = None;
                let sequence = serde_json::from_slice::<Acknowledgement>(&message.payload)
                    .map(|it| it.acknowledged_message_sequence_number)
                    .unwrap_or(-1);
                self.waiting.remove(&sequence);
                if let Some(sent) = self.sent.get_mut(&sequence) {
                    sent.acknowledged_by.get_or_insert(self.written);
                }
                while self.sent.len() > REMEMBERED
                    && let Some(oldest) = self.sent.first_entry()
                    && !self.waiting.contains(oldest.key())
                {
                    oldest.remove();
                }
            }
            Kind::PausePublication => self.paused = Some(now),
            Kind::StartPublication => self.paused = None,
            Kind::ChannelClosed => self.closed = Some(now),
            Kind::Input => {}
        }
    }

    /// A message of the client's. `stalled`: reading was held up lately, so that its pace says nothing.
    pub(crate) fn sent(
        &mut self,
        message: &Message,
        now: Instant,
        now_ms: u64,
        stalled: bool,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.last_ping.is_some_and(|last| now.saturating_duration_since(last) > PING) && !stalled {
            wrong.push("no ping for 35 s".into());
            self.last_ping = None;
        }
        match message.kind {
            Kind::Acknowledge => wrong.extend(self.acknowledgement(message).err()),
            Kind::Input if message.sequence < self.next && !self.lost.contains(&message.sequence) => {
                wrong.extend(self.again(message, now, stalled).err())
            }
            Kind::Input => self.new_input(message, now, now_ms, stalled, &mut wrong),
            other => wrong.push(format!("a client does not send `{}`", other.name())),
        }
        wrong
    }

    fn acknowledgement(&mut self, message: &Message) -> Result<(), String> {
        if (message.sequence, message.flags, message.payload_type) != (0, SYN | FIN, 0) {
            return Err(format!(
                "an acknowledgement bears sequence {}, flags {} and payload type {}, not 0, 3 and 0",
                message.sequence, message.flags, message.payload_type
            ));
        }
        let read: Acknowledgement = serde_json::from_slice(&message.payload)
            .map_err(|error| format!("an acknowledgement's payload is not as it should be: {error}"))?;
        let sequence = read.acknowledged_message_sequence_number;
        if read.acknowledged_message_type != Kind::Output.name() || !read.is_sequential_message {
            return Err(format!(
                "the acknowledgement of {sequence} says type `{}`, sequential {}",
                read.acknowledged_message_type, read.is_sequential_message
            ));
        }
        if (0..self.forgotten).contains(&sequence) {
            return Ok(());
        }
        let Some(delivered) = self.delivered.get_mut(&sequence) else {
            return Err(format!("{sequence} is acknowledged and was never delivered"));
        };
        if delivered.message != read.acknowledged_message_id {
            return Err(format!(
                "{sequence} is acknowledged by the id {}, and it was {}",
                read.acknowledged_message_id, delivered.message
            ));
        }
        self.read = self.read.max(delivered.frame);
        delivered.acknowledged += 1;
        if delivered.acknowledged > delivered.times {
            return Err(format!(
                "{sequence} was delivered {} times and acknowledged once more",
                delivered.times
            ));
        }
        Ok(())
    }

    fn again(&mut self, message: &Message, now: Instant, stalled: bool) -> Result<(), String> {
        let sequence = message.sequence;
        let head = self.waiting.first().copied();
        let Some(sent) = self.sent.get_mut(&sequence) else {
            return Err(format!("{sequence} is sent again long after it was acknowledged"));
        };
        sent.times += 1;
        if (sent.message, sent.length) != (message.id, message.payload.len()) {
            return Err(format!("{sequence} is sent again as another message"));
        }
        if sent.acknowledged_by.is_some_and(|frame| frame <= self.read) {
            let since = *sent.needless.get_or_insert(now);
            if now.saturating_duration_since(since) > LEEWAY && !stalled {
                return Err(format!("{sequence} is sent again although its acknowledgement was read"));
            }
        }
        if sent.times > ATTEMPTS {
            return Err(format!("{sequence} was sent {} times", sent.times));
        }
        if let Some((from, until)) = self.again_from
            && sequence >= from
            && now <= until
        {
            self.again_from = Some((sequence + 1, until));
            return Ok(());
        }
        let tick = self.next_tick.map_or(now, |tick| tick.max(now));
        self.next_tick = Some(tick + TICK);
        if tick > now + LATE && !stalled {
            self.next_tick = Some(now);
            return Err(format!("{sequence} is sent again, and more than one message in 100 ms"));
        }
        if head.is_some_and(|head| sequence > head) {
            return Err(format!("{sequence} is sent again, and {} waits still", head.unwrap_or_default()));
        }
        Ok(())
    }

    fn new_input(
        &mut self,
        message: &Message,
        now: Instant,
        now_ms: u64,
        stalled: bool,
        wrong: &mut Vec<String>,
    ) {
        let sequence = message.sequence;
        if !self.lost.remove(&sequence) {
            let missing = self.next..sequence;
            if !missing.is_empty() && self.is_rejoined && missing.end - missing.start <= REMEMBERED as i64 {
                self.waiting.extend(missing.clone());
                self.lost.extend(missing);
            } else if sequence != self.next {
                wrong.push(format!("sequence {sequence} where {} is the next", self.next));
            }
            self.next = sequence + 1;
            self.is_rejoined = false;
            self.again_from = None;
        }
        self.waiting.insert(sequence);
        let (message_id, length) = (message.id, message.payload.len());
        self.sent.insert(
            sequence,
            Sent { message: message_id, length, times: 1, acknowledged_by: None, needless: None },
        );
        if message.flags != 0 {
            wrong.push(format!("{sequence} bears the flags {}, and a client's are 0", message.flags));
        }
        if message.created.abs_diff(now_ms) > SKEW {
            wrong.push(format!("{sequence} was created at {}, and it is {now_ms}", message.created));
        }
        if self.terminated {
            wrong.push(format!("{sequence} comes after TerminateSession"));
        }
        if self.closed.is_some_and(|when| now.saturating_duration_since(when) > LEEWAY) && !stalled {
            wrong.push(format!("{sequence} comes long after the channel was closed"));
        }
        if self.paused.is_some_and(|when| now.saturating_duration_since(when) > PAUSE) && !stalled {
            wrong.push(format!("{sequence} comes while publication is paused"));
        }
        match message.payload_type {
            payload::HANDSHAKE_RESPONSE => wrong.extend(self.response(message).err()),
            payload::CHALLENGE_RESPONSE if self.shell && self.stage == Stage::Responded => {}
            payload::OUTPUT => self.only_when_ready(sequence, wrong),
            payload::SIZE if self.shell => {
                self.only_when_ready(sequence, wrong);
                if serde_json::from_slice::<Size>(&message.payload).is_err() {
                    wrong.push(format!("{sequence} bears no size of a terminal"));
                }
            }
            payload::FLAG => match <[u8; 4]>::try_from(message.payload.as_ref()).map(u32::from_be_bytes) {
                Ok(flag::TERMINATE_SESSION) => self.terminated = true,
                Ok(flag::DISCONNECT_TO_PORT) if !self.shell => self.only_when_ready(sequence, wrong),
                _ => {
                    wrong.push(format!("{sequence} bears a flag that no client sends: {:?}", message.payload))
                }
            },
            other => {
                wrong.push(format!("{sequence} bears payload type {other}, which is not for a client here"))
            }
        }
    }

    fn only_when_ready(&self, sequence: i64, wrong: &mut Vec<String>) {
        if self.stage < Stage::Complete {
            wrong.push(format!("{sequence} comes before HandshakeComplete, and the agent discards it"));
        }
    }

    fn response(&mut self, message: &Message) -> Result<(), String> {
        if self.stage != Stage::Requested {
            return Err("a handshake response that nothing asks for".into());
        }
        self.stage = Stage::Responded;
        let response: Response = serde_json::from_slice(&message.payload)
            .map_err(|error| format!("the handshake response is not as it should be: {error}"))?;
        if self.client_version.as_ref() != Some(&response.client_version) {
            return Err(format!(
                "the handshake says version `{}`, and the first frame another",
                response.client_version
            ));
        }
        let answered: Vec<&String> =
            response.processed_client_actions.iter().map(|it| &it.action_type).collect();
        if !answered.iter().copied().eq(&self.requested) {
            return Err(format!("asked were {:?}, and {answered:?} are answered", self.requested));
        }
        match response.processed_client_actions.iter().find(|it| !(1..=3).contains(&it.action_status)) {
            Some(odd) => Err(format!("`{}` has the status {}", odd.action_type, odd.action_status)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
