//! The kinds of AWS's resources, and a reference that means exactly one of them.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{
    AccountRegion, AttachmentId, Cache, Call, ContainerService, ContainerTask, Database, DatabaseCluster,
    DatabaseProxy, DatabaseProxyEndpoint, DatabaseSnapshot, EgressOnlyGatewayId, EndpointId, Function,
    InstanceId, InterfaceId, InternetGatewayId, LaunchTemplateId, LoadBalancer, LoadBalancerKind,
    NatGatewayId, NetworkAclId, PeeringId, PrefixListId, ReplicationGroup, RouteTableId, RouteTarget,
    ScalingGroup, SecurityGroupId, ServerlessCache, SubnetId, TargetGroup, TransitGatewayId, TransitTableId,
    VpcId, VpnConnectionId, VpnGatewayId,
};
use crate::text::shown;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $word:literal, $prefix:expr, $calls:expr, $selectors:expr;)*) => {
        /// A kind of resource.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceKind {
            $($(#[$doc])* $name,)*
        }

        impl ResourceKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word for it, like `security group`.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// How its ids begin, where AWS gives it an id: `sg-`. What has none is known by a name.
            pub fn id_prefix(self) -> Option<&'static str> {
                match self { $(Self::$name => $prefix,)* }
            }

            /// The calls that describe it.
            pub fn described_by(self) -> &'static [Call] {
                match self { $(Self::$name => $calls,)* }
            }

            /// The words that choose it among several of one name, as in `rds:orders`; the first is the usual one.
            pub fn selectors(self) -> &'static [&'static str] {
                match self { $(Self::$name => $selectors,)* }
            }
        }
    };
}

