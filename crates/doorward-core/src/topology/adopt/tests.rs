//! What a declaration of an existing VPC says, what it leaves, and that its plan is empty.

use proptest::prelude::*;

use super::*;
use crate::inventory::{ExistingRule, PrefixListId, Tags};
use crate::plan::network::network_difference;
use crate::plan::network::testing::{account, account_region, by, cidr, id, interface, site};
use crate::topology::layout;

fn name() -> NetworkName {
    "shop".parse().expect("a name")
}

fn rule(direction: Direction, flow: &str, peer: &str) -> RuleIdentity {
    let peer = match peer {
        group if group.starts_with("sg-") => Peer::Group(id(group)),
        list if list.starts_with("pl-") => Peer::PrefixList(id::<PrefixListId>(list)),
        prefix => Peer::Cidr(cidr(prefix)),
    };
    RuleIdentity { direction, flow: flow.parse().expect("a flow"), peer }
}

fn group(account: &mut Inventory, group: &str, name: &str, rules: &[RuleIdentity]) {
    let existing = || ExistingRule { id: None, description: String::new(), tag: None };
    let group = SecurityGroup {
        id: id(group),
        account_region: account_region(),
        owner: None,
        vpc: Some(id("vpc-0d")),
        name: name.into(),
        about: String::new(),
        tags: Tags::new(),
        rules: rules.iter().map(|rule| (rule.clone(), existing())).collect(),
    };
    account.groups.insert(group.id.clone(), group);
}

/// A declaration says the same when it is read from its text. Ids of a policy have the length of EC2's.
fn is_read_as_written(adopted: &Adopted) {
    let ids = [
        ("sg-0web", "sg-0000aaaa"),
        ("sg-0db", "sg-0000bbbb"),
        ("sg-0mute", "sg-0000cccc"),
        ("i-0a", "i-0000000a"),
    ];
    let text = ids.iter().fold(adopted.to_string(), |text, (short, whole)| text.replace(short, whole));
    let policy =
        format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
    let topology =
        crate::policy::parse(&policy, "p").unwrap_or_else(|error| panic!("{error:?}\n{policy}")).topology;
    assert_eq!(Adopted { topology, left: Vec::new() }.to_string(), text);
}

fn role_of<'a>(adopted: &'a mut Adopted, name: &str) -> &'a mut Role {
    adopted.topology.roles.get_mut(&name.parse::<RoleName>().expect("a name")).expect("a role")
}

fn plan_is_empty(account: &Inventory, adopted: &Adopted) -> bool {
    is_read_as_written(adopted);
    let layout = layout(&adopted.topology, account, &site(3)).expect("a layout");
    network_difference(account, &layout.wanted, &by()).steps().is_empty()
}

/// A web tier that reaches a database, and what no role can say.
fn shop() -> Inventory {
    let mut account = account();
    let all = rule(Direction::Out, "all", "0.0.0.0/0");
    group(
        &mut account,
        "sg-0web",
        "web-servers",
        &[rule(Direction::In, "tcp/443", "0.0.0.0/0"), rule(Direction::In, "tcp/443", "::/0"), all.clone()],
    );
    group(
        &mut account,
        "sg-0db",
        "orders database",
        &[
            rule(Direction::In, "tcp/5432", "sg-0web"),
            rule(Direction::In, "tcp/5432", "10.9.0.0/16"),
            rule(Direction::In, "tcp/5432", "pl-0a1b2c3d"),
            rule(Direction::In, "tcp/5432", "sg-0gone"),
            rule(Direction::In, "tcp/22", "sg-0mute"),
            rule(Direction::Out, "tcp/80", "sg-0web"),
        ],
    );
    group(&mut account, "sg-0mute", "sg-mute", &[]);
    let mut endpoint = interface("eni-0v", "subnet-0d1", "vpc-0d", "sg-0db", None);
    endpoint.kind = "vpc_endpoint".into();
    account.interfaces.insert(endpoint.id.clone(), endpoint);
    account
}

