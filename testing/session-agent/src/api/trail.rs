//! CloudTrail's event history: what this stand saw, as CloudTrail writes it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Call, Failure, failure};
use crate::settings::Credential;
use crate::stand::{World, lock};
use crate::uuid::Uuid;

/// Look-ups a second, an account and a Region.
const RATE: usize = 2;
const MOST_RESULTS: u64 = 50;

/// The events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    events: Mutex<Vec<Value>>,
    asked: Mutex<VecDeque<Instant>>,
}

impl Trail {
    /// A history that begins with these records, each as JSON. What cannot be read is left out.
    pub(crate) fn new(recorded: &[String]) -> Self {
        let events = recorded.iter().filter_map(|it| serde_json::from_str(it).ok()).collect();
        Self { events: Mutex::new(events), asked: Mutex::default() }
    }

    /// Writes a call down.
    pub(super) fn saw(
        &self,
        world: &World,
        call: &Call<'_>,
        source: &str,
        parameters: Value,
        response: Option<Value>,
        error: Option<&Failure>,
    ) {
        let account = &world.settings.account;
        let mut event = json!({
            "eventVersion": "1.11",
            "userIdentity": identity(&call.who, account),
            "eventTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "eventSource": source,
            "eventName": call.operation,
            "awsRegion": world.settings.region,
            "sourceIPAddress": call.source,
            "userAgent": call.agent,
            "requestParameters": parameters,
            "responseElements": response,
            "requestID": call.request,
            "eventID": Uuid::random(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": account,
            "eventCategory": "Management",
        });
        if let (Some(error), Some(fields)) = (error, event.as_object_mut()) {
            fields.insert("errorCode".into(), error.code.trim_end_matches("Exception").into());
            fields.insert("errorMessage".into(), error.message.clone().into());
        }
        lock(&self.events).push(event);
    }

    /// `LookupEvents`.
    pub(super) fn look_up(&self, body: &Value, throttle: bool) -> Result<Value, Failure> {
        if throttle && self.is_too_often(Instant::now()) {
            return Err(failure("ThrottlingException", "Rate exceeded"));
        }
        let most = body.get("MaxResults").and_then(Value::as_u64).unwrap_or(MOST_RESULTS);
        if !(1..=MOST_RESULTS).contains(&most) {
            return Err(failure("InvalidMaxResultsException", "MaxResults is 1 to 50"));
        }
        let attributes = body.get("LookupAttributes").and_then(Value::as_array).cloned().unwrap_or_default();
        let attribute = match attributes.as_slice() {
            [] => None,
            [one] => Some(one),
            _ => {
                return Err(failure(
                    "InvalidLookupAttributesException",
                    "one attribute can be looked up at a time",
                ));
            }
        };
        let skip: usize = match body.get("NextToken").and_then(Value::as_str) {
            None => 0,
            Some(token) => token.parse().map_err(|_| failure("InvalidNextTokenException", "not a token"))?,
        };
        let bound = |name: &str| body.get(name).and_then(Value::as_f64);
        let (from, to) = (bound("StartTime"), bound("EndTime"));
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(failure("InvalidTimeRangeException", "the start is after the end"));
        }
        let events = lock(&self.events);
        let mut found: Vec<&Value> = events
            .iter()
            .filter(|event| {
                let at = seconds(event);
                from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
            })
            .filter(|event| attribute.is_none_or(|attribute| has(event, attribute)))
            .collect();
        found.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
        let page: Vec<Value> =
            found.iter().skip(skip).take(most as usize).map(|event| listed(event)).collect();
        let next = skip + page.len();
        let mut answer = json!({"Events": page});
        if let (true, Some(fields)) = (next < found.len(), answer.as_object_mut()) {
            fields.insert("NextToken".into(), next.to_string().into());
        }
        Ok(answer)
    }

    fn is_too_often(&self, now: Instant) -> bool {
        let mut asked = lock(&self.asked);
        while asked
            .front()
            .is_some_and(|first| now.saturating_duration_since(*first) >= Duration::from_secs(1))
        {
            asked.pop_front();
        }
        if asked.len() >= RATE {
            return true;
        }
        asked.push_back(now);
        false
    }
}

fn seconds(event: &Value) -> f64 {
    event
        .get("eventTime")
        .and_then(Value::as_str)
        .and_then(|it| it.parse::<Timestamp>().ok())
        .map_or(0.0, |it| it.as_second() as f64)
}

fn said<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What CloudTrail takes for the user's name: the user's, or the role session's.
fn user_name(event: &Value) -> &str {
    match said(event, "/userIdentity/userName") {
        "" => said(event, "/userIdentity/arn").rsplit('/').next().unwrap_or_default(),
        name => name,
    }
}

