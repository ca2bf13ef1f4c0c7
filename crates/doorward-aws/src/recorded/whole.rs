//! What a recording lacks: every call that was not recorded is a gap, unless there was nothing to ask.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::inventory::{AccountRegion, AttachmentTarget, Call, Gap, Inventory, Tags};
use doorward_core::mark::Mark;

use super::Pages;

/// Why there is no answer of a call that nobody made, or whose answer nobody kept.
pub(super) const NOT_RECORDED: &str = "it was not recorded";

/// Notes the calls of an account and Region of which there is no answer, or no whole one.
pub(super) fn note_what_is_missing(
    inventory: &mut Inventory,
    account_region: &AccountRegion,
    answered: &BTreeMap<Call, Pages>,
    refused: &BTreeSet<Call>,
) {
    let mut gaps = Vec::new();
    let mut gap = |call: Call, why: String| {
        gaps.push(Gap::of(call, account_region, why));
    };
    for call in Call::ALL {
        match answered.get(call) {
            Some(pages) if pages.more && !pages.last => {
                gap(*call, "its last page was not recorded".to_owned());
            }
            Some(_) => {}
            None if refused.contains(call) || nothing_to_ask(*call, inventory, answered) => {}
            None => gap(*call, NOT_RECORDED.to_owned()),
        }
    }
    if answered.contains_key(&Call::TransitRoutes) && !refused.contains(&Call::TransitRoutes) {
        for table in inventory.transit_tables.values().filter(|table| table.routes.is_none()) {
            gap(Call::TransitRoutes, format!("not all routes of {} were recorded", table.id));
        }
    }
    if answered.contains_key(&Call::PrefixListEntries) && !refused.contains(&Call::PrefixListEntries) {
        for list in inventory.prefix_lists.values().filter(|list| list.entries.is_none()) {
            gap(Call::PrefixListEntries, format!("not all entries of {} were recorded", list.id));
        }
    }
    inventory.gaps.extend(gaps);
}

/// Whether a call had nothing to tell that is not known without it: a table's routes where there is no table.
fn nothing_to_ask(call: Call, inventory: &Inventory, answered: &BTreeMap<Call, Pages>) -> bool {
    // What a recording does not say of DNS counts as AWS has it by default.
    // The zones of a Region are asked for only by who lays out a network, and then their absence is an obstacle of its
    // own.
    if matches!(call, Call::VpcAttributes | Call::Zones) {
        return true;
    }
    // They tell nothing of who reaches what. Who lays out an environment needs them, where there is one of a Doorward.
    match call {
        Call::LoadBalancerTags => {
            return !inventory.load_balancers.values().any(|it| it.name.starts_with("doorward-"));
        }
        Call::LaunchTemplates | Call::LaunchTemplateVersions | Call::ScalingGroups => {
            let is_of_group =
                |tags: &Tags| tags.contains_key(Mark::TAG) && tags.contains_key("aws:autoscaling:groupName");
            let has_own = inventory.launch_templates.values().any(|it| it.tags.contains_key(Mark::TAG));
            return !has_own && !inventory.instances.values().any(|it| is_of_group(&it.tags));
        }
        _ => {}
    }
    let to = |wanted: fn(&AttachmentTarget) -> bool| {
        inventory.attachments.values().any(|attachment| wanted(&attachment.to))
    };
    let (instead, nothing) = match call {
        // A group tells its own rules, though without their ids.
        Call::SecurityGroupRules => (Call::SecurityGroups, true),
        Call::PrefixListEntries => {
            (Call::PrefixLists, inventory.prefix_lists.values().all(|list| list.entries.is_some()))
        }
        Call::TransitRoutes | Call::TransitPropagations => {
            (Call::TransitTables, inventory.transit_tables.is_empty())
        }
        Call::TransitVpcAttachments => {
            (Call::TransitAttachments, !to(|target| matches!(target, AttachmentTarget::Vpc(_))))
        }
        Call::TransitPeerings => {
            (Call::TransitAttachments, !to(|target| matches!(target, AttachmentTarget::Peer(_))))
        }
        // The reader has noted already whose are missing.
        Call::Listeners | Call::ListenerRules | Call::LoadBalancerAttributes => (Call::LoadBalancers, true),
        Call::TargetGroupAttributes | Call::TargetHealth => (Call::TargetGroups, true),
        Call::DatabaseProxyTargets => (Call::DatabaseProxies, true),
        Call::DatabaseProxyEndpoints => (Call::DatabaseProxies, inventory.database_proxies.is_empty()),
        // A cluster tells whether it has custom endpoints.
        Call::DatabaseClusterEndpoints => (
            Call::DatabaseClusters,
            inventory.database_clusters.values().all(|cluster| cluster.custom_hosts.is_empty()),
        ),
        // A cache tells which group it is in.
        Call::ReplicationGroups => {
            (Call::Caches, inventory.caches.values().all(|cache| cache.replication_group.is_none()))
        }
        Call::ContainerServices | Call::ContainerTasks => (Call::ContainerClusters, true),
        _ => return false,
    };
    nothing && answered.contains_key(&instead)
}
