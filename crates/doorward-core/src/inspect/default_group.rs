//! Default groups that let something through.

use super::facts::{Facts, some};
use super::{Finding, Remedy, Rule, Severity};
use crate::inventory::{Call, SecurityGroup};

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let groups = facts.inventory.groups.values().filter(|group| group.name == "default");
    groups.filter_map(|group| of_group(facts, group)).collect()
}

fn of_group(facts: &Facts<'_>, group: &SecurityGroup) -> Option<Finding> {
    if group.rules.is_empty() {
        return None;
    }
    let carriers = facts.carriers(&group.id);
    let users: Vec<&str> = facts.users(&group.id).collect();
    let gaps = facts.gaps(&[Call::Interfaces], &group.account_region);
    let carried = !carriers.is_empty() || !users.is_empty();
    let mut evidence: Vec<String> = group.rules.keys().map(|rule| format!("rule: {rule}")).collect();
    if !carriers.is_empty() {
        evidence.push(format!("attached to {}", some(carriers.iter().map(|interface| &interface.id))));
    }
    if !users.is_empty() {
        evidence.push(format!("set for {}", some(&users)));
    }
    let vpc = group.vpc.as_ref().map(|vpc| format!(" of {vpc}")).unwrap_or_default();
    Some(Finding {
        rule: Rule::DefaultGroup,
        severity: if carried { Severity::Low } else { Severity::Note },
        resource: facts.group(group),
        of: None,
        about: match (carried, gaps.is_empty()) {
            (true, _) => format!("the default group{vpc} has rules, and is in use"),
            (false, true) => {
                format!(
                    "the default group{vpc} has rules, which count for everything that is created without a group"
                )
            }
            (false, false) => {
                format!("the default group{vpc} has rules, and whether it is in use is not known")
            }
        },
        evidence,
        fix: if carried {
            "attach another group instead, and then remove all rules".to_owned()
        } else {
            "remove all rules".to_owned()
        },
        remedy: if carried || !gaps.is_empty() {
            Remedy::default()
        } else {
            Remedy::removing(facts, group, group.rules.keys())
        },
        gaps,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found};
    use super::*;

    const RULE: Rule = Rule::DefaultGroup;

    #[test]
    fn a_default_group_with_rules() {
        let account =
            || Account::new().named("sg-d", "default", "vpc-a", &["in all sg-d", "out all 0.0.0.0/0"]);
        let [finding] = found(&account(), RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Note);
        assert_eq!(finding.remedy.commands.len(), 2);
        let [finding] =
            found(&account().interface("eni-a", "subnet-a", &["sg-d"]), RULE).try_into().expect("one");
        assert_eq!(finding.severity, Severity::Low);
        assert!(finding.remedy.commands.is_empty(), "what is in use is not cut off by a command to copy");
        check(&account().function("report", &["sg-d"]), RULE, &[(Severity::Low, "sg-d")]);
    }

    #[test]
    fn a_default_group_without_rules_is_as_it_should_be() {
        let account =
            Account::new().named("sg-d", "default", "vpc-a", &[]).interface("eni-a", "subnet-a", &["sg-d"]);
        check(&account, RULE, &[]);
        check(&Account::new().group("sg-d", "vpc-a", &["in all sg-d"]), RULE, &[]);
    }
}
