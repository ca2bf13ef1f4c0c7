//! The decision: may this person have this, and why. Every way in asks here and nowhere else.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::grant::{Grant, GrantId, Life};
use crate::net::{Cidr, Family};
use crate::policy::{
    Firewall, Group, People, Person, Policy, Target, TargetName, Transport, did_you_mean, in_words,
};

mod held;
mod limits;
mod opens;
mod reason;
mod relocate;
mod source;
#[cfg(test)]
mod tests;
mod unapproved;

pub use held::extends;
pub use limits::check as within_limits;
pub use opens::{Differs, NotSeen, Seen, is_as_seen, opens, seen};
pub use reason::{Most, Reason, Refusal, readable_reason};
pub use relocate::{Relocation, There, admissible, relocate};
use source::source;
pub use unapproved::window;

/// Something that a person wants to do.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// Reach a target.
    Open(&'a TargetName),
    /// Close a grant.
    Close(&'a Grant),
    /// See a grant.
    See(&'a Grant),
    /// Agree to a grant that waits, or refuse it.
    Answer(&'a Grant),
    /// See everybody's grants and the record.
    Operate,
}

/// A person asks for a way to a target.
#[derive(Debug, Clone)]
pub struct Request {
    /// The name that a new grant would get.
    pub id: GrantId,
    /// Who asks.
    pub person: Person,
    /// The address to admit.
    pub from: IpAddr,
    /// What they want to reach.
    pub target: TargetName,
    /// By which way; none: the first that the policy permits.
    pub transport: Option<Transport>,
    /// For how long from now; none: as the policy says is usual.
    pub lasts: Option<SignedDuration>,
    pub reason: Option<String>,
}

/// What was granted before, as far as a decision depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past<'a> {
    /// Everybody's grants that wait or are open, and those that have ended and are not settled.
    pub unfinished: &'a [Grant],
    /// The person's grants that ended within the [`window`] of the target. One that is in `unfinished` too counts once.
    pub ended: &'a [Grant],
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Here it is: a new grant, or the one that was held with a later end.
    Granted {
        grant: Grant,
        /// What allows it.
        reasons: Vec<Reason>,
    },
    /// Somebody else has to agree.
    NeedsApproval {
        /// The grant, waiting.
        grant: Grant,
        /// What allows it, and what asks for approval.
        reasons: Vec<Reason>,
    },
    /// No, for all of these reasons.
    Refused {
        /// Every reason, not only the first.
        reasons: Vec<Refusal>,
    },
}

/// Whether a person may do something. The one authorisation function: pages, API and command line all pass it.
pub fn authorise(policy: &Policy, people: &People, person: &Person, act: Act<'_>) -> Result<Reason, Refusal> {
    if !people.knows(person) {
        return Err(Refusal::NoSuchPerson { person: person.clone() });
    }
    let operator = || member(people, person, &policy.people.operators);
    match act {
        Act::Open(name) => {
            policy.targets.get(name).and_then(|target| member(people, person, &target.groups)).ok_or_else(
                || {
                    // Only among what they may open: nobody learns by a slip of the pen what else there is.
                    let theirs: Vec<&TargetName> =
                        openable(policy, people, person).map(|target| &target.name).collect();
                    let meant = did_you_mean(name.as_str(), theirs.iter().map(|name| name.as_str()));
                    let meant = theirs.into_iter().find(|name| Some(name.as_str()) == meant).cloned();
                    Refusal::NotYours { person: person.clone(), target: name.clone(), meant }
                },
            )
        }
        Act::Close(grant) | Act::See(grant) => {
            if grant.person() == person {
                return Ok(Reason::Permitted { transport: grant.transport() });
            }
            let answers =
                matches!(act, Act::See(_)).then(|| answerer(policy, people, person, grant)).flatten();
            operator()
                .or(answers)
                .ok_or_else(|| Refusal::NotYourGrant { person: person.clone(), grant: grant.id().clone() })
        }
        Act::Answer(grant) => {
            if !matches!(grant.life(), Life::Waiting { .. }) {
                return Err(Refusal::NotWaiting { grant: grant.id().clone() });
            }
            if grant.person() == person {
                return Err(Refusal::OwnRequest);
            }
            answerer(policy, people, person, grant)
                .ok_or_else(|| Refusal::NotAnApprover { person: person.clone(), grant: grant.id().clone() })
        }
        Act::Operate => operator().ok_or_else(|| Refusal::NotAnOperator { person: person.clone() }),
    }
}

fn member<'g>(
    people: &People,
    person: &Person,
    groups: impl IntoIterator<Item = &'g Group>,
) -> Option<Reason> {
    let group = groups.into_iter().find(|group| people.in_any(person, [*group]))?;
    Some(Reason::Member { group: group.clone() })
}

/// The targets that a person may open. It says nothing of the others: a refusal looks for the target that was meant among
/// all of a person's, which takes too long for each target of a list.
pub fn openable<'a>(
    policy: &'a Policy,
    people: &'a People,
    person: &'a Person,
) -> impl Iterator<Item = &'a Target> {
    policy.targets.values().filter(move |target| member(people, person, &target.groups).is_some())
}

