//! How large a payload may be: what the gateway takes is not written anywhere, so it is tried.
//!
//! What was sent under a number can never be cut into smaller pieces under other numbers, for nobody knows whether it
//! arrived. So a size is tried with one message, and nothing is sent behind that one until it is acknowledged. A gateway
//! that closes the connection because the message is too big (1009) has not handed it on: then, and only then, it is
//! cut. One that breaks the connection again and again, or is silent, costs the session, and the next one does not try.

/// What every gateway takes: the stock client sends no more.
pub(super) const SMALL: usize = 1024;

const LADDER: [usize; 3] = [16 << 10, 32 << 10, 64 << 10];

/// A step is tried after so many payloads of the one before got through.
const PAYLOADS: usize = 4;

/// After so many connections were lost with the same trial, it is what breaks them. A gateway that closes every few
/// seconds for reasons of its own does that with one trial as well, but hardly so often in a row.
const LOSSES: u32 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) sequence: i64,
    pub(super) size: usize,
    losses: u32,
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

    /// The largest payload that the gateway is known to take, and the largest that may be tried, if one may be.
    pub(super) fn next(&self) -> (usize, Option<usize>) {
        let next = LADDER.into_iter().find(|size| *size > self.taken && *size <= self.most);
        let is_earned = self.taken == SMALL || self.through >= self.taken * PAYLOADS;
        (self.taken, next.filter(|_| is_earned && self.trial.is_none()))
    }

    /// So much data got through.
    pub(super) fn through(&mut self, bytes: usize) {
        self.through = self.through.saturating_add(bytes);
    }

    /// A message of more than what is known to be taken.
    pub(super) fn tries(&mut self, sequence: i64, size: usize) {
        if size > self.taken {
            self.trial = Some(Trial { sequence, size, losses: 0 });
        }
    }

    pub(super) fn trial(&self) -> Option<Trial> {
        self.trial
    }

    pub(super) fn acknowledged(&mut self, sequence: i64) {
        if let Some(trial) = self.trial.take_if(|trial| trial.sequence == sequence) {
            // What is between two steps says nothing of the next one, but all of what is below.
            let reached = LADDER.into_iter().filter(|size| *size <= trial.size).max();
            self.taken = self.taken.max(reached.unwrap_or(trial.size));
            self.through = 0;
        }
    }

    /// The connection was lost during a trial; true: once too often.
    pub(super) fn is_lost(&mut self) -> bool {
        self.trial.as_mut().is_some_and(|trial| {
            trial.losses += 1;
            trial.losses >= LOSSES
        })
    }

    /// The gateway does not take the trial: nothing larger is tried.
    pub(super) fn fails(&mut self) -> Option<Trial> {
        self.most = self.taken;
        self.trial.take()
    }

    /// The most that is tried.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_payloads_are_tried_one_step_after_another() {
        let mut sizes = Sizes::new(64 << 10);
        let mut check = |through, expected: Option<usize>| {
            sizes.through(through);
            assert_eq!(sizes.next().1, expected);
            if let Some(size) = expected {
                sizes.tries(7, size);
                assert_eq!(sizes.next().1, None, "one at a time");
                sizes.acknowledged(6);
                sizes.acknowledged(7);
                assert_eq!(sizes.next().0, size);
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
        assert_eq!(sizes.fails().map(|trial| trial.sequence), Some(7));
        assert_eq!((sizes.next(), sizes.most(), sizes.fails()), ((SMALL, None), SMALL, None));
    }

    #[test]
    fn a_trial_that_breaks_every_connection_is_known_by_it() {
        let mut sizes = Sizes::new(64 << 10);
        assert!(!sizes.is_lost());
        sizes.tries(7, 16 << 10);
        assert!((1..LOSSES).all(|_| !sizes.is_lost()));
        assert!(sizes.is_lost());
    }

    #[test]
    fn a_trial_of_less_than_a_step_counts_as_what_it_was() {
        let mut sizes = Sizes::new(64 << 10);
        sizes.tries(7, 5000);
        sizes.acknowledged(7);
        assert_eq!(sizes.next(), (5000, None));
        sizes.through(20_000);
        assert_eq!(sizes.next(), (5000, Some(16 << 10)));
    }
}
