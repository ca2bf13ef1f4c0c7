//! The calls of ElastiCache.

mod describe_clusters;
mod describe_subnet_groups;

pub(crate) use describe_clusters::{CacheShape, CachesAnswer, DescribeCacheClusters};
pub(crate) use describe_subnet_groups::{CacheSubnetGroup, DescribeCacheSubnetGroups};
