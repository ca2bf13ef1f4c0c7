//! Answers are lost, one after the other, and AWS fails after it has performed a call: nothing is made twice.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::Story;
use crate::declared::MADE;
use crate::world::{World, counted, summary};

pub fn stories() -> Vec<Story> {
    vec![
        ("every second answer is lost", every_second),
        ("AWS performs every second call and answers with a failure", failed_after),
        ("every second call does not arrive", dropped),
        ("the answers to one call are lost again and again", in_a_row),
        ("a NAT gateway and an endpoint that fail are replaced by the next run", replaced),
    ]
}

/// Every second call that changes something meets a fault.
fn every_second_call(kind: &str) -> String {
    let faults: Vec<String> = (1..=300)
        .map(|number| format!("{{\"kind\": \"{kind}\", \"nth\": {}, \"writes\": true}}", 2 * number))
        .collect();
    format!("[{}]", faults.join(", "))
}

/// With faults a network is made and destroyed as without: so many resources, and none of them left.
fn as_without(faults: &str) {
    static WITHOUT: OnceLock<BTreeMap<&'static str, usize>> = OnceLock::new();
    let expected = WITHOUT.get_or_init(|| counted(&World::new().apply(MADE)));
    let world = World::new();
    let before = counted(&world.survey());
    world.steer("faults", faults);
    let actual = world.apply(MADE);
    assert_eq!(&counted(&actual), expected);
    let plan = world.plan_without("main", &actual).expect("nothing uses it");
    let applied = world.perform(plan, &actual);
    assert!(applied.is_whole(), "{}", summary(&applied));
    world.steer("faults", "[]");
    assert_eq!(counted(&world.survey()), before);
}

fn every_second() {
    as_without(&every_second_call("lose"));
}

fn failed_after() {
    as_without(&every_second_call("fail-after"));
}

fn dropped() {
    as_without(&every_second_call("drop"));
}

/// Of each of these calls the answers are lost six times in a row: those that have a token, those that are looked up, and those
/// that have the same effect twice.
fn in_a_row() {
    const CALLS: [&str; 9] = [
        "CreateVpc",
        "CreateRouteTable",
        "AllocateAddress",
        "CreateNatGateway",
        "CreateVpcEndpoint",
        "CreateRoute",
        "AssociateRouteTable",
        "AuthorizeSecurityGroupIngress",
        "CreateDBSubnetGroup",
    ];
    let faults =
        CALLS.map(|call| format!("{{\"kind\": \"lose\", \"nth\": 1, \"times\": 6, \"action\": \"{call}\"}}"));
    as_without(&format!("[{}]", faults.join(", ")));
}

fn replaced() {
    let world = World::new();
    let before = counted(&world.survey());
    world.steer(
        "endings",
        "[{\"of\": \"nat-gateway\", \"code\": \"InternalError\", \"message\": \"no reason\"}, {\"of\": \"endpoint\"}]",
    );
    let mut failed = Vec::new();
    for _ in 0..4 {
        let actual = world.survey();
        let plan = world.plan(MADE, &actual);
        if plan.is_empty() {
            break;
        }
        let applied = world.perform(plan, &actual);
        failed.extend(
            applied.failed.iter().map(|(step, why)| format!("{}: {why}", applied.steps[*step].change)),
        );
    }
    assert!(failed.iter().any(|why| why.contains("is failed: InternalError: no reason")), "{failed:?}");
    let performed = world.performed();
    let made = |call: &str| performed.get(call).copied().unwrap_or_default();
    let calls = ["CreateNatGateway", "CreateVpcEndpoint", "DeleteNatGateway", "DeleteVpcEndpoints"];
    assert_eq!(calls.map(made), [3, 4, 0, 1], "{performed:?}");
    let actual = world.is_as_declared(MADE);
    // AWS shows the failed gateway for an hour, and nothing is planned for it.
    assert_eq!(actual.nat_gateways.values().filter(|it| it.has_failed()).count(), 1);
    assert_eq!(actual.nat_gateways.len(), 3);
    let applied = world.perform(world.plan_without("main", &actual).expect("nothing uses it"), &actual);
    assert!(applied.is_whole(), "{}", summary(&applied));
    world.steer("clock", "{\"advance\": 3600}");
    assert_eq!(counted(&world.survey()), before);
}
