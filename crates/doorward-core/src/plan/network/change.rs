//! One change to a network: one call to AWS, with the tags of what it creates.

mod calls;
mod words;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::scaled::ScaledChange;
use crate::inventory::{
    AccountRegion, Database, DatabaseSettings, Destination, DnsAttribute, ElasticAddress, Endpoint,
    EndpointId, Instance, InstanceId, Interface, InternetGateway, InternetGatewayId, NatGateway,
    NatGatewayId, Owned, ResourceKind, ResourceRef, Route, RouteTable, RouteTableId, RuleIdentity,
    SecurityGroup, SecurityGroupId, Subnet, SubnetGroup, SubnetId, Vpc, VpcId,
};
use crate::plan::Step;
use crate::topology::{DefaultParts, Holder};

/// One change to a network. Ids may be planned: [`resolved`](Change::resolved) puts those that AWS gave in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A VPC, with what AWS makes with it.
    CreateVpc(Box<Vpc>, DefaultParts),
    /// A DNS attribute of a VPC is turned on.
    EnableDns(Owned<VpcId>, DnsAttribute),
    /// All rules of the default security group of a VPC of ours go.
    EmptyDefaultGroup {
        vpc: Owned<VpcId>,
        /// Its default security group.
        group: SecurityGroupId,
        rules: BTreeSet<RuleIdentity>,
    },
    /// A subnet.
    CreateSubnet(Box<Subnet>),
    /// An internet gateway, still attached to nothing.
    CreateInternetGateway(Box<InternetGateway>),
    /// An internet gateway is attached.
    AttachInternetGateway(InternetGatewayId, VpcId),
    /// An elastic address.
    AllocateAddress(Box<ElasticAddress>),
    /// A NAT gateway.
    CreateNatGateway(Box<NatGateway>),
    /// A route table, with its local routes only and without associations.
    CreateRouteTable(Box<RouteTable>),
    /// A route.
    CreateRoute(RouteTableId, Route),
    /// A route gets another target.
    ReplaceRoute(RouteTableId, Route),
    /// A subnet uses another route table.
    AssociateTable {
        table: RouteTableId,
        subnet: SubnetId,
        /// The table that it is associated with now; none if that is the main table.
        before: Option<RouteTableId>,
    },
    /// A VPC endpoint.
    CreateEndpoint(Box<Endpoint>),
    /// A VPC endpoint is associated with other tables, subnets or groups.
    ModifyEndpoint(Box<Modified>),
    /// A DB subnet group.
    CreateSubnetGroup(Box<SubnetGroup>),
    /// A DB subnet group gets other subnets.
    ModifySubnetGroup(Owned<String>, Box<SubnetGroup>),
    /// A security group, which AWS gives a rule that lets everything out.
    CreateSecurityGroup(Box<SecurityGroup>),
    /// The rule that AWS gave a new security group goes.
    RevokeDefaultEgress(Owned<SecurityGroupId>),
    /// Rules of a security group.
    Rules(Step),
    /// Something has other security groups attached.
    SetGroups {
        holder: Holder,
        /// All of its groups from now on.
        groups: BTreeSet<SecurityGroupId>,
    },
    /// An instance, with its interface.
    RunInstance(Box<Instance>, Box<Interface>),
    /// A database, with a master password that AWS manages.
    CreateDatabase(Box<Database>),
    /// A database gets other settings, at once.
    ModifyDatabase {
        /// Where it is.
        account_region: AccountRegion,
        /// The database.
        name: Owned<String>,
        /// Its settings from now on; the first of each pair is what it has before.
        settings: Box<(DatabaseSettings, DatabaseSettings)>,
    },
    /// An instance is stopped.
    StopInstance(Owned<InstanceId>),
    /// An instance that is stopped is started.
    StartInstance(Owned<InstanceId>),
    /// A database is stopped. AWS starts it again after seven days.
    StopDatabase(AccountRegion, Owned<String>),
    /// A database that is stopped is started.
    StartDatabase(AccountRegion, Owned<String>),
    /// A database is restored from a snapshot, without a secret for its master password.
    RestoreDatabase {
        /// The database.
        database: Box<Database>,
        /// The name of the snapshot, which has to be available.
        snapshot: String,
    },
    /// A load balancer, an Auto Scaling group, or what these need.
    Scaled(ScaledChange),
    /// Nothing is done before something has a state.
    Await(Awaited),
    /// An instance is terminated, with its volumes.
    TerminateInstance(Owned<InstanceId>),
    /// A database goes, and leaves a final snapshot.
    DeleteDatabase {
        /// Where it is.
        account_region: AccountRegion,
        /// The database.
        name: Owned<String>,
        /// The planned name of the snapshot.
        snapshot: String,
    },
    /// A snapshot of a database goes.
    DeleteSnapshot {
        /// Where it is.
        account_region: AccountRegion,
        /// The snapshot.
        name: Owned<String>,
        /// A newer one of the same database, which has to be available: the last one never goes.
        newer: String,
    },
    /// A VPC endpoint goes.
    DeleteEndpoint(Owned<EndpointId>),
    /// A route goes.
    DeleteRoute(Owned<RouteTableId>, Destination),
    /// A NAT gateway goes. Its address and the routes to it stay.
    DeleteNatGateway(Owned<NatGatewayId>),
    /// An elastic address goes, for good: nobody gets the same one again.
    ReleaseAddress(Owned<Ipv4Addr>),
    /// A DB subnet group goes.
    DeleteSubnetGroup(AccountRegion, Owned<String>),
    /// A subnet goes, with its association.
    DeleteSubnet(Owned<SubnetId>),
    /// A route table goes.
    DeleteRouteTable(Owned<RouteTableId>),
    /// A security group goes.
    DeleteSecurityGroup(Owned<SecurityGroupId>),
    /// An internet gateway is detached.
    DetachInternetGateway(Owned<InternetGatewayId>, VpcId),
    /// An internet gateway goes.
    DeleteInternetGateway(Owned<InternetGatewayId>),
    /// A VPC goes, with what AWS made with it.
    DeleteVpc(Owned<VpcId>),
}

