//! A grant: a rule with a person and an end.
//!
//! Its life is one enum. Only [`crate::decision::decide`] mints a grant, only [`Grant::live`] yields a
//! [`Live`], and only a [`Live`] yields rules: an expired grant cannot be turned into an open port.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use crate::name::{GrantId, NotAGrant};
use crate::net::Cidr;
use crate::policy::{Group, Person, TargetName, Transport};

/// Where a grant is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "life", rename_all = "kebab-case")]
pub enum Life {
    /// Somebody else must agree first.
    Waiting {
        /// When it was asked for.
        asked: Timestamp,
        /// How long it would last from the moment of approval, in seconds.
        seconds: i64,
        /// Whose members may agree.
        from: Vec<Group>,
        /// How often it was changed since it was first asked for. An approval names the revision that it is for.
        #[serde(default, skip_serializing_if = "is_zero")]
        revision: u32,
        /// A digest of what it would open by the policy as it was asked for; none where an earlier version did not note it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opens: Option<String>,
    },
    /// Open until its end.
    Open {
        /// Since when.
        since: Timestamp,
        /// Its end. From this instant on it is not live.
        until: Timestamp,
        /// Who approved it, when the policy asked for that.
        approved_by: Option<Person>,
        /// When, of a grant that had been open without an approval before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_at: Option<Timestamp>,
    },
    /// Over.
    Ended {
        /// When it was opened, if it ever was.
        since: Option<Timestamp>,
        /// When it ended.
        at: Timestamp,
        how: Ending,
        /// Who had approved it, when the policy asked for that: only time without approval counts against a person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<Person>,
        /// When, of a grant that had been open without an approval before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_at: Option<Timestamp>,
        /// How many seconds it was open, if its time was up before its end by a clock that was set back meanwhile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lived: Option<i64>,
    },
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How a grant ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "kebab-case")]
pub enum Ending {
    /// Its time was up.
    TimeUp,
    /// Somebody closed it: the person or an operator.
    Closed { by: Person },
    /// The person, or an operator, closed it while it waited for approval: it never was open.
    Withdrawn { by: Person },
    /// The policy allows it no longer.
    NoLongerAllowed {
        /// Why, in words.
        why: String,
    },
    /// An approver denied the request.
    Rejected {
        by: Person,
        /// Why, in the approver's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Nobody agreed in time.
    Unanswered,
    /// Its person's address changed, and another grant admits the new one.
    Moved {
        /// The other grant.
        to: GrantId,
    },
    /// It was a request that was approved, and its person's open grant lasts longer since.
    Extended {
        /// The open grant.
        grant: GrantId,
    },
}

impl Ending {
    /// The end of a grant as it is when that is written: a request that is closed while it waits is withdrawn.
    #[must_use]
    pub fn of(self, grant: &Grant) -> Self {
        match (self, grant.life()) {
            (Self::Closed { by }, Life::Waiting { .. }) => Self::Withdrawn { by },
            (how, _) => how,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeUp => f.write_str("expired"),
            Self::Closed { by } => write!(f, "revoked by {by}"),
            Self::Withdrawn { by } => write!(f, "withdrawn by {by}"),
            Self::NoLongerAllowed { why } => write!(f, "no longer allowed: {why}"),
            Self::Rejected { by, reason: None } => write!(f, "denied by {by}"),
            Self::Rejected { by, reason: Some(reason) } => write!(f, "denied by {by}: {reason}"),
            Self::Unanswered => f.write_str("not approved in time"),
            Self::Moved { to } => write!(f, "moved to another address as {to}"),
            Self::Extended { grant } => write!(f, "approved: it extended {grant}"),
        }
    }
}

/// A permission with a person and an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    id: GrantId,
    person: Person,
    target: TargetName,
    transport: Transport,
    source: Cidr,
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    moves: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    behind: u32,
    #[serde(flatten)]
    life: Life,
}

/// How long a request may wait for somebody to agree.
pub const APPROVAL_WAITS: SignedDuration = SignedDuration::from_hours(24);

impl Grant {
    /// Called by `decision::decide` alone; a test of the house looks for others.
    pub(crate) fn mint(
        id: GrantId,
        person: Person,
        target: TargetName,
        transport: Transport,
        source: Cidr,
        reason: Option<String>,
        life: Life,
    ) -> Self {
        Self { id, person, target, transport, source, reason, moves: 0, behind: 0, life }
    }

