//! The instance and the database of an environment. What holds data is created and changed here, and never deleted.

mod gone;
mod instance;
mod prod;
#[cfg(test)]
mod tests;
mod transition;

use std::collections::BTreeMap;

use super::draft::{Draft, purpose_of};
use super::holder::groups_of_part;
use super::subnets::Subnets;
use super::{Note, Obstacle};
use crate::inventory::{
    Call, Condition, Database, DatabaseSettings, ResourceRef, SecurityGroupId, SubnetGroup, Tags, VpcId,
    made_by,
};
use crate::name::{EnvironmentName, NetworkName, RoleName};
use crate::topology::{
    Environment, EnvironmentPart, EnvironmentParts, Kind, Network, Part, Purpose, Topology,
};

pub(super) use gone::destroy;
pub(crate) use gone::{forget_balancer, forget_database, forget_instance};
pub(super) use transition::change;

/// The calls without whose answers a part of an environment would be created again.
pub(super) const NEEDED: [Call; 3] = [Call::Instances, Call::Databases, Call::DatabaseSnapshots];

/// The same for what only the kind `prod` has.
pub(super) const NEEDED_BY_PROD: [Call; 8] = [
    Call::LoadBalancers,
    Call::LoadBalancerTags,
    Call::Listeners,
    Call::ListenerRules,
    Call::TargetGroups,
    Call::LaunchTemplates,
    Call::LaunchTemplateVersions,
    Call::ScalingGroups,
];

/// Where an environment is.
struct Home<'l> {
    topology: &'l Topology,
    network: &'l Network,
    vpc: &'l VpcId,
    subnets: &'l Subnets,
    groups: &'l BTreeMap<RoleName, SecurityGroupId>,
}

/// The environments of a network.
pub(super) fn lay_out(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &Network,
    (vpc, subnets): (&VpcId, &Subnets),
    groups: &BTreeMap<RoleName, SecurityGroupId>,
) {
    let home = Home { topology, network, vpc, subnets, groups };
    for environment in topology.environments_in(&network.name) {
        // Where the database is stopped, nobody works, and no instance is needed.
        let is_stopped = database(draft, &home, environment);
        match &environment.kind {
            Kind::Dev => instance::lay_out(draft, &home, environment, is_stopped),
            Kind::Prod(of_kind) => prod::lay_out(draft, &home, environment, of_kind, is_stopped),
        }
    }
    undeclared(draft, topology, &network.name);
}

fn purpose(environment: &Environment, part: EnvironmentPart) -> Purpose {
    Purpose::of(&environment.network, Part::Environment(environment.name.clone(), part))
}

/// The database of an environment: the one that exists, or a new one. Whether it is stopped.
fn database(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment) -> bool {
    let purpose = purpose(environment, EnvironmentPart::Database);
    let account_region = draft.site.account_region.clone();
    let key = (account_region.clone(), environment.database());
    let name = &environment.name;
    if let Some(database) = draft.actual.databases.get(&key) {
        if made_by(&database.tags, &draft.site.by) != Some(purpose.to_string().as_str()) {
            let environment = name.clone();
            draft.obstacle(Obstacle::DatabaseTaken { environment, database: key.1, account_region });
            return false;
        }
        return existing(draft, environment, database);
    }
    let parts = EnvironmentParts::of(environment, draft.actual, &draft.site.by);
    if let Some(snapshot) = parts.newest_snapshot().or(parts.snapshots.last().copied()) {
        let (environment, part) = (name.clone(), EnvironmentPart::Database);
        draft.note(Note::Stopped { environment, part, snapshot: Some(snapshot.name.clone()) });
        return true;
    }
    if let Some(database) = new_database(draft, home, environment) {
        draft.wanted.databases.insert(key, database);
    }
    false
}

/// A database with the declared settings; none with an obstacle where its network has no DB subnet group.
fn new_database(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment) -> Option<Database> {
    let account_region = draft.site.account_region.clone();
    let group = SubnetGroup::owned_name(&draft.site.by, &home.network.name);
    let Some(group) = draft.wanted.database_subnet_groups.get(&(account_region.clone(), group)).cloned()
    else {
        let (environment, network) = (environment.name.clone(), home.network.name.clone());
        draft.obstacle(Obstacle::FewSubnets { environment, network });
        return None;
    };
    let part = EnvironmentPart::Database;
    let groups = groups_of_part(draft, home.topology, environment, part, home.vpc, home.groups);
    Some(Database {
        name: environment.database(),
        arn: None,
        account_region,
        engine: environment.engine.word().into(),
        status: "available".into(),
        vpc: Some(home.vpc.clone()),
        zone: None,
        subnets: group.subnets,
        groups,
        public: false,
        host: None,
        port: Some(environment.engine.port()),
        cluster: None,
        settings: environment.settings(&group.name),
        tags: draft.tags(&purpose(environment, part)),
    })
}

