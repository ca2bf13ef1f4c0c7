//! Route tables: the route that decides for each address.

use std::net::IpAddr;

use crate::inventory::{Call, Destination, Inventory, PrefixListId, RouteTableId, RouteTarget};
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

impl Network {
    pub(crate) fn tables(&mut self, inventory: &Inventory) {
        for table in inventory.route_tables.values() {
            let vpc = self.vpc(&table.vpc, inventory);
            let place = self.vpcs.at(vpc).place.clone();
            let mut rows = Vec::new();
            let mut unknown = table.incomplete.then(|| {
                self.gap(Call::RouteTables, &place, &format!("a route of {} cannot be read", table.id))
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
                                unknown = Some(self.gap(Call::PrefixListEntries, &place, &why));
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
            let cidrs: Vec<Cidr> = rows.iter().map(|row| row.cidr).collect();
            let best = AddressMap::new(&cidrs, |address| {
                let at = rows.iter().position(|row| row.cidr.contains(address));
                at.and_then(|at| u32::try_from(at).ok())
            });
            let index = self.tables.push(RouteTableNode {
                id: table.id.clone(),
                name: table.tags.get("Name").cloned(),
                routes: rows,
                unknown,
                best,
            });
            self.table_of.insert(table.id.clone(), index);
        }
    }
}
