//! The calls of ElastiCache.

mod describe_clusters;
mod describe_replication_groups;
mod describe_serverless_caches;
mod describe_subnet_groups;

pub(crate) use describe_clusters::{CacheShape, CachesAnswer, DescribeCacheClusters};
pub(crate) use describe_replication_groups::{DescribeReplicationGroups, GroupOfCachesShape};
pub(crate) use describe_serverless_caches::{DescribeServerlessCaches, ServerlessCacheShape};
pub(crate) use describe_subnet_groups::{CacheSubnetGroup, DescribeCacheSubnetGroups};
