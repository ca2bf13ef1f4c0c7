//! Makes changes to an inventory.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::inventory::{
    AccountRegion, AclEntry, BlockExclusion, CrossZone, Destination, Direction, Excepted, InterfaceId,
    InternetGatewayId, Inventory, LoadBalancerKind, NetworkAclId, Peer, Route, RouteTableId, RouteTarget,
    SecurityGroup, SecurityGroupId, SubnetId, TransitRoute, TransitTableId, VpcId,
};
use crate::net::Cidr;
use crate::reach::compare::change::{Change, Edit, Impossible, directed};
use crate::reach::compare::edits;
use crate::reach::network::Network;

/// The inventory after all of the changes, in their order; or the first that cannot be made.
pub fn after(inventory: &Inventory, changes: &[Change]) -> Result<Inventory, Impossible> {
    let mut after = inventory.clone();
    for change in changes {
        make(&mut after, change)?;
    }
    Ok(after)
}

fn make(inventory: &mut Inventory, change: &Change) -> Result<(), Impossible> {
    match change {
        Change::Rule { group, .. } => rule(inventory, group, change),
        Change::DeleteGroup { group } => delete_group(inventory, group),
        Change::AclEntry { acl, edit } => entry(inventory, acl, edit),
        Change::Route { table, edit } => route(inventory, table, edit),
        Change::DeleteRouteTable { table } => delete_table(inventory, table),
        Change::DeleteTransitRoute { table, cidr } => delete_transit_route(inventory, table, *cidr),
        Change::AttachGateway { gateway, vpc } => attach(inventory, gateway, vpc),
        Change::AssociateAddress { interface, private } => associate(inventory, interface, *private),
        Change::DisableSourceDestCheck { interface } => {
            let found = inventory.interfaces.get_mut(interface);
            found.ok_or_else(|| missing("the interface", interface))?.source_dest_check = false;
            Ok(())
        }
        Change::ExcludeFromBlock { of, both_ways } => exclude(inventory, of, *both_ways),
        Change::EnableDns { vpc, attribute } => {
            let found = inventory.vpcs.get_mut(vpc).ok_or_else(|| missing("the VPC", vpc))?;
            found.dns.turn_on(*attribute);
            Ok(())
        }
        Change::EnableCrossZone { target_group } => across(inventory, target_group),
        Change::EnableZone { balancer, subnet } => zone(inventory, balancer, subnet),
        Change::MakePrivate { database } => make_private(inventory, database),
    }
}

fn missing(what: &'static str, id: impl ToString) -> Impossible {
    Impossible::Missing { what, id: id.to_string() }
}

fn rule(inventory: &mut Inventory, group: &SecurityGroupId, change: &Change) -> Result<(), Impossible> {
    let mut edited = edits::edited(inventory, std::slice::from_ref(change))?;
    if let (Some(group), Some(rules)) = (inventory.groups.get_mut(group), edited.remove(group)) {
        group.rules = rules;
    }
    Ok(())
}

/// A group that something uses cannot be deleted (API, `DeleteSecurityGroup`).
fn delete_group(inventory: &mut Inventory, id: &SecurityGroupId) -> Result<(), Impossible> {
    let interface = inventory.interfaces.values().find(|interface| interface.groups.contains(id));
    let peer = Peer::Group(id.clone());
    let refers = |group: &&SecurityGroup| group.id != *id && group.rules.keys().any(|rule| rule.peer == peer);
    let user = interface.map(|interface| interface.id.to_string());
    let user = user.or_else(|| inventory.groups.values().find(refers).map(|group| group.id.to_string()));
    if let Some(user) = user {
        return Err(Impossible::InUse { what: id.to_string(), user });
    }
    inventory.groups.remove(id).map(|_| ()).ok_or_else(|| missing("the security group", id))
}

/// A table that something is associated with cannot be deleted, nor the main one (API, `DeleteRouteTable`).
fn delete_table(inventory: &mut Inventory, id: &RouteTableId) -> Result<(), Impossible> {
    let table = inventory.route_tables.get(id).ok_or_else(|| missing("the route table", id))?;
    let subnets = table.subnets.iter().map(ToString::to_string);
    let mut users = subnets.chain(table.gateways.iter().cloned());
    let main = || table.main.then(|| format!("{}, as its main route table", table.vpc));
    if let Some(user) = users.next().or_else(main) {
        return Err(Impossible::InUse { what: id.to_string(), user });
    }
    inventory.route_tables.remove(id);
    Ok(())
}

fn delete_transit_route(
    inventory: &mut Inventory,
    id: &TransitTableId,
    cidr: Cidr,
) -> Result<(), Impossible> {
    let table = inventory.transit_tables.get_mut(id);
    let table = table.ok_or_else(|| missing("the route table of a transit gateway", id))?;
    let is = |route: &TransitRoute| !route.propagated && route.cidr == cidr;
    let routes = table.routes.as_mut().filter(|routes| routes.iter().any(is));
    let not_there = || Impossible::NotThere { of: id.to_string(), what: format!("static route to {cidr}") };
    routes.ok_or_else(not_there)?.retain(|route| !is(route));
    Ok(())
}

/// It loses its public addresses.
fn make_private(inventory: &mut Inventory, text: &str) -> Result<(), Impossible> {
    let mut found = inventory.databases.values_mut().filter(|database| database.is_called(text));
    let database = match (found.next(), found.next()) {
        (Some(database), None) => database,
        (Some(_), Some(_)) => return Err(missing("a single database called", text)),
        (None, _) => return Err(missing("the database", text)),
    };
    database.public = false;
    let resource = database.resource();
    let network = Network::of(inventory);
    let members = network.members.get(&resource).into_iter().flatten();
    for id in members.filter_map(|member| network.interfaces.at(*member).id.as_ref()) {
        if let Some(interface) = inventory.interfaces.get_mut(id) {
            interface.addresses.iter_mut().for_each(|own| own.public = None);
        }
    }
    Ok(())
}

