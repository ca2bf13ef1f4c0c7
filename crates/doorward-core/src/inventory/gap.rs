//! What could not be seen, and by which call it would have been.

use std::fmt;

use serde::Serialize;

use super::{Place, SecurityGroupId};

/// Something that could not be seen, and why. A gap can block an opening, never a closing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The call that failed, like `ec2:DescribeSecurityGroupRules`.
    pub call: String,
    /// Where.
    pub place: Place,
    /// The groups that the answer would have told of.
    pub groups: Vec<SecurityGroupId>,
    /// Why, in words.
    pub why: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} gave no answer: {}", self.call, self.place, self.why)
    }
}

/// A call whose answer is part of an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `ec2:DescribeSecurityGroups`
    SecurityGroups,
    /// `ec2:DescribeSecurityGroupRules`
    SecurityGroupRules,
    /// `ec2:DescribeVpcs`
    Vpcs,
    /// `ec2:DescribeSubnets`
    Subnets,
    /// `ec2:DescribeRouteTables`
    RouteTables,
    /// `ec2:DescribeNetworkAcls`
    NetworkAcls,
    /// `ec2:DescribeManagedPrefixLists`
    PrefixLists,
    /// `ec2:GetManagedPrefixListEntries`
    PrefixListEntries,
    /// `ec2:DescribeVpcBlockPublicAccessOptions`
    BlockPublicAccess,
    /// `ec2:DescribeVpcBlockPublicAccessExclusions`
    BlockExclusions,
    /// `ec2:DescribeNetworkInterfaces`
    Interfaces,
    /// `ec2:DescribeInstances`
    Instances,
    /// `ec2:DescribeAddresses`
    Addresses,
    /// `ec2:DescribeInternetGateways`
    InternetGateways,
    /// `ec2:DescribeEgressOnlyInternetGateways`
    EgressOnlyGateways,
    /// `ec2:DescribeNatGateways`
    NatGateways,
    /// `ec2:DescribeVpnGateways`
    VpnGateways,
    /// `ec2:DescribeVpnConnections`
    VpnConnections,
    /// `ec2:DescribeVpcPeeringConnections`
    Peerings,
    /// `ec2:DescribeTransitGateways`
    TransitGateways,
    /// `ec2:DescribeTransitGatewayAttachments`
    TransitAttachments,
    /// `ec2:DescribeTransitGatewayVpcAttachments`
    TransitVpcAttachments,
    /// `ec2:DescribeTransitGatewayPeeringAttachments`
    TransitPeerings,
    /// `ec2:DescribeTransitGatewayRouteTables`
    TransitTables,
    /// `ec2:SearchTransitGatewayRoutes`
    TransitRoutes,
    /// `ec2:GetTransitGatewayRouteTablePropagations`
    TransitPropagations,
    /// `ec2:DescribeVpcEndpoints`
    Endpoints,
    /// `elasticloadbalancing:DescribeLoadBalancers (classic)`
    ClassicLoadBalancers,
    /// `elasticloadbalancing:DescribeLoadBalancers`
    LoadBalancers,
    /// `elasticloadbalancing:DescribeListeners`
    Listeners,
    /// `elasticloadbalancing:DescribeRules`
    ListenerRules,
    /// `elasticloadbalancing:DescribeLoadBalancerAttributes`
    LoadBalancerAttributes,
    /// `elasticloadbalancing:DescribeTargetGroups`
    TargetGroups,
    /// `elasticloadbalancing:DescribeTargetGroupAttributes`
    TargetGroupAttributes,
    /// `elasticloadbalancing:DescribeTargetHealth`
    TargetHealth,
    /// `rds:DescribeDBInstances`
    Databases,
    /// `rds:DescribeDBClusters`
    DatabaseClusters,
    /// `rds:DescribeDBSubnetGroups`
    DatabaseSubnetGroups,
    /// `rds:DescribeDBProxies`
    DatabaseProxies,
    /// `rds:DescribeDBProxyTargets`
    DatabaseProxyTargets,
    /// `elasticache:DescribeCacheClusters`
    Caches,
    /// `elasticache:DescribeCacheSubnetGroups`
    CacheSubnetGroups,
    /// `lambda:ListFunctions`
    Functions,
    /// `ecs:ListClusters`
    ContainerClusters,
    /// `ecs:DescribeServices`
    ContainerServices,
    /// `ecs:DescribeTasks`
    ContainerTasks,
}

