//! The addresses outside: the internet, and what else no recorded VPC has.

use std::net::IpAddr;

use crate::inventory::{AttachmentId, PeeringId, TransitGatewayId, VpnGatewayId};
use crate::net::nat64;
use crate::net::ranges::{self, Ranges};
use crate::net::{Cidr, Family};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::Network;
use crate::reach::network::table::{InterfaceIx, VpcIx};
use crate::reach::result::End;
use crate::reach::trace::hop::local_service;

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

/// Prefixes of services of AWS, to which no route may lead: packets for them are not forwarded, also where a wider route
/// matches (VPC user guide, subnet route tables).
pub(crate) fn reserved() -> Vec<Cidr> {
    cidrs(&["169.254.168.0/22", "fd00:ec2::/32"])
}

/// What AWS reserves, and each address in it that it serves.
pub(crate) fn amazons() -> Vec<Cidr> {
    reserved().into_iter().chain(local_service::addresses().map(Cidr::host)).collect()
}

/// Whether packets for an address are not forwarded.
pub(crate) fn is_reserved(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [169, 254, 168..=171, _]),
        IpAddr::V6(address) => matches!(address.segments(), [0xfd00, 0xec2, ..]),
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

/// Whether an address is one of IPv6 that the internet routes. Those of VPCs are among them: each VPC has a prefix of its
/// own there, and its addresses are the same inside and outside (VPC user guide, IP addressing).
pub(crate) fn is_global_v6(address: IpAddr) -> bool {
    // 2000::/3
    matches!(address, IpAddr::V6(address) if address.octets().first().is_some_and(|first| first >> 5 == 1))
}

/// Why a gateway of a VPC does not send packets for an address to the internet, if it does not.
///
/// What another VPC has is on the internet for this one where it is an address of IPv6.
pub(crate) fn not_internet(network: &Network, vpc: VpcIx, address: IpAddr) -> Option<Code> {
    let of_another = is_global_v6(address) && !network.vpcs.at(vpc).contains(address);
    if network.is_internet(address) || of_another {
        return None;
    }
    let shared = "100.64.0.0/10".parse::<Cidr>().is_ok_and(|cidr| cidr.contains(address));
    Some(if shared { Code::SharedDestination } else { Code::PrivateDestination })
}

/// What is not in a recorded VPC, by what leads there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outside {
    Internet,
    /// The networks behind a VPN gateway.
    Vpn(VpnGatewayId),
    /// A VPC that was not recorded, behind a peering.
    Peering(PeeringId),
    /// What a transit gateway is attached to and was not recorded: a VPN, Direct Connect, another account's VPC.
    Transit(TransitGatewayId, AttachmentId),
    /// Whatever a transit gateway is attached to, where its route tables were not recorded.
    TransitGateway(TransitGatewayId),
    /// The networks behind a gateway that is not modelled, like a core network of Cloud WAN.
    Other(String),
}

impl Outside {
    /// As an end of paths.
    pub(crate) fn end(&self) -> End {
        match self {
            Self::Internet => End::Internet,
            _ => End::Remote(self.resource()),
        }
    }
}

/// Every prefix at which something changes for packets between outside and a subnet's VPC.
pub(crate) fn cuts(cx: Context<'_>, interface: InterfaceIx) -> Vec<Cidr> {
    let interface = cx.network.interfaces.at(interface);
    let mut cuts = cx.network.sets.at(interface.set).cidrs.clone();
    cuts.extend(&cx.network.vpcs.at(interface.vpc).cuts);
    cuts.extend(&cx.network.gateway_cuts);
    if cx.network.vpcs.at(interface.vpc).is_joined() {
        cuts.extend(&cx.network.through_cuts);
    }
    if cx.network.classes.at(interface.class).named {
        // It may be the target of a load balancer, which whoever asks has to get to.
        cuts.extend(&cx.network.balancer_cuts);
    }
    cuts
}

/// Pieces of ranges within which every address fares alike, for one interface.
pub(crate) fn pieces(cx: Context<'_>, ranges: &Ranges, interface: InterfaceIx) -> Vec<(u128, u128, IpAddr)> {
    let pieces = if nat64::meets(ranges) {
        let mut cuts = cuts(cx, interface);
        cuts.extend(amazons());
        // What is about IPv4 is about the addresses that NAT64 makes of it as well.
        let embedded = cuts.iter().filter_map(|cidr| match cidr.address() {
            IpAddr::V4(address) => {
                let address = IpAddr::V6(nat64::synthesized(address));
                Some(Cidr::around(address, cidr.bits().saturating_add(96)))
            }
            IpAddr::V6(_) => None,
        });
        let embedded: Vec<Cidr> = embedded.collect();
        cuts.extend(embedded);
        ranges.cut(cuts)
    } else {
        let node = cx.network.interfaces.at(interface);
        let (set, vpc) = (cx.network.sets.at(node.set), cx.network.vpcs.at(node.vpc));
        let mut cuts = vec![&set.cut_at, &vpc.cut_at, &cx.network.gateway_cut_at, &cx.network.amazon_cut_at];
        cuts.extend(vpc.is_joined().then_some(&cx.network.through_cut_at));
        cuts.extend(cx.network.classes.at(node.class).named.then_some(&cx.network.balancer_cut_at));
        ranges.cut_at(&cuts)
    };
    pieces.into_iter().map(|(from, to)| (from, to, ranges::address(ranges.family, from))).collect()
}
