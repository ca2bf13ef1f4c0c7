//! Whether a packet gets from one point to another and its reply back: the way, the groups, the way back.

use std::net::IpAddr;

use super::answer::End;
use super::host::{HostKind, Point};
use super::span::Span;
use super::stage::{Detail, Plain, Stage, Track};
use super::table::{HostIx, VpcIx};
use super::walk::{Landing, References, Sender, Walk};
use super::{Code, Flows};
use crate::inventory::{Attachment, AttachmentTarget, Direction, VpnGatewayId};
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
    /// Between a host, by all its addresses of the family, and an address outside.
    pub(super) fn across(self, outside: &Outside, other: IpAddr, host: HostIx, direction: Direction) -> Span {
        let family = ranges::family(other);
        let points = self.network.hosts.at(host).points.iter();
        points.filter(|point| ranges::family(point.address) == family).fold(Span::none(), |sum, point| {
            let spot = Spot { host, point: *point };
            let passage = match direction {
                Direction::In => self.inward(outside, other, spot, Detail::Sum),
                Direction::Out => self.outward(spot, other, Aim::of(outside), Detail::Sum),
            };
            sum.union(&passage.span)
        })
    }

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
    pub(super) fn between(self, from: Spot, to: Spot, detail: Detail) -> Passage {
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

    pub(super) fn place_of(self, landing: &Landing) -> String {
        match landing {
            Landing::Inside { vpc, .. } => format!("in {}", self.network.vpcs.at(*vpc).id),
            Landing::Internet(gateway) => format!("on the internet, by {gateway}"),
            Landing::Service(endpoint) => format!("at the service behind {endpoint}"),
            Landing::Remote(gateway) => format!("behind {gateway}"),
            Landing::Lost | Landing::Unclear => "nowhere".into(),
        }
    }

    /// From a host to an address outside.
    pub(super) fn outward(self, from: Spot, to: IpAddr, aim: Aim<'_>, detail: Detail) -> Passage {
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
    pub(super) fn inward(self, outside: &Outside, from: IpAddr, to: Spot, detail: Detail) -> Passage {
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
                        Some((id.to_string(), origin, Vec::new()))
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
                    *way == gateway && trip.appliances.iter().all(|appliance| by.contains(appliance))
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

fn finished(track: Track, family: Family) -> Passage {
    let (span, whole) = track.passes();
    let span = span.within(&Flows::of_family(family));
    let whole = whole.and(&span.sure);
    Passage { span, whole, back: track.reply, stages: track.stages, handed_on: false }
}
