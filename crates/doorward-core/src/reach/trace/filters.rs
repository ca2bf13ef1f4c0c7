//! The filters at a subnet and at an interface: network ACLs and security groups.

use std::net::IpAddr;

use crate::inventory::{Direction, Peer};
use crate::net::ranges;
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::interfaces::InterfaceKind;
use crate::reach::network::table::{InterfaceIx, SubnetIx, VpcIx};
use crate::reach::trace::Origin;
use crate::reach::trace::steps::{GroupCheck, StepKind, Trace};

/// Meets the network ACL of a subnet.
pub(crate) fn network_acl(
    cx: Context<'_>,
    trace: &mut Trace,
    subnet: SubnetIx,
    direction: Direction,
    other: IpAddr,
) {
    match cx.network.subnets.at(subnet).acl {
        Ok(acl) => {
            let node = cx.network.acls.at(acl);
            trace.meet(node.lets(direction, other), node.incomplete, || StepKind::NetworkAcl {
                acl: Some(acl),
                subnet,
                direction,
                other,
            });
        }
        Err(gap) => trace.meet(Bounds::unknown(), Some(gap), || StepKind::NetworkAcl {
            acl: None,
            subnet,
            direction,
            other,
        }),
    }
}

/// Meets the network ACL of the subnet that a packet arrives in. Says who has the address there.
pub(crate) fn arrive(
    cx: Context<'_>,
    trace: &mut Trace,
    vpc: VpcIx,
    to: IpAddr,
    source: IpAddr,
    from: Origin,
) -> Option<InterfaceIx> {
    let interface = cx.network.vpcs.at(vpc).interface_at(to);
    let by_host = interface.map(|interface| cx.network.interfaces.at(interface).subnet);
    let subnet = by_host.or_else(|| cx.subnet_with(vpc, to));
    if let Some(subnet) = subnet
        && from != Origin::Subnet(subnet)
    {
        network_acl(cx, trace, subnet, Direction::In, source);
    }
    interface
}

/// Meets the security groups of an interface, for packets to or from an address.
///
/// `peer` is the interface that has the address, and `references` whether that is known there.
pub(crate) fn security_groups(
    cx: Context<'_>,
    trace: &mut Trace,
    index: InterfaceIx,
    direction: Direction,
    other: IpAddr,
    peer: Option<InterfaceIx>,
    references: bool,
) {
    let interface = cx.network.interfaces.at(index);
    if matches!(interface.kind, InterfaceKind::NatGateway | InterfaceKind::Open) {
        return;
    }
    let set = cx.network.sets.at(interface.set);
    let (by_address, by_group) = match direction {
        Direction::In => (&set.inward, &set.in_from),
        Direction::Out => (&set.outward, &set.out_to),
    };
    let mut allow = by_address.at(other).cloned().unwrap_or_else(Bounds::none);
    if let (Some(peer), true) = (peer, references) {
        let carried = &cx.network.sets.at(cx.network.interfaces.at(peer).set).groups;
        for (_, flows) in by_group.iter().filter(|(group, _)| carried.contains(group)) {
            allow = allow.union(&Bounds::exact(flows.clone()));
        }
    }
    let family = Flows::of_family(ranges::family(other));
    // Which of its doubts matter depends on the flows that are asked about (`GroupSet::doubts_of`).
    trace.meet(allow.within(&family), None, || {
        StepKind::SecurityGroups(GroupCheck { interface: index, direction, other, peer, references })
    });
}

/// Meets the security groups of an interface for what comes from a VPC that was not recorded, over a peering of one
/// Region: a rule may name a group that has an interface there (VPC peering guide, security groups).
pub(crate) fn security_groups_of_unrecorded(
    cx: Context<'_>,
    trace: &mut Trace,
    index: InterfaceIx,
    other: IpAddr,
) {
    let interface = cx.network.interfaces.at(index);
    if matches!(interface.kind, InterfaceKind::NatGateway | InterfaceKind::Open) {
        return;
    }
    let set = cx.network.sets.at(interface.set);
    let rules = set.groups.iter().flat_map(|group| &cx.network.groups.at(*group).rules);
    let foreign = rules.filter(|rule| {
        rule.direction == Direction::In
            && matches!(&rule.peer, Peer::Group(id) if !cx.network.group_of.contains_key(id))
    });
    let foreign = foreign.fold(Flows::NONE, |sum, rule| sum.union(&Flows::from(rule.flow)));
    let mut allow = set.inward.at(other).cloned().unwrap_or_else(Bounds::none);
    allow.may = allow.may.union(&foreign);
    let family = Flows::of_family(ranges::family(other));
    trace.meet(allow.within(&family), None, || {
        let direction = Direction::In;
        StepKind::SecurityGroups(GroupCheck {
            interface: index,
            direction,
            other,
            peer: None,
            references: false,
        })
    });
}
