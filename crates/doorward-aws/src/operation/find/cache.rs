//! `elasticache:DescribeReplicationGroups` and `DescribeCacheClusters`: one by its id.

use serde::Deserialize;

use crate::operation::cache::CachesAnswer;
use crate::operation::database::EndpointShape;
use crate::operation::{Body, Operation, Service};
use crate::wire::{Form, List};

/// Asks for one replication group.
#[derive(Debug, Clone)]
pub(crate) struct FindReplicationGroup {
    pub(crate) name: String,
}

impl Operation for FindReplicationGroup {
    const NAME: &'static str = "DescribeReplicationGroups";
    const SERVICE: Service = Service::ElastiCache;
    type Answer = ReplicationGroupsAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("ReplicationGroupId", &self.name);
        Body::Form(form)
    }
}

/// `ReplicationGroups`
#[derive(Debug, Deserialize)]
pub(crate) struct ReplicationGroupsAnswer {
    #[serde(rename = "ReplicationGroups", default)]
    pub(crate) groups: List<ReplicationGroupShape>,
}

/// One replication group.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReplicationGroupShape {
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "Engine", default)]
    pub(crate) engine: Option<String>,
    #[serde(rename = "ConfigurationEndpoint", default)]
    configuration: Option<EndpointShape>,
    #[serde(rename = "NodeGroups", default)]
    shards: List<ShardShape>,
}

#[derive(Debug, Clone, Deserialize)]
struct ShardShape {
    #[serde(rename = "PrimaryEndpoint", default)]
    primary: Option<EndpointShape>,
}

impl ReplicationGroupShape {
    /// Where it answers: in cluster mode by an address of its own, else by that of its primary.
    pub(crate) fn endpoint(&self) -> Option<&EndpointShape> {
        let primary = || self.shards.0.iter().find_map(|shard| shard.primary.as_ref());
        self.configuration.as_ref().or_else(primary)
    }
}

/// Asks for one cache cluster.
#[derive(Debug, Clone)]
pub(crate) struct FindCache {
    pub(crate) name: String,
}

impl Operation for FindCache {
    const NAME: &'static str = "DescribeCacheClusters";
    const SERVICE: Service = Service::ElastiCache;
    type Answer = CachesAnswer;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("CacheClusterId", &self.name);
        form.put("ShowCacheNodeInfo", "true");
        Body::Form(form)
    }
}
