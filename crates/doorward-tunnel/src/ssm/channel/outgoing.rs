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

/// After so many times in vain, others have a turn too: the acknowledgement may be what was lost.
const TURN: u32 = 4;

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
    in_vain: u32,
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
            in_vain: 0,
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

    /// Puts something else in the place of a message that is not acknowledged.
    pub(super) fn replace(&mut self, sequence: i64, frame: Bytes, weight: usize) {
        let Some(kept) = self.place(sequence).and_then(|place| self.kept.get_mut(place)) else { return };
        if kept.frame.is_some() {
            self.bytes = self.bytes - kept.weight + weight;
            kept.weight = weight;
            kept.frame = Some(frame);
        }
    }

    /// Bytes that are not acknowledged.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn was_sent(&self, sequence: i64) -> bool {
        sequence < self.cursor
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

    /// A message that was sent after this one is acknowledged, and this one is not.
    pub(super) fn is_overtaken(&self, sequence: i64) -> bool {
        let kept = self.place(sequence).and_then(|place| self.kept.get(place));
        kept.is_some_and(|kept| kept.frame.is_some() && (kept.counted || kept.overtaken > 0))
    }

    /// Another connection: everything that is not acknowledged goes first.
    pub(super) fn begin_anew(&mut self) {
        self.cursor = self.first;
        self.in_vain = 0;
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
        let due = head.last? + self.round_trip.timeout();
        Some(self.looked.map_or(due, |looked| due.max(looked + LOOK)))
    }

    /// What is to be sent again: the first message, and now and then another one.
    pub(super) fn resend(&mut self, now: Instant) -> Result<Option<Bytes>, TooOften> {
        if self.due().is_none_or(|due| due > now) {
            return Ok(None);
        }
        self.looked = Some(now);
        self.in_vain += 1;
        let timeout = self.round_trip.timeout();
        let sent = usize::try_from(self.cursor - self.first).unwrap_or(0);
        let is_due = |kept: &&mut Kept| kept.last.is_some_and(|last| now.duration_since(last) >= timeout);
        let waiting = self.kept.iter_mut().take(sent).filter(|kept| kept.frame.is_some());
        let chosen = if self.in_vain.is_multiple_of(TURN) {
            waiting.filter(is_due).min_by_key(|kept| kept.last)
        } else {
            waiting.into_iter().next()
        };
        let Some(kept) = chosen else { return Ok(None) };
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
        if place == 0 {
            self.in_vain = 0;
        }
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
    fn only_the_first_is_sent_again_and_now_and_then_another() {
        let (mut outgoing, mut now) = of(3);
        assert_eq!(sent(&mut outgoing, now), ["0", "1", "2"]);
        assert!(outgoing.resend(now + Duration::from_millis(199)).unwrap().is_none());
        let mut again = Vec::new();
        for _ in 0..8 {
            now = outgoing.due().unwrap();
            again.push(outgoing.resend(now).unwrap().unwrap());
        }
        assert_eq!(again, ["0", "0", "0", "1", "0", "0", "0", "2"]);
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