fn entry(
    inventory: &mut Inventory,
    id: &NetworkAclId,
    edit: &Edit<AclEntry, (Direction, u32)>,
) -> Result<(), Impossible> {
    let acl = inventory.network_acls.get_mut(id).ok_or_else(|| missing("the network ACL", id))?;
    let is = |direction: Direction, number: u32| {
        move |entry: &AclEntry| entry.direction == direction && entry.number == number
    };
    match edit {
        Edit::Add(entry) if acl.entries.contains(entry) => {}
        Edit::Add(entry) if acl.entries.iter().any(is(entry.direction, entry.number)) => {
            let (direction, number) = (directed(entry.direction).0, entry.number);
            return Err(Impossible::NumberTaken { acl: id.clone(), direction, number });
        }
        Edit::Add(entry) => acl.entries.push(*entry),
        Edit::Remove((direction, number)) => {
            if !acl.entries.iter().any(is(*direction, *number)) {
                let what = format!("{} entry {number}", directed(*direction).0);
                return Err(Impossible::NotThere { of: id.to_string(), what });
            }
            acl.entries.retain(|entry| !is(*direction, *number)(entry));
        }
    }
    Ok(())
}

fn route(
    inventory: &mut Inventory,
    id: &RouteTableId,
    edit: &Edit<(Destination, RouteTarget), Destination>,
) -> Result<(), Impossible> {
    let table = inventory.route_tables.get_mut(id).ok_or_else(|| missing("the route table", id))?;
    let is = |destination: &Destination| {
        let destination = destination.clone();
        move |route: &Route| !route.propagated && route.destination == destination
    };
    match edit {
        Edit::Add((destination, target)) => {
            table.routes.retain(|route| !is(destination)(route));
            table.routes.push(Route {
                destination: destination.clone(),
                target: target.clone(),
                propagated: false,
                blackhole: false,
            });
        }
        Edit::Remove(destination) => {
            if !table.routes.iter().any(is(destination)) {
                let what = format!("static route to {destination}");
                return Err(Impossible::NotThere { of: id.to_string(), what });
            }
            table.routes.retain(|route| !is(destination)(route));
        }
    }
    Ok(())
}

fn attach(inventory: &mut Inventory, id: &InternetGatewayId, vpc: &VpcId) -> Result<(), Impossible> {
    if !inventory.vpcs.contains_key(vpc) {
        return Err(missing("the VPC", vpc));
    }
    let has_one = inventory.internet_gateway_of(vpc).is_some();
    let gateway =
        inventory.internet_gateways.get_mut(id).ok_or_else(|| missing("the internet gateway", id))?;
    if gateway.vpc.as_ref() == Some(vpc) {
        return Ok(());
    }
    if has_one || gateway.vpc.is_some() {
        return Err(Impossible::Attached { gateway: id.clone(), vpc: vpc.clone() });
    }
    gateway.vpc = Some(vpc.clone());
    Ok(())
}

/// AWS draws the address; one for documentation (RFC 5737, TEST-NET-1) that nobody else has stands for it.
fn associate(inventory: &mut Inventory, id: &InterfaceId, private: IpAddr) -> Result<(), Impossible> {
    let held = inventory.interfaces.values().flat_map(|it| &it.addresses).filter_map(|own| own.public);
    let held: BTreeSet<Ipv4Addr> = held.collect();
    let interface = inventory.interfaces.get_mut(id).ok_or_else(|| missing("the interface", id))?;
    let own = interface.addresses.iter_mut().find(|own| own.address == private && own.address.is_ipv4());
    let own = own.ok_or_else(|| missing("the private address", private))?;
    let free = (1..255).map(|last| Ipv4Addr::new(192, 0, 2, last)).find(|address| !held.contains(address));
    own.public = own.public.or(free);
    Ok(())
}

fn exclude(inventory: &mut Inventory, of: &Excepted, both_ways: bool) -> Result<(), Impossible> {
    let vpc = match of {
        Excepted::Vpc(vpc) => vpc,
        Excepted::Subnet(id) => &inventory.subnets.get(id).ok_or_else(|| missing("the subnet", id))?.vpc,
    };
    let vpc = inventory.vpcs.get(vpc).ok_or_else(|| missing("the VPC", vpc))?;
    let account_region: AccountRegion = vpc.account_region.clone();
    let exclusions = &mut inventory.block_public_access.entry(account_region).or_default().exclusions;
    // Something has one exclusion; another direction is set in it.
    exclusions.retain(|exclusion| exclusion.of != *of);
    exclusions.push(BlockExclusion { of: of.clone(), both_ways });
    Ok(())
}

fn across(inventory: &mut Inventory, arn: &str) -> Result<(), Impossible> {
    if let Some(balancer) = inventory.load_balancers.get_mut(arn)
        && balancer.kind == LoadBalancerKind::Classic
    {
        balancer.cross_zone = Some(true);
        return Ok(());
    }
    let group = inventory.target_groups.get_mut(arn).ok_or_else(|| missing("the target group", arn))?;
    group.cross_zone = Some(CrossZone::On);
    Ok(())
}

fn zone(inventory: &mut Inventory, arn: &str, subnet: &SubnetId) -> Result<(), Impossible> {
    if !inventory.subnets.contains_key(subnet) {
        return Err(missing("the subnet", subnet));
    }
    let balancer = inventory.load_balancers.get_mut(arn).ok_or_else(|| missing("the load balancer", arn))?;
    balancer.subnets.insert(subnet.clone());
    Ok(())
}
