//! `elasticache:DescribeCacheSubnetGroups`: where caches may stand.

use serde::Deserialize;

use crate::operation::database::SubnetGroupShape;
use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeCacheSubnetGroups {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeCacheSubnetGroups is "DescribeCacheSubnetGroups" of ElastiCache,
    CacheSubnetGroupsAnswer.groups: CacheSubnetGroup,
    "MaxRecords" up to "100"
);

/// `CacheSubnetGroups`
#[derive(Debug, Deserialize)]
pub(crate) struct CacheSubnetGroupsAnswer {
    #[serde(rename = "CacheSubnetGroups", default)]
    pub(crate) groups: List<CacheSubnetGroup>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct CacheSubnetGroup(pub(crate) SubnetGroupShape);
