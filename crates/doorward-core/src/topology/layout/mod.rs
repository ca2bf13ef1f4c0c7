//! The inventory that declared networks and roles amount to, around what stands already.
//!
//! A resource that stands is found by its tags, and keeps its id, its prefix and all that the declaration does not
//! speak of. One that is to be made has a [planned id](crate::inventory::PlannedId). Nothing that is not ours is
//! changed, but for the security groups that a resource has attached.

mod dependent;
mod draft;
mod elsewhere;
mod endpoints;
mod environment;
mod fixed;
mod gateways;
mod groups;
mod holder;
mod lost;
mod obstacle;
mod subnets;
mod surplus;
mod tables;
mod vpc;
mod zones;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use dependent::Dependent;
pub use draft::{Made, purpose_of};
pub(crate) use endpoints::route_all;
pub(crate) use environment::{forget_balancer, forget_database, forget_instance};
pub(super) use groups::allows;
pub use holder::Holder;
pub use lost::Lost;
pub use obstacle::{Note, Obstacle};
pub(crate) use subnets::follow;
pub(crate) use surplus::forget_subnet;
pub use surplus::installations;
pub use vpc::DefaultParts;

use super::{Environment, Topology, Transition, ZoneId};
use crate::inventory::{AccountRegion, Call, ImageId, Inventory, VpcId};
use crate::name::{InstallationId, NetworkName};
use draft::Draft;

/// Where and by whom networks are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The account and Region whose inventory is given.
    pub account_region: AccountRegion,
    /// The installation that owns what it makes.
    pub by: InstallationId,
    /// The availability zones of the Region with their names in this account, without Local Zones and without zones
    /// that the account has not opted in to; none where they are not known.
    pub zones: Option<BTreeMap<ZoneId, String>>,
    /// Whether these are all zones of the Region, and not only those in which there are subnets.
    pub has_all_zones: bool,
    /// The images that parameters of Systems Manager name, by the names of these, as far as they were read.
    pub images: BTreeMap<String, ImageId>,
}

/// An account as the declaration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The account as it should be.
    pub wanted: Inventory,
    /// What is left as it is, and why.
    pub notes: Vec<Note>,
    /// What an environment loses that is stopped.
    pub lost: Vec<Lost>,
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

/// Lays out the networks of an account and Region, or says all that prevents it.
///
/// A network that is no longer declared is left as it is: [`without`] is for that.
pub fn layout(topology: &Topology, actual: &Inventory, site: &Site) -> Result<Layout, Vec<Obstacle>> {
    layout_of(&topology.networks.keys().cloned().collect(), topology, actual, site)
}

