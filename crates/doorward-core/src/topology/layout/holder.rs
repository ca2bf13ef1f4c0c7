//! What has a security group attached, and the roles that are attached to it and taken off again.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, purpose_of};
use super::vpc::default_group;
use super::{Note, fixed};
use crate::inventory::{
    AccountRegion, Call, InstanceId, InterfaceId, Inventory, ResourceKind, ResourceRef, SecurityGroupId,
    SubnetId, Tags, VpcId,
};
use crate::name::{EnvironmentName, InstallationId, RoleName};
use crate::topology::{Carrier, Environment, EnvironmentPart, Network, Part, Topology};

/// Something whose security groups can be set. What AWS attaches to the interfaces of a service follows its service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// An interface of an instance.
    Interface(InterfaceId),
    /// A DB instance.
    Database(AccountRegion, String),
    /// A DB cluster.
    Cluster(AccountRegion, String),
    /// An RDS Proxy.
    Proxy(AccountRegion, String),
    /// A cache cluster.
    Cache(AccountRegion, String),
    ServerlessCache(AccountRegion, String),
    Function(AccountRegion, String),
    /// A service of ECS, by its ARN.
    Service(String),
}

impl Holder {
    /// All in a VPC.
    pub fn all_in(inventory: &Inventory, vpc: &VpcId) -> BTreeSet<Self> {
        let is_in = |other: &Option<VpcId>| other.as_ref() == Some(vpc);
        let subnets = |subnets: &BTreeSet<SubnetId>| vpc_of(inventory, subnets).as_ref() == Some(vpc);
        let mut all = BTreeSet::new();
        let interfaces = inventory.interfaces.values();
        all.extend(
            interfaces
                .filter(|it| it.vpc == *vpc && it.instance.is_some())
                .map(|it| Self::Interface(it.id.clone())),
        );
        let databases = inventory.databases.iter().filter(|(_, it)| is_in(&it.vpc) && it.cluster.is_none());
        all.extend(
            databases.map(|((account_region, name), _)| Self::Database(account_region.clone(), name.clone())),
        );
        let clusters = inventory.database_clusters.iter().filter(|(_, it)| {
            let group = it.subnet_group.as_ref().map(|group| (it.account_region.clone(), group.clone()));
            let group = group.and_then(|group| inventory.database_subnet_groups.get(&group));
            group.is_some_and(|group| is_in(&group.vpc))
        });
        all.extend(
            clusters.map(|((account_region, name), _)| Self::Cluster(account_region.clone(), name.clone())),
        );
        let proxies = inventory.database_proxies.iter().filter(|(_, it)| is_in(&it.vpc));
        all.extend(
            proxies.map(|((account_region, name), _)| Self::Proxy(account_region.clone(), name.clone())),
        );
        let caches = inventory.caches.iter().filter(|(_, it)| {
            let group = it.subnet_group.as_ref().map(|group| (it.account_region.clone(), group.clone()));
            let group = group.and_then(|group| inventory.cache_subnet_groups.get(&group));
            group.is_some_and(|group| is_in(&group.vpc))
        });
        all.extend(
            caches.map(|((account_region, name), _)| Self::Cache(account_region.clone(), name.clone())),
        );
        let serverless = inventory.serverless_caches.iter().filter(|(_, it)| subnets(&it.subnets));
        all.extend(
            serverless.map(|((account_region, name), _)| {
                Self::ServerlessCache(account_region.clone(), name.clone())
            }),
        );
        let functions = inventory.functions.iter().filter(|(_, it)| is_in(&it.vpc));
        all.extend(
            functions.map(|((account_region, name), _)| Self::Function(account_region.clone(), name.clone())),
        );
        let services = inventory.container_services.values().filter(|it| subnets(&it.subnets));
        all.extend(services.map(|it| Self::Service(it.arn.clone())));
        all
    }

