//! Small accounts to inspect, written in a line or two each.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::{Finding, Rule, Severity, inspect};
use crate::inventory::*;
use crate::reach::Reachability;

/// An account of two VPCs: `vpc-a` of 10.0.0.0/16 with `subnet-a` and `subnet-b` in two zones, and `vpc-b` of
/// 10.1.0.0/16 with `subnet-c`. Each has a main route table, `rtb-a` and `rtb-b`, and a default network ACL that
/// lets all through, `acl-a` and `acl-b`.
#[derive(Debug, Clone)]
pub(super) struct Account(pub(super) Inventory);

pub(super) fn account_region() -> AccountRegion {
    AccountRegion { profile: None, region: Some("eu-west-1".into()), account: None }
}

pub(super) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

pub(super) fn ids<T: std::str::FromStr<Err: std::fmt::Debug> + Ord>(texts: &[&str]) -> BTreeSet<T> {
    texts.iter().map(|text| id(text)).collect()
}

/// `in tcp/5432 sg-b`, `out all 0.0.0.0/0`, `in tcp/443 pl-a`.
pub(super) fn rule(text: &str) -> RuleIdentity {
    let [direction, flow, peer] = text.split(' ').collect::<Vec<_>>().try_into().expect("three words");
    let direction = if direction == "in" { Direction::In } else { Direction::Out };
    let peer = match peer.split_once('-') {
        Some(("sg", _)) => Peer::Group(id(peer)),
        Some(("pl", _)) => Peer::PrefixList(id(peer)),
        _ => Peer::Cidr(id(peer)),
    };
    RuleIdentity { direction, flow: id(flow), peer }
}

/// What a rule finds in an account.
pub(super) fn found(account: &Account, rule: Rule) -> Vec<Finding> {
    let mut findings = inspect(&Reachability::of(account.0.clone()));
    findings.retain(|finding| finding.rule == rule);
    findings
}

pub(super) fn check(account: &Account, rule: Rule, expected: &[(Severity, &str)]) {
    let findings = found(account, rule);
    let is: Vec<(Severity, &str)> =
        findings.iter().map(|finding| (finding.severity, finding.resource.id.as_str())).collect();
    assert_eq!(is, expected, "{findings:#?}");
}

impl Account {
    pub(super) fn new() -> Self {
        let mut account = Self(Inventory::default());
        for (letter, cidr) in [("a", "10.0.0.0/16"), ("b", "10.1.0.0/16")] {
            account = account.vpc(&format!("vpc-{letter}"), cidr).acl(
                &format!("acl-{letter}"),
                &format!("vpc-{letter}"),
                &[],
                &["in 100 all 0.0.0.0/0 allow", "out 100 all 0.0.0.0/0 allow"],
            );
            account = account.table(&format!("rtb-{letter}"), &format!("vpc-{letter}"), &[], &[]);
            account = account.change(|it| {
                it.network_acls.get_mut(format!("acl-{letter}").as_str()).expect("there").default = true;
                it.route_tables.get_mut(format!("rtb-{letter}").as_str()).expect("there").main = true;
            });
        }
        account
            .subnet("subnet-a", "vpc-a", "10.0.0.0/24", "eu-west-1a")
            .subnet("subnet-b", "vpc-a", "10.0.1.0/24", "eu-west-1b")
            .subnet("subnet-c", "vpc-b", "10.1.0.0/24", "eu-west-1a")
    }

    pub(super) fn change(mut self, change: impl FnOnce(&mut Inventory)) -> Self {
        change(&mut self.0);
        self
    }

    pub(super) fn gap(self, call: Call) -> Self {
        let gap = Gap::of(call, &account_region(), "denied");
        self.change(|it| it.gaps.push(gap))
    }

    pub(super) fn vpc(self, vpc: &str, cidr: &str) -> Self {
        let vpc = Vpc {
            id: id(vpc),
            account_region: account_region(),
            owner: None,
            cidrs: ids(&[cidr]),
            default: false,
            dns: DnsAttributes::default(),
            tags: Tags::new(),
        };
        self.change(|it| drop(it.vpcs.insert(vpc.id.clone(), vpc)))
    }

