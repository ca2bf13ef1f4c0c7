//! The ends of open grants by the clock that cannot be set back.
//!
//! A wall clock that is set back would lengthen every grant. Here each end is noted once as a distance from
//! now, so a grant lives no longer than it was given, whatever the wall clock does; set forward, the wall
//! clock itself ends it earlier.

use std::collections::BTreeMap;
use std::time::Duration;

use doorward_core::grant::{Ending, Grant, GrantId, Life};
use jiff::Timestamp;

/// Ends, as time since the start of the program.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    open: BTreeMap<GrantId, (Timestamp, Duration)>,
    /// Of grants that have ended. Where the store could not be told, it says of them that they are open.
    ended: BTreeMap<GrantId, (Timestamp, Duration)>,
}

impl Deadlines {
    /// Notes the ends of open grants that are new or were extended, and forgets the others.
    pub(super) fn note(&mut self, grants: &[Grant], now: Timestamp, uptime: Duration) {
        let before = std::mem::take(self);
        // A grant that took another's place has the end of that one, and not a moment more.
        let moved = |to: &GrantId| {
            grants.iter().find(|grant| match grant.life() {
                Life::Ended { how: Ending::Moved { to: there }, .. } => there == to,
                _ => false,
            })
        };
        let known = |id: &GrantId| before.open.get(id).or_else(|| before.ended.get(id)).copied();
        for grant in grants {
            let from = || moved(grant.id()).and_then(|before| known(before.id()));
            let known = known(grant.id()).or_else(from);
            match grant.until() {
                Some(until) => {
                    let fresh = || {
                        let left = Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO);
                        (until, uptime.saturating_add(left))
                    };
                    let known = known.filter(|(noted, _)| *noted == until);
                    self.open.insert(grant.id().clone(), known.unwrap_or_else(fresh));
                }
                None => self.ended.extend(known.map(|known| (grant.id().clone(), known))),
            }
        }
    }

    /// Whether a grant has lived as long as it was given.
    pub(super) fn passed(&self, grant: &Grant, uptime: Duration) -> bool {
        let known = self.open.get(grant.id()).or_else(|| self.ended.get(grant.id()));
        known.is_some_and(|(noted, end)| Some(*noted) == grant.until() && uptime >= *end)
    }

    /// The first of them that is still to come.
    pub(super) fn next(&self, uptime: Duration) -> Option<Duration> {
        self.open.values().map(|(_, end)| *end).filter(|end| *end > uptime).min()
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

    #[test]
    fn what_moves_lives_no_longer_for_that() {
        let open = grant(
            r#""life":"open","since":"2026-11-22T10:00:00Z","until":"2026-11-22T11:00:00Z","approved_by":null"#,
        );
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let hour = Duration::from_secs(3600);
        let mut deadlines = Deadlines::default();
        deadlines.note(std::slice::from_ref(&open), at("2026-11-22T10:00:00Z"), Duration::ZERO);
        // The wall clock was set back by half an hour, and then the grant moved.
        let now = at("2026-11-22T09:31:00Z");
        let to: GrantId = "g-bbbbbbbbbbbb".parse().expect("a grant");
        let text = serde_json::to_string(&open).expect("text").replace(open.id().as_str(), to.as_str());
        let there: Grant = serde_json::from_str(&text).expect("a grant");
        deadlines.note(&[open.end(Ending::Moved { to }, now), there.clone()], now, Duration::from_secs(60));
        assert!(!deadlines.passed(&there, hour - Duration::from_secs(1)));
        assert!(deadlines.passed(&there, hour));
        deadlines.note(std::slice::from_ref(&there), now, hour);
        assert!(deadlines.passed(&there, hour), "also once the old one is settled");
    }

    #[test]
    fn what_has_ended_does_not_open_again_while_the_store_says_that_it_is_open() {
        let open = grant(
            r#""life":"open","since":"2026-11-22T10:00:00Z","until":"2026-11-22T11:00:00Z","approved_by":null"#,
        );
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let hour = Duration::from_secs(3600);
        let mut deadlines = Deadlines::default();
        deadlines.note(std::slice::from_ref(&open), at("2026-11-22T10:00:00Z"), Duration::ZERO);
        // The wall clock was set back, the hour is over, and the store cannot be written.
        let now = at("2026-11-22T09:30:00Z");
        assert!(deadlines.passed(&open, hour));
        deadlines.note(&[open.end(Ending::TimeUp, now)], now, hour);
        assert!(deadlines.passed(&open, hour), "it is read from the store again");
        deadlines.note(std::slice::from_ref(&open), now, hour);
        assert!(deadlines.passed(&open, hour + hour));
    }
}
