//! A VPC: a public and a private subnet in each of three zones, a NAT gateway, and a route to the transit gateway.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use doorward_core::inventory::{
    AccountRegion, AclEntry, Destination, Direction, Interface, InterfaceAddress, InternetGateway, Inventory,
    NatAvailability, NatGateway, NetworkAcl, Route, RouteTable, RouteTarget, Subnet, SubnetId, Tags, Vpc,
    VpcId,
};
use doorward_core::net::{Cidr, Family, Flow, Icmp, Ports};

use super::{REGIONS, UNIT, VPCS, account_region, id};
use crate::account::named;

/// Zones of a Region.
pub const ZONES: usize = 3;

/// A VPC by its number in the organisation.
#[derive(Debug, Clone)]
pub struct Site {
    pub number: usize,
    pub vpc: VpcId,
    pub account_region: AccountRegion,
    /// Its Region, by number.
    pub region: usize,
    /// Its business unit.
    pub unit: usize,
    pub cidr: Cidr,
}

/// Whether the VPCs behind a transit gateway reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What all others need: reached by all.
    Shared,
    Production,
    Development,
}

impl Site {
    pub fn of(number: usize) -> Self {
        let account = number / VPCS;
        let region = number % REGIONS.len();
        let [high, low] = u16::try_from(number * 16).expect("at most 4,096 VPCs").to_be_bytes();
        Self {
            number,
            vpc: id("vpc", number),
            account_region: account_region(account, REGIONS[region]),
            region,
            unit: account / UNIT,
            cidr: Cidr::around(Ipv4Addr::new(10, high, low, 0).into(), 20),
        }
    }

    /// The place of a VPC among those of its transit gateway.
    fn turn(&self) -> usize {
        self.number % (UNIT * VPCS) / REGIONS.len()
    }

    pub fn stage(&self) -> Stage {
        match self.turn() {
            0 => Stage::Shared,
            turn if turn % 2 == 1 => Stage::Production,
            _ => Stage::Development,
        }
    }

    /// The VPC that all behind its transit gateway share.
    pub fn shared(&self) -> Self {
        Self::of(self.number - self.turn() * REGIONS.len())
    }

    /// A subnet: public ones come first.
    pub fn subnet(&self, public: bool, zone: usize) -> SubnetId {
        id("subnet", self.number * 8 + self.index(public, zone))
    }

    fn index(&self, public: bool, zone: usize) -> usize {
        if public { zone } else { ZONES + zone }
    }

    fn net(&self, public: bool, zone: usize) -> Cidr {
        let first = u32::from(Ipv4Addr::new(10, 0, 0, 0)) + u32::try_from(self.number * 4096).expect("few");
        let at = first + 512 * u32::try_from(self.index(public, zone)).expect("few");
        Cidr::around(Ipv4Addr::from(at).into(), 23)
    }

    /// The address of a host of a subnet.
    pub fn host(&self, public: bool, zone: usize, host: usize) -> Ipv4Addr {
        let std::net::IpAddr::V4(first) = self.net(public, zone).address() else {
            unreachable!("it is IPv4")
        };
        Ipv4Addr::from(u32::from(first) + 4 + u32::try_from(host).expect("few"))
    }

    /// A public address that nothing else of the organisation has.
    pub fn public_address(&self, host: usize) -> Ipv4Addr {
        let first = u32::from(Ipv4Addr::new(44, 192, 0, 0));
        Ipv4Addr::from(first + u32::try_from(self.number * 64 + host).expect("few"))
    }
}

pub fn build(site: &Site, inventory: &mut Inventory) {
    let vpc = Vpc {
        id: site.vpc.clone(),
        account_region: site.account_region.clone(),
        owner: site.account_region.account.as_ref().map(ToString::to_string),
        cidrs: super::one(site.cidr),
        default: false,
        dns: doorward_core::inventory::DnsAttributes::default(),
        tags: named(&format!("network-{}", site.number)),
    };
    inventory.vpcs.insert(vpc.id.clone(), vpc);
    for (public, zone) in subnets() {
        let letter = ["a", "b", "c"][zone];
        let region = REGIONS[site.region];
        let subnet = Subnet {
            id: site.subnet(public, zone),
            vpc: site.vpc.clone(),
            zone: Some(format!("{region}{letter}")),
            zone_id: Some(format!("{region}-az{}", zone + 1)),
            cidrs: super::one(site.net(public, zone)),
            tags: named(&format!("{}-{letter}", if public { "public" } else { "private" })),
        };
        inventory.subnets.insert(subnet.id.clone(), subnet);
    }
    gateways(site, inventory);
    tables(site, inventory);
    acls(site, inventory);
}

