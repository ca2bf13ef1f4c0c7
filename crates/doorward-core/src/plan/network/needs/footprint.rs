//! What a step reads and what it writes.

use std::collections::BTreeMap;

use super::keys::{Footprint, Key};
use crate::inventory::{
    AccountRegion, Destination, EndpointId, InstanceId, Inventory, NatGateway, NatGatewayId, Peer,
    ResourceKind, ResourceRef, Route, RouteTableId, RouteTarget, SubnetId,
};
use crate::plan::Step;
use crate::plan::network::change::{Awaited, Change, Modified};
use crate::plan::network::difference::NetworkStep;
use crate::plan::network::scaled;

pub(super) fn address(address: &std::net::Ipv4Addr) -> ResourceRef {
    ResourceRef::of(ResourceKind::Address, &address.to_string())
}

fn snapshot_of(account_region: &AccountRegion, name: &str) -> ResourceRef {
    ResourceRef::named(ResourceKind::DatabaseSnapshot, name, account_region)
}

/// The account before the plan, and the gateways that the plan makes.
pub(super) struct AccountBefore<'a> {
    actual: &'a Inventory,
    nat: BTreeMap<&'a NatGatewayId, &'a NatGateway>,
    tables: BTreeMap<&'a SubnetId, &'a RouteTableId>,
}

impl<'a> AccountBefore<'a> {
    pub(super) fn of(actual: &'a Inventory, steps: &'a [NetworkStep]) -> Self {
        let made = steps.iter().filter_map(|step| match &step.change {
            Change::CreateNatGateway(gateway) => Some((&gateway.id, gateway.as_ref())),
            _ => None,
        });
        let nat = actual.nat_gateways.iter().chain(made).collect();
        let tables = actual.route_tables.values();
        let tables = tables.flat_map(|it| it.subnets.iter().map(|subnet| (subnet, &it.id))).collect();
        Self { actual, nat, tables }
    }

    pub(super) fn footprint(&self, change: &Change) -> Footprint {
        let mut of_step = Footprint::default();
        self.makes(change, &mut of_step);
        self.sets(change, &mut of_step);
        self.removes(change, &mut of_step);
        of_step
    }

    fn makes(&self, change: &Change, it: &mut Footprint) {
        match change {
            Change::CreateVpc(vpc, parts) => {
                it.write(&vpc.id).write(&parts.table).write(&parts.acl).write(&parts.group);
                it.writes(Key::Rules(parts.group.clone()));
            }
            Change::CreateSubnet(subnet) => {
                it.read(&subnet.vpc).write(&subnet.id);
            }
            Change::CreateInternetGateway(gateway) => {
                it.write(&gateway.id);
            }
            Change::AllocateAddress(elastic) => {
                it.write(address(&elastic.public));
            }
            Change::CreateNatGateway(gateway) => {
                it.of_nat(gateway).write(&gateway.id).writes_state(&gateway.id);
            }
            Change::CreateRouteTable(table) => {
                it.read(&table.vpc).write(&table.id).writes(Key::Routes(table.id.clone()));
            }
            Change::CreateEndpoint(endpoint) => {
                it.of_endpoint(endpoint).rules_of(&endpoint.groups).reads(Key::Dns(endpoint.vpc.clone()));
                it.write(&endpoint.id).writes_state(&endpoint.id);
                it.writes(Key::Service(endpoint.vpc.clone(), endpoint.service.clone()));
            }
            Change::CreateSubnetGroup(group) | Change::ModifySubnetGroup(_, group) => {
                it.read_all(&group.vpc).read_all(&group.subnets).write(change.touches());
            }
            Change::RunInstance(instance, interface) => {
                it.read(&interface.vpc).read(&interface.subnet).read_all(&interface.groups);
                // What it does when it starts may need the internet.
                it.rules_of(&interface.groups).reads(Key::Association(interface.subnet.clone()));
                it.write(&instance.id).write(&interface.id).writes_state(&instance.id);
            }
            Change::CreateDatabase(database) => {
                it.of_database(database).rules_of(&database.groups);
                it.write(database.resource()).writes_state(database.resource());
            }
            Change::RestoreDatabase { database, snapshot } => {
                it.of_database(database).rules_of(&database.groups);
                it.is_available(snapshot_of(&database.account_region, snapshot));
                it.write(database.resource()).writes_state(database.resource());
            }
            Change::CreateSecurityGroup(group) => {
                it.read_all(&group.vpc).write(&group.id).writes(Key::Rules(group.id.clone()));
            }
            _ => {}
        }
    }

