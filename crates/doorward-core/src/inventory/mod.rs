//! What an account is, as far as it was seen, and what could not be seen.
//!
//! The account as it is and the account as it should be are the same type.

mod call;
pub(crate) mod digest;
mod gap;
mod gateway;
mod group;
mod id;
mod interface;
mod network;
mod owned;
mod partition;
mod resource;
mod scaling;
mod service;
mod shared;
mod snapshot;
mod type_name;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::name::InstallationId;

pub use call::Call;
pub use digest::Digest;
pub use gap::{Cause, Gap, GapSource};
pub use gateway::{
    Attachment, AttachmentTarget, EgressOnlyGateway, Endpoint, EndpointKind, InternetGateway,
    NatAvailability, NatGateway, Peering, PeeringSide, TransitGateway, TransitRoute, TransitTable,
    VpnConnection, VpnGateway, VpnTunnel,
};
pub use group::{
    Direction, ExistingRule, GroupReference, NotARule, Ownership, Peer, RuleIdentity, SecurityGroup,
};
pub use id::{
    AccountId, AllocationId, AnsweredId, AttachmentId, ConnectEndpointId, EgressOnlyGatewayId, EndpointId,
    ImageId, InstanceId, InterfaceId, InternetGatewayId, LaunchTemplateId, NatGatewayId, NetworkAclId,
    NotAnId, PeeringId, PlannedId, PrefixListId, RouteTableId, SecurityGroupId, SecurityGroupRuleId,
    SubnetId, TransitGatewayId, TransitTableId, VpcId, VpnConnectionId, VpnGatewayId,
};
pub use interface::{ElasticAddress, Image, Instance, Interface, InterfaceAddress};
pub use network::{
    AclEntry, BlockExclusion, BlockMode, BlockPublicAccess, Destination, DnsAttribute, DnsAttributes,
    Excepted, NetworkAcl, NotATarget, PrefixList, Route, RouteTable, RouteTarget, Subnet, Vpc, Zone,
};
pub use owned::{Owned, made_by};
pub use partition::Partition;
pub use resource::{NamedResource, ResourceKind, ResourceRef, Scope};
pub use scaling::{LaunchTemplate, LaunchTemplateVersion, ScalingGroup};
pub use service::{
    Cache, ClusterEndpointKind, ClusterEndpointMembers, ContainerService, ContainerTask, CrossZone, Database,
    DatabaseCluster, DatabaseClusterEndpoint, DatabaseProxy, DatabaseProxyEndpoint, DeploymentController,
    Function, Listener, LoadBalancer, LoadBalancerKind, ReplicationGroup, ServerlessCache, SubnetGroup,
    Target, TargetGroup, TaskNetwork,
};
pub use snapshot::{Condition, DatabaseSettings, DatabaseSnapshot};
pub use type_name::{NotATypeName, TypeName};

/// The tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// The profile and the Region through which something is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountRegion {
    /// A profile of the AWS configuration; none for the default chain of credentials.
    pub profile: Option<String>,
    /// A Region; none for the profile's own.
    pub region: Option<String>,
    /// The account, where a recording names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
}

impl fmt::Display for AccountRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = self.region.as_deref().unwrap_or("the default Region");
        match (&self.account, &self.profile) {
            (Some(account), _) => write!(f, "{region} of account {account}"),
            (None, Some(profile)) => write!(f, "{region} (profile {profile})"),
            (None, None) => f.write_str(region),
        }
    }
}

