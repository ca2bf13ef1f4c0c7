//! A shell and an agent that encrypts, without any network.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::cipher::Cipher;
use super::screen::Screen;
use super::*;
use crate::ssm::DataKey;
use crate::ssm::channel::{Birth, read_challenge, write_challenge};
use crate::ssm::message::{Draft, Header, Kind, Message, PayloadType, Uuid};

struct Scene {
    screen: Screen,
    now: Instant,
    next: i64,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let mut screen = Screen::new(Birth { now, wall: 1, seed: 7 }, Limits::default());
        screen.channel_mut().connected(now);
        Self { screen, now, next: 0 }
    }

    fn says(&mut self, payload_type: PayloadType, payload: &[u8]) {
        let sequence = self.next;
        self.next += 1;
        let header = Header {
            kind: Kind::Output,
            created: 1,
            sequence,
            flags: 0,
            id: Uuid([1; 16]),
            payload: payload_type,
        };
        self.screen.receive(Draft::of(payload).seal(&header), self.now);
    }

    /// What the client sends besides acknowledgements.
    fn hears(&mut self) -> Vec<(PayloadType, Bytes)> {
        let mut heard = Vec::new();
        while let Some(frame) = self.screen.poll_transmit(self.now) {
            let message = Message::decode(frame).unwrap();
            if message.header.kind == Kind::Input {
                heard.push((message.header.payload, message.payload));
            }
        }
        heard
    }

    fn begins(&mut self, actions: &str) {
        let request = format!(r#"{{"AgentVersion":"3.3.0.0","RequestedClientActions":[{actions}]}}"#);
        self.says(PayloadType::HandshakeRequest, request.as_bytes());
    }
}

const STANDARD: &str = r#"{"ActionType":"SessionType","ActionParameters":{"SessionType":"Standard_Stream"}}"#;
const ENCRYPTED: &str = r#"{"ActionType":"KMSEncryption","ActionParameters":{"KMSKeyId":"alias/shell"}}"#;
const COMPLETE: &[u8] = br#"{"HandshakeTimeToComplete":1,"CustomerMessage":"This session is encrypted."}"#;

fn payload(payload_type: PayloadType, payload: &'static [u8]) -> (PayloadType, Bytes) {
    (payload_type, Bytes::from_static(payload))
}

