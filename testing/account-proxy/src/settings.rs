//! A test's settings: how long things take, how many are allowed, and which fail.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A state that takes time. The defaults are within the limits of AWS's own waiters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delay {
    /// A NAT gateway from `pending` to `available` or `failed`.
    NatGatewayPending,
    /// A NAT gateway from `deleting` to `deleted`.
    NatGatewayDeleting,
    /// An instance from `pending` to `running`.
    InstancePending,
    /// An instance from `stopping` to `stopped`.
    InstanceStopping,
    /// An instance from `shutting-down` to `terminated`.
    InstanceShuttingDown,
    /// An image from `pending` to `available` or `failed`.
    ImagePending,
    /// An interface endpoint from `pending` to `available`.
    EndpointPending,
    /// An interface endpoint from `deleting` until it is gone.
    EndpointDeleting,
    /// A database from `creating` to `backing-up` or `available`.
    DatabaseCreating,
    /// The first backup of a database.
    DatabaseBackingUp,
    /// A database in `modifying`.
    DatabaseModifying,
    /// A database in `rebooting`.
    DatabaseRebooting,
    /// A database in `stopping`.
    DatabaseStopping,
    /// A database in `starting`.
    DatabaseStarting,
    /// A database in `deleting`.
    DatabaseDeleting,
    /// A database proxy in `creating`.
    ProxyCreating,
    /// A database proxy in `deleting`.
    ProxyDeleting,
    /// A database proxy in `modifying`.
    ProxyModifying,
    /// A cache in `modifying`.
    CacheModifying,
    /// A snapshot of a database in `creating`.
    SnapshotCreating,
    /// A balancer from `provisioning` to `active` or `failed`.
    BalancerProvisioning,
    /// The network interfaces of a balancer after it is deleted.
    BalancerInterfaces,
    /// A target from `initial` to `healthy` or `unhealthy`.
    TargetInitial,
    /// A target in `draining`.
    TargetDraining,
    /// The network interfaces of a Lambda function after it is deleted.
    FunctionInterfaces,
    /// An Auto Scaling group that is being deleted.
    ScalingGroupDeleting,
    /// One batch of an instance refresh: instances are terminated and launched.
    RefreshBatch,
}

impl Delay {
    /// The default, in seconds.
    fn seconds(self) -> i64 {
        match self {
            Self::NatGatewayPending => 90,
            Self::NatGatewayDeleting | Self::BalancerInterfaces => 180,
            Self::InstancePending | Self::TargetInitial => 30,
            Self::InstanceStopping | Self::InstanceShuttingDown => 60,
            Self::ImagePending => 240,
            Self::EndpointPending | Self::EndpointDeleting => 120,
            Self::ProxyCreating => 300,
            Self::ProxyDeleting => 180,
            Self::ProxyModifying | Self::CacheModifying => 60,
            Self::DatabaseCreating => 420,
            Self::DatabaseBackingUp | Self::DatabaseModifying | Self::ScalingGroupDeleting => 120,
            Self::DatabaseRebooting => 60,
            Self::DatabaseStopping | Self::DatabaseDeleting => 300,
            Self::DatabaseStarting => 480,
            Self::SnapshotCreating => 180,
            Self::BalancerProvisioning => 150,
            // https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
            Self::TargetDraining => 300,
            // https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html: up to 20 minutes
            Self::FunctionInterfaces => 1_200,
            Self::RefreshBatch => 120,
        }
    }
}

/// A quota of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    /// VPCs per Region.
    Vpcs,
    /// Internet gateways per Region.
    InternetGateways,
    /// Elastic IP addresses per Region.
    Addresses,
    /// Subnets per VPC.
    Subnets,
    /// Route tables per VPC.
    RouteTables,
    /// Routes per route table, without those of the VPC itself.
    Routes,
    /// NAT gateways per Availability Zone.
    NatGateways,
    /// Security groups per Region.
    SecurityGroups,
    /// Inbound or outbound rules per security group.
    RulesPerGroup,
    /// Security groups per network interface.
    GroupsPerInterface,
    /// DB instances per Region.
    DatabaseInstances,
    /// Manual snapshots of databases per Region.
    DatabaseSnapshots,
}

impl Quota {
    /// AWS's default.
    /// <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>,
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html>
    fn default(self) -> i64 {
        match self {
            Self::Vpcs
            | Self::InternetGateways
            | Self::Addresses
            | Self::NatGateways
            | Self::GroupsPerInterface => 5,
            Self::Subnets | Self::RouteTables => 200,
            Self::Routes => 50,
            Self::SecurityGroups => 2_500,
            Self::RulesPerGroup => 60,
            Self::DatabaseInstances => 40,
            Self::DatabaseSnapshots => 100,
        }
    }
}

/// How the next thing of its kind ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ending {
    /// A NAT gateway that is `failed`, with the code and the words of its failure.
    NatGateway {
        /// `InsufficientFreeAddressesInSubnet`, …
        code: String,
        /// `failureMessage`.
        message: String,
    },
    /// An interface endpoint that is `failed`.
    Endpoint,
    /// An image that is `failed`.
    Image,
    /// A balancer that is `failed`.
    Balancer,
    /// A restored database that is `incompatible-network`.
    Restore,
    /// A target that is `unhealthy`, with the code of the reason.
    Target {
        /// `Target.Timeout`, …
        reason: String,
    },
    /// An instance refresh whose new instances are not healthy from this percentage on.
    InstanceRefresh {
        /// 0 to 99.
        percent: i64,
    },
}

/// How long AWS does not show a new thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Visibility {
    /// So many calls that would have shown it.
    pub calls: u32,
    /// So many seconds.
    pub seconds: i64,
}

/// Everything that can be set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub(crate) delays: BTreeMap<Delay, i64>,
    pub(crate) quotas: BTreeMap<Quota, i64>,
    pub(crate) visibility: Visibility,
    pub(crate) endings: Vec<Ending>,
}

impl Settings {
    pub(crate) fn delay(&self, delay: Delay) -> i64 {
        self.delays.get(&delay).copied().unwrap_or_else(|| delay.seconds())
    }

    pub(crate) fn quota(&self, quota: Quota) -> i64 {
        self.quotas.get(&quota).copied().unwrap_or_else(|| quota.default())
    }

    /// Takes the ending of the next thing of a kind.
    pub(crate) fn ending<T>(&mut self, of: impl Fn(&Ending) -> Option<T>) -> Option<T> {
        let (at, found) = self.endings.iter().enumerate().find_map(|(at, ending)| Some((at, of(ending)?)))?;
        self.endings.remove(at);
        Some(found)
    }
}