    pub(crate) fn with_life(&self, life: Life) -> Self {
        Self { life, ..self.clone() }
    }

    pub(crate) fn with_reason(&self, reason: Option<String>) -> Self {
        Self { reason: reason.or_else(|| self.reason.clone()), ..self.clone() }
    }

    pub(crate) fn with_source(&self, source: Cidr) -> Self {
        Self { source, ..self.clone() }
    }

    pub(crate) fn with_behind(&self, behind: u32) -> Self {
        Self { behind, ..self.clone() }
    }

    /// The same under another name and from another address.
    pub(crate) fn moved(&self, id: GrantId, source: Cidr) -> Self {
        Self { id, source, moves: self.moves.saturating_add(1), ..self.clone() }
    }

    /// Its name.
    pub fn id(&self) -> &GrantId {
        &self.id
    }

    /// Whose it is.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// What it reaches.
    pub fn target(&self) -> &TargetName {
        &self.target
    }

    /// By which way.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The addresses that it admits.
    pub fn source(&self) -> Cidr {
        self.source
    }

    /// Why, in the person's words.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// How often it was moved to another address since it was opened.
    pub fn moves(&self) -> u32 {
        self.moves
    }

    /// How many seconds the clock was behind when it was opened, by the times of what its person had open before: the clock
    /// had been set back.
    pub fn behind(&self) -> u32 {
        self.behind
    }

    /// How often it was changed while it waits; zero for what does not wait.
    pub fn revision(&self) -> u32 {
        match self.life {
            Life::Waiting { revision, .. } => revision,
            Life::Open { .. } | Life::Ended { .. } => 0,
        }
    }

    /// Who approved it, when the policy asked for that.
    pub fn approved_by(&self) -> Option<&Person> {
        match &self.life {
            Life::Open { approved_by, .. } | Life::Ended { approved_by, .. } => approved_by.as_ref(),
            Life::Waiting { .. } => None,
        }
    }

    /// When it was approved, where it had been open without an approval before.
    pub fn approved_at(&self) -> Option<Timestamp> {
        match self.life {
            Life::Open { approved_at, .. } | Life::Ended { approved_at, .. } => approved_at,
            Life::Waiting { .. } => None,
        }
    }

    /// Where it is in its life.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// The end, while it is open.
    pub fn until(&self) -> Option<Timestamp> {
        match self.life {
            Life::Open { until, .. } => Some(until),
            Life::Waiting { .. } | Life::Ended { .. } => None,
        }
    }

    /// Since when it is or was open.
    pub fn since(&self) -> Option<Timestamp> {
        match self.life {
            Life::Open { since, .. } => Some(since),
            Life::Ended { since, .. } => since,
            Life::Waiting { .. } => None,
        }
    }

    /// Whether it was open, and ended before its time: by somebody, or by the policy.
    pub fn was_revoked(&self) -> bool {
        let Life::Ended { since: Some(_), how, .. } = &self.life else { return false };
        !matches!(
            how,
            Ending::TimeUp | Ending::Rejected { .. } | Ending::Unanswered | Ending::Extended { .. }
        )
    }

    /// Whether it is over.
    pub fn ended(&self) -> bool {
        matches!(self.life, Life::Ended { .. })
    }

    /// The only way to rules: open, begun, and not at its end.
    pub fn live(&self, now: Timestamp) -> Option<Live<'_>> {
        match self.life {
            Life::Open { until, .. } if now < until => Some(Live { grant: self, until }),
            _ => None,
        }
    }

    /// The grant as it is once it has ended so; an ended grant stays as it was.
    pub fn end(&self, how: Ending, now: Timestamp) -> Self {
        if self.ended() {
            return self.clone();
        }
        let (approved_by, approved_at) = (self.approved_by().cloned(), self.approved_at());
        let lived = match (&self.life, &how) {
            (Life::Open { since, until, .. }, Ending::TimeUp) if now < *until => {
                Some(until.duration_since(*since).as_secs())
            }
            _ => None,
        };
        self.with_life(Life::Ended { since: self.since(), at: now, how, approved_by, approved_at, lived })
    }

    /// How it must end now on account of the time alone, if it must.
    pub fn overdue(&self, now: Timestamp) -> Option<Ending> {
        match &self.life {
            Life::Open { until, .. } if now >= *until => Some(Ending::TimeUp),
            Life::Waiting { asked, .. } if now.duration_since(*asked) >= APPROVAL_WAITS => {
                Some(Ending::Unanswered)
            }
            _ => None,
        }
    }

    /// The next instant at which time alone changes it.
    pub fn next_change(&self) -> Option<Timestamp> {
        match &self.life {
            Life::Open { until, .. } => Some(*until),
            Life::Waiting { asked, .. } => asked.checked_add(APPROVAL_WAITS).ok(),
            Life::Ended { .. } => None,
        }
    }
}

