//! Time that a person held a target without approval: what an approval is asked for by.
//!
//! An approval that counted each grant by itself would be avoided by closing and opening again. So all that a person held
//! without approval counts together: from every address, by every transport, and to every target that the place of
//! enforcement cannot tell from this one. Time that was held twice at once counts once.
//!
//! A clock that is set back shows the same hours again, and what is held in them was not held at once with what was held
//! before. So time is counted by a clock that never goes back: it is as far ahead of the clock as the latest end of the
//! person's grants, and every grant has on it how far that was when it was opened ([`Grant::behind`]).

use jiff::{SignedDuration, Timestamp};

use super::{Past, rounded_up};
use crate::grant::{Grant, Life};
use crate::policy::{Enforcement, Person, Policy, Target};

/// What a grant that lasts longer than the policy allows without approval cannot be cut into: a day, or the longest
/// life of a grant where that is longer.
pub fn window(target: &Target) -> SignedDuration {
    target.lasts.at_most.max(SignedDuration::from_hours(24))
}

/// By how many whole seconds the clock is behind the times of a person's grants: zero unless it was set back.
pub(super) fn behind(past: &Past<'_>, person: &Person, now: Timestamp) -> u32 {
    let of_person = past.unfinished.iter().chain(past.ended).filter(|grant| grant.person() == person);
    let ahead = of_person.filter_map(|grant| match grant.life() {
        Life::Waiting { .. } => None,
        Life::Open { .. } => Some(own(grant)),
        Life::Ended { .. } => Some(own(grant).max(ended(grant)?.1.duration_since(now))),
    });
    let ahead = ahead.max().unwrap_or(SignedDuration::ZERO);
    u32::try_from(rounded_up(ahead).as_secs().max(0)).unwrap_or(u32::MAX)
}

/// How long a person would have held a target without approval since the beginning of the window, with `more`: the
/// grant that is decided on, from its beginning to its end, instead of `held`, which it extends.
///
/// What is ahead counts too, so that any window that ends before the last end holds no more than this.
pub(super) fn unapproved(
    (policy, target, person): (&Policy, &Target, &Person),
    past: &Past<'_>,
    (held, more): (Option<&Grant>, Option<(Timestamp, Timestamp)>),
    now: Timestamp,
) -> SignedDuration {
    let behind = SignedDuration::from_secs(behind(past, person, now).into());
    let from = later(now, behind).checked_sub(window(target)).unwrap_or(Timestamp::MIN);
    let id = held.map(Grant::id);
    let counts = |grant: &&Grant| {
        grant.person() == person
            && Some(grant.id()) != id
            && (grant.target() == &target.name
                || policy.targets.get(grant.target()).is_some_and(|other| is_same(policy, target, other)))
    };
    let before = past.unfinished.iter().chain(past.ended).filter(counts);
    let spans = before.flat_map(|grant| spans(grant, behind, now));
    let more = more.into_iter().flat_map(|more| open(more, held.map_or(behind, own), behind, now));
    let clipped = spans.chain(more).map(|(begins, ends)| (begins.max(from), ends));
    union(clipped.filter(|(begins, ends)| begins < ends).collect())
}

/// From when to when, by the clock that never goes back.
type Span = (Timestamp, Timestamp);

/// When a grant was or will be open without an approval.
fn spans(grant: &Grant, behind: SignedDuration, now: Timestamp) -> Vec<Span> {
    let approved = match (grant.approved_by(), grant.approved_at()) {
        (None, _) => None,
        (Some(_), None) => return Vec::new(),
        (Some(_), Some(at)) => Some(at),
    };
    match (grant.life(), approved) {
        (Life::Waiting { .. }, _) => Vec::new(),
        (Life::Open { since, until, .. }, None) => open((*since, *until), own(grant), behind, now).to_vec(),
        (Life::Open { since, until, .. }, Some(at)) => {
            vec![(later((*since).min(now), own(grant)), later(at.min(*until), own(grant)))]
        }
        (Life::Ended { .. }, approved) => {
            let approved = approved.map_or(Timestamp::MAX, |at| later(at, own(grant)));
            ended(grant).map(|(begins, ends)| (begins, ends.min(approved))).into_iter().collect()
        }
    }
}

/// What was open until now of a grant, and what is ahead. A beginning that lies ahead is that of a clock that was set back.
fn open(
    (since, until): (Timestamp, Timestamp),
    own: SignedDuration,
    behind: SignedDuration,
    now: Timestamp,
) -> [Span; 2] {
    [(later(since.min(now), own), later(now, own)), (later(now, behind), later(until, behind))]
}

/// When a grant that has ended was open; none if it never was.
fn ended(grant: &Grant) -> Option<Span> {
    let Life::Ended { since: Some(since), at, lived, .. } = *grant.life() else { return None };
    let begins = later(since.min(at), own(grant));
    let lived = SignedDuration::from_secs(lived.unwrap_or_default());
    Some((begins, later(since.max(at), own(grant)).max(later(begins, lived))))
}

fn own(grant: &Grant) -> SignedDuration {
    SignedDuration::from_secs(grant.behind().into())
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The length of all spans together.
fn union(mut spans: Vec<Span>) -> SignedDuration {
    spans.sort_unstable();
    let mut whole = SignedDuration::ZERO;
    let mut covered = Timestamp::MIN;
    for (begins, ends) in spans {
        if ends > covered {
            whole = whole.saturating_add(ends.duration_since(begins.max(covered)));
            covered = ends;
        }
    }
    whole
}

/// Whether a grant to one target is as good as one to the other: the same host, or the same place of enforcement that
/// cannot tell them apart, or a network that the other lies in, on a port that both have.
fn is_same(policy: &Policy, one: &Target, other: &Target) -> bool {
    let ports = one.ports.iter().any(|one| other.ports.iter().any(|other| one.meets(*other)));
    if !ports {
        return false;
    }
    if one.address == other.address {
        return true;
    }
    if one.network_with(other).is_some() || other.network_with(one).is_some() {
        return true;
    }
    let firewall = |target: &Target| policy.firewalls.get(target.firewall.as_ref()?);
    let (Some(first), Some(second)) = (firewall(one), firewall(other)) else { return false };
    match (&first.kind, &second.kind) {
        (
            Enforcement::SecurityGroup { group: first, .. },
            Enforcement::SecurityGroup { group: second, .. },
        ) => first == second,
        (Enforcement::Nftables { table }, Enforcement::Nftables { table: second_table }) => {
            let (to, other_to) = (first.destination(one), second.destination(other));
            table == second_table && (to == other_to || to.is_none() || other_to.is_none())
        }
        (Enforcement::Relay { listen: first }, Enforcement::Relay { listen: second }) => first == second,
        _ => false,
    }
}
