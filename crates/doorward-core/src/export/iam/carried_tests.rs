//! What ways without an open port take, tried: exactly those ways.

use serde_json::{Value, json};

use super::*;
use crate::policy::{Group, RoleArn};

pub(super) const PEOPLE: &str =
    "[people]\npasswords = \"p\"\ngroups = \"g\"\n[aws]\nregion = \"eu-west-1\"\n";
const TARGETS: &str = r#"
[target.orders-db]
address    = "rds:orders"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["ssm"]
[target.jump]
address    = "tag:Name=jump"
ports      = ["tcp/8080"]
groups     = ["ops"]
transports = ["ssm"]
[target.inside]
address    = "10.0.0.0/16"
ports      = ["all"]
groups     = ["ops"]
transports = ["ssh"]
"#;
pub(super) const SSM: &str = "[ssm]\njump-host = \"tag:Name=jump\"\nshared = true\n";
pub(super) const SSH: &str = "[ssh]\njump-host = \"instance:i-0a1b2c3d\"\n";

pub(super) fn policy(sections: &str) -> Policy {
    crate::policy::parse(&format!("{PEOPLE}{sections}{TARGETS}"), "doorward.toml").expect("a policy")
}

pub(super) fn account() -> AccountId {
    "123456789012".parse().expect("an account")
}

fn facts() -> Facts {
    Facts { accounts: BTreeMap::from([(None, account())]), ..Facts::default() }
}

fn group(name: &str) -> Group {
    name.parse().expect("a group")
}

fn statements(iam: &Iam) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for document in &iam.documents {
        assert!(document.size() <= LONGEST);
        let document = serde_json::to_value(document).expect("JSON");
        for statement in document["Statement"].as_array().expect("statements") {
            let sid = statement["Sid"].as_str().expect("a Sid").to_owned();
            assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{sid}");
            assert_eq!(all.insert(sid, statement.clone()), None, "a Sid is there once");
        }
    }
    all
}

fn sids(iam: &Iam) -> Vec<String> {
    statements(iam).into_keys().collect()
}

#[test]
fn people_of_a_group_start_sessions_with_its_documents_alone() {
    let policy = policy(&format!("{SSM}documents = \"pinned\"\n{SSH}"));
    let iam = carried(&policy, Whose::Group(&group("dbs")), &facts());
    assert_eq!(iam.unknown, [Unknown::Database("orders-db".parse().expect("a name"))]);
    let of = statements(&iam);
    let checked = json!({"ssm:SessionDocumentAccessCheck": "true"});
    assert_eq!(
        of["ThroughTheJumpHost"],
        json!({
            "Sid": "ThroughTheJumpHost",
            "Effect": "Allow",
            "Action": ["ssm:StartSession"],
            "Resource": ["arn:aws:ec2:eu-west-1:123456789012:instance/*"],
            "Condition": {"BoolIfExists": checked, "StringEquals": {"ssm:resourceTag/Name": ["jump"]}},
        })
    );
    assert_eq!(
        of["WithTheseDocuments"],
        json!({
            "Sid": "WithTheseDocuments",
            "Effect": "Allow",
            "Action": ["ssm:StartSession"],
            "Resource": ["arn:aws:ssm:eu-west-1:123456789012:document/doorward-orders-db"],
            "Condition": {"BoolIfExists": checked},
        })
    );
    // Resumed and ended is exactly one's own, by AWS's tag; a name with `-*` behind it would be whoever's goes on.
    assert_eq!(
        of["OwnSessions"],
        json!({
            "Sid": "OwnSessions",
            "Effect": "Allow",
            "Action": ["ssm:ResumeSession", "ssm:TerminateSession"],
            "Resource": ["arn:aws:ssm:eu-west-1:123456789012:session/*"],
            "Condition": {"StringEquals": {
                "ssm:resourceTag/aws:ssmmessages:session-id": ["${aws:userid}"],
            }},
        })
    );
    assert_eq!(of["ChannelsOfARole"]["Action"], json!(["ssmmessages:OpenDataChannel"]));
    assert_eq!(
        of["FindTheWay"]["Action"],
        json!(["ec2:DescribeInstances", "ssm:DescribeInstanceInformation", "ssm:GetConnectionStatus"])
    );
    assert_eq!(
        of["FindTheTargets"],
        json!({
            "Sid": "FindTheTargets",
            "Effect": "Allow",
            "Action": ["rds:DescribeDBClusters", "rds:DescribeDBInstances"],
            "Resource": [
                "arn:aws:rds:eu-west-1:123456789012:cluster:orders",
                "arn:aws:rds:eu-west-1:123456789012:db:orders",
            ],
        })
    );
    assert_eq!(
        sids(&iam),
        [
            "ChannelsOfARole",
            "ChannelsOfAUser",
            "FindTheTargets",
            "FindTheWay",
            "OwnSessions",
            "ThroughTheJumpHost",
            "WithTheseDocuments"
        ]
    );
    // Nobody's group may do nothing.
    assert_eq!(carried(&policy, Whose::Group(&group("nobody")), &facts()).documents, []);
    assert_eq!(carried(&policy, Whose::Role, &facts()).documents, []);
}

