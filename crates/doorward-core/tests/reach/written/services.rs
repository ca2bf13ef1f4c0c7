//! Lines of services that are known by names: clusters, caches, load balancers, functions.

use std::collections::BTreeSet;

use doorward_core::inventory::*;

use super::{Line, account_region};

const REGION: &str = "eu-west-1";

impl Line<'_> {
    pub(super) fn named_service(&self, kind: &str, inventory: &mut Inventory) {
        let (name, account_region) = (self.id.to_owned(), account_region(REGION));
        let key = (account_region.clone(), name.clone());
        let host = |suffix: &str| Some(format!("{name}{suffix}.{REGION}.amazonaws.com"));
        let members: BTreeSet<String> =
            self.rest.iter().filter(|word| !word.contains('=')).map(|&word| word.to_owned()).collect();
        let (subnets, groups): (BTreeSet<SubnetId>, BTreeSet<SecurityGroupId>) = (self.all(), self.all());
        match kind {
            "cluster" => {
                let cluster = DatabaseCluster {
                    arn: None,
                    status: "available".into(),
                    subnet_group: None,
                    groups,
                    host: host(".cluster"),
                    reader_host: host(".cluster-ro"),
                    custom_hosts: host(".cluster-custom").into_iter().collect(),
                    port: Some(5432),
                    members,
                    writer: self.value("writer").map(str::to_owned),
                    tags: Tags::new(),
                    name,
                    account_region,
                };
                inventory.database_clusters.insert(key, cluster);
            }
            "custom" => {
                let words: BTreeSet<String> = self
                    .rest
                    .iter()
                    .skip(2)
                    .filter(|word| **word != "reader")
                    .map(|&word| word.into())
                    .collect();
                let endpoint = DatabaseClusterEndpoint {
                    arn: Some(format!("arn:aws:rds:{REGION}:111111111111:cluster-endpoint:{name}")),
                    cluster: self.word(0).into(),
                    status: "available".into(),
                    host: host(".cluster-custom"),
                    kind: if self.says("reader") {
                        ClusterEndpointKind::Reader
                    } else {
                        ClusterEndpointKind::Any
                    },
                    members: match self.word(1) {
                        "only" => ClusterEndpointMembers::Only(words),
                        "but" => ClusterEndpointMembers::AllBut(words),
                        _ => panic!("only or but? {}", self.line),
                    },
                    name,
                    account_region,
                };
                inventory.database_cluster_endpoints.insert(key, endpoint);
            }
            "cache" => {
                let id: InterfaceId = self.at(0);
                let interface = inventory.interfaces.get_mut(&id).expect("an interface");
                interface.description = format!("ElastiCache {name}");
                let cache = Cache {
                    arn: None,
                    engine: "valkey".into(),
                    status: self.state("available"),
                    subnet_group: None,
                    replication_group: self.value("group").map(str::to_owned),
                    groups: interface.groups.clone(),
                    host: host(""),
                    port: Some(6379),
                    name,
                    account_region,
                };
                inventory.caches.insert(key, cache);
            }
            "replicated" => {
                let group = ReplicationGroup {
                    arn: None,
                    status: "available".into(),
                    members,
                    primaries: self.value("primary").map(str::to_owned).into_iter().collect(),
                    configuration_host: host(".clustercfg"),
                    primary_hosts: host(".primary").into_iter().collect(),
                    reader_hosts: host("-ro").into_iter().collect(),
                    name,
                    account_region,
                };
                inventory.replication_groups.insert(key, group);
            }
            "serverless" => {
                let cache = ServerlessCache {
                    arn: None,
                    engine: "valkey".into(),
                    status: "available".into(),
                    subnets,
                    groups,
                    host: host(".serverless"),
                    reader_host: host("-ro.serverless"),
                    port: Some(6379),
                    name,
                    account_region,
                };
                inventory.serverless_caches.insert(key, cache);
            }
            "proxyendpoint" => {
                let endpoint = DatabaseProxyEndpoint {
                    arn: None,
                    proxy: None,
                    status: "available".into(),
                    vpc: None,
                    subnets,
                    groups,
                    host: host(".endpoint"),
                    name,
                    account_region,
                };
                inventory.database_proxy_endpoints.insert(key, endpoint);
            }
            "function" => {
                let function = Function { arn: None, vpc: None, subnets, groups, name, account_region };
                inventory.functions.insert(key, function);
            }
            _ => self.balancer(inventory),
        }
    }

    fn balancer(&self, inventory: &mut Inventory) {
        let id: InterfaceId = self.at(0);
        let interface = inventory.interfaces.get_mut(&id).expect("an interface");
        interface.description = format!("ELB app/{}/50", self.id);
        let ports = self.rest.iter().filter_map(|word| word.strip_prefix("tcp/")?.parse().ok());
        let listeners = ports.map(|port| Listener {
            protocol: "TCP".into(),
            port,
            target_groups: BTreeSet::new(),
            arn: None,
            instance_port: None,
            certificate: None,
        });
        let balancer = LoadBalancer {
            arn: format!(
                "arn:aws:elasticloadbalancing:{REGION}:111111111111:loadbalancer/app/{}/50",
                self.id
            ),
            name: self.id.into(),
            account_region: account_region(REGION),
            kind: LoadBalancerKind::Application,
            public: self.says("public"),
            vpc: Some(interface.vpc.clone()),
            subnets: [interface.subnet.clone()].into(),
            groups: interface.groups.clone(),
            host: Some(format!("{}-1.elb.{REGION}.amazonaws.com", self.id)),
            state: Some(self.state("active")),
            cross_zone: Some(true),
            listeners: Some(listeners.collect()),
            tags: Default::default(),
        };
        inventory.load_balancers.insert(balancer.arn.clone(), balancer);
    }
}
