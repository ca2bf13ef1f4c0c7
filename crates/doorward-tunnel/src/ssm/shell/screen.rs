//! A shell session: a channel, what was typed and what is to be shown, bytes and the time in, bytes and events out.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::Size;
use super::cipher::Cipher;
use crate::ssm::DataKey;
use crate::ssm::channel::{Birth, Carries, Channel, Ending, Event, Limits, read_challenge, write_challenge};
use crate::ssm::core::{Core, Wake};
use crate::ssm::message::{Draft, PayloadType};

/// What is typed and not yet sent, and what is not yet shown, in bytes.
const TYPED: usize = 64 << 10;
const SHOWN: usize = 1 << 20;

/// What one message holds of what was typed.
const PAYLOAD: usize = 1024;

/// The one reader, and the one writer.
pub(super) const ONLY: u32 = 0;

/// Whether what comes and goes is encrypted.
enum Encryption {
    None,
    /// The key is asked for.
    Wanted(String),
    With(Box<Cipher>),
}

/// One shell session.
pub(super) struct Screen {
    channel: Channel,
    encryption: Encryption,
    typed: BytesMut,
    shown: BytesMut,
    size: Option<Size>,
    exit: Option<i32>,
    message: Option<String>,
    wakes: VecDeque<Wake>,
}

impl Screen {
    pub(super) fn new(birth: Birth, limits: Limits) -> Self {
        Self {
            channel: Channel::new(birth, limits),
            encryption: Encryption::None,
            typed: BytesMut::new(),
            shown: BytesMut::new(),
            size: None,
            exit: None,
            message: None,
            wakes: VecDeque::new(),
        }
    }

    /// The KMS key that the agent wants to be used, until it is answered.
    pub(super) fn wanted_key(&self) -> Option<&str> {
        match &self.encryption {
            Encryption::Wanted(key) => Some(key),
            Encryption::None | Encryption::With(_) => None,
        }
    }

    /// The key that KMS made, or why there is none: then the agent ends the session.
    pub(super) fn answer_key(&mut self, key: Result<DataKey, String>) {
        let answer = key.and_then(|key| {
            let cipher = Cipher::new(&key.plaintext).ok_or("the key of KMS is not 64 bytes long")?;
            Ok((key, cipher))
        });
        match answer {
            Ok((key, cipher)) => {
                self.encryption = Encryption::With(Box::new(cipher));
                self.channel.answer_key(Ok(&key.ciphertext));
            }
            Err(why) => {
                self.encryption = Encryption::None;
                self.channel.answer_key(Err(&why));
                self.channel.end(Ending::Handshake { why });
            }
        }
    }

    pub(super) fn take_message(&mut self) -> Option<String> {
        self.message.take()
    }

    /// The exit code of a command, once it has ended.
    pub(super) fn exit(&self) -> Option<i32> {
        self.exit
    }

    /// Takes what was typed, as it is; how many bytes.
    pub(super) fn type_in(&mut self, bytes: &[u8]) -> usize {
        let (now, _) = bytes.split_at(TYPED.saturating_sub(self.typed.len()).min(bytes.len()));
        self.typed.extend_from_slice(now);
        now.len()
    }

    /// What is to be shown next; empty: nothing yet.
    pub(super) fn show(&mut self, now: Instant) -> Bytes {
        let shown = self.shown.split().freeze();
        self.channel.set_reading(true, now);
        shown
    }

    /// The terminal has another size. Only the last one matters.
    pub(super) fn resize(&mut self, size: Size) {
        self.size = Some(size);
    }

    fn process(&mut self, event: Event, now: Instant) {
        match event {
            Event::KeyWanted { key } => {
                self.encryption = Encryption::Wanted(key);
                self.wakes.push_back(Wake::Reader(ONLY));
            }
            Event::Ready { agent, message } => {
                if agent.carries != Carries::Shell {
                    let why = "it is a port session, not a shell session".to_owned();
                    self.channel.end(Ending::Handshake { why });
                }
                self.message = message;
                self.wakes.push_back(Wake::Reader(ONLY));
            }
            Event::Payload { payload_type: PayloadType::ChallengeRequest, payload } => {
                self.challenge(&payload, now)
            }
            Event::Payload { payload_type, payload } => {
                // Agents of 2019 begin without any handshake.
                if payload_type == PayloadType::Output {
                    self.channel.begin_without_handshake();
                }
                self.take(payload_type, payload);
            }
        }
    }

    fn challenge(&mut self, payload: &[u8], now: Instant) {
        let Encryption::With(cipher) = &mut self.encryption else {
            return tracing::debug!("an encryption challenge without encryption");
        };
        let answer = read_challenge(payload)
            .and_then(|sealed| cipher.open(&sealed))
            .and_then(|bytes| cipher.seal(&bytes));
        match answer {
            Some(answer) => {
                let draft = Draft::of(&write_challenge(&answer));
                self.channel.send(PayloadType::ChallengeResponse, draft, now);
            }
            None => {
                let why = "its encryption challenge does not match the key from KMS".to_owned();
                self.channel.end(Ending::Handshake { why });
            }
        }
    }

    fn take(&mut self, payload_type: PayloadType, payload: Bytes) {
        let is_sealed =
            matches!(payload_type, PayloadType::Output | PayloadType::StdErr | PayloadType::ExitCode);
        let payload = match &self.encryption {
            Encryption::With(cipher) if is_sealed => match cipher.open(&payload) {
                Some(opened) => Bytes::from(opened),
                None => {
                    let why = "it is not encrypted as negotiated".to_owned();
                    return self.channel.end(Ending::Malformed { why });
                }
            },
            _ => payload,
        };
        match payload_type {
            PayloadType::Output | PayloadType::StdErr | PayloadType::Error => {
                self.shown.extend_from_slice(&payload)
            }
            PayloadType::ExitCode => {
                self.exit = std::str::from_utf8(&payload).ok().and_then(|code| code.trim().parse().ok());
            }
            _ => tracing::debug!(?payload_type, "a payload that a shell does not have"),
        }
        self.wakes.push_back(Wake::Reader(ONLY));
    }
}

impl Core for Screen {
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
        self.channel.set_reading(self.shown.len() < SHOWN, now);
    }

    fn has_room(&self) -> bool {
        self.shown.len() < SHOWN && self.channel.has_room()
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        loop {
            let frame = self.channel.poll_transmit(now);
            if frame.is_some() {
                return frame;
            }
            if !(self.channel.takes() && self.channel.is_sent()) {
                return None;
            }
            if let Some(size) = self.size.take() {
                let json = size.json();
                self.channel.send(PayloadType::Size, Draft::of(&json), now);
                self.channel.set_probe(PayloadType::Size, json);
                continue;
            }
            if self.typed.is_empty() {
                return None;
            }
            let typed = self.typed.split_to(self.typed.len().min(PAYLOAD));
            self.wakes.push_back(Wake::Writer(ONLY));
            let sealed = match &mut self.encryption {
                Encryption::With(cipher) => cipher.seal(&typed),
                Encryption::None => Some(typed.to_vec()),
                Encryption::Wanted(_) => None,
            };
            match sealed {
                Some(sealed) => self.channel.send(PayloadType::Output, Draft::of(&sealed), now),
                None => {
                    let why = "the input cannot be encrypted".to_owned();
                    self.channel.end(Ending::Handshake { why });
                }
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        self.channel.tick(now);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.channel.next_deadline()
    }

    fn poll_wake(&mut self) -> Option<Wake> {
        self.wakes.pop_front()
    }
}