    fn sets(&self, change: &Change, it: &mut Footprint) {
        match change {
            Change::EnableDns(vpc, _) => {
                it.read(vpc.id()).writes(Key::Dns(vpc.id().clone()));
            }
            Change::EmptyDefaultGroup { vpc, group, .. } => {
                it.read(vpc.id()).read(group).writes(Key::Rules(group.clone()));
            }
            Change::AttachInternetGateway(gateway, vpc) => {
                it.read(vpc).read(gateway).writes(Key::Internet(vpc.clone())).writes_state(gateway);
            }
            Change::CreateRoute(table, route) | Change::ReplaceRoute(table, route) => {
                it.read(table).writes(Key::Routes(table.clone()));
                self.leads_to(&route.target, it);
            }
            Change::AssociateTable { table, subnet, before } => {
                it.read(table).read(subnet).read_all(before).reads(Key::Routes(table.clone()));
                it.writes(Key::Association(subnet.clone()));
            }
            Change::ModifyEndpoint(modified) => {
                let Modified { id, tables, subnets, groups } = modified.as_ref();
                it.read_all(tables.0.union(&tables.1)).read_all(subnets.0.union(&subnets.1));
                it.read_all(groups.0.union(&groups.1)).rules_of(&groups.0);
                it.write(id.id()).writes_state(id.id());
            }
            Change::RevokeDefaultEgress(group) => {
                it.read(group.id()).writes(Key::Rules(group.id().clone()));
            }
            Change::Rules(step) => rules(step, it),
            Change::SetGroups { holder, groups } => {
                it.read_all(groups)
                    .rules_of(groups)
                    .read_all(holder.groups(self.actual).into_iter().flatten());
                it.write(holder.resource()).writes_state(holder.resource());
            }
            Change::StopInstance(id) | Change::StartInstance(id) => {
                it.read(id.id()).writes_state(id.id());
            }
            Change::ModifyDatabase { .. } | Change::StopDatabase(..) | Change::StartDatabase(..) => {
                it.write(change.touches()).writes_state(change.touches());
            }
            Change::Scaled(change) => scaled::footprint(change, self.actual, it),
            Change::Await(awaited) => self.awaits(awaited, it),
            _ => {}
        }
    }

    fn removes(&self, change: &Change, it: &mut Footprint) {
        let actual = self.actual;
        match change {
            Change::DeleteEndpoint(id) => self.endpoint(id.id(), it),
            Change::TerminateInstance(id) => self.instance(id.id(), it),
            Change::DeleteDatabase { account_region, name, snapshot } => {
                self.database(account_region, name.id(), it);
                it.write(snapshot_of(account_region, snapshot));
            }
            Change::DeleteSnapshot { account_region, newer, .. } => {
                it.is_available(snapshot_of(account_region, newer)).write(change.touches());
            }
            Change::DeleteRoute(table, destination) => {
                it.read(table.id()).writes(Key::Routes(table.id().clone()));
                self.led_to(table.id(), destination, it);
            }
            Change::DeleteNatGateway(id) => self.nat_gateway(id.id(), it),
            Change::ReleaseAddress(public) => {
                it.write(address(public.id()));
            }
            Change::DeleteSubnetGroup(account_region, name) => {
                let group = actual.database_subnet_groups.get(&(account_region.clone(), name.id().clone()));
                it.read_all(group.and_then(|group| group.vpc.as_ref()));
                it.read_all(group.iter().flat_map(|group| &group.subnets)).write(change.touches());
            }
            Change::DeleteSubnet(id) => {
                it.read_all(actual.subnets.get(id.id()).map(|subnet| &subnet.vpc));
                it.read_all(self.tables.get(id.id()).copied());
                it.write(id.id()).writes(Key::Association(id.id().clone()));
            }
            Change::DeleteRouteTable(id) => {
                it.read_all(actual.route_tables.get(id.id()).map(|table| &table.vpc));
                it.write(id.id()).writes(Key::Routes(id.id().clone()));
            }
            Change::DeleteSecurityGroup(id) => {
                it.read_all(actual.groups.get(id.id()).and_then(|group| group.vpc.as_ref()));
                it.write(id.id()).writes(Key::Rules(id.id().clone()));
            }
            Change::DetachInternetGateway(id, vpc) => {
                it.read(vpc).read(id.id()).writes(Key::Internet(vpc.clone())).writes_state(id.id());
            }
            Change::DeleteInternetGateway(id) => {
                it.write(id.id()).writes_state(id.id());
            }
            Change::DeleteVpc(id) => {
                it.write(id.id()).writes(Key::Dns(id.id().clone())).writes(Key::Internet(id.id().clone()));
            }
            _ => {}
        }
    }

