//! `ecs:DescribeServices`: services, and where their tasks run.

use serde::Deserialize;
use serde_json::json;

use super::FailureShape;
use crate::operation::{Body, Operation, Service};
use crate::wire::List;

/// How many one call describes.
pub(crate) const SERVICES_A_CALL: usize = 10;

/// Asks for some of a cluster, by their ARNs.
#[derive(Debug, Clone)]
pub(crate) struct DescribeServices {
    pub(crate) cluster: String,
    pub(crate) services: Vec<String>,
}

impl Operation for DescribeServices {
    const NAME: &'static str = "DescribeServices";
    const SERVICE: Service = Service::Ecs;
    type Answer = ServicesAnswer;

    fn body(&self) -> Body {
        Body::Json(json!({"cluster": self.cluster, "services": self.services}).to_string())
    }
}

/// `services`
#[derive(Debug, Deserialize)]
pub(crate) struct ServicesAnswer {
    #[serde(default)]
    pub(crate) services: List<ServiceShape>,
    #[serde(default)]
    pub(crate) failures: List<FailureShape>,
}

/// One service.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceShape {
    #[serde(default)]
    pub(crate) service_arn: Option<String>,
    #[serde(default)]
    pub(crate) service_name: Option<String>,
    #[serde(default)]
    pub(crate) cluster_arn: Option<String>,
    #[serde(default)]
    pub(crate) status: Option<String>,
    #[serde(default)]
    pub(crate) network_configuration: Option<NetworkShape>,
    #[serde(default)]
    deployment_controller: Option<ControllerShape>,
}

impl ServiceShape {
    /// Where its tasks have interfaces, if they have any of their own.
    pub(crate) fn network(&self) -> Option<&AwsVpcShape> {
        self.network_configuration.as_ref()?.awsvpc_configuration.as_ref()
    }

    /// By what its tasks are replaced, like `CODE_DEPLOY`.
    pub(crate) fn controller(&self) -> Option<&str> {
        self.deployment_controller.as_ref()?.kind.as_deref()
    }
}

/// How its tasks are connected.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkShape {
    #[serde(default)]
    awsvpc_configuration: Option<AwsVpcShape>,
}

/// By what its tasks are replaced.
#[derive(Debug, Clone, Deserialize)]
struct ControllerShape {
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

/// Interfaces in a VPC.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AwsVpcShape {
    #[serde(default)]
    pub(crate) subnets: List<String>,
    #[serde(default)]
    pub(crate) security_groups: List<String>,
    #[serde(default)]
    pub(crate) assign_public_ip: Option<String>,
}
