//! Which resource each interface belongs to, and where services live whose interfaces were not recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::inventory::{
    ContainerService, InterfaceId, Inventory, LoadBalancerKind, NamedResource, SecurityGroupId, SubnetId,
    Tags, TaskNetwork,
};
use crate::net::{Cidr, Family, ranges};
use crate::reach::network::Network;
use crate::reach::network::interfaces::{InterfaceKind, InterfaceNode, NodeAddress, settled};
use crate::reach::network::table::{ClassIx, Index as _, InterfaceIx, SubnetIx};

/// Hosts for a service whose interfaces were not seen: one in each subnet that it may be in, at a free address.
pub(crate) fn assumed(
    network: &mut Network,
    inventory: &Inventory,
    owner: &NamedResource,
    placement: &Placement<'_>,
) {
    let set = network.set(placement.groups, inventory);
    for id in &placement.subnets {
        let Some(&subnet) = network.subnet_of.get(id) else { continue };
        let node = network.subnets.at(subnet);
        let vpc = node.vpc;
        let free = |cidr: &Cidr| {
            let (from, to) = ranges::bounds(*cidr);
            // The first four addresses and the last are AWS's own.
            let mut candidates = (from.saturating_add(4)..to).map(|at| ranges::address(cidr.family(), at));
            candidates.find(|address| network.vpcs.at(vpc).interface_at(*address).is_none())
        };
        let own = node.cidrs.iter().find(|cidr| cidr.family() == Family::V4).and_then(free);
        let own = own.or_else(|| node.cidrs.iter().find_map(free));
        let Some(address) = own else { continue };
        let kind = if placement.open { InterfaceKind::Open } else { InterfaceKind::Ordinary };
        let host = InterfaceNode {
            resource: owner.resource.clone(),
            id: None,
            owner: Some(owner.clone()),
            name: owner.name.clone(),
            vpc,
            subnet,
            set,
            addresses: vec![NodeAddress { address, public: placement.public, public_address: None }],
            kind,
            source_dest_check: true,
            balancer: placement.balancer.map(str::to_owned),
            class: ClassIx::new(0),
        };
        let index = settled(network, host);
        network.members.entry(owner.resource.clone()).or_default().push(index);
    }
}

fn name(tags: &Tags) -> Option<String> {
    tags.get("Name").filter(|name| !name.is_empty()).cloned()
}

/// What interfaces belong to by their ids.
pub(crate) fn owners(inventory: &Inventory) -> BTreeMap<InterfaceId, NamedResource> {
    let mut owners = BTreeMap::new();
    let instances = inventory.instances.values().map(|instance| {
        let owner = NamedResource { resource: (&instance.id).into(), name: name(&instance.tags) };
        (owner, instance.interfaces.iter().cloned().collect::<Vec<_>>())
    });
    let gateways = inventory.nat_gateways.values().map(|gateway| {
        let owner = NamedResource { resource: (&gateway.id).into(), name: name(&gateway.tags) };
        (owner, gateway.interface.iter().cloned().collect())
    });
    let endpoints = inventory.endpoints.values().map(|endpoint| {
        let owner = NamedResource { resource: (&endpoint.id).into(), name: name(&endpoint.tags) };
        (owner, endpoint.interfaces.iter().cloned().collect())
    });
    let mut service_of: BTreeMap<(&str, Option<&String>), &ContainerService> = BTreeMap::new();
    for service in inventory.container_services.values() {
        service_of.entry((&service.name, service.cluster.as_ref())).or_insert(service);
    }
    let tasks = inventory.container_tasks.values().map(|task| {
        let service = task.group.as_deref().and_then(|group| group.strip_prefix("service:"));
        let service = service.and_then(|name| service_of.get(&(name, task.cluster.as_ref())));
        let owner = match service {
            Some(service) => NamedResource { resource: service.resource(), name: None },
            None => NamedResource { resource: task.resource(), name: task.group.clone() },
        };
        (owner, task.interfaces.iter().cloned().collect())
    });
    for (owner, interfaces) in instances.chain(gateways).chain(endpoints).chain(tasks) {
        owners.extend(interfaces.into_iter().map(|interface| (interface, owner.clone())));
    }
    let by_interface = inventory.interfaces.values().filter_map(|interface| {
        let id = interface.instance.as_ref()?;
        let named = inventory.instances.get(id).and_then(|instance| name(&instance.tags));
        Some((interface.id.clone(), NamedResource { resource: id.into(), name: named }))
    });
    for (interface, owner) in by_interface {
        owners.entry(interface).or_insert(owner);
    }
    owners
}

