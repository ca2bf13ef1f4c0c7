//! Whether a packet gets from one point to another and its reply back: the way, the groups, the way back.

use std::net::IpAddr;

use super::answer::End;
use super::host::{HostKind, Point};
use super::span::Span;
use super::stage::{Plain, Stage, Track};
use super::table::{HostIx, SubnetIx, VpcIx};
use super::walk::{Landing, Origin, References, Sender, Translation, Trip, Walk};
use super::{Code, Flows};
use crate::inventory::{
    Attachment, AttachmentTarget, Call, Direction, EndpointKind, RouteTarget, VpnGatewayId,
};
use crate::net::Family;
use crate::net::ranges;

/// What passes between two points.
#[derive(Debug, Clone)]
pub(super) struct Passage {
    /// What passes, replies included.
    pub(super) span: Span,
    /// What of it gets every reply.
    pub(super) whole: Flows,
    /// The packets that are let back.
    pub(super) back: Span,
    pub(super) stages: Vec<Stage>,
    /// Whether a load balancer hands it on: then its stages are about two connections, each with flows of its own.
    pub(super) handed_on: bool,
}

/// An address of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) host: HostIx,
    pub(super) point: Point,
}

/// By way of what the outside comes in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outside {
    Internet,
    /// A VPN gateway.
    Vpn(VpnGatewayId),
    /// A VPN or Direct Connect attachment of a transit gateway, by the gateway's id and its own.
    Transit(crate::inventory::TransitGatewayId, crate::inventory::AttachmentId),
}

/// What may become of a packet that is sent outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim<'a> {
    /// It has to get to the internet.
    Internet,
    /// It has to get out, whichever way.
    Anywhere,
    /// It has to get behind this VPN gateway or attachment.
    Behind(&'a str),
}

impl Outside {
    /// As an end of ways.
    pub(super) fn end(&self) -> End {
        match self {
            Self::Internet => End::Internet,
            Self::Vpn(id) => End::Remote(id.to_string()),
            Self::Transit(_, id) => End::Remote(id.to_string()),
        }
    }
}

impl<'a> Aim<'a> {
    /// To get there and nowhere else.
    pub(super) fn of(outside: &'a Outside) -> Self {
        match outside {
            Outside::Internet => Self::Internet,
            Outside::Vpn(id) => Self::Behind(id.as_str()),
            Outside::Transit(_, id) => Self::Behind(id.as_str()),
        }
    }
}

/// What the way between two points of subnets comes to, apart from who sends and receives.
pub(super) struct Way {
    pub(super) seen: IpAddr,
    pub(super) references: References,
    /// Whether the way met the groups of an appliance, which ask who sends.
    pub(super) appliances: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn sender(self, spot: Spot) -> Sender {
        let host = self.network.hosts.at(spot.host);
        Sender {
            subnet: host.subnet,
            address: spot.point.address,
            public: spot.point.public,
            host: Some(spot.host),
        }
    }

    /// Between two hosts, by the private address of the receiver, or its address of IPv6.
    pub(super) fn between(self, from: Spot, to: Spot, detail: bool) -> Passage {
        let mut track = Track::new(detail);
        let way = self.way(&mut track, self.sender(from), to.host, to.point.address);
        let rest = track.stages.split_off(0);
        track.replies = false;
        self.starts(&mut track, from.host);
        let kept = way.references == References::Kept;
        self.groups(&mut track, from.host, Direction::Out, to.point.address, Some(to.host), kept);
        self.sends(&mut track, from.host, to.host, to.point.address);
        let back_begins = rest.iter().position(|stage| stage.replies).unwrap_or(rest.len());
        let mut rest = rest;
        let replies = rest.split_off(back_begins);
        track.stages.extend(rest);
        let kept = way.references >= References::Inbound;
        self.receives(&mut track, to.host, way.seen, Some(from.host), kept);
        track.stages.extend(replies);
        finished(track, ranges::family(to.point.address))
    }

