//! Calls are throttled, new resources are not visible at once, and runs are stopped.

use doorward_aws::{Event, NotDone, Stop};

use crate::Story;
use crate::declared::{MADE, SMALL};
use crate::world::{World, summary};

pub fn stories() -> Vec<Story> {
    vec![
        ("new resources are not visible at once", unseen),
        ("calls are throttled", throttled),
        ("a run that is stopped ends in order, and the next goes on", stopped),
    ]
}

fn faults(kind: &str) -> String {
    let faults: Vec<String> = (0..100)
        .map(|number| format!("{{\"kind\": \"{kind}\", \"nth\": {}, \"writes\": true}}", 3 * number + 1))
        .collect();
    format!("[{}]", faults.join(", "))
}

/// What is made in spite of faults is what is made without them.
fn as_without(faults: &str, text: &str) {
    let whole = World::new();
    whole.apply(text);
    let world = World::new();
    world.survey();
    world.steer("faults", faults);
    world.apply(text);
    assert_eq!(world.performed(), whole.performed());
}

fn throttled() {
    as_without(&faults("throttle"), SMALL);
}

fn unseen() {
    let world = World::new();
    world.survey();
    world.steer("visibility", "{\"calls\": 3}");
    world.apply(MADE);
    assert_eq!(world.performed().get("CreateSubnet"), Some(&4));
    assert_eq!(world.performed().get("CreateVpc"), Some(&1));
}

fn stopped() {
    let world = World::new();
    let actual = world.survey();
    let stop = Stop::default();
    let applied = world.perform_telling(world.plan(SMALL, &actual), &actual, &stop, &|event| {
        if matches!(event, Event::Done(_)) {
            stop.stop();
        }
    });
    assert!(!applied.done.is_empty() && !applied.left.is_empty(), "{}", summary(&applied));
    let stopped = |why: &NotDone| matches!(why, NotDone::Stopped);
    assert!(!applied.failed.iter().any(|(_, why)| stopped(why)), "a stop is no failure");
    assert!(applied.failed.is_empty(), "{}", summary(&applied));
    world.apply(SMALL);
    assert_eq!(world.performed().get("CreateVpc"), Some(&1));
}