kinds! {
    /// The internet as a whole.
    Internet "internet", None, &[], &[];
    /// One address.
    Address "address", None, &[], &[];
    /// A prefix of addresses.
    Prefix "prefix", None, &[], &[];
    /// Several resources that one text means.
    Several "resources", None, &[], &[];
    /// A VPC.
    Vpc "VPC", Some("vpc-"), &[Call::Vpcs], &["vpc"];
    /// A subnet.
    Subnet "subnet", Some("subnet-"), &[Call::Subnets], &["subnet"];
    /// A network interface.
    Interface "interface", Some("eni-"), &[Call::Interfaces], &["interface"];
    /// An instance of EC2.
    Instance "instance", Some("i-"), &[Call::Instances], &["instance"];
    /// A security group.
    SecurityGroup "security group", Some("sg-"), &[Call::SecurityGroups], &["group"];
    /// A network ACL.
    NetworkAcl "network ACL", Some("acl-"), &[Call::NetworkAcls], &[];
    /// A route table of a VPC.
    RouteTable "route table", Some("rtb-"), &[Call::RouteTables], &[];
    /// A prefix list.
    PrefixList "prefix list", Some("pl-"), &[Call::PrefixLists], &[];
    /// An internet gateway.
    InternetGateway "internet gateway", Some("igw-"), &[Call::InternetGateways], &[];
    /// An egress-only internet gateway.
    EgressOnlyGateway "egress-only internet gateway", Some("eigw-"), &[Call::EgressOnlyGateways], &[];
    /// A NAT gateway.
    NatGateway "NAT gateway", Some("nat-"), &[Call::NatGateways], &["nat"];
    /// A virtual private gateway.
    VpnGateway "VPN gateway", Some("vgw-"), &[Call::VpnGateways], &["vpn"];
    /// A Site-to-Site VPN connection.
    VpnConnection "VPN connection", Some("vpn-"), &[Call::VpnConnections], &[];
    /// A VPC peering connection.
    Peering "VPC peering connection", Some("pcx-"), &[Call::Peerings], &[];
    /// A transit gateway.
    TransitGateway "transit gateway", Some("tgw-"), &[Call::TransitGateways], &[];
    /// An attachment of a transit gateway.
    TransitAttachment "transit gateway attachment", Some("tgw-attach-"), &[Call::TransitAttachments], &[];
    /// A route table of a transit gateway.
    TransitTable "transit gateway route table", Some("tgw-rtb-"), &[Call::TransitTables], &[];
    /// A VPC endpoint.
    Endpoint "VPC endpoint", Some("vpce-"), &[Call::Endpoints], &["endpoint"];
    /// A gateway that Doorward does not model: a carrier gateway, a local gateway, a core network.
    OtherGateway "gateway", None, &[], &[];
    /// An application, network or Gateway Load Balancer.
    LoadBalancer "load balancer", None, &[Call::LoadBalancers], &["lb"];
    /// A Classic Load Balancer, which may have the name of one of the others.
    ClassicLoadBalancer "load balancer", None, &[Call::ClassicLoadBalancers], &["lb"];
    /// A target group of load balancers.
    TargetGroup "target group", None, &[Call::TargetGroups], &[];
    /// A launch template.
    LaunchTemplate "launch template", Some("lt-"), &[Call::LaunchTemplates], &[];
    /// An Auto Scaling group.
    ScalingGroup "Auto Scaling group", None, &[Call::ScalingGroups], &[];
    /// An RDS instance.
    Database "database", None, &[Call::Databases], &["rds"];
    /// An RDS cluster.
    DatabaseCluster "database cluster", None, &[Call::DatabaseClusters], &["cluster"];
    /// A snapshot of an RDS instance.
    DatabaseSnapshot "database snapshot", None, &[Call::DatabaseSnapshots], &[];
    /// A DB subnet group.
    DatabaseSubnetGroup "DB subnet group", None, &[Call::DatabaseSubnetGroups], &[];
    /// An RDS Proxy.
    DatabaseProxy "database proxy", None, &[Call::DatabaseProxies], &["proxy"];
    /// A further endpoint of an RDS Proxy.
    DatabaseProxyEndpoint "database proxy endpoint", None, &[Call::DatabaseProxyEndpoints], &["proxy"];
    /// An endpoint of an RDS cluster, by its name in DNS.
    DatabaseEndpoint "database endpoint", None, &[Call::DatabaseClusters, Call::DatabaseClusterEndpoints], &["cluster"];
    /// A replication group of ElastiCache.
    ReplicationGroup "replication group", None, &[Call::ReplicationGroups, Call::Caches], &["cache"];
    /// An endpoint of a replication group, by its name in DNS.
    CacheEndpoint "cache endpoint", None, &[Call::ReplicationGroups], &[];
    /// A serverless cache of ElastiCache.
    ServerlessCache "serverless cache", None, &[Call::ServerlessCaches], &["cache"];
    /// A cache cluster of ElastiCache.
    Cache "cache", None, &[Call::Caches], &["cache"];
    /// A function of Lambda.
    Function "function", None, &[Call::Functions], &["function", "lambda"];
    /// A service of ECS.
    ContainerService "ECS service", None, &[Call::ContainerServices], &["service"];
    /// A task of ECS.
    ContainerTask "ECS task", None, &[Call::ContainerTasks], &["task"];
}

impl ResourceKind {
    /// The kind that has ids like a text; of `tgw-attach-0a` it is the attachment, not the gateway.
    pub fn of_id(text: &str) -> Option<Self> {
        let fits = |kind: &&Self| kind.id_prefix().is_some_and(|prefix| text.starts_with(prefix));
        let kinds = Self::ALL.iter().filter(fits);
        kinds.max_by_key(|kind| kind.id_prefix().map_or(0, str::len)).copied()
    }