/// Every subnet: whether it is public, and its zone.
pub fn subnets() -> impl Iterator<Item = (bool, usize)> {
    [true, false].into_iter().flat_map(|public| (0..ZONES).map(move |zone| (public, zone)))
}

fn gateways(site: &Site, inventory: &mut Inventory) {
    let gateway =
        InternetGateway { id: id("igw", site.number), vpc: Some(site.vpc.clone()), tags: Tags::new() };
    inventory.internet_gateways.insert(gateway.id.clone(), gateway);
    let (private, public) = (site.host(true, 0, 0), site.public_address(0));
    let interface = Interface {
        id: id("eni", 0xa000_0000 + site.number),
        vpc: site.vpc.clone(),
        subnet: site.subnet(true, 0),
        groups: BTreeSet::new(),
        addresses: vec![InterfaceAddress { address: private.into(), public: Some(public) }],
        prefixes: BTreeSet::new(),
        source_dest_check: false,
        kind: "nat_gateway".to_owned(),
        requester: Some("amazon-aws".to_owned()),
        description: format!("Interface for NAT Gateway nat-{:017x}", site.number),
        instance: None,
        attached: true,
        tags: Tags::new(),
    };
    let gateway = NatGateway {
        id: id("nat", site.number),
        vpc: site.vpc.clone(),
        availability: NatAvailability::Zonal(site.subnet(true, 0)),
        state: "available".to_owned(),
        public: true,
        private_address: Some(private),
        public_address: Some(public),
        interface: Some(interface.id.clone()),
        tags: Tags::new(),
    };
    inventory.interfaces.insert(interface.id.clone(), interface);
    inventory.nat_gateways.insert(gateway.id.clone(), gateway);
}

/// The main table, which nobody uses; that of the public subnets; that of the private ones.
fn tables(site: &Site, inventory: &mut Inventory) {
    let route = |to: &str, target| Route {
        destination: Destination::Cidr(to.parse().expect("a prefix")),
        target,
        propagated: false,
        blackhole: false,
    };
    let transit = RouteTarget::TransitGateway(super::transit::gateway(site.unit, site.region));
    let paths = [
        RouteTarget::Local,
        RouteTarget::InternetGateway(id("igw", site.number)),
        RouteTarget::NatGateway(id("nat", site.number)),
    ];
    for (number, path) in paths.into_iter().enumerate() {
        let mut routes = vec![route(&site.cidr.to_string(), RouteTarget::Local)];
        if number > 0 {
            routes.extend([route("10.0.0.0/8", transit.clone()), route("0.0.0.0/0", path)]);
        }
        let of = |public: bool| (0..ZONES).map(move |zone| site.subnet(public, zone)).collect();
        let table = RouteTable {
            id: id("rtb", site.number * 4 + number),
            vpc: site.vpc.clone(),
            main: number == 0,
            subnets: if number == 0 { BTreeSet::new() } else { of(number == 1) },
            gateways: BTreeSet::new(),
            routes,
            incomplete: false,
            tags: Tags::new(),
        };
        inventory.route_tables.insert(table.id.clone(), table);
    }
}

/// The default one of the public subnets, and one of the private ones.
fn acls(site: &Site, inventory: &mut Inventory) {
    let all = ["0.0.0.0/0", "10.0.0.0/8"].map(|cidr| cidr.parse::<Cidr>().expect("a prefix"));
    let [anyone, inside] = all;
    let entry = |number, direction, cidr, flow| AclEntry { number, direction, cidr, flow, allow: true };
    let clients = Flow::Tcp(Ports::range(1024, 65535).expect("a range"));
    let open = [Direction::In, Direction::Out].map(|direction| entry(100, direction, anyone, Flow::All));
    let mut narrow = Vec::new();
    for direction in [Direction::In, Direction::Out] {
        narrow.push(entry(100, direction, inside, Flow::All));
        narrow.push(entry(110, direction, anyone, clients));
        narrow.push(entry(120, direction, anyone, Icmp::All.flow(Family::V4)));
    }
    narrow.push(entry(130, Direction::Out, anyone, Flow::Tcp(Ports::one(443))));
    for (number, entries) in [open.to_vec(), narrow].into_iter().enumerate() {
        let acl = NetworkAcl {
            id: id("acl", site.number * 2 + number),
            vpc: site.vpc.clone(),
            default: number == 0,
            subnets: (0..ZONES).map(|zone| site.subnet(number == 0, zone)).collect(),
            entries: entries.into_iter().collect(),
            incomplete: false,
            tags: Tags::new(),
        };
        inventory.network_acls.insert(acl.id.clone(), acl);
    }
}
