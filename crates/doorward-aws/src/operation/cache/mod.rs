//! The calls of ElastiCache.

mod describe_clusters;
mod describe_replication_groups;
mod describe_serverless_caches;
mod describe_subnet_groups;
mod modify_cluster;
mod modify_replication_group;
mod modify_serverless_cache;

pub(crate) use describe_clusters::{CacheShape, CachesAnswer, DescribeCacheClusters};
pub(crate) use describe_replication_groups::{DescribeReplicationGroups, GroupOfCachesShape};
pub(crate) use describe_serverless_caches::{DescribeServerlessCaches, ServerlessCacheShape};
pub(crate) use describe_subnet_groups::{CacheSubnetGroup, DescribeCacheSubnetGroups};
pub(crate) use modify_cluster::ModifyCacheCluster;
pub(crate) use modify_replication_group::ModifyReplicationGroup;
pub(crate) use modify_serverless_cache::ModifyServerlessCache;
