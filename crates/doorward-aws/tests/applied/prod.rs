//! An environment behind a load balancer: created, put right, killed between calls, restored, and destroyed with a final snapshot.

use doorward_core::inventory::{Inventory, LaunchTemplate, LoadBalancer, ScalingGroup, TargetGroup};
use doorward_core::reach::{Reachability, Selector};
use doorward_core::topology::{EnvironmentParts, EnvironmentState, Transition};

use crate::Story;
use crate::declared::PROD;
use crate::killed::{applied_in_runs, destroyed_in_runs};
use crate::moto::between;
use crate::world::{World, same, summary};

pub fn stories() -> Vec<Story> {
    vec![
        ("an environment behind a load balancer is created, drifts, is put right and is destroyed", whole),
        ("another role is on instances that run, and on those that are launched later", another_role),
        (
            "after every call in turn, an environment behind a load balancer is created once and destroyed whole",
            killed,
        ),
        ("the database of an environment that was destroyed is restored before it serves again", restored),
        ("targets that stay unhealthy are reported with their reason", unhealthy),
    ]
}

/// The declaration with an image that the Region has.
fn prod(world: &World) -> String {
    let image = between(&world.ec2("DescribeImages", &[]), "<imageId>", "</imageId>");
    PROD.replace("IMAGE", &image)
}

struct Parts<'i> {
    balancer: &'i LoadBalancer,
    targets: &'i TargetGroup,
    template: &'i LaunchTemplate,
    group: &'i ScalingGroup,
}

fn parts(account: &Inventory) -> Parts<'_> {
    assert_eq!((account.load_balancers.len(), account.target_groups.len()), (1, 1));
    assert_eq!((account.launch_templates.len(), account.scaling_groups.len()), (1, 1));
    Parts {
        balancer: account.load_balancers.values().next().expect("a load balancer"),
        targets: account.target_groups.values().next().expect("a target group"),
        template: account.launch_templates.values().next().expect("a launch template"),
        group: account.scaling_groups.values().next().expect("an Auto Scaling group"),
    }
}

fn state(world: &World, text: &str, account: &Inventory) -> EnvironmentState {
    EnvironmentParts::of(&world.environment(text), account, &world.by).state()
}

/// What is allowed between the internet, the load balancer, an instance and the database.
fn paths(world: &World, text: &str, account: &Inventory) -> Vec<String> {
    let parts = EnvironmentParts::of(&world.environment(text), account, &world.by);
    let instance = parts.members.first().expect("an instance").id.to_string();
    let reach = Reachability::of(account.clone());
    let find = |text: &str| Selector::find(text, reach.inventory()).expect("it is there");
    let (balancer, database) = ("lb:doorward-prod", "rds:doorward-prod");
    let ends = [
        ("internet", balancer),
        ("internet", instance.as_str()),
        ("internet", database),
        (balancer, instance.as_str()),
        (instance.as_str(), database),
        (database, instance.as_str()),
        (database, "internet"),
    ];
    ends.map(|(from, to)| {
        let answer = reach.ask(&find(from), &find(to), None);
        format!("{:?} {:?}", answer.verdict, answer.flows.list())
    })
    .to_vec()
}

fn whole() {
    let world = World::new();
    let before = world.survey();
    let text = prod(&world);
    let account = world.apply(&text);
    assert_eq!(state(&world, &text, &account), EnvironmentState::Running);
    let Parts { balancer, targets, template, group } = parts(&account);
    assert_eq!(
        (balancer.state.as_deref(), balancer.public, balancer.subnets.len()),
        (Some("active"), true, 2)
    );
    let listener = &balancer.listeners.as_ref().expect("listeners")[0];
    assert_eq!((listener.port, listener.protocol.as_str()), (80, "HTTP"));
    assert_eq!(listener.target_groups, [targets.arn.clone()].into());
    assert_eq!((targets.port, targets.health_path.as_deref()), (Some(8080), Some("/up")));
    assert_eq!(targets.targets.as_ref().map(Vec::len), Some(2));
    assert_eq!((group.min, group.max, group.desired, group.checks_balancer), (2, 4, 2, true));
    assert_eq!(group.template, Some((template.id.clone(), "1".to_owned())));
    let of_instances = |id: &doorward_core::inventory::InstanceId| {
        let instance = &account.instances[id];
        let interface = &account.interfaces[instance.interfaces.first().expect("an interface")];
        let subnet = account.subnets[&interface.subnet].tags["doorward:part"].clone();
        (instance.tags["doorward:part"].clone(), interface.groups.clone(), subnet.contains("private-subnet"))
    };
    let web = account.groups.values().find(|it| it.name == "web").expect("a group").id.clone();
    for id in &group.instances {
        assert_eq!(
            of_instances(id),
            ("main/environment/prod/instance".to_owned(), [web.clone()].into(), true)
        );
    }
    let database = account.databases.values().find(|it| it.owned(&world.by).is_some()).expect("a database");
    let settings = &database.settings;
    assert_eq!((settings.multi_az, settings.backup_days), (Some(true), Some(5)));
    assert_eq!((settings.iam, settings.has_secret, database.public), (Some(true), true, false));
    let was = paths(&world, &text, &account);
    // The internet reaches an instance by the load balancer alone, which the port of the answer says.
    assert_eq!(was[1], was[3], "{was:?}");
    assert_eq!(
        was.iter().map(|it| it.split(' ').next().expect("a word")).collect::<Vec<_>>(),
        ["Yes", "Yes", "No", "Yes", "Yes", "No", "No"],
        "{was:?}"
    );
    drifts(&world, &account);
    let changed = world.apply(&text);
    assert_eq!(paths(&world, &text, &changed), was);
    let Parts { group, .. } = parts(&changed);
    assert_eq!((group.min, group.max, group.grace), (2, 4, 300));
    // The network is destroyed with it, and its data stay in a snapshot.
    let applied = world.perform(world.plan_without("main", &changed).expect("nothing uses it"), &changed);
    assert!(applied.is_whole(), "{}", summary(&applied));
    let mut after = world.survey();
    assert_eq!(after.database_snapshots.len(), 1);
    is_gone(&after);
    after.database_snapshots.clear();
    same(&after, &before);
}

