//! Many connections in one row of bytes: smux, version 1, from the client's side, without any clock or socket.
//!
//! A frame is a version, a command, a length and a stream's number, little-endian, and so many bytes. There is no window:
//! who sends is stopped by nothing but what carries the frames. So what nobody reads is kept for each stream up to a
//! bound for all, and when that is reached nothing more should be given to [`Smux::receive`].

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, BufMut, BytesMut};

/// Bytes before a frame's content.
pub const HEADER: usize = 8;

/// The longest content of a frame that we send, in bytes.
pub const FRAME: usize = 32_768;

/// What all streams together keep for their readers before nothing more should be received, in bytes.
pub const BUCKET: usize = 4 << 20;

/// What one stream keeps for being sent, in bytes.
const SENDING: usize = 128 << 10;

const VERSION: u8 = 1;

/// Why the far side's bytes are no smux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmuxError {
    /// Another version.
    #[error("the far side speaks version {version} of smux")]
    Version {
        /// Which.
        version: u8,
    },
    /// No command of this version.
    #[error("the far side sent the command {command}, which smux does not have")]
    Command {
        /// Which.
        command: u8,
    },
}

/// What a frame does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Open,
    Finish,
    Push,
    Nothing,
}

impl Command {
    fn of(number: u8) -> Result<Self, SmuxError> {
        match number {
            0 => Ok(Self::Open),
            1 => Ok(Self::Finish),
            2 => Ok(Self::Push),
            3 => Ok(Self::Nothing),
            command => Err(SmuxError::Command { command }),
        }
    }
}

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

