//! Across which Availability Zones a load balancer sends.

use std::collections::BTreeSet;

use crate::inventory::{CrossZone, LoadBalancer, LoadBalancerKind, Target, TargetGroup};
use crate::reach::context::Context;
use crate::reach::network::table::{InterfaceIx, SubnetIx};

/// Whether a node of a load balancer sends to a target, as far as Availability Zones decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Zones {
    Allow,
    /// The target's zone is not enabled for the balancer.
    NotEnabled {
        zone: String,
    },
    /// The node is in another zone than the target, and cross-zone load balancing is off.
    NotAcross {
        node: String,
        target: String,
    },
    /// As before, if cross-zone load balancing is off, which was not read.
    Unknown,
}

/// Asks for one node and one target.
///
/// "Each load balancer node routes requests only to the healthy targets in its Availability Zone. If you enable
/// cross-zone load balancing, each load balancer node routes requests to the healthy targets in all enabled Availability
/// Zones" (network load balancer guide, Health checks); a target elsewhere is not used (`Target.NotInUse`).
pub(super) fn ask(
    cx: Context<'_>,
    balancer: &LoadBalancer,
    group: Option<&TargetGroup>,
    target: Option<&Target>,
    node: InterfaceIx,
    to: InterfaceIx,
) -> Zones {
    let (node, to) = (cx.network.interfaces.at(node), cx.network.interfaces.at(to));
    // "If the IP address is outside the VPC …, the only supported value is all" (API, TargetDescription): such a
    // target gets packets from every node.
    let everywhere = target.and_then(|target| target.zone.as_deref()) == Some("all");
    if everywhere || node.vpc != to.vpc {
        return Zones::Allow;
    }
    let zone = |subnet: SubnetIx| cx.network.subnets.at(subnet).zone.as_deref();
    let enabled: Option<BTreeSet<&str>> =
        balancer.subnets.iter().map(|id| zone(*cx.network.subnet_of.get(id)?)).collect();
    let (Some(near), Some(far)) = (zone(node.subnet), zone(to.subnet)) else { return Zones::Unknown };
    if enabled.is_some_and(|enabled| !enabled.is_empty() && !enabled.contains(far)) {
        return Zones::NotEnabled { zone: named(cx, to.subnet) };
    }
    if near == far {
        return Zones::Allow;
    }
    match across(balancer, group) {
        Some(true) => Zones::Allow,
        Some(false) => Zones::NotAcross { node: named(cx, node.subnet), target: named(cx, to.subnet) },
        None => Zones::Unknown,
    }
}

/// Whether a load balancer sends the packets of a target group across zones; none where that was not read.
///
/// "The target group setting determines the load balancing behavior for the target group", and by default it uses the
/// load balancer's (network load balancer guide, Cross-zone load balancing for target groups). At the level of an
/// application load balancer it is always on.
fn across(balancer: &LoadBalancer, group: Option<&TargetGroup>) -> Option<bool> {
    let own = match balancer.kind {
        LoadBalancerKind::Application => Some(true),
        LoadBalancerKind::Classic | LoadBalancerKind::Network | LoadBalancerKind::Gateway => {
            balancer.cross_zone
        }
    };
    match group?.cross_zone? {
        CrossZone::On => Some(true),
        CrossZone::Off => Some(false),
        CrossZone::AsLoadBalancer => own,
    }
}

/// The zone of a subnet as people write it.
fn named(cx: Context<'_>, subnet: SubnetIx) -> String {
    let node = cx.network.subnets.at(subnet);
    let described = cx.inventory.subnets.get(&node.id);
    let name = described.and_then(|subnet| subnet.zone.clone()).or_else(|| node.zone.clone());
    name.unwrap_or_else(|| "an unknown zone".into())
}
