//! Answers of the services besides EC2, in both notations.

use doorward_core::inventory::{
    AccountRegion, Call, ClusterEndpointKind, ClusterEndpointMembers, Inventory, LoadBalancerKind,
    TaskNetwork,
};

use super::Reader;
use super::tests::alike;
use crate::operation::balancer::{
    DescribeClassicLoadBalancers, DescribeListeners, DescribeLoadBalancerAttributes, DescribeLoadBalancers,
    DescribeRules, DescribeTargetGroups, DescribeTargetHealth,
};
use crate::operation::cache::{DescribeCacheClusters, DescribeReplicationGroups, DescribeServerlessCaches};
use crate::operation::container::{DescribeServices, DescribeTasks};
use crate::operation::database::{
    DescribeDBClusterEndpoints, DescribeDBClusters, DescribeDBInstances, DescribeDBProxies,
    DescribeDBProxyEndpoints, DescribeDBProxyTargets,
};
use crate::operation::{ListFunctions, Operation, Paged};

const ELB: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";

fn answer<O: Operation>(text: &str) -> O::Answer {
    O::SERVICE.read(text.as_bytes()).expect("an answer")
}

fn members<O: Paged>(text: &str) -> Vec<O::Item> {
    O::split(answer::<O>(text)).0
}

/// What the AWS CLI writes down of an answer.
fn recorded<O: Paged>(json: &str) -> Inventory
where
    O::Item: super::Member,
{
    let mut reader = Reader::default();
    let answer = serde_json::from_str(json).expect("an answer");
    reader.take(&O::split(answer).0);
    reader.finish()
}

fn whys(inventory: &Inventory) -> Vec<String> {
    inventory.gaps.iter().map(|gap| format!("{} {}", gap.source, gap.why)).collect()
}

#[test]
fn a_classic_load_balancer_brings_its_instances() {
    let seen = alike::<DescribeClassicLoadBalancers>(
        r#"<DescribeLoadBalancersResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/">
        <DescribeLoadBalancersResult><LoadBalancerDescriptions><member><LoadBalancerName>old</LoadBalancerName>
        <DNSName>old.example.org</DNSName><Scheme>internet-facing</Scheme><VPCId>vpc-0a</VPCId><Subnets><member>subnet-0a
        </member></Subnets><SecurityGroups><member>sg-0a</member></SecurityGroups><ListenerDescriptions><member><PolicyNames/>
        <Listener><Protocol>HTTP</Protocol><LoadBalancerPort>80</LoadBalancerPort><InstancePort>8080</InstancePort></Listener>
        </member></ListenerDescriptions><Instances><member><InstanceId>i-0b</InstanceId></member><member><InstanceId>i-0a
        </InstanceId></member></Instances></member></LoadBalancerDescriptions></DescribeLoadBalancersResult>
        <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeLoadBalancersResponse>"#,
        r#"{"LoadBalancerDescriptions": [{"LoadBalancerName": "old", "DNSName": "old.example.org", "Scheme":
        "internet-facing", "VPCId": "vpc-0a", "Subnets": ["subnet-0a"], "SecurityGroups": ["sg-0a"],
        "ListenerDescriptions": [{"PolicyNames": [], "Listener": {"Protocol": "HTTP", "LoadBalancerPort": 80,
        "InstancePort": 8080}}], "Instances": [{"InstanceId": "i-0b"}, {"InstanceId": "i-0a"}]}]}"#,
    );
    let arn = "arn:aws:elasticloadbalancing:::loadbalancer/old";
    let balancer = &seen.load_balancers[arn];
    assert_eq!((balancer.kind, balancer.public), (LoadBalancerKind::Classic, true));
    let listener = &balancer.listeners.as_ref().expect("listeners")[0];
    assert_eq!((listener.port, listener.instance_port), (80, Some(8080)));
    let targets = seen.target_groups[arn].targets.as_ref().expect("targets");
    assert_eq!(targets.iter().map(|target| target.id.as_str()).collect::<Vec<_>>(), ["i-0a", "i-0b"]);
}

