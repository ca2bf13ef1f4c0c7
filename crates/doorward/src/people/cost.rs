//! Estimates how long a hash takes to compute on this machine, from its cost parameter and without computing it.
//!
//! Costs are written into the hash, and go up to years: `$2y$31$`, `rounds=999999999`. A cheap hash of the same scheme
//! is measured once; the work is linear in the rounds.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use doorward_core::policy::{HashKind, PasswordHash, People};

use super::password::{COST, verify};

/// A hash that takes longer is not computed: one wrong try each would keep a processor busy.
pub const LONGEST: Duration = Duration::from_secs(2);

/// Bytes of the password that estimates are for, where none was typed.
pub const USUAL: usize = 16;

/// How often the cheap hash is measured; the fastest counts, since all that disturbs makes it slower.
const MEASURED: usize = 7;

/// What is computed once to learn how fast a kind is: its cost and seconds.
fn measured(kind: HashKind) -> (f64, f64) {
    static SPEEDS: [OnceLock<f64>; 7] = [const { OnceLock::new() }; 7];
    let (place, cost) = match kind {
        HashKind::Bcrypt => (0, 5),
        HashKind::Sha256Crypt => (1, 1_000),
        HashKind::Sha512Crypt => (2, 1_000),
        HashKind::Apr1 => (3, 0),
        HashKind::Md5Crypt => (4, 0),
        HashKind::Sha1 => (5, 0),
        HashKind::DesCrypt => (6, 0),
    };
    let measure = || {
        let decoy = PasswordHash::decoy(kind, cost);
        let password = "x".repeat(USUAL);
        let one = || {
            let begun = Instant::now();
            std::hint::black_box(verify(&decoy, &password));
            begun.elapsed().as_secs_f64()
        };
        (0..MEASURED).map(|_| one()).fold(f64::MAX, f64::min)
    };
    (f64::from(cost), SPEEDS.get(place).map_or_else(measure, |speed| *speed.get_or_init(measure)))
}

/// How long it takes to try a password of so many bytes against a hash.
pub fn estimate(kind: HashKind, cost: u32, length: usize) -> Duration {
    let (measured_cost, seconds) = measured(kind);
    let cost = f64::from(cost);
    let times = match kind {
        HashKind::Bcrypt => (cost - measured_cost).exp2(),
        // Each round hashes the password again; a block of SHA is 64 or 128 bytes, and a round has more in it.
        HashKind::Sha256Crypt | HashKind::Sha512Crypt => {
            let longer = length.saturating_sub(USUAL) as f64 / 64.0;
            cost / measured_cost * (1.0 + longer)
        }
        HashKind::Apr1 | HashKind::Md5Crypt | HashKind::Sha1 | HashKind::DesCrypt => 1.0,
    };
    Duration::try_from_secs_f64(seconds * times).unwrap_or(Duration::MAX)
}

/// How long a hash would take, where that is more than [`LONGEST`].
pub fn too_costly(hash: &PasswordHash, length: usize) -> Option<Duration> {
    let takes = estimate(hash.kind(), hash.cost(), length);
    (takes > LONGEST).then_some(takes)
}