    /// The groups that it has attached; none if it does not exist.
    pub fn groups<'i>(&self, inventory: &'i Inventory) -> Option<&'i BTreeSet<SecurityGroupId>> {
        let key = |account_region: &AccountRegion, name: &String| (account_region.clone(), name.clone());
        Some(match self {
            Self::Interface(id) => &inventory.interfaces.get(id)?.groups,
            Self::Database(account_region, name) => {
                &inventory.databases.get(&key(account_region, name))?.groups
            }
            Self::Cluster(account_region, name) => {
                &inventory.database_clusters.get(&key(account_region, name))?.groups
            }
            Self::Proxy(account_region, name) => {
                &inventory.database_proxies.get(&key(account_region, name))?.groups
            }
            Self::Cache(account_region, name) => &inventory.caches.get(&key(account_region, name))?.groups,
            Self::ServerlessCache(account_region, name) => {
                &inventory.serverless_caches.get(&key(account_region, name))?.groups
            }
            Self::Function(account_region, name) => {
                &inventory.functions.get(&key(account_region, name))?.groups
            }
            Self::Service(arn) => &inventory.container_services.get(arn)?.groups,
        })
    }

    /// The same, to be changed.
    pub fn groups_mut<'i>(&self, inventory: &'i mut Inventory) -> Option<&'i mut BTreeSet<SecurityGroupId>> {
        let key = |account_region: &AccountRegion, name: &String| (account_region.clone(), name.clone());
        Some(match self {
            Self::Interface(id) => &mut inventory.interfaces.get_mut(id)?.groups,
            Self::Database(account_region, name) => {
                &mut inventory.databases.get_mut(&key(account_region, name))?.groups
            }
            Self::Cluster(account_region, name) => {
                &mut inventory.database_clusters.get_mut(&key(account_region, name))?.groups
            }
            Self::Proxy(account_region, name) => {
                &mut inventory.database_proxies.get_mut(&key(account_region, name))?.groups
            }
            Self::Cache(account_region, name) => {
                &mut inventory.caches.get_mut(&key(account_region, name))?.groups
            }
            Self::ServerlessCache(account_region, name) => {
                &mut inventory.serverless_caches.get_mut(&key(account_region, name))?.groups
            }
            Self::Function(account_region, name) => {
                &mut inventory.functions.get_mut(&key(account_region, name))?.groups
            }
            Self::Service(arn) => &mut inventory.container_services.get_mut(arn)?.groups,
        })
    }

    /// A reference to it.
    pub fn resource(&self) -> ResourceRef {
        match self {
            Self::Interface(id) => id.into(),
            Self::Database(account_region, name) => {
                ResourceRef::named(ResourceKind::Database, name, account_region)
            }
            Self::Cluster(account_region, name) => {
                ResourceRef::named(ResourceKind::DatabaseCluster, name, account_region)
            }
            Self::Proxy(account_region, name) => {
                ResourceRef::named(ResourceKind::DatabaseProxy, name, account_region)
            }
            Self::Cache(account_region, name) => {
                ResourceRef::named(ResourceKind::Cache, name, account_region)
            }
            Self::ServerlessCache(account_region, name) => {
                ResourceRef::named(ResourceKind::ServerlessCache, name, account_region)
            }
            Self::Function(account_region, name) => {
                ResourceRef::named(ResourceKind::Function, name, account_region)
            }
            Self::Service(arn) => ResourceRef::of(ResourceKind::ContainerService, arn),
        }
    }

    /// Which part of which environment it is, if `by` made it for one.
    pub(super) fn environment_part(
        &self,
        inventory: &Inventory,
        by: &InstallationId,
    ) -> Option<(EnvironmentName, EnvironmentPart)> {
        let tags = match self {
            Self::Interface(id) => &inventory.instances.get(of_instance(inventory, id)?)?.tags,
            Self::Database(account_region, name) => {
                &inventory.databases.get(&(account_region.clone(), name.clone()))?.tags
            }
            _ => return None,
        };
        match purpose_of(tags, by)?.part {
            Part::Environment(name, part) => Some((name, part)),
            _ => None,
        }
    }

    /// Whether a policy means it by that; `by` made the parts of environments.
    fn is(&self, carrier: &Carrier, inventory: &Inventory, by: &InstallationId) -> bool {
        let tagged = |tags: &Tags, key: &String, value: &String| tags.get(key) == Some(value);
        match (self, carrier) {
            (Self::Interface(id), Carrier::Instance(instance)) => {
                of_instance(inventory, id) == Some(instance)
            }
            (Self::Interface(id), Carrier::Tag(key, value)) => {
                let instance = of_instance(inventory, id).and_then(|id| inventory.instances.get(id));
                instance.is_some_and(|instance| tagged(&instance.tags, key, value))
            }
            (Self::Database(account_region, name), Carrier::Tag(key, value)) => {
                let database = inventory.databases.get(&(account_region.clone(), name.clone()));
                database.is_some_and(|database| tagged(&database.tags, key, value))
            }
            (Self::Cluster(account_region, name), Carrier::Tag(key, value)) => {
                let cluster = inventory.database_clusters.get(&(account_region.clone(), name.clone()));
                cluster.is_some_and(|cluster| tagged(&cluster.tags, key, value))
            }
            (Self::Database(_, name) | Self::Cluster(_, name), Carrier::Database(meant))
            | (Self::Proxy(_, name), Carrier::Proxy(meant))
            | (Self::ServerlessCache(_, name), Carrier::Cache(meant))
            | (Self::Function(_, name), Carrier::Function(meant)) => name == meant,
            (Self::Cache(account_region, name), Carrier::Cache(meant)) => {
                let cache = inventory.caches.get(&(account_region.clone(), name.clone()));
                let group = cache.and_then(|cache| cache.replication_group.as_ref());
                name == meant || group == Some(meant)
            }
            (_, Carrier::Environment(name, part)) => {
                self.environment_part(inventory, by).is_some_and(|(of, is)| of == *name && is == *part)
            }
            (Self::Service(arn), Carrier::Service { cluster, name }) => {
                inventory.container_services.get(arn).is_some_and(|service| {
                    service.name == *name
                        && cluster.as_deref().is_none_or(|cluster| service.cluster_name() == Some(cluster))
                })
            }
            _ => false,
        }
    }
}

