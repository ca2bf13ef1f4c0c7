//! One message of a data channel as bytes: a header of fixed form, big-endian, and a payload.

#[cfg(test)]
mod tests;

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ring::digest;

/// The longest message that is read, in bytes. An agent's are 1,144 long.
pub const LONGEST: usize = 1 << 20;

/// Bytes before the payload.
pub const HEADER: usize = 120;

/// What the field for the header's length says: it counts up to the payload's own length.
const HEADER_LENGTH: u32 = 116;

const KIND_LENGTH: usize = 32;
const SCHEMA_VERSION: u32 = 1;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From the client to the agent, in sequence.
    Input,
    /// From the agent to the client, in sequence.
    Output,
    /// That one message in sequence has arrived.
    Acknowledge,
    /// The session is over.
    ChannelClosed,
    /// The other side is there again.
    StartPublication,
    /// The other side is away: nothing should be sent.
    PausePublication,
    /// Something else. It is not ours to understand.
    Unknown,
}

impl Kind {
    /// Its name on the wire; none for what is unknown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input_stream_data",
            Self::Output => "output_stream_data",
            Self::Acknowledge => "acknowledge",
            Self::ChannelClosed => "channel_closed",
            Self::StartPublication => "start_publication",
            Self::PausePublication => "pause_publication",
            Self::Unknown => "",
        }
    }

    fn of(name: &[u8]) -> Self {
        let known = [
            Self::Input,
            Self::Output,
            Self::Acknowledge,
            Self::ChannelClosed,
            Self::StartPublication,
            Self::PausePublication,
        ];
        known.into_iter().find(|kind| kind.name().as_bytes() == name).unwrap_or(Self::Unknown)
    }
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadType {
    /// No payload in sequence, as of an acknowledgement.
    None,
    /// Bytes of the connection or of the terminal, in either direction.
    Output,
    /// Bytes that a shell wrote as an error, from old agents.
    Error,
    /// The terminal's size, as JSON.
    Size,
    Parameter,
    /// The agent says who it is and what it asks of the client, as JSON.
    HandshakeRequest,
    /// The client's answer, as JSON.
    HandshakeResponse,
    /// The agent has taken the answer, as JSON.
    HandshakeComplete,
    /// Encrypted bytes that the client shall decrypt, as JSON.
    ChallengeRequest,
    /// The same bytes, encrypted by the client, as JSON.
    ChallengeResponse,
    /// A [`Flag`], as a number of four bytes.
    Flag,
    /// Bytes that a command wrote to its standard error.
    StdErr,
    /// A command's exit code, as digits.
    ExitCode,
    /// Another number.
    Other(u32),
}

impl PayloadType {
    const KNOWN: [Self; 13] = [
        Self::None,
        Self::Output,
        Self::Error,
        Self::Size,
        Self::Parameter,
        Self::HandshakeRequest,
        Self::HandshakeResponse,
        Self::HandshakeComplete,
        Self::ChallengeRequest,
        Self::ChallengeResponse,
        Self::Flag,
        Self::StdErr,
        Self::ExitCode,
    ];
}

impl From<u32> for PayloadType {
    fn from(number: u32) -> Self {
        let known = usize::try_from(number).ok().and_then(|number| Self::KNOWN.get(number));
        known.copied().unwrap_or(Self::Other(number))
    }
}

impl From<PayloadType> for u32 {
    fn from(payload: PayloadType) -> Self {
        match payload {
            PayloadType::None => 0,
            PayloadType::Output => 1,
            PayloadType::Error => 2,
            PayloadType::Size => 3,
            PayloadType::Parameter => 4,
            PayloadType::HandshakeRequest => 5,
            PayloadType::HandshakeResponse => 6,
            PayloadType::HandshakeComplete => 7,
            PayloadType::ChallengeRequest => 8,
            PayloadType::ChallengeResponse => 9,
            PayloadType::Flag => 10,
            PayloadType::StdErr => 11,
            PayloadType::ExitCode => 12,
            PayloadType::Other(number) => number,
        }
    }
}

/// What a payload of the type [`PayloadType::Flag`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The client's connection is closed: close yours.
    DisconnectToPort,
    /// The session is over.
    TerminateSession,
    /// The agent could not connect.
    ConnectToPortError,
}

impl Flag {
    /// As a payload.
    pub fn payload(self) -> [u8; 4] {
        let number: u32 = match self {
            Self::DisconnectToPort => 1,
            Self::TerminateSession => 2,
            Self::ConnectToPortError => 3,
        };
        number.to_be_bytes()
    }

    /// From a payload; none: it says something else.
    pub fn of(payload: &[u8]) -> Option<Self> {
        let flags = [Self::DisconnectToPort, Self::TerminateSession, Self::ConnectToPortError];
        flags.into_iter().find(|flag| flag.payload() == payload)
    }
}

/// A UUID, in the order in which it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first message of its direction.
pub const SYN: u64 = 1;
/// The last one.
pub const FIN: u64 = 2;

/// All that is said of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the message is.
    pub kind: Kind,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// Its place in its direction, from 0.
    pub sequence: i64,
    /// [`SYN`] and [`FIN`].
    pub flags: u64,
    /// Its own name, by which it is acknowledged.
    pub id: Uuid,
    /// What the payload is.
    pub payload: PayloadType,
}

