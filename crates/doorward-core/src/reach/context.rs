//! An inventory and the network prepared from it, as every part of a question reads them.

use std::net::IpAddr;

use crate::inventory::{Call, InternetGateway, Inventory, LoadBalancer};
use crate::reach::network::Network;
use crate::reach::network::interfaces::PacketEnd;
use crate::reach::network::table::{GapIx, SubnetIx, VpcIx};
use crate::reach::question::stands_for::StandsFor;

/// A question's inventory and what was made of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) network: &'a Network,
    pub(crate) inventory: &'a Inventory,
    /// An address that stands for others, and what people call these.
    pub(crate) called: Option<&'a StandsFor>,
}

impl<'a> Context<'a> {
    /// The same, where an address is called by another name.
    pub(crate) fn calling(self, meant: &'a StandsFor) -> Self {
        Self { called: Some(meant), ..self }
    }

    /// What an address is called.
    pub(crate) fn words(self, address: IpAddr) -> String {
        self.called.and_then(|meant| meant.words(address)).unwrap_or_else(|| address.to_string())
    }

    pub(crate) fn subnet_with(self, vpc: VpcIx, address: IpAddr) -> Option<SubnetIx> {
        let mut subnets = self.network.vpcs.at(vpc).subnets.iter().copied();
        subnets.find(|subnet| self.network.subnets.at(*subnet).contains(address))
    }

    pub(crate) fn internet_gateway(self, vpc: VpcIx) -> Option<&'a InternetGateway> {
        let id = self.network.vpcs.at(vpc).internet_gateway.as_ref()?;
        self.inventory.internet_gateways.get(id)
    }

    /// The load balancers that may send to an address of an interface.
    pub(crate) fn balancers_sending_to(self, to: PacketEnd) -> impl Iterator<Item = &'a LoadBalancer> {
        let node = self.network.interfaces.at(to.interface);
        let keys = self.network.balancers.sending_to(node, to.own.address);
        keys.into_iter().filter_map(move |key| self.inventory.load_balancers.get(key))
    }

    pub(crate) fn gap(self, call: Call, vpc: VpcIx) -> Option<GapIx> {
        let account_region = &self.network.vpcs.at(vpc).account_region;
        let known = |gap: &crate::inventory::Gap| gap.account_region == *account_region && gap.is_of(call);
        self.network.gaps.enumerate().find(|(_, gap)| known(gap)).map(|(index, _)| index)
    }
}
