//! Changes of what a packet meets, by what is there: an existing gateway, table or address of the right VPC.
//!
//! A fix is recorded with the step that it fixes (`Trace::fix`). Addresses that stand for others are replaced by what was
//! asked about where an answer is put together.

use std::net::IpAddr;

use crate::inventory::{
    AttachmentTarget, Destination, Excepted, InterfaceId, NatAvailability, RouteTableId, RouteTarget, VpcId,
};
use crate::net::{Cidr, nat64, ranges};
use crate::reach::compare::change::{Change, Edit};
use crate::reach::context::Context;
use crate::reach::network::address_space::{self, Outside};
use crate::reach::network::remotes;
use crate::reach::network::route_tables::RouteRow;
use crate::reach::network::table::{InterfaceIx, SubnetIx, TableIx, VpcIx};
use crate::reach::network::vpcs::VpcNode;
use crate::reach::trace::{Location, Packet, RegionalTable};

/// A route for a packet from where it is.
///
/// None for what a private NAT gateway sends to the internet, where it gets no public address, and none in a table that
/// leads to the NAT gateway itself: it cannot lead to an internet gateway for the same addresses.
pub(crate) fn onward(cx: Context<'_>, packet: &Packet, replies: bool) -> Vec<Change> {
    let (at, to) = (packet.at, packet.to);
    let stuck = packet.left.as_ref().is_some_and(|nat| {
        let nat = RouteTarget::NatGateway(nat.clone());
        let own = table(cx, at).map(|own| cx.network.tables.at(own));
        let to_itself = own.is_some_and(|own| own.routes.iter().any(|route| route.target == nat));
        cx.network.is_internet(to) && (!packet.public || to_itself)
    });
    if stuck { Vec::new() } else { route(cx, at, to, packet.public, replies) }
}

/// The table that decides at a place; none that was not seen.
fn table(cx: Context<'_>, at: Location) -> Option<TableIx> {
    match at.regional {
        None => cx.network.subnets.at(at.subnet).table.as_ref().ok().copied(),
        Some(RegionalTable::Seen(table)) => Some(table),
        Some(RegionalTable::AsMade) => None,
    }
}

/// A route from a place to an address. `public` says whether an internet gateway translates the sender.
pub(crate) fn route(cx: Context<'_>, at: Location, to: IpAddr, public: bool, replies: bool) -> Vec<Change> {
    let node = cx.network.subnets.at(at.subnet);
    let to_internet = || {
        let table = &cx.network.tables.at(table(cx, at)?).id;
        internet(cx, node.vpc, table, to, public || replies, replies)
    };
    let found = if cx.network.is_internet(to) || nat64::embedded(to).is_some() {
        to_internet()
    } else if address_space::is_reserved(to) {
        None
    } else {
        let others = cx.network.vpcs.enumerate().map(|(index, _)| index);
        let mut inside = others.filter_map(|other| inside(cx, node.vpc, other, to));
        // Another VPC is on the internet as well by its addresses of IPv6.
        let outside = address_space::not_internet(cx.network, node.vpc, to).is_none();
        let over_internet = || if outside { to_internet() } else { None };
        inside.next().or_else(|| remote(cx, node.vpc, to)).or_else(over_internet)
    };
    found.and_then(|(destination, target)| added(cx, at, to, destination, target)).into_iter().collect()
}

/// A route from a place to an address of a VPC.
pub(crate) fn route_into(cx: Context<'_>, at: Location, vpc: VpcIx, to: IpAddr) -> Vec<Change> {
    let found = inside(cx, cx.network.subnets.at(at.subnet).vpc, vpc, to);
    found.and_then(|(destination, target)| added(cx, at, to, destination, target)).into_iter().collect()
}

