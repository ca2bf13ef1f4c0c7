//! Moves a grant to the address that its person comes from by now.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{Refusal, firewall, source, still_allowed};
use crate::grant::{Ending, Grant, GrantId};
use crate::net::Cidr;
use crate::policy::{People, Person, Policy, TargetName, Transport};

/// What becomes of a grant whose person's address has changed.
#[expect(clippy::large_enum_variant, reason = "it is decided once a request, and taken apart at once")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relocation {
    /// It admits the address already.
    Stays,
    /// No grant admits the old address any more, and one admits the new.
    Moved {
        /// Every grant of the person's to the target from the old address, ended; first the one that ends last.
        before: Vec<Grant>,
        /// What admits the new address until the latest of their ends.
        after: There,
    },
    /// No, for this reason.
    Refused { reason: Refusal },
}

/// What admits the new address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// A new grant, with the end, the beginning and the approval of the one that ended last.
    New(Grant),
    /// A grant that admitted it before, and ends as late.
    Already(Grant),
}

impl There {
    /// The grant.
    pub fn grant(&self) -> &Grant {
        let (Self::New(grant) | Self::Already(grant)) = self;
        grant
    }
}

/// Decides whether a grant moves to another address of its person's. `id` is the name that it gets there.
///
/// Its beginning and its end stay as they are, and so does who approved it: that was for the person and the target. A
/// person may hold several grants of one address for one target, one of them approved; they move together, since an
/// address that was left must not stay admitted by another of them.
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
) -> Result<Option<(Vec<Grant>, There)>, Refusal> {
    // An operator closes other people's grants, and does not point them elsewhere.
    if grant.person() != by {
        return Err(Refusal::OnlyItsPersonMoves { person: by.clone(), grant: grant.id().clone() });
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
    let alike = |other: &&Grant| {
        other.id() != grant.id()
            && other.live(now).is_some()
            && other.person() == by
            && other.target() == grant.target()
            && other.transport() == grant.transport()
    };
    let allowed = |other: &&Grant| still_allowed(policy, people, other, now).is_ok();
    let left = || unfinished.iter().filter(alike).filter(|other| other.source() == grant.source());
    let longest = left()
        .filter(allowed)
        .fold(grant, |one, other| if other.until() > one.until() { other } else { one });
    let there = unfinished.iter().filter(alike).filter(|other| other.source().contains(to)).filter(allowed);
    let after = match there.max_by_key(|other| other.until()) {
        Some(there) if there.until() >= longest.until() => There::Already(there.clone()),
        _ => There::New(moved_to(policy, longest, id, to)?),
    };
    let how = || Ending::Moved { to: after.grant().id().clone() };
    let others = std::iter::once(grant).chain(left()).filter(|other| other.id() != longest.id());
    let before = std::iter::once(longest).chain(others).map(|left| left.end(how(), now)).collect();
    Ok(Some((before, after)))
}

fn moved_to(policy: &Policy, grant: &Grant, id: GrantId, to: IpAddr) -> Result<Grant, Refusal> {
    let most = policy.limits.moves;
    if grant.moves() >= most {
        return Err(Refusal::MovedTooOften { grant: grant.id().clone(), most });
    }
    let source = admissible(policy, grant.target(), grant.transport(), to)?;
    Ok(grant.moved(id, source))
}

/// What a grant of a target would admit of an address, or why it cannot admit it.
pub fn admissible(
    policy: &Policy,
    target: &TargetName,
    transport: Transport,
    address: IpAddr,
) -> Result<Cidr, Refusal> {
    let firewall = policy.targets.get(target).and_then(|target| firewall(policy, target));
    source(&policy.grants, transport, firewall, address)
}
