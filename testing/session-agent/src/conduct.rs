//! What the protocol asks of the client, checked where its frames enter, before any fault touches them.
//!
//! No socket and no clock: what passed and `now` go in, violations come out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::message::{FIN, Kind, Message, SYN, flag, payload};
use crate::uuid::Uuid;

/// Between two sendings of one message. The clock of a client ticks each 100 ms; half of it is for its scheduler.
const RESEND: Duration = Duration::from_millis(50);
/// How long an acknowledgement may take until the client acts on it.
const LEEWAY: Duration = Duration::from_secs(5);
/// A client pings every 25 to 30 s.
const PING: Duration = Duration::from_secs(35);
/// How far the created date of a new message may be off, in milliseconds.
const SKEW: u64 = 60_000;
const ATTEMPTS: u32 = 3000;
/// Delivered messages whose acknowledgements are still awaited.
const REMEMBERED: usize = 50_000;
/// How fast a pause must act.
const PAUSE: Duration = Duration::from_millis(250);

/// One session's client, watched.
#[derive(Debug)]
pub(crate) struct Conduct {
    shell: bool,
    stage: Stage,
    client_version: Option<String>,
    requested: Vec<String>,
    next: i64,
    sent: BTreeMap<i64, Sent>,
    delivered: BTreeMap<i64, Delivered>,
    /// Delivered messages below it are forgotten.
    forgotten: i64,
    /// After a join every outstanding message may be sent once more, in order: the next of them.
    again_from: Option<i64>,
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
    last: Instant,
    times: u32,
    acknowledged: Option<Instant>,
}

