//! `rds:DescribeDBClusters`: clusters of databases.

use serde::Deserialize;

use super::GroupMembership;
use crate::operation::listed::listed;
use crate::wire::{List, Tag};

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeDBClusters {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeDBClusters is "DescribeDBClusters" of Rds,
    ClustersAnswer.clusters: ClusterShape,
    "MaxRecords" up to "100"
);

/// `DBClusters`
#[derive(Debug, Deserialize)]
pub(crate) struct ClustersAnswer {
    #[serde(rename = "DBClusters", default)]
    pub(crate) clusters: List<ClusterShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One cluster.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ClusterShape {
    #[serde(rename = "DBClusterIdentifier", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "DBClusterArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    /// Its name: a cluster does not tell its subnets.
    #[serde(rename = "DBSubnetGroup", default)]
    pub(crate) subnet_group: Option<String>,
    #[serde(rename = "VpcSecurityGroups", default)]
    pub(crate) groups: List<GroupMembership>,
    #[serde(rename = "Endpoint", default)]
    pub(crate) host: Option<String>,
    #[serde(rename = "ReaderEndpoint", default)]
    pub(crate) reader: Option<String>,
    #[serde(rename = "CustomEndpoints", default)]
    pub(crate) custom: List<String>,
    #[serde(rename = "Port", default)]
    pub(crate) port: Option<u16>,
    #[serde(rename = "Engine", default)]
    pub(crate) engine: Option<String>,
    /// What IAM calls it where somebody signs in: `cluster-…`.
    #[serde(rename = "DbClusterResourceId", default)]
    pub(crate) resource: Option<String>,
    #[serde(rename = "IAMDatabaseAuthenticationEnabled", default)]
    pub(crate) iam: Option<bool>,
    #[serde(rename = "DBClusterMembers", default)]
    pub(crate) members: List<MemberShape>,
    #[serde(rename = "TagList", default)]
    pub(crate) tags: List<Tag>,
}

/// A database in it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MemberShape {
    #[serde(rename = "DBInstanceIdentifier", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "IsClusterWriter", default)]
    pub(crate) writer: Option<bool>,
}