/// Where a service placement, and how its interfaces are known.
pub(crate) struct Placement<'a> {
    subnets: Vec<SubnetId>,
    groups: &'a BTreeSet<SecurityGroupId>,
    pub(crate) public: bool,
    open: bool,
    evidence: Evidence,
    /// The key of a load balancer in the inventory.
    pub(crate) balancer: Option<&'a str>,
}

/// How an interface tells whose it is (`RequesterId`, `Description`, `InterfaceType`).
enum Evidence {
    /// By its description.
    Exactly(String),
    /// By the service that made it, its groups and its subnet.
    Made { by: &'static str, but_not: Option<&'static str> },
    /// By its description, which begins so, its groups and its subnet.
    Begins(&'static str),
    /// By its being a VPC endpoint's, its groups and its subnet.
    Endpoint,
    /// Only by tasks, which name their interfaces.
    Task,
}

impl<'a> Placement<'a> {
    /// Without a public address.
    fn private(subnets: Vec<SubnetId>, groups: &'a BTreeSet<SecurityGroupId>, evidence: Evidence) -> Self {
        Self { subnets, groups, public: false, open: false, evidence, balancer: None }
    }
}

/// Interfaces by what services tell of theirs, each in the order of their indices.
pub(crate) struct Candidates<'a> {
    by_description: HashMap<&'a str, Vec<InterfaceIx>>,
    by_subnet: HashMap<SubnetIx, Vec<InterfaceIx>>,
}

impl<'a> Candidates<'a> {
    /// Of all interfaces that were recorded.
    pub(crate) fn of(network: &Network, inventory: &'a Inventory) -> Self {
        let mut candidates = Self { by_description: HashMap::new(), by_subnet: HashMap::new() };
        for (index, node) in network.interfaces.enumerate() {
            candidates.by_subnet.entry(node.subnet).or_default().push(index);
            if let Some(interface) = node.id.as_ref().and_then(|id| inventory.interfaces.get(id)) {
                candidates.by_description.entry(&interface.description).or_default().push(index);
            }
        }
        candidates
    }
}

impl Placement<'_> {
    /// The interfaces that may be of it.
    pub(crate) fn candidates(&self, network: &Network, all: &Candidates<'_>) -> Vec<InterfaceIx> {
        match &self.evidence {
            Evidence::Exactly(description) => {
                all.by_description.get(description.as_str()).cloned().unwrap_or_default()
            }
            Evidence::Made { .. } | Evidence::Begins(_) | Evidence::Endpoint => {
                let subnets: BTreeSet<SubnetIx> =
                    self.subnets.iter().filter_map(|id| network.subnet_of.get(id).copied()).collect();
                let mut candidates: Vec<InterfaceIx> = subnets
                    .iter()
                    .filter_map(|subnet| all.by_subnet.get(subnet))
                    .flatten()
                    .copied()
                    .collect();
                candidates.sort_unstable();
                candidates
            }
            Evidence::Task => Vec::new(),
        }
    }

    pub(crate) fn is_of(&self, network: &Network, host: &InterfaceNode, inventory: &Inventory) -> bool {
        let interface = host.id.as_ref().and_then(|id| inventory.interfaces.get(id));
        let Some(interface) = interface else { return false };
        let alike =
            || self.subnets.contains(&network.subnets.at(host.subnet).id) && interface.groups == *self.groups;
        match &self.evidence {
            Evidence::Exactly(description) => interface.description == *description,
            Evidence::Made { by, but_not } => {
                interface.requester.as_deref() == Some(by)
                    && but_not.is_none_or(|word| !interface.description.contains(word))
                    && alike()
            }
            Evidence::Begins(words) => interface.description.starts_with(words) && alike(),
            Evidence::Endpoint => interface.kind == "vpc_endpoint" && alike(),
            Evidence::Task => false,
        }
    }
}

