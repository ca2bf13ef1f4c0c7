//! What a grant lets in beside its target: told when it is opened, and asked about with `doorward reach --after`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use doorward::clock::Clock;
use doorward::cloud::Cloud;
use doorward::policy_file::PolicyFile;
use doorward::requests::{Ask, Caller, Opened, OpenedView};
use doorward::running::Running;
use doorward_aws::Simulated;
use jiff::SignedDuration;
use serde_json::{Value, json};

const POLICY: &str = r#"
[people]
passwords = "people.htpasswd"
groups    = "people.groups"

[firewall.orders-clients]
about          = "who may reach the orders database"
security-group = "sg-0a1b2c3d4e5f60718"

[grants]
special-networks = ["203.0.113.0/24"]

[inventory]
folder = "account"

[target.orders-db]
about      = "Orders database"
address    = "rds:orders-prod"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "orders-clients"
lasts      = { usually = "2h", at-most = "8h" }
approval   = { from = ["leads"], above = "4h" }
"#;

/// The example's account and people, in a folder of its own. `neighbours` are the groups of interfaces that are
/// there besides, each with a public address.
fn folder(neighbours: &[&[&str]]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let account = folder.path().join("account");
    fs::create_dir(&account).expect("a folder");
    for entry in fs::read_dir(examples.join("account")).expect("the example") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), account.join(entry.file_name())).expect("a copy");
    }
    for name in ["people.htpasswd", "people.groups"] {
        fs::copy(examples.join(name), folder.path().join(name)).expect("a copy");
    }
    fs::write(folder.path().join("doorward.toml"), POLICY).expect("a policy");
    let path = account.join("describe-network-interfaces.json");
    let mut answer: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    let interfaces = answer["NetworkInterfaces"].as_array_mut().expect("interfaces");
    let database = interfaces.iter().find(|one| one["Description"] == "RDSNetworkInterface").expect("RDS");
    let database = database.clone();
    for (number, groups) in (60..).zip(neighbours) {
        let mut interface = database.clone();
        let (private, public) = (format!("10.20.0.{number}"), format!("198.51.100.{number}"));
        let association = json!({"PublicIp": public, "IpOwnerId": "123456789012"});
        interface["NetworkInterfaceId"] = json!(format!("eni-0beef{number}"));
        interface["Description"] = json!("");
        interface["RequesterId"] = json!("123456789012");
        interface["PrivateIpAddress"] = json!(private);
        interface["PrivateIpAddresses"] =
            json!([{"Primary": true, "PrivateIpAddress": private, "Association": association}]);
        interface["Association"] = association;
        interface["Groups"] = groups.iter().map(|group| json!({"GroupId": group})).collect();
        interfaces.push(interface);
    }
    fs::write(&path, answer.to_string()).expect("a file");
    folder
}

async fn open(folder: &Path, hours: Option<i64>) -> OpenedView {
    let policy = PolicyFile::open(&folder.join("doorward.toml")).expect("a policy");
    let cloud = Cloud::Simulated(Simulated::from_folder(&folder.join("account")).expect("an account"));
    let running = Running::start(Arc::new(policy), cloud, Clock::system()).await.expect("a store");
    let ask = Ask {
        target: "orders-db".parse().expect("a name"),
        address: "203.0.113.7".parse().expect("an address"),
        transport: None,
        lasts: hours.map(SignedDuration::from_hours),
        reason: None,
    };
    let jon = Caller::known("jon".parse().expect("a name"), None);
    let opened = running.requests().open(&jon, ask).await.expect("open");
    assert_eq!(matches!(opened, Opened::Waiting { .. }), hours.is_some());
    let view = running.requests().views().opened(opened).await;
    running.stop().await;
    view
}

/// What `doorward reach --after CHANGE` prints.
fn after(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.current_dir(folder).args(["reach", "--inventory", "account", "--after"]).args(words);
    let output = command.env_remove("DOORWARD_POLICY").output().expect("doorward runs");
    let text = String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

const CLIENTS: &str = "sg-0a1b2c3d4e5f60718";
const DB: &str = "sg-0c0ffee00000000db";
const DATABASE: &str = "[1 interface in vpc-0d15ea5e0c0ffee01, orders-clients, db, public]";

#[tokio::test]
async fn a_grant_that_opens_its_target_alone_says_no_more() {
    let folder = folder(&[]);
    let view = open(folder.path(), None).await;
    assert!(view.beside.is_empty() && view.beside_unknown.is_none(), "{view:?}");
    let json = serde_json::to_value(&view).expect("JSON");
    assert!(json.get("beside").is_none() && json.get("beside_unknown").is_none(), "{json}");
    let expected = format!("opens orders-prod  {DATABASE}\n  tcp/5432  from the internet (203.0.113.7/32)\n");
    assert_eq!(after(folder.path(), &[view.grant.id.as_str()]), (Some(0), expected));
}

#[tokio::test]
async fn a_grant_tells_of_whatever_else_carries_the_group() {
    // One in a role of its own, and one that the network treats like the database.
    let folder = folder(&[&[CLIENTS], &[CLIENTS, DB]]);
    // It waits for approval, and tells what would be.
    let view = open(folder.path(), Some(6)).await;
    let told: Vec<String> = view.beside.iter().map(|one| format!("{} {:?}", one.what, one.flows)).collect();
    let flow = "[Tcp(Ports { from: 5432, to: 5432 })]";
    assert_eq!(told, [format!("eni-0beef60 {flow}"), format!("eni-0beef61 {flow}")], "{view:?}");
    let (code, text) = after(folder.path(), &[view.grant.id.as_str()]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("opens orders-clients  [1 interface in") && text.contains("eni-0beef61"), "{text}");
    // The same as of a grant that nobody has asked for yet.
    assert_eq!(after(folder.path(), &["orders-db", "--as", "jon", "--address", "203.0.113.7"]).1, text);
    assert_eq!(after(folder.path(), &[view.grant.id.as_str(), "tcp/22"]), (Some(0), "no changes\n".into()));
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_said_and_opens_all_the_same() {
    let folder = folder(&[]);
    let policy = POLICY.replace("folder = \"account\"", "folder = \"elsewhere\"");
    fs::write(folder.path().join("doorward.toml"), policy).expect("a policy");
    let view = open(folder.path(), None).await;
    let why = view.beside_unknown.expect("a reason");
    assert!(why.starts_with("cannot read `") && why.ends_with("elsewhere`"), "{why}");
    assert!(view.grant.until.is_some());
}

#[test]
fn what_is_asked_wrongly_is_said() {
    let folder = folder(&[]);
    let check = |words: &[&str], code: i32, expected: &str| {
        let (exit, text) = after(folder.path(), words);
        assert_eq!(exit, Some(code), "{words:?}: {text}");
        assert!(text.contains(expected), "{words:?}: {text}");
    };
    check(&["orders"], 66, "did you mean `orders-db`?");
    check(&["account", "--as", "jon"], 64, "`--as` and `--address` are only for a target");
    check(&["orders-db", "--as", "richard"], 64, "the address that `orders-db` is opened for is missing");
    check(&["g-k3v9t2m4x7q8"], 1, "the store of this policy has no grant g-k3v9t2m4x7q8");
    check(&["account", "--all"], 64, "cannot be used with");
    fs::write(folder.path().join("plan.json"), "{").expect("a file");
    check(&["plan.json"], 65, "`plan.json` is not a list of changes");
    // A store is not made for a question.
    assert!(!folder.path().join("doorward.db").exists());
}
