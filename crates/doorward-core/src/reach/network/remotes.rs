//! Where the recording ends: the networks behind gateways, peerings and attachments whose far side was not recorded.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{
    Attachment, AttachmentTarget, Call, Destination, Inventory, Peering, PrefixListId, ResourceKind,
    ResourceRef, Route, RouteTable, RouteTarget, TransitGatewayId, VpcId,
};
use crate::net::ranges::Ranges;
use crate::net::{Cidr, Family};
use crate::reach::context::Context;
use crate::reach::network::Network;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::table::{InterfaceIx, VpcIx};

/// Everything that leads out of what was recorded, other than to the internet.
pub(crate) fn remotes(cx: Context<'_>) -> impl Iterator<Item = &Outside> {
    cx.network.remotes.keys()
}

/// The addresses that may be there, as routes, static routes and peerings name them.
pub(crate) fn behind(cx: Context<'_>, outside: &Outside, family: Family) -> Ranges {
    if *outside == Outside::Internet {
        return cx.network.internet(family);
    }
    let cidrs = cx.network.remotes.get(outside).into_iter().flatten().copied();
    // Packets for what AWS reserves go to no gateway, whatever a route says.
    let ranges = Ranges::of(family, cidrs).minus(&Ranges::of(family, address_space::reserved()));
    match outside {
        // The far VPC may have the prefixes of another VPC of the recording.
        Outside::Peering(_) => ranges,
        _ => ranges.minus(&Ranges::of(family, cx.network.inside.iter().copied())),
    }
}

/// What leads out of the recording, with the prefixes that may be there.
pub(crate) fn find(network: &Network, inventory: &Inventory) -> BTreeMap<Outside, BTreeSet<Cidr>> {
    let mut remotes: BTreeMap<Outside, BTreeSet<Cidr>> = BTreeMap::new();
    for gateway in inventory.vpn_gateways.values().filter(|gateway| gateway.vpc.is_some()) {
        remotes.entry(Outside::Vpn(gateway.id.clone())).or_default();
    }
    for connection in inventory.vpn_connections.values() {
        let gateway = connection.gateway.as_ref().map(|id| Outside::Vpn(id.clone()));
        if let Some(behind) = gateway.and_then(|gateway| remotes.get_mut(&gateway)) {
            behind.extend(connection.routes.iter().copied());
        }
    }
    for peering in inventory.peerings.values() {
        if let Some(cidrs) = far_of(network, peering) {
            remotes.insert(Outside::Peering(peering.id.clone()), cidrs);
        }
    }
    let out = inventory.attachments.values().filter(|attachment| leads_out(network, inventory, attachment));
    remotes.extend(out.map(|attachment| {
        (Outside::Transit(attachment.gateway.clone(), attachment.id.clone()), BTreeSet::new())
    }));
    for table in inventory.transit_tables.values() {
        for route in table.routes.iter().flatten().filter(|route| !route.blackhole) {
            for id in &route.attachments {
                let key = (table.gateway.clone(), id.clone());
                let unseen = !inventory.attachments.contains_key(&key);
                let outside = Outside::Transit(key.0, key.1);
                if unseen || remotes.contains_key(&outside) {
                    remotes.entry(outside).or_default().insert(route.cidr);
                }
            }
        }
    }
    by_routes(inventory, &mut remotes);
    remotes
}

/// The prefixes of the side of a peering that was not recorded; none where both were, or neither.
fn far_of(network: &Network, peering: &Peering) -> Option<BTreeSet<Cidr>> {
    let recorded = |vpc: &VpcId| is_recorded(network, vpc);
    match (recorded(&peering.requester.vpc), recorded(&peering.accepter.vpc)) {
        (true, false) => Some(peering.accepter.cidrs.clone()),
        (false, true) => Some(peering.requester.cidrs.clone()),
        _ => None,
    }
}

/// What only routes of VPCs tell.
fn by_routes(inventory: &Inventory, remotes: &mut BTreeMap<Outside, BTreeSet<Cidr>>) {
    let peerings_unseen = inventory.gaps.iter().any(|gap| gap.is_of(Call::Peerings));
    let mut hidden: BTreeMap<&TransitGatewayId, bool> = BTreeMap::new();
    let without_prefixes: BTreeSet<Outside> =
        remotes.iter().filter(|(_, cidrs)| cidrs.is_empty()).map(|(outside, _)| outside.clone()).collect();
    let routes = inventory.route_tables.values().flat_map(|table| &table.routes);
    for route in routes.filter(|route| !route.blackhole) {
        let outside = match &route.target {
            RouteTarget::VpnGateway(id) => {
                Some(Outside::Vpn(id.clone())).filter(|id| remotes.contains_key(id))
            }
            // A peering tells the prefixes itself, once it is accepted.
            RouteTarget::Peering(id) => Some(Outside::Peering(id.clone())).filter(|outside| {
                without_prefixes.contains(outside) || peerings_unseen && !inventory.peerings.contains_key(id)
            }),
            RouteTarget::TransitGateway(id) => {
                let hidden = *hidden.entry(id).or_insert_with(|| is_hidden(inventory, id));
                hidden.then(|| Outside::TransitGateway(id.clone()))
            }
            RouteTarget::Other(id) => Some(Outside::Other(id.clone())),
            _ => None,
        };
        if let Some(outside) = outside {
            remotes.entry(outside).or_default().extend(prefixes(inventory, route));
        }
    }
}

