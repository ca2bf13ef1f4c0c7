//! Many connections in one row of bytes: smux, version 1, from the client's side, without any clock or socket.
//!
//! A frame is a version, a command, a length and a stream's number, little-endian, and so many bytes. There is no window:
//! who sends is stopped by nothing but what carries the frames. So what nobody reads is kept for each stream up to a
//! bound for all, and when that is reached nothing more should be given to [`Smux::receive`].

mod frame;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, BufMut, BytesMut};

use frame::{Command, VERSION, put_frame};
pub use frame::{FRAME, HEADER, SmuxError};

/// What all streams together keep for their readers before nothing more should be received, in bytes.
pub const BUCKET: usize = 4 << 20;

/// What one stream keeps for being sent, in bytes.
const SENDING: usize = 128 << 10;

/// Something that happened to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// There is something to read, or an end.
    Readable(u32),
    /// There is room to write.
    Writable(u32),
}

/// What reading gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// The far side sends no more.
    End,
    /// The far side had nothing to connect the stream to.
    Refused,
    /// Nothing yet.
    Nothing,
}

/// How far the end of what we send is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    Unwanted,
    Wanted,
    Sent,
}

#[derive(Debug, Default)]
struct Stream {
    /// For the reader.
    received: BytesMut,
    /// How many bytes came in all.
    came: u64,
    /// How many bytes were sent since something came last.
    unanswered: usize,
    /// The far side has finished: nothing comes, and it takes nothing.
    is_finished: bool,
    /// For the far side.
    sending: BytesMut,
    opening: bool,
    end: End,
    /// Nobody here reads any more.
    is_closed: bool,
    /// The far side had nothing to connect it to.
    is_refused: bool,
    /// It waits for its turn to send.
    in_turn: bool,
    reader_waits: bool,
    writer_waits: bool,
}

/// All streams of a session.
#[derive(Debug, Default)]
pub struct Smux {
    streams: BTreeMap<u32, Stream>,
    last: u32,
    turns: VecDeque<u32>,
    events: VecDeque<Event>,
    /// The part of a frame that has come: its header, or how much of its content is still to come, and for whom.
    header: BytesMut,
    content: Option<(u32, usize)>,
    received: usize,
    nothing: bool,
    refusals: u64,
    dead: u64,
    unanswered: usize,
}

impl Smux {
    /// No streams.
    pub fn new() -> Self {
        Self { last: 1, ..Self::default() }
    }

    /// Opens a stream; none: all numbers have been used. The far side says nothing to it.
    pub fn open(&mut self) -> Option<u32> {
        let id = self.last.checked_add(2)?;
        self.last = id;
        self.streams.insert(id, Stream { opening: true, ..Stream::default() });
        self.wants_turn(id);
        Some(id)
    }

    /// How many streams are open here.
    pub fn streams(&self) -> usize {
        self.streams.values().filter(|stream| !stream.is_closed).count()
    }

    /// Nothing more should be received until something is read.
    pub fn is_full(&self) -> bool {
        self.received >= BUCKET
    }

    /// Something waits to be sent.
    pub fn has_more(&self) -> bool {
        self.nothing || !self.turns.is_empty()
    }

    /// How many bytes wait to be sent, counted up to so many.
    pub fn waiting(&self, most: usize) -> usize {
        let mut waiting = HEADER;
        for stream in self.turns.iter().filter_map(|id| self.streams.get(id)) {
            waiting += 3 * HEADER + stream.sending.len();
            if waiting >= most {
                return most;
            }
        }
        waiting
    }

    /// The far side said of one stream that it has nothing to connect it to; which one shows when it is finished.
    pub fn refused(&mut self) {
        self.refusals += 1;
    }

    /// How many bytes were sent on all streams that are open, on each since something came on it last. What was answered
    /// was read there; what was not may still lie on the way.
    pub fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// How many streams the far side ended before it sent a byte and before we ended them.
    pub fn dead(&self) -> u64 {
        self.dead
    }

    /// Sends a frame that means nothing, to show that we are here.
    pub fn keep_alive(&mut self) {
        self.nothing = true;
    }

    fn wants_turn(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.in_turn
        {
            stream.in_turn = true;
            self.turns.push_back(id);
        }
    }

