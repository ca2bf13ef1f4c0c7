//! Databases that say of themselves that they are public, and whether the internet really reaches them.

use super::facts::{Facts, hop};
use super::{Finding, Rule, Severity, Subject, fix};
use crate::inventory::Database;
use crate::net::{Flow, Ports};
use crate::reach::{Endpoint, Flows, Verdict};

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let databases = facts.inventory.databases.values().filter(|database| database.public);
    databases.map(|database| of_database(facts, database)).collect()
}

fn of_database(facts: &Facts<'_>, database: &Database) -> Finding {
    let port: Flows = match database.port {
        Some(port) => Flow::Tcp(Ports::one(port)).into(),
        None => Flow::Tcp(Ports::ALL).into(),
    };
    let name = &database.name;
    // The ARN first: a name may be that of several.
    let by_arn = database.arn.as_deref().and_then(|arn| Endpoint::find(arn, facts.inventory).ok());
    let found = by_arn.or_else(|| Endpoint::find(&format!("rds:{name}"), facts.inventory).ok());
    let answer = found.map(|to| facts.reach.ask(&Endpoint::Internet, &to, Some(&port)));
    let mut evidence = vec!["PubliclyAccessible is set".to_owned()];
    let mut gaps = Vec::new();
    let (severity, about) = match answer {
        Some(answer) if !answer.flows.is_empty() => {
            evidence.push(format!("the internet really reaches {}", answer.flows));
            evidence.extend(answer.hops.iter().map(hop));
            gaps.extend(answer.gaps);
            (Severity::High, format!("database {name} is public, and the internet reaches {}", answer.flows))
        }
        Some(answer) if answer.verdict == Verdict::No => {
            let blockers = answer.blockers.iter();
            evidence
                .extend(blockers.map(|it| format!("in the way: {} ({}): {}", it.resource, it.code, it.why)));
            let about = format!("database {name} is called public, and the internet does not reach it");
            (Severity::Note, about)
        }
        other => {
            gaps.extend(other.into_iter().flat_map(|answer| answer.gaps));
            let about =
                format!("database {name} is called public; whether the internet reaches it is not known");
            (Severity::Note, about)
        }
    };
    Finding {
        rule: Rule::PublicDatabase,
        severity,
        resource: Subject { id: name.clone(), kind: "database", name: None, place: database.place.clone() },
        of: None,
        about,
        evidence,
        fix: "make it private: inside the VPC its name leads to its private address all the same".to_owned(),
        commands: vec![fix::make_private(&database.place, name)],
        gaps,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, place};
    use super::*;

    const RULE: Rule = Rule::PublicDatabase;

    fn database(public: bool) -> Account {
        Account::new()
            .group("sg-db", "vpc-a", &["in tcp/5432 0.0.0.0/0"])
            .database("orders", &["sg-db"])
            .change(|it| it.databases.get_mut(&(place(), "orders".into())).expect("there").public = public)
    }

    #[test]
    fn a_flag_alone_is_a_note() {
        check(&database(true), RULE, &[(Severity::Note, "orders")]);
        check(&database(false), RULE, &[]);
    }

    #[test]
    fn a_flag_and_a_way_is_high() {
        let account = database(true)
            .internet()
            .public("eni-db", "subnet-a", &["sg-db"])
            .with("eni-db", |it| it.requester = Some("amazon-rds".into()));
        check(&account, RULE, &[(Severity::High, "orders")]);
    }
}
