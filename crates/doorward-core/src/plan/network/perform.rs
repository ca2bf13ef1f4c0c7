//! Performs a change on an inventory as AWS performs it on an account, and refuses what AWS refuses.
//!
//! It is how the order of a plan is proven, and how the account after a plan is known before: what it opens and closes.

mod creates;
mod deletes;
mod environments;
mod lifecycle;
mod sets;

use super::change::{Awaited, Change};
use super::ids::Ids;
use crate::inventory::{AnsweredId, Inventory, PlannedId, ResourceRef, SecurityGroupRuleId};
use crate::plan::{NotPerformed, perform};
use crate::topology::route_all;

/// Why a change was not performed; nothing was changed. The names are those of AWS's errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// `Invalid….NotFound`
    #[error("{kind} {0} does not exist", kind = .0.kind())]
    NotFound(ResourceRef),
    /// `DependencyViolation`
    #[error("{} {of} is in use: {by} depends on it", .of.kind())]
    InUse {
        /// What would be changed or deleted.
        of: ResourceRef,
        /// What depends on it.
        by: ResourceRef,
    },
    /// `InvalidSubnet.Conflict`, `InvalidGroup.Duplicate`, `RouteAlreadyExists`, `Resource.AlreadyAssociated` and others.
    #[error("{kind} {0} is there already, or something like it", kind = .0.kind())]
    Duplicate(ResourceRef),
    /// Something does not have the state that is needed, like `Gateway.NotAttached`.
    #[error("{kind} {0} is not in the state that is needed", kind = .0.kind())]
    State(ResourceRef),
    /// A rule was not changed.
    #[error(transparent)]
    Rule(#[from] NotPerformed),
}

/// Gives ids to what is made.
pub trait Give {
    /// The id of a resource that was planned, like `subnet-0a`; none to leave it the planned one.
    fn id(&mut self, planned: &str) -> Option<String>;

    /// The id of a rule.
    fn rule(&mut self) -> SecurityGroupRuleId;

    /// An elastic address that was planned by another one; none to leave it that.
    fn address(&mut self, planned: std::net::Ipv4Addr) -> Option<std::net::Ipv4Addr>;
}

pub(super) use sets::there;

/// A change in progress.
pub(super) struct Performing<'a, G> {
    pub(super) account: &'a mut Inventory,
    pub(super) ids: &'a mut Ids,
    pub(super) give: &'a mut G,
}

impl<G: Give> Performing<'_, G> {
    /// The id of what is made.
    pub(super) fn new_id<I: AnsweredId + PlannedId + Clone + std::fmt::Display>(&mut self, planned: &I) -> I {
        let given = self.give.id(&planned.to_string()).and_then(|id| I::answered(&id).ok());
        let Some(given) = given else { return planned.clone() };
        self.ids.note(planned, &given);
        given
    }
}

/// Performs one change. `ids` has what AWS gave for the changes before, and gets what it gives for this one.
pub fn perform_change(
    account: &mut Inventory,
    change: &Change,
    ids: &mut Ids,
    give: &mut impl Give,
) -> Result<(), Refused> {
    let change = change.resolved(ids);
    let mut after = account.clone();
    let mut performing = Performing { account: &mut after, ids, give };
    performing.perform(&change)?;
    route_all(&mut after);
    *account = after;
    Ok(())
}

