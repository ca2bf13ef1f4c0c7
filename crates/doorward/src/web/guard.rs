//! How often somebody may try to sign in: delays and budgets that slow guessing down and lock nobody out for long.
//!
//! Three counts, all in memory and all bounded: of an account from an address (the delay doubles), of an
//! address over all accounts, and of an account over all addresses. The last two are budgets that strangers
//! can use up, so an account is never held up by them where it signed in lately, and anywhere else it gets a
//! turn of its own after [`TURN`]. An IPv6 site has more networks than anybody could count, so budgets and turns
//! are a site's.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use doorward_core::net::Cidr;

/// Tries of an account from an address that cost nothing but themselves.
const FREE: u32 = 3;
/// The longest delay between two tries of an account from an address.
const LONGEST: Duration = Duration::from_secs(120);
/// After that long without a try, an account and an address begin anew.
const FORGETS: Duration = Duration::from_secs(15 * 60);
/// How long a sign-in counts as lately.
const LATELY: Duration = Duration::from_secs(30 * 24 * 3600);
/// Whoever is held up only by what others did has a try of their own after that long.
pub const TURN: Duration = Duration::from_secs(300);
/// Refused tries of one address over all accounts: so many at once, and another each so often.
const PER_ADDRESS: Budget = Budget { most: 30, each: Duration::from_secs(10) };
/// Refused tries of one account over all addresses.
const PER_ACCOUNT: Budget = Budget { most: 20, each: Duration::from_secs(15) };
/// Changes that one signed-in person may ask for.
const PER_PERSON: Budget = Budget { most: 60, each: Duration::from_secs(1) };
/// Entries of each count; beyond them the longest unused go.
const KEPT: usize = 16_384;

/// Not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// How long until it is worth trying again.
    pub wait: Duration,
}

/// What is counted. Time is uptime: it never runs backwards.
#[derive(Debug, Default)]
pub struct Guard {
    pairs: Kept<(String, Cidr), Pair>,
    addresses: Kept<Cidr, Bucket>,
    accounts: Kept<String, Bucket>,
    people: Kept<String, Bucket>,
    signed_in: Kept<(String, Cidr), Duration>,
    turns: Kept<(String, Cidr), Duration>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Pair {
    failures: u32,
    last: Duration,
    until: Duration,
}

impl Guard {
    /// Asks for a try, and counts it as failed until [`Guard::succeeded`] or [`Guard::not_tried`] says otherwise: of a hundred
    /// tries at once none slips through before the first has failed.
    pub fn attempt(&mut self, account: &str, address: IpAddr, now: Duration) -> Result<(), TooMany> {
        let account = key(account);
        let both = (account.clone(), network(address));
        let known = self.signed_in.get(&both).is_some_and(|at| now.saturating_sub(*at) < LATELY);

        let pair = self.pairs.entry(both);
        if now.saturating_sub(pair.last) >= FORGETS {
            *pair = Pair::default();
        }
        if pair.until > now {
            return Err(TooMany { wait: pair.until - now });
        }
        let of_address = self.addresses.entry(site(address)).wait(PER_ADDRESS, now);
        let of_account = self.accounts.entry(account.clone()).wait(PER_ACCOUNT, now);
        let wait = if known { Duration::ZERO } else { of_address.max(of_account) };
        if !wait.is_zero() {
            let mine = (account.clone(), neighbourhood(address));
            match self.turns.get(&mine).copied() {
                Some(turn) if turn <= now => self.turns.remove(&mine),
                Some(turn) => return Err(TooMany { wait: wait.min(turn - now) }),
                None => {
                    *self.turns.entry(mine) = now + TURN;
                    return Err(TooMany { wait: wait.min(TURN) });
                }
            };
        }
        pair.failures = pair.failures.saturating_add(1);
        pair.last = now;
        if pair.failures >= FREE {
            let doubled = Duration::from_secs(1 << (pair.failures - FREE).min(16));
            pair.until = now + doubled.min(LONGEST);
        }
        self.addresses.entry(site(address)).take(PER_ADDRESS, now);
        self.accounts.entry(account).take(PER_ACCOUNT, now);
        Ok(())
    }

    /// The try was the right password: nothing of it counts.
    pub fn succeeded(&mut self, account: &str, address: IpAddr, now: Duration) {
        let account = key(account);
        self.addresses.entry(site(address)).give();
        self.accounts.entry(account.clone()).give();
        let both = (account, network(address));
        self.pairs.remove(&both);
        *self.signed_in.entry(both) = now;
    }

