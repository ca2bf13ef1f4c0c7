//! Databases that say of themselves that they are public, and whether the internet really reaches them.

use super::addresses::Addresses;
use super::facts::{Facts, hop};
use super::{Finding, Remedy, Rule, Severity, Subject};
use crate::inventory::Database;
use crate::net::{Cidr, Family, Flow, Ports};
use crate::reach::{Change, Flows, Selector, Verdict};

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
    let to = Selector::from(database.resource());
    let answer = facts.reach.ask(&Selector::Internet, &to, Some(&port));
    let mut evidence = vec!["PubliclyAccessible is set".to_owned()];
    let mut gaps = Vec::new();
    let (severity, about) = match answer {
        answer if !answer.flows.is_empty() => {
            evidence.push(format!("the internet really reaches {}", answer.flows));
            evidence.extend(answer.hops.iter().map(hop));
            gaps.extend(answer.gaps);
            let open = is_open(facts, &to, &port);
            let whom = if open { "the internet reaches" } else { "named addresses of the internet reach" };
            let severity = if open { Severity::High } else { Severity::Medium };
            (severity, format!("database {name} is public, and {whom} {}", answer.flows))
        }
        answer if answer.verdict == Verdict::No => {
            let blockers = answer.blockers.iter();
            evidence
                .extend(blockers.map(|it| format!("blocked by {} ({}): {}", it.resource, it.code, it.why)));
            let about = format!("database {name} is called public, and the internet does not reach it");
            (Severity::Note, about)
        }
        answer => {
            gaps.extend(answer.gaps);
            let about =
                format!("database {name} is called public; whether the internet reaches it is not known");
            (Severity::Note, about)
        }
    };
    Finding {
        rule: Rule::PublicDatabase,
        severity,
        resource: Subject {
            id: name.clone(),
            kind: "database",
            name: None,
            account_region: database.account_region.clone(),
        },
        of: None,
        about,
        evidence,
        fix: "make it private: inside the VPC its name resolves to its private address in any case"
            .to_owned(),
        remedy: Remedy::of(
            facts,
            [Change::MakePrivate { database: database.arn.as_ref().unwrap_or(name).clone() }],
        ),
        gaps,
    }
}

/// Whether everyone gets in on a port, or so many that it makes no difference.
fn is_open(facts: &Facts<'_>, to: &Selector, port: &Flows) -> bool {
    let admitted = facts.reach.exposure(to).into_iter().filter(|one| one.flows.meets(port));
    let cidrs: Vec<Cidr> = admitted.flat_map(|one| one.addresses).collect();
    [Family::V4, Family::V6].into_iter().any(|family| Addresses::of(family, cidrs.iter().copied()).is_wide())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, account_region, check, found, id, ids};
    use super::*;
    use crate::inventory::AccountRegion;

    const RULE: Rule = Rule::PublicDatabase;

    fn database(public: bool) -> Account {
        Account::new()
            .group("sg-db", "vpc-a", &["in tcp/5432 0.0.0.0/0"])
            .database("orders", &["sg-db"])
            .change(|it| {
                it.databases.get_mut(&(account_region(), "orders".into())).expect("there").public = public
            })
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
        let named = account.group("sg-db", "vpc-a", &["in tcp/5432 198.51.100.7/32"]);
        check(&named, RULE, &[(Severity::Medium, "orders")]);
        let closed = named.group("sg-db", "vpc-a", &["in tcp/5433 0.0.0.0/0"]);
        let [finding] = found(&closed, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Note);
        assert!(finding.evidence.iter().any(|line| line.starts_with("blocked by sg-db")), "{finding:#?}");
    }

    /// RDS API, `DBInstanceIdentifier`: a name is unique within one account and Region.
    #[test]
    fn a_database_of_the_same_name_in_another_account_is_another() {
        let other = AccountRegion { account: Some(id("222222222222")), ..account_region() };
        let account = database(true)
            .internet()
            .public("eni-db", "subnet-a", &["sg-db"])
            .with("eni-db", |it| it.requester = Some("amazon-rds".into()))
            .group("sg-closed", "vpc-b", &[])
            .change(|it| {
                let twin = Database {
                    account_region: other.clone(),
                    vpc: Some(id("vpc-b")),
                    subnets: ids(&["subnet-c"]),
                    groups: ids(&["sg-closed"]),
                    ..it.databases[&(account_region(), "orders".into())].clone()
                };
                it.databases.insert((other.clone(), "orders".into()), twin);
            });
        let found: Vec<_> = found(&account, RULE)
            .into_iter()
            .map(|finding| (finding.severity, finding.resource.account_region))
            .collect();
        assert_eq!(found, [(Severity::High, account_region()), (Severity::Note, other)]);
    }
}
