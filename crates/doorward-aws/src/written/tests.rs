//! What is written is read back as it was, of every kind there is.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;

use doorward_core::inventory::{
    AclEntry, Attachment, AttachmentTarget, BlockExclusion, BlockMode, BlockPublicAccess, Cache, Call,
    ContainerService, ContainerTask, Database, DatabaseCluster, DatabaseProxy, Destination, Direction,
    EgressOnlyGateway, ElasticAddress, Endpoint, EndpointKind, Excepted, Function, Gap, Instance, Interface,
    InterfaceAddress, InternetGateway, Listener, LoadBalancer, LoadBalancerKind, NatGateway, NetworkAcl,
    Peer, Peering, PeeringSide, PrefixList, Route, RouteTable, RouteTarget, RuleIdentity, SecurityGroup,
    StandingRule, Subnet, SubnetGroup, Tags, Target, TargetGroup, TransitGateway, TransitRoute, TransitTable,
    Vpc, VpnConnection, VpnGateway,
};

use super::*;
use crate::recorded::recorded;

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

fn set<T: std::str::FromStr<Err: std::fmt::Debug> + Ord>(texts: &[&str]) -> BTreeSet<T> {
    texts.iter().map(|text| id(text)).collect()
}

fn place(account: Option<&str>, region: Option<&str>) -> Place {
    Place { profile: None, region: region.map(str::to_owned), account: account.map(id) }
}

fn here() -> Place {
    place(Some("123456789012"), Some("eu-west-1"))
}

