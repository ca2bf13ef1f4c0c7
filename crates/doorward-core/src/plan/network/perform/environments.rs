//! Instances and databases, and what EC2 and RDS refuse about them.

use super::sets::{there, there_mut};
use super::{Give, Performing, Refused};
use crate::inventory::{
    AccountRegion, Condition, Database, DatabaseSettings, DatabaseSnapshot, Instance, InstanceId, Interface,
    ResourceKind, ResourceRef,
};
use crate::topology::{forget_database, forget_instance};

/// A database or a snapshot by its name.
pub(super) type Key = (AccountRegion, String);

impl<G: Give> Performing<'_, G> {
    pub(super) fn run_instance(&mut self, instance: &Instance, interface: &Interface) -> Result<(), Refused> {
        there(&self.account.subnets, &interface.subnet)?;
        for group in &interface.groups {
            there(&self.account.groups, group)?;
        }
        let (mut instance, mut interface) = (instance.clone(), interface.clone());
        instance.id = self.new_id(&instance.id);
        interface.id = self.new_id(&interface.id);
        interface.instance = Some(instance.id.clone());
        instance.interfaces = [interface.id.clone()].into();
        instance.state = "pending".into();
        self.account.interfaces.insert(interface.id.clone(), interface);
        self.account.instances.insert(instance.id.clone(), instance);
        Ok(())
    }

    pub(super) fn instance_runs(&mut self, id: &InstanceId) -> Result<(), Refused> {
        let instance = there_mut(&mut self.account.instances, id)?;
        if !matches!(instance.state.as_str(), "pending" | "running") {
            return Err(Refused::State(id.into()));
        }
        instance.state = "running".into();
        Ok(())
    }

    pub(super) fn terminate_instance(&mut self, id: &InstanceId) -> Result<(), Refused> {
        there_mut(&mut self.account.instances, id)?.state = "shutting-down".into();
        Ok(())
    }

    pub(super) fn instance_gone(&mut self, id: &InstanceId) -> Result<(), Refused> {
        if self.account.instances.get(id).is_some_and(|it| it.state != "shutting-down") {
            return Err(Refused::State(id.into()));
        }
        forget_instance(self.account, id);
        Ok(())
    }

    pub(super) fn create_database(&mut self, database: &Database) -> Result<(), Refused> {
        let key = (database.account_region.clone(), database.name.clone());
        // `DBInstanceAlreadyExists`
        if self.account.databases.contains_key(&key) {
            return Err(Refused::Duplicate(database.resource()));
        }
        if let Some(group) = &database.settings.subnet_group {
            let resource =
                ResourceRef::named(ResourceKind::DatabaseSubnetGroup, group, &database.account_region);
            let key = (database.account_region.clone(), group.clone());
            let there = self.account.database_subnet_groups.contains_key(&key);
            there.then_some(()).ok_or(Refused::NotFound(resource))?;
        }
        for group in &database.groups {
            there(&self.account.groups, group)?;
        }
        let mut database = database.clone();
        database.status = "creating".into();
        self.account.databases.insert(key, database);
        Ok(())
    }

    fn database(&mut self, key: &Key) -> Result<&mut Database, Refused> {
        let missing = || Refused::NotFound(ResourceRef::named(ResourceKind::Database, &key.1, &key.0));
        self.account.databases.get_mut(key).ok_or_else(missing)
    }

    /// `InvalidDBInstanceState`, unless the database is in one of these conditions.
    pub(super) fn database_in(
        &mut self,
        key: &Key,
        conditions: &[Condition],
    ) -> Result<&mut Database, Refused> {
        let database = self.database(key)?;
        if conditions.contains(&database.condition()) {
            Ok(database)
        } else {
            Err(Refused::State(database.resource()))
        }
    }

    pub(super) fn modify_database(&mut self, key: Key, settings: &DatabaseSettings) -> Result<(), Refused> {
        let database = self.database_in(&key, &[Condition::Available])?;
        database.settings.clone_from(settings);
        database.status = "modifying".into();
        Ok(())
    }

    pub(super) fn database_available(&mut self, key: Key) -> Result<(), Refused> {
        let database = self.database_in(&key, &[Condition::Busy, Condition::Available])?;
        if database.condition() == Condition::Busy {
            database.status = "available".into();
        }
        Ok(())
    }

    /// A final snapshot is refused of what is not available or stopped (RDS API reference, `DeleteDBInstance`).
    pub(super) fn delete_database(&mut self, key: Key, snapshot: &str) -> Result<(), Refused> {
        let database = self.database_in(&key, &[Condition::Available, Condition::Stopped])?;
        database.status = "deleting".into();
        let mut snapshot = DatabaseSnapshot {
            name: snapshot.to_owned(),
            account_region: key.0.clone(),
            database: key.1.clone(),
            status: "creating".into(),
            created: None,
            storage: database.settings.storage,
            tags: database.tags.clone(),
        };
        if let Some(given) = self.give.id(&snapshot.name) {
            self.ids.note(&snapshot.name, &given);
            snapshot.name = given;
        }
        let key = (key.0, snapshot.name.clone());
        // `DBSnapshotAlreadyExists`
        if self.account.database_snapshots.contains_key(&key) {
            return Err(Refused::Duplicate(snapshot.resource()));
        }
        self.account.database_snapshots.insert(key, snapshot);
        Ok(())
    }

    pub(super) fn database_gone(&mut self, key: Key) -> Result<(), Refused> {
        if self.account.databases.contains_key(&key) {
            self.database_in(&key, &[Condition::Deleting])?;
        }
        forget_database(self.account, &key);
        Ok(())
    }

    pub(super) fn snapshot_available(&mut self, key: Key) -> Result<(), Refused> {
        let missing =
            || Refused::NotFound(ResourceRef::named(ResourceKind::DatabaseSnapshot, &key.1, &key.0));
        self.account.database_snapshots.get_mut(&key).ok_or_else(missing)?.status = "available".into();
        Ok(())
    }
}
