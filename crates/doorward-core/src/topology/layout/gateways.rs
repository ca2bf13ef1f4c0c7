//! The internet gateway of a network, and its NAT gateways with their elastic addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::draft::Draft;
use super::subnets::Subnets;
use crate::inventory::{
    ElasticAddress, InternetGateway, InternetGatewayId, NatAvailability, NatGateway, NatGatewayId, SubnetId,
    VpcId,
};
use crate::topology::{Nat, Network, Part, Purpose, SubnetKind, ZoneId};

/// The internet gateway of the VPC. A VPC has one at most, so somebody else's is used where there is one.
pub(super) fn internet(draft: &mut Draft<'_>, network: &Network, vpc: &VpcId) -> InternetGatewayId {
    let purpose = Purpose::of(&network.name, Part::InternetGateway);
    if let Some(attached) = draft.actual.internet_gateway_of(vpc) {
        draft.keep(&attached.id);
        return attached.id.clone();
    }
    let id = draft.put::<InternetGateway>(
        &purpose,
        |gateway| &gateway.id,
        |id, tags| InternetGateway { id, vpc: None, tags },
    );
    if let Some(gateway) = draft.wanted.internet_gateways.get_mut(&id) {
        gateway.vpc = Some(vpc.clone());
    }
    id
}

/// The NAT gateway of the private subnet in each zone; none in a zone that has none.
pub(super) fn nat(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    subnets: &Subnets,
) -> BTreeMap<ZoneId, NatGatewayId> {
    let zones: BTreeSet<&ZoneId> = subnets.keys().map(|(_, zone)| zone).collect();
    let everywhere = |id: NatGatewayId| zones.iter().map(|zone| ((*zone).clone(), id.clone())).collect();
    match network.nat {
        Nat::None => BTreeMap::new(),
        Nat::Gateway => {
            // The one that stands stays, so that the address with which the network is known to others stays too.
            let existing = zones.iter().find(|zone| existing(draft, network, zone).is_some());
            let Some(host) = existing.or(zones.first()) else { return BTreeMap::new() };
            zonal(draft, network, vpc, subnets, host).map(everywhere).unwrap_or_default()
        }
        Nat::GatewayPerZone => {
            let mut gateways = BTreeMap::new();
            for zone in &zones {
                let gateway = zonal(draft, network, vpc, subnets, zone);
                gateways.extend(gateway.map(|id| ((*zone).clone(), id)));
            }
            gateways
        }
        Nat::Regional => everywhere(regional(draft, network, vpc)),
    }
}

/// Whether a NAT gateway serves or will: one that failed is made again, and AWS deletes it after an hour (VPC user guide,
/// "Troubleshoot NAT gateways").
fn serves(gateway: &NatGateway) -> bool {
    matches!(gateway.state.as_str(), "available" | "pending")
}

fn existing<'a>(draft: &Draft<'a>, network: &Network, zone: &ZoneId) -> Option<&'a NatGateway> {
    let purpose = Purpose::of(&network.name, Part::NatGateway(zone.clone()));
    draft.existing_if::<NatGateway>(&purpose, serves)
}

fn zonal(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    subnets: &Subnets,
    zone: &ZoneId,
) -> Option<NatGatewayId> {
    if let Some(gateway) = existing(draft, network, zone) {
        draft.keep(&gateway.id);
        if let Some(address) = gateway.public_address {
            draft.keep(&address);
        }
        let id = gateway.id.clone();
        becomes_available(draft, &id);
        return Some(id);
    }
    let subnet: SubnetId = subnets.get(&(SubnetKind::Public, zone.clone()))?.clone();
    let address = address(draft, network, zone);
    let purpose = Purpose::of(&network.name, Part::NatGateway(zone.clone()));
    let gateway = |id, tags| NatGateway {
        id,
        vpc: vpc.clone(),
        availability: NatAvailability::Zonal(subnet),
        state: "available".into(),
        public: true,
        private_address: None,
        public_address: Some(address),
        interface: None,
        tags,
    };
    Some(make(draft, &purpose, gateway))
}

fn regional(draft: &mut Draft<'_>, network: &Network, vpc: &VpcId) -> NatGatewayId {
    let purpose = Purpose::of(&network.name, Part::RegionalNatGateway);
    if let Some(gateway) = draft.existing_if::<NatGateway>(&purpose, serves) {
        let id = gateway.id.clone();
        draft.keep(&id);
        becomes_available(draft, &id);
        return id;
    }
    make(draft, &purpose, |id, tags| NatGateway {
        id,
        vpc: vpc.clone(),
        availability: NatAvailability::Regional(None),
        state: "available".into(),
        public: true,
        private_address: None,
        public_address: None,
        interface: None,
        tags,
    })
}

/// A new gateway, also where one that failed still has the purpose.
fn make(
    draft: &mut Draft<'_>,
    purpose: &Purpose,
    new: impl FnOnce(NatGatewayId, crate::inventory::Tags) -> NatGateway,
) -> NatGatewayId {
    use crate::inventory::PlannedId;
    let id = NatGatewayId::planned(&purpose.to_string());
    draft.keep(&id);
    let gateway = new(id.clone(), draft.tags(purpose));
    draft.wanted.nat_gateways.insert(id.clone(), gateway);
    id
}

fn becomes_available(draft: &mut Draft<'_>, id: &NatGatewayId) {
    if let Some(gateway) = draft.wanted.nat_gateways.get_mut(id) {
        gateway.state = "available".into();
    }
}

/// The elastic address of a gateway: the one that stands, or one that AWS chooses.
fn address(draft: &mut Draft<'_>, network: &Network, zone: &ZoneId) -> Ipv4Addr {
    let purpose = Purpose::of(&network.name, Part::NatAddress(zone.clone()));
    if let Some(existing) = draft.existing::<ElasticAddress>(&purpose) {
        draft.keep(&existing.public);
        return existing.public;
    }
    let taken = |address: &Ipv4Addr| {
        draft.wanted.elastic_addresses.contains_key(address)
            || draft.actual.elastic_addresses.contains_key(address)
    };
    let public =
        (1..).map(ElasticAddress::planned).find(|address| !taken(address)).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let address = ElasticAddress {
        public,
        allocation: None,
        private: None,
        interface: None,
        tags: draft.tags(&purpose),
    };
    draft.keep(&public);
    draft.wanted.elastic_addresses.insert(public, address);
    public
}
