//! Load balancers: their listeners, their targets, and the path through them.
//!
//! A client's packet and what a target gets are two connections, each with rules of its own. `listener` has the first
//! one's end, `targets` says to what a node may send and `zones` across which Availability Zones, `second_leg` follows
//! the balancer's own connection, and `paths` puts both together, also where one balancer is the target of another.

mod listener;
mod paths;
mod second_leg;
mod targets;
mod zones;

use std::net::IpAddr;

use crate::inventory::LoadBalancer;
use crate::reach::context::Context;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::interfaces::Named;
use crate::reach::network::table::InterfaceIx;
use crate::reach::trace::steps::{Detail, Trace};

pub(crate) use listener::listen;
pub(crate) use paths::{Client, paths_through};
pub(crate) use targets::dispatch;

/// The load balancer that an interface is a node of.
fn of<'a>(cx: Context<'a>, index: InterfaceIx) -> Option<&'a LoadBalancer> {
    cx.inventory.load_balancers.get(cx.network.interfaces.at(index).balancer.as_ref()?)
}

/// As what a load balancer is asked: the name of one that is internet-facing resolves to public addresses only, also
/// inside (Elastic Load Balancing API, `CreateLoadBalancer`, `Scheme`).
pub(crate) fn named(balancer: &LoadBalancer) -> Named {
    if balancer.public { Named::Public } else { Named::Interface }
}

/// The flows that load balancers at either end of a pair allow; none where neither end is one.
pub(crate) fn limits(cx: Context<'_>, from: InterfaceIx, to: InterfaceIx, address: IpAddr) -> Option<Bounds> {
    let is_one = |interface: InterfaceIx| cx.network.interfaces.at(interface).balancer.is_some();
    if !is_one(from) && !is_one(to) {
        return None;
    }
    let mut trace = Trace::new(Detail::Sum);
    dispatch(cx, &mut trace, from, to, address);
    listen(cx, &mut trace, to);
    Some(trace.forward)
}
