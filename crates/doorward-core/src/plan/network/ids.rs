//! The ids that AWS gave to what was planned, put into the changes that follow.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::Ipv4Addr;

use super::change::{Awaited, Change, Modified};
use crate::inventory::{
    AnsweredId, Database, InterfaceId, NatAvailability, Owned, Peer, PlannedId, Route, RouteTarget,
    RuleIdentity, SecurityGroupId,
};
use crate::plan::{Remark, Step};
use crate::topology::Holder;

/// What AWS gave for what was planned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    ids: BTreeMap<String, String>,
    addresses: BTreeMap<Ipv4Addr, Ipv4Addr>,
}

impl Ids {
    /// Notes the id of what was planned by another.
    pub fn note(&mut self, planned: &impl Display, given: &impl Display) {
        self.ids.insert(planned.to_string(), given.to_string());
    }

    /// Notes the address that AWS chose.
    pub fn note_address(&mut self, planned: Ipv4Addr, given: Ipv4Addr) {
        self.addresses.insert(planned, given);
    }

    /// The id that AWS gave, or the same where it gave none.
    pub fn id<I: AnsweredId + PlannedId + Clone + Display>(&self, id: &I) -> I {
        let given = self.ids.get(&id.to_string()).filter(|_| id.is_planned());
        given.and_then(|given| I::answered(given).ok()).unwrap_or_else(|| id.clone())
    }

    /// The name that was given to what was planned by another, or the same.
    pub fn text(&self, planned: &str) -> String {
        self.ids.get(planned).cloned().unwrap_or_else(|| planned.to_owned())
    }

    /// The address that AWS chose, or the same.
    pub fn address(&self, address: Ipv4Addr) -> Ipv4Addr {
        self.addresses.get(&address).copied().unwrap_or(address)
    }

    pub(super) fn all<I: AnsweredId + PlannedId + Clone + Display + Ord>(
        &self,
        ids: &BTreeSet<I>,
    ) -> BTreeSet<I> {
        ids.iter().map(|id| self.id(id)).collect()
    }

    fn both<I: AnsweredId + PlannedId + Clone + Display + Ord>(
        &self,
        (one, other): &(BTreeSet<I>, BTreeSet<I>),
    ) -> (BTreeSet<I>, BTreeSet<I>) {
        (self.all(one), self.all(other))
    }

    fn owned<I: AnsweredId + PlannedId + Clone + Display>(&self, owned: &Owned<I>) -> Owned<I> {
        owned.clone().given(self.id(owned.id()))
    }

    fn target(&self, target: &RouteTarget) -> RouteTarget {
        match target {
            RouteTarget::InternetGateway(id) => RouteTarget::InternetGateway(self.id(id)),
            RouteTarget::EgressOnlyGateway(id) => RouteTarget::EgressOnlyGateway(self.id(id)),
            RouteTarget::NatGateway(id) => RouteTarget::NatGateway(self.id(id)),
            RouteTarget::Interface(id) => RouteTarget::Interface(self.id(id)),
            RouteTarget::Endpoint(id) => RouteTarget::Endpoint(self.id(id)),
            other @ (RouteTarget::Local
            | RouteTarget::Instance(_)
            | RouteTarget::Peering(_)
            | RouteTarget::TransitGateway(_)
            | RouteTarget::VpnGateway(_)
            | RouteTarget::Other(_)) => other.clone(),
        }
    }

    fn route(&self, route: &Route) -> Route {
        Route { target: self.target(&route.target), ..route.clone() }
    }

    fn rule(&self, rule: &RuleIdentity) -> RuleIdentity {
        let peer = match &rule.peer {
            Peer::Group(group) => Peer::Group(self.id(group)),
            other @ (Peer::Cidr(_) | Peer::PrefixList(_)) => other.clone(),
        };
        RuleIdentity { peer, ..rule.clone() }
    }

