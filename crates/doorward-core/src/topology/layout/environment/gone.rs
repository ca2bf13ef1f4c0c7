//! What goes of environments: all of a destroyed network, and a database that leaves a final snapshot.

use std::collections::BTreeSet;

use super::super::draft::{Draft, purpose_of};
use crate::inventory::{
    AccountRegion, Condition, Database, DatabaseSnapshot, InstanceId, Inventory, SubnetId, Tags, made_by,
};
use crate::name::NetworkName;
use crate::topology::Purpose;

/// Removes all environments of a network. Each database leaves a final snapshot.
pub(in crate::topology::layout) fn destroy(draft: &mut Draft<'_>, network: &NetworkName) {
    let by = draft.site.by.clone();
    let of = |tags: &Tags| purpose_of(tags, &by).filter(|purpose| purpose.network == *network);
    // An Auto Scaling group that could not be read would replace each instance that is terminated.
    let mut instances = draft.actual.instances.values().filter(|it| of(&it.tags).is_some());
    if instances.any(|it| it.tags.contains_key("aws:autoscaling:groupName")) {
        draft.needs(&super::NEEDED_BY_PROD);
    }
    let groups = draft.actual.scaling_groups.iter().filter(|(_, it)| of(&it.tags).is_some());
    for (key, group) in groups.map(|(key, it)| (key.clone(), it)).collect::<Vec<_>>() {
        draft.wanted.scaling_groups.remove(&key);
        // AWS terminates them with their group, whatever their tags are by now.
        group.instances.iter().for_each(|id| forget_instance(&mut draft.wanted, id));
    }
    let balancers = draft.actual.load_balancers.values().filter(|it| of(&it.tags).is_some());
    for arn in balancers.map(|it| it.arn.clone()).collect::<Vec<_>>() {
        forget_balancer(&mut draft.wanted, &arn);
    }
    lingering(draft, network);
    draft.wanted.target_groups.retain(|_, it| of(&it.tags).is_none());
    draft.wanted.launch_templates.retain(|_, it| of(&it.tags).is_none());
    let instances = draft.actual.instances.values().filter(|it| of(&it.tags).is_some());
    let instances: Vec<InstanceId> = instances.map(|it| it.id.clone()).collect();
    for id in instances {
        forget_instance(&mut draft.wanted, &id);
    }
    let databases = draft.actual.databases.values();
    let databases: Vec<(&Database, Purpose)> = databases.filter_map(|it| Some((it, of(&it.tags)?))).collect();
    for (database, purpose) in databases {
        snapshotted(draft, database, &purpose);
    }
}

/// Deletes a database, which leaves a final snapshot with its tags.
pub(super) fn snapshotted(draft: &mut Draft<'_>, database: &Database, purpose: &Purpose) {
    forget_database(&mut draft.wanted, &(database.account_region.clone(), database.name.clone()));
    if database.condition() != Condition::Deleting {
        let name = DatabaseSnapshot::planned(&purpose.to_string());
        let snapshot = DatabaseSnapshot {
            name: name.clone(),
            account_region: database.account_region.clone(),
            database: database.name.clone(),
            status: "available".into(),
            created: None,
            storage: database.settings.storage,
            tags: database.tags.clone(),
        };
        draft.wanted.database_snapshots.insert((database.account_region.clone(), name), snapshot);
    }
    completed(draft, purpose);
}

/// Waits for the snapshots of a database that are being created.
pub(super) fn completed(draft: &mut Draft<'_>, purpose: &Purpose) {
    let (text, by) = (purpose.to_string(), draft.site.by.clone());
    let ours =
        |it: &&mut DatabaseSnapshot| made_by(&it.tags, &by) == Some(text.as_str()) && it.status == "creating";
    for snapshot in draft.wanted.database_snapshots.values_mut().filter(ours) {
        snapshot.status = "available".into();
    }
}

/// Takes an instance away with its interfaces, as its termination does.
pub(crate) fn forget_instance(inventory: &mut Inventory, id: &InstanceId) {
    inventory.interfaces.retain(|_, it| it.instance.as_ref() != Some(id));
    for address in inventory.elastic_addresses.values_mut() {
        if address.interface.as_ref().is_some_and(|it| !inventory.interfaces.contains_key(it)) {
            (address.interface, address.private) = (None, None);
        }
    }
    inventory.instances.remove(id);
}

/// The interfaces of a load balancer that was deleted follow within minutes: those in subnets of the network are gone before
/// these are deleted.
fn lingering(draft: &mut Draft<'_>, network: &NetworkName) {
    let by = draft.site.by.clone();
    let subnets = draft.actual.subnets.values();
    let subnets = subnets.filter(|it| purpose_of(&it.tags, &by).is_some_and(|it| it.network == *network));
    let subnets: BTreeSet<SubnetId> = subnets.map(|it| it.id.clone()).collect();
    let balancers = draft.actual.load_balancers.values();
    let there: BTreeSet<String> = balancers.map(|it| it.interface_description()).collect();
    draft.wanted.interfaces.retain(|_, it| {
        let is_of_ours = it.requester.is_some() && it.description.starts_with("ELB app/doorward-");
        !(is_of_ours && subnets.contains(&it.subnet) && !there.contains(&it.description))
    });
}

/// Takes a load balancer away with its interfaces.
pub(crate) fn forget_balancer(inventory: &mut Inventory, arn: &str) {
    let Some(balancer) = inventory.load_balancers.remove(arn) else { return };
    let about = balancer.interface_description();
    inventory.interfaces.retain(|_, it| !(it.requester.is_some() && it.description == about));
}

/// Takes a database away with its interfaces: those that RDS made with its groups in its subnets, unless another database
/// has the same ones.
pub(crate) fn forget_database(inventory: &mut Inventory, key: &(AccountRegion, String)) {
    let Some(database) = inventory.databases.remove(key) else { return };
    let alike =
        |other: &Database| other.groups == database.groups && !other.subnets.is_disjoint(&database.subnets);
    if inventory.databases.values().any(alike) {
        return;
    }
    inventory.interfaces.retain(|_, it| {
        let is_its = it.requester.is_some()
            && it.description == "RDSNetworkInterface"
            && it.groups == database.groups
            && database.subnets.contains(&it.subnet);
        !is_its
    });
}
