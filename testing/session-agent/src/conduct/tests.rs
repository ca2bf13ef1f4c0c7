//! Clients that behave, and that do not.

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
        let (opening, wrong) = story.conduct.joined(&opening(CLIENT), start);
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

fn opening(version: &str) -> String {
    json!({"MessageSchemaVersion": "1.0", "RequestId": Uuid::random(), "TokenValue": "t",
           "ClientId": Uuid::random(), "ClientVersion": version})
    .to_string()
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
    for _ in 0..100 {
        story.later(95).says(&data(1), None);
    }
    for _ in 0..4 {
        story.says(&data(1), None);
    }
    story.later(20).says(&data(1), Some("more than one message in 100 ms"));
    story.later(100).says(&data(2), Some("2 is sent again, and 1 waits still"));
    story.later(100).says(&Message { id: Uuid([9; 16]), ..data(1) }, Some("as another message"));
    story.delivers(&ack(&data(1))).later(100).says(&data(1), None).says(&data(2), None);
    // After a new join each once, in order, whatever waits.
    story.says(&data(3), None).later(10);
    story.conduct.again_from = Some((0, story.now));
    story.says(&data(2), None).says(&data(3), None);
    story.later(100).says(&data(3), Some("3 is sent again, and 2 waits still"));
}

#[test]
fn what_a_cut_took_along_comes_later() {
    let mut story = Story::ready();
    story.delivers(&ack(&client(0, payload::HANDSHAKE_RESPONSE, json!({}))));
    story.conduct.joined(&opening(CLIENT), story.now);
    // 1 and 2 were sent and never came.
    story.says(&data(3), None).says(&data(4), None);
    story.later(200).says(&data(3), Some("3 is sent again, and 1 waits still"));
    story.later(200).says(&data(1), None).delivers(&ack(&data(1)));
    story.later(200).says(&data(2), None).says(&data(6), Some("sequence 6 where 5 is the next"));
}

#[test]
fn what_it_knows_to_have_arrived_is_not_sent_again() {
    let mut story = Story::ready();
    story.delivers(&ack(&client(0, payload::HANDSHAKE_RESPONSE, json!({}))));
    story.says(&data(1), None).delivers(&ack(&data(1)));
    // An acknowledgement that was written was perhaps not read …
    story.later(6000).says(&data(1), None).later(6000).says(&data(1), None);
    // … but one before something that the client answers was.
    let output = agent(2, payload::OUTPUT, json!("x"));
    story.delivers(&output).says(&ack(&output), None).later(100).says(&data(1), None);
    story.later(2000).says(&data(1), Some("although its acknowledgement was read"));
    // A connection that is gone takes along what was not read.
    story.says(&data(2), None).delivers(&ack(&data(2)));
    story.conduct.joined(&opening(CLIENT), story.now);
    let output = agent(3, payload::OUTPUT, json!("x"));
    story.delivers(&output).says(&ack(&output), None);
    story.later(2000).says(&data(2), None).later(2000).says(&data(2), None);
}

#[test]
fn acknowledgements_are_of_what_was_delivered() {
    let output = agent(2, payload::OUTPUT, json!("x"));
    let mut story = Story::ready();
    story.says(&ack(&output), Some("2 is acknowledged and was never delivered"));
    story.delivers(&output).says(&ack(&output), None).says(&ack(&output), Some("acknowledged once more"));
    story.delivers(&output).says(&ack(&Message { id: Uuid([8; 16]), ..output.clone() }), Some("by the id"));
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
    story.later(400).says(&data(2), Some("while publication is paused"));
    story.delivers(&message(Kind::StartPublication, 0, 0, Bytes::new())).says(&data(3), None);
    story.delivers(&message(Kind::PausePublication, 0, 0, Bytes::new())).later(500);
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
    let short = opening(CLIENT).replace("\"RequestId\":\"", "\"RequestId\":\"1\",\"ClientVersion\":\"");
    assert_ne!(story.conduct.joined(&short, story.now).1, Vec::<String>::new());
    let (opening, wrong) = story.conduct.joined("{}", story.now);
    assert!(opening.is_none() && wrong[0].contains("first frame"), "{wrong:?}");
}
