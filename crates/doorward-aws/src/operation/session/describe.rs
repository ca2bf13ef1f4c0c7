//! `ssm:DescribeSessions`: which sessions are open, whoever started them.

use serde::Deserialize;
use serde_json::json;

use crate::operation::{Body, Operation, Paged, Service};
use crate::wire::{Instant, List};

/// The largest page.
const PAGE: u32 = 200;

/// Asks for all that are open, connected or not, of every instance of the Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeSessions {
    pub(crate) token: Option<String>,
}

impl Operation for DescribeSessions {
    const NAME: &'static str = "DescribeSessions";
    const SERVICE: Service = Service::Ssm;
    type Answer = SessionsAnswer;

    fn body(&self) -> Body {
        let mut body = json!({"State": "Active", "MaxResults": PAGE});
        if let (Some(token), Some(body)) = (&self.token, body.as_object_mut()) {
            body.insert("NextToken".to_owned(), json!(token));
        }
        Body::Json(body.to_string())
    }
}

impl Paged for DescribeSessions {
    type Item = ListedShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token) }
    }

    fn split(answer: SessionsAnswer) -> (Vec<ListedShape>, Option<String>) {
        (answer.sessions.0, answer.next)
    }
}

/// `Sessions`
#[derive(Debug, Deserialize)]
pub(crate) struct SessionsAnswer {
    #[serde(rename = "Sessions", default)]
    sessions: List<ListedShape>,
    #[serde(rename = "NextToken", default)]
    next: Option<String>,
}

/// A session as it is listed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListedShape {
    #[serde(rename = "SessionId", default)]
    pub(crate) id: Option<String>,
    #[serde(rename = "Target", default)]
    pub(crate) target: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "StartDate", default)]
    pub(crate) since: Option<Instant>,
    #[serde(rename = "Owner", default)]
    pub(crate) owner: Option<String>,
    #[serde(rename = "Reason", default)]
    pub(crate) reason: Option<String>,
}
