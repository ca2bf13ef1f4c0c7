//! The comparison itself: pure, so that a recorded file and a live account give the same lines.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{APART, Alone, Asked, Call, Doubt, LATE, Matched, Row, Window};
use crate::audit::{Event, What};
use crate::grant::GrantId;
use crate::policy::{Person, TargetName, Transport};
use crate::session::vended_name;

/// Puts the record beside what CloudTrail saw in a window of time, in the order of time.
///
/// The record is whole, or reaches back at least as far as the window and the longest grant before it. Calls may
/// come in any order and more than once, as CloudTrail delivers them; those outside of the window are left out.
pub fn join<'a>(
    record: impl IntoIterator<Item = &'a Event>,
    calls: impl IntoIterator<Item = &'a Call>,
    window: Window,
) -> Vec<Row> {
    let known = Known::of(record);
    let mut calls: Vec<&Call> =
        calls.into_iter().filter(|call| call.at >= window.from && call.at <= window.to).collect();
    calls.sort_by(|one, other| {
        (one.at, one.what.turn(), &one.id).cmp(&(other.at, other.what.turn(), &other.id))
    });
    let mut ids = BTreeSet::new();
    calls.retain(|call| ids.insert(&call.id));

    let mut rows = Vec::new();
    let mut found: Vec<SessionCalls<'_>> = Vec::new();
    let mut sessions: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls {
        if let Some(code) = &call.refused {
            rows.push(refused(call, code));
            continue;
        }
        let at = call.what.session().and_then(|session| sessions.get(session)).copied();
        match at.and_then(|at| found.get_mut(at)) {
            Some(session) => session.follow(call),
            None => {
                if let Some(session) = call.what.session() {
                    sessions.insert(session, found.len());
                }
                found.push(SessionCalls::begun(call));
            }
        }
    }
    let mut used = BTreeSet::new();
    for session in &found {
        let row = known.row(session);
        if let Row::Granted { grant, .. } = &row {
            used.insert(grant.clone());
        }
        rows.push(row);
    }
    rows.extend(known.unused(&used, window));
    rows.sort_by_key(Row::at);
    rows
}

fn refused(call: &Call, code: &str) -> Row {
    let grant = call.by.vended().or_else(|| call.what.grant());
    let (to, by) = (call.what.to(), call.by.who().to_owned());
    Row::Refused { at: call.at, to, by, code: code.to_owned(), grant }
}

/// A session with all calls about it, or a single key or tunnel.
struct SessionCalls<'a> {
    first: &'a Call,
    resumed: usize,
    ended: Option<Timestamp>,
}

impl<'a> SessionCalls<'a> {
    fn begun(call: &'a Call) -> Self {
        let mut session = Self { first: call, resumed: 0, ended: None };
        session.follow(call);
        session
    }

    fn follow(&mut self, call: &Call) {
        match call.what {
            Asked::Resume { .. } => self.resumed += 1,
            Asked::Terminate { .. } => self.ended = Some(call.at),
            Asked::Start { .. } | Asked::Key { .. } | Asked::Tunnel { .. } => {}
        }
    }
}

/// A grant as the record tells of it.
struct Granted {
    person: Person,
    target: TargetName,
    transport: Transport,
    since: Timestamp,
    until: Timestamp,
}

impl Granted {
    fn open_at(&self, at: Timestamp) -> bool {
        at.duration_since(self.since) >= -APART && at.duration_since(self.until) <= APART
    }
}

/// What the record knows of grants and of the sessions that carried them.
#[derive(Default)]
struct Known {
    grants: BTreeMap<GrantId, Granted>,
    sessions: BTreeMap<String, GrantId>,
}

