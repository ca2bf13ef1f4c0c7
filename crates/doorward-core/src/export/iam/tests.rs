//! What a policy needs of AWS, tried: exactly its groups, in documents that IAM takes.

use super::*;

/// A policy of so many firewalls: a group, and where it is.
fn policy(groups: impl IntoIterator<Item = (String, &'static str)>) -> Policy {
    let mut text = "[people]\npasswords = \"p\"\ngroups = \"g\"\n".to_owned();
    for (number, (group, at)) in groups.into_iter().enumerate() {
        text.push_str(&format!("[firewall.door-{number}]\nsecurity-group = \"{group}\"\n{at}\n"));
    }
    crate::policy::parse(&text, "doorward.toml").expect("a policy")
}

fn json(document: &Document) -> serde_json::Value {
    serde_json::to_value(document).expect("JSON")
}

fn account() -> AccountId {
    "123456789012".parse().expect("an account")
}

#[test]
fn a_policy_needs_its_groups_and_nothing_else() {
    let policy = policy([("sg-0a1b2c3d4e5f60718".into(), "profile = \"prod\"\nregion = \"eu-west-1\"")]);
    let accounts = BTreeMap::from([(Some("prod".to_owned()), account())]);
    let iam = iam(&policy, None, &accounts, Sees::Groups);
    assert_eq!(iam.unknown, []);
    assert_eq!(iam.documents.len(), 1);
    let expected = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "SeeGroupsAndRules",
                "Effect": "Allow",
                "Action": [
                    "ec2:DescribeManagedPrefixLists",
                    "ec2:DescribeSecurityGroupRules",
                    "ec2:DescribeSecurityGroups",
                    "servicequotas:GetServiceQuota"
                ],
                "Resource": ["*"],
                "Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-west-1"]}}
            },
            {
                "Sid": "MarkRules",
                "Effect": "Allow",
                "Action": ["ec2:CreateTags"],
                "Resource": ["arn:aws:ec2:eu-west-1:123456789012:security-group-rule/*"],
                "Condition": {
                    "ForAllValues:StringEquals": {"aws:TagKeys": ["doorward"]},
                    "StringLike": {"aws:RequestTag/doorward": ["*"]}
                }
            },
            {
                "Sid": "ChangeTheseGroups",
                "Effect": "Allow",
                "Action": [
                    "ec2:AuthorizeSecurityGroupIngress",
                    "ec2:ModifySecurityGroupRules",
                    "ec2:RevokeSecurityGroupIngress"
                ],
                "Resource": [
                    "arn:aws:ec2:eu-west-1:123456789012:security-group-rule/*",
                    "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0a1b2c3d4e5f60718"
                ]
            }
        ]
    });
    assert_eq!(json(&iam.documents[0]), expected);
}

#[test]
fn profiles_have_statements_of_their_own() {
    let policy = policy([
        ("sg-0000000a".into(), "profile = \"prod\"\nregion = \"eu-west-1\""),
        ("sg-0000000b".into(), "profile = \"stage-2\"\nregion = \"cn-north-1\""),
        ("sg-0000000c".into(), ""),
    ]);
    let accounts = BTreeMap::from([(Some("prod".to_owned()), account())]);
    let all = iam(&policy, None, &accounts, Sees::Groups);
    let text = json(&all.documents[0]).to_string();
    for expected in [
        "\"ChangeTheseGroups1default\"",
        "\"ChangeTheseGroups2prod\"",
        "\"ChangeTheseGroups3stage2\"",
        "arn:aws:ec2:*:*:security-group/sg-0000000c",
        "arn:aws-cn:ec2:cn-north-1:*:security-group/sg-0000000b",
        "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0000000a",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert_eq!(
        all.unknown.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "the account is unknown: `*` is used instead",
            "the account of profile `stage-2` is unknown: `*` is used instead",
            "the Region is unknown: `*` is used instead",
        ]
    );
    let prod = iam(&policy, Some(&Some("prod".to_owned())), &accounts, Sees::Groups);
    assert!(!json(&prod.documents[0]).to_string().contains("sg-0000000b"));
    assert_eq!(prod.unknown, []);
    assert_eq!(profiles(&policy).len(), 3);
}

#[test]
fn many_groups_are_several_documents_that_iam_takes() {
    let groups = (0..500).map(|number| (format!("sg-{number:017x}"), "region = \"eu-west-1\""));
    let iam = iam(&policy(groups), None, &BTreeMap::from([(None, account())]), Sees::Groups);
    assert!(iam.documents.len() > 1);
    // Ten managed policies can be attached to a role.
    assert!(iam.documents.len() <= 10, "{}", iam.documents.len());
    let text: String = iam.documents.iter().map(|document| json(document).to_string()).collect();
    for document in &iam.documents {
        assert!(document.size() <= LONGEST, "{}", document.size());
    }
    for number in 0..500 {
        assert_eq!(text.matches(&format!("sg-{number:017x}\"")).count(), 1);
    }
}

#[test]
fn no_groups_need_nothing() {
    let none = iam(&policy([]), None, &BTreeMap::new(), Sees::Groups);
    assert_eq!(none, Iam { documents: vec![], unknown: vec![] });
}

#[test]
fn who_sees_everything_may_change_no_more() {
    let policy = policy([("sg-0000000a".into(), "region = \"eu-west-1\"")]);
    let accounts = BTreeMap::from([(None, account())]);
    let statements = |sees| {
        let iam = iam(&policy, None, &accounts, sees);
        assert_eq!(iam.documents.len(), 1);
        json(&iam.documents[0])["Statement"].as_array().expect("statements").clone()
    };
    let mut more = statements(Sees::Everything);
    more.retain(|statement| !statements(Sees::Groups).contains(statement));
    let [survey, named] = more.as_slice() else { panic!("{more:?}") };
    assert_eq!(survey["Sid"], "SeeTheAccount");
    assert_eq!(survey["Condition"]["StringEquals"]["aws:RequestedRegion"], serde_json::json!(["eu-west-1"]));
    let of = |statement: &serde_json::Value, key: &str| -> Vec<String> {
        let texts = statement[key].as_array().expect("a list").iter();
        texts.filter_map(|text| text.as_str()).map(str::to_owned).collect()
    };
    for resource in of(named, "Resource") {
        assert!(
            resource.contains(":eu-west-1:123456789012:") || resource.ends_with(":*:prefix-list/*"),
            "{resource}"
        );
    }
    let actions = [of(survey, "Action"), of(named, "Action")].concat();
    for call in Call::ALL {
        let name = call.action().trim_end_matches(" (classic)");
        assert!(actions.iter().any(|action| action == name), "{name}");
    }
    for action in actions {
        let (_, name) = action.split_once(':').expect("an action");
        assert!(["Describe", "Get", "List", "Search"].iter().any(|verb| name.starts_with(verb)), "{action}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{action}");
    }
}

#[test]
fn everything_is_seen_also_without_groups() {
    let iam = iam(&policy([]), None, &BTreeMap::new(), Sees::Everything);
    let document = json(&iam.documents[0]);
    assert_eq!(document["Statement"].as_array().expect("statements").len(), 2);
    assert!(document["Statement"][0].get("Condition").is_none());
    assert_eq!(iam.unknown, [Unknown::Account(None), Unknown::Region(None)]);
}
