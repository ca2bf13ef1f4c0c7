//! Environments behind a load balancer: what is created, put right and destroyed, and what stays as it is and is said.

use super::*;
use crate::topology::{
    Environment, EnvironmentParts, EnvironmentState, Transition, after_transition, forget_instance,
};

const PROD: &str = "[network.main]\nnat = \"none\"\nendpoints = []\n[environment.prod]\nkind = \"prod\"\nlisten = \"http\"\n\
    image = \"ami-0a1b2c3d\"\nport = 8080\n";
const ROLES: &str = "[role.balancer]\nadmits = { internet = [\"tcp/80\"] }\non = [\"environment:prod/balancer\"]\n\
    [role.web]\nadmits = { balancer = [\"tcp/8080\"] }\non = [\"environment:prod/instance\"]\n\
    [role.db]\nadmits = { web = [\"tcp/5432\"] }\non = [\"environment:prod/database\"]\n";

fn whole() -> String {
    format!("{PROD}{ROLES}")
}

/// The steps to a layout that are about the environment, and the account after all of them.
fn planned(layout: &Layout, account: &Inventory) -> (Vec<String>, Inventory) {
    let plan = network_difference(account, &layout.wanted, &by());
    let (mut after, mut ids) = (account.clone(), Ids::default());
    for step in plan.steps() {
        perform_change(&mut after, &step.change, &mut ids, &mut AsPlanned::default())
            .unwrap_or_else(|refused| panic!("{}: {refused}", step.change));
    }
    let told = plan.steps().iter().map(|step| step.change.to_string());
    (told.filter(|it| it.contains("prod")).collect(), after)
}

/// An account with the environment.
fn created() -> Inventory {
    let account = account();
    planned(&laid_out(&whole(), &account).expect("a layout"), &account).1
}

/// What is left to do and said after a change.
fn after(text: &str, change: impl Fn(&mut Inventory)) -> (Vec<String>, Vec<String>) {
    let mut account = created();
    change(&mut account);
    let layout = laid_out(text, &account).expect("a layout");
    let notes = layout.notes.iter().map(ToString::to_string).collect();
    (planned(&layout, &account).0, notes)
}

fn balancer(account: &mut Inventory) -> &mut LoadBalancer {
    account.load_balancers.values_mut().next().expect("a load balancer")
}

fn group(account: &mut Inventory) -> &mut ScalingGroup {
    account.scaling_groups.values_mut().next().expect("an Auto Scaling group")
}

fn environment() -> Environment {
    declared(&whole()).environments.into_values().next().expect("an environment")
}

#[test]
fn it_is_created_in_order_and_nothing_is_left_to_do() {
    let account = account();
    let (told, after) = planned(&laid_out(&whole(), &account).expect("a layout"), &account);
    assert_eq!(
        told,
        [
            "create the database doorward-prod (postgres 17, db.t4g.small, 20 GiB, in two zones, with 5 days of backups) with \
             new:main/role/db",
            "wait until the database doorward-prod is available",
            "create the target group doorward-prod (HTTP to port 8080, health checks at /)",
            "create the public load balancer doorward-prod in new:main/public-subnet/euw1-az1, \
             new:main/public-subnet/euw1-az2 with new:main/role/balancer",
            "add a listener to the load balancer doorward-prod: HTTP on port 80 to doorward-prod",
            "wait until the load balancer doorward-prod is active",
            "create the launch template new:main/environment/prod/launch-template (t4g.small) from ami-0a1b2c3d with \
             new:main/role/web",
            "create the Auto Scaling group doorward-prod (2 to 4 instances) in new:main/private-subnet/euw1-az1, \
             new:main/private-subnet/euw1-az2",
            "wait until the instances of the Auto Scaling group doorward-prod are healthy targets",
        ]
    );
    let again = laid_out(&whole(), &after).expect("a layout");
    assert_eq!((planned(&again, &after).0, again.notes), (Vec::new(), Vec::new()));
    let parts = EnvironmentParts::of(&environment(), &after, &by());
    assert_eq!((parts.state(), parts.members.len()), (EnvironmentState::Running, 2));
    let subnets: Vec<&SubnetId> = parts
        .members
        .iter()
        .map(|it| &after.interfaces[&it.interfaces.first().expect("one").clone()].subnet)
        .collect();
    assert_ne!(subnets[0], subnets[1], "one in each zone");
}

