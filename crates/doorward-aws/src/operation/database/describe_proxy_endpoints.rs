//! `rds:DescribeDBProxyEndpoints`: the further endpoints of RDS Proxies, each with subnets and groups of its own.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeDBProxyEndpoints {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeDBProxyEndpoints is "DescribeDBProxyEndpoints" of Rds,
    ProxyEndpointsAnswer.endpoints: ProxyEndpointShape,
    "MaxRecords" up to "100"
);

/// `DBProxyEndpoints`
#[derive(Debug, Deserialize)]
pub(crate) struct ProxyEndpointsAnswer {
    #[serde(rename = "DBProxyEndpoints", default)]
    pub(crate) endpoints: List<ProxyEndpointShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One endpoint.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProxyEndpointShape {
    #[serde(rename = "DBProxyEndpointName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "DBProxyEndpointArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "DBProxyName", default)]
    pub(crate) proxy: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "VpcId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "VpcSubnetIds", default)]
    pub(crate) subnets: List<String>,
    #[serde(rename = "VpcSecurityGroupIds", default)]
    pub(crate) groups: List<String>,
    #[serde(rename = "Endpoint", default)]
    pub(crate) host: Option<String>,
    /// Whether it is the proxy's own, which the proxy tells of as well.
    #[serde(rename = "IsDefault", default)]
    pub(crate) default: Option<bool>,
}
