//! Gateway route tables: a gateway's own routes into its VPC (ingress routing).

use std::net::IpAddr;

use crate::inventory::{Direction, RouteTarget};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::table::{InterfaceIx, VpcIx};
use crate::reach::trace::hop::{appliance, vpc_endpoint};
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{self, Delivery, Location, Origin, References, RouteTaken, Sender, filters};

/// The gateway's own route table, where it has one, for a packet or a reply: how it gets into the VPC.
pub(crate) fn ingress(
    cx: Context<'_>,
    trace: &mut Trace,
    vpc: VpcIx,
    gateway: &str,
    from: IpAddr,
    to: IpAddr,
) -> Option<RouteTaken> {
    let inside = |origin: Origin, appliances: Vec<InterfaceIx>| RouteTaken {
        delivery: Delivery::Inside { vpc, from: origin },
        appliances,
        ..RouteTaken::begun(from, to, References::Lost)
    };
    let node = cx.network.vpcs.at(vpc);
    let Some(table) = node.edges.get(gateway).map(|table| cx.network.tables.at(*table)) else {
        return Some(inside(Origin::Gateway, Vec::new()));
    };
    let blocked = |code: Code, why: String| {
        StepText::blocked(&table.id, code, why, format!("take the route to {to} out of {}", table.id))
            .named(table.name.clone())
    };
    let row = table.lookup(to);
    match row.filter(|row| !row.blackhole).map(|row| &row.target) {
        Some(RouteTarget::Local) => {
            trace.pass(|| StepText::allowed(&table.id, "it leads into the VPC").named(table.name.clone()));
            Some(inside(Origin::Gateway, Vec::new()))
        }
        Some(target @ (RouteTarget::Interface(_) | RouteTarget::Instance(_))) => {
            let Some(index) = appliance::forwarder(cx, target) else {
                trace
                    .block(|| blocked(Code::Redirected, format!("it leads to {target}, which is not there")));
                return None;
            };
            let appliance = cx.network.interfaces.at(index);
            if appliance.addresses.iter().any(|own| own.address == to) {
                return Some(inside(Origin::Gateway, Vec::new()));
            }
            if appliance.source_dest_check {
                trace.block(|| {
                    blocked(
                        Code::SourceDestCheck,
                        format!("it leads to {target}, which takes only what is its own"),
                    )
                });
                return None;
            }
            filters::network_acl(cx, trace, appliance.subnet, Direction::In, from);
            if !trace.replies {
                filters::security_groups(cx, trace, index, Direction::In, from, None, false);
                filters::security_groups(cx, trace, index, Direction::Out, to, None, false);
            }
            let at = Location::within(appliance.subnet);
            let sender = Sender { at, address: from, public: false, interface: None };
            let taken = trace::send(cx, trace, sender, to);
            let by = std::iter::once(index).chain(taken.appliances).collect();
            match taken.delivery {
                Delivery::Inside { vpc: landed, from: origin } if landed == vpc => Some(inside(origin, by)),
                Delivery::Unknown => Some(inside(Origin::Gateway, by)),
                _ => {
                    trace.block(|| blocked(Code::Redirected, format!("{target} does not lead to {to}")));
                    None
                }
            }
        }
        Some(RouteTarget::Endpoint(id)) if vpc_endpoint::hides_appliances(cx, id) => {
            trace.unknown(None, || {
                let why = format!("it is not known which packets the appliances behind {id} allow");
                blocked(Code::UnknownDestination, why).because("it leads into the VPC")
            });
            Some(inside(Origin::Gateway, Vec::new()))
        }
        _ => {
            trace.block(|| blocked(Code::Redirected, format!("it does not lead to {to}")));
            None
        }
    }
}

/// The gateway's own route table must not lead replies elsewhere than by who forwarded the request. Says where
/// they come from then.
pub(crate) fn reply(
    cx: Context<'_>,
    trace: &mut Trace,
    vpc: VpcIx,
    gateway: &str,
    source: IpAddr,
    to: IpAddr,
    taken: &RouteTaken,
) -> Option<Origin> {
    let entered = ingress(cx, trace, vpc, gateway, source, to)?;
    if let Some(other) = entered.appliances.iter().find(|appliance| !taken.appliances.contains(appliance)) {
        let other = cx.network.interfaces.at(*other);
        trace.block(|| {
            StepText::blocked(
                other.resource.clone(),
                Code::Redirected,
                format!("the replies that {gateway} takes in come to it, and it did not forward the request"),
                format!("route the request by it, or take the route to {to} out of the table of {gateway}"),
            )
            .named(other.name.clone())
        });
    }
    entered.origin()
}
