//! Route tables: the route that decides for each address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::inventory::{
    Call, Destination, Inventory, PrefixListId, RouteTableId, RouteTarget, TransitRoute, TransitTableId,
};
use crate::net::Cidr;
use crate::reach::network::Network;
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::table::GapIx;

#[derive(Debug)]
pub(crate) struct RouteTableNode {
    pub(crate) id: RouteTableId,
    pub(crate) name: Option<String>,
    /// Every route by each of its prefixes, the best first: longest prefix, then rank.
    pub(crate) routes: Vec<RouteRow>,
    /// Routes that match nobody knows what.
    pub(crate) unknown: Option<GapIx>,
    /// For each address, the place in `routes`.
    pub(crate) best: AddressMap<Option<u32>>,
}

#[derive(Debug, Clone)]
pub(crate) struct RouteRow {
    pub(crate) cidr: Cidr,
    pub(crate) list: Option<PrefixListId>,
    pub(crate) target: RouteTarget,
    pub(crate) propagated: bool,
    pub(crate) blackhole: bool,
}

impl RouteTableNode {
    /// The route that decides for an address.
    pub(crate) fn lookup(&self, address: IpAddr) -> Option<&RouteRow> {
        let row = (*self.best.at(address)?)?;
        self.routes.get(row as usize)
    }
}

/// Among routes of one prefix: static before propagated, a prefix before a list, a list before what is propagated
/// (VPC user guide, route priority).
fn rank(row: &RouteRow) -> u8 {
    match (row.propagated, &row.list) {
        (false, None) => 0,
        (false, Some(_)) => 1,
        (true, _) => 2,
    }
}

/// A route as a person writes it.
pub(crate) fn words(row: &RouteRow) -> String {
    let list = row.list.as_ref().map(|list| format!(" of {list}")).unwrap_or_default();
    let propagated = if row.propagated { ", propagated" } else { "" };
    format!("{}{list} to {}{propagated}", row.cidr, row.target)
}

/// For each route table of a transit gateway whose routes were seen, the place of the route that decides for each address:
/// the longest prefix, and at equal length what is static before what was propagated (transit gateway guide, route
/// evaluation order).
pub(crate) fn of_transit_gateways(
    inventory: &Inventory,
) -> BTreeMap<TransitTableId, AddressMap<Option<usize>>> {
    let tables = inventory.transit_tables.values();
    let best = tables.filter_map(|table| {
        let mut routes: Vec<(usize, &TransitRoute)> = table.routes.as_ref()?.iter().enumerate().collect();
        routes.sort_by_key(|(_, route)| route.propagated);
        let routes = routes.into_iter().map(|(position, route)| (route.cidr, position));
        Some((table.id.clone(), AddressMap::of_longest(routes)))
    });
    best.collect()
}

impl Network {
    pub(crate) fn tables(&mut self, inventory: &Inventory) {
        for table in inventory.route_tables.values() {
            let vpc = self.vpc(&table.vpc, inventory);
            let account_region = self.vpcs.at(vpc).account_region.clone();
            let mut rows = Vec::new();
            let mut unknown = table.incomplete.then(|| {
                self.gap(
                    Call::RouteTables,
                    &account_region,
                    &format!("a route of {} cannot be read", table.id),
                )
            });
            for route in &table.routes {
                let row = |cidr: Cidr, list: Option<&PrefixListId>| RouteRow {
                    cidr,
                    list: list.cloned(),
                    target: route.target.clone(),
                    propagated: route.propagated,
                    blackhole: route.blackhole,
                };
                match &route.destination {
                    Destination::Cidr(cidr) => rows.push(row(*cidr, None)),
                    Destination::PrefixList(list) => {
                        let entries = inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref());
                        match entries {
                            Some(entries) => rows.extend(entries.iter().map(|cidr| row(*cidr, Some(list)))),
                            // A gateway endpoint's list holds only addresses of its service, outside.
                            None if matches!(route.target, RouteTarget::Endpoint(_)) => {}
                            None => {
                                let why = format!("nothing was recorded of the entries of {list}");
                                unknown = Some(self.gap(Call::PrefixListEntries, &account_region, &why));
                            }
                        }
                    }
                }
            }
            // The local routes cannot be taken away (VPC user guide, route tables), recorded or not.
            for &cidr in &self.vpcs.at(vpc).cidrs {
                let there = |row: &RouteRow| row.cidr == cidr && row.list.is_none() && !row.propagated;
                if !rows.iter().any(there) {
                    rows.push(RouteRow {
                        cidr,
                        list: None,
                        target: RouteTarget::Local,
                        propagated: false,
                        blackhole: false,
                    });
                }
            }
            rows.sort_by_key(|row| (std::cmp::Reverse(row.cidr.bits()), rank(row)));
            let best = AddressMap::of_longest(rows.iter().map(|row| row.cidr).zip(0_u32..));
            let index = self.tables.push(RouteTableNode {
                id: table.id.clone(),
                name: table.tags.get("Name").cloned(),
                routes: rows,
                unknown,
                best,
            });
            self.table_of.insert(table.id.clone(), index);
            self.vpcs.at_mut(vpc).tables.push(index);
        }
    }
}
