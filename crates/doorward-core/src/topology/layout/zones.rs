//! In which zones a network has subnets.

use std::collections::BTreeSet;

use super::Obstacle;
use super::draft::{Draft, purpose_of};
use super::surplus::occupants;
use crate::inventory::VpcId;
use crate::topology::{Network, Part, ZoneId, Zones};

/// The zones: those declared, and those whose subnets are in use.
///
/// Of a number of zones, those stay that the network has subnets in; others are added in the order of their ids. It is never
/// the first of a list, in which a new zone would move all others.
pub(super) fn choose(draft: &mut Draft<'_>, network: &Network, vpc: &VpcId) -> BTreeSet<ZoneId> {
    let existing = existing(draft, network);
    let mut zones = match &network.zones {
        Zones::These(zones) => {
            these(draft, network, zones);
            zones.clone()
        }
        Zones::Count(count) => counted(draft, network, &existing, *count),
    };
    for zone in existing.difference(&zones.clone()) {
        let subnets = draft.actual.subnets.values().filter(|subnet| {
            let of = purpose_of(&subnet.tags, &draft.site.by).filter(|of| of.network == network.name);
            of.is_some_and(|of| matches!(of.part, Part::Subnet(_, in_zone) if in_zone == *zone))
        });
        let used: Vec<_> = subnets
            .map(|subnet| ((&subnet.id).into(), occupants(draft, vpc, &subnet.id)))
            .filter(|(_, users)| !users.is_empty())
            .collect();
        for (what, users) in used {
            zones.insert(zone.clone());
            draft.in_use(what, users);
        }
    }
    zones
}

/// The zones in which the network has subnets already.
fn existing(draft: &Draft<'_>, network: &Network) -> BTreeSet<ZoneId> {
    let subnets = draft.actual.subnets.values();
    let purposes = subnets.filter_map(|subnet| purpose_of(&subnet.tags, &draft.site.by));
    purposes
        .filter(|purpose| purpose.network == network.name)
        .filter_map(|purpose| match purpose.part {
            Part::Subnet(_, zone) => Some(zone),
            _ => None,
        })
        .collect()
}

fn these(draft: &mut Draft<'_>, network: &Network, zones: &BTreeSet<ZoneId>) {
    let Some(offered) = draft.site.zones.as_ref().filter(|_| draft.site.has_all_zones) else { return };
    for zone in zones.iter().filter(|zone| !offered.contains_key(*zone)) {
        let offered: Vec<&str> = offered.keys().map(ZoneId::as_str).collect();
        draft.obstacle(Obstacle::NoZone {
            network: network.name.clone(),
            zone: zone.clone(),
            account_region: draft.site.account_region.clone(),
            offered: offered.join(", "),
        });
    }
}

fn counted(
    draft: &mut Draft<'_>,
    network: &Network,
    existing: &BTreeSet<ZoneId>,
    count: u8,
) -> BTreeSet<ZoneId> {
    let (name, account_region) = (network.name.clone(), draft.site.account_region.clone());
    let wanted = usize::from(count);
    if existing.len() < wanted {
        match &draft.site.zones {
            None => draft.obstacle(Obstacle::UnknownZones { network: name, account_region }),
            Some(offered) if offered.len() < wanted && !draft.site.has_all_zones => {
                draft.obstacle(Obstacle::UnknownZones { network: name, account_region });
            }
            Some(offered) if offered.len() < wanted => {
                let offered = offered.len();
                draft.obstacle(Obstacle::FewZones { network: name, count, account_region, offered });
            }
            Some(_) => {}
        }
    }
    let offered = draft.site.known_zones();
    let others = offered.into_iter().filter(|zone| !existing.contains(*zone));
    existing.iter().chain(others).take(wanted).cloned().collect()
}
