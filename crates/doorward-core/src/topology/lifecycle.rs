//! Starting and stopping an environment, and the state that it is in.

use std::fmt;

use super::{Environment, EnvironmentPart, Part, Purpose};
use crate::inventory::{
    Condition, Database, DatabaseSnapshot, Instance, Inventory, LoadBalancer, ScalingGroup, Tags, made_by,
};
use crate::name::InstallationId;

/// What is done to an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// Its instance and its database are started. A database that was deleted with a final snapshot is restored.
    Start,
    /// Its instance and its database are stopped. AWS starts the database again after seven days.
    Pause,
    /// Its instance is stopped, and its database is deleted with a final snapshot.
    Snapshot,
}

impl Transition {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Start, Self::Pause, Self::Snapshot];
}

/// The parts of an environment that exist.
#[derive(Debug, Clone)]
pub struct EnvironmentParts<'i> {
    /// Its instance, unless that is being terminated.
    pub instance: Option<&'i Instance>,
    /// The instances of its Auto Scaling group, unless they are being terminated.
    pub members: Vec<&'i Instance>,
    /// Its Auto Scaling group.
    pub group: Option<&'i ScalingGroup>,
    /// Its load balancer.
    pub balancer: Option<&'i LoadBalancer>,
    /// Its database.
    pub database: Option<&'i Database>,
    /// All snapshots of its database, the newest last.
    pub snapshots: Vec<&'i DatabaseSnapshot>,
}

impl<'i> EnvironmentParts<'i> {
    /// The parts that an installation created, as their tags say.
    pub fn of(environment: &Environment, inventory: &'i Inventory, by: &InstallationId) -> Self {
        let text = |part| {
            let part = Part::Environment(environment.name.clone(), part);
            Purpose::of(&environment.network, part).to_string()
        };
        let (instance, database) = (text(EnvironmentPart::Instance), text(EnvironmentPart::Database));
        let is = |tags: &Tags, text: &String| made_by(tags, by) == Some(text.as_str());
        let mut instances = inventory.instances.values().filter(|it| it.is_there());
        let is_prod = environment.kind.prod().is_some();
        let (group, balancer) = (text(EnvironmentPart::ScalingGroup), text(EnvironmentPart::Balancer));
        let group = inventory.scaling_groups.values().find(|it| is(&it.tags, &group));
        let balancer = inventory.load_balancers.values().find(|it| is(&it.tags, &balancer));
        let members = group.filter(|_| is_prod).into_iter().flat_map(|it| &it.instances);
        let members = members.filter_map(|id| inventory.instances.get(id)).filter(|it| it.is_there());
        let mut databases = inventory.databases.values();
        let snapshots = inventory.database_snapshots.values();
        let mut snapshots: Vec<_> = snapshots.filter(|it| is(&it.tags, &database)).collect();
        snapshots.sort_by(|one, other| one.age().cmp(&other.age()));
        Self {
            instance: instances.find(|it| !is_prod && is(&it.tags, &instance)),
            members: members.collect(),
            group: group.filter(|_| is_prod),
            balancer: balancer.filter(|_| is_prod),
            database: databases.find(|it| it.name == environment.database() && is(&it.tags, &database)),
            snapshots,
        }
    }

    /// Whether nothing of it exists.
    pub fn is_empty(&self) -> bool {
        self.instance.is_none()
            && self.database.is_none()
            && self.snapshots.is_empty()
            && self.group.is_none()
            && self.balancer.is_none()
    }