#[test]
fn keys_and_sizes_go_as_they_are_in_their_order() {
    let mut scene = Scene::new();
    scene.screen.resize(Size { columns: 1, rows: 1 });
    scene.screen.resize(Size { columns: 80, rows: 24 });
    scene.screen.type_in(b"\n");
    scene.begins(STANDARD);
    assert_eq!(scene.hears().len(), 1, "only the answer before all is agreed on");
    scene.says(PayloadType::HandshakeComplete, COMPLETE);
    assert_eq!(scene.screen.take_message().as_deref(), Some("This session is encrypted."));
    let expected =
        [payload(PayloadType::Size, br#"{"cols":80,"rows":24}"#), payload(PayloadType::Output, b"\n")];
    assert_eq!(scene.hears(), expected);
    scene.screen.type_in(b"\x03");
    assert_eq!(scene.hears(), [payload(PayloadType::Output, b"\x03")]);
    scene.says(PayloadType::Output, b"out ");
    scene.says(PayloadType::StdErr, b"err");
    scene.says(PayloadType::ExitCode, b"3");
    assert_eq!(scene.screen.show(scene.now), "out err");
    assert_eq!(scene.screen.exit(), Some(3));
}

#[test]
fn what_is_typed_is_bounded_and_cut() {
    let mut scene = Scene::new();
    scene.begins(STANDARD);
    scene.says(PayloadType::HandshakeComplete, COMPLETE);
    scene.hears();
    assert_eq!(scene.screen.type_in(&[b'x'; 100_000]), 65_536);
    let heard = scene.hears();
    assert_eq!(heard.len(), 64);
    assert!(heard.iter().all(|(_, payload)| payload.len() == 1024));
}

#[test]
fn an_agent_of_old_begins_with_output() {
    let mut scene = Scene::new();
    scene.says(PayloadType::Output, b"$ ");
    assert_eq!(scene.screen.show(scene.now), "$ ");
    scene.screen.type_in(b"ls");
    assert_eq!(scene.hears(), [payload(PayloadType::Output, b"ls")]);
}

/// The agent's side of a key that KMS made.
fn encrypted(scene: &mut Scene) -> Cipher {
    let plaintext: Vec<u8> = (0..64).collect();
    let turned = [&plaintext[32..], &plaintext[..32]].concat();
    scene.begins(&format!("{ENCRYPTED},{STANDARD}"));
    assert_eq!(scene.hears(), [], "nothing before the key");
    assert_eq!(scene.screen.wanted_key(), Some("alias/shell"));
    scene.screen.answer_key(Ok(DataKey { plaintext, ciphertext: b"sealed".to_vec() }));
    let answer: serde_json::Value = serde_json::from_slice(&scene.hears()[0].1).unwrap();
    assert_eq!(answer["ProcessedClientActions"][0]["ActionResult"]["KMSCipherTextKey"], "c2VhbGVk");
    Cipher::new(&turned).unwrap()
}

#[test]
fn a_challenge_is_answered_and_everything_after_it_encrypted() {
    let mut scene = Scene::new();
    let mut agent = encrypted(&mut scene);
    let challenge = write_challenge(&agent.seal(b"prove it").unwrap());
    scene.says(PayloadType::ChallengeRequest, &challenge);
    let (payload_type, answer) = scene.hears().remove(0);
    assert_eq!(payload_type, PayloadType::ChallengeResponse);
    assert_eq!(agent.open(&read_challenge(&answer).unwrap()).unwrap(), b"prove it");
    scene.says(PayloadType::HandshakeComplete, COMPLETE);
    scene.screen.type_in(b"ls\n");
    scene.screen.resize(Size { columns: 80, rows: 24 });
    let heard = scene.hears();
    assert_eq!(heard[0], payload(PayloadType::Size, br#"{"cols":80,"rows":24}"#), "a size is no secret");
    assert_eq!(agent.open(&heard[1].1).unwrap(), b"ls\n");
    let output = agent.seal(b"README").unwrap();
    scene.says(PayloadType::Output, &output);
    assert_eq!(scene.screen.show(scene.now), "README");
    scene.says(PayloadType::Output, b"README");
    assert!(matches!(scene.screen.channel().ending(), Some(Ending::Malformed { .. })), "in the open");
}

#[test]
fn a_false_challenge_ends_it() {
    let mut scene = Scene::new();
    encrypted(&mut scene);
    let mut stranger = Cipher::new(&[9; 64]).unwrap();
    scene.says(PayloadType::ChallengeRequest, &write_challenge(&stranger.seal(b"prove it").unwrap()));
    assert!(matches!(scene.screen.channel().ending(), Some(Ending::Handshake { .. })));
}

#[test]
fn without_a_key_there_is_no_shell() {
    let mut scene = Scene::new();
    scene.begins(&format!("{ENCRYPTED},{STANDARD}"));
    scene.screen.answer_key(Err("not permitted".to_owned()));
    let ending = scene.screen.channel().ending().map(ToString::to_string);
    let expected = "the agent began the session with an unsupported handshake: not permitted";
    assert_eq!(ending.as_deref(), Some(expected));
}

#[test]
fn a_silent_agent_is_asked_with_the_size_that_the_terminal_has() {
    let mut scene = Scene::new();
    scene.begins(STANDARD);
    scene.says(PayloadType::HandshakeComplete, COMPLETE);
    scene.screen.resize(Size { columns: 132, rows: 50 });
    scene.screen.type_in(b"ls");
    scene.hears();
    scene.now += Duration::from_secs(3);
    scene.screen.tick(scene.now);
    let heard = scene.hears();
    assert!(heard.contains(&payload(PayloadType::Size, br#"{"cols":132,"rows":50}"#)), "{heard:?}");
}
