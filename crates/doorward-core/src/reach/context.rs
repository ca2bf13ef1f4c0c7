//! An inventory and the network prepared from it, as every part of a question reads them.

use std::net::IpAddr;

use crate::inventory::{Call, Inventory};
use crate::reach::network::Network;
use crate::reach::network::table::{GapIx, SubnetIx, VpcIx};

/// A question's inventory and what was made of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) network: &'a Network,
    pub(crate) inventory: &'a Inventory,
}

impl Context<'_> {
    pub(crate) fn subnet_with(self, vpc: VpcIx, address: IpAddr) -> Option<SubnetIx> {
        let mut subnets = self.network.subnets.enumerate();
        subnets.find(|(_, subnet)| subnet.vpc == vpc && subnet.contains(address)).map(|(index, _)| index)
    }

    pub(crate) fn gap(self, call: Call, vpc: VpcIx) -> Option<GapIx> {
        let place = &self.network.vpcs.at(vpc).place;
        let known = |gap: &crate::inventory::Gap| gap.place == *place && gap.is_of(call);
        self.network.gaps.enumerate().find(|(_, gap)| known(gap)).map(|(index, _)| index)
    }
}
