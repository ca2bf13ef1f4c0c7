//! What comes from the agent, put in order.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::ssm::message::PayloadType;

/// How far ahead of the next message one may be.
const AHEAD: i64 = 4096;

/// How many bytes are kept of messages that came early.
const MOST: usize = 4 << 20;

/// What a message in a bag weighs besides its payload.
const BAG: usize = 128;

/// What is to be done about a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is taken: acknowledge it.
    Yes,
    /// It was there already: acknowledge it again, the first time was lost.
    Before,
    /// There is no room for it: it comes again.
    No,
}

/// The messages that came early, and which one is next.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    next: i64,
    early: BTreeMap<i64, (PayloadType, Bytes)>,
    bytes: usize,
}

impl Incoming {
    pub(super) fn take(&mut self, sequence: i64, payload_type: PayloadType, payload: Bytes) -> Taken {
        if sequence < self.next || self.early.contains_key(&sequence) {
            return Taken::Before;
        }
        let is_next = sequence == self.next;
        let weight = payload.len() + BAG;
        if !is_next && (sequence.saturating_sub(self.next) >= AHEAD || self.bytes + weight > MOST) {
            return Taken::No;
        }
        // What came early is kept on its own: it would hold on to all that was read with it.
        let payload = if is_next { payload } else { Bytes::copy_from_slice(&payload) };
        self.bytes += weight;
        self.early.insert(sequence, (payload_type, payload));
        Taken::Yes
    }

    pub(super) fn has_gap(&self) -> bool {
        !self.early.is_empty()
    }

    /// The next message in order, if it is there.
    pub(super) fn next(&mut self) -> Option<(PayloadType, Bytes)> {
        let (payload_type, payload) = self.early.remove(&self.next)?;
        self.next += 1;
        self.bytes -= payload.len() + BAG;
        Some((payload_type, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(incoming: &mut Incoming, sequence: i64, taken: Taken, expected: &[&str]) {
        let payload = Bytes::from(sequence.to_string());
        assert_eq!(incoming.take(sequence, PayloadType::Output, payload), taken);
        let mut came = Vec::new();
        while let Some((_, payload)) = incoming.next() {
            came.push(payload);
        }
        assert_eq!(came, expected);
    }

    #[test]
    fn what_comes_early_waits_for_its_turn() {
        let mut incoming = Incoming::default();
        check(&mut incoming, 0, Taken::Yes, &["0"]);
        check(&mut incoming, 2, Taken::Yes, &[]);
        check(&mut incoming, 2, Taken::Before, &[]);
        check(&mut incoming, 0, Taken::Before, &[]);
        check(&mut incoming, 3, Taken::Yes, &[]);
        check(&mut incoming, 1, Taken::Yes, &["1", "2", "3"]);
        check(&mut incoming, 4 + AHEAD, Taken::No, &[]);
        check(&mut incoming, i64::MAX, Taken::No, &[]);
        check(&mut incoming, 4, Taken::Yes, &["4"]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut incoming = Incoming::default();
        let large = Bytes::from(vec![0; 1 << 20]);
        let mut taken = 0;
        while incoming.take(1 + taken, PayloadType::Output, large.clone()) == Taken::Yes {
            taken += 1;
        }
        assert_eq!(taken, 3);
        assert_eq!(
            incoming.take(0, PayloadType::Output, large),
            Taken::Yes,
            "the next one always has a place"
        );
        assert_eq!(std::iter::from_fn(|| incoming.next()).count(), 4);
        assert_eq!(incoming.bytes, 0);
    }
}
