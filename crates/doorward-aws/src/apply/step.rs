//! One step: the call, or the calls, that it is.

use doorward_core::plan::network::{Change, NetworkStep};

use super::run::{Reporter, Run};
use super::{Event, NotDone};

impl Run {
    /// Performs a step, with the ids that AWS has given so far.
    pub(super) async fn step(&self, step: &NetworkStep, reporter: &Reporter) -> Result<(), NotDone> {
        if self.stop.is_stopped() {
            return Err(NotDone::Stopped);
        }
        reporter.report(Event::Begins(reporter.step));
        let change = step.change.resolved(&self.ids());
        match &change {
            Change::CreateVpc(vpc, _) => self.create_vpc(vpc, reporter).await,
            Change::CreateSubnet(subnet) => self.create_subnet(subnet, reporter).await,
            Change::CreateInternetGateway(gateway) => self.create_internet_gateway(gateway, reporter).await,
            Change::AllocateAddress(elastic) => self.allocate_address(elastic, reporter).await,
            Change::CreateNatGateway(gateway) => {
                self.create_nat_gateway(gateway, self.tokens.of(&change), reporter).await
            }
            Change::CreateRouteTable(table) => {
                self.create_route_table(table, self.tokens.of(&change), reporter).await
            }
            Change::CreateEndpoint(endpoint) => {
                self.create_endpoint(endpoint, self.tokens.of(&change), reporter).await
            }
            Change::CreateSubnetGroup(group) => self.create_subnet_group(group, reporter).await,
            Change::CreateSecurityGroup(group) => self.create_security_group(group, reporter).await,
            Change::EnableDns(vpc, attribute) => self.enable_dns(vpc, *attribute, reporter).await,
            Change::EmptyDefaultGroup { vpc, group, rules } => {
                self.empty_default_group(vpc, group, rules, reporter).await
            }
            Change::AttachInternetGateway(gateway, vpc) => {
                self.attach_internet_gateway(gateway, vpc, reporter).await
            }
            Change::CreateRoute(table, route) => self.create_route(table, route, reporter).await,
            Change::ReplaceRoute(table, route) => self.replace_route(table, route, reporter).await,
            Change::AssociateTable { table, subnet, before } => {
                self.associate_table(table, subnet, before.as_ref(), reporter).await
            }
            Change::ModifyEndpoint(modified) => self.modify_endpoint(modified, reporter).await,
            Change::ModifySubnetGroup(name, group) => {
                self.modify_subnet_group(name, &group.subnets, reporter).await
            }
            Change::RevokeDefaultEgress(group) => self.revoke_default_egress(group, reporter).await,
            Change::Rules(step) => self.rules(step, reporter).await,
            Change::SetGroups { holder, groups } => self.set_groups(holder, groups, reporter).await,
            Change::RunInstance(instance, interface) => {
                self.run_instance(instance, interface, self.tokens.of(&change), reporter).await
            }
            Change::CreateDatabase(database) => self.create_database(database, reporter).await,
            Change::ModifyDatabase { name, settings, .. } => {
                self.modify_database(name, settings, reporter).await
            }
            Change::StopInstance(id) => self.stop_instance(id, reporter).await,
            Change::StartInstance(id) => self.start_instance(id, reporter).await,
            Change::StopDatabase(_, name) => self.stop_database(name, reporter).await,
            Change::StartDatabase(_, name) => self.start_database(name, reporter).await,
            Change::RestoreDatabase { database, snapshot } => {
                self.restore_database(database, snapshot, reporter).await
            }
            Change::DeleteSnapshot { name, .. } => self.delete_snapshot(name, reporter).await,
            Change::TerminateInstance(id) => self.terminate_instance(id, reporter).await,
            Change::DeleteDatabase { name, snapshot, .. } => {
                self.delete_database(name, snapshot, reporter).await
            }
            Change::Scaled(change) => self.scaled(change, reporter).await,
            Change::Await(awaited) => self.wait(awaited, reporter).await,
            Change::DeleteEndpoint(_)
            | Change::DeleteRoute(..)
            | Change::DeleteNatGateway(_)
            | Change::ReleaseAddress(_)
            | Change::DeleteSubnetGroup(..)
            | Change::DeleteSubnet(_)
            | Change::DeleteRouteTable(_)
            | Change::DeleteSecurityGroup(_)
            | Change::DetachInternetGateway(..)
            | Change::DeleteInternetGateway(_)
            | Change::DeleteVpc(_) => self.remove(&change, reporter).await,
        }
    }
}
