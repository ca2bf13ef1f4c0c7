//! What is exported for a declaration, as the tools of others judge it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use doorward_core::export::iam::{NetworkFacts, Task, networks};
use doorward_core::export::{Parts, cloudformation};
use doorward_core::inventory::{AccountRegion, Inventory};
use doorward_core::name::{InstallationId, NetworkName};
use doorward_core::policy::Policy;
use doorward_core::topology::{Site, layout};

use crate::declared::{CHANGED, DEV, MADE, REGIONAL};
use parts::need::{Need, find};
use serde_json::Value;

/// A story, with what it needs.
pub fn stories() -> Vec<(&'static str, Need, fn())> {
    vec![
        ("parliament has nothing to say against the IAM policies", Need::Parliament, parliament),
        ("cfn-lint has nothing to say against the templates", Need::CfnLint, cfn_lint),
    ]
}

fn policy(text: &str) -> Policy {
    let head = "[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n";
    doorward_core::policy::parse(&format!("{head}{text}"), "p").expect("a policy")
}

fn by() -> InstallationId {
    InstallationId::from_random([0x3f, 0x9c, 0x2a, 0x1b])
}

/// What a program says of a text on its standard input; it ends with 0 if it says nothing.
fn said(program: &str, arguments: &[&str], text: &str) -> String {
    let mut child = Command::new(find(program).expect("a program"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("its input");
    let output = child.wait_with_output().expect("its output");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.success(), said.trim().is_empty(), "{output:?}");
    said
}

fn parliament() {
    const ROLES: &str = "[network.shop]\nvpc = \"vpc-0a1b2c3d4e5f60718\"\nzones = []\n[network.old]\nvpc = \"default\"\n\
        [role.db]\nnetwork = \"shop\"\ngroup = \"sg-0a1b2c3d4e5f60718\"\non = [\"instance:i-0a1b2c3d4e5f60718\", \
        \"tag:service=db\", \"rds:orders\", \"proxy:pool\", \"cache:c\", \"service:shop/web\", \"function:f\"]\n";
    let options = ["--include-community-auditors", "--minimum_severity", "INFO", "--json"];
    let account = "123456789012".parse().expect("an account");
    let facts = NetworkFacts { accounts: [(None, account)].into(), installation: Some(by()) };
    let dev =
        DEV.replace("image = \"IMAGE\"", "instance-profile = \"web\"").replace("\"none\"", "\"gateway\"");
    for text in [MADE, REGIONAL, ROLES, &dev] {
        for task in [Task::Plan, Task::Apply, Task::Destroy] {
            let documents = networks(&policy(text), None, task, &facts).documents;
            let documents: Vec<Value> =
                documents.iter().map(|it| serde_json::to_value(it).expect("JSON")).collect();
            for document in &documents {
                let findings = said("parliament", &options, &document.to_string());
                for finding in findings.lines() {
                    let finding: Value = serde_json::from_str(finding).expect("JSON");
                    let is_known = passes_a_role(&finding) || is_allowed_elsewhere(&finding, &documents);
                    assert!(is_known, "{task:?}: {finding}");
                }
            }
        }
    }
}

/// Whether a finding is only that a role is passed, which an instance profile takes.
fn passes_a_role(finding: &Value) -> bool {
    let actions = &finding["location"]["actions"];
    match finding["issue"].as_str() {
        Some("PERMISSIONS_MANAGEMENT_ACTIONS") => *actions == serde_json::json!(["iam:passrole"]),
        // The role is one that the policy names by its instance profile, and not any.
        Some("PRIVILEGE_ESCALATION") => *actions == serde_json::json!(["iam:passrole", "ec2:runinstances"]),
        _ => false,
    }
}

/// Whether a finding is only that a statement does not have all resources of an action, and another statement has them: what is
/// created is allowed by the tags of the request, and what it is created in by its own. parliament looks at one statement.
fn is_allowed_elsewhere(finding: &Value, documents: &[Value]) -> bool {
    let statements = || documents.iter().filter_map(|it| it["Statement"].as_array()).flatten();
    let has = |statement: &Value, list: &str, is: &dyn Fn(&str) -> bool| {
        statement[list].as_array().is_some_and(|all| all.iter().filter_map(Value::as_str).any(is))
    };
    let resource = |arn: &str| arn.splitn(6, ':').nth(5).unwrap_or_default().to_owned();
    let allowed = |lacks: &Value| {
        let action = lacks["action"].as_str().unwrap_or_default();
        let kind = resource(lacks["required_format"].as_str().unwrap_or_default());
        let kind = kind.trim_end_matches('*').to_owned();
        !kind.is_empty()
            && statements().any(|statement| {
                has(statement, "Action", &|it| it == action)
                    && has(statement, "Resource", &|it| resource(it).starts_with(&kind))
            })
    };
    let details = finding["detail"].as_array();
    finding["issue"] == "RESOURCE_MISMATCH"
        && details.is_some_and(|all| !all.is_empty() && all.iter().all(allowed))
}

fn cfn_lint() {
    let template = |text: &str| {
        let topology = policy(text).topology;
        let account_region = AccountRegion { profile: None, region: Some("eu-west-1".into()), account: None };
        let zones = (1..=3).map(|number| {
            (format!("euw1-az{number}").parse().expect("a zone"), format!("eu-west-1{number}"))
        });
        let site = Site {
            account_region,
            by: by(),
            zones: Some(zones.collect()),
            has_all_zones: true,
            images: BTreeMap::new(),
        };
        let actual = Inventory::default();
        let wanted = layout(&topology, &actual, &site).expect("a layout").wanted;
        let networks: BTreeSet<NetworkName> = topology.networks.keys().cloned().collect();
        let by = by();
        let parts =
            Parts { topology: &topology, networks: &networks, actual: &actual, wanted: &wanted, by: &by };
        serde_json::to_string_pretty(&cloudformation(&parts).document).expect("JSON")
    };
    for text in [MADE, CHANGED, REGIONAL] {
        let template = template(text);
        let lint = |text: &str| said("cfn-lint", &["--regions", "eu-west-1"], text);
        assert_eq!(lint(&template), "", "{template}");
        // It would have said so.
        assert_ne!(lint(&template.replace("\"CidrBlock\"", "\"Block\"")), "");
    }
}
