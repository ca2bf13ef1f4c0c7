//! Groups that admit very many addresses, by the exact union of all that their rules admit.

use super::addresses::Addresses;
use super::facts::{Facts, some};
use super::internet::{in_words, is_meant, web};
use super::split::by_flow;
use super::{Finding, Remedy, Rule, Severity};
use crate::inventory::{Call, Direction, Gap, Peer, RuleIdentity, SecurityGroup};
use crate::net::{Cidr, Family};
use crate::reach::Flows;

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    facts.inventory.groups.values().filter_map(|group| of_group(facts, group)).collect()
}

fn of_group(facts: &Facts<'_>, group: &SecurityGroup) -> Option<Finding> {
    let (rules, gaps) = admitted(facts, group);
    let mut wide = Flows::NONE;
    let mut evidence = Vec::new();
    let mut culprits: Vec<&RuleIdentity> = Vec::new();
    for family in [Family::V4, Family::V6] {
        let own: Vec<(Flows, Vec<Cidr>)> =
            rules.iter().map(|(rule, cidrs)| (rule.flow.into(), cidrs.clone())).collect();
        for (flows, union) in by_flow(family, &own).into_iter().filter(|(_, union)| union.is_wide()) {
            evidence.push(format!("{flows} from {union}"));
            for rule in to_blame(&rules, family, &flows) {
                if !culprits.contains(&rule) {
                    culprits.push(rule);
                }
            }
            wide = wide.union(&flows);
        }
    }
    if wide.is_empty() {
        return None;
    }
    evidence.extend(culprits.iter().map(|rule| format!("rule: {rule}{}", described(group, rule))));
    let carriers = facts.carriers(&group.id);
    let users: Vec<&str> = facts.users(&group.id).collect();
    let reached = reached(facts, group, &wide);
    evidence.push(match (carriers.len(), users.as_slice()) {
        (0, []) => "no interface has it attached".to_owned(),
        (0, users) => format!("no interface has it attached now; it is set for {}", some(users)),
        (1, _) => format!("{} has it attached", some(carriers.iter().map(|interface| &interface.id))),
        (number, _) => {
            let ids = carriers.iter().map(|interface| &interface.id);
            format!("{number} interfaces have it attached: {}", some(ids))
        }
    });
    if !carriers.is_empty() {
        evidence.push(match &reached {
            Some((flows, roles)) => {
                format!("the internet reaches {} on {flows}", some(roles))
            }
            None => "the internet reaches none of them on this".to_owned(),
        });
    }
    // A load balancer whose interfaces were not seen is known by its own word.
    let set = !users.is_empty() && users.iter().all(|user| user.starts_with("load balancer "));
    let meant = is_meant(facts, carriers, &wide) || carriers.is_empty() && set && web().covers(&wide);
    let severity = if meant || carriers.is_empty() && users.is_empty() {
        Severity::Note
    } else if reached.is_some() {
        Severity::Medium
    } else {
        Severity::Low
    };
    Some(Finding {
        rule: Rule::WideRule,
        severity,
        resource: facts.group(group),
        of: None,
        about: format!("{} admits very many addresses to {}", facts.group_text(&group.id), in_words(&wide)),
        evidence,
        fix: "admit the prefixes, or better the groups, that need it, and then remove these rules".to_owned(),
        remedy: Remedy::removing(facts, group, culprits.iter().copied()),
        gaps,
    })
}

/// The rules, the widest first, without which a flow is admitted to no more addresses than is usual.
fn to_blame<'g>(
    rules: &[(&'g RuleIdentity, Vec<Cidr>)],
    family: Family,
    flows: &Flows,
) -> Vec<&'g RuleIdentity> {
    let mut left: Vec<(u8, &RuleIdentity, Vec<Cidr>)> = rules
        .iter()
        .filter(|(rule, _)| flows.meets(&rule.flow.into()))
        .filter_map(|(rule, cidrs)| {
            let own: Vec<Cidr> = cidrs.iter().copied().filter(|cidr| cidr.family() == family).collect();
            Some((own.iter().map(|cidr| cidr.bits()).min()?, *rule, own))
        })
        .collect();
    left.sort();
    let mut blamed = Vec::new();
    while Addresses::of(family, left.iter().flat_map(|(_, _, cidrs)| cidrs.iter().copied())).is_wide() {
        let (_, rule, _) = left.remove(0);
        blamed.push(rule);
    }
    blamed.sort();
    blamed
}

