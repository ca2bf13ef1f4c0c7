//! Attempts for clients that are delayed only by the attempts of others: a client that returns after [`TURN`] gets one.
//!
//! A refused attempt is entered here only in a free place: a neighbourhood has few places, whose positions depend on
//! this process's key, and no place is taken from anybody.

use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

/// Whoever is held up only by what others did has a try of their own after that long.
pub const TURN: Duration = Duration::from_secs(300);
/// A turn that nobody comes for is free again after that long.
const KEPT: Duration = Duration::from_secs(600);
/// Neighbourhoods whose turns lie together, and places for them. A shelf takes memory once somebody waits there.
const SHELVES: u64 = 1024;
const PLACES: usize = 8;
/// Of these, the most that one neighbourhood may have.
const OF_ONE: usize = 4;

#[derive(Debug, Default, Clone, Copy)]
struct Waiter {
    // Zero: nobody's.
    account: u64,
    neighbourhood: u64,
    ripe: Duration,
}

/// Who waits.
#[derive(Debug)]
pub(super) struct Turns {
    state: RandomState,
    shelves: Vec<Option<Box<[Waiter; PLACES]>>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { state: RandomState::new(), shelves: vec![None; usize::try_from(SHELVES).unwrap_or(0)] }
    }
}

impl Turns {
    /// Takes the turn where it is ripe. How long until it is, otherwise; nothing where there is no place to wait in.
    pub(super) fn take(
        &mut self,
        account: &str,
        neighbourhood: impl Hash,
        now: Duration,
    ) -> Result<(), Option<Duration>> {
        let neighbourhood = self.state.hash_one(neighbourhood).max(1);
        let account = self.state.hash_one(account).max(1);
        let shelf = usize::try_from(neighbourhood % SHELVES).unwrap_or(0);
        let Some(places) = self.shelves.get_mut(shelf) else { return Err(None) };
        let places = places.get_or_insert_default();
        for place in places.iter_mut().filter(|place| place.account != 0 && place.ripe + KEPT <= now) {
            *place = Waiter::default();
        }
        let mine = |place: &&mut Waiter| place.neighbourhood == neighbourhood && place.account == account;
        if let Some(place) = places.iter_mut().find(mine) {
            if place.ripe <= now {
                *place = Waiter::default();
                return Ok(());
            }
            return Err(Some(place.ripe - now));
        }
        if places.iter().filter(|place| place.neighbourhood == neighbourhood).count() >= OF_ONE {
            return Err(None);
        }
        match places.iter_mut().find(|place| place.account == 0) {
            Some(place) => {
                *place = Waiter { account, neighbourhood, ripe: now + TURN };
                Err(Some(TURN))
            }
            None => Err(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_not_washed_away_by_others() {
        let mut turns = Turns::default();
        let at = Duration::from_secs;
        assert_eq!(turns.take("jon", 7_u32, at(0)), Err(Some(TURN)));
        for name in 0..20_000 {
            let _ = turns.take(&format!("p{name}"), 8_u32, at(1));
            let _ = turns.take(&format!("p{name}"), name, at(1));
        }
        assert_eq!(turns.take("jon", 7_u32, at(299)), Err(Some(at(1))));
        assert_eq!(turns.take("jon", 7_u32, at(300)), Ok(()));
        assert_eq!(turns.take("jon", 7_u32, at(300)), Err(Some(TURN)));
    }

    #[test]
    fn a_turn_that_nobody_comes_for_is_free_again() {
        let mut turns = Turns::default();
        for name in 0..10 {
            let _ = turns.take(&format!("p{name}"), 7_u32, Duration::ZERO);
        }
        assert_eq!(turns.take("jon", 7_u32, Duration::from_secs(600)), Err(None));
        assert_eq!(turns.take("jon", 7_u32, Duration::from_secs(900)), Err(Some(TURN)));
    }
}