    /// The way between two addresses and back, without the groups of either end.
    pub(super) fn way(self, track: &mut Track, from: Sender, to: HostIx, address: IpAddr) -> Way {
        let receiver = self.network.hosts.at(to);
        let trip = self.send(track, from, address);
        let way =
            Way { seen: trip.seen, references: trip.references, appliances: !trip.appliances.is_empty() };
        match &trip.landing {
            Landing::Inside { vpc, from: origin } if *vpc == receiver.vpc => {
                self.arrive(track, *vpc, address, trip.seen, *origin);
                if !track.is_over() {
                    self.reply(track, from, &trip, receiver.subnet, address, Some(to));
                }
                way
            }
            Landing::Unclear => way,
            Landing::Lost => Way { references: self.would_be(from, receiver.vpc), ..way },
            elsewhere => {
                let elsewhere = self.place_of(elsewhere);
                track.stop(|| Plain {
                    resource: receiver.label.clone(),
                    name: receiver.name.clone(),
                    kind: "interface",
                    because: String::new(),
                    code: Code::NoDestination,
                    why: format!("packets for {address} end {elsewhere}"),
                    lift: "lead the route to where the receiver is".into(),
                });
                Way { references: self.would_be(from, receiver.vpc), ..way }
            }
        }
    }

    /// Whether groups would be known if there were a way: of a way that fails only what is in its way counts.
    fn would_be(self, from: Sender, vpc: VpcIx) -> References {
        let same = self.network.subnets.at(from.subnet).vpc == vpc;
        if same { References::Kept } else { References::Lost }
    }

    fn place_of(self, landing: &Landing) -> String {
        match landing {
            Landing::Inside { vpc, .. } => format!("in {}", self.network.vpcs.at(*vpc).id),
            Landing::Internet(gateway) => format!("on the internet, by {gateway}"),
            Landing::Service(endpoint) => format!("at the service behind {endpoint}"),
            Landing::Remote(gateway) => format!("behind {gateway}"),
            Landing::Lost | Landing::Unclear => "nowhere".into(),
        }
    }

    /// From a host to an address outside.
    pub(super) fn outward(self, from: Spot, to: IpAddr, aim: Aim<'_>, detail: bool) -> Passage {
        let mut track = Track::new(detail);
        self.starts(&mut track, from.host);
        self.groups(&mut track, from.host, Direction::Out, to, None, false);
        let sender = self.sender(from);
        let trip = self.send(&mut track, sender, to);
        let arrived = match &trip.landing {
            Landing::Internet(_) => !matches!(aim, Aim::Behind(_)),
            Landing::Service(_) => !matches!(aim, Aim::Behind(_)) && self.network.is_internet(to),
            Landing::Remote(id) => aim == Aim::Anywhere || aim == Aim::Behind(id),
            Landing::Inside { .. } | Landing::Lost | Landing::Unclear => false,
        };
        if arrived && !track.is_over() {
            track.replies = true;
            self.reply_from_outside(&mut track, sender, &trip, to);
        } else if !arrived && !matches!(trip.landing, Landing::Lost | Landing::Unclear) {
            let elsewhere = self.place_of(&trip.landing);
            track.stop(|| Plain {
                resource: to.to_string(),
                name: None,
                kind: "address",
                because: String::new(),
                code: Code::NoDestination,
                why: format!("packets for {to} end {elsewhere}"),
                lift: "route it by an internet gateway or a NAT gateway".into(),
            });
        }
        finished(track, ranges::family(to))
    }

