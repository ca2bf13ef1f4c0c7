//! An environment that is stopped and started: paused, deleted with a final snapshot and restored, killed between calls, and
//! started by AWS after seven days.

use std::sync::atomic::{AtomicUsize, Ordering};

use doorward_aws::{Event, Stop};
use doorward_core::inventory::{Database, Inventory};
use doorward_core::reach::{Reachability, Selector};
use doorward_core::topology::{EnvironmentParts, EnvironmentState, Transition};

use crate::Story;
use crate::environments::dev;
use crate::killed::{KILLED, until_done};
use crate::world::{World, summary};

pub fn stories() -> Vec<Story> {
    vec![
        ("an environment is paused, started by AWS, paused again and started", paused),
        ("an environment is deleted with a final snapshot and restored as it was", saved),
        ("as many final snapshots are kept as are declared", pruned),
        ("after every call in turn, an environment is stopped and started once", killed),
        ("a database that somebody else starts or stops meanwhile is not waited for in vain", meanwhile),
        ("a restore that fails is reported, and the database stays as it is", failed),
        ("a stop that was killed while the database is deleted is followed by a start", turned_back),
    ]
}

fn state(world: &World, text: &str, account: &Inventory) -> EnvironmentState {
    EnvironmentParts::of(&world.environment(text), account, &world.by).state()
}

fn database<'i>(world: &World, text: &str, account: &'i Inventory) -> &'i Database {
    EnvironmentParts::of(&world.environment(text), account, &world.by).database.expect("a database")
}

/// What is allowed from the instance to the database, back, and from the internet.
fn paths(world: &World, text: &str, account: &Inventory) -> Vec<String> {
    let parts = EnvironmentParts::of(&world.environment(text), account, &world.by);
    let instance = parts.instance.expect("an instance").id.to_string();
    let reach = Reachability::of(account.clone());
    let find = |text: &str| Selector::find(text, reach.inventory()).expect("it is there");
    let ends = [(instance.as_str(), "rds:doorward-dev"), ("rds:doorward-dev", instance.as_str())];
    let ends = ends.into_iter().chain([("internet", "rds:doorward-dev"), ("internet", instance.as_str())]);
    ends.map(|(from, to)| {
        let answer = reach.ask(&find(from), &find(to), None);
        format!("{:?} {:?}", answer.verdict, answer.flows.list())
    })
    .collect()
}

fn paused() {
    let world = World::new();
    let text = dev(&world);
    let created = world.apply(&text);
    assert_eq!(state(&world, &text, &created), EnvironmentState::Running);
    let stopped = world.turn(&text, Transition::Pause);
    assert_eq!(state(&world, &text, &stopped), EnvironmentState::Stopped);
    let restarts = database(&world, &text, &stopped).settings.restarts;
    assert!(restarts.is_some(), "AWS says when it starts the database again");
    world.is_as_declared(&text);
    // After seven days AWS starts the database, and the instance stays stopped.
    world.steer("clock", "{\"advance\": 604800}");
    world.survey();
    world.steer("clock", "{\"advance\": 3600}");
    let restarted = world.is_as_declared(&text);
    let parts = EnvironmentParts::of(&world.environment(&text), &restarted, &world.by);
    assert!(parts.is_restarted() && matches!(parts.state(), EnvironmentState::Partly { .. }), "{parts:?}");
    let stopped = world.turn(&text, Transition::Pause);
    assert_eq!(state(&world, &text, &stopped), EnvironmentState::Stopped);
    assert!(database(&world, &text, &stopped).settings.restarts > restarts, "another seven days");
    let started = world.turn(&text, Transition::Start);
    assert_eq!(state(&world, &text, &started), EnvironmentState::Running);
    assert_eq!(paths(&world, &text, &started), paths(&world, &text, &created));
    assert!(paths(&world, &text, &started)[0].starts_with("Yes"), "{:?}", paths(&world, &text, &started));
    world.is_as_declared(&text);
}

fn saved() {
    let world = World::new();
    let text = dev(&world);
    let created = world.apply(&text);
    let saved = world.turn(&text, Transition::Snapshot);
    let EnvironmentState::StoppedAs(snapshot) = state(&world, &text, &saved) else {
        panic!("{}", state(&world, &text, &saved));
    };
    assert!(snapshot.starts_with("doorward-dev-final-20"), "{snapshot}");
    world.is_as_declared(&text);
    let started = world.turn(&text, Transition::Start);
    assert_eq!(state(&world, &text, &started), EnvironmentState::Running);
    let (before, after) = (database(&world, &text, &created), database(&world, &text, &started));
    assert_eq!(
        after.settings, before.settings,
        "class, storage, zones, backups, IAM, subnet group and secret"
    );
    assert_eq!((&after.groups, &after.subnets, &after.vpc), (&before.groups, &before.subnets, &before.vpc));
    assert_eq!((&after.tags, after.public, &after.engine), (&before.tags, before.public, &before.engine));
    assert_eq!(paths(&world, &text, &started), paths(&world, &text, &created));
    let left = world.is_as_declared(&text);
    assert_eq!(left.database_snapshots.len(), 1, "the snapshot stays");
}

