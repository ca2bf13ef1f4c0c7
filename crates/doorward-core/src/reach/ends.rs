//! Who an end of a question is: hosts, and addresses outside.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::passage::{Outside, Spot};
use super::table::{HostIx, SubnetIx, VpcIx};
use super::transit;
use super::walk::Walk;
use super::{Endpoint, Resource, space};
use crate::inventory::{
    AttachmentTarget, Destination, InterfaceId, RouteTarget, SecurityGroupId, VpnGatewayId,
};
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};

/// Who is meant.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Hosts, each with the addresses that are meant.
    pub(super) hosts: Vec<(HostIx, Vec<Spot>)>,
    pub(super) outside: Vec<(Outside, Ranges)>,
    /// Addresses outside that packets may be for, whatever leads there; those of `outside` where this is empty.
    pub(super) targets: Vec<Ranges>,
    /// Whether only what is really on the internet counts.
    pub(super) internet_only: bool,
    /// The gateway or attachment that they are behind, where that was named.
    pub(super) behind: Option<String>,
    /// What a reader should know.
    pub(super) notes: Vec<String>,
}

impl Walk<'_> {
    pub(super) fn ends(self, endpoint: &Endpoint) -> Ends {
        match endpoint {
            Endpoint::Internet => self.internet_ends(),
            Endpoint::Address(address) => self.range_ends(Cidr::host(*address)),
            Endpoint::Cidr(cidr) => self.range_ends(*cidr),
            Endpoint::Resource(resource) => self.resource_ends(resource),
        }
    }

    fn internet_ends(self) -> Ends {
        let outside =
            [Family::V4, Family::V6].map(|family| (Outside::Internet, self.network.internet(family)));
        Ends { outside: outside.into(), internet_only: true, ..Ends::default() }
    }

    fn spots(self, index: HostIx) -> Vec<Spot> {
        self.network.hosts.at(index).points.iter().map(|point| Spot { host: index, point: *point }).collect()
    }

    fn hosts(self, hosts: impl IntoIterator<Item = HostIx>) -> Vec<(HostIx, Vec<Spot>)> {
        hosts.into_iter().map(|index| (index, self.spots(index))).collect()
    }

    /// Whoever has an address of a prefix, inside and outside.
    fn range_ends(self, cidr: Cidr) -> Ends {
        let mut ends = Ends::default();
        for (index, host) in self.network.hosts.enumerate() {
            let within = host.points.iter().filter(|point| cidr.contains(point.address));
            let spots: Vec<Spot> = within.map(|point| Spot { host: index, point: *point }).collect();
            if !spots.is_empty() {
                ends.hosts.push((index, spots));
            }
            let public = host.points.iter().filter_map(|point| point.public_address);
            for address in public.filter(|address| cidr.contains(IpAddr::V4(*address))) {
                ends.notes.push(format!(
                    "{address} is a public address of {}: asked for as one outside",
                    host.title()
                ));
            }
        }
        let family = cidr.family();
        let range = Ranges::of(family, [cidr]);
        let internet = range.and(&self.network.internet(family));
        if !internet.is_empty() {
            ends.outside.push((Outside::Internet, internet));
        }
        // Whoever sends from there may be behind any VPN that routes lead to; where a packet for there ends, routes say.
        let beyond = range.and(&space::beyond(self.network, family));
        ends.targets = ends.outside.iter().map(|(_, range)| range.clone()).collect();
        ends.targets.extend(Some(beyond).filter(|beyond| !beyond.is_empty()));
        for remote in self.remotes() {
            let behind = range.and(&self.behind(&remote, family));
            if !behind.is_empty() {
                ends.outside.push((remote, behind));
            }
        }
        ends
    }

    /// Every way in from behind a VPN.
    pub(super) fn remotes(self) -> Vec<Outside> {
        let gateways = self.inventory.vpn_gateways.values().filter(|gateway| gateway.vpc.is_some());
        let mut remotes: Vec<Outside> = gateways.map(|gateway| Outside::Vpn(gateway.id.clone())).collect();
        let attachments = self.inventory.attachments.values().filter(|attachment| {
            matches!(attachment.to, AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_))
        });
        remotes.extend(
            attachments.map(|attachment| Outside::Transit(attachment.gateway.clone(), attachment.id.clone())),
        );
        remotes
    }

    /// The addresses behind a VPN gateway or attachment, as routes and static routes tell them.
    pub(super) fn behind(self, outside: &Outside, family: Family) -> Ranges {
        let cidrs: Vec<Cidr> = match outside {
            Outside::Internet => return self.network.internet(family),
            Outside::Vpn(id) => self.behind_vpn(id),
            Outside::Transit(gateway, id) => {
                let tables = self.inventory.transit_tables.values().filter(|table| table.gateway == *gateway);
                transit::prefixes_to(tables, id)
            }
        };
        let inside = Ranges::of(family, self.network.inside.iter().copied());
        Ranges::of(family, cidrs).minus(&inside)
    }

    fn behind_vpn(self, id: &VpnGatewayId) -> Vec<Cidr> {
        let tables = self.inventory.route_tables.values();
        let routes = tables.flat_map(|table| &table.routes).filter(|route| {
            !route.blackhole && matches!(&route.target, RouteTarget::VpnGateway(to) if to == id)
        });
        let mut cidrs = Vec::new();
        for route in routes {
            match &route.destination {
                Destination::Cidr(cidr) => cidrs.push(*cidr),
                Destination::PrefixList(list) => {
                    let list = self.inventory.prefix_lists.get(list);
                    cidrs.extend(list.and_then(|list| list.entries.as_ref()).into_iter().flatten());
                }
            }
        }
        let connections = self.inventory.vpn_connections.values();
        let ours = connections.filter(|connection| connection.gateway.as_ref() == Some(id));
        cidrs.extend(ours.flat_map(|connection| connection.routes.iter().copied()));
        cidrs
    }

    fn remote_ends(self, outside: Outside) -> Ends {
        let behind = match &outside {
            Outside::Internet => None,
            Outside::Vpn(id) => Some(id.to_string()),
            Outside::Transit(_, id) => Some(id.to_string()),
        };
        let ranges = [Family::V4, Family::V6].map(|family| (outside.clone(), self.behind(&outside, family)));
        let outside: Vec<_> = ranges.into_iter().filter(|(_, range)| !range.is_empty()).collect();
        let mut ends = Ends { outside, behind, ..Ends::default() };
        if ends.outside.is_empty() {
            ends.notes.push("no route tells which addresses are behind it".into());
        }
        ends
    }

    fn resource_ends(self, resource: &Resource) -> Ends {
        let id = resource.id.as_str();
        let network = self.network;
        let of = |test: &dyn Fn(&super::host::Host) -> bool| {
            let hosts = network.hosts.enumerate().filter(|(_, host)| test(host)).map(|(index, _)| index);
            Ends { hosts: self.hosts(hosts.collect::<Vec<_>>()), ..Ends::default() }
        };
        match resource.kind {
            "interface" => {
                let index = id.parse().ok().and_then(|id: InterfaceId| network.host_of.get(&id).copied());
                Ends { hosts: self.hosts(index), ..Ends::default() }
            }
            "security group" => {
                let index = id.parse().ok().and_then(|id: SecurityGroupId| network.group_of.get(&id));
                let carriers = index.map(|index| network.groups.at(*index).carriers.clone());
                Ends { hosts: self.hosts(carriers.unwrap_or_default()), ..Ends::default() }
            }
            "subnet" => {
                let subnet = network.subnet_of.iter().find(|(subnet, _)| subnet.as_str() == id);
                let index: Option<SubnetIx> = subnet.map(|(_, index)| *index);
                of(&|host| Some(host.subnet) == index)
            }
            "VPC" => {
                let index: Option<VpcIx> =
                    network.vpc_of.iter().find(|(vpc, _)| vpc.as_str() == id).map(|(_, index)| *index);
                of(&|host| Some(host.vpc) == index)
            }
            "internet gateway" => self.internet_ends(),
            "VPN gateway" => match id.parse() {
                Ok(id) => self.remote_ends(Outside::Vpn(id)),
                Err(_) => Ends::default(),
            },
            "VPN connection" => {
                let connection =
                    self.inventory.vpn_connections.values().find(|connection| connection.id.as_str() == id);
                let by_gateway = connection.and_then(|connection| connection.gateway.clone());
                let by_transit = self.inventory.attachments.values().find(
                    |attachment| matches!(&attachment.to, AttachmentTarget::Vpn(vpn) if vpn.as_str() == id),
                );
                match (by_gateway, by_transit) {
                    (Some(gateway), _) => self.remote_ends(Outside::Vpn(gateway)),
                    (None, Some(attachment)) => {
                        self.remote_ends(Outside::Transit(attachment.gateway.clone(), attachment.id.clone()))
                    }
                    (None, None) => Ends::default(),
                }
            }
            "transit gateway attachment" => {
                let mut attachments = self.inventory.attachments.values();
                let attachment = attachments.find(|attachment| attachment.id.as_str() == id);
                match attachment.map(|attachment| &attachment.to) {
                    Some(AttachmentTarget::Vpc(vpc)) => {
                        let index = network.vpc_of.get(vpc).copied();
                        of(&|host| Some(host.vpc) == index)
                    }
                    Some(_) => match attachment {
                        Some(attachment) => self
                            .remote_ends(Outside::Transit(attachment.gateway.clone(), attachment.id.clone())),
                        None => Ends::default(),
                    },
                    None => Ends::default(),
                }
            }
            "database cluster" => {
                let members: BTreeSet<&String> = self
                    .inventory
                    .database_clusters
                    .values()
                    .filter(|cluster| cluster.name == id)
                    .flat_map(|cluster| &cluster.members)
                    .collect();
                let hosts = members.iter().flat_map(|member| self.members("database", member.as_str()));
                Ends { hosts: self.hosts(hosts.collect::<BTreeSet<_>>()), ..Ends::default() }
            }
            kind => {
                let ends = Ends { hosts: self.hosts(self.members(kind, id)), ..Ends::default() };
                self.with_notes(ends, resource)
            }
        }
    }

    fn members(self, kind: &'static str, id: &str) -> Vec<HostIx> {
        self.network.members.get(&(kind, id.to_owned())).cloned().unwrap_or_default()
    }

    fn with_notes(self, mut ends: Ends, resource: &Resource) -> Ends {
        for (index, _) in &ends.hosts {
            let host = self.network.hosts.at(*index);
            if let (None, Some(point)) = (&host.interface, host.points.first()) {
                let subnet = &self.network.subnets.at(host.subnet).id;
                ends.notes.push(format!(
                    "no interface of {} was seen; one at {} in {subnet}, an address that nobody else has, stands for it",
                    resource.id, point.address
                ));
            }
        }
        ends
    }

    /// Every prefix at which something changes for packets between outside and a subnet's VPC.
    pub(super) fn cuts(self, host: HostIx) -> Vec<Cidr> {
        let host = self.network.hosts.at(host);
        let mut cuts = self.network.sets.at(host.set).cidrs.clone();
        cuts.extend(&self.network.vpcs.at(host.vpc).cuts);
        cuts.extend(&self.network.transit_cuts);
        if self.network.classes.at(host.class).named {
            // It may be the target of a load balancer, which whoever asks has to get to.
            for node in self.network.hosts.rows().filter(|node| node.balancer.is_some()) {
                cuts.extend(&self.network.sets.at(node.set).cidrs);
                cuts.extend(&self.network.vpcs.at(node.vpc).cuts);
            }
        }
        cuts
    }

    /// Pieces of ranges within which every address fares alike, for one host.
    pub(super) fn pieces(self, ranges: &Ranges, host: HostIx) -> Vec<(u128, u128, IpAddr)> {
        let pieces = ranges.cut(self.cuts(host));
        pieces.into_iter().map(|(from, to)| (from, to, ranges::address(ranges.family, from))).collect()
    }
}
