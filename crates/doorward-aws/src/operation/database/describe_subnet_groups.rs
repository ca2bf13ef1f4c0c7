//! `rds:DescribeDBSubnetGroups`: where databases may stand.

use serde::Deserialize;

use super::SubnetGroupShape;
use crate::operation::listed::listed;
use crate::wire::List;

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeDBSubnetGroups {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeDBSubnetGroups is "DescribeDBSubnetGroups" of Rds,
    DatabaseSubnetGroupsAnswer.groups: DatabaseSubnetGroup,
    "MaxRecords" up to "100"
);

/// `DBSubnetGroups`
#[derive(Debug, Deserialize)]
pub(crate) struct DatabaseSubnetGroupsAnswer {
    #[serde(rename = "DBSubnetGroups", default)]
    pub(crate) groups: List<DatabaseSubnetGroup>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct DatabaseSubnetGroup(pub(crate) SubnetGroupShape);
