//! The actions of each task are those of the calls that its plans are made of: none is missing, and none is too much.

use super::*;
use crate::export::iam::LONGEST;
use crate::inventory::*;
use crate::plan::network::testing::{AsPlanned, account, account_region, by, id, site};
use crate::plan::network::{Change, Ids, network_difference, perform_change};
use crate::topology::{Holder, Topology, Transition, after_transition, layout, without};

fn policy(text: &str) -> Policy {
    let text = format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
    crate::policy::parse(&text, "p").expect("a policy")
}

fn facts() -> NetworkFacts {
    let account = "123456789012".parse().expect("an account");
    NetworkFacts { accounts: [(None, account)].into(), installation: Some(by()) }
}

fn documents(text: &str, task: Task) -> Vec<serde_json::Value> {
    let iam = networks(&policy(text), None, task, &facts());
    assert_eq!(iam.unknown, []);
    assert!(iam.documents.iter().all(|it| it.size() <= LONGEST));
    iam.documents.iter().map(|it| serde_json::to_value(it).expect("JSON")).collect()
}

fn statements(documents: &[serde_json::Value]) -> Vec<&serde_json::Value> {
    documents.iter().flat_map(|it| it["Statement"].as_array().expect("statements")).collect()
}

fn actions(documents: &[serde_json::Value]) -> BTreeSet<String> {
    let statements = statements(documents).into_iter();
    let actions = statements.flat_map(|it| it["Action"].as_array().expect("actions"));
    actions.map(|it| it.as_str().expect("a text").to_owned()).collect()
}

/// Performs what is declared, and gathers the permissions that its steps take.
fn perform(account: &mut Inventory, topology: &Topology, taken: &mut BTreeSet<String>) {
    let wanted = layout(topology, account, &site(3)).expect("a layout").wanted;
    perform_to(account, &wanted, taken);
}

fn perform_to(account: &mut Inventory, wanted: &Inventory, taken: &mut BTreeSet<String>) {
    let before = account.clone();
    let (mut ids, mut give) = (Ids::default(), AsPlanned::default());
    for step in network_difference(&before, wanted, &by()).steps() {
        taken.extend(step.change.permissions(&before).into_iter().map(str::to_owned));
        perform_change(account, &step.change, &mut ids, &mut give).expect("it can be done");
    }
}

const CARRIERS: &str = "\"instance:i-0000000a\", \"rds:orders\", \"proxy:pool\", \"cache:sessions\", \
    \"service:shop/web\", \"function:report\"";

/// Everything that one can declare.
fn everything(nat: &str, endpoints: &str, flows: &str) -> String {
    format!(
        "[network.main]\nzones = 2\nnat = \"{nat}\"\nendpoints = [{endpoints}]\n\
         [network.old]\nvpc = \"default\"\nzones = 1\nendpoints = []\nnat = \"none\"\n\
         [role.db]\nnetwork = \"old\"\nadmits = {{ web = [{flows}] }}\non = [{CARRIERS}]\n\
         [role.web]\nnetwork = \"old\"\nadmits = {{ internet = [\"tcp/443\"] }}\nreaches = {{ internet = [{flows}] }}\n"
    )
}

/// The calls that set the security groups of each kind of holder.
fn attaching(taken: &mut BTreeSet<String>) {
    let mut account = account();
    let cache = |name: &str, replication_group: Option<&str>| Cache {
        name: name.into(),
        arn: None,
        account_region: account_region(),
        engine: "valkey".into(),
        status: "available".into(),
        subnet_group: None,
        replication_group: replication_group.map(str::to_owned),
        groups: BTreeSet::new(),
        host: None,
        port: None,
    };
    for cache in [cache("single", None), cache("sessions-001", Some("sessions"))] {
        account.caches.insert((account_region(), cache.name.clone()), cache);
    }
    let named = |of: fn(AccountRegion, String) -> Holder, name: &str| of(account_region(), name.to_owned());
    let holders = [
        Holder::Interface(id("eni-0a")),
        named(Holder::Database, "orders"),
        named(Holder::Cluster, "orders"),
        named(Holder::Proxy, "pool"),
        named(Holder::Cache, "single"),
        named(Holder::Cache, "sessions-001"),
        named(Holder::ServerlessCache, "carts"),
        named(Holder::Function, "report"),
        Holder::Service("arn".into()),
    ];
    for holder in holders {
        let change = Change::SetGroups { holder, groups: BTreeSet::new() };
        taken.extend(change.permissions(&account).into_iter().map(str::to_owned));
    }
}

