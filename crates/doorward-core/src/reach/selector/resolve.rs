//! Resolves a selector to interfaces and address ranges.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::inventory::{
    AnsweredId, Attachment, AttachmentTarget, NamedResource, ResourceKind, ResourceRef, VpcId, VpnGatewayId,
};
use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family};
use crate::reach::context::Context;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::interfaces::{InterfaceNode, PacketEnd};
use crate::reach::network::remotes;
use crate::reach::network::table::InterfaceIx;
use crate::reach::selector::Selector;

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
    pub(crate) behind: Option<Outside>,
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
    for remote in remotes::remotes(cx) {
        let behind = range.and(&remotes::behind(cx, remote, family));
        if !behind.is_empty() {
            ends.outside.push((remote.clone(), behind));
        }
    }
    ends
}

fn remote_ends(cx: Context<'_>, outside: Outside) -> Endpoints {
    let behind = Some(outside.clone()).filter(|outside| *outside != Outside::Internet);
    let ranges =
        [Family::V4, Family::V6].map(|family| (outside.clone(), remotes::behind(cx, &outside, family)));
    let outside: Vec<_> = ranges.into_iter().filter(|(_, range)| !range.is_empty()).collect();
    let mut ends = Endpoints { outside, behind, ..Endpoints::default() };
    if ends.outside.is_empty() {
        ends.notes.push("no route tells which addresses are behind it".into());
    }
    ends
}

fn resource_ends(cx: Context<'_>, named: &NamedResource) -> Endpoints {
    let network = cx.network;
    let resource = &named.resource;
    let id = resource.id();
    let of = |test: &dyn Fn(&InterfaceNode) -> bool| {
        let found = network.interfaces.enumerate().filter(|(_, interface)| test(interface));
        let found: Vec<InterfaceIx> = found.map(|(index, _)| index).collect();
        Endpoints { interfaces: with_addresses(cx, found), ..Endpoints::default() }
    };
    let of_vpc = |vpc: Option<&VpcId>| {
        let index = vpc.and_then(|vpc| network.vpc_of.get(vpc)).copied();
        of(&|interface| Some(interface.vpc) == index)
    };
    match resource.kind() {
        ResourceKind::Interface => {
            let index = network.interface_of.get(id).copied();
            match index {
                Some(index) => Endpoints { interfaces: with_addresses(cx, [index]), ..Endpoints::default() },
                None => Endpoints::default(),
            }
        }
        ResourceKind::SecurityGroup => {
            let index = network.group_of.get(id);
            let carriers = index.map(|index| network.groups.at(*index).carriers.clone());
            let interfaces = with_addresses(cx, carriers.unwrap_or_default());
            Endpoints { interfaces, ..Endpoints::default() }
        }
        ResourceKind::Subnet => {
            let index = network.subnet_of.get(id).copied();
            of(&|interface| Some(interface.subnet) == index)
        }
        ResourceKind::Vpc => of_vpc(VpcId::answered(id).ok().as_ref()),
        ResourceKind::InternetGateway | ResourceKind::Internet => internet_ends(cx),
        ResourceKind::VpnGateway => match VpnGatewayId::answered(id) {
            Ok(id) => remote_ends(cx, Outside::Vpn(id)),
            Err(_) => Endpoints::default(),
        },
        ResourceKind::VpnConnection => vpn_ends(cx, id),
        // Both VPCs of a peering may be recorded, and the tables of a transit gateway: then nothing is behind them alone.
        ResourceKind::Peering | ResourceKind::TransitGateway | ResourceKind::OtherGateway => {
            let remote = remotes::remotes(cx).find(|remote| remote.resource() == *resource);
            remote.map_or_else(Endpoints::default, |remote| remote_ends(cx, remote.clone()))
        }
        ResourceKind::TransitAttachment => {
            let mut attachments = cx.inventory.attachments.values();
            match attachments.find(|attachment| attachment.id.as_str() == id) {
                Some(Attachment { to: AttachmentTarget::Vpc(vpc), .. })
                    if remotes::is_recorded(network, vpc) =>
                {
                    of_vpc(Some(vpc))
                }
                Some(attachment) => {
                    remote_ends(cx, Outside::Transit(attachment.gateway.clone(), attachment.id.clone()))
                }
                None => Endpoints::default(),
            }
        }
        ResourceKind::DatabaseCluster => {
            let mut clusters = cx.inventory.database_clusters.values();
            let Some(cluster) = clusters.find(|cluster| cluster.resource() == *resource) else {
                return Endpoints::default();
            };
            let members = cluster
                .members
                .iter()
                .map(|member| ResourceRef::named(ResourceKind::Database, member, &cluster.place));
            let found: BTreeSet<InterfaceIx> =
                members.flat_map(|member| members_of(cx, &member).to_vec()).collect();
            Endpoints { interfaces: with_addresses(cx, found), ..Endpoints::default() }
        }
        ResourceKind::Instance
        | ResourceKind::NatGateway
        | ResourceKind::Endpoint
        | ResourceKind::LoadBalancer
        | ResourceKind::ClassicLoadBalancer
        | ResourceKind::Database
        | ResourceKind::DatabaseProxy
        | ResourceKind::Cache
        | ResourceKind::Function
        | ResourceKind::ContainerService
        | ResourceKind::ContainerTask => {
            let interfaces = with_addresses(cx, members_of(cx, resource).iter().copied());
            with_notes(cx, Endpoints { interfaces, ..Endpoints::default() }, named)
        }
        // Nothing of these kinds is an end of a question.
        ResourceKind::Address
        | ResourceKind::Prefix
        | ResourceKind::NetworkAcl
        | ResourceKind::RouteTable
        | ResourceKind::PrefixList
        | ResourceKind::EgressOnlyGateway
        | ResourceKind::TransitTable => Endpoints::default(),
    }
}

/// The networks behind a VPN connection, by whichever gateway it has.
fn vpn_ends(cx: Context<'_>, id: &str) -> Endpoints {
    let connection = cx.inventory.vpn_connections.values().find(|connection| connection.id.as_str() == id);
    if let Some(gateway) = connection.and_then(|connection| connection.gateway.clone()) {
        return remote_ends(cx, Outside::Vpn(gateway));
    }
    let attachment = cx
        .inventory
        .attachments
        .values()
        .find(|attachment| matches!(&attachment.to, AttachmentTarget::Vpn(vpn) if vpn.as_str() == id));
    attachment.map_or_else(Endpoints::default, |attachment| {
        remote_ends(cx, Outside::Transit(attachment.gateway.clone(), attachment.id.clone()))
    })
}

fn members_of<'a>(cx: Context<'a>, resource: &ResourceRef) -> &'a [InterfaceIx] {
    cx.network.members.get(resource).map_or(&[], Vec::as_slice)
}

fn with_notes(cx: Context<'_>, mut ends: Endpoints, named: &NamedResource) -> Endpoints {
    for (index, _) in &ends.interfaces {
        let interface = cx.network.interfaces.at(*index);
        if let (None, Some(own)) = (&interface.id, interface.addresses.first()) {
            let subnet = &cx.network.subnets.at(interface.subnet).id;
            ends.notes.push(format!(
                "no interface of {} was seen; one at {} in {subnet}, an address that nobody else has, stands for it",
                named.resource, own.address
            ));
        }
    }
    ends
}
