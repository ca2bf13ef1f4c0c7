//! What goes: everything of ours that the wanted inventory does not have.

use std::collections::BTreeSet;

use super::Changes;
use crate::inventory::{Owned, Peer, RuleIdentity, SecurityGroup, SecurityGroupRuleId, SubnetGroup};
use crate::plan::Step;
use crate::plan::network::change::{Awaited, Change};
use crate::plan::network::phase::Phase;
use crate::plan::network::why::Why;
use crate::topology::Holder;

pub(super) fn removed(changes: &mut Changes<'_>) {
    let (actual, wanted, by) = (changes.actual, changes.wanted, changes.by);
    for endpoint in actual.endpoints.values().filter(|it| !wanted.endpoints.contains_key(&it.id)) {
        let Some(right) = endpoint.owned(by) else { continue };
        let mut new = wanted.endpoints.values().filter(|it| !actual.endpoints.contains_key(&it.id));
        let replaced = new.any(|it| it.vpc == endpoint.vpc && it.service == endpoint.service);
        let (phase, why, gone) = if replaced {
            let why = Why::For("it does not serve, and is replaced");
            (Phase::EndpointsReplaced, why, "its private DNS name and routes are in use before")
        } else {
            let why = Why::undeclared(&endpoint.tags, by);
            (Phase::EndpointsGone, why, "its interfaces and routes go with it")
        };
        if endpoint.state != "deleting" {
            changes.add_in(phase, Change::DeleteEndpoint(right), why);
        }
        let awaited = Awaited::EndpointGone(endpoint.id.clone());
        changes.add_in(phase, Change::Await(awaited), Why::For(gone));
    }
    let gateways = actual.nat_gateways.values().filter(|it| !wanted.nat_gateways.contains_key(&it.id));
    // AWS deletes one that failed, and shows it for an hour.
    for gateway in gateways.filter(|it| !it.has_failed()) {
        let Some(right) = gateway.owned(by) else { continue };
        if gateway.state != "deleting" {
            changes.add(Change::DeleteNatGateway(right), Why::undeclared(&gateway.tags, by));
        }
        let gone = Awaited::NatGatewayGone(gateway.id.clone());
        changes.add(Change::Await(gone), Why::For("its address and its subnet are in use before"));
    }
    for (public, address) in &actual.elastic_addresses {
        if let Some(right) = address.owned(by).filter(|_| !wanted.elastic_addresses.contains_key(public)) {
            changes.add(Change::ReleaseAddress(right), Why::undeclared(&address.tags, by));
        }
    }
    for (key, group) in &actual.database_subnet_groups {
        if !wanted.database_subnet_groups.contains_key(key)
            && let Some(right) = SubnetGroup::owned(group, by)
        {
            let change = Change::DeleteSubnetGroup(group.account_region.clone(), right);
            changes.add(change, Why::For("its network does not need it any more"));
        }
    }
    for subnet in actual.subnets.values().filter(|it| !wanted.subnets.contains_key(&it.id)) {
        if let Some(right) = subnet.owned(by) {
            changes.add(Change::DeleteSubnet(right), Why::undeclared(&subnet.tags, by));
        }
    }
    for table in actual.route_tables.values().filter(|it| !wanted.route_tables.contains_key(&it.id)) {
        if let Some(right) = table.owned(by) {
            changes.add(Change::DeleteRouteTable(right), Why::undeclared(&table.tags, by));
        }
    }
    groups(changes);
    for gateway in actual.internet_gateways.values() {
        let there = wanted.internet_gateways.contains_key(&gateway.id);
        let Some(right) = gateway.owned(by).filter(|_| !there) else { continue };
        let why = Why::undeclared(&gateway.tags, by);
        if let Some(vpc) = gateway.vpc.clone() {
            changes.add(Change::DetachInternetGateway(right.clone(), vpc), why.clone());
        }
        changes.add(Change::DeleteInternetGateway(right), why);
    }
    for vpc in actual.vpcs.values().filter(|it| !wanted.vpcs.contains_key(&it.id)) {
        if let Some(right) = vpc.owned(by) {
            changes.add(Change::DeleteVpc(right), Why::undeclared(&vpc.tags, by));
        }
    }
}

/// Groups that reference each other can only be deleted after all of these rules.
fn groups(changes: &mut Changes<'_>) {
    const REFERENCES: &str = "a security group that a rule references cannot be deleted";
    const FREE: &str = "interfaces of services follow their service with a delay";
    let (actual, wanted, by) = (changes.actual, changes.wanted, changes.by);
    let gone: Vec<(&SecurityGroup, Owned<_>)> = actual
        .groups
        .values()
        .filter(|it| !wanted.groups.contains_key(&it.id))
        .filter_map(|it| Some((it, it.owned(by)?)))
        .collect();
    let held: BTreeSet<_> = actual
        .vpcs
        .keys()
        .flat_map(|vpc| Holder::all_in(actual, vpc))
        .filter_map(|holder| holder.groups(actual))
        .flatten()
        .collect();
    for (group, _) in &gone {
        let rules: Vec<(Owned<SecurityGroupRuleId>, RuleIdentity)> = group
            .rules
            .iter()
            .filter(|(rule, _)| matches!(&rule.peer, Peer::Group(peer) if *peer != group.id))
            .filter_map(|(rule, it)| Some((group.owned_rule(it, by, &actual.noted)?, rule.clone())))
            .collect();
        if !rules.is_empty() {
            let step = Step::Revoke { group: group.id.clone(), rules };
            changes.add(Change::Rules(step), Why::For(REFERENCES));
        }
    }
    for (group, right) in gone {
        if held.contains(&group.id) {
            let free = Awaited::GroupUnused(group.id.clone());
            changes.add(Change::Await(free), Why::For(FREE));
        }
        changes.add(Change::DeleteSecurityGroup(right), Why::undeclared(&group.tags, by));
    }
}