impl<G: Give> Performing<'_, G> {
    fn perform(&mut self, change: &Change) -> Result<(), Refused> {
        match change {
            Change::CreateVpc(vpc, parts) => self.create_vpc(vpc, parts),
            Change::EnableDns(vpc, attribute) => {
                sets::there_mut(&mut self.account.vpcs, vpc.id())?.dns.turn_on(*attribute);
                Ok(())
            }
            Change::EmptyDefaultGroup { group, rules, .. } => self.empty_default_group(group, rules),
            Change::CreateSubnet(subnet) => self.create_subnet(subnet),
            Change::CreateInternetGateway(gateway) => self.create_internet_gateway(gateway),
            Change::AttachInternetGateway(gateway, vpc) => self.attach_internet_gateway(gateway, vpc),
            Change::AllocateAddress(address) => self.allocate_address(address),
            Change::CreateNatGateway(gateway) => self.create_nat_gateway(gateway),
            Change::CreateRouteTable(table) => self.create_route_table(table),
            Change::CreateRoute(table, route) => self.create_route(table, route),
            Change::ReplaceRoute(table, route) => self.replace_route(table, route),
            Change::AssociateTable { table, subnet, before } => {
                self.associate_table(table, subnet, before.as_ref())
            }
            Change::CreateEndpoint(endpoint) => self.create_endpoint(endpoint),
            Change::ModifyEndpoint(modified) => self.modify_endpoint(modified),
            Change::CreateSubnetGroup(group) => self.create_subnet_group(group),
            Change::ModifySubnetGroup(_, group) => self.modify_subnet_group(group),
            Change::CreateSecurityGroup(group) => self.create_security_group(group),
            Change::RevokeDefaultEgress(group) => self.revoke_default_egress(group.id()),
            Change::Rules(step) => {
                sets::peers_exist(self.account, step)?;
                Ok(perform(self.account, step, || self.give.rule())?)
            }
            Change::SetGroups { holder, groups } => self.set_groups(holder, groups),
            Change::RunInstance(instance, interface) => self.run_instance(instance, interface),
            Change::CreateDatabase(database) => self.create_database(database),
            Change::ModifyDatabase { account_region, name, settings } => {
                self.modify_database((account_region.clone(), name.id().clone()), &settings.1)
            }
            Change::StopInstance(id) => self.stop_instance(id.id()),
            Change::StartInstance(id) => self.start_instance(id.id()),
            Change::StopDatabase(account_region, name) => {
                self.stop_database((account_region.clone(), name.id().clone()))
            }
            Change::StartDatabase(account_region, name) => {
                self.start_database((account_region.clone(), name.id().clone()))
            }
            Change::RestoreDatabase { database, snapshot } => self.restore_database(database, snapshot),
            Change::DeleteSnapshot { account_region, name, newer } => {
                self.delete_snapshot(account_region, name.id(), newer)
            }
            Change::TerminateInstance(id) => self.terminate_instance(id.id()),
            Change::DeleteDatabase { account_region, name, snapshot } => {
                self.delete_database((account_region.clone(), name.id().clone()), snapshot)
            }
            Change::Scaled(change) => self.scaled(change),
            Change::Await(awaited) => self.wait(awaited),
            Change::DeleteEndpoint(id) => self.delete_endpoint(id.id()),
            Change::DeleteRoute(table, destination) => self.delete_route(table.id(), destination),
            Change::DeleteNatGateway(id) => self.delete_nat_gateway(id.id()),
            Change::ReleaseAddress(address) => self.release_address(*address.id()),
            Change::DeleteSubnetGroup(account_region, name) => {
                self.delete_subnet_group(account_region, name.id())
            }
            Change::DeleteSubnet(id) => self.delete_subnet(id.id()),
            Change::DeleteRouteTable(id) => self.delete_route_table(id.id()),
            Change::DeleteSecurityGroup(id) => self.delete_security_group(id.id()),
            Change::DetachInternetGateway(id, vpc) => self.detach_internet_gateway(id.id(), vpc),
            Change::DeleteInternetGateway(id) => self.delete_internet_gateway(id.id()),
            Change::DeleteVpc(id) => self.delete_vpc(id.id()),
        }
    }

    /// What comes by itself has come.
    fn wait(&mut self, awaited: &Awaited) -> Result<(), Refused> {
        match awaited {
            Awaited::NatGateway(id) => {
                let gateway = sets::there_mut(&mut self.account.nat_gateways, id)?;
                if gateway.state != "pending" {
                    return Err(Refused::State(id.into()));
                }
                gateway.state = "available".into();
            }
            Awaited::NatGatewayGone(id) => {
                if self.account.nat_gateways.get(id).is_some_and(|it| it.state == "available") {
                    return Err(Refused::State(id.into()));
                }
                self.account.nat_gateways.remove(id);
            }
            Awaited::Endpoint(id) => {
                sets::there_mut(&mut self.account.endpoints, id)?.state = "available".into()
            }
            Awaited::EndpointGone(id) => {
                if self.account.endpoints.get(id).is_some_and(|it| it.state != "deleting") {
                    return Err(Refused::State(id.into()));
                }
                self.account.endpoints.remove(id);
            }
            Awaited::InstanceRuns(id) => self.instance_runs(id)?,
            Awaited::InstanceStopped(id) => self.instance_stopped(id)?,
            Awaited::InstanceGone(id) => self.instance_gone(id)?,
            Awaited::Database(account_region, name) => {
                self.database_available((account_region.clone(), name.clone()))?
            }
            Awaited::DatabaseStopped(account_region, name) => {
                self.database_stopped((account_region.clone(), name.clone()))?
            }
            Awaited::DatabaseGone(account_region, name) => {
                self.database_gone((account_region.clone(), name.clone()))?
            }
            Awaited::Snapshot(account_region, name) => {
                self.snapshot_available((account_region.clone(), name.clone()))?
            }
            Awaited::Balancer(account_region, name) => self.balancer_active(account_region, name)?,
            Awaited::GroupGone(account_region, name) => self.group_gone(account_region, name)?,
            Awaited::BalancerGone(..) | Awaited::GroupServes(..) => {}
            // Interfaces of services have let go by now, or the deletion says who has not.
            Awaited::GroupUnused(_) => {}
        }
        Ok(())
    }
}
