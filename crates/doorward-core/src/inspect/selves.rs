//! Groups that admit themselves, and the ways between their carriers that nobody asked for.

use std::collections::BTreeSet;

use super::facts::{Facts, Within, admits_itself, first, some};
use super::serving::{Owner, owner, serves, title};
use super::{Finding, Remedy, Rule, Severity};
use crate::inventory::{Call, Direction, Peer, RuleIdentity, SecurityGroup};
use crate::reach::{Flows, Role, RoleId};

/// Calls whose answers could show what is served where.
const SHOWS_SERVING: &[Call] = &[
    Call::Interfaces,
    Call::LoadBalancers,
    Call::Listeners,
    Call::TargetGroups,
    Call::TargetHealth,
    Call::Databases,
    Call::DatabaseClusters,
    Call::DatabaseProxies,
    Call::DatabaseProxyTargets,
    Call::Caches,
];

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    facts.inventory.groups.values().filter_map(|group| of_group(facts, group)).collect()
}

fn of_group(facts: &Facts<'_>, group: &SecurityGroup) -> Option<Finding> {
    let admitted = admits_itself(group);
    let carriers = facts.carriers(&group.id).len();
    // Every VPC has a default group that admits itself: while nobody carries it, that is told elsewhere.
    if admitted.is_empty() || (group.name == "default" && carriers == 0) {
        return None;
    }
    let own: Vec<&RuleIdentity> = group
        .rules
        .keys()
        .filter(|rule| {
            rule.direction == Direction::In && matches!(&rule.peer, Peer::Group(peer) if *peer == group.id)
        })
        .collect();
    let mut evidence: Vec<String> = own.iter().map(|rule| format!("rule: {rule}, which is itself")).collect();
    let (mut opened, mut stray) = (Vec::new(), Flows::NONE);
    for ((_, to), within) in facts.within.iter().filter(|((id, _), _)| **id == group.id) {
        let Some(role) = facts.role(*to) else { continue };
        let (line, unneeded) = path(facts, role, *to, within);
        stray = stray.union(&unneeded);
        opened.push(line);
    }
    evidence.push(match carriers {
        0 => "no interface has it attached".to_owned(),
        1 => "one interface has it attached, so it opens nothing today".to_owned(),
        number => format!("{number} interfaces have it attached"),
    });
    let opens = !opened.is_empty();
    evidence.extend(first(opened, 12));
    let severity = match (opens, stray.is_empty()) {
        (true, false) => Severity::Medium,
        (true, true) => Severity::Low,
        (false, _) if carriers < 2 => Severity::Note,
        (false, _) => Severity::Low,
    };
    let id = facts.group_text(&group.id);
    let about = match (opens, stray.is_empty()) {
        (true, false) => {
            format!("{id} admits itself and opens {stray} to interfaces that are not known to serve that")
        }
        (true, true) => {
            format!(
                "{id} admits itself on {admitted}, and every interface that is reached serves that or accepts nothing of it"
            )
        }
        (false, _) => format!("{id} admits itself on {admitted}"),
    };
    Some(Finding {
        rule: Rule::SelfReference,
        severity,
        resource: facts.group(group),
        of: None,
        about,
        evidence,
        fix: "attach a separate group to the interfaces that serve, which admits this one on their port alone, and \
              then remove the reference to itself"
            .to_owned(),
        remedy: Remedy::removing(facts, group, own.iter().copied()),
        gaps: if opens { facts.gaps(SHOWS_SERVING, &group.account_region) } else { facts.gaps(&[Call::Interfaces], &group.account_region) },
    })
}