    /// What happened to streams. Each thing is said once to who waits for it.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes bytes of the far side, cut anywhere.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), SmuxError> {
        while !bytes.is_empty() {
            if let Some((id, left)) = self.content.take() {
                let (now, rest) = bytes.split_at(left.min(bytes.len()));
                bytes = rest;
                self.deliver(id, now);
                self.content = Some((id, left - now.len())).filter(|(_, left)| *left > 0);
                continue;
            }
            let (now, rest) = bytes.split_at((HEADER - self.header.len()).min(bytes.len()));
            self.header.extend_from_slice(now);
            bytes = rest;
            if self.header.len() == HEADER {
                self.begin_frame()?;
            }
        }
        Ok(())
    }

    fn begin_frame(&mut self) -> Result<(), SmuxError> {
        let mut header = self.header.split();
        let version = header.get_u8();
        if version != VERSION {
            return Err(SmuxError::Version { version });
        }
        let command = Command::of(header.get_u8())?;
        let length = usize::from(header.get_u16_le());
        let id = header.get_u32_le();
        match command {
            Command::Push => self.content = Some((id, length)).filter(|(_, length)| *length > 0),
            Command::Finish => self.finished(id),
            // Only the client opens streams; what would come in one that the far side opens is for nobody.
            Command::Open | Command::Nothing => {}
        }
        Ok(())
    }

    fn deliver(&mut self, id: u32, bytes: &[u8]) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        self.unanswered -= std::mem::take(&mut stream.unanswered);
        if stream.is_closed || stream.is_finished {
            return;
        }
        stream.received.extend_from_slice(bytes);
        stream.came += bytes.len() as u64;
        self.received += bytes.len();
        if std::mem::take(&mut stream.reader_waits) {
            self.events.push_back(Event::Readable(id));
        }
    }

    fn finished(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.is_finished) else { return };
        stream.is_finished = true;
        if stream.came == 0 && stream.end == End::Unwanted {
            self.dead += 1;
        }
        if stream.came == 0 && self.refusals > 0 {
            self.refusals -= 1;
            stream.is_refused = true;
        }
        // The far side throws away what comes for it.
        stream.sending = BytesMut::new();
        self.unanswered -= std::mem::take(&mut stream.unanswered);
        if std::mem::take(&mut stream.reader_waits) {
            self.events.push_back(Event::Readable(id));
        }
        if std::mem::take(&mut stream.writer_waits) {
            self.events.push_back(Event::Writable(id));
        }
    }

    /// Reads what came for a stream. Who gets nothing is told by [`Event::Readable`].
    pub fn read(&mut self, id: u32, into: &mut impl BufMut) -> Read {
        let Some(stream) = self.streams.get_mut(&id) else { return Read::End };
        let count = stream.received.len().min(into.remaining_mut());
        if count > 0 {
            into.put(stream.received.split_to(count));
            self.received -= count;
            if stream.received.is_empty() {
                stream.received = BytesMut::new();
            }
            return Read::Bytes(count);
        }
        if stream.received.is_empty() && stream.is_finished {
            return if stream.is_refused { Read::Refused } else { Read::End };
        }
        stream.reader_waits = true;
        Read::Nothing
    }

    /// Takes bytes to be sent; how many. Who gets rid of none is told by [`Event::Writable`]; none at all: the far side
    /// takes no more.
    pub fn write(&mut self, id: u32, bytes: &[u8]) -> Option<usize> {
        let is_open = |stream: &&mut Stream| !stream.is_finished && stream.end == End::Unwanted;
        let stream = self.streams.get_mut(&id).filter(is_open)?;
        let (now, _) = bytes.split_at(SENDING.saturating_sub(stream.sending.len()).min(bytes.len()));
        if now.is_empty() {
            stream.writer_waits = !bytes.is_empty();
            return Some(0);
        }
        stream.sending.extend_from_slice(now);
        self.wants_turn(id);
        Some(now.len())
    }

    /// Waits for [`Event::Writable`] until all that was written is on its way; true: it is.
    pub fn flushed(&mut self, id: u32) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return true };
        stream.writer_waits |= !stream.sending.is_empty();
        stream.sending.is_empty()
    }

    /// All that was written is on its way.
    pub fn is_sent(&self, id: u32) -> bool {
        self.streams.get(&id).is_none_or(|stream| stream.sending.is_empty() && !stream.opening)
    }

    /// How many bytes came for a stream in all.
    pub fn came(&self, id: u32) -> u64 {
        self.streams.get(&id).map_or(0, |stream| stream.came)
    }

    /// Says that no more comes, when all that was written is sent. The far side closes its connection then, in both
    /// directions.
    pub fn finish(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.end == End::Unwanted
        {
            stream.end = End::Wanted;
            self.wants_turn(id);
        }
    }

    /// The same, and throws away what still comes.
    pub fn close(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.is_closed {
            return;
        }
        stream.is_closed = true;
        self.received -= stream.received.len();
        stream.received = BytesMut::new();
        match stream.end {
            End::Unwanted => self.finish(id),
            End::Wanted => {}
            End::Sent => self.remove(id),
        }
    }

    fn remove(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(&id) {
            self.unanswered -= stream.unanswered;
        }
    }

    /// Fills a payload up to so many bytes with frames: each stream that has something in turn.
    pub fn fill(&mut self, payload: &mut BytesMut, most: usize) {
        if self.nothing && payload.len() + HEADER <= most {
            put_frame(payload, Command::Nothing, 0, &[]);
            self.nothing = false;
        }
        while let Some(id) = self.turns.pop_front() {
            let room = most.saturating_sub(payload.len());
            // An opening, some content and an end, or at least one of them with a byte.
            if room <= HEADER {
                self.turns.push_front(id);
                return;
            }
            if self.turn(id, payload, room) {
                self.turns.push_back(id);
            } else if let Some(stream) = self.streams.get_mut(&id) {
                stream.in_turn = false;
                if stream.is_closed && stream.end == End::Sent {
                    self.remove(id);
                }
            }
        }
    }

    /// One stream's turn; true: it has more.
    fn turn(&mut self, id: u32, payload: &mut BytesMut, mut room: usize) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return false };
        if stream.opening {
            stream.opening = false;
            put_frame(payload, Command::Open, id, &[]);
            room -= HEADER;
        }
        if !stream.sending.is_empty() {
            if room <= HEADER {
                return true;
            }
            let count = stream.sending.len().min(FRAME).min(room - HEADER);
            put_frame(payload, Command::Push, id, &stream.sending.split_to(count));
            room -= HEADER + count;
            stream.unanswered += count;
            self.unanswered += count;
            if stream.sending.is_empty() {
                stream.sending = BytesMut::new();
            }
            if std::mem::take(&mut stream.writer_waits) {
                self.events.push_back(Event::Writable(id));
            }
        }
        if !stream.sending.is_empty() {
            return true;
        }
        if stream.end == End::Wanted {
            if room < HEADER {
                return true;
            }
            put_frame(payload, Command::Finish, id, &[]);
            stream.end = End::Sent;
        }
        false
    }
}
