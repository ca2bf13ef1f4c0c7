//! What has a security group attached that can be exchanged.

use std::collections::BTreeSet;

use super::super::draft::purpose_of;
use crate::inventory::{
    AccountRegion, InstanceId, InterfaceId, Inventory, LoadBalancer, LoadBalancerKind, ResourceKind,
    ResourceRef, SecurityGroupId, SubnetId, Tags, VpcId,
};
use crate::mark::Mark;
use crate::name::{EnvironmentName, InstallationId};
use crate::topology::{Carrier, EnvironmentPart, Part};

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
    /// The load balancer of an environment, by its name. No role is on another one.
    Balancer(AccountRegion, String),
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
        let balancers = inventory.load_balancers.values();
        let balancers = balancers.filter(|it| is_in(&it.vpc) && it.tags.contains_key(Mark::TAG));
        all.extend(balancers.map(|it| Self::Balancer(it.account_region.clone(), it.name.clone())));
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
            Self::Balancer(account_region, name) => {
                let mut all = inventory.load_balancers.values();
                &all.find(|it| is_balancer(it, account_region, name))?.groups
            }
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
            Self::Balancer(account_region, name) => {
                let mut all = inventory.load_balancers.values_mut();
                &mut all.find(|it| is_balancer(it, account_region, name))?.groups
            }
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
            Self::Balancer(account_region, name) => {
                ResourceRef::named(ResourceKind::LoadBalancer, name, account_region)
            }
        }
    }

    /// Which part of which environment it is, if `by` made it for one.
    pub(in super::super) fn environment_part(
        &self,
        inventory: &Inventory,
        by: &InstallationId,
    ) -> Option<(EnvironmentName, EnvironmentPart)> {
        let tags = match self {
            Self::Interface(id) => &inventory.instances.get(of_instance(inventory, id)?)?.tags,
            Self::Database(account_region, name) => {
                &inventory.databases.get(&(account_region.clone(), name.clone()))?.tags
            }
            Self::Balancer(account_region, name) => {
                let mut all = inventory.load_balancers.values();
                &all.find(|it| is_balancer(it, account_region, name))?.tags
            }
            _ => return None,
        };
        match purpose_of(tags, by)?.part {
            Part::Environment(name, part) => Some((name, part)),
            _ => None,
        }
    }

    /// Whether a policy means it by that; `by` made the parts of environments.
    pub(super) fn is(&self, carrier: &Carrier, inventory: &Inventory, by: &InstallationId) -> bool {
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

/// A classic load balancer may have the name of another one.
fn is_balancer(balancer: &LoadBalancer, account_region: &AccountRegion, name: &str) -> bool {
    balancer.kind == LoadBalancerKind::Application
        && balancer.name == name
        && balancer.account_region == *account_region
}