/// Those who may answer are read from the policy as it is now, not from the grant as it was asked.
fn answerer(policy: &Policy, people: &People, person: &Person, grant: &Grant) -> Option<Reason> {
    let approval = policy.targets.get(grant.target())?.approval.as_ref()?;
    member(people, person, &approval.from)
}

/// Decides a request. A grant that is held is extended rather than doubled, and a request that waits for the same is
/// changed. Nothing else mints a grant.
pub fn decide(
    policy: &Policy,
    people: &People,
    request: &Request,
    past: &Past<'_>,
    now: Timestamp,
) -> Decision {
    let member = match authorise(policy, people, &request.person, Act::Open(&request.target)) {
        Ok(member) => member,
        Err(refusal) => return Decision::Refused { reasons: vec![refusal] },
    };
    let Some(target) = policy.targets.get(&request.target) else {
        let refusal =
            Refusal::NotYours { person: request.person.clone(), target: request.target.clone(), meant: None };
        return Decision::Refused { reasons: vec![refusal] };
    };
    let held = held::of_request(request, past.unfinished, now);

    let mut refusals = Vec::new();
    let wanted = request.transport.or(held.map(Grant::transport));
    let transport = transport(policy, target, wanted).map_err(|refusal| refusals.push(refusal)).ok();
    let waiting = transport.and_then(|transport| waiting(past.unfinished, request, transport, now));
    if target.ports.is_empty() {
        refusals.push(Refusal::NoPorts { target: target.name.clone() });
    }
    let reason = readable_reason(request.reason.as_deref());
    if target.reason_required && reason == Ok(None) && held.is_none() && waiting.is_none() {
        refusals.push(Refusal::NoReason { target: target.name.clone() });
    }
    let reason = reason.unwrap_or_else(|refusal| {
        refusals.push(refusal);
        None
    });
    // Where no transport is permitted that is the reason, and of the address only what the one asked for would need.
    let way = transport.or(wanted).unwrap_or(Transport::Direct);
    let source = source(&policy.grants, way, firewall(policy, target), request.from)
        .map_err(|refusal| refusals.push(refusal))
        .ok();
    let since = held.and_then(Grant::since).unwrap_or(now);
    // A beginning that lies ahead is that of a clock that was set back, and gives no time away.
    let begun = since.min(now);
    let until = end(target, request.lasts, held, begun, now).map_err(|refusal| refusals.push(refusal)).ok();
    let others = (past.unfinished, waiting.map(Grant::id));
    if held.is_none()
        && let Err(refusal) = limits::check(policy, target, &request.person, others, now)
    {
        refusals.push(refusal);
    }
    let (Some(transport), Some(source), Some(until), true) = (transport, source, until, refusals.is_empty())
    else {
        return Decision::Refused { reasons: refusals };
    };

    let mut reasons = vec![member, Reason::Permitted { transport }];
    let (approved_by, approved_at) =
        (held.and_then(Grant::approved_by).cloned(), held.and_then(Grant::approved_at));
    let reason = reason.map(str::to_owned);
    if let Some(approval) = &target.approval {
        let later = held.and_then(Grant::until).is_none_or(|held| until > held);
        let of = (policy, target, &request.person);
        let before = unapproved::unapproved(of, past, (held, None), now);
        let whole = unapproved::unapproved(of, past, (held, Some((begun, until))), now);
        // Whoever approved did so to the end that is held, and to none later.
        if later && (approved_by.is_some() || whole > approval.above) {
            let from: Vec<Group> = approval.from.iter().cloned().collect();
            if before > SignedDuration::ZERO && !approval.above.is_zero() {
                let (held, most) = (in_words(before), in_words(approval.above));
                reasons.push(Reason::HeldBefore { held, within: in_words(window(target)), most });
            }
            reasons.push(Reason::Approval { from: from.clone() });
            let seconds = until.duration_since(now).as_secs();
            let opens = Some(opens::digest(policy, target, transport, seconds));
            let life = Life::Waiting { asked: now, seconds, from, revision: 0, opens };
            let grant = match waiting {
                Some(waiting) => change(waiting, source, reason, life),
                None => mint(request, transport, source, reason, life),
            };
            return Decision::NeedsApproval { grant, reasons };
        }
    }
    let life = Life::Open { since, until, approved_by, approved_at };
    let grant = match held {
        Some(held) => {
            if held.until().is_some_and(|before| until > before) {
                reasons.push(Reason::Extended { grant: held.id().clone() });
            }
            held.with_life(life).with_reason(reason)
        }
        None => {
            // Somebody whose request waits may open what needs no approval meanwhile, as far as the limits allow it.
            let limits =
                waiting.map(|_| limits::check(policy, target, &request.person, (past.unfinished, None), now));
            if let Some(Err(refusal)) = limits {
                return Decision::Refused { reasons: vec![refusal] };
            }
            let behind = unapproved::behind(past, &request.person, now);
            mint(request, transport, source, reason, life).with_behind(behind)
        }
    };
    Decision::Granted { grant, reasons }
}

