//! DescribeSessions: what is open and what is over, by filters and in pages.

use std::ops::Bound;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Failure, failure, field};
use crate::session::{Order, Session};
use crate::stand::World;

/// How long a session may last, in minutes, as AWS says it.
const LONGEST_SESSION: &str = "60";

/// A page may be smaller than was asked for, so that whoever forgets the next one is found out.
const PAGE: usize = 20;

/// The statuses that AWS knows.
const STATUSES: [&str; 6] =
    ["Connected", "Connecting", "Disconnected", "Terminated", "Terminating", "Failed"];

/// One condition on a session.
enum Filter {
    After(Timestamp),
    Before(Timestamp),
    Target(String),
    Owner(String),
    Status(String),
    Id(String),
    Access(String),
}

pub(super) fn describe(world: &World, body: &Value) -> Result<Value, Failure> {
    let invalid = |what: String| failure("ValidationException", what);
    let active = match field(body, "State")? {
        "Active" => true,
        "History" => false,
        other => return Err(invalid(format!("State {other} is neither Active nor History"))),
    };
    let most = match body.get("MaxResults") {
        None => PAGE,
        Some(most) => match most.as_u64() {
            Some(most @ 1..=200) => usize::try_from(most).unwrap_or(PAGE).min(PAGE),
            _ => return Err(invalid(format!("MaxResults {most} is not from 1 to 200"))),
        },
    };
    let filters = filters(body)?;
    let sessions = world.sessions();
    // A token names the last session of its page, so that no other is left out when one ends meanwhile.
    let from =
        match body.get("NextToken").map(|token| token.as_str().and_then(|it| it.strip_prefix("after:"))) {
            None => Bound::Unbounded,
            Some(Some(last)) if sessions.contains_key(last) => Bound::Excluded(last),
            Some(_) => return Err(failure("InvalidNextToken", "The specified token isn't valid.")),
        };
    let mut found = sessions
        .range::<str, _>((from, Bound::Unbounded))
        .map(|(_, session)| session)
        .filter(|session| session.is_over() != active && filters.iter().all(|filter| filter.fits(session)));
    let page: Vec<_> = found.by_ref().take(most).collect();
    let mut answer = json!({"Sessions": page.iter().map(|session| listed(session)).collect::<Vec<_>>()});
    if let (Some(last), Some(_), Some(fields)) = (page.last(), found.next(), answer.as_object_mut()) {
        fields.insert("NextToken".into(), format!("after:{}", last.id).into());
    }
    Ok(answer)
}

fn filters(body: &Value) -> Result<Vec<Filter>, Failure> {
    let invalid = |what: &str| failure("ValidationException", what);
    let Some(filters) = body.get("Filters") else { return Ok(Vec::new()) };
    let filters = filters.as_array().filter(|it| (1..=6).contains(&it.len()));
    filters.ok_or_else(|| invalid("there are 1 to 6 filters"))?.iter().map(Filter::read).collect()
}

impl Filter {
    fn read(filter: &Value) -> Result<Self, Failure> {
        let part = |name: &str| filter.get(name).and_then(Value::as_str);
        let invalid = |what: String| failure("ValidationException", what);
        let (Some(key), Some(value)) = (part("key"), part("value")) else {
            return Err(invalid("a filter has a key and a value, each a text".into()));
        };
        if !(1..=400).contains(&value.chars().count()) {
            return Err(invalid("a filter's value has 1 to 400 characters".into()));
        }
        let instant =
            || value.parse::<Timestamp>().map_err(|_| invalid(format!("{key} {value} is no timestamp")));
        Ok(match key {
            "InvokedAfter" => Self::After(instant()?),
            "InvokedBefore" => Self::Before(instant()?),
            "Target" => Self::Target(value.to_owned()),
            "Owner" => Self::Owner(value.to_owned()),
            "Status" if STATUSES.contains(&value) => Self::Status(value.to_owned()),
            "Status" => return Err(invalid(format!("{value} is no status of a session"))),
            "SessionId" => Self::Id(value.to_owned()),
            "AccessType" => Self::Access(value.to_owned()),
            _ => return Err(failure("InvalidFilterKey", format!("The filter {key} isn't valid."))),
        })
    }

    fn fits(&self, session: &Session) -> bool {
        match self {
            Self::After(from) => session.started >= *from,
            Self::Before(to) => session.started <= *to,
            Self::Target(target) => session.target == *target,
            Self::Owner(owner) => session.owner == *owner,
            Self::Status(wanted) => status(session) == wanted,
            Self::Id(id) => session.id == *id,
            Self::Access(access) => access == "Standard",
        }
    }
}

fn status(session: &Session) -> &'static str {
    let joins = session.joins.load(std::sync::atomic::Ordering::SeqCst);
    if session.is_over() {
        "Terminated"
    } else if matches!(&*session.orders.borrow(), Order::End(_)) {
        "Terminating"
    } else if *session.attached.borrow() {
        "Connected"
    } else if joins == 0 {
        "Connecting"
    } else {
        "Disconnected"
    }
}

/// What is not there is left out, as AWS does it.
fn listed(session: &Session) -> Value {
    let mut listed = json!({
        "SessionId": session.id,
        "Target": session.target,
        "Status": status(session),
        "StartDate": seconds(session.started),
        "DocumentName": session.document,
        "Owner": session.owner,
        "OutputUrl": {},
        "MaxSessionDuration": LONGEST_SESSION,
        "AccessType": "Standard",
    });
    let ended = session.ended.borrow().as_ref().map(|(_, when)| seconds(*when));
    if let Some(fields) = listed.as_object_mut() {
        fields.extend(session.reason.as_ref().map(|reason| ("Reason".to_owned(), json!(reason))));
        fields.extend(ended.map(|ended| ("EndDate".to_owned(), json!(ended))));
    }
    listed
}

fn seconds(when: Timestamp) -> f64 {
    when.as_millisecond() as f64 / 1000.0
}
