//! The expiry of open grants by the monotonic clock.
//!
//! A wall clock that is set back would extend every grant. Here each expiry is stored once as a distance from now, so a
//! grant lasts no longer than its duration, whatever the wall clock does; if it is set forward, the wall clock itself
//! ends the grant earlier.

use std::collections::BTreeMap;
use std::time::Duration;

use doorward_core::grant::{Ending, Grant, GrantId, Life};
use jiff::{SignedDuration, Timestamp};

/// Ends, as time since the start of the program.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    open: BTreeMap<GrantId, Deadline>,
    /// Ended grants. If the store could not be written, it still has them as open.
    ended: BTreeMap<GrantId, Deadline>,
}

/// What is known of a grant by the clock that cannot be set back.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    /// The end that it was noted with.
    until: Timestamp,
    /// When that is.
    end: Duration,
    /// When it began; before the start of the program that is below zero.
    begun: SignedDuration,
}

impl Deadline {
    /// Of a grant that is seen for the first time. One that began in time to come was opened before the wall clock was
    /// set back: it may live for as long as it was given, from now.
    fn first(grant: &Grant, until: Timestamp, now: Timestamp, uptime: Duration) -> Self {
        let since = grant.since().unwrap_or(now);
        let left = until.duration_since(now.max(since));
        let up = SignedDuration::try_from(uptime).unwrap_or(SignedDuration::MAX);
        let begun = up.saturating_sub(now.duration_since(since.min(now)));
        Self { until, end: uptime.saturating_add(Duration::try_from(left).unwrap_or(Duration::ZERO)), begun }
    }

    /// Of a grant that has another end now. All of it lasts `most` and no longer, whatever the wall clock says.
    fn extended(
        self,
        until: Timestamp,
        most: Option<SignedDuration>,
        now: Timestamp,
        uptime: Duration,
    ) -> Self {
        let left = Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO);
        let last = most.map(|most| self.begun.saturating_add(most));
        let last = last.map(|last| Duration::try_from(last).unwrap_or(Duration::ZERO));
        let end = uptime.saturating_add(left);
        Self { until, end: last.map_or(end, |last| end.min(last)), ..self }
    }
}

impl Deadlines {
    /// Notes the ends of open grants that are new or were extended, and forgets the others. `most` is how long a grant may
    /// last in all.
    pub(super) fn note(
        &mut self,
        grants: &[Grant],
        most: impl Fn(&Grant) -> Option<SignedDuration>,
        now: Timestamp,
        uptime: Duration,
    ) {
        let before = std::mem::take(self);
        let known = |id: &GrantId| before.open.get(id).or_else(|| before.ended.get(id)).copied();
        // A grant that took the place of others has the end of the longest, and not a moment more.
        let moved = |to: &GrantId| {
            let into = grants.iter().filter(
                |grant| matches!(grant.life(), Life::Ended { how: Ending::Moved { to: there }, .. } if there == to),
            );
            into.filter_map(|grant| known(grant.id())).max_by_key(|known| known.until)
        };
        for grant in grants {
            let known = known(grant.id()).or_else(|| moved(grant.id()));
            match grant.until() {
                Some(until) => {
                    let deadline = match known {
                        Some(known) if known.until == until => known,
                        Some(known) => known.extended(until, most(grant), now, uptime),
                        None => Deadline::first(grant, until, now, uptime),
                    };
                    self.open.insert(grant.id().clone(), deadline);
                }
                None => self.ended.extend(known.map(|known| (grant.id().clone(), known))),
            }
        }
    }

    /// Whether a grant has lived as long as it was given.
    pub(super) fn passed(&self, grant: &Grant, uptime: Duration) -> bool {
        let known = self.open.get(grant.id()).or_else(|| self.ended.get(grant.id()));
        known.is_some_and(|known| Some(known.until) == grant.until() && uptime >= known.end)
    }

