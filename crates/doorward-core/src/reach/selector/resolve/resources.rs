//! Resources by id, name or ARN: the interfaces that they have, or what is outside behind them.

use super::{Endpoints, Selected, addresses, apart, endpoints, internet_ends};
use crate::inventory::{
    AnsweredId, Attachment, AttachmentTarget, NamedResource, ResourceKind, ResourceRef, VpcId, VpnGatewayId,
};
use crate::net::Family;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::interfaces::{InterfaceNode, Named};
use crate::reach::network::remotes;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::hop::load_balancer;

fn with_addresses(
    cx: Context<'_>,
    interfaces: impl IntoIterator<Item = InterfaceIx>,
    named: Named,
) -> Vec<Selected> {
    interfaces.into_iter().map(|interface| Selected::whole(cx, interface, named)).collect()
}

fn remote_ends(cx: Context<'_>, outside: Outside) -> Endpoints {
    let behind = Some(outside.clone()).filter(|outside| *outside != Outside::Internet);
    let ranges =
        [Family::V4, Family::V6].map(|family| (outside.clone(), remotes::behind(cx, &outside, family)));
    let outside: Vec<_> = ranges.into_iter().filter(|(_, range)| !range.is_empty()).collect();
    let mut ends = Endpoints { outside, behind, ..Endpoints::default() };
    if ends.outside.is_empty() {
        ends.notes.push("no route shows which addresses are behind it".into());
    }
    ends
}

pub(super) fn ends(cx: Context<'_>, named: &NamedResource) -> Endpoints {
    let network = cx.network;
    let resource = &named.resource;
    let id = resource.id();
    let of = |test: &dyn Fn(&InterfaceNode) -> bool| {
        let found = network.interfaces.enumerate().filter(|(_, interface)| test(interface));
        let found: Vec<InterfaceIx> = found.map(|(index, _)| index).collect();
        Endpoints { interfaces: with_addresses(cx, found, Named::Interface), ..Endpoints::default() }
    };
    let of_vpc = |vpc: Option<&VpcId>| {
        let index = vpc.and_then(|vpc| network.vpc_of.get(vpc)).copied();
        of(&|interface| Some(interface.vpc) == index)
    };
    match resource.kind() {
        ResourceKind::Interface => {
            let index = network.interface_of.get(id).copied();
            match index {
                Some(index) => Endpoints {
                    interfaces: with_addresses(cx, [index], Named::Interface),
                    ..Endpoints::default()
                },
                None => {
                    Endpoints { absent: vec![addresses::not_attached(named.clone())], ..Endpoints::default() }
                }
            }
        }
        ResourceKind::SecurityGroup => {
            let index = network.group_of.get(id);
            let carriers = index.map(|index| network.groups.at(*index).carriers.clone());
            let interfaces = with_addresses(cx, carriers.unwrap_or_default(), Named::Interface);
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
                .map(|member| ResourceRef::named(ResourceKind::Database, member, &cluster.account_region));
            Endpoints {
                interfaces: members.flat_map(|member| by_name(cx, &member)).collect(),
                ..Endpoints::default()
            }
        }
        ResourceKind::DatabaseEndpoint | ResourceKind::CacheEndpoint | ResourceKind::ReplicationGroup => {
            endpoints::ends(cx, resource)
        }
        ResourceKind::Instance
        | ResourceKind::NatGateway
        | ResourceKind::Endpoint
        | ResourceKind::LoadBalancer
        | ResourceKind::ClassicLoadBalancer
        | ResourceKind::Database
        | ResourceKind::DatabaseProxy
        | ResourceKind::DatabaseProxyEndpoint
        | ResourceKind::ServerlessCache
        | ResourceKind::Cache
        | ResourceKind::Function
        | ResourceKind::ContainerService
        | ResourceKind::ContainerTask => {
            if let Some(ends) = apart::ends(cx, named) {
                return ends;
            }
            let interfaces = by_name(cx, resource);
            with_notes(cx, Endpoints { interfaces, ..Endpoints::default() }, named)
        }
        // Nothing of these kinds is an end of a question.
        ResourceKind::Address
        | ResourceKind::Prefix
        | ResourceKind::Several
        | ResourceKind::NetworkAcl
        | ResourceKind::RouteTable
        | ResourceKind::PrefixList
        | ResourceKind::EgressOnlyGateway
        | ResourceKind::TargetGroup
        | ResourceKind::LaunchTemplate
        | ResourceKind::ScalingGroup
        | ResourceKind::DatabaseSnapshot
        | ResourceKind::DatabaseSubnetGroup
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

/// The interfaces of a resource, as its name resolves.
pub(super) fn by_name(cx: Context<'_>, resource: &ResourceRef) -> Vec<Selected> {
    with_addresses(cx, members_of(cx, resource).iter().copied(), resolves(cx, resource))
}

/// To which address the name of a resource in DNS resolves.
fn resolves(cx: Context<'_>, resource: &ResourceRef) -> Named {
    match resource.kind() {
        ResourceKind::LoadBalancer | ResourceKind::ClassicLoadBalancer => {
            let mut balancers = cx.inventory.load_balancers.values();
            let balancer = balancers.find(|balancer| balancer.resource() == *resource);
            balancer.map_or(Named::Interface, load_balancer::named)
        }
        ResourceKind::Database => {
            let mut databases = cx.inventory.databases.values();
            let public = databases.any(|database| database.public && database.resource() == *resource);
            if public { Named::PublicElsewhere } else { Named::Interface }
        }
        _ => Named::Interface,
    }
}

fn with_notes(cx: Context<'_>, mut ends: Endpoints, named: &NamedResource) -> Endpoints {
    for selected in &ends.interfaces {
        let interface = cx.network.interfaces.at(selected.interface);
        if let (None, Some(own)) = (&interface.id, interface.addresses.first()) {
            let subnet = &cx.network.subnets.at(interface.subnet).id;
            ends.notes.push(format!(
                "no interface of {} was seen; one at {} in {subnet} is assumed, an address that nothing else has",
                named.resource, own.address
            ));
        }
    }
    ends
}