#[test]
fn a_vpc_is_written_down_as_it_is() {
    let account = shop();
    let adopted = adopt(&account, &id("vpc-0d"), &name()).expect("a VPC");
    assert_eq!(
        adopted.to_string(),
        r#"[network.shop]
region = "eu-west-1"
vpc = "default"
zones = []
nat = "none"
endpoints = []

[role.mute]
network = "shop"
group = "sg-0mute"
admits = {}
reaches = {}
on = []

[role.orders-database]
network = "shop"
group = "sg-0db"
admits = { web-servers = ["tcp/5432"], "10.9.0.0/16" = ["tcp/5432"] }
reaches = {}
on = []

[role.web-servers]
network = "shop"
group = "sg-0web"
admits = { "0.0.0.0/0" = ["tcp/443"], "::/0" = ["tcp/443"] }
reaches = { "0.0.0.0/0" = ["all"] }
on = ["instance:i-0a"]
"#
    );
    let left: Vec<String> = adopted.left.iter().map(ToString::to_string).collect();
    assert_eq!(
        left,
        [
            "2 subnets",
            "one route table",
            "one network ACL",
            "one internet gateway",
            "the default security group sg-0d, which has no rules",
            "a rule of [role.orders-database], tcp/22 from sg-0mute: the rules of that group do not let this traffic out, so nothing is admitted",
            "a rule of [role.orders-database], tcp/5432 from sg-0gone: the group that it references is no role of this network",
            "a rule of [role.orders-database], tcp/5432 from pl-0a1b2c3d: a role admits roles and CIDR blocks, not prefix lists",
            "a rule of [role.orders-database], tcp/80 to sg-0web: the rules of that group do not admit this traffic, so nothing is reached",
            "an interface that has [role.orders-database] attached by a service that `on` cannot name",
        ]
    );
    assert!(plan_is_empty(&account, &adopted));
}

#[test]
fn what_is_declared_beside_it_is_added_and_nothing_is_taken_away() {
    let account = shop();
    let mut adopted = adopt(&account, &id("vpc-0d"), &name()).expect("a VPC");
    let role = role_of(&mut adopted, "mute");
    role.admits.insert(
        Source::Role("web-servers".parse().expect("a name")),
        ["tcp/80".parse().expect("a flow")].into(),
    );
    role.on.insert(Carrier::Instance(id("i-0b")));
    role_of(&mut adopted, "web-servers").admits.clear();
    let layout = layout(&adopted.topology, &account, &site(3)).expect("a layout");
    let steps = network_difference(&account, &layout.wanted, &by());
    let steps: Vec<String> = steps.steps().iter().map(|step| step.change.to_string()).collect();
    assert_eq!(steps.len(), 2, "{steps:?}");
    let notes: Vec<String> = layout.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.contains(&"sg-0web of [role.web-servers] has rules that are not declared and stay: tcp/443 from 0.0.0.0/0; tcp/443 from ::/0".to_owned()),
        "{notes:?}"
    );
}

#[test]
fn a_group_that_is_named_has_to_be_there() {
    let account = shop();
    let mut adopted = adopt(&account, &id("vpc-0d"), &name()).expect("a VPC");
    role_of(&mut adopted, "mute").group = Some(id("sg-0none"));
    let obstacles = layout(&adopted.topology, &account, &site(3)).expect_err("it is not there");
    let obstacles: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    assert_eq!(obstacles, ["[role.mute] is sg-0none, which does not exist in vpc-0d"]);
    assert_eq!(adopt(&account, &id("vpc-0none"), &name()), None);
}

fn any_rule() -> impl Strategy<Value = RuleIdentity> {
    let peers = [
        "sg-00000001",
        "sg-00000002",
        "sg-00000003",
        "sg-0d",
        "pl-0a1b2c3d",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/8",
        "10.1.0.0/16",
    ];
    let flows = ["all", "tcp/5432", "tcp/1-65535", "udp/53", "icmp/8/0", "icmpv6", "proto/50"];
    (any::<bool>(), prop::sample::select(flows.to_vec()), prop::sample::select(peers.to_vec())).prop_map(
        |(inward, flow, peer)| rule(if inward { Direction::In } else { Direction::Out }, flow, peer),
    )
}

proptest! {
    #[test]
    fn the_plan_of_any_vpc_that_was_adopted_is_empty(
        groups in prop::collection::vec(prop::collection::vec(any_rule(), 0..6), 3),
        names in prop::collection::vec(prop::sample::select(vec!["a b", "a-b", "web", "internet", "sg-x", "über", "-"]), 3),
        v6 in any::<bool>(),
    ) {
        let mut account = account();
        if v6 {
            account.vpcs.get_mut("vpc-0d").expect("a VPC").cidrs.insert(cidr("2001:db8::/56"));
        }
        for (number, (rules, name)) in groups.iter().zip(&names).enumerate() {
            group(&mut account, &format!("sg-0000000{}", number + 1), name, rules);
        }
        let adopted = adopt(&account, &id("vpc-0d"), &name()).expect("a VPC");
        prop_assert!(plan_is_empty(&account, &adopted), "{adopted}");
    }
}
