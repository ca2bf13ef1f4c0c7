//! Limits on sign-in attempts: delays and budgets that slow guessing down and lock nobody out.
//!
//! Attempts are counted by account and network together (the delay doubles), by network over all accounts, and by
//! account over all networks. Strangers can use up budgets, so a client that is delayed only by them gets its own turn
//! after five minutes. All counters are in a fixed number of cells: a refused attempt changes none of them, and none is
//! emptied to make room. Those of accounts outlive a restart ([`saved`]).
//!
//! A person who has signed in before cannot be kept out by strangers and neighbours:
//! - A *device*, a browser or a login file that got a secret at a sign-in, has a budget of its own that nobody else
//!   can
//!   use (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
//! - A *known pair*, an account and a network from which it signed in, has some additional attempts, which those
//!   who
//!   share the network can use as well. So they are few, repeating a wrong password does not count twice, and a wrong
//!   one is answered as if it had not been checked, so that it does not reveal who signs in from there.

mod kept;
mod saved;
mod sketch;
mod turns;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use doorward_core::net::Cidr;

use self::sketch::{Bucket, Budget, Sketch, millis};
use self::turns::Turns;

pub use self::kept::Kept;
pub use self::saved::Saved;

/// Tries of an account from a network that cost nothing but themselves.
const FREE: u32 = 3;
/// The longest delay between two tries of an account from a network.
const LONGEST: Duration = Duration::from_secs(120);
/// After this long without an attempt, the counters of an account and a network are reset.
const FORGETS: Duration = Duration::from_secs(15 * 60);
/// Refused tries of one address (an IPv6 site) over all accounts.
const PER_ADDRESS: Budget = Budget { most: 30, each: Duration::from_secs(10) };
/// Of all addresses that are likely somebody's together: an IPv4 /24, an IPv6 /40.
const PER_NEIGHBOURHOOD: Budget = Budget { most: 120, each: Duration::from_secs(3) };
/// Of all addresses of one provider: an IPv4 /16, an IPv6 /32. Who has that many networks has no more tries for it.
const PER_PROVIDER: Budget = Budget { most: 600, each: Duration::from_secs(1) };
/// Refused tries of one account over all addresses.
const PER_ACCOUNT: Budget = Budget { most: 20, each: Duration::from_secs(15) };
/// Refused tries of one account by one device.
const PER_DEVICE: Budget = Budget { most: 10, each: Duration::from_secs(30) };
/// Refused tries of a known pair beyond the usual ones.
const PER_KNOWN_PAIR: Budget = Budget { most: 10, each: Duration::from_secs(4) };
/// Changes that one signed-in person may ask for.
const PER_PERSON: Budget = Budget { most: 60, each: Duration::from_secs(1) };
/// Wrong tries of a signed-in person at their own password.
const PER_PROOF: Budget = Budget { most: 5, each: Duration::from_secs(60) };
/// Cells in a row of each sketch.
const CELLS: usize = 8_192;
/// Devices, known pairs and people that are counted one by one. Each has signed in before, so strangers add none.
const EXACT: usize = 16_384;
/// Wrong passwords that are remembered, by a fingerprint.
const WRONG: usize = 4_096;

/// Not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// How long until it is worth trying again.
    pub wait: Duration,
}

/// Why a try is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It has to be sent again later.
    Later(TooMany),
    /// A known pair gets another try within seconds, so that it may wait for it here.
    Soon(TooMany),
}

impl Refused {
    /// What is reported.
    pub fn too_many(self) -> TooMany {
        match self {
            Self::Later(too_many) | Self::Soon(too_many) => too_many,
        }
    }
}

/// An attempt to sign in, and what is known of the client.
#[derive(Debug, Clone, Copy)]
pub struct SignInAttempt<'a> {
    /// The name that was typed.
    pub account: &'a str,
    /// Where it comes from.
    pub address: IpAddr,
    /// The device, where its secret was handed out for this account.
    pub device: Option<u128>,
    /// Whether the account signed in from this network before.
    pub known: bool,
    /// A fingerprint of account, network and password, keyed so that nobody can choose it.
    pub fingerprint: u64,
}

/// A try that may be looked at. It counts as failed until it is said otherwise: of a hundred tries at once none slips
/// through before the first has failed.
#[derive(Debug)]
#[must_use]
pub struct Pass {
    account: String,
    address: IpAddr,
    by: By,
}

#[derive(Debug, Clone, Copy)]
enum By {
    Usual,
    Device(u128),
    KnownPair { wait: Duration },
}

