//! The part of a way that transit gateways carry (transit gateway guide, how transit gateways work).

use std::net::IpAddr;

use super::Code;
use super::stage::{Plain, Track};
use super::table::{SubnetIx, VpcIx};
use super::walk::{Landing, Leg, Origin, References, Walk};
use crate::inventory::{
    Attachment, AttachmentTarget, Call, Direction, RouteTarget, TransitGatewayId, TransitRoute, TransitTable,
    VpcId,
};

/// More gateways in a row than this is a loop.
const MOST_GATEWAYS: usize = 4;

/// Where the tables of transit gateways lead.
enum Reached<'a> {
    Attachment(&'a Attachment),
    Lost,
    Unclear,
}

/// What became of a packet that a transit gateway took.
pub(super) struct Carried {
    pub(super) landing: Landing,
    pub(super) legs: Vec<Leg>,
    pub(super) references: References,
}

impl Carried {
    fn lost() -> Self {
        Self { landing: Landing::Lost, legs: Vec::new(), references: References::Lost }
    }

    fn unclear() -> Self {
        Self { landing: Landing::Unclear, ..Self::lost() }
    }
}

fn plain(attachment: &str, kind: &'static str, code: Code, why: String, lift: String) -> Plain {
    Plain { resource: attachment.to_owned(), name: None, kind, because: String::new(), code, why, lift }
}

impl<'a> Walk<'a> {
    /// Hands a packet in a subnet to a transit gateway.
    pub(super) fn by_transit(
        self,
        track: &mut Track,
        subnet: SubnetIx,
        source: IpAddr,
        gateway: &TransitGatewayId,
        to: IpAddr,
    ) -> Carried {
        let vpc = self.network.subnets.at(subnet).vpc;
        let kind = "transit gateway";
        if let Some(known) = self.inventory.transit_gateways.get(gateway)
            && known.state != "available"
        {
            let why = format!("its state is {}", known.state);
            track.stop(|| {
                plain(gateway.as_str(), kind, Code::BadState, why, "wait until it is available".into())
            });
            return Carried::lost();
        }
        let Some(attachment) = self.attachment_of(gateway, &self.network.vpcs.at(vpc).id) else {
            let why = format!("{} is not attached to it", self.network.vpcs.at(vpc).id);
            let lift = format!("attach {} to {gateway}", self.network.vpcs.at(vpc).id);
            return match self.gap(Call::TransitAttachments, vpc) {
                Some(gap) => {
                    let why = "its attachments were not seen".to_owned();
                    track.doubt(Some(gap), || {
                        plain(gateway.as_str(), kind, Code::UnknownDestination, why, lift)
                    });
                    Carried::unclear()
                }
                None => {
                    track.stop(|| plain(gateway.as_str(), kind, Code::BadStateAttachment, why, lift));
                    Carried::lost()
                }
            };
        };
        if !self.is_available(track, attachment) {
            return Carried::lost();
        }
        let Some(entry) = self.zone_of(track, attachment, subnet) else { return Carried::lost() };
        if entry != subnet {
            self.acl(track, entry, Direction::In, source);
        }
        track.pass(|| Plain {
            because: format!("{} is attached in this zone", self.network.vpcs.at(vpc).id),
            ..plain(
                attachment.id.as_str(),
                "transit gateway attachment",
                Code::TransitZone,
                String::new(),
                String::new(),
            )
        });
        self.carry(track, attachment, to, Some(entry))
    }

    fn is_available(self, track: &mut Track, attachment: &Attachment) -> bool {
        let carries = attachment.state == "available";
        if !carries {
            track.stop(|| {
                plain(
                    attachment.id.as_str(),
                    "transit gateway attachment",
                    Code::BadStateAttachment,
                    format!("its state is {}", attachment.state),
                    "accept it, or make it anew".into(),
                )
            });
        }
        carries
    }

