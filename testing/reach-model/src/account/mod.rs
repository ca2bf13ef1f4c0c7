//! Accounts of any size, the same in every run: VPCs in a ring of peerings, groups that name each other, interfaces.

mod chance;
mod groups;
mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use doorward_core::inventory::{
    AccountRegion, Instance, Interface, InterfaceAddress, Inventory, SecurityGroupId, Tags,
};

pub use chance::Chance;
#[allow(unused_imports, reason = "a test and the bench ask for different ones")]
pub use groups::{GONE, SERVICES};
use network::{Net, Site};

/// Groups on each interface.
const CARRIED: usize = 3;

/// Zones of a VPC.
const ZONES: usize = 3;

/// How much there is of what.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Network interfaces, without those of NAT gateways.
    pub interfaces: usize,
    /// Security groups.
    pub groups: usize,
    /// VPCs; neighbours are peered.
    pub vpcs: usize,
    /// Subnets of a VPC in each zone.
    pub tiers: usize,
    /// How many different combinations of a subnet and three groups the interfaces have; none when each has its own.
    pub roles: Option<usize>,
}

impl Shape {
    /// An account in which every interface has three groups of its own choice.
    pub fn of(interfaces: usize) -> Self {
        let (vpcs, tiers) = match interfaces {
            ..=100 => (1, 2),
            101..=1_000 => (4, 4),
            _ => (10, 6),
        };
        Self { interfaces, groups: interfaces / 4, vpcs, tiers, roles: None }
    }

    /// An account of the same 100 roles, however many interfaces share them.
    pub fn alike(interfaces: usize) -> Self {
        Self { interfaces, groups: 100, vpcs: 4, tiers: 2, roles: Some(100) }
    }
}

/// An account of a shape: the whole of what was seen, without a gap.
pub fn account(shape: Shape) -> Inventory {
    let mut inventory = Inventory::default();
    let sites = network::build(shape, &mut inventory);
    groups::build(shape, &sites, &mut inventory);
    populate(shape, &sites, &mut inventory);
    inventory
}

/// A subnet and the groups that interfaces in it carry.
struct Post<'a> {
    site: &'a Site,
    net: &'a Net,
    groups: BTreeSet<SecurityGroupId>,
}

fn populate(shape: Shape, sites: &[Site], inventory: &mut Inventory) {
    let mut chance = Chance::new(0x1f);
    let mut taken: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    let choice: Vec<Vec<SecurityGroupId>> =
        sites.iter().map(|site| groups::of_site(shape, site.number)).collect();
    let posts: Vec<Post<'_>> = (0..shape.roles.unwrap_or(shape.interfaces))
        .map(|number| {
            let site = &sites[number % sites.len()];
            let net = chance.pick(&site.nets);
            let mut groups = BTreeSet::new();
            while groups.len() < CARRIED {
                groups.insert(chance.pick(&choice[site.number]).clone());
            }
            Post { site, net, groups }
        })
        .collect();
    for number in 0..shape.interfaces {
        let Post { site, net, groups } = &posts[number % posts.len()];
        let host = taken.entry((site.number, net.number)).or_insert(0);
        let addresses = addresses(number, net, *host);
        *host += 1;
        let interface = Interface {
            id: id("eni", number),
            vpc: site.vpc.clone(),
            subnet: net.id.clone(),
            groups: groups.clone(),
            addresses,
            prefixes: BTreeSet::new(),
            source_dest_check: true,
            kind: "interface".to_owned(),
            requester: None,
            description: String::new(),
            instance: Some(id("i", number)),
            attached: true,
            tags: Tags::new(),
        };
        let instance = Instance {
            id: id("i", number),
            account_region: account_region(),
            state: "running".to_owned(),
            interfaces: BTreeSet::from([interface.id.clone()]),
            platform: None,
            image: None,
            size: None,
            profile: None,
            tags: named(&format!("server-{number}")),
        };
        inventory.interfaces.insert(interface.id.clone(), interface);
        inventory.instances.insert(instance.id.clone(), instance);
    }
}

/// The addresses of an interface that is the next host of its subnet.
fn addresses(number: usize, net: &Net, host: u32) -> Vec<InterfaceAddress> {
    // 44.192.0.0/10 is Amazon's, and no other address of the account is there.
    let public = u32::from(Ipv4Addr::new(44, 192, 0, 0)) + u32::try_from(number).expect("few");
    let v4 = InterfaceAddress {
        address: IpAddr::V4(net.host(host)),
        public: net.public.then(|| Ipv4Addr::from(public)),
    };
    let v6 = net.host_v6(host).map(|v6| InterfaceAddress { address: IpAddr::V6(v6), public: None });
    [v4].into_iter().chain(v6).collect()
}

/// Where all of it is.
fn account_region() -> AccountRegion {
    AccountRegion {
        profile: None,
        region: Some("eu-west-1".to_owned()),
        account: Some("123456789012".parse().expect("twelve digits")),
    }
}

/// Tags with a name.
pub fn named(name: &str) -> Tags {
    Tags::from([("Name".to_owned(), name.to_owned())])
}

/// The id of the so-manieth thing of a kind.
pub fn id<Id: FromStr<Err: Debug>>(kind: &str, number: usize) -> Id {
    format!("{kind}-{number:017x}").parse().expect("an id")
}
