//! VPCs of three zones: public and private subnets, routes, gateways, peerings, network ACLs.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use doorward_core::inventory::{
    AclEntry, Destination, Direction, DnsAttributes, EgressOnlyGateway, ElasticAddress, Endpoint,
    EndpointKind, Interface, InterfaceAddress, InternetGateway, Inventory, NatAvailability, NatGateway,
    NetworkAcl, Peering, PeeringSide, PrefixList, PrefixListId, Route, RouteTable, RouteTarget, Subnet,
    SubnetId, Tags, Vpc, VpcId,
};
use doorward_core::net::{Cidr, Family, Flow, Icmp, Ports};

use super::{Shape, ZONES, account_region, id, named};

/// The first address of a subnet that is free: AWS keeps four, and a NAT gateway may have the next.
const FIRST: u32 = 5;

/// Prefix lists of a shop's own, with their entries.
const LISTS: [(&str, &[&str]); 3] = [
    ("offices", &["198.51.100.0/24", "203.0.113.0/25", "192.0.2.16/28", "2001:db8:f0::/48"]),
    (
        "partners",
        &["203.0.113.128/28", "203.0.113.160/27", "192.0.2.64/29", "198.18.7.0/24", "192.0.2.200/32"],
    ),
    ("bastions", &["10.0.0.8/30", "10.0.8.8/30"]),
];

/// A VPC, and what the rest of the account is laid out by.
pub struct Site {
    /// Which it is.
    pub number: usize,
    /// Its id.
    pub vpc: VpcId,
    /// Its prefixes: IPv4, then IPv6.
    pub cidrs: [Cidr; 2],
    /// Its subnets.
    pub nets: Vec<Net>,
}

/// A subnet.
pub struct Net {
    /// Which of its VPC it is.
    pub number: usize,
    /// Its id.
    pub id: SubnetId,
    /// Whether its interfaces have public addresses.
    pub public: bool,
    /// Its prefixes: IPv4, and IPv6 in every other.
    pub cidrs: Vec<Cidr>,
    tier: usize,
    zone: usize,
}

impl Net {
    /// The address of one of its hosts.
    pub fn host(&self, number: u32) -> Ipv4Addr {
        let IpAddr::V4(first) = self.cidrs[0].address() else { unreachable!("IPv4 comes first") };
        let host = Ipv4Addr::from(u32::from(first) + FIRST + number);
        assert!(self.cidrs[0].contains(IpAddr::V4(host)), "subnet {} is full", self.id);
        host
    }

    /// Likewise of IPv6, where the subnet has that.
    pub fn host_v6(&self, number: u32) -> Option<Ipv6Addr> {
        self.cidrs.iter().find_map(|cidr| match cidr.address() {
            IpAddr::V6(first) => Some(Ipv6Addr::from(u128::from(first) + u128::from(FIRST + number))),
            IpAddr::V4(_) => None,
        })
    }

    fn acl(&self) -> Acl {
        match (self.public, self.tier, self.zone) {
            (true, ..) | (_, 3, _) => Acl::Default,
            (_, 2, _) | (.., 2) => Acl::Narrow,
            _ => Acl::Wide,
        }
    }
}

/// Which network ACL a subnet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acl {
    /// The VPC's own: everything passes.
    Default,
    /// Services from inside; replies to every port from 1024 on.
    Wide,
    /// Services from inside; replies only to the ports that Linux sends from, 32768 to 60999.
    Narrow,
}

/// Builds every VPC and what joins them.
pub fn build(shape: Shape, inventory: &mut Inventory) -> Vec<Site> {
    lists(inventory);
    let sites: Vec<Site> = (0..shape.vpcs).map(|number| site(number, shape.tiers)).collect();
    for pair in neighbours(shape.vpcs) {
        peering(&sites, pair, inventory);
    }
    for site in &sites {
        vpc(site, inventory);
        gateways(site, inventory);
        tables(site, &sites, inventory);
        acls(site, inventory);
    }
    sites
}

