//! Resolves a selector to interfaces and address ranges.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::inventory::{AttachmentTarget, InterfaceId, SecurityGroupId};
use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family};
use crate::reach::context::Context;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::{InterfaceNode, PacketEnd};
use crate::reach::network::table::{InterfaceIx, SubnetIx, VpcIx};
use crate::reach::selector::{Resource, Selector};

/// Who is meant.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    /// Hosts, each with the addresses that are meant.
    pub(crate) interfaces: Vec<(InterfaceIx, Vec<PacketEnd>)>,
    pub(crate) outside: Vec<(Outside, Ranges)>,
    /// Addresses outside that packets may be for, whatever leads there; those of `outside` where this is empty.
    pub(crate) targets: Vec<Ranges>,
    /// Whether only what is really on the internet counts.
    pub(crate) internet_only: bool,
    /// The gateway or attachment that they are behind, where that was named.
    pub(crate) behind: Option<String>,
    /// What a reader should know.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn resolve(cx: Context<'_>, endpoint: &Selector) -> Endpoints {
    match endpoint {
        Selector::Internet => internet_ends(cx),
        Selector::Address(address) => range_ends(cx, Cidr::host(*address)),
        Selector::Cidr(cidr) => range_ends(cx, *cidr),
        Selector::Resource(resource) => resource_ends(cx, resource),
    }
}

fn internet_ends(cx: Context<'_>) -> Endpoints {
    let outside = [Family::V4, Family::V6].map(|family| (Outside::Internet, cx.network.internet(family)));
    Endpoints { outside: outside.into(), internet_only: true, ..Endpoints::default() }
}

fn packet_ends(cx: Context<'_>, index: InterfaceIx) -> Vec<PacketEnd> {
    cx.network
        .interfaces
        .at(index)
        .addresses
        .iter()
        .map(|own| PacketEnd { interface: index, own: *own })
        .collect()
}

fn with_addresses(
    cx: Context<'_>,
    interfaces: impl IntoIterator<Item = InterfaceIx>,
) -> Vec<(InterfaceIx, Vec<PacketEnd>)> {
    interfaces.into_iter().map(|index| (index, packet_ends(cx, index))).collect()
}

/// Whoever has an address of a prefix, inside and outside.
fn range_ends(cx: Context<'_>, cidr: Cidr) -> Endpoints {
    let mut ends = Endpoints::default();
    for (index, interface) in cx.network.interfaces.enumerate() {
        let within = interface.addresses.iter().filter(|own| cidr.contains(own.address));
        let packet_ends: Vec<PacketEnd> =
            within.map(|own| PacketEnd { interface: index, own: *own }).collect();
        if !packet_ends.is_empty() {
            ends.interfaces.push((index, packet_ends));
        }
        let public = interface.addresses.iter().filter_map(|own| own.public_address);
        for address in public.filter(|address| cidr.contains(IpAddr::V4(*address))) {
            ends.notes.push(format!(
                "{address} is a public address of {}: asked for as one outside",
                interface.title()
            ));
        }
    }
    let family = cidr.family();
    let range = Ranges::of(family, [cidr]);
    let internet = range.and(&cx.network.internet(family));
    if !internet.is_empty() {
        ends.outside.push((Outside::Internet, internet));
    }
    // Whoever sends from there may be behind any VPN that routes lead to; where a packet for there ends, routes say.
    let beyond = range.and(&address_space::beyond(cx.network, family));
    ends.targets = ends.outside.iter().map(|(_, range)| range.clone()).collect();
    ends.targets.extend(Some(beyond).filter(|beyond| !beyond.is_empty()));
    for remote in address_space::remotes(cx) {
        let behind = range.and(&address_space::behind(cx, &remote, family));
        if !behind.is_empty() {
            ends.outside.push((remote, behind));
        }
    }
    ends
}

fn remote_ends(cx: Context<'_>, outside: Outside) -> Endpoints {
    let behind = match &outside {
        Outside::Internet => None,
        Outside::Vpn(id) => Some(id.to_string()),
        Outside::Transit(_, id) => Some(id.to_string()),
    };
    let ranges =
        [Family::V4, Family::V6].map(|family| (outside.clone(), address_space::behind(cx, &outside, family)));
    let outside: Vec<_> = ranges.into_iter().filter(|(_, range)| !range.is_empty()).collect();
    let mut ends = Endpoints { outside, behind, ..Endpoints::default() };
    if ends.outside.is_empty() {
        ends.notes.push("no route tells which addresses are behind it".into());
    }
    ends
}

