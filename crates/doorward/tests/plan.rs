//! `doorward plan` on recorded accounts: what was performed leaves nothing to change, a saved plan is the plan, and every
//! command of `docs/network.md` runs as it is written there.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use doorward_core::inventory::{AccountRegion, Inventory, SecurityGroupRuleId};
use doorward_core::name::InstallationId;
use doorward_core::plan::network::{Give, Ids, Prepared, Proposal, network_difference, perform_change};
use doorward_core::policy::Policy;
use doorward_core::price::Table;
use doorward_core::topology::{Site, Transition, after_transition};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/plan.in")
}

/// What the program printed, and how it ended.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(folder: &Path, words: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(words).current_dir(folder).env("DOORWARD_POLICY", "doorward.toml").env("HOME", folder);
    let output = command.output().expect("doorward runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Gives ids of the form that AWS gives.
#[derive(Default)]
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

impl Give for Numbers {
    fn id(&mut self, planned: &str) -> Option<String> {
        let kind = [
            ("dev/database", "doorward-dev-final"),
            ("dev/instance/interface", "eni"),
            ("dev/instance", "i"),
            ("prod/database", "doorward-prod-final"),
            ("/interface", "eni"),
            ("prod/instance", "i"),
            ("prod/launch-template", "lt"),
            (
                "prod/target-group",
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/doorward-prod/0a",
            ),
            (
                "prod/balancer",
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/doorward-prod/0a",
            ),
            ("private-route-table", "rtb"),
            ("route-table", "rtb"),
            ("subnet", "subnet"),
            ("internet-gateway", "igw"),
            ("nat-gateway", "nat"),
            ("network-acl", "acl"),
            ("security-group", "sg"),
            ("role", "sg"),
            ("endpoint", "vpce"),
            ("vpc", "vpc"),
        ];
        let found = kind.iter().find(|(part, _)| planned.contains(part)).expect("a kind of resource");
        Some(format!("{}-{:08x}", found.1, self.next()))
    }

    fn rule(&mut self) -> SecurityGroupRuleId {
        SecurityGroupRuleId::numbered(u64::from(self.next()))
    }

    fn address(&mut self, _: Ipv4Addr) -> Option<Ipv4Addr> {
        Some(Ipv4Addr::from(0xcb00_7100 + self.next()))
    }
}

fn by() -> InstallationId {
    "3f9c2a1b".parse().expect("an installation")
}

/// A recorded account after everything that a policy declares was created.
fn performed(policy: &Policy, account: &Path) -> Inventory {
    let mut account = doorward_aws::recorded(account).expect("a recording");
    let account_region = AccountRegion {
        profile: None,
        region: Some("eu-west-1".into()),
        account: Some("123456789012".parse().expect("an account")),
    };
    let site = Site::of(&account, account_region, by());
    let networks: BTreeSet<_> = policy.topology.networks.keys().cloned().collect();
    let prepared = Prepared {
        topology: &policy.topology,
        networks: &networks,
        site: &site,
        prices: &Table::built_in().expect("a table"),
        quotas: &BTreeMap::new(),
        transition: None,
    };
    let proposal = Proposal::of(prepared, &account).expect("nothing prevents it");
    assert!(!proposal.plan.is_empty());
    let (mut ids, mut give) = (Ids::default(), Numbers::default());
    for step in proposal.plan.steps() {
        perform_change(&mut account, &step.change, &mut ids, &mut give)
            .unwrap_or_else(|refused| panic!("{}: {refused}", step.change));
    }
    account
}

#[test]
fn what_was_performed_leaves_nothing_to_change() {
    for (policy, account) in [
        ("doorward.toml", "empty"),
        ("default.toml", "default"),
        ("dev.toml", "empty"),
        ("prod.toml", "empty"),
    ] {
        let file = fixtures().join(policy);
        let text = fs::read_to_string(&file).expect("a policy");
        let parsed = doorward_core::policy::parse(&text, policy).expect("a policy");
        let folder = tempfile::tempdir().expect("a folder");
        let saved = folder.path().join("account");
        doorward_aws::save(&performed(&parsed, &fixtures().join(account)), &saved, false)
            .expect("an account");
        let ran =
            run(folder.path(), &["plan", "--policy", &file.display().to_string(), "--inventory", "account"]);
        assert_eq!(ran.code, 0, "{policy}: {}{}", ran.out, ran.err);
        assert!(
            ran.out.starts_with("nothing to change: eu-west-1 is as [network.main] declares it\n"),
            "{policy}: {}",
            ran.out
        );
    }
}

/// An account after its environment was started or stopped.
fn turned(policy: &Policy, mut account: Inventory, to: Transition) -> Inventory {
    let account_region = AccountRegion {
        profile: None,
        region: Some("eu-west-1".into()),
        account: Some("123456789012".parse().expect("an account")),
    };
    let site = Site::of(&account, account_region, by());
    let environment = policy.topology.environments.values().next().expect("an environment");
    let wanted =
        after_transition(environment, to, &policy.topology, &account, &site).expect("a layout").wanted;
    let (mut ids, mut give) = (Ids::default(), Numbers::default());
    for step in network_difference(&account.clone(), &wanted, &by()).steps() {
        perform_change(&mut account, &step.change, &mut ids, &mut give).expect("it can be done");
    }
    account
}

#[test]
fn environments_are_listed_with_their_states_and_costs_and_stay_stopped() {
    let text = fs::read_to_string(fixtures().join("dev.toml")).expect("a policy");
    let policy = doorward_core::policy::parse(&text, "dev.toml").expect("a policy");
    let running = performed(&policy, &fixtures().join("empty"));
    let paused = turned(&policy, running.clone(), Transition::Pause);
    let saved = turned(&policy, running.clone(), Transition::Snapshot);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("doorward.toml"), &text).expect("a file");
    let check = |name: &str, account: &Inventory, state: &str, now: &str, left: Option<&str>| {
        let kept = folder.path().join(name);
        doorward_aws::save(account, &kept, false).expect("an account");
        let ran = run(folder.path(), &["env", "list", "--inventory", name]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let line = ran.out.lines().nth(1).expect("a line");
        assert!(line.contains(state) && line.contains(now), "{state}, {now}: {}", ran.out);
        let ran = run(folder.path(), &["plan", "--inventory", name]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(left.is_none_or(|left| ran.out.contains(left)), "{}", ran.out);
    };
    check("running", &running, "running", "about $29.486 a month", None);
    check("paused", &paused, "stopped", "a month", Some("`doorward env start dev` starts it"));
    check(
        "saved",
        &saved,
        "stopped as the snapshot",
        "a month",
        Some("`doorward env start dev` restores it"),
    );
    let ran = run(folder.path(), &["env", "list", "--inventory", "saved", "--json"]);
    let listed: Value = serde_json::from_str(&ran.out).expect("JSON");
    let dev = &listed["environments"][0];
    assert_eq!((&dev["name"], &dev["state"]), (&"dev".into(), &"snapshot".into()));
    assert!(dev["database"].is_null() && dev["instance"]["state"] == "stopped", "{dev}");
}

#[test]
fn a_saved_plan_has_the_digest_of_what_it_was_made_from() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["doorward.toml", "default.toml", "empty", "default"] {
        symlink(fixtures().join(name), folder.path().join(name)).expect("a link");
    }
    let saved = |words: &[&str]| -> Value {
        let ran =
            run(folder.path(), &[&["plan", "--out", "a.plan", "--installation", "3f9c2a1b"], words].concat());
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        let file = folder.path().join("a.plan");
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        serde_json::from_str(&fs::read_to_string(file).expect("a plan")).expect("JSON")
    };
    let empty = saved(&["--inventory", "empty"]);
    assert_eq!(empty["format"], "doorward-plan/2");
    assert_eq!(empty["plans"][0]["installation"], "3f9c2a1b");
    assert_eq!(empty, saved(&["--inventory", "empty"]), "the same account, the same plan");
    let default = saved(&["--policy", "default.toml", "--inventory", "default"]);
    for digest in ["account_digest", "digest"] {
        assert_ne!(empty["plans"][0][digest], default["plans"][0][digest]);
        assert_eq!(empty["plans"][0][digest].as_str().map(str::len), Some(64));
    }
}

/// The code blocks of a language, in the order of a document.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let after = document.split(&fence).skip(1);
    after.map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect()
}

