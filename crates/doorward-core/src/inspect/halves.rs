//! Roles with a missing half: who is let in is not let out, or the other way round, or is nobody.

use std::collections::BTreeSet;

use super::facts::{Facts, Reference, some};
use super::{Finding, Remedy, Rule, Severity};
use crate::inventory::{
    Call, Direction, Interface, Inventory, Peer, RuleIdentity, SecurityGroup, SecurityGroupId,
};
use crate::reach::{Change, Edit, Flows};

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    facts.inventory.groups.values().flat_map(|group| of_group(facts, group)).collect()
}

fn of_group(facts: &Facts<'_>, group: &SecurityGroup) -> Vec<Finding> {
    let peers: BTreeSet<(Direction, &SecurityGroupId)> = group
        .rules
        .keys()
        .filter_map(|rule| match &rule.peer {
            Peer::Group(peer) if *peer != group.id => Some((rule.direction, peer)),
            _ => None,
        })
        .collect();
    peers.into_iter().filter_map(|(direction, peer)| of_pair(facts, group, direction, peer)).collect()
}

/// A group and one that it refers to in one direction.
fn of_pair(
    facts: &Facts<'_>,
    group: &SecurityGroup,
    direction: Direction,
    peer: &SecurityGroupId,
) -> Option<Finding> {
    let other = facts.inventory.groups.get(peer)?;
    if facts.reference(group, peer, direction) != Reference::Holds {
        return None;
    }
    let asked: Flows = group
        .rules
        .keys()
        .filter(|rule| rule.direction == direction && rule.peer == Peer::Group(peer.clone()))
        .map(|rule| rule.flow)
        .collect();
    let (ours, theirs) = (facts.carriers(&group.id), facts.carriers(peer));
    if theirs.is_empty() {
        let unused = direction == Direction::In && facts.users(peer).next().is_none();
        return unused.then(|| nobody(facts, group, other, &asked));
    }
    if ours.is_empty() {
        return None;
    }
    let back = match direction {
        Direction::In => Direction::Out,
        Direction::Out => Direction::In,
    };
    // The other half may be a rule of any group that a carrier has besides. It is missing when no carrier has it.
    let met =
        classes(theirs).into_iter().any(|class| halves(facts.inventory, class, back, ours).meets(&asked));
    (!met).then(|| missing(facts, group, other, direction, &asked))
}

/// One carrier for each set of groups: the others fare the same.
fn classes<'a>(carriers: &[&'a Interface]) -> Vec<&'a Interface> {
    let mut seen = BTreeSet::new();
    carriers.iter().copied().filter(|interface| seen.insert(&interface.groups)).collect()
}

/// What the groups of an interface let through in a direction, with any of some others.
fn halves(inventory: &Inventory, of: &Interface, direction: Direction, with: &[&Interface]) -> Flows {
    let groups = of.groups.iter().filter_map(|id| inventory.groups.get(id));
    let rules = groups.flat_map(|group| group.rules.keys()).filter(|rule| rule.direction == direction);
    rules.filter(|rule| meets(inventory, rule, with)).map(|rule| rule.flow).collect()
}

/// Whether any of some interfaces is what a rule is about. A list that could not be seen may hold them all.
fn meets(inventory: &Inventory, rule: &RuleIdentity, with: &[&Interface]) -> bool {
    match &rule.peer {
        Peer::Group(group) => with.iter().any(|interface| interface.groups.contains(group)),
        Peer::Cidr(cidr) => with.iter().any(|it| it.addresses.iter().any(|own| cidr.contains(own.address))),
        Peer::PrefixList(list) => {
            let entries = inventory.prefix_lists.get(list).and_then(|list| list.entries.as_ref());
            entries.is_none_or(|entries| {
                with.iter().any(|it| {
                    it.addresses.iter().any(|own| entries.iter().any(|cidr| cidr.contains(own.address)))
                })
            })
        }
    }
}

fn missing(
    facts: &Facts<'_>,
    group: &SecurityGroup,
    other: &SecurityGroup,
    direction: Direction,
    asked: &Flows,
) -> Finding {
    let (own, its) = (facts.group_text(&group.id), facts.group_text(&other.id));
    let (about, fix) = match direction {
        Direction::In => (
            format!("{own} admits {its} on {asked}, and no rule lets interfaces with {its} send there"),
            format!("add an outbound rule to {its} for {own} on {asked}"),
        ),
        Direction::Out => (
            format!("{own} may send to {its} on {asked}, and no rule of interfaces with {its} admits it"),
            format!("add an inbound rule to {its} for {own} on {asked}"),
        ),
    };
    let back = match direction {
        Direction::In => Direction::Out,
        Direction::Out => Direction::In,
    };
    let carriers = |id: &SecurityGroupId| some(facts.carriers(id).iter().map(|it| &it.id));
    let changes = asked.list().into_iter().map(|flow| Change::Rule {
        group: other.id.clone(),
        edit: Edit::Add(RuleIdentity { direction: back, flow, peer: Peer::Group(group.id.clone()) }),
    });
    Finding {
        rule: Rule::HalfRole,
        severity: Severity::Medium,
        resource: facts.group(other),
        of: Some(format!("{} {}", word(direction), group.id)),
        about,
        evidence: vec![
            format!("{own} is attached to {}", carriers(&group.id)),
            format!("{its} is attached to {}", carriers(&other.id)),
            format!("no group of theirs has a rule for {asked} {} any of the former", preposition(back)),
        ],
        fix,
        remedy: Remedy::of(facts, changes),
        gaps: Vec::new(),
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "admitted by",
        Direction::Out => "sent to by",
    }
}

