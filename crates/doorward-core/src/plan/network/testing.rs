//! An account that somebody else made, random declarations for it, and what somebody does to it manually.

mod drift;
mod environments;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use proptest::prelude::*;

pub(crate) use drift::drift;
use environments::environment;

use super::Give;
use crate::inventory::*;
use crate::name::InstallationId;
use crate::net::{Cidr, Flow};
use crate::topology::*;

pub(crate) fn by() -> InstallationId {
    InstallationId::from_random([0x3f, 0x9c, 0x2a, 0x1b])
}

pub(crate) fn id<I: AnsweredId>(text: &str) -> I {
    I::answered(text).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn account_region() -> AccountRegion {
    AccountRegion { profile: None, region: Some("eu-west-1".into()), account: None }
}

pub(crate) fn cidr(text: &str) -> Cidr {
    text.parse().expect("a prefix")
}

pub(crate) fn zone(number: usize) -> ZoneId {
    format!("euw1-az{number}").parse().expect("a zone")
}

pub(crate) fn site(zones: usize) -> Site {
    let zones = (1..=zones).map(|number| (zone(number), format!("eu-west-1{number}"))).collect();
    Site {
        account_region: account_region(),
        by: by(),
        zones: Some(zones),
        has_all_zones: true,
        images: BTreeMap::new(),
    }
}

/// Gives ids as AWS does.
#[derive(Default)]
pub(crate) struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

impl Give for Numbers {
    fn id(&mut self, _: &str) -> Option<String> {
        // Ids of all kinds are texts here; what matters is that each is another.
        Some(format!("given-{:08x}", self.next()))
    }

    fn rule(&mut self) -> SecurityGroupRuleId {
        id(&format!("sgr-{:08x}", self.next()))
    }

    fn address(&mut self, _: Ipv4Addr) -> Option<Ipv4Addr> {
        Some(Ipv4Addr::from(0xcb00_7100 + self.next()))
    }
}

/// Leaves planned ids as they are, so that what comes out can be compared with what was wanted.
#[derive(Default)]
pub(crate) struct AsPlanned(Numbers);

impl Give for AsPlanned {
    fn id(&mut self, _: &str) -> Option<String> {
        None
    }

    fn rule(&mut self) -> SecurityGroupRuleId {
        self.0.rule()
    }

    fn address(&mut self, _: Ipv4Addr) -> Option<Ipv4Addr> {
        None
    }
}

/// An interface with one group.
pub(crate) fn interface(
    name: &str,
    subnet: &str,
    vpc: &str,
    group: &str,
    instance: Option<&str>,
) -> Interface {
    Interface {
        id: id(name),
        vpc: id(vpc),
        subnet: id(subnet),
        groups: [id(group)].into(),
        addresses: Vec::new(),
        prefixes: BTreeSet::new(),
        source_dest_check: true,
        kind: "interface".into(),
        requester: None,
        description: String::new(),
        instance: instance.map(id),
        attached: true,
        tags: Tags::new(),
    }
}

/// The default VPC of an account, with two of AWS's subnets, two instances, a database and a function.
pub(crate) fn account() -> Inventory {
    let mut account = Inventory::default();
    let vpc = Vpc {
        id: id("vpc-0d"),
        account_region: account_region(),
        owner: None,
        cidrs: [cidr("172.31.0.0/16")].into(),
        default: true,
        dns: DnsAttributes::default(),
        tags: Tags::new(),
    };
    let parts = DefaultParts { table: id("rtb-0d"), acl: id("acl-0d"), group: id("sg-0d") };
    parts.add(&mut account, &vpc);
    account.vpcs.insert(vpc.id.clone(), vpc);
    let gateway = InternetGateway { id: id("igw-0d"), vpc: Some(id("vpc-0d")), tags: Tags::new() };
    account.internet_gateways.insert(gateway.id.clone(), gateway);
    account.route_tables.get_mut("rtb-0d").expect("a table").routes.push(Route {
        destination: Destination::Cidr(cidr("0.0.0.0/0")),
        target: RouteTarget::InternetGateway(id("igw-0d")),
        propagated: false,
        blackhole: false,
    });
    for (name, prefix, number) in [("subnet-0d1", "172.31.0.0/20", 1), ("subnet-0d2", "172.31.16.0/20", 2)] {
        let subnet = Subnet {
            id: id(name),
            vpc: id("vpc-0d"),
            zone: None,
            zone_id: Some(zone(number).to_string()),
            cidrs: [cidr(prefix)].into(),
            tags: Tags::new(),
        };
        account.network_acls.get_mut("acl-0d").expect("an ACL").subnets.insert(subnet.id.clone());
        account.subnets.insert(subnet.id.clone(), subnet);
    }
    let group = SecurityGroup {
        id: id("sg-0web"),
        account_region: account_region(),
        owner: None,
        vpc: Some(id("vpc-0d")),
        name: "web-servers".into(),
        about: String::new(),
        tags: Tags::new(),
        rules: BTreeMap::new(),
    };
    account.groups.insert(group.id.clone(), group);
    for (instance, eni, subnet, group) in
        [("i-0a", "eni-0a", "subnet-0d1", "sg-0web"), ("i-0b", "eni-0b", "subnet-0d2", "sg-0d")]
    {
        let interface = interface(eni, subnet, "vpc-0d", group, Some(instance));
        let it = Instance {
            id: id(instance),
            account_region: account_region(),
            state: "running".into(),
            interfaces: [interface.id.clone()].into(),
            platform: None,
            image: None,
            size: None,
            profile: None,
            tags: [("service".to_owned(), instance.to_owned())].into(),
        };
        account.interfaces.insert(interface.id.clone(), interface);
        account.instances.insert(it.id.clone(), it);
    }
    let database = Database {
        name: "orders".into(),
        arn: None,
        account_region: account_region(),
        engine: "postgres".into(),
        status: "available".into(),
        vpc: Some(id("vpc-0d")),
        zone: None,
        subnets: [id("subnet-0d1"), id("subnet-0d2")].into(),
        groups: [id("sg-0d")].into(),
        public: false,
        host: None,
        port: Some(5432),
        cluster: None,
        settings: Default::default(),
        tags: Tags::new(),
    };
    account.databases.insert((account_region(), "orders".into()), database);
    let list = PrefixList {
        id: id("pl-0s3"),
        account_region: account_region(),
        name: "com.amazonaws.eu-west-1.s3".into(),
        entries: None,
        max_entries: None,
    };
    account.prefix_lists.insert(list.id.clone(), list);
    account
}

fn zones() -> impl Strategy<Value = Zones> {
    let some = prop::sample::subsequence(vec![1, 2, 3, 4], 1..=4);
    prop_oneof![
        (1..=4_u8).prop_map(Zones::Count),
        some.prop_map(|zones| Zones::These(zones.into_iter().map(zone).collect())),
    ]
}

fn network(name: &'static str) -> impl Strategy<Value = Network> {
    let services = vec!["dynamodb", "s3", "ssm", "ssmmessages"];
    let endpoints = prop::sample::subsequence(services, 0..=4);
    (zones(), prop::sample::select(Nat::ALL.to_vec()), endpoints).prop_map(move |(zones, nat, endpoints)| {
        Network {
            name: name.parse().expect("a name"),
            at: account_region(),
            vpc: match name {
                "main" => VpcChoice::Made(cidr("10.0.0.0/16")),
                "side" => VpcChoice::Made(cidr("10.1.0.0/18")),
                _ => VpcChoice::Default,
            },
            zones,
            subnet_bits: 21,
            nat,
            endpoints: endpoints.iter().map(|service| service.parse().expect("a service")).collect(),
        }
    })
}

fn flows() -> impl Strategy<Value = BTreeSet<Flow>> {
    prop::sample::subsequence(vec!["tcp/5432", "tcp/443", "icmp"], 1..=2)
        .prop_map(|flows| flows.iter().map(|flow| flow.parse().expect("a flow")).collect())
}

/// Whether a network has private subnets in two zones, which a database needs.
fn has_two_zones(network: &Network) -> bool {
    match &network.zones {
        Zones::Count(count) => *count > 1,
        Zones::These(zones) => zones.len() > 1,
    }
}

const ROLES: [&str; 4] = ["a", "b", "c", "d"];

/// A role in the first or the last network, with the numbers of those that it admits, what it reaches and where it is.
type Drawn = (bool, Vec<(usize, BTreeSet<Flow>)>, Option<BTreeSet<Flow>>, Vec<Carrier>);

fn role() -> impl Strategy<Value = Drawn> {
    let part = |name: &str, part| Carrier::Environment(name.parse().expect("a name"), part);
    let carriers = vec![
        Carrier::Instance(id("i-0a")),
        Carrier::Tag("service".into(), "i-0b".into()),
        Carrier::Database("orders".into()),
        Carrier::Function("missing".into()),
        part("main", EnvironmentPart::Instance),
        part("main", EnvironmentPart::Database),
        part("old", EnvironmentPart::Instance),
        part("old", EnvironmentPart::Database),
        part("main", EnvironmentPart::Balancer),
        part("old", EnvironmentPart::Balancer),
    ];
    (
        any::<bool>(),
        prop::collection::vec((0..6_usize, flows()), 0..4),
        prop::option::of(flows()),
        prop::sample::subsequence(carriers, 0..=10),
    )
}

/// Networks and roles for that account.
pub(crate) fn topology() -> impl Strategy<Value = Topology> {
    let networks = (
        prop::option::weighted(0.8, network("main")),
        prop::option::weighted(0.3, network("side")),
        prop::option::weighted(0.6, network("old")),
    );
    let roles = prop::collection::vec(prop::option::of(role()), ROLES.len());
    let environments = (prop::option::weighted(0.6, environment()), any::<prop::sample::Index>());
    (networks, roles, environments).prop_map(|((main, side, old), roles, (environment, home_of_it))| {
        let networks: BTreeMap<NetworkName, Network> =
            [main, side, old].into_iter().flatten().map(|it| (it.name.clone(), it)).collect();
        let able: Vec<NetworkName> =
            networks.values().filter(|it| has_two_zones(it)).map(|it| it.name.clone()).collect();
        let environments = environment.into_iter().filter(|_| !able.is_empty()).map(|environment| {
            let network = able[home_of_it.index(able.len())].clone();
            // Its database would be in the way of the same one in another network.
            let name: EnvironmentName = network.as_str().parse().expect("a name");
            (name.clone(), Environment { name, network, ..environment })
        });
        let environments: BTreeMap<EnvironmentName, Environment> = environments.collect();
        let name = |number: usize| -> RoleName { ROLES[number].parse().expect("a role") };
        let homes: Vec<NetworkName> = networks.keys().cloned().collect();
        let home = |first: bool| if first { homes.first() } else { homes.last() };
        let there: Vec<(usize, &NetworkName)> = roles
            .iter()
            .enumerate()
            .filter_map(|(number, role)| Some((number, home(role.as_ref()?.0)?)))
            .collect();
        let roles = roles.iter().enumerate().filter_map(|(number, role)| {
            let (first, admits, reaches, on) = role.as_ref()?;
            let network = home(*first)?.clone();
            let admits = admits.iter().filter_map(|(other, flows)| {
                let source = match other {
                    4 => Source::Outside(Outside::Internet),
                    5 => Source::Outside(Outside::Cidr(cidr("192.0.2.0/24"))),
                    other if there.contains(&(*other, &network)) => Source::Role(name(*other)),
                    _ => return None,
                };
                Some((source, flows.clone()))
            });
            let role = Role {
                group: None,
                name: name(number),
                network: network.clone(),
                admits: admits.collect(),
                reaches: reaches.iter().map(|flows| (Outside::Internet, flows.clone())).collect(),
                on: on.iter().filter(|it| fits(it, &network, &environments)).cloned().collect(),
            };
            Some((role.name.clone(), role))
        });
        let roles = roles.collect();
        Topology { networks, roles, environments }
    })
}

/// Whether a role of a network may be on something: an environment has the roles of its own network.
fn fits(
    carrier: &Carrier,
    network: &NetworkName,
    environments: &BTreeMap<EnvironmentName, Environment>,
) -> bool {
    match carrier {
        Carrier::Environment(name, EnvironmentPart::Balancer) => {
            environments.get(name).is_some_and(|it| it.network == *network && it.kind.prod().is_some())
        }
        Carrier::Environment(name, _) => environments.get(name).is_some_and(|it| it.network == *network),
        _ => true,
    }
}

/// What is not ours, of which nothing may change: without our groups where they are attached, without our subnets where AWS
/// lists them, and without the default groups that stand in for a last one.
pub(crate) fn foreign(account: &Inventory) -> Inventory {
    let by = by();
    let mut account = account.clone();
    let vpcs: BTreeSet<VpcId> =
        account.vpcs.values().filter(|it| it.owned(&by).is_some()).map(|it| it.id.clone()).collect();
    let in_ours = |vpc: &VpcId| vpcs.contains(vpc);
    let groups: BTreeSet<SecurityGroupId> = account
        .groups
        .values()
        .filter(|it| it.owned(&by).is_some() || it.name == "default")
        .map(|it| it.id.clone())
        .collect();
    let subnets: BTreeSet<SubnetId> =
        account.subnets.values().filter(|it| it.owned(&by).is_some()).map(|it| it.id.clone()).collect();
    account.vpcs.retain(|_, it| it.owned(&by).is_none());
    account.subnets.retain(|_, it| it.owned(&by).is_none());
    account.route_tables.retain(|_, it| it.owned(&by).is_none() && !in_ours(&it.vpc));
    account.network_acls.retain(|_, it| !in_ours(&it.vpc));
    account.internet_gateways.retain(|_, it| it.owned(&by).is_none());
    account.nat_gateways.retain(|_, it| it.owned(&by).is_none());
    account.elastic_addresses.retain(|_, it| it.owned(&by).is_none());
    account.endpoints.retain(|_, it| it.owned(&by).is_none());
    account.groups.retain(|_, it| it.owned(&by).is_none() && !it.vpc.as_ref().is_some_and(in_ours));
    account.database_subnet_groups.retain(|_, it| it.owned(&by).is_none());
    let instances: BTreeSet<InstanceId> =
        account.instances.values().filter(|it| it.owned(&by).is_some()).map(|it| it.id.clone()).collect();
    account.interfaces.retain(|_, it| !it.instance.as_ref().is_some_and(|it| instances.contains(it)));
    account.instances.retain(|_, it| it.owned(&by).is_none());
    account.databases.retain(|_, it| it.owned(&by).is_none());
    account.load_balancers.retain(|_, it| it.owned(&by).is_none());
    account.target_groups.retain(|_, it| it.owned(&by).is_none());
    account.launch_templates.retain(|_, it| it.owned(&by).is_none());
    account.scaling_groups.retain(|_, it| it.owned(&by).is_none());
    account.database_snapshots.retain(|_, it| it.owned(&by).is_none());
    account.network_acls.values_mut().for_each(|it| it.subnets.retain(|it| !subnets.contains(it)));
    account.route_tables.values_mut().for_each(|it| it.subnets.retain(|it| !subnets.contains(it)));
    account.interfaces.values_mut().for_each(|it| it.groups.retain(|it| !groups.contains(it)));
    account.databases.values_mut().for_each(|it| it.groups.retain(|it| !groups.contains(it)));
    account
}

/// Without what only AWS can know: ids of rules; and routes in one order.
pub(crate) fn comparable(account: &Inventory) -> Inventory {
    let mut account = account.clone();
    account.groups.values_mut().flat_map(|it| it.rules.values_mut()).for_each(|it| it.id = None);
    account
        .route_tables
        .values_mut()
        .for_each(|it| it.routes.sort_by_key(|route| (route.destination.clone(), route.target.clone())));
    account
}
