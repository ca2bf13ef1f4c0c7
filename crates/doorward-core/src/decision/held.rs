//! What a request extends: the grant that its person holds already.

use jiff::Timestamp;

use super::Request;
use crate::grant::{Grant, Life};
use crate::net::Cidr;
use crate::policy::{Person, TargetName, Transport};

/// The grant that a request extends; none where it opens a new one.
pub(super) fn of_request<'a>(
    request: &Request,
    unfinished: &'a [Grant],
    now: Timestamp,
) -> Option<&'a Grant> {
    let by = |transport| request.transport.is_none_or(|wanted| wanted == transport);
    let admits = |source: Cidr| source.contains(request.from);
    of(&request.person, &request.target, by, admits, unfinished, now)
}

/// The grant that a request which waits extends once it is approved; none where it opens as a grant of its own.
pub fn extends<'a>(waiting: &Grant, unfinished: &'a [Grant], now: Timestamp) -> Option<&'a Grant> {
    if !matches!(waiting.life(), Life::Waiting { .. }) {
        return None;
    }
    let by = |transport| transport == waiting.transport();
    let admits = |source: Cidr| source.covers(waiting.source());
    of(waiting.person(), waiting.target(), by, admits, unfinished, now)
}

/// The person's open grant of the target; of several, the one that ends last.
///
/// A direct grant is one of an address. What is carried is reached from wherever its person is.
fn of<'a>(
    person: &Person,
    target: &TargetName,
    by: impl Fn(Transport) -> bool,
    admits: impl Fn(Cidr) -> bool,
    unfinished: &'a [Grant],
    now: Timestamp,
) -> Option<&'a Grant> {
    let same = |grant: &&Grant| {
        grant.person() == person
            && grant.target() == target
            && by(grant.transport())
            && (grant.transport() != Transport::Direct || admits(grant.source()))
            && grant.live(now).is_some()
    };
    unfinished.iter().filter(same).max_by_key(|grant| grant.until())
}
