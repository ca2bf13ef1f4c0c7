//! Gateways that a packet leaves a VPC by: internet, egress-only, NAT.

use std::net::IpAddr;

use super::space;
use super::span::Span;
use super::stage::{Note, Plain, Track};
use super::table::{SubnetIx, VpcIx};
use super::walk::{Landing, Next, Position, References, Translation, Walk, own_address};
use super::{Code, Flows};
use crate::inventory::{BlockMode, Call, Direction, Excepted};
use crate::net::ranges;

impl Walk<'_> {
    /// Meets a gateway that has to be attached to the VPC. `there` is none where it was not described.
    pub(super) fn gateway(
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

    pub(super) fn internet(
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
        if let (Some(host), false) = (at.forwarded, replies) {
            let node = self.network.hosts.at(host);
            at.trip.translated = at.trip.translated.or(Some(Translation {
                subnet: node.subnet,
                address: own_address(node, to).unwrap_or(at.trip.seen),
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

    pub(super) fn egress_only(
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

    pub(super) fn nat(
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
        at.trip.translated = Some(Translation { subnet, address });
        at.trip.seen = address;
        at.trip.references = References::Lost;
        at.subnet = subnet;
        at.public = nat.public && nat.public_address.is_some();
        at.host = None;
        at.forwarded = None;
        Next::On
    }
}
