//! What is to be made: VPCs, subnets, gateways, addresses, endpoints and DB subnet groups.

use std::collections::BTreeSet;

use super::Changes;
use crate::inventory::{
    Direction, DnsAttribute, DnsAttributes, Endpoint, NatGateway, Peer, RuleIdentity, SecurityGroup,
    SecurityGroupId, Vpc,
};
use crate::net::{Cidr, Flow};
use crate::plan::network::change::{Awaited, Change, Modified};
use crate::plan::network::why::Why;
use crate::topology::DefaultParts;

pub(super) fn made(changes: &mut Changes<'_>) {
    let (actual, wanted, by) = (changes.actual, changes.wanted, changes.by);
    for vpc in wanted.vpcs.values() {
        match actual.vpcs.get(&vpc.id) {
            None => new_vpc(changes, vpc),
            Some(before) => {
                dns(changes, vpc, before.dns);
                default_group(changes, vpc);
            }
        }
    }
    for subnet in wanted.subnets.values().filter(|subnet| !actual.subnets.contains_key(&subnet.id)) {
        let why = Why::declared(&subnet.tags, by);
        changes.add(Change::CreateSubnet(Box::new(subnet.clone())), why);
    }
    for gateway in wanted.internet_gateways.values() {
        let why = Why::declared(&gateway.tags, by);
        let before = actual.internet_gateways.get(&gateway.id);
        if before.is_none() {
            let mut detached = gateway.clone();
            detached.vpc = None;
            changes.add(Change::CreateInternetGateway(Box::new(detached)), why.clone());
        }
        if let Some(vpc) = gateway.vpc.clone().filter(|_| before.is_none_or(|it| it.vpc.is_none())) {
            changes.add(Change::AttachInternetGateway(gateway.id.clone(), vpc), why);
        }
    }
    for (public, address) in &wanted.elastic_addresses {
        if !actual.elastic_addresses.contains_key(public) {
            let why = Why::declared(&address.tags, by);
            changes.add(Change::AllocateAddress(Box::new(address.clone())), why);
        }
    }
    for gateway in wanted.nat_gateways.values() {
        nat_gateway(changes, gateway);
    }
    for endpoint in wanted.endpoints.values() {
        self::endpoint(changes, endpoint);
    }
    subnet_groups(changes);
}

/// The rules with which AWS makes the default security group of a VPC (VPC user guide, "Default security groups").
pub(in crate::plan::network) fn default_rules(group: &SecurityGroupId) -> BTreeSet<RuleIdentity> {
    let inward = RuleIdentity { direction: Direction::In, flow: Flow::All, peer: Peer::Group(group.clone()) };
    BTreeSet::from([inward, everything_out()])
}

