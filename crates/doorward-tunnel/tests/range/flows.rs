//! Connections into a range: both families, many at once, refused, and beside it everything as before.

use std::time::Duration;

use libtest_mimic::Trial;

use crate::need::{Need, named};
use crate::world::{CLIENT, ECHO, ECHO_V6, GATEWAY, NOBODY, RANGE, RANGE_V6, World};

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Ip, Need::Nft];
    let tests: [(&str, fn()); 9] = [
        ("flows of both families are whole, each way ended by itself", both_families),
        ("two hundred at once", two_hundred),
        ("a port where nobody listens is refused at once", refused),
        ("UDP and ping are refused at once and counted", datagrams),
        ("the carrier, the machine itself and its networks stay as they were", beside),
        ("two at once with different ranges, and none that overlap", two),
        ("other tables are left alone", other_tables),
        ("a table that somebody flushed is put back", flushed),
        ("nft takes the golden files", golden),
    ];
    named("range", &needs, tests)
}

fn both() -> [String; 2] {
    [format!("range={RANGE}"), format!("range={RANGE_V6}")]
}

fn both_families() {
    let world = World::new();
    let before = world.state();
    assert_ne!(world.asks(&["try", ECHO]), "open", "the client has no way there");
    let [v4, v6] = both();
    let owner = world.owns(&[&v4, &v6]);
    owner.table();
    for address in [ECHO, ECHO_V6] {
        for bytes in ["0", "1", "1017", "65536", "3000001"] {
            assert_eq!(world.asks(&["carry", address, bytes]), "whole", "{address} {bytes}");
        }
    }
    assert_eq!(owner.closes(), "closed 10 carried 0 failed 0 cut 0 udp 0 other");
    assert_eq!(world.state(), before);
    assert_ne!(world.asks(&["try", ECHO]), "open", "and has none again");
}

fn two_hundred() {
    let world = World::new();
    let [v4, v6] = both();
    let owner = world.owns(&[&v4, &v6]);
    owner.table();
    assert_eq!(world.asks(&["many", &format!("{ECHO},{ECHO_V6}"), "200"]), "200 whole");
    assert_eq!(owner.closes(), "closed 200 carried 0 failed 0 cut 0 udp 0 other");
}

fn refused() {
    let world = World::new();
    let owner = world.owns(&[&format!("range={RANGE}")]);
    owner.table();
    // The kernel has answered for the far side by then: what a client sees is a reset, not an end.
    assert_eq!(world.asks(&["met", NOBODY]), "reset quickly");
    assert_eq!(owner.closes(), "closed 1 carried 1 failed 0 cut 0 udp 0 other");
}

fn datagrams() {
    let world = World::new();
    let [v4, v6] = both();
    let owner = world.owns(&[&v4, &v6]);
    owner.table();
    assert_eq!(world.asks(&["ask", "10.77.2.2:8"]), "refused quickly");
    assert_eq!(world.asks(&["ask", "[fd77:0:0:2::2]:443"]), "refused quickly");
    assert_eq!(world.asks(&["ping", "10.77.2.2:0"]), "Operation not permitted (os error 1) quickly");
    assert_eq!(owner.closes(), "closed 0 carried 0 failed 0 cut 2 udp 1 other");
}

fn beside() {
    let world = World::new();
    let near = world.gateway.probe(&["echo", "[::]:7"]);
    let near_datagrams = world.gateway.probe(&["answer", "[::]:8"]);
    let own = world.client.probe(&["echo", "[::]:7"]);
    for server in [&near, &near_datagrams, &own] {
        assert_eq!(server.line(), "listens");
    }
    // The range holds the client's own network, the carrier and the client itself.
    let owner = world.owns(&["range=10.77.0.0/16"]);
    owner.table();
    assert_eq!(
        owner.probe.line(),
        "`10.77.1.0/24` is not routed: this machine routes it over `dw0`".replace("dw0", &link(&world))
    );
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole");
    for address in [GATEWAY, CLIENT, "127.0.0.1"] {
        assert_eq!(world.asks(&["carry", &format!("{address}:7"), "1000"]), "whole", "{address}");
    }
    assert_eq!(world.asks(&["ask", "10.77.1.1:8"]), "open quickly", "datagrams to what is not carried");
    assert_eq!(owner.closes(), "closed 1 carried 0 failed 0 cut 0 udp 0 other", "only one flow was carried");
}