    /// From an address outside to a host.
    pub(super) fn inward(self, outside: &Outside, from: IpAddr, to: Spot, detail: bool) -> Passage {
        let mut track = Track::new(detail);
        let host = self.network.hosts.at(to.host);
        let entered = match outside {
            Outside::Internet => self.by_internet(&mut track, from, to),
            Outside::Vpn(id) => self.by_vpn(&mut track, id, from, to),
            Outside::Transit(gateway, id) => {
                let attachment = self.inventory.attachments.get(&(gateway.clone(), id.clone()));
                let landing = attachment
                    .map(|attachment| self.carry(&mut track, attachment, to.point.address, None).landing);
                match landing {
                    Some(Landing::Inside { vpc, from: origin }) if vpc == host.vpc => {
                        Some((id.to_string(), origin, None))
                    }
                    Some(Landing::Unclear) => None,
                    _ => {
                        self.astray(&mut track, id.as_str(), to);
                        None
                    }
                }
            }
        };
        if let Some((_, origin, _)) = &entered {
            self.arrive(&mut track, host.vpc, to.point.address, from, *origin);
        }
        self.receives(&mut track, to.host, from, None, false);
        if let Some((gateway, _, by)) = entered
            && !track.is_over()
        {
            track.replies = true;
            let sender =
                Sender { subnet: host.subnet, address: to.point.address, public: true, host: Some(to.host) };
            let trip = self.send(&mut track, sender, from);
            let home = match &trip.landing {
                Landing::Internet(way) | Landing::Remote(way) => {
                    *way == gateway && trip.appliances.iter().all(|appliance| Some(*appliance) == by)
                }
                Landing::Unclear => true,
                _ => trip.landing == Landing::Lost,
            };
            if !home {
                self.lost_reply(&mut track, &trip.landing, &gateway);
            }
        }
        finished(track, ranges::family(from))
    }

    fn lost_reply(self, track: &mut Track, landing: &Landing, gateway: &str) {
        let elsewhere = self.place_of(landing);
        track.stop(|| Plain {
            resource: gateway.to_owned(),
            name: None,
            kind: "gateway",
            because: String::new(),
            code: Code::Reply,
            why: format!("the replies end {elsewhere}, and not where the request came from"),
            lift: format!("route the replies by {gateway}"),
        });
    }

    fn astray(self, track: &mut Track, gateway: &str, to: Spot) {
        track.stop(|| Plain {
            resource: gateway.to_owned(),
            name: None,
            kind: "transit gateway attachment",
            because: String::new(),
            code: Code::TransitCannotRoute,
            why: format!("it does not lead to {}", to.point.address),
            lift: "add a route to it, or propagate it".into(),
        });
    }

    /// In by the internet gateway of the receiver's VPC.
    fn by_internet(
        self,
        track: &mut Track,
        from: IpAddr,
        to: Spot,
    ) -> Option<(String, Origin, Option<HostIx>)> {
        let host = self.network.hosts.at(to.host);
        let vpc = self.network.vpcs.at(host.vpc);
        let mut gateways = self.inventory.internet_gateways.values();
        let gateway = gateways.find(|gateway| gateway.vpc.as_ref() == Some(&vpc.id));
        let nobody = |code: Code, why: String, lift: String| Plain {
            resource: host.label.clone(),
            name: host.name.clone(),
            kind: "interface",
            because: "it has a public address".into(),
            code,
            why,
            lift,
        };
        let public = to.point.public || to.point.address.is_ipv6();
        if public {
            track.pass(|| nobody(Code::NoPublicAddressIn, String::new(), String::new()));
        } else {
            track.stop(|| {
                nobody(
                    Code::NoPublicAddressIn,
                    format!("{} has no public address", to.point.address),
                    "give it an elastic address, or put a load balancer before it".into(),
                )
            });
        }
        let plain = |resource: String, code: Code, why: &str, lift: &str| Plain {
            resource,
            name: None,
            kind: "internet gateway",
            because: format!("attached to {}", vpc.id),
            code,
            why: why.to_owned(),
            lift: lift.to_owned(),
        };
        let Some(gateway) = gateway else {
            let (code, why) = (Code::BadStateAttachment, "no internet gateway is attached to the VPC");
            match self.gap(Call::InternetGateways, host.vpc) {
                Some(gap) => track.doubt(Some(gap), || {
                    plain(vpc.id.to_string(), code, "its internet gateway was not seen", "let it be seen")
                }),
                None => {
                    track.stop(|| plain(vpc.id.to_string(), code, why, "attach an internet gateway to it"))
                }
            }
            return None;
        };
        if self.is_blocked(host.subnet, true, false) {
            track.stop(|| {
                plain(
                    gateway.id.to_string(),
                    Code::BlockPublicAccess,
                    "VPC Block Public Access forbids it",
                    "except the subnet from it",
                )
            });
        } else {
            track.pass(|| plain(gateway.id.to_string(), Code::BlockPublicAccess, "", ""));
        }
        let (origin, by) = self.edge(track, host.vpc, gateway.id.as_str(), from, to)?;
        public.then(|| (gateway.id.to_string(), origin, by))
    }

