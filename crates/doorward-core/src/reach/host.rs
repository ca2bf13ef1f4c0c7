//! Who sends and receives: every interface, and one for each service whose interface was not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::network::Network;
use super::table::{ClassIx, HostIx, Index as _, SetIx, SubnetIx, VpcIx};
use crate::inventory::{
    Interface, InterfaceId, Inventory, LoadBalancerKind, SecurityGroupId, SubnetId, Tags,
};
use crate::net::ranges;
use crate::net::{Cidr, Family};
use crate::text::shown;

/// Something with addresses in a subnet.
#[derive(Debug)]
pub(super) struct Host {
    /// The id of its interface; what it belongs to when that was not seen.
    pub(super) label: String,
    pub(super) interface: Option<InterfaceId>,
    /// What it belongs to.
    pub(super) owner: Option<Owner>,
    pub(super) name: Option<String>,
    pub(super) vpc: VpcIx,
    pub(super) subnet: SubnetIx,
    pub(super) set: SetIx,
    pub(super) points: Vec<Point>,
    pub(super) kind: HostKind,
    pub(super) source_dest_check: bool,
    /// The load balancer that it is a node of, by its key in the inventory.
    pub(super) balancer: Option<String>,
    /// The class that it is of.
    pub(super) class: ClassIx,
}

impl Host {
    /// How people know it: what it belongs to, with its name.
    pub(super) fn title(&self) -> String {
        match &self.owner {
            Some(owner) if owner.id == self.label => owner.to_string(),
            Some(owner) => format!("{} of {owner}", self.label),
            None => match &self.name {
                Some(name) => format!("{} ({})", self.label, shown(name)),
                None => self.label.clone(),
            },
        }
    }
}

/// A resource that has hosts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) kind: &'static str,
    /// Its id, or its name.
    pub(super) id: String,
    pub(super) name: Option<String>,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} {} ({})", self.kind, self.id, shown(name)),
            None => write!(f, "{} {}", self.kind, self.id),
        }
    }
}

/// One address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) address: IpAddr,
    /// Whether an internet gateway translates it, for IPv4.
    pub(super) public: bool,
    pub(super) public_address: Option<Ipv4Addr>,
}

/// How the network treats a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum HostKind {
    /// By its groups.
    Ordinary,
    /// It has no groups, and takes in nothing unasked.
    NatGateway,
    /// It answers, and starts nothing.
    InterfaceEndpoint,
    /// A network or Gateway Load Balancer without groups: it admits everything.
    Open,
}

/// Makes the hosts of a network, and says which belong to what.
pub(super) fn settle(network: &mut Network, inventory: &Inventory) {
    let owners = owners(inventory);
    for interface in inventory.interfaces.values().filter(|interface| interface.attached) {
        let owner = owners.get(&interface.id).cloned();
        seen(network, inventory, interface, owner);
    }
    let mut unseen = Vec::new();
    for (owner, lives) in services(inventory) {
        let hosts: Vec<HostIx> = network
            .hosts
            .enumerate()
            .filter(|(_, host)| lives.is_of(network, host, inventory))
            .map(|(index, _)| index)
            .collect();
        for &index in &hosts {
            let host = network.hosts.at_mut(index);
            if host.owner.is_none() {
                host.owner = Some(owner.clone());
            }
            host.balancer = lives.balancer.map(str::to_owned).or(host.balancer.take());
            network.members.entry((owner.kind, owner.id.clone())).or_default().push(index);
        }
        if hosts.is_empty() {
            unseen.push((owner, lives));
        }
    }
    for (owner, lives) in unseen {
        assumed(network, inventory, &owner, &lives);
    }
    for (index, host) in network.hosts.enumerate() {
        if let (Some(owner), Some(_)) = (&host.owner, &host.interface) {
            let members = network.members.entry((owner.kind, owner.id.clone())).or_default();
            if !members.contains(&index) {
                members.push(index);
            }
        }
    }
}

fn seen(network: &mut Network, inventory: &Inventory, interface: &Interface, owner: Option<Owner>) {
    let Some(&subnet) = network.subnet_of.get(&interface.subnet) else { return };
    let vpc = network.subnets.at(subnet).vpc;
    let set = network.set(&interface.groups, inventory);
    let kind = match interface.kind.as_str() {
        "nat_gateway" | "natGateway" => HostKind::NatGateway,
        "vpc_endpoint" => HostKind::InterfaceEndpoint,
        "network_load_balancer" | "gateway_load_balancer" if interface.groups.is_empty() => HostKind::Open,
        _ => HostKind::Ordinary,
    };
    let points = interface.addresses.iter().map(|own| Point {
        address: own.address,
        public: own.public.is_some(),
        public_address: own.public,
    });
    let host = Host {
        label: interface.id.to_string(),
        interface: Some(interface.id.clone()),
        owner,
        name: interface.tags.get("Name").cloned(),
        vpc,
        subnet,
        set,
        points: points.collect(),
        kind,
        source_dest_check: interface.source_dest_check,
        balancer: None,
        class: ClassIx::new(0),
    };
    let index = settled(network, host);
    for prefix in &interface.prefixes {
        network.vpcs.at_mut(vpc).delegated.push((*prefix, index));
    }
}

