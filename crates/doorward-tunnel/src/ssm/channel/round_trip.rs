//! How long an acknowledgement takes, and so when to stop waiting for one: as the agent itself reckons.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const FIRST_TIMEOUT: Duration = Duration::from_millis(200);
const FINEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// A mean that follows with 1/8, and a variance that follows with 1/4.
#[derive(Debug)]
pub(super) struct RoundTrip {
    mean: Duration,
    variance: Duration,
    timeout: Duration,
}

impl RoundTrip {
    pub(super) fn new() -> Self {
        Self { mean: FIRST, variance: Duration::ZERO, timeout: FIRST_TIMEOUT }
    }

    /// Takes in how long one acknowledgement took. Not of a message that was sent twice: nobody knows which one it is of.
    pub(super) fn sample(&mut self, took: Duration) {
        self.variance = self.variance * 3 / 4 + self.mean.abs_diff(took) / 4;
        self.mean = self.mean * 7 / 8 + took / 8;
        self.timeout = (self.mean + FINEST.max(self.variance * 4)).min(LONGEST);
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_what_is_measured() {
        fn check(samples: &[u64], expected: u64) {
            let mut trip = RoundTrip::new();
            for sample in samples {
                trip.sample(Duration::from_millis(*sample));
            }
            assert_eq!((trip.timeout().as_secs_f64() * 1000.0).round() as u64, expected);
        }
        check(&[], 200);
        // 100 + max(10, 0)
        check(&[100], 110);
        // The variance is 25, the mean 112.5.
        check(&[200], 213);
        check(&[60_000], 1000);
        // A far network that is steady: its own time and a little.
        check(&[300; 60], 310);
    }
}
