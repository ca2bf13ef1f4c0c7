//! What is asked of STS for a live grant, tried: exactly that one, and no longer.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::carried_tests::{PEOPLE, ROLE, SSH, SSM, account, policy, vending};
use super::*;
use crate::decision::{Decision, Past, Request, decide};
use crate::grant::{Grant, GrantId};
use crate::policy::{People, Transport};

fn now() -> Timestamp {
    "2026-11-22T10:00:00.75Z".parse().expect("an instant")
}

fn granted(policy: &Policy, who: &str, target: &str, minutes: i64) -> Grant {
    let passwords = format!("{who}:{{SHA}}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\n");
    let groups = format!("dbs: {who}\nops: {who}\n");
    let people = People::parse(passwords.as_bytes(), "p", groups.as_bytes(), "g").expect("people");
    let request = Request {
        id: GrantId::from_random([1; 8]),
        person: who.parse().expect("a person"),
        from: "203.0.113.7".parse().expect("an address"),
        target: target.parse().expect("a target"),
        transport: None,
        lasts: Some(SignedDuration::from_mins(minutes)),
        reason: None,
    };
    match decide(policy, &people, &request, &Past::default(), now()) {
        Decision::Granted { grant, .. } => grant,
        other => panic!("{other:?}"),
    }
}

fn vended(policy: &Policy, who: &str, target: &str, minutes: i64) -> Result<Vended, NotVended> {
    let grant = granted(policy, who, target, minutes);
    let account = account();
    let machine = Machine {
        instance: "i-0a1b2c3d4e5f60718",
        address: Some("10.0.1.7".parse().expect("an address")),
        account: Some(&account),
    };
    let target = &policy.targets[grant.target()];
    vend(policy, target, grant.live(now()).expect("live"), machine, None)
}

#[test]
fn what_is_vended_opens_one_way_until_the_grants_end() {
    let vended = vended(&vending(), "rené", "orders-db", 30).expect("credentials");
    assert_eq!((vended.role.as_str(), vended.seconds), (ROLE, 900));
    assert_eq!(
        (vended.session_name.as_str(), vended.source_identity.as_str()),
        ("g-biacsaeabiac.ren=C3=A9", "ren=C3=A9")
    );
    assert_eq!(
        vended.tags,
        [
            ("doorward-grant".to_owned(), "g-biacsaeabiac".to_owned()),
            ("doorward-target".to_owned(), "orders-db".to_owned()),
        ]
    );
    let until = json!({"aws:CurrentTime": ["2026-11-22T10:30:00Z"]});
    let own = json!([
        "arn:aws:ssm:eu-west-1:123456789012:session/g-biacsaeabiac.ren=C3=A9-*",
        "arn:aws:ssm:eu-west-1:123456789012:session/${aws:userid}-*",
    ]);
    let expected = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Start",
                "Effect": "Allow",
                "Action": ["ssm:StartSession"],
                "Resource": [
                    "arn:aws:ec2:eu-west-1:123456789012:instance/i-0a1b2c3d4e5f60718",
                    "arn:aws:ssm:eu-west-1:123456789012:document/doorward-orders-db",
                ],
                "Condition": {
                    "BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"},
                    "DateLessThan": until,
                },
            },
            {
                "Sid": "Join",
                "Effect": "Allow",
                "Action": ["ssm:ResumeSession", "ssmmessages:OpenDataChannel"],
                "Resource": own,
                "Condition": {"DateLessThan": until},
            },
            // To close never waits, and does not end with the grant.
            {"Sid": "End", "Effect": "Allow", "Action": ["ssm:TerminateSession"], "Resource": own},
        ],
    });
    assert_eq!(vended.policy.parse::<Value>().ok(), Some(expected));
}