/// What a VPC endpoint is associated with from now on, and what of it is new and what is old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modified {
    /// The endpoint.
    pub id: Owned<EndpointId>,
    /// Route tables to associate, and to dissociate.
    pub tables: (BTreeSet<RouteTableId>, BTreeSet<RouteTableId>),
    /// Subnets to add, and to remove.
    pub subnets: (BTreeSet<SubnetId>, BTreeSet<SubnetId>),
    /// Security groups to attach, and to detach.
    pub groups: (BTreeSet<SecurityGroupId>, BTreeSet<SecurityGroupId>),
}

/// A state that something reaches by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// A NAT gateway is available. AWS's own waiter takes ten minutes at most.
    NatGateway(NatGatewayId),
    /// A NAT gateway is deleted: before that its address cannot be released, nor its subnet deleted.
    NatGatewayGone(NatGatewayId),
    /// A VPC endpoint is available.
    Endpoint(EndpointId),
    /// A VPC endpoint is gone, with its interfaces.
    EndpointGone(EndpointId),
    /// An instance runs.
    InstanceRuns(InstanceId),
    /// An instance is stopped.
    InstanceStopped(InstanceId),
    /// An instance is terminated, and its interface gone.
    InstanceGone(InstanceId),
    /// A database is available.
    Database(AccountRegion, String),
    /// A database is stopped.
    DatabaseStopped(AccountRegion, String),
    /// A database is gone, with its interfaces.
    DatabaseGone(AccountRegion, String),
    /// A snapshot of a database is available.
    Snapshot(AccountRegion, String),
    /// A load balancer is active.
    Balancer(AccountRegion, String),
    /// A load balancer is gone, with its interfaces.
    BalancerGone(AccountRegion, String),
    /// As many targets of an Auto Scaling group are healthy as it has instances at least.
    GroupServes(AccountRegion, String),
    /// An Auto Scaling group is gone, and its instances terminated.
    GroupGone(AccountRegion, String),
    /// No interface has a security group attached any more: those of services follow their service with a delay, those of
    /// Lambda by 20 minutes and more (Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC").
    GroupUnused(SecurityGroupId),
}

fn address(address: Ipv4Addr) -> ResourceRef {
    ResourceRef::of(ResourceKind::Address, &address.to_string())
}

fn database(name: &str, account_region: &AccountRegion) -> ResourceRef {
    ResourceRef::named(ResourceKind::Database, name, account_region)
}

fn snapshot(name: &str, account_region: &AccountRegion) -> ResourceRef {
    ResourceRef::named(ResourceKind::DatabaseSnapshot, name, account_region)
}

fn subnet_group(group: &str, account_region: &AccountRegion) -> ResourceRef {
    ResourceRef::named(ResourceKind::DatabaseSubnetGroup, group, account_region)
}