/// The route as a change of the table of a place; none where the table has it already.
fn added(
    cx: Context<'_>,
    at: Location,
    to: IpAddr,
    destination: Cidr,
    target: RouteTarget,
) -> Option<Change> {
    let table = cx.network.tables.at(table(cx, at)?);
    // A table that was assumed is not there to be changed.
    cx.inventory.route_tables.get(&table.id)?;
    let decides = table.lookup(to);
    if decides.is_some_and(|row| !row.blackhole && row.target == target) {
        return None;
    }
    // The longest prefix decides: a route that leads elsewhere, or nowhere, is replaced where it is at least as long.
    let longer = decides.map(|row| row.cidr).filter(|cidr| cidr.bits() >= destination.bits());
    let destination = Destination::Cidr(longer.unwrap_or(destination));
    Some(Change::Route { table: table.id.clone(), edit: Edit::Add((destination, target)) })
}

fn internet(
    cx: Context<'_>,
    vpc: VpcIx,
    table: &RouteTableId,
    to: IpAddr,
    public: bool,
    replies: bool,
) -> Option<(Cidr, RouteTarget)> {
    let VpcNode { id, internet_gateway, .. } = cx.network.vpcs.at(vpc);
    let gateway = internet_gateway.clone().map(RouteTarget::InternetGateway);
    let target = if nat64::embedded(to).is_some() {
        nat(cx, vpc, table)
    } else if to.is_ipv6() {
        let mut outward = cx.inventory.egress_only_gateways.values();
        let outward = outward.find(|gateway| gateway.vpc.as_ref() == Some(id));
        let outward = outward.map(|gateway| RouteTarget::EgressOnlyGateway(gateway.id.clone()));
        outward.filter(|_| !replies).or(gateway)
    } else if public {
        gateway
    } else {
        nat(cx, vpc, table).or(gateway)
    };
    Some((Cidr::host(to), target?))
}

/// A public NAT gateway of a VPC that has another table, with a route to an internet gateway.
fn nat(cx: Context<'_>, vpc: VpcIx, table: &RouteTableId) -> Option<RouteTarget> {
    let node = cx.network.vpcs.at(vpc);
    let leads_out = |own: TableIx| {
        let own = cx.network.tables.at(own);
        let out =
            |route: &RouteRow| !route.blackhole && matches!(route.target, RouteTarget::InternetGateway(_));
        own.id != *table && own.routes.iter().any(out)
    };
    let mut gateways = cx.inventory.nat_gateways.values();
    let gateway = gateways.find(|gateway| {
        let own = match &gateway.availability {
            NatAvailability::Zonal(subnet) => {
                let subnet = cx.network.subnet_of.get(subnet).map(|index| cx.network.subnets.at(*index));
                subnet.and_then(|subnet| subnet.table.as_ref().ok())
            }
            NatAvailability::Regional(own) => own.as_ref().and_then(|own| cx.network.table_of.get(own)),
        };
        let as_made = matches!(gateway.availability, NatAvailability::Regional(None));
        let leads_out = own.map_or(as_made && node.internet_gateway.is_some(), |own| leads_out(*own));
        gateway.vpc == node.id && gateway.public && gateway.state == "available" && leads_out
    })?;
    Some(RouteTarget::NatGateway(gateway.id.clone()))
}

/// To another VPC: by an active peering, or a transit gateway that both are attached to.
fn inside(cx: Context<'_>, vpc: VpcIx, other: VpcIx, to: IpAddr) -> Option<(Cidr, RouteTarget)> {
    // The local route keeps the addresses of the VPC itself.
    if cx.network.vpcs.at(vpc).contains(to) {
        return None;
    }
    let (near, far) = (&cx.network.vpcs.at(vpc).id, &cx.network.vpcs.at(other).id);
    let cidr = cx.network.vpcs.at(other).cidrs.iter().find(|cidr| cidr.contains(to) && vpc != other)?;
    let mut peerings = cx.inventory.peerings.values();
    let peering = peerings.find(|peering| {
        peering.state == "active" && peering.other(near).is_some_and(|side| side.vpc == *far)
    });
    let peering = peering.map(|peering| RouteTarget::Peering(peering.id.clone()));
    Some((*cidr, peering.or_else(|| transit(cx, near, far))?))
}