/// The client's cable.
fn link(world: &World) -> String {
    let said = world.client.ip(&["-o", "-4", "address", "show", "to", CLIENT]);
    said.split_whitespace().nth(1).expect("a link").to_owned()
}

fn two() {
    let world = World::new();
    let before = world.state();
    let one = world.owns(&[&format!("range={RANGE}")]);
    let table = one.table();
    let between = world.state();
    for range in [RANGE, "10.77.2.128/25", "10.77.2.0/23"] {
        let refused = world.owns(&[&format!("range={range}")]);
        let link = one.opened.split(' ').nth(2).expect("a link");
        assert!(refused.opened.starts_with("error: "), "{}", refused.opened);
        assert!(
            refused.opened.ends_with(&format!("which another doorward process routes (`{link}`)")),
            "{}",
            refused.opened
        );
    }
    assert_eq!(world.state(), between, "nothing is left of those that were refused");
    let other = world.owns(&[&format!("range={RANGE_V6}")]);
    assert_ne!(other.table(), table);
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole");
    assert_eq!(world.asks(&["carry", ECHO_V6, "1000"]), "whole");
    assert_eq!(one.closes(), "closed 1 carried 0 failed 0 cut 0 udp 0 other");
    assert_eq!(world.asks(&["carry", ECHO_V6, "1000"]), "whole", "the other goes on");
    assert_eq!(other.closes(), "closed 2 carried 0 failed 0 cut 0 udp 0 other");
    assert_eq!(world.state(), before);
}

fn other_tables() {
    let world = World::new();
    let theirs = "table inet vpn {
        chain out { type filter hook output priority 0;
            ip daddr 10.77.2.0/24 counter
        }
    }
    table ip nat {
        chain out { type nat hook output priority -100;
            tcp dport 7 redirect to :1
        }
    }
    table inet doorward {
    }
    ";
    world.client.nft(&["-f", "-"], theirs);
    let before = world.state();
    let owner = world.owns(&[&format!("range={RANGE}")]);
    let table = owner.table();
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole", "another redirect comes after ours");
    let existing = world.client.nft(&["list", "ruleset"], "");
    for name in ["inet vpn", "ip nat", "inet doorward ", &format!("inet {table} ")] {
        assert!(existing.contains(&format!("table {name}")), "{existing}");
    }
    drop(owner);
    assert!(world.becomes(&before) < Duration::from_secs(2));
}

fn flushed() {
    let world = World::new();
    let before = world.state();
    // A way that is not ours, by which the destination could be reached in the clear.
    world.client.ip(&["route", "add", "default", "via", GATEWAY]);
    world.gateway.forwards();
    world.destination.ip(&["route", "add", "default", "via", "10.77.2.1"]);
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole", "in the clear");
    let owner = world.owns(&[&format!("range={RANGE}")]);
    let table = owner.table();
    world.client.nft(&["flush", "ruleset"], "");
    let way = world.client.ip(&["-o", "route", "get", "10.77.2.2"]);
    assert!(
        way.contains(owner.opened.split(' ').nth(2).expect("a link")),
        "nothing leaves in the clear meanwhile: {way}"
    );
    let stands = || world.client.nft(&["list", "tables"], "").contains(&table);
    assert!((0..40).any(|_| stands() || {
        std::thread::sleep(Duration::from_millis(100));
        false
    }));
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole");
    assert_eq!(owner.closes(), "closed 1 carried 0 failed 0 cut 0 udp 0 other");
    world.client.ip(&["route", "del", "default"]);
    assert_eq!(world.state(), before);
}

fn golden() {
    let world = World::new();
    let golden = [
        include_str!("../../src/transparent/golden/one-range.nft"),
        include_str!("../../src/transparent/golden/everything.nft"),
    ];
    for text in golden {
        world.client.nft(&["-f", "-"], text);
    }
    // The second has the first one's name, and has replaced it.
    assert_eq!(world.client.nft(&["list", "tables"], ""), "table inet doorward-range-77-5f3a9c\n");
}
