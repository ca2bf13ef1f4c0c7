//! `rds:DescribeDBSnapshots`: manual snapshots of databases, final ones among them.

use serde::Deserialize;

use crate::operation::listed::listed;
use crate::wire::{List, Tag};

/// Asks for all manual ones of a Region: automated ones go with their database.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeDBSnapshots {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeDBSnapshots is "DescribeDBSnapshots" of Rds,
    SnapshotsAnswer.snapshots: SnapshotShape,
    "MaxRecords" up to "100", always "SnapshotType": "manual"
);

/// `DBSnapshots`
#[derive(Debug, Deserialize)]
pub(crate) struct SnapshotsAnswer {
    #[serde(rename = "DBSnapshots", default)]
    pub(crate) snapshots: List<SnapshotShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One snapshot.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SnapshotShape {
    #[serde(rename = "DBSnapshotIdentifier", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "DBInstanceIdentifier", default)]
    pub(crate) database: Option<String>,
    #[serde(rename = "Status", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "SnapshotCreateTime", default)]
    pub(crate) created: Option<String>,
    /// `manual`, `automated`, `shared` or `public`.
    #[serde(rename = "SnapshotType", default)]
    pub(crate) kind: Option<String>,
    /// In GiB.
    #[serde(rename = "AllocatedStorage", default)]
    pub(crate) storage: Option<u32>,
    #[serde(rename = "TagList", default)]
    pub(crate) tags: List<Tag>,
}
