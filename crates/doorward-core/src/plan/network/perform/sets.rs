//! What is changed, and what AWS refuses to change.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Give, Performing, Refused};
use crate::inventory::{
    Condition, InternetGatewayId, Inventory, Peer, ResourceKind, ResourceRef, Route, RouteTableId,
    RouteTarget, RuleIdentity, SecurityGroupId, SubnetGroup, SubnetId, VpcId,
};
use crate::plan::network::change::Modified;
use crate::plan::network::difference::everything_out;
use crate::plan::{NotPerformed, Step};
use crate::topology::{Holder, follow};

/// What has an id, or that it does not exist.
pub(in crate::plan::network) fn there<'m, I: Ord, T>(
    all: &'m BTreeMap<I, T>,
    id: &I,
) -> Result<&'m T, Refused>
where
    for<'i> &'i I: Into<ResourceRef>,
{
    all.get(id.borrow()).ok_or_else(|| Refused::NotFound(id.into()))
}

/// The same, to be changed.
pub(super) fn there_mut<'m, I: Ord, T>(all: &'m mut BTreeMap<I, T>, id: &I) -> Result<&'m mut T, Refused>
where
    for<'i> &'i I: Into<ResourceRef>,
{
    all.get_mut(id).ok_or_else(|| Refused::NotFound(id.into()))
}

/// A rule may reference only a group that exists.
pub(super) fn peers_exist(account: &Inventory, step: &Step) -> Result<(), Refused> {
    let Step::Authorize { rules, .. } = step else { return Ok(()) };
    for (rule, _) in rules {
        if let Peer::Group(group) = &rule.peer {
            there(&account.groups, group)?;
        }
    }
    Ok(())
}

impl<G: Give> Performing<'_, G> {
    pub(super) fn empty_default_group(
        &mut self,
        id: &SecurityGroupId,
        rules: &BTreeSet<RuleIdentity>,
    ) -> Result<(), Refused> {
        let group = there_mut(&mut self.account.groups, id)?;
        for rule in rules {
            let gone = group.rules.remove(rule);
            gone.ok_or_else(|| NotPerformed::NoRule { group: id.clone(), rule: rule.clone() })?;
        }
        Ok(())
    }

    pub(super) fn revoke_default_egress(&mut self, id: &SecurityGroupId) -> Result<(), Refused> {
        self.empty_default_group(id, &BTreeSet::from([everything_out()]))
    }

    pub(super) fn attach_internet_gateway(
        &mut self,
        id: &InternetGatewayId,
        vpc: &VpcId,
    ) -> Result<(), Refused> {
        there(&self.account.vpcs, vpc)?;
        // `InvalidParameterValue`: a VPC has one internet gateway.
        if let Some(other) = self.account.internet_gateway_of(vpc) {
            return Err(Refused::Duplicate((&other.id).into()));
        }
        there_mut(&mut self.account.internet_gateways, id)?.vpc = Some(vpc.clone());
        Ok(())
    }

    /// Whether packets can go by a target of a route.
    fn serves(&self, target: &RouteTarget) -> Result<(), Refused> {
        match target {
            RouteTarget::InternetGateway(id) => {
                let gateway = there(&self.account.internet_gateways, id)?;
                gateway.vpc.is_some().then_some(()).ok_or_else(|| Refused::State(id.into()))
            }
            RouteTarget::NatGateway(id) => {
                let gateway = there(&self.account.nat_gateways, id)?;
                (gateway.state == "available").then_some(()).ok_or_else(|| Refused::State(id.into()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn create_route(&mut self, table: &RouteTableId, route: &Route) -> Result<(), Refused> {
        self.serves(&route.target)?;
        let routes = &mut there_mut(&mut self.account.route_tables, table)?.routes;
        // `RouteAlreadyExists`
        if routes.iter().any(|other| other.destination == route.destination && !other.propagated) {
            return Err(Refused::Duplicate(table.into()));
        }
        routes.push(route.clone());
        Ok(())
    }

    pub(super) fn replace_route(&mut self, table: &RouteTableId, route: &Route) -> Result<(), Refused> {
        self.serves(&route.target)?;
        let routes = &mut there_mut(&mut self.account.route_tables, table)?.routes;
        let mut same = routes.iter_mut().filter(|it| it.destination == route.destination && !it.propagated);
        // `InvalidParameterValue`: there is no route to replace.
        *same.next().ok_or_else(|| Refused::State(table.into()))? = route.clone();
        Ok(())
    }

    pub(super) fn associate_table(
        &mut self,
        table: &RouteTableId,
        subnet: &SubnetId,
        before: Option<&RouteTableId>,
    ) -> Result<(), Refused> {
        there(&self.account.subnets, subnet)?;
        there(&self.account.route_tables, table)?;
        let existing = self.account.route_tables.values().find(|it| it.subnets.contains(subnet));
        // `Resource.AlreadyAssociated`, or `InvalidAssociationID.NotFound`.
        if existing.map(|it| &it.id) != before {
            return Err(Refused::State(subnet.into()));
        }
        for (id, it) in &mut self.account.route_tables {
            it.subnets.remove(subnet);
            if id == table {
                it.subnets.insert(subnet.clone());
            }
        }
        Ok(())
    }

    pub(super) fn modify_endpoint(&mut self, modified: &Modified) -> Result<(), Refused> {
        let Modified { id, tables, subnets, groups } = modified;
        for table in &tables.0 {
            there(&self.account.route_tables, table)?;
        }
        for subnet in &subnets.0 {
            there(&self.account.subnets, subnet)?;
        }
        for group in &groups.0 {
            there(&self.account.groups, group)?;
        }
        let endpoint = there_mut(&mut self.account.endpoints, id.id())?;
        endpoint.tables = endpoint.tables.difference(&tables.1).chain(&tables.0).cloned().collect();
        endpoint.subnets = endpoint.subnets.difference(&subnets.1).chain(&subnets.0).cloned().collect();
        endpoint.groups = endpoint.groups.difference(&groups.1).chain(&groups.0).cloned().collect();
        Ok(())
    }

    pub(super) fn modify_subnet_group(&mut self, group: &SubnetGroup) -> Result<(), Refused> {
        for subnet in &group.subnets {
            there(&self.account.subnets, subnet)?;
        }
        let key = (group.account_region.clone(), group.name.clone());
        let kind = ResourceKind::DatabaseSubnetGroup;
        let missing = || Refused::NotFound(ResourceRef::named(kind, &group.name, &group.account_region));
        let existing = self.account.database_subnet_groups.get_mut(&key).ok_or_else(missing)?;
        existing.subnets.clone_from(&group.subnets);
        follow(self.account, group);
        Ok(())
    }

    pub(super) fn set_groups(
        &mut self,
        holder: &Holder,
        groups: &BTreeSet<SecurityGroupId>,
    ) -> Result<(), Refused> {
        // An interface has at least one group, and all are of its VPC (`InvalidGroup.NotFound`).
        if groups.is_empty() {
            return Err(Refused::State(holder.resource()));
        }
        for group in groups {
            there(&self.account.groups, group)?;
        }
        if let Holder::Database(account_region, name) = holder {
            let database = self.account.databases.get(&(account_region.clone(), name.clone()));
            // `InvalidDBInstanceState`
            if database.is_some_and(|it| it.condition() == Condition::Stopped) {
                return Err(Refused::State(holder.resource()));
            }
        }
        let missing = || Refused::NotFound(holder.resource());
        holder.groups_mut(self.account).ok_or_else(missing)?.clone_from(groups);
        Ok(())
    }
}
