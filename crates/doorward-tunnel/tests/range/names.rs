//! Names: by the far side's resolver, by the machine's own, and when neither answers.

use std::time::Duration;

use libtest_mimic::Trial;

use crate::need::{Need, named};
use crate::netns::Probe;
use crate::world::{FAR_SAYS, GATEWAY, NEAR_SAYS, RANGE, RESOLVER, World};

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Ip, Need::Nft];
    let tests: [(&str, fn()); 5] = [
        ("names of the far side's domains are its own, all others the machine's", split),
        ("the far side's resolver answers by its own address", by_address),
        ("long answers, names that are not there, and silence", long_gone_and_silent),
        ("a way that is down is said at once, and comes back", down),
        ("without names nothing of them is touched", untouched),
    ];
    named("range, names", &needs, tests)
}

fn words() -> [String; 2] {
    [format!("range={RANGE}"), format!("resolver={RESOLVER}")]
}

/// Everything that a name server was asked until now.
fn asked(server: &Probe) -> Vec<String> {
    std::iter::from_fn(|| server.within(Duration::from_millis(100))).collect()
}

fn split() {
    let world = World::new();
    let (near, far) = world.resolvers();
    let before = world.state();
    assert_eq!(world.asks(&["resolve", "orders.internal"]), format!("{NEAR_SAYS} quickly"));
    let [range, resolver] = words();
    let owner = world.owns(&[&range, &resolver, "domain=internal", "domain=rds.example.org"]);
    owner.table();
    asked(&near);
    for (name, says) in [
        ("orders.internal", FAR_SAYS),
        ("Orders.INTERNAL", FAR_SAYS),
        ("internal", FAR_SAYS),
        ("a.b.rds.example.org", FAR_SAYS),
        ("example.org", NEAR_SAYS),
        ("orders.notinternal", NEAR_SAYS),
    ] {
        assert_eq!(world.asks(&["resolve", name]), format!("{says} quickly"), "{name}");
    }
    let (near_asked, far_asked) = (asked(&near), asked(&far));
    assert!(near_asked.iter().all(|name| !name.to_lowercase().ends_with(".internal")), "{near_asked:?}");
    assert!(far_asked.iter().all(|name| name.starts_with("tcp ")), "{far_asked:?}");
    assert!(far_asked.contains(&"tcp Orders.INTERNAL".to_owned()), "as it was asked: {far_asked:?}");
    // By name to a place that only the far side knows.
    assert_eq!(world.asks(&["carry", &format!("{FAR_SAYS}:7"), "100"]), "whole");
    // By connection as by datagram.
    let near_server = format!("{GATEWAY}:53");
    assert_eq!(world.asks(&["query", "tcp", &near_server, "orders.internal", "0"]), "NOERROR 1 quickly");
    assert_eq!(world.asks(&["query", "tcp", &near_server, "example.org", "0"]), "NOERROR 1 quickly");
    assert_eq!(
        (asked(&far), asked(&near)),
        (vec!["tcp orders.internal".into()], vec!["tcp example.org".into()])
    );
    owner.closes();
    assert_eq!(world.state(), before);
    assert_eq!(world.asks(&["resolve", "orders.internal"]), format!("{NEAR_SAYS} quickly"));
}

fn by_address() {
    let world = World::new();
    let (near, far) = world.resolvers();
    let [range, resolver] = words();
    let owner = world.owns(&[&range, &resolver]);
    owner.table();
    let server = format!("{RESOLVER}:53");
    for by in ["udp", "tcp"] {
        assert_eq!(world.asks(&["query", by, &server, "example.org", "0"]), "NOERROR 1 quickly");
    }
    assert_eq!(asked(&far), ["tcp example.org", "tcp example.org"]);
    assert_eq!(
        world.asks(&["resolve", "orders.internal"]),
        format!("{NEAR_SAYS} quickly"),
        "no domain, no split"
    );
    assert!(!asked(&near).is_empty());
    owner.closes();
}

fn long_gone_and_silent() {
    let world = World::new();
    let (_near, _far) = world.resolvers();
    let [range, resolver] = words();
    let owner = world.owns(&[&range, &resolver, "domain=internal"]);
    owner.table();
    let server = format!("{GATEWAY}:53");
    let query = |by: &str, name: &str, size: &str| world.asks(&["query", by, &server, name, size]);
    assert_eq!(query("udp", "many.internal", "0"), "NOERROR 0 truncated quickly");
    assert_eq!(query("udp", "many.internal", "600"), "NOERROR 0 truncated quickly");
    assert_eq!(query("udp", "many.internal", "4096"), "NOERROR 60 quickly");
    assert_eq!(query("tcp", "many.internal", "0"), "NOERROR 60 quickly");
    assert_eq!(query("udp", "db.gone.internal", "0"), "NXDOMAIN 0 quickly");
    // It never answers this one, and the others are not held up by it.
    let silent = world.client.probe(&["query", "udp", &server, "broken.internal", "0"]);
    for _ in 0..3 {
        assert_eq!(query("udp", "orders.internal", "0"), "NOERROR 1 quickly");
    }
    assert_eq!(silent.line(), "SERVFAIL 0 slowly");
    owner.closes();
}

fn down() {
    let world = World::new();
    let (_near, far) = world.resolvers();
    let [range, resolver] = words();
    let owner = world.owns(&[&range, &resolver, "domain=internal"]);
    owner.table();
    let server = format!("{GATEWAY}:53");
    let query = |name: &str| world.asks(&["query", "udp", &server, name, "0"]);
    assert_eq!(query("orders.internal"), "NOERROR 1 quickly");
    drop(far);
    // Nothing listens there any more: the connection breaks, and another is refused.
    assert_eq!(query("orders.internal"), "SERVFAIL 0 quickly");
    assert_eq!(query("orders.internal"), "SERVFAIL 0 quickly");
    assert_eq!(query("example.org"), "NOERROR 1 quickly", "the machine's own names go on");
    let _far = world.destination.probe(&["resolver", &server.replace(GATEWAY, RESOLVER), FAR_SAYS]);
    let comes_back = (0..30).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        query("orders.internal") == "NOERROR 1 quickly"
    });
    assert!(comes_back);
    owner.closes();
}

fn untouched() {
    let world = World::new();
    let (near, far) = world.resolvers();
    let owner = world.owns(&[&format!("range={RANGE}")]);
    owner.table();
    assert_eq!(world.asks(&["resolve", "orders.internal"]), format!("{NEAR_SAYS} quickly"));
    assert!(!asked(&near).is_empty() && asked(&far).is_empty());
    let server = format!("{RESOLVER}:53");
    assert_eq!(
        world.asks(&["query", "udp", &server, "a.internal", "0"]),
        "refused quickly",
        "a datagram as any other"
    );
    assert_eq!(
        world.asks(&["query", "tcp", &server, "a.internal", "0"]),
        "NOERROR 1 quickly",
        "a flow as any other"
    );
    owner.closes();
}