/// What a role receives by the self-reference, in a sentence, and what of it somebody there is not known to serve.
fn path(facts: &Facts<'_>, role: &Role, to: RoleId, within: &Within) -> (String, Flows) {
    let from: BTreeSet<String> = within
        .from
        .iter()
        .map(|from| match facts.role(*from) {
            _ if *from == to => "others of the same".to_owned(),
            Some(role) => role.name.clone(),
            None => "a role that is not known".to_owned(),
        })
        .collect();
    let (mut serving, mut idle, mut others) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut stray = Flows::NONE;
    for member in &role.members {
        let Some(interface) = facts.inventory.interfaces.get(member.id()) else {
            continue;
        };
        let title = title(facts.inventory, interface);
        let rest = within.flows.minus(&serves(facts.inventory, interface));
        // Nothing listens on the interface of a function or of a NAT gateway, whatever is sent there.
        if matches!(owner(facts.inventory, interface), Owner::Function | Owner::NatGateway) {
            idle.insert(title);
        } else if rest.is_empty() {
            serving.insert(title);
        } else {
            others.insert(title);
            stray = stray.union(&rest);
        }
    }
    let told = [(&others, "not known to serve"), (&serving, "serving it"), (&idle, "taking nothing in")];
    let told = told.iter().filter(|(titles, _)| !titles.is_empty());
    let told: Vec<String> = told.map(|(titles, what)| format!("{what}: {}", some(*titles))).collect();
    let line = format!("{} reach {} on {}", some(from), role.name, within.flows);
    if told.is_empty() {
        return (line, stray);
    }
    (format!("{line} ({})", told.join("; ")), stray)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found};
    use super::*;

    const RULE: Rule = Rule::SelfReference;

    /// Story 4's own case: `db_connect` admits itself because the proxy carries it too.
    fn with_proxy() -> Account {
        Account::new()
            .group("sg-db", "vpc-a", &["in tcp/5432 sg-dbconnect"])
            .group("sg-dbconnect", "vpc-a", &["in tcp/5432 sg-dbconnect", "out all 0.0.0.0/0"])
            .database("orders", &["sg-db"])
            .interface("eni-db", "subnet-a", &["sg-db"])
            .with("eni-db", |it| it.requester = Some("amazon-rds".into()))
            .interface("eni-app", "subnet-a", &["sg-dbconnect"])
            .interface("eni-job", "subnet-b", &["sg-dbconnect"])
    }

    #[test]
    fn nobody_carries_it() {
        let account = Account::new().group("sg-x", "vpc-a", &["in tcp/5432 sg-x"]);
        check(&account, RULE, &[(Severity::Note, "sg-x")]);
    }

    #[test]
    fn outward_alone_is_no_way_in() {
        let account = Account::new().group("sg-x", "vpc-a", &["out tcp/5432 sg-x", "in tcp/5432 sg-y"]);
        check(&account, RULE, &[]);
    }

    #[test]
    fn a_default_group_that_nobody_carries_is_told_elsewhere() {
        check(&Account::new().named("sg-d", "default", "vpc-a", &["in all sg-d"]), RULE, &[]);
    }

    #[test]
    fn a_stray_process_on_a_holder_is_reached() {
        let [finding] = found(&with_proxy(), RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(
            finding.about,
            "sg-dbconnect (dbconnect) admits itself and opens tcp/5432 to interfaces that are not known to serve that"
        );
        assert_eq!(
            finding.evidence[2..],
            ["others of the same reach dbconnect on tcp/5432 (not known to serve: eni-app, eni-job)"]
        );
    }

    #[test]
    fn between_what_serves_it_and_nothing_else_it_is_less() {
        let served = |number: u16| {
            let mut account = Account::new()
                .group("sg-db", "vpc-a", &["in tcp/5432 sg-db", "out all 0.0.0.0/0"])
                .database("orders", &["sg-db"]);
            for (id, subnet) in [("eni-a", "subnet-a"), ("eni-b", "subnet-b")] {
                account = account
                    .interface(id, subnet, &["sg-db"])
                    .with(id, |it| it.requester = Some("amazon-rds".into()));
            }
            account.change(|it| it.databases.values_mut().for_each(|it| it.port = Some(number)))
        };
        check(&served(5432), RULE, &[(Severity::Low, "sg-db")]);
        check(&served(3306), RULE, &[(Severity::Medium, "sg-db")]);
    }

    #[test]
    fn a_function_takes_nothing_in() {
        let lambda = |account: Account, id: &str| account.with(id, |it| it.kind = "lambda".into());
        let account = lambda(lambda(with_proxy(), "eni-app"), "eni-job");
        check(&account, RULE, &[(Severity::Low, "sg-dbconnect")]);
        check(&lambda(with_proxy(), "eni-app"), RULE, &[(Severity::Medium, "sg-dbconnect")]);
    }

    #[test]
    fn what_is_let_in_and_never_out_opens_nothing() {
        let account = Account::new()
            .group("sg-x", "vpc-a", &["in tcp/5432 sg-x"])
            .interface("eni-a", "subnet-a", &["sg-x"])
            .interface("eni-b", "subnet-b", &["sg-x"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(
            (finding.severity, finding.about.as_str()),
            (Severity::Low, "sg-x (x) admits itself on tcp/5432")
        );
    }
}
