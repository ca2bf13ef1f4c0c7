//! The calls whose answers make an inventory: one table, which reading, writing, gaps and permissions use.

macro_rules! calls {
    ($($name:ident: $action:literal, $command:literal, $key:literal, $resource:expr;)*) => {
        /// A call whose answer is part of an inventory.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Call {
            $(#[doc = concat!("`", $action, "`")] $name,)*
        }

        impl Call {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its action as IAM has it, like `ec2:DescribeVpcs`.
            pub const fn action(self) -> &'static str {
                match self { $(Self::$name => $action,)* }
            }

            /// The command of the AWS CLI with its service, in one word: `ec2-describe-vpcs`.
            pub const fn command(self) -> &'static str {
                match self { $(Self::$name => $command,)* }
            }

            /// The key of its answer in the AWS CLI's JSON: `Vpcs`; the first, where an answer has one of several.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// The resources that IAM asks for, as the end of an ARN: `vpc/*`; none for a call that is allowed as a
            /// whole ("Actions, resources, and condition keys" of the service, in the Service Authorization Reference).
            pub const fn resource(self) -> Option<&'static str> {
                match self { $(Self::$name => $resource,)* }
            }
        }
    };
}

calls! {
    // Each by its action, its command, the key of its answer, and the resources that IAM asks for.
    SecurityGroups: "ec2:DescribeSecurityGroups", "ec2-describe-security-groups", "SecurityGroups", None;
    SecurityGroupRules: "ec2:DescribeSecurityGroupRules", "ec2-describe-security-group-rules", "SecurityGroupRules", None;
    Vpcs: "ec2:DescribeVpcs", "ec2-describe-vpcs", "Vpcs", None;
    VpcAttributes: "ec2:DescribeVpcAttribute", "ec2-describe-vpc-attribute", "EnableDnsSupport", Some("vpc/*");
    Subnets: "ec2:DescribeSubnets", "ec2-describe-subnets", "Subnets", None;
    Zones: "ec2:DescribeAvailabilityZones", "ec2-describe-availability-zones", "AvailabilityZones", None;
    RouteTables: "ec2:DescribeRouteTables", "ec2-describe-route-tables", "RouteTables", None;
    NetworkAcls: "ec2:DescribeNetworkAcls", "ec2-describe-network-acls", "NetworkAcls", None;
    PrefixLists: "ec2:DescribeManagedPrefixLists", "ec2-describe-managed-prefix-lists", "PrefixLists", None;
    PrefixListEntries: "ec2:GetManagedPrefixListEntries", "ec2-get-managed-prefix-list-entries", "Entries", Some("prefix-list/*");
    BlockPublicAccess: "ec2:DescribeVpcBlockPublicAccessOptions", "ec2-describe-vpc-block-public-access-options", "VpcBlockPublicAccessOptions", None;
    BlockExclusions: "ec2:DescribeVpcBlockPublicAccessExclusions", "ec2-describe-vpc-block-public-access-exclusions", "VpcBlockPublicAccessExclusions", None;
    Interfaces: "ec2:DescribeNetworkInterfaces", "ec2-describe-network-interfaces", "NetworkInterfaces", None;
    Instances: "ec2:DescribeInstances", "ec2-describe-instances", "Reservations", None;
    Addresses: "ec2:DescribeAddresses", "ec2-describe-addresses", "Addresses", None;
    InternetGateways: "ec2:DescribeInternetGateways", "ec2-describe-internet-gateways", "InternetGateways", None;
    EgressOnlyGateways: "ec2:DescribeEgressOnlyInternetGateways", "ec2-describe-egress-only-internet-gateways", "EgressOnlyInternetGateways", None;
    NatGateways: "ec2:DescribeNatGateways", "ec2-describe-nat-gateways", "NatGateways", None;
    VpnGateways: "ec2:DescribeVpnGateways", "ec2-describe-vpn-gateways", "VpnGateways", None;
    VpnConnections: "ec2:DescribeVpnConnections", "ec2-describe-vpn-connections", "VpnConnections", None;
    Peerings: "ec2:DescribeVpcPeeringConnections", "ec2-describe-vpc-peering-connections", "VpcPeeringConnections", None;
    TransitGateways: "ec2:DescribeTransitGateways", "ec2-describe-transit-gateways", "TransitGateways", None;
    TransitAttachments: "ec2:DescribeTransitGatewayAttachments", "ec2-describe-transit-gateway-attachments", "TransitGatewayAttachments", None;
    TransitVpcAttachments: "ec2:DescribeTransitGatewayVpcAttachments", "ec2-describe-transit-gateway-vpc-attachments", "TransitGatewayVpcAttachments", None;
    TransitPeerings: "ec2:DescribeTransitGatewayPeeringAttachments", "ec2-describe-transit-gateway-peering-attachments", "TransitGatewayPeeringAttachments", None;
    TransitTables: "ec2:DescribeTransitGatewayRouteTables", "ec2-describe-transit-gateway-route-tables", "TransitGatewayRouteTables", None;
    TransitRoutes: "ec2:SearchTransitGatewayRoutes", "ec2-search-transit-gateway-routes", "Routes", Some("transit-gateway-route-table/*");
    TransitPropagations: "ec2:GetTransitGatewayRouteTablePropagations", "ec2-get-transit-gateway-route-table-propagations", "TransitGatewayRouteTablePropagations", None;
    Endpoints: "ec2:DescribeVpcEndpoints", "ec2-describe-vpc-endpoints", "VpcEndpoints", None;
    ClassicLoadBalancers: "elasticloadbalancing:DescribeLoadBalancers (classic)", "elb-describe-load-balancers", "LoadBalancerDescriptions", None;
    LoadBalancers: "elasticloadbalancing:DescribeLoadBalancers", "elbv2-describe-load-balancers", "LoadBalancers", None;
    Listeners: "elasticloadbalancing:DescribeListeners", "elbv2-describe-listeners", "Listeners", None;
    ListenerRules: "elasticloadbalancing:DescribeRules", "elbv2-describe-rules", "Rules", None;
    LoadBalancerAttributes: "elasticloadbalancing:DescribeLoadBalancerAttributes", "elbv2-describe-load-balancer-attributes", "Attributes", None;
    TargetGroups: "elasticloadbalancing:DescribeTargetGroups", "elbv2-describe-target-groups", "TargetGroups", None;
    TargetGroupAttributes: "elasticloadbalancing:DescribeTargetGroupAttributes", "elbv2-describe-target-group-attributes", "Attributes", None;
    TargetHealth: "elasticloadbalancing:DescribeTargetHealth", "elbv2-describe-target-health", "TargetHealthDescriptions", None;
    // Whose tags of load balancers and target groups are asked for is given by their ARNs.
    LoadBalancerTags: "elasticloadbalancing:DescribeTags", "elbv2-describe-tags", "TagDescriptions", None;
    LaunchTemplates: "ec2:DescribeLaunchTemplates", "ec2-describe-launch-templates", "LaunchTemplates", None;
    LaunchTemplateVersions: "ec2:DescribeLaunchTemplateVersions", "ec2-describe-launch-template-versions", "LaunchTemplateVersions", None;
    ScalingGroups: "autoscaling:DescribeAutoScalingGroups", "autoscaling-describe-auto-scaling-groups", "AutoScalingGroups", None;
    Databases: "rds:DescribeDBInstances", "rds-describe-db-instances", "DBInstances", Some("db:*");
    // IAM asks for the snapshot and for its database.
    DatabaseSnapshots: "rds:DescribeDBSnapshots", "rds-describe-db-snapshots", "DBSnapshots", Some("*");
    DatabaseClusters: "rds:DescribeDBClusters", "rds-describe-db-clusters", "DBClusters", Some("cluster:*");
    // IAM asks for the endpoint and for its cluster.
    DatabaseClusterEndpoints: "rds:DescribeDBClusterEndpoints", "rds-describe-db-cluster-endpoints", "DBClusterEndpoints", Some("*");
    DatabaseSubnetGroups: "rds:DescribeDBSubnetGroups", "rds-describe-db-subnet-groups", "DBSubnetGroups", Some("subgrp:*");
    DatabaseProxies: "rds:DescribeDBProxies", "rds-describe-db-proxies", "DBProxies", Some("db-proxy:*");
    // IAM asks for the proxy and for its targets.
    DatabaseProxyTargets: "rds:DescribeDBProxyTargets", "rds-describe-db-proxy-targets", "Targets", Some("*");
    DatabaseProxyEndpoints: "rds:DescribeDBProxyEndpoints", "rds-describe-db-proxy-endpoints", "DBProxyEndpoints", Some("db-proxy-endpoint:*");
    Caches: "elasticache:DescribeCacheClusters", "elasticache-describe-cache-clusters", "CacheClusters", Some("cluster:*");
    CacheSubnetGroups: "elasticache:DescribeCacheSubnetGroups", "elasticache-describe-cache-subnet-groups", "CacheSubnetGroups", Some("subnetgroup:*");
    ReplicationGroups: "elasticache:DescribeReplicationGroups", "elasticache-describe-replication-groups", "ReplicationGroups", Some("replicationgroup:*");
    ServerlessCaches: "elasticache:DescribeServerlessCaches", "elasticache-describe-serverless-caches", "ServerlessCaches", Some("serverlesscache:*");
    Functions: "lambda:ListFunctions", "lambda-list-functions", "Functions", None;
    ContainerClusters: "ecs:ListClusters", "ecs-list-clusters", "clusterArns", None;
    ContainerServices: "ecs:DescribeServices", "ecs-describe-services", "services", Some("service/*");
    ContainerTasks: "ecs:DescribeTasks", "ecs-describe-tasks", "tasks", Some("task/*");
}

impl Call {
    /// The permission that it takes; one of IAM's actions may stand for two calls.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::ClassicLoadBalancers => Self::LoadBalancers.action(),
            call => call.action(),
        }
    }
}
