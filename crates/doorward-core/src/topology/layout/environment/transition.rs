//! An environment that is started or stopped: the state of its instance and of its database, and nothing else of its network.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::super::draft::{Draft, purpose_of};
use super::super::subnets::Subnets;
use super::super::{Lost, Note, Obstacle, elsewhere, holder, vpc};
use super::instance::{self, in_state};
use super::{Home, gone, new_database, prod, purpose, running};
use crate::inventory::{
    Condition, Database, DatabaseSnapshot, Instance, SecurityGroup, SecurityGroupId, SubnetGroup, made_by,
};
use crate::name::RoleName;
use crate::topology::{
    Carrier, Environment, EnvironmentPart, EnvironmentParts, Kind, Network, Part, Purpose, Topology,
    Transition,
};

/// Starts or stops an environment.
pub(in crate::topology::layout) fn change(
    draft: &mut Draft<'_>,
    topology: &Topology,
    environment: &Environment,
    transition: Transition,
) {
    if environment.kind.prod().is_some() && transition != Transition::Start {
        draft.obstacle(Obstacle::NotStopped { environment: environment.name.clone() });
        return;
    }
    let parts = EnvironmentParts::of(environment, draft.actual, &draft.site.by);
    if parts.is_empty() {
        let (environment, network) = (environment.name.clone(), environment.network.clone());
        draft.obstacle(Obstacle::NotCreated { environment, network });
        return;
    }
    match transition {
        Transition::Start => start(draft, topology, environment, &parts),
        Transition::Pause => {
            stop_instance(draft, &parts);
            if let Some(database) = parts.database {
                pause(draft, environment, database);
            }
        }
        Transition::Snapshot => {
            stop_instance(draft, &parts);
            save(draft, environment, &parts);
            prune(draft, environment);
        }
    }
}

fn start(
    draft: &mut Draft<'_>,
    topology: &Topology,
    environment: &Environment,
    parts: &EnvironmentParts<'_>,
) {
    let Some(network) = topology.networks.get(&environment.network) else { return };
    let chosen = vpc::choose(draft, network);
    let Some(vpc) = chosen.filter(|vpc| elsewhere::check(draft, network, vpc)) else { return };
    if !draft.actual.vpcs.contains_key(&vpc) {
        unapplied(draft, environment, "the VPC".to_owned());
        return;
    }
    let subnets = subnets(draft, network);
    let groups = groups(draft, topology, environment);
    let home = Home { topology, network, vpc: &vpc, subnets: &subnets, groups: &groups };
    start_database(draft, &home, environment, parts);
    match (&environment.kind, parts.instance) {
        (Kind::Prod(of_kind), _) => prod::lay_out(draft, &home, environment, of_kind, false),
        (Kind::Dev, Some(instance)) => {
            in_state(draft, instance, "running");
            instance::existing(draft, environment, instance);
        }
        (Kind::Dev, None) => instance::create(draft, &home, environment),
    }
    holder::attach_to(draft, topology, network, (&vpc, &groups), &environment.name);
}

/// Something that the environment needs is declared, and does not exist yet.
fn unapplied(draft: &mut Draft<'_>, environment: &Environment, what: String) {
    let (environment, network) = (environment.name.clone(), environment.network.clone());
    draft.obstacle(Obstacle::Unapplied { environment, network, what });
}

/// The subnets of a network that exist.
fn subnets(draft: &Draft<'_>, network: &Network) -> Subnets {
    let all = draft.actual.subnets.values().filter_map(|subnet| {
        let purpose = purpose_of(&subnet.tags, &draft.site.by).filter(|it| it.network == network.name)?;
        match purpose.part {
            Part::Subnet(kind, zone) => Some(((kind, zone), subnet.id.clone())),
            _ => None,
        }
    });
    all.collect()
}

/// The security groups of the roles that exist. Those that are on the environment have to.
fn groups(
    draft: &mut Draft<'_>,
    topology: &Topology,
    environment: &Environment,
) -> BTreeMap<RoleName, SecurityGroupId> {
    let mut groups = BTreeMap::new();
    for role in topology.roles_in(&environment.network) {
        let purpose = Purpose::of(&environment.network, Part::Role(role.name.clone()));
        let group = match &role.group {
            Some(id) => draft.actual.groups.get(id),
            None => draft.existing::<SecurityGroup>(&purpose),
        };
        let is_on_it =
            |it: &Carrier| matches!(it, Carrier::Environment(name, _) if *name == environment.name);
        match group {
            Some(group) => drop(groups.insert(role.name.clone(), group.id.clone())),
            None if role.on.iter().any(is_on_it) => {
                unapplied(draft, environment, format!("the security group of [role.{}]", role.name));
            }
            None => {}
        }
    }
    groups
}

fn start_database(
    draft: &mut Draft<'_>,
    home: &Home<'_>,
    environment: &Environment,
    parts: &EnvironmentParts<'_>,
) {
    let (name, network) = (environment.name.clone(), environment.network.clone());
    match parts.database {
        Some(database) => match database.condition() {
            Condition::Deleting => restored(draft, home, environment, parts),
            Condition::Failed => {
                let (resource, state) = (database.resource(), database.status.clone());
                draft.note(Note::Broken { environment: name, resource, state });
            }
            Condition::Available | Condition::Busy | Condition::Stopped => {
                running(draft, environment, database);
            }
        },
        None if is_taken(draft, environment) => {
            let account_region = draft.site.account_region.clone();
            let database = environment.database();
            draft.obstacle(Obstacle::DatabaseTaken { environment: name, database, account_region });
        }
        None if parts.newest_snapshot().is_some() => restored(draft, home, environment, parts),
        None => draft.obstacle(Obstacle::NoData { environment: name, network }),
    }
}

