//! What lives on interfaces: load balancers, databases, caches, functions, containers.

use std::collections::BTreeSet;

use super::{
    AccountRegion, Condition, DatabaseSettings, InterfaceId, Partition, SecurityGroupId, SubnetId, Tags,
    VpcId,
};

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its ARN. Answers about a classic one have only its name; [`LoadBalancer::classic_arn`] makes the ARN of it.
    pub arn: String,
    pub name: String,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// What it is.
    pub kind: LoadBalancerKind,
    /// Whether it has public addresses: its scheme is `internet-facing`.
    pub public: bool,
    pub vpc: Option<VpcId>,
    pub subnets: BTreeSet<SubnetId>,
    /// Its groups; a network load balancer without any admits all.
    pub groups: BTreeSet<SecurityGroupId>,
    /// Its name in DNS.
    pub host: Option<String>,
    /// Its state, like `active`.
    pub state: Option<String>,
    /// Whether it sends to targets in other zones; none when that was not seen.
    pub cross_zone: Option<bool>,
    /// Its listeners; none when they could not be seen.
    pub listeners: Option<Vec<Listener>>,
    pub tags: Tags,
}

impl LoadBalancer {
    /// The description of its interfaces, like `ELB app/NAME/ID`.
    pub fn interface_description(&self) -> String {
        let path = self.arn.split_once("loadbalancer/").map_or(self.name.as_str(), |(_, path)| path);
        format!("ELB {path}")
    }

    /// The ARN of a classic load balancer: its name is unique only within its account and Region.
    ///
    /// Where the account is not known the profile stands for it, so that the ARN tells two of one name apart.
    ///
    /// Source: Service Authorization Reference, Elastic Load Balancing, resource type `loadbalancer`.
    pub fn classic_arn(name: &str, account_region: &AccountRegion) -> String {
        let region = account_region.region.as_deref().unwrap_or_default();
        let account = account_region
            .account
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| account_region.profile.clone());
        format!(
            "arn:{}:elasticloadbalancing:{region}:{}:loadbalancer/{name}",
            Partition::of(region).arn(),
            account.unwrap_or_default()
        )
    }
}

/// A kind of load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadBalancerKind {
    Classic,
    /// An application load balancer.
    Application,
    /// A network load balancer.
    Network,
    /// A Gateway Load Balancer.
    Gateway,
}

/// Where a load balancer listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its ARN; none of a classic load balancer, and of one that is planned.
    pub arn: Option<String>,
    /// `HTTP`, `HTTPS`, `TCP`, `TLS`, `UDP`, `TCP_UDP`, `SSL`.
    pub protocol: String,
    pub port: u16,
    /// Where it sends: ARNs of target groups, by its default action or by any of its rules.
    pub target_groups: BTreeSet<String>,
    /// For a classic load balancer: the port of its instances.
    pub instance_port: Option<u16>,
    /// The ARN of its default certificate.
    pub certificate: Option<String>,
}

/// Targets of load balancers. A classic load balancer's instances are one without a port, with its ARN and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    pub arn: String,
    pub name: String,
    /// Where it was seen.
    pub account_region: AccountRegion,
    pub vpc: Option<VpcId>,
    /// Like a listener's.
    pub protocol: String,
    /// The port of targets that have none of their own.
    pub port: Option<u16>,
    /// `instance`, `ip`, `lambda`, `alb`.
    pub kind: String,
    /// `preserve_client_ip.enabled`; none when that was not seen.
    pub preserves_client: Option<bool>,
    /// `load_balancing.cross_zone.enabled`; none when that was not seen.
    pub cross_zone: Option<CrossZone>,
    /// The path of its health checks, where they have one.
    pub health_path: Option<String>,
    /// Its targets; none when they could not be seen.
    pub targets: Option<Vec<Target>>,
    pub tags: Tags,
}

