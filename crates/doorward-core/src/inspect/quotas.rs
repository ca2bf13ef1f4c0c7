//! Quotas of Amazon VPC that are reached, or nearly so.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, some};
use super::{Finding, Remedy, Rule, Severity, Subject};
use crate::inventory::{
    AccountRegion, Call, Direction, Interface, Inventory, RULES_PER_GROUP, SecurityGroupId,
};
use crate::net::{Cidr, Family};

/// A quota: what holds unless more was asked for, and the most that may be asked for.
///
/// Source: VPC user guide, Amazon VPC quotas.
#[derive(Debug, Clone, Copy)]
struct Quota {
    what: &'static str,
    default: u32,
    most: Option<u32>,
}

const GROUPS_PER_INTERFACE: u32 = 5;
/// The product of the quotas of rules per group and groups per interface.
const RULES_PER_INTERFACE: u32 = 1_000;
const ROUTES: Quota = Quota { what: "routes of a table", default: 50, most: Some(1_000) };
const ENTRIES: Quota = Quota { what: "entries of a network ACL", default: 20, most: Some(40) };
const GROUPS: Quota = Quota { what: "security groups of a Region", default: 2_500, most: None };
const INTERFACES: Quota = Quota { what: "interfaces of a Region", default: 5_000, most: None };

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = rules(facts);
    findings.extend(carried(facts));
    findings.extend(routes(facts));
    findings.extend(entries(facts));
    findings.extend(regions(facts));
    findings
}

/// How near a number is to a quota: a severity, and which bound it is near to.
fn near(number: u32, quota: Quota) -> Option<(Severity, String)> {
    let ninety = |bound: u32| u64::from(number) * 10 >= u64::from(bound) * 9;
    if let Some(most) = quota.most.filter(|most| ninety(*most)) {
        let severity = if number >= most { Severity::Medium } else { Severity::Low };
        return Some((severity, format!("{most}, the most that may be asked for")));
    }
    // Beyond the default the quota was raised, and to what could not be seen.
    let raised = number > quota.default;
    match quota.most {
        Some(_) if raised => None,
        _ if raised => {
            let bound = format!("the default of {}; the quota that holds here was not seen", quota.default);
            Some((Severity::Note, bound))
        }
        _ if number == quota.default => {
            Some((Severity::Medium, format!("the default of {}, which can be raised", quota.default)))
        }
        _ if ninety(quota.default) => {
            Some((Severity::Low, format!("the default of {}, which can be raised", quota.default)))
        }
        _ => None,
    }
}

fn finding(
    severity: Severity,
    resource: Subject,
    of: String,
    about: String,
    evidence: Vec<String>,
    fix: &str,
) -> Finding {
    Finding {
        rule: Rule::Quota,
        severity,
        resource,
        of: Some(of),
        about,
        evidence,
        fix: fix.to_owned(),
        remedy: Remedy::default(),
        gaps: Vec::new(),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "inbound",
        Direction::Out => "outbound",
    }
}

/// Rules of each group, by direction and family, counted as AWS counts them.
fn rules(facts: &Facts<'_>) -> Vec<Finding> {
    let inventory = facts.inventory;
    let mut findings = Vec::new();
    for group in inventory.groups.values() {
        for direction in [Direction::In, Direction::Out] {
            let weigh = |family| (family, group.weight(direction, family, &inventory.prefix_list_weights));
            let (family, weight) = [Family::V4, Family::V6]
                .map(weigh)
                .into_iter()
                .fold((Family::V4, 0), |worst, one| if one.1 > worst.1 { one } else { worst });
            let known = inventory.rules_per_group.get(&group.account_region).copied();
            let quota = Quota { what: "rules", default: RULES_PER_GROUP, most: known };
            let Some((severity, bound)) = near_rules(weight, quota) else { continue };
            let word = word(direction);
            let own = group.rules.keys().filter(|rule| rule.direction == direction).count();
            let mut evidence = vec![format!("it has {own} {word} rules")];
            if count(own) != weight {
                evidence.push(format!(
                    "they count {weight} on {family}: a reference counts for both families, a prefix list as \
                     many as it may hold"
                ));
            }
            findings.push(finding(
                severity,
                facts.group(group),
                format!("{word} {}", quota.what),
                format!("{} has {weight} of {bound} {word} rules on {family}", facts.group_text(&group.id)),
                evidence,
                "join adjacent prefixes, refer to a group instead of its addresses, or ask for a greater \
                 quota (L-0EA8095F)",
            ));
        }
    }
    findings
}

/// Rules have a quota of their own that may have been seen: then that one holds and no other.
fn near_rules(weight: u32, quota: Quota) -> Option<(Severity, String)> {
    let Some(known) = quota.most else { return near(weight, quota) };
    let ninety = u64::from(weight) * 10 >= u64::from(known) * 9 && weight > 0;
    let severity = if weight >= known { Severity::Medium } else { Severity::Low };
    ninety.then(|| (severity, known.to_string()))
}

