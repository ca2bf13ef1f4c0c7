//! An inventory as the answers that would tell of it: which file holds which, and under which key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use doorward_core::inventory::{Call, GapSource, Inventory, Place, Tags, VpcId};
use serde_json::{Map, Value, json};

/// The answers, by the place that they are from.
pub(super) struct Answers<'a> {
    pub(super) inventory: &'a Inventory,
    /// Where things stand that say nothing of it themselves.
    home: Place,
    /// The members of answers that hold all of a kind.
    members: BTreeMap<(Place, Call), Vec<Value>>,
    /// Answers about one thing each, which bear the key of it.
    apart: BTreeMap<(Place, Call), Vec<Value>>,
}

impl<'a> Answers<'a> {
    /// All of them.
    pub(super) fn of(inventory: &'a Inventory) -> Self {
        let places = places(inventory);
        let home = places.first().cloned().unwrap_or_default();
        let mut answers = Self { inventory, home, members: BTreeMap::new(), apart: BTreeMap::new() };
        for place in &places {
            for call in Call::ALL.iter().copied().filter(|call| holds_all(*call)) {
                // What was asked and holds nothing is told as well: else it would count as not asked.
                if inventory.gap(call, place).is_none() && !gap_elsewhere(inventory, call, place) {
                    answers.members.entry((place.clone(), call)).or_default();
                }
            }
        }
        answers.groups();
        answers.networks();
        answers.gateways();
        answers.balancers();
        answers.services();
        answers
    }

    /// Adds a member to the answer of a call.
    pub(super) fn add(&mut self, call: Call, place: &Place, member: Value) {
        self.members.entry((unnamed(place), call)).or_default().push(member);
    }

    /// Adds an answer that is about one thing.
    pub(super) fn add_apart(&mut self, call: Call, place: &Place, answer: Value) {
        self.apart.entry((unnamed(place), call)).or_default().push(answer);
    }

    /// Whether a call gave no whole answer in a place.
    pub(super) fn has_gap(&self, call: Call, place: &Place) -> bool {
        gap_elsewhere(self.inventory, call, &unnamed(place))
    }

    /// Where a VPC stands.
    pub(super) fn place_of(&self, vpc: &VpcId) -> Place {
        self.inventory.vpcs.get(vpc).map_or_else(|| self.home.clone(), |vpc| unnamed(&vpc.place))
    }

    /// Where things stand that say nothing of it themselves; the files of any place do.
    pub(super) fn home(&self) -> &Place {
        &self.home
    }

    /// The Regions that folders are named for.
    pub(super) fn regions(&self) -> impl Iterator<Item = &str> {
        let quotas = self.inventory.rules_per_group.keys();
        let places = self.members.keys().chain(self.apart.keys()).map(|(place, _)| place).chain(quotas);
        places.filter_map(|place| place.region.as_deref())
    }

    /// Each file below the folder, and what it holds.
    pub(super) fn files(self) -> BTreeMap<PathBuf, Value> {
        let mut files = BTreeMap::new();
        for ((place, call), members) in self.members {
            let (name, key) = names(call);
            let answer = match call {
                Call::Instances => json!([{ "Instances": members }]),
                Call::BlockPublicAccess => members.into_iter().next().unwrap_or_default(),
                _ => Value::from(members),
            };
            files.insert(folder(&place).join(format!("{name}.json")), json!({ key: answer }));
        }
        for ((place, call), answers) in self.apart {
            let (name, _) = names(call);
            for (number, answer) in (1..).zip(answers) {
                files.insert(folder(&place).join(format!("{name}-{number}.json")), answer);
            }
        }
        for (place, rules) in &self.inventory.rules_per_group {
            let quota = json!({"ServiceCode": "vpc", "QuotaCode": "L-0EA8095F", "Value": f64::from(*rules)});
            let name = "service-quotas-get-service-quota.json";
            files.insert(folder(&unnamed(place)).join(name), json!({ "Quota": quota }));
        }
        files
    }
}

/// A place without the profile through which it was seen: a recording has none.
pub(super) fn unnamed(place: &Place) -> Place {
    Place { profile: None, ..place.clone() }
}

