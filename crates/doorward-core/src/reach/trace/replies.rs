//! The path of a reply: back to whoever sent or translated the request, and from each that translated it to the one
//! before.

use std::net::IpAddr;

use crate::inventory::{Direction, ResourceRef};
use crate::reach::code::Code;
use crate::reach::context::Context;
use crate::reach::network::address_space::Outside;
use crate::reach::network::table::{InterfaceIx, VpcIx};
use crate::reach::trace::hop::{gateway_route_table, transit_gateway};
use crate::reach::trace::steps::{StepText, Trace};
use crate::reach::trace::{
    self, Delivery, Leg, Location, Origin, RouteTaken, Sender, Translation, filters, round_trip,
};

/// Who gets the replies in the end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Client<'a> {
    Inside(Sender),
    /// Outside, by the gateway that the request came in by.
    Outside(&'a ResourceRef, IpAddr),
}

/// Where replies stop over: at the client, and at each that translated the request.
#[derive(Debug, Clone, Copy)]
struct Stopover {
    at: Location,
    address: IpAddr,
}

/// The replies of what got to an address in a VPC.
pub(crate) fn from_inside(
    cx: Context<'_>,
    trace: &mut Trace,
    client: Client<'_>,
    taken: &RouteTaken,
    server: Sender,
) {
    trace.replies = true;
    let last = taken.translations.len();
    let back = trace::send(cx, trace, server, address_at(client, taken, last));
    came_back(cx, trace, client, taken, last, &back, server.address);
    unwind(cx, trace, client, taken);
}

/// The replies of what got outside.
pub(crate) fn from_outside(cx: Context<'_>, trace: &mut Trace, from: Sender, taken: &RouteTaken) {
    trace.replies = true;
    let source = taken.to;
    let client = Client::Inside(from);
    let last = taken.translations.last();
    let near = last.map_or(Stopover { at: from.at, address: from.address }, |by| Stopover {
        at: by.at,
        address: by.address,
    });
    let vpc = cx.network.subnets.at(near.at.subnet).vpc;
    match &taken.delivery {
        Delivery::Remote(Outside::Transit(gateway, id)) => {
            let by = (gateway, id);
            if let Some(back) = transit_gateway::reply(cx, trace, by, near.at.subnet, near.address, source) {
                came_back(cx, trace, client, taken, taken.translations.len(), &back, source);
            }
        }
        // A regional NAT gateway is in no subnet, and no network ACL is asked there.
        _ if near.at.regional.is_some() => {}
        Delivery::Internet(_) | Delivery::Remote(_) => {
            let origin = taken.delivery.gateway().and_then(|gateway| {
                gateway_route_table::reply(cx, trace, vpc, gateway.id(), source, near.address, taken)
            });
            if origin != Some(Origin::Subnet(near.at.subnet)) {
                filters::network_acl(cx, trace, near.at.subnet, Direction::In, source);
            }
        }
        _ => filters::network_acl(cx, trace, near.at.subnet, Direction::In, source),
    }
    unwind(cx, trace, client, taken);
}

/// What translated the request at the stopover of this number; none at the client, which has the number 0.
fn translation(taken: &RouteTaken, number: usize) -> Option<&Translation> {
    number.checked_sub(1).and_then(|before| taken.translations.get(before))
}

/// The address that replies are for at a stopover.
fn address_at(client: Client<'_>, taken: &RouteTaken, number: usize) -> IpAddr {
    match (translation(taken, number), client) {
        (Some(by), _) => by.address,
        (None, Client::Inside(sender)) => sender.address,
        (None, Client::Outside(_, address)) => address,
    }
}

/// From each that translated the request to the one before, and to the client.
fn unwind(cx: Context<'_>, trace: &mut Trace, client: Client<'_>, taken: &RouteTaken) {
    for (before, by) in taken.translations.iter().enumerate().rev() {
        // Replies of IPv4 are of IPv6 again once they leave the NAT gateway that made IPv4 of the request.
        trace.nat64 &= by.to.is_ipv4();
        let sender = Sender { at: by.at, address: by.to, public: false, interface: None };
        let back = trace::send(cx, trace, sender, address_at(client, taken, before));
        came_back(cx, trace, client, taken, before, &back, by.to);
    }
}