fn resource_ends(cx: Context<'_>, resource: &Resource) -> Endpoints {
    let id = resource.id.as_str();
    let network = cx.network;
    let of = |test: &dyn Fn(&InterfaceNode) -> bool| {
        let interfaces =
            network.interfaces.enumerate().filter(|(_, interface)| test(interface)).map(|(index, _)| index);
        Endpoints { interfaces: with_addresses(cx, interfaces.collect::<Vec<_>>()), ..Endpoints::default() }
    };
    match resource.kind {
        "interface" => {
            let index = id.parse().ok().and_then(|id: InterfaceId| network.interface_of.get(&id).copied());
            Endpoints { interfaces: with_addresses(cx, index), ..Endpoints::default() }
        }
        "security group" => {
            let index = id.parse().ok().and_then(|id: SecurityGroupId| network.group_of.get(&id));
            let carriers = index.map(|index| network.groups.at(*index).carriers.clone());
            Endpoints { interfaces: with_addresses(cx, carriers.unwrap_or_default()), ..Endpoints::default() }
        }
        "subnet" => {
            let subnet = network.subnet_of.iter().find(|(subnet, _)| subnet.as_str() == id);
            let index: Option<SubnetIx> = subnet.map(|(_, index)| *index);
            of(&|interface| Some(interface.subnet) == index)
        }
        "VPC" => {
            let index: Option<VpcIx> =
                network.vpc_of.iter().find(|(vpc, _)| vpc.as_str() == id).map(|(_, index)| *index);
            of(&|interface| Some(interface.vpc) == index)
        }
        "internet gateway" => internet_ends(cx),
        "VPN gateway" => match id.parse() {
            Ok(id) => remote_ends(cx, Outside::Vpn(id)),
            Err(_) => Endpoints::default(),
        },
        "VPN connection" => {
            let connection =
                cx.inventory.vpn_connections.values().find(|connection| connection.id.as_str() == id);
            let by_gateway = connection.and_then(|connection| connection.gateway.clone());
            let by_transit = cx.inventory.attachments.values().find(
                |attachment| matches!(&attachment.to, AttachmentTarget::Vpn(vpn) if vpn.as_str() == id),
            );
            match (by_gateway, by_transit) {
                (Some(gateway), _) => remote_ends(cx, Outside::Vpn(gateway)),
                (None, Some(attachment)) => {
                    remote_ends(cx, Outside::Transit(attachment.gateway.clone(), attachment.id.clone()))
                }
                (None, None) => Endpoints::default(),
            }
        }
        "transit gateway attachment" => {
            let mut attachments = cx.inventory.attachments.values();
            let attachment = attachments.find(|attachment| attachment.id.as_str() == id);
            match attachment.map(|attachment| &attachment.to) {
                Some(AttachmentTarget::Vpc(vpc)) => {
                    let index = network.vpc_of.get(vpc).copied();
                    of(&|interface| Some(interface.vpc) == index)
                }
                Some(_) => match attachment {
                    Some(attachment) => {
                        remote_ends(cx, Outside::Transit(attachment.gateway.clone(), attachment.id.clone()))
                    }
                    None => Endpoints::default(),
                },
                None => Endpoints::default(),
            }
        }
        "database cluster" => {
            let members: BTreeSet<&String> = cx
                .inventory
                .database_clusters
                .values()
                .filter(|cluster| cluster.name == id)
                .flat_map(|cluster| &cluster.members)
                .collect();
            let interfaces = members.iter().flat_map(|member| members_of(cx, "database", member.as_str()));
            Endpoints {
                interfaces: with_addresses(cx, interfaces.collect::<BTreeSet<_>>()),
                ..Endpoints::default()
            }
        }
        kind => {
            let ends = Endpoints {
                interfaces: with_addresses(cx, members_of(cx, kind, id)),
                ..Endpoints::default()
            };
            with_notes(cx, ends, resource)
        }
    }
}

fn members_of(cx: Context<'_>, kind: &'static str, id: &str) -> Vec<InterfaceIx> {
    cx.network.members.get(&(kind, id.to_owned())).cloned().unwrap_or_default()
}

fn with_notes(cx: Context<'_>, mut ends: Endpoints, resource: &Resource) -> Endpoints {
    for (index, _) in &ends.interfaces {
        let interface = cx.network.interfaces.at(*index);
        if let (None, Some(own)) = (&interface.id, interface.addresses.first()) {
            let subnet = &cx.network.subnets.at(interface.subnet).id;
            ends.notes.push(format!(
                "no interface of {} was seen; one at {} in {subnet}, an address that nobody else has, stands for it",
                resource.id, own.address
            ));
        }
    }
    ends
}