fn gap_elsewhere(inventory: &Inventory, call: Call, place: &Place) -> bool {
    inventory.gaps.iter().any(|gap| gap.is_of(call) && unnamed(&gap.place) == *place)
}

/// `accounts/ID/REGION`, or as much of it as is known.
pub(super) fn folder(place: &Place) -> PathBuf {
    let mut folder = PathBuf::new();
    if let Some(account) = &place.account {
        folder.push("accounts");
        folder.push(account.as_str());
    }
    if let Some(region) = &place.region {
        folder.push(region);
    }
    folder
}

/// The places that were looked at: where something is, or where a call of an inventory failed.
fn places(inventory: &Inventory) -> BTreeSet<Place> {
    let failed = inventory.gaps.iter().filter(|gap| matches!(gap.source, GapSource::Call(_)));
    let services = inventory.databases.keys().chain(inventory.database_clusters.keys());
    let services = services.chain(inventory.database_subnet_groups.keys());
    let services = services.chain(inventory.database_proxies.keys()).chain(inventory.caches.keys());
    let services = services.chain(inventory.database_cluster_endpoints.keys());
    let services = services.chain(inventory.database_proxy_endpoints.keys());
    let services = services.chain(inventory.replication_groups.keys());
    let services = services.chain(inventory.serverless_caches.keys());
    let services = services.chain(inventory.cache_subnet_groups.keys()).chain(inventory.functions.keys());
    failed
        .map(|gap| &gap.place)
        .chain(services.map(|(place, _)| place))
        .chain(inventory.groups.values().map(|group| &group.place))
        .chain(inventory.vpcs.values().map(|vpc| &vpc.place))
        .chain(inventory.prefix_lists.values().map(|list| &list.place))
        .chain(inventory.block_public_access.keys())
        .chain(inventory.rules_per_group.keys())
        .chain(inventory.instances.values().map(|instance| &instance.place))
        .chain(inventory.transit_gateways.values().map(|gateway| &gateway.place))
        .chain(inventory.load_balancers.values().map(|balancer| &balancer.place))
        .chain(inventory.target_groups.values().map(|group| &group.place))
        .chain(inventory.container_services.values().map(|service| &service.place))
        .chain(inventory.container_tasks.values().map(|task| &task.place))
        .map(unnamed)
        .collect()
}

/// Whether one answer holds all of a kind; else each is about one thing.
fn holds_all(call: Call) -> bool {
    !matches!(
        call,
        Call::PrefixListEntries
            | Call::TransitRoutes
            | Call::TransitPropagations
            | Call::Listeners
            | Call::ListenerRules
            | Call::LoadBalancerAttributes
            | Call::TargetGroupAttributes
            | Call::TargetHealth
            | Call::DatabaseProxyTargets
            | Call::VpcAttributes
    )
}

/// `Tags`
pub(super) fn tags(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// A value for each.
pub(super) fn each<T>(items: impl IntoIterator<Item = T>, write: impl Fn(T) -> Value) -> Value {
    items.into_iter().map(write).collect()
}

/// A list of texts.
pub(super) fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    each(items, |item| item.to_string().into())
}

/// An object without the fields that hold nothing.
pub(super) fn told(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        value => value,
    }
}