/// Whether a reply got to the stopover of this number, 0 for the client, and by the path of the request.
fn came_back(
    cx: Context<'_>,
    trace: &mut Trace,
    client: Client<'_>,
    taken: &RouteTaken,
    number: usize,
    back: &RouteTaken,
    source: IpAddr,
) {
    let home = match (translation(taken, number), client) {
        (Some(by), _) => Stopover { at: by.at, address: by.address },
        (None, Client::Inside(sender)) => Stopover { at: sender.at, address: sender.address },
        (None, Client::Outside(gateway, _)) => {
            left_by(cx, trace, gateway, taken, back);
            return;
        }
    };
    let vpc = cx.network.subnets.at(home.at.subnet).vpc;
    match &back.delivery {
        Delivery::Inside { vpc: landed, from } if *landed == vpc && same_path(taken, number, back) => {
            arrive(cx, trace, vpc, home, source, *from);
        }
        Delivery::Unknown | Delivery::Dropped => {}
        elsewhere => {
            let subnet = ResourceRef::from(&cx.network.subnets.at(home.at.subnet).id);
            lost(cx, trace, elsewhere, &subnet);
        }
    }
}

fn arrive(cx: Context<'_>, trace: &mut Trace, vpc: VpcIx, home: Stopover, source: IpAddr, from: Origin) {
    if home.at.regional.is_none() {
        filters::arrive(cx, trace, vpc, home.address, source, from);
    }
}

/// Replies to somebody outside have to leave by the gateway that the request came in by, and by no appliance that did
/// not see it.
fn left_by(cx: Context<'_>, trace: &mut Trace, gateway: &ResourceRef, taken: &RouteTaken, back: &RouteTaken) {
    let home = match &back.delivery {
        Delivery::Internet(_) | Delivery::Remote(_) => {
            back.delivery.gateway().as_ref() == Some(gateway)
                && back.appliances.iter().all(|appliance| taken.appliances.contains(appliance))
        }
        Delivery::Unknown | Delivery::Dropped => true,
        Delivery::Inside { .. } | Delivery::Service(_) => false,
    };
    if !home {
        lost(cx, trace, &back.delivery, gateway);
    }
}

/// Whether replies are handed to what the request came out of, and meet no appliance that did not see the request.
///
/// Transit gateways keep no state, so replies may take another way behind the first.
fn same_path(taken: &RouteTaken, number: usize, back: &RouteTaken) -> bool {
    let begin = translation(taken, number).map_or(0, |by| by.legs);
    let end = taken.translations.get(number).map_or(taken.legs.len(), |by| by.legs);
    let there: &[Leg] = taken.legs.get(begin..end).unwrap_or_default();
    there.last() == back.legs.first()
        && back.appliances.iter().all(|appliance| taken.appliances.contains(appliance))
}

fn lost(cx: Context<'_>, trace: &mut Trace, delivery: &Delivery, gateway: &ResourceRef) {
    let elsewhere = round_trip::whereabouts(cx, delivery);
    trace.block(|| {
        StepText::blocked(
            gateway.clone(),
            Code::Reply,
            format!("the replies end {elsewhere}, and not where the request came from"),
            format!("route the replies by {gateway}"),
        )
    });
}

/// Whether a packet went from one address of a subnet to another, so that its reply meets nothing.
pub(crate) fn is_direct(taken: &RouteTaken, from: Sender, server: Sender) -> bool {
    taken.origin() == Some(Origin::Subnet(server.at.subnet))
        && from.at == server.at
        && taken.appliances.is_empty()
        && taken.translations.is_empty()
        && taken.legs.is_empty()
}

/// An interface as the one that replies.
pub(crate) fn server(at: Location, address: IpAddr, interface: Option<InterfaceIx>) -> Sender {
    Sender { at, address, public: false, interface }
}
