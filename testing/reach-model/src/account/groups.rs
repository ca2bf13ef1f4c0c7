//! Security groups: most rules name other groups, some a prefix, a few everybody.

use std::net::IpAddr;

use doorward_core::inventory::{
    Direction, ExistingRule, Inventory, Peer, PrefixListId, RuleIdentity, SecurityGroup, SecurityGroupId,
    SecurityGroupRuleId,
};
use doorward_core::net::{Cidr, Family, Flow, Icmp, Ports};

use super::network::{self, Site};
use super::{Chance, Shape, account_region, id};

/// The ports that services listen on.
pub const SERVICES: [u16; 10] = [22, 80, 443, 3306, 5432, 6379, 8080, 8443, 9092, 9200];

/// Prefixes of offices.
const OFFICES: &[&str] = &["198.51.100.0/24", "203.0.113.0/25", "192.0.2.16/28", "2001:db8:f0::/48"];

/// The number of a group that is not there any more, and that rules still name.
pub const GONE: usize = 0xdead;

/// The groups of a VPC.
pub fn of_site(shape: Shape, site: usize) -> Vec<SecurityGroupId> {
    (site..shape.groups).step_by(shape.vpcs).map(|number| id("sg", number)).collect()
}

/// Builds every group.
pub fn build(shape: Shape, sites: &[Site], inventory: &mut Inventory) {
    let mut writer = Writer {
        chance: Chance::new(0x5e),
        lists: network::list_ids(),
        groups: sites.iter().map(|site| of_site(shape, site.number)).collect(),
        rules: 0,
    };
    let pairs = network::neighbours(sites.len());
    for number in 0..shape.groups {
        let site = &sites[number % sites.len()];
        let beside: Vec<&Site> = pairs
            .iter()
            .filter_map(|(one, other)| match site.number {
                number if number == *one => Some(&sites[*other]),
                number if number == *other => Some(&sites[*one]),
                _ => None,
            })
            .collect();
        let group = writer.group(number, site, &beside);
        inventory.groups.insert(group.id.clone(), group);
    }
}

struct Writer {
    chance: Chance,
    lists: Vec<PrefixListId>,
    /// Of each VPC.
    groups: Vec<Vec<SecurityGroupId>>,
    rules: u64,
}

impl Writer {
    fn group(&mut self, number: usize, site: &Site, beside: &[&Site]) -> SecurityGroup {
        let mut group = SecurityGroup {
            id: id("sg", number),
            account_region: account_region(),
            owner: Some("123456789012".to_owned()),
            vpc: Some(site.vpc.clone()),
            name: format!("group-{number}"),
            about: "made for a bench".to_owned(),
            tags: Default::default(),
            rules: Default::default(),
        };
        let wanted = 1 + self.chance.below(6);
        while group.rules.len() < wanted {
            let (flow, peer) = self.ingress(site, beside);
            self.add(&mut group, Direction::In, flow, peer);
        }
        if number % 50 == 7 {
            let flow = self.service();
            self.add(&mut group, Direction::In, flow, Peer::Group(id("sg", GONE)));
        }
        if self.chance.once_in(20) {
            let itself = Peer::Group(group.id.clone());
            self.add(&mut group, Direction::In, Flow::All, itself);
        }
        if self.chance.once_in(10) {
            let peer = if self.chance.once_in(2) { self.named(site, beside) } else { self.inside(site) };
            let flow = self.service();
            self.add(&mut group, Direction::Out, flow, peer);
        } else {
            for everyone in ["0.0.0.0/0", "::/0"] {
                self.add(&mut group, Direction::Out, Flow::All, prefix(everyone));
            }
        }
        group
    }

    fn add(&mut self, group: &mut SecurityGroup, direction: Direction, flow: Flow, peer: Peer) {
        self.rules += 1;
        let rule = ExistingRule { id: Some(SecurityGroupRuleId::numbered(self.rules)), ..Default::default() };
        group.rules.insert(RuleIdentity { direction, flow, peer }, rule);
    }

    fn ingress(&mut self, site: &Site, beside: &[&Site]) -> (Flow, Peer) {
        let https = Flow::Tcp(Ports::one(443));
        match self.chance.below(200) {
            0..130 => (self.service(), self.named(site, beside)),
            130..150 => (self.service(), self.inside(site)),
            150..162 => (self.service(), prefix(self.chance.pick::<&str>(OFFICES))),
            162..172 => (self.service(), self.of_neighbour(beside)),
            172..180 => (self.service(), self.one_host(site)),
            180..182 => (https, prefix("0.0.0.0/0")),
            182 => (https, prefix("::/0")),
            _ => (self.service(), Peer::PrefixList(self.chance.pick(&self.lists).clone())),
        }
    }

    fn service(&mut self) -> Flow {
        match self.chance.below(20) {
            0 => Flow::Udp(Ports::one(53)),
            1 => Icmp::Code(8, 0).flow(Family::V4),
            2 => Flow::Tcp(Ports::range(8000, 8099).expect("a range")),
            _ => Flow::Tcp(Ports::one(*self.chance.pick(&SERVICES))),
        }
    }

    /// Another group: mostly of the same VPC, sometimes of one that is peered.
    fn named(&mut self, site: &Site, beside: &[&Site]) -> Peer {
        let site =
            if !beside.is_empty() && self.chance.once_in(10) { self.chance.pick(beside) } else { site };
        Peer::Group(self.chance.pick(&self.groups[site.number]).clone())
    }

    /// The VPC's own prefix, mostly that of IPv4.
    fn inside(&mut self, site: &Site) -> Peer {
        Peer::Cidr(site.cidrs[usize::from(self.chance.once_in(4))])
    }

    /// The prefix of a peered VPC, or of one of its subnets; of a network elsewhere, where nothing is peered.
    fn of_neighbour(&mut self, beside: &[&Site]) -> Peer {
        if beside.is_empty() {
            return prefix("172.20.0.0/16");
        }
        let site = self.chance.pick(beside);
        if self.chance.once_in(2) {
            return Peer::Cidr(site.cidrs[0]);
        }
        let net = self.chance.pick(&site.nets);
        Peer::Cidr(*self.chance.pick(&net.cidrs))
    }

    fn one_host(&mut self, site: &Site) -> Peer {
        let net = self.chance.pick(&site.nets);
        let host = u32::try_from(self.chance.below(8)).expect("few");
        Peer::Cidr(Cidr::host(IpAddr::V4(net.host(host))))
    }
}

fn prefix(text: &str) -> Peer {
    Peer::Cidr(text.parse().expect("a prefix"))
}
