//! Whether a reply gets back the way that its request came.

use std::net::IpAddr;

use super::Code;
use super::stage::{Plain, Track};
use super::table::{HostIx, SubnetIx, VpcIx};
use super::walk::{Landing, Origin, Sender, Translation, Trip, Walk};
use crate::inventory::{Direction, EndpointKind};

impl Walk<'_> {
    pub(super) fn lost_reply(self, track: &mut Track, landing: &Landing, gateway: &str) {
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

    /// The way back from inside to whoever sent.
    pub(super) fn reply(
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

    pub(super) fn reply_from_outside(self, track: &mut Track, to: Sender, trip: &Trip, source: IpAddr) {
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
                let origin = self.edge_back(track, vpc, id, source, near.1, trip);
                if origin != Some(Origin::Subnet(near.0)) {
                    self.acl(track, near.0, Direction::In, source);
                }
            }
            _ => self.acl(track, near.0, Direction::In, source),
        }
        if let Some(by) = trip.translated {
            self.handed_back(track, by, to, source);
        }
    }

    /// The gateway's own route table must not lead replies elsewhere than by who forwarded the request. Says where
    /// they come from then.
    fn edge_back(
        self,
        track: &mut Track,
        vpc: VpcIx,
        gateway: &str,
        source: IpAddr,
        to: IpAddr,
        trip: &Trip,
    ) -> Option<Origin> {
        let (origin, by) = self.edge(track, vpc, gateway, source, to)?;
        if let Some(other) = by.iter().find(|appliance| !trip.appliances.contains(appliance)) {
            let other = self.network.hosts.at(*other);
            track.stop(|| Plain {
                resource: other.label.clone(),
                name: other.name.clone(),
                kind: "interface",
                because: "it forwards what is not its own".into(),
                code: Code::Redirected,
                why: format!(
                    "the replies that {gateway} takes in come to it, and it did not forward the request"
                ),
                lift: format!(
                    "route the request by it, or take the route to {to} out of the table of {gateway}"
                ),
            });
        }
        Some(origin)
    }

    /// Whether an endpoint leads to a Gateway Load Balancer, as far as is known.
    pub(super) fn hides_appliances(self, id: &crate::inventory::EndpointId) -> bool {
        let endpoint = self.inventory.endpoints.get(id);
        endpoint.is_none_or(|endpoint| endpoint.kind == EndpointKind::GatewayLoadBalancer)
    }
}

/// Whether replies are handed to what the request came out of, and meet no appliance that did not see the request.
///
/// Transit gateways keep no state, so replies may take another way behind the first.
fn same_way(trip: &Trip, back: &Trip) -> bool {
    trip.legs.last() == back.legs.first()
        && back.appliances.iter().all(|appliance| trip.appliances.contains(appliance))
}
