//! The calls of RDS.

mod describe_cluster_endpoints;
mod describe_clusters;
mod describe_instances;
mod describe_proxies;
mod describe_proxy_endpoints;
mod describe_proxy_targets;
mod describe_subnet_groups;

use serde::Deserialize;

pub(crate) use describe_cluster_endpoints::{ClusterEndpointShape, DescribeDBClusterEndpoints};
pub(crate) use describe_clusters::{ClusterShape, ClustersAnswer, DescribeDBClusters};
pub(crate) use describe_instances::{DatabaseShape, DatabasesAnswer, DescribeDBInstances};
pub(crate) use describe_proxies::{DescribeDBProxies, ProxiesAnswer, ProxyShape};
pub(crate) use describe_proxy_endpoints::{DescribeDBProxyEndpoints, ProxyEndpointShape};
pub(crate) use describe_proxy_targets::{DescribeDBProxyTargets, ProxyTargetShape};
pub(crate) use describe_subnet_groups::{DatabaseSubnetGroup, DescribeDBSubnetGroups};

use crate::wire::List;

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
