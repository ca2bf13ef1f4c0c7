//! What the names of instances and databases in DNS resolve to, for whoever asks the DNS server of a VPC.
//!
//! Where both DNS attributes of a VPC are on, its DNS server resolves private names, and public names of the VPC to private
//! addresses; those of a peered VPC as well, if that VPC allows it. Otherwise a public name resolves to the public address,
//! and a private one to nothing (VPC user guide, DNS attributes for your VPC; VPC peering guide, DNS resolution).

use crate::inventory::DnsAttribute;
use crate::reach::code::Code;
use crate::reach::compare::change::Change;
use crate::reach::context::Context;
use crate::reach::network::interfaces::{Named, PacketEnd};
use crate::reach::network::table::{InterfaceIx, VpcIx};
use crate::reach::network::vpcs::VpcNode;
use crate::reach::trace::steps::{StepText, Trace};

/// Whether a public name of something in a VPC resolves to its private address in another, or in the same.
pub(crate) fn is_private(cx: Context<'_>, asking: VpcIx, of: VpcIx) -> bool {
    let on = |vpc: VpcIx| cx.network.vpcs.at(vpc).dns.off().is_none();
    if !on(asking) || !on(of) {
        return false;
    }
    let (near, far) = (&cx.network.vpcs.at(asking).id, &cx.network.vpcs.at(of).id);
    asking == of
        || cx.inventory.peerings.values().any(|peering| {
            let side = peering.other(near).filter(|side| side.vpc == *far);
            peering.state == "active" && side.is_some_and(|side| side.resolves)
        })
}

/// Meets the DNS server of the sender's VPC, where the receiver is called by a private name.
pub(crate) fn resolve(cx: Context<'_>, trace: &mut Trace, from: InterfaceIx, to: PacketEnd) {
    let node = cx.network.vpcs.at(cx.network.interfaces.at(from).vpc);
    if let (Named::PrivateName, Some(attribute)) = (to.named, node.dns.off()) {
        trace.block(|| is_off(node, attribute));
        trace.fix(|| turned_on(node, attribute));
    }
}

/// The DNS server of a VPC does not answer, or not with private addresses.
pub(crate) fn is_off(vpc: &VpcNode, attribute: DnsAttribute) -> StepText {
    let cannot = match attribute {
        DnsAttribute::Support => "its DNS server does not answer",
        DnsAttribute::Hostnames => "its DNS server does not resolve private names",
    };
    StepText::blocked(
        &vpc.id,
        Code::NoDestination,
        format!("{} of the VPC is off, so {cannot}", attribute.name()),
        format!("turn {} of {} on", attribute.name(), vpc.id),
    )
}

/// The change that turns an attribute on.
pub(crate) fn turned_on(vpc: &VpcNode, attribute: DnsAttribute) -> Vec<Change> {
    vec![Change::EnableDns { vpc: vpc.id.clone(), attribute }]
}
