//! The way of a packet: subnet by subnet, as routes lead it, with all that it meets.

use std::net::IpAddr;

use super::network::{Network, RouteRow};
use super::span::Span;
use super::stage::{Asked, Note, Plain, Track};
use super::table::{HostIx, SubnetIx, VpcIx};
use super::{Code, Flows};
use crate::inventory::{Call, Direction, Inventory, PeeringId, RouteTarget, TransitGatewayId};
use crate::net::ranges;

/// More hops than this is a loop.
const MOST_HOPS: usize = 8;

/// Whether what carries a group is still known where the packet arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum References {
    Lost,
    /// Only for rules of the receiver (transit gateways: security group referencing).
    Inbound,
    Kept,
}

/// A packet that is to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    pub(super) subnet: SubnetIx,
    pub(super) address: IpAddr,
    /// Whether an internet gateway has a public address for it.
    pub(super) public: bool,
    pub(super) host: Option<HostIx>,
}

/// Where a packet got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Landing {
    /// In a VPC, at whoever has the address.
    Inside { vpc: VpcIx, from: Origin },
    /// On the internet, by way of this gateway.
    Internet(String),
    /// At a service of AWS, by way of this gateway endpoint.
    Service(String),
    /// Behind this VPN gateway or attachment.
    Remote(String),
    /// Nowhere.
    Lost,
    /// Nobody knows.
    Unclear,
}

/// From where a packet comes to the subnet that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From a subnet of the same VPC; from the same one it meets no network ACL.
    Subnet(SubnetIx),
    /// From a gateway or a peering.
    Gateway,
}

/// A way out of a VPC that replies have to come back by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leg {
    Peering(PeeringId),
    Transit(TransitGatewayId),
}

/// A way that a packet went.
#[derive(Debug, Clone)]
pub(super) struct Trip {
    pub(super) landing: Landing,
    /// The source that the receiver sees.
    pub(super) seen: IpAddr,
    pub(super) legs: Vec<Leg>,
    pub(super) references: References,
    /// Who translated it, if anything did.
    pub(super) translated: Option<Translation>,
    /// Appliances that forwarded it.
    pub(super) appliances: Vec<HostIx>,
}

/// Where a packet got another source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Translation {
    /// The subnet of the NAT gateway or NAT instance.
    pub(super) subnet: SubnetIx,
    /// The address that it sends from, inside.
    pub(super) address: IpAddr,
}

/// A question's inventory and what was made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) network: &'a Network,
    pub(super) inventory: &'a Inventory,
}

/// A packet on its way.
pub(super) struct Position {
    pub(super) subnet: SubnetIx,
    pub(super) public: bool,
    pub(super) host: Option<HostIx>,
    pub(super) trip: Trip,
    /// The appliance that sends it on.
    pub(super) forwarded: Option<HostIx>,
}

pub(super) enum Next {
    On,
    Landed(Landing),
}

impl<'a> Walk<'a> {
    /// Sends a packet to an address. Replies (`track.replies`) meet no security groups and are not translated.
    pub(super) fn send(self, track: &mut Track, sender: Sender, to: IpAddr) -> Trip {
        let mut at = Position {
            subnet: sender.subnet,
            public: sender.public,
            host: sender.host,
            trip: Trip {
                landing: Landing::Lost,
                seen: sender.address,
                legs: Vec::new(),
                references: References::Kept,
                translated: None,
                appliances: Vec::new(),
            },
            forwarded: None,
        };
        for _ in 0..MOST_HOPS {
            if track.is_over() {
                return at.trip;
            }
            let node = self.network.subnets.at(at.subnet);
            let here = self.network.vpcs.at(node.vpc).host(to);
            if node.contains(to) || here.is_some_and(|host| self.network.hosts.at(host).subnet == at.subnet) {
                at.trip.landing = Landing::Inside { vpc: node.vpc, from: Origin::Subnet(at.subnet) };
                return at.trip;
            }
            self.acl(track, at.subnet, Direction::Out, to);
            match self.step(track, &mut at, to) {
                Next::On => {}
                Next::Landed(landing) => {
                    at.trip.landing = landing;
                    return at.trip;
                }
            }
        }
        track.stop(|| Plain {
            resource: self.network.subnets.at(at.subnet).id.to_string(),
            name: None,
            kind: "subnet",
            because: String::new(),
            code: Code::Loop,
            why: format!("more than {MOST_HOPS} hops do not get to {to}"),
            lift: "route it to where it belongs".into(),
        });
        at.trip
    }

    /// Meets the network ACL of a subnet.
    pub(super) fn acl(self, track: &mut Track, subnet: SubnetIx, direction: Direction, other: IpAddr) {
        match self.network.subnets.at(subnet).acl {
            Ok(acl) => {
                let node = self.network.acls.at(acl);
                track.meet(node.lets(direction, other), node.incomplete, || Note::Acl {
                    acl: Some(acl),
                    subnet,
                    direction,
                    other,
                });
            }
            Err(gap) => {
                track.meet(Span::unknown(), Some(gap), || Note::Acl { acl: None, subnet, direction, other })
            }
        }
    }