fn prefixes<'i>(inventory: &'i Inventory, route: &'i Route) -> impl Iterator<Item = Cidr> + 'i {
    let entries = |list: &PrefixListId| {
        inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref()).into_iter().flatten().copied()
    };
    let (own, listed) = match &route.destination {
        Destination::Cidr(cidr) => (Some(*cidr), None),
        Destination::PrefixList(list) => (None, Some(entries(list))),
    };
    own.into_iter().chain(listed.into_iter().flatten())
}

pub(crate) fn is_recorded(network: &Network, vpc: &VpcId) -> bool {
    network.vpc_of.contains_key(vpc)
}

/// Whether what an attachment attaches is not part of the recording.
pub(crate) fn leads_out(network: &Network, inventory: &Inventory, attachment: &Attachment) -> bool {
    match &attachment.to {
        AttachmentTarget::Vpc(vpc) => !is_recorded(network, vpc),
        AttachmentTarget::Peer(peer) => {
            !inventory.attachments.contains_key(&(peer.clone(), attachment.id.clone()))
        }
        AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_) | AttachmentTarget::Other(..) => true,
    }
}

/// Whether it is not known where a transit gateway leads: another account shares it, and keeps its tables.
fn is_hidden(inventory: &Inventory, gateway: &TransitGatewayId) -> bool {
    let mut attachments =
        inventory.attachments.values().filter(|attachment| attachment.gateway == *gateway).peekable();
    let unseen = |attachment: &Attachment| {
        let table = attachment.table.as_ref();
        table.is_some_and(|table| {
            inventory.transit_tables.get(table).is_none_or(|table| table.routes.is_none())
        })
    };
    match attachments.peek() {
        Some(_) => attachments.any(unseen),
        None => inventory.gaps.iter().any(|gap| gap.is_of(Call::TransitAttachments)),
    }
}

/// Whether what comes from there can be handed to an interface at all: a gateway of another VPC is no path, and blocks
/// nothing.
pub(crate) fn can_enter(cx: Context<'_>, outside: &Outside, interface: InterfaceIx) -> bool {
    let vpc = cx.network.interfaces.at(interface).vpc;
    let node = cx.network.vpcs.at(vpc);
    let id = &node.id;
    let attached = |gateway: Option<&TransitGatewayId>| {
        node.attachments.iter().any(|(by, _)| gateway.is_none_or(|gateway| by == gateway))
    };
    match outside {
        Outside::Internet => true,
        Outside::Transit(..) => attached(None) || cx.gap(Call::TransitAttachments, vpc).is_some(),
        Outside::Vpn(gateway) => {
            cx.inventory.vpn_gateways.get(gateway).is_some_and(|gateway| gateway.vpc.as_ref() == Some(id))
        }
        Outside::Peering(peering) => match cx.inventory.peerings.get(peering) {
            Some(peering) => peering.other(id).is_some(),
            None => leads_to(cx, vpc, &RouteTarget::Peering(peering.clone())),
        },
        Outside::TransitGateway(gateway) => {
            attached(Some(gateway)) || leads_to(cx, vpc, &RouteTarget::TransitGateway(gateway.clone()))
        }
        Outside::Other(other) => leads_to(cx, vpc, &RouteTarget::Other(other.clone())),
    }
}

/// Whether a route of a VPC names a target.
fn leads_to(cx: Context<'_>, vpc: VpcIx, target: &RouteTarget) -> bool {
    let named = |table: &RouteTable| table.routes.iter().any(|route| route.target == *target);
    let tables = cx.network.vpcs.at(vpc).tables.iter().map(|table| &cx.network.tables.at(*table).id);
    tables.filter_map(|id| cx.inventory.route_tables.get(id)).any(named)
}

impl Outside {
    /// The internet, or the gateway, peering or attachment that leads there.
    pub(crate) fn resource(&self) -> ResourceRef {
        match self {
            Self::Internet => ResourceRef::of(ResourceKind::Internet, "internet"),
            Self::Vpn(id) => id.into(),
            Self::Peering(id) => id.into(),
            Self::Transit(_, id) => id.into(),
            Self::TransitGateway(id) => id.into(),
            Self::Other(id) => ResourceRef::of(ResourceKind::OtherGateway, id),
        }
    }
}