/// Lays out some of the networks of an account and Region; the others stay as they are.
pub fn layout_of(
    networks: &BTreeSet<NetworkName>,
    topology: &Topology,
    actual: &Inventory,
    site: &Site,
) -> Result<Layout, Vec<Obstacle>> {
    let mut draft = Draft::new(actual, site);
    draft.needs(&NEEDED);
    if topology.environments.values().any(|it| networks.contains(&it.network)) {
        draft.needs(&environment::NEEDED);
    }
    if topology.environments.values().any(|it| networks.contains(&it.network) && it.kind.prod().is_some()) {
        draft.needs(&environment::NEEDED_BY_PROD);
    }
    let chosen = |network: &&super::Network| networks.contains(&network.name) && site.is_for(&network.at);
    for network in topology.networks.values().filter(chosen) {
        let vpc = vpc::choose(&mut draft, network);
        if let Some(vpc) = vpc.filter(|vpc| elsewhere::check(&mut draft, network, vpc)) {
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
    let subnets =
        if zones.is_empty() { subnets::Subnets::new() } else { lay_out_subnets(draft, network, vpc, &zones) };
    let groups = groups::lay_out(draft, topology, network, vpc);
    environment::lay_out(draft, topology, network, (vpc, &subnets), &groups);
    holder::attach(draft, topology, network, vpc, &groups);
    surplus::remove(draft, &network.name);
    endpoints::route_all(&mut draft.wanted);
}

fn lay_out_subnets(
    draft: &mut Draft<'_>,
    network: &super::Network,
    vpc: &crate::inventory::VpcId,
    zones: &BTreeSet<ZoneId>,
) -> subnets::Subnets {
    let subnets = subnets::lay_out(draft, network, vpc, zones);
    let internet = gateways::internet(draft, network, vpc);
    let nat = gateways::nat(draft, network, vpc, &subnets);
    let tables = tables::lay_out(draft, network, vpc, &subnets, &internet, &nat);
    endpoints::lay_out(draft, network, vpc, &subnets, &tables);
    subnets::databases(draft, network, vpc, &subnets);
    subnets
}

/// The account without a network, which may be declared or not, or all that prevents its destruction.
pub fn without(name: &NetworkName, actual: &Inventory, site: &Site) -> Result<Layout, Vec<Obstacle>> {
    let mut draft = Draft::new(actual, site);
    draft.needs(&NEEDED);
    surplus::destroy(&mut draft, name);
    draft.finish()
}

/// The account after an environment was started or stopped, or all that prevents it. Nothing else of its network changes.
pub fn after_transition(
    environment: &Environment,
    transition: Transition,
    topology: &Topology,
    actual: &Inventory,
    site: &Site,
) -> Result<Layout, Vec<Obstacle>> {
    let mut draft = Draft::new(actual, site);
    draft.needs(&environment::NEEDED);
    // A stop creates nothing, so what else could not be read does not prevent it.
    if transition == Transition::Start {
        draft.needs(&NEEDED);
        if environment.kind.prod().is_some() {
            draft.needs(&environment::NEEDED_BY_PROD);
        }
    }
    environment::change(&mut draft, topology, environment, transition);
    draft.finish()
}

impl Site {
    /// A site in an inventory, with the zones that were described, or else those that subnets are in.
    pub fn of(inventory: &Inventory, account_region: AccountRegion, by: InstallationId) -> Self {
        let described = inventory.zones.iter().filter(|((at, _), _)| *at == account_region);
        let usable = described.filter(|(_, zone)| zone.is_availability_zone && zone.is_usable);
        let named = |(id, name): (&String, Option<&String>)| {
            Some((id.parse::<ZoneId>().ok()?, name.cloned().unwrap_or_default()))
        };
        let zones: BTreeMap<ZoneId, String> =
            usable.filter_map(|((_, id), zone)| named((id, zone.name.as_ref()))).collect();
        if !zones.is_empty() {
            return Self {
                account_region,
                by,
                zones: Some(zones),
                has_all_zones: true,
                images: BTreeMap::new(),
            };
        }
        let is_here =
            |vpc: &VpcId| inventory.vpcs.get(vpc).is_some_and(|vpc| vpc.account_region == account_region);
        let subnets = inventory.subnets.values().filter(|subnet| is_here(&subnet.vpc));
        let zones: BTreeMap<ZoneId, String> =
            subnets.filter_map(|it| named((it.zone_id.as_ref()?, it.zone.as_ref()))).collect();
        let zones = Some(zones).filter(|zones| !zones.is_empty());
        Self { account_region, by, zones, has_all_zones: false, images: BTreeMap::new() }
    }

    /// Whether a network is declared for this account and Region. A recording may name the account, which a policy does
    /// not, and need not name the Region.
    pub fn is_for(&self, at: &AccountRegion) -> bool {
        let same =
            |one: &Option<String>, other: &Option<String>| one == other || one.is_none() || other.is_none();
        same(&self.account_region.region, &at.region) && same(&self.account_region.profile, &at.profile)
    }

    /// All zones of the Region, as far as they are known.
    fn known_zones(&self) -> BTreeSet<&ZoneId> {
        self.zones.iter().flat_map(BTreeMap::keys).collect()
    }
}