    fn awaits(&self, awaited: &Awaited, it: &mut Footprint) {
        match awaited {
            Awaited::NatGateway(id) => {
                it.read(id).writes_state(id);
            }
            Awaited::Endpoint(id) => {
                it.read(id).writes_state(id);
            }
            Awaited::NatGatewayGone(id) => self.nat_gateway(id, it),
            Awaited::EndpointGone(id) => self.endpoint(id, it),
            Awaited::InstanceRuns(id) | Awaited::InstanceStopped(id) => {
                it.read(id).writes_state(id);
            }
            Awaited::InstanceGone(id) => self.instance(id, it),
            Awaited::Database(..) | Awaited::DatabaseStopped(..) | Awaited::Snapshot(..) => {
                it.read(awaited.touches()).writes_state(awaited.touches());
            }
            Awaited::DatabaseGone(account_region, name) => self.database(account_region, name, it),
            Awaited::Balancer(..)
            | Awaited::BalancerGone(..)
            | Awaited::GroupServes(..)
            | Awaited::GroupGone(..) => scaled::awaits(awaited, self.actual, it),
            // Whoever references the group, or has it attached, reads it.
            Awaited::GroupUnused(id) => {
                it.write(id);
            }
        }
    }

    /// A gateway that goes.
    fn nat_gateway(&self, id: &NatGatewayId, it: &mut Footprint) {
        if let Some(gateway) = self.nat.get(id) {
            it.of_nat(gateway);
        }
        it.write(id).writes_state(id);
    }

    /// An instance that goes, with its interfaces.
    fn instance(&self, id: &InstanceId, it: &mut Footprint) {
        let interfaces = self.actual.interfaces.values().filter(|it| it.instance.as_ref() == Some(id));
        for interface in interfaces {
            it.read(&interface.vpc).read(&interface.subnet).read_all(&interface.groups).write(&interface.id);
        }
        it.write(id).writes_state(id);
    }

    /// A database that goes, with its interfaces.
    fn database(&self, account_region: &AccountRegion, name: &str, it: &mut Footprint) {
        if let Some(database) = self.actual.databases.get(&(account_region.clone(), name.to_owned())) {
            it.of_database(database);
        }
        let resource = ResourceRef::named(ResourceKind::Database, name, account_region);
        it.write(resource.clone()).writes_state(resource);
    }

    /// An endpoint that goes.
    fn endpoint(&self, id: &EndpointId, it: &mut Footprint) {
        if let Some(endpoint) = self.actual.endpoints.get(id) {
            it.of_endpoint(endpoint).writes(Key::Service(endpoint.vpc.clone(), endpoint.service.clone()));
        }
        it.write(id).writes_state(id);
    }

    /// What has to serve before a route leads there.
    fn leads_to(&self, target: &RouteTarget, it: &mut Footprint) {
        match target {
            RouteTarget::InternetGateway(id) => {
                it.read(id).reads(Key::State(id.into()));
            }
            RouteTarget::NatGateway(id) => {
                it.read(id).reads(Key::State(id.into()));
                // It reaches nothing before its own subnet is routed to the internet.
                let subnet = self.nat.get(id).and_then(|gateway| gateway.availability.subnet());
                it.reads.extend(subnet.map(|subnet| Key::Association(subnet.clone())));
            }
            _ => {}
        }
    }

    fn led_to(&self, table: &RouteTableId, destination: &Destination, it: &mut Footprint) {
        let routes = self.actual.route_tables.get(table).map(|table| table.routes.as_slice());
        let routes: &[Route] = routes.unwrap_or_default();
        for route in routes.iter().filter(|route| route.destination == *destination) {
            match &route.target {
                RouteTarget::InternetGateway(id) => {
                    it.read(id);
                }
                RouteTarget::NatGateway(id) => {
                    it.read(id);
                }
                _ => {}
            }
        }
    }
}

fn rules(step: &Step, it: &mut Footprint) {
    let group = step.group();
    let mut peer = |peer: &Peer| {
        if let Peer::Group(other) = peer {
            it.read(other);
        }
    };
    match step {
        Step::Authorize { rules, .. } => rules.iter().for_each(|(rule, _)| peer(&rule.peer)),
        Step::Describe { rules, .. } => rules.iter().for_each(|remark| peer(&remark.rule.peer)),
        Step::Revoke { rules, .. } => rules.iter().for_each(|(_, rule)| peer(&rule.peer)),
    }
    it.read(group).writes(Key::Rules(group.clone()));
}
