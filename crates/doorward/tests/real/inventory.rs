//! A whole account in moto: surveyed, recorded by boto3, and saved, it is the same inventory.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use doorward::cloud::Cloud;
use doorward_aws::{Account, Progress, recorded, save};
use doorward_core::inventory::{AccountRegion, Call, Gap, Inventory};
use libtest_mimic::{Failed, Trial};

use crate::desk::{Said, said};
use crate::faulty::{Fault, Faulty};
use crate::moto::{Moto, profile};
use crate::need::{Need, find, trial};

/// Each test that changes what there is has a Region of its own, since all share one moto.
const REGION: &str = "eu-south-2";

pub fn trials() -> Vec<Trial> {
    let moto = &[Need::Moto];
    vec![
        trial("inventory: the survey of an account is what boto3 recorded of it", moto, alike),
        trial("inventory: what was saved is what was seen", moto, kept),
        trial("inventory: each denied call is one gap and stops no other", moto, denied),
        trial("inventory: a throttled call waits and is made again", moto, throttled),
        trial("inventory: several places at once, and one that is not there", moto, account_regions),
        trial("inventory: the command saves, shows and refuses", moto, command),
    ]
}

/// Calls that moto answers with an error of its own: 500, since it does not know them.
const UNKNOWN_TO_MOTO: [Call; 5] = [
    Call::BlockPublicAccess,
    Call::BlockExclusions,
    Call::DatabaseClusterEndpoints,
    Call::DatabaseProxyEndpoints,
    Call::ServerlessCaches,
];

/// Calls that moto answers wrongly: it tells of every attachment as if it were a peering without ends.
const WRONG_IN_MOTO: [Call; 1] = [Call::TransitPeerings];

/// The account, built once.
fn built() -> Arc<Moto> {
    static BUILT: Mutex<bool> = Mutex::new(false);
    let moto = Moto::shared();
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if !*built {
        python(&["build", &moto.url(), REGION]);
        *built = true;
    }
    moto
}

