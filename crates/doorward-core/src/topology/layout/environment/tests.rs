//! Environments: what is created, what stays as it is and is said, and what prevents them.

mod prod;

use crate::inventory::*;
use crate::plan::network::testing::{AsPlanned, account, account_region, by, id, site};
use crate::plan::network::{Ids, network_difference, perform_change};
use crate::topology::{Layout, Obstacle, Topology, layout, without};

pub(super) const DEV: &str = "[network.main]\nendpoints = []\n[environment.dev]\nkind = \"dev\"\n";
pub(super) const ROLES: &str = "[role.web]\non = [\"environment:dev/instance\"]\n\
    [role.db]\nadmits = { web = [\"tcp/5432\"] }\non = [\"environment:dev/database\"]\n";

pub(super) fn declared(text: &str) -> Topology {
    let policy =
        format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
    crate::policy::parse(&policy, "p").expect("a policy").topology
}

pub(super) fn laid_out(text: &str, account: &Inventory) -> Result<Layout, Vec<Obstacle>> {
    layout(&declared(text), account, &site(3))
}

/// The steps to a layout that are about environments, and the account after all of them.
pub(super) fn planned(layout: &Layout, account: &Inventory) -> (Vec<String>, Inventory) {
    let plan = network_difference(account, &layout.wanted, &by());
    let (mut after, mut ids) = (account.clone(), Ids::default());
    for step in plan.steps() {
        perform_change(&mut after, &step.change, &mut ids, &mut AsPlanned::default())
            .expect("it can be done");
    }
    let told = plan.steps().iter().map(|step| step.change.to_string());
    (told.filter(|it| it.contains("dev")).collect(), after)
}

/// An account with the environment, and what is left to do and said about it after a change.
fn after(text: &str, change: impl Fn(&mut Instance, &mut Database)) -> (Vec<String>, Vec<String>) {
    let account = account();
    let (_, mut account) = planned(&laid_out(DEV, &account).expect("a layout"), &account);
    let is_ours = |it: &&mut Instance| it.owned(&by()).is_some();
    let instance = account.instances.values_mut().find(is_ours).expect("an instance");
    let database =
        account.databases.get_mut(&(account_region(), "doorward-dev".to_owned())).expect("a database");
    change(instance, database);
    let layout = laid_out(text, &account).expect("a layout");
    let notes = layout.notes.iter().map(ToString::to_string).collect();
    (planned(&layout, &account).0, notes)
}

#[test]
fn an_environment_is_created_with_its_roles_and_nothing_is_left_to_do() {
    let account = account();
    let text = format!("{DEV}{ROLES}");
    let (told, after) = planned(&laid_out(&text, &account).expect("a layout"), &account);
    assert_eq!(
        told,
        [
            "launch the instance new:main/environment/dev/instance (t4g.small) from the image that \
             /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64 names in \
             new:main/private-subnet/euw1-az1 with new:main/role/web",
            "wait until new:main/environment/dev/instance is running",
            "create the database doorward-dev (postgres 17, db.t4g.micro, 20 GiB, in one zone, without backups) \
             with new:main/role/db",
            "wait until the database doorward-dev is available",
        ]
    );
    let again = laid_out(&text, &after).expect("a layout");
    assert_eq!((planned(&again, &after).0, again.notes), (Vec::new(), Vec::new()));
    let interface = after.interfaces.values().find(|it| it.vpc.as_str() == "new:main/vpc").expect("one");
    assert_eq!(interface.addresses[0].address.to_string(), "10.0.8.4");
}

