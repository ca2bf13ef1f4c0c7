//! The least IAM policy with which Doorward can do what a policy asks of AWS.
//!
//! What each action takes is from the Service Authorization Reference, "Amazon EC2": the describe calls know no
//! resources; authorising and revoking takes the group, modifying takes the group and the rule, tagging the rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::firewall::Mark;
use crate::inventory::{AccountId, Call, Partition, Place, SecurityGroupId};
use crate::policy::{Enforcement, Policy};

/// How many characters a managed policy may have, white space not counted (IAM user guide, quotas).
pub const LONGEST: usize = 6144;

/// The documents to attach to whom a profile is, and what had to be left open in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iam {
    /// One, unless the groups are so many that IAM wants several; none where no security group is named.
    pub documents: Vec<Document>,
    /// What stands as `*` because it is not known.
    pub unknown: Vec<Unknown>,
}

/// An IAM policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: String,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

/// Something that a place does not say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// The account behind a profile.
    Account(Option<String>),
    /// The Region of a profile.
    Region(Option<String>),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, profile) = match self {
            Self::Account(profile) => ("account", profile),
            Self::Region(profile) => ("Region", profile),
        };
        match profile {
            Some(profile) => write!(f, "the {what} of profile `{profile}` is not known: `*` stands for it"),
            None => write!(f, "the {what} is not known: `*` stands for it"),
        }
    }
}

/// The profiles through which a policy reaches security groups; none is the default chain of credentials.
pub fn profiles(policy: &Policy) -> BTreeSet<Option<String>> {
    places(policy).into_keys().map(|place| place.profile).collect()
}

/// Whether Doorward is to look at security groups only, or at all that an inventory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// What opening and closing needs.
    Groups,
    /// What `inventory` and `reach` need as well.
    Everything,
}

/// What a policy needs: of one profile, or of all, each with statements of its own.
///
/// To see everything is needed also where a policy names no security group: then of the default credentials.
pub fn iam(
    policy: &Policy,
    only: Option<&Option<String>>,
    accounts: &BTreeMap<Option<String>, AccountId>,
    sees: Sees,
) -> Iam {
    let mut profiles: BTreeMap<Option<String>, Vec<(Place, BTreeSet<SecurityGroupId>)>> = BTreeMap::new();
    let mut places = places(policy);
    if places.is_empty() && sees == Sees::Everything {
        let account = accounts.get(&None);
        let mut pages = Pages::default();
        survey("", &BTreeSet::from([None]), account).into_iter().for_each(|statement| pages.add(statement));
        let mut unknown = vec![Unknown::Region(None)];
        unknown.extend(account.is_none().then_some(Unknown::Account(None)));
        unknown.sort();
        return Iam { documents: pages.documents, unknown };
    }
    while let Some((place, groups)) = places.pop_first() {
        if only.is_none_or(|only| *only == place.profile) {
            profiles.entry(place.profile.clone()).or_default().push((place, groups));
        }
    }
    let mut unknown = BTreeSet::new();
    let mut pages = Pages::default();
    let several = profiles.len() > 1;
    for (number, (profile, places)) in (1..).zip(profiles) {
        let suffix = if several { suffix(number, profile.as_deref()) } else { String::new() };
        let account = accounts.get(&profile);
        if account.is_none() {
            unknown.insert(Unknown::Account(profile.clone()));
        }
        if places.iter().any(|(place, _)| place.region.is_none()) {
            unknown.insert(Unknown::Region(profile.clone()));
        }
        let regions: BTreeSet<Option<&str>> =
            places.iter().map(|(place, _)| place.region.as_deref()).collect();
        let rules: Vec<String> =
            regions.iter().map(|region| arn("ec2", *region, account, "security-group-rule/*")).collect();
        pages.add(see(&suffix, &regions));
        if sees == Sees::Everything {
            survey(&suffix, &regions, account).into_iter().for_each(|statement| pages.add(statement));
        }
        pages.add(mark(&suffix, &rules));
        let groups = places.iter().flat_map(|(place, groups)| {
            groups
                .iter()
                .map(|group| arn("ec2", place.region.as_deref(), account, &format!("security-group/{group}")))
        });
        pages.add_each(&change(&suffix, &rules), groups);
    }
    Iam { documents: pages.documents, unknown: unknown.into_iter().collect() }
}

