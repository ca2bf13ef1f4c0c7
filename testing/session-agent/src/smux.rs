//! smux version 1 as the agent's side sees it: frames, and what a client may do with them.
//!
//! Source: the wire format of `xtaci/smux` version 1, little-endian.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Before each body, in bytes.
const HEADER: usize = 8;
/// The longest body that either side may send, in bytes.
pub const LONGEST: usize = 32_768;

/// What a frame does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Opens a stream.
    Syn,
    /// Closes a stream, both ways.
    Fin,
    /// Bytes of a stream.
    Push,
    /// Keeps the session alive.
    Nop,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it does.
    pub command: Command,
    /// Of which stream; 0 for NOP.
    pub stream: u32,
    /// Its bytes; empty but for PSH.
    pub body: Bytes,
}

/// Why bytes are no frames. The session cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is one version here.
    #[error("smux version {0} is not 1")]
    Version(u8),
    /// Commands are 0 to 3.
    #[error("smux has no command {0} in version 1")]
    Command(u8),
    /// A frame holds at most 32,768 bytes.
    #[error("a frame of {0} bytes is longer than 32,768")]
    Long(usize),
    /// Only PSH bears bytes.
    #[error("a frame that is not PSH bears {0} bytes")]
    Body(usize),
}

impl Frame {
    /// A frame without a body.
    pub fn bare(command: Command, stream: u32) -> Self {
        Self { command, stream, body: Bytes::new() }
    }

    /// As bytes. The body must not be longer than [`LONGEST`].
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HEADER + self.body.len());
        out.put_u8(1);
        out.put_u8(match self.command {
            Command::Syn => 0,
            Command::Fin => 1,
            Command::Push => 2,
            Command::Nop => 3,
        });
        out.put_u16_le(self.body.len() as u16);
        out.put_u32_le(self.stream);
        out.put_slice(&self.body);
        out.freeze()
    }
}

/// Bytes as they come, cut into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    rest: BytesMut,
}

impl Decoder {
    /// Takes some bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub fn frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let mut head: &[u8] = &self.rest;
        if head.len() < HEADER {
            return Ok(None);
        }
        let version = head.get_u8();
        let command = head.get_u8();
        let length = usize::from(head.get_u16_le());
        let stream = head.get_u32_le();
        if version != 1 {
            return Err(Malformed::Version(version));
        }
        let command = match command {
            0 => Command::Syn,
            1 => Command::Fin,
            2 => Command::Push,
            3 => Command::Nop,
            other => return Err(Malformed::Command(other)),
        };
        if length > LONGEST {
            return Err(Malformed::Long(length));
        }
        if command != Command::Push && length != 0 {
            return Err(Malformed::Body(length));
        }
        if head.len() < length {
            return Ok(None);
        }
        self.rest.advance(HEADER);
        Ok(Some(Frame { command, stream, body: self.rest.split_to(length).freeze() }))
    }
}

/// What the client's frames say of its streams, and what it may not do.
#[derive(Debug)]
pub struct Streams {
    /// Opened by the client and not closed by it.
    open: BTreeSet<u32>,
    highest: u32,
    keeps_alive: bool,
}

impl Streams {
    /// No stream yet. `keeps_alive`: whether the versions leave the client's keep-alive on.
    pub fn new(keeps_alive: bool) -> Self {
        Self { open: BTreeSet::new(), highest: 1, keeps_alive }
    }

    /// Looks at a frame: whether the agent acts on it, and what the client did wrong, if anything. A server of smux opens
    /// whatever stream is not open, whatever its number.
    pub fn look(&mut self, frame: &Frame) -> (bool, Option<String>) {
        let stream = frame.stream;
        let not_open =
            |what: &str| Some(format!("smux: {what} of stream {stream}, which the client has not open"));
        match frame.command {
            Command::Syn => {
                let expected = self.highest.wrapping_add(2);
                self.highest = self.highest.max(stream);
                let wrong = stream != expected;
                let wrong =
                    wrong.then(|| format!("smux: SYN of stream {stream} where {expected} is the next"));
                (self.open.insert(stream), wrong)
            }
            Command::Push if self.open.contains(&stream) => (true, None),
            Command::Push => (false, not_open("PSH")),
            Command::Fin if self.open.remove(&stream) => (true, None),
            Command::Fin => (false, not_open("FIN")),
            Command::Nop if self.keeps_alive => (true, None),
            Command::Nop => {
                (true, Some("smux: NOP, although the versions turn the client's keep-alive off".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(stream: u32, body: &'static [u8]) -> Frame {
        Frame { command: Command::Push, stream, body: Bytes::from_static(body) }
    }

    #[test]
    fn frames_are_laid_out_as_smux_lays_them_out() {
        assert_eq!(Frame::bare(Command::Syn, 3).encode().as_ref(), [1, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(push(0x0102_0305, b"ab").encode().as_ref(), [1, 2, 2, 0, 5, 3, 2, 1, b'a', b'b']);
    }

    #[test]
    fn frames_are_found_wherever_the_bytes_are_cut() {
        let frames =
            [Frame::bare(Command::Syn, 3), push(3, b"hello"), push(3, b""), Frame::bare(Command::Fin, 3)];
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.encode().to_vec()).collect();
        for size in 1..bytes.len() {
            let mut decoder = Decoder::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.push(piece);
                while let Some(frame) = decoder.frame().unwrap() {
                    found.push(frame);
                }
            }
            assert_eq!(found, frames, "cut every {size} bytes");
        }
    }

    #[test]
    fn what_is_no_frame_is_named() {
        fn check(bytes: [u8; 8], expected: Malformed) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            assert_eq!(decoder.frame(), Err(expected));
        }
        check([2, 0, 0, 0, 3, 0, 0, 0], Malformed::Version(2));
        check([1, 4, 8, 0, 3, 0, 0, 0], Malformed::Command(4));
        check([1, 2, 1, 0x80, 3, 0, 0, 0], Malformed::Long(32_769));
        check([1, 0, 1, 0, 3, 0, 0, 0], Malformed::Body(1));
    }

    #[test]
    fn a_client_numbers_its_streams_and_leaves_closed_ones_alone() {
        let mut streams = Streams::new(false);
        let mut check = |frame: Frame, acts: bool, expected: &str| {
            let (acted, wrong) = streams.look(&frame);
            let wrong = wrong.unwrap_or_default();
            assert_eq!(acted, acts, "{wrong}");
            assert!(wrong.contains(expected) && wrong.is_empty() == expected.is_empty(), "{wrong}");
        };
        check(Frame::bare(Command::Syn, 3), true, "");
        check(push(3, b"x"), true, "");
        check(push(5, b"x"), false, "PSH of stream 5");
        check(Frame::bare(Command::Syn, 5), true, "");
        check(Frame::bare(Command::Syn, 5), false, "SYN of stream 5 where 7");
        check(Frame::bare(Command::Syn, 8), true, "SYN of stream 8 where 7");
        check(push(8, b"x"), true, "");
        check(Frame::bare(Command::Fin, 3), true, "");
        check(push(3, b"x"), false, "PSH of stream 3");
        check(Frame::bare(Command::Fin, 3), false, "FIN of stream 3");
        check(Frame::bare(Command::Nop, 0), true, "keep-alive off");
        assert_eq!(Streams::new(true).look(&Frame::bare(Command::Nop, 0)), (true, None));
    }
}
