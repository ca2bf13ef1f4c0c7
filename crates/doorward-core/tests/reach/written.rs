//! Accounts written as lines of text: short enough to read, and what a failing random account is shown as.
//!
//! ```text
//! vpc vpc-1 10.0.0.0/16 2001:db8:1::/56 in us-east-1 nodns nohostnames
//! subnet subnet-a vpc-1 a 10.0.1.0/24
//! group sg-a vpc-1
//! sg-a in tcp/5432 sg-b peering=deleted
//! eni eni-a subnet-a 10.0.1.10=203.0.113.10 2001:db8:1:1::10 sg-a kind=lambda prefix=10.0.1.32/28 forwards detached
//! instance i-a eni-a Name=web aws:autoscaling:groupName=web state=stopped
//! rds orders eni-a public
//! cluster aurora orders writer=orders
//! custom reports aurora only orders reader
//! balancer shop eni-a public tcp/443
//! function fn subnet-a sg-a
//! service api staging eni-a
//! bridged api staging
//! cache sess-1 eni-a group=sess
//! replicated sess sess-1 sess-2 primary=sess-1
//! serverless carts subnet-a sg-a
//! proxyendpoint px-ro subnet-a sg-a
//! list pl-a 198.51.100.0/24
//! list pl-b unseen
//! acl acl-a vpc-1 subnet-a              default
//! acl-a in 100 allow tcp/22 0.0.0.0/0
//! table rtb-a vpc-1 main subnet-a igw-1
//! rtb-a 0.0.0.0/0 igw-1 propagated blackhole
//! igw igw-1 vpc-1
//! eigw eigw-1 vpc-1
//! vgw vgw-1 vpc-1
//! vpn vpn-1 vgw-1 192.168.0.0/16 up down
//! nat nat-1 subnet-a 10.0.1.5=203.0.113.5 private pending
//! nat nat-2 vpc-1 203.0.113.6 rtb-a
//! pcx pcx-1 vpc-1 vpc-2 pending resolves
//! pcx pcx-2 vpc-1 vpc-unrecorded 10.9.0.0/16
//! tgw tgw-1 references
//! attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-a mute pending
//! attach tgw-attach-2 tgw-1 connect-1 tgw-rtb-1
//! tgwtable tgw-rtb-1 tgw-1
//! tgw-rtb-1 10.1.0.0/16 tgw-attach-2 propagated blackhole
//! vpce vpce-1 vpc-1 gateway pending
//! vpce vpce-2 vpc-1 interface eni-e state=failed
//! block eu-west-1 ingress
//! except eu-west-1 subnet-a both
//! ```
//!
//! Load balancers have lines of their own, in `balancers`.
//!
//! A VPC without a default ACL gets one that admits all, one without a main table an empty one.

mod balancers;
mod services;

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use doorward_core::inventory::*;
use doorward_core::net::{Cidr, Flow};

/// Reads an account; a mistake in it is a mistake in the test.
pub fn account(text: &str) -> Inventory {
    let mut inventory = Inventory::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [kind, id, rest @ ..] => Line { line, id, rest }.add(kind, &mut inventory),
            [_] => panic!("a word alone: {line}"),
        }
    }
    complete(&mut inventory);
    inventory
}

/// What every VPC has, written or not.
fn complete(inventory: &mut Inventory) {
    let vpcs: Vec<VpcId> = inventory.vpcs.keys().cloned().collect();
    for vpc in vpcs {
        let suffix: String = vpc.as_str().chars().filter(|letter| letter.is_ascii_digit()).collect();
        if !inventory.network_acls.values().any(|acl| acl.vpc == vpc && acl.default) {
            let id: NetworkAclId = format!("acl-default{suffix}").parse().expect("an id");
            let mut acl = network_acl(id.clone(), vpc.clone());
            acl.default = true;
            for direction in [Direction::In, Direction::Out] {
                for (number, cidr) in [(100, "0.0.0.0/0"), (101, "::/0")] {
                    let cidr = cidr.parse().expect("a prefix");
                    acl.entries.push(AclEntry { number, direction, cidr, flow: Flow::All, allow: true });
                }
            }
            inventory.network_acls.insert(id, acl);
        }
        if !inventory.route_tables.values().any(|table| table.vpc == vpc && table.main) {
            let id: RouteTableId = format!("rtb-main{suffix}").parse().expect("an id");
            let mut table = route_table(id.clone(), vpc);
            table.main = true;
            inventory.route_tables.insert(id, table);
        }
    }
}

