//! Network interfaces, and one that stands for each service whose interface was not recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::inventory::{Interface, InterfaceId, Inventory, NamedResource, ResourceRef};
use crate::net::Cidr;
use crate::reach::network::Network;
use crate::reach::network::services::{Candidates, assumed, owners, services};
use crate::reach::network::table::{ClassIx, Index as _, InterfaceIx, SetIx, SubnetIx, VpcIx};
use crate::reach::network::vpcs::Delegated;
use crate::text::shown;

/// Something with addresses in a subnet.
#[derive(Debug)]
pub(crate) struct InterfaceNode {
    /// The id of its interface; what it belongs to when that was not seen.
    pub(crate) resource: ResourceRef,
    pub(crate) id: Option<InterfaceId>,
    /// What it belongs to.
    pub(crate) owner: Option<NamedResource>,
    pub(crate) name: Option<String>,
    pub(crate) vpc: VpcIx,
    pub(crate) subnet: SubnetIx,
    pub(crate) set: SetIx,
    pub(crate) addresses: Vec<NodeAddress>,
    pub(crate) kind: InterfaceKind,
    pub(crate) source_dest_check: bool,
    /// The load balancer that it is a node of, by its key in the inventory.
    pub(crate) balancer: Option<String>,
    /// The class that it is of.
    pub(crate) class: ClassIx,
}

impl InterfaceNode {
    /// Notes that it has a public address, recorded or not, since the service that it belongs to says so.
    fn is_public(&mut self) {
        let known = self.addresses.iter().any(|own| own.public);
        let v4 = self.addresses.iter_mut().find(|own| own.address.is_ipv4());
        if let Some(own) = v4.filter(|_| !known) {
            own.public = true;
        }
    }

    /// How people know it: what it belongs to, with its name.
    pub(crate) fn title(&self) -> String {
        match &self.owner {
            Some(owner) if owner.resource == self.resource => owner.described(),
            Some(owner) => format!("{} of {}", self.resource, owner.described()),
            None => match &self.name {
                Some(name) => format!("{} ({})", self.resource, shown(name)),
                None => self.resource.to_string(),
            },
        }
    }
}

/// One address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeAddress {
    pub(crate) address: IpAddr,
    /// Whether an internet gateway translates it, for IPv4.
    pub(crate) public: bool,
    pub(crate) public_address: Option<Ipv4Addr>,
}

/// How the network treats a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum InterfaceKind {
    /// By its groups.
    Ordinary,
    /// It has no groups, and takes in nothing unasked.
    NatGateway,
    /// It answers, and starts nothing.
    InterfaceEndpoint,
    /// It is of an endpoint that is not available, and takes in and starts nothing.
    ShutEndpoint,
    /// A network or Gateway Load Balancer without groups: it admits everything.
    Open,
}

impl InterfaceKind {
    /// Whether it takes in what its groups admit.
    pub(crate) fn takes_in(self) -> bool {
        !matches!(self, Self::NatGateway | Self::ShutEndpoint)
    }

    /// Whether it starts connections.
    pub(crate) fn starts(self) -> bool {
        !matches!(self, Self::InterfaceEndpoint | Self::ShutEndpoint)
    }
}

/// Makes the hosts of a network, and says which belong to what.
pub(crate) fn settle(network: &mut Network, inventory: &Inventory) {
    let (mut owners, shut) = (owners(inventory), of_shut_endpoints(inventory));
    let mut delegated: BTreeMap<VpcIx, Vec<(Cidr, InterfaceIx)>> = BTreeMap::new();
    for interface in inventory.interfaces.values().filter(|interface| interface.attached) {
        let owner = owners.remove(&interface.id);
        let Some(index) = seen(network, inventory, interface, owner, &shut) else { continue };
        let prefixes = interface.prefixes.iter().map(|prefix| (*prefix, index));
        if !interface.prefixes.is_empty() {
            delegated.entry(network.interfaces.at(index).vpc).or_default().extend(prefixes);
        }
    }
    for (vpc, prefixes) in delegated {
        network.vpcs.at_mut(vpc).delegated = Delegated::of(prefixes);
    }
    let candidates = Candidates::of(network, inventory);
    let mut unseen = Vec::new();
    for (owner, placement) in services(inventory) {
        let hosts: Vec<InterfaceIx> = placement
            .candidates(network, &candidates)
            .into_iter()
            .filter(|host| placement.is_of(network, network.interfaces.at(*host), inventory))
            .collect();
        for &index in &hosts {
            let host = network.interfaces.at_mut(index);
            if host.owner.is_none() {
                host.owner = Some(owner.clone());
            }
            host.balancer = placement.balancer.map(str::to_owned).or(host.balancer.take());
            if placement.public {
                host.is_public();
            }
            network.members.entry(owner.resource.clone()).or_default().push(index);
        }
        if hosts.is_empty() {
            unseen.push((owner, placement));
        }
    }
    for (owner, placement) in unseen {
        assumed(network, inventory, &owner, &placement);
    }
    for (index, host) in network.interfaces.enumerate() {
        if let (Some(owner), Some(_)) = (&host.owner, &host.id) {
            let members = network.members.entry(owner.resource.clone()).or_default();
            if !members.contains(&index) {
                members.push(index);
            }
        }
    }
}