/// A load balancer, with what its own calls tell of it.
fn web() -> Reader {
    let balancers = format!(
        "<r><DescribeLoadBalancersResult><LoadBalancers><member><LoadBalancerArn>{ELB}:loadbalancer/app/web/1a</LoadBalancerArn>
        <LoadBalancerName>web</LoadBalancerName><Type>application</Type><Scheme>internal</Scheme><VpcId>vpc-0a</VpcId>
        <State><Code>active</Code></State><AvailabilityZones><member><SubnetId>subnet-0a</SubnetId></member>
        </AvailabilityZones><SecurityGroups><member>sg-0a</member></SecurityGroups></member></LoadBalancers>
        </DescribeLoadBalancersResult></r>"
    );
    let groups = format!(
        "<r><DescribeTargetGroupsResult><TargetGroups><member><TargetGroupArn>{ELB}:targetgroup/pages/1a</TargetGroupArn>
        <TargetGroupName>pages</TargetGroupName><Protocol>HTTP</Protocol><Port>80</Port><VpcId>vpc-0a</VpcId>
        <TargetType>instance</TargetType></member></TargetGroups></DescribeTargetGroupsResult></r>"
    );
    let mut reader = Reader::default();
    reader.take(&members::<DescribeLoadBalancers>(&balancers));
    reader.take(&members::<DescribeTargetGroups>(&groups));
    reader
}

#[test]
fn what_is_told_apart_is_put_together() {
    let arn = format!("{ELB}:loadbalancer/app/web/1a");
    let listener = format!("{ELB}:listener/app/web/1a/2b");
    let group = format!("{ELB}:targetgroup/pages/1a");
    let listeners = format!(
        "<r><DescribeListenersResult><Listeners><member><ListenerArn>{listener}</ListenerArn><LoadBalancerArn>{arn}
        </LoadBalancerArn><Protocol>HTTP</Protocol><Port>80</Port><DefaultActions><member><Type>forward</Type>
        <TargetGroupArn>{group}</TargetGroupArn></member></DefaultActions></member></Listeners></DescribeListenersResult></r>"
    );
    let rules = format!(
        "<r><DescribeRulesResult><Rules><member><RuleArn>{ELB}:listener-rule/app/web/1a/2b/3c</RuleArn><Actions><member>
        <Type>forward</Type><ForwardConfig><TargetGroups><member><TargetGroupArn>{ELB}:targetgroup/api/1a</TargetGroupArn>
        <Weight>1</Weight></member></TargetGroups></ForwardConfig></member></Actions></member></Rules></DescribeRulesResult></r>"
    );
    let health = "<r><DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>i-0a</Id><Port>8080</Port>
        </Target><TargetHealth><State>healthy</State></TargetHealth></member></TargetHealthDescriptions>
        </DescribeTargetHealthResult></r>";
    let attributes =
        "<r><DescribeLoadBalancerAttributesResult><Attributes><member><Key>deletion_protection.enabled</Key>
        <Value>false</Value></member></Attributes></DescribeLoadBalancerAttributesResult></r>";
    let mut reader = web();
    reader.listeners_of(&arn);
    reader.take(&members::<DescribeListeners>(&listeners));
    reader.rules_of(&listener, &members::<DescribeRules>(&rules));
    reader.balancer_attributes(&arn, &answer::<DescribeLoadBalancerAttributes>(attributes));
    reader.targets_of(&group, &answer::<DescribeTargetHealth>(health).targets.0);
    let seen = reader.finish();
    let balancer = &seen.load_balancers[&arn];
    // An application load balancer's is on without being told.
    assert_eq!(balancer.cross_zone, Some(true));
    let sends = &balancer.listeners.as_ref().expect("listeners")[0].target_groups;
    assert_eq!(
        sends.iter().map(|arn| arn.rsplit('/').nth(1)).collect::<Vec<_>>(),
        [Some("api"), Some("pages")]
    );
    let target = &seen.target_groups[&group].targets.as_ref().expect("targets")[0];
    assert_eq!((target.port, target.health.as_deref()), (Some(8080), Some("healthy")));
    let said = "elasticloadbalancing:DescribeTargetGroupAttributes";
    assert_eq!(whys(&seen), [format!("{said} no response for `{group}`")]);
}

#[test]
fn what_was_not_told_of_a_thing_is_a_gap_and_not_an_absence() {
    let seen = web().finish();
    assert!(seen.load_balancers.values().all(|balancer| balancer.listeners.is_none()));
    assert!(seen.target_groups.values().all(|group| group.targets.is_none()));
    for call in
        [Call::Listeners, Call::LoadBalancerAttributes, Call::TargetGroupAttributes, Call::TargetHealth]
    {
        assert!(seen.gap(call, &AccountRegion::default()).is_some(), "{call:?}");
    }
    assert_eq!(seen.gaps.len(), 4);
    // A call that failed is one gap, and not another for each that it was asked for.
    let mut reader = web();
    for call in
        [Call::Listeners, Call::LoadBalancerAttributes, Call::TargetGroupAttributes, Call::TargetHealth]
    {
        reader.gap(call, "AccessDenied: no");
    }
    assert_eq!(reader.finish().gaps.len(), 4);
}

