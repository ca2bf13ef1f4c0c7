//! The least IAM policy with which Doorward can do what a policy asks of AWS.
//!
//! What each action takes is from the Service Authorization Reference, "Amazon EC2": the describe calls know no
//! resources; authorising and revoking takes the group, modifying takes the group and the rule, tagging the rule.

mod carried;
mod document;
mod networks;
mod resource;
mod revoked;
mod vended;

#[cfg(test)]
mod carried_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vended_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use self::document::{Conditions, Pages, Statement, Values};
use crate::firewall::Mark;
use crate::inventory::{AccountId, AccountRegion, Call, Partition, SecurityGroupId};
use crate::policy::{Address, Enforcement, Policy, Target, TargetName, Transport};

pub use carried::{Facts, SignIn, Whose, auditor, carried, server, trust};
pub use document::Document;
pub use networks::{NetworkFacts, Task, network_profiles, networks};
pub use revoked::{older, revoked, revoked_name};
pub use vended::{LASTS, LONGEST_SESSION_POLICY, Machine, NotVended, Vended, vend};

/// How many characters a managed policy may have, white space not counted (IAM user guide, quotas).
pub const LONGEST: usize = 6144;

/// The documents to attach to whom credentials are, and what had to be left open in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iam {
    /// One, unless the groups are so many that IAM wants several; none where no security group is named.
    pub documents: Vec<Document>,
    /// What stands as `*` because it is not known.
    pub unknown: Vec<Unknown>,
}

/// Something that an account and Region does not say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// The account behind a profile.
    Account(Option<String>),
    /// The Region of a profile.
    Region(Option<String>),
    /// The jump host's private address, to which an endpoint opens tunnels.
    JumpHostAddress,
    /// Which Instance Connect Endpoint.
    Endpoint,
    /// What IAM calls the database of a target.
    Database(TargetName),
    /// Which installation will own the networks.
    Installation,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, profile) = match self {
            Self::Account(profile) => ("account", profile),
            Self::Region(profile) => ("Region", profile),
            Self::JumpHostAddress => {
                return f.write_str(
                    "the private address of the jump host is unknown: tunnels to every address are allowed",
                );
            }
            Self::Endpoint => {
                return f
                    .write_str("the policy names no `endpoint`: every Instance Connect Endpoint is allowed");
            }
            Self::Installation => {
                return f.write_str(
                    "the installation is unknown before the first `doorward apply`: tags of every installation are allowed; name it with `--installation`",
                );
            }
            Self::Database(target) => {
                return write!(
                    f,
                    "the resource ID of the database of `{target}` is unknown: `--iam` does not work for it"
                );
            }
        };
        match profile {
            Some(profile) => write!(f, "the {what} of profile `{profile}` is unknown: `*` is used instead"),
            None => write!(f, "the {what} is unknown: `*` is used instead"),
        }
    }
}

/// The profiles through which a policy reaches security groups; none is the default chain of credentials.
pub fn profiles(policy: &Policy) -> BTreeSet<Option<String>> {
    account_regions(policy).into_keys().map(|account_region| account_region.profile).collect()
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
    let mut profiles: BTreeMap<Option<String>, Vec<(AccountRegion, BTreeSet<SecurityGroupId>)>> =
        BTreeMap::new();
    let mut account_regions = account_regions(policy);
    if account_regions.is_empty() && sees == Sees::Everything {
        return everything(accounts.get(&None));
    }
    while let Some((account_region, groups)) = account_regions.pop_first() {
        if only.is_none_or(|only| *only == account_region.profile) {
            profiles.entry(account_region.profile.clone()).or_default().push((account_region, groups));
        }
    }
    let mut unknown = BTreeSet::new();
    let mut pages = Pages::default();
    let several = profiles.len() > 1;
    for (number, (profile, account_regions)) in (1..).zip(profiles) {
        let suffix = if several { suffix(number, profile.as_deref()) } else { String::new() };
        let account = accounts.get(&profile);
        if account.is_none() {
            unknown.insert(Unknown::Account(profile.clone()));
        }
        if account_regions.iter().any(|(account_region, _)| account_region.region.is_none()) {
            unknown.insert(Unknown::Region(profile.clone()));
        }
        let regions: BTreeSet<Option<&str>> =
            account_regions.iter().map(|(account_region, _)| account_region.region.as_deref()).collect();
        let rules: Vec<String> =
            regions.iter().map(|region| arn("ec2", *region, account, "security-group-rule/*")).collect();
        pages.add(see(&suffix, &regions));
        if sees == Sees::Everything {
            survey(&suffix, &regions, account).into_iter().for_each(|statement| pages.add(statement));
        }
        pages.add(mark(&suffix, &rules));
        if profile == policy.aws.profile {
            for statement in find_targets(&suffix, policy, account) {
                pages.add(statement);
            }
        }
        let groups = account_regions.iter().flat_map(|(account_region, groups)| {
            groups.iter().map(|group| {
                arn("ec2", account_region.region.as_deref(), account, &format!("security-group/{group}"))
            })
        });
        pages.add_each(&change(&suffix, &rules), groups);
    }
    Iam { documents: pages.documents, unknown: unknown.into_iter().collect() }
}

