//! Route tables of transit gateways, from one to the next where gateways are peered.

use std::net::IpAddr;

use crate::inventory::{Attachment, AttachmentTarget, Call};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::table::SubnetIx;
use crate::reach::trace::Leg;
use crate::reach::trace::hop::transit_gateway;
use crate::reach::trace::steps::{self, StepText, Trace};

/// More gateways in a row than this is a loop.
const MOST_GATEWAYS: usize = 4;

/// Where the tables of transit gateways lead.
pub(super) enum Reached<'a> {
    Attachment(&'a Attachment),
    Lost,
    Unclear,
}

/// Follows the tables of transit gateways, from one to the next where they are peered.
pub(super) fn follow<'a>(
    cx: Context<'a>,
    trace: &mut Trace,
    came_by: &Attachment,
    to: IpAddr,
    legs: &mut Vec<Leg>,
    entry: Option<SubnetIx>,
) -> Reached<'a> {
    let (mut gateway, mut table, mut at) =
        (came_by.gateway.clone(), came_by.table.clone(), came_by.id.clone());
    let vpc = entry.map(|entry| cx.network.subnets.at(entry).vpc);
    let gap = |call: Call| vpc.and_then(|vpc| cx.gap(call, vpc));
    for _ in 0..MOST_GATEWAYS {
        let Some(id) = table else {
            trace.block(|| {
                StepText::blocked(
                    &at,
                    Code::TransitNoTable,
                    "it is associated with no route table",
                    "associate it with a route table",
                )
            });
            return Reached::Lost;
        };
        let known = cx.inventory.transit_tables.get(&id);
        let Some(routes) = known.and_then(|table| table.routes.as_ref()) else {
            let gap = gap(Call::TransitRoutes).or_else(|| gap(Call::TransitTables));
            trace.unknown(gap, || {
                StepText::blocked(
                    &id,
                    Code::TransitRoutesUnknown,
                    "its routes were not seen",
                    steps::collect(Call::TransitRoutes),
                )
            });
            return Reached::Unclear;
        };
        let best = cx.network.transit_routes.get(&id).and_then(|best| best.at(to).copied().flatten());
        let Some(route) = best.and_then(|best| routes.get(best)) else {
            trace.block(|| {
                StepText::blocked(
                    &id,
                    Code::TransitNoRoute,
                    format!("it has no route to {to}"),
                    format!("add a route to {to} to {id}, or propagate it"),
                )
            });
            return Reached::Lost;
        };
        let next = route.attachments.first();
        let (Some(next), false) = (next, route.blackhole) else {
            trace.block(|| {
                StepText::blocked(
                    &id,
                    Code::TransitBadRoute,
                    format!("its route {} is a black hole", route.cidr),
                    "take the route away, or lead it to an attachment",
                )
            });
            return Reached::Lost;
        };
        trace.pass(|| {
            let how = if route.propagated { ", propagated" } else { "" };
            StepText::allowed(&id, format!("{} to {next}{how}", route.cidr))
        });
        let attachment = cx.inventory.attachments.get(&(gateway.clone(), next.clone()));
        let Some(attachment) = attachment else {
            let gap = gap(Call::TransitAttachments);
            trace.unknown(gap, || {
                StepText::blocked(next, Code::UnknownDestination, "it was not seen", String::new())
            });
            return Reached::Unclear;
        };
        let AttachmentTarget::Peer(peer) = &attachment.to else { return Reached::Attachment(attachment) };
        if !transit_gateway::is_available(trace, attachment) {
            return Reached::Lost;
        }
        let Some(far) = cx.inventory.attachments.get(&(peer.clone(), attachment.id.clone())) else {
            trace.unknown(None, || {
                StepText::blocked(
                    peer,
                    Code::UnknownDestination,
                    "the peer was not seen",
                    "record the account and Region that it is in as well",
                )
            });
            return Reached::Unclear;
        };
        legs.push(Leg::Transit(peer.clone()));
        (gateway, table, at) = (peer.clone(), far.table.clone(), far.id.clone());
    }
    trace.block(|| {
        StepText::blocked(
            &gateway,
            Code::Loop,
            format!("more than {MOST_GATEWAYS} transit gateways do not get to {to}"),
            "route it to where it belongs",
        )
    });
    Reached::Lost
}
