//! `rds:DescribeDBProxies`: RDS Proxies.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeDBProxies {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeDBProxies is "DescribeDBProxies" of Rds,
    ProxiesAnswer.proxies: ProxyShape,
    "MaxRecords" up to "100"
);

/// `DBProxies`
#[derive(Debug, Deserialize)]
pub(crate) struct ProxiesAnswer {
    #[serde(rename = "DBProxies", default)]
    pub(crate) proxies: List<ProxyShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One proxy.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProxyShape {
    #[serde(rename = "DBProxyName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "DBProxyArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "VpcId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "VpcSubnetIds", default)]
    pub(crate) subnets: List<String>,
    #[serde(rename = "VpcSecurityGroupIds", default)]
    pub(crate) groups: List<String>,
    #[serde(rename = "EngineFamily", default)]
    pub(crate) engine: Option<String>,
    #[serde(rename = "Endpoint", default)]
    pub(crate) host: Option<String>,
}