    /// The snapshot that a database is restored from.
    pub fn newest_snapshot(&self) -> Option<&'i DatabaseSnapshot> {
        self.snapshots.iter().rev().find(|it| it.is_usable()).copied()
    }

    /// The state that they make together.
    pub fn state(&self) -> EnvironmentState {
        use EnvironmentState::*;
        if self.group.is_some() || self.balancer.is_some() {
            return self.state_of_prod();
        }
        let instance = self.instance.map(|it| it.state.as_str());
        let database = self.database.map(|it| (it.condition(), it.status.as_str()));
        let is_stopped = matches!(instance, None | Some("stopped"));
        match (instance, database) {
            (None, None) if self.snapshots.is_empty() => return NotCreated,
            (Some("running"), Some((Condition::Available, _))) => return Running,
            (_, Some((_, "stopped"))) if is_stopped => return Stopped,
            (_, None) if is_stopped => {
                if let Some(snapshot) = self.newest_snapshot() {
                    return StoppedAs(snapshot.name.clone());
                }
            }
            _ => {}
        }
        let stops = matches!(instance, Some("stopping"))
            || matches!(database, Some((Condition::Deleting, _) | (_, "stopping")));
        let may_stop = matches!(instance, None | Some("stopping" | "stopped"))
            && matches!(database, None | Some((Condition::Stopped | Condition::Deleting, _)));
        if stops && may_stop {
            return Stopping;
        }
        match (instance, database) {
            (Some("running"), Some((Condition::Busy, status))) if !is_starting(status) => Running,
            (Some("running"), Some((Condition::Busy, _)))
            | (Some("pending"), Some((Condition::Busy | Condition::Available, _))) => Starting,
            _ => {
                let database = match self.database {
                    Some(database) => Some(database.status.clone()),
                    None => self.newest_snapshot().map(|it| format!("stopped as the snapshot {}", it.name)),
                };
                Partly { instance: instance.map(str::to_owned), database }
            }
        }
    }

    /// The same where there are several instances behind a load balancer.
    fn state_of_prod(&self) -> EnvironmentState {
        let running = self.members.iter().filter(|it| it.state == "running").count();
        let wanted = self.group.map_or(0, |it| usize::try_from(it.desired).unwrap_or(usize::MAX));
        let balancer = self.balancer.map(|it| it.state.as_deref().unwrap_or("in an unknown state"));
        let database = self.database.map(|it| (it.condition(), it.status.as_str()));
        let is_whole = self.group.is_some_and(|it| !it.is_deleting) && running >= wanted && wanted > 0;
        let serves = matches!(database, Some((Condition::Available | Condition::Busy, status)) if !is_starting(status));
        if is_whole && serves && balancer == Some("active") {
            return EnvironmentState::Running;
        }
        let instances = match self.group {
            Some(_) => format!("{running} of {wanted} instances run"),
            None => "there is no Auto Scaling group".to_owned(),
        };
        let balancer = balancer.map_or("does not exist".to_owned(), |state| format!("is {state}"));
        let database = match (database, self.newest_snapshot()) {
            (Some((_, status)), _) => format!("is {status}"),
            (None, Some(snapshot)) => format!("is stopped as the snapshot {}", snapshot.name),
            (None, None) => "does not exist".to_owned(),
        };
        EnvironmentState::Incomplete(format!(
            "{instances}, the load balancer {balancer}, the database {database}"
        ))
    }

    /// Whether neither its instance nor its database runs, starts or stops.
    pub fn is_stopped(&self) -> bool {
        self.instance.is_none_or(|it| it.state == "stopped")
            && self.database.is_none_or(|it| it.status == "stopped")
    }

    /// Whether AWS started the database again, as it does after seven days, while the instance stayed stopped.
    pub fn is_restarted(&self) -> bool {
        let is_stopped = self.instance.is_some_and(|it| it.state == "stopped");
        is_stopped
            && self
                .database
                .is_some_and(|it| matches!(it.condition(), Condition::Available | Condition::Busy))
    }
}

/// Whether a database cannot be used yet in this status. In the others in which it changes it answers, with a pause at most.
fn is_starting(status: &str) -> bool {
    matches!(status, "starting" | "creating")
}

