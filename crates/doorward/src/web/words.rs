//! Formats durations and times for people.

use doorward_core::net::Cidr;
use jiff::Timestamp;
use maud::{Markup, html};

/// A length of time: `2 h 30 min`, `3 d`, `45 s`.
pub fn lasting(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let words: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if words.is_empty() { "0 s".into() } else { words.join(" ") }
}

/// What is left of a time, in whole minutes.
pub fn left(seconds: i64) -> String {
    match seconds {
        ..=0 => "over".into(),
        1..=59 => "less than a minute left".into(),
        _ => format!("{} left", lasting(seconds / 60 * 60)),
    }
}

/// An instant in UTC, to the minute: `2026-11-22 10:00 UTC`. Only where no element may stand; elsewhere [`time`], which a
/// script says in the person's own zone.
pub fn at(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// An instant in UTC, to the second.
fn exactly(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// An instant that a script may say in the person's own time.
pub fn time(instant: Timestamp) -> Markup {
    html! { time datetime=(instant.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at(instant)) } }
}

/// The same to the second.
pub fn exact_time(instant: Timestamp) -> Markup {
    html! { time.exact datetime=(instant.strftime("%Y-%m-%dT%H:%M:%SZ")) { (exactly(instant)) } }
}

/// An address alone, or a prefix of several.
pub fn source(source: Cidr) -> String {
    let all = if source.address().is_ipv6() { 128 } else { 32 };
    if source.bits() == all { source.address().to_string() } else { source.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_their_largest_units() {
        for (seconds, words) in [
            (0, "0 s"),
            (-5, "0 s"),
            (45, "45 s"),
            (3600, "1 h"),
            (9000, "2 h 30 min"),
            (90_061, "1 d 1 h 1 min 1 s"),
        ] {
            assert_eq!(lasting(seconds), words);
        }
    }

    #[test]
    fn what_is_left_is_never_said_too_long() {
        for (seconds, words) in [
            (-1, "over"),
            (0, "over"),
            (59, "less than a minute left"),
            (60, "1 min left"),
            (3659, "1 h left"),
            (7199, "1 h 59 min left"),
        ] {
            assert_eq!(left(seconds), words);
        }
    }

    #[test]
    fn instants_are_utc() {
        let instant: Timestamp = "2026-11-22T10:00:07.9Z".parse().expect("an instant");
        assert_eq!(at(instant), "2026-11-22 10:00 UTC");
        assert_eq!(
            time(instant).into_string(),
            "<time datetime=\"2026-11-22T10:00:07Z\">2026-11-22 10:00 UTC</time>"
        );
    }
}