fn pruned() {
    let world = World::new();
    let text = dev(&world).replace("kind", "snapshots = 1\nkind");
    world.apply(&text);
    let first = world.turn(&text, Transition::Snapshot);
    world.turn(&text, Transition::Start);
    let second = world.turn(&text, Transition::Snapshot);
    let names = |account: &Inventory| -> Vec<String> {
        account.database_snapshots.keys().map(|(_, name)| name.clone()).collect()
    };
    assert_eq!((names(&first).len(), names(&second).len()), (1, 1));
    assert_ne!(names(&first), names(&second));
}

fn killed() {
    let world = World::new();
    let text = dev(&world);
    world.apply(&text);
    for (to, least) in
        [(Transition::Pause, 2), (Transition::Start, 2), (Transition::Snapshot, 2), (Transition::Start, 3)]
    {
        let runs = until_done(&world, || {
            let actual = world.survey();
            let plan = world.plan_transition(&text, to, &actual);
            if plan.is_empty() {
                return false;
            }
            world.steer("faults", KILLED);
            world.perform(plan, &actual);
            true
        });
        assert!(runs >= least, "{to:?}: {runs} runs");
    }
    let started = world.is_as_declared(&text);
    assert_eq!(state(&world, &text, &started), EnvironmentState::Running);
    let performed = world.performed();
    let count = |action: &str| performed.get(action).copied().unwrap_or_default();
    let once = [
        "RunInstances",
        "CreateDBInstance",
        "StopDBInstance",
        "StartDBInstance",
        "DeleteDBInstance",
        "RestoreDBInstanceFromDBSnapshot",
    ];
    for action in once {
        assert_eq!(count(action), 1, "{action}");
    }
    assert_eq!((count("StopInstances"), count("StartInstances")), (2, 2));
    assert_eq!(started.database_snapshots.len(), 1, "one final snapshot");
}

fn turned_back() {
    let world = World::new();
    let text = dev(&world);
    let created = world.apply(&text);
    // The deletion takes longer than reading the account. The first run stops the instance, and the second one begins to delete
    // the database.
    world.steer("delays", "{\"database-deleting\": 2000}");
    while !world.performed().contains_key("DeleteDBInstance") {
        let actual = world.survey();
        world.steer("faults", KILLED);
        world.perform(world.plan_transition(&text, Transition::Snapshot, &actual), &actual);
        world.steer("faults", "[]");
        world.restart();
    }
    let started = world.turn(&text, Transition::Start);
    assert_eq!(state(&world, &text, &started), EnvironmentState::Running);
    assert_eq!(paths(&world, &text, &started), paths(&world, &text, &created));
    assert_eq!(world.performed().get("RestoreDBInstanceFromDBSnapshot"), Some(&1));
}

fn failed() {
    let world = World::new();
    let text = dev(&world);
    world.apply(&text);
    world.turn(&text, Transition::Snapshot);
    world.steer("endings", "[{\"of\": \"restore\"}]");
    let actual = world.survey();
    let applied = world.perform(world.plan_transition(&text, Transition::Start, &actual), &actual);
    let told = summary(&applied);
    assert!(told.contains("database doorward-dev is incompatible-network"), "{told}");
    assert!(
        applied.failed[0].1.hint().is_some_and(|hint| hint.contains("delete it if a snapshot has its data"))
    );
    let left = world.turn(&text, Transition::Start);
    let is = state(&world, &text, &left).to_string();
    assert_eq!(is, "partly: the instance is running, the database is incompatible-network");
    assert_eq!(left.database_snapshots.len(), 1);
}

fn meanwhile() {
    let world = World::new();
    let text = dev(&world);
    world.apply(&text);
    for (to, action, expected) in [
        (Transition::Pause, "StopDBInstance", EnvironmentState::Stopped),
        (Transition::Start, "StartDBInstance", EnvironmentState::Running),
    ] {
        let actual = world.survey();
        let plan = world.plan_transition(&text, to, &actual);
        world.call("rds", "2014-10-31", action, &[("DBInstanceIdentifier", "doorward-dev")]);
        let tried_again = AtomicUsize::new(0);
        let count = |event: Event| {
            let is_again = matches!(event, Event::Again { .. });
            tried_again.fetch_add(usize::from(is_again), Ordering::Relaxed);
        };
        let applied = world.perform_telling(plan, &actual, &Stop::default(), &count);
        assert!(applied.is_whole(), "{}", summary(&applied));
        assert_eq!(tried_again.load(Ordering::Relaxed), 0, "{action}");
        assert_eq!(state(&world, &text, &world.survey()), expected);
    }
    // A deletion that another run began has a snapshot of its own, which the next plan knows.
    let actual = world.survey();
    let plan = world.plan_transition(&text, Transition::Snapshot, &actual);
    let fields = [("DBInstanceIdentifier", "doorward-dev"), ("FinalDBSnapshotIdentifier", "other")];
    world.steer("delays", "{\"database-deleting\": 2000}");
    world.call("rds", "2014-10-31", "DeleteDBInstance", &fields);
    assert_eq!(world.perform(plan, &actual).failed.len(), 1);
    let saved = world.turn(&text, Transition::Snapshot);
    assert_eq!(state(&world, &text, &saved), EnvironmentState::StoppedAs("other".to_owned()));
}