    /// The first of them that is still to come.
    pub(super) fn next(&self, uptime: Duration) -> Option<Duration> {
        self.open.values().map(|known| known.end).filter(|end| *end > uptime).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(life: &str) -> Grant {
        let text = format!(
            r#"{{"id":"g-k3v9t2m4x7q8","person":"jon","target":"db","transport":"direct","source":"203.0.113.7/32",{life}}}"#
        );
        serde_json::from_str(&text).expect("a grant")
    }

    fn most(_: &Grant) -> Option<SignedDuration> {
        Some(SignedDuration::from_hours(2))
    }

    #[test]
    fn what_began_in_time_to_come_lasts_as_long_as_it_was_given() {
        let open = grant(
            r#""life":"open","since":"2026-11-22T10:00:00Z","until":"2026-11-22T11:00:00Z","approved_by":null"#,
        );
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let hour = Duration::from_secs(3600);
        // Opened while the wall clock was a day ahead; then it was set right, and the program started again.
        let mut deadlines = Deadlines::default();
        deadlines.note(std::slice::from_ref(&open), most, at("2026-11-21T10:00:00Z"), Duration::ZERO);
        assert!(!deadlines.passed(&open, hour - Duration::from_secs(1)));
        assert!(deadlines.passed(&open, hour));
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_extension_time_away() {
        let until = |until: &str| {
            let life = r#""life":"open","since":"2026-11-22T10:00:00Z","until":"UNTIL","approved_by":null"#;
            grant(&life.replace("UNTIL", until))
        };
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut deadlines = Deadlines::default();
        let open = until("2026-11-22T11:00:00Z");
        deadlines.note(std::slice::from_ref(&open), most, at("2026-11-22T10:00:00Z"), Duration::ZERO);
        // After 50 minutes the clock is set back by half an hour, and the grant is extended by as much as is allowed.
        let extended = until("2026-11-22T12:00:00Z");
        deadlines.note(std::slice::from_ref(&extended), most, at("2026-11-22T10:20:00Z"), minutes(50));
        assert!(!deadlines.passed(&extended, minutes(119)));
        assert!(deadlines.passed(&extended, minutes(120)), "two hours in all");
    }

    #[test]
    fn what_moves_lives_no_longer_for_that() {
        let open = grant(
            r#""life":"open","since":"2026-11-22T10:00:00Z","until":"2026-11-22T11:00:00Z","approved_by":null"#,
        );
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let hour = Duration::from_secs(3600);
        let mut deadlines = Deadlines::default();
        deadlines.note(std::slice::from_ref(&open), most, at("2026-11-22T10:00:00Z"), Duration::ZERO);
        // The wall clock was set back by half an hour, and then the grant moved.
        let now = at("2026-11-22T09:31:00Z");
        let to: GrantId = "g-bbbbbbbbbbbb".parse().expect("a grant");
        let text = serde_json::to_string(&open).expect("text").replace(open.id().as_str(), to.as_str());
        let there: Grant = serde_json::from_str(&text).expect("a grant");
        deadlines.note(
            &[open.end(Ending::Moved { to }, now), there.clone()],
            most,
            now,
            Duration::from_secs(60),
        );
        assert!(!deadlines.passed(&there, hour - Duration::from_secs(1)));
        assert!(deadlines.passed(&there, hour));
        deadlines.note(std::slice::from_ref(&there), most, now, hour);
        assert!(deadlines.passed(&there, hour), "also once the old one is settled");
    }

    #[test]
    fn what_moves_with_a_shorter_grant_lives_no_longer_for_that() {
        let until = |id: &str, until: &str| {
            let life = r#""life":"open","since":"2026-11-22T10:00:00Z","until":"UNTIL","approved_by":null"#;
            let text = serde_json::to_string(&grant(&life.replace("UNTIL", until))).expect("text");
            serde_json::from_str::<Grant>(&text.replace("g-k3v9t2m4x7q8", id)).expect("a grant")
        };
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let hour = Duration::from_secs(3600);
        let short = until("g-aaaaaaaaaaaa", "2026-11-22T10:30:00Z");
        let long = until("g-bbbbbbbbbbbb", "2026-11-22T11:00:00Z");
        let there = until("g-cccccccccccc", "2026-11-22T11:00:00Z");
        let mut deadlines = Deadlines::default();
        deadlines.note(&[short.clone(), long.clone()], most, at("2026-11-22T10:00:00Z"), Duration::ZERO);
        // The wall clock was set back by half an hour, and then both moved.
        let now = at("2026-11-22T09:31:00Z");
        let moved = |grant: &Grant| grant.end(Ending::Moved { to: there.id().clone() }, now);
        deadlines.note(&[moved(&short), moved(&long), there.clone()], most, now, Duration::from_secs(60));
        assert!(!deadlines.passed(&there, hour - Duration::from_secs(1)));
        assert!(deadlines.passed(&there, hour));
    }

    #[test]
    fn what_has_ended_does_not_open_again_while_the_store_says_that_it_is_open() {
        let open = grant(
            r#""life":"open","since":"2026-11-22T10:00:00Z","until":"2026-11-22T11:00:00Z","approved_by":null"#,
        );
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let hour = Duration::from_secs(3600);
        let mut deadlines = Deadlines::default();
        deadlines.note(std::slice::from_ref(&open), most, at("2026-11-22T10:00:00Z"), Duration::ZERO);
        // The wall clock was set back, the hour has passed, and the store cannot be written.
        let now = at("2026-11-22T09:30:00Z");
        assert!(deadlines.passed(&open, hour));
        deadlines.note(&[open.end(Ending::TimeUp, now)], most, now, hour);
        assert!(deadlines.passed(&open, hour), "it is read from the store again");
        deadlines.note(std::slice::from_ref(&open), most, now, hour);
        assert!(deadlines.passed(&open, hour + hour));
    }
}
