//! Connected components of VPCs: no packet gets from one component into another, as far as routes are known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::{
    AttachmentTarget, Call, EndpointKind, NatAvailability, RouteTarget, TransitGatewayId,
};
use crate::net::Family;
use crate::reach::context::Context;
use crate::reach::network::table::{Index, Table, TableIx, VpcIx, index};
use crate::reach::trace::hop::appliance;

index!(ComponentIx);

/// The components of a network.
#[derive(Debug, Default)]
pub(super) struct Components {
    /// The route tables of each.
    tables: Table<ComponentIx, Vec<TableIx>>,
    of_vpc: Vec<ComponentIx>,
    /// From these a packet may get anywhere, since not all of their routes are known.
    uncertain: BTreeSet<ComponentIx>,
}

impl Components {
    pub(super) fn of(cx: Context<'_>) -> Self {
        let mut joining = Joining::of(cx);
        joining.by_routes(cx);
        joining.by_transit_gateways(cx);
        joining.over_internet(cx);
        let mut components = Self::default();
        let mut numbers: BTreeMap<usize, ComponentIx> = BTreeMap::new();
        let uncertain: BTreeSet<usize> =
            std::mem::take(&mut joining.uncertain).into_iter().map(|node| joining.root(node)).collect();
        for (vpc, node) in cx.network.vpcs.enumerate() {
            let root = joining.root(vpc.number());
            let component = *numbers.entry(root).or_insert_with(|| components.tables.push(Vec::new()));
            components.of_vpc.push(component);
            components.tables.at_mut(component).extend(&node.tables);
            if uncertain.contains(&root) {
                components.uncertain.insert(component);
            }
        }
        components
    }

    /// The component of a VPC.
    pub(super) fn with(&self, vpc: VpcIx) -> Option<ComponentIx> {
        self.of_vpc.get(vpc.number()).copied()
    }

    /// From where packets may get into a VPC.
    pub(super) fn leading_to(&self, vpc: VpcIx) -> impl Iterator<Item = ComponentIx> {
        let own = self.with(vpc);
        own.into_iter().chain(self.uncertain.iter().copied().filter(move |component| Some(*component) != own))
    }

    /// Whether a packet of a component to an address may get another source on its path, or meet an appliance.
    pub(super) fn may_translate(&self, cx: Context<'_>, component: ComponentIx, to: IpAddr) -> bool {
        let mut tables = self.tables.at(component).iter().map(|table| cx.network.tables.at(*table));
        tables.any(|table| {
            table.lookup(to).is_some_and(|row| {
                matches!(
                    row.target,
                    RouteTarget::NatGateway(_) | RouteTarget::Interface(_) | RouteTarget::Instance(_)
                )
            })
        })
    }
}

/// VPCs, by their numbers, and transit gateways, as they are joined.
struct Joining {
    parents: Vec<usize>,
    gateways: BTreeMap<TransitGatewayId, usize>,
    uncertain: Vec<usize>,
}

impl Joining {
    fn of(cx: Context<'_>) -> Self {
        let parents = (0..cx.network.vpcs.len()).collect();
        Self { parents, gateways: BTreeMap::new(), uncertain: Vec::new() }
    }

