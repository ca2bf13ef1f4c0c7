//! VPC Block Public Access.

use crate::inventory::{BlockMode, Excepted};
use crate::reach::context::Context;
use crate::reach::network::table::SubnetIx;

/// Whether Block Public Access forbids an internet gateway (VPC user guide, Block Public Access).
pub(crate) fn forbids(cx: Context<'_>, subnet: SubnetIx, inward: bool, translated: bool) -> bool {
    let node = cx.network.subnets.at(subnet);
    let vpc = cx.network.vpcs.at(node.vpc);
    let Some(block) = cx.inventory.block_public_access.get(&vpc.account_region) else { return false };
    let mut excepting = block.exclusions.iter().filter(|exclusion| match &exclusion.of {
        Excepted::Vpc(id) => *id == vpc.id,
        Excepted::Subnet(id) => *id == node.id,
    });
    let forbidden = match block.mode {
        BlockMode::Off => false,
        BlockMode::Bidirectional => true,
        BlockMode::Ingress => inward || !translated,
    };
    forbidden && !excepting.any(|exclusion| exclusion.both_ways || !inward)
}