    /// Whether its name is unique only within an account and Region, or a cluster.
    pub fn is_scoped(self) -> bool {
        matches!(
            self,
            Self::LoadBalancer
                | Self::ClassicLoadBalancer
                | Self::TargetGroup
                | Self::ScalingGroup
                | Self::Database
                | Self::DatabaseCluster
                | Self::DatabaseSnapshot
                | Self::DatabaseSubnetGroup
                | Self::DatabaseProxy
                | Self::DatabaseProxyEndpoint
                | Self::ReplicationGroup
                | Self::ServerlessCache
                | Self::Cache
                | Self::Function
                | Self::ContainerService
        )
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for ResourceKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// Within what a name is unique.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The account and Region.
    pub account_region: AccountRegion,
    /// The ARN of the cluster, for a service of ECS.
    pub cluster: Option<String>,
}

impl Scope {
    /// The cluster by its name.
    pub fn cluster_name(&self) -> Option<&str> {
        let cluster = self.cluster.as_deref()?;
        Some(cluster.rsplit_once('/').map_or(cluster, |(_, name)| name))
    }

    /// Whether a word names the account, the Region, the profile or the cluster.
    pub fn is_called(&self, word: &str) -> bool {
        let AccountRegion { profile, region, account } = &self.account_region;
        let account_region =
            [profile.as_deref(), region.as_deref(), account.as_ref().map(|account| account.as_str())];
        account_region.contains(&Some(word)) || self.cluster_name() == Some(word)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cluster_name() {
            Some(cluster) => write!(f, "cluster {} in {}", shown(cluster), self.account_region),
            None => self.account_region.fmt(f),
        }
    }
}

/// Exactly one resource.
///
/// An id of EC2 is unique by itself and has no scope, so that two references to one thing are equal whoever made them. A
/// name has the scope within which it is unique. Ids and scopes are shared: a clone allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceRef {
    kind: ResourceKind,
    id: Arc<str>,
    scope: Option<Arc<Scope>>,
}

impl ResourceRef {
    /// By an id, an ARN or a text that is unique by itself.
    pub fn of(kind: ResourceKind, id: &str) -> Self {
        Self { kind, id: id.into(), scope: None }
    }

    /// By a name that is unique within an account and Region.
    pub fn named(kind: ResourceKind, name: &str, account_region: &AccountRegion) -> Self {
        let scope = Scope { account_region: account_region.clone(), cluster: None };
        Self { kind, id: name.into(), scope: Some(Arc::new(scope)) }
    }

    /// Its kind.
    pub fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// Its id; the name or ARN of what has none.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Within what its name is unique; none where the id is.
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_deref()
    }
}

/// The id alone.
impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.id)
    }
}

/// The id alone.
impl Serialize for ResourceRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.id)
    }
}

macro_rules! referred {
    ($($id:ident $kind:ident,)*) => {
        $(impl From<&$id> for ResourceRef {
            fn from(id: &$id) -> Self {
                Self::of(ResourceKind::$kind, id.as_str())
            }
        })*
    };
}

referred! {
    VpcId Vpc,
    SubnetId Subnet,
    InterfaceId Interface,
    InstanceId Instance,
    SecurityGroupId SecurityGroup,
    NetworkAclId NetworkAcl,
    RouteTableId RouteTable,
    PrefixListId PrefixList,
    InternetGatewayId InternetGateway,
    EgressOnlyGatewayId EgressOnlyGateway,
    NatGatewayId NatGateway,
    VpnGatewayId VpnGateway,
    VpnConnectionId VpnConnection,
    PeeringId Peering,
    TransitGatewayId TransitGateway,
    AttachmentId TransitAttachment,
    TransitTableId TransitTable,
    EndpointId Endpoint,
    LaunchTemplateId LaunchTemplate,
}

macro_rules! named {
    ($($name:ident)*) => {
        $(impl $name {
            /// A reference to it.
            pub fn resource(&self) -> ResourceRef {
                ResourceRef::named(ResourceKind::$name, &self.name, &self.account_region)
            }
        })*
    };
}

named! {
    Database DatabaseSnapshot DatabaseCluster DatabaseProxy DatabaseProxyEndpoint ReplicationGroup ServerlessCache Cache Function
    TargetGroup ScalingGroup
}