impl Call {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::SecurityGroups,
        Self::SecurityGroupRules,
        Self::Vpcs,
        Self::Subnets,
        Self::RouteTables,
        Self::NetworkAcls,
        Self::PrefixLists,
        Self::PrefixListEntries,
        Self::BlockPublicAccess,
        Self::BlockExclusions,
        Self::Interfaces,
        Self::Instances,
        Self::Addresses,
        Self::InternetGateways,
        Self::EgressOnlyGateways,
        Self::NatGateways,
        Self::VpnGateways,
        Self::VpnConnections,
        Self::Peerings,
        Self::TransitGateways,
        Self::TransitAttachments,
        Self::TransitVpcAttachments,
        Self::TransitPeerings,
        Self::TransitTables,
        Self::TransitRoutes,
        Self::TransitPropagations,
        Self::Endpoints,
        Self::ClassicLoadBalancers,
        Self::LoadBalancers,
        Self::Listeners,
        Self::ListenerRules,
        Self::LoadBalancerAttributes,
        Self::TargetGroups,
        Self::TargetGroupAttributes,
        Self::TargetHealth,
        Self::Databases,
        Self::DatabaseClusters,
        Self::DatabaseSubnetGroups,
        Self::DatabaseProxies,
        Self::DatabaseProxyTargets,
        Self::Caches,
        Self::CacheSubnetGroups,
        Self::Functions,
        Self::ContainerClusters,
        Self::ContainerServices,
        Self::ContainerTasks,
    ];

    /// The permission that it takes; one of IAM's actions may stand for two calls.
    pub fn permission(self) -> &'static str {
        match self {
            Self::ClassicLoadBalancers => Self::LoadBalancers.action(),
            call => call.action(),
        }
    }

    /// Its action as IAM has it, like `ec2:DescribeVpcs`.
    pub fn action(self) -> &'static str {
        match self {
            Self::SecurityGroups => "ec2:DescribeSecurityGroups",
            Self::SecurityGroupRules => "ec2:DescribeSecurityGroupRules",
            Self::Vpcs => "ec2:DescribeVpcs",
            Self::Subnets => "ec2:DescribeSubnets",
            Self::RouteTables => "ec2:DescribeRouteTables",
            Self::NetworkAcls => "ec2:DescribeNetworkAcls",
            Self::PrefixLists => "ec2:DescribeManagedPrefixLists",
            Self::PrefixListEntries => "ec2:GetManagedPrefixListEntries",
            Self::BlockPublicAccess => "ec2:DescribeVpcBlockPublicAccessOptions",
            Self::BlockExclusions => "ec2:DescribeVpcBlockPublicAccessExclusions",
            Self::Interfaces => "ec2:DescribeNetworkInterfaces",
            Self::Instances => "ec2:DescribeInstances",
            Self::Addresses => "ec2:DescribeAddresses",
            Self::InternetGateways => "ec2:DescribeInternetGateways",
            Self::EgressOnlyGateways => "ec2:DescribeEgressOnlyInternetGateways",
            Self::NatGateways => "ec2:DescribeNatGateways",
            Self::VpnGateways => "ec2:DescribeVpnGateways",
            Self::VpnConnections => "ec2:DescribeVpnConnections",
            Self::Peerings => "ec2:DescribeVpcPeeringConnections",
            Self::TransitGateways => "ec2:DescribeTransitGateways",
            Self::TransitAttachments => "ec2:DescribeTransitGatewayAttachments",
            Self::TransitVpcAttachments => "ec2:DescribeTransitGatewayVpcAttachments",
            Self::TransitPeerings => "ec2:DescribeTransitGatewayPeeringAttachments",
            Self::TransitTables => "ec2:DescribeTransitGatewayRouteTables",
            Self::TransitRoutes => "ec2:SearchTransitGatewayRoutes",
            Self::TransitPropagations => "ec2:GetTransitGatewayRouteTablePropagations",
            Self::Endpoints => "ec2:DescribeVpcEndpoints",
            Self::ClassicLoadBalancers => "elasticloadbalancing:DescribeLoadBalancers (classic)",
            Self::LoadBalancers => "elasticloadbalancing:DescribeLoadBalancers",
            Self::Listeners => "elasticloadbalancing:DescribeListeners",
            Self::ListenerRules => "elasticloadbalancing:DescribeRules",
            Self::LoadBalancerAttributes => "elasticloadbalancing:DescribeLoadBalancerAttributes",
            Self::TargetGroups => "elasticloadbalancing:DescribeTargetGroups",
            Self::TargetGroupAttributes => "elasticloadbalancing:DescribeTargetGroupAttributes",
            Self::TargetHealth => "elasticloadbalancing:DescribeTargetHealth",
            Self::Databases => "rds:DescribeDBInstances",
            Self::DatabaseClusters => "rds:DescribeDBClusters",
            Self::DatabaseSubnetGroups => "rds:DescribeDBSubnetGroups",
            Self::DatabaseProxies => "rds:DescribeDBProxies",
            Self::DatabaseProxyTargets => "rds:DescribeDBProxyTargets",
            Self::Caches => "elasticache:DescribeCacheClusters",
            Self::CacheSubnetGroups => "elasticache:DescribeCacheSubnetGroups",
            Self::Functions => "lambda:ListFunctions",
            Self::ContainerClusters => "ecs:ListClusters",
            Self::ContainerServices => "ecs:DescribeServices",
            Self::ContainerTasks => "ecs:DescribeTasks",
        }
    }
}