/// An account, or what was seen of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The security groups that were asked for and are there.
    pub groups: BTreeMap<SecurityGroupId, SecurityGroup>,
    /// What AWS tells of references to groups of other accounts and VPCs, by the group that has the rule and the one
    /// that it references.
    pub group_references: BTreeMap<(SecurityGroupId, SecurityGroupId), GroupReference>,
    /// How many entries a prefix list counts for against a group's quota: a customer's, its `MaxEntries`.
    pub prefix_list_weights: BTreeMap<PrefixListId, u32>,
    /// Rules a group may have, for each direction and family, where that is known: quota `L-0EA8095F`.
    pub rules_per_group: BTreeMap<AccountRegion, u32>,
    /// Groups of which some rule could not be read.
    pub incomplete_groups: BTreeSet<SecurityGroupId>,
    pub vpcs: BTreeMap<VpcId, Vpc>,
    pub subnets: BTreeMap<SubnetId, Subnet>,
    /// The zones of each Region by their ids, as far as they were described.
    pub zones: BTreeMap<(AccountRegion, String), Zone>,
    /// Route tables of VPCs.
    pub route_tables: BTreeMap<RouteTableId, RouteTable>,
    pub network_acls: BTreeMap<NetworkAclId, NetworkAcl>,
    /// Prefix lists that were described.
    pub prefix_lists: BTreeMap<PrefixListId, PrefixList>,
    /// What VPC Block Public Access forbids, where that is known.
    pub block_public_access: BTreeMap<AccountRegion, BlockPublicAccess>,
    /// Network interfaces.
    pub interfaces: BTreeMap<InterfaceId, Interface>,
    /// Instances that are not terminated.
    pub instances: BTreeMap<InstanceId, Instance>,
    pub elastic_addresses: BTreeMap<Ipv4Addr, ElasticAddress>,
    pub internet_gateways: BTreeMap<InternetGatewayId, InternetGateway>,
    /// Egress-only internet gateways.
    pub egress_only_gateways: BTreeMap<EgressOnlyGatewayId, EgressOnlyGateway>,
    /// NAT gateways that are not deleted.
    pub nat_gateways: BTreeMap<NatGatewayId, NatGateway>,
    /// Virtual private gateways.
    pub vpn_gateways: BTreeMap<VpnGatewayId, VpnGateway>,
    pub vpn_connections: BTreeMap<VpnConnectionId, VpnConnection>,
    /// VPC peering connections.
    pub peerings: BTreeMap<PeeringId, Peering>,
    pub transit_gateways: BTreeMap<TransitGatewayId, TransitGateway>,
    /// Attachments of transit gateways; a peering's, once for each end.
    pub attachments: BTreeMap<(TransitGatewayId, AttachmentId), Attachment>,
    /// Route tables of transit gateways.
    pub transit_tables: BTreeMap<TransitTableId, TransitTable>,
    /// VPC endpoints.
    pub endpoints: BTreeMap<EndpointId, Endpoint>,
    /// Load balancers by ARN.
    pub load_balancers: BTreeMap<String, LoadBalancer>,
    /// Target groups by ARN.
    pub target_groups: BTreeMap<String, TargetGroup>,
    pub launch_templates: BTreeMap<LaunchTemplateId, LaunchTemplate>,
    /// Auto Scaling groups by name.
    pub scaling_groups: BTreeMap<(AccountRegion, String), ScalingGroup>,
    /// RDS instances by name.
    pub databases: BTreeMap<(AccountRegion, String), Database>,
    /// Manual snapshots of RDS instances by name: a final snapshot is one of them.
    pub database_snapshots: BTreeMap<(AccountRegion, String), DatabaseSnapshot>,
    /// RDS clusters by name.
    pub database_clusters: BTreeMap<(AccountRegion, String), DatabaseCluster>,
    /// Custom endpoints of RDS clusters by name.
    pub database_cluster_endpoints: BTreeMap<(AccountRegion, String), DatabaseClusterEndpoint>,
    /// RDS subnet groups by name.
    pub database_subnet_groups: BTreeMap<(AccountRegion, String), SubnetGroup>,
    /// RDS proxies by name.
    pub database_proxies: BTreeMap<(AccountRegion, String), DatabaseProxy>,
    /// Further endpoints of RDS proxies by name.
    pub database_proxy_endpoints: BTreeMap<(AccountRegion, String), DatabaseProxyEndpoint>,
    /// Replication groups of caches by name.
    pub replication_groups: BTreeMap<(AccountRegion, String), ReplicationGroup>,
    /// Serverless caches by name.
    pub serverless_caches: BTreeMap<(AccountRegion, String), ServerlessCache>,
    /// Cache clusters by name.
    pub caches: BTreeMap<(AccountRegion, String), Cache>,
    /// Subnet groups of caches by name.
    pub cache_subnet_groups: BTreeMap<(AccountRegion, String), SubnetGroup>,
    /// Functions by name.
    pub functions: BTreeMap<(AccountRegion, String), Function>,
    /// Services of ECS by ARN.
    pub container_services: BTreeMap<String, ContainerService>,
    /// Tasks of ECS by ARN.
    pub container_tasks: BTreeMap<String, ContainerTask>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// Rules that are ours by their ids, whatever their tags and descriptions say now: what the store has noted, and
    /// nothing that AWS tells.
    pub noted: BTreeSet<SecurityGroupRuleId>,
}

/// The default of quota `L-0EA8095F`, inbound or outbound rules per security group, for each family.
pub const RULES_PER_GROUP: u32 = 60;