    /// The try was never made, for want of a processor: nothing of it counts.
    pub fn not_tried(&mut self, account: &str, address: IpAddr) {
        let account = key(account);
        self.addresses.entry(site(address)).give();
        self.accounts.entry(account.clone()).give();
        let pair = self.pairs.entry((account, network(address)));
        pair.failures = pair.failures.saturating_sub(1);
        pair.until = Duration::ZERO;
    }

    /// A signed-in person asks for a change.
    pub fn change(&mut self, person: &str, now: Duration) -> Result<(), TooMany> {
        let bucket = self.people.entry(person.to_owned());
        let wait = bucket.wait(PER_PERSON, now);
        if !wait.is_zero() {
            return Err(TooMany { wait });
        }
        bucket.take(PER_PERSON, now);
        Ok(())
    }
}

/// No account has a longer name, so longer ones need not be told apart.
fn key(account: &str) -> String {
    shortened(account, 64).to_owned()
}

/// The longest part of a text from its start that has at most so many bytes.
pub fn shortened(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Whoever has one IPv6 address has the whole /64 to choose from.
fn network(address: IpAddr) -> Cidr {
    prefix(address, 32, 64)
}

/// Whoever has a site has its /48.
pub(super) fn site(address: IpAddr) -> Cidr {
    prefix(address, 32, 48)
}

fn neighbourhood(address: IpAddr) -> Cidr {
    prefix(address, 24, 48)
}

fn prefix(address: IpAddr, v4: u8, v6: u8) -> Cidr {
    let address = address.to_canonical();
    Cidr::around(address, if address.is_ipv6() { v6 } else { v4 })
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    most: u32,
    each: Duration,
}

/// Tries that were taken and not yet given back by time.
#[derive(Debug, Default, Clone, Copy)]
struct Bucket {
    taken: u32,
    // When `taken` was last brought up to date.
    at: Duration,
}

impl Bucket {
    fn wait(&mut self, budget: Budget, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.at);
        let back = u32::try_from(passed.as_millis() / budget.each.as_millis().max(1)).unwrap_or(u32::MAX);
        self.taken = self.taken.saturating_sub(back);
        self.at = if self.taken == 0 { now } else { self.at + budget.each * back };
        if self.taken < budget.most { Duration::ZERO } else { (self.at + budget.each).saturating_sub(now) }
    }

    fn take(&mut self, budget: Budget, now: Duration) {
        if self.taken == 0 {
            self.at = now;
        }
        self.taken = (self.taken + 1).min(budget.most);
    }

    fn give(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }
}

/// A map that forgets what was unused for longest rather than grow.
#[derive(Debug)]
pub(super) struct Kept<K, V> {
    entries: HashMap<K, (u64, V)>,
    uses: u64,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), uses: 0 }
    }
}

