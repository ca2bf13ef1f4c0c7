//! The subnets of a network, and its DB subnet group.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{Note, Obstacle};
use crate::inventory::{Database, Inventory, Subnet, SubnetGroup, SubnetId, VpcId};
use crate::net::{Cidr, Family};
use crate::topology::slot::Pairs;
use crate::topology::{Network, Part, Purpose, SubnetKind, VpcChoice, ZoneId};

/// The subnets of a network by kind and zone.
pub(super) type Subnets = BTreeMap<(SubnetKind, ZoneId), SubnetId>;

/// A public and a private subnet in each zone. Those that stand keep their prefixes, whatever `subnets` says by now.
pub(super) fn lay_out(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    zones: &BTreeSet<ZoneId>,
) -> Subnets {
    let mut subnets = Subnets::new();
    // Those that stand are kept first, so that no new one takes their prefix.
    for zone in zones {
        for kind in SubnetKind::ALL {
            if let Some(subnet) = draft.existing::<Subnet>(&purpose(network, kind, zone)) {
                let id = subnet.id.clone();
                draft.keep(&id);
                subnets.insert((kind, zone.clone()), id);
            }
        }
    }
    for zone in zones {
        let missing: Vec<SubnetKind> = SubnetKind::ALL
            .into_iter()
            .filter(|kind| !subnets.contains_key(&(*kind, zone.clone())))
            .collect();
        if missing.is_empty() {
            continue;
        }
        let Some(pair) = pair(draft, network, vpc, zone, zones, &missing) else {
            draft.obstacle(Obstacle::NoRoom {
                network: network.name.clone(),
                vpc: vpc.clone(),
                zone: zone.clone(),
                bits: network.subnet_bits,
            });
            continue;
        };
        for kind in missing {
            let Some(cidr) = pair.0.subnet(pair.1, kind) else { continue };
            let id = make(draft, network, vpc, kind, zone, cidr);
            subnets.insert((kind, zone.clone()), id);
        }
    }
    subnets
}

fn purpose(network: &Network, kind: SubnetKind, zone: &ZoneId) -> Purpose {
    Purpose::of(&network.name, Part::Subnet(kind, zone.clone()))
}

fn make(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    kind: SubnetKind,
    zone: &ZoneId,
    cidr: Cidr,
) -> SubnetId {
    let name = draft.site.zones.as_ref().and_then(|zones| zones.get(zone)).cloned();
    let id = draft.put::<Subnet>(
        &purpose(network, kind, zone),
        |subnet| &subnet.id,
        |id, tags| Subnet {
            id,
            vpc: vpc.clone(),
            zone: name,
            zone_id: Some(zone.to_string()),
            cidrs: BTreeSet::from([cidr]),
            tags,
        },
    );
    // Every subnet is associated with the default network ACL until it is associated with another.
    let acl = draft.wanted.network_acls.values_mut().find(|acl| acl.default && acl.vpc == *vpc);
    if let Some(acl) = acl {
        acl.subnets.insert(id.clone());
    }
    id
}

/// The pair of prefixes for a zone: next to what the zone has already, or the zone's own, or the first that is free and
/// that no other zone has as its own.
fn pair(
    draft: &Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    zone: &ZoneId,
    zones: &BTreeSet<ZoneId>,
    missing: &[SubnetKind],
) -> Option<(Pairs, u32)> {
    let from_end = !matches!(network.vpc, VpcChoice::Made(_));
    let within = draft.wanted.vpcs.get(vpc)?;
    let taken: Vec<Cidr> = draft
        .wanted
        .subnets
        .values()
        .filter(|subnet| subnet.vpc == *vpc)
        .flat_map(|subnet| subnet.cidrs.iter().copied())
        .collect();
    let is_free = |cidr: Cidr| !taken.iter().any(|other| other.covers(cidr) || cidr.covers(*other));
    let has = |pairs: Pairs, pair: u32| {
        SubnetKind::ALL.into_iter().filter(|kind| !missing.contains(kind)).any(|kind| {
            let existing = draft.existing::<Subnet>(&purpose(network, kind, zone));
            let cidr = pairs.subnet(pair, kind);
            existing.zip(cidr).is_some_and(|(existing, cidr)| existing.cidrs.contains(&cidr))
        })
    };
    let fits =
        |pairs: Pairs, pair: u32| missing.iter().all(|kind| pairs.subnet(pair, *kind).is_some_and(is_free));
    let families = within.cidrs.iter().filter(|cidr| cidr.family() == Family::V4);
    let blocks: Vec<Pairs> =
        families.filter_map(|cidr| Pairs::of(*cidr, network.subnet_bits, from_end)).collect();
    let others: BTreeSet<&ZoneId> =
        draft.site.known_zones().into_iter().chain(zones).filter(|other| *other != zone).collect();
    let all = || blocks.iter().flat_map(|pairs| (0..pairs.count()).map(|pair| (*pairs, pair)));
    let own = || blocks.iter().filter_map(|pairs| Some((*pairs, pairs.preferred(zone)?)));
    let unclaimed =
        |pairs: Pairs, pair: u32| !others.iter().any(|other| pairs.preferred(other) == Some(pair));
    all()
        .filter(|(pairs, pair)| has(*pairs, *pair))
        .chain(own())
        .chain(all().filter(|(pairs, pair)| unclaimed(*pairs, *pair)))
        .chain(all())
        .find(|(pairs, pair)| fits(*pairs, *pair))
}

/// Databases have the subnets of their DB subnet group.
pub(crate) fn follow(inventory: &mut Inventory, group: &SubnetGroup) {
    let is_in = |it: &&mut Database| {
        it.account_region == group.account_region && it.settings.subnet_group.as_ref() == Some(&group.name)
    };
    for database in inventory.databases.values_mut().filter(is_in) {
        database.subnets.clone_from(&group.subnets);
    }
}

/// The DB subnet group of the private subnets. RDS refuses one that does not cover two zones (RDS API reference,
/// `DBSubnetGroupDoesNotCoverEnoughAZs`).
pub(super) fn databases(draft: &mut Draft<'_>, network: &Network, vpc: &VpcId, subnets: &Subnets) {
    let private = subnets.iter().filter(|((kind, _), _)| *kind == SubnetKind::Private);
    let private: BTreeSet<SubnetId> = private.map(|(_, id)| id.clone()).collect();
    if private.len() < 2 {
        draft.note(Note::OneZone { network: network.name.clone() });
        return;
    }
    let name = SubnetGroup::owned_name(&draft.site.by, &network.name);
    draft.keep(&name);
    let account_region = draft.site.account_region.clone();
    let group = SubnetGroup {
        name: name.clone(),
        account_region: account_region.clone(),
        vpc: Some(vpc.clone()),
        subnets: private,
    };
    draft.wanted.database_subnet_groups.insert((account_region, name), group.clone());
    follow(&mut draft.wanted, &group);
}
