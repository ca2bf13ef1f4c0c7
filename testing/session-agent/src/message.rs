//! One message of the data channel, as bytes: read strictly, written as the agent writes.
//!
//! Source: the header as `aws/amazon-ssm-agent` and `aws/session-manager-plugin` lay it out, big-endian, 116 bytes and
//! the payload's length.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ring::digest;

use crate::uuid::Uuid;

/// What stands before the payload's length, in bytes.
const HEADER: usize = 116;
/// Where the payload begins.
const PAYLOAD: usize = HEADER + 4;
/// The first message of a direction bears it when the agent sends it.
pub const SYN: u64 = 1;
/// With SYN it marks an acknowledgement.
pub const FIN: u64 = 2;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// From the client to the agent.
    Input,
    /// From the agent to the client.
    Output,
    /// Says that a message arrived.
    Acknowledge,
    /// The session is over, with the reason.
    ChannelClosed,
    /// Sending may go on.
    StartPublication,
    /// Sending is to stop.
    PausePublication,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Input,
        Self::Output,
        Self::Acknowledge,
        Self::ChannelClosed,
        Self::StartPublication,
        Self::PausePublication,
    ];

    /// As the header names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input_stream_data",
            Self::Output => "output_stream_data",
            Self::Acknowledge => "acknowledge",
            Self::ChannelClosed => "channel_closed",
            Self::StartPublication => "start_publication",
            Self::PausePublication => "pause_publication",
        }
    }
}

/// What a payload is.
pub mod payload {
    /// Bytes of the session.
    pub const OUTPUT: u32 = 1;
    /// The terminal's size, JSON.
    pub const SIZE: u32 = 3;
    /// What the agent asks at first, JSON.
    pub const HANDSHAKE_REQUEST: u32 = 5;
    /// What the client answers, JSON.
    pub const HANDSHAKE_RESPONSE: u32 = 6;
    /// The session can be used, JSON.
    pub const HANDSHAKE_COMPLETE: u32 = 7;
    /// Proof of the keys, asked by the agent.
    pub const CHALLENGE_REQUEST: u32 = 8;
    /// Proof of the keys, from the client.
    pub const CHALLENGE_RESPONSE: u32 = 9;
    /// One of [`super::flag`], a u32.
    pub const FLAG: u32 = 10;
    /// What a command wrote to its standard error.
    pub const STDERR: u32 = 11;
    /// How a command ended, in decimal digits.
    pub const EXIT_CODE: u32 = 12;
}

/// What a payload of type Flag says.
pub mod flag {
    /// The client closed its connection; basic mode.
    pub const DISCONNECT_TO_PORT: u32 = 1;
    /// The client ends the session.
    pub const TERMINATE_SESSION: u32 = 2;
    /// The agent could not connect.
    pub const CONNECT_TO_PORT_ERROR: u32 = 3;
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is for.
    pub kind: Kind,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// Its number in its direction, from 0.
    pub sequence: i64,
    /// [`SYN`], [`FIN`], both or none.
    pub flags: u64,
    /// What an acknowledgement names.
    pub id: Uuid,
    /// One of [`payload`]; 0 in what bears none.
    pub payload_type: u32,
    /// The payload.
    pub payload: Bytes,
}

/// Why bytes are no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer bytes than a header.
    #[error("a message of {0} bytes is shorter than a header")]
    Short(usize),
    /// The header's length is fixed.
    #[error("the header says that it is {0} bytes long, not 116")]
    Header(u32),
    /// Not one of the message types, or not padded with spaces.
    #[error("`{0}` is no message type")]
    Kind(String),
    /// There is one version.
    #[error("schema version {0} is not 1")]
    Schema(u32),
    /// The payload must fill the rest.
    #[error("the payload is said to be {said} bytes, and {there} are there")]
    Length {
        /// What the header says.
        said: u32,
        /// What follows it.
        there: usize,
    },
    /// The payload is not what was hashed.
    #[error("the digest is not the payload's")]
    Digest,
}