/// Whether a database of somebody else has the identifier.
fn is_taken(draft: &Draft<'_>, environment: &Environment) -> bool {
    let key = (draft.site.account_region.clone(), environment.database());
    draft.actual.databases.contains_key(&key)
}

/// A database that is restored from the newest snapshot: with the declared settings, but with the engine version and at least
/// the storage of the snapshot.
fn restored(draft: &mut Draft<'_>, home: &Home<'_>, environment: &Environment, parts: &EnvironmentParts<'_>) {
    let group = SubnetGroup::owned_name(&draft.site.by, &home.network.name);
    let group = (draft.site.account_region.clone(), group);
    if !draft.actual.database_subnet_groups.contains_key(&group) {
        unapplied(draft, environment, "the DB subnet group".to_owned());
        return;
    }
    let Some(snapshot) = parts.newest_snapshot() else {
        let (environment, network) = (environment.name.clone(), environment.network.clone());
        draft.obstacle(Obstacle::NoData { environment, network });
        return;
    };
    let Some(mut database) = new_database(draft, home, environment) else { return };
    database.settings.version = None;
    database.settings.storage = database.settings.storage.max(snapshot.storage);
    let key = (database.account_region.clone(), database.name.clone());
    draft.wanted.databases.insert(key, database);
    gone::completed(draft, &purpose(environment, EnvironmentPart::Database));
}

fn stop_instance(draft: &mut Draft<'_>, parts: &EnvironmentParts<'_>) {
    let Some(instance) = parts.instance else { return };
    in_state(draft, instance, "stopped");
    if matches!(instance.state.as_str(), "running" | "pending") {
        lost_by(draft, instance);
    }
}

/// What an instance loses that is stopped. It keeps its volumes, its private addresses and its elastic addresses (EC2 user
/// guide, "Stop and start Amazon EC2 instances").
fn lost_by(draft: &mut Draft<'_>, instance: &Instance) {
    draft.lose(Lost::Memory(instance.id.clone()));
    let addresses = instance
        .interfaces
        .iter()
        .filter_map(|id| draft.actual.interfaces.get(id))
        .flat_map(|it| it.addresses.iter().filter_map(|address| address.public));
    let is_elastic = |address: &std::net::Ipv4Addr| draft.actual.elastic_addresses.contains_key(address);
    let addresses: Vec<_> = addresses.filter(|it| !is_elastic(it)).collect();
    for address in addresses {
        draft.lose(Lost::PublicAddress(instance.id.clone(), address));
    }
}

fn pause(draft: &mut Draft<'_>, environment: &Environment, database: &Database) {
    if matches!(database.condition(), Condition::Deleting | Condition::Failed) {
        let (resource, state) = (database.resource(), database.status.clone());
        draft.note(Note::Broken { environment: environment.name.clone(), resource, state });
        return;
    }
    let key = (database.account_region.clone(), database.name.clone());
    if let Some(wanted) = draft.wanted.databases.get_mut(&key) {
        wanted.status = "stopped".into();
    }
}

/// Deletes the database, which leaves a final snapshot. RDS takes none of a database that failed (RDS API reference,
/// `DeleteDBInstance`).
fn save(draft: &mut Draft<'_>, environment: &Environment, parts: &EnvironmentParts<'_>) {
    let purpose = purpose(environment, EnvironmentPart::Database);
    let Some(database) = parts.database else {
        gone::completed(draft, &purpose);
        return;
    };
    if database.condition() == Condition::Failed {
        let (resource, state) = (database.resource(), database.status.clone());
        draft.note(Note::Broken { environment: environment.name.clone(), resource, state });
        return;
    }
    gone::snapshotted(draft, database, &purpose);
    if database.condition() == Condition::Deleting {
        return;
    }
    let name = database.name.clone();
    if let Some(days) = database.settings.backup_days.filter(|days| *days > 0) {
        draft.lose(Lost::Backups(name.clone(), days));
    }
    if database.settings.has_secret {
        draft.lose(Lost::Secret(name.clone()));
    }
    draft.lose(Lost::ResourceId(name.clone()));
    draft.lose(Lost::Addresses(name));
}

/// Deletes the oldest final snapshots, so that as many as declared are left. Those with other names are somebody else's.
fn prune(draft: &mut Draft<'_>, environment: &Environment) {
    let text = purpose(environment, EnvironmentPart::Database).to_string();
    let is_counted = |it: &&DatabaseSnapshot| {
        let is_new = it.name == DatabaseSnapshot::planned(&text);
        made_by(&it.tags, &draft.site.by) == Some(text.as_str())
            && it.is_usable()
            && (is_new || it.is_final())
    };
    let mut all: Vec<&DatabaseSnapshot> =
        draft.wanted.database_snapshots.values().filter(is_counted).collect();
    all.sort_by(|one, other| one.age().cmp(&other.age()));
    let too_many =
        all.len().saturating_sub(usize::try_from(environment.snapshots.max(1)).unwrap_or(usize::MAX));
    let old: Vec<_> =
        all.into_iter().take(too_many).map(|it| (it.account_region.clone(), it.name.clone())).collect();
    for key in old {
        draft.wanted.database_snapshots.remove(&key);
    }
}
