//! The ends of open grants by the clock that cannot be set back.
//!
//! A wall clock that is set back would lengthen every grant. Here each end is noted once as a distance from
//! now, so a grant lives no longer than it was given, whatever the wall clock does; set forward, the wall
//! clock itself ends it earlier.

use std::collections::BTreeMap;
use std::time::Duration;

use doorward_core::grant::{Grant, GrantId};
use jiff::Timestamp;

/// Ends, as time since the start of the program.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeMap<GrantId, (Timestamp, Duration)>);

impl Deadlines {
    /// Notes the ends of open grants that are new or were extended, and forgets the others.
    pub(super) fn note(&mut self, grants: &[Grant], now: Timestamp, uptime: Duration) {
        let before = std::mem::take(&mut self.0);
        for grant in grants {
            let Some(until) = grant.until() else { continue };
            let known = before.get(grant.id()).copied().filter(|(noted, _)| *noted == until);
            let fresh = || {
                let left = Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO);
                (until, uptime.saturating_add(left))
            };
            self.0.insert(grant.id().clone(), known.unwrap_or_else(fresh));
        }
    }

    /// Whether a grant has lived as long as it was given.
    pub(super) fn passed(&self, grant: &Grant, uptime: Duration) -> bool {
        let until = grant.until();
        self.0.get(grant.id()).is_some_and(|(noted, end)| Some(*noted) == until && uptime >= *end)
    }

    /// The first of them that is still to come.
    pub(super) fn next(&self, uptime: Duration) -> Option<Duration> {
        self.0.values().map(|(_, end)| *end).filter(|end| *end > uptime).min()
    }
}
