//! The instances and databases of environments.

use super::Changes;
use crate::inventory::{
    Condition, Database, DatabaseSettings, DatabaseSnapshot, Instance, Interface, Inventory, SubnetGroup,
    made_by,
};
use crate::name::InstallationId;
use crate::plan::network::change::{Awaited, Change};
use crate::plan::network::phase::Phase;
use crate::plan::network::why::Why;

const USED: &str = "it can only be used, and changed, when it is there";
const FREE: &str = "its interfaces hold its subnets and security groups";
const STOPS: &str = "the environment is stopped";
const STARTS: &str = "the environment is started";
const SETTLED: &str = "AWS stops and starts nothing that is changing";

/// What is to be created, to be changed, to be started, to be stopped, or to become available.
pub(super) fn changed(changes: &mut Changes<'_>) {
    let (actual, wanted, by) = (changes.actual, changes.wanted, changes.by);
    for instance in wanted.instances.values().filter(|it| it.owned(by).is_some()) {
        match actual.instances.get(&instance.id) {
            None if is_launched(wanted, instance) => {}
            None => {
                let is_its = |it: &&Interface| it.instance.as_ref() == Some(&instance.id);
                let Some(interface) = wanted.interfaces.values().find(is_its) else { continue };
                let runs = Change::Await(Awaited::InstanceRuns(instance.id.clone()));
                let (instance, interface) = (Box::new(instance.clone()), Box::new(interface.clone()));
                let why = Why::declared(&instance.tags, by);
                changes.add(Change::RunInstance(instance, interface), why);
                changes.add(runs, Why::For(USED));
            }
            Some(before) if before.state != instance.state => in_state(changes, before, instance),
            Some(_) => {}
        }
    }
    for (key, database) in wanted.databases.iter().filter(|(_, it)| it.owned(by).is_some()) {
        match actual.databases.get(key) {
            None => new(changes, database),
            Some(before) if is_replaced(before, database) => {
                let (account_region, name) = key.clone();
                let gone = Change::Await(Awaited::DatabaseGone(account_region, name));
                changes.add_in(Phase::Machines, gone, Why::For("its identifier is in use before"));
                new(changes, database);
            }
            Some(before) => modified(changes, before, database),
        }
    }
}

/// Whether AWS launches and terminates an instance for an Auto Scaling group.
fn is_launched(inventory: &Inventory, instance: &Instance) -> bool {
    inventory.scaling_groups.values().any(|group| group.instances.contains(&instance.id))
}

/// Whether another database takes the identifier of one that is being deleted.
fn is_replaced(before: &Database, database: &Database) -> bool {
    before.condition() == Condition::Deleting && database.condition() == Condition::Available
}

/// An instance that is started or stopped.
fn in_state(changes: &mut Changes<'_>, before: &Instance, instance: &Instance) {
    let Some(right) = instance.owned(changes.by) else { return };
    let runs = Change::Await(Awaited::InstanceRuns(instance.id.clone()));
    let stopped = Change::Await(Awaited::InstanceStopped(instance.id.clone()));
    match (before.state.as_str(), instance.state.as_str()) {
        (before, "stopped") => {
            if before == "pending" {
                changes.add(runs, Why::For(SETTLED));
            }
            if before != "stopping" {
                changes.add(Change::StopInstance(right), Why::For(STOPS));
            }
            changes.add(stopped, Why::For(STOPS));
        }
        ("stopping" | "stopped", _) => {
            if before.state == "stopping" {
                changes.add(stopped, Why::For(SETTLED));
            }
            changes.add(Change::StartInstance(right), Why::For(STARTS));
            changes.add(runs, Why::For(USED));
        }
        _ => changes.add(runs, Why::For(USED)),
    }
}

