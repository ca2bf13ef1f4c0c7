//! Caches: ElastiCache.

use std::collections::BTreeSet;

use doorward_core::inventory::{Cache, Call, Inventory, ReplicationGroup, ServerlessCache};

use super::databases::groups;
use super::{Member, Reader, Unreadable, ids, needed_text, text};
use crate::operation::cache::{CacheShape, GroupOfCachesShape, ServerlessCacheShape};
use crate::operation::database::EndpointShape;

impl Member for CacheShape {
    const CALL: Call = Call::Caches;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "CacheClusterId")?;
        let cache = Cache {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            account_region: reader.account_region.clone(),
            engine: text(self.engine.as_ref()).unwrap_or_default(),
            status: text(self.status.as_ref()).unwrap_or_default(),
            subnet_group: text(self.subnet_group.as_ref()),
            replication_group: text(self.replication_group.as_ref()),
            groups: groups(&self.groups.0)?,
            host: self.endpoint().and_then(|endpoint| text(endpoint.host.as_ref())),
            port: self.endpoint().and_then(|endpoint| endpoint.port),
        };
        reader.keep(
            |inventory| &mut inventory.caches,
            (reader.account_region.clone(), name),
            cache,
            PartialEq::eq,
        )
    }
}

impl Member for GroupOfCachesShape {
    const CALL: Call = Call::ReplicationGroups;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "ReplicationGroupId")?;
        let shards = &self.shards.0;
        let nodes = || shards.iter().flat_map(|shard| &shard.members.0);
        let primary = nodes().filter(|node| node.role.as_deref() == Some("primary"));
        let members = self.members.0.iter().map(Some).chain(nodes().map(|node| node.cache.as_ref()));
        let group = ReplicationGroup {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            account_region: reader.account_region.clone(),
            status: text(self.status.as_ref()).unwrap_or_default(),
            members: members.filter_map(text).collect(),
            primaries: primary.filter_map(|node| text(node.cache.as_ref())).collect(),
            configuration_host: host(self.configuration.as_ref()),
            primary_hosts: shards.iter().filter_map(|shard| host(shard.primary.as_ref())).collect(),
            reader_hosts: shards.iter().filter_map(|shard| host(shard.reader.as_ref())).collect(),
        };
        reader.keep(
            |inventory| &mut inventory.replication_groups,
            (reader.account_region.clone(), name),
            group,
            PartialEq::eq,
        )
    }
}

impl Member for ServerlessCacheShape {
    const CALL: Call = Call::ServerlessCaches;

    fn named(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let name = needed_text(self.name.as_ref(), "ServerlessCacheName")?;
        let cache = ServerlessCache {
            name: name.clone(),
            arn: text(self.arn.as_ref()),
            account_region: reader.account_region.clone(),
            engine: text(self.engine.as_ref()).unwrap_or_default(),
            status: text(self.status.as_ref()).unwrap_or_default(),
            subnets: ids(&self.subnets.0)?,
            groups: ids(&self.groups.0)?,
            host: host(self.endpoint.as_ref()),
            reader_host: host(self.reader.as_ref()),
            port: self.endpoint.as_ref().and_then(|endpoint| endpoint.port),
        };
        reader.keep(
            |inventory| &mut inventory.serverless_caches,
            (reader.account_region.clone(), name),
            cache,
            PartialEq::eq,
        )
    }
}

fn host(endpoint: Option<&EndpointShape>) -> Option<String> {
    text(endpoint?.host.as_ref())
}

/// Notes the replication groups that only their caches tell of.
pub(super) fn finish(inventory: &mut Inventory) {
    let Inventory { caches, replication_groups, .. } = inventory;
    for cache in caches.values() {
        let Some(name) = &cache.replication_group else { continue };
        let group = replication_groups.entry((cache.account_region.clone(), name.clone()));
        let group = group.or_insert_with(|| ReplicationGroup {
            name: name.clone(),
            arn: None,
            account_region: cache.account_region.clone(),
            status: String::new(),
            members: BTreeSet::new(),
            primaries: BTreeSet::new(),
            configuration_host: None,
            primary_hosts: BTreeSet::new(),
            reader_hosts: BTreeSet::new(),
        });
        group.members.insert(cache.name.clone());
    }
}