    pub(super) fn subnet(self, subnet: &str, vpc: &str, cidr: &str, zone: &str) -> Self {
        let subnet = Subnet {
            id: id(subnet),
            vpc: id(vpc),
            zone: Some(zone.into()),
            zone_id: None,
            cidrs: ids(&[cidr]),
            tags: Tags::new(),
        };
        self.change(|it| drop(it.subnets.insert(subnet.id.clone(), subnet)))
    }

    /// A group called like its id.
    pub(super) fn group(self, group: &str, vpc: &str, rules: &[&str]) -> Self {
        let name = group.trim_start_matches("sg-").to_owned();
        self.named(group, &name, vpc, rules)
    }

    pub(super) fn named(self, group: &str, name: &str, vpc: &str, rules: &[&str]) -> Self {
        let group = SecurityGroup {
            id: id(group),
            account_region: account_region(),
            owner: None,
            vpc: Some(id(vpc)),
            name: name.into(),
            about: String::new(),
            tags: Default::default(),
            rules: rules.iter().map(|text| (rule(text), ExistingRule::default())).collect(),
        };
        self.change(|it| drop(it.groups.insert(group.id.clone(), group)))
    }

    /// An interface with the next address of its subnet.
    pub(super) fn interface(self, interface: &str, subnet: &str, groups: &[&str]) -> Self {
        let home = self.0.subnets.get(&id::<SubnetId>(subnet)).expect("a subnet").clone();
        let base = home.cidrs.iter().next().expect("a prefix").address();
        let IpAddr::V4(base) = base else { panic!("of IPv4") };
        let number = 10 + u32::try_from(self.0.interfaces.len()).expect("few");
        let address = IpAddr::from(Ipv4Addr::from(u32::from(base) + number));
        let interface = Interface {
            id: id(interface),
            vpc: home.vpc,
            subnet: home.id,
            groups: ids(groups),
            addresses: vec![InterfaceAddress { address, public: None }],
            prefixes: BTreeSet::new(),
            source_dest_check: true,
            kind: "interface".into(),
            requester: None,
            description: String::new(),
            instance: None,
            attached: true,
            tags: Tags::new(),
        };
        self.change(|it| drop(it.interfaces.insert(interface.id.clone(), interface)))
    }

    /// Changes an interface that is there.
    pub(super) fn with(self, interface: &str, change: impl FnOnce(&mut Interface)) -> Self {
        self.change(|it| change(it.interfaces.get_mut(&id::<InterfaceId>(interface)).expect("an interface")))
    }

    /// `10.0.0.0/16 local` and the like; ` blackhole` behind.
    pub(super) fn table(
        self,
        table: &str,
        vpc: &str,
        subnets: &[&str],
        routes: &[(&str, RouteTarget)],
    ) -> Self {
        let routes = routes.iter().map(|(to, target)| Route {
            destination: match to.starts_with("pl-") {
                true => Destination::PrefixList(id(to.trim_end_matches(" blackhole"))),
                false => Destination::Cidr(id(to.trim_end_matches(" blackhole"))),
            },
            target: target.clone(),
            propagated: false,
            blackhole: to.ends_with(" blackhole"),
        });
        let table = RouteTable {
            id: id(table),
            vpc: id(vpc),
            main: false,
            subnets: ids(subnets),
            gateways: BTreeSet::new(),
            routes: routes.collect(),
            incomplete: false,
            tags: Tags::new(),
        };
        self.change(|it| drop(it.route_tables.insert(table.id.clone(), table)))
    }

    /// Entries like `in 100 tcp/443 0.0.0.0/0 allow`.
    pub(super) fn acl(self, acl: &str, vpc: &str, subnets: &[&str], entries: &[&str]) -> Self {
        let entry = |text: &&str| {
            let [direction, number, flow, cidr, action] =
                text.split(' ').collect::<Vec<_>>().try_into().expect("five words");
            AclEntry {
                number: number.parse().expect("a number"),
                direction: if direction == "in" { Direction::In } else { Direction::Out },
                cidr: id(cidr),
                flow: id(flow),
                allow: action == "allow",
            }
        };
        let acl = NetworkAcl {
            id: id(acl),
            vpc: id(vpc),
            default: false,
            subnets: ids(subnets),
            entries: entries.iter().map(entry).collect(),
            incomplete: false,
            tags: Tags::new(),
        };
        self.change(|it| drop(it.network_acls.insert(acl.id.clone(), acl)))
    }

