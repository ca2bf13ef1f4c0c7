//! One change to a network: one call to AWS, with the tags of what it creates.

mod words;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::inventory::{
    Destination, ElasticAddress, Endpoint, EndpointId, InternetGateway, InternetGatewayId, NatGateway,
    NatGatewayId, Owned, Place, ResourceKind, ResourceRef, Route, RouteTable, RouteTableId, RuleIdentity,
    SecurityGroup, SecurityGroupId, Subnet, SubnetGroup, SubnetId, Vpc, VpcId,
};
use crate::plan::Step;
use crate::topology::{DefaultParts, Holder};

/// One change to a network. Ids may be planned: [`resolved`](Change::resolved) puts those that AWS gave in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A VPC, with what AWS makes with it.
    CreateVpc(Box<Vpc>, DefaultParts),
    /// Instances of a VPC get DNS names, which private names of endpoints need.
    EnableDnsNames(Owned<VpcId>),
    /// All rules of the default security group of a VPC of ours go.
    EmptyDefaultGroup {
        /// The VPC.
        vpc: Owned<VpcId>,
        /// Its default security group.
        group: SecurityGroupId,
        /// Its rules.
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
        /// The table.
        table: RouteTableId,
        /// The subnet.
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
        /// What.
        holder: Holder,
        /// All of its groups from now on.
        groups: BTreeSet<SecurityGroupId>,
    },
    /// Nothing is done before something has a state.
    Await(Awaited),
    /// A VPC endpoint goes.
    DeleteEndpoint(Owned<EndpointId>),
    /// A route goes.
    DeleteRoute(Owned<RouteTableId>, Destination),
    /// A NAT gateway goes. Its address and the routes to it stay.
    DeleteNatGateway(Owned<NatGatewayId>),
    /// An elastic address goes, for good: nobody gets the same one again.
    ReleaseAddress(Owned<Ipv4Addr>),
    /// A DB subnet group goes.
    DeleteSubnetGroup(Place, Owned<String>),
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
    /// No interface has a security group attached any more: those of services follow their service with a delay, those of
    /// Lambda by 20 minutes and more (Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC").
    GroupUnused(SecurityGroupId),
}

fn address(address: Ipv4Addr) -> ResourceRef {
    ResourceRef::of(ResourceKind::Address, &address.to_string())
}

fn subnet_group(group: &str, place: &Place) -> ResourceRef {
    ResourceRef::named(ResourceKind::DatabaseSubnetGroup, group, place)
}

impl Change {
    /// Whether it takes something away that another call cannot bring back as it was.
    pub fn destroys(&self) -> bool {
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
                | Self::EmptyDefaultGroup { .. }
                | Self::RevokeDefaultEgress(_)
                | Self::Rules(Step::Revoke { .. })
        )
    }

    /// What it creates, changes or removes.
    pub fn touches(&self) -> ResourceRef {
        match self {
            Self::CreateVpc(vpc, _) => (&vpc.id).into(),
            Self::EnableDnsNames(vpc) | Self::DeleteVpc(vpc) => vpc.id().into(),
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
                subnet_group(&group.name, &group.place)
            }
            Self::DeleteSubnetGroup(place, name) => subnet_group(name.id(), place),
            Self::CreateSecurityGroup(group) => (&group.id).into(),
            Self::RevokeDefaultEgress(group) | Self::DeleteSecurityGroup(group) => group.id().into(),
            Self::Rules(step) => step.group().into(),
            Self::SetGroups { holder, .. } => holder.resource(),
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
            Self::GroupUnused(id) => id.into(),
        }
    }
}