/// A message that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What is said of the payload.
    pub header: Header,
    /// The payload, which shares the memory of what was read.
    pub payload: Bytes,
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Shorter than a header.
    #[error("a message of {length} bytes is shorter than its header")]
    Short {
        /// How long it is.
        length: usize,
    },
    /// Longer than [`LONGEST`].
    #[error("a message of {length} bytes is too long")]
    Long {
        /// How long it is.
        length: usize,
    },
    /// The header says that it is shorter or longer than it can be.
    #[error("a message has a header of {length} bytes")]
    Header {
        /// What it says.
        length: u32,
    },
    /// Another version of the form.
    #[error("a message is of version {version}")]
    Version { version: u32 },
    /// A place before the first.
    #[error("a message has the sequence number {sequence}")]
    Sequence { sequence: i64 },
    /// The payload is not as long as the header says.
    #[error("a message promises {promised} bytes of payload and has {length}")]
    Length {
        /// What the header says.
        promised: u32,
        /// How many there are.
        length: usize,
    },
    /// The payload's digest is another.
    #[error("a message's payload is not the one that its digest was made of")]
    Digest,
}

impl Message {
    /// Reads one message, which is the whole of a binary frame.
    pub fn decode(mut frame: Bytes) -> Result<Self, MessageError> {
        let length = frame.len();
        if length > LONGEST {
            return Err(MessageError::Long { length });
        }
        if length < HEADER {
            return Err(MessageError::Short { length });
        }
        let mut head = frame.split_to(HEADER);
        let header_length = head.get_u32();
        let name = head.split_to(KIND_LENGTH);
        let version = head.get_u32();
        let created = head.get_u64();
        let sequence = head.get_i64();
        let flags = head.get_u64();
        let (low, high) = (head.get_u64(), head.get_u64());
        let digest = head.split_to(digest::SHA256_OUTPUT_LEN);
        let payload_type = PayloadType::from(head.get_u32());
        let promised = head.get_u32();

        let id = Uuid(((u128::from(high) << 64) | u128::from(low)).to_be_bytes());
        let kind = Kind::of(trimmed(&name));
        let header = Header { kind, created, sequence, flags, id, payload: payload_type };
        // These two come from the gateway, with whatever else in the header.
        if matches!(kind, Kind::StartPublication | Kind::PausePublication) {
            return Ok(Self { header, payload: Bytes::new() });
        }
        // A longer header would be a later form of it; what it adds stands before the payload.
        let added = header_length.checked_sub(HEADER_LENGTH).and_then(|added| usize::try_from(added).ok());
        match added {
            Some(added) if added <= frame.len() => frame.advance(added),
            _ => return Err(MessageError::Header { length: header_length }),
        }
        if version != SCHEMA_VERSION {
            return Err(MessageError::Version { version });
        }
        if sequence < 0 {
            return Err(MessageError::Sequence { sequence });
        }
        // An end is believed however it was made: it would be worse to miss it.
        if kind != Kind::ChannelClosed {
            if usize::try_from(promised) != Ok(frame.len()) {
                return Err(MessageError::Length { promised, length: frame.len() });
            }
            if !frame.is_empty() && digest::digest(&digest::SHA256, &frame).as_ref() != digest.as_ref() {
                return Err(MessageError::Digest);
            }
        }
        Ok(Self { header, payload: frame })
    }
}

fn trimmed(mut name: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | 0] = name {
        name = rest;
    }
    while let [b' ' | 0, rest @ ..] = name {
        name = rest;
    }
    name
}

/// A message that is being written: the payload first, in the place where it is sent from.
#[derive(Debug)]
pub struct Draft {
    head: BytesMut,
    /// The payload so far.
    pub payload: BytesMut,
}

impl Draft {
    /// Room for a payload of so many bytes. More than that is copied once more.
    pub fn with_capacity(payload: usize) -> Self {
        let mut head = BytesMut::with_capacity(HEADER + payload);
        let payload = head.split_off(HEADER);
        Self { head, payload }
    }

    /// A draft of a payload that exists.
    pub fn of(payload: &[u8]) -> Self {
        let mut draft = Self::with_capacity(payload.len());
        draft.payload.extend_from_slice(payload);
        draft
    }

    /// The message as it is sent, in one binary frame.
    pub fn seal(self, header: &Header) -> Bytes {
        let Self { mut head, payload } = self;
        let name = header.kind.name().as_bytes();
        head.put_u32(HEADER_LENGTH);
        head.put_slice(name);
        head.put_bytes(b' ', KIND_LENGTH.saturating_sub(name.len()));
        head.put_u32(SCHEMA_VERSION);
        head.put_u64(header.created);
        head.put_i64(header.sequence);
        head.put_u64(header.flags);
        let id = u128::from_be_bytes(header.id.0);
        head.put_u128(id.rotate_left(64));
        head.put_slice(digest::digest(&digest::SHA256, &payload).as_ref());
        head.put_u32(header.payload.into());
        head.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        head.unsplit(payload);
        head.freeze()
    }
}