fn places(policy: &Policy) -> BTreeMap<Place, BTreeSet<SecurityGroupId>> {
    let mut places: BTreeMap<Place, BTreeSet<SecurityGroupId>> = BTreeMap::new();
    for firewall in policy.firewalls.values() {
        if let Enforcement::SecurityGroup { group, at, .. } = &firewall.kind {
            places.entry(at.clone()).or_default().insert(group.clone());
        }
    }
    places
}

/// A Sid has letters and digits only, and is there once in a document.
fn suffix(number: usize, profile: Option<&str>) -> String {
    let name: String = profile.unwrap_or("default").chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{number}{name}")
}

fn arn(service: &str, region: Option<&str>, account: Option<&AccountId>, resource: &str) -> String {
    let partition = Partition::of(region.unwrap_or_default()).arn();
    let region = region.unwrap_or("*");
    let account = account.map_or("*", AccountId::as_str);
    format!("arn:{partition}:{service}:{region}:{account}:{resource}")
}

/// Every call of an inventory: those that know no resources, and those that do and are asked for all there are.
fn survey(suffix: &str, regions: &BTreeSet<Option<&str>>, account: Option<&AccountId>) -> [Statement; 2] {
    // Services and tasks of ECS are listed before they are described.
    let mut actions = BTreeSet::from(["ecs:ListServices", "ecs:ListTasks", "servicequotas:GetServiceQuota"]);
    actions.extend(Call::ALL.iter().map(|call| call.permission()));
    let (known, all): (Vec<_>, Vec<_>) =
        actions.into_iter().partition(|action| resources_of(action).is_some());
    let mut resources = BTreeSet::new();
    for (service, resource) in known.iter().filter_map(|action| resources_of(action)) {
        // A prefix list of AWS's own is in no account of ours.
        let account = account.filter(|_| resource != "prefix-list/*");
        resources.extend(regions.iter().map(|region| arn(service, *region, account, resource)));
    }
    let statement = |sid: &str, action, resource, condition| Statement {
        sid: format!("{sid}{suffix}"),
        effect: "Allow",
        action,
        resource,
        condition,
    };
    [
        statement("SeeTheAccount", all, vec!["*".to_owned()], within(regions)),
        statement("SeeWhatIsThere", known, resources.into_iter().collect(), BTreeMap::new()),
    ]
}

/// The service and the resources of a call that is allowed by resource.
fn resources_of(action: &str) -> Option<(&'static str, &'static str)> {
    match action {
        "ec2:GetManagedPrefixListEntries" => Some(("ec2", "prefix-list/*")),
        "ec2:SearchTransitGatewayRoutes" => Some(("ec2", "transit-gateway-route-table/*")),
        "ecs:DescribeServices" => Some(("ecs", "service/*")),
        "ecs:DescribeTasks" => Some(("ecs", "task/*")),
        "ecs:ListTasks" => Some(("ecs", "container-instance/*")),
        "elasticache:DescribeCacheClusters" => Some(("elasticache", "cluster:*")),
        "elasticache:DescribeCacheSubnetGroups" => Some(("elasticache", "subnetgroup:*")),
        "rds:DescribeDBClusters" => Some(("rds", "cluster:*")),
        "rds:DescribeDBInstances" => Some(("rds", "db:*")),
        "rds:DescribeDBProxies" => Some(("rds", "db-proxy:*")),
        // It asks for the proxy and for its targets.
        "rds:DescribeDBProxyTargets" => Some(("rds", "*")),
        "rds:DescribeDBSubnetGroups" => Some(("rds", "subgrp:*")),
        _ => None,
    }
}

/// Where one Region is not known, a condition would shut it out.
fn within(regions: &BTreeSet<Option<&str>>) -> BTreeMap<&'static str, BTreeMap<String, Vec<String>>> {
    let regions: Option<Vec<String>> = regions.iter().map(|region| region.map(str::to_owned)).collect();
    regions
        .map(|regions| ("StringEquals", BTreeMap::from([("aws:RequestedRegion".to_owned(), regions)])))
        .into_iter()
        .collect()
}

fn see(suffix: &str, regions: &BTreeSet<Option<&str>>) -> Statement {
    Statement {
        sid: format!("SeeGroupsAndRules{suffix}"),
        effect: "Allow",
        action: vec![
            "ec2:DescribeManagedPrefixLists",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "servicequotas:GetServiceQuota",
        ],
        resource: vec!["*".to_owned()],
        condition: within(regions),
    }
}