    pub(super) fn attachment_of(self, gateway: &TransitGatewayId, vpc: &VpcId) -> Option<&'a Attachment> {
        let mut attachments = self.inventory.attachments.values();
        attachments.find(|attachment| {
            attachment.gateway == *gateway && matches!(&attachment.to, AttachmentTarget::Vpc(id) if id == vpc)
        })
    }

    /// The subnet of an attachment that is in the zone of another.
    fn zone_of(self, track: &mut Track, attachment: &Attachment, subnet: SubnetIx) -> Option<SubnetIx> {
        let zone = &self.network.subnets.at(subnet).zone;
        let Some(subnets) = &attachment.subnets else {
            let gap = self.gap(Call::TransitVpcAttachments, self.network.subnets.at(subnet).vpc);
            track.doubt(gap, || {
                plain(
                    attachment.id.as_str(),
                    "transit gateway attachment",
                    Code::UnknownDestination,
                    "its subnets were not seen".into(),
                    format!("let {} be seen", Call::TransitVpcAttachments.action()),
                )
            });
            return Some(subnet);
        };
        let mut subnets = subnets.iter().filter_map(|id| self.network.subnet_of.get(id).copied());
        let found = subnets.find(|index| zone.is_some() && self.network.subnets.at(*index).zone == *zone);
        if found.is_none() {
            let zone = zone.as_deref().unwrap_or("an unknown zone");
            track.stop(|| {
                plain(
                    attachment.id.as_str(),
                    "transit gateway attachment",
                    Code::TransitZone,
                    format!("it has no subnet in {zone}"),
                    format!("add a subnet of {zone} to the attachment"),
                )
            });
        }
        found
    }

    /// Carries a packet on from the attachment that it came in by. `entry` is the subnet that it came from.
    pub(super) fn carry(
        self,
        track: &mut Track,
        came_by: &Attachment,
        to: IpAddr,
        entry: Option<SubnetIx>,
    ) -> Carried {
        let mut legs = vec![Leg::Transit(came_by.gateway.clone())];
        let target = match self.through(track, came_by, to, &mut legs, entry) {
            Reached::Attachment(target) => target,
            Reached::Lost => return Carried { legs, ..Carried::lost() },
            Reached::Unclear => return Carried { legs, ..Carried::unclear() },
        };
        let landing = match &target.to {
            AttachmentTarget::Vpc(id) => {
                if !self.is_available(track, target) {
                    return Carried::lost();
                }
                match self.network.vpc_of.get(id) {
                    Some(vpc) => self.delivered(track, target, *vpc, to, entry),
                    None => {
                        track.doubt(None, || {
                            plain(
                                id.as_str(),
                                "VPC",
                                Code::UnknownDestination,
                                "it was not seen".into(),
                                "record the account that owns it as well".into(),
                            )
                        });
                        Landing::Unclear
                    }
                }
            }
            AttachmentTarget::Vpn(_) | AttachmentTarget::DirectConnect(_) => {
                Landing::Remote(target.id.to_string())
            }
            AttachmentTarget::Peer(_) | AttachmentTarget::Other(..) => {
                track.doubt(None, || {
                    plain(
                        target.id.as_str(),
                        "transit gateway attachment",
                        Code::UnknownDestination,
                        "what is behind it is not known".into(),
                        "ask whoever runs what is behind it".into(),
                    )
                });
                Landing::Unclear
            }
        };
        let gateway = self.inventory.transit_gateways.get(&came_by.gateway);
        let supported = legs.len() == 1
            && gateway.is_some_and(|gateway| gateway.group_references)
            && came_by.group_references
            && target.group_references;
        let references = if supported { References::Inbound } else { References::Lost };
        Carried { landing, legs, references }
    }

    fn delivered(
        self,
        track: &mut Track,
        target: &Attachment,
        vpc: VpcIx,
        to: IpAddr,
        entry: Option<SubnetIx>,
    ) -> Landing {
        let node = self.network.vpcs.at(vpc);
        let attachment = |code: Code, why: String, lift: String| {
            plain(target.id.as_str(), "transit gateway attachment", code, why, lift)
        };
        if !node.contains(to) {
            track.stop(|| {
                attachment(
                    Code::TransitCannotRoute,
                    format!("{to} is not in {}", node.id),
                    "lead the route elsewhere".into(),
                )
            });
            return Landing::Lost;
        }
        let host = node.host(to).map(|host| self.network.hosts.at(host).subnet);
        let receiver = host.or_else(|| self.subnet_with(vpc, to));
        let Some(subnets) = &target.subnets else {
            let gap = self.gap(Call::TransitVpcAttachments, vpc);
            track.doubt(gap, || {
                attachment(Code::UnknownDestination, "its subnets were not seen".into(), String::new())
            });
            return Landing::Inside { vpc, from: Origin::Gateway };
        };
        let zone = |subnet: Option<SubnetIx>| {
            subnet.and_then(|subnet| self.network.subnets.at(subnet).zone.as_ref())
        };
        let exits: Vec<SubnetIx> =
            subnets.iter().filter_map(|id| self.network.subnet_of.get(id).copied()).collect();
        let in_zone = |wanted: Option<&String>| {
            exits.iter().find(|exit| wanted.is_some() && zone(Some(**exit)) == wanted).copied()
        };
        // A packet stays in its zone where it can (transit gateway guide, availability zones).
        let Some(exit) =
            in_zone(zone(entry)).or_else(|| in_zone(zone(receiver))).or_else(|| exits.first().copied())
        else {
            track.stop(|| {
                attachment(
                    Code::TransitAttachmentZone,
                    "it has no subnet that was seen".into(),
                    "let its subnets be seen".into(),
                )
            });
            return Landing::Lost;
        };
        match self.network.subnets.at(exit).table {
            Err(gap) => track.doubt(Some(gap), || {
                attachment(
                    Code::UnknownDestination,
                    "the route table of its subnet was not seen".into(),
                    String::new(),
                )
            }),
            Ok(table) => {
                let table = self.network.tables.at(table);
                let local =
                    table.lookup(to).is_some_and(|row| row.target == RouteTarget::Local && !row.blackhole);
                if !local {
                    track.stop(|| {
                        plain(
                            table.id.as_str(),
                            "route table",
                            Code::CannotRoute,
                            format!("behind the transit gateway it does not lead to {to} directly"),
                            "take the more specific route away".into(),
                        )
                    });
                    return Landing::Lost;
                }
            }
        }
        if receiver != Some(exit) {
            self.acl(track, exit, Direction::Out, to);
        }
        Landing::Inside { vpc, from: Origin::Subnet(exit) }
    }

    /// Follows the tables of transit gateways, from one to the next where they are peered.
    fn through(
        self,
        track: &mut Track,
        came_by: &Attachment,
        to: IpAddr,
        legs: &mut Vec<Leg>,
        entry: Option<SubnetIx>,
    ) -> Reached<'a> {
        let (mut gateway, mut table, mut at) =
            (came_by.gateway.clone(), came_by.table.clone(), came_by.id.clone());
        let vpc = entry.map(|entry| self.network.subnets.at(entry).vpc);
        let gap = |call: Call| vpc.and_then(|vpc| self.gap(call, vpc));
        for _ in 0..MOST_GATEWAYS {
            let Some(id) = table else {
                track.stop(|| {
                    plain(
                        at.as_str(),
                        "transit gateway attachment",
                        Code::TransitNoTable,
                        "it is associated with no route table".into(),
                        "associate it with a route table".into(),
                    )
                });
                return Reached::Lost;
            };
            let kind = "transit gateway route table";
            let known = self.inventory.transit_tables.get(&id);
            let Some(routes) = known.and_then(|table| table.routes.as_ref()) else {
                let gap = gap(Call::TransitRoutes).or_else(|| gap(Call::TransitTables));
                track.doubt(gap, || {
                    plain(
                        id.as_str(),
                        kind,
                        Code::TransitRoutesUnknown,
                        "its routes were not seen".into(),
                        format!("let {} be seen", Call::TransitRoutes.action()),
                    )
                });
                return Reached::Unclear;
            };
            let Some(route) = best(routes, to) else {
                track.stop(|| {
                    plain(
                        id.as_str(),
                        kind,
                        Code::TransitNoRoute,
                        format!("it has no route to {to}"),
                        format!("add a route to {to} to {id}, or propagate it"),
                    )
                });
                return Reached::Lost;
            };
            let next = route.attachments.first();
            let (Some(next), false) = (next, route.blackhole) else {
                track.stop(|| {
                    plain(
                        id.as_str(),
                        kind,
                        Code::TransitBadRoute,
                        format!("its route {} is a black hole", route.cidr),
                        "take the route away, or lead it to an attachment".into(),
                    )
                });
                return Reached::Lost;
            };
            track.pass(|| Plain {
                because: format!(
                    "{} to {next}{}",
                    route.cidr,
                    if route.propagated { ", propagated" } else { "" }
                ),
                ..plain(id.as_str(), kind, Code::TransitNoRoute, String::new(), String::new())
            });
            let attachment = self.inventory.attachments.get(&(gateway.clone(), next.clone()));
            let Some(attachment) = attachment else {
                let gap = gap(Call::TransitAttachments);
                track.doubt(gap, || {
                    plain(
                        next.as_str(),
                        "transit gateway attachment",
                        Code::UnknownDestination,
                        "it was not seen".into(),
                        String::new(),
                    )
                });
                return Reached::Unclear;
            };
            let AttachmentTarget::Peer(peer) = &attachment.to else { return Reached::Attachment(attachment) };
            if !self.is_available(track, attachment) {
                return Reached::Lost;
            }
            let Some(far) = self.inventory.attachments.get(&(peer.clone(), attachment.id.clone())) else {
                track.doubt(None, || {
                    plain(
                        peer.as_str(),
                        "transit gateway",
                        Code::UnknownDestination,
                        "the peer was not seen".into(),
                        "record the account and Region that it is in as well".into(),
                    )
                });
                return Reached::Unclear;
            };
            legs.push(Leg::Transit(peer.clone()));
            (gateway, table, at) = (peer.clone(), far.table.clone(), far.id.clone());
        }
        track.stop(|| {
            plain(
                gateway.as_str(),
                "transit gateway",
                Code::Loop,
                format!("more than {MOST_GATEWAYS} transit gateways do not get to {to}"),
                "route it to where it belongs".into(),
            )
        });
        Reached::Lost
    }
}

/// The longest prefix; at equal length what is static before what was propagated.
fn best(routes: &[TransitRoute], to: IpAddr) -> Option<&TransitRoute> {
    let matching = routes.iter().filter(|route| route.cidr.contains(to));
    matching.min_by_key(|route| (std::cmp::Reverse(route.cidr.bits()), route.propagated))
}

/// The prefixes that lead to an attachment.
pub(super) fn prefixes_to<'t>(
    tables: impl Iterator<Item = &'t TransitTable>,
    attachment: &crate::inventory::AttachmentId,
) -> Vec<crate::net::Cidr> {
    let routes = tables.filter_map(|table| table.routes.as_ref()).flatten();
    let leading = routes.filter(|route| !route.blackhole && route.attachments.contains(attachment));
    leading.map(|route| route.cidr).collect()
}