/// Runs `account.py`, with the Python that moto runs with.
fn python(words: &[&str]) {
    let server = find("moto_server").expect("moto_server");
    let python = server.with_file_name("python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/account.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .args(words)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = command.output().expect("python");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn survey(account_region: &AccountRegion) -> Inventory {
    block_on(async { Account::connect(account_region).await.expect("a Region").survey(&|_| {}).await })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// As it is after it was saved and read back: a recording has no profile.
fn read_back(inventory: &Inventory) -> Inventory {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().join("account");
    save(inventory, &there, false).expect("saved");
    recorded(&there).expect("an account")
}

fn without_gaps(inventory: &Inventory) -> Inventory {
    Inventory { gaps: Vec::new(), ..inventory.clone() }
}

fn gaps(inventory: &Inventory) -> BTreeSet<String> {
    inventory.gaps.iter().map(|gap| gap.source.to_string()).collect()
}

fn actions(calls: &[Call]) -> BTreeSet<String> {
    calls.iter().map(|call| call.action().to_owned()).collect()
}

/// Says only what differs: a whole inventory fills many screens.
fn same(found: &Inventory, expected: &Inventory) {
    if found == expected {
        return;
    }
    let (found, expected) = (format!("{found:#?}"), format!("{expected:#?}"));
    let lines = |text: &str, other: &str| -> Vec<String> {
        let other: BTreeSet<&str> = other.lines().collect();
        text.lines().filter(|line| !other.contains(line)).take(40).map(str::to_owned).collect()
    };
    panic!("found as well: {:#?}\nmissing: {:#?}", lines(&found, &expected), lines(&expected, &found));
}

fn alike() -> Result<(), Failed> {
    let moto = built();
    let live = survey(&profile("inventory-alike", REGION, &moto.url()));
    let folder = tempfile::tempdir()?;
    let there = folder.path().join("accounts/123456789012").join(REGION);
    python(&["dump", &moto.url(), REGION, there.to_str().expect("a path")]);
    let mut from_boto3 = recorded(folder.path())?;
    assert_eq!(gaps(&live), actions(&[UNKNOWN_TO_MOTO.as_slice(), WRONG_IN_MOTO.as_slice()].concat()));
    // A recording lacks nothing without the endpoints of clusters that have no custom ones.
    let mut lacking = gaps(&live);
    lacking.remove(Call::DatabaseClusterEndpoints.action());
    assert_eq!(gaps(&from_boto3), lacking);
    // No answer of a describe call tells the quota; the survey asks Service Quotas for it.
    from_boto3.rules_per_group = read_back(&live).rules_per_group;
    same(&without_gaps(&read_back(&live)), &without_gaps(&from_boto3));
    whole(&live);
    Ok(())
}

/// There is something of every kind that moto knows, or the comparison would show little.
fn whole(live: &Inventory) {
    let shown = format!("{live:#?}");
    let top = |line: &&str| line.starts_with("    ") && !line.starts_with("     ");
    let empty: Vec<&str> = shown.lines().filter(top).filter(|line| line.ends_with("{},")).collect();
    // What moto does not know or the account does not have, what is only there when something cannot be read, and what only a store adds.
    let expected = [
        "group_references",
        "incomplete_groups",
        "block_public_access",
        "launch_templates",
        "scaling_groups",
        "database_cluster_endpoints",
        "database_proxy_endpoints",
        "replication_groups",
        "serverless_caches",
        "noted",
    ];
    assert_eq!(empty, expected.map(|name| format!("    {name}: {{}},")));
    let there = |call: &str, what: bool| assert!(what, "{call} told nothing");
    there("DescribeTargetHealth", live.target_groups.values().all(|group| group.targets.is_some()));
    there("DescribeListeners", live.load_balancers.values().all(|balancer| balancer.listeners.is_some()));
    there("DescribeDBProxyTargets", live.database_proxies.values().all(|proxy| proxy.targets.is_some()));
    there("SearchTransitGatewayRoutes", live.transit_tables.values().all(|table| table.routes.is_some()));
    let web =
        live.load_balancers.values().find(|balancer| balancer.name == "web").expect("the load balancer");
    let sends: usize = web.listeners.iter().flatten().map(|listener| listener.target_groups.len()).sum();
    assert_eq!(sends, 2, "by the default action and by a rule: {web:?}");
    assert_eq!(live.instances.len(), 1, "a terminated instance is not there");
    assert_eq!(live.functions.len(), 2, "one of them is outside of every VPC");
    let task = live.container_tasks.values().next().expect("a task");
    assert!(task.interfaces.iter().all(|interface| live.interfaces.contains_key(interface)), "{task:?}");
}

fn kept() -> Result<(), Failed> {
    let moto = built();
    let live = survey(&profile("inventory-kept", REGION, &moto.url()));
    let once = read_back(&live);
    same(&read_back(&once), &once);
    assert_eq!(once.gaps.len(), live.gaps.len());
    // What says nothing of its place is as it was, and the rest only without the profile.
    assert_eq!(once.subnets, live.subnets);
    assert_eq!(once.route_tables, live.route_tables);
    assert_eq!(once.interfaces, live.interfaces);
    assert_eq!(once.attachments, live.attachments);
    let account_region = once.vpcs.values().next().map(|vpc| vpc.account_region.to_string());
    assert_eq!(account_region.as_deref(), Some("eu-south-2 of account 123456789012"));
    Ok(())
}

fn denied() -> Result<(), Failed> {
    let moto = built();
    let faulty = Faulty::before(moto.port());
    let account_region = profile("inventory-denied", REGION, &faulty.url());
    let usual = survey(&account_region);
    let denial = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User is not authorized\
        </Message></Error></ErrorResponse>";
    for (call, fault, action) in [
        ("Action=DescribeSubnets&", Fault::denied(), Call::Subnets),
        ("Action=GetManagedPrefixListEntries&", Fault::denied(), Call::PrefixListEntries),
        ("Action=DescribeTargetHealth&", Fault::Answer(403, denial.to_owned()), Call::TargetHealth),
        ("Action=DescribeDBInstances&", Fault::Answer(403, denial.to_owned()), Call::Databases),
    ] {
        faulty.breaks(call, usize::MAX, fault);
        let seen = survey(&account_region);
        faulty.mends();
        let new: Vec<&Gap> = seen.gaps.iter().filter(|gap| !usual.gaps.contains(gap)).collect();
        let [gap] = new.as_slice() else { return Err(format!("{call}: {new:?}").into()) };
        assert!(gap.is_of(action));
        assert!(gap.why.contains("authorized"), "{gap}");
        assert_eq!(seen.vpcs, usual.vpcs, "{call}");
        assert_eq!(seen.functions, usual.functions, "{call}");
        match action {
            Call::Subnets => assert!(seen.subnets.is_empty()),
            Call::PrefixListEntries => assert!(seen.prefix_lists.values().all(|list| list.entries.is_none())),
            Call::TargetHealth => {
                let v2 = seen.target_groups.values().filter(|group| group.arn.contains(":targetgroup/"));
                assert!(v2.map(|group| &group.targets).all(Option::is_none));
            }
            _ => assert!(seen.databases.is_empty()),
        }
    }
    // JSON says it in its own way.
    let refusal = r#"{"__type": "AccessDeniedException", "Message": "User is not authorized"}"#;
    faulty.breaks("ListClusters", usize::MAX, Fault::Answer(400, refusal.into()));
    faulty.breaks("GET /2015-03-31/functions/", usize::MAX, Fault::Answer(403, refusal.into()));
    let seen = survey(&account_region);
    let account_region = seen.vpcs.values().next().expect("a VPC").account_region.clone();
    assert!(seen.gap(Call::ContainerClusters, &account_region).is_some(), "{:?}", seen.gaps);
    assert!(seen.gap(Call::Functions, &account_region).is_some(), "{:?}", seen.gaps);
    assert_eq!(seen.databases, usual.databases);
    Ok(())
}

fn throttled() -> Result<(), Failed> {
    let moto = built();
    let faulty = Faulty::before(moto.port());
    let account_region = profile("inventory-throttled", REGION, &faulty.url());
    // More than the runtime's own four attempts.
    faulty.breaks("Action=DescribeSubnets&", 5, Fault::throttled());
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let seen = block_on(async {
        let tell = |far| told.lock().unwrap_or_else(PoisonError::into_inner).push(far);
        Account::connect(&account_region).await.expect("a Region").survey(&tell).await
    });
    assert!(!seen.subnets.is_empty(), "{:?}", seen.gaps);
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let done: Vec<usize> = told.iter().map(|far| far.done).collect();
    assert_eq!(done, (1..=told.len()).collect::<Vec<_>>());
    assert!(told.windows(2).all(|two| two[0].of <= two[1].of), "{told:?}");
    let last = told.last().expect("some progress");
    assert_eq!(last.done, last.of);
    Ok(())
}

fn account_regions() -> Result<(), Failed> {
    let moto = built();
    let there = profile("inventory-one", REGION, &moto.url());
    let empty = profile("inventory-two", "eu-south-1", &moto.url());
    let nowhere = profile("inventory-gone", REGION, "http://127.0.0.1:9");
    let asked = BTreeSet::from([there.clone(), empty, nowhere]);
    let seen = block_on(Cloud::live().survey(&asked, &|_| {}));
    let alone = survey(&there);
    assert_eq!(seen.databases, alone.databases);
    let regions: BTreeSet<Option<&str>> =
        seen.vpcs.values().map(|vpc| vpc.account_region.region.as_deref()).collect();
    assert_eq!(regions, BTreeSet::from([Some("eu-south-1"), Some(REGION)]));
    let gone = |gap: &&Gap| gap.account_region.profile.as_deref() == Some("inventory-gone");
    let unseen: BTreeSet<String> = seen.gaps.iter().filter(gone).map(|gap| gap.source.to_string()).collect();
    // Nothing answers there, so that nothing of it is known.
    assert!(unseen.contains("ec2:DescribeVpcs") && unseen.contains("ecs:ListClusters"), "{unseen:?}");
    Ok(())
}

fn doorward(folder: &Path, words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    said(command.args(words).current_dir(folder).output().expect("doorward runs"))
}

fn command() -> Result<(), Failed> {
    let moto = built();
    profile("inventory-command", REGION, &moto.url());
    profile("inventory-nowhere", REGION, "http://127.0.0.1:9");
    let folder = tempfile::tempdir()?;
    let here = folder.path();
    let save = ["inventory", "save", "account", "--profile", "inventory-command"];
    doorward(here, &save).is(
        0,
        &["account: ", " things in "],
        &["note: ec2:DescribeVpcBlockPublicAccessOptions"],
    );
    let live =
        survey(&AccountRegion { profile: Some("inventory-command".into()), region: None, account: None });
    same(&recorded(&here.join("account"))?, &read_back(&live));
    doorward(here, &save).is(73, &[], &["account is not empty", "--force"]);
    doorward(here, &[&save[..], &["--force"]].concat()).is(0, &["account: "], &["note: "]);
    doorward(here, &["inventory", "save", "copy", "--inventory", "account"]).is(0, &["copy: "], &["note: "]);
    same(&recorded(&here.join("copy"))?, &recorded(&here.join("account"))?);
    let shown = doorward(here, &["inventory", "show", "--inventory", "copy"]);
    shown.is(0, &["1      container tasks", "in eu-south-2 of account 123456789012", "gaps:"], &[]);
    let shown = doorward(here, &["inventory", "show", "--inventory", "copy", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&shown.out)?;
    assert_eq!(json["counts"]["functions"], 2, "{json}");
    assert!(json["gaps"].as_array().is_some_and(|gaps| !gaps.is_empty()), "{json}");
    let nowhere = ["inventory", "save", "nothing", "--profile", "inventory-nowhere"];
    doorward(here, &nowhere).is(69, &[], &["nothing of the account could be read", "hint:"]);
    assert!(!here.join("nothing").exists());
    doorward(here, &["inventory", "show", "--inventory", "missing"]).is(66, &[], &["cannot read `missing`"]);
    doorward(here, &["inventory", "show", "--inventory", "x", "--region", "y"]).is(
        64,
        &[],
        &["cannot be used with"],
    );
    // Nothing else was left behind.
    let mut names: Vec<_> =
        std::fs::read_dir(here)?.map(|entry| entry.map(|it| it.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    assert_eq!(names, ["account", "copy"]);
    Ok(())
}