fn of_instance<'i>(inventory: &'i Inventory, interface: &InterfaceId) -> Option<&'i InstanceId> {
    inventory.interfaces.get(interface)?.instance.as_ref()
}

fn vpc_of(inventory: &Inventory, subnets: &BTreeSet<SubnetId>) -> Option<VpcId> {
    let subnet = subnets.iter().find_map(|subnet| inventory.subnets.get(subnet))?;
    Some(subnet.vpc.clone())
}

/// The calls that tell what a carrier is.
fn told_by(carrier: &Carrier) -> &'static [Call] {
    match carrier {
        Carrier::Instance(_) => &[Call::Instances],
        Carrier::Tag(..) => &[Call::Instances, Call::Databases, Call::DatabaseClusters],
        Carrier::Database(_) => &[Call::Databases, Call::DatabaseClusters],
        Carrier::Proxy(_) => &[Call::DatabaseProxies],
        Carrier::Cache(_) => &[Call::Caches, Call::ServerlessCaches],
        Carrier::Service { .. } => &[Call::ContainerServices],
        Carrier::Function(_) => &[Call::Functions],
        Carrier::Environment(_, EnvironmentPart::Instance) => &[Call::Instances],
        Carrier::Environment(_, EnvironmentPart::Database) => &[Call::Databases],
    }
}

/// Attaches each role where it is declared, and takes it off everything else in the VPC.
pub(super) fn attach(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &Network,
    vpc: &VpcId,
    groups: &BTreeMap<RoleName, SecurityGroupId>,
) {
    let holders = Holder::all_in(draft.actual, vpc);
    for role in topology.roles_in(&network.name).filter(|role| groups.contains_key(&role.name)) {
        for carrier in role.on.iter().filter(|carrier| !is_environment(carrier)) {
            if !holders.iter().any(|holder| holder.is(carrier, draft.actual, &draft.site.by)) {
                missing(draft, role, carrier, vpc);
            }
        }
    }
    set_all(draft, topology, network, (vpc, groups), &holders);
}

/// The same for the parts of an environment alone.
pub(super) fn attach_to(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &Network,
    (vpc, groups): (&VpcId, &BTreeMap<RoleName, SecurityGroupId>),
    environment: &EnvironmentName,
) {
    let mut holders = Holder::all_in(draft.actual, vpc);
    holders.retain(|holder| {
        let part = holder.environment_part(draft.actual, &draft.site.by);
        part.is_some_and(|(name, _)| name == *environment)
    });
    set_all(draft, topology, network, (vpc, groups), &holders);
}

