//! What hands a packet on inside: appliances, peerings, VPC endpoints.

use std::net::IpAddr;

use super::span::Span;
use super::stage::{Note, Plain, Track};
use super::table::VpcIx;
use super::walk::{Landing, Leg, Next, Origin, Position, References, Walk};
use super::{Code, Flows};
use crate::inventory::{Call, Direction, EndpointKind, PeeringId, RouteTarget};
use crate::net::{Flow, Icmp, Ports};

impl Walk<'_> {
    pub(super) fn appliance(
        self,
        track: &mut Track,
        at: &mut Position,
        by: &RouteTarget,
        to: IpAddr,
    ) -> Next {
        let vpc = self.network.subnets.at(at.subnet).vpc;
        let plain = |code: Code, why: String, lift: String| Plain {
            resource: by.to_string(),
            name: None,
            kind: "interface",
            because: "it forwards what is not its own".into(),
            code,
            why,
            lift,
        };
        let Some(index) = self.forwarder(by) else {
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
                    format!("{by} takes only what is for its own addresses"),
                    format!("switch the source/destination check of {by} off, if it is to forward"),
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
        at.forwarded = Some(index);
        at.public = host.points.iter().any(|point| point.public);
        at.subnet = host.subnet;
        at.host = None;
        Next::On
    }

    pub(super) fn peering(
        self,
        track: &mut Track,
        at: &mut Position,
        vpc: VpcIx,
        id: &PeeringId,
        to: IpAddr,
    ) -> Next {
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

    pub(super) fn endpoint(
        self,
        track: &mut Track,
        at: &Position,
        id: &crate::inventory::EndpointId,
        listed: bool,
    ) -> Next {
        let vpc = self.network.subnets.at(at.subnet).vpc;
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
            // Choice: the VPC user guide names as ways of a NAT gateway the internet gateway, transit gateways and VPN
            // gateways; before 2021 it said outright that it sends nothing over VPC endpoints.
            EndpointKind::Gateway if at.trip.translated.is_some() => {
                let why = "a NAT gateway sends nothing by a VPC endpoint".to_owned();
                track.stop(|| Plain {
                    lift: format!("route to {} from the sender's own subnet", endpoint.service),
                    ..plain(Code::CannotRoute, String::new(), why)
                });
                Next::Landed(Landing::Lost)
            }
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
}
