//! What goes to the agent, kept until it is acknowledged.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::round_trip::RoundTrip;

/// The agent looks for what to send again this often, and so do we.
const LOOK: Duration = Duration::from_millis(100);

/// How often one message is sent.
const MOST_TIMES: u32 = 3000;

/// How many messages lie between the first and the last that are not acknowledged.
const MOST_MESSAGES: usize = 1 << 16;

/// An agent is silent about what it has had before. A message that went ahead of so many others on one connection,
/// each of them acknowledged, has arrived: a connection keeps the order.
const OVERTAKEN: u32 = 16;

#[derive(Debug)]
struct Kept {
    /// None: acknowledged.
    frame: Option<Bytes>,
    weight: usize,
    data: bool,
    last: Option<Instant>,
    times: u32,
    /// Its place among all that was sent on this connection, when it was sent last and first.
    last_place: u64,
    first_place: u64,
    /// How often another was acknowledged that was sent after it, counted once each time that it is sent.
    overtaken: u32,
    counted: bool,
}

/// An acknowledgement that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) weight: usize,
    pub(super) data: bool,
}

/// One message was sent too often.
#[derive(Debug)]
pub(super) struct TooOften {
    pub(super) times: u32,
}

/// All messages that are not acknowledged, in order.
#[derive(Debug)]
pub(super) struct Outgoing {
    kept: VecDeque<Kept>,
    /// The sequence number of the first one that is kept.
    first: i64,
    /// The next one to be sent on this connection.
    cursor: i64,
    bytes: usize,
    round_trip: RoundTrip,
    looked: Option<Instant>,
    places: u64,
    /// A message with data was acknowledged, and everything before it.
    pub(super) opened: bool,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self {
            kept: VecDeque::new(),
            first: 0,
            cursor: 0,
            bytes: 0,
            round_trip: RoundTrip::new(),
            looked: None,
            places: 0,
            opened: false,
        }
    }

    /// The sequence number of the next message.
    pub(super) fn next_sequence(&self) -> i64 {
        self.first + i64::try_from(self.kept.len()).unwrap_or(i64::MAX)
    }

    pub(super) fn push(&mut self, frame: Bytes, weight: usize, data: bool) {
        self.bytes += weight;
        self.kept.push_back(Kept {
            frame: Some(frame),
            weight,
            data,
            last: None,
            times: 0,
            last_place: 0,
            first_place: 0,
            overtaken: 0,
            counted: false,
        });
    }

    fn place(&self, sequence: i64) -> Option<usize> {
        usize::try_from(sequence.checked_sub(self.first)?).ok().filter(|place| *place < self.kept.len())
    }

    /// Takes back a message, if it is the last one and nobody acknowledged it.
    pub(super) fn take_back(&mut self, sequence: i64) -> Option<Bytes> {
        if sequence + 1 != self.next_sequence() || self.kept.back()?.frame.is_none() {
            return None;
        }
        let kept = self.kept.pop_back()?;
        self.bytes -= kept.weight;
        self.cursor = self.cursor.min(sequence);
        kept.frame
    }

    /// Bytes that are not acknowledged.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn has_arrived(&self, sequence: i64) -> bool {
        sequence <= self.first
    }

    /// Everything that was given has been sent once on this connection.
    pub(super) fn is_sent(&self) -> bool {
        self.cursor == self.next_sequence()
    }

    pub(super) fn has_room(&self) -> bool {
        self.kept.len() < MOST_MESSAGES
    }

    /// Another connection: everything that is not acknowledged goes first.
    pub(super) fn begin_anew(&mut self) {
        self.cursor = self.first;
        self.looked = None;
        for kept in &mut self.kept {
            kept.overtaken = 0;
            kept.counted = false;
        }
    }

    /// The next message that was not yet sent on this connection.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<Bytes> {
        loop {
            let place = self.place(self.cursor)?;
            self.cursor += 1;
            let kept = self.kept.get_mut(place)?;
            let Some(frame) = kept.frame.clone() else { continue };
            self.places += 1;
            kept.last = Some(now);
            kept.times += 1;
            kept.first_place = self.places;
            kept.last_place = self.places;
            kept.counted = false;
            return Some(frame);
        }
    }

    /// When the first message is to be sent again, if nobody acknowledges it.
    pub(super) fn due(&self) -> Option<Instant> {
        let head = self.kept.front().filter(|_| self.cursor > self.first)?;
        // A clock that looks every 100 ms finds nothing younger twice.
        let due = head.last? + self.round_trip.timeout().max(LOOK);
        Some(self.looked.map_or(due, |looked| due.max(looked + LOOK)))
    }

    /// What is to be sent again: the first message and no other.
    pub(super) fn resend(&mut self, now: Instant) -> Result<Option<Bytes>, TooOften> {
        if self.due().is_none_or(|due| due > now) {
            return Ok(None);
        }
        self.looked = Some(now);
        let Some(kept) = self.kept.front_mut() else { return Ok(None) };
        if kept.times >= MOST_TIMES {
            return Err(TooOften { times: kept.times });
        }
        self.places += 1;
        kept.times += 1;
        kept.last = Some(now);
        kept.last_place = self.places;
        kept.counted = false;
        Ok(kept.frame.clone())
    }

    /// Takes in an acknowledgement; none: nobody waits for it, or it is of something that was never sent.
    pub(super) fn acknowledge(&mut self, sequence: i64, now: Instant) -> Option<Acknowledged> {
        let place = self.place(sequence)?;
        let kept = self.kept.get_mut(place)?;
        let last = kept.last?;
        kept.frame.take()?;
        if kept.times == 1 {
            self.round_trip.sample(now.duration_since(last));
        }
        let acknowledged = Acknowledged { weight: kept.weight, data: kept.data };
        let first_place = kept.first_place;
        self.bytes -= kept.weight;
        for earlier in self.kept.iter_mut().take(place) {
            if earlier.frame.is_some() && !earlier.counted && earlier.last_place < first_place {
                earlier.counted = true;
                earlier.overtaken += 1;
            }
        }
        self.forget();
        Some(acknowledged)
    }

    fn forget(&mut self) {
        while let Some(head) = self.kept.front() {
            let has_arrived = head.frame.is_none() || (self.opened && head.overtaken >= OVERTAKEN);
            if !has_arrived {
                return;
            }
            if let Some(head) = self.kept.pop_front() {
                if head.frame.is_some() {
                    self.bytes -= head.weight;
                }
                self.opened |= head.data;
                self.first += 1;
                self.cursor = self.cursor.max(self.first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn of(count: usize) -> (Outgoing, Instant) {
        let mut outgoing = Outgoing::new();
        for number in 0..count {
            outgoing.push(Bytes::from(number.to_string()), 10, true);
        }
        (outgoing, Instant::now())
    }

    fn sent(outgoing: &mut Outgoing, now: Instant) -> Vec<Bytes> {
        std::iter::from_fn(|| outgoing.transmit(now)).collect()
    }

    #[test]
    fn only_the_first_is_sent_again() {
        let (mut outgoing, mut now) = of(3);
        assert_eq!(sent(&mut outgoing, now), ["0", "1", "2"]);
        assert!(outgoing.resend(now + Duration::from_millis(199)).unwrap().is_none());
        let mut again = Vec::new();
        for _ in 0..8 {
            now = outgoing.due().unwrap();
            again.push(outgoing.resend(now).unwrap().unwrap());
        }
        assert_eq!(again, ["0"; 8]);
        outgoing.acknowledge(0, now);
        now = outgoing.due().unwrap();
        assert_eq!(outgoing.resend(now).unwrap().unwrap(), "1");
    }

    #[test]
    fn acknowledgements_come_in_any_order() {
        let (mut outgoing, now) = of(3);
        let check = |outgoing: &mut Outgoing, sequence, known, bytes| {
            assert_eq!(outgoing.acknowledge(sequence, now).is_some(), known);
            assert_eq!(outgoing.bytes(), bytes);
        };
        check(&mut outgoing, 0, false, 30);
        sent(&mut outgoing, now);
        check(&mut outgoing, 1, true, 20);
        check(&mut outgoing, 1, false, 20);
        check(&mut outgoing, 3, false, 20);
        check(&mut outgoing, -1, false, 20);
        check(&mut outgoing, i64::MIN, false, 20);
        check(&mut outgoing, 0, true, 10);
        check(&mut outgoing, 2, true, 0);
        assert!(outgoing.is_empty() && outgoing.due().is_none());
    }

    #[test]
    fn a_new_connection_begins_with_what_was_not_acknowledged() {
        let (mut outgoing, now) = of(4);
        sent(&mut outgoing, now);
        outgoing.acknowledge(0, now);
        outgoing.acknowledge(2, now);
        outgoing.begin_anew();
        assert!(outgoing.due().is_none(), "nothing is sent again before it was sent here");
        assert_eq!(sent(&mut outgoing, now + SECOND), ["1", "3"]);
    }

    #[test]
    fn a_message_whose_acknowledgement_was_lost_does_not_hold_up_the_rest() {
        let (mut outgoing, mut now) = of(2);
        sent(&mut outgoing, now);
        outgoing.acknowledge(0, now);
        for sequence in 2..100 {
            now = now.max(outgoing.due().unwrap());
            outgoing.resend(now).unwrap();
            outgoing.push(Bytes::from_static(b"more"), 10, true);
            sent(&mut outgoing, now);
            outgoing.acknowledge(sequence, now);
            if outgoing.is_empty() {
                assert_eq!(sequence, 2 + i64::from(OVERTAKEN) - 1);
                return;
            }
        }
        panic!("it held up the rest");
    }

    #[test]
    fn only_the_last_message_is_taken_back() {
        let (mut outgoing, now) = of(3);
        sent(&mut outgoing, now);
        assert_eq!(outgoing.take_back(1), None);
        assert_eq!(outgoing.take_back(2).unwrap(), "2");
        assert_eq!((outgoing.next_sequence(), outgoing.bytes(), outgoing.is_sent()), (2, 20, true));
        outgoing.acknowledge(1, now);
        assert_eq!(outgoing.take_back(1), None, "it has arrived");
    }

    #[test]
    fn one_that_is_never_taken_is_given_up() {
        let (mut outgoing, _) = of(1);
        sent(&mut outgoing, Instant::now());
        for _ in 1..MOST_TIMES {
            let due = outgoing.due().unwrap();
            assert!(outgoing.resend(due).unwrap().is_some());
        }
        let due = outgoing.due().unwrap();
        assert!(outgoing.resend(due).is_err_and(|too_often| too_often.times == MOST_TIMES));
    }
}
