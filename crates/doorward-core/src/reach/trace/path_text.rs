//! Puts the steps that a packet passed into words.

use std::net::IpAddr;

use crate::inventory::{Direction, Peer, ResourceRef, RuleIdentity};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::network::security_groups::{self, GroupNode};
use crate::reach::network::table::{AclIx, SubnetIx};
use crate::reach::result::Hop;
use crate::reach::trace::steps::{GroupCheck, Step, StepKind};

/// A step as a hop, for a flow that it lets through.
pub(crate) fn hop(cx: Context<'_>, step: &Step, flow: &Flows) -> Hop {
    match &step.note {
        StepKind::Text(text) => {
            Hop { resource: text.resource.clone(), name: text.name.clone(), because: text.because.clone() }
        }
        StepKind::NetworkAcl { acl, subnet, direction, other } => {
            let (resource, name) = acl_name(cx, *acl, *subnet);
            let because = match acl {
                Some(acl) => entry(cx, *acl, *direction, *other, flow),
                None => "its network ACL was not seen".into(),
            };
            Hop { resource, name, because }
        }
        StepKind::SecurityGroups(asked) => match admitting(cx, *asked, flow) {
            Some((group, rule)) => Hop {
                resource: (&group.id).into(),
                name: Some(group.name.clone()).filter(|name| !name.is_empty()),
                because: rule_words(cx, rule),
            },
            None => {
                let interface = cx.network.interfaces.at(asked.interface);
                let doubt = cx.network.sets.at(interface.set).doubts_of(asked.direction, flow).next();
                let because = doubt.map_or_else(|| "it allows it".into(), |doubt| doubt.unseen.clone());
                Hop { resource: interface.resource.clone(), name: None, because }
            }
        },
    }
}

pub(crate) fn acl_name(
    cx: Context<'_>,
    acl: Option<AclIx>,
    subnet: SubnetIx,
) -> (ResourceRef, Option<String>) {
    match acl {
        Some(acl) => ((&cx.network.acls.at(acl).id).into(), cx.network.acls.at(acl).name.clone()),
        None => ((&cx.network.subnets.at(subnet).id).into(), None),
    }
}

/// The entry of an ACL that decides for a flow.
pub(crate) fn deciding(
    cx: Context<'_>,
    acl: AclIx,
    direction: Direction,
    other: IpAddr,
    flow: &Flows,
) -> Option<(u32, String, bool)> {
    let mut entries = cx.network.acls.at(acl).entries.iter();
    let entry = entries.find(|entry| {
        entry.direction == direction && entry.cidr.contains(other) && Flows::from(entry.flow).meets(flow)
    })?;
    let whom = if direction == Direction::In { "from" } else { "to" };
    Some((entry.number, format!("{} {whom} {}", entry.flow, entry.cidr), entry.allow))
}

fn entry(cx: Context<'_>, acl: AclIx, direction: Direction, other: IpAddr, flow: &Flows) -> String {
    match deciding(cx, acl, direction, other, flow) {
        Some((number, words, true)) => format!("entry {number} allows {words}"),
        _ => "it allows it".into(),
    }
}

/// The rule that admits a packet, and its group.
fn admitting<'a>(
    cx: Context<'a>,
    asked: GroupCheck,
    flow: &Flows,
) -> Option<(&'a GroupNode, &'a RuleIdentity)> {
    let set = cx.network.sets.at(cx.network.interfaces.at(asked.interface).set);
    let groups = set.groups.iter().map(|group| cx.network.groups.at(*group));
    let mut rules = groups.flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
    rules.find(|(group, rule)| {
        matches(cx, rule, asked, asked.references)
            && !is_stale(cx, group, rule)
            && Flows::from(rule.flow).meets(flow)
    })
}

/// Whether a rule references a group by a peering connection that is not active.
pub(crate) fn is_stale(cx: Context<'_>, group: &GroupNode, rule: &RuleIdentity) -> bool {
    match &rule.peer {
        Peer::Group(peer) => security_groups::is_stale(cx.inventory, &group.id, peer),
        Peer::Cidr(_) | Peer::PrefixList(_) => false,
    }
}

pub(crate) fn matches(cx: Context<'_>, rule: &RuleIdentity, asked: GroupCheck, references: bool) -> bool {
    rule.direction == asked.direction
        && match &rule.peer {
            Peer::Cidr(cidr) => cidr.contains(asked.other),
            Peer::PrefixList(list) => {
                let entries = cx.inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref());
                entries.is_some_and(|entries| entries.iter().any(|cidr| cidr.contains(asked.other)))
            }
            Peer::Group(group) => {
                references
                    && asked.peer.is_some_and(|peer| {
                        let carried = &cx.network.sets.at(cx.network.interfaces.at(peer).set).groups;
                        carried.iter().any(|index| cx.network.groups.at(*index).id == *group)
                    })
            }
        }
}

/// A rule, with the names of the groups in it.
pub(crate) fn rule_words(cx: Context<'_>, rule: &RuleIdentity) -> String {
    let whom = if rule.direction == Direction::In { "from" } else { "to" };
    let direction = if rule.direction == Direction::In { "inbound" } else { "outbound" };
    format!("{direction} {} {whom} {}", rule.flow, peer_words(cx, &rule.peer))
}

fn peer_words(cx: Context<'_>, peer: &Peer) -> String {
    match peer {
        Peer::Group(id) => {
            let named = cx.network.group_of.get(id).map(|index| &cx.network.groups.at(*index).name);
            match named.filter(|name| !name.is_empty()) {
                Some(name) => format!("{id} ({name})"),
                None => id.to_string(),
            }
        }
        other => other.to_string(),
    }
}
