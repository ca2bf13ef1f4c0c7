//! Resources of a network that are in another VPC than the one that is declared.

use std::collections::{BTreeMap, BTreeSet};

use super::Obstacle;
use super::draft::{Draft, Made, purpose_of};
use crate::inventory::{
    Endpoint, InternetGateway, Inventory, NatGateway, RouteTable, SecurityGroup, Subnet, SubnetGroup, Vpc,
    VpcId,
};
use crate::name::NetworkName;
use crate::topology::{Network, VpcChoice};

/// Whether a network is in its declared VPC alone; an obstacle otherwise.
///
/// AWS moves no resource to another VPC. Without this check, the resources that the new VPC needs as well would be taken for
/// those of the old one, and the others would be removed from it.
pub(super) fn check(draft: &mut Draft<'_>, network: &Network, vpc: &VpcId) -> bool {
    let mut elsewhere = count(draft, &network.name);
    elsewhere.remove(vpc);
    if matches!(network.vpc, VpcChoice::Made(_)) {
        // A lost answer can leave a second VPC, with nothing in it.
        let second: BTreeSet<&VpcId> = draft.vpcs_of(&network.name).iter().map(|it| &it.id).collect();
        elsewhere.retain(|vpc, count| *count > 1 || !second.contains(vpc));
    }
    if elsewhere.is_empty() {
        return true;
    }
    let declared = match &network.vpc {
        VpcChoice::Made(_) if !draft.actual.vpcs.contains_key(vpc) => "a new VPC".to_owned(),
        VpcChoice::Made(_) | VpcChoice::Existing(_) => vpc.to_string(),
        VpcChoice::Default => format!("the default VPC {vpc}"),
    };
    draft.obstacle(Obstacle::OtherVpc { network: network.name.clone(), declared, elsewhere });
    false
}

/// How many resources of a network each VPC has, the VPC itself included. A gateway that AWS failed to create goes by itself,
/// and counts for nothing.
pub(super) fn count(draft: &Draft<'_>, network: &NetworkName) -> BTreeMap<VpcId, usize> {
    fn vpcs<K: Made>(
        draft: &Draft<'_>,
        network: &NetworkName,
        vpc_of: impl Fn(&K) -> Option<&VpcId>,
    ) -> Vec<VpcId> {
        let is_of = |it: &&K| purpose_of(it.tags(), &draft.site.by).is_some_and(|of| of.network == *network);
        K::all(draft.actual).values().filter(is_of).filter_map(vpc_of).cloned().collect()
    }
    let found = [
        vpcs::<Vpc>(draft, network, |it| Some(&it.id)),
        vpcs::<Subnet>(draft, network, |it| Some(&it.vpc)),
        vpcs::<RouteTable>(draft, network, |it| Some(&it.vpc)),
        vpcs::<InternetGateway>(draft, network, |it| it.vpc.as_ref()),
        vpcs::<NatGateway>(draft, network, |it| Some(&it.vpc).filter(|_| it.state != "failed")),
        vpcs::<Endpoint>(draft, network, |it| Some(&it.vpc)),
        vpcs::<SecurityGroup>(draft, network, |it| it.vpc.as_ref()),
        subnet_group(draft.actual, draft, network).into_iter().collect(),
    ];
    let mut counts = BTreeMap::new();
    for vpc in found.into_iter().flatten() {
        *counts.entry(vpc).or_default() += 1;
    }
    counts
}

/// The VPC of the network's DB subnet group.
fn subnet_group(inventory: &Inventory, draft: &Draft<'_>, network: &NetworkName) -> Option<VpcId> {
    let name = SubnetGroup::owned_name(&draft.site.by, network);
    let key = (draft.site.account_region.clone(), name);
    inventory.database_subnet_groups.get(&key)?.vpc.clone()
}