impl Pass {
    /// What is answered to a wrong password instead of that it is wrong.
    pub fn answered(&self) -> Option<TooMany> {
        match self.by {
            By::KnownPair { wait } => Some(TooMany { wait }),
            By::Usual | By::Device(_) => None,
        }
    }
}

/// What is counted. Time is uptime: it never runs backwards.
#[derive(Debug)]
pub struct Guard {
    pairs: Sketch<Pair>,
    networks: Sketch<Bucket>,
    accounts: Sketch<Bucket>,
    turns: Turns,
    devices: Exact<u128>,
    known_pairs: Exact<(String, Cidr)>,
    people: Exact<String>,
    proofs: Exact<String>,
    wrong: Vec<u64>,
}

impl Guard {
    /// With counters that are chosen by a secret, which is the same after a restart: see [`Saved`].
    pub fn keyed(secret: &[u8; 32]) -> Self {
        Self {
            pairs: Sketch::new(CELLS, secret),
            networks: Sketch::new(CELLS, secret),
            accounts: Sketch::new(CELLS, secret),
            turns: Turns::default(),
            devices: Exact::default(),
            known_pairs: Exact::default(),
            people: Exact::default(),
            proofs: Exact::default(),
            wrong: vec![0; WRONG],
        }
    }
}

/// Tries of an account from a network. Instants in milliseconds.
#[derive(Debug, Default, Clone, Copy)]
struct Pair {
    failures: u32,
    last: u64,
    until: u64,
}

impl Pair {
    fn now(self, now: u64) -> Self {
        if now.saturating_sub(self.last) >= millis(FORGETS) { Self::default() } else { self }
    }
}

impl Guard {
    /// Asks for a try.
    pub fn attempt(&mut self, asked: &SignInAttempt<'_>, now: Duration) -> Result<Pass, Refused> {
        let account = key(asked.account);
        let pass = |by| Pass { account: account.clone(), address: asked.address, by };
        if let Some(device) = asked.device
            && self.devices.take(device, PER_DEVICE, now).is_ok()
        {
            return Ok(pass(By::Device(device)));
        }
        let wait = match self.usual(&account, asked.address, now) {
            Ok(()) => return Ok(pass(By::Usual)),
            Err(wait) => wait,
        };
        let too_many = TooMany { wait };
        if !asked.known || self.was_wrong(asked.fingerprint) {
            return Err(Refused::Later(too_many));
        }
        match self.known_pairs.take((account.clone(), network(asked.address)), PER_KNOWN_PAIR, now) {
            Ok(()) => Ok(pass(By::KnownPair { wait })),
            Err(_) => Err(Refused::Soon(too_many)),
        }
    }

    fn usual(&mut self, account: &str, address: IpAddr, now: Duration) -> Result<(), Duration> {
        let both = (account, network(address));
        let at = millis(now);
        let held = self.pairs.cells(&both).map(|pair| pair.now(at).until.saturating_sub(at)).min();
        if let Some(held) = held.filter(|held| *held > 0) {
            return Err(Duration::from_millis(held));
        }
        let waits = self.accounts.cells(&account).map(|bucket| bucket.wait(PER_ACCOUNT, now));
        let mut wait = waits.min().unwrap_or_default();
        for (prefix, budget) in networks(address) {
            let waits = self.networks.cells(&prefix).map(|bucket| bucket.wait(budget, now));
            wait = wait.max(waits.min().unwrap_or_default());
        }
        if !wait.is_zero() {
            self.turns.take(account, neighbourhood(address), now).map_err(|turn| match turn {
                Some(turn) => wait.min(turn),
                None => wait,
            })?;
        }
        let failures = self.failures(account, address, at).saturating_add(1);
        let until = match failures.checked_sub(FREE) {
            Some(over) => at + millis(Duration::from_secs(1 << over.min(16)).min(LONGEST)),
            None => 0,
        };
        self.pairs.change(&both, |pair| {
            let was = pair.now(at);
            *pair = Pair { failures: was.failures.max(failures), last: at, until: was.until.max(until) };
        });
        self.accounts.change(&account, |bucket| bucket.take(PER_ACCOUNT, now));
        for (prefix, budget) in networks(address) {
            self.networks.change(&prefix, |bucket| bucket.take(budget, now));
        }
        Ok(())
    }

    fn failures(&self, account: &str, address: IpAddr, at: u64) -> u32 {
        let both = (account, network(address));
        let failures = self.pairs.cells(&both).map(|pair| pair.now(at).failures).min();
        failures.unwrap_or_default()
    }

    /// The try was the right password: nothing of it counts.
    pub fn succeeded(&mut self, pass: &Pass, now: Duration) {
        self.undo(pass, now);
    }