/// Which VPCs are peered: each with the next, and the last with the first.
pub fn neighbours(vpcs: usize) -> Vec<(usize, usize)> {
    match vpcs {
        0 | 1 => Vec::new(),
        2 => vec![(0, 1)],
        _ => (0..vpcs).map(|one| (one, (one + 1) % vpcs)).collect(),
    }
}

/// The ids of all prefix lists that rules may name.
pub fn list_ids() -> Vec<PrefixListId> {
    (0..LISTS.len()).map(|number| id("pl", number)).collect()
}

fn lists(inventory: &mut Inventory) {
    let services = ("com.amazonaws.eu-west-1.s3", ["52.218.0.0/17", "3.5.64.0/21"].as_slice());
    for (number, (name, entries)) in LISTS.into_iter().chain([services]).enumerate() {
        let entries: BTreeSet<Cidr> = entries.iter().map(|text| cidr(text)).collect();
        let list = PrefixList {
            id: id("pl", number),
            account_region: account_region(),
            name: name.to_owned(),
            max_entries: u32::try_from(entries.len()).ok(),
            entries: Some(entries),
        };
        inventory.prefix_list_weights.extend(list.max_entries.map(|most| (list.id.clone(), most)));
        inventory.prefix_lists.insert(list.id.clone(), list);
    }
}

fn cidr(text: &str) -> Cidr {
    text.parse().expect("a prefix")
}

fn site(number: usize, tiers: usize) -> Site {
    let octet = u8::try_from(number).expect("few VPCs");
    let v6 = |net: usize, bits| {
        let net = 0x0100 + u16::try_from(net).expect("few subnets");
        let address = Ipv6Addr::new(0x2600, 0x1f18, 0x100 + u16::from(octet), net, 0, 0, 0, 0);
        Cidr::around(address.into(), bits)
    };
    let v4 = |net: usize, bits| {
        let third = u8::try_from(net * 8).expect("at most 32 subnets of /21");
        Cidr::around(Ipv4Addr::new(10, octet, third, 0).into(), bits)
    };
    let nets = (0..tiers * ZONES).map(|net| {
        let (tier, zone) = (net / ZONES, net % ZONES);
        let cidrs = [v4(net, 21)].into_iter().chain((net % 2 == 0).then(|| v6(net, 64)));
        let id = id("subnet", number * 0x100 + net);
        Net { number: net, id, public: tier % 4 == 0, cidrs: cidrs.collect(), tier, zone }
    });
    Site { number, vpc: id("vpc", number), cidrs: [v4(0, 16), v6(0, 56)], nets: nets.collect() }
}

fn vpc(site: &Site, inventory: &mut Inventory) {
    let vpc = Vpc {
        id: site.vpc.clone(),
        account_region: account_region(),
        owner: Some("123456789012".to_owned()),
        cidrs: site.cidrs.into_iter().collect(),
        default: false,
        dns: DnsAttributes::default(),
        tags: named(&format!("network-{}", site.number)),
    };
    inventory.vpcs.insert(vpc.id.clone(), vpc);
    for net in &site.nets {
        let letter = ["a", "b", "c"][net.zone];
        let subnet = Subnet {
            id: net.id.clone(),
            vpc: site.vpc.clone(),
            zone: Some(format!("eu-west-1{letter}")),
            zone_id: Some(format!("euw1-az{}", net.zone + 1)),
            cidrs: net.cidrs.iter().copied().collect(),
            tags: named(&format!("{}-{}{letter}", if net.public { "public" } else { "private" }, net.tier)),
        };
        inventory.subnets.insert(subnet.id.clone(), subnet);
    }
}

fn peering(sites: &[Site], (one, other): (usize, usize), inventory: &mut Inventory) {
    let side = |site: &Site| PeeringSide {
        vpc: site.vpc.clone(),
        owner: Some("123456789012".to_owned()),
        region: Some("eu-west-1".to_owned()),
        cidrs: site.cidrs.into_iter().collect(),
        resolves: false,
    };
    let peering = Peering {
        id: id("pcx", one * 0x100 + other),
        state: "active".to_owned(),
        requester: side(&sites[one]),
        accepter: side(&sites[other]),
        tags: Tags::new(),
    };
    inventory.peerings.insert(peering.id.clone(), peering);
}

