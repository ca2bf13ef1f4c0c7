//! Bytes as a message of a data channel, and as a conversation with a channel: never a panic, and bounded.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use doorward_tunnel::ssm::Limits;
use doorward_tunnel::ssm::channel::Birth;
use doorward_tunnel::ssm::core::Core as _;
use doorward_tunnel::ssm::message::{Draft, Header, Kind, Message, PayloadType, Uuid};
use doorward_tunnel::ssm::port::Port;
use libfuzzer_sys::fuzz_target;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fuzz_target!(|data: &[u8]| {
    message(data);
    conversation(data);
});

fn message(data: &[u8]) {
    match Message::decode(Bytes::copy_from_slice(data)) {
        Ok(message) if message.header.kind != Kind::Unknown => {
            let written = Draft::of(&message.payload).seal(&message.header);
            let Message { header, payload } = Message::decode(written).expect("what was written");
            assert_eq!((header, payload), (message.header, message.payload));
        }
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What an agent may say, proper in its form and in nothing else: the first byte of each part says what it is.
fn conversation(data: &[u8]) {
    let mut now = *START;
    let mut port = Port::new(Birth { now, wall: 1, seed: 1 }, Limits::default());
    port.channel_mut().connected(now);
    let mut sequence = 0;
    for part in data.split(|byte| *byte == 0xFF) {
        let Some((what, payload)) = part.split_first() else { continue };
        now += Duration::from_millis(u64::from(what >> 4) * 40);
        let kind = match what & 0x7 {
            0 => Kind::Acknowledge,
            1 => Kind::PausePublication,
            2 => Kind::StartPublication,
            3 => Kind::ChannelClosed,
            _ => Kind::Output,
        };
        let payload_type = PayloadType::from(u32::from(payload.first().copied().unwrap_or(0)));
        // Now and then early or late.
        let place = if what & 0x8 == 0 { sequence } else { i64::from(*what) };
        let header = Header { kind, created: 1, sequence: place, flags: 0, id: Uuid([1; 16]), payload: payload_type };
        sequence += i64::from(kind == Kind::Output && place == sequence);
        port.receive(Draft::of(payload.get(1..).unwrap_or_default()).seal(&header), now);
        if let Some(id) = port.open() {
            let _ = port.write(id, payload);
            let _ = port.read(id, &mut Vec::new(), now);
            if what & 0x8 == 0 {
                port.close(id, now);
            }
        }
        port.tick(now);
        for _ in 0..10_000 {
            if port.poll_transmit(now).is_none() {
                break;
            }
        }
        while port.poll_wake().is_some() {}
        let _ = port.next_deadline();
    }
}