impl<K: Hash + Eq, V> Kept<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|(_, value)| value)
    }

    pub(super) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.uses += 1;
        if self.entries.len() >= KEPT && !self.entries.contains_key(&key) {
            let mut uses: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
            let (_, oldest, _) = uses.select_nth_unstable(KEPT / 8);
            let oldest = *oldest;
            self.entries.retain(|_, (used, _)| *used > oldest);
        }
        let entry = self.entries.entry(key).or_default();
        entry.0 = self.uses;
        &mut entry.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn stranger(number: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + number))
    }

    /// Tries as soon as it is worth it and returns when the password would have been looked at.
    fn admitted(guard: &mut Guard, account: &str, address: IpAddr, from: Duration) -> Duration {
        let mut now = from;
        for _ in 0..1000 {
            match guard.attempt(account, address, now) {
                Ok(()) => return now,
                Err(TooMany { wait }) => now += wait,
            }
        }
        panic!("never admitted");
    }

    #[test]
    fn the_delay_doubles_and_has_an_end() {
        let mut guard = Guard::default();
        let mut now = seconds(1);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let next = admitted(&mut guard, "jon", HOME, now);
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 120, 120]);
    }

    #[test]
    fn trying_too_early_costs_nothing() {
        let mut guard = Guard::default();
        for _ in 0..4 {
            admitted(&mut guard, "jon", HOME, seconds(1));
        }
        let wait = guard.attempt("jon", HOME, seconds(2)).unwrap_err().wait;
        for _ in 0..100 {
            assert_eq!(guard.attempt("jon", HOME, seconds(2)), Err(TooMany { wait }));
        }
    }

    #[test]
    fn a_sign_in_wipes_the_slate() {
        let mut guard = Guard::default();
        for _ in 0..3 {
            admitted(&mut guard, "jon", HOME, seconds(1));
        }
        let now = admitted(&mut guard, "jon", HOME, seconds(1));
        guard.succeeded("jon", HOME, now);
        assert_eq!(guard.attempt("jon", HOME, now), Ok(()));
    }

    #[test]
    fn tries_at_once_are_counted_before_they_fail() {
        let mut guard = Guard::default();
        let let_through = (0..100).filter(|_| guard.attempt("jon", HOME, seconds(1)).is_ok()).count();
        assert_eq!(let_through, 3);
    }

    #[test]
    fn one_address_cannot_walk_through_all_accounts() {
        let mut guard = Guard::default();
        let tries = |guard: &mut Guard, from: u64, to: u64| {
            (from..to)
                .flat_map(|second| (0..5).map(move |account| (second, account)))
                .filter(|(second, account)| {
                    guard.attempt(&format!("p{second}-{account}"), HOME, seconds(*second)).is_ok()
                })
                .count()
        };
        assert_eq!(tries(&mut guard, 0, 60), 30 + 5);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let mut guard = Guard::default();
        let let_through = (0..100u16)
            .filter(|host| {
                let address = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, *host));
                guard.attempt("jon", address, seconds(1)).is_ok()
            })
            .count();
        assert_eq!(let_through, 3);
    }

    #[test]
    fn strangers_do_not_lock_out_an_address_that_signed_in_lately() {
        let mut guard = Guard::default();
        assert_eq!(guard.attempt("jon", HOME, seconds(0)), Ok(()));
        guard.succeeded("jon", HOME, seconds(0));
        for second in 0..3600 {
            let _ = guard.attempt("jon", stranger(second % 997), seconds(second.into()));
        }
        assert_eq!(guard.attempt("jon", HOME, seconds(3600)), Ok(()));
    }

    #[test]
    fn strangers_hold_up_a_new_address_for_some_minutes_at_most() {
        let mut guard = Guard::default();
        let mut tries = 0;
        for second in 0..7200u32 {
            // Ten tries a second from ever new addresses.
            for one in 0..10 {
                let stranger = stranger(second * 10 + one);
                tries += u32::from(guard.attempt("jon", stranger, seconds(second.into())).is_ok());
            }
            if second == 3000 {
                let refused = guard.attempt("jon", HOME, seconds(second.into()));
                assert!(refused.is_err_and(|refused| refused.wait <= TURN), "{refused:?}");
            }
            if second == 3300 {
                assert_eq!(guard.attempt("jon", HOME, seconds(second.into())), Ok(()));
            }
        }
        // 72,000 strangers that never come back got what the budget gives, and no more.
        assert!(tries < 20 + 7200 / 15 + 2, "{tries}");
    }

    #[test]
    fn memory_is_bounded() {
        let mut guard = Guard::default();
        for number in 0..50_000 {
            let _ = guard.attempt(&format!("p{number}"), stranger(number), seconds(1));
        }
        assert!(guard.pairs.entries.len() <= KEPT);
        assert!(guard.addresses.entries.len() <= KEPT);
        assert!(guard.accounts.entries.len() <= KEPT);
    }

    #[test]
    fn a_try_that_was_not_made_does_not_count() {
        let mut guard = Guard::default();
        for _ in 0..100 {
            assert_eq!(guard.attempt("jon", HOME, seconds(1)), Ok(()));
            guard.not_tried("jon", HOME);
        }
    }

    #[test]
    fn a_person_changes_things_at_a_human_pace() {
        let mut guard = Guard::default();
        let changes = (0..200).filter(|_| guard.change("jon", seconds(1)).is_ok()).count();
        assert_eq!(changes, 60);
        assert_eq!(guard.change("jon", seconds(3)), Ok(()));
        assert_eq!(guard.change("richard", seconds(1)), Ok(()));
    }

    #[test]
    fn text_is_cut_between_letters() {
        assert_eq!(shortened("rené", 4), "ren");
        assert_eq!(shortened("rené", 5), "rené");
        assert_eq!(shortened("", 5), "");
    }
}