/// An internet gateway, an egress-only one, an endpoint for S3, and a NAT gateway in each zone.
fn gateways(site: &Site, inventory: &mut Inventory) {
    let vpc = Some(site.vpc.clone());
    let gateway = InternetGateway { id: id("igw", site.number), vpc: vpc.clone(), tags: Tags::new() };
    inventory.internet_gateways.insert(gateway.id.clone(), gateway);
    let gateway = EgressOnlyGateway { id: id("eigw", site.number), vpc, tags: Tags::new() };
    inventory.egress_only_gateways.insert(gateway.id.clone(), gateway);
    let endpoint = Endpoint {
        id: id("vpce", site.number),
        vpc: site.vpc.clone(),
        kind: EndpointKind::Gateway,
        service: "com.amazonaws.eu-west-1.s3".to_owned(),
        state: "available".to_owned(),
        tables: (0..ZONES).map(|zone| id("rtb", table_number(site, 2 + zone))).collect(),
        subnets: BTreeSet::new(),
        interfaces: BTreeSet::new(),
        groups: BTreeSet::new(),
        tags: Tags::new(),
    };
    inventory.endpoints.insert(endpoint.id.clone(), endpoint);
    for net in site.nets.iter().filter(|net| net.tier == 0) {
        nat(site, net, inventory);
    }
}

fn nat(site: &Site, net: &Net, inventory: &mut Inventory) {
    let number = nat_number(site, net.zone);
    let IpAddr::V4(first) = net.cidrs[0].address() else { unreachable!("IPv4 comes first") };
    let private = Ipv4Addr::from(u32::from(first) + FIRST - 1);
    let public = Ipv4Addr::new(34, 240, u8::try_from(site.number).expect("few"), 10 + net.zone as u8);
    let interface = Interface {
        // Apart from those of servers.
        id: id("eni", 0xa000_0000 + number),
        vpc: site.vpc.clone(),
        subnet: net.id.clone(),
        groups: BTreeSet::new(),
        addresses: vec![InterfaceAddress { address: private.into(), public: Some(public) }],
        prefixes: BTreeSet::new(),
        source_dest_check: false,
        kind: "nat_gateway".to_owned(),
        requester: Some("amazon-aws".to_owned()),
        description: format!("Interface for NAT Gateway nat-{number:017x}"),
        instance: None,
        attached: true,
        tags: Tags::new(),
    };
    let address = ElasticAddress {
        public,
        allocation: None,
        private: Some(private),
        interface: Some(interface.id.clone()),
        tags: Tags::new(),
    };
    let gateway = NatGateway {
        id: id("nat", number),
        vpc: site.vpc.clone(),
        availability: NatAvailability::Zonal(net.id.clone()),
        state: "available".to_owned(),
        public: true,
        private_address: Some(private),
        public_address: Some(public),
        interface: Some(interface.id.clone()),
        tags: Tags::new(),
    };
    inventory.elastic_addresses.insert(public, address);
    inventory.interfaces.insert(interface.id.clone(), interface);
    inventory.nat_gateways.insert(gateway.id.clone(), gateway);
}

fn nat_number(site: &Site, zone: usize) -> usize {
    site.number * 0x100 + zone
}

fn table_number(site: &Site, table: usize) -> usize {
    site.number * 0x100 + table
}