    /// Meets the network ACL of the subnet that a packet arrives in. Says who has the address there.
    pub(super) fn arrive(
        self,
        track: &mut Track,
        vpc: VpcIx,
        to: IpAddr,
        source: IpAddr,
        from: Origin,
    ) -> Option<HostIx> {
        let host = self.network.vpcs.at(vpc).host(to);
        let by_host = host.map(|host| self.network.hosts.at(host).subnet);
        let subnet = by_host.or_else(|| self.subnet_with(vpc, to));
        if let Some(subnet) = subnet
            && from != Origin::Subnet(subnet)
        {
            self.acl(track, subnet, Direction::In, source);
        }
        host
    }

    pub(super) fn subnet_with(self, vpc: VpcIx, address: IpAddr) -> Option<SubnetIx> {
        let mut subnets = self.network.subnets.enumerate();
        subnets.find(|(_, subnet)| subnet.vpc == vpc && subnet.contains(address)).map(|(index, _)| index)
    }

    /// The route that decides in a subnet; met as a stage.
    fn route(
        self,
        track: &mut Track,
        subnet: SubnetIx,
        to: IpAddr,
    ) -> Option<(RouteTarget, Option<RouteRow>)> {
        let node = self.network.subnets.at(subnet);
        let table = match node.table {
            Ok(table) => self.network.tables.at(table),
            Err(gap) => {
                let target = self.likely(node.vpc, to);
                track.doubt(Some(gap), || Plain {
                    resource: node.id.to_string(),
                    name: node.name.clone(),
                    kind: "subnet",
                    because: "its route table was not seen".into(),
                    code: Code::UnknownDestination,
                    why: "its route table was not seen".into(),
                    lift: "let ec2:DescribeRouteTables be seen".into(),
                });
                return target.map(|target| (target, None));
            }
        };
        let row = table.lookup(to);
        let plain = |because: String, code: Code, why: String, lift: String| Plain {
            resource: table.id.to_string(),
            name: table.name.clone(),
            kind: "route table",
            because,
            code,
            why,
            lift,
        };
        // The local routes are in every table, and only a longer prefix beats them.
        let settled = row.is_some_and(|row| row.target == RouteTarget::Local) && table.unknown.is_none();
        if let (Some(gap), false) = (table.unknown, settled) {
            track.doubt(Some(gap), || {
                plain(
                    String::new(),
                    Code::UnknownDestination,
                    "not all of its routes were seen".into(),
                    "let all routes be seen".into(),
                )
            });
        }
        match row {
            None => {
                track.stop(|| {
                    plain(
                        String::new(),
                        Code::NoRoute,
                        format!("{} has no route to {to}", table.id),
                        format!("add a route to {to} to {}", table.id),
                    )
                });
                None
            }
            Some(row) if row.blackhole => {
                track.stop(|| {
                    plain(
                        String::new(),
                        Code::BadStateRoute,
                        format!("its route {} is a black hole: {} is gone", words(row), row.target),
                        format!("take the route {} away, or lead it to what is there", words(row)),
                    )
                });
                None
            }
            Some(row) => {
                track.pass(|| plain(words(row), Code::CannotRoute, String::new(), String::new()));
                Some((row.target.clone(), Some(row.clone())))
            }
        }
    }

    /// Where a packet would go in all likelihood, where no route table was seen.
    fn likely(self, vpc: VpcIx, to: IpAddr) -> Option<RouteTarget> {
        let node = self.network.vpcs.at(vpc);
        if node.contains(to) {
            return Some(RouteTarget::Local);
        }
        let holds = |side: &crate::inventory::PeeringSide| {
            let index = self.network.vpc_of.get(&side.vpc);
            index.is_some_and(|index| self.network.vpcs.at(*index).contains(to))
        };
        let mut peerings = self.inventory.peerings.values();
        let peering =
            peerings.find(|peering| peering.state == "active" && peering.other(&node.id).is_some_and(holds));
        if let Some(peering) = peering {
            return Some(RouteTarget::Peering(peering.id.clone()));
        }
        let mut gateways = self.inventory.internet_gateways.values();
        let gateway = gateways.find(|gateway| gateway.vpc.as_ref() == Some(&node.id));
        if self.network.is_internet(to) {
            return gateway.map(|gateway| RouteTarget::InternetGateway(gateway.id.clone()));
        }
        let mut gateways = self.inventory.vpn_gateways.values();
        let gateway = gateways.find(|gateway| gateway.vpc.as_ref() == Some(&node.id));
        gateway.map(|gateway| RouteTarget::VpnGateway(gateway.id.clone()))
    }

