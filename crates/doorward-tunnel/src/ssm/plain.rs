//! The one connection of a session that tells no connections apart: its bytes as they are.

use bytes::{BufMut, BytesMut};

use super::smux::{BUCKET, Read};

/// What is kept for being sent, in bytes.
const SENDING: usize = 256 << 10;

/// Bytes both ways.
#[derive(Debug, Default)]
pub(super) struct Plain {
    received: BytesMut,
    sending: BytesMut,
    is_opened: bool,
    is_shut: bool,
    reader_waits: bool,
    writer_waits: bool,
    unanswered: usize,
    came: u64,
    is_finished: bool,
}

impl Plain {
    /// The only connection there is, once.
    pub(super) fn open(&mut self) -> bool {
        !std::mem::replace(&mut self.is_opened, true)
    }

    pub(super) fn is_full(&self) -> bool {
        self.received.len() >= BUCKET
    }

    pub(super) fn has_more(&self) -> bool {
        !self.sending.is_empty()
    }

    pub(super) fn waiting(&self) -> usize {
        self.sending.len()
    }

    /// Takes bytes of the far side; true: somebody waited for them.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> bool {
        self.received.extend_from_slice(bytes);
        self.came += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.unanswered = 0;
        std::mem::take(&mut self.reader_waits)
    }

    pub(super) fn read(&mut self, into: &mut impl BufMut) -> Read {
        let count = self.received.len().min(into.remaining_mut());
        if count == 0 && self.is_finished {
            return Read::End;
        }
        if count == 0 {
            self.reader_waits = true;
            return Read::Nothing;
        }
        into.put(self.received.split_to(count));
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
        Read::Bytes(count)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_shut {
            return None;
        }
        let (now, _) = bytes.split_at(SENDING.saturating_sub(self.sending.len()).min(bytes.len()));
        self.writer_waits = now.is_empty() && !bytes.is_empty();
        self.sending.extend_from_slice(now);
        Some(now.len())
    }

    pub(super) fn flushed(&mut self) -> bool {
        self.writer_waits |= !self.sending.is_empty();
        self.sending.is_empty()
    }

    /// How many bytes were sent since something came last.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    pub(super) fn shut(&mut self) {
        self.is_shut = true;
    }

    /// All that was written was taken to be sent.
    pub(super) fn is_sent(&self) -> bool {
        self.sending.is_empty()
    }

    /// How many bytes came in all.
    pub(super) fn came(&self) -> u64 {
        self.came
    }

    /// Nothing more is expected; true: somebody waited for it.
    pub(super) fn finish(&mut self) -> bool {
        self.is_finished = true;
        std::mem::take(&mut self.reader_waits)
    }

    /// Fills a payload up to so many bytes; true: somebody waited for room.
    pub(super) fn fill(&mut self, payload: &mut BytesMut, most: usize) -> bool {
        let count = self.sending.len().min(most);
        payload.put(self.sending.split_to(count));
        self.unanswered += count;
        std::mem::take(&mut self.writer_waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_as_they_are() {
        let mut plain = Plain::default();
        assert!(plain.open() && !plain.open());
        assert_eq!(plain.write(b"\n"), Some(1));
        assert_eq!(plain.write(&[7; SENDING]), Some(SENDING - 1));
        assert_eq!(plain.write(b"more"), Some(0));
        let mut payload = BytesMut::new();
        assert!(plain.fill(&mut payload, 1));
        assert_eq!(payload, "\n");
        assert!(!plain.receive(b"\n"));
        let mut read = Vec::new();
        assert_eq!((plain.read(&mut read), read.as_slice()), (Read::Bytes(1), &b"\n"[..]));
        assert_eq!(plain.read(&mut Vec::new()), Read::Nothing);
        assert!(plain.receive(b"x"));
        plain.shut();
        assert_eq!(plain.write(b"more"), None);
        assert!(!plain.finish() && plain.came() == 2);
        assert_eq!((plain.read(&mut read), read.as_slice()), (Read::Bytes(1), &b"\nx"[..]));
        assert_eq!(plain.read(&mut read), Read::End);
    }
}