    fn by_vpn(
        self,
        track: &mut Track,
        id: &VpnGatewayId,
        from: IpAddr,
        to: Spot,
    ) -> Option<(String, Origin, Option<HostIx>)> {
        let host = self.network.hosts.at(to.host);
        let vpc = self.network.vpcs.at(host.vpc);
        let gateway = self.inventory.vpn_gateways.get(id);
        let attached = gateway.is_some_and(|gateway| gateway.vpc.as_ref() == Some(&vpc.id));
        let plain = |why: String, lift: String| Plain {
            resource: id.to_string(),
            name: gateway.and_then(|gateway| gateway.tags.get("Name").cloned()),
            kind: "VPN gateway",
            because: format!("attached to {}", vpc.id),
            code: Code::BadStateAttachment,
            why,
            lift,
        };
        if !attached {
            track.stop(|| {
                plain(format!("it is not attached to {}", vpc.id), format!("attach {id} to {}", vpc.id))
            });
            return None;
        }
        track.pass(|| plain(String::new(), String::new()));
        let (origin, by) = self.edge(track, host.vpc, id.as_str(), from, to)?;
        Some((id.to_string(), origin, by))
    }

    /// The gateway's own route table, where it has one. Says where the packet comes from then.
    fn edge(
        self,
        track: &mut Track,
        vpc: VpcIx,
        gateway: &str,
        from: IpAddr,
        to: Spot,
    ) -> Option<(Origin, Option<HostIx>)> {
        let node = self.network.vpcs.at(vpc);
        let Some(table) = node.edges.get(gateway).map(|table| self.network.tables.at(*table)) else {
            return Some((Origin::Gateway, None));
        };
        let address = to.point.address;
        let plain = |code: Code, why: String| Plain {
            resource: table.id.to_string(),
            name: table.name.clone(),
            kind: "route table",
            because: "it leads into the VPC".into(),
            code,
            why,
            lift: format!("take the route to {address} out of {}", table.id),
        };
        let row = table.lookup(address);
        match row.filter(|row| !row.blackhole).map(|row| &row.target) {
            Some(RouteTarget::Local) => {
                track.pass(|| plain(Code::Redirected, String::new()));
                Some((Origin::Gateway, None))
            }
            Some(RouteTarget::Interface(id)) => {
                let found =
                    self.network.hosts.enumerate().find(|(_, host)| host.interface.as_ref() == Some(id));
                let Some((index, appliance)) = found else {
                    track.stop(|| plain(Code::Redirected, format!("it leads to {id}, which is not there")));
                    return None;
                };
                if appliance.points.iter().any(|point| point.address == address) {
                    return Some((Origin::Gateway, None));
                }
                if appliance.source_dest_check {
                    track.stop(|| {
                        plain(
                            Code::SourceDestCheck,
                            format!("it leads to {id}, which takes only what is its own"),
                        )
                    });
                    return None;
                }
                self.acl(track, appliance.subnet, Direction::In, from);
                self.groups(track, index, Direction::In, from, None, false);
                self.groups(track, index, Direction::Out, address, None, false);
                let sender = Sender { subnet: appliance.subnet, address: from, public: false, host: None };
                match self.send(track, sender, address).landing {
                    Landing::Inside { vpc: landed, from: origin } if landed == vpc => {
                        Some((origin, Some(index)))
                    }
                    _ => {
                        track.stop(|| plain(Code::Redirected, format!("{id} does not lead to {address}")));
                        None
                    }
                }
            }
            Some(RouteTarget::Endpoint(id)) if self.hides_appliances(id) => {
                track.doubt(None, || {
                    plain(
                        Code::UnknownDestination,
                        format!("what the appliances behind {id} let through is not known"),
                    )
                });
                Some((Origin::Gateway, None))
            }
            _ => {
                track.stop(|| plain(Code::Redirected, format!("it does not lead to {address}")));
                None
            }
        }
    }