/// Every service that has interfaces of its own.
pub(crate) fn services(inventory: &Inventory) -> Vec<(NamedResource, Placement<'_>)> {
    let mut services: Vec<(NamedResource, Placement<'_>)> = Vec::new();
    let group_subnets =
        |groups: &BTreeMap<(crate::inventory::AccountRegion, String), crate::inventory::SubnetGroup>,
         account_region: &crate::inventory::AccountRegion,
         name: Option<&String>| {
            let group = name.and_then(|name| groups.get(&(account_region.clone(), name.clone())));
            group.map(|group| group.subnets.iter().cloned().collect::<Vec<_>>()).unwrap_or_default()
        };
    for database in inventory.databases.values() {
        let in_zone = |subnet: &&SubnetId| {
            let zone = inventory.subnets.get(*subnet).and_then(|subnet| subnet.zone.as_ref());
            database.zone.is_none() || zone == database.zone.as_ref()
        };
        let mut subnets: Vec<SubnetId> = database.subnets.iter().filter(in_zone).cloned().collect();
        if subnets.is_empty() {
            subnets = database.subnets.iter().cloned().collect();
        }
        let owner = NamedResource { resource: database.resource(), name: None };
        let evidence = Evidence::Made { by: "amazon-rds", but_not: Some("Proxy") };
        let (groups, public) = (&database.groups, database.public);
        services.push((owner, Placement { subnets, groups, public, open: false, evidence, balancer: None }));
    }
    for proxy in inventory.database_proxies.values() {
        let owner = NamedResource { resource: proxy.resource(), name: None };
        let subnets = proxy.subnets.iter().cloned().collect();
        let evidence = Evidence::Begins("Network interface for DBProxy");
        services.push((owner, Placement::private(subnets, &proxy.groups, evidence)));
    }
    for endpoint in inventory.database_proxy_endpoints.values() {
        let owner = NamedResource { resource: endpoint.resource(), name: None };
        let subnets = endpoint.subnets.iter().cloned().collect();
        let evidence = Evidence::Begins("Network interface for DBProxy");
        services.push((owner, Placement::private(subnets, &endpoint.groups, evidence)));
    }
    for cache in inventory.serverless_caches.values() {
        let owner = NamedResource { resource: cache.resource(), name: None };
        let subnets = cache.subnets.iter().cloned().collect();
        services.push((owner, Placement::private(subnets, &cache.groups, Evidence::Endpoint)));
    }
    for cache in inventory.caches.values() {
        let owner = NamedResource { resource: cache.resource(), name: None };
        let subnets =
            group_subnets(&inventory.cache_subnet_groups, &cache.account_region, cache.subnet_group.as_ref());
        let evidence = Evidence::Exactly(format!("ElastiCache {}", cache.name));
        services.push((owner, Placement::private(subnets, &cache.groups, evidence)));
    }
    for function in inventory.functions.values() {
        let owner = NamedResource { resource: function.resource(), name: None };
        let subnets = function.subnets.iter().cloned().collect();
        let evidence = Evidence::Begins("AWS Lambda VPC ENI");
        services.push((owner, Placement::private(subnets, &function.groups, evidence)));
    }
    let tasked: BTreeSet<(Option<&String>, &str)> = inventory
        .container_tasks
        .values()
        .filter(|task| task.interfaces.iter().any(|id| inventory.interfaces.contains_key(id)))
        .filter_map(|task| Some((task.cluster.as_ref(), task.group.as_deref()?.strip_prefix("service:")?)))
        .collect();
    for service in inventory.container_services.values() {
        let apart = service.network == TaskNetwork::ContainerInstance;
        if apart || tasked.contains(&(service.cluster.as_ref(), service.name.as_str())) {
            continue;
        }
        let owner = NamedResource { resource: service.resource(), name: None };
        let subnets = service.subnets.iter().cloned().collect();
        let (groups, public) = (&service.groups, service.public);
        services.push((
            owner,
            Placement { subnets, groups, public, open: false, evidence: Evidence::Task, balancer: None },
        ));
    }
    for balancer in inventory.load_balancers.values() {
        let owner = NamedResource { resource: balancer.resource(), name: None };
        let path = balancer.arn.split_once("loadbalancer/").map_or(balancer.name.as_str(), |(_, path)| path);
        let evidence = Evidence::Exactly(format!("ELB {path}"));
        let open = balancer.groups.is_empty()
            && matches!(balancer.kind, LoadBalancerKind::Network | LoadBalancerKind::Gateway);
        let subnets = balancer.subnets.iter().cloned().collect();
        let (groups, public) = (&balancer.groups, balancer.public);
        services.push((
            owner,
            Placement { subnets, groups, public, open, evidence, balancer: Some(&balancer.arn) },
        ));
    }
    services
}
