//! The order of changes: what is made comes before what is broken, and each thing after what it needs.

use super::change::{Awaited, Change};
use crate::inventory::{RouteTableId, RouteTarget};
use crate::plan::Step;

/// When a change is made. Changes of one phase do not depend on each other, but for their order in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// VPCs, and what AWS made with them.
    Vpc,
    Subnets,
    /// Internet gateways.
    Internet,
    /// Security groups, all of them before the first rule, since rules reference them.
    Groups,
    /// Rules that are added.
    Rules,
    /// Route tables that lead to no NAT gateway.
    Tables,
    /// Elastic addresses.
    Addresses,
    /// NAT gateways.
    Nat,
    /// NAT gateways have to serve before a route leads there.
    NatAwaited,
    /// Routes to NAT gateways, also those that replace others.
    NatRoutes,
    /// Subnets get the tables that lead to NAT gateways.
    NatTables,
    /// VPC endpoints that do not serve go, and their interfaces: a VPC has one endpoint with the private DNS name of a service,
    /// and a route table one for a service.
    EndpointsReplaced,
    /// VPC endpoints.
    Endpoints,
    /// DB subnet groups.
    SubnetGroups,
    /// Instances, databases, load balancers and Auto Scaling groups: they are created, started, stopped and changed.
    Machines,
    /// Groups are attached, and detached in the same call.
    Holders,
    /// Rules that are removed: by now every replacement is in force.
    RulesGone,
    /// The same and snapshots that go, and their interfaces.
    MachinesGone,
    /// VPC endpoints that go, and their interfaces.
    EndpointsGone,
    /// Routes that go.
    RoutesGone,
    /// NAT gateways that go.
    NatGone,
    /// An address is free only when its NAT gateway is deleted.
    NatGoneAwaited,
    /// Elastic addresses that go.
    AddressesGone,
    /// DB subnet groups that go.
    SubnetGroupsGone,
    /// Subnets that go, with their associations.
    SubnetsGone,
    /// Route tables that go: no subnet is associated any more.
    TablesGone,
    /// Security groups that go: no rule references them any more.
    GroupsGone,
    /// Internet gateways that go: no address is mapped any more.
    InternetGone,
    /// VPCs that go.
    VpcGone,
}

impl Phase {
    /// When a change is made; `by_nat` says of a table whether it leads to a NAT gateway in the end.
    pub(super) fn of(change: &Change, by_nat: impl Fn(&RouteTableId) -> bool) -> Self {
        match change {
            Change::CreateVpc(..) | Change::EnableDns(..) | Change::EmptyDefaultGroup { .. } => Self::Vpc,
            Change::CreateSubnet(_) => Self::Subnets,
            Change::CreateInternetGateway(_) | Change::AttachInternetGateway(..) => Self::Internet,
            Change::CreateSecurityGroup(_) | Change::RevokeDefaultEgress(_) => Self::Groups,
            Change::Rules(Step::Authorize { .. } | Step::Describe { .. }) => Self::Rules,
            Change::Rules(Step::Revoke { .. }) => Self::RulesGone,
            Change::CreateRouteTable(_) => Self::Tables,
            Change::CreateRoute(_, route) | Change::ReplaceRoute(_, route) => match route.target {
                RouteTarget::NatGateway(_) => Self::NatRoutes,
                _ => Self::Tables,
            },
            Change::AssociateTable { table, .. } if by_nat(table) => Self::NatTables,
            Change::AssociateTable { .. } => Self::Tables,
            Change::AllocateAddress(_) => Self::Addresses,
            Change::CreateNatGateway(_) => Self::Nat,
            Change::CreateEndpoint(_) | Change::ModifyEndpoint(_) => Self::Endpoints,
            Change::CreateSubnetGroup(_) | Change::ModifySubnetGroup(..) => Self::SubnetGroups,
            Change::RunInstance(..)
            | Change::CreateDatabase(_)
            | Change::ModifyDatabase { .. }
            | Change::StopInstance(_)
            | Change::StartInstance(_)
            | Change::StopDatabase(..)
            | Change::StartDatabase(..)
            | Change::RestoreDatabase { .. } => Self::Machines,
            Change::TerminateInstance(_) | Change::DeleteDatabase { .. } | Change::DeleteSnapshot { .. } => {
                Self::MachinesGone
            }
            Change::SetGroups { .. } => Self::Holders,
            Change::Scaled(change) if change.destroys() => Self::MachinesGone,
            Change::Scaled(_) => Self::Machines,
            Change::Await(awaited) => match awaited {
                Awaited::NatGateway(_) => Self::NatAwaited,
                Awaited::NatGatewayGone(_) => Self::NatGoneAwaited,
                Awaited::Endpoint(_) => Self::Endpoints,
                Awaited::EndpointGone(_) => Self::EndpointsGone,
                Awaited::InstanceRuns(_)
                | Awaited::InstanceStopped(_)
                | Awaited::Database(..)
                | Awaited::DatabaseStopped(..)
                | Awaited::Balancer(..)
                | Awaited::GroupServes(..) => Self::Machines,
                Awaited::InstanceGone(_)
                | Awaited::DatabaseGone(..)
                | Awaited::Snapshot(..)
                | Awaited::BalancerGone(..)
                | Awaited::GroupGone(..) => Self::MachinesGone,
                Awaited::GroupUnused(_) => Self::GroupsGone,
            },
            Change::DeleteEndpoint(_) => Self::EndpointsGone,
            Change::DeleteRoute(..) => Self::RoutesGone,
            Change::DeleteNatGateway(_) => Self::NatGone,
            Change::ReleaseAddress(_) => Self::AddressesGone,
            Change::DeleteSubnetGroup(..) => Self::SubnetGroupsGone,
            Change::DeleteSubnet(_) => Self::SubnetsGone,
            Change::DeleteRouteTable(_) => Self::TablesGone,
            Change::DeleteSecurityGroup(_) => Self::GroupsGone,
            Change::DetachInternetGateway(..) | Change::DeleteInternetGateway(_) => Self::InternetGone,
            Change::DeleteVpc(_) => Self::VpcGone,
        }
    }
}
