//! Load balancers, databases, caches, functions and containers of the example.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    Cache, ClusterEndpointKind, ClusterEndpointMembers, ContainerService, ContainerTask, CrossZone, Database,
    DatabaseCluster, DatabaseClusterEndpoint, DatabaseProxy, DatabaseProxyEndpoint, DatabaseSnapshot,
    DeploymentController, Function, Image, Inventory, LaunchTemplate, LaunchTemplateVersion, Listener,
    LoadBalancer, LoadBalancerKind, ReplicationGroup, ScalingGroup, ServerlessCache, SubnetGroup, Tags,
    Target, TargetGroup, TaskNetwork,
};

use super::rich::{here, id, set, tags, text};

const ELB: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";

pub(super) fn balancers(inventory: &mut Inventory) {
    let groups = |names: &[&str]| names.iter().map(|name| format!("{ELB}:targetgroup/{name}/1a")).collect();
    let listener = |protocol: &str, port, names: &[&str]| Listener {
        protocol: protocol.into(),
        port,
        target_groups: groups(names),
        arn: None,
        instance_port: None,
        certificate: None,
    };
    let application = LoadBalancer {
        arn: format!("{ELB}:loadbalancer/app/web/1a"),
        name: "web".into(),
        account_region: here(),
        kind: LoadBalancerKind::Application,
        public: true,
        vpc: Some(id("vpc-0a")),
        subnets: set(&["subnet-0a", "subnet-0b"]),
        groups: set(&["sg-0a"]),
        host: text("web.example.org"),
        state: text("active"),
        cross_zone: Some(true),
        listeners: Some(vec![listener("HTTP", 80, &[]), listener("HTTPS", 443, &["web", "api"])]),
        tags: Default::default(),
    };
    let network = LoadBalancer {
        arn: format!("{ELB}:loadbalancer/net/in/1a"),
        kind: LoadBalancerKind::Network,
        public: false,
        groups: BTreeSet::new(),
        cross_zone: Some(false),
        listeners: Some(vec![listener("TCP_UDP", 53, &["dns"])]),
        ..application.clone()
    };
    let gateway = LoadBalancer {
        arn: format!("{ELB}:loadbalancer/gwy/fw/1a"),
        kind: LoadBalancerKind::Gateway,
        host: None,
        state: None,
        cross_zone: None,
        listeners: Some(vec![]),
        ..network.clone()
    };
    let classic = LoadBalancer {
        arn: LoadBalancer::classic_arn("old", &here()),
        name: "old".into(),
        kind: LoadBalancerKind::Classic,
        state: None,
        cross_zone: None,
        listeners: Some(vec![Listener {
            protocol: "SSL".into(),
            port: 443,
            target_groups: BTreeSet::from([LoadBalancer::classic_arn("old", &here())]),
            arn: None,
            instance_port: Some(8443),
            certificate: None,
        }]),
        ..application.clone()
    };
    inventory.load_balancers =
        [application, network, gateway, classic].into_iter().map(|it| (it.arn.clone(), it)).collect();
    let others = inventory.load_balancers.values_mut().filter(|it| it.kind != LoadBalancerKind::Classic);
    for balancer in others {
        let of = balancer.arn.replacen(":loadbalancer/", ":listener/", 1);
        for (number, listener) in (1..).zip(balancer.listeners.iter_mut().flatten()) {
            listener.arn = Some(format!("{of}/{number:016x}"));
            listener.certificate = text("arn:aws:acm:eu-west-1:123456789012:certificate/0a");
        }
        balancer.tags = [("doorward".to_owned(), "3f9c2a1b".to_owned())].into();
    }
    let template = LaunchTemplate {
        id: id("lt-0a"),
        name: "web".into(),
        account_region: here(),
        latest: 2,
        default: 1,
        versions: [
            (1, LaunchTemplateVersion::default()),
            (
                2,
                LaunchTemplateVersion {
                    image: Some(Image::Parameter("/web/image".into())),
                    size: "t4g.small".parse().ok(),
                    profile: text("web"),
                    groups: set(&["sg-0a"]),
                },
            ),
        ]
        .into(),
        tags: [("doorward".to_owned(), "3f9c2a1b".to_owned())].into(),
    };
    let group = ScalingGroup {
        name: "web".into(),
        account_region: here(),
        template: Some((template.id.clone(), "2".into())),
        min: 2,
        max: 4,
        desired: 3,
        subnets: set(&["subnet-0a", "subnet-0b"]),
        target_groups: groups(&["web"]),
        checks_balancer: true,
        grace: 300,
        instances: set(&["i-0a"]),
        is_deleting: true,
        tags: [("Name".to_owned(), "web".to_owned())].into(),
    };
    inventory.launch_templates.insert(template.id.clone(), template);
    inventory.scaling_groups.insert((here(), group.name.clone()), group);
    let target = |id: &str, port, health: Option<&str>| Target {
        id: id.into(),
        port,
        health: health.map(str::to_owned),
        reason: (health == Some("unused")).then(|| "Target.NotInUse".to_owned()),
        zone: (port == Some(8443)).then(|| "all".to_owned()),
    };
    let group = |name: &str, protocol: &str, kind: &str, preserves_client, targets| TargetGroup {
        arn: format!("{ELB}:targetgroup/{name}/1a"),
        name: name.into(),
        account_region: here(),
        vpc: (kind != "lambda").then(|| id("vpc-0a")),
        protocol: protocol.into(),
        port: (kind != "lambda").then_some(80),
        kind: kind.into(),
        preserves_client,
        cross_zone: Some(if kind == "ip" { CrossZone::Off } else { CrossZone::AsLoadBalancer }),
        health_path: None,
        targets: Some(targets),
        tags: Default::default(),
    };
    let web = vec![target("i-0a", Some(8080), Some("healthy")), target("i-0b", None, None)];
    let instances = TargetGroup {
        arn: LoadBalancer::classic_arn("old", &here()),
        port: None,
        preserves_client: Some(false),
        ..group("old", "", "instance", None, vec![target("i-0a", None, None)])
    };
    for group in [
        group("web", "HTTP", "instance", Some(false), web),
        group(
            "api",
            "",
            "lambda",
            None,
            vec![target("arn:aws:lambda:eu-west-1:123456789012:function:f", None, None)],
        ),
        group("dns", "TCP_UDP", "ip", Some(true), vec![target("10.9.0.4", Some(8443), Some("unused"))]),
        instances,
    ] {
        inventory.target_groups.insert(group.arn.clone(), group);
    }
}

