//! What is deleted, and what AWS refuses to delete because something depends on it.

use std::net::Ipv4Addr;

use super::sets::{there, there_mut};
use super::{Give, Performing, Refused};
use crate::inventory::{
    AccountRegion, Destination, EndpointId, InternetGatewayId, NatGatewayId, Peer, ResourceKind, ResourceRef,
    RouteTableId, SecurityGroupId, SubnetId, VpcId,
};
use crate::topology::{DefaultParts, Holder, forget_subnet};

/// That something is in use, if something uses it.
fn unused(of: impl Into<ResourceRef>, by: Option<ResourceRef>) -> Result<(), Refused> {
    match by {
        Some(by) => Err(Refused::InUse { of: of.into(), by }),
        None => Ok(()),
    }
}

impl<G: Give> Performing<'_, G> {
    pub(super) fn delete_endpoint(&mut self, id: &EndpointId) -> Result<(), Refused> {
        there_mut(&mut self.account.endpoints, id)?.state = "deleting".into();
        Ok(())
    }

    pub(super) fn delete_route(&mut self, table: &RouteTableId, to: &Destination) -> Result<(), Refused> {
        let routes = &mut there_mut(&mut self.account.route_tables, table)?.routes;
        let before = routes.len();
        routes.retain(|route| route.destination != *to || route.propagated);
        // `InvalidRoute.NotFound`
        if routes.len() == before { Err(Refused::State(table.into())) } else { Ok(()) }
    }

    pub(super) fn delete_nat_gateway(&mut self, id: &NatGatewayId) -> Result<(), Refused> {
        there_mut(&mut self.account.nat_gateways, id)?.state = "deleting".into();
        for route in self.account.route_tables.values_mut().flat_map(|table| &mut table.routes) {
            route.blackhole |= route.target == crate::inventory::RouteTarget::NatGateway(id.clone());
        }
        Ok(())
    }

    pub(super) fn release_address(&mut self, address: Ipv4Addr) -> Result<(), Refused> {
        let resource = ResourceRef::of(ResourceKind::Address, &address.to_string());
        let mut gateways = self.account.nat_gateways.values().filter(|it| !it.has_failed());
        let user = gateways.find(|it| it.public_address == Some(address));
        unused(resource.clone(), user.map(|it| (&it.id).into()))?;
        self.account.elastic_addresses.remove(&address).map(drop).ok_or(Refused::NotFound(resource))
    }

    pub(super) fn delete_subnet_group(
        &mut self,
        account_region: &AccountRegion,
        name: &str,
    ) -> Result<(), Refused> {
        let resource = ResourceRef::named(ResourceKind::DatabaseSubnetGroup, name, account_region);
        let mut clusters = self.account.database_clusters.values();
        let user = clusters
            .find(|it| it.account_region == *account_region && it.subnet_group.as_deref() == Some(name));
        unused(resource.clone(), user.map(|it| it.resource()))?;
        let mut databases = self.account.databases.values();
        let user = databases.find(|it| {
            it.account_region == *account_region && it.settings.subnet_group.as_deref() == Some(name)
        });
        unused(resource.clone(), user.map(|it| it.resource()))?;
        let key = (account_region.clone(), name.to_owned());
        self.account.database_subnet_groups.remove(&key).map(drop).ok_or(Refused::NotFound(resource))
    }

    pub(super) fn delete_subnet(&mut self, id: &SubnetId) -> Result<(), Refused> {
        there(&self.account.subnets, id)?;
        let account = &*self.account;
        let gateways = account.nat_gateways.values().filter(|it| !it.has_failed());
        let gateways = gateways.filter(|it| it.availability.subnet() == Some(id));
        let users = gateways.map(|it| (&it.id).into());
        let endpoints = account.endpoints.values().filter(|it| it.subnets.contains(id));
        let users = users.chain(endpoints.map(|it| (&it.id).into()));
        let interfaces = account.interfaces.values().filter(|it| it.subnet == *id);
        let users = users.chain(interfaces.map(|it| (&it.id).into()));
        let balancers = account.load_balancers.values().filter(|it| it.subnets.contains(id));
        let mut users = users.chain(balancers.map(|it| it.resource()));
        unused(id, users.next())?;
        drop(users);
        self.account.subnets.remove(id);
        forget_subnet(self.account, id);
        Ok(())
    }

    pub(super) fn delete_route_table(&mut self, id: &RouteTableId) -> Result<(), Refused> {
        let table = there(&self.account.route_tables, id)?;
        if table.main {
            return Err(Refused::State(id.into()));
        }
        unused(id, table.subnets.first().map(Into::into))?;
        let endpoint = self.account.endpoints.values().find(|it| it.tables.contains(id));
        unused(id, endpoint.map(|it| (&it.id).into()))?;
        self.account.route_tables.remove(id);
        Ok(())
    }

    pub(super) fn delete_security_group(&mut self, id: &SecurityGroupId) -> Result<(), Refused> {
        there(&self.account.groups, id)?;
        let account = &*self.account;
        let others = account.groups.values().filter(|it| it.id != *id);
        let references = others.filter(|it| it.rules.keys().any(|rule| rule.peer == Peer::Group(id.clone())));
        let mut users: Vec<ResourceRef> = references.map(|it| (&it.id).into()).collect();
        // Interfaces of services follow their service.
        let interfaces = account.interfaces.values().filter(|it| it.groups.contains(id));
        users.extend(interfaces.filter(|it| it.requester.is_none()).map(|it| ResourceRef::from(&it.id)));
        let endpoints = account.endpoints.values().filter(|it| it.groups.contains(id));
        users.extend(endpoints.map(|it| ResourceRef::from(&it.id)));
        for vpc in account.vpcs.keys() {
            let holders = Holder::all_in(account, vpc).into_iter();
            let holders = holders.filter(|it| it.groups(account).is_some_and(|groups| groups.contains(id)));
            users.extend(holders.map(|it| it.resource()));
        }
        unused(id, users.into_iter().next())?;
        self.account.groups.remove(id);
        Ok(())
    }

    pub(super) fn detach_internet_gateway(
        &mut self,
        id: &InternetGatewayId,
        vpc: &VpcId,
    ) -> Result<(), Refused> {
        // "has some mapped public address(es)"
        let gateways = self.account.nat_gateways.values().filter(|it| it.vpc == *vpc && it.public);
        let mut gateways = gateways.filter(|it| !it.has_failed());
        unused(id, gateways.next().map(|it| (&it.id).into()))?;
        let mapped = self.account.interfaces.values().filter(|it| it.vpc == *vpc);
        let mapped = mapped.filter(|it| it.addresses.iter().any(|address| address.public.is_some()));
        unused(id, mapped.map(|it| (&it.id).into()).next())?;
        let mut balancers = self.account.load_balancers.values();
        let balancer = balancers.find(|it| it.public && it.vpc.as_ref() == Some(vpc));
        unused(id, balancer.map(|it| it.resource()))?;
        let gateway = there_mut(&mut self.account.internet_gateways, id)?;
        if gateway.vpc.as_ref() != Some(vpc) {
            return Err(Refused::State(id.into()));
        }
        gateway.vpc = None;
        Ok(())
    }

    pub(super) fn delete_internet_gateway(&mut self, id: &InternetGatewayId) -> Result<(), Refused> {
        let gateway = there(&self.account.internet_gateways, id)?;
        unused(id, gateway.vpc.as_ref().map(Into::into))?;
        self.account.internet_gateways.remove(id);
        Ok(())
    }

    pub(super) fn delete_vpc(&mut self, id: &VpcId) -> Result<(), Refused> {
        there(&self.account.vpcs, id)?;
        unused(id, self.account.in_vpc(id).into_iter().next().map(|user| user.resource))?;
        let parts = DefaultParts::of(self.account, id);
        self.account.vpcs.remove(id);
        if let Some(parts) = parts {
            parts.remove(self.account);
        }
        Ok(())
    }
}