fn settled(network: &mut Network, host: Host) -> HostIx {
    let (vpc, set) = (host.vpc, host.set);
    let addresses: Vec<IpAddr> = host.points.iter().map(|point| point.address).collect();
    let interface = host.interface.clone();
    let index = network.hosts.push(host);
    network.host_of.extend(interface.map(|interface| (interface, index)));
    for address in addresses {
        network.vpcs.at_mut(vpc).hosts.insert(address, index);
    }
    for group in network.sets.at(set).groups.clone() {
        network.groups.at_mut(group).carriers.push(index);
    }
    index
}

/// Hosts for a service whose interfaces were not seen: one in each subnet that it may be in, at a free address.
fn assumed(network: &mut Network, inventory: &Inventory, owner: &Owner, lives: &Lives<'_>) {
    let set = network.set(lives.groups, inventory);
    for id in &lives.subnets {
        let Some(&subnet) = network.subnet_of.get(id) else { continue };
        let node = network.subnets.at(subnet);
        let vpc = node.vpc;
        let free = |cidr: &Cidr| {
            let (from, to) = ranges::bounds(*cidr);
            // The first four addresses and the last are AWS's own.
            let mut candidates = (from.saturating_add(4)..to).map(|at| ranges::address(cidr.family(), at));
            candidates.find(|address| network.vpcs.at(vpc).host(*address).is_none())
        };
        let point = node.cidrs.iter().find(|cidr| cidr.family() == Family::V4).and_then(free);
        let point = point.or_else(|| node.cidrs.iter().find_map(free));
        let Some(address) = point else { continue };
        let kind = if lives.open { HostKind::Open } else { HostKind::Ordinary };
        let host = Host {
            label: owner.id.clone(),
            interface: None,
            owner: Some(owner.clone()),
            name: owner.name.clone(),
            vpc,
            subnet,
            set,
            points: vec![Point { address, public: lives.public, public_address: None }],
            kind,
            source_dest_check: true,
            balancer: lives.balancer.map(str::to_owned),
            class: ClassIx::new(0),
        };
        let index = settled(network, host);
        network.members.entry((owner.kind, owner.id.clone())).or_default().push(index);
    }
}

fn name(tags: &Tags) -> Option<String> {
    tags.get("Name").filter(|name| !name.is_empty()).cloned()
}

/// What interfaces belong to by their ids.
fn owners(inventory: &Inventory) -> BTreeMap<InterfaceId, Owner> {
    let mut owners = BTreeMap::new();
    let instances = inventory.instances.values().map(|instance| {
        let owner = Owner { kind: "instance", id: instance.id.to_string(), name: name(&instance.tags) };
        (owner, instance.interfaces.iter().cloned().collect::<Vec<_>>())
    });
    let gateways = inventory.nat_gateways.values().map(|gateway| {
        let owner = Owner { kind: "NAT gateway", id: gateway.id.to_string(), name: name(&gateway.tags) };
        (owner, gateway.interface.iter().cloned().collect())
    });
    let endpoints = inventory.endpoints.values().map(|endpoint| {
        let owner = Owner { kind: "VPC endpoint", id: endpoint.id.to_string(), name: name(&endpoint.tags) };
        (owner, endpoint.interfaces.iter().cloned().collect())
    });
    let tasks = inventory.container_tasks.values().map(|task| {
        let service = task.group.as_deref().and_then(|group| group.strip_prefix("service:"));
        let service = service.and_then(|name| {
            let mut services = inventory.container_services.values();
            services.find(|service| service.name == name && service.cluster == task.cluster)
        });
        let owner = match service {
            Some(service) => Owner { kind: "ECS service", id: service.name.clone(), name: None },
            None => Owner { kind: "ECS task", id: task.arn.clone(), name: task.group.clone() },
        };
        (owner, task.interfaces.iter().cloned().collect())
    });
    for (owner, interfaces) in instances.chain(gateways).chain(endpoints).chain(tasks) {
        owners.extend(interfaces.into_iter().map(|interface| (interface, owner.clone())));
    }
    let by_interface = inventory.interfaces.values().filter_map(|interface| {
        let id = interface.instance.as_ref()?;
        let named = inventory.instances.get(id).and_then(|instance| name(&instance.tags));
        Some((interface.id.clone(), Owner { kind: "instance", id: id.to_string(), name: named }))
    });
    for (interface, owner) in by_interface {
        owners.entry(interface).or_insert(owner);
    }
    owners
}