fn has(event: &Value, attribute: &Value) -> bool {
    let wanted = said(attribute, "/AttributeValue");
    match said(attribute, "/AttributeKey") {
        "EventName" => said(event, "/eventName") == wanted,
        "EventSource" => said(event, "/eventSource") == wanted,
        "EventId" => said(event, "/eventID") == wanted,
        "AccessKeyId" => said(event, "/userIdentity/accessKeyId") == wanted,
        "Username" => user_name(event) == wanted,
        "ReadOnly" => event.get("readOnly").map(Value::to_string).as_deref() == Some(wanted),
        _ => false,
    }
}

fn listed(event: &Value) -> Value {
    json!({
        "EventId": said(event, "/eventID"),
        "EventName": said(event, "/eventName"),
        "ReadOnly": event.get("readOnly").map(Value::to_string).unwrap_or_default(),
        "AccessKeyId": said(event, "/userIdentity/accessKeyId"),
        "EventTime": seconds(event),
        "EventSource": said(event, "/eventSource"),
        "Username": user_name(event),
        "Resources": [],
        "CloudTrailEvent": event.to_string(),
    })
}

fn identity(who: &Credential, account: &str) -> Value {
    let assumed = who.arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split_once('/'));
    let Some((role, name)) = assumed else {
        return json!({"type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": who.arn, "accountId": account,
                      "accessKeyId": who.access_key, "userName": who.name()});
    };
    let mut context = json!({
        "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "accountId": account, "userName": role,
                          "arn": format!("arn:aws:iam::{account}:role/{role}")},
        "webIdFederationData": {},
        "attributes": {"mfaAuthenticated": "false", "creationDate": "2026-11-01T00:00:00Z"},
    });
    if let (Some(source), Some(fields)) = (&who.source_identity, context.as_object_mut()) {
        fields.insert("sourceIdentity".into(), source.clone().into());
    }
    json!({"type": "AssumedRole", "principalId": format!("AROAEXAMPLE:{name}"), "arn": who.arn,
           "accountId": account, "accessKeyId": who.access_key, "sessionContext": context})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, at: &str) -> String {
        json!({"eventName": name, "eventTime": at, "eventID": format!("{name}{at}"), "readOnly": false,
               "eventSource": "ssm.amazonaws.com", "userIdentity": {"arn": "arn:aws:sts::1:assumed-role/r/jon"}})
        .to_string()
    }

    fn names(answer: &Value) -> Vec<&str> {
        answer["Events"].as_array().unwrap().iter().map(|it| it["EventId"].as_str().unwrap()).collect()
    }

    #[test]
    fn events_come_newest_first_and_in_pages() {
        let recorded = [
            record("StartSession", "2026-11-01T10:00:00Z"),
            record("TerminateSession", "2026-11-01T10:05:00Z"),
            record("StartSession", "2026-11-01T11:00:00Z"),
        ];
        let trail = Trail::new(&recorded);
        let first = trail.look_up(&json!({"MaxResults": 2}), false).unwrap();
        assert_eq!(
            names(&first),
            ["StartSession2026-11-01T11:00:00Z", "TerminateSession2026-11-01T10:05:00Z"]
        );
        let second =
            trail.look_up(&json!({"MaxResults": 2, "NextToken": first["NextToken"]}), false).unwrap();
        assert_eq!(names(&second), ["StartSession2026-11-01T10:00:00Z"]);
        assert!(second.get("NextToken").is_none());
        let by = |key: &str, value: &str| {
            let body = json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]});
            names(&trail.look_up(&body, false).unwrap()).len()
        };
        assert_eq!(
            (by("EventName", "StartSession"), by("Username", "jon"), by("Username", "maria")),
            (2, 3, 0)
        );
        let early = json!({"EndTime": 1_793_527_200 + 60});
        assert_eq!(names(&trail.look_up(&early, false).unwrap()), ["StartSession2026-11-01T10:00:00Z"]);
        let event = &first["Events"][0];
        let inside: Value = serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap();
        assert_eq!((&inside["eventName"], &event["Username"]), (&json!("StartSession"), &json!("jon")));
    }

    #[test]
    fn two_a_second_and_one_attribute() {
        let trail = Trail::default();
        let code = |body: &Value| trail.look_up(body, true).map_err(|it| it.code).err();
        assert_eq!((code(&json!({})), code(&json!({}))), (None, None));
        assert_eq!(code(&json!({})).as_deref(), Some("ThrottlingException"));
        let two = json!({"LookupAttributes": [{}, {}]});
        assert_eq!(trail.look_up(&two, false).unwrap_err().code, "InvalidLookupAttributesException");
        assert_eq!(
            trail.look_up(&json!({"MaxResults": 51}), false).unwrap_err().code,
            "InvalidMaxResultsException"
        );
    }
}
