//! `rds:DescribeDBClusterEndpoints`: which instances the endpoints of clusters lead to.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeDBClusterEndpoints {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeDBClusterEndpoints is "DescribeDBClusterEndpoints" of Rds,
    ClusterEndpointsAnswer.endpoints: ClusterEndpointShape,
    "MaxRecords" up to "100"
);

/// `DBClusterEndpoints`
#[derive(Debug, Deserialize)]
pub(crate) struct ClusterEndpointsAnswer {
    #[serde(rename = "DBClusterEndpoints", default)]
    pub(crate) endpoints: List<ClusterEndpointShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One endpoint.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ClusterEndpointShape {
    /// Those for writing and for reading, which the cluster tells of as well, have none.
    #[serde(rename = "DBClusterEndpointIdentifier", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "DBClusterEndpointArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "DBClusterIdentifier", default)]
    pub(crate) cluster: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "Endpoint", default)]
    pub(crate) host: Option<String>,
    /// `WRITER`, `READER` or `CUSTOM`.
    #[serde(rename = "EndpointType", default)]
    pub(crate) kind: Option<String>,
    /// `ANY`, `READER` or `WRITER`.
    #[serde(rename = "CustomEndpointType", default)]
    pub(crate) custom: Option<String>,
    #[serde(rename = "StaticMembers", default)]
    pub(crate) only: List<String>,
    #[serde(rename = "ExcludedMembers", default)]
    pub(crate) excluded: List<String>,
}