#[test]
fn a_task_takes_what_its_calls_take_and_nothing_else() {
    let (mut account, mut applied) = (account(), BTreeSet::new());
    account.internet_gateways.clear();
    account.route_tables.values_mut().for_each(|it| it.routes.retain(|it| it.target == RouteTarget::Local));
    const ALL: &str = "\"s3\", \"dynamodb\", \"ssm\"";
    let first = everything("gateway-per-zone", ALL, "\"tcp/5432\"");
    for text in [
        first.as_str(),
        &everything("regional", "\"s3\"", "\"tcp/6379\""),
        &everything("none", "\"s3\"", "\"tcp/6379\"").replace("zones = 2", "zones = 1"),
        "[network.main]\nzones = 1\nnat = \"none\"\nendpoints = []\n[network.old]\nvpc = \"default\"\nzones = []\n",
        &everything("gateway", ALL, "\"tcp/5432\""),
    ] {
        perform(&mut account, &policy(text).topology, &mut applied);
    }
    // Somebody changes things manually.
    let ours = |tags: &Tags| made_by(tags, &by()).is_some();
    for table in account.route_tables.values_mut().filter(|it| ours(&it.tags)) {
        table.routes.retain(|it| !matches!(it.target, RouteTarget::NatGateway(_)));
        if table.id.as_str().contains("main/private") {
            table.subnets.clear();
        }
    }
    let wrong = SubnetId::planned("main/private-subnet/euw1-az1");
    let public = account.route_tables.values_mut().find(|it| it.id.as_str().contains("main/public"));
    public.expect("a table").subnets.insert(wrong);
    for group in account.groups.values_mut().filter(|it| ours(&it.tags) || it.name == "default") {
        group.rules.values_mut().for_each(|it| {
            it.tag = None;
            it.description.push('!');
        });
    }
    account.groups.values_mut().filter(|it| ours(&it.tags)).for_each(|group| {
        group.rules.values_mut().for_each(|it| {
            it.description.pop();
        });
    });
    account.endpoints.values_mut().for_each(|it| drop(it.tables.pop_first()));
    account.database_subnet_groups.values_mut().for_each(|it| drop(it.subnets.pop_first()));
    perform(&mut account, &policy(&first).topology, &mut applied);
    attaching(&mut applied);
    assert_eq!(actions(&documents(&first, Task::Apply)), applied);

    let mut destroyed = BTreeSet::new();
    for network in ["main", "old"] {
        let name = network.parse().expect("a name");
        let wanted = without(&name, &account, &site(3)).expect("nothing uses it").wanted;
        perform_to(&mut account, &wanted, &mut destroyed);
    }
    attaching(&mut destroyed);
    assert_eq!(actions(&documents(&first, Task::Destroy)), destroyed);

    let reads = actions(&documents(&first, Task::Plan));
    let read = |action: &String| {
        let name = action.split(':').nth(1).unwrap_or_default();
        ["Describe", "Get", "List", "Search"].iter().any(|it| name.starts_with(it))
    };
    assert!(reads.iter().all(read), "{reads:?}");
    assert!(Call::ALL.iter().all(|call| reads.contains(call.permission())));
}

