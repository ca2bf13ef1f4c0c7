//! Databases, caches, functions and containers.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    AccountRegion, Call, ClusterEndpointKind, ClusterEndpointMembers, DatabaseSettings, DeploymentController,
    SecurityGroupId, SubnetGroup, SubnetId, TaskNetwork,
};
use serde_json::{Value, json};

use super::answers::{Answers, each, tags, texts, unnamed, without_nulls};

impl Answers<'_> {
    pub(super) fn services(&mut self) {
        self.databases();
        self.endpoints();
        for cache in self.inventory.caches.values() {
            let endpoint = endpoint(cache.host.as_ref(), cache.port);
            let member = without_nulls(json!({
                "CacheClusterId": cache.name,
                "ARN": cache.arn,
                "Engine": cache.engine,
                "CacheClusterStatus": cache.status,
                "CacheSubnetGroupName": cache.subnet_group,
                "ReplicationGroupId": cache.replication_group,
                "SecurityGroups": each(&cache.groups, |group| json!({"SecurityGroupId": group, "Status": "active"})),
                "CacheNodes": each(endpoint, |endpoint| json!({ "Endpoint": endpoint })),
            }));
            self.add(Call::Caches, &cache.account_region, member);
        }
        for group in self.inventory.cache_subnet_groups.values() {
            let member = subnet_group(group, "CacheSubnetGroupName");
            self.add(Call::CacheSubnetGroups, &group.account_region, member);
        }
        for function in self.inventory.functions.values() {
            let attached = !function.subnets.is_empty();
            let member = without_nulls(json!({
                "FunctionName": function.name,
                "FunctionArn": function.arn,
                "VpcConfig": attached.then(|| without_nulls(json!({
                    "VpcId": function.vpc,
                    "SubnetIds": texts(&function.subnets),
                    "SecurityGroupIds": texts(&function.groups),
                }))),
            }));
            self.add(Call::Functions, &function.account_region, member);
        }
        self.containers();
    }

    fn databases(&mut self) {
        for database in self.inventory.databases.values() {
            let settings = &database.settings;
            let name = &settings.subnet_group;
            let known = database.vpc.is_some() || !database.subnets.is_empty() || name.is_some();
            let group = known.then(|| {
                without_nulls(json!({
                    "DBSubnetGroupName": name,
                    "VpcId": database.vpc,
                    "Subnets": subnets(&database.subnets),
                }))
            });
            let member = without_nulls(json!({
                "DBInstanceIdentifier": database.name,
                "DBInstanceArn": database.arn,
                "Engine": database.engine,
                "DBInstanceStatus": database.status,
                "AvailabilityZone": database.zone,
                "DBSubnetGroup": group,
                "VpcSecurityGroups": groups(&database.groups),
                "PubliclyAccessible": database.public,
                "Endpoint": endpoint(database.host.as_ref(), database.port),
                "DBClusterIdentifier": database.cluster,
                "EngineVersion": settings.version,
                "DBInstanceClass": settings.class.map(|class| class.to_string()),
                "AllocatedStorage": settings.storage,
                "MultiAZ": settings.multi_az,
                "BackupRetentionPeriod": settings.backup_days,
                "IAMDatabaseAuthenticationEnabled": settings.iam,
                "StorageEncrypted": settings.encrypted,
                "MasterUserSecret": settings.has_secret.then(|| json!({"SecretArn": "managed"})),
                "AutomaticRestartTime": settings.restarts.map(|time| time.to_string()),
                "PendingModifiedValues": pending(settings),
                "TagList": tags(&database.tags),
            }));
            self.add(Call::Databases, &database.account_region, member);
        }
        for snapshot in self.inventory.database_snapshots.values() {
            let member = without_nulls(json!({
                "DBSnapshotIdentifier": snapshot.name,
                "DBInstanceIdentifier": snapshot.database,
                "Status": snapshot.status,
                "SnapshotType": "manual",
                "SnapshotCreateTime": snapshot.created.map(|time| time.to_string()),
                "AllocatedStorage": snapshot.storage,
                "TagList": tags(&snapshot.tags),
            }));
            self.add(Call::DatabaseSnapshots, &snapshot.account_region, member);
        }
        for cluster in self.inventory.database_clusters.values() {
            let member = without_nulls(json!({
                "DBClusterIdentifier": cluster.name,
                "DBClusterArn": cluster.arn,
                "Status": cluster.status,
                "DBSubnetGroup": cluster.subnet_group,
                "VpcSecurityGroups": groups(&cluster.groups),
                "Endpoint": cluster.host,
                "ReaderEndpoint": cluster.reader_host,
                "CustomEndpoints": texts(&cluster.custom_hosts),
                "Port": cluster.port,
                "DBClusterMembers": each(&cluster.members, |name| {
                    let writes = cluster.writer.as_ref().map(|writer| writer == name);
                    without_nulls(json!({"DBInstanceIdentifier": name, "IsClusterWriter": writes}))
                }),
                "TagList": tags(&cluster.tags),
            }));
            self.add(Call::DatabaseClusters, &cluster.account_region, member);
        }
        for group in self.inventory.database_subnet_groups.values() {
            let member = subnet_group(group, "DBSubnetGroupName");
            self.add(Call::DatabaseSubnetGroups, &group.account_region, member);
        }
        for proxy in self.inventory.database_proxies.values() {
            let member = without_nulls(json!({
                "DBProxyName": proxy.name,
                "DBProxyArn": proxy.arn,
                "Status": proxy.status,
                "VpcId": proxy.vpc,
                "VpcSubnetIds": texts(&proxy.subnets),
                "VpcSecurityGroupIds": texts(&proxy.groups),
                "Endpoint": proxy.host,
            }));
            self.add(Call::DatabaseProxies, &proxy.account_region, member);
            if let Some(targets) = &proxy.targets {
                let targets = each(targets, |name| json!({ "RdsResourceId": name }));
                let answer = json!({"DBProxyName": proxy.name, "Targets": targets});
                self.add_apart(Call::DatabaseProxyTargets, &proxy.account_region, answer);
            }
        }
    }

    fn endpoints(&mut self) {
        for endpoint in self.inventory.database_cluster_endpoints.values() {
            let (only, excluded) = match &endpoint.members {
                ClusterEndpointMembers::Only(only) => (texts(only), json!([])),
                ClusterEndpointMembers::AllBut(excluded) => (json!([]), texts(excluded)),
            };
            let member = without_nulls(json!({
                "DBClusterEndpointIdentifier": endpoint.name,
                "DBClusterEndpointArn": endpoint.arn,
                "DBClusterIdentifier": endpoint.cluster,
                "Status": endpoint.status,
                "Endpoint": endpoint.host,
                "EndpointType": "CUSTOM",
                "CustomEndpointType": match endpoint.kind {
                    ClusterEndpointKind::Any => "ANY",
                    ClusterEndpointKind::Reader => "READER",
                    ClusterEndpointKind::Writer => "WRITER",
                },
                "StaticMembers": only,
                "ExcludedMembers": excluded,
            }));
            self.add(Call::DatabaseClusterEndpoints, &endpoint.account_region, member);
        }
        for proxy in self.inventory.database_proxy_endpoints.values() {
            let member = without_nulls(json!({
                "DBProxyEndpointName": proxy.name,
                "DBProxyEndpointArn": proxy.arn,
                "DBProxyName": proxy.proxy,
                "Status": proxy.status,
                "VpcId": proxy.vpc,
                "VpcSubnetIds": texts(&proxy.subnets),
                "VpcSecurityGroupIds": texts(&proxy.groups),
                "Endpoint": proxy.host,
            }));
            self.add(Call::DatabaseProxyEndpoints, &proxy.account_region, member);
        }
        for group in self.inventory.replication_groups.values() {
            let one = |host: &String| json!({ "Address": host });
            let primaries = group.primary_hosts.iter().map(|host| json!({"PrimaryEndpoint": one(host)}));
            let readers = group.reader_hosts.iter().map(|host| json!({"ReaderEndpoint": one(host)}));
            let nodes =
                each(&group.primaries, |name| json!({"CacheClusterId": name, "CurrentRole": "primary"}));
            let shards = primaries.chain(readers).chain([json!({ "NodeGroupMembers": nodes })]);
            let member = without_nulls(json!({
                "ReplicationGroupId": group.name,
                "ARN": group.arn,
                "Status": group.status,
                "MemberClusters": texts(&group.members),
                "ConfigurationEndpoint": group.configuration_host.as_ref().map(one),
                "NodeGroups": shards.collect::<Vec<_>>(),
            }));
            self.add(Call::ReplicationGroups, &group.account_region, member);
        }
        for cache in self.inventory.serverless_caches.values() {
            let reader = cache.reader_host.as_ref().map(|host| json!({ "Address": host }));
            let member = without_nulls(json!({
                "ServerlessCacheName": cache.name,
                "ARN": cache.arn,
                "Engine": cache.engine,
                "Status": cache.status,
                "SubnetIds": texts(&cache.subnets),
                "SecurityGroupIds": texts(&cache.groups),
                "Endpoint": endpoint(cache.host.as_ref(), cache.port),
                "ReaderEndpoint": reader,
            }));
            self.add(Call::ServerlessCaches, &cache.account_region, member);
        }
    }

    fn containers(&mut self) {
        let mut clusters: BTreeSet<(AccountRegion, &String)> = BTreeSet::new();
        for service in self.inventory.container_services.values() {
            clusters
                .extend(service.cluster.iter().map(|cluster| (unnamed(&service.account_region), cluster)));
            let network = (service.network == TaskNetwork::AwsVpc).then(|| {
                json!({"awsvpcConfiguration": {
                    "subnets": texts(&service.subnets),
                    "securityGroups": texts(&service.groups),
                    "assignPublicIp": if service.public { "ENABLED" } else { "DISABLED" },
                }})
            });
            let member = without_nulls(json!({
                "serviceArn": service.arn,
                "serviceName": service.name,
                "clusterArn": service.cluster,
                "status": service.status,
                "networkConfiguration": network,
                "deploymentController": {"type": match service.controller {
                    DeploymentController::Ecs => "ECS",
                    DeploymentController::CodeDeploy => "CODE_DEPLOY",
                    DeploymentController::External => "EXTERNAL",
                }},
            }));
            self.add(Call::ContainerServices, &service.account_region, member);
        }
        for task in self.inventory.container_tasks.values() {
            clusters.extend(task.cluster.iter().map(|cluster| (unnamed(&task.account_region), cluster)));
            let attachments = each(&task.interfaces, |interface| {
                let details = json!([{"name": "networkInterfaceId", "value": interface}]);
                json!({"type": "ElasticNetworkInterface", "status": "ATTACHED", "details": details})
            });
            let member = without_nulls(json!({
                "taskArn": task.arn,
                "clusterArn": task.cluster,
                "group": task.group,
                "lastStatus": task.status,
                "attachments": attachments,
            }));
            self.add(Call::ContainerTasks, &task.account_region, member);
        }
        for (account_region, cluster) in clusters {
            self.add(Call::ContainerClusters, &account_region, cluster.as_str().into());
        }
    }
}

fn endpoint(host: Option<&String>, port: Option<u16>) -> Option<Value> {
    let known = host.is_some() || port.is_some();
    known.then(|| without_nulls(json!({"Address": host, "Port": port})))
}

fn groups(groups: &BTreeSet<SecurityGroupId>) -> Value {
    each(groups, |group| json!({"VpcSecurityGroupId": group, "Status": "active"}))
}

fn subnets(subnets: &BTreeSet<SubnetId>) -> Value {
    each(subnets, |subnet| json!({ "SubnetIdentifier": subnet }))
}

fn subnet_group(group: &SubnetGroup, name: &'static str) -> Value {
    without_nulls(json!({name: group.name, "VpcId": group.vpc, "Subnets": subnets(&group.subnets)}))
}

/// The settings that wait for the maintenance window, of which an inventory has only the names.
fn pending(settings: &DatabaseSettings) -> Option<Value> {
    let names = settings.pending.iter().map(|name| (name.clone(), Value::from("pending")));
    (!settings.pending.is_empty()).then(|| Value::Object(names.collect()))
}
