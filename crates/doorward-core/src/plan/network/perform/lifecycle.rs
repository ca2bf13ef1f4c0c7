//! Starting, stopping and restoring, and what EC2 and RDS refuse about it.

use super::environments::Key;
use super::sets::there_mut;
use super::{Give, Performing, Refused};
use crate::inventory::{AccountRegion, Condition, Database, InstanceId, ResourceKind, ResourceRef};

fn snapshot(account_region: &AccountRegion, name: &str) -> ResourceRef {
    ResourceRef::named(ResourceKind::DatabaseSnapshot, name, account_region)
}

impl<G: Give> Performing<'_, G> {
    /// `IncorrectInstanceState` of one that is still pending (EC2 API reference, "Error codes").
    pub(super) fn stop_instance(&mut self, id: &InstanceId) -> Result<(), Refused> {
        let instance = there_mut(&mut self.account.instances, id)?;
        match instance.state.as_str() {
            "running" => instance.state = "stopping".into(),
            "stopping" | "stopped" => {}
            _ => return Err(Refused::State(id.into())),
        }
        Ok(())
    }

    /// `IncorrectInstanceState` of one that is still stopping.
    pub(super) fn start_instance(&mut self, id: &InstanceId) -> Result<(), Refused> {
        let instance = there_mut(&mut self.account.instances, id)?;
        match instance.state.as_str() {
            "stopped" => instance.state = "pending".into(),
            "pending" | "running" => {}
            _ => return Err(Refused::State(id.into())),
        }
        Ok(())
    }

    pub(super) fn instance_stopped(&mut self, id: &InstanceId) -> Result<(), Refused> {
        let instance = there_mut(&mut self.account.instances, id)?;
        if !matches!(instance.state.as_str(), "stopping" | "stopped") {
            return Err(Refused::State(id.into()));
        }
        instance.state = "stopped".into();
        Ok(())
    }

    /// `InvalidDBInstanceState` of one that is not available.
    pub(super) fn stop_database(&mut self, key: Key) -> Result<(), Refused> {
        self.database_in(&key, &[Condition::Available])?.status = "stopping".into();
        Ok(())
    }

    pub(super) fn database_stopped(&mut self, key: Key) -> Result<(), Refused> {
        self.database_in(&key, &[Condition::Stopped])?.status = "stopped".into();
        Ok(())
    }

    /// `InvalidDBInstanceState` of one that is not stopped, or that is still stopping.
    pub(super) fn start_database(&mut self, key: Key) -> Result<(), Refused> {
        let database = self.database_in(&key, &[Condition::Stopped])?;
        if database.status != "stopped" {
            return Err(Refused::State(database.resource()));
        }
        database.status = "starting".into();
        database.settings.restarts = None;
        Ok(())
    }

    /// `InvalidDBSnapshotState` unless the snapshot is available.
    fn is_available(&self, account_region: &AccountRegion, name: &str) -> Result<(), Refused> {
        let resource = snapshot(account_region, name);
        match self.account.database_snapshots.get(&(account_region.clone(), name.to_owned())) {
            None => Err(Refused::NotFound(resource)),
            Some(it) if it.status == "available" => Ok(()),
            Some(_) => Err(Refused::State(resource)),
        }
    }

    pub(super) fn restore_database(&mut self, database: &Database, snapshot: &str) -> Result<(), Refused> {
        self.is_available(&database.account_region, snapshot)?;
        self.create_database(database)
    }

    pub(super) fn delete_snapshot(
        &mut self,
        account_region: &AccountRegion,
        name: &str,
        newer: &str,
    ) -> Result<(), Refused> {
        self.is_available(account_region, newer)?;
        self.is_available(account_region, name)?;
        self.account.database_snapshots.remove(&(account_region.clone(), name.to_owned()));
        Ok(())
    }
}