    fn root(&mut self, node: usize) -> usize {
        let mut at = node;
        while let Some(&parent) = self.parents.get(at).filter(|parent| **parent != at) {
            // Each that is passed comes nearer to the root.
            let above = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(own) = self.parents.get_mut(at) {
                *own = above;
            }
            at = above;
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if let Some(parent) = self.parents.get_mut(other) {
            *parent = one;
        }
    }

    fn gateway(&mut self, id: &TransitGatewayId) -> usize {
        if let Some(known) = self.gateways.get(id) {
            return *known;
        }
        let node = self.parents.len();
        self.parents.push(node);
        self.gateways.insert(id.clone(), node);
        node
    }

    fn by_routes(&mut self, cx: Context<'_>) {
        for (vpc, node) in cx.network.vpcs.enumerate() {
            let at = vpc.number();
            let unseen = |subnet| cx.network.subnets.at(subnet).table.is_err();
            if node.subnets.iter().copied().any(unseen) {
                self.uncertain.push(at);
            }
            for table in node.tables.iter().map(|table| cx.network.tables.at(*table)) {
                if table.unknown.is_some() {
                    self.uncertain.push(at);
                }
                for row in table.routes.iter().filter(|row| !row.blackhole) {
                    self.by_route(cx, vpc, &row.target);
                }
            }
        }
    }

    fn by_route(&mut self, cx: Context<'_>, vpc: VpcIx, target: &RouteTarget) {
        let at = vpc.number();
        let certain = match target {
            RouteTarget::Local
            | RouteTarget::InternetGateway(_)
            | RouteTarget::EgressOnlyGateway(_)
            | RouteTarget::VpnGateway(_) => true,
            RouteTarget::NatGateway(id) => {
                let gateway = cx.inventory.nat_gateways.get(id);
                let other = gateway.and_then(|gateway| cx.network.vpc_of.get(&gateway.vpc));
                if let Some(other) = other {
                    self.join(at, other.number());
                }
                gateway.is_some_and(|gateway| match &gateway.availability {
                    NatAvailability::Zonal(subnet) => cx.network.subnet_of.contains_key(subnet),
                    _ => false,
                })
            }
            RouteTarget::Interface(_) | RouteTarget::Instance(_) => {
                let forwarder = appliance::forwarder(cx, target);
                if let Some(forwarder) = forwarder {
                    self.join(at, cx.network.interfaces.at(forwarder).vpc.number());
                }
                forwarder.is_some()
            }
            RouteTarget::Peering(id) => {
                let peering = cx.inventory.peerings.get(id);
                for side in peering.iter().flat_map(|peering| [&peering.requester, &peering.accepter]) {
                    if let Some(other) = cx.network.vpc_of.get(&side.vpc) {
                        self.join(at, other.number());
                    }
                }
                peering.is_some()
            }
            RouteTarget::TransitGateway(id) => {
                let gateway = self.gateway(id);
                self.join(at, gateway);
                cx.gap(Call::TransitAttachments, vpc).is_none()
            }
            RouteTarget::Endpoint(id) => {
                let endpoint = cx.inventory.endpoints.get(id);
                endpoint.is_some_and(|endpoint| endpoint.kind != EndpointKind::GatewayLoadBalancer)
            }
            RouteTarget::Other(_) => false,
        };
        if !certain {
            self.uncertain.push(at);
        }
    }

    /// By IPv6 a packet may get over the internet from a VPC with a route there to one with an internet gateway.
    fn over_internet(&mut self, cx: Context<'_>) {
        let leads_out = |table: &TableIx| {
            let mut routes = cx.network.tables.at(*table).routes.iter().filter(|row| !row.blackhole);
            routes.any(|row| {
                let by =
                    matches!(row.target, RouteTarget::InternetGateway(_) | RouteTarget::EgressOnlyGateway(_));
                by && row.cidr.family() == Family::V6
            })
        };
        let mut internet: Option<usize> = None;
        for (vpc, node) in cx.network.vpcs.enumerate() {
            let has_v6 = node.cidrs.iter().any(|cidr| cidr.family() == Family::V6);
            let unseen = cx.gap(Call::InternetGateways, vpc).is_some();
            let is_there = unseen || node.internet_gateway.is_some() || node.tables.iter().any(leads_out);
            if has_v6 && is_there {
                let internet = *internet.get_or_insert(vpc.number());
                self.join(internet, vpc.number());
            }
        }
    }

    fn by_transit_gateways(&mut self, cx: Context<'_>) {
        for attachment in cx.inventory.attachments.values() {
            let gateway = self.gateway(&attachment.gateway);
            let table = attachment.table.as_ref();
            let routes =
                |table| cx.inventory.transit_tables.get(table).and_then(|table| table.routes.as_ref());
            let mut certain = table.is_none_or(|table| routes(table).is_some());
            match &attachment.to {
                AttachmentTarget::Vpc(vpc) => {
                    if let Some(vpc) = cx.network.vpc_of.get(vpc) {
                        self.join(gateway, vpc.number());
                    }
                    certain &= cx.network.vpc_of.contains_key(vpc) && attachment.subnets.is_some();
                }
                AttachmentTarget::Peer(peer) => {
                    let other = self.gateway(peer);
                    self.join(gateway, other);
                    certain &= cx.inventory.attachments.contains_key(&(peer.clone(), attachment.id.clone()));
                }
                AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_) => {}
                AttachmentTarget::Other(..) => certain = false,
            }
            if !certain {
                self.uncertain.push(gateway);
            }
        }
        for table in cx.inventory.transit_tables.values() {
            let known =
                |attachment| cx.inventory.attachments.contains_key(&(table.gateway.clone(), attachment));
            let mut routes = table.routes.iter().flatten();
            if routes.any(|route| route.attachments.iter().any(|attachment| !known(attachment.clone()))) {
                let gateway = self.gateway(&table.gateway);
                self.uncertain.push(gateway);
            }
        }
    }
}
