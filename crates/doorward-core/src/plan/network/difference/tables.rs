//! Route tables, their routes, and which subnet uses which.

use std::collections::BTreeMap;

use super::Changes;
use crate::inventory::{Destination, Inventory, Route, RouteTable, RouteTableId, RouteTarget, SubnetId};
use crate::plan::network::change::Change;
use crate::plan::network::why::Why;

pub(super) fn changed(changes: &mut Changes<'_>) {
    for table in changes.wanted.route_tables.values() {
        match changes.actual.route_tables.get(&table.id) {
            None if table.main => {}
            None => {
                let why = Why::declared(&table.tags, changes.by);
                changes.add(Change::CreateRouteTable(Box::new(bare(table))), why);
                routes(changes, table, &[]);
            }
            Some(before) => {
                let before = before.routes.clone();
                routes(changes, table, &before);
            }
        }
    }
    associations(changes);
}

/// A table as AWS makes it: with its local routes alone.
fn bare(table: &RouteTable) -> RouteTable {
    let mut bare = table.clone();
    bare.subnets.clear();
    bare.routes.retain(|route| route.target == RouteTarget::Local);
    bare
}

/// Whether a route is one that calls add and remove: AWS itself has the local ones, those that are propagated, and those of
/// gateway endpoints.
fn is_static(route: &Route) -> bool {
    let by_aws = match &route.target {
        RouteTarget::Local => true,
        RouteTarget::Endpoint(_) => matches!(route.destination, Destination::PrefixList(_)),
        _ => false,
    };
    !by_aws && !route.propagated
}

fn routes(changes: &mut Changes<'_>, table: &RouteTable, before: &[Route]) {
    const OUT: &str = "it is the path of these subnets to the internet";
    const CLOSED: &str = "these subnets have no such path to the internet";
    let existing = |destination: &Destination| {
        before.iter().find(|route| is_static(route) && route.destination == *destination)
    };
    for route in table.routes.iter().filter(|route| is_static(route)) {
        match existing(&route.destination) {
            None => {
                changes.add(Change::CreateRoute(table.id.clone(), route.clone()), Why::For(OUT));
            }
            Some(before) if before != route => {
                changes.add(Change::ReplaceRoute(table.id.clone(), route.clone()), Why::For(OUT));
            }
            Some(_) => {}
        }
    }
    let Some(right) = table.owned(changes.by) else { return };
    for route in before.iter().filter(|route| is_static(route)) {
        let stays = table.routes.iter().any(|is| is_static(is) && is.destination == route.destination);
        if !stays {
            let change = Change::DeleteRoute(right.clone(), route.destination.clone());
            changes.add(change, Why::For(CLOSED));
        }
    }
}

/// The table of each subnet that has one of its own.
fn explicit(inventory: &Inventory) -> BTreeMap<&SubnetId, &RouteTableId> {
    let tables = inventory.route_tables.values();
    tables.flat_map(|table| table.subnets.iter().map(|subnet| (subnet, &table.id))).collect()
}

fn associations(changes: &mut Changes<'_>) {
    const WHY: &str = "a subnet routes as its kind and zone need it";
    let before = explicit(changes.actual);
    for (subnet, table) in explicit(changes.wanted) {
        let existing = before.get(subnet).copied();
        if existing != Some(table) {
            let change = Change::AssociateTable {
                table: table.clone(),
                subnet: subnet.clone(),
                before: existing.cloned(),
            };
            changes.add(change, Why::For(WHY));
        }
    }
}
