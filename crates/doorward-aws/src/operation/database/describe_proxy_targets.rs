//! `rds:DescribeDBProxyTargets`: what stands behind an RDS Proxy.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for those of one proxy; there is no call for all.
#[derive(Debug, Clone)]
pub(crate) struct DescribeDBProxyTargets {
    pub(crate) proxy: String,
    pub(crate) token: Option<String>,
}

listed!(
    DescribeDBProxyTargets is "DescribeDBProxyTargets" of Rds,
    ProxyTargetsAnswer.targets: ProxyTargetShape,
    "MaxRecords" up to "100",
    "DBProxyName": proxy
);

/// `Targets`: whose is not told.
#[derive(Debug, Deserialize)]
pub(crate) struct ProxyTargetsAnswer {
    #[serde(rename = "Targets", default)]
    pub(crate) targets: List<ProxyTargetShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// A database or a cluster.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProxyTargetShape {
    #[serde(rename = "RdsResourceId", default)]
    pub(crate) id: Option<String>,
    #[serde(rename = "TrackedClusterId", default)]
    pub(crate) cluster: Option<String>,
}