/// Groups that an interface carries: each set of groups once.
fn carried(facts: &Facts<'_>) -> Vec<Finding> {
    let mut sets: BTreeMap<&BTreeSet<SecurityGroupId>, Vec<&Interface>> = BTreeMap::new();
    for interface in facts.inventory.interfaces.values() {
        sets.entry(&interface.groups).or_default().push(interface);
    }
    let mut findings = Vec::new();
    for (groups, interfaces) in sets {
        let Some(first) = interfaces.first() else { continue };
        let account_region = facts.account_region(&first.vpc);
        let rules = facts.inventory.quota(&account_region).max(1);
        let most = 16.min(RULES_PER_INTERFACE / rules);
        let quota = Quota {
            what: "groups of an interface",
            default: GROUPS_PER_INTERFACE.min(most),
            most: Some(most),
        };
        let Some((severity, bound)) = near(count(groups.len()), quota) else { continue };
        // Five groups are the default's end, but a step that nobody has to be warned of loudly.
        let severity = if groups.len() < 6 && most > 5 { Severity::Note } else { severity };
        let who = some(interfaces.iter().map(|interface| &interface.id));
        findings.push(finding(
            severity,
            facts.of_vpc("network interface", &first.id, &first.tags, &first.vpc),
            quota.what.to_owned(),
            format!("{who} has {} of {bound} groups attached", groups.len()),
            vec![
                format!("groups: {}", some(groups.iter().map(|group| facts.group_text(group)))),
                format!(
                    "{rules} rules per group allow {most} groups per interface: their product is at most {RULES_PER_INTERFACE}"
                ),
            ],
            "put what these groups admit into one group for the role, or ask for a greater quota (L-2AFB9258)",
        ));
    }
    findings
}

/// Routes that were not propagated, by family.
fn routes(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in facts.inventory.route_tables.values() {
        for family in [Family::V4, Family::V6] {
            let number = table
                .routes
                .iter()
                .filter(|route| !route.propagated && of_family(facts.inventory, &route.destination, family))
                .count();
            let Some((severity, bound)) = near(count(number), ROUTES) else { continue };
            findings.push(finding(
                severity,
                facts.of_vpc("route table", &table.id, &table.tags, &table.vpc),
                format!("{family} {}", ROUTES.what),
                format!("{} has {number} routes of {family}, of {bound}", table.id),
                vec!["propagated routes count apart and are left out".to_owned()],
                "join prefixes that have the same target, use a prefix list, or ask for a greater quota (L-93826ACB)",
            ));
        }
    }
    findings
}

/// A prefix list counts for the family that its entries are of.
fn of_family(inventory: &Inventory, to: &crate::inventory::Destination, family: Family) -> bool {
    match to {
        crate::inventory::Destination::Cidr(cidr) => cidr.family() == family,
        crate::inventory::Destination::PrefixList(list) => {
            let entries = inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref());
            entries.is_some_and(|entries| entries.iter().any(|cidr| cidr.family() == family))
        }
    }
}

/// Entries of network ACLs, by direction and family, with the deny that stands at the end of each.
fn entries(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for acl in facts.inventory.network_acls.values() {
        for direction in [Direction::In, Direction::Out] {
            for family in [Family::V4, Family::V6] {
                let own = |cidr: Cidr, number: u32| cidr.family() == family && number < 32_767;
                let entries = acl.entries.iter().filter(|entry| entry.direction == direction);
                let number = entries.filter(|entry| own(entry.cidr, entry.number)).count();
                let Some((severity, bound)) = near(count(number + 1), ENTRIES) else { continue };
                let word = word(direction);
                findings.push(finding(
                    severity,
                    facts.of_vpc("network ACL", &acl.id, &acl.tags, &acl.vpc),
                    format!("{word} {family} {}", ENTRIES.what),
                    format!("{} has {} {word} entries of {family}, of {bound}", acl.id, number + 1),
                    vec![format!("{number} entries and the deny at the end, which counts as well")],
                    "unite entries, leave to security groups what they can do, or ask for a greater quota (L-2AEEBF1A)",
                ));
            }
        }
    }
    findings
}