    fn step(&self, step: &Step) -> Step {
        let group = self.id::<SecurityGroupId>(step.group());
        match step {
            Step::Authorize { rules, .. } => {
                let rules = rules.iter().map(|(rule, mark)| (self.rule(rule), mark.clone())).collect();
                Step::Authorize { group, rules }
            }
            Step::Describe { rules, .. } => {
                let remark = |remark: &Remark| Remark { rule: self.rule(&remark.rule), ..remark.clone() };
                Step::Describe { group, rules: rules.iter().map(remark).collect() }
            }
            Step::Revoke { rules, .. } => {
                let rules = rules.iter().map(|(id, rule)| (id.clone(), self.rule(rule))).collect();
                Step::Revoke { group, rules }
            }
        }
    }

    fn holder(&self, holder: &Holder) -> Holder {
        match holder {
            Holder::Interface(id) => Holder::Interface(self.id::<InterfaceId>(id)),
            other => other.clone(),
        }
    }

    /// A database in the VPC, in the subnets and with the security groups that AWS made.
    fn database(&self, database: &Database) -> Box<Database> {
        let mut database = Box::new(database.clone());
        database.vpc = database.vpc.as_ref().map(|vpc| self.id(vpc));
        database.subnets = self.all(&database.subnets);
        database.groups = self.all(&database.groups);
        database
    }

    fn awaited(&self, awaited: &Awaited) -> Awaited {
        match awaited {
            Awaited::NatGateway(id) => Awaited::NatGateway(self.id(id)),
            Awaited::NatGatewayGone(id) => Awaited::NatGatewayGone(self.id(id)),
            Awaited::Endpoint(id) => Awaited::Endpoint(self.id(id)),
            Awaited::EndpointGone(id) => Awaited::EndpointGone(self.id(id)),
            Awaited::InstanceRuns(id) => Awaited::InstanceRuns(self.id(id)),
            Awaited::InstanceStopped(id) => Awaited::InstanceStopped(self.id(id)),
            Awaited::InstanceGone(id) => Awaited::InstanceGone(self.id(id)),
            Awaited::Snapshot(account_region, name) => {
                Awaited::Snapshot(account_region.clone(), self.text(name))
            }
            Awaited::Database(..) | Awaited::DatabaseStopped(..) | Awaited::DatabaseGone(..) => {
                awaited.clone()
            }
            Awaited::Balancer(..)
            | Awaited::BalancerGone(..)
            | Awaited::GroupServes(..)
            | Awaited::GroupGone(..) => awaited.clone(),
            Awaited::GroupUnused(id) => Awaited::GroupUnused(self.id(id)),
        }
    }
}