#[test]
fn a_database_tells_its_subnets_and_groups() {
    let seen = alike::<DescribeDBInstances>(
        r#"<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance><DBInstanceIdentifier>orders
        </DBInstanceIdentifier><Engine>postgres</Engine><DBInstanceStatus>available</DBInstanceStatus><Endpoint><Port>5432</Port>
        <Address>orders.example.org</Address></Endpoint><PubliclyAccessible>true</PubliclyAccessible><AvailabilityZone>eu-west-1a
        </AvailabilityZone><VpcSecurityGroups><VpcSecurityGroupMembership><Status>active</Status><VpcSecurityGroupId>sg-0a
        </VpcSecurityGroupId></VpcSecurityGroupMembership></VpcSecurityGroups><DBSubnetGroup><DBSubnetGroupName>private
        </DBSubnetGroupName><VpcId>vpc-0a</VpcId><Subnets><Subnet><SubnetIdentifier>subnet-0a</SubnetIdentifier></Subnet><Subnet>
        <SubnetIdentifier>subnet-0b</SubnetIdentifier></Subnet></Subnets></DBSubnetGroup><TagList><Tag><Key>Name</Key><Value>o</Value></Tag></TagList></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"#,
        r#"{"DBInstances": [{"DBInstanceIdentifier": "orders", "Engine": "postgres", "DBInstanceStatus": "available",
        "Endpoint": {"Port": 5432, "Address": "orders.example.org"}, "PubliclyAccessible": true, "AvailabilityZone": "eu-west-1a",
        "VpcSecurityGroups": [{"Status": "active", "VpcSecurityGroupId": "sg-0a"}], "DBSubnetGroup": {"DBSubnetGroupName":
        "private", "VpcId": "vpc-0a", "Subnets": [{"SubnetIdentifier": "subnet-0a"}, {"SubnetIdentifier": "subnet-0b"}]},
        "TagList": [{"Key": "Name", "Value": "o"}]}]}"#,
    );
    let database = seen.databases.values().next().expect("a database");
    assert_eq!((database.port, database.public, database.subnets.len()), (Some(5432), true, 2));
    assert_eq!(database.groups.len(), 1);
}

#[test]
fn a_proxy_has_databases_behind_it() {
    let proxies = "<r><DescribeDBProxiesResult><DBProxies><member><DBProxyName>pool</DBProxyName><Status>available</Status>
        <VpcId>vpc-0a</VpcId><VpcSecurityGroupIds><member>sg-0a</member><member>sg-0b</member></VpcSecurityGroupIds>
        <VpcSubnetIds><member>subnet-0a</member></VpcSubnetIds></member></DBProxies></DescribeDBProxiesResult></r>";
    let targets = "<r><DescribeDBProxyTargetsResult><Targets><member><RdsResourceId>orders</RdsResourceId><Type>RDS_INSTANCE</Type>
        <TrackedClusterId>ledger</TrackedClusterId></member></Targets></DescribeDBProxyTargetsResult></r>";
    let mut reader = Reader::default();
    reader.take(&members::<DescribeDBProxies>(proxies));
    reader.behind("pool", &members::<DescribeDBProxyTargets>(targets));
    let seen = reader.finish();
    let proxy = seen.database_proxies.values().next().expect("a proxy");
    assert_eq!(proxy.groups.len(), 2);
    let behind: Vec<&str> = proxy.targets.iter().flatten().map(String::as_str).collect();
    assert_eq!(behind, ["ledger", "orders"]);
    assert_eq!(whys(&seen), [""; 0]);
}

#[test]
fn a_cache_answers_by_its_node_or_by_an_address_of_its_own() {
    let cache = |inside: &str| {
        let text = format!(
            "<r><DescribeCacheClustersResult><CacheClusters><CacheCluster><CacheClusterId>c</CacheClusterId><SecurityGroups><member>
            <SecurityGroupId>sg-0a</SecurityGroupId><Status>active</Status></member></SecurityGroups>{inside}</CacheCluster>
            </CacheClusters></DescribeCacheClustersResult></r>"
        );
        let mut reader = Reader::default();
        reader.take(&members::<DescribeCacheClusters>(&text));
        let cache = reader.finish().caches.into_values().next().expect("a cache");
        assert_eq!(cache.groups.len(), 1);
        (cache.host, cache.port)
    };
    let nodes = "<CacheNodes><CacheNode><Endpoint><Address>n</Address><Port>6379</Port></Endpoint></CacheNode></CacheNodes>";
    let own = "<ConfigurationEndpoint><Address>c</Address><Port>11211</Port></ConfigurationEndpoint>";
    assert_eq!(cache(nodes), (Some("n".into()), Some(6379)));
    assert_eq!(cache(&format!("{nodes}{own}")), (Some("c".into()), Some(11211)));
    assert_eq!(cache(""), (None, None));
}

