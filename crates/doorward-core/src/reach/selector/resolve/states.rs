//! What is not in a state in which it answers: it is asked about all the same, and a note says so.

use std::collections::BTreeSet;

use super::Endpoints;
use crate::inventory::{Inventory, NamedResource, ResourceKind, ResourceRef};
use crate::reach::context::Context;

/// How many resources are told of one by one.
const TOLD: usize = 5;

/// A note for each resource that has one of the interfaces and does not answer in its state.
pub(super) fn notes(cx: Context<'_>, ends: &Endpoints) -> Vec<String> {
    let owners = ends.interfaces.iter().filter_map(|selected| {
        let owner = cx.network.interfaces.at(selected.interface).owner.as_ref()?;
        Some((owner, silent(cx.inventory, &owner.resource)?))
    });
    let silent: BTreeSet<(&NamedResource, &str)> = owners.collect();
    let told = silent.iter().take(TOLD);
    let mut notes: Vec<String> = told
        .map(|(owner, state)| format!("{} is {state}; nothing answers there", owner.described()))
        .collect();
    if silent.len() > TOLD {
        notes.push(format!("{} more are in a state in which nothing answers", silent.len() - TOLD));
    }
    notes
}

/// The state of a resource, if nothing answers there in that state.
fn silent<'i>(inventory: &'i Inventory, resource: &ResourceRef) -> Option<&'i str> {
    let state = state(inventory, resource)?;
    let answers = match resource.kind() {
        ResourceKind::Instance => state == "running",
        ResourceKind::NatGateway | ResourceKind::Endpoint => state == "available",
        ResourceKind::LoadBalancer | ResourceKind::ClassicLoadBalancer => {
            matches!(state, "active" | "active_impaired")
        }
        ResourceKind::ContainerTask => state == "RUNNING",
        _ => !does_not_answer(state),
    };
    (!answers && !state.is_empty()).then_some(state)
}

fn state<'i>(inventory: &'i Inventory, resource: &ResourceRef) -> Option<&'i str> {
    let id = resource.id();
    match resource.kind() {
        ResourceKind::Instance => inventory.instances.get(id).map(|it| it.state.as_str()),
        ResourceKind::NatGateway => inventory.nat_gateways.get(id).map(|it| it.state.as_str()),
        ResourceKind::Endpoint => inventory.endpoints.get(id).map(|it| it.state.as_str()),
        ResourceKind::LoadBalancer | ResourceKind::ClassicLoadBalancer => {
            let mut all = inventory.load_balancers.values();
            all.find(|it| it.resource() == *resource).and_then(|it| it.state.as_deref())
        }
        ResourceKind::Database => {
            let mut all = inventory.databases.values();
            all.find(|it| it.resource() == *resource).map(|it| it.status.as_str())
        }
        ResourceKind::DatabaseProxy => {
            let mut all = inventory.database_proxies.values();
            all.find(|it| it.resource() == *resource).map(|it| it.status.as_str())
        }
        ResourceKind::DatabaseProxyEndpoint => {
            let mut all = inventory.database_proxy_endpoints.values();
            all.find(|it| it.resource() == *resource).map(|it| it.status.as_str())
        }
        ResourceKind::ServerlessCache => {
            let mut all = inventory.serverless_caches.values();
            all.find(|it| it.resource() == *resource).map(|it| it.status.as_str())
        }
        ResourceKind::Cache => {
            let mut all = inventory.caches.values();
            all.find(|it| it.resource() == *resource).map(|it| it.status.as_str())
        }
        ResourceKind::ContainerTask => inventory.container_tasks.get(id).map(|it| it.status.as_str()),
        _ => None,
    }
}

/// States in which databases, proxies and caches answer nothing.
///
/// Sources: "Viewing DB instance status" of the RDS user guide, `Status` of `DBProxy` in the RDS API,
/// `CacheClusterStatus` of `CacheCluster` in the ElastiCache API. In all others they answer, if at times with a pause.
fn does_not_answer(status: &str) -> bool {
    const SILENT: [&str; 16] = [
        "creating",
        "deleted",
        "deleting",
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "insufficient-capacity",
        "insufficient-resource-limits",
        "restore-error",
        "restore-failed",
        "starting",
        "stopped",
        "stopping",
        "storage-full",
        "suspended",
        "suspending",
    ];
    SILENT.contains(&status) || status.starts_with("incompatible-")
}