fn seen(
    network: &mut Network,
    inventory: &Inventory,
    interface: &Interface,
    owner: Option<NamedResource>,
    shut: &BTreeSet<&InterfaceId>,
) -> Option<InterfaceIx> {
    let subnet = *network.subnet_of.get(&interface.subnet)?;
    let vpc = network.subnets.at(subnet).vpc;
    let set = network.set(&interface.groups, inventory);
    let kind = match interface.kind.as_str() {
        "nat_gateway" | "natGateway" => InterfaceKind::NatGateway,
        "vpc_endpoint" if shut.contains(&interface.id) => InterfaceKind::ShutEndpoint,
        "vpc_endpoint" => InterfaceKind::InterfaceEndpoint,
        "network_load_balancer" | "gateway_load_balancer" if interface.groups.is_empty() => {
            InterfaceKind::Open
        }
        _ => InterfaceKind::Ordinary,
    };
    let addresses = interface.addresses.iter().map(|own| NodeAddress {
        address: own.address,
        public: own.public.is_some(),
        public_address: own.public,
    });
    let host = InterfaceNode {
        resource: (&interface.id).into(),
        id: Some(interface.id.clone()),
        owner,
        name: interface.tags.get("Name").cloned(),
        vpc,
        subnet,
        set,
        addresses: addresses.collect(),
        kind,
        source_dest_check: interface.source_dest_check,
        balancer: None,
        class: ClassIx::new(0),
    };
    Some(settled(network, host))
}

/// The interfaces of endpoints that are not available; of several endpoints that tell of one the first counts.
fn of_shut_endpoints(inventory: &Inventory) -> BTreeSet<&InterfaceId> {
    let mut is_shut: BTreeMap<&InterfaceId, bool> = BTreeMap::new();
    for endpoint in inventory.endpoints.values() {
        let shut = !endpoint.state.eq_ignore_ascii_case("available");
        for interface in &endpoint.interfaces {
            is_shut.entry(interface).or_insert(shut);
        }
    }
    is_shut.into_iter().filter(|(_, shut)| *shut).map(|(interface, _)| interface).collect()
}

pub(crate) fn settled(network: &mut Network, host: InterfaceNode) -> InterfaceIx {
    let (vpc, set) = (host.vpc, host.set);
    let addresses: Vec<IpAddr> = host.addresses.iter().map(|own| own.address).collect();
    let interface = host.id.clone();
    let index = network.interfaces.push(host);
    network.interface_of.extend(interface.map(|interface| (interface, index)));
    for address in addresses {
        network.vpcs.at_mut(vpc).interfaces.insert(address, index);
    }
    for group in network.sets.at(set).groups.clone() {
        network.groups.at_mut(group).carriers.push(index);
    }
    index
}

/// One end of a packet: an interface, by one of its addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacketEnd {
    pub(crate) interface: InterfaceIx,
    pub(crate) own: NodeAddress,
    pub(crate) named: Named,
}

/// As what an end is asked about, which says whether packets are for its private address or for its public one. An
/// address of IPv6 is the same inside and outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Named {
    /// As the interface: by its private address, and from the internet by its public one.
    Interface,
    /// By its private address, which means nothing on the internet.
    Private,
    /// By a name in DNS that resolves to its private address, in VPCs whose DNS server resolves such names.
    PrivateName,
    /// By its public address, from wherever: also what the name of an internet-facing load balancer resolves to
    /// (Elastic Load Balancing API, `CreateLoadBalancer`, `Scheme`).
    Public,
    /// By a name that resolves to its private address in its own VPC and to its public one elsewhere: that of an instance
    /// with a public address (VPC user guide, DNS attributes), or of a database that is publicly accessible (RDS user
    /// guide, hiding a DB instance in a VPC from the internet).
    PublicElsewhere,
}

impl PacketEnd {
    /// As the interface.
    pub(crate) fn of(interface: InterfaceIx, own: NodeAddress) -> Self {
        Self { interface, own, named: Named::Interface }
    }

    pub(crate) fn named(self, named: Named) -> Self {
        Self { named, ..self }
    }
}

/// An address of a host in the family of another.
pub(crate) fn own_address(host: &InterfaceNode, like: IpAddr) -> Option<IpAddr> {
    let public = host.addresses.iter().find(|own| own.public && own.address.is_ipv4() == like.is_ipv4());
    let any = || host.addresses.iter().find(|own| own.address.is_ipv4() == like.is_ipv4());
    public.or_else(any).map(|own| own.address)
}
