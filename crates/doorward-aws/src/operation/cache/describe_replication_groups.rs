//! `elasticache:DescribeReplicationGroups`: groups of caches, with the endpoints that clients use.

use serde::Deserialize;

use crate::operation::database::EndpointShape;
use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeReplicationGroups {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeReplicationGroups is "DescribeReplicationGroups" of ElastiCache,
    GroupsAnswer.groups: GroupOfCachesShape,
    "MaxRecords" up to "100"
);

/// `ReplicationGroups`
#[derive(Debug, Deserialize)]
pub(crate) struct GroupsAnswer {
    #[serde(rename = "ReplicationGroups", default)]
    pub(crate) groups: List<GroupOfCachesShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One replication group.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct GroupOfCachesShape {
    #[serde(rename = "ReplicationGroupId", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "ARN", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "MemberClusters", default)]
    pub(crate) members: List<String>,
    /// Where cluster mode is enabled.
    #[serde(rename = "ConfigurationEndpoint", default)]
    pub(crate) configuration: Option<EndpointShape>,
    #[serde(rename = "NodeGroups", default)]
    pub(crate) shards: List<ShardShape>,
}

/// One shard of it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ShardShape {
    #[serde(rename = "PrimaryEndpoint", default)]
    pub(crate) primary: Option<EndpointShape>,
    #[serde(rename = "ReaderEndpoint", default)]
    pub(crate) reader: Option<EndpointShape>,
    #[serde(rename = "NodeGroupMembers", default)]
    pub(crate) members: List<ShardMemberShape>,
}

/// One node of a shard.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ShardMemberShape {
    #[serde(rename = "CacheClusterId", default)]
    pub(crate) cache: Option<String>,
    /// `primary` or `replica`; none where cluster mode is enabled.
    #[serde(rename = "CurrentRole", default)]
    pub(crate) role: Option<String>,
}
