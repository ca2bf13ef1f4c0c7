//! Which networks are planned, and in which accounts and Regions they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use doorward_core::inventory::{AccountRegion, Image, ImageId, Inventory};
use doorward_core::name::NetworkName;
use doorward_core::plan::network::Quota;
use doorward_core::policy::{Policy, did_you_mean};
use doorward_core::topology::Topology;

use super::From;
use crate::cloud::Cloud;
use crate::command::account::{self, Account, Remarks, Source};
use crate::command::{Code, Failure, runtime};

/// The networks of one account and Region, and what was read there.
pub(in crate::command) struct Read {
    /// The account and Region as the inventory names them.
    pub account_region: AccountRegion,
    /// As the policy names them.
    pub declared: AccountRegion,
    /// The networks to plan.
    pub networks: BTreeSet<NetworkName>,
    /// The account.
    pub inventory: Inventory,
    /// The quotas that were read.
    pub quotas: BTreeMap<Quota, u32>,
    /// The images that parameters name.
    pub images: BTreeMap<String, ImageId>,
}

/// All that was read.
pub(in crate::command) struct AllRead {
    pub each: Vec<Read>,
    /// Whether the accounts were read from a recording.
    pub is_recorded: bool,
    pub remarks: Remarks,
}

/// The networks that are named, or all of the policy.
pub(super) fn networks(
    topology: &Topology,
    chosen: &[NetworkName],
) -> Result<BTreeSet<NetworkName>, Failure> {
    if topology.networks.is_empty() {
        let failure = Failure::new(Code::Data, "the policy declares no network, so there is nothing to plan");
        return Err(failure.hint("add `[network.main]`, which has a default for everything"));
    }
    if chosen.is_empty() {
        return Ok(topology.networks.keys().cloned().collect());
    }
    if let Some(name) = chosen.iter().find(|name| !topology.networks.contains_key(*name)) {
        let failure = Failure::new(Code::Usage, format!("the policy has no `[network.{name}]`"));
        let known: Vec<&str> = topology.networks.keys().map(NetworkName::as_str).collect();
        return Err(failure.hint(match did_you_mean(name.as_str(), known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("its networks are {}", known.join(", ")),
        }));
    }
    Ok(chosen.iter().cloned().collect())
}

/// Reads the account of each network, live or recorded.
pub(in crate::command) fn read(
    policy: &Policy,
    networks: &BTreeSet<NetworkName>,
    from: &From,
) -> Result<AllRead, Failure> {
    let mut declared: BTreeMap<AccountRegion, BTreeSet<NetworkName>> = BTreeMap::new();
    for network in policy.topology.networks.values().filter(|it| networks.contains(&it.name)) {
        declared.entry(network.at.clone()).or_default().insert(network.name.clone());
    }
    let Some(path) = &from.inventory else { return live(policy, declared) };
    let source = Source { inventory: None, assume: from.assume, profile: Vec::new(), region: Vec::new() };
    let Account { inventory, remarks } = source.recorded(path)?;
    let recorded = recorded_places(&inventory);
    let mut each = Vec::new();
    for (declared, networks) in declared {
        let account_region = recorded_place(path, &inventory, &recorded, &declared)?;
        let inventory = inventory.clone();
        each.push(Read {
            account_region,
            declared,
            networks,
            inventory,
            quotas: BTreeMap::new(),
            images: BTreeMap::new(),
        });
    }
    one_region(path, &each)?;
    Ok(AllRead { each, is_recorded: true, remarks })
}

fn live(
    policy: &Policy,
    declared: BTreeMap<AccountRegion, BTreeSet<NetworkName>>,
) -> Result<AllRead, Failure> {
    let mut each = Vec::new();
    for (declared, networks) in declared {
        let inventory = account::survey(&BTreeSet::from([declared.clone()]))?;
        let quotas = runtime()?.block_on(Cloud::live().quotas(&declared));
        let parameters = parameters(&policy.topology, &networks);
        let images = runtime()?.block_on(Cloud::live().images(&declared, &parameters));
        let account_region = seen_place(&inventory, &declared);
        each.push(Read { account_region, declared, networks, inventory, quotas, images });
    }
    Ok(AllRead { each, is_recorded: false, remarks: Remarks::default() })
}

