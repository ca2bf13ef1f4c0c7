//! The accounts that `./bench reach` makes are whole, and what an engine has to tell apart in them stays the same
//! while only interfaces are added.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::ControlFlow;

use doorward_core::inventory::{Destination, Direction, Inventory, Peer, RouteTarget, SecurityGroupId};
use doorward_core::reach::{PathQuery, Reachability};
use reach_model::account::{GONE, Shape, account};

fn shapes() -> [Shape; 4] {
    [Shape::of(100), Shape::of(1_000), Shape::of(10_000), Shape::alike(2_000)]
}

#[test]
fn an_account_is_the_same_in_every_run() {
    for shape in shapes() {
        assert_eq!(account(shape), account(shape), "{shape:?}");
    }
    // And on every machine: figures that are written down are of these accounts.
    let made = account(Shape::of(1_000));
    let last = made.interfaces.values().rfind(|interface| interface.kind == "interface").expect("one");
    let groups: Vec<&str> = last
        .groups
        .iter()
        .map(|group| group.as_str().trim_start_matches("sg-").trim_start_matches('0'))
        .collect();
    let rules: usize = made.groups.values().map(|group| group.rules.len()).sum();
    assert_eq!(
        format!("{rules} rules, {} in {groups:?}", last.addresses[0].address),
        r#"1358 rules, 10.3.48.26 in ["13", "53", "bb"]"#
    );
}

#[test]
fn an_account_has_what_its_shape_says() {
    for shape in shapes() {
        let made = account(shape);
        let servers = made.interfaces.values().filter(|interface| interface.kind == "interface");
        let servers: Vec<_> = servers.collect();
        assert_eq!(servers.len(), shape.interfaces);
        assert!(servers.iter().all(|interface| interface.groups.len() == 3));
        assert_eq!(made.groups.len(), shape.groups);
        assert_eq!(made.vpcs.len(), shape.vpcs);
        assert_eq!(made.subnets.len(), shape.vpcs * shape.tiers * 3);
        for group in made.groups.values() {
            let ingress = group.rules.keys().filter(|rule| rule.direction == Direction::In).count();
            assert!((1..=8).contains(&ingress), "{} has {ingress} rules in", group.id);
        }
        let dual = made.subnets.values().filter(|subnet| subnet.cidrs.len() == 2).count();
        assert_eq!(dual * 2, made.subnets.len());
    }
}

#[test]
fn every_id_that_is_named_is_there() {
    let gone: SecurityGroupId = format!("sg-{GONE:017x}").parse().expect("an id");
    for shape in shapes() {
        let made = account(shape);
        assert!(!made.groups.contains_key(&gone));
        let mut stale = 0;
        for rule in made.groups.values().flat_map(|group| group.rules.keys()) {
            match &rule.peer {
                Peer::Group(group) if *group == gone => stale += 1,
                Peer::Group(group) => assert!(made.groups.contains_key(group), "{group}"),
                Peer::PrefixList(list) => assert!(made.prefix_lists.contains_key(list), "{list}"),
                Peer::Cidr(_) => {}
            }
        }
        assert!(stale > 0 && stale < shape.groups / 10, "{stale} stale references in {shape:?}");
        for interface in made.interfaces.values() {
            assert_eq!(made.subnets[&interface.subnet].vpc, interface.vpc);
            for group in &interface.groups {
                assert_eq!(made.groups[group].vpc.as_ref(), Some(&interface.vpc), "{}", interface.id);
            }
        }
        routes_lead_somewhere(&made);
        every_subnet_has_one_table_and_one_acl(&made);
    }
}

fn routes_lead_somewhere(made: &Inventory) {
    for table in made.route_tables.values() {
        for route in &table.routes {
            let vpc = Some(&table.vpc);
            let there = match &route.target {
                RouteTarget::Local => true,
                RouteTarget::InternetGateway(id) => made.internet_gateways[id].vpc.as_ref() == vpc,
                RouteTarget::EgressOnlyGateway(id) => made.egress_only_gateways[id].vpc.as_ref() == vpc,
                RouteTarget::NatGateway(id) => made.nat_gateways[id].vpc == table.vpc,
                RouteTarget::Peering(id) => made.peerings[id].other(&table.vpc).is_some(),
                RouteTarget::Endpoint(id) => made.endpoints[id].tables.contains(&table.id),
                other => panic!("a route of {} leads to {other}", table.id),
            };
            assert!(there, "{route:?} of {}", table.id);
            if let Destination::PrefixList(list) = &route.destination {
                assert!(made.prefix_lists.contains_key(list), "{list}");
            }
        }
    }
}

fn every_subnet_has_one_table_and_one_acl(made: &Inventory) {
    for subnet in made.subnets.values() {
        let tables = made.route_tables.values().filter(|table| table.subnets.contains(&subnet.id));
        assert_eq!(tables.map(|table| &table.vpc).collect::<Vec<_>>(), [&subnet.vpc], "{}", subnet.id);
        let acls = made.network_acls.values().filter(|acl| acl.subnets.contains(&subnet.id));
        assert_eq!(acls.map(|acl| &acl.vpc).collect::<Vec<_>>(), [&subnet.vpc], "{}", subnet.id);
    }
}

#[test]
fn addresses_are_in_their_subnets_and_each_is_given_once() {
    for shape in shapes() {
        let made = account(shape);
        for subnet in made.subnets.values() {
            for cidr in &subnet.cidrs {
                let around = made.vpcs[&subnet.vpc].cidrs.iter().filter(|vpc| vpc.covers(*cidr)).count();
                assert_eq!(around, 1, "{cidr} of {}", subnet.id);
                let beside = made.subnets.values().filter(|other| other.id != subnet.id);
                for other in beside.flat_map(|other| &other.cidrs) {
                    assert!(!other.covers(*cidr), "{cidr} lies in {other}");
                }
            }
        }
        let mut given = BTreeSet::new();
        for interface in made.interfaces.values() {
            for own in &interface.addresses {
                assert!(made.subnets[&interface.subnet].contains(own.address), "{own:?}");
                assert!(given.insert(own.address), "{} twice", own.address);
                if let Some(public) = own.public {
                    assert!(given.insert(IpAddr::V4(public)), "{public} twice");
                }
            }
        }
    }
}

#[test]
fn more_interfaces_in_the_same_roles_change_nothing_else() {
    let roles = |made: &Inventory| -> BTreeSet<_> {
        let interfaces = made.interfaces.values();
        interfaces.map(|interface| (interface.subnet.clone(), interface.groups.clone())).collect()
    };
    let (few, many) = (account(Shape::alike(1_250)), account(Shape::alike(10_000)));
    assert_eq!(roles(&few), roles(&many));
    assert_eq!(few.groups, many.groups);
    assert_eq!(few.route_tables, many.route_tables);
    assert_eq!(few.network_acls, many.network_acls);
}

#[test]
fn roles_and_ways_do_not_grow_with_interfaces() {
    let count = |interfaces| {
        let reachability = Reachability::of(account(Shape::alike(interfaces)));
        let mut paths = 0;
        reachability.paths(&PathQuery::default(), &mut |_| {
            paths += 1;
            ControlFlow::Continue(())
        });
        (reachability.roles().len(), paths)
    };
    let few = count(1_250);
    assert!(few.0 > 90 && few.1 > few.0, "{few:?}");
    assert_eq!(few, count(2_500));
    assert_eq!(few, count(10_000));
}
