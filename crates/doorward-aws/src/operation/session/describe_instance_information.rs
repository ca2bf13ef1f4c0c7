//! `ssm:DescribeInstanceInformation`: which instances have an agent that answers.

use serde::Deserialize;
use serde_json::json;

use crate::operation::{Body, Operation, Paged, Service};
use crate::wire::{Instant, List};

/// The largest page.
const PAGE: u32 = 50;

/// How many instances a filter may name.
pub(crate) const INSTANCES_A_CALL: usize = 100;

/// Asks for some, or for all where none are named.
#[derive(Debug, Clone)]
pub(crate) struct DescribeInstanceInformation {
    pub(crate) instances: Vec<String>,
    pub(crate) token: Option<String>,
}

impl Operation for DescribeInstanceInformation {
    const NAME: &'static str = "DescribeInstanceInformation";
    const SERVICE: Service = Service::Ssm;
    type Answer = InformationAnswer;

    fn body(&self) -> Body {
        let mut body = serde_json::Map::from_iter([("MaxResults".to_owned(), json!(PAGE))]);
        if !self.instances.is_empty() {
            let filter = json!([{"Key": "InstanceIds", "Values": self.instances}]);
            body.insert("Filters".to_owned(), filter);
        }
        if let Some(token) = &self.token {
            body.insert("NextToken".to_owned(), json!(token));
        }
        Body::Json(serde_json::Value::Object(body).to_string())
    }
}

impl Paged for DescribeInstanceInformation {
    type Item = ManagedShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    fn split(answer: InformationAnswer) -> (Vec<ManagedShape>, Option<String>) {
        (answer.instances.0, answer.next)
    }
}

/// `InstanceInformationList`
#[derive(Debug, Deserialize)]
pub(crate) struct InformationAnswer {
    #[serde(rename = "InstanceInformationList", default)]
    instances: List<ManagedShape>,
    #[serde(rename = "NextToken", default)]
    next: Option<String>,
}

/// One that has an agent.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ManagedShape {
    #[serde(rename = "InstanceId", default)]
    pub(crate) id: Option<String>,
    #[serde(rename = "PingStatus", default)]
    pub(crate) ping: Option<String>,
    #[serde(rename = "LastPingDateTime", default)]
    pub(crate) last_ping: Option<Instant>,
    #[serde(rename = "AgentVersion", default)]
    pub(crate) agent: Option<String>,
    #[serde(rename = "IsLatestVersion", default)]
    pub(crate) latest: Option<bool>,
    #[serde(rename = "PlatformName", default)]
    pub(crate) platform: Option<String>,
}