/// Where a service lives, and how its interfaces are known.
struct Lives<'a> {
    subnets: Vec<SubnetId>,
    groups: &'a BTreeSet<SecurityGroupId>,
    public: bool,
    open: bool,
    told: Told,
    /// The key of a load balancer in the inventory.
    balancer: Option<&'a str>,
}

/// How an interface tells whose it is (`RequesterId`, `Description`, `InterfaceType`).
enum Told {
    /// By its description.
    Exactly(String),
    /// By the service that made it, its groups and its subnet.
    Made { by: &'static str, but_not: Option<&'static str> },
    /// By its description, which begins so, its groups and its subnet.
    Begins(&'static str),
    /// Only by tasks, which name their interfaces.
    Task,
}

impl Lives<'_> {
    fn is_of(&self, network: &Network, host: &Host, inventory: &Inventory) -> bool {
        let interface = host.interface.as_ref().and_then(|id| inventory.interfaces.get(id));
        let Some(interface) = interface else { return false };
        let alike =
            || self.subnets.contains(&network.subnets.at(host.subnet).id) && interface.groups == *self.groups;
        match &self.told {
            Told::Exactly(description) => interface.description == *description,
            Told::Made { by, but_not } => {
                interface.requester.as_deref() == Some(by)
                    && but_not.is_none_or(|word| !interface.description.contains(word))
                    && alike()
            }
            Told::Begins(words) => interface.description.starts_with(words) && alike(),
            Told::Task => false,
        }
    }
}

/// Every service that has interfaces of its own.
fn services(inventory: &Inventory) -> Vec<(Owner, Lives<'_>)> {
    let mut services: Vec<(Owner, Lives<'_>)> = Vec::new();
    let group_subnets =
        |groups: &BTreeMap<(crate::inventory::Place, String), crate::inventory::SubnetGroup>,
         place: &crate::inventory::Place,
         name: Option<&String>| {
            let group = name.and_then(|name| groups.get(&(place.clone(), name.clone())));
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
        let owner = Owner { kind: "database", id: database.name.clone(), name: None };
        let told = Told::Made { by: "amazon-rds", but_not: Some("Proxy") };
        let (groups, public) = (&database.groups, database.public);
        services.push((owner, Lives { subnets, groups, public, open: false, told, balancer: None }));
    }
    for proxy in inventory.database_proxies.values() {
        let owner = Owner { kind: "database proxy", id: proxy.name.clone(), name: None };
        let subnets = proxy.subnets.iter().cloned().collect();
        let told = Told::Begins("Network interface for DBProxy");
        services.push((
            owner,
            Lives { subnets, groups: &proxy.groups, public: false, open: false, told, balancer: None },
        ));
    }
    for cache in inventory.caches.values() {
        let owner = Owner { kind: "cache", id: cache.name.clone(), name: None };
        let subnets =
            group_subnets(&inventory.cache_subnet_groups, &cache.place, cache.subnet_group.as_ref());
        let told = Told::Exactly(format!("ElastiCache {}", cache.name));
        services.push((
            owner,
            Lives { subnets, groups: &cache.groups, public: false, open: false, told, balancer: None },
        ));
    }
    for function in inventory.functions.values() {
        let owner = Owner { kind: "function", id: function.name.clone(), name: None };
        let subnets = function.subnets.iter().cloned().collect();
        let told = Told::Begins("AWS Lambda VPC ENI");
        services.push((
            owner,
            Lives { subnets, groups: &function.groups, public: false, open: false, told, balancer: None },
        ));
    }
    let tasked: BTreeSet<(Option<&String>, &str)> = inventory
        .container_tasks
        .values()
        .filter(|task| task.interfaces.iter().any(|id| inventory.interfaces.contains_key(id)))
        .filter_map(|task| Some((task.cluster.as_ref(), task.group.as_deref()?.strip_prefix("service:")?)))
        .collect();
    for service in inventory.container_services.values() {
        if tasked.contains(&(service.cluster.as_ref(), service.name.as_str())) {
            continue;
        }
        let owner = Owner { kind: "ECS service", id: service.name.clone(), name: None };
        let subnets = service.subnets.iter().cloned().collect();
        let (groups, public) = (&service.groups, service.public);
        services
            .push((owner, Lives { subnets, groups, public, open: false, told: Told::Task, balancer: None }));
    }
    for balancer in inventory.load_balancers.values() {
        let owner = Owner { kind: "load balancer", id: balancer.name.clone(), name: None };
        let path = balancer.arn.split_once("loadbalancer/").map_or(balancer.name.as_str(), |(_, path)| path);
        let told = Told::Exactly(format!("ELB {path}"));
        let open = balancer.groups.is_empty()
            && matches!(balancer.kind, LoadBalancerKind::Network | LoadBalancerKind::Gateway);
        let subnets = balancer.subnets.iter().cloned().collect();
        let (groups, public) = (&balancer.groups, balancer.public);
        services.push((owner, Lives { subnets, groups, public, open, told, balancer: Some(&balancer.arn) }));
    }
    services
}