/// A database that exists keeps its data and its zone, and gets the declared settings. Whether it is stopped.
fn existing(draft: &mut Draft<'_>, environment: &Environment, database: &Database) -> bool {
    let name = environment.name.clone();
    match database.condition() {
        Condition::Stopped => {
            let part = EnvironmentPart::Database;
            draft.note(Note::Stopped { environment: name, part, snapshot: None });
            return true;
        }
        Condition::Failed | Condition::Deleting => {
            let (resource, state) = (database.resource(), database.status.clone());
            draft.note(Note::Broken { environment: name, resource, state });
            return true;
        }
        Condition::Busy | Condition::Available => {}
    }
    running(draft, environment, database);
    false
}

/// A database that runs with the declared settings, as soon as it is available.
fn running(draft: &mut Draft<'_>, environment: &Environment, database: &Database) {
    let name = environment.name.clone();
    let subnet_group = database.settings.subnet_group.clone().unwrap_or_default();
    let settings = brought_to(&database.settings, &environment.settings(&subnet_group));
    for how in differences(environment, database) {
        draft.note(Note::Differs { environment: name.clone(), resource: database.resource(), how });
    }
    let key = (database.account_region.clone(), database.name.clone());
    if let Some(wanted) = draft.wanted.databases.get_mut(&key) {
        if database.condition() != Condition::Available {
            wanted.status = "available".into();
        }
        wanted.settings = settings;
        if database.condition() == Condition::Stopped {
            wanted.settings.restarts = None;
        }
    }
}

/// The settings of a database after those that can be changed were. A change that waits for the maintenance window is
/// decided already, and what AWS did not tell is not changed.
fn brought_to(is: &DatabaseSettings, should: &DatabaseSettings) -> DatabaseSettings {
    let mut settings = is.clone();
    let is_open = |key: &str| !is.pending.contains(key);
    if is.iam == Some(false) && is_open("IAMDatabaseAuthenticationEnabled") {
        settings.iam = should.iam;
    }
    if is.class.is_some() && is_open("DBInstanceClass") {
        settings.class = should.class;
    }
    // RDS cannot take storage away (RDS user guide, "Increasing DB instance storage capacity").
    if is.storage.is_some() && is.storage < should.storage && is_open("AllocatedStorage") {
        settings.storage = should.storage;
    }
    if is.multi_az.is_some() && is_open("MultiAZ") {
        settings.multi_az = should.multi_az;
    }
    if is.backup_days.is_some() && is_open("BackupRetentionPeriod") {
        settings.backup_days = should.backup_days;
    }
    settings.has_secret |= should.has_secret;
    settings
}

/// In what a database differs from its declaration and stays so, and what changes later by itself.
fn differences(environment: &Environment, database: &Database) -> Vec<String> {
    let DatabaseSettings { version, storage, encrypted, pending, .. } = &database.settings;
    let mut differences = Vec::new();
    let (engine, declared) = (environment.engine.word(), &environment.version);
    if database.engine != engine {
        differences.push(format!("has the engine {}, and {engine} is declared", database.engine));
    } else if let Some(version) = version.as_deref().filter(|version| !environment.is_version(version)) {
        differences.push(format!(
            "has version {version}, and {declared} is declared; upgrade it manually, or declare its version"
        ));
    }
    if let Some(storage) = storage.filter(|storage| *storage > environment.storage) {
        let declared = environment.storage;
        differences.push(format!("has {storage} GiB, and {declared} are declared; RDS cannot take any away"));
    }
    if *encrypted == Some(false) {
        differences.push("is not encrypted, and that cannot be changed".into());
    }
    if !pending.is_empty() {
        let pending: Vec<&str> = pending.iter().map(String::as_str).collect();
        differences.push(format!("changes in its next maintenance window: {}", pending.join(", ")));
    }
    differences
}

/// Environments that are not declared any more stay, because they have data.
fn undeclared(draft: &mut Draft<'_>, topology: &Topology, network: &NetworkName) {
    let mut there: BTreeMap<EnvironmentName, Vec<ResourceRef>> = BTreeMap::new();
    let mut look = |tags: &Tags, resource: ResourceRef| {
        let Some(purpose) = purpose_of(tags, &draft.site.by).filter(|it| it.network == *network) else {
            return;
        };
        let Part::Environment(name, _) = purpose.part else { return };
        let declared = topology.environments.get(&name).is_some_and(|it| it.network == *network);
        if !declared {
            there.entry(name).or_default().push(resource);
        }
    };
    for instance in draft.actual.instances.values().filter(|it| it.is_there()) {
        look(&instance.tags, (&instance.id).into());
    }
    draft.actual.scaling_groups.values().for_each(|it| look(&it.tags, it.resource()));
    draft.actual.load_balancers.values().for_each(|it| look(&it.tags, it.resource()));
    draft.actual.databases.values().for_each(|it| look(&it.tags, it.resource()));
    for (environment, resources) in there {
        draft.note(Note::UndeclaredEnvironment { environment, resources });
    }
}