/// No condition on the rule's tag: a rule that lost its tag by hand must still be closed.
fn change(suffix: &str, rules: &[String]) -> Statement {
    Statement {
        sid: format!("ChangeTheseGroups{suffix}"),
        effect: "Allow",
        action: vec![
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:ModifySecurityGroupRules",
            "ec2:RevokeSecurityGroupIngress",
        ],
        resource: rules.to_vec(),
        condition: BTreeMap::new(),
    }
}

/// One tag and no other, on rules and on nothing else: when they are made, and again when they lost it, which
/// is why `ec2:CreateAction` is no condition.
fn mark(suffix: &str, rules: &[String]) -> Statement {
    let tag = Mark::TAG.to_owned();
    let bears = BTreeMap::from([(format!("aws:RequestTag/{tag}"), vec!["*".to_owned()])]);
    let alone = BTreeMap::from([("aws:TagKeys".to_owned(), vec![tag])]);
    Statement {
        sid: format!("MarkRules{suffix}"),
        effect: "Allow",
        action: vec!["ec2:CreateTags"],
        resource: rules.to_vec(),
        condition: BTreeMap::from([("ForAllValues:StringEquals", alone), ("StringLike", bears)]),
    }
}

/// Documents that are filled one after the other.
#[derive(Default)]
struct Pages {
    documents: Vec<Document>,
}

impl Pages {
    fn add(&mut self, statement: Statement) {
        if let Some(last) = self.documents.last_mut() {
            last.statement.push(statement.clone());
            if last.size() <= LONGEST {
                return;
            }
            last.statement.pop();
        }
        self.documents.push(Document::of(statement));
    }

    /// Adds a statement for these resources: once, or as often as it takes for each to fit a page.
    fn add_each(&mut self, empty: &Statement, resources: impl Iterator<Item = String>) {
        let mut filled = empty.clone();
        for resource in resources {
            let mut more = filled.clone();
            more.resource.push(resource.clone());
            if Document::of(more.clone()).size() > LONGEST {
                self.add(filled);
                more = empty.clone();
                more.resource.push(resource);
            }
            filled = more;
        }
        if filled.resource.len() > empty.resource.len() {
            self.add(filled);
        }
    }
}

impl Document {
    fn of(statement: Statement) -> Self {
        Self { version: "2012-10-17", statement: vec![statement] }
    }

    /// Its characters, as IAM counts them.
    pub fn size(&self) -> usize {
        // Serialising strings and maps of strings cannot fail; if it did, the document would be too long.
        serde_json::to_string(self).map_or(usize::MAX, |json| json.len())
    }
}

#[cfg(test)]
mod tests {
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
            ("sg-0a".into(), "profile = \"prod\"\nregion = \"eu-west-1\""),
            ("sg-0b".into(), "profile = \"stage-2\"\nregion = \"cn-north-1\""),
            ("sg-0c".into(), ""),
        ]);
        let accounts = BTreeMap::from([(Some("prod".to_owned()), account())]);
        let all = iam(&policy, None, &accounts, Sees::Groups);
        let text = json(&all.documents[0]).to_string();
        for expected in [
            "\"ChangeTheseGroups1default\"",
            "\"ChangeTheseGroups2prod\"",
            "\"ChangeTheseGroups3stage2\"",
            "arn:aws:ec2:*:*:security-group/sg-0c",
            "arn:aws-cn:ec2:cn-north-1:*:security-group/sg-0b",
            "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0a",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert_eq!(
            all.unknown.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "the account is not known: `*` stands for it",
                "the account of profile `stage-2` is not known: `*` stands for it",
                "the Region is not known: `*` stands for it",
            ]
        );
        let prod = iam(&policy, Some(&Some("prod".to_owned())), &accounts, Sees::Groups);
        assert!(!json(&prod.documents[0]).to_string().contains("sg-0b"));
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
        let policy = policy([("sg-0a".into(), "region = \"eu-west-1\"")]);
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
        assert_eq!(
            survey["Condition"]["StringEquals"]["aws:RequestedRegion"],
            serde_json::json!(["eu-west-1"])
        );
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
            assert!(
                ["Describe", "Get", "List", "Search"].iter().any(|verb| name.starts_with(verb)),
                "{action}"
            );
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
}