impl Known {
    fn of<'a>(record: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut known = Self::default();
        // Who asked for a grant that somebody else agreed to.
        let mut askers: BTreeMap<&GrantId, &Person> = BTreeMap::new();
        for event in record {
            if let (Some(grant), Some(session)) = (event.what.grant(), event.what.session()) {
                known.sessions.insert(session.to_owned(), grant.clone());
            }
            match (&event.what, &event.who) {
                (What::Asked { grant, .. }, who) => {
                    if let Some(person) = who.person() {
                        askers.insert(grant, person);
                    }
                }
                (What::Opened { grant, target, transport, until, .. }, who) => {
                    let Some(person) = askers.get(grant).copied().or(who.person()) else { continue };
                    let granted = Granted {
                        person: person.clone(),
                        target: target.clone(),
                        transport: *transport,
                        since: event.at,
                        until: *until,
                    };
                    known.grants.insert(grant.clone(), granted);
                }
                (What::Extended { grant, until, .. }, _) => {
                    if let Some(granted) = known.grants.get_mut(grant) {
                        granted.until = *until;
                    }
                }
                (What::Ended { grant, .. }, _) => {
                    if let Some(granted) = known.grants.get_mut(grant) {
                        granted.until = granted.until.min(event.at);
                    }
                }
                _ => {}
            }
        }
        known
    }

    fn row(&self, session: &SessionCalls<'_>) -> Row {
        match self.grant_of(session) {
            Ok((id, granted, matched)) => {
                let call = session.first;
                Row::Granted {
                    at: call.at,
                    grant: id.clone(),
                    person: granted.person.clone(),
                    target: granted.target.clone(),
                    session: call.what.session().map(str::to_owned),
                    to: call.what.to(),
                    by: call.by.who().to_owned(),
                    resumed: session.resumed,
                    ended: session.ended,
                    matched,
                    doubts: doubts(call, id, granted),
                }
            }
            Err(why) => {
                let call = session.first;
                Row::Alone {
                    at: call.at,
                    session: call.what.session().map(str::to_owned),
                    to: call.what.to(),
                    by: call.by.who().to_owned(),
                    from: call.from.clone(),
                    ended: session.ended,
                    why,
                }
            }
        }
    }

    fn grant_of(&self, session: &SessionCalls<'_>) -> Result<(&GrantId, &Granted, Matched), Alone> {
        let call = session.first;
        // Whoever has vended credentials chooses the reason, but not the name that the credentials bear.
        let owned = call.by.vended().map(|id| (id, Matched::Owner));
        let named = || Some((call.what.grant()?, Matched::Reason));
        let ours = || {
            let id = self.sessions.get(call.what.session()?)?;
            Some((id.clone(), Matched::Session))
        };
        let Some((id, matched)) = owned.or_else(named).or_else(ours) else {
            return match call.what {
                Asked::Key { .. } | Asked::Tunnel { .. } => self.persons(call).ok_or(Alone::NoGrant),
                Asked::Resume { .. } | Asked::Terminate { .. } => Err(Alone::BeganBefore),
                Asked::Start { .. } => Err(Alone::NoGrant),
            };
        };
        let Some((id, granted)) = self.grants.get_key_value(&id) else {
            return Err(Alone::UnknownGrant { grant: id });
        };
        // What is only resumed or ended may have been opened long before.
        let begins = !matches!(call.what, Asked::Resume { .. } | Asked::Terminate { .. });
        if begins && !granted.open_at(call.at) {
            return Err(Alone::NotOpen { grant: id.clone(), since: granted.since, until: granted.until });
        }
        Ok((id, granted, matched))
    }

    /// The grant of a call that has no place for a reason: the caller's own for SSH, open then; the youngest of several.
    fn persons(&self, call: &Call) -> Option<(&GrantId, &Granted, Matched)> {
        let fits = |granted: &Granted| {
            granted.transport == Transport::Ssh && granted.open_at(call.at) && call.by.is(&granted.person)
        };
        let (id, granted) = self
            .grants
            .iter()
            .filter(|(_, granted)| fits(granted))
            .max_by_key(|(_, granted)| granted.since)?;
        Some((id, granted, Matched::Person))
    }

    fn unused<'a>(&'a self, used: &'a BTreeSet<GrantId>, window: Window) -> impl Iterator<Item = Row> + 'a {
        let carried = |granted: &Granted| matches!(granted.transport, Transport::Ssm | Transport::Ssh);
        self.grants
            .iter()
            .filter(move |(id, granted)| {
                carried(granted)
                    && !used.contains(*id)
                    // Of one that was open before the window, the use may have been before it too.
                    && granted.since >= window.from
                    && granted.since <= window.to
            })
            .map(move |(id, granted)| Row::Unused {
                at: granted.since,
                grant: id.clone(),
                person: granted.person.clone(),
                target: granted.target.clone(),
                transport: granted.transport,
                may_come: window.to.duration_since(granted.until) < LATE,
            })
    }
}

/// What does not fit. Credentials of the person's own may bear any name; a source identity is what somebody vouched for,
/// and the name of vended credentials is what the server gave them.
fn doubts(call: &Call, id: &GrantId, granted: &Granted) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let other_name = call.by.vended().is_some()
        && call.by.role_session() != Some(vended_name(id, &granted.person).as_str());
    if let Some(is) = call.by.source_identity.as_ref().filter(|_| !call.by.is(&granted.person)) {
        doubts.push(Doubt::OtherPerson { is: is.clone() });
    } else if other_name {
        doubts.push(Doubt::OtherPerson { is: call.by.who().to_owned() });
    }
    if let Some(named) = call.what.grant().filter(|named| named != id) {
        doubts.push(Doubt::OtherReason { named });
    }
    let carried = match call.what {
        Asked::Start { .. } => matches!(granted.transport, Transport::Ssm | Transport::Ssh),
        Asked::Key { .. } | Asked::Tunnel { .. } => granted.transport == Transport::Ssh,
        Asked::Resume { .. } | Asked::Terminate { .. } => true,
    };
    if !carried {
        doubts.push(Doubt::OtherTransport { granted: granted.transport });
    }
    doubts
}
