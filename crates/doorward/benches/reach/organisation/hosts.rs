//! The interfaces of a VPC: instances, databases, a load balancer, functions.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::inventory::{
    Database, Function, Instance, Interface, InterfaceAddress, Inventory, Listener, LoadBalancer,
    LoadBalancerKind, Tags, Target, TargetGroup,
};

use super::groups::{Purpose, group};
use super::vpc::{Site, ZONES};
use super::{INTERFACES, REGIONS, id, one};
use crate::account::named;

/// How many interfaces are for what; the NAT gateway has one more.
const COUNTS: [(Purpose, usize); 10] = [
    (Purpose::Balancer, 3),
    (Purpose::Web, 15),
    (Purpose::App, 30),
    (Purpose::Worker, 20),
    (Purpose::Database, 6),
    (Purpose::Cache, 5),
    (Purpose::Admin, 3),
    (Purpose::Monitoring, 3),
    (Purpose::Endpoint, 6),
    (Purpose::Default, 8),
];

/// How many targets the load balancer has.
const TARGETS: usize = 3;

pub fn build(site: &Site, inventory: &mut Inventory) {
    let mut hosts: BTreeMap<(bool, usize), usize> = BTreeMap::new();
    let mut number = site.number * INTERFACES;
    for (purpose, count) in COUNTS {
        for turn in 0..count {
            let (public, zone) = (purpose == Purpose::Balancer, turn % ZONES);
            let host = hosts.entry((public, zone)).or_insert(1);
            let interface = interface(site, number, purpose, turn, (zone, *host));
            *host += 1;
            if let Some(instance) = &interface.instance {
                let instance = Instance {
                    id: instance.clone(),
                    account_region: site.account_region.clone(),
                    state: "running".to_owned(),
                    interfaces: one(interface.id.clone()),
                    platform: None,
                    image: None,
                    size: None,
                    profile: None,
                    tags: named(&format!("{purpose:?}-{}-{turn}", site.number).to_lowercase()),
                };
                inventory.instances.insert(instance.id.clone(), instance);
            }
            if purpose == Purpose::Database {
                database(site, turn, inventory);
            }
            inventory.interfaces.insert(interface.id.clone(), interface);
            number += 1;
        }
    }
    balancer(site, inventory);
    function(site, inventory);
}

fn interface(
    site: &Site,
    number: usize,
    purpose: Purpose,
    turn: usize,
    (zone, host): (usize, usize),
) -> Interface {
    let public = purpose == Purpose::Balancer;
    let mut groups = one(group(site, purpose));
    // Every third host is monitored from within its VPC.
    if turn % 3 == 2 && matches!(purpose, Purpose::App | Purpose::Worker | Purpose::Web) {
        groups.insert(group(site, Purpose::Monitoring));
    }
    let (kind, requester, description) = match purpose {
        Purpose::Balancer => ("interface", Some("amazon-elb"), format!("ELB {}", balancer_path(site))),
        Purpose::Database => ("interface", Some("amazon-rds"), "RDSNetworkInterface".to_owned()),
        Purpose::Endpoint => ("lambda", None, format!("AWS Lambda VPC ENI-function-{}", site.number)),
        _ => ("interface", None, String::new()),
    };
    let address = site.host(public, zone, host).into();
    Interface {
        id: id("eni", number),
        vpc: site.vpc.clone(),
        subnet: site.subnet(public, zone),
        groups,
        addresses: vec![InterfaceAddress {
            address,
            public: public.then(|| site.public_address(host + zone * 8)),
        }],
        prefixes: BTreeSet::new(),
        source_dest_check: true,
        kind: kind.to_owned(),
        requester: requester.map(str::to_owned),
        instance: description.is_empty().then(|| id("i", number)),
        description,
        attached: true,
        tags: Tags::new(),
    }
}