fn network_acl(id: NetworkAclId, vpc: VpcId) -> NetworkAcl {
    NetworkAcl {
        id,
        vpc,
        default: false,
        subnets: BTreeSet::new(),
        entries: Vec::new(),
        incomplete: false,
        tags: Tags::new(),
    }
}

fn route_table(id: RouteTableId, vpc: VpcId) -> RouteTable {
    RouteTable {
        id,
        vpc,
        main: false,
        subnets: BTreeSet::new(),
        gateways: BTreeSet::new(),
        routes: Vec::new(),
        incomplete: false,
        tags: Tags::new(),
    }
}

fn account_region(region: &str) -> AccountRegion {
    AccountRegion { region: Some(region.into()), ..AccountRegion::default() }
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.into(), value.into())
}

/// A line behind its first word.
struct Line<'a> {
    line: &'a str,
    id: &'a str,
    rest: &'a [&'a str],
}

impl Line<'_> {
    fn read<T: FromStr<Err: fmt::Debug>>(&self, word: &str) -> T {
        word.parse().unwrap_or_else(|error| panic!("`{word}` in `{}`: {error:?}", self.line))
    }

    fn id<T: FromStr<Err: fmt::Debug>>(&self) -> T {
        self.read(self.id)
    }

    fn at<T: FromStr<Err: fmt::Debug>>(&self, account_region: usize) -> T {
        self.read(self.word(account_region))
    }

    fn word(&self, account_region: usize) -> &str {
        self.rest.get(account_region).unwrap_or_else(|| panic!("too short: {}", self.line))
    }

    fn says(&self, word: &str) -> bool {
        self.rest.contains(&word)
    }

    /// The words that can be read so.
    fn all<T: FromStr, C: FromIterator<T>>(&self) -> C {
        self.rest.iter().filter_map(|word| word.parse().ok()).collect()
    }

    /// What stands behind `KEY=`.
    fn value(&self, key: &str) -> Option<&str> {
        self.rest.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn state(&self, good: &str) -> String {
        let named = self.rest.iter().find_map(|word| word.strip_prefix("state="));
        named.unwrap_or(if self.says("pending") { "pending" } else { good }).into()
    }

    fn add(&self, kind: &str, inventory: &mut Inventory) {
        match kind {
            "vpc" => self.vpc(inventory),
            "subnet" => self.subnet(inventory),
            "group" => self.group(inventory),
            "eni" => self.interface(inventory),
            "instance" => self.instance(inventory),
            "rds" => self.database(inventory),
            "service" => self.service(inventory),
            "bridged" => self.bridged(inventory),
            "cluster" | "custom" | "cache" | "replicated" | "serverless" | "proxyendpoint" | "balancer"
            | "function" => {
                self.named_service(kind, inventory);
            }
            "list" => {
                let list = PrefixList {
                    id: self.id(),
                    account_region: AccountRegion::default(),
                    name: String::new(),
                    entries: (!self.says("unseen")).then(|| self.all()),
                    max_entries: None,
                };
                inventory.prefix_lists.insert(list.id.clone(), list);
            }
            "acl" => {
                let mut acl = network_acl(self.id(), self.at(0));
                acl.subnets = self.all();
                acl.default = self.says("default");
                inventory.network_acls.insert(acl.id.clone(), acl);
            }
            "table" => {
                let mut table = route_table(self.id(), self.at(0));
                table.subnets = self.all();
                table.main = self.says("main");
                let gateways =
                    self.rest.iter().filter(|word| word.starts_with("igw-") || word.starts_with("vgw-"));
                table.gateways = gateways.map(|&word| word.to_owned()).collect();
                inventory.route_tables.insert(table.id.clone(), table);
            }
            "igw" => {
                let gateway = InternetGateway { id: self.id(), vpc: self.one(), tags: Tags::new() };
                inventory.internet_gateways.insert(gateway.id.clone(), gateway);
            }
            "eigw" => {
                let gateway = EgressOnlyGateway { id: self.id(), vpc: self.one(), tags: Tags::new() };
                inventory.egress_only_gateways.insert(gateway.id.clone(), gateway);
            }
            "vgw" => {
                let gateway = VpnGateway { id: self.id(), vpc: self.one(), tags: Tags::new() };
                inventory.vpn_gateways.insert(gateway.id.clone(), gateway);
            }
            "vpn" => {
                let connection = VpnConnection {
                    id: self.id(),
                    gateway: self.one(),
                    transit: self.one(),
                    state: self.state("available"),
                    routes: self.all(),
                    tunnels: self.tunnels(),
                    tags: Tags::new(),
                };
                inventory.vpn_connections.insert(connection.id.clone(), connection);
            }
            "nat" => self.nat(inventory),
            "pcx" => self.peering(inventory),
            "tgw" => {
                let gateway = TransitGateway {
                    id: self.id(),
                    account_region: AccountRegion::default(),
                    state: "available".into(),
                    group_references: self.says("references"),
                    tags: Tags::new(),
                };
                inventory.transit_gateways.insert(gateway.id.clone(), gateway);
            }
            "attach" => self.attachment(inventory),
            "tgwtable" => {
                let table = TransitTable {
                    id: self.id(),
                    gateway: self.at(0),
                    routes: Some(Vec::new()),
                    propagations: BTreeSet::new(),
                    tags: Tags::new(),
                };
                inventory.transit_tables.insert(table.id.clone(), table);
            }
            "vpce" => self.endpoint(inventory),
            "block" => {
                let mode = match self.word(0) {
                    "both" => BlockMode::Bidirectional,
                    "ingress" => BlockMode::Ingress,
                    _ => panic!("no mode: {}", self.line),
                };
                inventory.block_public_access.entry(account_region(self.id)).or_default().mode = mode;
            }
            "except" => {
                let of = match self.one() {
                    Some(vpc) => Excepted::Vpc(vpc),
                    None => Excepted::Subnet(self.at(0)),
                };
                let block = inventory.block_public_access.entry(account_region(self.id)).or_default();
                block.exclusions.push(BlockExclusion { of, both_ways: self.says("both") });
            }
            _ if kind.starts_with("sg-") => self.rule(kind, inventory),
            _ if kind.starts_with("acl-") => self.entry(kind, inventory),
            _ if kind.starts_with("rtb-") => self.route(kind, inventory),
            _ if kind.starts_with("tgw-rtb-") => self.transit_route(kind, inventory),
            _ if self.of_balancers(kind, inventory) => {}
            _ => panic!("what is this? {}", self.line),
        }
    }

    /// The first word that can be read so.
    fn one<T: FromStr>(&self) -> Option<T> {
        self.rest.iter().find_map(|word| word.parse().ok())
    }

    fn vpc(&self, inventory: &mut Inventory) {
        let place_of = self.rest.iter().position(|word| *word == "in");
        let region = place_of.map_or("eu-west-1", |at| self.word(at + 1));
        let known = |attribute: &str| self.says(&format!("no{attribute}")).then_some(false);
        let vpc = Vpc {
            id: self.id(),
            account_region: account_region(region),
            owner: None,
            cidrs: self.all(),
            default: false,
            dns: DnsAttributes { support: known("dns"), hostnames: known("hostnames") },
            tags: Tags::new(),
        };
        inventory.vpcs.insert(vpc.id.clone(), vpc);
    }

    fn subnet(&self, inventory: &mut Inventory) {
        let vpc: VpcId = self.at(0);
        let region = inventory.vpcs[&vpc].account_region.region.clone().unwrap_or_default();
        let (zone, named) = match self.word(1).strip_suffix('?') {
            Some(zone) => (zone, true),
            None => (self.word(1), false),
        };
        let subnet = Subnet {
            id: self.id(),
            vpc,
            zone: Some(format!("{region}{zone}")),
            zone_id: (!named).then(|| format!("{region}-az-{zone}")),
            cidrs: self.all(),
            tags: Tags::new(),
        };
        inventory.subnets.insert(subnet.id.clone(), subnet);
    }

    fn group(&self, inventory: &mut Inventory) {
        let group = SecurityGroup {
            id: self.id(),
            account_region: AccountRegion::default(),
            owner: None,
            vpc: self.one(),
            name: self.id.into(),
            about: String::new(),
            tags: Default::default(),
            rules: Default::default(),
        };
        inventory.groups.insert(group.id.clone(), group);
    }

    /// The interface that a line names, and the Region that it is in.
    fn home<'i>(&self, inventory: &'i mut Inventory) -> (&'i mut Interface, String) {
        let id: InterfaceId = self.one().unwrap_or_else(|| panic!("on which interface? {}", self.line));
        let Inventory { interfaces, vpcs, .. } = inventory;
        let interface = interfaces.get_mut(&id).unwrap_or_else(|| panic!("no interface: {}", self.line));
        let region = vpcs[&interface.vpc].account_region.region.clone().unwrap_or_default();
        (interface, region)
    }

    /// An RDS instance with the interface that RDS made for it.
    fn database(&self, inventory: &mut Inventory) {
        let (interface, region) = self.home(inventory);
        interface.requester = Some("amazon-rds".into());
        let database = Database {
            name: self.id.into(),
            arn: Some(format!("arn:aws:rds:{region}:111111111111:db:{}", self.id)),
            account_region: account_region(&region),
            engine: "postgres".into(),
            status: "available".into(),
            vpc: Some(interface.vpc.clone()),
            zone: None,
            subnets: [interface.subnet.clone()].into(),
            groups: interface.groups.clone(),
            public: self.says("public"),
            host: Some(format!("{}.{region}.rds.amazonaws.com", self.id)),
            port: Some(5432),
            cluster: None,
            settings: Default::default(),
            tags: Tags::new(),
        };
        inventory.databases.insert((database.account_region.clone(), database.name.clone()), database);
    }

    /// A service of ECS whose tasks use the interfaces of their instances.
    fn bridged(&self, inventory: &mut Inventory) {
        let arn = |kind: &str, name: &str| format!("arn:aws:ecs:eu-west-1:111111111111:{kind}/{name}");
        let cluster = self.word(0);
        let service = ContainerService {
            arn: arn("service", &format!("{cluster}/{}", self.id)),
            name: self.id.into(),
            cluster: Some(arn("cluster", cluster)),
            account_region: account_region("eu-west-1"),
            status: "ACTIVE".into(),
            subnets: BTreeSet::new(),
            groups: BTreeSet::new(),
            public: false,
            network: TaskNetwork::ContainerInstance,
            controller: DeploymentController::Ecs,
        };
        inventory.container_services.insert(service.arn.clone(), service);
    }

    /// A service of ECS with one task.
    fn service(&self, inventory: &mut Inventory) {
        let (interface, region) = self.home(inventory);
        let (id, subnet, groups) = (interface.id.clone(), interface.subnet.clone(), interface.groups.clone());
        let cluster = self.word(0);
        let arn = |kind: &str, name: &str| format!("arn:aws:ecs:{region}:111111111111:{kind}/{name}");
        let service = ContainerService {
            arn: arn("service", &format!("{cluster}/{}", self.id)),
            name: self.id.into(),
            cluster: Some(arn("cluster", cluster)),
            account_region: account_region(&region),
            status: "ACTIVE".into(),
            subnets: [subnet].into(),
            groups,
            public: false,
            network: TaskNetwork::AwsVpc,
            controller: DeploymentController::Ecs,
        };
        let task = ContainerTask {
            arn: arn("task", &format!("{cluster}/{id}")),
            account_region: service.account_region.clone(),
            cluster: service.cluster.clone(),
            group: Some(format!("service:{}", self.id)),
            status: "RUNNING".into(),
            interfaces: [id].into(),
        };
        inventory.container_services.insert(service.arn.clone(), service);
        inventory.container_tasks.insert(task.arn.clone(), task);
    }

    fn rule(&self, group: &str, inventory: &mut Inventory) {
        let direction = match self.id {
            "in" => Direction::In,
            "out" => Direction::Out,
            _ => panic!("in or out? {}", self.line),
        };
        let peer = match self.word(1) {
            word if word.starts_with("sg-") => Peer::Group(self.read(word)),
            word if word.starts_with("pl-") => Peer::PrefixList(self.read(word)),
            word => Peer::Cidr(self.read(word)),
        };
        if let (Peer::Group(peer), Some(state)) = (&peer, self.value("peering")) {
            let reference =
                GroupReference { peering_state: Some(state.to_owned()), ..GroupReference::default() };
            inventory.group_references.insert((self.read(group), peer.clone()), reference);
        }
        let rule = RuleIdentity { direction, flow: self.at(0), peer };
        let group = inventory.groups.get_mut(group).unwrap_or_else(|| panic!("no group: {}", self.line));
        group.rules.insert(rule, ExistingRule::default());
    }

    /// `10.0.0.1=203.0.113.1`, or an address without a public one.
    fn addresses(&self) -> Vec<InterfaceAddress> {
        let address = |word: &&str| {
            let (own, public) = word.split_once('=').unwrap_or((word, ""));
            Some(InterfaceAddress { address: own.parse().ok()?, public: public.parse().ok() })
        };
        self.rest.iter().filter_map(address).collect()
    }

    fn interface(&self, inventory: &mut Inventory) {
        let subnet: SubnetId = self.at(0);
        let kind = self.rest.iter().find_map(|word| word.strip_prefix("kind=")).unwrap_or("interface");
        let interface = Interface {
            id: self.id(),
            vpc: inventory.subnets[&subnet].vpc.clone(),
            subnet,
            groups: self.all(),
            addresses: self.addresses(),
            prefixes: self
                .rest
                .iter()
                .filter_map(|word| word.strip_prefix("prefix=")?.parse().ok())
                .collect(),
            source_dest_check: !self.says("forwards"),
            kind: kind.into(),
            requester: None,
            description: String::new(),
            instance: None,
            attached: !self.says("detached"),
            tags: Tags::new(),
        };
        inventory.interfaces.insert(interface.id.clone(), interface);
    }

    fn instance(&self, inventory: &mut Inventory) {
        let instance = Instance {
            id: self.id(),
            account_region: AccountRegion::default(),
            state: self.value("state").unwrap_or("running").into(),
            interfaces: self.all(),
            platform: None,
            image: None,
            size: None,
            profile: None,
            tags: self.rest.iter().filter_map(|word| word.split_once('=')).map(owned).collect(),
        };
        for interface in &instance.interfaces {
            if let Some(interface) = inventory.interfaces.get_mut(interface) {
                interface.instance = Some(instance.id.clone());
            }
        }
        inventory.instances.insert(instance.id.clone(), instance);
    }

    fn entry(&self, acl: &str, inventory: &mut Inventory) {
        let entry = AclEntry {
            number: self.at(0),
            direction: if self.id == "in" { Direction::In } else { Direction::Out },
            cidr: self.at(3),
            flow: self.at(2),
            allow: self.word(1) == "allow",
        };
        let acl = inventory.network_acls.get_mut(acl).unwrap_or_else(|| panic!("no ACL: {}", self.line));
        acl.entries.push(entry);
    }

    fn route(&self, table: &str, inventory: &mut Inventory) {
        let destination = match self.id {
            id if id.starts_with("pl-") => Destination::PrefixList(self.id()),
            _ => Destination::Cidr(self.id()),
        };
        let word = self.word(0);
        let target = match word.split('-').next().unwrap_or_default() {
            "local" => RouteTarget::Local,
            "igw" => RouteTarget::InternetGateway(self.read(word)),
            "eigw" => RouteTarget::EgressOnlyGateway(self.read(word)),
            "nat" => RouteTarget::NatGateway(self.read(word)),
            "eni" => RouteTarget::Interface(self.read(word)),
            "i" => RouteTarget::Instance(self.read(word)),
            "pcx" => RouteTarget::Peering(self.read(word)),
            "tgw" => RouteTarget::TransitGateway(self.read(word)),
            "vgw" => RouteTarget::VpnGateway(self.read(word)),
            "vpce" => RouteTarget::Endpoint(self.read(word)),
            _ => RouteTarget::Other(word.into()),
        };
        let (propagated, blackhole) = (self.says("propagated"), self.says("blackhole"));
        let table =
            inventory.route_tables.get_mut(table).unwrap_or_else(|| panic!("no table: {}", self.line));
        table.routes.push(Route { destination, target, propagated, blackhole });
    }

    /// Two, as far as the words `up` and `down` tell of them.
    fn tunnels(&self) -> Vec<VpnTunnel> {
        let told = self.rest.iter().filter(|word| matches!(**word, "up" | "down"));
        told.map(|word| VpnTunnel {
            outside: "198.51.100.1".into(),
            up: *word == "up",
            message: String::new(),
        })
        .collect()
    }

    /// One in every zone of a VPC, with a route table of its own where one is named.
    fn regional_nat(&self, inventory: &mut Inventory) {
        let nat = NatGateway {
            id: self.id(),
            vpc: self.at(0),
            availability: NatAvailability::Regional(self.one()),
            state: self.state("available"),
            public: true,
            private_address: None,
            public_address: self.one(),
            interface: None,
            tags: Tags::new(),
        };
        inventory.nat_gateways.insert(nat.id.clone(), nat);
    }

    fn nat(&self, inventory: &mut Inventory) {
        if self.word(0).starts_with("vpc-") {
            return self.regional_nat(inventory);
        }
        let subnet: SubnetId = self.at(0);
        let (private, public) = self.word(1).split_once('=').unwrap_or((self.word(1), ""));
        let nat = NatGateway {
            id: self.id(),
            vpc: inventory.subnets[&subnet].vpc.clone(),
            availability: NatAvailability::Zonal(subnet),
            state: self.state("available"),
            public: !self.says("private"),
            private_address: Some(self.read(private)),
            public_address: public.parse::<Ipv4Addr>().ok(),
            interface: None,
            tags: Tags::new(),
        };
        inventory.nat_gateways.insert(nat.id.clone(), nat);
    }

    fn peering(&self, inventory: &mut Inventory) {
        let side = |vpc: VpcId| {
            let seen = inventory.vpcs.get(&vpc);
            PeeringSide {
                owner: None,
                region: seen.map_or(Some("eu-west-1".into()), |seen| seen.account_region.region.clone()),
                cidrs: seen.map_or_else(|| self.all(), |seen| seen.cidrs.clone()),
                resolves: self.says("resolves"),
                vpc,
            }
        };
        let peering = Peering {
            id: self.id(),
            state: self.state("active"),
            requester: side(self.at(0)),
            accepter: side(self.at(1)),
            tags: Tags::new(),
        };
        inventory.peerings.insert(peering.id.clone(), peering);
    }

    fn attachment(&self, inventory: &mut Inventory) {
        let word = self.word(1);
        let to = match word.split('-').next().unwrap_or_default() {
            "vpc" => AttachmentTarget::Vpc(self.read(word)),
            "vpn" => AttachmentTarget::Vpn(self.read(word)),
            "tgw" => AttachmentTarget::Peer(self.read(word)),
            "connect" => AttachmentTarget::Other("connect".into(), word.into()),
            _ => AttachmentTarget::DirectConnect(word.into()),
        };
        let attachment = Attachment {
            id: self.id(),
            gateway: self.at(0),
            to,
            state: self.state("available"),
            table: self.one(),
            subnets: Some(self.all()),
            group_references: !self.says("mute"),
            appliance_mode: self.says("appliance"),
            tags: Tags::new(),
        };
        inventory.attachments.insert((attachment.gateway.clone(), attachment.id.clone()), attachment);
    }

    fn transit_route(&self, table: &str, inventory: &mut Inventory) {
        let route = TransitRoute {
            cidr: self.id::<Cidr>(),
            prefix_list: None,
            attachments: self.all(),
            propagated: self.says("propagated"),
            blackhole: self.says("blackhole"),
        };
        let table =
            inventory.transit_tables.get_mut(table).unwrap_or_else(|| panic!("no table: {}", self.line));
        table.routes.get_or_insert_default().push(route);
    }

    fn endpoint(&self, inventory: &mut Inventory) {
        let kind = match self.word(1) {
            "gateway" => EndpointKind::Gateway,
            "interface" => EndpointKind::Interface,
            "inspection" => EndpointKind::GatewayLoadBalancer,
            other => EndpointKind::Other(other.into()),
        };
        let endpoint = Endpoint {
            id: self.id(),
            vpc: self.at(0),
            kind,
            service: "com.amazonaws.eu-west-1.s3".into(),
            state: self.state("available"),
            tables: BTreeSet::new(),
            subnets: BTreeSet::new(),
            interfaces: self.all(),
            groups: BTreeSet::new(),
            tags: Tags::new(),
        };
        inventory.endpoints.insert(endpoint.id.clone(), endpoint);
    }
}