pub(super) fn services(inventory: &mut Inventory) {
    let key = |name: &str| (here(), name.to_owned());
    let database = Database {
        name: "orders".into(),
        arn: text("arn:aws:rds:eu-west-1:123456789012:db:orders"),
        account_region: here(),
        engine: "postgres".into(),
        status: "available".into(),
        vpc: Some(id("vpc-0a")),
        zone: text("eu-west-1a"),
        subnets: set(&["subnet-0a", "subnet-0b"]),
        groups: set(&["sg-0a"]),
        public: true,
        host: text("orders.example.org"),
        port: Some(5432),
        cluster: text("c"),
        settings: Default::default(),
        tags: tags("orders"),
    };
    let creating = Database {
        name: "new".into(),
        arn: None,
        vpc: None,
        zone: None,
        subnets: BTreeSet::new(),
        groups: BTreeSet::new(),
        public: false,
        host: None,
        port: None,
        cluster: None,
        settings: Default::default(),
        tags: Tags::new(),
        ..database.clone()
    };
    inventory.databases = [database, creating].into_iter().map(|it| (key(&it.name), it)).collect();
    let snapshot = DatabaseSnapshot {
        name: "orders-final".into(),
        account_region: here(),
        database: "orders".into(),
        status: "available".into(),
        created: Some("2026-11-30T12:00:00Z".parse().expect("a time")),
        storage: Some(20),
        tags: tags("orders-final"),
    };
    let taken = DatabaseSnapshot {
        name: "new-final".into(),
        status: "creating".into(),
        created: None,
        storage: None,
        tags: Tags::new(),
        ..snapshot.clone()
    };
    inventory.database_snapshots = [snapshot, taken].into_iter().map(|it| (key(&it.name), it)).collect();
    let cluster = DatabaseCluster {
        name: "c".into(),
        arn: None,
        account_region: here(),
        status: "available".into(),
        subnet_group: text("private"),
        groups: set(&["sg-0a"]),
        host: text("c.example.org"),
        reader_host: text("c-ro.example.org"),
        custom_hosts: BTreeSet::from(["c-1.example.org".to_owned(), "c-2.example.org".to_owned()]),
        writer: text("orders"),
        port: Some(5432),
        members: BTreeSet::from(["orders".into()]),
        tags: tags("c"),
    };
    inventory.database_clusters.insert(key("c"), cluster);
    let endpoint = DatabaseClusterEndpoint {
        name: "c-1".into(),
        arn: text("arn:aws:rds:eu-west-1:123456789012:cluster-endpoint:c-1"),
        account_region: here(),
        cluster: "c".into(),
        status: "available".into(),
        host: text("c-1.example.org"),
        kind: ClusterEndpointKind::Reader,
        members: ClusterEndpointMembers::AllBut(BTreeSet::from(["orders".to_owned()])),
    };
    let other = DatabaseClusterEndpoint {
        name: "c-2".into(),
        arn: None,
        host: text("c-2.example.org"),
        kind: ClusterEndpointKind::Any,
        members: ClusterEndpointMembers::Only(BTreeSet::from(["orders".to_owned()])),
        ..endpoint.clone()
    };
    inventory.database_cluster_endpoints =
        [endpoint, other].into_iter().map(|it| (key(&it.name), it)).collect();
    let group = SubnetGroup {
        name: "private".into(),
        account_region: here(),
        vpc: Some(id("vpc-0a")),
        subnets: set(&["subnet-0a"]),
    };
    inventory.database_subnet_groups.insert(key("private"), group.clone());
    inventory.cache_subnet_groups.insert(key("private"), SubnetGroup { vpc: None, ..group });
    let proxy = DatabaseProxy {
        name: "p".into(),
        arn: text("arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-1"),
        account_region: here(),
        status: "available".into(),
        vpc: Some(id("vpc-0a")),
        subnets: set(&["subnet-0a"]),
        groups: set(&["sg-0a", "sg-0b"]),
        host: text("p.example.org"),
        targets: Some(BTreeSet::from(["orders".into(), "c".into()])),
    };
    inventory.database_proxies.insert(
        key("q"),
        DatabaseProxy { name: "q".into(), targets: Some(BTreeSet::new()), ..proxy.clone() },
    );
    inventory.database_proxies.insert(key("p"), proxy);
    let endpoint = DatabaseProxyEndpoint {
        name: "p-ro".into(),
        arn: text("arn:aws:rds:eu-west-1:123456789012:db-proxy-endpoint:prx-endpoint-1"),
        proxy: text("p"),
        account_region: here(),
        status: "available".into(),
        vpc: Some(id("vpc-0a")),
        subnets: set(&["subnet-0a"]),
        groups: set(&["sg-0a"]),
        host: text("p-ro.example.org"),
    };
    inventory.database_proxy_endpoints.insert(key("p-ro"), endpoint);
    let group = ReplicationGroup {
        name: "r".into(),
        arn: text("arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:r"),
        account_region: here(),
        status: "available".into(),
        members: BTreeSet::from(["sessions".to_owned(), "sessions-2".to_owned()]),
        primaries: BTreeSet::from(["sessions".to_owned()]),
        configuration_host: text("r.example.org"),
        primary_hosts: BTreeSet::from(["r-1.example.org".to_owned()]),
        reader_hosts: BTreeSet::from(["r-ro.example.org".to_owned()]),
    };
    inventory.replication_groups.insert(key("r"), group);
    let serverless = ServerlessCache {
        name: "s".into(),
        arn: None,
        account_region: here(),
        engine: "valkey".into(),
        status: "available".into(),
        subnets: set(&["subnet-0a"]),
        groups: set(&["sg-0a"]),
        host: text("s.example.org"),
        reader_host: text("s-ro.example.org"),
        port: Some(6379),
    };
    inventory.serverless_caches.insert(key("s"), serverless);
    let cache = Cache {
        name: "sessions".into(),
        arn: None,
        account_region: here(),
        engine: "redis".into(),
        status: "available".into(),
        subnet_group: text("private"),
        replication_group: text("r"),
        groups: set(&["sg-0a"]),
        host: text("sessions.example.org"),
        port: Some(6379),
    };
    inventory.caches.insert(key("sessions"), cache);
    let function = Function {
        name: "f".into(),
        arn: text("arn:aws:lambda:eu-west-1:123456789012:function:f"),
        account_region: here(),
        vpc: Some(id("vpc-0a")),
        subnets: set(&["subnet-0a"]),
        groups: set(&["sg-0b"]),
    };
    let unattached = Function {
        name: "g".into(),
        vpc: None,
        subnets: BTreeSet::new(),
        groups: BTreeSet::new(),
        ..function.clone()
    };
    inventory.functions.insert(key("g"), unattached);
    inventory.functions.insert(key("f"), function);
    let service = ContainerService {
        arn: "arn:aws:ecs:eu-west-1:123456789012:service/k/s".into(),
        name: "s".into(),
        cluster: text("arn:aws:ecs:eu-west-1:123456789012:cluster/k"),
        account_region: here(),
        status: "ACTIVE".into(),
        subnets: set(&["subnet-0a"]),
        groups: set(&["sg-0b"]),
        public: true,
        network: TaskNetwork::AwsVpc,
        controller: DeploymentController::CodeDeploy,
    };
    let bridged = ContainerService {
        arn: "arn:aws:ecs:eu-west-1:123456789012:service/k/b".into(),
        name: "b".into(),
        subnets: BTreeSet::new(),
        groups: BTreeSet::new(),
        public: false,
        network: TaskNetwork::ContainerInstance,
        controller: DeploymentController::Ecs,
        ..service.clone()
    };
    inventory.container_services.insert(bridged.arn.clone(), bridged);
    inventory.container_services.insert(service.arn.clone(), service);
    let task = ContainerTask {
        arn: "arn:aws:ecs:eu-west-1:123456789012:task/k/1".into(),
        account_region: here(),
        cluster: text("arn:aws:ecs:eu-west-1:123456789012:cluster/k"),
        group: text("service:s"),
        status: "RUNNING".into(),
        interfaces: set(&["eni-0b"]),
    };
    inventory.container_tasks.insert(task.arn.clone(), task);
}