impl Message {
    /// As bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(PAYLOAD + self.payload.len());
        out.put_u32(HEADER as u32);
        out.put_slice(format!("{:<32}", self.kind.name()).as_bytes());
        out.put_u32(1);
        out.put_u64(self.created);
        out.put_i64(self.sequence);
        out.put_u64(self.flags);
        let (high, low) = self.id.0.split_at(8);
        out.put_slice(low);
        out.put_slice(high);
        out.put_slice(digest::digest(&digest::SHA256, &self.payload).as_ref());
        out.put_u32(self.payload_type);
        out.put_u32(self.payload.len() as u32);
        out.put_slice(&self.payload);
        out.freeze()
    }

    /// From bytes, exactly as the protocol lays them out.
    pub fn decode(frame: &Bytes) -> Result<Self, Malformed> {
        if frame.len() < PAYLOAD {
            return Err(Malformed::Short(frame.len()));
        }
        let mut rest = frame.clone();
        let header = rest.get_u32();
        if header as usize != HEADER {
            return Err(Malformed::Header(header));
        }
        let name = rest.split_to(32);
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| format!("{:<32}", kind.name()).as_bytes() == name)
            .ok_or_else(|| Malformed::Kind(String::from_utf8_lossy(&name).escape_debug().to_string()))?;
        let schema = rest.get_u32();
        if schema != 1 {
            return Err(Malformed::Schema(schema));
        }
        let created = rest.get_u64();
        let sequence = rest.get_i64();
        let flags = rest.get_u64();
        let low = rest.get_u64();
        let high = rest.get_u64();
        let id = Uuid(((u128::from(high) << 64) | u128::from(low)).to_be_bytes());
        let hashed = rest.split_to(32);
        let payload_type = rest.get_u32();
        let said = rest.get_u32();
        if said as usize != rest.len() {
            return Err(Malformed::Length { said, there: rest.len() });
        }
        if digest::digest(&digest::SHA256, &rest).as_ref() != hashed {
            return Err(Malformed::Digest);
        }
        Ok(Self { kind, created, sequence, flags, id, payload_type, payload: rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What a stock agent accepted: sequence 1, the flag TerminateSession.
    const VECTOR: &str = "00000074696e7075745f73747265616d5f64617461202020202020202020202020202020000000010000018b\
        cfe56800000000000000000100000000000000008899aabbccddeeff0011223344556677433ebf5bc03dffa3\
        8536673207a21281612cef5faa9bc7a4d5b9be2fdb12cf1a0000000a0000000400000002";

    fn vector() -> Bytes {
        VECTOR
            .as_bytes()
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    }

    fn terminate() -> Message {
        Message {
            kind: Kind::Input,
            created: 1_700_000_000_000,
            sequence: 1,
            flags: 0,
            id: "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap(),
            payload_type: payload::FLAG,
            payload: Bytes::from_static(&[0, 0, 0, 2]),
        }
    }

    #[test]
    fn the_vector_that_a_stock_agent_accepted_is_written_and_read() {
        assert_eq!(terminate().encode(), vector());
        assert_eq!(Message::decode(&vector()).unwrap(), terminate());
    }

    #[test]
    fn every_deviation_is_named() {
        fn check(at: usize, byte: u8, expected: &str) {
            let mut bytes = vector().to_vec();
            bytes[at] = byte;
            let error = Message::decode(&bytes.into()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        check(3, 0x78, "120 bytes long");
        check(35, 0, "no message type");
        check(4, b'I', "`Input_stream_data");
        check(39, 2, "schema version 2");
        check(119, 5, "said to be 5 bytes, and 4 are there");
        check(123, 3, "digest");
        check(80, 0, "digest");
        assert_eq!(Message::decode(&vector().slice(..119)), Err(Malformed::Short(119)));
        assert!(matches!(
            Message::decode(&vector().slice(..123)),
            Err(Malformed::Length { said: 4, there: 3 })
        ));
    }
}