    /// The way back from inside to whoever sent.
    fn reply(
        self,
        track: &mut Track,
        from: Sender,
        trip: &Trip,
        subnet: SubnetIx,
        address: IpAddr,
        host: Option<HostIx>,
    ) {
        let direct = trip.landing
            == Landing::Inside { vpc: self.network.subnets.at(subnet).vpc, from: Origin::Subnet(subnet) };
        if direct && from.subnet == subnet && trip.appliances.is_empty() && trip.translated.is_none() {
            return;
        }
        track.replies = true;
        let near = trip.translated.map_or((from.subnet, from.address), |by| (by.subnet, by.address));
        let sender = Sender { subnet, address, public: false, host };
        let back = self.send(track, sender, near.1);
        let home = self.network.subnets.at(near.0).vpc;
        match &back.landing {
            Landing::Inside { vpc, from: origin } if *vpc == home && same_way(trip, &back) => {
                self.arrive(track, home, near.1, address, *origin);
                if let Some(by) = trip.translated {
                    self.handed_back(track, by, from, address);
                }
            }
            Landing::Unclear | Landing::Lost => {}
            elsewhere => {
                let gateway = self.network.subnets.at(near.0).id.to_string();
                self.lost_reply(track, elsewhere, &gateway);
            }
        }
    }

    /// From what translated a packet back to who sent it.
    fn handed_back(self, track: &mut Track, by: Translation, to: Sender, source: IpAddr) {
        if by.subnet != to.subnet {
            self.acl(track, by.subnet, Direction::Out, to.address);
            self.acl(track, to.subnet, Direction::In, source);
        }
    }

    fn reply_from_outside(self, track: &mut Track, to: Sender, trip: &Trip, source: IpAddr) {
        let near = trip.translated.map_or((to.subnet, to.address), |by| (by.subnet, by.address));
        let vpc = self.network.subnets.at(near.0).vpc;
        match &trip.landing {
            Landing::Remote(id) if !id.starts_with("vgw-") => {
                let Some(attachment) = self.remote_attachment(id) else { return };
                let carried = self.carry(track, attachment, near.1, None);
                match carried.landing {
                    Landing::Inside { vpc: landed, from } if landed == vpc => {
                        self.arrive(track, vpc, near.1, source, from);
                    }
                    Landing::Unclear | Landing::Lost => {}
                    elsewhere => self.lost_reply(track, &elsewhere, id),
                }
            }
            Landing::Internet(id) | Landing::Remote(id) => {
                self.edge_back(track, vpc, id, near.1, trip);
                self.acl(track, near.0, Direction::In, source);
            }
            _ => self.acl(track, near.0, Direction::In, source),
        }
        if let Some(by) = trip.translated {
            self.handed_back(track, by, to, source);
        }
    }

