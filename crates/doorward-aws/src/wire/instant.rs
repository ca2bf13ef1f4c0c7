//! An instant as the JSON services write it: seconds of Unix time with a fraction, or, by the AWS CLI, a text.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// An instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Instant;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instant")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Instant, E> {
        text.parse().map(Instant).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Instant, E> {
        Timestamp::from_second(seconds).map(Instant).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Instant, E> {
        self.visit_i64(i64::try_from(seconds).map_err(E::custom)?)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Instant, E> {
        // The range of `Timestamp` in milliseconds is far within that of whole numbers in `f64`.
        if !(-1e12..1e12).contains(&seconds) {
            return Err(E::custom("an instant out of all bounds"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        let milliseconds = (seconds * 1000.0).round() as i64;
        Timestamp::from_millisecond(milliseconds).map(Instant).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Option<&str>) {
        let read = serde_json::from_str::<Instant>(json).ok().map(|instant| instant.0.to_string());
        assert_eq!(read.as_deref(), expected, "{json}");
    }

    #[test]
    fn each_notation_is_read() {
        check("1800000000", Some("2027-01-15T08:00:00Z"));
        check("1800000000.25", Some("2027-01-15T08:00:00.25Z"));
        check("\"2027-01-15T08:00:00Z\"", Some("2027-01-15T08:00:00Z"));
        check("\"2027-01-15T09:00:00.500000+01:00\"", Some("2027-01-15T08:00:00.5Z"));
        for none in ["1e300", "-1e300", "99999999999999999", "\"yesterday\"", "true", "null"] {
            check(none, None);
        }
    }
}
