//! The inventory that declared networks and roles amount to, around what stands already.
//!
//! A resource that stands is found by its tags, and keeps its id, its prefix and all that the declaration does not speak of.
//! One that is to be made has a [planned id](crate::inventory::PlannedId). Nothing that is not ours is changed, but for the
//! security groups that a resource has attached.

mod draft;
mod endpoints;
mod gateways;
mod groups;
mod holder;
mod obstacle;
mod subnets;
mod surplus;
mod tables;
mod vpc;
mod zones;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use draft::{Made, purpose_of};
pub(crate) use endpoints::route_all;
pub use holder::Holder;
pub use obstacle::{Note, Obstacle};
pub(crate) use surplus::forget_subnet;
pub use vpc::DefaultParts;

use super::{Topology, ZoneId};
use crate::inventory::{Call, Inventory, Place};
use crate::name::{InstallationId, NetworkName};
use draft::Draft;

/// Where and by whom networks are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The account and Region whose inventory is given.
    pub place: Place,
    /// The installation that owns what it makes.
    pub by: InstallationId,
    /// The availability zones of the Region with their names in this account, without Local Zones and without zones that the
    /// account has not opted in to; none where they are not known.
    pub zones: Option<BTreeMap<ZoneId, String>>,
}

/// An account as the declaration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The account as it should be.
    pub wanted: Inventory,
    /// What is left as it is, and why.
    pub notes: Vec<Note>,
}

/// The calls without whose answers a resource that stands would be made again.
const NEEDED: [Call; 11] = [
    Call::Vpcs,
    Call::Subnets,
    Call::RouteTables,
    Call::InternetGateways,
    Call::NatGateways,
    Call::Endpoints,
    Call::SecurityGroups,
    Call::SecurityGroupRules,
    Call::Interfaces,
    Call::Addresses,
    Call::DatabaseSubnetGroups,
];

/// Lays out the networks of a place, or says all that prevents it.
///
/// A network that is no longer declared is left as it is: [`without`] is for that.
pub fn layout(topology: &Topology, actual: &Inventory, site: &Site) -> Result<Layout, Vec<Obstacle>> {
    let mut draft = Draft::new(actual, site);
    draft.needs(&NEEDED);
    for network in topology.networks.values().filter(|network| site.is_for(&network.at)) {
        if let Some(vpc) = vpc::choose(&mut draft, network) {
            lay_out(&mut draft, topology, network, &vpc);
        }
    }
    surplus::undeclared(&mut draft, topology);
    draft.finish()
}

fn lay_out(
    draft: &mut Draft<'_>,
    topology: &Topology,
    network: &super::Network,
    vpc: &crate::inventory::VpcId,
) {
    let zones = zones::choose(draft, network, vpc);
    let subnets = subnets::lay_out(draft, network, vpc, &zones);
    let internet = gateways::internet(draft, network, vpc);
    let nat = gateways::nat(draft, network, vpc, &subnets);
    let tables = tables::lay_out(draft, network, vpc, &subnets, &internet, &nat);
    endpoints::lay_out(draft, network, vpc, &subnets, &tables);
    subnets::databases(draft, network, vpc, &subnets);
    let groups = groups::lay_out(draft, topology, network, vpc);
    holder::attach(draft, topology, network, vpc, &groups);
    surplus::remove(draft, &network.name);
    endpoints::route_all(&mut draft.wanted);
}

/// The account without a network, which may be declared or not, or all that prevents its destruction.
pub fn without(name: &NetworkName, actual: &Inventory, site: &Site) -> Result<Layout, Vec<Obstacle>> {
    let mut draft = Draft::new(actual, site);
    draft.needs(&NEEDED);
    surplus::destroy(&mut draft, name);
    draft.finish()
}

impl Site {
    /// Whether a network is declared for this place. A recording may name the account, which a policy does not.
    pub fn is_for(&self, at: &Place) -> bool {
        let same =
            |one: &Option<String>, other: &Option<String>| one == other || one.is_none() || other.is_none();
        self.place.region == at.region && same(&self.place.profile, &at.profile)
    }

    /// All zones of the Region, as far as they are known.
    fn known_zones(&self) -> BTreeSet<&ZoneId> {
        self.zones.iter().flat_map(BTreeMap::keys).collect()
    }
}
