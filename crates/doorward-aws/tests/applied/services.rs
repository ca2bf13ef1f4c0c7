//! Roles are attached to services of every kind, and detached again.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::inventory::Inventory;

use crate::Story;
use crate::moto::between;
use crate::world::{World, summary};

pub fn stories() -> Vec<Story> {
    vec![
        ("roles are attached to services of every kind, and detached again", attached),
        ("what AWS does not change is an obstacle, and no step", refused),
    ]
}

/// A ZIP archive with one empty file, in Base64.
const ZIP: &str = "UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAEAAAAbS5weVBLAQIUABQAAAAAAAAAIQAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAABtLnB5UEsFBgAAAAABAAEAMgAAACIAAAAAAA==";

const RDS: &str = "2014-10-31";
const CACHE: &str = "2015-02-02";

/// Services in the default VPC, each with its default security group.
fn services(world: &World) {
    let before = world.survey();
    let group = before.groups.values().find(|it| it.name == "default").expect("a group").id.to_string();
    let subnets: Vec<String> = before.subnets.keys().map(ToString::to_string).collect();
    let (one, two) = (subnets[0].as_str(), subnets[1].as_str());
    let fields = [
        ("DBSubnetGroupName", "own"),
        ("DBSubnetGroupDescription", "for a test"),
        ("SubnetIds.SubnetIdentifier.1", one),
        ("SubnetIds.SubnetIdentifier.2", two),
    ];
    world.call("rds", RDS, "CreateDBSubnetGroup", &fields);
    let fields = [
        ("DBClusterIdentifier", "orders"),
        ("Engine", "aurora-postgresql"),
        ("MasterUsername", "postgres"),
        ("MasterUserPassword", "only-for-a-test"),
        ("DBSubnetGroupName", "own"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", &group),
    ];
    world.call("rds", RDS, "CreateDBCluster", &fields);
    let fields = [
        ("DBProxyName", "pool"),
        ("EngineFamily", "POSTGRESQL"),
        ("RoleArn", "arn:aws:iam::123456789012:role/proxy"),
        ("Auth.member.1.IAMAuth", "REQUIRED"),
        ("VpcSecurityGroupIds.member.1", &group),
        ("VpcSubnetIds.member.1", one),
        ("VpcSubnetIds.member.2", two),
    ];
    world.call("rds", RDS, "CreateDBProxy", &fields);
    let fields = [
        ("CacheSubnetGroupName", "own"),
        ("CacheSubnetGroupDescription", "for a test"),
        ("SubnetIds.SubnetIdentifier.1", one),
    ];
    world.call("elasticache", CACHE, "CreateCacheSubnetGroup", &fields);
    let cache = |name: &str, more: &[(&str, &str)]| {
        let mut fields = vec![
            ("CacheClusterId", name),
            ("CacheNodeType", "cache.t4g.micro"),
            ("Engine", "valkey"),
            ("NumCacheNodes", "1"),
            ("CacheSubnetGroupName", "own"),
            ("SecurityGroupIds.SecurityGroupId.1", &group),
        ];
        fields.extend(more);
        world.call("elasticache", CACHE, "CreateCacheCluster", &fields);
    };
    cache("single", &[]);
    let fields = [
        ("ReplicationGroupId", "sessions"),
        ("ReplicationGroupDescription", "for a test"),
        ("SecurityGroupIds.SecurityGroupId.1", &group),
    ];
    world.call("elasticache", CACHE, "CreateReplicationGroup", &fields);
    cache("sessions-001", &[("ReplicationGroupId", "sessions")]);
    let fields = [
        ("ServerlessCacheName", "carts"),
        ("Engine", "valkey"),
        ("SecurityGroupIds.SecurityGroupId.1", group.as_str()),
        ("SubnetIds.SubnetId.1", one),
    ];
    world.call("elasticache", CACHE, "CreateServerlessCache", &fields);
    let trust = "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"Service\": \
                 \"lambda.amazonaws.com\"}, \"Action\": \"sts:AssumeRole\"}]}";
    let role = format!("lambda-{}", world.region);
    let fields = [("RoleName", role.as_str()), ("AssumeRolePolicyDocument", trust)];
    world.call("iam", "2010-05-08", "CreateRole", &fields);
    let function = serde_json::json!({
        "FunctionName": "report",
        "Runtime": "python3.12",
        "Handler": "m.f",
        "Role": format!("arn:aws:iam::123456789012:role/{role}"),
        "Code": {"ZipFile": ZIP},
        "VpcConfig": {"SubnetIds": [one], "SecurityGroupIds": [group]},
    });
    world.json("lambda", "/2015-03-31/functions", None, &function.to_string());
    let ecs = |call: &str, body: serde_json::Value| {
        let target = format!("AmazonEC2ContainerServiceV20141113.{call}");
        world.json("ecs", "/", Some(&target), &body.to_string());
    };
    ecs("CreateCluster", serde_json::json!({"clusterName": "shop"}));
    let container = serde_json::json!({"name": "web", "image": "web", "memory": 64, "essential": true});
    ecs(
        "RegisterTaskDefinition",
        serde_json::json!({"family": "web", "networkMode": "awsvpc", "containerDefinitions": [container]}),
    );
    for (name, controller) in [("web", "ECS"), ("blue", "CODE_DEPLOY")] {
        let service = serde_json::json!({
            "cluster": "shop",
            "serviceName": name,
            "taskDefinition": "web",
            "desiredCount": 0,
            "deploymentController": {"type": controller},
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": [one], "securityGroups": [group]}},
        });
        ecs("CreateService", service);
    }
    // Everything is available.
    world.steer("clock", "{\"advance\": 3600}");
}

const ROLES: &str = r#"
[network.old]
vpc = "default"
zones = []
[role.db]
admits = { app = ["tcp/5432", "tcp/6379"] }
on = ["rds:orders", "proxy:pool", "cache:single", "cache:sessions", "cache:carts"]
[role.app]
on = ["function:report", "service:shop/web"]
"#;

/// The names of the groups that each service has attached.
fn groups(account: &Inventory) -> BTreeMap<String, Vec<&str>> {
    let name = |id| account.groups.get(id).map_or("unknown", |group| group.name.as_str());
    let mut all: Vec<(String, &BTreeSet<_>)> = Vec::new();
    all.extend(account.database_clusters.values().map(|it| (format!("cluster {}", it.name), &it.groups)));
    all.extend(account.database_proxies.values().map(|it| (format!("proxy {}", it.name), &it.groups)));
    all.extend(account.caches.values().map(|it| (format!("cache {}", it.name), &it.groups)));
    all.extend(account.serverless_caches.values().map(|it| (format!("serverless {}", it.name), &it.groups)));
    all.extend(account.functions.values().map(|it| (format!("function {}", it.name), &it.groups)));
    all.extend(account.container_services.values().map(|it| (format!("service {}", it.name), &it.groups)));
    all.into_iter()
        .map(|(of, groups)| {
            let mut names: Vec<&str> = groups.iter().map(name).collect();
            names.sort_unstable();
            (of, names)
        })
        .collect()
}

fn attached() {
    let world = World::new();
    services(&world);
    let before = world.survey();
    assert_eq!(before.gaps, [], "everything is read");
    let after = world.apply(ROLES);
    let db = vec!["db", "default"];
    let app = vec!["app", "default"];
    let expected: BTreeMap<String, Vec<&str>> = [
        ("cluster orders", db.clone()),
        ("proxy pool", db.clone()),
        ("cache single", db.clone()),
        ("cache sessions-001", db.clone()),
        ("serverless carts", db),
        ("function report", app.clone()),
        ("service web", app),
        ("service blue", vec!["default"]),
    ]
    .map(|(of, names)| (of.to_owned(), names))
    .into();
    assert_eq!(groups(&after), expected);
    // Another set of groups while a service is still being modified is a matter of waiting.
    world
        .apply(&ROLES.replace("[role.db]", "[role.more]\non = [\"proxy:pool\", \"cache:carts\"]\n[role.db]"));
    world.apply(ROLES);
    let actual = world.survey();
    let applied = world.perform(world.plan_without("old", &actual).expect("nothing uses it"), &actual);
    assert!(applied.is_whole(), "{}", summary(&applied));
    let after = world.survey();
    assert_eq!(groups(&after), groups(&before));
    assert_eq!(after.groups, before.groups);
}

fn refused() {
    let world = World::new();
    services(&world);
    let text = ROLES.replace("service:shop/web", "service:shop/blue");
    let obstacles = world.obstacles(&text, &world.survey());
    assert_eq!(obstacles.len(), 1, "{obstacles:?}");
    assert!(obstacles[0].contains("its deployment controller is CODE_DEPLOY"), "{obstacles:?}");
    // The default VPC of moto has host names; somebody turns them off.
    let vpc = between(&world.ec2("DescribeVpcs", &[]), "<vpcId>", "</vpcId>");
    world.ec2("ModifyVpcAttribute", &[("VpcId", &vpc), ("EnableDnsHostnames.Value", "false")]);
    let text = "[network.old]\nvpc = \"default\"\nzones = 1\nnat = \"none\"\nendpoints = [\"ssm\"]\n";
    let obstacles = world.obstacles(text, &world.survey());
    assert_eq!(obstacles.len(), 1, "{obstacles:?}");
    assert!(obstacles[0].contains("enableDnsHostnames"), "{obstacles:?}");
    assert!(!world.performed().contains_key("CreateSecurityGroup"));
}
