//! `elasticloadbalancing:DescribeLoadBalancers` of version 2012-06-01: classic load balancers.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeClassicLoadBalancers {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeClassicLoadBalancers is "DescribeLoadBalancers" of ClassicLoadBalancing,
    ClassicAnswer.balancers: ClassicShape,
    "PageSize" up to "400"
);

/// `LoadBalancerDescriptions`
#[derive(Debug, Deserialize)]
pub(crate) struct ClassicAnswer {
    #[serde(rename = "LoadBalancerDescriptions", default)]
    pub(crate) balancers: List<ClassicShape>,
    #[serde(rename = "NextMarker", default)]
    pub(crate) next: Option<String>,
}

/// One classic load balancer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ClassicShape {
    #[serde(rename = "LoadBalancerName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "DNSName", default)]
    pub(crate) host: Option<String>,
    #[serde(rename = "Scheme", default)]
    pub(crate) scheme: Option<String>,
    #[serde(rename = "VPCId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "Subnets", default)]
    pub(crate) subnets: List<String>,
    #[serde(rename = "SecurityGroups", default)]
    pub(crate) groups: List<String>,
    #[serde(rename = "ListenerDescriptions", default)]
    pub(crate) listeners: List<ClassicListenerDescription>,
    #[serde(rename = "Instances", default)]
    pub(crate) instances: List<ClassicInstance>,
}

/// A listener, beside its policies.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ClassicListenerDescription {
    #[serde(rename = "Listener", default)]
    pub(crate) listener: Option<ClassicListener>,
}

/// Where it listens, and the port of the instances that it sends to.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ClassicListener {
    #[serde(rename = "Protocol", default)]
    pub(crate) protocol: Option<String>,
    #[serde(rename = "LoadBalancerPort", default)]
    pub(crate) port: Option<u16>,
    #[serde(rename = "InstancePort", default)]
    pub(crate) instance_port: Option<u16>,
}

/// An instance that is registered.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ClassicInstance {
    #[serde(rename = "InstanceId", default)]
    pub(crate) id: Option<String>,
}
