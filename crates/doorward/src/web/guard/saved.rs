//! The budgets of accounts over a restart: what is saved of them, and how it counts afterwards.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::sketch::Cell;
use super::{Guard, PER_ACCOUNT};

/// What was taken of the budgets of accounts at one moment. Only counters: no names, and a fixed number of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    at: Timestamp,
    cells: Vec<Cell>,
}

impl Saved {
    /// Whether no account has anything left to regain.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

impl Guard {
    /// The budgets of accounts as they are now.
    pub fn saved(&self, now: Timestamp, uptime: Duration) -> Saved {
        Saved { at: now, cells: self.accounts.saved(PER_ACCOUNT, uptime) }
    }

    /// Goes on from what an earlier process saved. Time in which no process ran counts, as far as the clock says so.
    pub fn restore(&mut self, saved: &Saved, now: Timestamp, uptime: Duration) {
        let since = Duration::try_from(now.duration_since(saved.at)).unwrap_or_default();
        self.accounts.restore(&saved.cells, PER_ACCOUNT, (since, uptime));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::guard::tests::{attempt, stranger};

    const KEY: [u8; 32] = [7; 32];

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    /// How many strangers' guesses at an account are looked at, one from each network.
    fn looked_at(guard: &mut Guard, account: &str, now: Duration) -> usize {
        (0..60).filter(|number| attempt(guard, account, stranger(*number), now).is_ok()).count()
    }

    #[test]
    fn a_restart_gives_an_account_no_new_budget_and_takes_none_away() {
        let mut guard = Guard::keyed(&KEY);
        let begun = Duration::from_secs(10_000);
        assert_eq!(looked_at(&mut guard, "jon", begun), 20);
        let saved = guard.saved(at("2026-11-22T10:00:00Z"), begun);
        let text = serde_json::to_string(&saved).expect("text");
        assert!(!text.contains("jon"), "{text}");
        let saved: Saved = serde_json::from_str(&text).expect("saved");
        let restored = |now: &str, uptime: u64| {
            let (mut guard, uptime) = (Guard::keyed(&KEY), Duration::from_secs(uptime));
            guard.restore(&saved, at(now), uptime);
            (looked_at(&mut guard, "jon", uptime), looked_at(&mut guard, "lee", uptime))
        };
        assert_eq!(restored("2026-11-22T10:00:00Z", 0), (0, 20));
        assert_eq!(restored("2026-11-22T10:00:14Z", 0), (0, 20));
        // One each 15 s.
        assert_eq!(restored("2026-11-22T10:01:01Z", 1), (4, 20));
        assert_eq!(restored("2026-11-22T11:00:00Z", 0), (20, 20));
        // A clock that was set back gives nothing away.
        assert_eq!(restored("2026-11-22T09:00:00Z", 0), (0, 20));
        // Another key's counters are of other accounts.
        let mut other = Guard::keyed(&[8; 32]);
        other.restore(&saved, at("2026-11-22T10:00:00Z"), Duration::ZERO);
        assert_eq!(looked_at(&mut other, "jon", Duration::ZERO), 20);
        assert!(Guard::keyed(&KEY).saved(at("2026-11-22T10:00:00Z"), begun).is_empty());
    }
}