/// Gives each holder the groups of the roles that are on it, and of no others.
fn set_all(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &Network,
    (vpc, groups): (&VpcId, &BTreeMap<RoleName, SecurityGroupId>),
    holders: &BTreeSet<Holder>,
) {
    let mut wanted: BTreeMap<&Holder, BTreeSet<SecurityGroupId>> = BTreeMap::new();
    for role in topology.roles_in(&network.name) {
        let Some(group) = groups.get(&role.name) else { continue };
        for carrier in &role.on {
            for holder in holders.iter().filter(|holder| holder.is(carrier, draft.actual, &draft.site.by)) {
                wanted.entry(holder).or_default().insert(group.clone());
            }
        }
    }
    let ours = role_groups(draft, network);
    let default = default_group(&draft.wanted, vpc).map(|group| group.id.clone());
    for holder in holders {
        let add = wanted.get(holder).cloned().unwrap_or_default();
        // What we create has the default group only as long as it has no other.
        let is_ours = holder.environment_part(draft.actual, &draft.site.by).is_some();
        let spare = default.iter().filter(|_| is_ours && !add.is_empty());
        let ours = ours.iter().chain(spare).cloned().collect();
        // A database that is to be started is not fixed any more.
        match holder.fixed(&draft.wanted) {
            Some(fixed) => fixed::leave(draft, holder, fixed, &ours, &add, groups),
            None => set(draft, vpc, holder, &ours, add),
        }
    }
}

fn is_environment(carrier: &Carrier) -> bool {
    matches!(carrier, Carrier::Environment(..))
}

/// The groups of the roles that are on a part of an environment; the default one where there is none.
pub(super) fn groups_of_part(
    draft: &Draft<'_>,
    topology: &Topology,
    environment: &Environment,
    part: EnvironmentPart,
    vpc: &VpcId,
    groups: &BTreeMap<RoleName, SecurityGroupId>,
) -> BTreeSet<SecurityGroupId> {
    let carrier = Carrier::Environment(environment.name.clone(), part);
    let roles = topology.roles_in(&environment.network).filter(|role| role.on.contains(&carrier));
    let of_roles: BTreeSet<SecurityGroupId> =
        roles.filter_map(|role| groups.get(&role.name).cloned()).collect();
    if !of_roles.is_empty() {
        return of_roles;
    }
    default_group(&draft.wanted, vpc).map(|group| group.id.clone()).into_iter().collect()
}

/// The groups of all roles of a network that stand, declared or not.
pub(super) fn role_groups(draft: &Draft<'_>, network: &Network) -> BTreeSet<SecurityGroupId> {
    groups_of(draft, &network.name)
}

/// The groups of all roles of a network by its name.
pub(super) fn groups_of(draft: &Draft<'_>, network: &crate::name::NetworkName) -> BTreeSet<SecurityGroupId> {
    let of = |tags: &Tags| {
        purpose_of(tags, &draft.site.by)
            .is_some_and(|purpose| purpose.network == *network && matches!(purpose.part, Part::Role(_)))
    };
    draft.actual.groups.values().filter(|group| of(&group.tags)).map(|group| group.id.clone()).collect()
}

/// Gives a holder these groups instead of those among `ours`; those of others stay.
pub(super) fn set(
    draft: &mut Draft<'_>,
    vpc: &VpcId,
    holder: &Holder,
    ours: &BTreeSet<SecurityGroupId>,
    add: BTreeSet<SecurityGroupId>,
) {
    let Some(before) = holder.groups(draft.actual) else { return };
    let mut after: BTreeSet<SecurityGroupId> = before.difference(ours).cloned().chain(add).collect();
    if after.is_empty() && !before.is_empty() {
        // An interface has at least one group (EC2 API reference, `ModifyNetworkInterfaceAttribute`).
        match default_group(&draft.wanted, vpc) {
            Some(default) => drop(after.insert(default.id.clone())),
            None => {
                draft.note(Note::LastGroup { resource: holder.resource() });
                return;
            }
        }
    }
    if let Some(groups) = holder.groups_mut(&mut draft.wanted) {
        *groups = after;
    }
}

fn missing(draft: &mut Draft<'_>, role: &crate::topology::Role, carrier: &Carrier, vpc: &VpcId) {
    let (name, carrier) = (role.name.clone(), carrier.clone());
    let others = draft.actual.vpcs.keys().filter(|other| *other != vpc);
    let elsewhere = others
        .flat_map(|other| Holder::all_in(draft.actual, other))
        .find(|holder| holder.is(&carrier, draft.actual, &draft.site.by));
    if let Some(holder) = elsewhere {
        draft.note(Note::OtherVpc { role: name, resource: holder.resource(), vpc: vpc.clone() });
        return;
    }
    let gap = told_by(&carrier).iter().find_map(|call| draft.actual.gap(*call, &draft.site.account_region));
    draft.note(match gap {
        Some(gap) => Note::UnreadCarrier { role: name, carrier, gap: gap.clone() },
        None => Note::NoCarrier { role: name, carrier },
    });
}
