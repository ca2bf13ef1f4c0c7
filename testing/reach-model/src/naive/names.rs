//! What names in DNS resolve to, for whoever asks the DNS server of a VPC.

use doorward_core::inventory::*;

/// [24] Whether the public name of something in a VPC resolves to its private address for whoever is in another, or in
/// the same.
pub fn resolves_privately(inventory: &Inventory, asking: &VpcId, of: &VpcId) -> bool {
    let both_on = |vpc: &VpcId| {
        let DnsAttributes { support, hostnames } = inventory.vpcs[vpc].dns;
        support.unwrap_or(true) && hostnames.unwrap_or(true)
    };
    let allowed = |peering: &Peering| {
        let sides = [&peering.requester, &peering.accepter];
        let there = sides.iter().any(|side| side.vpc == *asking);
        let here = sides.iter().find(|side| side.vpc == *of);
        peering.state == "active" && there && here.is_some_and(|side| side.resolves)
    };
    both_on(asking) && both_on(of) && (asking == of || inventory.peerings.values().any(allowed))
}

/// [24] Whether a private name resolves at all for whoever is in a VPC.
pub fn resolves_private_names(inventory: &Inventory, asking: &VpcId) -> bool {
    resolves_privately(inventory, asking, asking)
}
