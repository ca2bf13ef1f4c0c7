//! The calls of RDS.

mod create_instance;
mod create_subnet_group;
mod delete_instance;
mod delete_snapshot;
mod delete_subnet_group;
mod describe_cluster_endpoints;
mod describe_clusters;
mod describe_instances;
mod describe_proxies;
mod describe_proxy_endpoints;
mod describe_proxy_targets;
mod describe_snapshots;
mod describe_subnet_groups;
mod modify_cluster;
mod modify_instance;
mod modify_proxy;
mod modify_settings;
mod modify_subnet_group;
mod restore_instance;
mod start_instance;
mod stop_instance;

use doorward_core::inventory::Tags;
use serde::Deserialize;

pub(crate) use create_instance::CreateDBInstance;
pub(crate) use create_subnet_group::CreateDBSubnetGroup;
pub(crate) use delete_instance::DeleteDBInstance;
pub(crate) use delete_snapshot::DeleteDBSnapshot;
pub(crate) use delete_subnet_group::DeleteDBSubnetGroup;
pub(crate) use describe_cluster_endpoints::{ClusterEndpointShape, DescribeDBClusterEndpoints};
pub(crate) use describe_clusters::{ClusterShape, ClustersAnswer, DescribeDBClusters};
pub(crate) use describe_instances::{DatabaseShape, DatabasesAnswer, DescribeDBInstances};
pub(crate) use describe_proxies::{DescribeDBProxies, ProxiesAnswer, ProxyShape};
pub(crate) use describe_proxy_endpoints::{DescribeDBProxyEndpoints, ProxyEndpointShape};
pub(crate) use describe_proxy_targets::{DescribeDBProxyTargets, ProxyTargetShape};
pub(crate) use describe_snapshots::{DescribeDBSnapshots, SnapshotShape};
pub(crate) use describe_subnet_groups::{DatabaseSubnetGroup, DescribeDBSubnetGroups};
pub(crate) use modify_cluster::ModifyDBCluster;
pub(crate) use modify_instance::ModifyDBInstance;
pub(crate) use modify_proxy::ModifyDBProxy;
pub(crate) use modify_settings::ModifyDatabaseSettings;
pub(crate) use modify_subnet_group::ModifyDBSubnetGroup;
pub(crate) use restore_instance::RestoreDBInstanceFromDBSnapshot;
pub(crate) use start_instance::StartDBInstance;
pub(crate) use stop_instance::StopDBInstance;

use crate::wire::{Form, List};

/// Where databases or caches may stand.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SubnetGroupShape {
    #[serde(rename = "DBSubnetGroupName", alias = "CacheSubnetGroupName", default)]
    pub(crate) name: Option<String>,
    #[serde(rename = "VpcId", default)]
    pub(crate) vpc: Option<String>,
    #[serde(rename = "Subnets", default)]
    pub(crate) subnets: List<MemberSubnet>,
}

/// A subnet of it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MemberSubnet {
    #[serde(rename = "SubnetIdentifier", default)]
    pub(crate) id: Option<String>,
}

/// A group that is on a database.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct GroupMembership {
    #[serde(rename = "VpcSecurityGroupId", alias = "SecurityGroupId", default)]
    pub(crate) id: Option<String>,
}

/// Where it answers.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EndpointShape {
    #[serde(rename = "Address", default)]
    pub(crate) host: Option<String>,
    #[serde(rename = "Port", default)]
    pub(crate) port: Option<u16>,
}

fn flag(flag: Option<bool>) -> &'static str {
    if flag == Some(true) { "true" } else { "false" }
}

/// The tags of what a call creates.
fn tagged(form: &mut Form, tags: &Tags) {
    for (number, (key, value)) in (1..).zip(tags) {
        form.put(&format!("Tags.Tag.{number}.Key"), key);
        form.put(&format!("Tags.Tag.{number}.Value"), value);
    }
}