/// The state of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentState {
    /// Nothing of it exists.
    NotCreated,
    /// Instance and database run.
    Running,
    /// They start.
    Starting,
    /// They stop, or the database is being deleted with a final snapshot.
    Stopping,
    /// Instance and database are stopped.
    Stopped,
    /// The instance is stopped, and the database is this snapshot.
    StoppedAs(String),
    /// One of them is in another state than the other one.
    Partly {
        /// The state of the instance; none if there is none.
        instance: Option<String>,
        /// The status of the database; none if there is none.
        database: Option<String>,
    },
    /// Some of what stands behind a load balancer does not run, or the load balancer itself: in words.
    Incomplete(String),
}

impl EnvironmentState {
    /// In a word, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotCreated => "not-created",
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::StoppedAs(_) => "snapshot",
            Self::Partly { .. } | Self::Incomplete(_) => "partly",
        }
    }
}

/// As people read it, like `stopped as the snapshot doorward-dev-final-20261130-190000`.
impl fmt::Display for EnvironmentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCreated => f.write_str("not created"),
            Self::StoppedAs(snapshot) => write!(f, "stopped as the snapshot {snapshot}"),
            Self::Partly { instance, database } => {
                let is = |state: &Option<String>| match state {
                    Some(state) => format!("is {state}"),
                    None => "does not exist".to_owned(),
                };
                write!(f, "partly: the instance {}, the database {}", is(instance), is(database))
            }
            Self::Incomplete(what) => write!(f, "partly: {what}"),
            other => f.write_str(other.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::network::testing::{account, account_region};

    fn database(status: &str) -> Database {
        let mut database = account().databases.into_values().next().expect("a database");
        database.status = status.into();
        database
    }

    fn instance(state: &str) -> Instance {
        let mut instance = account().instances.remove("i-0a").expect("an instance");
        instance.state = state.into();
        instance
    }

    fn snapshot(status: &str) -> DatabaseSnapshot {
        DatabaseSnapshot {
            name: "last".into(),
            account_region: account_region(),
            database: "orders".into(),
            status: status.into(),
            created: None,
            storage: None,
            tags: Tags::new(),
        }
    }

    fn check(state: Option<&str>, status: Option<&str>, saved: Option<&str>, expected: &str) {
        let (instance, database) = (state.map(instance), status.map(database));
        let snapshot = saved.map(snapshot);
        let parts = EnvironmentParts {
            instance: instance.as_ref(),
            members: Vec::new(),
            group: None,
            balancer: None,
            database: database.as_ref(),
            snapshots: snapshot.iter().collect(),
        };
        assert_eq!(parts.state().to_string(), expected, "{state:?} {status:?} {saved:?}");
    }

    #[test]
    fn the_state_is_that_of_instance_and_database_together() {
        check(None, None, None, "not created");
        check(Some("running"), Some("available"), None, "running");
        check(Some("running"), Some("backing-up"), Some("available"), "running");
        check(Some("running"), Some("starting"), None, "starting");
        check(Some("pending"), Some("available"), None, "starting");
        check(Some("stopped"), Some("stopped"), Some("available"), "stopped");
        check(None, Some("stopped"), None, "stopped");
        check(Some("stopping"), Some("stopped"), None, "stopping");
        check(Some("stopped"), Some("stopping"), None, "stopping");
        check(Some("stopped"), Some("deleting"), Some("creating"), "stopping");
        check(Some("stopped"), None, Some("available"), "stopped as the snapshot last");
        check(None, None, Some("available"), "stopped as the snapshot last");
        check(
            Some("stopped"),
            Some("available"),
            None,
            "partly: the instance is stopped, the database is available",
        );
        check(
            Some("running"),
            Some("stopped"),
            None,
            "partly: the instance is running, the database is stopped",
        );
        check(
            Some("running"),
            None,
            Some("available"),
            "partly: the instance is running, the database is stopped as the snapshot last",
        );
        check(Some("running"), None, None, "partly: the instance is running, the database does not exist");
        check(
            Some("running"),
            Some("incompatible-network"),
            None,
            "partly: the instance is running, the database is incompatible-network",
        );
    }
}
