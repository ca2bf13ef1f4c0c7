//! Environments that are started and stopped: the steps, what is lost, and what prevents it.

use super::super::tests::{DEV, ROLES, declared, laid_out, planned};
use crate::inventory::*;
use crate::plan::network::testing::{AsPlanned, account, account_region, by, site};
use crate::plan::network::{Ids, network_difference, perform_change};
use crate::topology::{Transition, after_transition};

/// The steps of a transition, what is lost and said, and the account after it.
fn turned(text: &str, to: Transition, account: &Inventory) -> (Vec<String>, Vec<String>, Inventory) {
    let topology = declared(text);
    let environment = topology.environments.values().next().expect("an environment");
    let layout =
        after_transition(environment, to, &topology, account, &site(3)).expect("nothing prevents it");
    let said = layout.lost.iter().map(ToString::to_string);
    let said = said.chain(layout.notes.iter().map(ToString::to_string)).collect();
    let plan = network_difference(account, &layout.wanted, &by());
    let (mut after, mut ids) = (account.clone(), Ids::default());
    for step in plan.steps() {
        perform_change(&mut after, &step.change, &mut ids, &mut AsPlanned::default())
            .expect("it can be done");
    }
    (plan.steps().iter().map(|step| step.change.to_string()).collect(), said, after)
}

#[test]
fn an_environment_is_paused_and_started() {
    let account = account();
    let text = format!("{DEV}{ROLES}");
    let (_, created) = planned(&laid_out(&text, &account).expect("a layout"), &account);
    let (steps, said, paused) = turned(&text, Transition::Pause, &created);
    assert_eq!(
        steps,
        [
            "stop the instance new:main/environment/dev/instance",
            "wait until new:main/environment/dev/instance is stopped",
            "stop the database doorward-dev",
            "wait until the database doorward-dev is stopped",
        ]
    );
    assert_eq!(
        said,
        [
            "the memory of the instance new:main/environment/dev/instance; its volumes and private addresses stay"
        ]
    );
    let again = turned(&text, Transition::Pause, &paused);
    assert_eq!((again.0, again.1), (Vec::new(), Vec::new()));
    // Its groups cannot change while it is stopped, and are set once it runs.
    let other = text.replace("[role.db]\n", "[role.more]\non = [\"environment:dev/database\"]\n[role.db]\n");
    let (_, declared) = planned(&laid_out(&other, &paused).expect("a layout"), &paused);
    let (steps, _, started) = turned(&other, Transition::Start, &declared);
    assert_eq!(
        steps,
        [
            "start the instance new:main/environment/dev/instance",
            "wait until new:main/environment/dev/instance is running",
            "start the database doorward-dev",
            "wait until the database doorward-dev is available",
            "set the security groups of database doorward-dev to new:main/role/db, new:main/role/more",
        ]
    );
    assert_eq!(turned(&other, Transition::Start, &started).0, Vec::<String>::new());
}

#[test]
fn an_environment_is_saved_and_restored() {
    let account = account();
    let text = format!("{DEV}{ROLES}");
    let (_, mut created) = planned(&laid_out(&text, &account).expect("a layout"), &account);
    created
        .databases
        .values_mut()
        .filter(|it| it.name == "doorward-dev")
        .for_each(|it| it.settings.backup_days = Some(5));
    let (steps, said, saved) = turned(&text, Transition::Snapshot, &created);
    assert_eq!(
        steps,
        [
            "stop the instance new:main/environment/dev/instance",
            "wait until new:main/environment/dev/instance is stopped",
            "delete the database doorward-dev, with the final snapshot new:main/environment/dev/database",
            "wait until the database doorward-dev is deleted",
            "wait until the snapshot new:main/environment/dev/database is available",
        ]
    );
    assert_eq!(
        said[1..],
        [
            "the automated backups of the database doorward-dev, which are kept for 5 days while it exists",
            "the secret with the master password of the database doorward-dev: a start creates another, with another ARN",
            "the resource ID of the database doorward-dev: a start creates another, which IAM policies for sign-in by IAM \
             have to name",
            "the private addresses of the database doorward-dev: a start assigns others",
        ]
    );
    let layout = laid_out(&text, &saved).expect("a layout");
    assert_eq!(planned(&layout, &saved).0, Vec::<String>::new());
    // More storage is declared meanwhile.
    let (steps, _, restored) = turned(&text.replace("kind", "storage = 30\nkind"), Transition::Start, &saved);
    assert_eq!(
        steps,
        [
            "start the instance new:main/environment/dev/instance",
            "wait until new:main/environment/dev/instance is running",
            "restore the database doorward-dev from the snapshot new:main/environment/dev/database (postgres, db.t4g.micro, \
             30 GiB, in one zone) with new:main/role/db",
            "wait until the database doorward-dev is available",
            "change the database doorward-dev: backups are kept for 0 days; AWS manages its master password, in a new secret",
            "wait until the database doorward-dev is available",
        ]
    );
    let database = &restored.databases[&(account_region(), "doorward-dev".to_owned())];
    assert!(database.settings.has_secret && database.settings.backup_days == Some(0));
}