/// A database that is created, or restored if there is a snapshot of it: what has data is never replaced by an empty one.
fn new(changes: &mut Changes<'_>, database: &Database) {
    let why = Why::declared(&database.tags, changes.by);
    let Some(snapshot) = newest(changes.wanted, database, changes.by) else {
        changes.add(Change::CreateDatabase(Box::new(database.clone())), why);
        changes.add(available(database), Why::For(USED));
        return;
    };
    const DATA: &str = "the environment is started, and the snapshot has its data";
    const AFTERWARDS: &str = "a restore gives it neither";
    if !is_complete(changes.actual, snapshot) {
        changes.add_in(Phase::Machines, complete(snapshot), Why::For(WHOLE));
    }
    let restored = as_restored(database);
    let snapshot = snapshot.name.clone();
    changes.add(Change::RestoreDatabase { database: Box::new(restored.clone()), snapshot }, Why::For(DATA));
    changes.add(available(database), Why::For(USED));
    if let Some(name) = database.owned(changes.by) {
        let settings = Box::new((restored.settings, database.settings.clone()));
        let account_region = database.account_region.clone();
        changes.add(Change::ModifyDatabase { account_region, name, settings }, Why::For(AFTERWARDS));
        changes.add(available(database), Why::For(USED));
    }
}

/// A database as it is right after its restore. Its backups are those of the snapshot's database, and for PostgreSQL and MySQL
/// the call takes no managed password (RDS API reference, `RestoreDBInstanceFromDBSnapshot`).
fn as_restored(database: &Database) -> Database {
    let settings = DatabaseSettings { has_secret: false, backup_days: None, ..database.settings.clone() };
    Database { settings, ..database.clone() }
}

/// The newest snapshot with the tags of a database.
fn newest<'i>(
    inventory: &'i Inventory,
    database: &Database,
    by: &InstallationId,
) -> Option<&'i DatabaseSnapshot> {
    let part = made_by(&database.tags, by)?;
    let is_its = |it: &&DatabaseSnapshot| made_by(&it.tags, by) == Some(part) && it.is_usable();
    let snapshots = inventory.database_snapshots.values().filter(is_its);
    snapshots.max_by(|one, other| one.age().cmp(&other.age()))
}

fn available(database: &Database) -> Change {
    Change::Await(Awaited::Database(database.account_region.clone(), database.name.clone()))
}

fn stopped(database: &Database) -> Change {
    Change::Await(Awaited::DatabaseStopped(database.account_region.clone(), database.name.clone()))
}

fn modified(changes: &mut Changes<'_>, before: &Database, database: &Database) {
    if before.status != database.status {
        turned(changes, before, database);
    }
    // AWS says when it starts a stopped database again, and nobody sets that.
    let is = DatabaseSettings { restarts: database.settings.restarts, ..before.settings.clone() };
    let Some(name) = before.owned(changes.by).filter(|_| is != database.settings) else { return };
    let settings = Box::new((is, database.settings.clone()));
    let change = Change::ModifyDatabase { account_region: database.account_region.clone(), name, settings };
    changes.add(change, Why::declared(&database.tags, changes.by));
    changes.add(available(database), Why::For(USED));
}

/// A database that is started or stopped, or becomes available by itself.
fn turned(changes: &mut Changes<'_>, before: &Database, database: &Database) {
    let Some(right) = before.owned(changes.by) else { return };
    let account_region = database.account_region.clone();
    match (before.condition(), database.condition()) {
        (Condition::Busy | Condition::Available, Condition::Stopped) => {
            if before.condition() == Condition::Busy {
                changes.add(available(database), Why::For(SETTLED));
            }
            changes.add(Change::StopDatabase(account_region, right), Why::For(STOPS));
            changes.add(stopped(database), Why::For(STOPS));
        }
        (Condition::Stopped, Condition::Stopped) => changes.add(stopped(database), Why::For(STOPS)),
        (Condition::Stopped, Condition::Available) => {
            if before.status != "stopped" {
                changes.add(stopped(database), Why::For(SETTLED));
            }
            changes.add(Change::StartDatabase(account_region, right), Why::For(STARTS));
            changes.add(available(database), Why::For(USED));
        }
        (Condition::Busy, Condition::Available) => changes.add(available(database), Why::For(USED)),
        _ => {}
    }
}