    /// The try was never made, for want of a processor: nothing of it counts.
    pub fn not_tried(&mut self, pass: &Pass, now: Duration) {
        self.undo(pass, now);
    }

    /// The try was wrong, and the same one need not be looked at again.
    pub fn failed(&mut self, fingerprint: u64) {
        if let Some(place) = self.wrong.get_mut(wrong_place(fingerprint)) {
            *place = fingerprint;
        }
    }

    fn was_wrong(&self, fingerprint: u64) -> bool {
        self.wrong.get(wrong_place(fingerprint)) == Some(&fingerprint)
    }

    /// Only what the try itself added is taken away again: the cells are others' as well.
    fn undo(&mut self, pass: &Pass, now: Duration) {
        let (account, address) = (pass.account.as_str(), pass.address);
        match pass.by {
            By::Device(device) => self.devices.give(&device),
            By::KnownPair { .. } => self.known_pairs.give(&(account.to_owned(), network(address))),
            By::Usual => {
                let at = millis(now);
                let failures = self.failures(account, address, at);
                self.pairs.change(&(account, network(address)), |pair| {
                    if pair.failures == failures {
                        pair.failures = failures.saturating_sub(1);
                        pair.until = at;
                    }
                });
                self.accounts.change(&account, Bucket::give);
                for (prefix, _) in networks(address) {
                    self.networks.change(&prefix, Bucket::give);
                }
            }
        }
    }

    /// A signed-in person asks for a change.
    pub fn change(&mut self, person: &str, now: Duration) -> Result<(), TooMany> {
        self.people.take(person.to_owned(), PER_PERSON, now).map_err(|wait| TooMany { wait })
    }

    /// A signed-in person types their own password once more. Nobody else can use this budget up.
    pub fn proof(&mut self, person: &str, now: Duration) -> Result<(), TooMany> {
        self.proofs.take(person.to_owned(), PER_PROOF, now).map_err(|wait| TooMany { wait })
    }

    /// It was right, or was not looked at.
    pub fn proved(&mut self, person: &str) {
        self.proofs.give(&person.to_owned());
    }
}

/// Budgets of those who have signed in before, one by one.
#[derive(Debug)]
struct Exact<K> {
    buckets: HashMap<K, Bucket>,
}

impl<K> Default for Exact<K> {
    fn default() -> Self {
        Self { buckets: HashMap::new() }
    }
}

impl<K: Hash + Eq> Exact<K> {
    /// Takes one, or says how long until there is one.
    fn take(&mut self, key: K, budget: Budget, now: Duration) -> Result<(), Duration> {
        if self.buckets.len() >= EXACT && !self.buckets.contains_key(&key) {
            // Whatever is not at rest is still counted.
            self.buckets.retain(|_, bucket| !bucket.at_rest(budget, now));
            if self.buckets.len() >= EXACT {
                return Err(budget.each);
            }
        }
        let wait = self.buckets.get(&key).map_or(Duration::ZERO, |bucket| bucket.wait(budget, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        self.buckets.entry(key).or_default().take(budget, now);
        Ok(())
    }

    fn give(&mut self, key: &K) {
        if let Some(bucket) = self.buckets.get_mut(key) {
            bucket.give();
        }
    }
}

fn wrong_place(fingerprint: u64) -> usize {
    usize::try_from(fingerprint % WRONG as u64).unwrap_or(0)
}

/// No account has a longer name, so longer ones need not be distinguished.
fn key(account: &str) -> String {
    shortened(account, 64).to_owned()
}

/// The longest part of a text from its start that has at most so many bytes.
pub fn shortened(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Whoever has one IPv6 address has the whole /64 to choose from.
pub fn network(address: IpAddr) -> Cidr {
    prefix(address, 32, 64)
}

/// Whoever has a site has its /48.
pub fn site(address: IpAddr) -> Cidr {
    prefix(address, 32, 48)
}

/// Addresses that are likely somebody's together.
pub fn neighbourhood(address: IpAddr) -> Cidr {
    prefix(address, 24, 40)
}

/// A provider's part of the internet, or a large one's smallest.
pub fn provider(address: IpAddr) -> Cidr {
    prefix(address, 16, 32)
}

/// What a try from an address is counted in, each with its budget.
fn networks(address: IpAddr) -> [(Cidr, Budget); 3] {
    [
        (site(address), PER_ADDRESS),
        (neighbourhood(address), PER_NEIGHBOURHOOD),
        (provider(address), PER_PROVIDER),
    ]
}

fn prefix(address: IpAddr, v4: u8, v6: u8) -> Cidr {
    let address = address.to_canonical();
    Cidr::around(address, if address.is_ipv6() { v6 } else { v4 })
}

#[cfg(test)]
mod tests;
