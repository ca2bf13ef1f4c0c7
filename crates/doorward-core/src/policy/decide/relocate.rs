//! Moves a grant to the address that its person comes from by now.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{firewall, still_allowed};
use crate::grant::{Ending, Grant, GrantId};
use crate::policy::source::source;
use crate::policy::{People, Person, Policy, Refusal, Transport};

/// What becomes of a grant whose person's address has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one is made for a request, and read at once")]
pub enum Relocation {
    /// It admits the address already.
    Stays,
    /// The grant with the old address, ended, and one with the new address, the same end and the same approval.
    Moved {
        /// The old one.
        before: Grant,
        /// The new one.
        after: Grant,
    },
    /// No, for this reason.
    Refused {
        /// Which.
        reason: Refusal,
    },
}

/// Decides whether a grant moves to another address of its person's. `id` is the name that it gets there.
///
/// Its beginning and its end stay as they are, and so does who approved it: that was for the person and the target.
pub fn relocate(
    policy: &Policy,
    people: &People,
    grant: &Grant,
    (by, id, to): (&Person, GrantId, IpAddr),
    unfinished: &[Grant],
    now: Timestamp,
) -> Relocation {
    match moved(policy, people, grant, (by, id, to), unfinished, now) {
        Ok(Some((before, after))) => Relocation::Moved { before, after },
        Ok(None) => Relocation::Stays,
        Err(reason) => Relocation::Refused { reason },
    }
}

fn moved(
    policy: &Policy,
    people: &People,
    grant: &Grant,
    (by, id, to): (&Person, GrantId, IpAddr),
    unfinished: &[Grant],
    now: Timestamp,
) -> Result<Option<(Grant, Grant)>, Refusal> {
    // An operator closes other people's grants, and does not point them elsewhere.
    if grant.person() != by {
        return Err(Refusal::NotYourGrant { person: by.clone(), grant: grant.id().clone() });
    }
    if grant.live(now).is_none() {
        return Err(Refusal::NotOpen { grant: grant.id().clone() });
    }
    still_allowed(policy, people, grant, now)?;
    if grant.transport() != Transport::Direct {
        let (grant, transport) = (grant.id().clone(), grant.transport());
        return Err(Refusal::NoAddressAdmitted { grant, transport });
    }
    if grant.source().contains(to) {
        return Ok(None);
    }
    let most = policy.limits.moves;
    if grant.moves() >= most {
        return Err(Refusal::MovedTooOften { grant: grant.id().clone(), most });
    }
    let target = policy.targets.get(grant.target());
    let firewall = target.and_then(|target| firewall(policy, target));
    let source = source(&policy.grants, grant.transport(), firewall, to)?;
    let there = |other: &&Grant| {
        other.id() != grant.id()
            && other.live(now).is_some()
            && other.person() == by
            && other.target() == grant.target()
            && other.transport() == grant.transport()
            && other.source().contains(to)
    };
    if let Some(other) = unfinished.iter().find(there) {
        return Err(Refusal::OpenThere { grant: grant.id().clone(), other: other.id().clone(), address: to });
    }
    let before = grant.end(Ending::Moved { to: id.clone() }, now);
    Ok(Some((before, grant.moved(id, source))))
}