#[test]
fn what_somebody_changed_is_put_right() {
    let (steps, notes) = after(&whole(), |account| {
        let listeners = balancer(account).listeners.as_mut().expect("listeners");
        listeners.clear();
        let group = group(account);
        (group.min, group.max, group.desired, group.grace) = (1, 1, 1, 0);
        group.target_groups.clear();
        let targets = account.target_groups.values_mut().next().expect("a target group");
        targets.health_path = Some("/other".into());
    });
    assert_eq!(
        steps,
        [
            "change the path of the health checks of the target group doorward-prod to /",
            "add a listener to the load balancer doorward-prod: HTTP on port 80 to doorward-prod",
            "change the Auto Scaling group doorward-prod: it has 2 to 4 instances; the health of new instances counts after 300 \
             seconds; its instances are registered with the target group",
        ]
    );
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn how_many_instances_there_are_is_up_to_scaling_policies() {
    let (steps, _) = after(&whole(), |account| {
        let group = group(account);
        group.desired = 4;
        let gone = group.instances.pop_first().expect("an instance");
        forget_instance(account, &gone);
    });
    assert_eq!(steps, Vec::<String>::new());
}

#[test]
fn another_role_is_attached_to_instances_that_run_and_to_those_that_are_launched_later() {
    let more = "[role.metrics]\non = [\"environment:prod/instance\"]\n";
    let (steps, _) = after(&format!("{}{more}", whole()), |_| ());
    let instances = |number: usize| {
        format!(
            "set the security groups of interface new:main/environment/prod/instance/{number}/interface to \
             new:main/role/metrics, new:main/role/web"
        )
    };
    assert_eq!(
        steps,
        [
            "add version 2 to the launch template new:main/environment/prod/launch-template, with new:main/role/metrics, \
             new:main/role/web"
                .to_owned(),
            "change the Auto Scaling group doorward-prod: new instances are launched from version 2 of \
             new:main/environment/prod/launch-template"
                .to_owned(),
            instances(1),
            instances(2),
        ]
    );
}

#[test]
fn a_version_that_a_killed_run_left_is_used() {
    let more = "[role.metrics]\non = [\"environment:prod/instance\"]\n";
    let text = format!("{}{more}", whole());
    let account = created();
    let layout = laid_out(&text, &account).expect("a layout");
    let plan = network_difference(&account, &layout.wanted, &by());
    let (mut killed, mut ids) = (account, Ids::default());
    for step in plan.steps() {
        let change = step.change.to_string();
        if change.starts_with("change the Auto Scaling group") {
            break;
        }
        perform_change(&mut killed, &step.change, &mut ids, &mut AsPlanned::default())
            .expect("it can be done");
    }
    let (left, done) = planned(&laid_out(&text, &killed).expect("a layout"), &killed);
    assert!(left[0].starts_with("change the Auto Scaling group"), "{left:?}");
    assert_eq!(done.launch_templates.values().next().map(|it| it.latest), Some(2));
}

#[test]
fn what_cannot_be_changed_is_said() {
    let text = whole().replace("port = 8080", "port = 9090").replace("ami-0a1b2c3d", "ami-0b1b2c3d");
    let (steps, notes) = after(&text, |account| {
        let listeners = balancer(account).listeners.as_mut().expect("listeners");
        let other = Listener { port: 8443, ..listeners[0].clone() };
        listeners.push(other);
    });
    assert_eq!(steps, Vec::<String>::new());
    assert_eq!(
        notes,
        [
            "target group doorward-prod of the environment prod sends HTTP to port 8080, and HTTP to port 9090 is declared; that \
             cannot be changed",
            "load balancer doorward-prod of the environment prod listens on port 8443 as well, which is not declared; delete \
             that listener if nobody uses it",
            "launch template new:main/environment/prod/launch-template of the environment prod launches from ami-0a1b2c3d, and \
             ami-0b1b2c3d is declared; add a version to the launch template, and start an instance refresh to it",
        ]
    );
}

#[test]
fn names_that_others_have_prevent_it() {
    let mut account = account();
    let mut foreign = created();
    let key = (account_region(), "doorward-prod".to_owned());
    let strange = |tags: &mut Tags| tags.clear();
    let mut balancer = balancer(&mut foreign).clone();
    strange(&mut balancer.tags);
    account.load_balancers.insert(balancer.arn.clone(), balancer);
    let mut group = group(&mut foreign).clone();
    strange(&mut group.tags);
    account.scaling_groups.insert(key, group);
    let obstacles = laid_out(&whole(), &account).expect_err("names are taken");
    let told: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "[environment.prod] needs the name `doorward-prod`, which another load balancer has: doorward-prod",
            "[environment.prod] needs the name `doorward-prod`, which another Auto Scaling group has: doorward-prod",
        ]
    );
}