/// The rule with which AWS makes every security group.
pub fn everything_out() -> RuleIdentity {
    let everybody = Cidr::around(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
    RuleIdentity { direction: Direction::Out, flow: Flow::All, peer: Peer::Cidr(everybody) }
}

fn new_vpc(changes: &mut Changes<'_>, vpc: &Vpc) {
    const EMPTY: &str =
        "an interface with no other security group attached reaches nothing in a network of Doorward";
    let Some(parts) = DefaultParts::of(changes.wanted, &vpc.id) else { return };
    let why = Why::declared(&vpc.tags, changes.by);
    let group = parts.group.clone();
    changes.add(Change::CreateVpc(Box::new(vpc.clone()), parts), why);
    let Some(right) = vpc.owned(changes.by) else { return };
    dns(changes, vpc, DnsAttributes { support: Some(true), hostnames: Some(false) });
    let rules = default_rules(&group);
    changes.add(Change::EmptyDefaultGroup { vpc: right, group, rules }, Why::For(EMPTY));
}

/// The DNS attributes of a VPC of ours that are off, because they are so in a new VPC, or because somebody turned them off.
fn dns(changes: &mut Changes<'_>, vpc: &Vpc, before: DnsAttributes) {
    const NAMES: &str = "the private DNS names of VPC endpoints need it";
    let Some(right) = vpc.owned(changes.by) else { return };
    for attribute in DnsAttribute::ALL {
        if before.is_off(attribute) && !vpc.dns.is_off(attribute) {
            changes.add(Change::EnableDns(right.clone(), attribute), Why::For(NAMES));
        }
    }
}

/// Rules that came into the default security group of a VPC of ours.
fn default_group(changes: &mut Changes<'_>, vpc: &Vpc) {
    const DRIFT: &str = "somebody added rules to it, and a network of Doorward has none there";
    let Some(right) = vpc.owned(changes.by) else { return };
    let is_default = |group: &&SecurityGroup| group.name == "default" && group.vpc.as_ref() == Some(&vpc.id);
    for is in changes.actual.groups.values().filter(is_default) {
        let Some(should) = changes.wanted.groups.get(&is.id) else { continue };
        let rules: BTreeSet<RuleIdentity> =
            is.rules.keys().filter(|rule| !should.rules.contains_key(*rule)).cloned().collect();
        if !rules.is_empty() {
            let (vpc, group) = (right.clone(), is.id.clone());
            changes.add(Change::EmptyDefaultGroup { vpc, group, rules }, Why::For(DRIFT));
        }
    }
}

fn nat_gateway(changes: &mut Changes<'_>, gateway: &NatGateway) {
    const SERVES: &str = "a route to it drops all packets before";
    let before = changes.actual.nat_gateways.get(&gateway.id);
    if before.is_none() {
        let why = Why::declared(&gateway.tags, changes.by);
        changes.add(Change::CreateNatGateway(Box::new(gateway.clone())), why);
    }
    if before.is_none_or(|before| before.state != gateway.state) && gateway.state == "available" {
        changes.add(Change::Await(Awaited::NatGateway(gateway.id.clone())), Why::For(SERVES));
    }
}

fn endpoint(changes: &mut Changes<'_>, endpoint: &Endpoint) {
    const SERVES: &str = "the service is not reached by it before";
    let why = Why::declared(&endpoint.tags, changes.by);
    let before = changes.actual.endpoints.get(&endpoint.id);
    match before {
        None => changes.add(Change::CreateEndpoint(Box::new(endpoint.clone())), why),
        Some(before) => {
            let modified = endpoint.owned(changes.by).map(|id| Modified {
                id,
                tables: both(&before.tables, &endpoint.tables),
                subnets: both(&before.subnets, &endpoint.subnets),
                groups: both(&before.groups, &endpoint.groups),
            });
            let same = (&before.tables, &before.subnets, &before.groups)
                == (&endpoint.tables, &endpoint.subnets, &endpoint.groups);
            if let Some(modified) = modified.filter(|_| !same) {
                changes.add(Change::ModifyEndpoint(Box::new(modified)), why);
            }
        }
    }
    if before.is_none_or(|before| before.state != endpoint.state) && endpoint.state == "available" {
        changes.add(Change::Await(Awaited::Endpoint(endpoint.id.clone())), Why::For(SERVES));
    }
}

/// What is new, and what is old.
fn both<T: Ord + Clone>(before: &BTreeSet<T>, after: &BTreeSet<T>) -> (BTreeSet<T>, BTreeSet<T>) {
    (after.difference(before).cloned().collect(), before.difference(after).cloned().collect())
}

fn subnet_groups(changes: &mut Changes<'_>) {
    const WHY: &str = "it contains the private subnets of its network, and no others";
    for (key, group) in &changes.wanted.database_subnet_groups {
        match changes.actual.database_subnet_groups.get(key) {
            None => {
                let change = Change::CreateSubnetGroup(Box::new(group.clone()));
                changes.add(change, Why::For(WHY));
            }
            Some(before) if before.subnets != group.subnets => {
                if let Some(right) = group.owned(changes.by) {
                    let change = Change::ModifySubnetGroup(right, Box::new(group.clone()));
                    changes.add(change, Why::For(WHY));
                }
            }
            Some(_) => {}
        }
    }
}
