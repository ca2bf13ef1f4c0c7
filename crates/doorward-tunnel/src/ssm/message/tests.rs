//! The form, a vector of the stock agent's, and everything that is none.

use proptest::prelude::*;

use super::*;

/// What a stock agent accepted as the end of a session.
const VECTOR: &str = "00000074696e7075745f73747265616d5f64617461202020202020202020202020202020000000010000018bcfe56800000000000000000100000000000000008899aabbccddeeff0011223344556677433ebf5bc03dffa38536673207a21281612cef5faa9bc7a4d5b9be2fdb12cf1a0000000a0000000400000002";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn header() -> Header {
    Header {
        kind: Kind::Input,
        created: 1_700_000_000_000,
        sequence: 1,
        flags: 0,
        id: Uuid(bytes("00112233445566778899aabbccddeeff").try_into().unwrap()),
        payload: PayloadType::Flag,
    }
}

fn sealed() -> Vec<u8> {
    Draft::of(&Flag::TerminateSession.payload()).seal(&header()).to_vec()
}

#[test]
fn a_message_is_written_as_the_agent_reads_it() {
    assert_eq!(sealed(), bytes(VECTOR));
}

#[test]
fn a_message_is_read_as_it_was_written() {
    let message = Message::decode(Bytes::from(bytes(VECTOR))).unwrap();
    assert_eq!(message.header, header());
    assert_eq!(message.header.id.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
    assert_eq!(Flag::of(&message.payload), Some(Flag::TerminateSession));
}

#[test]
fn what_is_no_message_is_said_to_be_none() {
    fn check(change: impl Fn(&mut Vec<u8>), expected: MessageError) {
        let mut frame = sealed();
        change(&mut frame);
        assert_eq!(Message::decode(Bytes::from(frame)), Err(expected));
    }
    check(|frame| frame.clear(), MessageError::Short { length: 0 });
    check(|frame| frame.truncate(119), MessageError::Short { length: 119 });
    check(|frame| frame.resize(LONGEST + 1, 0), MessageError::Long { length: LONGEST + 1 });
    check(|frame| frame[3] = 115, MessageError::Header { length: 115 });
    check(|frame| frame[3] = 121, MessageError::Header { length: 121 });
    check(|frame| frame[0] = 0xFF, MessageError::Header { length: 0xFF00_0074 });
    check(|frame| frame[39] = 2, MessageError::Version { version: 2 });
    check(|frame| frame[48] = 0x80, MessageError::Sequence { sequence: i64::MIN + 1 });
    check(|frame| frame[119] = 5, MessageError::Length { promised: 5, length: 4 });
    check(|frame| frame.push(0), MessageError::Length { promised: 4, length: 5 });
    check(|frame| frame.truncate(123), MessageError::Length { promised: 4, length: 3 });
    check(|frame| frame[80] ^= 1, MessageError::Digest);
    check(|frame| frame[123] ^= 1, MessageError::Digest);
}

#[test]
fn names_are_padded_with_spaces_or_zeros() {
    fn check(name: &[u8], expected: Kind) {
        let mut frame = sealed();
        frame[4..36].fill(0);
        frame[4..4 + name.len()].copy_from_slice(name);
        assert_eq!(Message::decode(Bytes::from(frame)).unwrap().header.kind, expected);
    }
    check(b"output_stream_data", Kind::Output);
    check(b"output_stream_data  ", Kind::Output);
    check(b" acknowledge ", Kind::Acknowledge);
    check(b"channel_closed", Kind::ChannelClosed);
    check(b"input_stream", Kind::Unknown);
    check(b"", Kind::Unknown);
}

#[test]
fn the_gateways_own_words_need_no_proper_header() {
    for kind in [Kind::StartPublication, Kind::PausePublication] {
        let mut frame = vec![0; HEADER];
        frame[4..4 + kind.name().len()].copy_from_slice(kind.name().as_bytes());
        let message = Message::decode(Bytes::from(frame)).unwrap();
        assert_eq!((message.header.kind, message.payload.len()), (kind, 0));
    }
    let closed = Header { kind: Kind::ChannelClosed, payload: PayloadType::None, ..header() };
    let mut frame = Draft::of(b"{}").seal(&closed).to_vec();
    frame[80..112].fill(0);
    frame[116..120].fill(0);
    assert_eq!(Message::decode(Bytes::from(frame)).unwrap().payload, "{}");
}

#[test]
fn a_longer_header_is_skipped() {
    let mut frame = sealed();
    frame[3] += 2;
    frame.splice(120..120, [7, 7]);
    assert_eq!(Message::decode(Bytes::from(frame)).unwrap().payload, &[0, 0, 0, 2][..]);
}

proptest! {
    #[test]
    fn every_message_survives_the_way(
        sequence in 0..i64::MAX, flags: u64, created: u64, id: [u8; 16], number: u32, payload: Vec<u8>,
    ) {
        let header = Header { kind: Kind::Output, created, sequence, flags, id: Uuid(id), payload: number.into() };
        let message = Message::decode(Draft::of(&payload).seal(&header)).unwrap();
        prop_assert_eq!(message.header, header);
        prop_assert_eq!(message.payload, payload);
    }

    #[test]
    fn whatever_comes_is_read_or_refused(frame: Vec<u8>) {
        let _ = Message::decode(Bytes::from(frame));
    }
}