fn tags(name: &str) -> Tags {
    BTreeMap::from([("Name".to_owned(), name.to_owned()), ("empty".to_owned(), String::new())])
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// One or more of every kind, with and without what may be missing.
fn rich() -> Inventory {
    let mut inventory = Inventory::default();
    groups(&mut inventory);
    network(&mut inventory);
    interfaces(&mut inventory);
    gateways(&mut inventory);
    transit(&mut inventory);
    balancers(&mut inventory);
    services(&mut inventory);
    inventory
}

fn groups(inventory: &mut Inventory) {
    let rule = |direction, flow: &str, peer| RuleIdentity { direction, flow: id(flow), peer };
    let standing = |rule: &str, tag: Option<&str>| StandingRule {
        id: Some(id(rule)),
        description: "a \"rule\", é".into(),
        tag: tag.map(str::to_owned),
    };
    let group = SecurityGroup {
        id: id("sg-0a"),
        place: here(),
        owner: text("123456789012"),
        vpc: Some(id("vpc-0a")),
        name: "db".into(),
        about: "databases".into(),
        rules: BTreeMap::from([
            (rule(Direction::In, "tcp/5432", Peer::Group(id("sg-0b"))), standing("sgr-01", None)),
            (
                rule(Direction::In, "tcp/1-65535", Peer::Cidr(id("198.51.100.0/24"))),
                standing("sgr-02", Some("3f9c2a1b")),
            ),
            (rule(Direction::In, "icmp/8/0", Peer::Cidr(id("0.0.0.0/0"))), standing("sgr-03", Some(""))),
            (rule(Direction::In, "icmpv6", Peer::Cidr(id("2001:db8::/32"))), standing("sgr-04", None)),
            (rule(Direction::In, "proto/50", Peer::PrefixList(id("pl-0a"))), StandingRule::default()),
            (rule(Direction::Out, "all", Peer::Cidr(id("::/0"))), standing("sgr-05", None)),
        ]),
    };
    let bare = SecurityGroup {
        id: id("sg-0b"),
        owner: None,
        vpc: None,
        name: String::new(),
        about: String::new(),
        rules: BTreeMap::new(),
        ..group.clone()
    };
    inventory.groups = [group, bare].into_iter().map(|group| (group.id.clone(), group)).collect();
    inventory.incomplete_groups = set(&["sg-0b"]);
    inventory.rules_per_group = BTreeMap::from([(here(), 100)]);
    let list = PrefixList {
        id: id("pl-0a"),
        place: here(),
        name: "offices".into(),
        entries: Some(set(&["203.0.113.0/24", "198.51.100.7/32"])),
        max_entries: Some(12),
    };
    let empty =
        PrefixList { id: id("pl-0b"), name: "none".into(), entries: Some(BTreeSet::new()), ..list.clone() };
    let managed = PrefixList {
        id: id("pl-0c"),
        name: "com.amazonaws.eu-west-1.s3".into(),
        max_entries: None,
        ..list.clone()
    };
    inventory.prefix_list_weights = BTreeMap::from([(id("pl-0a"), 12), (id("pl-0b"), 12), (id("pl-0c"), 1)]);
    inventory.prefix_lists = [list, empty, managed].into_iter().map(|list| (list.id.clone(), list)).collect();
}

fn network(inventory: &mut Inventory) {
    let vpc = |name: &str, place: Place, cidrs: &[&str]| Vpc {
        id: id(name),
        place,
        owner: text("123456789012"),
        cidrs: set(cidrs),
        default: name == "vpc-0b",
        tags: tags(name),
    };
    for vpc in [
        vpc("vpc-0a", here(), &["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/56"]),
        vpc("vpc-0b", place(Some("210987654321"), Some("us-east-1")), &["172.31.0.0/16"]),
        vpc("vpc-0c", place(None, Some("eu-central-1")), &["10.9.0.0/16"]),
        vpc("vpc-0d", place(None, None), &[]),
        vpc("vpc-0e", place(Some("123456789012"), None), &[]),
    ] {
        inventory.vpcs.insert(vpc.id.clone(), vpc);
    }
    let subnet = |name: &str, vpc: &str, cidrs: &[&str]| Subnet {
        id: id(name),
        vpc: id(vpc),
        zone: text("eu-west-1a"),
        zone_id: None,
        cidrs: set(cidrs),
        tags: Tags::new(),
    };
    for subnet in [
        subnet("subnet-0a", "vpc-0a", &["10.0.0.0/24", "2001:db8::/64"]),
        subnet("subnet-0b", "vpc-0a", &["2001:db8:0:1::/64"]),
        subnet("subnet-0c", "vpc-0b", &["172.31.0.0/20"]),
        subnet("subnet-0d", "vpc-0f", &["10.7.0.0/20"]),
    ] {
        inventory.subnets.insert(subnet.id.clone(), subnet);
    }
    let route = |cidr: &str, target: RouteTarget, propagated: bool, blackhole: bool| Route {
        destination: Destination::Cidr(id(cidr)),
        target,
        propagated,
        blackhole,
    };
    let table = RouteTable {
        id: id("rtb-0a"),
        vpc: id("vpc-0a"),
        main: true,
        subnets: set(&["subnet-0a", "subnet-0b"]),
        gateways: BTreeSet::from(["igw-0a".to_owned(), "vgw-0a".to_owned()]),
        routes: vec![
            route("10.0.0.0/16", RouteTarget::Local, false, false),
            route("0.0.0.0/0", RouteTarget::InternetGateway(id("igw-0a")), false, false),
            route("::/0", RouteTarget::EgressOnlyGateway(id("eigw-0a")), false, false),
            route("192.0.2.0/24", RouteTarget::VpnGateway(id("vgw-0a")), true, false),
            route("10.2.0.0/16", RouteTarget::NatGateway(id("nat-0a")), false, true),
            route("10.3.0.0/16", RouteTarget::Interface(id("eni-0a")), false, false),
            route("10.4.0.0/16", RouteTarget::Instance(id("i-0a")), false, false),
            route("10.5.0.0/16", RouteTarget::Peering(id("pcx-0a")), false, false),
            route("10.6.0.0/16", RouteTarget::TransitGateway(id("tgw-0a")), false, false),
            route("10.7.0.0/16", RouteTarget::Endpoint(id("vpce-0b")), false, false),
            route("10.8.0.0/16", RouteTarget::Other("cagw-0a".into()), false, false),
            route("10.9.0.0/16", RouteTarget::Other("lgw-0a".into()), false, false),
            route(
                "10.10.0.0/16",
                RouteTarget::Other("arn:aws:networkmanager::1:core-network/x".into()),
                false,
                false,
            ),
            Route {
                destination: Destination::PrefixList(id("pl-0c")),
                ..route("10.0.0.0/16", RouteTarget::Endpoint(id("vpce-0a")), false, false)
            },
        ],
        incomplete: true,
        tags: tags("main"),
    };
    inventory.route_tables.insert(table.id.clone(), table);
    let entry = |number, direction, cidr: &str, flow: &str, allow| AclEntry {
        number,
        direction,
        cidr: id(cidr),
        flow: id(flow),
        allow,
    };
    let acl = NetworkAcl {
        id: id("acl-0a"),
        vpc: id("vpc-0a"),
        default: true,
        subnets: set(&["subnet-0a"]),
        entries: vec![
            entry(100, Direction::In, "0.0.0.0/0", "tcp/443", true),
            entry(110, Direction::In, "::/0", "udp/1-2", false),
            entry(120, Direction::Out, "0.0.0.0/0", "icmp/8/0", true),
            entry(121, Direction::Out, "0.0.0.0/0", "icmp/3", true),
            entry(130, Direction::Out, "::/0", "icmpv6", true),
            entry(140, Direction::Out, "10.0.0.0/8", "proto/47", true),
            entry(32767, Direction::Out, "0.0.0.0/0", "all", false),
        ],
        incomplete: true,
        tags: Tags::new(),
    };
    inventory.network_acls.insert(acl.id.clone(), acl);
    let block = BlockPublicAccess {
        mode: BlockMode::Ingress,
        exclusions: vec![
            BlockExclusion { of: Excepted::Vpc(id("vpc-0a")), both_ways: true },
            BlockExclusion { of: Excepted::Subnet(id("subnet-0a")), both_ways: false },
        ],
    };
    inventory.block_public_access.insert(here(), block);
    let elsewhere = place(Some("210987654321"), Some("us-east-1"));
    inventory.block_public_access.insert(elsewhere, BlockPublicAccess::default());
}

fn interfaces(inventory: &mut Inventory) {
    let address = |address: &str, public: Option<&str>| InterfaceAddress {
        address: address.parse().expect("an address"),
        public: public.map(|public| public.parse().expect("an address")),
    };
    let used = Interface {
        id: id("eni-0a"),
        vpc: id("vpc-0a"),
        subnet: id("subnet-0a"),
        groups: set(&["sg-0a", "sg-0b"]),
        addresses: vec![
            address("10.0.0.7", Some("203.0.113.9")),
            address("10.0.0.5", None),
            address("2001:db8::7", None),
        ],
        prefixes: set(&["10.0.0.16/28", "2001:db8:0:0:1::/80"]),
        source_dest_check: false,
        kind: "interface".into(),
        requester: text("amazon-rds"),
        description: "RDSNetworkInterface".into(),
        instance: Some(id("i-0a")),
        attached: true,
        tags: tags("eni"),
    };
    let unused = Interface {
        id: id("eni-0b"),
        addresses: vec![],
        prefixes: BTreeSet::new(),
        requester: None,
        description: String::new(),
        instance: None,
        attached: false,
        kind: "lambda".into(),
        ..used.clone()
    };
    inventory.interfaces = [used, unused].into_iter().map(|it| (it.id.clone(), it)).collect();
    let instance = Instance {
        id: id("i-0a"),
        place: here(),
        state: "running".into(),
        interfaces: set(&["eni-0a"]),
        platform: text("windows"),
        tags: tags("web"),
    };
    let stopped = Instance {
        id: id("i-0b"),
        state: "stopped".into(),
        interfaces: BTreeSet::new(),
        platform: None,
        ..instance.clone()
    };
    inventory.instances = [instance, stopped].into_iter().map(|it| (it.id.clone(), it)).collect();
    let elastic = |public: &str, private: Option<&str>, interface: Option<&str>| ElasticAddress {
        public: public.parse().expect("an address"),
        private: private.map(|private| private.parse().expect("an address")),
        interface: interface.map(id),
        tags: tags("eip"),
    };
    for elastic in
        [elastic("203.0.113.9", Some("10.0.0.7"), Some("eni-0a")), elastic("203.0.113.10", None, None)]
    {
        inventory.elastic_addresses.insert(elastic.public, elastic);
    }
}

fn gateways(inventory: &mut Inventory) {
    for (gateway, vpc) in [("igw-0a", Some("vpc-0a")), ("igw-0b", None)] {
        let gateway = InternetGateway { id: id(gateway), vpc: vpc.map(id), tags: tags("igw") };
        inventory.internet_gateways.insert(gateway.id.clone(), gateway);
    }
    let egress = EgressOnlyGateway { id: id("eigw-0a"), vpc: Some(id("vpc-0a")), tags: Tags::new() };
    inventory.egress_only_gateways.insert(egress.id.clone(), egress);
    let nat = NatGateway {
        id: id("nat-0a"),
        vpc: id("vpc-0a"),
        subnet: id("subnet-0a"),
        state: "available".into(),
        public: true,
        private_address: Some([10, 0, 0, 9].into()),
        public_address: Some([203, 0, 113, 11].into()),
        interface: Some(id("eni-0b")),
        tags: Tags::new(),
    };
    let private = NatGateway {
        id: id("nat-0b"),
        public: false,
        private_address: None,
        public_address: None,
        interface: None,
        ..nat.clone()
    };
    inventory.nat_gateways = [nat, private].into_iter().map(|it| (it.id.clone(), it)).collect();
    for (gateway, vpc) in [("vgw-0a", Some("vpc-0a")), ("vgw-0b", None)] {
        let gateway = VpnGateway { id: id(gateway), vpc: vpc.map(id), tags: Tags::new() };
        inventory.vpn_gateways.insert(gateway.id.clone(), gateway);
    }
    let vpn = VpnConnection {
        id: id("vpn-0a"),
        gateway: Some(id("vgw-0a")),
        transit: None,
        state: "available".into(),
        routes: set(&["192.0.2.0/24"]),
        tags: Tags::new(),
    };
    let other = VpnConnection {
        id: id("vpn-0b"),
        gateway: None,
        transit: Some(id("tgw-0a")),
        routes: BTreeSet::new(),
        ..vpn.clone()
    };
    inventory.vpn_connections = [vpn, other].into_iter().map(|it| (it.id.clone(), it)).collect();
    let side = |vpc: &str, region: Option<&str>, cidrs: &[&str]| PeeringSide {
        vpc: id(vpc),
        owner: region.map(|_| "123456789012".into()),
        region: region.map(str::to_owned),
        cidrs: set(cidrs),
    };
    let peering = Peering {
        id: id("pcx-0a"),
        state: "active".into(),
        requester: side("vpc-0a", Some("eu-west-1"), &["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/56"]),
        accepter: side("vpc-9f", None, &[]),
        tags: tags("pcx"),
    };
    inventory.peerings.insert(peering.id.clone(), peering);
    let endpoint = Endpoint {
        id: id("vpce-0a"),
        vpc: id("vpc-0a"),
        kind: EndpointKind::Gateway,
        service: "com.amazonaws.eu-west-1.s3".into(),
        state: "available".into(),
        tables: set(&["rtb-0a"]),
        subnets: BTreeSet::new(),
        interfaces: BTreeSet::new(),
        groups: BTreeSet::new(),
        tags: Tags::new(),
    };
    let interface = Endpoint {
        id: id("vpce-0b"),
        kind: EndpointKind::Interface,
        tables: BTreeSet::new(),
        subnets: set(&["subnet-0a"]),
        interfaces: set(&["eni-0b"]),
        groups: set(&["sg-0a"]),
        ..endpoint.clone()
    };
    let others = [
        Endpoint { id: id("vpce-0c"), kind: EndpointKind::GatewayLoadBalancer, ..interface.clone() },
        Endpoint { id: id("vpce-0d"), kind: EndpointKind::Other("Resource".into()), ..interface.clone() },
    ];
    inventory.endpoints =
        [endpoint, interface].into_iter().chain(others).map(|it| (it.id.clone(), it)).collect();
}

fn transit(inventory: &mut Inventory) {
    for (gateway, group_references) in [("tgw-0a", true), ("tgw-0b", false)] {
        let gateway = TransitGateway {
            id: id(gateway),
            place: here(),
            state: "available".into(),
            group_references,
            tags: tags("tgw"),
        };
        inventory.transit_gateways.insert(gateway.id.clone(), gateway);
    }
    let vpc = Attachment {
        id: id("tgw-attach-0a"),
        gateway: id("tgw-0a"),
        to: AttachmentTarget::Vpc(id("vpc-0a")),
        state: "available".into(),
        table: Some(id("tgw-rtb-0a")),
        subnets: Some(set(&["subnet-0a"])),
        group_references: false,
        appliance_mode: true,
        tags: tags("a"),
    };
    let other = |name: &str, gateway: &str, to| Attachment {
        id: id(name),
        gateway: id(gateway),
        to,
        table: None,
        subnets: None,
        group_references: true,
        appliance_mode: false,
        ..vpc.clone()
    };
    for attachment in [
        other("tgw-attach-0b", "tgw-0a", AttachmentTarget::Vpn(id("vpn-0b"))),
        other("tgw-attach-0c", "tgw-0a", AttachmentTarget::DirectConnect("dx-1".into())),
        other("tgw-attach-0d", "tgw-0a", AttachmentTarget::Peer(id("tgw-0b"))),
        other("tgw-attach-0d", "tgw-0b", AttachmentTarget::Peer(id("tgw-0a"))),
        other("tgw-attach-0e", "tgw-0a", AttachmentTarget::Other("connect".into(), "tgw-attach-0b".into())),
        vpc,
    ] {
        inventory.attachments.insert((attachment.gateway.clone(), attachment.id.clone()), attachment);
    }
    let route = TransitRoute {
        cidr: id("10.0.0.0/16"),
        prefix_list: None,
        attachments: set(&["tgw-attach-0a", "tgw-attach-0b"]),
        propagated: true,
        blackhole: false,
    };
    let dropped = TransitRoute {
        prefix_list: Some(id("pl-0a")),
        attachments: BTreeSet::new(),
        propagated: false,
        blackhole: true,
        ..route.clone()
    };
    let table = TransitTable {
        id: id("tgw-rtb-0a"),
        gateway: id("tgw-0a"),
        routes: Some(vec![route, dropped]),
        propagations: set(&["tgw-attach-0a"]),
        tags: tags("rtb"),
    };
    let empty = TransitTable {
        id: id("tgw-rtb-0b"),
        gateway: id("tgw-0b"),
        routes: Some(vec![]),
        propagations: BTreeSet::new(),
        tags: Tags::new(),
    };
    inventory.transit_tables = [table, empty].into_iter().map(|it| (it.id.clone(), it)).collect();
}

const ELB: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012";

fn balancers(inventory: &mut Inventory) {
    let groups = |names: &[&str]| names.iter().map(|name| format!("{ELB}:targetgroup/{name}/1a")).collect();
    let listener = |protocol: &str, port, names: &[&str]| Listener {
        protocol: protocol.into(),
        port,
        target_groups: groups(names),
        instance_port: None,
    };
    let application = LoadBalancer {
        arn: format!("{ELB}:loadbalancer/app/web/1a"),
        name: "web".into(),
        place: here(),
        kind: LoadBalancerKind::Application,
        public: true,
        vpc: Some(id("vpc-0a")),
        subnets: set(&["subnet-0a", "subnet-0b"]),
        groups: set(&["sg-0a"]),
        host: text("web.example.org"),
        state: text("active"),
        cross_zone: Some(true),
        listeners: Some(vec![listener("HTTP", 80, &[]), listener("HTTPS", 443, &["web", "api"])]),
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
        arn: "old".into(),
        name: "old".into(),
        kind: LoadBalancerKind::Classic,
        state: None,
        cross_zone: None,
        listeners: Some(vec![Listener {
            protocol: "SSL".into(),
            port: 443,
            target_groups: BTreeSet::from(["old".into()]),
            instance_port: Some(8443),
        }]),
        ..application.clone()
    };
    inventory.load_balancers =
        [application, network, gateway, classic].into_iter().map(|it| (it.arn.clone(), it)).collect();
    let target = |id: &str, port, health: Option<&str>| Target {
        id: id.into(),
        port,
        health: health.map(str::to_owned),
    };
    let group = |name: &str, protocol: &str, kind: &str, preserves_client, targets| TargetGroup {
        arn: format!("{ELB}:targetgroup/{name}/1a"),
        name: name.into(),
        place: here(),
        vpc: (kind != "lambda").then(|| id("vpc-0a")),
        protocol: protocol.into(),
        port: (kind != "lambda").then_some(80),
        kind: kind.into(),
        preserves_client,
        targets: Some(targets),
    };
    let web = vec![target("i-0a", Some(8080), Some("healthy")), target("i-0b", None, None)];
    let instances = TargetGroup {
        arn: "old".into(),
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
        group("dns", "TCP_UDP", "ip", Some(true), vec![]),
        instances,
    ] {
        inventory.target_groups.insert(group.arn.clone(), group);
    }
}

fn services(inventory: &mut Inventory) {
    let key = |name: &str| (here(), name.to_owned());
    let database = Database {
        name: "orders".into(),
        arn: text("arn:aws:rds:eu-west-1:123456789012:db:orders"),
        place: here(),
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
        tags: Tags::new(),
        ..database.clone()
    };
    inventory.databases = [database, creating].into_iter().map(|it| (key(&it.name), it)).collect();
    let cluster = DatabaseCluster {
        name: "c".into(),
        arn: None,
        place: here(),
        status: "available".into(),
        subnet_group: text("private"),
        groups: set(&["sg-0a"]),
        host: text("c.example.org"),
        port: Some(5432),
        members: BTreeSet::from(["orders".into()]),
        tags: tags("c"),
    };
    inventory.database_clusters.insert(key("c"), cluster);
    let group = SubnetGroup {
        name: "private".into(),
        place: here(),
        vpc: Some(id("vpc-0a")),
        subnets: set(&["subnet-0a"]),
    };
    inventory.database_subnet_groups.insert(key("private"), group.clone());
    inventory.cache_subnet_groups.insert(key("private"), SubnetGroup { vpc: None, ..group });
    let proxy = DatabaseProxy {
        name: "p".into(),
        arn: text("arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-1"),
        place: here(),
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
    let cache = Cache {
        name: "sessions".into(),
        arn: None,
        place: here(),
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
        place: here(),
        vpc: Some(id("vpc-0a")),
        subnets: set(&["subnet-0a"]),
        groups: set(&["sg-0b"]),
    };
    inventory.functions.insert(key("f"), function);
    let service = ContainerService {
        arn: "arn:aws:ecs:eu-west-1:123456789012:service/k/s".into(),
        name: "s".into(),
        cluster: text("arn:aws:ecs:eu-west-1:123456789012:cluster/k"),
        place: here(),
        status: "ACTIVE".into(),
        subnets: set(&["subnet-0a"]),
        groups: set(&["sg-0b"]),
        public: true,
    };
    inventory.container_services.insert(service.arn.clone(), service);
    let task = ContainerTask {
        arn: "arn:aws:ecs:eu-west-1:123456789012:task/k/1".into(),
        place: here(),
        cluster: text("arn:aws:ecs:eu-west-1:123456789012:cluster/k"),
        group: text("service:s"),
        status: "RUNNING".into(),
        interfaces: set(&["eni-0b"]),
    };
    inventory.container_tasks.insert(task.arn.clone(), task);
}

/// The same inventory, with gaps in an order of their own and profiles forgotten.
fn sorted(mut inventory: Inventory) -> Inventory {
    for gap in &mut inventory.gaps {
        gap.place.profile = None;
    }
    let key = |gap: &Gap| (gap.place.clone(), gap.call.clone(), gap.why.clone(), gap.groups.clone());
    inventory.gaps.sort_by_key(key);
    inventory
}

fn saved(inventory: &Inventory) -> Inventory {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().join("account");
    save(inventory, &there, false).expect("saved");
    recorded(&there).expect("an account")
}

fn check(inventory: &Inventory) {
    same(&sorted(saved(inventory)), &sorted(inventory.clone()));
}

/// Says only what differs: a whole inventory fills many screens.
fn same(found: &Inventory, expected: &Inventory) {
    if found == expected {
        return;
    }
    let (found, expected) = (format!("{found:#?}"), format!("{expected:#?}"));
    let lines = |text: &str, other: &str| -> Vec<String> {
        let other: BTreeSet<&str> = other.lines().collect();
        text.lines().filter(|line| !other.contains(line)).take(20).map(str::to_owned).collect()
    };
    let (more, missing) = (lines(&found, &expected), lines(&expected, &found));
    panic!("found as well: {more:#?}\nmissing: {missing:#?}\nin all {} and {}", found.len(), expected.len());
}

fn gap(call: &str, place: Place, groups: &[&str]) -> Gap {
    let groups = groups.iter().map(|group| id(group)).collect();
    Gap { call: call.into(), place, groups, why: "AccessDenied: \"no\"".into() }
}

#[test]
fn every_kind_is_read_back_as_it_was() {
    let inventory = rich();
    check(&inventory);
    // The example has one of each, or it would show nothing.
    let shown = format!("{inventory:#?}");
    let empty: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("    ") && !line.starts_with("     "))
        .filter(|line| line.ends_with("{},"))
        .collect();
    assert_eq!(empty, [""; 0]);
}

#[test]
fn an_account_of_nothing_is_read_back() {
    let mut inventory = Inventory::default();
    inventory.vpcs.extend(rich().vpcs.into_iter().take(1));
    check(&inventory);
    let nothing =
        Inventory { gaps: vec![gap("the AWS configuration", Place::default(), &[])], ..Inventory::default() };
    check(&nothing);
}

#[test]
fn what_could_not_be_seen_is_still_not_seen() {
    for call in Call::ALL {
        let mut inventory = rich();
        inventory.gaps = vec![
            gap(call.action(), here(), &["sg-0a"]),
            gap("the AWS configuration", place(None, Some("mars-north-1")), &[]),
        ];
        // A call beside others of its kind that did answer.
        check(&inventory);
        unseen(&mut inventory, *call);
        check(&inventory);
    }
    let all = Call::ALL.iter().map(|call| gap(call.action(), here(), &[]));
    check(&Inventory { gaps: all.collect(), ..Inventory::default() });
}

/// Takes away what only that call tells.
fn unseen(inventory: &mut Inventory, call: Call) {
    let v2 = |balancer: &&mut LoadBalancer| balancer.kind != LoadBalancerKind::Classic;
    match call {
        Call::Vpcs => inventory.vpcs.clear(),
        Call::Subnets => inventory.subnets.clear(),
        Call::Interfaces => inventory.interfaces.retain(|_, it| it.instance.is_some()),
        Call::PrefixListEntries => inventory.prefix_lists.values_mut().for_each(|list| list.entries = None),
        Call::TransitRoutes => inventory.transit_tables.values_mut().for_each(|table| table.routes = None),
        Call::TransitVpcAttachments => inventory.attachments.values_mut().for_each(|attachment| {
            attachment.subnets = None;
            attachment.group_references = true;
            attachment.appliance_mode = false;
        }),
        Call::SecurityGroupRules => {
            inventory.groups.values_mut().flat_map(|it| it.rules.values_mut()).for_each(|rule| {
                rule.id = None;
                rule.tag = None;
            })
        }
        Call::SecurityGroups => inventory.groups.retain(|_, group| !group.rules.is_empty()),
        Call::Listeners => {
            inventory.load_balancers.values_mut().filter(v2).for_each(|it| it.listeners = None)
        }
        Call::LoadBalancerAttributes => {
            inventory.load_balancers.values_mut().for_each(|balancer| balancer.cross_zone = None);
        }
        Call::TargetHealth => {
            let groups = inventory.target_groups.values_mut().filter(|group| group.arn != "old");
            groups.for_each(|group| group.targets = None);
        }
        Call::TargetGroupAttributes => {
            let groups = inventory.target_groups.values_mut().filter(|group| group.arn != "old");
            groups.for_each(|group| group.preserves_client = None);
        }
        Call::DatabaseProxyTargets => {
            inventory.database_proxies.values_mut().for_each(|proxy| proxy.targets = None);
        }
        Call::BlockPublicAccess => inventory.block_public_access.clear(),
        _ => {}
    }
}

#[test]
fn a_profile_becomes_an_account() {
    let mut live = rich();
    let vpc = live.vpcs.values_mut().next().expect("a VPC");
    vpc.place.profile = text("prod");
    live.gaps = vec![gap("ec2:DescribeAddresses", Place { profile: text("prod"), ..here() }, &[])];
    let read = saved(&live);
    assert_eq!(read.vpcs, rich().vpcs);
    assert_eq!(read.gaps, [gap("ec2:DescribeAddresses", here(), &[])]);
}

#[test]
fn a_folder_is_written_whole_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().join("a/b");
    let files = save(&rich(), &there, false).expect("saved");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let region = there.join("accounts/123456789012/eu-west-1");
    assert_eq!((mode(&there), mode(&region)), (0o700, 0o700));
    let mut names: Vec<_> =
        fs::read_dir(&region).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    names.sort();
    assert!(names.iter().all(|path| mode(path) == 0o600), "{names:?}");
    assert!(names.contains(&region.join("ec2-describe-vpcs.json")), "{names:?}");
    assert!(files > names.len());
    // A second time only when asked for, and then nothing of the first remains.
    assert!(matches!(save(&rich(), &there, false), Err(NotSaved::NotEmpty(_))));
    fs::write(there.join("mine.json"), "{\"Vpcs\": [{\"VpcId\": \"vpc-99\"}]}").expect("a file");
    save(&rich(), &there, true).expect("saved");
    assert!(!there.join("mine.json").exists());
    assert_eq!(fs::read_dir(folder.path().join("a")).expect("a folder").count(), 1);
    same(&recorded(&there).expect("an account"), &rich());
}

#[test]
fn what_cannot_be_written_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "mine").expect("a file");
    assert!(matches!(save(&rich(), &file, true), Err(NotSaved::NotAFolder(_))));
    assert!(matches!(save(&rich(), &file.join("below"), true), Err(_)));
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
    for region in ["../eu-west-1", "/tmp/eu-west-1", "mars", ""] {
        let mut odd = rich();
        odd.vpcs.values_mut().for_each(|vpc| vpc.place = place(None, Some(region)));
        let there = folder.path().join("there");
        assert!(matches!(save(&odd, &there, true), Err(NotSaved::NotARegion(_))), "{region}");
        assert!(!there.exists());
    }
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    save(&rich(), &empty, false).expect("saved");
}