    pub(super) fn peering(self, peering: &str, one: &str, other: &str, state: &str) -> Self {
        let account = self.peering_between(peering, (one, "eu-west-1"), (other, "eu-west-1"));
        account
            .change(|it| it.peerings.get_mut(&id::<PeeringId>(peering)).expect("there").state = state.into())
    }

    pub(super) fn peering_between(self, peering: &str, one: (&str, &str), other: (&str, &str)) -> Self {
        let side = |(vpc, region): (&str, &str)| PeeringSide {
            vpc: id(vpc),
            owner: None,
            region: Some(region.into()),
            cidrs: BTreeSet::new(),
            resolves: false,
        };
        let peering = Peering {
            id: id(peering),
            state: "active".into(),
            requester: side(one),
            accepter: side(other),
            tags: Tags::new(),
        };
        self.change(|it| drop(it.peerings.insert(peering.id.clone(), peering)))
    }

    /// A transit gateway with an attachment for each VPC.
    pub(super) fn transit(self, gateway: &str, vpcs: &[&str], references: bool) -> Self {
        let transit = TransitGateway {
            id: id(gateway),
            account_region: account_region(),
            state: "available".into(),
            group_references: references,
            tags: Tags::new(),
        };
        let attachments = vpcs.iter().map(|vpc| Attachment {
            id: id(&format!("tgw-attach-{}", vpc.replace('-', ""))),
            gateway: id(gateway),
            to: AttachmentTarget::Vpc(id(vpc)),
            state: "available".into(),
            table: None,
            subnets: None,
            group_references: true,
            appliance_mode: false,
            tags: Tags::new(),
        });
        self.change(|it| {
            it.transit_gateways.insert(transit.id.clone(), transit);
            it.attachments.extend(attachments.map(|one| ((one.gateway.clone(), one.id.clone()), one)));
        })
    }

    pub(super) fn function(self, name: &str, groups: &[&str]) -> Self {
        let function = Function {
            name: name.into(),
            arn: None,
            account_region: account_region(),
            vpc: Some(id("vpc-a")),
            subnets: ids(&["subnet-a"]),
            groups: ids(groups),
        };
        self.change(|it| drop(it.functions.insert((account_region(), name.into()), function)))
    }

    /// A PostgreSQL in `subnet-a` and `subnet-b`, whose interface has to be added.
    pub(super) fn database(self, name: &str, groups: &[&str]) -> Self {
        let database = Database {
            name: name.into(),
            arn: None,
            account_region: account_region(),
            engine: "postgres".into(),
            status: "available".into(),
            vpc: Some(id("vpc-a")),
            zone: None,
            subnets: ids(&["subnet-a", "subnet-b"]),
            groups: ids(groups),
            public: false,
            host: None,
            port: Some(5432),
            cluster: None,
            settings: Default::default(),
            tags: Tags::new(),
        };
        self.change(|it| drop(it.databases.insert((account_region(), name.into()), database)))
    }

    pub(super) fn database_subnets(self, name: &str, subnets: &[&str]) -> Self {
        let group = SubnetGroup {
            name: name.into(),
            account_region: account_region(),
            vpc: Some(id("vpc-a")),
            subnets: ids(subnets),
        };
        self.change(|it| drop(it.database_subnet_groups.insert((account_region(), name.into()), group)))
    }

    /// A gateway of `vpc-a` to the internet, `igw-a`, which `rtb-a` leads to.
    pub(super) fn internet(self) -> Self {
        let gateway = InternetGateway { id: id("igw-a"), vpc: Some(id("vpc-a")), tags: Tags::new() };
        let out = ("0.0.0.0/0", RouteTarget::InternetGateway(gateway.id.clone()));
        let account = self.change(|it| drop(it.internet_gateways.insert(gateway.id.clone(), gateway)));
        let account = account.table("rtb-a", "vpc-a", &[], &[out]);
        account.change(|it| it.route_tables.get_mut(&id::<RouteTableId>("rtb-a")).expect("there").main = true)
    }

    /// An interface with a public address.
    pub(super) fn public(self, interface: &str, subnet: &str, groups: &[&str]) -> Self {
        let number = u8::try_from(self.0.interfaces.len()).expect("few");
        let public = Ipv4Addr::new(203, 0, 113, number);
        self.interface(interface, subnet, groups).with(interface, |it| it.addresses[0].public = Some(public))
    }
}