#[test]
fn everything_that_is_created_or_changed_is_named_by_tags_or_ids() {
    let text = "[network.main]\nendpoints = [\"s3\", \"ssm\"]\n\
        [network.shop]\nvpc = \"vpc-0a1b2c3d4e5f60718\"\nzones = []\n\
        [role.db]\nnetwork = \"shop\"\ngroup = \"sg-0a1b2c3d4e5f60718\"\n";
    let documents = documents(text, Task::Apply);
    for statement in statements(&documents) {
        let sid = statement["Sid"].as_str().expect("a Sid");
        let condition = statement["Condition"].to_string();
        let by_tag = condition.contains("\"aws:RequestTag/doorward:part\":[\"main/*\",\"shop/*\"]")
            || condition.contains("\"aws:ResourceTag/doorward:part\":[\"main/*\",\"shop/*\"]");
        let by_installation = condition.contains(&by().to_string());
        let by_id = ["InVpcsOfOthers", "ChangeTheseGroups", "SubnetGroups"].contains(&sid);
        // Rules have no tag before they are marked, AWS's hosted zones have none at all, and neither has the default group.
        let apart = ["ChangeRules", "MarkRules", "PrivateNames", "EmptyDefaultGroups"].contains(&sid);
        assert!((by_tag && by_installation) || by_id || apart, "{statement}");
    }
    let all = serde_json::to_string(&documents).expect("JSON");
    assert!(all.contains("arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-0a1b2c3d4e5f60718"));
    assert!(all.contains("arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0a1b2c3d4e5f60718"));
    assert!(all.contains("arn:aws:rds:eu-west-1:123456789012:subgrp:doorward-3f9c2a1b-main"));
    assert!(all.contains(
        "\"ec2:VpceServiceName\":[\"com.amazonaws.eu-west-1.s3\",\"com.amazonaws.eu-west-1.ssm\"]"
    ));
}

