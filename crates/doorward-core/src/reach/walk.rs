//! The way of a packet: subnet by subnet, as routes lead it, with all that it meets.

use std::net::IpAddr;

use super::network::{Network, RouteRow};
use super::space;
use super::span::Span;
use super::stage::{Note, Plain, Track};
use super::table::{HostIx, SubnetIx, VpcIx};
use super::{Code, Flows};
use crate::inventory::{
    BlockMode, Call, Direction, EndpointKind, Excepted, Inventory, PeeringId, RouteTarget, TransitGatewayId,
};
use crate::net::ranges;
use crate::net::{Flow, Icmp, Ports};

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
    /// The subnet that the packet came to it from.
    pub(super) from: SubnetIx,
}

/// A question's inventory and what was made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) network: &'a Network,
    pub(super) inventory: &'a Inventory,
}

/// A packet on its way.
struct Position {
    subnet: SubnetIx,
    public: bool,
    host: Option<HostIx>,
    trip: Trip,
    /// The appliance that sends it on, and the subnet that it came to that from.
    forwarded: Option<(HostIx, SubnetIx)>,
}

enum Next {
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
            RouteTarget::Interface(id) => {
                let index =
                    self.network.hosts.enumerate().find(|(_, host)| host.interface.as_ref() == Some(id));
                self.appliance(track, at, id.as_str(), index.map(|(index, _)| index), to)
            }
            RouteTarget::Instance(id) => {
                let of = |host: &super::host::Host| {
                    host.owner
                        .as_ref()
                        .is_some_and(|owner| owner.kind == "instance" && owner.id == id.as_str())
                };
                let index = self.network.hosts.enumerate().find(|(_, host)| of(host));
                self.appliance(track, at, id.as_str(), index.map(|(index, _)| index), to)
            }
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
                self.endpoint(track, vpc, id, listed)
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

    /// Meets a gateway that has to be attached to the VPC. `there` is none where it was not described.
    fn gateway(
        self,
        track: &mut Track,
        vpc: VpcIx,
        call: Call,
        kind: &'static str,
        id: &str,
        there: Option<bool>,
    ) -> bool {
        let node = self.network.vpcs.at(vpc);
        let plain = |why: &str, lift: String| Plain {
            resource: id.to_owned(),
            name: None,
            kind,
            because: format!("attached to {}", node.id),
            code: Code::BadStateAttachment,
            why: why.to_owned(),
            lift,
        };
        match (there, self.gap(call, vpc)) {
            (Some(true), _) => {
                track.pass(|| plain("", String::new()));
                true
            }
            (Some(false), _) => {
                track.stop(|| plain("it is not attached to the VPC", format!("attach {id} to {}", node.id)));
                false
            }
            (None, Some(gap)) => {
                track.doubt(Some(gap), || plain("it was not seen", format!("let {} be seen", call.action())));
                true
            }
            (None, None) => {
                track.stop(|| plain("it is not there", "lead the route to a gateway that is there".into()));
                false
            }
        }
    }

    pub(super) fn gap(self, call: Call, vpc: VpcIx) -> Option<super::table::GapIx> {
        let place = &self.network.vpcs.at(vpc).place;
        let known = |gap: &crate::inventory::Gap| gap.place == *place && gap.call == call.action();
        self.network.gaps.enumerate().find(|(_, gap)| known(gap)).map(|(index, _)| index)
    }

    fn internet(
        self,
        track: &mut Track,
        at: &mut Position,
        vpc: VpcIx,
        id: &crate::inventory::InternetGatewayId,
        to: IpAddr,
    ) -> Next {
        let attached = self.inventory.internet_gateways.get(id).map(|gateway| gateway.vpc.as_ref());
        let there = attached.map(|attached| attached == Some(&self.network.vpcs.at(vpc).id));
        let kind = "internet gateway";
        let mut carried = self.gateway(track, vpc, Call::InternetGateways, kind, id.as_str(), there);
        let replies = track.replies;
        let mut stop = |code: Code, why: String, lift: String| {
            carried = false;
            track.stop(|| Plain {
                resource: id.to_string(),
                name: None,
                kind,
                because: String::new(),
                code,
                why,
                lift,
            });
        };
        if let Some(code) = space::not_internet(self.network, to) {
            stop(
                code,
                format!("{to} is not an address of the internet"),
                "route it to where that address is".into(),
            );
        }
        if to.is_ipv4() && !at.public && !replies {
            stop(
                Code::NoPublicAddressOut,
                format!("{} has no public address", at.trip.seen),
                "give it an elastic address, or route it by a NAT gateway".into(),
            );
        }
        let translated = at.trip.translated.is_some();
        // A reply to what came in is sent outward, and what came in was asked before.
        if !replies && self.is_blocked(at.subnet, false, translated) {
            stop(
                Code::BlockPublicAccess,
                "VPC Block Public Access forbids it".into(),
                "except the subnet from it".into(),
            );
        }
        if let (Some((host, from)), false) = (at.forwarded, replies) {
            let node = self.network.hosts.at(host);
            at.trip.translated = at.trip.translated.or(Some(Translation {
                subnet: node.subnet,
                address: own_address(node, to).unwrap_or(at.trip.seen),
                from,
            }));
            at.trip.references = References::Lost;
        }
        Next::Landed(if carried { Landing::Internet(id.to_string()) } else { Landing::Lost })
    }