/// The file of a call, as the AWS CLI names its command, and the key of its answer.
fn names(call: Call) -> (&'static str, &'static str) {
    match call {
        Call::SecurityGroups => ("ec2-describe-security-groups", "SecurityGroups"),
        Call::SecurityGroupRules => ("ec2-describe-security-group-rules", "SecurityGroupRules"),
        Call::Vpcs => ("ec2-describe-vpcs", "Vpcs"),
        Call::VpcAttributes => ("ec2-describe-vpc-attribute", "EnableDnsSupport"),
        Call::Subnets => ("ec2-describe-subnets", "Subnets"),
        Call::RouteTables => ("ec2-describe-route-tables", "RouteTables"),
        Call::NetworkAcls => ("ec2-describe-network-acls", "NetworkAcls"),
        Call::PrefixLists => ("ec2-describe-managed-prefix-lists", "PrefixLists"),
        Call::PrefixListEntries => ("ec2-get-managed-prefix-list-entries", "Entries"),
        Call::BlockPublicAccess => {
            ("ec2-describe-vpc-block-public-access-options", "VpcBlockPublicAccessOptions")
        }
        Call::BlockExclusions => {
            ("ec2-describe-vpc-block-public-access-exclusions", "VpcBlockPublicAccessExclusions")
        }
        Call::Interfaces => ("ec2-describe-network-interfaces", "NetworkInterfaces"),
        Call::Instances => ("ec2-describe-instances", "Reservations"),
        Call::Addresses => ("ec2-describe-addresses", "Addresses"),
        Call::InternetGateways => ("ec2-describe-internet-gateways", "InternetGateways"),
        Call::EgressOnlyGateways => {
            ("ec2-describe-egress-only-internet-gateways", "EgressOnlyInternetGateways")
        }
        Call::NatGateways => ("ec2-describe-nat-gateways", "NatGateways"),
        Call::VpnGateways => ("ec2-describe-vpn-gateways", "VpnGateways"),
        Call::VpnConnections => ("ec2-describe-vpn-connections", "VpnConnections"),
        Call::Peerings => ("ec2-describe-vpc-peering-connections", "VpcPeeringConnections"),
        Call::TransitGateways => ("ec2-describe-transit-gateways", "TransitGateways"),
        Call::TransitAttachments => ("ec2-describe-transit-gateway-attachments", "TransitGatewayAttachments"),
        Call::TransitVpcAttachments => {
            ("ec2-describe-transit-gateway-vpc-attachments", "TransitGatewayVpcAttachments")
        }
        Call::TransitPeerings => {
            ("ec2-describe-transit-gateway-peering-attachments", "TransitGatewayPeeringAttachments")
        }
        Call::TransitTables => ("ec2-describe-transit-gateway-route-tables", "TransitGatewayRouteTables"),
        Call::TransitRoutes => ("ec2-search-transit-gateway-routes", "Routes"),
        Call::TransitPropagations => {
            ("ec2-get-transit-gateway-route-table-propagations", "TransitGatewayRouteTablePropagations")
        }
        Call::Endpoints => ("ec2-describe-vpc-endpoints", "VpcEndpoints"),
        Call::ClassicLoadBalancers => ("elb-describe-load-balancers", "LoadBalancerDescriptions"),
        Call::LoadBalancers => ("elbv2-describe-load-balancers", "LoadBalancers"),
        Call::Listeners => ("elbv2-describe-listeners", "Listeners"),
        Call::ListenerRules => ("elbv2-describe-rules", "Rules"),
        Call::LoadBalancerAttributes => ("elbv2-describe-load-balancer-attributes", "Attributes"),
        Call::TargetGroups => ("elbv2-describe-target-groups", "TargetGroups"),
        Call::TargetGroupAttributes => ("elbv2-describe-target-group-attributes", "Attributes"),
        Call::TargetHealth => ("elbv2-describe-target-health", "TargetHealthDescriptions"),
        Call::Databases => ("rds-describe-db-instances", "DBInstances"),
        Call::DatabaseClusters => ("rds-describe-db-clusters", "DBClusters"),
        Call::DatabaseClusterEndpoints => ("rds-describe-db-cluster-endpoints", "DBClusterEndpoints"),
        Call::DatabaseSubnetGroups => ("rds-describe-db-subnet-groups", "DBSubnetGroups"),
        Call::DatabaseProxies => ("rds-describe-db-proxies", "DBProxies"),
        Call::DatabaseProxyTargets => ("rds-describe-db-proxy-targets", "Targets"),
        Call::DatabaseProxyEndpoints => ("rds-describe-db-proxy-endpoints", "DBProxyEndpoints"),
        Call::ReplicationGroups => ("elasticache-describe-replication-groups", "ReplicationGroups"),
        Call::ServerlessCaches => ("elasticache-describe-serverless-caches", "ServerlessCaches"),
        Call::Caches => ("elasticache-describe-cache-clusters", "CacheClusters"),
        Call::CacheSubnetGroups => ("elasticache-describe-cache-subnet-groups", "CacheSubnetGroups"),
        Call::Functions => ("lambda-list-functions", "Functions"),
        Call::ContainerClusters => ("ecs-list-clusters", "clusterArns"),
        Call::ContainerServices => ("ecs-describe-services", "services"),
        Call::ContainerTasks => ("ecs-describe-tasks", "tasks"),
    }
}