/// Groups and interfaces of each Region.
fn regions(facts: &Facts<'_>) -> Vec<Finding> {
    let mut groups: BTreeMap<AccountRegion, usize> = BTreeMap::new();
    for group in facts.inventory.groups.values() {
        *groups.entry(group.account_region.clone()).or_default() += 1;
    }
    let mut interfaces: BTreeMap<AccountRegion, usize> = BTreeMap::new();
    for interface in facts.inventory.interfaces.values() {
        *interfaces.entry(facts.account_region(&interface.vpc)).or_default() += 1;
    }
    let mut findings = Vec::new();
    for (counts, quota, call, fix) in [
        (
            groups,
            GROUPS,
            Call::SecurityGroups,
            "delete groups that nothing uses, or ask for a greater quota (L-E79EC296)",
        ),
        (
            interfaces,
            INTERFACES,
            Call::Interfaces,
            "delete interfaces that are not in use, or ask for a greater quota (L-DF5E4CA3)",
        ),
    ] {
        for (account_region, number) in counts {
            let Some((severity, bound)) = near(count(number), quota) else { continue };
            let resource = Subject {
                id: account_region.to_string(),
                kind: "Region",
                name: None,
                account_region: account_region.clone(),
            };
            let about = format!("{account_region} has {number} {}, of {bound}", quota.what);
            let mut found = finding(severity, resource, quota.what.to_owned(), about, Vec::new(), fix);
            found.gaps = facts.gaps(&[call], &account_region);
            findings.push(found);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, account_region, check, found, id};
    use super::*;
    use crate::inventory::RouteTarget;

    const RULE: Rule = Rule::Quota;

    fn with_rules(number: u32) -> Account {
        let rules: Vec<String> = (0..number).map(|at| format!("in tcp/{} 10.0.0.0/8", at + 1)).collect();
        Account::new().group("sg-x", "vpc-a", &rules.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn rules_of_a_group() {
        check(&with_rules(53), RULE, &[]);
        check(&with_rules(54), RULE, &[(Severity::Low, "sg-x")]);
        check(&with_rules(60), RULE, &[(Severity::Medium, "sg-x")]);
        check(&with_rules(61), RULE, &[(Severity::Note, "sg-x")]);
        let raised = |number: u32, quota: u32| {
            with_rules(number).change(|it| it.rules_per_group.extend([(account_region(), quota)]))
        };
        check(&raised(60, 100), RULE, &[]);
        check(&raised(90, 100), RULE, &[(Severity::Low, "sg-x")]);
    }

    #[test]
    fn a_prefix_list_counts_what_it_may_hold() {
        let account = Account::new()
            .group("sg-x", "vpc-a", &["in tcp/443 pl-a", "in tcp/22 sg-x"])
            .change(|it| it.prefix_list_weights.extend([(id("pl-a"), 55)]));
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(
            finding.about,
            "sg-x (x) has 56 of the default of 60, which can be raised inbound rules on IPv4"
        );
    }

    #[test]
    fn groups_of_an_interface() {
        let carrying = |number: usize| {
            let groups: Vec<String> = (0..number).map(|at| format!("sg-{at}")).collect();
            Account::new().interface(
                "eni-a",
                "subnet-a",
                &groups.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        };
        check(&carrying(4), RULE, &[]);
        check(&carrying(5), RULE, &[(Severity::Note, "eni-a")]);
        check(&carrying(6), RULE, &[]);
        check(&carrying(15), RULE, &[(Severity::Low, "eni-a")]);
        check(&carrying(16), RULE, &[(Severity::Medium, "eni-a")]);
        let dense = carrying(9).change(|it| it.rules_per_group.extend([(account_region(), 100)]));
        check(&dense, RULE, &[(Severity::Low, "eni-a")]);
    }

    #[test]
    fn routes_of_a_table_and_entries_of_an_acl() {
        let routes = |number: usize| {
            let cidrs: Vec<String> = (0..number).map(|at| format!("10.{}.0.0/16", at + 1)).collect();
            let routes: Vec<(&str, RouteTarget)> =
                cidrs.iter().map(|cidr| (cidr.as_str(), RouteTarget::Local)).collect();
            Account::new().table("rtb-x", "vpc-a", &["subnet-a"], &routes)
        };
        check(&routes(44), RULE, &[]);
        check(&routes(45), RULE, &[(Severity::Low, "rtb-x")]);
        let entries = |number: u32| {
            let entries: Vec<String> =
                (1..=number).map(|at| format!("in {at} tcp/{at} 10.0.0.0/8 allow")).collect();
            let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
            Account::new().acl("acl-x", "vpc-a", &[], &entries)
        };
        check(&entries(16), RULE, &[]);
        check(&entries(17), RULE, &[(Severity::Low, "acl-x")]);
        check(&entries(19), RULE, &[(Severity::Medium, "acl-x")]);
        check(&entries(20), RULE, &[]);
        check(&entries(35), RULE, &[(Severity::Low, "acl-x")]);
    }

    #[test]
    fn groups_of_a_region() {
        let groups = |number: usize| {
            (0..number).fold(Account::new(), |account, at| {
                account.named(&format!("sg-{at}"), "default", "vpc-a", &[])
            })
        };
        check(&groups(2249), RULE, &[]);
        check(&groups(2250), RULE, &[(Severity::Low, "eu-west-1")]);
    }
}