/// Whether the targets of a group get packets from nodes in other Availability Zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrossZone {
    /// They do.
    On,
    /// They do not.
    Off,
    /// As the load balancer has it: `use_load_balancer_configuration`, which is the default.
    AsLoadBalancer,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// An instance id, an address or an ARN.
    pub id: String,
    /// Its own port.
    pub port: Option<u16>,
    /// Its health, like `healthy`.
    pub health: Option<String>,
    /// Why its health is not `healthy`, like `Target.NotInUse`.
    pub reason: Option<String>,
    /// The Availability Zone that it was registered in; `all` for an address outside the VPC.
    pub zone: Option<String>,
}

/// An RDS instance, a member of an Aurora cluster among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// `DBInstanceIdentifier`
    pub name: String,
    pub arn: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// Its engine, like `postgres`.
    pub engine: String,
    /// Its status, like `available`.
    pub status: String,
    pub vpc: Option<VpcId>,
    pub zone: Option<String>,
    /// The subnets of its subnet group.
    pub subnets: BTreeSet<SubnetId>,
    pub groups: BTreeSet<SecurityGroupId>,
    /// `PubliclyAccessible`
    pub public: bool,
    /// Its name in DNS.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// The cluster that it is in.
    pub cluster: Option<String>,
    /// Its settings.
    pub settings: DatabaseSettings,
    pub tags: Tags,
}

impl Database {
    /// What its status means for those who want to use or to change it.
    pub fn condition(&self) -> Condition {
        Condition::of(&self.status)
    }

    /// Whether a text is its ARN or its name.
    pub fn is_called(&self, text: &str) -> bool {
        self.arn.as_deref() == Some(text) || self.name == text
    }
}

/// An Aurora or multi-AZ cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseCluster {
    /// `DBClusterIdentifier`
    pub name: String,
    pub arn: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    pub status: String,
    /// The name of its subnet group.
    pub subnet_group: Option<String>,
    pub groups: BTreeSet<SecurityGroupId>,
    /// Its name in DNS, for writing.
    pub host: Option<String>,
    /// The name in DNS of all that only read.
    pub reader_host: Option<String>,
    /// The names in DNS of its custom endpoints, each for some of its instances.
    pub custom_hosts: BTreeSet<String>,
    pub port: Option<u16>,
    /// The names of its instances.
    pub members: BTreeSet<String>,
    /// The name of the instance that writes, where that was told.
    pub writer: Option<String>,
    pub tags: Tags,
}

/// A custom endpoint of a cluster: a name in DNS for some of its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseClusterEndpoint {
    /// `DBClusterEndpointIdentifier`
    pub name: String,
    pub arn: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// The name of its cluster.
    pub cluster: String,
    pub status: String,
    /// Its name in DNS.
    pub host: Option<String>,
    /// Which instances can be members.
    pub kind: ClusterEndpointKind,
    /// Which of them are.
    pub members: ClusterEndpointMembers,
}

/// `CustomEndpointType`: which instances can be members of a custom endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterEndpointKind {
    /// All of the cluster.
    Any,
    /// Those that only read.
    Reader,
    /// The one that writes.
    Writer,
}

/// Which instances are members of a custom endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterEndpointMembers {
    /// `StaticMembers`: these, and none that are added later.
    Only(BTreeSet<String>),
    /// `ExcludedMembers`: all but these, also those that are added later.
    AllBut(BTreeSet<String>),
}

/// Subnets of databases or caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetGroup {
    pub name: String,
    /// Where it was seen.
    pub account_region: AccountRegion,
    pub vpc: Option<VpcId>,
    pub subnets: BTreeSet<SubnetId>,
}

/// An RDS Proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseProxy {
    pub name: String,
    pub arn: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    pub status: String,
    pub vpc: Option<VpcId>,
    pub subnets: BTreeSet<SubnetId>,
    /// Its groups: for what its clients may and for what it may itself.
    pub groups: BTreeSet<SecurityGroupId>,
    /// Its name in DNS.
    pub host: Option<String>,
    /// The databases and clusters behind it, by name; none when they could not be seen.
    pub targets: Option<BTreeSet<String>>,
}