fn mint(request: &Request, transport: Transport, source: Cidr, reason: Option<String>, life: Life) -> Grant {
    let (id, person) = (request.id.clone(), request.person.clone());
    Grant::mint(id, person, request.target.clone(), transport, source, reason, life)
}

/// The person's request for the same that waits: to the same target, by the same transport, and from an address of the
/// same family, since a person may have one of each.
fn waiting<'a>(
    unfinished: &'a [Grant],
    request: &Request,
    transport: Transport,
    now: Timestamp,
) -> Option<&'a Grant> {
    let family = match request.from.to_canonical() {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    };
    unfinished.iter().find(|grant| {
        matches!(grant.life(), Life::Waiting { .. })
            && grant.overdue(now).is_none()
            && grant.person() == &request.person
            && grant.target() == &request.target
            && grant.transport() == transport
            && (transport != Transport::Direct || grant.source().family() == family)
    })
}

/// A request that waits, as it is asked for now. Asked for again as it is, it stays as it is: nobody looks at it twice.
fn change(waiting: &Grant, source: Cidr, reason: Option<String>, life: Life) -> Grant {
    let changed = waiting.with_source(source).with_reason(reason);
    let (
        Life::Waiting { seconds: before, opens: opened, .. },
        Life::Waiting { asked, seconds, from, opens, .. },
    ) = (waiting.life(), life)
    else {
        return waiting.clone();
    };
    // An earlier version did not note what it opens.
    let opens_the_same = opened.is_none() || *opened == opens;
    if *before == seconds && opens_the_same && changed == *waiting {
        return waiting.clone();
    }
    let revision = waiting.revision().saturating_add(1);
    changed.with_life(Life::Waiting { asked, seconds, from, revision, opens })
}