/// The main table, which nobody uses; one for the public subnets; one for the private ones of each zone.
fn tables(site: &Site, sites: &[Site], inventory: &mut Inventory) {
    let mut inside: Vec<Route> = site.cidrs.iter().map(|cidr| route(*cidr, RouteTarget::Local)).collect();
    for (one, other) in neighbours(sites.len()) {
        let beyond = match site.number {
            number if number == one => other,
            number if number == other => one,
            _ => continue,
        };
        let peering = RouteTarget::Peering(id("pcx", one * 0x100 + other));
        inside.extend(sites[beyond].cidrs.iter().map(|cidr| route(*cidr, peering.clone())));
    }
    let mut add = |number: usize, outside: Vec<Route>, in_it: &dyn Fn(&Net) -> bool| {
        let table = RouteTable {
            id: id("rtb", table_number(site, number)),
            vpc: site.vpc.clone(),
            main: number == 0,
            subnets: site.nets.iter().filter(|net| in_it(net)).map(|net| net.id.clone()).collect(),
            gateways: BTreeSet::new(),
            routes: inside.iter().cloned().chain(outside).collect(),
            incomplete: false,
            tags: Tags::new(),
        };
        inventory.route_tables.insert(table.id.clone(), table);
    };
    let [v4, v6] = ["0.0.0.0/0", "::/0"].map(cidr);
    let internet = RouteTarget::InternetGateway(id("igw", site.number));
    add(0, Vec::new(), &|_| false);
    add(1, vec![route(v4, internet.clone()), route(v6, internet)], &|net| net.public);
    for zone in 0..ZONES {
        let outside = vec![
            route(v4, RouteTarget::NatGateway(id("nat", nat_number(site, zone)))),
            route(v6, RouteTarget::EgressOnlyGateway(id("eigw", site.number))),
            Route {
                destination: Destination::PrefixList(id("pl", LISTS.len())),
                target: RouteTarget::Endpoint(id("vpce", site.number)),
                propagated: false,
                blackhole: false,
            },
        ];
        add(2 + zone, outside, &|net| !net.public && net.zone == zone);
    }
}

fn route(destination: Cidr, target: RouteTarget) -> Route {
    Route { destination: Destination::Cidr(destination), target, propagated: false, blackhole: false }
}

fn acls(site: &Site, inventory: &mut Inventory) {
    for (number, kind) in [Acl::Default, Acl::Wide, Acl::Narrow].into_iter().enumerate() {
        let acl = NetworkAcl {
            id: id("acl", site.number * 0x100 + number),
            vpc: site.vpc.clone(),
            default: kind == Acl::Default,
            subnets: site.nets.iter().filter(|net| net.acl() == kind).map(|net| net.id.clone()).collect(),
            entries: [Family::V4, Family::V6].into_iter().flat_map(|family| entries(kind, family)).collect(),
            incomplete: false,
            tags: Tags::new(),
        };
        inventory.network_acls.insert(acl.id.clone(), acl);
    }
}

/// What an ACL says of one family; those of IPv6 have odd numbers.
fn entries(kind: Acl, family: Family) -> Vec<AclEntry> {
    let (anyone, inside) = match family {
        Family::V4 => ("0.0.0.0/0", "10.0.0.0/8"),
        Family::V6 => ("::/0", "2600:1f18::/32"),
    };
    let odd = u32::from(family == Family::V6);
    let entry = |number: u32, direction, from: &str, flow, allow| AclEntry {
        number: number + odd,
        direction,
        cidr: cidr(from),
        flow,
        allow,
    };
    let tcp = |from, to| Flow::Tcp(Ports::range(from, to).expect("a range"));
    let (first, last) = match kind {
        Acl::Default => {
            let all = |direction| entry(100, direction, anyone, Flow::All, true);
            return vec![all(Direction::In), all(Direction::Out)];
        }
        Acl::Wide => (1024, 65535),
        Acl::Narrow => (32768, 60999),
    };
    let mut entries = Vec::new();
    if kind == Acl::Narrow {
        entries.push(entry(90, Direction::In, anyone, tcp(22, 22), false));
    }
    for (account_region, port) in (0..).zip([22, 80, 443, 3306, 5432, 6379, 8080]) {
        entries.push(entry(100 + 10 * account_region, Direction::In, inside, tcp(port, port), true));
        entries.push(entry(100 + 10 * account_region, Direction::Out, inside, tcp(port, port), true));
    }
    for direction in [Direction::In, Direction::Out] {
        entries.push(entry(200, direction, anyone, tcp(first, last), true));
        entries.push(entry(220, direction, anyone, Icmp::All.flow(family), true));
    }
    entries.push(entry(210, Direction::Out, anyone, tcp(443, 443), true));
    entries
}
