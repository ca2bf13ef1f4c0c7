//! `elasticloadbalancing:DescribeTargetGroups`: where load balancers send.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeTargetGroups {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeTargetGroups is "DescribeTargetGroups" of LoadBalancing,
    TargetGroupsAnswer.groups: TargetGroupShape,
    "PageSize" up to "400"
);

/// `TargetGroups`
#[derive(Debug, Deserialize)]
pub(crate) struct TargetGroupsAnswer {
    #[serde(rename = "TargetGroups", default)]
    pub(crate) groups: List<TargetGroupShape>,
    #[serde(rename = "NextMarker", default)]
    pub(crate) next: Option<String>,
}

/// One target group.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TargetGroupShape {
    #[serde(rename = "TargetGroupArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "TargetGroupName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "Protocol", default)]
    pub(crate) protocol: Option<String>,
    #[serde(rename = "Port", default)]
    pub(crate) port: Option<u16>,
    #[serde(rename = "VpcId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "TargetType", default)]
    pub(crate) kind: Option<String>,
    #[serde(rename = "HealthCheckPath", default)]
    pub(crate) health_path: Option<String>,
}
