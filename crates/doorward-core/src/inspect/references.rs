//! Rules that refer to a group which is gone, or which nothing leads to.

use std::collections::BTreeMap;

use super::facts::{Facts, Reference};
use super::{Finding, Remedy, Rule, Severity};
use crate::inventory::{Gap, Peer, RuleIdentity, SecurityGroup, SecurityGroupId};

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    facts.inventory.groups.values().flat_map(|group| of_group(facts, group)).collect()
}

/// Why rules match nothing, and which.
#[derive(Default)]
struct Broken<'g> {
    rules: Vec<&'g RuleIdentity>,
    why: Vec<String>,
    gaps: Vec<Gap>,
    certain: bool,
}

fn of_group(facts: &Facts<'_>, group: &SecurityGroup) -> Vec<Finding> {
    let mut broken: BTreeMap<&SecurityGroupId, Broken<'_>> = BTreeMap::new();
    for rule in group.rules.keys() {
        let Peer::Group(peer) = &rule.peer else { continue };
        let (why, gaps, certain) = match facts.reference(group, peer, rule.direction) {
            Reference::Holds => continue,
            Reference::Stale(why) => (why, Vec::new(), true),
            Reference::Unknown(why, gaps) => (why, gaps, false),
        };
        let broken = broken.entry(peer).or_default();
        broken.rules.push(rule);
        broken.gaps.extend(gaps);
        broken.certain |= certain;
        if !broken.why.contains(&why) {
            broken.why.push(why);
        }
    }
    broken.into_iter().map(|(peer, broken)| finding(facts, group, peer, broken)).collect()
}

fn finding(facts: &Facts<'_>, group: &SecurityGroup, peer: &SecurityGroupId, broken: Broken<'_>) -> Finding {
    let count = broken.rules.len();
    let rules = if count == 1 { "a rule".to_owned() } else { format!("{count} rules") };
    let own = facts.group_text(&group.id);
    let mut evidence: Vec<String> = broken.rules.iter().map(|rule| format!("rule: {rule}")).collect();
    evidence.extend(broken.why);
    Finding {
        rule: Rule::StaleReference,
        severity: if broken.certain { Severity::Low } else { Severity::Note },
        resource: facts.group(group),
        of: Some(peer.to_string()),
        about: if broken.certain {
            format!("{rules} of {own} refer{} to {peer} and match{} nothing", s(count), es(count))
        } else {
            format!(
                "whether {rules} of {own} that refer{} to {peer} match{} anything is not known",
                s(count),
                es(count)
            )
        },
        evidence,
        fix: if broken.certain {
            "remove the rules that reference it".to_owned()
        } else {
            format!("check whether {peer} still exists; if not, remove the rules that reference it")
        },
        remedy: if broken.certain {
            Remedy::removing(facts, group, broken.rules.iter().copied())
        } else {
            Remedy::default()
        },
        gaps: broken.gaps,
    }
}

fn s(count: usize) -> &'static str {
    if count == 1 { "s" } else { "" }
}

fn es(count: usize) -> &'static str {
    if count == 1 { "es" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found, id};
    use super::*;
    use crate::inventory::{Call, GroupReference};

    const RULE: Rule = Rule::StaleReference;

    #[test]
    fn a_group_that_was_deleted() {
        let account = Account::new()
            .group("sg-db", "vpc-a", &["in tcp/5432 sg-gone", "in tcp/5433 sg-gone", "in tcp/5432 sg-app"])
            .group("sg-app", "vpc-a", &["in all sg-app"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Low);
        assert_eq!(finding.about, "2 rules of sg-db (db) refer to sg-gone and match nothing");
        assert_eq!(
            finding.remedy.commands,
            [
                "aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-db --ip-permissions 'IpProtocol=tcp,FromPort=5432,ToPort=5432,UserIdGroupPairs=[{GroupId=sg-gone}]'",
                "aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-db --ip-permissions 'IpProtocol=tcp,FromPort=5433,ToPort=5433,UserIdGroupPairs=[{GroupId=sg-gone}]'"
            ]
        );
    }

    #[test]
    fn groups_that_could_not_be_seen_are_not_called_gone() {
        let account =
            Account::new().group("sg-db", "vpc-a", &["in tcp/5432 sg-gone"]).gap(Call::SecurityGroups);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Note);
        assert_eq!(finding.gaps.len(), 1);
        assert!(finding.remedy.commands.is_empty());
    }

    #[test]
    fn a_peering_carries_a_reference_while_it_is_active() {
        let two =
            || Account::new().group("sg-db", "vpc-a", &["in tcp/5432 sg-far"]).group("sg-far", "vpc-b", &[]);
        check(&two(), RULE, &[(Severity::Low, "sg-db")]);
        check(&two().peering("pcx-a", "vpc-a", "vpc-b", "active"), RULE, &[]);
        let deleted = two().peering("pcx-a", "vpc-a", "vpc-b", "deleted");
        let [finding] = found(&deleted, RULE).try_into().expect("one finding");
        assert_eq!(finding.evidence[1], "sg-far is in vpc-b, and pcx-a that led there is `deleted`");
        let abroad = two().peering_between("pcx-a", ("vpc-a", "eu-west-1"), ("vpc-b", "us-east-1"));
        check(&abroad, RULE, &[(Severity::Low, "sg-db")]);
        check(&two().gap(Call::Peerings), RULE, &[(Severity::Note, "sg-db")]);
    }

    #[test]
    fn what_aws_tells_of_a_reference_decides() {
        let told = |owner: Option<&str>, state: Option<&str>| {
            let reference = GroupReference {
                owner: owner.map(str::to_owned),
                vpc: None,
                peering: Some(id("pcx-z")),
                peering_state: state.map(str::to_owned),
            };
            let account = Account::new().group("sg-db", "vpc-a", &["in tcp/5432 sg-far"]);
            account.change(|it| drop(it.group_references.insert((id("sg-db"), id("sg-far")), reference)))
        };
        check(&told(None, Some("active")), RULE, &[]);
        let deleted = told(Some("210987654321"), Some("deleted"));
        let [finding] = found(&deleted, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Low);
        assert_eq!(finding.evidence[1], "sg-far is referenced over pcx-z, whose state is `deleted`");
        // Of another account nothing is known.
        let foreign = told(Some("210987654321"), None);
        let [finding] = found(&foreign, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Note);
        assert_eq!(
            finding.evidence[1],
            "sg-far belongs to account 210987654321, of which this inventory has nothing"
        );
    }

    #[test]
    fn a_peer_that_was_not_recorded_may_have_the_group() {
        let account = Account::new()
            .group("sg-db", "vpc-a", &["in tcp/5432 sg-far"])
            .peering("pcx-a", "vpc-a", "vpc-z", "active");
        check(&account, RULE, &[(Severity::Note, "sg-db")]);
    }

    #[test]
    fn a_transit_gateway_carries_references_inward_when_it_is_told_to() {
        let two = |rule: &str| Account::new().group("sg-db", "vpc-a", &[rule]).group("sg-far", "vpc-b", &[]);
        let inward = || two("in tcp/5432 sg-far");
        check(&inward().transit("tgw-a", &["vpc-a", "vpc-b"], true), RULE, &[]);
        check(&inward().transit("tgw-a", &["vpc-a", "vpc-b"], false), RULE, &[(Severity::Low, "sg-db")]);
        let outward = two("out tcp/5432 sg-far").transit("tgw-a", &["vpc-a", "vpc-b"], true);
        check(&outward, RULE, &[(Severity::Low, "sg-db")]);
    }
}
