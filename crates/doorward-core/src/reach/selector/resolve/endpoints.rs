//! Endpoints of database clusters and of replication groups, by their names in DNS: each leads to some of the members.

use std::collections::BTreeSet;

use super::Endpoints;
use super::resources::by_name;
use crate::inventory::{
    AccountRegion, ClusterEndpointKind, ClusterEndpointMembers, DatabaseCluster, ReplicationGroup,
    ResourceKind, ResourceRef,
};
use crate::reach::context::Context;

/// The members that an endpoint leads to, and what a reader should know of that.
struct Members<'i> {
    kind: ResourceKind,
    account_region: &'i AccountRegion,
    names: BTreeSet<&'i String>,
    note: Option<String>,
}

pub(super) fn ends(cx: Context<'_>, resource: &ResourceRef) -> Endpoints {
    let id = resource.id();
    let mut clusters = cx.inventory.database_clusters.values();
    let mut groups = cx.inventory.replication_groups.values();
    let members = match resource.kind() {
        ResourceKind::DatabaseEndpoint => of_custom(cx, id).or_else(|| {
            clusters.find(|cluster| has_endpoint(cluster, id)).map(|cluster| of_cluster(cluster, id))
        }),
        ResourceKind::CacheEndpoint => {
            groups.find(|group| group_endpoint(group, id)).map(|group| of_group(group, id))
        }
        _ => groups.find(|group| group.resource() == *resource).map(all_of),
    };
    let Some(Members { kind, account_region, names, note }) = members else { return Endpoints::default() };
    let named = names.into_iter().map(|name| ResourceRef::named(kind, name, account_region));
    Endpoints {
        interfaces: named.flat_map(|member| by_name(cx, &member)).collect(),
        notes: note.into_iter().collect(),
        ..Endpoints::default()
    }
}

fn is(host: Option<&String>, id: &str) -> bool {
    host.is_some_and(|host| host == id)
}

fn has_endpoint(cluster: &DatabaseCluster, id: &str) -> bool {
    is(cluster.host.as_ref(), id) || is(cluster.reader_host.as_ref(), id) || cluster.custom_hosts.contains(id)
}

/// The writer, those that only read, or some of them (Aurora user guide, endpoint connections).
fn of_cluster<'i>(cluster: &'i DatabaseCluster, id: &str) -> Members<'i> {
    let all: BTreeSet<&String> = cluster.members.iter().collect();
    let writer: BTreeSet<&String> = cluster.writer.iter().collect();
    let readers: BTreeSet<&String> = all.difference(&writer).copied().collect();
    let (names, note) = if writer.is_empty() {
        (all, Some(unknown_writer(&cluster.name)))
    } else if is(cluster.host.as_ref(), id) {
        (writer, None)
    } else if is(cluster.reader_host.as_ref(), id) {
        // Without a reader the endpoint leads to the writer.
        (if readers.is_empty() { writer } else { readers }, None)
    } else {
        let note = format!(
            "it was not recorded which instances of {} are members of the custom endpoint: all are asked",
            cluster.name
        );
        (all, Some(note))
    };
    Members { kind: ResourceKind::Database, account_region: &cluster.account_region, names, note }
}

/// Those that a custom endpoint has as members (Aurora user guide, considerations for custom endpoints).
fn of_custom<'i>(cx: Context<'i>, id: &str) -> Option<Members<'i>> {
    let mut endpoints = cx.inventory.database_cluster_endpoints.values();
    let endpoint = endpoints.find(|endpoint| is(endpoint.host.as_ref(), id))?;
    let key = (endpoint.account_region.clone(), endpoint.cluster.clone());
    let cluster = cx.inventory.database_clusters.get(&key);
    let in_cluster = cx.inventory.databases.values().filter(|database| {
        database.account_region == endpoint.account_region
            && database.cluster.as_ref() == Some(&endpoint.cluster)
    });
    let all: BTreeSet<&String> = match cluster {
        Some(cluster) => cluster.members.iter().collect(),
        None => in_cluster.map(|database| &database.name).collect(),
    };
    let members: BTreeSet<&String> = match &endpoint.members {
        ClusterEndpointMembers::Only(only) => only.iter().collect(),
        ClusterEndpointMembers::AllBut(excluded) => {
            all.into_iter().filter(|name| !excluded.contains(*name)).collect()
        }
    };
    let writer = cluster.and_then(|cluster| cluster.writer.as_ref());
    let (names, note) = match (endpoint.kind, writer) {
        (ClusterEndpointKind::Any, _) => (members, None),
        (ClusterEndpointKind::Reader, Some(writer)) => {
            (members.into_iter().filter(|name| *name != writer).collect(), None)
        }
        (ClusterEndpointKind::Writer, Some(writer)) => {
            (members.into_iter().filter(|name| *name == writer).collect(), None)
        }
        (_, None) => (members, Some(unknown_writer(&endpoint.cluster))),
    };
    Some(Members { kind: ResourceKind::Database, account_region: &endpoint.account_region, names, note })
}

fn unknown_writer(cluster: &str) -> String {
    format!("it was not recorded which instance of {cluster} writes: all are asked")
}

fn group_endpoint(group: &ReplicationGroup, id: &str) -> bool {
    is(group.configuration_host.as_ref(), id)
        || group.primary_hosts.contains(id)
        || group.reader_hosts.contains(id)
}

/// The primary, the replicas, or all nodes in cluster mode (ElastiCache user guide, finding connection endpoints).
fn of_group<'i>(group: &'i ReplicationGroup, id: &str) -> Members<'i> {
    let primaries: BTreeSet<&String> = group.primaries.iter().collect();
    let everything = all_of(group);
    if is(group.configuration_host.as_ref(), id) {
        return everything;
    }
    if primaries.is_empty() {
        let note = format!("it was not recorded which nodes of {} are primary: all are asked", group.name);
        return Members { note: Some(note), ..everything };
    }
    let replicas: BTreeSet<&String> = everything.names.difference(&primaries).copied().collect();
    let names = if group.primary_hosts.contains(id) || replicas.is_empty() { primaries } else { replicas };
    Members { names, ..everything }
}

fn all_of(group: &ReplicationGroup) -> Members<'_> {
    Members {
        kind: ResourceKind::Cache,
        account_region: &group.account_region,
        names: group.members.iter().collect(),
        note: None,
    }
}