#[test]
fn roles_alone_create_neither_subnets_nor_gateways() {
    let text =
        "[network.shop]\nvpc = \"vpc-0a1b2c3d4e5f60718\"\nzones = []\n[role.db]\non = [\"rds:orders\"]\n";
    let taken = actions(&documents(text, Task::Apply));
    let expected = [
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "ec2:DeleteSecurityGroup",
        "ec2:ModifySecurityGroupRules",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
        "rds:ModifyDBCluster",
        "rds:ModifyDBInstance",
    ];
    assert_eq!(taken.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn an_unknown_installation_is_said() {
    let none = NetworkFacts { installation: None, ..facts() };
    let policy = policy("[network.main]\n");
    assert_eq!(networks(&policy, None, Task::Plan, &none).unknown, []);
    let iam = networks(&policy, None, Task::Apply, &none);
    assert_eq!(iam.unknown, [Unknown::Installation]);
    let json = serde_json::to_string(&iam.documents).expect("JSON");
    assert!(json.contains("subgrp:doorward-*-main") && json.contains("\"aws:RequestTag/doorward\":[\"*\"]"));
}

#[test]
fn environments_take_what_creating_stopping_and_starting_them_takes() {
    const DEV: &str = "[network.main]\nendpoints = []\nnat = \"none\"\n\
        [role.web]\non = [\"environment:dev/instance\"]\n\
        [role.db]\nadmits = { web = [\"tcp/5432\"] }\non = [\"environment:dev/database\"]\n\
        [environment.dev]\nkind = \"dev\"\nsnapshots = 1\ninstance-profile = \"web\"\n";
    let policy = policy(DEV);
    let without = policy_without_environment();
    let (mut account, mut applied) = (account(), BTreeSet::new());
    perform(&mut account, &policy.topology, &mut applied);
    account.databases.values_mut().for_each(|it| it.settings.iam = Some(false));
    perform(&mut account, &policy.topology, &mut applied);
    let environment = policy.topology.environments.values().next().expect("an environment");
    let old = DatabaseSnapshot {
        name: "doorward-dev-final-20261130-190000".into(),
        account_region: account_region(),
        database: "doorward-dev".into(),
        status: "available".into(),
        created: Some("2026-11-30T19:00:00Z".parse().expect("a time")),
        storage: Some(20),
        tags: account.databases[&(account_region(), "doorward-dev".to_owned())].tags.clone(),
    };
    account.database_snapshots.insert((account_region(), old.name.clone()), old);
    for transition in [Transition::Pause, Transition::Start, Transition::Snapshot, Transition::Start] {
        let wanted = after_transition(environment, transition, &policy.topology, &account, &site(3));
        perform_to(&mut account, &wanted.expect("a layout").wanted, &mut applied);
    }
    // A role that is declared later is attached to the instance.
    applied.insert("ec2:ModifyNetworkInterfaceAttribute".to_owned());
    let taken = actions(&documents(DEV, Task::Apply));
    let of_environments = |all: &BTreeSet<String>| -> BTreeSet<String> {
        let apart = actions(&documents(&without, Task::Apply));
        all.iter().filter(|it| !apart.contains(*it)).cloned().collect()
    };
    assert_eq!(of_environments(&taken), of_environments(&applied));
    // Here all final snapshots of a database have one name.
    account.database_snapshots.clear();
    let mut destroyed = BTreeSet::new();
    let wanted = crate::topology::without(&"main".parse().expect("a name"), &account, &site(3));
    perform_to(&mut account, &wanted.expect("nothing uses it").wanted, &mut destroyed);
    let taken = actions(&documents(DEV, Task::Destroy));
    assert!(
        destroyed
            .iter()
            .filter(|it| it.contains("DB") || it.contains("Instances"))
            .all(|it| taken.contains(it))
    );
    assert!(actions(&documents(DEV, Task::Plan)).contains("ssm:GetParameter"));
}

#[test]
fn environments_behind_a_load_balancer_take_what_creating_correcting_and_destroying_them_takes() {
    const PROD: &str = "[network.main]\nendpoints = []\nnat = \"none\"\n\
        [role.balancer]\nadmits = { internet = [\"tcp/80\"] }\non = [\"environment:prod/balancer\"]\n\
        [role.web]\nadmits = { balancer = [\"tcp/80\"] }\non = [\"environment:prod/instance\"]\n\
        [environment.prod]\nkind = \"prod\"\nlisten = \"http\"\nimage = \"ami-0a1b2c3d\"\ninstance-profile = \"web\"\n";
    let more =
        format!("{PROD}[role.a]\non = [\"environment:prod/instance\", \"environment:prod/balancer\"]\n");
    let (mut account, mut applied) = (account(), BTreeSet::new());
    perform(&mut account, &policy(PROD).topology, &mut applied);
    for group in account.scaling_groups.values_mut() {
        (group.min, group.target_groups) = (1, BTreeSet::new());
    }
    for balancer in account.load_balancers.values_mut() {
        balancer.subnets.pop_first();
        balancer.listeners.iter_mut().flatten().for_each(|it| it.target_groups.clear());
    }
    account.target_groups.values_mut().for_each(|it| it.health_path = None);
    perform(&mut account, &policy(PROD).topology, &mut applied);
    perform(&mut account, &policy(&more).topology, &mut applied);
    let is_new = |it: &&String| {
        ["elasticloadbalancing:", "autoscaling:", "iam:"].iter().any(|service| it.starts_with(service))
            || it.contains("LaunchTemplate")
    };
    let new = |all: &BTreeSet<String>| -> BTreeSet<String> { all.iter().filter(is_new).cloned().collect() };
    let taken = actions(&documents(&more, Task::Apply));
    assert_eq!(new(&taken), new(&applied));
    assert!(applied.is_subset(&taken), "{:?}", applied.difference(&taken));
    let mut destroyed = BTreeSet::new();
    let wanted = crate::topology::without(&"main".parse().expect("a name"), &account, &site(3));
    perform_to(&mut account, &wanted.expect("nothing uses it").wanted, &mut destroyed);
    let taken: BTreeSet<String> = actions(&documents(&more, Task::Destroy));
    assert_eq!(
        new(&taken).difference(&new(&destroyed)).cloned().collect::<Vec<_>>(),
        ["elasticloadbalancing:SetSecurityGroups"]
    );
    assert!(new(&destroyed).is_subset(&taken));
}

/// The same network and roles, without the environment.
fn policy_without_environment() -> String {
    "[network.main]\nendpoints = []\nnat = \"none\"\n[role.web]\n[role.db]\nadmits = { web = [\"tcp/5432\"] }\n".to_owned()
}