/// What goes, and the snapshots that it leaves.
pub(super) fn removed(changes: &mut Changes<'_>) {
    let (actual, wanted, by) = (changes.actual, changes.wanted, changes.by);
    let gone = actual.instances.values().filter(|it| !wanted.instances.contains_key(&it.id));
    for instance in gone.filter(|it| !is_launched(actual, it)) {
        let Some(right) = instance.owned(by) else { continue };
        if instance.state != "shutting-down" {
            changes.add(Change::TerminateInstance(right), Why::undeclared(&instance.tags, by));
        }
        changes.add(Change::Await(Awaited::InstanceGone(instance.id.clone())), Why::For(FREE));
    }
    for (key, database) in actual.databases.iter().filter(|(key, _)| !wanted.databases.contains_key(*key)) {
        let Some(name) = database.owned(by) else { continue };
        let mut planned = wanted.database_snapshots.iter().filter(|(key, it)| {
            it.database == database.name && !actual.database_snapshots.contains_key(*key)
        });
        let account_region = database.account_region.clone();
        if let Some((_, snapshot)) = planned.next().filter(|_| database.condition() != Condition::Deleting) {
            match (database.condition(), database.status.as_str()) {
                (Condition::Busy, _) => changes.add(available(database), Why::For(SAVED)),
                (Condition::Stopped, "stopping") => changes.add(stopped(database), Why::For(SAVED)),
                _ => {}
            }
            let snapshot = snapshot.name.clone();
            let why = match keeps_network(wanted, database) {
                true => Why::For(STOPS),
                false => Why::undeclared(&database.tags, by),
            };
            changes.add(Change::DeleteDatabase { account_region, name, snapshot }, why);
        }
        let (account_region, name) = key.clone();
        changes.add(Change::Await(Awaited::DatabaseGone(account_region, name)), Why::For(FREE));
    }
    for snapshot in wanted.database_snapshots.values().filter(|it| it.owned(by).is_some()) {
        let is_awaited = changes
            .steps
            .iter()
            .any(|step| step.change == complete(snapshot) && step.phase == Phase::Machines);
        if snapshot.status == "available" && !is_complete(actual, snapshot) && !is_awaited {
            changes.add(complete(snapshot), Why::For(WHOLE));
        }
    }
    old_snapshots(changes);
}

const SAVED: &str = "RDS takes no final snapshot of a database that is changing";
const WHOLE: &str = "nothing can be restored from a snapshot before it is available";

fn complete(snapshot: &DatabaseSnapshot) -> Change {
    Change::Await(Awaited::Snapshot(snapshot.account_region.clone(), snapshot.name.clone()))
}

fn is_complete(actual: &Inventory, snapshot: &DatabaseSnapshot) -> bool {
    let key = (snapshot.account_region.clone(), snapshot.name.clone());
    actual.database_snapshots.get(&key).is_some_and(|it| it.status == snapshot.status)
}

/// Whether the network of a database stays, so that its environment is stopped and not destroyed.
fn keeps_network(wanted: &Inventory, database: &Database) -> bool {
    let group = database.settings.subnet_group.clone();
    let group = group.map(|name| (database.account_region.clone(), name));
    let group: Option<&SubnetGroup> = group.and_then(|key| wanted.database_subnet_groups.get(&key));
    group.is_some()
}

/// Snapshots of which newer ones are kept. The newest one never goes.
fn old_snapshots(changes: &mut Changes<'_>) {
    const KEPT: &str = "the environment keeps fewer snapshots, and newer ones exist";
    let (actual, wanted, by) = (changes.actual, changes.wanted, changes.by);
    let gone =
        actual.database_snapshots.iter().filter(|(key, _)| !wanted.database_snapshots.contains_key(*key));
    for ((account_region, _), snapshot) in gone {
        let Some(name) = snapshot.owned(by) else { continue };
        let part = made_by(&snapshot.tags, by);
        let is_its = |it: &&DatabaseSnapshot| made_by(&it.tags, by) == part && it.is_usable();
        let kept = wanted.database_snapshots.values().filter(is_its);
        let newest = kept.max_by(|one, other| one.age().cmp(&other.age()));
        let Some(newer) = newest.map(|it| it.name.clone()) else { continue };
        let account_region = account_region.clone();
        changes.add(Change::DeleteSnapshot { account_region, name, newer }, Why::For(KEPT));
    }
}
