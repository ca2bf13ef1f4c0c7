//! Network ACLs: what their entries allow for each address.

use std::net::IpAddr;

use crate::inventory::{AclEntry, Call, Direction, Inventory, NetworkAclId};
use crate::net::{Cidr, Family};
use crate::reach::flows::Flows;
use crate::reach::flows::bounds::Bounds;
use crate::reach::network::Network;
use crate::reach::network::address_map::AddressMap;
use crate::reach::network::table::GapIx;

#[derive(Debug)]
pub(crate) struct AclNode {
    pub(crate) id: NetworkAclId,
    pub(crate) name: Option<String>,
    pub(crate) entries: Vec<AclEntry>,
    pub(crate) incomplete: Option<GapIx>,
    pub(crate) inward: AddressMap<Bounds>,
    pub(crate) outward: AddressMap<Bounds>,
}

impl AclNode {
    /// What it lets through in a direction, by the address of the other side.
    pub(crate) fn lets(&self, direction: Direction, other: IpAddr) -> Bounds {
        let line = match direction {
            Direction::In => &self.inward,
            Direction::Out => &self.outward,
        };
        line.at(other).cloned().unwrap_or_else(Bounds::none)
    }
}

/// What sorted entries let through for one other address: the first that matches decides.
pub(crate) fn decided(entries: &[AclEntry], direction: Direction, other: IpAddr) -> Flows {
    let family = if other.is_ipv4() { Family::V4 } else { Family::V6 };
    let (mut open, mut allowed) = (Flows::of_family(family), Flows::NONE);
    for entry in entries.iter().filter(|entry| entry.direction == direction && entry.cidr.contains(other)) {
        let decides = Flows::from(entry.flow).and(&open);
        if entry.allow {
            allowed = allowed.union(&decides);
        }
        open = open.minus(&decides);
        if open.is_empty() {
            break;
        }
    }
    allowed
}

impl Network {
    pub(crate) fn acls(&mut self, inventory: &Inventory) {
        for acl in inventory.network_acls.values() {
            let vpc = self.vpc(&acl.vpc, inventory);
            let account_region = self.vpcs.at(vpc).account_region.clone();
            let incomplete = acl.incomplete.then(|| {
                self.gap(
                    Call::NetworkAcls,
                    &account_region,
                    &format!("an entry of {} cannot be read", acl.id),
                )
            });
            let mut entries = acl.entries.clone();
            entries.sort_by_key(|entry| entry.number);
            let cidrs: Vec<Cidr> = entries.iter().map(|entry| entry.cidr).collect();
            let line = |direction: Direction| {
                AddressMap::new(&cidrs, |address| {
                    let bounds = Bounds::exact(decided(&entries, direction, address));
                    // An entry that cannot be read may decide anything.
                    if incomplete.is_some() {
                        Bounds { must: Flows::NONE, may: Flows::all() }
                    } else {
                        bounds
                    }
                })
            };
            let (inward, outward) = (line(Direction::In), line(Direction::Out));
            let index = self.acls.push(AclNode {
                id: acl.id.clone(),
                name: acl.tags.get("Name").cloned(),
                entries,
                incomplete,
                inward,
                outward,
            });
            self.acl_of.insert(acl.id.clone(), index);
        }
    }
}
