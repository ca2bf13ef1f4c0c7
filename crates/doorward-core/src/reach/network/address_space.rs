//! The addresses outside: the internet, and the networks behind VPNs.

use std::net::IpAddr;

use crate::inventory::{AttachmentTarget, Destination, ResourceKind, ResourceRef, RouteTarget, VpnGatewayId};
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::Network;
use crate::reach::network::table::InterfaceIx;
use crate::reach::result::End;
use crate::reach::trace::hop::transit_gateway;

/// Prefixes of IPv4 that nobody on the internet has (IANA special-purpose registry). Those kept for documentation
/// count as the internet: people write examples with them.
const SPECIAL: [&str; 10] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
];

fn cidrs(texts: &[&str]) -> Vec<Cidr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// The public addresses that are in no VPC.
pub(crate) fn internet(inside: &[Cidr], family: Family) -> Ranges {
    let inside = Ranges::of(family, inside.iter().copied());
    match family {
        Family::V4 => {
            let all = Ranges::of(family, cidrs(&["0.0.0.0/0"]));
            all.minus(&Ranges::of(family, cidrs(&SPECIAL))).minus(&inside)
        }
        Family::V6 => Ranges::of(family, cidrs(&["2000::/3"])).minus(&inside),
    }
}

/// The addresses that are neither the internet's nor a VPC's: what can only be behind a VPN.
pub(crate) fn beyond(network: &Network, family: Family) -> Ranges {
    let all = match family {
        Family::V4 => Ranges::of(family, cidrs(&["0.0.0.0/0"])),
        Family::V6 => Ranges::of(family, cidrs(&["::/0"])),
    };
    all.minus(&network.internet(family)).minus(&Ranges::of(family, network.inside.iter().copied()))
}

/// Why an address is not one of the internet, if it is not.
pub(crate) fn not_internet(network: &Network, address: IpAddr) -> Option<Code> {
    if network.is_internet(address) {
        return None;
    }
    let shared = "100.64.0.0/10".parse::<Cidr>().is_ok_and(|cidr| cidr.contains(address));
    Some(if shared { Code::SharedDestination } else { Code::PrivateDestination })
}

/// By way of what the outside comes in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outside {
    Internet,
    /// A VPN gateway.
    Vpn(VpnGatewayId),
    /// A VPN or Direct Connect attachment of a transit gateway, by the gateway's id and its own.
    Transit(crate::inventory::TransitGatewayId, crate::inventory::AttachmentId),
}

impl Outside {
    /// As an end of ways.
    pub(crate) fn end(&self) -> End {
        match self {
            Self::Internet => End::Internet,
            Self::Vpn(_) | Self::Transit(..) => End::Remote(self.resource()),
        }
    }

    /// The internet, or the gateway or attachment that leads there.
    pub(crate) fn resource(&self) -> ResourceRef {
        match self {
            Self::Internet => ResourceRef::of(ResourceKind::Internet, "internet"),
            Self::Vpn(id) => id.into(),
            Self::Transit(_, id) => id.into(),
        }
    }
}

/// Every way in from behind a VPN.
pub(crate) fn remotes(cx: Context<'_>) -> Vec<Outside> {
    let gateways = cx.inventory.vpn_gateways.values().filter(|gateway| gateway.vpc.is_some());
    let mut remotes: Vec<Outside> = gateways.map(|gateway| Outside::Vpn(gateway.id.clone())).collect();
    let attachments = cx.inventory.attachments.values().filter(|attachment| {
        matches!(attachment.to, AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_))
    });
    remotes.extend(
        attachments.map(|attachment| Outside::Transit(attachment.gateway.clone(), attachment.id.clone())),
    );
    remotes
}

/// The addresses behind a VPN gateway or attachment, as routes and static routes tell them.
pub(crate) fn behind(cx: Context<'_>, outside: &Outside, family: Family) -> Ranges {
    let cidrs: Vec<Cidr> = match outside {
        Outside::Internet => return cx.network.internet(family),
        Outside::Vpn(id) => behind_vpn(cx, id),
        Outside::Transit(gateway, id) => {
            let tables = cx.inventory.transit_tables.values().filter(|table| table.gateway == *gateway);
            transit_gateway::route_tables::prefixes_to(tables, id)
        }
    };
    let inside = Ranges::of(family, cx.network.inside.iter().copied());
    Ranges::of(family, cidrs).minus(&inside)
}

fn behind_vpn(cx: Context<'_>, id: &VpnGatewayId) -> Vec<Cidr> {
    let tables = cx.inventory.route_tables.values();
    let routes = tables
        .flat_map(|table| &table.routes)
        .filter(|route| !route.blackhole && matches!(&route.target, RouteTarget::VpnGateway(to) if to == id));
    let mut cidrs = Vec::new();
    for route in routes {
        match &route.destination {
            Destination::Cidr(cidr) => cidrs.push(*cidr),
            Destination::PrefixList(list) => {
                let list = cx.inventory.prefix_lists.get(list);
                cidrs.extend(list.and_then(|list| list.entries.as_ref()).into_iter().flatten());
            }
        }
    }
    let connections = cx.inventory.vpn_connections.values();
    let ours = connections.filter(|connection| connection.gateway.as_ref() == Some(id));
    cidrs.extend(ours.flat_map(|connection| connection.routes.iter().copied()));
    cidrs
}

/// Every prefix at which something changes for packets between outside and a subnet's VPC.
pub(crate) fn cuts(cx: Context<'_>, interface: InterfaceIx) -> Vec<Cidr> {
    let interface = cx.network.interfaces.at(interface);
    let mut cuts = cx.network.sets.at(interface.set).cidrs.clone();
    cuts.extend(&cx.network.vpcs.at(interface.vpc).cuts);
    cuts.extend(&cx.network.transit_cuts);
    if cx.network.classes.at(interface.class).named {
        // It may be the target of a load balancer, which whoever asks has to get to.
        for node in cx.network.interfaces.rows().filter(|node| node.balancer.is_some()) {
            cuts.extend(&cx.network.sets.at(node.set).cidrs);
            cuts.extend(&cx.network.vpcs.at(node.vpc).cuts);
        }
    }
    cuts
}

/// Pieces of ranges within which every address fares alike, for one interface.
pub(crate) fn pieces(cx: Context<'_>, ranges: &Ranges, interface: InterfaceIx) -> Vec<(u128, u128, IpAddr)> {
    let pieces = ranges.cut(cuts(cx, interface));
    pieces.into_iter().map(|(from, to)| (from, to, ranges::address(ranges.family, from))).collect()
}
