//! Groups that nothing uses, and those of which that cannot be known.

use super::facts::Facts;
use super::{Finding, Remedy, Rule, Severity};
use crate::inventory::{Call, SecurityGroup};
use crate::reach::Change;

/// Calls whose answers could show that a group is used. An idle function's group has no interface, so interfaces
/// alone do not tell.
const SHOWS_USE: &[Call] = &[
    Call::SecurityGroups,
    Call::SecurityGroupRules,
    Call::Interfaces,
    Call::Endpoints,
    Call::ClassicLoadBalancers,
    Call::LoadBalancers,
    Call::Databases,
    Call::DatabaseClusters,
    Call::DatabaseProxies,
    Call::Caches,
    Call::Functions,
    Call::ContainerClusters,
    Call::ContainerServices,
];

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    facts.inventory.groups.values().filter_map(|group| of_group(facts, group)).collect()
}

fn of_group(facts: &Facts<'_>, group: &SecurityGroup) -> Option<Finding> {
    // A VPC's default group cannot be deleted.
    let used = group.name == "default"
        || !facts.carriers(&group.id).is_empty()
        || facts.users(&group.id).next().is_some()
        || facts.referrers(&group.id).next().is_some();
    if used {
        return None;
    }
    let gaps = facts.gaps(SHOWS_USE, &group.account_region);
    let mut doubts: Vec<String> = Vec::new();
    if let Some(id) = facts.inventory.incomplete_groups.iter().next() {
        doubts.push(format!("a rule of {id} could not be read, and may refer to it"));
    }
    let abroad =
        facts.inventory.peerings.values().filter(|peering| peering.state == "active").find(|peering| {
            let other = group.vpc.as_ref().and_then(|vpc| peering.other(vpc));
            other.is_some_and(|side| !facts.inventory.vpcs.contains_key(&side.vpc))
        });
    if let Some(peering) = abroad {
        doubts.push(format!("a group on the other side of {} may refer to it", peering.id));
    }
    let certain = gaps.is_empty() && doubts.is_empty();
    let own = facts.group_text(&group.id);
    let mut evidence = vec![
        format!("none of {} has it attached", counted(facts.inventory.interfaces.len(), "interface")),
        "no other group refers to it".to_owned(),
        "no database, proxy, cache, function, container service, load balancer or endpoint is set to use it"
            .to_owned(),
    ];
    evidence.extend(doubts);
    evidence.push("launch templates and Auto Scaling groups were not read".to_owned());
    Some(Finding {
        rule: Rule::UnusedGroup,
        severity: if certain { Severity::Low } else { Severity::Note },
        resource: facts.group(group),
        of: None,
        about: if certain {
            format!("nothing that was read uses {own}")
        } else {
            format!("whether anything uses {own} is not known")
        },
        evidence,
        fix: if certain {
            "delete it once no launch template names it".to_owned()
        } else {
            "allow the calls that gave no answer, and inspect again".to_owned()
        },
        remedy: if certain {
            Remedy::of(facts, [Change::DeleteGroup { group: group.id.clone() }])
        } else {
            Remedy::default()
        },
        gaps,
    })
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found};
    use super::*;
    use crate::inventory::GapSource;

    const RULE: Rule = Rule::UnusedGroup;

    #[test]
    fn nothing_uses_it() {
        let account = Account::new()
            .group("sg-old", "vpc-a", &["in all sg-old"])
            .group("sg-new", "vpc-a", &[])
            .interface("eni-a", "subnet-a", &["sg-new"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Low);
        assert_eq!(finding.about, "nothing that was read uses sg-old (old)");
        assert_eq!(finding.evidence[0], "none of 1 interface has it attached");
        assert_eq!(
            finding.remedy.commands,
            ["aws ec2 delete-security-group --region eu-west-1 --group-id sg-old"]
        );
    }

    #[test]
    fn an_idle_function_uses_its_group() {
        let account = Account::new().group("sg-fn", "vpc-a", &[]);
        check(&account, RULE, &[(Severity::Low, "sg-fn")]);
        check(&account.function("report", &["sg-fn"]), RULE, &[]);
    }

    #[test]
    fn a_reference_is_a_use() {
        let account = Account::new()
            .group("sg-db", "vpc-a", &["in tcp/5432 sg-dbconnect"])
            .group("sg-dbconnect", "vpc-a", &[])
            .interface("eni-a", "subnet-a", &["sg-db"]);
        check(&account, RULE, &[]);
    }

    #[test]
    fn without_the_answer_that_would_show_it_nobody_knows() {
        let account = Account::new().group("sg-fn", "vpc-a", &[]).gap(Call::Functions);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Note);
        assert_eq!(finding.about, "whether anything uses sg-fn (fn) is not known");
        assert_eq!(finding.gaps[0].source, GapSource::Call(Call::Functions));
        assert!(finding.remedy.commands.is_empty());
    }

    #[test]
    fn the_default_group_is_left_alone() {
        check(&Account::new().named("sg-d", "default", "vpc-a", &["in all sg-d"]), RULE, &[]);
    }
}
