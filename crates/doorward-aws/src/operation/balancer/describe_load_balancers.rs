//! `elasticloadbalancing:DescribeLoadBalancers` of version 2015-12-01: application, network and Gateway Load
//! Balancers.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeLoadBalancers {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeLoadBalancers is "DescribeLoadBalancers" of LoadBalancing,
    LoadBalancersAnswer.balancers: LoadBalancerShape,
    "PageSize" up to "400"
);

/// `LoadBalancers`
#[derive(Debug, Deserialize)]
pub(crate) struct LoadBalancersAnswer {
    #[serde(rename = "LoadBalancers", default)]
    pub(crate) balancers: List<LoadBalancerShape>,
    #[serde(rename = "NextMarker", default)]
    pub(crate) next: Option<String>,
}

/// One load balancer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LoadBalancerShape {
    #[serde(rename = "LoadBalancerArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "LoadBalancerName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "Type", default)]
    pub(crate) kind: Option<String>,
    #[serde(rename = "DNSName", default)]
    pub(crate) host: Option<String>,
    #[serde(rename = "Scheme", default)]
    pub(crate) scheme: Option<String>,
    #[serde(rename = "VpcId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "State", default)]
    pub(crate) state: Option<StateShape>,
    #[serde(rename = "SecurityGroups", default)]
    pub(crate) groups: List<String>,
    #[serde(rename = "AvailabilityZones", default)]
    pub(crate) zones: List<ZoneShape>,
}

/// Its state.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StateShape {
    #[serde(rename = "Code", default)]
    pub(crate) code: Option<String>,
}

/// A zone that it serves, by the subnet there.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ZoneShape {
    #[serde(rename = "SubnetId", default)]
    pub(crate) subnet: Option<String>,
}