#[test]
fn old_final_snapshots_go_and_those_of_persons_stay() {
    let account = account();
    let text = DEV.replace("kind", "snapshots = 2\nkind");
    let (_, mut created) = planned(&laid_out(&text, &account).expect("a layout"), &account);
    let tags = created.databases[&(account_region(), "doorward-dev".to_owned())].tags.clone();
    let names = ["final-20261128-190000", "final-20261129-190000", "before-migration"];
    for (name, day) in names.iter().zip(28..) {
        let snapshot = DatabaseSnapshot {
            name: format!("doorward-dev-{name}"),
            account_region: account_region(),
            database: "doorward-dev".into(),
            status: "available".into(),
            created: Some(format!("2026-11-{day}T19:00:00Z").parse().expect("a time")),
            storage: Some(20),
            tags: tags.clone(),
        };
        created.database_snapshots.insert((account_region(), snapshot.name.clone()), snapshot);
    }
    let (steps, _, saved) = turned(&text, Transition::Snapshot, &created);
    assert_eq!(
        steps.last().map(String::as_str),
        Some("delete the database snapshot doorward-dev-final-20261128-190000")
    );
    let left: Vec<&str> = saved.database_snapshots.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!(
        left,
        [
            "doorward-dev-before-migration",
            "doorward-dev-final-20261129-190000",
            "new:main/environment/dev/database"
        ]
    );
}

#[test]
fn what_prevents_a_start_says_what_to_do() {
    let account = account();
    let obstacle = |text: &str, account: &Inventory| {
        let topology = declared(text);
        let environment = topology.environments.values().next().expect("an environment");
        let found = after_transition(environment, Transition::Start, &topology, account, &site(3));
        found.expect_err("something prevents it").iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        obstacle(DEV, &account),
        [
            "the environment dev has not been created, so it can be neither started nor stopped: create it with `doorward apply main`"
        ]
    );
    let (_, mut created) = planned(&laid_out(DEV, &account).expect("a layout"), &account);
    assert_eq!(
        obstacle(&format!("{DEV}{ROLES}"), &created),
        [
            "[environment.dev] needs the security group of [role.db], which does not exist: create it with `doorward apply main`",
            "[environment.dev] needs the security group of [role.web], which does not exist: create it with `doorward apply main`",
        ]
    );
    created.databases.retain(|key, _| key.1 != "doorward-dev");
    assert_eq!(
        obstacle(DEV, &created),
        [
            "the database of the environment dev does not exist, and neither does a snapshot of it: create an empty one with \
             `doorward apply main`"
        ]
    );
}

#[test]
fn a_stop_that_was_killed_is_undone_by_a_start() {
    let account = account();
    let text = format!("{DEV}{ROLES}");
    let (_, mut created) = planned(&laid_out(&text, &account).expect("a layout"), &account);
    let database = created.databases.get_mut(&(account_region(), "doorward-dev".to_owned())).expect("one");
    database.status = "deleting".into();
    let snapshot = DatabaseSnapshot {
        name: "doorward-dev-final-20261130-190000".into(),
        account_region: account_region(),
        database: "doorward-dev".into(),
        status: "creating".into(),
        created: None,
        storage: Some(20),
        tags: database.tags.clone(),
    };
    created.database_snapshots.insert((account_region(), snapshot.name.clone()), snapshot);
    let (steps, _, _) = turned(&text, Transition::Start, &created);
    assert_eq!(
        steps[..4],
        [
            "wait until the database doorward-dev is deleted",
            "wait until the snapshot doorward-dev-final-20261130-190000 is available",
            "restore the database doorward-dev from the snapshot doorward-dev-final-20261130-190000 (postgres, db.t4g.micro, \
             20 GiB, in one zone) with new:main/role/db",
            "wait until the database doorward-dev is available",
        ]
    );
    let (steps, _, stopped) = turned(&text, Transition::Snapshot, &created);
    assert_eq!(
        steps[2..],
        [
            "wait until the database doorward-dev is deleted",
            "wait until the snapshot doorward-dev-final-20261130-190000 is available",
        ]
    );
    assert_eq!(stopped.database_snapshots.len(), 1);
}

#[test]
fn a_stop_needs_nothing_but_what_it_stops() {
    let account = account();
    let (_, mut created) = planned(&laid_out(DEV, &account).expect("a layout"), &account);
    created.gaps.push(Gap::of(Call::NatGateways, &account_region(), "AccessDenied: no"));
    assert_eq!(turned(DEV, Transition::Pause, &created).0.len(), 4);
}