/// A grant that was live at the instant it was asked.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    grant: &'a Grant,
    until: Timestamp,
}

impl<'a> Live<'a> {
    /// The grant.
    pub fn grant(self) -> &'a Grant {
        self.grant
    }

    /// Its end.
    pub fn until(self) -> Timestamp {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-22T{time}Z").parse().expect("an instant")
    }

    fn person(name: &str) -> Person {
        name.parse().expect("a person")
    }

    fn grant(life: Life) -> Grant {
        Grant::mint(
            GrantId::from_random([7; 8]),
            person("jon"),
            "orders-db".parse().expect("a target"),
            Transport::Ssm,
            "203.0.113.7/32".parse().expect("an address"),
            Some("an incident".into()),
            life,
        )
    }

    /// Asked for at ten, changed twice since.
    fn waiting() -> Grant {
        let from = vec!["leads".parse().expect("a group")];
        grant(Life::Waiting { asked: at("10:00:00"), seconds: 3600, from, revision: 2, opens: None })
    }

    /// From ten to noon; approved at eleven.
    fn open() -> Grant {
        grant(Life::Open {
            since: at("10:00:00"),
            until: at("12:00:00"),
            approved_by: Some(person("maria")),
            approved_at: Some(at("11:00:00")),
        })
    }

    fn closed() -> Ending {
        Ending::Closed { by: person("maria") }
    }

    /// Every way to end, and whether it takes something from a person before its time.
    fn endings() -> [(Ending, bool, &'static str); 8] {
        let id = GrantId::from_random([7; 8]);
        [
            (Ending::TimeUp, false, "expired"),
            (closed(), true, "revoked by maria"),
            (Ending::Withdrawn { by: person("jon") }, true, "withdrawn by jon"),
            (Ending::NoLongerAllowed { why: "no member".into() }, true, "no longer allowed: no member"),
            (Ending::Rejected { by: person("maria"), reason: None }, false, "denied by maria"),
            (Ending::Unanswered, false, "not approved in time"),
            (Ending::Moved { to: id.clone() }, true, "moved to another address as g-"),
            (Ending::Extended { grant: id }, false, "approved: it extended g-"),
        ]
    }

    #[test]
    fn a_grant_is_live_until_its_end_and_not_at_it() {
        let grant = open();
        let live = grant.live(at("11:59:59.999")).expect("it is live");
        assert_eq!((live.until(), live.grant()), (at("12:00:00"), &grant));
        assert!(grant.live(at("12:00:00")).is_none());
        assert!(waiting().live(at("10:30:00")).is_none());
        assert!(grant.end(closed(), at("11:00:00")).live(at("11:30:00")).is_none());
    }

    #[test]
    fn each_life_tells_what_it_knows() {
        let told = |grant: &Grant| {
            let approved = grant.approved_by().map(ToString::to_string);
            let times = [grant.since(), grant.until(), grant.approved_at(), grant.next_change()];
            (grant.ended(), grant.revision(), approved, times)
        };
        let (ten, eleven, noon) = (Some(at("10:00:00")), Some(at("11:00:00")), Some(at("12:00:00")));
        let tomorrow = ten.map(|ten| ten + APPROVAL_WAITS);
        let maria = Some("maria".to_owned());
        assert_eq!(told(&waiting()), (false, 2, None, [None, None, None, tomorrow]));
        assert_eq!(told(&open()), (false, 0, maria.clone(), [ten, noon, eleven, noon]));
        let ended = open().end(closed(), at("11:30:00"));
        assert_eq!(told(&ended), (true, 0, maria, [ten, None, eleven, None]));
        let withdrawn = waiting().end(closed().of(&waiting()), at("11:30:00"));
        assert_eq!(told(&withdrawn), (true, 0, None, [None; 4]));
    }

    #[test]
    fn time_alone_ends_a_grant_at_its_end_and_a_request_after_a_day() {
        assert_eq!(open().overdue(at("11:59:59.999")), None);
        assert_eq!(open().overdue(at("12:00:00")), Some(Ending::TimeUp));
        let asked = at("10:00:00");
        let short_of_a_day = asked + APPROVAL_WAITS - SignedDuration::from_secs(1);
        assert_eq!(waiting().overdue(short_of_a_day), None);
        assert_eq!(waiting().overdue(asked + APPROVAL_WAITS), Some(Ending::Unanswered));
        assert_eq!(open().end(closed(), at("11:00:00")).overdue(at("23:00:00")), None);
    }

    #[test]
    fn a_grant_ends_once() {
        let ended = open().end(closed(), at("11:00:00"));
        assert_eq!(ended.end(Ending::TimeUp, at("12:00:00")), ended);
    }

    /// A clock that was set back while the grant was open says less than it lived.
    #[test]
    fn a_grant_that_ends_before_its_end_because_its_time_is_up_lived_all_of_it() {
        let lived = |grant: &Grant| match grant.life() {
            Life::Ended { lived, .. } => *lived,
            other => panic!("it has ended: {other:?}"),
        };
        assert_eq!(lived(&open().end(Ending::TimeUp, at("11:00:00"))), Some(2 * 3600));
        assert_eq!(lived(&open().end(Ending::TimeUp, at("12:00:00"))), None);
        assert_eq!(lived(&open().end(closed(), at("11:00:00"))), None);
        assert_eq!(lived(&waiting().end(Ending::Unanswered, at("11:00:00"))), None);
    }

    #[test]
    fn what_was_open_and_ended_before_its_time_was_revoked() {
        for (how, revoked, words) in endings() {
            assert!(how.to_string().starts_with(words), "{how}");
            let ended = open().end(how.clone(), at("11:30:00"));
            assert_eq!(ended.was_revoked(), revoked, "{how}");
            assert!(!waiting().end(how, at("11:30:00")).was_revoked());
        }
        assert!(!open().was_revoked() && !waiting().was_revoked());
        let reason = Some("not today".to_owned());
        let denied = Ending::Rejected { by: person("maria"), reason };
        assert_eq!(denied.to_string(), "denied by maria: not today");
    }

    #[test]
    fn only_a_request_that_waits_is_withdrawn() {
        let withdrawn = Ending::Withdrawn { by: person("maria") };
        assert_eq!(closed().of(&waiting()), withdrawn);
        assert_eq!(closed().of(&open()), closed());
        assert_eq!(Ending::Unanswered.of(&waiting()), Ending::Unanswered);
    }

    #[test]
    fn a_grant_that_moves_keeps_all_but_its_name_and_its_address() {
        let other = "198.51.100.7/32".parse().expect("an address");
        let moved = open().moved(GrantId::from_random([8; 8]), other).with_behind(30);
        assert_eq!((moved.moves(), moved.behind(), moved.source()), (1, 30, other));
        assert_eq!(
            (moved.person(), moved.target(), moved.reason()),
            (open().person(), open().target(), Some("an incident"))
        );
        assert_eq!((moved.life(), moved.transport()), (open().life(), Transport::Ssm));
        assert_ne!(moved.id(), open().id());
        assert_eq!(moved.moved(GrantId::from_random([9; 8]), other).moves(), 2);
        assert_eq!((open().moves(), open().behind()), (0, 0));
    }

    /// The rows of the store are this JSON: what an earlier version did not write is read as its absence.
    #[test]
    fn what_is_usual_is_left_out_of_the_row_and_what_is_not_is_kept() {
        let fresh = serde_json::to_string(&open()).expect("JSON");
        assert!(!fresh.contains("moves") && !fresh.contains("behind"), "{fresh}");
        for grant in [waiting(), open().with_behind(30), open().end(closed(), at("11:00:00"))] {
            let row = serde_json::to_string(&grant).expect("JSON");
            assert_eq!(serde_json::from_str::<Grant>(&row).expect("a grant"), grant, "{row}");
        }
    }
}
