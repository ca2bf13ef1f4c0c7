//! Chance that can be repeated: a seeded generator (SplitMix64).

use std::ops::Range;
use std::time::Duration;

/// A sequence of draws that a seed fixes.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True as often as the probability says, 0 to 1. Nothing is drawn for 0.
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what a double holds exactly.
        probability > 0.0 && ((self.number() >> 11) as f64) < probability * (1_u64 << 53) as f64
    }

    /// A duration of the range, to the microsecond; its start when it is empty.
    pub fn within(&mut self, range: &Range<Duration>) -> Duration {
        let span = range.end.saturating_sub(range.start).as_micros() as u64;
        let more = self.number().checked_rem(span).unwrap_or(0);
        range.start + Duration::from_micros(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_what_happens() {
        let numbers = |seed| {
            let mut draw = Draw::new(seed);
            [draw.number(), draw.number(), draw.number()]
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        // The published first outputs of SplitMix64 for the seed 1234567.
        assert_eq!(
            numbers(1_234_567),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn a_probability_is_kept() {
        let mut draw = Draw::new(1);
        let hits = (0..10_000).filter(|_| draw.chance(0.1)).count();
        assert!((900..1100).contains(&hits), "{hits}");
        assert!(!(0..1000).any(|_| draw.chance(0.0)));
        assert!((0..1000).all(|_| draw.chance(1.0)));
        let range = Duration::from_millis(5)..Duration::from_millis(9);
        assert!((0..1000).all(|_| range.contains(&draw.within(&range))));
        assert_eq!(draw.within(&(Duration::from_secs(1)..Duration::from_secs(1))), Duration::from_secs(1));
    }
}