#[test]
fn what_has_no_interface_of_its_own_is_known_as_that() {
    let functions = r#"{"Functions": [{"FunctionName": "in", "VpcConfig": {"VpcId": "vpc-0a", "SubnetIds": ["subnet-0a"],
        "SecurityGroupIds": ["sg-0a"]}}, {"FunctionName": "out", "VpcConfig": {"VpcId": "", "SubnetIds": [],
        "SecurityGroupIds": []}}, {"FunctionName": "old"}]}"#;
    let services = r#"{"services": [{"serviceArn": "a", "status": "ACTIVE", "networkConfiguration": {"awsvpcConfiguration":
        {"subnets": ["subnet-0a"], "securityGroups": ["sg-0a"], "assignPublicIp": "ENABLED"}}}, {"serviceArn": "b", "status":
        "ACTIVE"}, {"serviceArn": "c", "status": "INACTIVE", "networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}],
        "failures": [{"arn": "d", "reason": "MISSING"}, {"arn": "e", "reason": "THROTTLED"}]}"#;
    let task = |arn: &str, status: &str, detail: &str| {
        format!(
            r#"{{"taskArn": "{arn}", "lastStatus": "{status}", "attachments": [{{"status": "ATTACHED", "details":
            [{{"name": "subnetId", "value": "subnet-0a"}}, {{"name": "{detail}", "value": "eni-0a"}}]}}]}}"#
        )
    };
    let tasks = [
        task("a", "RUNNING", "networkInterfaceId"),
        task("b", "STOPPED", "networkInterfaceId"),
        task("c", "RUNNING", "hostname"),
    ];
    let tasks = format!(r#"{{"tasks": [{}]}}"#, tasks.join(", "));
    let mut reader = Reader::default();
    reader.take(&members::<ListFunctions>(functions));
    let services = answer::<DescribeServices>(services);
    reader.services(&services.services.0, &services.failures.0);
    let tasks = answer::<DescribeTasks>(&tasks);
    reader.tasks(&tasks.tasks.0, &tasks.failures.0);
    let seen = reader.finish();
    let attached = seen.functions.values().map(|function| (function.name.as_str(), function.subnets.len()));
    assert_eq!(attached.collect::<Vec<_>>(), [("in", 1), ("old", 0), ("out", 0)]);
    let networks = seen.container_services.values().map(|service| (service.arn.as_str(), service.network));
    let expected = [("a", TaskNetwork::AwsVpc), ("b", TaskNetwork::ContainerInstance)];
    assert_eq!(networks.collect::<Vec<_>>(), expected);
    assert_eq!(seen.container_tasks.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(whys(&seen), ["ecs:DescribeServices e: THROTTLED"]);
}

#[test]
fn the_endpoints_of_a_cluster_are_told_apart() {
    let seen = recorded::<DescribeDBClusters>(
        r#"{"DBClusters": [{"DBClusterIdentifier": "aur", "Endpoint": "w", "ReaderEndpoint": "r", "CustomEndpoints": ["c"],
        "DBClusterMembers": [{"DBInstanceIdentifier": "a", "IsClusterWriter": false}, {"DBInstanceIdentifier": "b",
        "IsClusterWriter": true}]}]}"#,
    );
    let cluster = seen.database_clusters.values().next().expect("a cluster");
    assert_eq!((cluster.host.as_deref(), cluster.reader_host.as_deref()), (Some("w"), Some("r")));
    assert_eq!(cluster.custom_hosts.iter().collect::<Vec<_>>(), ["c"]);
    assert_eq!(cluster.writer.as_deref(), Some("b"));
}

