//! Endpoints of database clusters and of replication groups, by their names in DNS: each leads to some of the members.

use std::collections::BTreeSet;

use super::Endpoints;
use super::resources::by_name;
use crate::inventory::{DatabaseCluster, Place, ReplicationGroup, ResourceKind, ResourceRef};
use crate::reach::context::Context;

/// The members that an endpoint leads to, and what a reader should know of that.
struct Members<'i> {
    kind: ResourceKind,
    place: &'i Place,
    names: BTreeSet<&'i String>,
    note: Option<String>,
}

pub(super) fn ends(cx: Context<'_>, resource: &ResourceRef) -> Endpoints {
    let id = resource.id();
    let mut clusters = cx.inventory.database_clusters.values();
    let mut groups = cx.inventory.replication_groups.values();
    let members = match resource.kind() {
        ResourceKind::DatabaseEndpoint => {
            clusters.find(|cluster| has_endpoint(cluster, id)).map(|cluster| of_cluster(cluster, id))
        }
        ResourceKind::CacheEndpoint => {
            groups.find(|group| group_endpoint(group, id)).map(|group| of_group(group, id))
        }
        _ => groups.find(|group| group.resource() == *resource).map(all_of),
    };
    let Some(Members { kind, place, names, note }) = members else { return Endpoints::default() };
    let named = names.into_iter().map(|name| ResourceRef::named(kind, name, place));
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
        (all, Some(format!("which instance of {} writes was not recorded: all are asked", cluster.name)))
    } else if is(cluster.host.as_ref(), id) {
        (writer, None)
    } else if is(cluster.reader_host.as_ref(), id) {
        // Without a reader the endpoint leads to the writer.
        (if readers.is_empty() { writer } else { readers }, None)
    } else {
        let note = format!(
            "which instances of {} the custom endpoint has was not recorded: all are asked",
            cluster.name
        );
        (all, Some(note))
    };
    Members { kind: ResourceKind::Database, place: &cluster.place, names, note }
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
        let note = format!("which nodes of {} are primary was not recorded: all are asked", group.name);
        return Members { note: Some(note), ..everything };
    }
    let replicas: BTreeSet<&String> = everything.names.difference(&primaries).copied().collect();
    let names = if group.primary_hosts.contains(id) || replicas.is_empty() { primaries } else { replicas };
    Members { names, ..everything }
}

fn all_of(group: &ReplicationGroup) -> Members<'_> {
    Members {
        kind: ResourceKind::Cache,
        place: &group.place,
        names: group.members.iter().collect(),
        note: None,
    }
}