/// What is known of a group.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// It is there.
    There(&'a SecurityGroup),
    /// It was looked for and is not there.
    Gone,
    /// It could not be looked for.
    Unseen(&'a Gap),
}

impl Inventory {
    /// The gap of a call in an account and Region, if it gave no whole answer there.
    pub fn gap(&self, call: Call, account_region: &AccountRegion) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.account_region == *account_region && gap.is_of(call))
    }

    /// What is known of a group that was asked for.
    pub fn group(&self, id: &SecurityGroupId) -> Seen<'_> {
        if let Some(gap) = self.gaps.iter().find(|gap| gap.groups.contains(id)) {
            return Seen::Unseen(gap);
        }
        self.groups.get(id).map_or(Seen::Gone, Seen::There)
    }

    /// The internet gateway that is attached to a VPC, which has one at most.
    pub fn internet_gateway_of(&self, vpc: &VpcId) -> Option<&InternetGateway> {
        self.internet_gateways.values().find(|gateway| gateway.vpc.as_ref() == Some(vpc))
    }

    /// The resources in a VPC for which EC2 refuses to delete it, without those that AWS makes and deletes with it.
    pub fn in_vpc(&self, vpc: &VpcId) -> Vec<NamedResource> {
        let of = |own: &Option<VpcId>| own.as_ref() == Some(vpc);
        let tagged = |resource: ResourceRef, tags: &Tags| NamedResource::of(resource, tags.get("Name"));
        let mut found = Vec::new();
        let subnets = self.subnets.values().filter(|it| it.vpc == *vpc);
        found.extend(subnets.map(|it| tagged((&it.id).into(), &it.tags)));
        let groups = self.groups.values().filter(|it| of(&it.vpc) && it.name != "default");
        found.extend(groups.map(|it| NamedResource::of(&it.id, Some(&it.name))));
        let gateways = self.internet_gateways.values().filter(|it| of(&it.vpc));
        found.extend(gateways.map(|it| tagged((&it.id).into(), &it.tags)));
        let tables = self.route_tables.values().filter(|it| it.vpc == *vpc && !it.main);
        found.extend(tables.map(|it| tagged((&it.id).into(), &it.tags)));
        let endpoints = self.endpoints.values().filter(|it| it.vpc == *vpc);
        found.extend(endpoints.map(|it| tagged((&it.id).into(), &it.tags)));
        let gateways = self.nat_gateways.values().filter(|it| it.vpc == *vpc && !it.has_failed());
        found.extend(gateways.map(|it| tagged((&it.id).into(), &it.tags)));
        let gateways = self.egress_only_gateways.values().filter(|it| of(&it.vpc));
        found.extend(gateways.map(|it| tagged((&it.id).into(), &it.tags)));
        let gateways = self.vpn_gateways.values().filter(|it| of(&it.vpc));
        found.extend(gateways.map(|it| tagged((&it.id).into(), &it.tags)));
        found
    }

    /// Rules that a group may have, for each direction and family.
    pub fn quota(&self, account_region: &AccountRegion) -> u32 {
        self.rules_per_group.get(account_region).copied().unwrap_or(RULES_PER_GROUP)
    }

    /// Whether another is the same, apart from the rules of security groups.
    pub(crate) fn differs_only_in_rules(&self, other: &Self) -> bool {
        // Every member is named, so that none that is added later is forgotten.
        let Self {
            groups,
            group_references,
            prefix_list_weights,
            rules_per_group,
            incomplete_groups,
            vpcs,
            subnets,
            zones,
            route_tables,
            network_acls,
            prefix_lists,
            block_public_access,
            interfaces,
            instances,
            elastic_addresses,
            internet_gateways,
            egress_only_gateways,
            nat_gateways,
            vpn_gateways,
            vpn_connections,
            peerings,
            transit_gateways,
            attachments,
            transit_tables,
            endpoints,
            load_balancers,
            target_groups,
            launch_templates,
            scaling_groups,
            databases,
            database_snapshots,
            database_clusters,
            database_cluster_endpoints,
            database_subnet_groups,
            database_proxies,
            database_proxy_endpoints,
            replication_groups,
            serverless_caches,
            caches,
            cache_subnet_groups,
            functions,
            container_services,
            container_tasks,
            gaps,
            noted,
        } = self;
        groups.keys().eq(other.groups.keys())
            && *group_references == other.group_references
            && *prefix_list_weights == other.prefix_list_weights
            && *rules_per_group == other.rules_per_group
            && *incomplete_groups == other.incomplete_groups
            && *vpcs == other.vpcs
            && *subnets == other.subnets
            && *zones == other.zones
            && *route_tables == other.route_tables
            && *network_acls == other.network_acls
            && *prefix_lists == other.prefix_lists
            && *block_public_access == other.block_public_access
            && *interfaces == other.interfaces
            && *instances == other.instances
            && *elastic_addresses == other.elastic_addresses
            && *internet_gateways == other.internet_gateways
            && *egress_only_gateways == other.egress_only_gateways
            && *nat_gateways == other.nat_gateways
            && *vpn_gateways == other.vpn_gateways
            && *vpn_connections == other.vpn_connections
            && *peerings == other.peerings
            && *transit_gateways == other.transit_gateways
            && *attachments == other.attachments
            && *transit_tables == other.transit_tables
            && *endpoints == other.endpoints
            && *load_balancers == other.load_balancers
            && *target_groups == other.target_groups
            && *launch_templates == other.launch_templates
            && *scaling_groups == other.scaling_groups
            && *databases == other.databases
            && *database_snapshots == other.database_snapshots
            && *database_clusters == other.database_clusters
            && *database_cluster_endpoints == other.database_cluster_endpoints
            && *database_subnet_groups == other.database_subnet_groups
            && *database_proxies == other.database_proxies
            && *database_proxy_endpoints == other.database_proxy_endpoints
            && *replication_groups == other.replication_groups
            && *serverless_caches == other.serverless_caches
            && *caches == other.caches
            && *cache_subnet_groups == other.cache_subnet_groups
            && *functions == other.functions
            && *container_services == other.container_services
            && *container_tasks == other.container_tasks
            && *gaps == other.gaps
            && *noted == other.noted
    }

    /// Takes in what was seen in another account and Region.
    pub fn merge(&mut self, other: Self) {
        // Every member is named, so that none that is added later is lost.
        let Self {
            groups,
            group_references,
            prefix_list_weights,
            rules_per_group,
            incomplete_groups,
            vpcs,
            subnets,
            zones,
            route_tables,
            network_acls,
            prefix_lists,
            block_public_access,
            interfaces,
            instances,
            elastic_addresses,
            internet_gateways,
            egress_only_gateways,
            nat_gateways,
            vpn_gateways,
            vpn_connections,
            peerings,
            transit_gateways,
            attachments,
            transit_tables,
            endpoints,
            load_balancers,
            target_groups,
            launch_templates,
            scaling_groups,
            databases,
            database_snapshots,
            database_clusters,
            database_cluster_endpoints,
            database_subnet_groups,
            database_proxies,
            database_proxy_endpoints,
            replication_groups,
            serverless_caches,
            caches,
            cache_subnet_groups,
            functions,
            container_services,
            container_tasks,
            gaps,
            noted,
        } = other;
        self.groups.extend(groups);
        self.group_references.extend(group_references);
        self.prefix_list_weights.extend(prefix_list_weights);
        self.rules_per_group.extend(rules_per_group);
        self.incomplete_groups.extend(incomplete_groups);
        self.vpcs.extend(vpcs);
        self.subnets.extend(subnets);
        self.zones.extend(zones);
        self.route_tables.extend(route_tables);
        self.network_acls.extend(network_acls);
        shared::take(&mut self.prefix_lists, prefix_lists);
        self.block_public_access.extend(block_public_access);
        self.interfaces.extend(interfaces);
        self.instances.extend(instances);
        self.elastic_addresses.extend(elastic_addresses);
        self.internet_gateways.extend(internet_gateways);
        self.egress_only_gateways.extend(egress_only_gateways);
        self.nat_gateways.extend(nat_gateways);
        self.vpn_gateways.extend(vpn_gateways);
        self.vpn_connections.extend(vpn_connections);
        self.peerings.extend(peerings);
        self.transit_gateways.extend(transit_gateways);
        shared::take(&mut self.attachments, attachments);
        shared::take(&mut self.transit_tables, transit_tables);
        self.endpoints.extend(endpoints);
        self.load_balancers.extend(load_balancers);
        self.launch_templates.extend(launch_templates);
        self.scaling_groups.extend(scaling_groups);
        self.target_groups.extend(target_groups);
        self.databases.extend(databases);
        self.database_snapshots.extend(database_snapshots);
        self.database_clusters.extend(database_clusters);
        self.database_cluster_endpoints.extend(database_cluster_endpoints);
        self.database_subnet_groups.extend(database_subnet_groups);
        self.database_proxies.extend(database_proxies);
        self.database_proxy_endpoints.extend(database_proxy_endpoints);
        self.replication_groups.extend(replication_groups);
        self.serverless_caches.extend(serverless_caches);
        self.caches.extend(caches);
        self.cache_subnet_groups.extend(cache_subnet_groups);
        self.functions.extend(functions);
        self.container_services.extend(container_services);
        self.container_tasks.extend(container_tasks);
        self.gaps.extend(gaps);
        self.noted.extend(noted);
    }

    /// The right to touch a rule, if `by` made it: as its tag and its mark say together, or as its id does.
    pub fn owned(&self, rule: &ExistingRule, by: &InstallationId) -> Option<Owned<SecurityGroupRuleId>> {
        rule.owned(by).or_else(|| rule.noted(&self.noted))
    }

    /// Whether `by` made a rule, which may have no id yet.
    pub fn made_by(&self, rule: &ExistingRule, by: &InstallationId) -> bool {
        rule.made_by(by) || self.owned(rule, by).is_some()
    }
}