fn arn(site: &Site, service: &str, rest: &str) -> String {
    let account = site.account_region.account.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("arn:aws:{service}:{}:{account}:{rest}", REGIONS[site.region])
}

fn database(site: &Site, turn: usize, inventory: &mut Inventory) {
    let name = format!("database-{}-{turn}", site.number);
    let zone = ["a", "b", "c"][turn % ZONES];
    let database = Database {
        arn: Some(arn(site, "rds", &format!("db:{name}"))),
        name: name.clone(),
        account_region: site.account_region.clone(),
        engine: "postgres".to_owned(),
        status: "available".to_owned(),
        vpc: Some(site.vpc.clone()),
        zone: Some(format!("{}{zone}", REGIONS[site.region])),
        subnets: (0..ZONES).map(|zone| site.subnet(false, zone)).collect(),
        groups: one(group(site, Purpose::Database)),
        public: false,
        host: Some(format!("{name}.example.{}.rds.amazonaws.com", REGIONS[site.region])),
        port: Some(5432),
        cluster: None,
        settings: Default::default(),
        tags: Tags::new(),
    };
    inventory.databases.insert((site.account_region.clone(), name), database);
}

fn balancer_path(site: &Site) -> String {
    format!("app/web-{}/{:016x}", site.number, site.number)
}

/// An Application Load Balancer in front of some of the web servers.
fn balancer(site: &Site, inventory: &mut Inventory) {
    let targets =
        arn(site, "elasticloadbalancing", &format!("targetgroup/web-{}/{:016x}", site.number, site.number));
    let listener = Listener {
        protocol: "HTTPS".to_owned(),
        port: 443,
        target_groups: one(targets.clone()),
        arn: None,
        instance_port: None,
        certificate: None,
    };
    let balancer = LoadBalancer {
        arn: arn(site, "elasticloadbalancing", &format!("loadbalancer/{}", balancer_path(site))),
        name: format!("web-{}", site.number),
        account_region: site.account_region.clone(),
        kind: LoadBalancerKind::Application,
        public: true,
        vpc: Some(site.vpc.clone()),
        subnets: (0..ZONES).map(|zone| site.subnet(true, zone)).collect(),
        groups: one(group(site, Purpose::Balancer)),
        host: Some(format!("web-{}.{}.elb.amazonaws.com", site.number, REGIONS[site.region])),
        state: Some("active".to_owned()),
        cross_zone: Some(true),
        listeners: Some(vec![listener]),
        tags: Default::default(),
    };
    // The web servers come after the nodes of the load balancer.
    let first = site.number * INTERFACES + COUNTS[0].1;
    let target = |turn: usize| Target {
        id: id::<doorward_core::inventory::InstanceId>("i", first + turn).to_string(),
        port: Some(8080),
        health: Some("healthy".to_owned()),
        reason: None,
        zone: None,
    };
    let group = TargetGroup {
        arn: targets,
        name: format!("web-{}", site.number),
        account_region: site.account_region.clone(),
        vpc: Some(site.vpc.clone()),
        protocol: "HTTP".to_owned(),
        port: Some(8080),
        kind: "instance".to_owned(),
        preserves_client: None,
        cross_zone: None,
        health_path: None,
        targets: Some((0..TARGETS).map(target).collect()),
        tags: Default::default(),
    };
    inventory.target_groups.insert(group.arn.clone(), group);
    inventory.load_balancers.insert(balancer.arn.clone(), balancer);
}

fn function(site: &Site, inventory: &mut Inventory) {
    let name = format!("function-{}", site.number);
    let function = Function {
        arn: Some(arn(site, "lambda", &format!("function:{name}"))),
        name: name.clone(),
        account_region: site.account_region.clone(),
        vpc: Some(site.vpc.clone()),
        subnets: (0..ZONES).map(|zone| site.subnet(false, zone)).collect(),
        groups: one(group(site, Purpose::Endpoint)),
    };
    inventory.functions.insert((site.account_region.clone(), name), function);
}
