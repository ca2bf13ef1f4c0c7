//! How large a payload may be: what the gateway takes is not written anywhere, so it is tried.
//!
//! What was sent under a number can never be cut into smaller pieces under other numbers, for nobody knows whether it
//! arrived. So what is tried is a message that says nothing: the terminal's size, which port sessions ignore, with
//! blanks. If it does not get through, a short one takes its place under the same number, and no byte is in doubt.

use std::time::{Duration, Instant};

use bytes::BytesMut;

/// What every gateway takes: the stock client sends no more.
pub(super) const SMALL: usize = 1024;

const LADDER: [usize; 3] = [16 << 10, 32 << 10, 64 << 10];

/// How long one that was tried may stay away while others get through, and while none does.
const OVERTAKEN: Duration = Duration::from_secs(2);
const ALONE: Duration = Duration::from_secs(4);

/// A step is tried after so many payloads of the one before got through.
const PAYLOADS: usize = 4;

const NOTHING: &[u8] = br#"{"cols":80,"rows":24}"#;

#[derive(Debug)]
struct Trial {
    sequence: i64,
    size: usize,
    since: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Sizes {
    taken: usize,
    most: usize,
    through: usize,
    trial: Option<Trial>,
}

impl Sizes {
    pub(super) fn new(most: usize) -> Self {
        Self { taken: SMALL, most, through: 0, trial: None }
    }

    /// The largest payload that the gateway is known to take.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// So much data got through.
    pub(super) fn through(&mut self, bytes: usize) {
        self.through = self.through.saturating_add(bytes);
    }

    /// The size that should be tried now.
    pub(super) fn untried(&self) -> Option<usize> {
        let next = LADDER.into_iter().find(|size| *size > self.taken && *size <= self.most)?;
        let is_earned = self.taken == SMALL || self.through >= self.taken * PAYLOADS;
        (self.trial.is_none() && is_earned).then_some(next)
    }

    pub(super) fn tries(&mut self, sequence: i64, size: usize) {
        self.trial = Some(Trial { sequence, size, since: None });
    }

    /// When the trial began; it is sent after what waits before it.
    pub(super) fn began(&mut self, now: Instant) {
        if let Some(trial) = &mut self.trial {
            trial.since.get_or_insert(now);
        }
    }

    pub(super) fn is_trying(&self) -> Option<i64> {
        self.trial.as_ref().map(|trial| trial.sequence)
    }

    pub(super) fn acknowledged(&mut self, sequence: i64) {
        if let Some(trial) = self.trial.take_if(|trial| trial.sequence == sequence) {
            self.taken = trial.size;
            self.through = 0;
        }
    }

    /// It does not get through: nothing larger is tried. The number under which it was sent.
    pub(super) fn fails(&mut self) -> Option<i64> {
        let trial = self.trial.take()?;
        self.most = self.taken;
        Some(trial.sequence)
    }

    /// When the trial has failed, if it is not acknowledged before.
    pub(super) fn deadline(&self, is_overtaken: bool) -> Option<Instant> {
        let since = self.trial.as_ref()?.since?;
        Some(since + if is_overtaken { OVERTAKEN } else { ALONE })
    }
}

/// A payload of so many bytes that says nothing.
pub(super) fn nothing(size: usize) -> BytesMut {
    let mut payload = BytesMut::with_capacity(size.max(NOTHING.len()));
    payload.extend_from_slice(NOTHING);
    if size > payload.len() {
        payload.resize(size, b' ');
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_payloads_are_tried_one_step_after_another() {
        let mut sizes = Sizes::new(64 << 10);
        let mut check = |through, untried: Option<usize>| {
            sizes.through(through);
            assert_eq!(sizes.untried(), untried);
            if let Some(size) = untried {
                sizes.tries(7, size);
                assert_eq!(sizes.untried(), None, "one at a time");
                sizes.acknowledged(6);
                sizes.acknowledged(7);
                assert_eq!(sizes.taken(), size);
            }
        };
        check(0, Some(16 << 10));
        check(10, None);
        check(64 << 10, Some(32 << 10));
        check(128 << 10, Some(64 << 10));
        check(1 << 30, None);
    }

    #[test]
    fn what_failed_is_not_tried_again() {
        let mut sizes = Sizes::new(64 << 10);
        sizes.tries(7, 16 << 10);
        assert_eq!(sizes.fails(), Some(7));
        assert_eq!((sizes.untried(), sizes.taken(), sizes.fails()), (None, SMALL, None));
    }

    #[test]
    fn nothing_is_still_a_terminals_size() {
        assert_eq!(nothing(100).len(), 100);
        let json: serde_json::Value = serde_json::from_slice(&nothing(100)).unwrap();
        assert_eq!(json["rows"], 24);
        assert_eq!(nothing(0), NOTHING);
    }
}