#[derive(Debug)]
struct Delivered {
    message: Uuid,
    times: u32,
    acknowledged: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Acknowledgement {
    acknowledged_message_type: String,
    acknowledged_message_id: Uuid,
    acknowledged_message_sequence_number: i64,
    is_sequential_message: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    client_version: String,
    processed_client_actions: Vec<Processed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Processed {
    action_type: String,
    action_status: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    requested_client_actions: Vec<Action>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Action {
    action_type: String,
}

/// The first frame of a connection.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Opening {
    message_schema_version: String,
    #[serde(rename = "RequestId")]
    _request_id: Uuid,
    pub(crate) token_value: String,
    #[serde(rename = "ClientId")]
    _client_id: Uuid,
    client_version: String,
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
            delivered: BTreeMap::new(),
            forgotten: 0,
            again_from: None,
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
        if crate::agent::version(&opening.client_version).is_none() {
            wrong.push(format!("`{}` is no client version", opening.client_version));
        }
        self.client_version = Some(opening.client_version.clone());
        self.last_ping = Some(now);
        self.again_from = Some(0);
        self.paused = None;
        (Some(opening), wrong)
    }

    /// A ping of the client's.
    pub(crate) fn pinged(&mut self, now: Instant) {
        self.last_ping = Some(now);
    }

    /// A message that was written to the client.
    pub(crate) fn delivered(&mut self, message: &Message, now: Instant) {
        match message.kind {
            Kind::Output => {
                self.paused = None;
                if message.sequence >= self.forgotten {
                    self.delivered
                        .entry(message.sequence)
                        .or_insert(Delivered { message: message.id, times: 0, acknowledged: 0 })
                        .times += 1;
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
                    .map(|it| it.acknowledged_message_sequence_number);
                if let Some(sent) = sequence.ok().and_then(|it| self.sent.get_mut(&it)) {
                    sent.acknowledged.get_or_insert(now);
                }
                while let Some(oldest) = self.sent.first_entry() {
                    match oldest.get().acknowledged {
                        Some(when) if now.saturating_duration_since(when) > LEEWAY * 2 => oldest.remove(),
                        _ => break,
                    };
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
            Kind::Input if message.sequence < self.next => {
                wrong.extend(self.again(message, now, stalled).err())
            }
            Kind::Input => self.new_input(message, now, now_ms, &mut wrong),
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
        let head = self.sent.iter().find(|(_, sent)| sent.acknowledged.is_none()).map(|(head, _)| *head);
        let Some(sent) = self.sent.get_mut(&sequence) else {
            return Err(format!("{sequence} is sent again long after it was acknowledged"));
        };
        let waited = now.saturating_duration_since(sent.last);
        sent.last = now;
        sent.times += 1;
        if (sent.message, sent.length) != (message.id, message.payload.len()) {
            return Err(format!("{sequence} is sent again as another message"));
        }
        if sent.acknowledged.is_some_and(|when| now.saturating_duration_since(when) > LEEWAY) && !stalled {
            return Err(format!("{sequence} is sent again long after it was acknowledged"));
        }
        if sent.times > ATTEMPTS {
            return Err(format!("{sequence} was sent {} times", sent.times));
        }
        if self.again_from.is_some_and(|from| sequence >= from) {
            self.again_from = Some(sequence + 1);
            return Ok(());
        }
        if waited < RESEND && !stalled {
            return Err(format!("{sequence} is sent again after {} ms", waited.as_millis()));
        }
        if head.is_some_and(|head| sequence > head) {
            return Err(format!("{sequence} is sent again, and {} waits still", head.unwrap_or_default()));
        }
        Ok(())
    }

    fn new_input(&mut self, message: &Message, now: Instant, now_ms: u64, wrong: &mut Vec<String>) {
        let sequence = message.sequence;
        if sequence != self.next {
            wrong.push(format!("sequence {sequence} where {} is the next", self.next));
        }
        self.next = sequence + 1;
        self.sent.insert(
            sequence,
            Sent {
                message: message.id,
                length: message.payload.len(),
                last: now,
                times: 1,
                acknowledged: None,
            },
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
        if self.closed.is_some_and(|when| now.saturating_duration_since(when) > LEEWAY) {
            wrong.push(format!("{sequence} comes long after the channel was closed"));
        }
        if self.paused.is_some_and(|when| now.saturating_duration_since(when) > PAUSE) {
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

/// The terminal's size.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Size {
    pub(crate) cols: u16,
    pub(crate) rows: u16,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::channel::acknowledgement;

    const CLIENT: &str = "1.2.764.0";

    struct Story {
        conduct: Conduct,
        start: Instant,
        now: Instant,
    }

    impl Story {
        fn new() -> Self {
            let start = Instant::now();
            let mut story = Self { conduct: Conduct::new(false), start, now: start };
            let text = json!({"MessageSchemaVersion": "1.0", "RequestId": Uuid::random(), "TokenValue": "t",
                              "ClientId": Uuid::random(), "ClientVersion": CLIENT});
            let (opening, wrong) = story.conduct.joined(&text.to_string(), start);
            assert!(opening.is_some() && wrong.is_empty(), "{wrong:?}");
            // What follows is not the first of a connection.
            story.conduct.again_from = None;
            story
        }

        fn ready() -> Self {
            let mut story = Self::new();
            story.delivers(&agent(0, payload::HANDSHAKE_REQUEST, request()));
            story.says(&client(0, payload::HANDSHAKE_RESPONSE, response(CLIENT, 1)), None);
            story.delivers(&agent(1, payload::HANDSHAKE_COMPLETE, json!({})));
            story
        }

        fn later(&mut self, ms: u64) -> &mut Self {
            self.now += Duration::from_millis(ms);
            self
        }

        fn delivers(&mut self, message: &Message) -> &mut Self {
            self.conduct.delivered(message, self.now);
            self
        }

        #[track_caller]
        fn says(&mut self, message: &Message, expected: Option<&str>) -> &mut Self {
            let ms = self.now.duration_since(self.start).as_millis() as u64;
            let wrong = self.conduct.sent(message, self.now, ms, false).join("; ");
            match expected {
                Some(part) => assert!(wrong.contains(part), "`{wrong}` does not say `{part}`"),
                None => assert_eq!(wrong, ""),
            }
            self
        }
    }

    fn request() -> serde_json::Value {
        json!({"AgentVersion": "3.3.0.0", "RequestedClientActions": [
            {"ActionType": "SessionType", "ActionParameters": {"SessionType": "Port", "Properties": {}}}]})
    }

    fn response(version: &str, status: u32) -> serde_json::Value {
        json!({"ClientVersion": version, "ProcessedClientActions": [
            {"ActionType": "SessionType", "ActionStatus": status, "ActionResult": null, "Error": ""}], "Errors": null})
    }

    fn message(kind: Kind, sequence: i64, payload_type: u32, payload: Bytes) -> Message {
        let id = Uuid([sequence as u8; 16]);
        Message { kind, created: 0, sequence, flags: 0, id, payload_type, payload }
    }

    fn client(sequence: i64, payload_type: u32, payload: serde_json::Value) -> Message {
        message(Kind::Input, sequence, payload_type, Bytes::from(payload.to_string()))
    }

    fn agent(sequence: i64, payload_type: u32, payload: serde_json::Value) -> Message {
        message(Kind::Output, sequence, payload_type, Bytes::from(payload.to_string()))
    }

    fn data(sequence: i64) -> Message {
        message(Kind::Input, sequence, payload::OUTPUT, Bytes::from_static(b"x"))
    }

    fn ack(of: &Message) -> Message {
        Message::decode(&acknowledgement(of, Uuid::random(), 0)).unwrap()
    }

    #[test]
    fn a_client_that_behaves_is_not_blamed() {
        let request = agent(0, payload::HANDSHAKE_REQUEST, request());
        let complete = agent(1, payload::HANDSHAKE_COMPLETE, json!({}));
        let mut story = Story::new();
        story.delivers(&request).says(&ack(&request), None);
        let response = client(0, payload::HANDSHAKE_RESPONSE, response(CLIENT, 1));
        story.says(&response, None).later(100).says(&response, None);
        story.delivers(&ack(&response)).delivers(&complete).says(&ack(&complete), None);
        story.says(&data(1), None).says(&data(2), None).later(200).says(&data(1), None);
        story.delivers(&complete).says(&ack(&complete), None);
        let terminate = message(Kind::Input, 3, payload::FLAG, Bytes::from_static(&[0, 0, 0, 2]));
        story.says(&terminate, None);
    }

    #[test]
    fn the_handshake_has_its_order() {
        let answer = |version, status| client(0, payload::HANDSHAKE_RESPONSE, response(version, status));
        Story::new().says(&answer(CLIENT, 1), Some("nothing asks for"));
        let mut story = Story::new();
        story.delivers(&agent(0, payload::HANDSHAKE_REQUEST, request()));
        story.says(&answer("1.0.0.0", 1), Some("version `1.0.0.0`"));
        story.says(&data(1), Some("before HandshakeComplete"));
        let mut story = Story::new();
        story.delivers(&agent(0, payload::HANDSHAKE_REQUEST, request()));
        story.says(&answer(CLIENT, 4), Some("the status 4"));
        let mut story = Story::new();
        story.delivers(&agent(0, payload::HANDSHAKE_REQUEST, request()));
        let none = json!({"ClientVersion": CLIENT, "ProcessedClientActions": []});
        story.says(&client(0, payload::HANDSHAKE_RESPONSE, none), Some("are answered"));
    }

    #[test]
    fn numbers_have_no_gap_and_flags_are_none() {
        Story::ready().says(&data(2), Some("sequence 2 where 1"));
        let flagged = Message { flags: SYN, ..data(1) };
        Story::ready().says(&flagged, Some("the flags 1"));
        let old = Message { created: 90_000, ..data(1) };
        Story::ready().says(&old, Some("created at 90000"));
        Story::ready().says(&message(Kind::Input, 1, 3, Bytes::from_static(b"{}")), Some("payload type 3"));
        Story::ready()
            .says(&message(Kind::Input, 1, payload::FLAG, Bytes::from_static(&[2])), Some("a flag that no"));
        Story::ready()
            .says(&message(Kind::Output, 1, 1, Bytes::new()), Some("does not send `output_stream_data`"));
    }

    #[test]
    fn only_the_head_is_sent_again_and_as_it_was() {
        let mut story = Story::ready();
        story.delivers(&ack(&client(0, payload::HANDSHAKE_RESPONSE, json!({}))));
        story.says(&data(1), None).says(&data(2), None);
        story.later(20).says(&data(1), Some("again after 20 ms"));
        story.later(100).says(&data(2), Some("2 is sent again, and 1 waits still"));
        story.later(100).says(&Message { id: Uuid([9; 16]), ..data(1) }, Some("as another message"));
        story.delivers(&ack(&data(1))).later(100).says(&data(1), None).says(&data(2), None);
        story.later(6000).says(&data(1), Some("long after"));
        // After a new join each once, in order, whatever waits.
        story.says(&data(3), None).later(10).conduct.again_from = Some(0);
        story.says(&data(2), None).says(&data(3), None).later(10).says(&data(3), Some("after 10 ms"));
    }

    #[test]
    fn acknowledgements_are_of_what_was_delivered() {
        let output = agent(2, payload::OUTPUT, json!("x"));
        let mut story = Story::ready();
        story.says(&ack(&output), Some("2 is acknowledged and was never delivered"));
        story.delivers(&output).says(&ack(&output), None).says(&ack(&output), Some("acknowledged once more"));
        story
            .delivers(&output)
            .says(&ack(&Message { id: Uuid([8; 16]), ..output.clone() }), Some("by the id"));
        story.says(&ack(&Message { kind: Kind::Input, ..output.clone() }), Some("type `input_stream_data`"));
        story.says(&Message { flags: 0, ..ack(&output) }, Some("flags 0"));
        let odd = Message { payload: Bytes::from_static(b"{}"), ..ack(&output) };
        story.says(&odd, Some("payload is not as it should be"));
    }

    #[test]
    fn a_pause_is_kept_until_anything_resumes_it() {
        let mut story = Story::ready();
        story.delivers(&message(Kind::PausePublication, 0, 0, Bytes::new()));
        story.later(100).says(&data(1), None);
        story.later(200).says(&data(2), Some("while publication is paused"));
        story.delivers(&message(Kind::StartPublication, 0, 0, Bytes::new())).says(&data(3), None);
        story.delivers(&message(Kind::PausePublication, 0, 0, Bytes::new())).later(300);
        story.delivers(&ack(&data(1))).says(&data(4), None);
    }

    #[test]
    fn the_end_is_the_end_and_pings_come() {
        let terminate = message(Kind::Input, 1, payload::FLAG, Bytes::from_static(&[0, 0, 0, 2]));
        Story::ready().says(&terminate, None).says(&data(2), Some("after TerminateSession"));
        Story::ready().later(36_000).says(&data(1), Some("no ping for 35 s"));
        let mut story = Story::ready();
        story.later(30_000);
        story.conduct.pinged(story.now);
        story.later(30_000).says(&data(1), None);
        let mut story = Story::new();
        let (opening, wrong) = story.conduct.joined("{}", story.now);
        assert!(opening.is_none() && wrong[0].contains("first frame"), "{wrong:?}");
    }
}
