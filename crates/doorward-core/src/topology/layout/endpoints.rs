//! The VPC endpoints of a network, the security group of their interfaces, and the routes that AWS adds for them.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::subnets::Subnets;
use super::{Note, Obstacle};
use crate::inventory::{
    Destination, Endpoint, EndpointId, EndpointKind, Inventory, PrefixListId, Route, RouteTableId,
    RouteTarget, RuleIdentity, SecurityGroupId, SubnetId, VpcId, made_by,
};
use crate::mark::Because;
use crate::net::{Family, Flow, Ports};
use crate::topology::{EndpointService, Network, Part, Purpose, SubnetKind};

/// All endpoints of a network.
pub(super) fn lay_out(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    subnets: &Subnets,
    tables: &BTreeSet<RouteTableId>,
) {
    if network.endpoints.is_empty() {
        return;
    }
    let Some(region) = draft.site.account_region.region.clone().or(network.at.region.clone()) else {
        draft.obstacle(Obstacle::NoRegion { network: network.name.clone() });
        return;
    };
    let mut unnamed = Vec::new();
    for service in &network.endpoints {
        let name = service.in_region(&region);
        match service.kind() {
            EndpointKind::Gateway => gateway(draft, network, vpc, service, name, tables),
            _ if lacks_dns(draft, network, vpc, service, &name) => unnamed.push(service.to_string()),
            _ => interface(draft, network, vpc, service, name, subnets),
        }
    }
    let off = draft.wanted.vpcs.get(vpc).and_then(|vpc| vpc.dns.off());
    if let Some(off) = off.filter(|_| !unnamed.is_empty()) {
        let (network, vpc, services) = (network.name.clone(), vpc.clone(), unnamed.join(", "));
        draft.obstacle(Obstacle::NoPrivateDns { network, vpc, off, services });
    }
}

/// Whether an endpoint would be made whose private DNS name needs an attribute that is off in somebody else's VPC, where only
/// they may turn it on (PrivateLink guide, "DNS names").
fn lacks_dns(
    draft: &Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    service: &EndpointService,
    name: &str,
) -> bool {
    let is_off = draft.wanted.vpcs.get(vpc).is_some_and(|vpc| vpc.dns.off().is_some());
    let purpose = Purpose::of(&network.name, Part::Endpoint(service.clone()));
    is_off
        && foreign(draft, vpc, name).is_none()
        && draft.existing_if::<Endpoint>(&purpose, Endpoint::can_serve).is_none()
}

/// Somebody else's endpoint for a service.
fn foreign<'a>(draft: &Draft<'a>, vpc: &VpcId, name: &str) -> Option<&'a Endpoint> {
    let by = &draft.site.by;
    draft.actual.endpoints.values().find(|endpoint| {
        endpoint.vpc == *vpc
            && endpoint.service == name
            && endpoint.can_serve()
            && made_by(&endpoint.tags, by).is_none()
    })
}

fn new(
    id: EndpointId,
    tags: crate::inventory::Tags,
    vpc: &VpcId,
    kind: EndpointKind,
    service: String,
) -> Endpoint {
    Endpoint {
        id,
        vpc: vpc.clone(),
        kind,
        service,
        state: "available".into(),
        tables: BTreeSet::new(),
        subnets: BTreeSet::new(),
        interfaces: BTreeSet::new(),
        groups: BTreeSet::new(),
        tags,
    }
}

fn gateway(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    service: &EndpointService,
    name: String,
    tables: &BTreeSet<RouteTableId>,
) {
    let purpose = Purpose::of(&network.name, Part::Endpoint(service.clone()));
    let id = draft.put_if::<Endpoint>(
        &purpose,
        Endpoint::can_serve,
        |endpoint| &endpoint.id,
        |id, tags| new(id, tags, vpc, EndpointKind::Gateway, name),
    );
    if let Some(endpoint) = draft.wanted.endpoints.get_mut(&id) {
        // Tables that somebody else added stay.
        endpoint.tables.extend(tables.iter().cloned());
        endpoint.state = "available".into();
    }
}

