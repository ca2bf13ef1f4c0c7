//! Instances and databases that are started, stopped and restored, each once, whatever happens to the answer.

use doorward_core::inventory::{Condition, Database, InstanceId, Owned};

use super::NotDone;
use super::again::Attempts;
use super::environments::state_of;
use super::run::{Reporter, Run, Tried};
use super::wait::Polled;
use crate::operation::Operation;
use crate::operation::database::{
    DeleteDBSnapshot, RestoreDBInstanceFromDBSnapshot, StartDBInstance, StopDBInstance,
};
use crate::operation::machine::{StartInstances, StopInstances};

/// With which RDS refuses what a database is not in the state for.
const IN_ANOTHER_STATE: [&str; 1] = ["InvalidDBInstanceState"];

impl Run {
    pub(super) async fn stop_instance(
        &self,
        id: &Owned<InstanceId>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        self.repeat(&StopInstances(id.clone()), &[], &[], reporter).await.map(drop)
    }

    pub(super) async fn start_instance(
        &self,
        id: &Owned<InstanceId>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        self.repeat(&StartInstances(id.clone()), &[], &[], reporter).await.map(drop)
    }

    pub(super) async fn stop_database(
        &self,
        name: &Owned<String>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let stops = |status: Condition| status == Condition::Stopped;
        self.turn_database(&StopDBInstance(name.clone()), name.id(), stops, reporter).await
    }

    pub(super) async fn start_database(
        &self,
        name: &Owned<String>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let starts = |status: Condition| matches!(status, Condition::Busy | Condition::Available);
        self.turn_database(&StartDBInstance(name.clone()), name.id(), starts, reporter).await
    }

    /// Starts or stops a database, unless it is on its way there already: a call of a run that was killed may be performed after
    /// the next one has read the account.
    async fn turn_database<O: Operation>(
        &self,
        operation: &O,
        name: &str,
        is_on_its_way: impl Fn(Condition) -> bool,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let mut attempts = Attempts::default();
        loop {
            let tried = match self.call(operation).await {
                Ok(_) => return Ok(()),
                Err(tried) => tried,
            };
            if tried.is(&IN_ANOTHER_STATE)
                && let Ok(Some(status)) = self.status(name).await
                && is_on_its_way(Condition::of(&status))
            {
                return Ok(());
            }
            self.again(&mut attempts, tried, reporter).await?;
        }
    }

    pub(super) async fn restore_database(
        &self,
        database: &Database,
        snapshot: &str,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation =
            RestoreDBInstanceFromDBSnapshot { database: database.clone(), snapshot: snapshot.to_owned() };
        self.repeat(&operation, &[], &["DBInstanceAlreadyExists"], reporter).await.map(drop)
    }

    pub(super) async fn delete_snapshot(
        &self,
        name: &Owned<String>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let gone = ["DBSnapshotNotFound", "DBSnapshotNotFoundFault"];
        self.repeat(&DeleteDBSnapshot(name.clone()), &gone, &[], reporter).await.map(drop)
    }

    pub(super) async fn instance_stopped(&self, id: &InstanceId) -> Result<Polled, Tried> {
        let state = self.poll_instance(id).await?.map_or_else(|| "terminated".to_owned(), state_of);
        Ok(match state.as_str() {
            "stopped" => Polled::Reached,
            "shutting-down" | "terminated" => {
                Polled::Never(state, "somebody terminated it meanwhile".to_owned())
            }
            _ => Polled::NotYet(state),
        })
    }

    pub(super) async fn database_stopped(&self, name: &str) -> Result<Polled, Tried> {
        let Some(status) = self.status(name).await? else {
            return Ok(Polled::Never("deleted".to_owned(), "somebody deleted it meanwhile".to_owned()));
        };
        Ok(match Condition::of(&status) {
            Condition::Stopped if status == "stopped" => Polled::Reached,
            // RDS may still show what was before.
            Condition::Stopped | Condition::Available | Condition::Busy => Polled::NotYet(status),
            Condition::Deleting | Condition::Failed => {
                Polled::Never(status, "the events of the database in RDS say why".to_owned())
            }
        })
    }
}
