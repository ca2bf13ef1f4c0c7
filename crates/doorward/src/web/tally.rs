//! Decides which refused sign-ins get their own audit entry, so that a flood of them does not fill the audit log.

use std::net::IpAddr;
use std::time::Duration;

use doorward_core::net::Cidr;

use super::guard::{Kept, site};

/// The interval at which the remaining refusals are summed up in one entry.
pub const WINDOW: Duration = Duration::from_secs(600);
/// Lines of their own in a window: of one address, and of all.
const OF_ONE: u32 = 10;
const OF_ALL: u32 = 100;

/// What was refused in the window that runs.
#[derive(Debug, Default)]
pub struct Tally {
    began: Duration,
    told: u32,
    untold: u64,
    of_one: Kept<Cidr, u32>,
}

impl Tally {
    /// Counts a refused sign-in, and says whether it gets a line of its own.
    pub fn refused(&mut self, address: IpAddr, now: Duration) -> bool {
        if self.told == 0 && self.untold == 0 {
            self.began = now;
        }
        let of_one = self.of_one.entry(site(address));
        if *of_one >= OF_ONE || self.told >= OF_ALL {
            self.untold += 1;
            return false;
        }
        *of_one += 1;
        self.told += 1;
        true
    }

    /// The summary of refusals without an entry, once their window has ended or the program ends.
    pub fn summary(&mut self, now: Duration, ending: bool) -> Option<String> {
        let lasted = now.saturating_sub(self.began);
        if !ending && lasted < WINDOW {
            return None;
        }
        let untold = self.untold;
        *self = Self { began: now, ..Self::default() };
        let minutes = lasted.as_secs().div_ceil(60).max(1);
        (untold > 0).then(|| {
            format!("{untold} more were refused in the last {minutes} min and have no line of their own")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(number))
    }

    #[test]
    fn one_address_gets_ten_lines_and_a_sum() {
        let mut tally = Tally::default();
        let told = (0..1000).filter(|_| tally.refused(address(1), Duration::from_secs(5))).count();
        assert_eq!(told, 10);
        assert!(tally.refused(address(2), Duration::from_secs(6)));
        assert_eq!(tally.summary(Duration::from_secs(10), false), None);
        let summary = tally.summary(Duration::from_secs(605), false);
        assert_eq!(
            summary.as_deref(),
            Some("990 more were refused in the last 10 min and have no line of their own")
        );
        assert_eq!(tally.summary(Duration::from_secs(2000), false), None);
        assert!(tally.refused(address(1), Duration::from_secs(2001)));
    }

    #[test]
    fn all_addresses_together_get_a_hundred() {
        let mut tally = Tally::default();
        let told = (0..5000).filter(|number| tally.refused(address(*number), Duration::ZERO)).count();
        assert_eq!(told, 100);
        assert!(
            tally.summary(Duration::from_secs(1), true).is_some_and(|text| text.starts_with("4900 more"))
        );
    }
}
