//! A run is killed between a call and its answer, again and again, and the next one goes on.

use crate::Story;
use crate::declared::{MADE, SMALL};
use crate::world::{World, same};

pub fn stories() -> Vec<Story> {
    vec![
        ("after every call in turn, a network is made once", made),
        ("after every call in turn, a network is destroyed whole", destroyed),
    ]
}

/// The next call that changes something is performed, and the process hears nothing any more.
pub const KILLED: &str = "[{\"kind\": \"lose\", \"nth\": 1, \"writes\": true}, \
    {\"kind\": \"drop\", \"nth\": 2, \"times\": 1000000, \"writes\": true}]";

/// Runs that each get one call further, until there is nothing to do; how many there were.
pub fn until_done(world: &World, mut run: impl FnMut() -> bool) -> usize {
    for number in 0..200 {
        world.steer("faults", "[]");
        world.restart();
        if !run() {
            return number;
        }
    }
    panic!("it does not end");
}

/// Applies a declaration in runs that are killed, until nothing is left to do; how many runs.
pub fn applied_in_runs(world: &World, text: &str) -> usize {
    until_done(world, || {
        let actual = world.survey();
        let plan = world.plan(text, &actual);
        if plan.is_empty() {
            return false;
        }
        world.steer("faults", KILLED);
        world.perform(plan, &actual);
        true
    })
}

/// Destroys the network `main` in runs that are killed; how many runs.
pub fn destroyed_in_runs(world: &World) -> usize {
    until_done(world, || {
        let actual = world.survey();
        let Some(plan) = world.plan_without("main", &actual) else { return false };
        world.steer("faults", KILLED);
        world.perform(plan, &actual);
        true
    })
}

fn made() {
    let whole = World::new();
    whole.apply(MADE);
    let world = World::new();
    let runs = applied_in_runs(&world, MADE);
    assert!(runs > 35, "{runs} runs");
    assert_eq!(world.performed(), whole.performed(), "nothing is made twice");
    world.is_as_declared(MADE);
}

fn destroyed() {
    let world = World::new();
    let before = world.survey();
    world.apply(SMALL);
    let runs = destroyed_in_runs(&world);
    assert!(runs > 10, "{runs} runs");
    same(&world.survey(), &before);
}
