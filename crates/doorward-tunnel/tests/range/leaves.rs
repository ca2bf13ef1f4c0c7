//! What is left when a range ends, however that comes: nothing.

use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::need::{Need, named};
use crate::world::{ECHO, Owner, RANGE, RANGE_V6, RESOLVER, World};

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Ip, Need::Nft];
    let tests: [(&str, fn()); 6] = [
        ("kill -9 leaves nothing within two seconds, and flows end at once", killed),
        ("kill -9 in the middle of opening, again and again", killed_early),
        ("a watchdog that somebody ended is replaced", unwatched),
        ("watchdog and owner killed together: the next one sweeps", swept),
        ("one that lives is never swept", not_swept),
        ("close cuts what is carried and counts it", cut),
    ];
    named("range, ends", &needs, tests)
}

fn everything() -> [String; 4] {
    [
        format!("range={RANGE}"),
        format!("range={RANGE_V6}"),
        format!("resolver={RESOLVER}"),
        "domain=internal".into(),
    ]
}

fn owns(world: &World) -> Owner {
    let words = everything();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.owns(&words)
}

fn kill(pid: u32) {
    let killed = Command::new("/bin/kill").args(["-9", &pid.to_string()]).status().expect("kill");
    assert!(killed.success());
}

/// The process that watches over an owner.
fn watchdog(owner: &Owner) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", owner.pid());
    let began = Instant::now();
    loop {
        for thread in std::fs::read_dir(format!("/proc/{}/task", owner.pid())).expect("threads").flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                let line = std::fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
                if line.contains("range-watchdog") {
                    return child.parse().expect("a process");
                }
            }
        }
        assert!(began.elapsed() < Duration::from_secs(5), "no watchdog in {children}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn killed() {
    let world = World::new();
    let before = world.state();
    for _ in 0..3 {
        let owner = owns(&world);
        let talk = world.client.probe(&["talk", ECHO]);
        assert_eq!(talk.line(), "open");
        assert_ne!(world.state(), before);
        kill(owner.pid());
        assert!(world.becomes(&before) < Duration::from_secs(2));
        assert!(["reset", "closed"].contains(&talk.line().as_str()), "it depends on what was on its way");
    }
}

fn killed_early() {
    let world = World::new();
    let before = world.state();
    for milliseconds in (0..120).step_by(6) {
        let words = everything();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let probe = world.client.probe(&[&["own", "via=relay@10.77.1.1:7000"][..], &words].concat());
        std::thread::sleep(Duration::from_millis(milliseconds));
        kill(probe.pid());
        let at = Instant::now();
        // A transaction that was under way may still come to its end; two seconds later nothing is left.
        std::thread::sleep(Duration::from_millis(100));
        world.becomes(&before);
        assert!(at.elapsed() < Duration::from_secs(2), "{:?} after {milliseconds} ms", at.elapsed());
    }
}

fn unwatched() {
    let world = World::new();
    let before = world.state();
    let owner = owns(&world);
    let first = watchdog(&owner);
    // A polite word does not end it.
    Command::new("/bin/kill").arg(first.to_string()).status().expect("kill");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(watchdog(&owner), first);
    kill(first);
    let began = Instant::now();
    let second = loop {
        let found = watchdog(&owner);
        if found != first {
            break found;
        }
        assert!(began.elapsed() < Duration::from_secs(2));
    };
    assert_ne!(second, first);
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole");
    std::thread::sleep(Duration::from_millis(200));
    kill(owner.pid());
    assert!(world.becomes(&before) < Duration::from_secs(2));
}

fn swept() {
    let world = World::new();
    let before = world.state();
    let owner = owns(&world);
    let table = owner.table();
    // The owner is stopped, so that it cannot start another.
    Command::new("/bin/kill").args(["-STOP", &owner.pid().to_string()]).status().expect("kill");
    kill(watchdog(&owner));
    kill(owner.pid());
    std::thread::sleep(Duration::from_secs(2));
    assert!(world.client.nft(&["list", "tables"], "").contains(&table), "nobody was there to remove it");
    let next = owns(&world);
    assert_ne!(next.table(), table);
    let tables = world.client.nft(&["list", "tables"], "");
    assert!(!tables.contains(&table) && tables.contains(&next.table()), "{tables}");
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole");
    next.closes();
    assert_eq!(world.state(), before);
}

fn not_swept() {
    let world = World::new();
    let owner = owns(&world);
    let other = world.owns(&["range=10.99.0.0/16"]);
    let tables = world.client.nft(&["list", "tables"], "");
    assert!(tables.contains(&owner.table()) && tables.contains(&other.table()), "{tables}");
    other.closes();
    assert_eq!(world.asks(&["carry", ECHO, "1000"]), "whole");
    owner.closes();
}

fn cut() {
    let world = World::new();
    let before = world.state();
    let owner = owns(&world);
    let talks = [(); 3].map(|()| world.client.probe(&["talk", ECHO]));
    for talk in &talks {
        assert_eq!(talk.line(), "open");
    }
    let began = Instant::now();
    assert_eq!(owner.closes(), "closed 3 carried 0 failed 3 cut 0 udp 0 other");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(world.state(), before);
    for talk in &talks {
        assert_eq!(talk.line(), "reset");
    }
}
