//! Route tables of VPCs.

use doorward_core::inventory::{
    AnsweredId, Call, Destination, EgressOnlyGatewayId, EndpointId, InternetGatewayId, Inventory,
    NatGatewayId, Route, RouteTable, RouteTarget, VpnGatewayId,
};

use super::{Member, Reader, Unreadable, cidr, id, needed, tags};
use crate::operation::{RouteAssociationShape, RouteShape, RouteTableShape};

impl Member for RouteTableShape {
    const CALL: Call = Call::RouteTables;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let mut table = RouteTable {
            id: needed(self.id.as_deref(), "RouteTableId")?,
            vpc: needed(self.vpc.as_deref(), "VpcId")?,
            main: false,
            subnets: Default::default(),
            gateways: Default::default(),
            routes: Vec::new(),
            incomplete: false,
            tags: tags(&self.tags),
        };
        for association in self.associations.0.iter().filter(|association| stands(association)) {
            table.main |= association.main.unwrap_or_default();
            table.subnets.extend(id(association.subnet.as_deref())?);
            table.gateways.extend(association.gateway.clone().filter(|gateway| !gateway.is_empty()));
        }
        for shape in &self.routes.0 {
            match route(shape) {
                Ok(route) => table.routes.push(route),
                Err(why) => {
                    table.incomplete = true;
                    let what = format!("{} in {}", destination_name(shape), table.id);
                    reader.unreadable(Self::CALL, Some(&what), &why);
                }
            }
        }
        reader.keep(|inventory| &mut inventory.route_tables, table.id.clone(), table, alike)
    }
}

/// Whether two answers say the same of a table: routes come in no order.
fn alike(one: &RouteTable, other: &RouteTable) -> bool {
    let routes =
        |of: &RouteTable, in_it: &RouteTable| of.routes.iter().all(|route| in_it.routes.contains(route));
    let without = |table: &RouteTable| RouteTable { routes: Vec::new(), ..table.clone() };
    without(one) == without(other) && routes(one, other) && routes(other, one)
}

/// An association that failed or ended stays in answers for a while; older answers do not tell of states.
fn stands(association: &RouteAssociationShape) -> bool {
    let state = association.state.as_ref().and_then(|state| state.state.as_deref());
    !matches!(state, Some("disassociating" | "disassociated" | "failed"))
}

fn route(shape: &RouteShape) -> Result<Route, Unreadable> {
    Ok(Route {
        destination: destination(shape)?,
        target: target(shape)?,
        propagated: shape.origin.as_deref() == Some("EnableVgwRoutePropagation"),
        blackhole: shape.state.as_deref() == Some("blackhole"),
    })
}

fn destination(shape: &RouteShape) -> Result<Destination, Unreadable> {
    if let Some(prefix) = non_empty(shape.v4.as_ref()).or_else(|| non_empty(shape.v6.as_ref())) {
        return Ok(Destination::Cidr(cidr(prefix)?));
    }
    needed(shape.prefix_list.as_deref(), "DestinationCidrBlock").map(Destination::PrefixList)
}

fn destination_name(shape: &RouteShape) -> &str {
    let destination = non_empty(shape.v4.as_ref()).or_else(|| non_empty(shape.v6.as_ref()));
    destination.or_else(|| non_empty(shape.prefix_list.as_ref())).unwrap_or("a route")
}

/// Where a route leads. A route to an interface of an instance names both, and the interface is the way.
fn target(shape: &RouteShape) -> Result<RouteTarget, Unreadable> {
    if let Some(nat) = id(shape.nat.as_deref())? {
        return Ok(RouteTarget::NatGateway(nat));
    }
    if let Some(interface) = id(shape.interface.as_deref())? {
        return Ok(RouteTarget::Interface(interface));
    }
    if let Some(instance) = id(shape.instance.as_deref())? {
        return Ok(RouteTarget::Instance(instance));
    }
    if let Some(transit) = id(shape.transit.as_deref())? {
        return Ok(RouteTarget::TransitGateway(transit));
    }
    if let Some(peering) = id(shape.peering.as_deref())? {
        return Ok(RouteTarget::Peering(peering));
    }
    if let Some(gateway) = id(shape.egress_only.as_deref())? {
        return Ok(RouteTarget::EgressOnlyGateway(gateway));
    }
    let others = [&shape.carrier, &shape.local, &shape.core, &shape.odb];
    if let Some(other) = others.into_iter().find_map(|other| non_empty(other.as_ref())) {
        return Ok(RouteTarget::Other(other.to_owned()));
    }
    match non_empty(shape.gateway.as_ref()) {
        Some("local") => Ok(RouteTarget::Local),
        Some(gateway) => gateway_target(gateway),
        None => Err(Unreadable::Missing("GatewayId")),
    }
}

/// `GatewayId` names what it is by how it begins, or by the gateway that has this id: see [`known`].
fn gateway_target(gateway: &str) -> Result<RouteTarget, Unreadable> {
    Ok(if gateway.starts_with("igw-") {
        RouteTarget::InternetGateway(InternetGatewayId::answered(gateway)?)
    } else if gateway.starts_with("vgw-") {
        RouteTarget::VpnGateway(VpnGatewayId::answered(gateway)?)
    } else if gateway.starts_with("vpce-") {
        RouteTarget::Endpoint(EndpointId::answered(gateway)?)
    } else if gateway.starts_with("eigw-") {
        RouteTarget::EgressOnlyGateway(EgressOnlyGatewayId::answered(gateway)?)
    } else if gateway.starts_with("nat-") {
        RouteTarget::NatGateway(NatGatewayId::answered(gateway)?)
    } else {
        RouteTarget::Other(gateway.to_owned())
    })
}

/// Gives routes to gateways whose ids have another form than AWS's the gateway that has this id.
pub(super) fn finish(inventory: &mut Inventory) {
    let mut tables = std::mem::take(&mut inventory.route_tables);
    for route in tables.values_mut().flat_map(|table| &mut table.routes) {
        if let RouteTarget::Other(id) = &route.target {
            route.target = known(id, inventory).unwrap_or_else(|| RouteTarget::Other(id.clone()));
        }
    }
    inventory.route_tables = tables;
}

fn known(id: &str, inventory: &Inventory) -> Option<RouteTarget> {
    if let Some((id, _)) = inventory.internet_gateways.get_key_value(id) {
        return Some(RouteTarget::InternetGateway(id.clone()));
    }
    if let Some((id, _)) = inventory.vpn_gateways.get_key_value(id) {
        return Some(RouteTarget::VpnGateway(id.clone()));
    }
    if let Some((id, _)) = inventory.endpoints.get_key_value(id) {
        return Some(RouteTarget::Endpoint(id.clone()));
    }
    if let Some((id, _)) = inventory.egress_only_gateways.get_key_value(id) {
        return Some(RouteTarget::EgressOnlyGateway(id.clone()));
    }
    let (id, _) = inventory.nat_gateways.get_key_value(id)?;
    Some(RouteTarget::NatGateway(id.clone()))
}

fn non_empty(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}
