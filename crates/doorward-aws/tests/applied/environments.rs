//! An instance and a database in a network: created, changed, killed between calls, and destroyed with a final snapshot.

use doorward_core::inventory::{Condition, Database, Instance, Inventory};

use crate::Story;
use crate::declared::DEV;
use crate::killed::{applied_in_runs, destroyed_in_runs};
use crate::moto::between;
use crate::world::{World, same, summary};

pub fn stories() -> Vec<Story> {
    vec![
        ("an environment is created, drifts, is put right and is destroyed", whole),
        ("after every call in turn, an environment is created once and destroyed whole", killed),
    ]
}

/// The declaration with an image that the Region has.
pub fn dev(world: &World) -> String {
    let image = between(&world.ec2("DescribeImages", &[]), "<imageId>", "</imageId>");
    DEV.replace("IMAGE", &image)
}

fn parts<'i>(world: &World, account: &'i Inventory) -> (&'i Instance, &'i Database) {
    let instance = account.instances.values().find(|it| it.owned(&world.by).is_some());
    let database = account.databases.values().find(|it| it.owned(&world.by).is_some());
    (instance.expect("an instance"), database.expect("a database"))
}

fn whole() {
    let world = World::new();
    let before = world.survey();
    let text = dev(&world);
    let account = world.apply(&text);
    let (instance, database) = parts(&world, &account);
    let group = |name: &str| account.groups.values().find(|it| it.name == name).expect("a group").id.clone();
    let interface = instance.interfaces.first().and_then(|id| account.interfaces.get(id)).expect("one");
    assert_eq!((instance.state.as_str(), interface.groups.clone()), ("running", [group("web")].into()));
    assert_eq!((database.condition(), database.groups.clone()), (Condition::Available, [group("db")].into()));
    let settings = &database.settings;
    assert_eq!((settings.iam, settings.has_secret, settings.encrypted), (Some(true), true, Some(true)));
    assert_eq!((settings.multi_az, settings.backup_days, database.public), (Some(false), Some(0), false));
    let private = account.subnets[&interface.subnet].tags["doorward:part"].clone();
    assert!(private.starts_with("main/private-subnet/"), "{private}");
    // Somebody changes it, and it is put right.
    let rds = ("rds", "2014-10-31");
    let drift = [
        ("DBInstanceIdentifier", "doorward-dev"),
        ("EnableIAMDatabaseAuthentication", "false"),
        ("DBInstanceClass", "db.t4g.large"),
        ("ApplyImmediately", "true"),
    ];
    world.moto.call(rds, world.region, "ModifyDBInstance", &drift);
    let changed = world.apply(&text);
    let (_, database) = parts(&world, &changed);
    assert_eq!(database.settings.class.map(|class| class.to_string()).as_deref(), Some("db.t4g.micro"));
    assert_eq!(database.settings.iam, Some(true));
    // The network is destroyed with it, and its data stay in a snapshot.
    let applied = world.perform(world.plan_without("main", &changed).expect("nothing uses it"), &changed);
    assert!(applied.is_whole(), "{}", summary(&applied));
    let after = world.survey();
    let snapshots: Vec<_> = after.database_snapshots.values().collect();
    assert_eq!(snapshots.len(), 1);
    assert_eq!((snapshots[0].status.as_str(), snapshots[0].database.as_str()), ("available", "doorward-dev"));
    assert!(snapshots[0].name.starts_with("doorward-dev-final-20"), "{}", snapshots[0].name);
    assert!(snapshots[0].owned(&world.by).is_some(), "it is found by its tags");
    assert!(after.databases.is_empty() && after.instances.is_empty());
    let mut without = after.clone();
    without.database_snapshots.clear();
    same(&without, &before);
    // Declared again, it is no new and empty database.
    let plan = world.plan(&text, &after);
    assert!(!plan.steps().iter().any(|step| step.change.to_string().contains("doorward-dev")));
}

fn killed() {
    let whole = World::new();
    whole.apply(&dev(&whole));
    let world = World::new();
    world.survey();
    let text = dev(&world);
    let runs = applied_in_runs(&world, &text);
    assert!(runs > 20, "{runs} runs");
    assert_eq!(world.performed(), whole.performed(), "nothing is created twice");
    world.is_as_declared(&text);
    let runs = destroyed_in_runs(&world);
    assert!(runs > 10, "{runs} runs");
    assert_eq!(world.survey().database_snapshots.len(), 1, "one final snapshot");
    assert_eq!(world.performed().get("DeleteDBInstance"), Some(&1));
}