impl LoadBalancer {
    /// A reference to it.
    pub fn resource(&self) -> ResourceRef {
        let kind = match self.kind {
            LoadBalancerKind::Classic => ResourceKind::ClassicLoadBalancer,
            LoadBalancerKind::Application | LoadBalancerKind::Network | LoadBalancerKind::Gateway => {
                ResourceKind::LoadBalancer
            }
        };
        ResourceRef::named(kind, &self.name, &self.account_region)
    }
}

impl ContainerService {
    /// A reference to it.
    pub fn resource(&self) -> ResourceRef {
        let scope = Scope { account_region: self.account_region.clone(), cluster: self.cluster.clone() };
        ResourceRef {
            kind: ResourceKind::ContainerService,
            id: self.name.as_str().into(),
            scope: Some(Arc::new(scope)),
        }
    }
}

impl ContainerTask {
    /// A reference to it.
    pub fn resource(&self) -> ResourceRef {
        ResourceRef::of(ResourceKind::ContainerTask, &self.arn)
    }
}

impl RouteTarget {
    /// A reference to it; none for the local route.
    pub fn resource(&self) -> Option<ResourceRef> {
        Some(match self {
            Self::Local => return None,
            Self::InternetGateway(id) => id.into(),
            Self::EgressOnlyGateway(id) => id.into(),
            Self::NatGateway(id) => id.into(),
            Self::Interface(id) => id.into(),
            Self::Instance(id) => id.into(),
            Self::Peering(id) => id.into(),
            Self::TransitGateway(id) => id.into(),
            Self::VpnGateway(id) => id.into(),
            Self::Endpoint(id) => id.into(),
            Self::Other(id) => ResourceRef::of(ResourceKind::OtherGateway, id),
        })
    }
}

/// A resource with the name that people gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedResource {
    pub resource: ResourceRef,
    /// Its `Name`, or the name of a security group.
    pub name: Option<String>,
}

impl NamedResource {
    /// A resource with the name that it has, if it has one.
    pub fn of(resource: impl Into<ResourceRef>, name: Option<&String>) -> Self {
        Self { resource: resource.into(), name: name.cloned() }
    }

    /// With its kind, like `instance i-0a1b (web)`; the id of an interface says its kind.
    pub fn described(&self) -> String {
        match self.resource.kind() {
            ResourceKind::Interface => self.to_string(),
            kind => format!("{kind} {self}"),
        }
    }
}

impl fmt::Display for NamedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.resource.id();
        match self.name.as_deref().filter(|name| *name != id) {
            Some(name) => write!(f, "{id} ({})", shown(name)),
            None => f.write_str(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_kind_by_the_longest_prefix() {
        for (id, kind) in [
            ("tgw-0a", Some(ResourceKind::TransitGateway)),
            ("tgw-attach-0a", Some(ResourceKind::TransitAttachment)),
            ("tgw-rtb-0a", Some(ResourceKind::TransitTable)),
            ("vpc-0a", Some(ResourceKind::Vpc)),
            ("vpce-0a", Some(ResourceKind::Endpoint)),
            ("i-0a", Some(ResourceKind::Instance)),
            ("orders", None),
        ] {
            assert_eq!(ResourceKind::of_id(id), kind, "{id}");
        }
    }

    #[test]
    fn a_name_is_that_of_another_resource_in_another_region_and_an_id_is_not() {
        let account_region =
            |region: &str| AccountRegion { region: Some(region.into()), ..AccountRegion::default() };
        let database = |region| ResourceRef::named(ResourceKind::Database, "orders", &account_region(region));
        assert_ne!(database("eu-west-1"), database("us-east-1"));
        assert_eq!(database("eu-west-1"), database("eu-west-1"));
        let id: InterfaceId = "eni-0a".parse().expect("an id");
        assert_eq!(ResourceRef::from(&id), ResourceRef::of(ResourceKind::Interface, "eni-0a"));
    }
}