/// How long as people say it: nobody counts the seconds of a year.
pub fn in_words(takes: Duration) -> String {
    match takes.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7_200 => format!("{} minutes", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} hours", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// What the people of a password file have in common.
#[derive(Debug, Clone)]
pub struct Costs {
    dearest: BTreeMap<HashKind, u32>,
    decoy: PasswordHash,
}

impl Costs {
    /// Of people; hashes that are never computed do not count.
    pub fn of(people: &People) -> Self {
        let mut dearest: BTreeMap<HashKind, u32> = BTreeMap::new();
        let computed = |hash: &&PasswordHash| estimate(hash.kind(), hash.cost(), USUAL) <= LONGEST;
        for hash in people.passwords.values().filter(computed) {
            let most = dearest.entry(hash.kind()).or_insert(hash.cost());
            *most = hash.cost().max(*most);
        }
        if dearest.is_empty() {
            dearest.insert(HashKind::Bcrypt, COST);
        }
        let most = dearest.iter().max_by_key(|(kind, cost)| estimate(**kind, **cost, USUAL));
        let (kind, cost) = most.map_or((HashKind::Bcrypt, COST), |(kind, cost)| (*kind, *cost));
        Self { dearest, decoy: PasswordHash::decoy(kind, cost) }
    }

    /// Nobody's hash, which takes as long as the dearest.
    pub fn decoy(&self) -> &PasswordHash {
        &self.decoy
    }

    /// What a wrong try against a hash is followed by, so that it takes about as long as one against the dearest.
    pub fn decoy_after(&self, hash: &PasswordHash) -> Option<&PasswordHash> {
        let takes = |hash: &PasswordHash| estimate(hash.kind(), hash.cost(), USUAL);
        (takes(hash).saturating_mul(4) < takes(&self.decoy).saturating_mul(3)).then_some(&self.decoy)
    }

    /// How long a refusal takes: as long as the dearest hash, with room for a machine that is busy, in steps of a
    /// quarter of a second.
    pub fn refusal(&self, length: usize) -> Duration {
        let takes = self.dearest.iter().map(|(kind, cost)| estimate(*kind, *cost, length));
        let dearest = takes.filter(|takes| *takes <= LONGEST).max().unwrap_or_default();
        let step = 250;
        let least = (dearest * 2).as_millis().saturating_add(100);
        let steps = u64::try_from(least.div_ceil(u128::from(step))).unwrap_or(u64::MAX).max(2);
        Duration::from_millis(steps.saturating_mul(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> PasswordHash {
        text.parse().expect("a hash")
    }

    #[test]
    fn hashes_that_take_years_are_told_without_computing_them() {
        let digest = |length: usize| ".".repeat(length);
        for text in [
            format!("$2y$31${}", digest(53)),
            format!("$5$rounds=999999999$a${}", digest(43)),
            format!("$6$rounds=999999999$a${}", digest(86)),
        ] {
            let begun = Instant::now();
            assert!(too_costly(&hash(&text), USUAL).is_some(), "{text}");
            assert!(begun.elapsed() < Duration::from_secs(60), "{text} was computed");
        }
        for text in [format!("$2y$10${}", digest(53)), format!("$6$a${}", digest(86))] {
            assert_eq!(too_costly(&hash(&text), USUAL), None, "{text}");
        }
    }

    #[test]
    fn each_step_of_bcrypt_takes_twice_as_long() {
        let (ten, eleven) = (estimate(HashKind::Bcrypt, 10, 8), estimate(HashKind::Bcrypt, 11, 70));
        assert!((eleven.as_secs_f64() / ten.as_secs_f64() - 2.0).abs() < 1e-6, "{ten:?} {eleven:?}");
    }

    #[test]
    fn a_refusal_takes_longer_than_the_dearest_hash_that_is_computed() {
        let cheap = format!("jon:$2y$04${}\nlee:$2y$04${}\n", ".".repeat(53), ".".repeat(53));
        let dear = format!("{cheap}boss:$2y$09${}\nslow:$2y$31${}\n", ".".repeat(53), ".".repeat(53));
        let costs = |text: &str| Costs::of(&People::parse(text.as_bytes(), "h", b"", "g").expect("people"));
        let takes = costs(&dear).refusal(USUAL);
        assert!(takes > estimate(HashKind::Bcrypt, 9, USUAL), "{takes:?}");
        assert!(takes < Duration::from_secs(10), "{takes:?}: a hash that is never computed does not count");
        assert_eq!(costs(&cheap).refusal(USUAL), Duration::from_millis(500));
    }

    #[test]
    fn a_name_that_is_nobodys_is_tried_as_the_dearest_is() {
        let costs = |text: &str| Costs::of(&People::parse(text.as_bytes(), "h", b"", "g").expect("people"));
        let decoy = |text: &str| (costs(text).decoy().kind(), costs(text).decoy().cost());
        let bcrypt = |cost: &str| format!("$2y${cost}${}", ".".repeat(53));
        let mixed = format!("jon:{}\nmaria:{}\nlee:abl0JrMf6tlhw\n", bcrypt("04"), bcrypt("11"));
        assert_eq!(decoy(&mixed), (HashKind::Bcrypt, 11));
        assert_eq!(decoy(""), (HashKind::Bcrypt, COST));
        assert_eq!(decoy(&format!("slow:{}\n", bcrypt("31"))), (HashKind::Bcrypt, COST));
        assert_eq!(decoy(&format!("slow:{}\njon:{}\n", bcrypt("31"), bcrypt("05"))), (HashKind::Bcrypt, 5));
        let after =
            |text: &str| costs(&mixed).decoy_after(&text.parse().expect("a hash")).map(PasswordHash::cost);
        assert_eq!(
            (after(&bcrypt("04")), after("abl0JrMf6tlhw"), after(&bcrypt("11"))),
            (Some(11), Some(11), None)
        );
    }

    #[test]
    fn times_are_told_as_people_say_them() {
        assert_eq!(in_words(Duration::from_secs(9)), "9 seconds");
        assert_eq!(in_words(Duration::from_secs(600)), "10 minutes");
        assert_eq!(in_words(Duration::from_secs(90_000)), "25 hours");
        assert_eq!(in_words(Duration::from_secs(864_000)), "10 days");
    }
}