fn preposition(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "from",
        Direction::Out => "to",
    }
}

fn nobody(facts: &Facts<'_>, group: &SecurityGroup, other: &SecurityGroup, asked: &Flows) -> Finding {
    let (own, its) = (facts.group_text(&group.id), facts.group_text(&other.id));
    let gaps =
        facts.gaps(&[Call::Interfaces, Call::Functions, Call::ContainerServices], &other.account_region);
    let rules: Vec<&RuleIdentity> = group
        .rules
        .keys()
        .filter(|rule| rule.direction == Direction::In && rule.peer == Peer::Group(other.id.clone()))
        .collect();
    Finding {
        rule: Rule::HalfRole,
        severity: Severity::Note,
        resource: facts.group(other),
        of: Some(format!("{} {}", word(Direction::In), group.id)),
        about: if gaps.is_empty() {
            format!("{own} admits {its} on {asked}, and no interface has {its} attached")
        } else {
            format!(
                "{own} admits {its} on {asked}, and whether any interface has {its} attached is not known"
            )
        },
        evidence: rules.iter().map(|rule| format!("rule of {own}: {rule}")).collect(),
        fix: format!("attach {its} to the clients of {own}, or remove the rule"),
        remedy: if gaps.is_empty() {
            Remedy::removing(facts, group, rules.iter().copied())
        } else {
            Remedy::default()
        },
        gaps,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found};
    use super::*;

    const RULE: Rule = Rule::HalfRole;

    fn pair(db: &[&str], connect: &[&str]) -> Account {
        Account::new()
            .group("sg-db", "vpc-a", db)
            .group("sg-dbconnect", "vpc-a", connect)
            .interface("eni-db", "subnet-a", &["sg-db"])
            .interface("eni-app", "subnet-b", &["sg-dbconnect"])
    }

    #[test]
    fn let_in_and_not_let_out() {
        let [finding] = found(&pair(&["in tcp/5432 sg-dbconnect"], &["out tcp/443 0.0.0.0/0"]), RULE)
            .try_into()
            .expect("one finding");
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(
            finding.about,
            "sg-db (db) admits sg-dbconnect (dbconnect) on tcp/5432, and no rule lets interfaces with sg-dbconnect (dbconnect) send there"
        );
        assert_eq!(
            finding.remedy.commands,
            [
                "aws ec2 authorize-security-group-egress --region eu-west-1 --group-id sg-dbconnect --ip-permissions 'IpProtocol=tcp,FromPort=5432,ToPort=5432,UserIdGroupPairs=[{GroupId=sg-db}]'"
            ]
        );
    }

    #[test]
    fn let_out_and_not_let_in() {
        let account =
            pair(&["in tcp/5433 sg-dbconnect"], &["out tcp/5432 sg-db", "out tcp/5433 10.0.0.0/24"]);
        check(&account, RULE, &[(Severity::Medium, "sg-db")]);
    }

    #[test]
    fn both_halves_are_there() {
        for (db, connect) in [
            ("in tcp/5432 sg-dbconnect", "out tcp/5432 sg-db"),
            ("in tcp/5432 sg-dbconnect", "out all 0.0.0.0/0"),
            ("in tcp/5432 sg-dbconnect", "out tcp/5000-6000 10.0.0.10/32"),
            ("in tcp/5432 sg-dbconnect", "out tcp/5432 pl-unseen"),
            ("in tcp/5432 10.0.0.0/16", "out tcp/5432 sg-db"),
        ] {
            check(&pair(&[db], &[connect]), RULE, &[]);
        }
    }

    #[test]
    fn the_other_half_may_be_in_another_group_of_the_carrier() {
        let account =
            pair(&["in tcp/5432 sg-dbconnect"], &[]).group("sg-base", "vpc-a", &["out all 0.0.0.0/0"]);
        check(&account, RULE, &[(Severity::Medium, "sg-dbconnect")]);
        let account = account.with("eni-app", |it| it.groups.extend(["sg-base".parse().expect("an id")]));
        check(&account, RULE, &[]);
    }

    #[test]
    fn nobody_carries_the_other_half() {
        let account = || {
            Account::new()
                .group("sg-db", "vpc-a", &["in tcp/5432 sg-dbconnect"])
                .group("sg-dbconnect", "vpc-a", &["out all 0.0.0.0/0"])
                .interface("eni-db", "subnet-a", &["sg-db"])
        };
        check(&account(), RULE, &[(Severity::Note, "sg-dbconnect")]);
        check(&account().function("report", &["sg-dbconnect"]), RULE, &[]);
        let [finding] = found(&account().gap(Call::Functions), RULE).try_into().expect("one finding");
        assert!(finding.about.ends_with("is not known"), "{}", finding.about);
    }
}