#[test]
fn credentials_last_as_long_as_aws_takes_and_the_policy_no_longer_than_the_grant() {
    let check = |minutes, until: &str| {
        let vended = vended(&vending(), "jon", "orders-db", minutes).expect("credentials");
        assert_eq!(vended.seconds, 900, "what is revoked and cannot be denied is good for no longer");
        assert!(vended.policy.contains(&format!("[\"{until}\"]")), "{}", vended.policy);
    };
    check(1, "2026-11-22T10:01:00Z");
    check(60, "2026-11-22T11:00:00Z");
    check(480, "2026-11-22T18:00:00Z");
}

#[test]
fn ssh_is_vended_a_key_for_one_user_of_one_machine() {
    let by = |ssh: &str| {
        let text = format!(
            "{SSM}documents = \"pinned\"\nrole = \"{ROLE}\"\n[ssh]\nshared = true\njump-host = \"tag:Name=jump\"\n{ssh}"
        );
        let vended = vended(&policy(&text), "jon", "inside", 30).expect("credentials");
        let read: Value = vended.policy.parse().expect("JSON");
        let all = read["Statement"].as_array().expect("statements").clone();
        let sids: Vec<String> =
            all.iter().map(|it| it["Sid"].as_str().unwrap_or_default().to_owned()).collect();
        (all, sids)
    };
    let (all, sids) = by("");
    assert_eq!(sids, ["Start", "Join", "PushAKey", "End"]);
    assert!(all[0].to_string().contains(":document/AWS-StartSSHSession"));
    assert_eq!(all[2]["Condition"]["StringEquals"]["ec2:osuser"], json!(["ec2-user"]));
    let (all, sids) = by("over = \"endpoint\"\nendpoint = \"eice-0a1b2c3d\"\n");
    assert_eq!(sids, ["TunnelToSshd", "PushAKey"]);
    assert_eq!(
        all[0]["Condition"]["IpAddress"]["ec2-instance-connect:privateIpAddress"],
        json!(["10.0.1.7/32"])
    );
    for statement in all {
        assert!(statement["Condition"]["DateLessThan"].is_object(), "{statement}");
    }
}

#[test]
fn nothing_is_vended_for_anything_else() {
    let plain = policy(&format!("{SSM}{SSH}"));
    assert_eq!(vended(&plain, "jon", "orders-db", 30), Err(NotVended::NoRole));
    let vending = vending();
    let grant = granted(&vending, "jon", "orders-db", 30);
    let live = grant.live(now()).expect("live");
    let machine = Machine { instance: "i-0a", address: None, account: None };
    let other = &vending.targets[&"jump".parse().expect("a name")];
    let refused = vend(&vending, other, live, machine, None);
    assert_eq!(refused, Err(NotVended::OtherTarget("jump".parse().expect("a name"))));
    assert_eq!(
        NotVended::NotCarried(Transport::Direct).to_string(),
        "the transport `direct` needs no AWS credentials"
    );
    let users = (0..60).map(|number| format!("a-rather-long-user-{number}")).collect();
    let many = SignIn { resource: "db-ABC".into(), users };
    let target = &vending.targets[grant.target()];
    let refused = vend(&vending, target, live, machine, Some(&many));
    assert!(
        matches!(refused, Err(NotVended::TooLong(length)) if length > LONGEST_SESSION_POLICY),
        "{refused:?}"
    );
}

#[test]
fn the_longest_names_fit_a_session_policy() {
    let name = "t".repeat(63);
    let text = format!(
        "{PEOPLE}{SSM}documents = \"pinned\"\nrole = \"{ROLE}\"\n{SSH}[target.{name}]\naddress = \"a\"\nports = [\"tcp/1\"]\ngroups = [\"dbs\"]\ntransports = [\"ssm\", \"ssh\"]\n"
    );
    let policy = crate::policy::parse(&text, "p").expect("a policy");
    let vended = vended(&policy, &"é".repeat(31), &name, 30).expect("credentials");
    assert!(vended.policy.len() <= LONGEST_SESSION_POLICY, "{}", vended.policy.len());
    assert!(vended.session_name.len() <= 64 && vended.source_identity.len() <= 64);
}