/// Decides what becomes of a request that waits, once somebody has approved it: the grant that its person holds already
/// lasts longer, or there is none, and the request itself becomes a grant.
pub fn approve(
    policy: &Policy,
    people: &People,
    grant: &Grant,
    by: &Person,
    unfinished: &[Grant],
    now: Timestamp,
) -> Decision {
    let refused = |refusal| Decision::Refused { reasons: vec![refusal] };
    let answered = authorise(policy, people, by, Act::Answer(grant));
    let member = authorise(policy, people, grant.person(), Act::Open(grant.target()));
    let (answered, member) = match (answered, member) {
        (Ok(answered), Ok(member)) => (answered, member),
        (Err(refusal), _) | (_, Err(refusal)) => return refused(refusal),
    };
    let seconds = match grant.life() {
        Life::Waiting { seconds, .. } if grant.overdue(now).is_none() => seconds,
        _ => return refused(Refusal::NotWaiting { grant: grant.id().clone() }),
    };
    let Some(target) = policy.targets.get(grant.target()) else {
        return refused(Refusal::NotYours {
            person: grant.person().clone(),
            target: grant.target().clone(),
            meant: None,
        });
    };
    if let Err(refusal) = transport(policy, target, Some(grant.transport())) {
        return refused(refusal);
    }
    let Ok(until) = now.checked_add(opens::lasts(target, *seconds)) else {
        return refused(Refusal::TooShort);
    };
    let held = held::extends(grant, unfinished, now);
    if held.is_none()
        && let Err(refusal) =
            limits::check(policy, target, grant.person(), (unfinished, Some(grant.id())), now)
    {
        return refused(refusal.of_another(grant.person()));
    }
    let extended = held.map(|held| Reason::Extended { grant: held.id().clone() });
    let approved = match held {
        Some(held) => lengthened(held, grant, target, (by, until), now),
        None => {
            let approved_by = Some(by.clone());
            grant.with_life(Life::Open { since: now, until, approved_by, approved_at: None })
        }
    };
    // Two people are told of: each reason names whose it is.
    let group = |reason| match reason {
        Reason::Member { group } => Some(group),
        _ => None,
    };
    let person = grant.person().clone();
    let holder = group(member).map(|group| Reason::Holder { person, group });
    let by = Reason::Approved { by: by.clone(), group: group(answered) };
    Decision::Granted { grant: approved, reasons: holder.into_iter().chain(extended).chain([by]).collect() }
}

/// A grant that is held, as long as was approved. All of it lasts no longer than the policy allows in one go, and what it
/// was open without an approval until now counts as that.
fn lengthened(
    held: &Grant,
    request: &Grant,
    target: &Target,
    (by, until): (&Person, Timestamp),
    now: Timestamp,
) -> Grant {
    let since = held.since().unwrap_or(now);
    let last = since.min(now).checked_add(target.lasts.at_most).unwrap_or(until);
    let until = held.until().map_or(until, |held| until.min(last).max(held));
    let approved_at = match held.approved_by() {
        Some(_) => held.approved_at(),
        None => Some(now),
    };
    let life = Life::Open { since, until, approved_by: Some(by.clone()), approved_at };
    held.with_life(life).with_reason(request.reason().map(str::to_owned))
}

/// Whether the policy as it is now still allows a grant that it once allowed.
pub fn still_allowed(policy: &Policy, people: &People, grant: &Grant, now: Timestamp) -> Result<(), Refusal> {
    authorise(policy, people, grant.person(), Act::Open(grant.target()))?;
    let Some(target) = policy.targets.get(grant.target()) else {
        return Err(Refusal::NotYours {
            person: grant.person().clone(),
            target: grant.target().clone(),
            meant: None,
        });
    };
    transport(policy, target, Some(grant.transport()))?;
    // The policy may admit less than it did, and a store may hold more than was ever granted.
    let first = grant.source().address();
    let admitted = source(&policy.grants, grant.transport(), firewall(policy, target), first)?;
    if !admitted.covers(grant.source()) {
        return Err(Refusal::TooWide { admits: grant.source(), most: admitted });
    }
    let lived = grant.since().map_or(SignedDuration::ZERO, |since| now.duration_since(since));
    if lived > target.lasts.at_most {
        let (most, asked) = (in_words(target.lasts.at_most), in_words(lived));
        return Err(Refusal::TooLong { target: target.name.clone(), most, asked, left: None });
    }
    // An approval that the policy has come to ask for since is not skipped by whoever was there before.
    let approved = matches!(grant.life(), Life::Open { approved_by: Some(_), .. });
    let above = target.approval.as_ref().map(|approval| approval.above);
    match above.filter(|above| !approved && grant.since().is_some() && lived > *above) {
        Some(above) => Err(Refusal::Unapproved { target: target.name.clone(), above: in_words(above) }),
        None => Ok(()),
    }
}

