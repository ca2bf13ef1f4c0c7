//! The route tables of a network: one for all public subnets, and one for the private subnet of each zone, so that another
//! choice of NAT changes routes and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::Note;
use super::draft::Draft;
use super::subnets::Subnets;
use super::vpc::local;
use crate::inventory::{
    Destination, InternetGatewayId, NatGatewayId, Route, RouteTable, RouteTableId, RouteTarget, SubnetId,
    VpcId,
};
use crate::net::Cidr;
use crate::topology::{Network, Part, Purpose, SubnetKind, ZoneId};

/// All route tables of a network.
pub(super) fn lay_out(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    subnets: &Subnets,
    internet: &InternetGatewayId,
    nat: &BTreeMap<ZoneId, NatGatewayId>,
) -> BTreeSet<RouteTableId> {
    let public = subnets.iter().filter(|((kind, _), _)| *kind == SubnetKind::Public);
    let public: BTreeSet<SubnetId> = public.map(|(_, id)| id.clone()).collect();
    let mut tables = BTreeSet::new();
    if !public.is_empty() {
        let out = Some(RouteTarget::InternetGateway(internet.clone()));
        tables.insert(table(draft, network, vpc, Part::PublicTable, public, out));
    }
    for ((kind, zone), subnet) in subnets {
        if *kind == SubnetKind::Private {
            let out = nat.get(zone).cloned().map(RouteTarget::NatGateway);
            let part = Part::PrivateTable(zone.clone());
            tables.insert(table(draft, network, vpc, part, BTreeSet::from([subnet.clone()]), out));
        }
    }
    tables
}

/// The prefix of a default route.
fn everywhere() -> Destination {
    Destination::Cidr(Cidr::around(std::net::Ipv4Addr::UNSPECIFIED.into(), 0))
}

fn table(
    draft: &mut Draft<'_>,
    network: &Network,
    vpc: &VpcId,
    part: Part,
    subnets: BTreeSet<SubnetId>,
    out: Option<RouteTarget>,
) -> RouteTableId {
    let is_private = part != Part::PublicTable;
    let routes = draft.wanted.vpcs.get(vpc).map(local).unwrap_or_default();
    let id = draft.put::<RouteTable>(
        &Purpose::of(&network.name, part),
        |table| &table.id,
        |id, tags| RouteTable {
            id,
            vpc: vpc.clone(),
            main: false,
            subnets: BTreeSet::new(),
            gateways: BTreeSet::new(),
            routes,
            incomplete: false,
            tags,
        },
    );
    // A subnet is associated with one table.
    for (other, table) in &mut draft.wanted.route_tables {
        if *other != id {
            table.subnets.retain(|subnet| !subnets.contains(subnet));
        }
    }
    let own = own_subnets(draft, network);
    let Some(table) = draft.wanted.route_tables.get_mut(&id) else { return id };
    table.subnets.retain(|subnet| !own.contains(subnet));
    table.subnets.extend(subnets);
    let foreign = direct(&mut table.routes, is_private, out);
    for route in foreign {
        draft.note(Note::ForeignRoute { table: id.clone(), route });
    }
    id
}

/// The subnets of the network that stand or are to be made.
fn own_subnets(draft: &Draft<'_>, network: &Network) -> BTreeSet<SubnetId> {
    let own = |subnet: &crate::inventory::Subnet| {
        super::purpose_of(&subnet.tags, &draft.site.by).is_some_and(|purpose| purpose.network == network.name)
    };
    let subnets = draft.wanted.subnets.values().chain(draft.actual.subnets.values());
    subnets.filter(|subnet| own(subnet)).map(|subnet| subnet.id.clone()).collect()
}

/// Sets the default route, and yields the routes that somebody else added, in words.
///
/// Routes have no tags. So only the default route is ours, and in a private subnet's table every route to an internet
/// gateway, which would make the subnet public.
fn direct(routes: &mut Vec<Route>, is_private: bool, out: Option<RouteTarget>) -> Vec<String> {
    let default = everywhere();
    routes.retain(|route| {
        let to_internet = matches!(route.target, RouteTarget::InternetGateway(_));
        let by_nat = matches!(route.target, RouteTarget::NatGateway(_));
        let is_default = route.destination == default;
        let is_ours = match &out {
            Some(out) => is_default && (route.target != *out || route.blackhole),
            None => is_default && (to_internet || by_nat || route.blackhole),
        };
        !(is_ours || (is_private && to_internet))
    });
    if let Some(target) = out
        && !routes.iter().any(|route| route.destination == default)
    {
        let route = Route { destination: default.clone(), target, propagated: false, blackhole: false };
        routes.push(route);
    }
    let is_foreign = |route: &&Route| match &route.target {
        RouteTarget::Local => false,
        // AWS adds those of a gateway endpoint, which stands for itself.
        RouteTarget::Endpoint(_) => !matches!(route.destination, Destination::PrefixList(_)),
        RouteTarget::InternetGateway(_) | RouteTarget::NatGateway(_) => route.destination != default,
        _ => true,
    };
    routes.iter().filter(is_foreign).map(in_words).collect()
}

/// Like `10.1.0.0/16 by pcx-0a`.
fn in_words(route: &Route) -> String {
    let to = match &route.destination {
        Destination::Cidr(cidr) => cidr.to_string(),
        Destination::PrefixList(list) => list.to_string(),
    };
    let propagated = if route.propagated { " (propagated)" } else { "" };
    format!("{to} by {}{propagated}", route.target)
}
