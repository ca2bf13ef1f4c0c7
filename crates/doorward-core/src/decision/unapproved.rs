//! Time that a person held a target without approval: what an approval is asked for by.
//!
//! An approval that counted each grant by itself would be avoided by closing and opening again. So all that a person held
//! without approval counts together: from every address, by every transport, and to every target that the place of
//! enforcement cannot tell from this one. Time that was held twice at once counts once.

use jiff::{SignedDuration, Timestamp};

use super::Past;
use crate::grant::{Grant, Life};
use crate::policy::{Enforcement, Person, Policy, Target};

/// What a grant that lasts longer than the policy allows without approval cannot be cut into: a day, or the longest
/// life of a grant where that is longer.
pub fn window(target: &Target) -> SignedDuration {
    target.lasts.at_most.max(SignedDuration::from_hours(24))
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
    let from = now.checked_sub(window(target)).unwrap_or(Timestamp::MIN);
    let held = held.map(Grant::id);
    let counts = |grant: &&Grant| {
        grant.person() == person
            && Some(grant.id()) != held
            && (grant.target() == &target.name
                || policy.targets.get(grant.target()).is_some_and(|other| is_same(policy, target, other)))
    };
    let before = past.unfinished.iter().chain(past.ended).filter(counts);
    let spans = before.filter_map(|grant| span(grant, now)).chain(more);
    let clipped = spans.map(|(begins, ends)| (begins.max(from), ends)).filter(|(begins, ends)| begins < ends);
    union(clipped.collect())
}

/// From when to when a grant was or will be open without an approval. A beginning that lies ahead is that of a clock that
/// was set back.
fn span(grant: &Grant, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let (begins, ends) = match *grant.life() {
        Life::Waiting { .. } => return None,
        Life::Open { since, until, .. } => (since.min(now), until),
        Life::Ended { since, at, .. } => since.map(|since| (since.min(at), since.max(at)))?,
    };
    match (grant.approved_by(), grant.approved_at()) {
        (None, _) => Some((begins, ends)),
        (Some(_), at) => at.map(|at| (begins, at.min(ends))),
    }
}

/// The length of all spans together.
fn union(mut spans: Vec<(Timestamp, Timestamp)>) -> SignedDuration {
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
/// cannot tell them apart, on a port that both have.
fn is_same(policy: &Policy, one: &Target, other: &Target) -> bool {
    let ports = one.ports.iter().any(|one| other.ports.iter().any(|other| one.meets(*other)));
    if !ports {
        return false;
    }
    if one.address == other.address {
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
