//! How many grants may be open or wait at once: of one person, to one target, and of one person to one target.

use jiff::Timestamp;

use super::{Most, Refusal, extends};
use crate::grant::{Grant, GrantId};
use crate::policy::{Person, Policy, Target};

/// Whether one grant more keeps to the policy's limits, beside all others but the one of that name.
///
/// A request that extends an open grant once it is approved is none more.
pub fn check(
    policy: &Policy,
    target: &Target,
    person: &Person,
    (unfinished, but): (&[Grant], Option<&GrantId>),
    now: Timestamp,
) -> Result<(), Refusal> {
    let limits = &policy.limits;
    let counts = |grant: &&Grant| {
        !grant.ended()
            && grant.overdue(now).is_none()
            && Some(grant.id()) != but
            && extends(grant, unfinished, now).is_none()
    };
    let going_on = || unfinished.iter().filter(counts);
    let mine = || going_on().filter(|grant| grant.person() == person);
    let to_target = |grant: &&Grant| grant.target() == &target.name;
    let ids = |grants: Vec<&Grant>| -> Vec<GrantId> {
        grants.into_iter().map(|grant| grant.id().clone()).collect()
    };
    let reached = |count: usize, most: u32| count >= usize::try_from(most).unwrap_or(usize::MAX);

    let here: Vec<&Grant> = mine().filter(to_target).collect();
    let (most, of) = (limits.per_person_and_target, Most::PersonAndTarget { target: target.name.clone() });
    if reached(here.len(), most) {
        return Err(Refusal::TooManyGrants { of, most, yours: ids(here) });
    }
    let all: Vec<&Grant> = mine().collect();
    if reached(all.len(), limits.per_person) {
        return Err(Refusal::TooManyGrants { of: Most::Person, most: limits.per_person, yours: ids(all) });
    }
    if let Some(most) = target.limit.or(limits.per_target)
        && reached(going_on().filter(to_target).count(), most)
    {
        // Other people's grants are not named.
        let of = Most::Target { target: target.name.clone() };
        return Err(Refusal::TooManyGrants { of, most, yours: ids(here) });
    }
    Ok(())
}
