//! The look-up in the route table of a subnet or of a regional NAT gateway.

use std::net::IpAddr;

use crate::inventory::{Call, RouteTarget};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space;
use crate::reach::network::route_tables::{RouteRow, words};
use crate::reach::network::table::VpcIx;
use crate::reach::trace::hop::nat_gateway;
use crate::reach::trace::steps::{self, StepText, Trace};
use crate::reach::trace::{Packet, RegionalTable};

/// The route that decides where a packet is; met as a step.
pub(crate) fn look_up(
    cx: Context<'_>,
    trace: &mut Trace,
    packet: &Packet,
) -> Option<(RouteTarget, Option<RouteRow>)> {
    let (node, to) = (cx.network.subnets.at(packet.at.subnet), packet.to);
    let table = match (packet.at.regional, node.table) {
        (Some(RegionalTable::Seen(table)), _) => cx.network.tables.at(table),
        (Some(RegionalTable::AsMade), _) => return nat_gateway::as_made(cx, trace, packet),
        (None, Ok(table)) => cx.network.tables.at(table),
        (None, Err(gap)) => {
            let target = likely(cx, node.vpc, to);
            trace.unknown(Some(gap), || {
                StepText::blocked(
                    &node.id,
                    Code::UnknownDestination,
                    "its route table was not seen",
                    steps::collect(Call::RouteTables),
                )
                .named(node.name.clone())
                .because("its route table was not seen")
            });
            return target.map(|target| (target, None));
        }
    };
    // Packets for what AWS reserves are not forwarded, whatever a route says.
    let reserved = address_space::is_reserved(to);
    let row = table.lookup(to).filter(|_| !reserved);
    let blocked = |code: Code, why: String, advice: String| {
        StepText::blocked(&table.id, code, why, advice).named(table.name.clone())
    };
    // The local routes are in every table, and only a longer prefix beats them.
    let local = row.is_some_and(|row| row.target == RouteTarget::Local) && table.unknown.is_none();
    let settled = local || reserved;
    if let (Some(gap), false) = (table.unknown, settled) {
        trace.unknown(Some(gap), || {
            blocked(
                Code::UnknownDestination,
                "not all of its routes were seen".into(),
                steps::collect(Call::RouteTables),
            )
        });
    }
    match row {
        None => {
            trace.block(|| {
                let called = cx.words(to);
                let advice = match &packet.left {
                    Some(nat) => nat_gateway::way_out(nat),
                    None if reserved => {
                        "ask about another address: this one is reserved for services of AWS, and no route leads there"
                            .to_owned()
                    }
                    None => format!("add a route to {called} to {}, by a gateway that leads there", table.id),
                };
                blocked(Code::NoRoute, format!("{} has no route to {called}", table.id), advice)
            });
            None
        }
        Some(row) if row.blackhole => {
            trace.block(|| {
                blocked(
                    Code::BadStateRoute,
                    format!("its route {} is a black hole: {} is gone", words(row), row.target),
                    format!("take the route {} away, or lead it to what is there", words(row)),
                )
            });
            None
        }
        Some(row) => {
            trace.pass(|| StepText::allowed(&table.id, words(row)).named(table.name.clone()));
            Some((row.target.clone(), Some(row.clone())))
        }
    }
}

/// Where a packet would go in all likelihood, where no route table was seen.
fn likely(cx: Context<'_>, vpc: VpcIx, to: IpAddr) -> Option<RouteTarget> {
    let node = cx.network.vpcs.at(vpc);
    if node.contains(to) {
        return Some(RouteTarget::Local);
    }
    let holds = |side: &crate::inventory::PeeringSide| {
        let index = cx.network.vpc_of.get(&side.vpc);
        index.is_some_and(|index| cx.network.vpcs.at(*index).contains(to))
    };
    let mut peerings = cx.inventory.peerings.values();
    let peering =
        peerings.find(|peering| peering.state == "active" && peering.other(&node.id).is_some_and(holds));
    if let Some(peering) = peering {
        return Some(RouteTarget::Peering(peering.id.clone()));
    }
    if cx.network.is_internet(to) {
        return cx.internet_gateway(vpc).map(|gateway| RouteTarget::InternetGateway(gateway.id.clone()));
    }
    let mut gateways = cx.inventory.vpn_gateways.values();
    let gateway = gateways.find(|gateway| gateway.vpc.as_ref() == Some(&node.id));
    gateway.map(|gateway| RouteTarget::VpnGateway(gateway.id.clone()))
}