    /// Who takes what a route leads to an interface, or to an instance and so to its interface.
    pub(super) fn forwarder(self, target: &RouteTarget) -> Option<HostIx> {
        match target {
            RouteTarget::Interface(id) => self.network.host_of.get(id).copied(),
            RouteTarget::Instance(id) => {
                let known = self.network.members.get(&("instance", id.to_string()));
                known.and_then(|hosts| hosts.first()).copied()
            }
            _ => None,
        }
    }

    /// Follows the route of the subnet that the packet is in.
    fn step(self, track: &mut Track, at: &mut Position, to: IpAddr) -> Next {
        let vpc = self.network.subnets.at(at.subnet).vpc;
        let Some((target, row)) = self.route(track, at.subnet, to) else {
            // Without a table nothing says where it goes: it may get there.
            let unseen = self.network.subnets.at(at.subnet).table.is_err();
            return Next::Landed(if unseen { Landing::Unclear } else { Landing::Lost });
        };
        match &target {
            RouteTarget::Local => Next::Landed(Landing::Inside { vpc, from: Origin::Subnet(at.subnet) }),
            RouteTarget::InternetGateway(id) => self.internet(track, at, vpc, id, to),
            RouteTarget::EgressOnlyGateway(id) => self.egress_only(track, at, vpc, id, to),
            RouteTarget::NatGateway(id) => self.nat(track, at, vpc, id),
            RouteTarget::Interface(_) | RouteTarget::Instance(_) => self.appliance(track, at, &target, to),
            RouteTarget::Peering(id) => self.peering(track, at, vpc, id, to),
            RouteTarget::TransitGateway(id) => {
                let carried = self.by_transit(track, at.subnet, at.trip.seen, id, to);
                at.trip.legs.extend(carried.legs);
                at.trip.references = at.trip.references.min(carried.references);
                Next::Landed(carried.landing)
            }
            RouteTarget::VpnGateway(id) => {
                let attached = self.inventory.vpn_gateways.get(id).map(|gateway| gateway.vpc.as_ref());
                let there = attached.map(|attached| attached == Some(&self.network.vpcs.at(vpc).id));
                if !self.gateway(track, vpc, Call::VpnGateways, "VPN gateway", id.as_str(), there) {
                    return Next::Landed(Landing::Lost);
                }
                Next::Landed(Landing::Remote(id.to_string()))
            }
            RouteTarget::Endpoint(id) => {
                let listed = row.is_some_and(|row| row.list.is_some());
                self.endpoint(track, at, id, listed)
            }
            RouteTarget::Other(id) => {
                track.doubt(None, || Plain {
                    resource: id.clone(),
                    name: None,
                    kind: "gateway",
                    because: String::new(),
                    code: Code::UnknownDestination,
                    why: format!("what is behind {id} is not known"),
                    lift: "ask whoever runs what is behind it".into(),
                });
                Next::Landed(Landing::Unclear)
            }
        }
    }

    /// Meets the security groups of a host, for packets to or from an address.
    ///
    /// `peer` is the host that has the address, and `references` whether that is known there.
    pub(super) fn groups(
        self,
        track: &mut Track,
        index: HostIx,
        direction: Direction,
        other: IpAddr,
        peer: Option<HostIx>,
        references: bool,
    ) {
        let host = self.network.hosts.at(index);
        if matches!(host.kind, super::host::HostKind::NatGateway | super::host::HostKind::Open) {
            return;
        }
        let set = self.network.sets.at(host.set);
        let (by_address, by_group) = match direction {
            Direction::In => (&set.inward, &set.in_from),
            Direction::Out => (&set.outward, &set.out_to),
        };
        let mut allow = by_address.at(other).cloned().unwrap_or_else(Span::none);
        if let (Some(peer), true) = (peer, references) {
            let carried = &self.network.sets.at(self.network.hosts.at(peer).set).groups;
            for (_, flows) in by_group.iter().filter(|(group, _)| carried.contains(group)) {
                allow = allow.union(&Span::exact(flows.clone()));
            }
        }
        let family = Flows::of_family(ranges::family(other));
        let gap = set.gaps.first().copied();
        track.meet(allow.within(&family), gap, || {
            Note::Groups(Asked { host: index, direction, other, peer, references })
        });
    }
}

/// An address of a host in the family of another.
pub(super) fn own_address(host: &super::host::Host, like: IpAddr) -> Option<IpAddr> {
    let public = host.points.iter().find(|point| point.public && point.address.is_ipv4() == like.is_ipv4());
    let any = || host.points.iter().find(|point| point.address.is_ipv4() == like.is_ipv4());
    public.or_else(any).map(|point| point.address)
}

/// A route as a person writes it.
pub(super) fn words(row: &RouteRow) -> String {
    let list = row.list.as_ref().map(|list| format!(" of {list}")).unwrap_or_default();
    let propagated = if row.propagated { ", propagated" } else { "" };
    format!("{}{list} to {}{propagated}", row.cidr, row.target)
}