/// The prefixes that each inbound rule admits, and what could not be seen of prefix lists.
fn admitted<'g>(
    facts: &Facts<'_>,
    group: &'g SecurityGroup,
) -> (Vec<(&'g RuleIdentity, Vec<Cidr>)>, Vec<Gap>) {
    let mut gaps = Vec::new();
    let mut rules = Vec::new();
    for rule in group.rules.keys().filter(|rule| rule.direction == Direction::In) {
        match &rule.peer {
            Peer::Cidr(cidr) => rules.push((rule, vec![*cidr])),
            Peer::Group(_) => {}
            Peer::PrefixList(list) => {
                let list = facts.inventory.prefix_lists.get(list);
                match list.and_then(|list| list.entries.as_ref()) {
                    Some(entries) => rules.push((rule, entries.iter().copied().collect())),
                    None => gaps.extend(
                        facts.gaps(&[Call::PrefixLists, Call::PrefixListEntries], &group.account_region),
                    ),
                }
            }
        }
    }
    (rules, gaps)
}

fn described(group: &SecurityGroup, rule: &RuleIdentity) -> String {
    match group.rules.get(rule) {
        Some(existing) if !existing.description.is_empty() => format!(" ({})", existing.description),
        _ => String::new(),
    }
}

/// What of it the internet really gets through with, and to whom.
fn reached(facts: &Facts<'_>, group: &SecurityGroup, wide: &Flows) -> Option<(Flows, Vec<String>)> {
    let mut flows = Flows::NONE;
    let mut roles = Vec::new();
    for (to, reached) in &facts.from_internet {
        let Some(role) = facts.role(*to).filter(|role| role.groups.contains(&group.id)) else { continue };
        let both = reached.wide.and(wide);
        if !both.is_empty() {
            flows = flows.union(&both);
            if !roles.contains(&role.name) {
                roles.push(role.name.clone());
            }
        }
    }
    (!flows.is_empty()).then_some((flows, roles))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found};
    use super::*;

    const RULE: Rule = Rule::WideRule;

    #[test]
    fn two_halves_are_everyone() {
        let account = Account::new()
            .group("sg-web", "vpc-a", &["in tcp/22 0.0.0.0/1", "in tcp/22 128.0.0.0/1"])
            .interface("eni-a", "subnet-a", &["sg-web"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Low);
        assert_eq!(finding.about, "sg-web (web) admits very many addresses to tcp/22 (SSH)");
        assert_eq!(
            finding.evidence,
            [
                "tcp/22 from everyone on IPv4",
                "rule: tcp/22 from 0.0.0.0/1",
                "rule: tcp/22 from 128.0.0.0/1",
                "eni-a has it attached",
                "the internet reaches none of them on this"
            ]
        );
        assert_eq!(finding.remedy.commands.len(), 2, "{:?}", finding.remedy.commands);
    }

    #[test]
    fn the_internet_really_gets_through() {
        let account = Account::new()
            .internet()
            .group("sg-web", "vpc-a", &["in tcp/22 0.0.0.0/0"])
            .interface("eni-a", "subnet-a", &["sg-web"])
            .public("eni-b", "subnet-a", &["sg-web"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(finding.evidence[2], "2 interfaces have it attached: eni-a, eni-b");
        assert_eq!(finding.evidence[3], "the internet reaches web on tcp/22");
    }

    #[test]
    fn only_the_rules_that_make_it_wide_are_to_blame() {
        let account = Account::new().group(
            "sg-web",
            "vpc-a",
            &[
                "in tcp/22 0.0.0.0/0",
                "in tcp/22 192.0.2.7/32",
                "in all 192.168.0.0/16",
                "in tcp/443 10.0.0.0/9",
            ],
        );
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.evidence[1..], ["rule: tcp/22 from 0.0.0.0/0", "no interface has it attached"]);
        assert_eq!(finding.remedy.commands.len(), 1);
    }

    #[test]
    fn nobody_carries_it() {
        let account = Account::new().group("sg-web", "vpc-a", &["in all ::/0"]);
        check(&account, RULE, &[(Severity::Note, "sg-web")]);
    }

    #[test]
    fn not_more_than_an_eighth_bit_is_not_wide() {
        let account = Account::new()
            .group("sg-web", "vpc-a", &["in tcp/22 10.0.0.0/8", "in tcp/443 11.0.0.0/8", "out all 0.0.0.0/0"])
            .interface("eni-a", "subnet-a", &["sg-web"]);
        check(&account, RULE, &[]);
        let account = account.group("sg-more", "vpc-a", &["in tcp/22 10.0.0.0/8", "in tcp/0-100 11.0.0.0/8"]);
        check(&account, RULE, &[(Severity::Note, "sg-more")]);
    }
}