fn interface(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    service: &EndpointService,
    name: String,
    subnets: &Subnets,
) {
    // A VPC has one endpoint with the private DNS name of a service (PrivateLink guide, "DNS names").
    if let Some(foreign) = foreign(draft, vpc, &name) {
        let (network, endpoint) = (network.name.clone(), (&foreign.id).into());
        draft.note(Note::ForeignEndpoint { network, endpoint, service: service.to_string() });
        return;
    }
    let group = group(draft, network, vpc);
    let purpose = Purpose::of(&network.name, Part::Endpoint(service.clone()));
    let id = draft.put_if::<Endpoint>(
        &purpose,
        Endpoint::can_serve,
        |endpoint| &endpoint.id,
        |id, tags| new(id, tags, vpc, EndpointKind::Interface, name),
    );
    let private = subnets.iter().filter(|((kind, _), _)| *kind == SubnetKind::Private);
    let private: BTreeSet<SubnetId> = private.map(|(_, id)| id.clone()).collect();
    if let Some(endpoint) = draft.wanted.endpoints.get_mut(&id) {
        // An endpoint has one subnet in each zone, so what stands in a zone of ours is replaced.
        endpoint.subnets = private;
        endpoint.groups.insert(group);
        endpoint.state = "available".into();
    }
}

/// The security group of interface endpoints: it admits HTTPS from the VPC, and sends nothing by itself.
fn group(draft: &mut Draft<'_>, network: &Network, vpc: &VpcId) -> SecurityGroupId {
    let purpose = Purpose::of(&network.name, Part::EndpointGroup);
    let name = format!("{}-endpoints", network.name);
    let about = format!("Interface endpoints of the network {}", network.name);
    let id = draft.put_group(&purpose, vpc, name, about);
    let https = Flow::Tcp(Ports::one(443));
    let cidrs = draft.wanted.vpcs.get(vpc).map(|vpc| vpc.cidrs.clone()).unwrap_or_default();
    let mark = draft.mark(Because::Network { network: network.name.clone() });
    let rules = cidrs.into_iter().filter(|cidr| cidr.family() == Family::V4);
    let rules = rules.map(|cidr| (RuleIdentity::admitting(https, cidr), mark.clone())).collect();
    super::groups::set_rules(draft, &id, rules);
    id
}

/// The routes that gateway endpoints have in the tables that they are associated with: AWS adds and removes them, and nobody
/// else can (PrivateLink guide, "Gateway endpoints"). Those to a list that was not described are left as they are.
pub(crate) fn route_all(inventory: &mut Inventory) {
    let gateways = inventory.endpoints.values().filter(|endpoint| endpoint.kind == EndpointKind::Gateway);
    let lists: Vec<(EndpointId, PrefixListId, BTreeSet<RouteTableId>)> = gateways
        .filter_map(|endpoint| {
            let region = inventory.vpcs.get(&endpoint.vpc).and_then(|vpc| vpc.account_region.region.as_ref());
            let list = inventory.prefix_lists.values().find(|list| {
                list.name == endpoint.service
                    && (region.is_none() || list.account_region.region.as_ref() == region)
            })?;
            Some((endpoint.id.clone(), list.id.clone(), endpoint.tables.clone()))
        })
        .collect();
    let there: BTreeSet<EndpointId> = inventory.endpoints.keys().cloned().collect();
    for (id, table) in &mut inventory.route_tables {
        table.routes.retain(|route| match (&route.target, &route.destination) {
            (RouteTarget::Endpoint(endpoint), Destination::PrefixList(_)) => there.contains(endpoint),
            _ => true,
        });
        for (endpoint, list, tables) in &lists {
            let target = RouteTarget::Endpoint(endpoint.clone());
            let has = table.routes.iter().any(|route| route.target == target);
            if tables.contains(id) && !has {
                let destination = Destination::PrefixList(list.clone());
                table.routes.push(Route { destination, target, propagated: false, blackhole: false });
            } else if !tables.contains(id) {
                table.routes.retain(|route| route.target != target);
            }
        }
    }
}
