//! How a packet from outside gets into a VPC: by its internet gateway or a VPN gateway.

use std::net::IpAddr;

use super::Code;
use super::passage::Spot;
use super::stage::{Plain, Track};
use super::table::{HostIx, VpcIx};
use super::walk::{Landing, Origin, Sender, Walk};
use crate::inventory::{Call, Direction, RouteTarget, VpnGatewayId};

impl Walk<'_> {
    pub(super) fn astray(self, track: &mut Track, gateway: &str, to: Spot) {
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
    pub(super) fn by_internet(
        self,
        track: &mut Track,
        from: IpAddr,
        to: Spot,
    ) -> Option<(String, Origin, Vec<HostIx>)> {
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
        let (origin, by) = self.edge(track, host.vpc, gateway.id.as_str(), from, to.point.address)?;
        public.then(|| (gateway.id.to_string(), origin, by))
    }

    pub(super) fn by_vpn(
        self,
        track: &mut Track,
        id: &VpnGatewayId,
        from: IpAddr,
        to: Spot,
    ) -> Option<(String, Origin, Vec<HostIx>)> {
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
        let (origin, by) = self.edge(track, host.vpc, id.as_str(), from, to.point.address)?;
        Some((id.to_string(), origin, by))
    }

    /// The gateway's own route table, where it has one, for a packet or a reply. Says where it comes from then, and
    /// by which appliances.
    pub(super) fn edge(
        self,
        track: &mut Track,
        vpc: VpcIx,
        gateway: &str,
        from: IpAddr,
        to: IpAddr,
    ) -> Option<(Origin, Vec<HostIx>)> {
        let node = self.network.vpcs.at(vpc);
        let Some(table) = node.edges.get(gateway).map(|table| self.network.tables.at(*table)) else {
            return Some((Origin::Gateway, Vec::new()));
        };
        let plain = |code: Code, why: String| Plain {
            resource: table.id.to_string(),
            name: table.name.clone(),
            kind: "route table",
            because: "it leads into the VPC".into(),
            code,
            why,
            lift: format!("take the route to {to} out of {}", table.id),
        };
        let row = table.lookup(to);
        match row.filter(|row| !row.blackhole).map(|row| &row.target) {
            Some(RouteTarget::Local) => {
                track.pass(|| plain(Code::Redirected, String::new()));
                Some((Origin::Gateway, Vec::new()))
            }
            Some(target @ (RouteTarget::Interface(_) | RouteTarget::Instance(_))) => {
                let Some(index) = self.forwarder(target) else {
                    track.stop(|| {
                        plain(Code::Redirected, format!("it leads to {target}, which is not there"))
                    });
                    return None;
                };
                let appliance = self.network.hosts.at(index);
                if appliance.points.iter().any(|point| point.address == to) {
                    return Some((Origin::Gateway, Vec::new()));
                }
                if appliance.source_dest_check {
                    track.stop(|| {
                        plain(
                            Code::SourceDestCheck,
                            format!("it leads to {target}, which takes only what is its own"),
                        )
                    });
                    return None;
                }
                self.acl(track, appliance.subnet, Direction::In, from);
                if !track.replies {
                    self.groups(track, index, Direction::In, from, None, false);
                    self.groups(track, index, Direction::Out, to, None, false);
                }
                let sender = Sender { subnet: appliance.subnet, address: from, public: false, host: None };
                let trip = self.send(track, sender, to);
                let by = std::iter::once(index).chain(trip.appliances).collect();
                match trip.landing {
                    Landing::Inside { vpc: landed, from: origin } if landed == vpc => Some((origin, by)),
                    Landing::Unclear => Some((Origin::Gateway, by)),
                    _ => {
                        track.stop(|| plain(Code::Redirected, format!("{target} does not lead to {to}")));
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
                Some((Origin::Gateway, Vec::new()))
            }
            _ => {
                track.stop(|| plain(Code::Redirected, format!("it does not lead to {to}")));
                None
            }
        }
    }
}
