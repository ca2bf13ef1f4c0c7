//! The instance and the database of an environment. What holds data is created and changed here, and never deleted.

mod gone;
#[cfg(test)]
mod tests;
mod transition;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::draft::{Draft, purpose_of};
use super::holder::groups_of_part;
use super::subnets::Subnets;
use super::{Note, Obstacle};
use crate::inventory::{
    Call, Condition, Database, DatabaseSettings, Image, Instance, InstanceId, Interface, InterfaceAddress,
    InterfaceId, Inventory, PlannedId, ResourceRef, SecurityGroupId, SubnetGroup, SubnetId, Tags, VpcId,
    made_by,
};
use crate::name::{EnvironmentName, NetworkName, RoleName};
use crate::net::Cidr;
use crate::topology::{
    Environment, EnvironmentPart, EnvironmentParts, Network, Part, Purpose, SubnetKind, Topology,
};

pub(super) use gone::destroy;
pub(crate) use gone::{forget_database, forget_instance};
pub(super) use transition::change;

/// The calls without whose answers a part of an environment would be created again.
pub(super) const NEEDED: [Call; 3] = [Call::Instances, Call::Databases, Call::DatabaseSnapshots];

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
        instance(draft, &home, environment, is_stopped);
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

/// The instance of an environment: the one that exists, or a new one.
fn instance(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment, is_stopped: bool) {
    let Some(instance) = EnvironmentParts::of(environment, draft.actual, &draft.site.by).instance else {
        if !is_stopped {
            new_instance(draft, home, environment);
        }
        return;
    };
    if matches!(instance.state.as_str(), "running" | "pending") {
        in_state(draft, instance, "running");
    } else {
        let part = EnvironmentPart::Instance;
        draft.note(Note::Stopped { environment: environment.name.clone(), part, snapshot: None });
    }
    existing_instance(draft, environment, instance);
}

/// An instance that is to have a state.
fn in_state(draft: &mut Draft<'_>, instance: &Instance, state: &str) {
    if let Some(wanted) = draft.wanted.instances.get_mut(&instance.id) {
        wanted.state = state.into();
    }
}

/// An instance that exists is kept, although it may differ from its declaration.
fn existing_instance(draft: &mut Draft<'_>, environment: &Environment, instance: &Instance) {
    draft.keep(&instance.id);
    let name = environment.name.clone();
    let mut differ = |how: String| {
        draft.note(Note::Differs { environment: name.clone(), resource: (&instance.id).into(), how });
    };
    if let (Some(Image::Id(is)), Image::Id(should)) = (&instance.image, &environment.image)
        && is != should
    {
        differ(format!(
            "was launched from {is}, and {should} is declared; terminate it, and `doorward apply` launches another"
        ));
    }
    if let Some(is) = instance.size.filter(|is| *is != environment.instance) {
        differ(format!(
            "has the type {is}, and {} is declared; change it while it is stopped",
            environment.instance
        ));
    }
}

fn new_instance(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment) {
    let purpose = purpose(environment, EnvironmentPart::Instance);
    let private = home.subnets.iter().find(|((kind, _), _)| *kind == SubnetKind::Private);
    let Some(subnet) = private.map(|(_, subnet)| subnet.clone()) else {
        let (environment, network) = (environment.name.clone(), home.network.name.clone());
        draft.obstacle(Obstacle::FewSubnets { environment, network });
        return;
    };
    let Some(address) = free_address(&draft.wanted, &subnet) else {
        draft.obstacle(Obstacle::NoAddress { environment: environment.name.clone(), subnet });
        return;
    };
    let part = EnvironmentPart::Instance;
    let groups = groups_of_part(draft, home.topology, environment, part, home.vpc, home.groups);
    let id = InstanceId::planned(&purpose.to_string());
    draft.keep(&id);
    let tags = draft.tags(&purpose);
    let interface = Interface {
        id: InterfaceId::planned(&format!("{purpose}/interface")),
        vpc: home.vpc.clone(),
        subnet,
        groups,
        addresses: vec![InterfaceAddress { address: IpAddr::V4(address), public: None }],
        prefixes: BTreeSet::new(),
        source_dest_check: true,
        kind: "interface".into(),
        requester: None,
        description: String::new(),
        instance: Some(id.clone()),
        attached: true,
        tags: tags.clone(),
    };
    let image = match &environment.image {
        Image::Parameter(name) => match draft.site.images.get(name) {
            Some(id) => Image::Id(id.clone()),
            None => environment.image.clone(),
        },
        id @ Image::Id(_) => id.clone(),
    };
    let instance = Instance {
        id: id.clone(),
        account_region: draft.site.account_region.clone(),
        state: "running".into(),
        interfaces: [interface.id.clone()].into(),
        platform: None,
        image: Some(image),
        size: Some(environment.instance),
        profile: environment.profile.clone(),
        tags,
    };
    draft.wanted.interfaces.insert(interface.id.clone(), interface);
    draft.wanted.instances.insert(id, instance);
}

/// An address that nothing in a subnet has. EC2 chooses another, but one that is like it for routes, ACLs and groups. The
/// first four and the last one are AWS's (VPC user guide, "Subnet CIDR blocks").
fn free_address(inventory: &Inventory, subnet: &SubnetId) -> Option<Ipv4Addr> {
    let cidrs = &inventory.subnets.get(subnet)?.cidrs;
    let first = cidrs.iter().find_map(|cidr| match cidr.address() {
        IpAddr::V4(first) => Some((*cidr, u32::from(first))),
        IpAddr::V6(_) => None,
    });
    let (cidr, first): (Cidr, u32) = first?;
    let last = first | u32::MAX.checked_shr(cidr.bits().into()).unwrap_or_default();
    let there: Vec<&Interface> = inventory.interfaces.values().filter(|it| it.subnet == *subnet).collect();
    (first.checked_add(4)?..last)
        .map(Ipv4Addr::from)
        .find(|address| !there.iter().any(|it| it.has(IpAddr::V4(*address))))
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
    draft.actual.databases.values().for_each(|it| look(&it.tags, it.resource()));
    for (environment, resources) in there {
        draft.note(Note::UndeclaredEnvironment { environment, resources });
    }
}
