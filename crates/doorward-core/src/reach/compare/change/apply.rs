//! Makes changes to an inventory.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::inventory::{
    AclEntry, BlockExclusion, CrossZone, Destination, Direction, Excepted, InterfaceId, InternetGatewayId,
    Inventory, LoadBalancerKind, NetworkAclId, Place, Route, RouteTableId, RouteTarget, SecurityGroupId,
    SubnetId, VpcId,
};
use crate::reach::compare::change::{Change, Edit, Impossible, directed};
use crate::reach::compare::edits;

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
        Change::AclEntry { acl, edit } => entry(inventory, acl, edit),
        Change::Route { table, edit } => route(inventory, table, edit),
        Change::AttachGateway { gateway, vpc } => attach(inventory, gateway, vpc),
        Change::AssociateAddress { interface, private } => associate(inventory, interface, *private),
        Change::DisableSourceDestCheck { interface } => {
            let found = inventory.interfaces.get_mut(interface);
            found.ok_or_else(|| missing("the interface", interface))?.source_dest_check = false;
            Ok(())
        }
        Change::ExcludeFromBlock { of, both_ways } => exclude(inventory, of, *both_ways),
        Change::EnableCrossZone { target_group } => across(inventory, target_group),
        Change::EnableZone { balancer, subnet } => zone(inventory, balancer, subnet),
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
    let attached = |of: &VpcId| of == vpc;
    let has_one = inventory.internet_gateways.values().any(|it| it.vpc.as_ref().is_some_and(attached));
    let gateway =
        inventory.internet_gateways.get_mut(id).ok_or_else(|| missing("the internet gateway", id))?;
    if gateway.vpc.as_ref().is_some_and(attached) {
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
    let place: Place = vpc.place.clone();
    let exclusions = &mut inventory.block_public_access.entry(place).or_default().exclusions;
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
