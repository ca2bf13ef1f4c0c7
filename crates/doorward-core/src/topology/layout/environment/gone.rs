//! What goes of environments: all of a destroyed network, and a database that leaves a final snapshot.

use super::super::draft::{Draft, purpose_of};
use crate::inventory::{
    AccountRegion, Condition, Database, DatabaseSnapshot, InstanceId, Inventory, Tags, made_by,
};
use crate::name::NetworkName;
use crate::topology::Purpose;

/// Removes all environments of a network. Each database leaves a final snapshot.
pub(in crate::topology::layout) fn destroy(draft: &mut Draft<'_>, network: &NetworkName) {
    let by = draft.site.by.clone();
    let of = |tags: &Tags| purpose_of(tags, &by).filter(|purpose| purpose.network == *network);
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