/// A further endpoint of an RDS Proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseProxyEndpoint {
    pub name: String,
    pub arn: Option<String>,
    /// The name of its proxy.
    pub proxy: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    pub status: String,
    /// Its VPC, which may be another than the proxy's.
    pub vpc: Option<VpcId>,
    pub subnets: BTreeSet<SubnetId>,
    pub groups: BTreeSet<SecurityGroupId>,
    /// Its name in DNS.
    pub host: Option<String>,
}

/// A replication group of ElastiCache: caches with endpoints in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationGroup {
    /// `ReplicationGroupId`
    pub name: String,
    pub arn: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    pub status: String,
    /// The names of its cache clusters.
    pub members: BTreeSet<String>,
    /// Those among them that are primary, where that was told: not in cluster mode.
    pub primaries: BTreeSet<String>,
    /// Its name in DNS in cluster mode, for all of its nodes.
    pub configuration_host: Option<String>,
    /// The names in DNS of its primary nodes.
    pub primary_hosts: BTreeSet<String>,
    /// The names in DNS of its replicas.
    pub reader_hosts: BTreeSet<String>,
}

/// A serverless cache of ElastiCache, which is reached by VPC endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerlessCache {
    pub name: String,
    pub arn: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// Its engine, like `valkey`.
    pub engine: String,
    pub status: String,
    pub subnets: BTreeSet<SubnetId>,
    pub groups: BTreeSet<SecurityGroupId>,
    /// Its name in DNS.
    pub host: Option<String>,
    /// Its name in DNS for reading.
    pub reader_host: Option<String>,
    pub port: Option<u16>,
}

/// A cache cluster of ElastiCache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// `CacheClusterId`
    pub name: String,
    pub arn: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// Its engine, like `redis`.
    pub engine: String,
    pub status: String,
    /// The name of its subnet group.
    pub subnet_group: Option<String>,
    /// The replication group that it is a member of.
    pub replication_group: Option<String>,
    pub groups: BTreeSet<SecurityGroupId>,
    /// Its name in DNS.
    pub host: Option<String>,
    pub port: Option<u16>,
}

/// A function of Lambda. One that is attached to no VPC has no interface, subnets or groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub arn: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    pub vpc: Option<VpcId>,
    pub subnets: BTreeSet<SubnetId>,
    pub groups: BTreeSet<SecurityGroupId>,
}

/// A service of ECS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerService {
    pub arn: String,
    pub name: String,
    /// The ARN of its cluster.
    pub cluster: Option<String>,
    /// Where it was seen.
    pub account_region: AccountRegion,
    pub status: String,
    /// The subnets of its tasks.
    pub subnets: BTreeSet<SubnetId>,
    /// The groups of its tasks.
    pub groups: BTreeSet<SecurityGroupId>,
    /// Whether its tasks get public addresses.
    pub public: bool,
    /// How its tasks are connected.
    pub network: TaskNetwork,
    /// By what its tasks are replaced.
    pub controller: DeploymentController,
}

impl ContainerService {
    /// The name of its cluster, which ends its ARN.
    pub fn cluster_name(&self) -> Option<&str> {
        self.cluster.as_deref().map(|arn| arn.rsplit('/').next().unwrap_or(arn))
    }
}

/// By what the tasks of a service of ECS are replaced: its `deploymentController`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentController {
    /// By ECS itself.
    Ecs,
    /// By CodeDeploy.
    CodeDeploy,
    /// By somebody who creates task sets.
    External,
}

/// How the tasks of a service of ECS are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskNetwork {
    /// By interfaces of their own: network mode `awsvpc`.
    AwsVpc,
    /// By those of their container instances: network mode `bridge` or `host`.
    ContainerInstance,
}

/// A task of ECS that has an interface of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerTask {
    pub arn: String,
    /// Where it was seen.
    pub account_region: AccountRegion,
    /// The ARN of its cluster.
    pub cluster: Option<String>,
    /// `service:NAME`, or `family:NAME` of its definition.
    pub group: Option<String>,
    /// Its last status.
    pub status: String,
    pub interfaces: BTreeSet<InterfaceId>,
}