#[test]
fn an_image_that_was_read_is_pinned() {
    let account = account();
    let mut site = site(3);
    site.images.insert(crate::topology::Environment::IMAGE.into(), id("ami-0new"));
    let layout = layout(&declared(DEV), &account, &site).expect("a layout");
    let (told, after) = planned(&layout, &account);
    assert!(told[0].contains("from ami-0new in"), "{told:?}");
    // A newer image launches no other instance.
    site.images.insert(crate::topology::Environment::IMAGE.into(), id("ami-0newer"));
    let again = super::super::layout(&declared(DEV), &after, &site).expect("a layout");
    assert_eq!((planned(&again, &after).0, again.notes), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_stopped_stays_so() {
    let (steps, notes) = after(DEV, |instance, database| {
        instance.state = "stopped".into();
        database.status = "stopped".into();
        database.settings.iam = Some(false);
    });
    assert_eq!(steps, Vec::<String>::new());
    assert_eq!(
        notes,
        [
            "the database of the environment dev is stopped, and stays so; `doorward env start dev` starts it",
            "the instance of the environment dev is stopped, and stays so; `doorward env start dev` starts it",
        ]
    );
    let (steps, notes) = after(&format!("{DEV}{ROLES}"), |_, database| database.status = "stopped".into());
    assert!(!steps.iter().any(|it| it.contains("groups of database")), "{steps:?}");
    assert!(
        notes.contains(
            &"database doorward-dev keeps its security groups: it is stopped, and AWS modifies it only while it runs; start it, and run the command again"
                .to_owned()
        ),
        "{notes:?}"
    );
}

#[test]
fn settings_are_put_right_and_what_costs_data_is_said() {
    let (steps, notes) = after(DEV, |_, database| {
        let settings = &mut database.settings;
        (settings.iam, settings.has_secret, settings.backup_days) = (Some(false), false, Some(7));
        settings.class = Some("db.t4g.large".parse().expect("a class"));
    });
    assert_eq!(
        steps,
        [
            "change the database doorward-dev: the class becomes db.t4g.micro, during which it is unavailable for minutes; \
             backups are kept for 0 days, after a short outage; clients may sign in by IAM; AWS manages its master password, \
             in a new secret",
            "wait until the database doorward-dev is available",
        ]
    );
    assert_eq!(notes, Vec::<String>::new());
    let (steps, notes) = after(
        &DEV.replace("kind", "image = \"ami-0b\"\ninstance = \"t4g.large\"\nkind"),
        |instance, database| {
            instance.image = Some(Image::Id(id("ami-0a")));
            let settings = &mut database.settings;
            (settings.storage, settings.version) = (Some(100), Some("16.9".into()));
            settings.class = Some("db.t4g.large".parse().expect("a class"));
            settings.pending.insert("DBInstanceClass".into());
        },
    );
    assert_eq!(steps, Vec::<String>::new());
    assert_eq!(
        notes,
        [
            "database doorward-dev of the environment dev has version 16.9, and 17 is declared; upgrade it manually, or declare its version",
            "database doorward-dev of the environment dev has 100 GiB, and 20 are declared; RDS cannot take any away",
            "database doorward-dev of the environment dev changes in its next maintenance window: DBInstanceClass",
            "instance new:main/environment/dev/instance of the environment dev was launched from ami-0a, and ami-0b is declared; terminate it, and `doorward apply` launches another",
            "instance new:main/environment/dev/instance of the environment dev has the type t4g.small, and t4g.large is declared; change it while it is stopped",
        ]
    );
}

#[test]
fn a_database_that_is_gone_and_has_a_snapshot_is_not_created_empty() {
    let account = account();
    let (_, mut account) = planned(&laid_out(DEV, &account).expect("a layout"), &account);
    let database =
        account.databases.remove(&(account_region(), "doorward-dev".to_owned())).expect("a database");
    let snapshot = DatabaseSnapshot {
        name: "doorward-dev-final-20261130-190000".into(),
        account_region: account_region(),
        database: database.name,
        status: "available".into(),
        created: None,
        storage: Some(20),
        tags: database.tags,
    };
    account.database_snapshots.insert((account_region(), snapshot.name.clone()), snapshot);
    let layout = laid_out(DEV, &account).expect("a layout");
    assert_eq!(planned(&layout, &account).0, Vec::<String>::new());
    assert_eq!(
        layout.notes[0].to_string(),
        "the database of the environment dev is stopped as the snapshot doorward-dev-final-20261130-190000, and stays so; \
         `doorward env start dev` restores it"
    );
}

#[test]
fn an_undeclared_environment_stays_and_a_destroyed_one_leaves_a_snapshot() {
    let (steps, notes) = after("[network.main]\nendpoints = []\n", |_, _| ());
    assert_eq!(steps, Vec::<String>::new());
    assert_eq!(
        notes,
        [
            "the environment dev is no longer declared; it stays, with its data, until its network is destroyed: \
             instance new:main/environment/dev/instance, database doorward-dev"
        ]
    );
    let account = account();
    let text = format!("{DEV}{ROLES}");
    let (_, mut before) = planned(&laid_out(&text, &account).expect("a layout"), &account);
    // The interfaces that RDS made with it.
    let mut interface = before.interfaces.values().find(|it| it.instance.is_some()).expect("one").clone();
    let database = before.databases[&(account_region(), "doorward-dev".to_owned())].clone();
    interface.id = id("eni-0rds");
    interface.subnet = database.subnets.first().expect("a subnet").clone();
    interface.groups.clone_from(&database.groups);
    (interface.instance, interface.requester) = (None, Some("amazon-rds".into()));
    interface.description = "RDSNetworkInterface".into();
    before.interfaces.insert(interface.id.clone(), interface);
    let layout = without(&"main".parse().expect("a name"), &before, &site(3)).expect("nothing uses it");
    let (told, after) = planned(&layout, &before);
    assert_eq!(
        told,
        [
            "terminate the instance new:main/environment/dev/instance",
            "wait until new:main/environment/dev/instance is terminated",
            "delete the database doorward-dev, with the final snapshot new:main/environment/dev/database",
            "wait until the database doorward-dev is deleted",
            "wait until the snapshot new:main/environment/dev/database is available",
        ]
    );
    assert_eq!((after.vpcs.len(), after.databases.len(), after.database_snapshots.len()), (1, 1, 1));
    assert!(!after.interfaces.contains_key("eni-0rds"));
}

#[test]
fn a_database_of_somebody_else_is_not_taken() {
    let mut account = account();
    let mut other = account.databases.values().next().expect("a database").clone();
    other.name = "doorward-dev".into();
    account.databases.insert((account_region(), other.name.clone()), other);
    let obstacles = laid_out(DEV, &account).expect_err("its name is taken");
    assert_eq!(
        obstacles[0].to_string(),
        "the database of [environment.dev] needs the identifier `doorward-dev`, which a database in eu-west-1 has that is another one"
    );
    account.databases.retain(|key, _| key.1 != "doorward-dev");
    account.gaps.push(Gap::of(Call::DatabaseSnapshots, &account_region(), "AccessDenied: no"));
    let obstacles = laid_out(DEV, &account).expect_err("it may be stopped");
    assert!(obstacles[0].to_string().starts_with("rds:DescribeDBSnapshots in eu-west-1 was denied"));
}
