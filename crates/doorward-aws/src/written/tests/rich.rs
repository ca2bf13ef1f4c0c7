//! An inventory with one or more of every kind, with and without what may be missing.

use std::collections::{BTreeMap, BTreeSet};

use doorward_core::inventory::{
    AccountRegion, AclEntry, BlockExclusion, BlockMode, BlockPublicAccess, Destination, Direction,
    DnsAttributes, ElasticAddress, Excepted, ExistingRule, GroupReference, Instance, Interface,
    InterfaceAddress, Inventory, NetworkAcl, Peer, PrefixList, Route, RouteTable, RouteTarget, RuleIdentity,
    SecurityGroup, Subnet, Tags, Vpc, Zone,
};

use super::{servers, ways_out};

/// One or more of every kind, with and without what may be missing.
pub(super) fn rich() -> Inventory {
    let mut inventory = Inventory::default();
    groups(&mut inventory);
    network(&mut inventory);
    interfaces(&mut inventory);
    ways_out::gateways(&mut inventory);
    ways_out::transit(&mut inventory);
    servers::balancers(&mut inventory);
    servers::services(&mut inventory);
    inventory
}

fn groups(inventory: &mut Inventory) {
    let rule = |direction, flow: &str, peer| RuleIdentity { direction, flow: id(flow), peer };
    let existing = |rule: &str, tag: Option<&str>| ExistingRule {
        id: Some(id(rule)),
        description: "a \"rule\", é".into(),
        tag: tag.map(str::to_owned),
    };
    let group = SecurityGroup {
        id: id("sg-0a"),
        account_region: here(),
        owner: text("123456789012"),
        vpc: Some(id("vpc-0a")),
        name: "db".into(),
        about: "databases".into(),
        tags: tags("db"),
        rules: BTreeMap::from([
            (rule(Direction::In, "tcp/5432", Peer::Group(id("sg-0b"))), existing("sgr-01", None)),
            (
                rule(Direction::In, "tcp/1-65535", Peer::Cidr(id("198.51.100.0/24"))),
                existing("sgr-02", Some("3f9c2a1b")),
            ),
            (rule(Direction::In, "icmp/8/0", Peer::Cidr(id("0.0.0.0/0"))), existing("sgr-03", Some(""))),
            (rule(Direction::In, "icmpv6", Peer::Cidr(id("2001:db8::/32"))), existing("sgr-04", None)),
            (rule(Direction::In, "proto/50", Peer::PrefixList(id("pl-0a"))), ExistingRule::default()),
            (rule(Direction::Out, "all", Peer::Cidr(id("::/0"))), existing("sgr-05", None)),
        ]),
    };
    let bare = SecurityGroup {
        id: id("sg-0b"),
        owner: None,
        vpc: None,
        name: String::new(),
        about: String::new(),
        tags: BTreeMap::new(),
        rules: BTreeMap::new(),
        ..group.clone()
    };
    let reference = GroupReference {
        owner: text("210987654321"),
        vpc: Some(id("vpc-0f")),
        peering: Some(id("pcx-0a")),
        peering_state: text("deleted"),
    };
    inventory.group_references = BTreeMap::from([((id("sg-0a"), id("sg-0b")), reference)]);
    inventory.groups = [group, bare].into_iter().map(|group| (group.id.clone(), group)).collect();
    inventory.incomplete_groups = set(&["sg-0b"]);
    inventory.rules_per_group = BTreeMap::from([(here(), 100)]);
    let list = PrefixList {
        id: id("pl-0a"),
        account_region: here(),
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
    let vpc = |name: &str, account_region: AccountRegion, cidrs: &[&str]| Vpc {
        id: id(name),
        account_region,
        owner: text("123456789012"),
        cidrs: set(cidrs),
        default: name == "vpc-0b",
        dns: DnsAttributes { support: Some(true), hostnames: (name == "vpc-0b").then_some(false) },
        tags: tags(name),
    };
    for vpc in [
        vpc("vpc-0a", here(), &["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/56"]),
        vpc("vpc-0b", account_region(Some("210987654321"), Some("us-east-1")), &["172.31.0.0/16"]),
        vpc("vpc-0c", account_region(None, Some("eu-central-1")), &["10.9.0.0/16"]),
        vpc("vpc-0d", account_region(None, None), &[]),
        vpc("vpc-0e", account_region(Some("123456789012"), None), &[]),
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
    for (id, name, is_availability_zone, is_usable) in [
        ("euw1-az1", Some("eu-west-1a"), true, true),
        ("euw1-lon1-az1", None, false, true),
        ("euw1-az9", None, true, false),
    ] {
        let zone = Zone {
            id: id.into(),
            name: name.map(str::to_owned),
            region: text("eu-west-1"),
            is_availability_zone,
            is_usable,
        };
        inventory.zones.insert((here(), id.to_owned()), zone);
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
    let elsewhere = account_region(Some("210987654321"), Some("us-east-1"));
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
        account_region: here(),
        state: "running".into(),
        interfaces: set(&["eni-0a"]),
        platform: text("windows"),
        image: None,
        size: None,
        profile: None,
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
        allocation: interface.map(|_| id("eipalloc-0a")),
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

pub(super) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

pub(super) fn set<T: std::str::FromStr<Err: std::fmt::Debug> + Ord>(texts: &[&str]) -> BTreeSet<T> {
    texts.iter().map(|text| id(text)).collect()
}

pub(super) fn account_region(account: Option<&str>, region: Option<&str>) -> AccountRegion {
    AccountRegion { profile: None, region: region.map(str::to_owned), account: account.map(id) }
}

pub(super) fn here() -> AccountRegion {
    account_region(Some("123456789012"), Some("eu-west-1"))
}

pub(super) fn tags(name: &str) -> Tags {
    BTreeMap::from([("Name".to_owned(), name.to_owned()), ("empty".to_owned(), String::new())])
}

pub(super) fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}
