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
    DatabaseSubnetGroupsAnswer.groups: SubnetGroupShape,
    "MaxRecords" up to "100"
);

/// `DBSubnetGroups`
#[derive(Debug, Deserialize)]
pub(crate) struct DatabaseSubnetGroupsAnswer {
    #[serde(rename = "DBSubnetGroups", default)]
    pub(crate) groups: List<SubnetGroupShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}
