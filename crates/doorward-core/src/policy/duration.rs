//! Durations as people write them: `90s`, `30m`, `2h`, `1d`, `1h 30m`.

use jiff::SignedDuration;

/// The longest that can be written.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not written as one.
    #[error("`{0}` is not a duration (like `90s`, `30m`, `2h`, `1d` or `1h 30m`)")]
    NotADuration(String),
    /// A number without its unit.
    #[error("`{0}` has no unit; write `{0}s`, `{0}m`, `{0}h` or `{0}d`")]
    NoUnit(String),
    /// More than [`LONGEST`].
    #[error("`{0}` is longer than 30 days, the most that can be written")]
    TooLong(String),
}

/// Reads a duration: whole days, hours, minutes and seconds, each at most once and the longer first.
///
/// `0s` is a duration too; whoever wants a longer one asks for it.
pub fn duration(text: &str) -> Result<SignedDuration, DurationError> {
    const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let not = || DurationError::NotADuration(text.to_owned());
    let too_long = || DurationError::TooLong(text.to_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(not());
    }
    if rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::NoUnit(rest.to_owned()));
    }
    let mut units = UNITS.iter();
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (number, behind) = rest.split_at_checked(digits).ok_or_else(not)?;
        let unit = behind.chars().next().ok_or_else(not)?;
        let (_, length) = units.find(|(letter, _)| *letter == unit).ok_or_else(not)?;
        if number.is_empty() {
            return Err(not());
        }
        // Digits alone fail to parse only where there are too many of them.
        let number: u64 = number.parse().map_err(|_| too_long())?;
        let more = number.checked_mul(*length).ok_or_else(too_long)?;
        seconds = seconds.checked_add(more).ok_or_else(too_long)?;
        rest = behind.get(unit.len_utf8()..).unwrap_or("").trim_start();
    }
    let seconds = i64::try_from(seconds).map_err(|_| too_long())?;
    let duration = SignedDuration::from_secs(seconds);
    if duration > LONGEST { Err(too_long()) } else { Ok(duration) }
}

/// A duration as people say it: `2h`, `1h 30m`, `45s`.
pub fn in_words(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let words: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if words.is_empty() { "0s".into() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<i64, &str>) {
        let read = duration(text).map(|length| length.as_secs()).map_err(|error| error.to_string());
        assert_eq!(read, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn durations_read() {
        check("90s", Ok(90));
        check("30m", Ok(1_800));
        check("2h", Ok(7_200));
        check("1d", Ok(86_400));
        check("1h 30m", Ok(5_400));
        check("1h30m", Ok(5_400));
        check(" 1h ", Ok(3_600));
        check("0s", Ok(0));
        check("30d", Ok(30 * 86_400));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        let not =
            |text: &str| format!("`{text}` is not a duration (like `90s`, `30m`, `2h`, `1d` or `1h 30m`)");
        for text in ["", " ", "h", "2x", "-1h", "+1h", "1.5h", "30m 1h", "1h 1h", "2 h", "1h m", "٣h", "1é"]
        {
            check(text, Err(&not(text)));
        }
        check("8", Err("`8` has no unit; write `8s`, `8m`, `8h` or `8d`"));
        for text in ["31d", "30d 1s", "99999999999999999999h", "18446744073709551615d"] {
            check(text, Err(&format!("`{text}` is longer than 30 days, the most that can be written")));
        }
    }

    proptest! {
        #[test]
        fn what_is_said_is_what_is_read(seconds in 0_i64..=30 * 86_400) {
            let said = in_words(SignedDuration::from_secs(seconds));
            prop_assert_eq!(duration(&said).map(|length| length.as_secs()), Ok(seconds));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,12}|[0-9dhms ]{0,24}") {
            let _ = duration(&text);
        }
    }
}
