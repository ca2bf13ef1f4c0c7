//! In which zones a network has subnets.

use std::collections::BTreeSet;

use super::draft::{Draft, purpose_of};
use super::surplus::occupants;
use super::{Note, Obstacle};
use crate::inventory::VpcId;
use crate::topology::{Network, Part, ZoneId, Zones};

/// The zones: those declared, and those whose subnets are in use.
///
/// Of a number of zones, those stay that the network has subnets in; others are added in the order of their ids. It is never
/// the first of a list, in which a new zone would move all others.
pub(super) fn choose(draft: &mut Draft<'_>, network: &Network, vpc: &VpcId) -> BTreeSet<ZoneId> {
    let standing = standing(draft, network);
    let mut zones = match &network.zones {
        Zones::These(zones) => {
            these(draft, network, zones);
            zones.clone()
        }
        Zones::Count(count) => counted(draft, network, &standing, *count),
    };
    for zone in standing.difference(&zones.clone()) {
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
            draft.note(Note::InUse { what, users });
        }
    }
    zones
}

/// The zones in which the network has subnets already.
fn standing(draft: &Draft<'_>, network: &Network) -> BTreeSet<ZoneId> {
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
    let Some(offered) = &draft.site.zones else { return };
    for zone in zones.iter().filter(|zone| !offered.contains_key(*zone)) {
        let offered: Vec<&str> = offered.keys().map(ZoneId::as_str).collect();
        draft.obstacle(Obstacle::NoZone {
            network: network.name.clone(),
            zone: zone.clone(),
            place: draft.site.place.clone(),
            offered: offered.join(", "),
        });
    }
}

fn counted(
    draft: &mut Draft<'_>,
    network: &Network,
    standing: &BTreeSet<ZoneId>,
    count: u8,
) -> BTreeSet<ZoneId> {
    let (name, place) = (network.name.clone(), draft.site.place.clone());
    let wanted = usize::from(count);
    if standing.len() < wanted {
        match &draft.site.zones {
            None => draft.obstacle(Obstacle::UnknownZones { network: name, place }),
            Some(offered) if offered.len() < wanted => {
                let offered = offered.len();
                draft.obstacle(Obstacle::FewZones { network: name, count, place, offered });
            }
            Some(_) => {}
        }
    }
    let offered = draft.site.known_zones();
    let others = offered.into_iter().filter(|zone| !standing.contains(*zone));
    standing.iter().chain(others).take(wanted).cloned().collect()
}