fn put_frame(payload: &mut BytesMut, command: Command, id: u32, content: &[u8]) {
    payload.put_u8(VERSION);
    payload.put_u8(match command {
        Command::Open => 0,
        Command::Finish => 1,
        Command::Push => 2,
        Command::Nothing => 3,
    });
    payload.put_u16_le(u16::try_from(content.len()).unwrap_or(u16::MAX));
    payload.put_u32_le(id);
    payload.put_slice(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(smux: &mut Smux, most: usize) -> Vec<u8> {
        let mut payload = BytesMut::new();
        smux.fill(&mut payload, most);
        payload.to_vec()
    }

    fn frame(command: Command, id: u32, content: &[u8]) -> Vec<u8> {
        let mut payload = BytesMut::new();
        put_frame(&mut payload, command, id, content);
        payload.to_vec()
    }

    fn read(smux: &mut Smux, id: u32) -> (Vec<u8>, Read) {
        let mut all = Vec::new();
        loop {
            match smux.read(id, &mut (&mut all).limit(7)) {
                Read::Bytes(_) => {}
                other => return (all, other),
            }
        }
    }

    #[test]
    fn a_stream_is_opened_written_and_closed_in_frames() {
        let mut smux = Smux::new();
        let id = smux.open().unwrap();
        assert_eq!(smux.write(id, b"\n"), Some(1));
        smux.close(id);
        let expected = [1, 0, 0, 0, 3, 0, 0, 0, 1, 2, 1, 0, 3, 0, 0, 0, b'\n', 1, 1, 0, 0, 3, 0, 0, 0];
        assert_eq!(sent(&mut smux, 1024), expected);
        assert_eq!((smux.streams(), smux.has_more(), smux.open()), (0, false, Some(5)));
    }

    #[test]
    fn nobody_waits_behind_one_that_has_much_to_send() {
        let mut smux = Smux::new();
        let (much, little) = (smux.open().unwrap(), smux.open().unwrap());
        smux.write(much, &[7; SENDING]);
        smux.write(little, b"me too");
        let payload = sent(&mut smux, 2 * FRAME);
        let place = payload.windows(6).position(|bytes| bytes == b"me too").unwrap();
        assert_eq!(place, HEADER + HEADER + FRAME + HEADER + HEADER);
    }

    #[test]
    fn who_writes_too_much_is_told_when_there_is_room() {
        let mut smux = Smux::new();
        let id = smux.open().unwrap();
        assert_eq!(smux.write(id, &[7; SENDING + 1]), Some(SENDING));
        assert_eq!(smux.write(id, b"more"), Some(0));
        assert_eq!(smux.poll_event(), None);
        sent(&mut smux, 1024);
        assert_eq!(smux.poll_event(), Some(Event::Writable(id)));
        assert_eq!(smux.write(id, b"more"), Some(4));
    }

    #[test]
    fn a_full_bucket_says_so_and_nobodys_bytes_are_lost() {
        let mut smux = Smux::new();
        let (stalled, other) = (smux.open().unwrap(), smux.open().unwrap());
        let mut pushed = 0;
        while !smux.is_full() {
            smux.receive(&frame(Command::Push, stalled, &[1; 1000])).unwrap();
            smux.receive(&frame(Command::Push, other, &[2; 10])).unwrap();
            pushed += 1;
        }
        assert_eq!(read(&mut smux, other), (vec![2; pushed * 10], Read::Nothing));
        assert!(!smux.is_full());
        assert_eq!(read(&mut smux, stalled), (vec![1; pushed * 1000], Read::Nothing));
        assert_eq!(smux.received, 0);
    }

    #[test]
    fn what_was_sent_before_an_end_is_read_before_it() {
        let mut smux = Smux::new();
        let id = smux.open().unwrap();
        assert_eq!(smux.read(id, &mut Vec::new()), Read::Nothing);
        let mut bytes = frame(Command::Push, id, b"bye");
        bytes.extend(frame(Command::Finish, id, b""));
        bytes.extend(frame(Command::Push, id, b"what"));
        smux.receive(&bytes).unwrap();
        assert_eq!(smux.poll_event(), Some(Event::Readable(id)));
        assert_eq!(read(&mut smux, id), (b"bye".to_vec(), Read::End));
        assert_eq!(smux.write(id, b"hello?"), None);
    }

    #[test]
    fn what_was_answered_is_no_longer_counted() {
        let mut smux = Smux::new();
        let (first, second) = (smux.open().unwrap(), smux.open().unwrap());
        smux.write(first, &[7; 1000]);
        smux.write(second, &[7; 10]);
        assert_eq!(smux.unanswered(), 0);
        sent(&mut smux, 2000);
        assert_eq!(smux.unanswered(), 1010);
        smux.receive(&frame(Command::Push, first, b"thanks")).unwrap();
        assert_eq!(smux.unanswered(), 10);
        smux.close(second);
        sent(&mut smux, 2000);
        assert_eq!(smux.unanswered(), 0);
    }

    #[test]
    fn who_finishes_first_still_reads() {
        let mut smux = Smux::new();
        let id = smux.open().unwrap();
        smux.finish(id);
        let ends = |payload: Vec<u8>| payload.chunks(HEADER).filter(|frame| frame[1] == 1).count();
        assert_eq!(ends(sent(&mut smux, 1024)), 1);
        assert_eq!(smux.write(id, b"more"), None);
        smux.receive(&frame(Command::Push, id, b"answer")).unwrap();
        smux.receive(&frame(Command::Finish, id, b"")).unwrap();
        assert_eq!(read(&mut smux, id), (b"answer".to_vec(), Read::End));
        smux.close(id);
        assert_eq!((sent(&mut smux, 1024).len(), smux.streams.len(), smux.dead()), (0, 0, 0));
    }

    #[test]
    fn a_refusal_is_of_the_stream_that_ends_without_a_byte() {
        let mut smux = Smux::new();
        let (served, refused, ended) = (smux.open().unwrap(), smux.open().unwrap(), smux.open().unwrap());
        smux.receive(&frame(Command::Push, served, b"hello")).unwrap();
        smux.refused();
        for id in [served, refused, ended] {
            smux.receive(&frame(Command::Finish, id, b"")).unwrap();
            smux.receive(&frame(Command::Finish, id, b"")).unwrap();
        }
        assert_eq!(read(&mut smux, served), (b"hello".to_vec(), Read::End));
        assert_eq!(read(&mut smux, refused), (Vec::new(), Read::Refused));
        assert_eq!(read(&mut smux, ended), (Vec::new(), Read::End));
        assert_eq!(smux.dead(), 2);
    }

    #[test]
    fn what_a_closed_stream_gets_is_thrown_away() {
        let mut smux = Smux::new();
        let id = smux.open().unwrap();
        smux.receive(&frame(Command::Push, id, b"late")).unwrap();
        smux.close(id);
        smux.receive(&frame(Command::Push, id, b"later")).unwrap();
        sent(&mut smux, 1024);
        smux.receive(&frame(Command::Push, id, b"latest")).unwrap();
        smux.receive(&frame(Command::Push, 4, b"from where?")).unwrap();
        assert_eq!((smux.received, smux.streams.len()), (0, 0));
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        let check = |bytes: &[u8], expected| assert_eq!(Smux::new().receive(bytes), expected);
        check(&[1, 3, 0, 0, 0, 0, 0, 0], Ok(()));
        check(&[2, 3, 0, 0, 0, 0, 0, 0], Err(SmuxError::Version { version: 2 }));
        check(&[1, 4, 0, 0, 0, 0, 0, 0], Err(SmuxError::Command { command: 4 }));
        check(&[1, 3, 0, 0, 0], Ok(()));
    }

    /// The far side of a session, which collects what each stream gets.
    fn collected(bytes: &[u8]) -> BTreeMap<u32, (Vec<u8>, bool)> {
        let mut streams: BTreeMap<u32, (Vec<u8>, bool)> = BTreeMap::new();
        let mut rest = bytes;
        while let [1, command, low, high, a, b, c, d, after @ ..] = rest {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let stream = streams.entry(u32::from_le_bytes([*a, *b, *c, *d])).or_default();
            stream.0.extend_from_slice(&after[..length]);
            stream.1 |= *command == 1;
            rest = &after[length..];
        }
        assert!(rest.is_empty());
        streams
    }

    proptest! {
        #[test]
        fn every_byte_arrives_at_its_stream_however_it_is_cut(
            writes in prop::collection::vec((0..5usize, prop::collection::vec(any::<u8>(), 0..3000)), 0..40),
            most in 9..70_000usize,
            cut in 1..5000usize,
        ) {
            let mut smux = Smux::new();
            let ids: Vec<u32> = (0..5).map(|_| smux.open().unwrap()).collect();
            let (mut wire, mut wanted) = (Vec::new(), BTreeMap::<u32, Vec<u8>>::new());
            for (stream, bytes) in &writes {
                prop_assert_eq!(smux.write(ids[*stream], bytes), Some(bytes.len()));
                wanted.entry(ids[*stream]).or_default().extend(bytes);
                let payload = sent(&mut smux, most);
                prop_assert!(payload.len() <= most);
                wire.extend(payload);
            }
            ids.iter().for_each(|id| smux.close(*id));
            while smux.has_more() {
                wire.extend(sent(&mut smux, most));
            }
            let collected = collected(&wire);
            for id in &ids {
                prop_assert_eq!(&collected[id].0, &wanted.remove(id).unwrap_or_default());
                prop_assert!(collected[id].1);
            }

            // The same bytes as if they came from the far side.
            let mut smux = Smux::new();
            ids.iter().for_each(|_| assert!(smux.open().is_some()));
            for bytes in wire.chunks(cut) {
                smux.receive(bytes).unwrap();
            }
            for id in ids {
                prop_assert_eq!(read(&mut smux, id), (collected[&id].0.clone(), Read::End));
            }
        }
    }
}
