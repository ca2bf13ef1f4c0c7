//! Instances and databases: they are launched, created, changed and deleted, each once, whatever happens to the answer.

use doorward_core::inventory::{
    AnsweredId as _, Condition, Database, DatabaseSettings, DatabaseSnapshot, Instance, InstanceId,
    Interface, Owned,
};
use doorward_core::topology::Engine;
use jiff::Timestamp;

use super::NotDone;
use super::again::Attempts;
use super::run::{Reporter, Run, Tried};
use super::wait::Polled;
use crate::operation::database::{
    CreateDBInstance, DeleteDBInstance, DescribeDBInstances, DescribeDBSnapshots, ModifyDatabaseSettings,
};
use crate::operation::machine::{RunInstances, TerminateInstances};
use crate::operation::{DescribeInstances, InstanceShape};

impl Run {
    pub(super) async fn run_instance(
        &self,
        instance: &Instance,
        interface: &Interface,
        token: String,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = RunInstances { instance: instance.clone(), interface: interface.clone(), token };
        let made = self.create_noting(&instance.id, &operation, reporter).await?;
        let given = made.interfaces.0.first().and_then(|it| it.id.as_deref());
        if let Some(given) = given.and_then(|id| doorward_core::inventory::InterfaceId::answered(id).ok()) {
            self.note(&interface.id, &given);
        }
        Ok(())
    }

    pub(super) async fn terminate_instance(
        &self,
        id: &Owned<InstanceId>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = TerminateInstances(id.clone());
        self.repeat(&operation, &["InvalidInstanceID.NotFound"], &[], reporter).await.map(drop)
    }

    pub(super) async fn create_database(
        &self,
        database: &Database,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let engine = database.engine.parse::<Engine>().unwrap_or(Engine::Postgres);
        let operation = CreateDBInstance { database: database.clone(), user: engine.user() };
        self.repeat(&operation, &[], &["DBInstanceAlreadyExists"], reporter).await.map(drop)
    }

    pub(super) async fn modify_database(
        &self,
        name: &Owned<String>,
        (before, after): &(DatabaseSettings, DatabaseSettings),
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation =
            ModifyDatabaseSettings { name: name.clone(), before: before.clone(), after: after.clone() };
        self.repeat(&operation, &[], &[], reporter).await.map(drop)
    }

    /// A name for a snapshot that nobody has had: the most frequent failure is a final snapshot whose name is taken.
    pub(super) async fn delete_database(
        &self,
        name: &Owned<String>,
        planned: &str,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let snapshot = DatabaseSnapshot::final_name(name.id(), Timestamp::now());
        self.note(&planned, &snapshot);
        let operation = DeleteDBInstance { name: name.clone(), snapshot };
        // Once it was performed, the database is being deleted, or gone.
        let repeated = ["InvalidDBInstanceState", "DBInstanceNotFound"];
        let mut attempts = Attempts::default();
        loop {
            let tried = match self.call(&operation).await {
                Ok(_) => return Ok(()),
                Err(tried) if attempts.is_doubtful() && tried.is(&repeated) => return Ok(()),
                Err(tried) => tried,
            };
            // A run that was killed deletes it already, with a snapshot of another name: the next plan waits for that one.
            if tried.is(&repeated)
                && let Ok(Some(status)) = self.status(name.id()).await
                && Condition::of(&status) == Condition::Deleting
            {
                return Err(tried.into());
            }
            self.again(&mut attempts, tried, reporter).await?;
        }
    }

    pub(super) async fn poll_instance(&self, id: &InstanceId) -> Result<Option<InstanceShape>, Tried> {
        let all = self.pages(DescribeInstances::default()).await?;
        Ok(all.into_iter().find(|it| it.id.as_deref() == Some(id.as_str())))
    }

    pub(super) async fn instance_runs(&self, id: &InstanceId) -> Result<Polled, Tried> {
        let Some(instance) = self.poll_instance(id).await? else {
            // A new one is not visible at once.
            return Ok(Polled::NotYet("not visible".to_owned()));
        };
        let reason = instance.reason.clone();
        let state = state_of(instance);
        // One that was just started may still be shown as it was.
        let was_stopped = reason.as_deref().is_some_and(|reason| reason.contains("User initiated"));
        Ok(match state.as_str() {
            "running" => Polled::Reached,
            "stopping" | "stopped" if was_stopped => Polled::NotYet(state),
            "shutting-down" | "terminated" | "stopping" | "stopped" => {
                Polled::Never(state, reason.unwrap_or_else(|| "AWS gives no reason".to_owned()))
            }
            _ => Polled::NotYet(state),
        })
    }

    pub(super) async fn instance_gone(&self, id: &InstanceId) -> Result<Polled, Tried> {
        let state = self.poll_instance(id).await?.map_or_else(|| "terminated".to_owned(), state_of);
        Ok(if state == "terminated" { Polled::Reached } else { Polled::NotYet(state) })
    }

    pub(super) async fn status(&self, name: &str) -> Result<Option<String>, Tried> {
        let all = self.pages(DescribeDBInstances::default()).await?;
        let database = all.into_iter().find(|it| it.name.as_deref() == Some(name));
        Ok(database.map(|it| it.status.unwrap_or_default()))
    }

    pub(super) async fn database_available(&self, name: &str) -> Result<Polled, Tried> {
        let Some(status) = self.status(name).await? else {
            return Ok(Polled::NotYet("not visible".to_owned()));
        };
        Ok(match Condition::of(&status) {
            Condition::Available => Polled::Reached,
            // One that was just started may still be shown as it was.
            Condition::Busy | Condition::Stopped => Polled::NotYet(status),
            Condition::Deleting | Condition::Failed => {
                Polled::Never(status, "the events of the database in RDS say why".to_owned())
            }
        })
    }

    pub(super) async fn database_gone(&self, name: &str) -> Result<Polled, Tried> {
        Ok(self.status(name).await?.map_or(Polled::Reached, Polled::NotYet))
    }

    pub(super) async fn snapshot_available(&self, name: &str) -> Result<Polled, Tried> {
        let all = self.pages(DescribeDBSnapshots::default()).await?;
        let snapshot = all.into_iter().find(|it| it.name.as_deref() == Some(name));
        let Some(snapshot) = snapshot else { return Ok(Polled::NotYet("not visible".to_owned())) };
        let status = snapshot.status.unwrap_or_default();
        Ok(match status.as_str() {
            "available" => Polled::Reached,
            "failed" => Polled::Never(status, "the events of the snapshot in RDS say why".to_owned()),
            _ => Polled::NotYet(status),
        })
    }
}

pub(super) fn state_of(instance: InstanceShape) -> String {
    instance.state.and_then(|state| state.name).unwrap_or_default()
}
