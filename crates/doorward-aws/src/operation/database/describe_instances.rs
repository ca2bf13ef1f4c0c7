//! `rds:DescribeDBInstances`: databases, one by one.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{EndpointShape, GroupMembership, SubnetGroupShape};
use crate::operation::listed::listed;
use crate::wire::{List, Tag};

/// Asks for all of a Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeDBInstances {
    pub(crate) token: Option<String>,
}

listed!(
    DescribeDBInstances is "DescribeDBInstances" of Rds,
    DatabasesAnswer.databases: DatabaseShape,
    "MaxRecords" up to "100"
);

/// `DBInstances`
#[derive(Debug, Deserialize)]
pub(crate) struct DatabasesAnswer {
    #[serde(rename = "DBInstances", default)]
    pub(crate) databases: List<DatabaseShape>,
    #[serde(rename = "Marker", default)]
    pub(crate) next: Option<String>,
}

/// One database.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DatabaseShape {
    #[serde(rename = "DBInstanceIdentifier", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "DBInstanceArn", default)]
    pub(crate) arn: Option<String>,
    #[serde(rename = "Engine", default)]
    pub(crate) engine: Option<String>,
    #[serde(rename = "DBInstanceStatus", default)]
    pub(crate) status: Option<String>,
    #[serde(rename = "AvailabilityZone", default)]
    pub(crate) zone: Option<String>,
    #[serde(rename = "DBSubnetGroup", default)]
    pub(crate) subnet_group: Option<SubnetGroupShape>,
    #[serde(rename = "VpcSecurityGroups", default)]
    pub(crate) groups: List<GroupMembership>,
    #[serde(rename = "PubliclyAccessible", default)]
    pub(crate) public: Option<bool>,
    #[serde(rename = "Endpoint", default)]
    pub(crate) endpoint: Option<EndpointShape>,
    /// What IAM calls it where somebody signs in: `db-…`.
    #[serde(rename = "DbiResourceId", default)]
    pub(crate) resource: Option<String>,
    #[serde(rename = "IAMDatabaseAuthenticationEnabled", default)]
    pub(crate) iam: Option<bool>,
    #[serde(rename = "DBClusterIdentifier", default)]
    pub(crate) cluster: Option<String>,
    #[serde(rename = "EngineVersion", default)]
    pub(crate) version: Option<String>,
    #[serde(rename = "DBInstanceClass", default)]
    pub(crate) class: Option<String>,
    /// In GiB.
    #[serde(rename = "AllocatedStorage", default)]
    pub(crate) storage: Option<u32>,
    #[serde(rename = "MultiAZ", default)]
    pub(crate) multi_az: Option<bool>,
    #[serde(rename = "BackupRetentionPeriod", default)]
    pub(crate) backup_days: Option<u32>,
    #[serde(rename = "StorageEncrypted", default)]
    pub(crate) encrypted: Option<bool>,
    #[serde(rename = "MasterUserSecret", default)]
    pub(crate) secret: Option<SecretShape>,
    #[serde(rename = "AutomaticRestartTime", default)]
    pub(crate) restarts: Option<String>,
    /// By the names of the settings that wait.
    #[serde(rename = "PendingModifiedValues", default)]
    pub(crate) pending: BTreeMap<String, IgnoredAny>,
    #[serde(rename = "TagList", default)]
    pub(crate) tags: List<Tag>,
}

/// The secret with the master password that RDS manages.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SecretShape {
    #[serde(rename = "SecretArn", default)]
    pub(crate) arn: Option<String>,
}