/// What an inventory needs of the default credentials, whatever the policy.
pub fn everything(account: Option<&AccountId>) -> Iam {
    let mut pages = Pages::default();
    survey("", &BTreeSet::from([None]), account).into_iter().for_each(|statement| pages.add(statement));
    let mut unknown = vec![Unknown::Region(None)];
    unknown.extend(account.is_none().then_some(Unknown::Account(None)));
    unknown.sort();
    Iam { documents: pages.documents, unknown }
}

/// What tells people the host name of what they opened directly.
fn find_targets(suffix: &str, policy: &Policy, account: Option<&AccountId>) -> Vec<Statement> {
    let direct = policy.targets.values().filter(|target| target.transports.contains(&Transport::Direct));
    let targets: Vec<&Target> = direct.collect();
    let (calls, resources) = carried::find(policy, &targets, account);
    let mut statements = Vec::new();
    if !calls.is_empty() {
        let (calls, resources) = (calls.into_iter().collect(), resources.into_iter().collect());
        statements.push(Statement::allow(format!("FindTheTargets{suffix}"), calls, resources));
    }
    if targets.iter().any(|target| matches!(target.address, Address::Instance(_) | Address::Tag(..))) {
        let sid = format!("FindTheInstances{suffix}");
        let find = Statement::allow(sid, vec!["ec2:DescribeInstances"], vec!["*".to_owned()]);
        let regions = BTreeSet::from([policy.aws.region.as_deref()]);
        statements.push(Statement { condition: within(&regions), ..find });
    }
    statements
}

fn account_regions(policy: &Policy) -> BTreeMap<AccountRegion, BTreeSet<SecurityGroupId>> {
    let mut account_regions: BTreeMap<AccountRegion, BTreeSet<SecurityGroupId>> = BTreeMap::new();
    for firewall in policy.firewalls.values() {
        if let Enforcement::SecurityGroup { group, at, .. } = &firewall.kind {
            account_regions.entry(at.clone()).or_default().insert(group.clone());
        }
    }
    account_regions
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
    let mut actions: BTreeMap<&str, Option<&str>> =
        Call::ALL.iter().map(|call| (call.permission(), call.resource())).collect();
    // Services and tasks of ECS are listed before they are described.
    actions.extend([
        ("ecs:ListServices", None),
        ("ecs:ListTasks", Some("container-instance/*")),
        ("servicequotas:GetServiceQuota", None),
    ]);
    let (mut known, mut all) = (Vec::new(), Vec::new());
    let mut resources = BTreeSet::new();
    for (action, resource) in actions {
        let Some(resource) = resource else {
            all.push(action);
            continue;
        };
        known.push(action);
        let service = action.split(':').next().unwrap_or_default();
        // A prefix list of AWS's own is in no account of ours.
        let account = account.filter(|_| resource != "prefix-list/*");
        resources.extend(regions.iter().map(|region| arn(service, *region, account, resource)));
    }
    let statement = |sid: &str, action, resource, condition| Statement {
        condition,
        ..Statement::allow(format!("{sid}{suffix}"), action, resource)
    };
    [
        statement("SeeTheAccount", all, vec!["*".to_owned()], within(regions)),
        statement("SeeWhatIsThere", known, resources.into_iter().collect(), BTreeMap::new()),
    ]
}

/// Where one Region is not known, a condition would shut it out.
fn within(regions: &BTreeSet<Option<&str>>) -> Conditions {
    let regions: Option<Vec<String>> = regions.iter().map(|region| region.map(str::to_owned)).collect();
    regions
        .map(|regions| {
            let regions = Values::OneOf(regions);
            ("StringEquals", BTreeMap::from([("aws:RequestedRegion".to_owned(), regions)]))
        })
        .into_iter()
        .collect()
}

fn see(suffix: &str, regions: &BTreeSet<Option<&str>>) -> Statement {
    let actions = vec![
        "ec2:DescribeManagedPrefixLists",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "servicequotas:GetServiceQuota",
    ];
    let sid = format!("SeeGroupsAndRules{suffix}");
    Statement { condition: within(regions), ..Statement::allow(sid, actions, vec!["*".to_owned()]) }
}

/// No condition on the rule's tag: a rule that lost its tag by hand must still be closed.
fn change(suffix: &str, rules: &[String]) -> Statement {
    let actions = vec![
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:ModifySecurityGroupRules",
        "ec2:RevokeSecurityGroupIngress",
    ];
    Statement::allow(format!("ChangeTheseGroups{suffix}"), actions, rules.to_vec())
}

/// One tag and no other, on rules and on nothing else: when they are made, and again when they lost it, which
/// is why `ec2:CreateAction` is no condition.
fn mark(suffix: &str, rules: &[String]) -> Statement {
    let tag = Mark::TAG;
    Statement::allow(format!("MarkRules{suffix}"), vec!["ec2:CreateTags"], rules.to_vec())
        .when("ForAllValues:StringEquals", "aws:TagKeys", [tag])
        .when("StringLike", &format!("aws:RequestTag/{tag}"), ["*"])
}
