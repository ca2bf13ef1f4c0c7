//! `elasticache:DescribeServerlessCaches`: caches without nodes, which are reached by VPC endpoints.

use serde::Deserialize;

use crate::operation::database::EndpointShape;
use crate::operation::{Body, Operation, Paged, Service};
use crate::wire::{Form, List};

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeServerlessCaches {
    pub(crate) token: Option<String>,
}

impl Operation for DescribeServerlessCaches {
    const NAME: &'static str = "DescribeServerlessCaches";
    const SERVICE: Service = Service::ElastiCache;
    type Answer = ServerlessCachesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("MaxResults", "50");
        if let Some(token) = &self.token {
            form.put("NextToken", token);
        }
        Body::Form(form)
    }
}

impl Paged for DescribeServerlessCaches {
    type Item = ServerlessCacheShape;

    fn at(&self, token: String) -> Self {
        Self { token: Some(token) }
    }

    fn split(answer: ServerlessCachesAnswer) -> (Vec<ServerlessCacheShape>, Option<String>) {
        (answer.caches.0, answer.next)
    }
}

/// `ServerlessCaches`
#[derive(Debug, Deserialize)]
pub(crate) struct ServerlessCachesAnswer {
    #[serde(rename = "ServerlessCaches", default)]
    pub(crate) caches: List<ServerlessCacheShape>,
    #[serde(rename = "NextToken", default)]
    pub(crate) next: Option<String>,
}

/// One serverless cache.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ServerlessCacheShape {
    #[serde(rename = "ServerlessCacheName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "ARN", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "Engine", default)]
    pub(crate) engine: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "SecurityGroupIds", default)]
    pub(crate) groups: List<String>,
    #[serde(rename = "SubnetIds", default)]
    pub(crate) subnets: List<String>,
    #[serde(rename = "Endpoint", default)]
    pub(crate) endpoint: Option<EndpointShape>,
    #[serde(rename = "ReaderEndpoint", default)]
    pub(crate) reader: Option<EndpointShape>,
}