    /// The gateway's own route table must not lead replies elsewhere than by who forwarded the request.
    fn edge_back(self, track: &mut Track, vpc: VpcIx, gateway: &str, to: IpAddr, trip: &Trip) {
        let node = self.network.vpcs.at(vpc);
        let Some(table) = node.edges.get(gateway).map(|table| self.network.tables.at(*table)) else { return };
        let row = table.lookup(to);
        let plain = |why: &str| Plain {
            resource: table.id.to_string(),
            name: table.name.clone(),
            kind: "route table",
            because: "it leads into the VPC".into(),
            code: Code::Redirected,
            why: why.to_owned(),
            lift: format!("take the route to {to} out of {}", table.id),
        };
        match row.filter(|row| !row.blackhole).map(|row| &row.target) {
            Some(RouteTarget::Local) => track.pass(|| plain("")),
            Some(RouteTarget::Interface(id)) => {
                let mut by = trip.appliances.iter().map(|index| self.network.hosts.at(*index));
                let own = node.host(to).and_then(|host| self.network.hosts.at(host).interface.as_ref());
                if own != Some(id) && !by.any(|host| host.interface.as_ref() == Some(id)) {
                    track.stop(|| {
                        plain("it leads the replies to an appliance that did not forward the request")
                    });
                }
            }
            Some(RouteTarget::Endpoint(_)) => {
                track.doubt(None, || plain("what the appliances there let through is not known"))
            }
            _ => track.stop(|| plain("it does not lead the replies back")),
        }
    }

    /// Whether an endpoint leads to a Gateway Load Balancer, as far as is known.
    fn hides_appliances(self, id: &crate::inventory::EndpointId) -> bool {
        let endpoint = self.inventory.endpoints.get(id);
        endpoint.is_none_or(|endpoint| endpoint.kind == EndpointKind::GatewayLoadBalancer)
    }

    pub(super) fn remote_attachment(self, id: &str) -> Option<&'a Attachment> {
        let mut attachments = self.inventory.attachments.values();
        attachments.find(|attachment| {
            attachment.id.as_str() == id
                && matches!(attachment.to, AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_))
        })
    }

    /// Whether a host starts connections at all.
    pub(super) fn starts(self, track: &mut Track, index: HostIx) {
        let host = self.network.hosts.at(index);
        if host.kind == HostKind::InterfaceEndpoint {
            track.stop(|| Plain {
                resource: host.label.clone(),
                name: host.name.clone(),
                kind: "VPC endpoint",
                because: String::new(),
                code: Code::EndpointInitiates,
                why: "an interface endpoint answers and starts nothing".into(),
                lift: "ask the other way round".into(),
            });
        }
    }

    /// What a host takes in: by its groups and, of a load balancer, by its listeners.
    pub(super) fn receives(
        self,
        track: &mut Track,
        index: HostIx,
        from: IpAddr,
        peer: Option<HostIx>,
        references: bool,
    ) {
        let host = self.network.hosts.at(index);
        track.replies = false;
        if host.kind == HostKind::NatGateway {
            track.stop(|| Plain {
                resource: host.label.clone(),
                name: host.name.clone(),
                kind: "NAT gateway",
                because: String::new(),
                code: Code::NatInward,
                why: "a NAT gateway takes in nothing unasked".into(),
                lift: "ask for what is behind it by another way".into(),
            });
        }
        self.groups(track, index, Direction::In, from, peer, references);
        self.listens(track, index);
    }
}

/// Whether replies are handed to what the request came out of, and meet no appliance that did not see the request.
///
/// Transit gateways keep no state, so replies may take another way behind the first.
fn same_way(trip: &Trip, back: &Trip) -> bool {
    trip.legs.last() == back.legs.first()
        && back.appliances.iter().all(|appliance| trip.appliances.contains(appliance))
}

fn finished(track: Track, family: Family) -> Passage {
    let (span, whole) = track.passes();
    let span = span.within(&Flows::of_family(family));
    let whole = whole.and(&span.sure);
    Passage { span, whole, back: track.reply, stages: track.stages, handed_on: false }
}