/// Somebody changes the group, the listener and the health checks.
fn drifts(world: &World, account: &Inventory) {
    let Parts { balancer, targets, .. } = parts(account);
    let fields =
        [("AutoScalingGroupName", "doorward-prod"), ("MinSize", "1"), ("HealthCheckGracePeriod", "10")];
    world.call("autoscaling", "2011-01-01", "UpdateAutoScalingGroup", &fields);
    let elb = |action: &str, fields: &[(&str, &str)]| {
        world.call("elasticloadbalancing", "2015-12-01", action, fields)
    };
    let listener = balancer.listeners.as_ref().and_then(|it| it[0].arn.clone()).expect("an ARN");
    elb("DeleteListener", &[("ListenerArn", &listener)]);
    elb("ModifyTargetGroup", &[("TargetGroupArn", &targets.arn), ("HealthCheckPath", "/")]);
}

fn is_gone(account: &Inventory) {
    assert!(account.load_balancers.is_empty() && account.target_groups.is_empty());
    assert!(account.launch_templates.is_empty() && account.scaling_groups.is_empty());
    assert!(account.instances.is_empty() && account.databases.is_empty());
}

fn another_role() {
    let world = World::new();
    let text = prod(&world);
    world.apply(&text);
    let more = format!("{text}\n[role.metrics]\non = [\"environment:prod/instance\"]\n");
    let account = world.apply(&more);
    let Parts { template, group, .. } = parts(&account);
    assert_eq!((template.latest, &group.template), (2, &Some((template.id.clone(), "2".to_owned()))));
    let named = |name: &str| account.groups.values().find(|it| it.name == name).expect("a group").id.clone();
    let both = std::collections::BTreeSet::from([named("web"), named("metrics")]);
    let (one, two) = (&template.versions[&1], &template.versions[&2]);
    assert_eq!((&two.groups, &two.image, two.size), (&both, &one.image, one.size));
    for interface in account.interfaces.values().filter(|it| it.instance.is_some()) {
        assert_eq!(interface.groups, both);
    }
    // Without the role both are as before, by the version that exists.
    let account = world.apply(&text);
    assert_eq!(parts(&account).template.latest, 2);
    assert_eq!(parts(&account).group.template.as_ref().map(|it| it.1.as_str()), Some("1"));
}

fn killed() {
    let whole = World::new();
    whole.apply(&prod(&whole));
    let world = World::new();
    world.survey();
    let text = prod(&world);
    let runs = applied_in_runs(&world, &text);
    assert!(runs > 25, "{runs} runs");
    assert_eq!(world.performed(), whole.performed(), "nothing is created twice");
    world.is_as_declared(&text);
    let runs = destroyed_in_runs(&world);
    assert!(runs > 15, "{runs} runs");
    is_gone(&world.survey());
    assert_eq!(world.performed().get("DeleteDBInstance"), Some(&1));
    assert_eq!(world.performed().get("DeleteAutoScalingGroup"), Some(&1));
}

fn restored() {
    let world = World::new();
    let text = prod(&world);
    let account = world.apply(&text);
    let applied = world.perform(world.plan_without("main", &account).expect("nothing uses it"), &account);
    assert!(applied.is_whole(), "{}", summary(&applied));
    let again = world.apply(&text);
    assert!(again.databases.is_empty() && again.scaling_groups.is_empty(), "nothing serves without its data");
    assert_eq!(again.load_balancers.len(), 1);
    let started = world.turn(&text, Transition::Start);
    assert_eq!(state(&world, &text, &started), EnvironmentState::Running);
    let database = started.databases.values().next().expect("a database");
    assert_eq!((database.settings.multi_az, database.settings.backup_days), (Some(true), Some(5)));
    world.is_as_declared(&text);
}

fn unhealthy() {
    let world = World::new();
    world.steer("endings", "[{\"of\": \"target\", \"reason\": \"Target.ResponseCodeMismatch\"}]");
    let text = prod(&world);
    let actual = world.survey();
    let applied = world.perform(world.plan(&text, &actual), &actual);
    let told = summary(&applied);
    assert!(!applied.is_whole());
    assert!(told.contains("of 2 healthy targets: "), "{told}");
    assert!(told.contains("Target.ResponseCodeMismatch"), "{told}");
}