    /// Whether Block Public Access forbids an internet gateway (VPC user guide, Block Public Access).
    pub(super) fn is_blocked(self, subnet: SubnetIx, inward: bool, translated: bool) -> bool {
        let node = self.network.subnets.at(subnet);
        let vpc = self.network.vpcs.at(node.vpc);
        let Some(block) = self.inventory.block_public_access.get(&vpc.place) else { return false };
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

    fn egress_only(
        self,
        track: &mut Track,
        at: &Position,
        vpc: VpcIx,
        id: &crate::inventory::EgressOnlyGatewayId,
        to: IpAddr,
    ) -> Next {
        let attached = self.inventory.egress_only_gateways.get(id).map(|gateway| gateway.vpc.as_ref());
        let there = attached.map(|attached| attached == Some(&self.network.vpcs.at(vpc).id));
        let kind = "egress-only internet gateway";
        if !self.gateway(track, vpc, Call::EgressOnlyGateways, kind, id.as_str(), there) {
            return Next::Landed(Landing::Lost);
        }
        let plain = |code: Code, why: String| Plain {
            resource: id.to_string(),
            name: None,
            kind,
            because: String::new(),
            code,
            why,
            lift: "route it by an internet gateway".into(),
        };
        if to.is_ipv4() || track.replies {
            track.stop(|| plain(Code::Protocol, "it carries IPv6, outward".into()));
            return Next::Landed(Landing::Lost);
        }
        if let Some(code) = space::not_internet(self.network, to) {
            track.stop(|| plain(code, format!("{to} is not an address of the internet")));
            return Next::Landed(Landing::Lost);
        }
        if self.is_blocked(at.subnet, false, true) {
            track.stop(|| plain(Code::BlockPublicAccess, "VPC Block Public Access forbids it".into()));
            return Next::Landed(Landing::Lost);
        }
        Next::Landed(Landing::Internet(id.to_string()))
    }

    fn nat(
        self,
        track: &mut Track,
        at: &mut Position,
        vpc: VpcIx,
        id: &crate::inventory::NatGatewayId,
    ) -> Next {
        let Some(nat) = self.inventory.nat_gateways.get(id) else {
            let there = self.gateway(track, vpc, Call::NatGateways, "NAT gateway", id.as_str(), None);
            return Next::Landed(if there { Landing::Unclear } else { Landing::Lost });
        };
        let plain = |code: Code, why: &str, lift: &str| Plain {
            resource: id.to_string(),
            name: nat.tags.get("Name").cloned(),
            kind: "NAT gateway",
            because: "it sends from its own address".into(),
            code,
            why: why.to_owned(),
            lift: lift.to_owned(),
        };
        let refuse = if track.replies {
            Some(plain(
                Code::NatInward,
                "replies cannot go out by a NAT gateway",
                "route replies back the way that the request came",
            ))
        } else if at.trip.translated.is_some()
            || nat.vpc != self.network.vpcs.at(vpc).id
            || !self.network.vpcs.at(vpc).contains(at.trip.seen)
        {
            Some(plain(
                Code::NatSource,
                "it takes only what comes from its own VPC",
                "route it by a NAT gateway of its VPC",
            ))
        } else if nat.state != "available" {
            Some(plain(Code::BadState, &format!("its state is {}", nat.state), "make it anew"))
        } else if at.trip.seen.is_ipv6() {
            Some(plain(Code::Protocol, "it carries no IPv6", "route IPv6 by an egress-only internet gateway"))
        } else {
            None
        };
        let subnet = self.network.subnet_of.get(&nat.subnet).copied();
        let (Some(subnet), None) = (subnet, &refuse) else {
            let refuse = refuse.unwrap_or_else(|| {
                plain(Code::UnknownDestination, "its subnet was not seen", "let it be seen")
            });
            track.stop(|| refuse);
            return Next::Landed(Landing::Lost);
        };
        if subnet != at.subnet {
            self.acl(track, subnet, Direction::In, at.trip.seen);
        }
        let carried = Flows::tcp_udp_icmp(ranges::family(at.trip.seen));
        track.meet(Span::exact(carried), None, || {
            Note::Plain(plain(Code::Protocol, "it carries only TCP, UDP and ICMP", "send it another way"))
        });
        let own = nat.private_address.map(IpAddr::V4);
        let somewhere = || {
            let cidr = self.network.subnets.at(subnet).cidrs.iter().find(|cidr| cidr.address().is_ipv4());
            cidr.map(|cidr| cidr.address())
        };
        let address = own.or_else(somewhere).unwrap_or(at.trip.seen);
        at.trip.translated = Some(Translation { subnet, address, from: at.subnet });
        at.trip.seen = address;
        at.trip.references = References::Lost;
        at.subnet = subnet;
        at.public = nat.public && nat.public_address.is_some();
        at.host = None;
        at.forwarded = None;
        Next::On
    }

    fn appliance(
        self,
        track: &mut Track,
        at: &mut Position,
        id: &str,
        index: Option<HostIx>,
        to: IpAddr,
    ) -> Next {
        let vpc = self.network.subnets.at(at.subnet).vpc;
        let plain = |code: Code, why: String, lift: String| Plain {
            resource: id.to_owned(),
            name: None,
            kind: "interface",
            because: "it forwards what is not its own".into(),
            code,
            why,
            lift,
        };
        let Some(index) = index else {
            return match self.gap(Call::Interfaces, vpc) {
                Some(gap) => {
                    track.doubt(Some(gap), || {
                        plain(Code::UnknownDestination, "it was not seen".into(), "let it be seen".into())
                    });
                    Next::Landed(Landing::Unclear)
                }
                None => {
                    track.stop(|| {
                        plain(
                            Code::BadState,
                            "it is not there, or not in use".into(),
                            "lead the route to what is there".into(),
                        )
                    });
                    Next::Landed(Landing::Lost)
                }
            };
        };
        if at.trip.translated.is_some() {
            track.stop(|| {
                let why = "what a NAT gateway sends goes out by a gateway, or stays inside".to_owned();
                plain(Code::CannotRoute, why, "take the route out of the NAT gateway's subnet".into())
            });
            return Next::Landed(Landing::Lost);
        }
        let host = self.network.hosts.at(index);
        if host.points.iter().any(|point| point.address == to) {
            return Next::Landed(Landing::Inside { vpc: host.vpc, from: Origin::Subnet(at.subnet) });
        }
        if host.source_dest_check {
            track.stop(|| {
                plain(
                    Code::SourceDestCheck,
                    format!("{id} takes only what is for its own addresses"),
                    format!("switch the source/destination check of {id} off, if it is to forward"),
                )
            });
            return Next::Landed(Landing::Lost);
        }
        if host.subnet != at.subnet {
            self.acl(track, host.subnet, Direction::In, at.trip.seen);
        }
        if !track.replies {
            let kept = at.trip.references == References::Kept && at.trip.appliances.is_empty();
            self.groups(track, index, Direction::In, at.trip.seen, at.host, kept);
            self.groups(track, index, Direction::Out, to, None, false);
        }
        track.pass(|| plain(Code::SourceDestCheck, String::new(), String::new()));
        at.trip.appliances.push(index);
        at.trip.references = References::Lost;
        at.forwarded = Some((index, at.subnet));
        at.public = host.points.iter().any(|point| point.public);
        at.subnet = host.subnet;
        at.host = None;
        Next::On
    }

    fn peering(self, track: &mut Track, at: &mut Position, vpc: VpcIx, id: &PeeringId, to: IpAddr) -> Next {
        let plain = |code: Code, why: String, lift: String| Plain {
            resource: id.to_string(),
            name: self.inventory.peerings.get(id).and_then(|peering| peering.tags.get("Name").cloned()),
            kind: "VPC peering connection",
            because: "it is active".into(),
            code,
            why,
            lift,
        };
        let Some(peering) = self.inventory.peerings.get(id) else {
            let there = self.gateway(track, vpc, Call::Peerings, "VPC peering connection", id.as_str(), None);
            return Next::Landed(if there { Landing::Unclear } else { Landing::Lost });
        };
        let node = self.network.vpcs.at(vpc);
        if peering.state != "active" {
            track.stop(|| {
                plain(
                    Code::BadState,
                    format!("its state is {}", peering.state),
                    "accept it, or make it anew".into(),
                )
            });
            return Next::Landed(Landing::Lost);
        }
        let Some(side) = peering.other(&node.id) else {
            track.stop(|| {
                plain(
                    Code::BadStateAttachment,
                    format!("it does not join {}", node.id),
                    "route by a peering of this VPC".into(),
                )
            });
            return Next::Landed(Landing::Lost);
        };
        let other = self.network.vpc_of.get(&side.vpc).copied();
        let contains = match other {
            Some(other) => self.network.vpcs.at(other).contains(to),
            None => side.cidrs.iter().any(|cidr| cidr.contains(to)),
        };
        // What comes from elsewhere than this VPC is in transit, which a peering does not carry.
        if !contains || !node.contains(at.trip.seen) {
            track.stop(|| {
                plain(
                    Code::PeeringAddress,
                    format!("{to} is not in {}", side.vpc),
                    format!("route {to} by what leads to it; a peering carries nothing further"),
                )
            });
            return Next::Landed(Landing::Lost);
        }
        at.trip.legs.push(Leg::Peering(id.clone()));
        let Some(other) = other else {
            track.doubt(None, || {
                plain(
                    Code::PeeredGroupsUnknown,
                    format!("{} was not seen", side.vpc),
                    "record the account that owns it as well".into(),
                )
            });
            return Next::Landed(Landing::Unclear);
        };
        track.pass(|| plain(Code::PeeringAddress, String::new(), String::new()));
        if !peering.one_region() {
            at.trip.references = References::Lost;
        }
        Next::Landed(Landing::Inside { vpc: other, from: Origin::Gateway })
    }

    fn endpoint(
        self,
        track: &mut Track,
        vpc: VpcIx,
        id: &crate::inventory::EndpointId,
        listed: bool,
    ) -> Next {
        let plain = |code: Code, because: String, why: String| Plain {
            resource: id.to_string(),
            name: None,
            kind: "VPC endpoint",
            because,
            code,
            why,
            lift: "send it another way".into(),
        };
        let gap = self.gap(Call::Endpoints, vpc);
        let endpoint = self.inventory.endpoints.get(id);
        let Some(endpoint) = endpoint else {
            // Only a gateway endpoint has a route to a prefix list of AWS's own.
            if gap.is_none() && !listed {
                track.stop(|| plain(Code::BadState, String::new(), "it is not there".into()));
                return Next::Landed(Landing::Lost);
            }
            track.doubt(gap, || plain(Code::UnknownDestination, String::new(), "it was not seen".into()));
            return Next::Landed(if listed { Landing::Service(id.to_string()) } else { Landing::Unclear });
        };
        match endpoint.kind {
            EndpointKind::Gateway if endpoint.state.eq_ignore_ascii_case("available") => {
                let echo = Flow::Icmp(Icmp::Type(8));
                let carried = Flows::from_iter([Flow::Tcp(Ports::ALL), echo]);
                track.meet(Span::exact(carried), None, || {
                    let because = format!("it leads to {}", endpoint.service);
                    Note::Plain(plain(
                        Code::EndpointProtocol,
                        because,
                        "it carries only TCP and ICMP echo".into(),
                    ))
                });
                Next::Landed(Landing::Service(id.to_string()))
            }
            EndpointKind::GatewayLoadBalancer => {
                track.doubt(None, || {
                    plain(
                        Code::UnknownDestination,
                        String::new(),
                        format!("what the appliances behind {id} let through is not known"),
                    )
                });
                Next::Landed(Landing::Unclear)
            }
            _ => {
                track.stop(|| plain(Code::BadState, String::new(), "it carries nothing".into()));
                Next::Landed(Landing::Lost)
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
            for (group, flows) in by_group.iter().filter(|(group, _)| carried.contains(group)) {
                let _ = group;
                allow = allow.union(&Span::exact(flows.clone()));
            }
        }
        let family = Flows::of_family(ranges::family(other));
        let gap = set.gaps.first().copied();
        track.meet(allow.within(&family), gap, || Note::Groups {
            host: index,
            direction,
            other,
            peer,
            references,
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