#[test]
fn shared_documents_are_awss_own() {
    let policy = policy(&format!("{SSM}{SSH}"));
    let iam = carried(&policy, Whose::Everybody, &facts());
    let of = statements(&iam);
    assert_eq!(
        of["WithTheseDocuments"]["Resource"],
        json!([
            "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSession",
            "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSessionToRemoteHost",
        ])
    );
    assert_eq!(
        of["WithTheseDocumentsOfSsh"]["Resource"],
        json!(["arn:aws:ssm:eu-west-1::document/AWS-StartSSHSession"])
    );
    assert_eq!(
        of["ThroughTheJumpHostOfSsh"]["Resource"],
        json!(["arn:aws:ec2:eu-west-1:123456789012:instance/i-0a1b2c3d"])
    );
    assert_eq!(
        of["ForOneUser"],
        json!({
            "Sid": "ForOneUser",
            "Effect": "Allow",
            "Action": ["ec2-instance-connect:SendSSHPublicKey"],
            "Resource": ["arn:aws:ec2:eu-west-1:123456789012:instance/i-0a1b2c3d"],
            "Condition": {"StringEquals": {"ec2:osuser": ["ec2-user"]}},
        })
    );
    for statement in of.values().filter(|statement| statement["Action"] == json!(["ssm:StartSession"])) {
        assert!(statement["Condition"]["BoolIfExists"].is_object(), "{statement}");
        let resources = statement["Resource"].as_array().expect("resources");
        assert!(!resources.is_empty() && !resources.contains(&json!("*")), "{statement}");
    }
}

#[test]
fn a_tunnel_is_to_one_port_of_one_address() {
    let ssh = "[ssh]\nshared = true\njump-host = \"tag:Name=jump\"\nover = \"endpoint\"\nuser = \"admin\"\n";
    let open = policy(&format!("{SSM}{ssh}"));
    let iam = carried(&open, Whose::Group(&group("ops")), &facts());
    assert!(iam.unknown.contains(&Unknown::Endpoint) && iam.unknown.contains(&Unknown::JumpHostAddress));
    let known = Facts { jump_host: Some("10.0.1.7".parse().expect("an address")), ..facts() };
    let pinned = policy(&format!("{SSM}{ssh}endpoint = \"eice-0a1b2c3d\"\n"));
    let iam = carried(&pinned, Whose::Group(&group("ops")), &known);
    assert_eq!(iam.unknown, []);
    let of = statements(&iam);
    assert_eq!(
        of["TunnelToSshd"],
        json!({
            "Sid": "TunnelToSshd",
            "Effect": "Allow",
            "Action": ["ec2-instance-connect:OpenTunnel"],
            "Resource": ["arn:aws:ec2:eu-west-1:123456789012:instance-connect-endpoint/eice-0a1b2c3d"],
            "Condition": {
                "IpAddress": {"ec2-instance-connect:privateIpAddress": ["10.0.1.7/32"]},
                "NumericEquals": {"ec2-instance-connect:remotePort": ["22"]},
                "NumericLessThanEquals": {"ec2-instance-connect:maxTunnelDuration": ["3600"]},
            },
        })
    );
    assert_eq!(of["ForOneUser"]["Condition"]["StringEquals"]["aws:ResourceTag/Name"], json!(["jump"]));
    assert!(of["FindTheWay"]["Action"].to_string().contains("ec2:DescribeInstanceConnectEndpoints"));
}

#[test]
fn who_signs_in_by_iam_is_named() {
    let policy = policy(&format!("{SSM}{SSH}"));
    let users = |users: &[&str]| users.iter().map(|user| (*user).to_owned()).collect();
    let sign_in = |names: &[&str]| SignIn { resource: "db-ABC".into(), users: users(names) };
    let with = |names: &[&str]| Facts {
        sign_ins: BTreeMap::from([("orders-db".parse().expect("a name"), sign_in(names))]),
        ..facts()
    };
    let iam = carried(&policy, Whose::Everybody, &with(&["app", "jon"]));
    assert_eq!(
        statements(&iam)["SignIn"]["Resource"],
        json!([
            "arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ABC/app",
            "arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ABC/jon",
        ])
    );
    // No user is nobody, and not everybody.
    assert!(!sids(&carried(&policy, Whose::Everybody, &with(&[]))).contains(&"SignIn".to_owned()));
}

pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/doorward-sessions";

pub(super) fn vending() -> Policy {
    policy(&format!("{SSM}documents = \"pinned\"\nrole = \"{ROLE}\"\n{SSH}"))
}

#[test]
fn a_server_that_vends_lets_people_need_nothing() {
    let policy = vending();
    assert_eq!(carried(&policy, Whose::Everybody, &facts()).documents, []);
    let role = sids(&carried(&policy, Whose::Role, &facts()));
    assert!(
        role.contains(&"ThroughTheJumpHost".to_owned()) && !role.contains(&"FindTheWay".to_owned()),
        "{role:?}"
    );
    let iam = server(&policy, &facts());
    let of = statements(&iam);
    assert_eq!(
        of["ForAPerson"],
        json!({
            "Sid": "ForAPerson",
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Resource": [ROLE],
            "Condition": {"StringLike": {"sts:SourceIdentity": ["?*"]}},
        })
    );
    assert_eq!(of["ForAGrant"]["Action"], json!(["sts:TagSession"]));
    assert_eq!(
        of["DenyWhatWasRevoked"],
        json!({
            "Sid": "DenyWhatWasRevoked",
            "Effect": "Allow",
            "Action": ["iam:PutRolePolicy"],
            "Resource": [ROLE],
        })
    );
    assert_eq!(
        of["KeepTheDocuments"]["Resource"],
        json!(["arn:aws:ssm:eu-west-1:123456789012:document/doorward-*"])
    );
    assert!(of.contains_key("FindTheWay"));
    let who: RoleArn = "arn:aws:iam::123456789012:role/doorward".parse().expect("a role");
    let trust = serde_json::to_value(trust(&who)).expect("JSON");
    for statement in trust["Statement"].as_array().expect("statements") {
        assert_eq!(statement["Principal"], json!({"AWS": "arn:aws:iam::123456789012:role/doorward"}));
        assert_eq!(statement.get("Resource"), None);
    }
}

#[test]
fn a_server_ends_sessions_where_the_policy_has_them_and_nowhere_else() {
    let of = |sections: &str, address: &str, transport: &str| {
        let target = format!(
            "[target.one]\naddress = \"{address}\"\nports = [\"tcp/22\"]\ngroups = [\"dbs\"]\ntransports = [\"{transport}\"]\n"
        );
        let policy = crate::policy::parse(&format!("{PEOPLE}{sections}{target}"), "doorward.toml");
        statements(&server(&policy.expect("a policy"), &facts()))
    };
    let check = |address: &str, transport: &str, sections: &str, expected: &[&Value]| {
        let found = of(sections, address, transport);
        assert_eq!(found.values().collect::<Vec<_>>(), expected, "{sections} {address} {transport}");
    };
    let see = json!({
        "Sid": "SeeOpenSessions",
        "Effect": "Allow",
        "Action": ["ssm:DescribeSessions"],
        "Resource": ["*"],
        "Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-west-1"]}},
    });
    let all = json!({
        "Sid": "EndWhatOutlivesItsGrant",
        "Effect": "Allow",
        "Action": ["ssm:TerminateSession"],
        "Resource": ["arn:aws:ssm:eu-west-1:123456789012:session/*"],
    });
    let mut held = all.clone();
    held["Condition"] =
        json!({"StringEquals": {"ssm:resourceTag/aws:ssmmessages:target-id": ["i-0a1b2c3d"]}});
    let fixed = "[ssm]\njump-host = \"instance:i-0a1b2c3d\"\n";
    check("db.internal", "ssm", SSM, &[&all, &see]);
    check("db.internal", "ssm", fixed, &[&held, &see]);
    check("db.internal", "ssh", SSH, &[&held, &see]);
    // A shell goes to the target itself.
    check("tag:Name=web", "ssm", fixed, &[&all, &see]);
    check("db.internal", "ssh", &format!("{SSH}over = \"endpoint\"\n"), &[]);
    let of = statements(&server(&policy(&format!("{SSM}region = \"eu-west-2\"\n{SSH}")), &facts()));
    assert_eq!(
        of["SeeOpenSessions"]["Condition"]["StringEquals"]["aws:RequestedRegion"],
        json!(["eu-west-1", "eu-west-2"])
    );
    assert_eq!(
        of["EndWhatOutlivesItsGrant2default"]["Resource"],
        json!(["arn:aws:ssm:eu-west-2:123456789012:session/*"])
    );
}

#[test]
fn an_auditor_reads_and_changes_nothing() {
    let document = serde_json::to_value(auditor()).expect("JSON");
    assert_eq!(document["Statement"][0]["Action"], json!(["cloudtrail:LookupEvents"]));
}