impl Change {
    /// Whether it takes something away that another call cannot bring back as it was.
    pub fn destroys(&self) -> bool {
        if let Self::Scaled(change) = self {
            return change.destroys();
        }
        matches!(
            self,
            Self::DeleteEndpoint(_)
                | Self::DeleteRoute(..)
                | Self::DeleteNatGateway(_)
                | Self::ReleaseAddress(_)
                | Self::DeleteSubnetGroup(..)
                | Self::DeleteSubnet(_)
                | Self::DeleteRouteTable(_)
                | Self::DeleteSecurityGroup(_)
                | Self::DetachInternetGateway(..)
                | Self::DeleteInternetGateway(_)
                | Self::DeleteVpc(_)
                | Self::TerminateInstance(_)
                | Self::DeleteDatabase { .. }
                | Self::DeleteSnapshot { .. }
                | Self::EmptyDefaultGroup { .. }
                | Self::RevokeDefaultEgress(_)
                | Self::Rules(Step::Revoke { .. })
        )
    }

    /// What it creates, changes or removes.
    pub fn touches(&self) -> ResourceRef {
        match self {
            Self::CreateVpc(vpc, _) => (&vpc.id).into(),
            Self::EnableDns(vpc, _) | Self::DeleteVpc(vpc) => vpc.id().into(),
            Self::EmptyDefaultGroup { group, .. } => group.into(),
            Self::CreateSubnet(subnet) => (&subnet.id).into(),
            Self::DeleteSubnet(subnet) => subnet.id().into(),
            Self::CreateInternetGateway(gateway) => (&gateway.id).into(),
            Self::AttachInternetGateway(gateway, _) => gateway.into(),
            Self::DetachInternetGateway(gateway, _) | Self::DeleteInternetGateway(gateway) => {
                gateway.id().into()
            }
            Self::AllocateAddress(elastic) => address(elastic.public),
            Self::ReleaseAddress(elastic) => address(*elastic.id()),
            Self::CreateNatGateway(gateway) => (&gateway.id).into(),
            Self::DeleteNatGateway(gateway) => gateway.id().into(),
            Self::CreateRouteTable(table) => (&table.id).into(),
            Self::CreateRoute(table, _)
            | Self::ReplaceRoute(table, _)
            | Self::AssociateTable { table, .. } => table.into(),
            Self::DeleteRoute(table, _) | Self::DeleteRouteTable(table) => table.id().into(),
            Self::CreateEndpoint(endpoint) => (&endpoint.id).into(),
            Self::ModifyEndpoint(modified) => modified.id.id().into(),
            Self::DeleteEndpoint(endpoint) => endpoint.id().into(),
            Self::CreateSubnetGroup(group) | Self::ModifySubnetGroup(_, group) => {
                subnet_group(&group.name, &group.account_region)
            }
            Self::DeleteSubnetGroup(account_region, name) => subnet_group(name.id(), account_region),
            Self::CreateSecurityGroup(group) => (&group.id).into(),
            Self::RevokeDefaultEgress(group) | Self::DeleteSecurityGroup(group) => group.id().into(),
            Self::Rules(step) => step.group().into(),
            Self::SetGroups { holder, .. } => holder.resource(),
            Self::RunInstance(instance, _) => (&instance.id).into(),
            Self::TerminateInstance(instance)
            | Self::StopInstance(instance)
            | Self::StartInstance(instance) => instance.id().into(),
            Self::CreateDatabase(database) | Self::RestoreDatabase { database, .. } => database.resource(),
            Self::StopDatabase(account_region, name) | Self::StartDatabase(account_region, name) => {
                database(name.id(), account_region)
            }
            Self::DeleteSnapshot { account_region, name, .. } => snapshot(name.id(), account_region),
            Self::ModifyDatabase { account_region, name, .. }
            | Self::DeleteDatabase { account_region, name, .. } => database(name.id(), account_region),
            Self::Scaled(change) => change.touches(),
            Self::Await(awaited) => awaited.touches(),
        }
    }
}

impl Awaited {
    /// What has to reach a state.
    pub fn touches(&self) -> ResourceRef {
        match self {
            Self::NatGateway(id) | Self::NatGatewayGone(id) => id.into(),
            Self::Endpoint(id) | Self::EndpointGone(id) => id.into(),
            Self::InstanceRuns(id) | Self::InstanceStopped(id) | Self::InstanceGone(id) => id.into(),
            Self::Database(account_region, name)
            | Self::DatabaseStopped(account_region, name)
            | Self::DatabaseGone(account_region, name) => database(name, account_region),
            Self::Snapshot(account_region, name) => snapshot(name, account_region),
            Self::Balancer(account_region, name) | Self::BalancerGone(account_region, name) => {
                ResourceRef::named(ResourceKind::LoadBalancer, name, account_region)
            }
            Self::GroupServes(account_region, name) | Self::GroupGone(account_region, name) => {
                ResourceRef::named(ResourceKind::ScalingGroup, name, account_region)
            }
            Self::GroupUnused(id) => id.into(),
        }
    }
}