const NAT_IN_SAO_PAULO: &str = r#"{"PriceList": [{"product": {"sku": "A1", "attributes": {"regionCode": "sa-east-1",
"usagetype": "SAE1-NatGateway-Hours", "operation": "NatGateway"}}, "publicationDate": "2026-11-01T00:00:00Z", "terms":
{"OnDemand": {"A1.J": {"priceDimensions": {"A1.J.6": {"beginRange": "0", "pricePerUnit": {"USD": "0.0930000000"}}}}}}}]}"#;

#[test]
fn the_commands_of_the_tutorial_run_as_they_are_written() {
    let document = fs::read_to_string(root().join("docs/network.md")).expect("the tutorial");
    let clone = tempfile::tempdir().expect("a folder");
    symlink(root().join("examples"), clone.path().join("examples")).expect("a link");
    let begins = blocks(&document, "sh").into_iter().next().expect("a block");
    let copied = Command::new("sh").args(["-e", "-c", &begins]).current_dir(clone.path()).status();
    assert!(copied.expect("sh runs").success(), "{begins}");
    let folder = clone.path().join("tutorial");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
    let declared = blocks(&document, "toml");
    let [first, roles, environments, prod, adopted, intents, prices] = declared.as_slice() else {
        panic!("{} blocks", declared.len())
    };
    let head = first.split("[network.main]").next().unwrap_or_default();
    write("doorward.toml", first);
    write("default.toml", &format!("{head}{roles}{intents}"));
    write("dev.toml", &format!("{head}{environments}"));
    write("prod.toml", &format!("{head}{prod}"));
    let adopted =
        doorward_core::policy::parse(&format!("{head}{adopted}"), "adopted.toml").expect("a policy");
    assert_eq!(adopted.topology.roles.len(), 2);
    write("nat.json", NAT_IN_SAO_PAULO);
    let mut typed = 0;
    for line in blocks(&document, "sh").iter().flat_map(|block| block.lines()) {
        let Some(words) = line.strip_prefix("doorward ") else { continue };
        let words: Vec<&str> = words.split_whitespace().collect();
        let ran = run(&folder, &words);
        assert!(
            (0..4).contains(&ran.code) && !ran.err.contains("error:"),
            "{line}: {}: {}",
            ran.code,
            ran.err
        );
        typed += 1;
    }
    assert!(typed >= 7, "{typed} commands were typed");
    // What the page says of them.
    let ends = |words: &[&str], code: i32, says: &str| {
        let ran = run(&folder, words);
        assert!(
            ran.code == code && ran.out.contains(says),
            "{words:?}: {}: {}{}",
            ran.code,
            ran.out,
            ran.err
        );
    };
    ends(&["plan", "--inventory", "empty"], 2, "subnets = \"/21\"");
    ends(&["plan", "--policy", "dev.toml", "--inventory", "empty"], 2, "create the database doorward-dev");
    ends(&["env", "list", "--policy", "dev.toml", "--inventory", "empty"], 0, "not created");
    let created = "create the Auto Scaling group doorward-prod (2 to 4 instances)";
    ends(&["plan", "--policy", "prod.toml", "--inventory", "empty"], 2, created);
    ends(&["check", "--policy", "default.toml", "--inventory", "default"], 3, "undecided");
    ends(&["prices", "show", "sa-east-1", "--prices", "prices.toml"], 0, "$0.093");
    write(
        "priced.toml",
        &format!("{head}{prices}[network.main]\nregion = \"sa-east-1\"\nzones = [\"sae1-az1\"]\n"),
    );
    ends(&["check", "--policy", "priced.toml"], 0, "no errors");
}