fn firewall<'a>(policy: &'a Policy, target: &Target) -> Option<&'a Firewall> {
    policy.firewalls.get(target.firewall.as_ref()?)
}

/// The first way that the policy permits and this version can open, or the one that is wanted.
///
/// A direct grant needs a firewall to be enforced in, the others a jump host to go through.
fn transport(policy: &Policy, target: &Target, wanted: Option<Transport>) -> Result<Transport, Refusal> {
    let has_a_place = |transport: &Transport| match transport {
        Transport::Direct => firewall(policy, target).is_some(),
        Transport::Wireguard => true,
        Transport::Ssm => policy.ssm.is_some(),
        Transport::Ssh => policy.ssh.is_some(),
    };
    let permitted: Vec<Transport> = target.transports.iter().copied().filter(has_a_place).collect();
    let mut carried = permitted.iter().copied().filter(|transport| transport.is_supported());
    let found = match wanted {
        Some(wanted) => carried.find(|transport| *transport == wanted),
        None => carried.next(),
    };
    found.ok_or_else(|| {
        let uncarried =
            permitted.iter().copied().find(|permitted| wanted.is_none_or(|way| way == *permitted));
        if let Some(transport) = uncarried {
            return Refusal::NotCarried { transport };
        }
        let names: Vec<String> = permitted.iter().map(|transport| format!("`{transport}`")).collect();
        Refusal::Transport {
            target: target.name.clone(),
            transport: wanted.unwrap_or(Transport::Direct),
            permitted: if names.is_empty() { "none".into() } else { names.join(", ") },
        }
    })
}

/// To whole seconds, none of them lost.
fn rounded_up(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs() + i64::from(duration.subsec_nanos() > 0))
}

/// The end of a grant that began at `since`. What was asked for outright is refused when it is too long;
/// what is usual is cut to what is left.
fn end(
    target: &Target,
    asked: Option<SignedDuration>,
    held: Option<&Grant>,
    since: Timestamp,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    let most = in_words(target.lasts.at_most);
    let last = since.checked_add(target.lasts.at_most).map_err(|_| Refusal::TooShort)?;
    let until = match asked {
        Some(asked) if asked < SignedDuration::from_secs(1) => return Err(Refusal::TooShort),
        Some(asked) => {
            let left = last.duration_since(now).as_secs();
            let too_long = || Refusal::TooLong {
                target: target.name.clone(),
                most: most.clone(),
                // A part of a second is more, too.
                asked: in_words(rounded_up(now.duration_since(since) + asked)),
                left: (left > 0 && held.is_some()).then(|| in_words(SignedDuration::from_secs(left))),
            };
            // A duration of centuries does not overflow into a short one.
            if asked > target.lasts.at_most {
                let asked = in_words(asked);
                return Err(Refusal::TooLong { target: target.name.clone(), most, asked, left: None });
            }
            let until = now.checked_add(asked).map_err(|_| too_long())?;
            if until > last {
                return Err(too_long());
            }
            until
        }
        None => now.checked_add(target.lasts.usually).map_or(last, |until| until.min(last)),
    };
    // Asking again never shortens.
    match held.and_then(|held| Some((held, held.until()?))) {
        Some((held, end)) if end >= last => {
            Err(Refusal::NothingLeft { grant: held.id().clone(), until: end, most })
        }
        Some((_, end)) => Ok(until.max(end)),
        None => Ok(until),
    }
}