#[test]
fn a_further_endpoint_of_a_proxy_has_subnets_and_groups_of_its_own() {
    let seen = recorded::<DescribeDBProxyEndpoints>(
        r#"{"DBProxyEndpoints": [{"DBProxyEndpointName": "px-ro", "DBProxyName": "px", "VpcId": "vpc-0b", "VpcSubnetIds":
        ["subnet-0b"], "VpcSecurityGroupIds": ["sg-0b"], "Endpoint": "px-ro.example.org", "IsDefault": false},
        {"DBProxyEndpointName": "px", "DBProxyName": "px", "IsDefault": true}]}"#,
    );
    let endpoints: Vec<_> = seen.database_proxy_endpoints.values().collect();
    let [endpoint] = endpoints.as_slice() else { panic!("{endpoints:?}") };
    assert_eq!((endpoint.name.as_str(), endpoint.proxy.as_deref()), ("px-ro", Some("px")));
    assert_eq!((endpoint.subnets.len(), endpoint.groups.len()), (1, 1));
}

#[test]
fn a_replication_group_is_known_by_itself_or_by_its_caches() {
    let groups = r#"{"ReplicationGroups": [{"ReplicationGroupId": "sess", "MemberClusters": ["sess-001", "sess-002"],
        "NodeGroups": [{"PrimaryEndpoint": {"Address": "p"}, "ReaderEndpoint": {"Address": "r"}, "NodeGroupMembers":
        [{"CacheClusterId": "sess-001", "CurrentRole": "primary"}, {"CacheClusterId": "sess-002", "CurrentRole": "replica"}]}]}]}"#;
    let caches = r#"{"CacheClusters": [{"CacheClusterId": "other-001", "ReplicationGroupId": "other"}]}"#;
    let mut seen = recorded::<DescribeReplicationGroups>(groups);
    seen.merge(recorded::<DescribeCacheClusters>(caches));
    let members = |name: &str| {
        let group = seen.replication_groups.values().find(|group| group.name == name).expect("a group");
        (group.members.iter().cloned().collect::<Vec<_>>(), group.primaries.len())
    };
    assert_eq!(members("sess"), (vec!["sess-001".to_owned(), "sess-002".to_owned()], 1));
    assert_eq!(members("other"), (vec!["other-001".to_owned()], 0));
}

#[test]
fn the_members_of_custom_endpoints_are_read() {
    let seen = recorded::<DescribeDBClusterEndpoints>(
        r#"{"DBClusterEndpoints": [{"DBClusterIdentifier": "aur", "Endpoint": "w", "Status": "available", "EndpointType": "WRITER"},
        {"DBClusterEndpointIdentifier": "reports", "DBClusterIdentifier": "aur", "Endpoint": "c", "Status": "available",
        "EndpointType": "CUSTOM", "CustomEndpointType": "READER", "StaticMembers": [], "ExcludedMembers": ["aur-3"],
        "DBClusterEndpointArn": "arn:aws:rds:eu-west-1:1:cluster-endpoint:reports"},
        {"DBClusterEndpointIdentifier": "two", "DBClusterIdentifier": "aur", "EndpointType": "CUSTOM", "CustomEndpointType": "ANY",
        "StaticMembers": ["aur-1", "aur-2"], "ExcludedMembers": []},
        {"DBClusterEndpointIdentifier": "odd", "DBClusterIdentifier": "aur", "EndpointType": "CUSTOM", "CustomEndpointType": "X"}]}"#,
    );
    let endpoints: Vec<_> = seen.database_cluster_endpoints.values().collect();
    let [reports, two] = endpoints.as_slice() else { panic!("{endpoints:?}") };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!((reports.host.as_deref(), reports.kind), (Some("c"), ClusterEndpointKind::Reader));
    assert_eq!(reports.members, ClusterEndpointMembers::AllBut(names(&["aur-3"])));
    assert_eq!(two.members, ClusterEndpointMembers::Only(names(&["aur-1", "aur-2"])));
    assert_eq!(seen.gaps.len(), 1, "{:?}", seen.gaps);
}

#[test]
fn a_serverless_cache_has_subnets_and_two_names() {
    let seen = recorded::<DescribeServerlessCaches>(
        r#"{"ServerlessCaches": [{"ServerlessCacheName": "s", "SubnetIds": ["subnet-0a"], "SecurityGroupIds": ["sg-0a"],
        "Endpoint": {"Address": "s.example.org", "Port": 6379}, "ReaderEndpoint": {"Address": "s-ro.example.org", "Port": 6380}}]}"#,
    );
    let cache = seen.serverless_caches.values().next().expect("a cache");
    assert_eq!((cache.host.as_deref(), cache.port), (Some("s.example.org"), Some(6379)));
    assert_eq!(cache.reader_host.as_deref(), Some("s-ro.example.org"));
    assert_eq!((cache.subnets.len(), cache.groups.len()), (1, 1));
}