#[test]
fn it_is_not_created_again_where_it_could_not_be_read() {
    let mut account = account();
    account.gaps.push(Gap::of(Call::ScalingGroups, &account_region(), "AccessDenied: no"));
    assert!(laid_out(&whole(), &account).is_err());
    assert!(laid_out(DEV, &account).is_ok(), "others do not need it");
}

#[test]
fn it_is_destroyed_in_the_order_in_which_one_uses_another() {
    let account = created();
    let name = "main".parse().expect("a name");
    let layout = without(&name, &account, &site(3)).expect("nothing uses it");
    let (told, after) = planned(&layout, &account);
    assert_eq!(
        told,
        [
            "delete the Auto Scaling group doorward-prod, with its instances",
            "wait until the Auto Scaling group doorward-prod is deleted, and its instances terminated",
            "delete the load balancer doorward-prod",
            "wait until the interfaces of the load balancer doorward-prod are deleted",
            "delete the target group doorward-prod",
            "delete the launch template new:main/environment/prod/launch-template",
            "delete the database doorward-prod, with the final snapshot new:main/environment/prod/database",
            "wait until the database doorward-prod is deleted",
            "wait until the snapshot new:main/environment/prod/database is available",
        ]
    );
    assert!(after.load_balancers.is_empty() && after.scaling_groups.is_empty());
    assert!(after.target_groups.is_empty() && after.launch_templates.is_empty());
}

#[test]
fn interfaces_that_a_load_balancer_leaves_for_minutes_prevent_no_destruction() {
    let mut account = created();
    let balancer = balancer(&mut account).clone();
    account.load_balancers.clear();
    let mut left =
        crate::plan::network::testing::interface("eni-0e1b", "subnet-0d1", "vpc-0d", "sg-0d", None);
    left.subnet = balancer.subnets.first().expect("a subnet").clone();
    left.vpc = balancer.vpc.clone().expect("a VPC");
    left.groups = balancer.groups.clone();
    (left.requester, left.description) = (Some("amazon-elb".into()), "ELB app/doorward-prod/0a".into());
    account.interfaces.insert(left.id.clone(), left);
    assert!(without(&"main".parse().expect("a name"), &account, &site(3)).is_ok());
}

#[test]
fn it_is_not_stopped_and_is_started_with_its_database() {
    let (topology, environment) = (declared(&whole()), environment());
    let account = created();
    for to in [Transition::Pause, Transition::Snapshot] {
        let obstacles =
            after_transition(&environment, to, &topology, &account, &site(3)).expect_err("refused");
        let told: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "[environment.prod] is of the kind `prod`, which is not stopped: its clients would find nothing, and its Auto \
                 Scaling group replaces instances that stop; destroy its network, which leaves a final snapshot"
            ]
        );
    }
    // Its network was destroyed, and created again: the database is restored, and the group launches then.
    let layout = without(&"main".parse().expect("a name"), &account, &site(3)).expect("nothing uses it");
    let (_, destroyed) = planned(&layout, &account);
    let (told, again) = planned(&laid_out(&whole(), &destroyed).expect("a layout"), &destroyed);
    assert!(!told.iter().any(|it| it.contains("database") || it.contains("Auto Scaling")), "{told:?}");
    let parts = EnvironmentParts::of(&environment, &again, &by());
    assert_eq!(
        parts.state().to_string(),
        "partly: there is no Auto Scaling group, the load balancer is active, the database is stopped as the snapshot \
         new:main/environment/prod/database"
    );
    let layout = after_transition(&environment, Transition::Start, &topology, &again, &site(3));
    let (told, running) = planned(&layout.expect("a layout"), &again);
    assert!(told[0].starts_with("restore the database doorward-prod"), "{told:?}");
    assert!(told.iter().any(|it| it.starts_with("create the Auto Scaling group")), "{told:?}");
    assert_eq!(EnvironmentParts::of(&environment, &running, &by()).state(), EnvironmentState::Running);
}

#[test]
fn an_environment_that_is_no_longer_declared_stays() {
    let (steps, notes) = after("[network.main]\nnat = \"none\"\nendpoints = []\n", |_| ());
    assert!(!steps.iter().any(|it| it.contains("delete the load balancer")), "{steps:?}");
    assert!(
        notes.iter().any(|it| it.contains("the environment prod is no longer declared")
            && it.contains("load balancer doorward-prod")),
        "{notes:?}"
    );
}