/// The parameters that name images of the environments of some networks.
fn parameters(topology: &Topology, networks: &BTreeSet<NetworkName>) -> BTreeSet<String> {
    let environments = topology.environments.values().filter(|it| networks.contains(&it.network));
    let parameter = |image: &Image| match image {
        Image::Parameter(name) => Some(name.clone()),
        Image::Id(_) => None,
    };
    environments.filter_map(|it| parameter(&it.image)).collect()
}

/// A declared account and Region as a survey names it, which finds out the account and the Region.
pub(in crate::command) fn seen_place(inventory: &Inventory, declared: &AccountRegion) -> AccountRegion {
    let is_here = |account_region: &AccountRegion| {
        account_region.profile == declared.profile
            && (declared.region.is_none() || account_region.region == declared.region)
    };
    recorded_places(inventory).into_iter().find(is_here).unwrap_or_else(|| declared.clone())
}

/// The accounts and Regions of which an inventory has anything.
fn recorded_places(inventory: &Inventory) -> BTreeSet<AccountRegion> {
    let zones = inventory.zones.keys().map(|(account_region, _)| account_region);
    let groups = inventory.groups.values().map(|group| &group.account_region);
    let vpcs = inventory.vpcs.values().map(|vpc| &vpc.account_region);
    let gaps = inventory.gaps.iter().map(|gap| &gap.account_region);
    zones.chain(groups).chain(vpcs).chain(gaps).cloned().collect()
}

/// The recorded account and Region that a network is in.
fn recorded_place(
    path: &Path,
    inventory: &Inventory,
    recorded: &BTreeSet<AccountRegion>,
    declared: &AccountRegion,
) -> Result<AccountRegion, Failure> {
    let fits = |account_region: &&AccountRegion| {
        account_region.region.is_none() || account_region.region == declared.region
    };
    let mut fitting = recorded.iter().filter(fits);
    let (first, second) = (fitting.next(), fitting.next());
    let region = declared.region.as_deref().unwrap_or("the default Region");
    match (first, second) {
        (Some(account_region), None) => {
            if let Some(other) = region_of(inventory, account_region).filter(|other| other != region) {
                let what =
                    format!("`{}` is a recording of {other}, and the policy names {region}", path.display());
                return Err(Failure::new(Code::Data, what).hint("record the Region that the policy names"));
            }
            Ok(account_region.clone())
        }
        (Some(one), Some(other)) => {
            let what = format!("`{}` has several accounts: {one}, {other}", path.display());
            Err(Failure::new(Code::Usage, what).hint("name the folder of one of them with `--inventory`"))
        }
        (None, _) if recorded.is_empty() => Ok(AccountRegion { profile: None, ..declared.clone() }),
        (None, _) => {
            let what = format!("`{}` has nothing of {region}", path.display());
            let known: Vec<String> = recorded.iter().map(ToString::to_string).collect();
            Err(Failure::new(Code::Data, what).hint(format!("it has {}", known.join(", "))))
        }
    }
}

/// The Region of a recording that is in no folder of a Region, as its zones name it: `eu-west-1a` is a zone of eu-west-1.
fn region_of(inventory: &Inventory, account_region: &AccountRegion) -> Option<String> {
    if account_region.region.is_some() {
        return None;
    }
    let zones = inventory.zones.iter().filter(|((at, _), _)| at == account_region);
    let described =
        zones.filter(|(_, zone)| zone.is_availability_zone).find_map(|(_, zone)| zone.region.clone());
    let of_zone =
        |zone: &String| zone.strip_suffix(|last: char| last.is_ascii_lowercase()).map(str::to_owned);
    let of_subnets =
        || inventory.subnets.values().filter_map(|subnet| subnet.zone.as_ref()).find_map(of_zone);
    described.or_else(of_subnets)
}

/// That a recording without a Region is not taken for two of them.
fn one_region(path: &Path, each: &[Read]) -> Result<(), Failure> {
    let regions: BTreeSet<&AccountRegion> =
        each.iter().filter(|it| it.account_region.region.is_none()).map(|it| &it.declared).collect();
    if regions.len() < 2 {
        return Ok(());
    }
    let what =
        format!("the networks are in several Regions, and `{}` does not say of which it is", path.display());
    Err(Failure::new(Code::Usage, what)
        .hint("put the answers into folders that are named like their Regions"))
}