impl Change {
    /// The same change with the ids that AWS has given so far. What is created itself keeps its planned id.
    pub fn resolved(&self, ids: &Ids) -> Self {
        match self {
            Self::EnableDns(vpc, attribute) => Self::EnableDns(ids.owned(vpc), *attribute),
            Self::EmptyDefaultGroup { vpc, group, rules } => Self::EmptyDefaultGroup {
                vpc: ids.owned(vpc),
                group: ids.id(group),
                rules: rules.iter().map(|rule| ids.rule(rule)).collect(),
            },
            Self::CreateSubnet(subnet) => {
                let mut subnet = subnet.clone();
                subnet.vpc = ids.id(&subnet.vpc);
                Self::CreateSubnet(subnet)
            }
            Self::AttachInternetGateway(gateway, vpc) => {
                Self::AttachInternetGateway(ids.id(gateway), ids.id(vpc))
            }
            Self::CreateNatGateway(gateway) => {
                let mut gateway = gateway.clone();
                gateway.vpc = ids.id(&gateway.vpc);
                gateway.public_address = gateway.public_address.map(|address| ids.address(address));
                if let NatAvailability::Zonal(subnet) = &gateway.availability {
                    gateway.availability = NatAvailability::Zonal(ids.id(subnet));
                }
                Self::CreateNatGateway(gateway)
            }
            Self::CreateRouteTable(table) => {
                let mut table = table.clone();
                table.vpc = ids.id(&table.vpc);
                Self::CreateRouteTable(table)
            }
            Self::CreateRoute(table, route) => Self::CreateRoute(ids.id(table), ids.route(route)),
            Self::ReplaceRoute(table, route) => Self::ReplaceRoute(ids.id(table), ids.route(route)),
            Self::AssociateTable { table, subnet, before } => Self::AssociateTable {
                table: ids.id(table),
                subnet: ids.id(subnet),
                before: before.as_ref().map(|before| ids.id(before)),
            },
            Self::CreateEndpoint(endpoint) => {
                let mut endpoint = endpoint.clone();
                endpoint.vpc = ids.id(&endpoint.vpc);
                endpoint.tables = ids.all(&endpoint.tables);
                endpoint.subnets = ids.all(&endpoint.subnets);
                endpoint.groups = ids.all(&endpoint.groups);
                Self::CreateEndpoint(endpoint)
            }
            Self::ModifyEndpoint(modified) => {
                let Modified { id, tables, subnets, groups } = modified.as_ref();
                Self::ModifyEndpoint(Box::new(Modified {
                    id: ids.owned(id),
                    tables: ids.both(tables),
                    subnets: ids.both(subnets),
                    groups: ids.both(groups),
                }))
            }
            Self::CreateSubnetGroup(group) => {
                let mut group = group.clone();
                group.vpc = group.vpc.as_ref().map(|vpc| ids.id(vpc));
                group.subnets = ids.all(&group.subnets);
                Self::CreateSubnetGroup(group)
            }
            Self::ModifySubnetGroup(right, group) => {
                let mut group = group.clone();
                group.subnets = ids.all(&group.subnets);
                Self::ModifySubnetGroup(right.clone(), group)
            }
            Self::CreateSecurityGroup(group) => {
                let mut group = group.clone();
                group.vpc = group.vpc.as_ref().map(|vpc| ids.id(vpc));
                Self::CreateSecurityGroup(group)
            }
            Self::RevokeDefaultEgress(group) => Self::RevokeDefaultEgress(ids.owned(group)),
            Self::Rules(step) => Self::Rules(ids.step(step)),
            Self::SetGroups { holder, groups } => {
                Self::SetGroups { holder: ids.holder(holder), groups: ids.all(groups) }
            }
            Self::RunInstance(instance, interface) => {
                let mut interface = interface.clone();
                interface.vpc = ids.id(&interface.vpc);
                interface.subnet = ids.id(&interface.subnet);
                interface.groups = ids.all(&interface.groups);
                Self::RunInstance(instance.clone(), interface)
            }
            Self::CreateDatabase(database) => Self::CreateDatabase(ids.database(database)),
            Self::RestoreDatabase { database, snapshot } => {
                Self::RestoreDatabase { database: ids.database(database), snapshot: ids.text(snapshot) }
            }
            Self::StopInstance(id) => Self::StopInstance(ids.owned(id)),
            Self::StartInstance(id) => Self::StartInstance(ids.owned(id)),
            Self::DeleteSnapshot { account_region, name, newer } => Self::DeleteSnapshot {
                account_region: account_region.clone(),
                name: name.clone(),
                newer: ids.text(newer),
            },
            Self::Scaled(change) => Self::Scaled(change.resolved(ids)),
            Self::Await(awaited) => Self::Await(ids.awaited(awaited)),
            // What goes exists already, and has its id; what these create depends on nothing.
            Self::CreateVpc(..)
            | Self::CreateInternetGateway(_)
            | Self::AllocateAddress(_)
            | Self::ModifyDatabase { .. }
            | Self::StopDatabase(..)
            | Self::StartDatabase(..)
            | Self::TerminateInstance(_)
            | Self::DeleteDatabase { .. }
            | Self::DeleteEndpoint(_)
            | Self::DeleteRoute(..)
            | Self::DeleteNatGateway(_)
            | Self::ReleaseAddress(_)
            | Self::DeleteSubnetGroup(..)
            | Self::DeleteSubnet(_)
            | Self::DeleteRouteTable(_)
            | Self::DeleteSecurityGroup(_)
            | Self::DetachInternetGateway(..)
            | Self::DeleteInternetGateway(_)
            | Self::DeleteVpc(_) => self.clone(),
        }
    }
}