fn transit(cx: Context<'_>, near: &VpcId, far: &VpcId) -> Option<RouteTarget> {
    let of = |vpc: &VpcId| {
        let target = AttachmentTarget::Vpc(vpc.clone());
        let attachments = cx.inventory.attachments.values();
        let mine = attachments.filter(move |it| it.to == target && it.state == "available");
        mine.map(|it| it.gateway.clone()).collect::<Vec<_>>()
    };
    let far = of(far);
    of(near).into_iter().find(|gateway| far.contains(gateway)).map(RouteTarget::TransitGateway)
}

/// To what is outside, by the gateway of the VPC that leads there.
fn remote(cx: Context<'_>, vpc: VpcIx, to: IpAddr) -> Option<(Cidr, RouteTarget)> {
    let id = &cx.network.vpcs.at(vpc).id;
    let family = ranges::family(to);
    let mut holding =
        remotes::remotes(cx).filter(|outside| remotes::behind(cx, outside, family).contains(to));
    let target = holding.find_map(|outside| match outside {
        Outside::Vpn(gateway) => {
            let known = cx.inventory.vpn_gateways.get(gateway)?;
            (known.vpc.as_ref() == Some(id)).then(|| RouteTarget::VpnGateway(gateway.clone()))
        }
        Outside::Peering(peering) => {
            let known = cx.inventory.peerings.get(peering)?;
            let ours = known.state == "active" && known.other(id).is_some();
            ours.then(|| RouteTarget::Peering(peering.clone()))
        }
        Outside::Transit(gateway, _) | Outside::TransitGateway(gateway) => {
            let mut attachments = cx.inventory.attachments.values();
            let home = AttachmentTarget::Vpc(id.clone());
            let mine = attachments.any(|it| it.gateway == *gateway && it.to == home);
            mine.then(|| RouteTarget::TransitGateway(gateway.clone()))
        }
        Outside::Internet | Outside::Other(_) => None,
    });
    Some((Cidr::host(to), target?))
}

/// An Elastic IP address for an address of an interface; none for one that a service manages.
pub(crate) fn public_address(
    cx: Context<'_>,
    interface: Option<InterfaceIx>,
    private: IpAddr,
) -> Vec<Change> {
    let change = changeable(cx, interface).filter(|_| private.is_ipv4());
    change.map(|interface| Change::AssociateAddress { interface, private }).into_iter().collect()
}

/// The check of an interface whose owner may change it.
pub(crate) fn forwarding(cx: Context<'_>, interface: InterfaceIx) -> Vec<Change> {
    let change = changeable(cx, Some(interface));
    change.map(|interface| Change::DisableSourceDestCheck { interface }).into_iter().collect()
}

/// An interface that was recorded and that no service of AWS manages.
fn changeable(cx: Context<'_>, interface: Option<InterfaceIx>) -> Option<InterfaceId> {
    let id = cx.network.interfaces.at(interface?).id.clone()?;
    let interface = cx.inventory.interfaces.get(&id)?;
    (interface.requester.is_none() && interface.kind == "interface").then_some(id)
}

/// An internet gateway that is attached to nothing, for a VPC that has none.
pub(crate) fn gateway(cx: Context<'_>, vpc: VpcIx) -> Vec<Change> {
    let node = cx.network.vpcs.at(vpc);
    let mut free = cx.inventory.internet_gateways.values().filter(|gateway| gateway.vpc.is_none());
    // In which Region a gateway is was not recorded.
    let one_account_region = cx.network.vpcs.rows().all(|other| other.account_region == node.account_region);
    let free = free.next().filter(|_| one_account_region && node.internet_gateway.is_none());
    let change =
        free.map(|gateway| Change::AttachGateway { gateway: gateway.id.clone(), vpc: node.id.clone() });
    change.into_iter().collect()
}

/// An exclusion of a subnet from VPC Block Public Access.
pub(crate) fn exclusion(cx: Context<'_>, subnet: SubnetIx, both_ways: bool) -> Vec<Change> {
    let of = Excepted::Subnet(cx.network.subnets.at(subnet).id.clone());
    vec![Change::ExcludeFromBlock { of, both_ways }]
}
