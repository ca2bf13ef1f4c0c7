//! The changes that fix a blocker: rules, entries and routes for what was asked about, and for nothing else.

use std::collections::BTreeSet;

use crate::inventory::{AclEntry, Destination, Direction, Peer, RuleIdentity, SecurityGroupId};
use crate::net::{Cidr, Flow};
use crate::reach::compare::change::{Change, Edit};
use crate::reach::context::Context;
use crate::reach::flows::Flows;
use crate::reach::network::table::{AclIx, GroupIx};
use crate::reach::question::blockers::Other;
use crate::reach::question::stands_for::StandsFor;
use crate::reach::trace::steps::Step;

/// A fix of more changes than these is no fix that a person would make.
const MOST_CHANGES: usize = 12;

/// The highest number of an entry; the implicit denies come behind it (API, CreateNetworkAclEntry).
const LAST_ENTRY: u32 = 32766;

/// The changes that a step knows of, for what its addresses stand for.
pub(super) fn of_step(step: &Step, meant: Option<&StandsFor>) -> Vec<Change> {
    let meant_by = |cidr: &Cidr| {
        let host = Some(*cidr).filter(|cidr| *cidr == Cidr::host(cidr.address()));
        meant.and_then(|meant| meant.cidrs(host?.address()))
    };
    let changes = step.fix.iter().flat_map(|change| match change {
        Change::Route { table, edit: Edit::Add((Destination::Cidr(cidr), target)) } => {
            let cidrs = meant_by(cidr).unwrap_or_else(|| vec![*cidr]);
            let routes = cidrs.into_iter().map(|cidr| Change::Route {
                table: table.clone(),
                edit: Edit::Add((Destination::Cidr(cidr), target.clone())),
            });
            routes.collect()
        }
        other => vec![other.clone()],
    });
    bounded(changes.collect())
}

/// Rules of a security group that admit some flows from or to others: by a group that all of them have attached, since a
/// reference lives longer than an address.
pub(super) fn rules(
    cx: Context<'_>,
    group: &SecurityGroupId,
    direction: Direction,
    references: bool,
    others: &BTreeSet<Other>,
    flows: &Flows,
) -> Vec<Change> {
    if !cx.inventory.groups.contains_key(group) {
        return Vec::new();
    }
    let shared = if references { shared(cx, group, others) } else { None };
    let peers: BTreeSet<Peer> = match shared {
        Some(shared) => [Peer::Group(cx.network.groups.at(shared).id.clone())].into(),
        None => others.iter().flat_map(|other| other.cidrs.iter().copied().map(Peer::Cidr)).collect(),
    };
    let add = |peer: &Peer, flow: Flow| Change::Rule {
        group: group.clone(),
        edit: Edit::Add(RuleIdentity { direction, flow, peer: peer.clone() }),
    };
    let flows = flows.list();
    let rules = peers.iter().flat_map(|peer| flows.iter().map(move |flow| add(peer, *flow)));
    bounded(rules.take(MOST_CHANGES + 1).collect())
}

fn bounded(changes: Vec<Change>) -> Vec<Change> {
    if changes.len() > MOST_CHANGES { Vec::new() } else { changes }
}

/// A group that all of them have attached, and whose references in rules of another group count: not those that were
/// reported as stale.
fn shared(cx: Context<'_>, of: &SecurityGroupId, others: &BTreeSet<Other>) -> Option<GroupIx> {
    let mut shared: Option<BTreeSet<GroupIx>> = None;
    for other in others {
        let attached = &cx.network.sets.at(cx.network.interfaces.at(other.peer?).set).groups;
        shared = Some(match shared {
            None => attached.iter().copied().collect(),
            Some(shared) => shared.into_iter().filter(|group| attached.contains(group)).collect(),
        });
    }
    // A group that is only referenced, and was not described, cannot be told from one that is gone.
    shared?.into_iter().find(|group| {
        let id = &cx.network.groups.at(*group).id;
        let told = cx.inventory.group_references.get(&(of.clone(), id.clone()));
        let state = told.and_then(|told| told.peering_state.as_deref()).unwrap_or("active");
        cx.inventory.groups.contains_key(id) && state == "active"
    })
}

/// Entries of a network ACL that allow some flows, before every entry that denies any of them.
pub(super) fn entries(
    cx: Context<'_>,
    acl: AclIx,
    direction: Direction,
    others: &BTreeSet<Other>,
    flows: &Flows,
    replies: bool,
) -> Vec<Change> {
    let id = &cx.network.acls.at(acl).id;
    let Some(acl) = cx.inventory.network_acls.get(id) else { return Vec::new() };
    let packets: BTreeSet<Flow> = match replies {
        true => flows.list().into_iter().map(Flows::replies_to).collect(),
        false => flows.list().into_iter().collect(),
    };
    let cidrs: BTreeSet<Cidr> = others.iter().flat_map(|other| other.cidrs.iter().copied()).collect();
    let needed = packets.len() * cidrs.len();
    if needed > MOST_CHANGES {
        return Vec::new();
    }
    let own = || acl.entries.iter().filter(|entry| entry.direction == direction);
    let overlaps = |entry: &&AclEntry| {
        let near = |cidr: &Cidr| entry.cidr.covers(*cidr) || cidr.covers(entry.cidr);
        cidrs.iter().any(near)
            && packets.iter().any(|flow| Flows::from(entry.flow).meets(&Flows::from(*flow)))
    };
    let denying = own().filter(|entry| !entry.allow).filter(overlaps).map(|entry| entry.number).min();
    let before = denying.unwrap_or(LAST_ENTRY + 1).min(LAST_ENTRY + 1);
    let taken: BTreeSet<u32> = own().map(|entry| entry.number).collect();
    let last = taken.iter().rev().find(|number| **number < before).copied().unwrap_or(0);
    // Behind what stands before it, in steps as people number entries; else in any place that is free.
    let spaced = (1..).map(|step| last + 10 * step).take_while(|number| *number < before);
    let free = (1..before).rev().filter(|number| !taken.contains(number));
    let mut numbers: Vec<u32> = spaced.take(needed).collect();
    if numbers.len() < needed {
        numbers = free.take(needed).collect();
        numbers.reverse();
    }
    if numbers.len() < needed {
        return Vec::new();
    }
    let wanted = cidrs.iter().flat_map(|cidr| packets.iter().map(move |flow| (*cidr, *flow)));
    let wanted = wanted.filter(|(cidr, flow)| flow.fits(cidr.family()) || *flow == Flow::All);
    let entries = wanted.zip(numbers).map(|((cidr, flow), number)| Change::AclEntry {
        acl: id.clone(),
        edit: Edit::Add(AclEntry { number, direction, cidr, flow, allow: true }),
    });
    entries.collect()
}
