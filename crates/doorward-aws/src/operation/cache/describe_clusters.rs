//! `elasticache:DescribeCacheClusters`: caches, with the nodes that answer.

use serde::Deserialize;

use crate::operation::database::{EndpointShape, GroupMembership};
use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeCacheClusters {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeCacheClusters is "DescribeCacheClusters" of ElastiCache,
    CachesAnswer.caches: CacheShape,
    "MaxRecords" up to "100",
    always "ShowCacheNodeInfo": "true"
);

/// `CacheClusters`
#[derive(Debug, Deserialize)]
pub(crate) struct CachesAnswer {
    #[serde(rename = "CacheClusters", default)]
    pub(crate) caches: List<CacheShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One cache cluster.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CacheShape {
    #[serde(rename = "CacheClusterId", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "ARN", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "Engine", default)]
    pub(crate) engine: Option<String>,
    #[serde(rename = "CacheClusterStatus", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "CacheSubnetGroupName", default)]
    pub(crate) subnet_group: Option<String>,
    #[serde(rename = "ReplicationGroupId", default)]
    pub(crate) replication_group: Option<String>,
    #[serde(rename = "SecurityGroups", default)]
    pub(crate) groups: List<GroupMembership>,
    #[serde(rename = "ConfigurationEndpoint", default)]
    configuration: Option<EndpointShape>,
    #[serde(rename = "CacheNodes", default)]
    nodes: List<NodeShape>,
}

#[derive(Debug, Clone, Deserialize)]
struct NodeShape {
    #[serde(rename = "Endpoint", default)]
    endpoint: Option<EndpointShape>,
}

impl CacheShape {
    /// Where it answers: Memcached by an address of its own, the others by their first node's.
    pub(crate) fn endpoint(&self) -> Option<&EndpointShape> {
        let node = || self.nodes.0.iter().find_map(|node| node.endpoint.as_ref());
        self.configuration.as_ref().or_else(node)
    }
}
