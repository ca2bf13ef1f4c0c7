//! Lists as they are printed.

use doorward_core::inventory::{AccountRegion, NamedResource, ResourceKind, ResourceRef};
use doorward_core::net::Flow;
use doorward_core::reach::Selector;

use super::*;

fn flows(text: &str) -> Flows {
    text.split_whitespace().map(|flow| flow.parse::<Flow>().expect("a flow")).collect()
}

fn owner(kind: ResourceKind, name: &str) -> NamedResource {
    NamedResource { resource: ResourceRef::of(kind, name), name: None }
}

fn role(id: u32, name: &str, members: usize) -> Role {
    Role {
        id: RoleId(id),
        name: name.into(),
        vpc: "vpc-0a".parse().expect("a VPC"),
        subnets: ["subnet-0a".parse().expect("a subnet")].into(),
        groups: ["sg-0db".parse().expect("a group"), "sg-0gone".parse().expect("a group")].into(),
        members: (0..members)
            .map(|number| ResourceRef::of(ResourceKind::Interface, &format!("eni-{id}{number}")))
            .collect(),
        owners: vec![owner(ResourceKind::Instance, name)],
        public: id == 1,
    }
}

fn path(from: End, flow: &str, perhaps: &str, whole: bool) -> AllowedPath {
    let surely = flows(flow);
    AllowedPath {
        from,
        to: End::Role(RoleId(1)),
        at_most: surely.union(&flows(perhaps)),
        flows: surely,
        whole,
        addresses: Vec::new(),
    }
}

fn inventory() -> Inventory {
    let id: doorward_core::inventory::SecurityGroupId = "sg-0db".parse().expect("a group");
    let group = doorward_core::inventory::SecurityGroup {
        id: id.clone(),
        account_region: AccountRegion::default(),
        owner: None,
        vpc: None,
        name: "db".into(),
        about: String::new(),
        tags: BTreeMap::new(),
        rules: BTreeMap::new(),
    };
    Inventory { groups: [(id, group)].into(), ..Inventory::default() }
}

#[test]
fn senders_who_may_the_same_share_a_line() {
    let roles = [role(1, "orders", 2), role(2, "web", 1), role(3, "web", 1), role(4, "api", 1)];
    let names = Names::of(&roles);
    let outside = AllowedPath {
        addresses: vec!["203.0.113.0/24".parse().expect("a prefix")],
        ..path(End::Internet, "tcp/443", "", false)
    };
    let paths = [
        path(End::Role(RoleId(2)), "tcp/5432", "", true),
        path(End::Role(RoleId(3)), "tcp/5432", "", true),
        path(End::Role(RoleId(4)), "tcp/5432 icmp", "udp/53", true),
        path(End::Remote(ResourceRef::of(ResourceKind::VpnGateway, "vgw-0a")), "", "tcp/22", true),
        outside,
    ];
    assert_eq!(
        receiver(&paths, &names, &inventory(), true),
        "\
orders  [2 interfaces in vpc-0a, db, sg-0gone, public]
  possibly tcp/22                  from behind vgw-0a
  tcp/443                          from the internet (203.0.113.0/24), in part
  tcp/5432                         from web #2, web #3
  tcp/5432, icmp, possibly udp/53  from api
"
    );
}

#[test]
fn many_senders_are_folded() {
    let roles: Vec<Role> = (1..=500).map(|id| role(id, &format!("role-{id}"), 1)).collect();
    let names = Names::of(&roles);
    let paths: Vec<AllowedPath> =
        (2..=500).map(|id| path(End::Role(RoleId(id)), "tcp/5432", "", true)).collect();
    let text = receiver(&paths, &names, &inventory(), false);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.ends_with("role-8, role-9 and 491 more\n"), "{text}");
    assert!(text.lines().all(|line| line.len() < 120), "{text}");
}

#[test]
fn a_line_of_json_is_one_line() {
    let roles = [role(1, "orders", 1), role(2, "web", 1)];
    let names = Names::of(&roles);
    let path = path(End::Role(RoleId(2)), "tcp/5432", "", true);
    let line = serde_json::to_string(&json::Line::Path(json::path(&path, &names))).expect("JSON");
    assert_eq!(
        line,
        r#"{"from":{"kind":"role","id":2,"name":"web"},"to":{"kind":"role","id":1,"name":"orders"},"flows":["tcp/5432"],"whole":true}"#
    );
    let line = serde_json::to_string(&json::Line::Role { role: json::role(&roles[0]) }).expect("JSON");
    assert!(
        line.starts_with(r#"{"role":{"id":1,"name":"orders","vpc":"vpc-0a","subnets":["subnet-0a"]"#),
        "{line}"
    );
}

#[test]
fn an_empty_list_says_what_is_not() {
    let to = PathQuery { to: Some(Selector::Internet), ..PathQuery::default() };
    assert_eq!(nothing(&to), "nothing reaches the internet");
    let from = PathQuery { flows: Some(flows("tcp/22")), from: Some(Selector::Internet), to: None };
    assert_eq!(nothing(&from), "the internet reaches nothing by tcp/22");
    assert_eq!(nothing(&PathQuery::default()), "nothing reaches anything");
}

#[test]
fn a_heading_says_what_the_name_does_not() {
    let check = |role: Role, expected: &str| {
        let (id, roles) = (role.id, [role]);
        assert_eq!(heading(&End::Role(id), &Names::of(&roles), &inventory()), expected);
    };
    let owners = ["a", "b", "c", "d", "e"].map(|name| owner(ResourceKind::Function, name));
    check(
        Role { name: "db + sg-0gone".into(), owners: owners.into(), ..role(2, "", 5) },
        "db + sg-0gone  [5 interfaces in vpc-0a, of function a, function b, function c, function d and 1 more]\n",
    );
    check(
        Role { groups: std::collections::BTreeSet::new(), ..role(1, "nat", 1) },
        "nat  [1 interface in vpc-0a, no group, public]\n",
    );
}
