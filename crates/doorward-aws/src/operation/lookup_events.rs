//! `cloudtrail:LookupEvents`: what was asked of AWS in the last 90 days.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Body, Operation, Paged, Service};
use crate::wire::List;

/// The largest page.
const PAGE: u32 = 50;

/// Asks for the calls of one name, from and to a second of Unix time.
#[derive(Debug, Clone)]
pub(crate) struct LookupEvents {
    pub(crate) name: &'static str,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) token: Option<String>,
}

impl Operation for LookupEvents {
    const NAME: &'static str = "LookupEvents";
    const SERVICE: Service = Service::CloudTrail;
    type Answer = EventsAnswer;

    fn body(&self) -> Body {
        let mut body = json!({
            "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": self.name}],
            "StartTime": self.from,
            "EndTime": self.to,
            "MaxResults": PAGE,
        });
        if let (Some(token), Some(body)) = (&self.token, body.as_object_mut()) {
            body.insert("NextToken".to_owned(), json!(token));
        }
        Body::Json(body.to_string())
    }
}

impl Paged for LookupEvents {
    type Item = Value;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: EventsAnswer) -> (Vec<Value>, Option<String>) {
        (answer.events.0, answer.next)
    }
}

/// `Events`: one that cannot be read must not hide the others.
#[derive(Debug, Deserialize)]
pub(crate) struct EventsAnswer {
    #[serde(rename = "Events", default)]
    pub(crate) events: List<Value>,
    #[serde(rename = "NextToken", default)]
    pub(crate) next: Option<String>,
}
