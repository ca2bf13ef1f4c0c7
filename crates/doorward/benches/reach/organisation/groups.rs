//! The ten security groups of a VPC: most rules name another group, some a prefix.

use doorward_core::inventory::{
    Direction, ExistingRule, Inventory, Peer, RuleIdentity, SecurityGroup, SecurityGroupId,
    SecurityGroupRuleId,
};

use super::id;
use super::vpc::Site;

/// What a group is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Balancer,
    Web,
    App,
    Worker,
    Database,
    Cache,
    Admin,
    Monitoring,
    Endpoint,
    Default,
}

use Purpose::{Admin, App, Balancer, Cache, Database, Default, Endpoint, Monitoring, Web, Worker};

const ALL: [Purpose; 10] =
    [Balancer, Web, App, Worker, Database, Cache, Admin, Monitoring, Endpoint, Default];

/// Whom a rule admits, or where it lets packets to.
enum Other {
    Group(Purpose),
    /// The group of the VPC that all behind the transit gateway share.
    SharedGroup(Purpose),
    Own,
    Shared,
    Prefix(&'static str),
}

/// The group of a VPC for a purpose.
pub fn group(site: &Site, purpose: Purpose) -> SecurityGroupId {
    let number = ALL.iter().position(|one| *one == purpose).expect("one of all");
    id("sg", site.number * ALL.len() + number)
}

fn inbound(purpose: Purpose) -> &'static [(&'static str, Other)] {
    use Other::{Group, Own, Prefix, Shared, SharedGroup};
    match purpose {
        Balancer => &[("tcp/443", Prefix("0.0.0.0/0"))],
        Web => &[("tcp/8080", Group(Balancer)), ("tcp/22", Group(Admin)), ("tcp/9100", Shared)],
        App => &[
            ("tcp/8443", Group(Web)),
            ("tcp/8443", SharedGroup(App)),
            ("tcp/22", Group(Admin)),
            ("tcp/9100", Shared),
        ],
        Worker => &[("tcp/22", Group(Admin)), ("tcp/9100", Shared)],
        Database => &[("tcp/5432", Group(App)), ("tcp/5432", Group(Worker)), ("tcp/5432", Group(Admin))],
        Cache => &[("tcp/6379", Group(App))],
        Admin => &[("tcp/22", Prefix("198.51.100.0/24")), ("tcp/22", SharedGroup(Admin))],
        Monitoring => &[("tcp/9090", Own), ("tcp/9090", Shared)],
        Endpoint => &[("tcp/443", Own)],
        Default => &[("all", Group(Default))],
    }
}

pub fn build(site: &Site, inventory: &mut Inventory) {
    for (number, purpose) in ALL.into_iter().enumerate() {
        let mut group = SecurityGroup {
            id: group(site, purpose),
            account_region: site.account_region.clone(),
            owner: site.account_region.account.as_ref().map(ToString::to_string),
            vpc: Some(site.vpc.clone()),
            name: format!("{purpose:?}-{}", site.number).to_lowercase(),
            about: "made for a bench".to_owned(),
            tags: std::default::Default::default(),
            rules: std::default::Default::default(),
        };
        let mut rules: Vec<(Direction, &str, Peer)> =
            inbound(purpose).iter().map(|(flow, other)| (Direction::In, *flow, peer(site, other))).collect();
        if purpose == Endpoint && site.shared().number == site.number {
            // What all behind the transit gateway need.
            rules.push((Direction::In, "tcp/443", peer(site, &Other::Prefix("10.0.0.0/8"))));
        }
        match purpose {
            Database | Cache => rules.push((Direction::Out, "all", peer(site, &Other::Own))),
            _ => rules.push((Direction::Out, "all", peer(site, &Other::Prefix("0.0.0.0/0")))),
        }
        for (at, (direction, flow, peer)) in rules.into_iter().enumerate() {
            let id = SecurityGroupRuleId::numbered(((site.number * ALL.len() + number) * 16 + at) as u64);
            let flow = flow.parse().expect("a flow");
            let rule = ExistingRule { id: Some(id), ..std::default::Default::default() };
            group.rules.insert(RuleIdentity { direction, flow, peer }, rule);
        }
        inventory.groups.insert(group.id.clone(), group);
    }
}

fn peer(site: &Site, other: &Other) -> Peer {
    match other {
        Other::Group(purpose) => Peer::Group(group(site, *purpose)),
        Other::SharedGroup(purpose) => Peer::Group(group(&site.shared(), *purpose)),
        Other::Own => Peer::Cidr(site.cidr),
        Other::Shared => Peer::Cidr(site.shared().cidr),
        Other::Prefix(text) => Peer::Cidr(text.parse().expect("a prefix")),
    }
}
