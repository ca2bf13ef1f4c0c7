//! Databases with a way out, in the default group, or in one zone.

use std::collections::BTreeSet;

use super::facts::{Facts, some};
use super::routes::{destination, table_of};
use super::serving::{Owner, owner};
use super::{Finding, Remedy, Rule, Severity, Subject};
use crate::inventory::{
    Call, Destination, Direction, Peer, Route, RouteTarget, SecurityGroup, SubnetGroup, SubnetId,
};

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = ways_out(facts);
    findings.extend(in_default_group(facts));
    findings.extend(one_zone(facts));
    findings
}

/// Which subnets are a database's or a cache's, under the name that people know them by.
fn homes<'a>(facts: &Facts<'a>) -> Vec<(Subject, BTreeSet<&'a SubnetId>)> {
    let inventory = facts.inventory;
    let subject = |kind: &'static str, group: &SubnetGroup| Subject {
        id: group.name.clone(),
        kind,
        name: None,
        account_region: group.account_region.clone(),
    };
    let databases = inventory.database_subnet_groups.values();
    let caches = inventory.cache_subnet_groups.values();
    let mut homes: Vec<(Subject, BTreeSet<&SubnetId>)> = databases
        .map(|group| (subject("database subnet group", group), group.subnets.iter().collect()))
        .chain(caches.map(|group| (subject("cache subnet group", group), group.subnets.iter().collect())))
        .collect();
    let grouped: BTreeSet<&SubnetId> = homes.iter().flat_map(|(_, subnets)| subnets).copied().collect();
    let lone = inventory.interfaces.values().filter(|it| {
        let owner = owner(inventory, it);
        matches!(owner, Owner::Database(..) | Owner::Cache(..)) && !grouped.contains(&it.subnet)
    });
    let lone: BTreeSet<&SubnetId> = lone.map(|interface| &interface.subnet).collect();
    for id in lone {
        let Some(subnet) = inventory.subnets.get(id) else { continue };
        homes.push((facts.of_vpc("subnet", id, &subnet.tags, &subnet.vpc), BTreeSet::from([id])));
    }
    homes
}

fn ways_out(facts: &Facts<'_>) -> Vec<Finding> {
    homes(facts).into_iter().filter_map(|(resource, subnets)| way_out(facts, resource, &subnets)).collect()
}

fn way_out(facts: &Facts<'_>, resource: Subject, subnets: &BTreeSet<&SubnetId>) -> Option<Finding> {
    let mut evidence = Vec::new();
    let mut to_internet = false;
    let mut targets = BTreeSet::new();
    for subnet in subnets {
        let Some(table) = table_of(facts.inventory, subnet) else { continue };
        for route in table.routes.iter().filter(|route| leads_out(route)) {
            let to = destination(facts.inventory, &route.destination);
            evidence.push(format!(
                "{}: {} sends {to} to {}",
                facts.subnet_text(subnet),
                table.id,
                route.target
            ));
            to_internet |= matches!(route.target, RouteTarget::InternetGateway(_));
            targets.insert(route.target.to_string());
        }
    }
    if evidence.is_empty() {
        return None;
    }
    let public: Vec<String> = public_databases(facts, subnets);
    if to_internet {
        evidence.push(match public.as_slice() {
            [] => "no database in it has a public address".to_owned(),
            public => format!("with a public address: {}", some(public)),
        });
    }
    let severity = match (to_internet, public.is_empty()) {
        (true, false) => Severity::High,
        (true, true) => Severity::Medium,
        (false, _) => Severity::Low,
    };
    // An id says by itself that it is a subnet's.
    let which = match resource.id.parse() {
        Ok(subnet) => facts.subnet_text(&subnet),
        Err(_) => resource.to_string(),
    };
    let gaps = facts.gaps(&[Call::RouteTables, Call::Subnets, Call::Interfaces], &resource.account_region);
    Some(Finding {
        rule: Rule::DatabaseWayOut,
        severity,
        of: None,
        about: format!("{which} has a default route by {}", some(&targets)),
        resource,
        evidence,
        fix: "associate these subnets with a route table without a default route, and reach services of AWS by VPC \
              endpoints"
            .to_owned(),
        remedy: Remedy::default(),
        gaps,
    })
}

fn leads_out(route: &Route) -> bool {
    let default = matches!(route.destination, Destination::Cidr(cidr) if cidr.is_everyone());
    default && !route.blackhole && route.target != RouteTarget::Local
}

/// Databases and caches in some subnets that have a public address, or say that they have.
fn public_databases(facts: &Facts<'_>, subnets: &BTreeSet<&SubnetId>) -> Vec<String> {
    let said = facts.inventory.databases.values().filter(|it| it.public);
    let mut public: Vec<String> = said
        .filter(|it| it.subnets.iter().any(|subnet| subnets.contains(subnet)))
        .map(|it| format!("database {}", it.name))
        .collect();
    let interfaces = facts.inventory.interfaces.values().filter(|it| subnets.contains(&it.subnet));
    public.extend(
        interfaces
            .filter(|it| it.addresses.iter().any(|own| own.public.is_some()))
            .filter(|it| matches!(owner(facts.inventory, it), Owner::Database(..) | Owner::Cache(..)))
            .map(|it| it.id.to_string()),
    );
    public
}

/// Instances and clusters in a default group; the instances of a cluster are told with it.
fn in_default_group(facts: &Facts<'_>) -> Vec<Finding> {
    let clusters = facts.inventory.database_clusters.iter();
    let clusters = clusters
        .map(|((account_region, name), cluster)| (account_region, name, "database cluster", &cluster.groups));
    let databases = facts.inventory.databases.iter().filter(|((account_region, _), database)| {
        let cluster = database.cluster.as_ref().map(|cluster| (account_region.clone(), cluster.clone()));
        cluster.is_none_or(|cluster| !facts.inventory.database_clusters.contains_key(&cluster))
    });
    let databases = databases
        .map(|((account_region, name), database)| (account_region, name, "database", &database.groups));
    clusters
        .chain(databases)
        .filter_map(|(account_region, name, kind, groups)| {
            let mut groups = groups.iter().filter_map(|id| facts.inventory.groups.get(id));
            let default = groups.find(|group| group.name == "default")?;
            let resource =
                Subject { id: name.clone(), kind, name: None, account_region: account_region.clone() };
            Some(restored(facts, resource, default))
        })
        .collect()
}

fn restored(facts: &Facts<'_>, resource: Subject, group: &SecurityGroup) -> Finding {
    let own = group.rules.keys().filter(|rule| {
        rule.direction == Direction::In && matches!(&rule.peer, Peer::Group(peer) if *peer == group.id)
    });
    let own: Vec<String> = own.map(|rule| format!("rule: {rule}, which is itself")).collect();
    let its = format!("{} {}", resource.kind, resource.id);
    let carriers = facts.carriers(&group.id).iter();
    let others: Vec<String> = carriers
        .filter(|it| !matches!(owner(facts.inventory, it), Owner::Database(..)))
        .map(|it| it.id.to_string())
        .chain(
            facts
                .users(&group.id)
                .filter(|user| *user != its && !user.starts_with("database "))
                .map(str::to_owned),
        )
        .collect();
    let gaps = facts.gaps(&[Call::Interfaces], &group.account_region);
    let mut evidence = vec![format!("it has {} attached", facts.group_text(&group.id))];
    evidence.extend(own.iter().cloned());
    evidence.push(match others.as_slice() {
        [] if gaps.is_empty() => "only databases have it attached".to_owned(),
        [] => "whether anything else has it attached could not be seen".to_owned(),
        others => format!("it is attached to {}", some(others)),
    });
    let open = !own.is_empty() && !others.is_empty();
    Finding {
        rule: Rule::DatabaseInDefaultGroup,
        severity: if open { Severity::High } else { Severity::Medium },
        of: None,
        about: if open {
            format!("{its} is in its VPC's default group, which lets others in")
        } else {
            format!("{its} is in its VPC's default group, as after a restore")
        },
        resource,
        evidence,
        fix: "give it the groups that it had before it was restored, or one of its own".to_owned(),
        remedy: Remedy::default(),
        gaps,
    }
}

fn one_zone(facts: &Facts<'_>) -> Vec<Finding> {
    let groups = facts.inventory.database_subnet_groups.values();
    groups
        .filter_map(|group| {
            let subnets: Option<Vec<_>> =
                group.subnets.iter().map(|id| facts.inventory.subnets.get(id)).collect();
            // A subnet whose zone was not seen may be in a second one.
            let zones: Option<BTreeSet<&str>> =
                subnets?.iter().map(|subnet| subnet.zone_id.as_deref().or(subnet.zone.as_deref())).collect();
            let zones = zones.filter(|zones| zones.len() < 2)?;
            Some(Finding {
                rule: Rule::DatabaseZones,
                severity: Severity::Low,
                resource: Subject {
                    id: group.name.clone(),
                    kind: "database subnet group",
                    name: None,
                    account_region: group.account_region.clone(),
                },
                of: None,
                about: match zones.iter().next() {
                    Some(zone) => {
                        format!("every subnet of database subnet group {} is in {zone}", group.name)
                    }
                    None => format!("database subnet group {} has no subnet", group.name),
                },
                evidence: group.subnets.iter().map(|subnet| facts.subnet_text(subnet)).collect(),
                fix: "add a subnet in another zone".to_owned(),
                remedy: Remedy::default(),
                gaps: Vec::new(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, account_region, check, found, id};
    use super::*;

    fn out(target: RouteTarget) -> Account {
        Account::new().database_subnets("private", &["subnet-a", "subnet-b"]).table(
            "rtb-x",
            "vpc-a",
            &["subnet-a"],
            &[("0.0.0.0/0", target)],
        )
    }

    #[test]
    fn a_database_subnet_with_a_way_out() {
        let rule = Rule::DatabaseWayOut;
        check(&Account::new().database_subnets("private", &["subnet-a"]), rule, &[]);
        let nat = RouteTarget::NatGateway(id("nat-a"));
        let [finding] = found(&out(nat), rule).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Low);
        assert_eq!(finding.about, "database subnet group private has a default route by nat-a");
        assert_eq!(finding.evidence, ["subnet-a: rtb-x sends 0.0.0.0/0 to nat-a"]);
        let igw = || out(RouteTarget::InternetGateway(id("igw-a")));
        check(&igw(), rule, &[(Severity::Medium, "private")]);
        let public = igw().public("eni-db", "subnet-a", &[]);
        check(&public, rule, &[(Severity::Medium, "private")]);
        let public = public.with("eni-db", |it| it.requester = Some("amazon-rds".into()));
        check(&public, rule, &[(Severity::High, "private")]);
    }

    #[test]
    fn a_way_out_that_is_gone_or_not_for_all_is_none() {
        let narrow = Account::new().database_subnets("private", &["subnet-a"]).table(
            "rtb-x",
            "vpc-a",
            &["subnet-a"],
            &[
                ("0.0.0.0/0 blackhole", RouteTarget::NatGateway(id("nat-a"))),
                ("10.9.0.0/16", RouteTarget::Peering(id("pcx-a"))),
            ],
        );
        check(&narrow, Rule::DatabaseWayOut, &[]);
    }

    #[test]
    fn an_interface_of_a_database_makes_a_subnet_one() {
        let account = Account::new().internet().interface("eni-db", "subnet-b", &[]);
        check(&account, Rule::DatabaseWayOut, &[]);
        let account = account.with("eni-db", |it| it.requester = Some("amazon-elasticache".into()));
        check(&account, Rule::DatabaseWayOut, &[(Severity::Medium, "subnet-b")]);
    }

    #[test]
    fn a_restored_database_in_the_default_group() {
        let rule = Rule::DatabaseInDefaultGroup;
        let with = |rules: &[&str]| {
            Account::new().named("sg-d", "default", "vpc-a", rules).database("orders", &["sg-d"])
        };
        check(&with(&["in all sg-d"]), rule, &[(Severity::Medium, "orders")]);
        let shared = with(&["in all sg-d"]).interface("eni-app", "subnet-a", &["sg-d"]);
        check(&shared, rule, &[(Severity::High, "orders")]);
        let idle = with(&["in all sg-d"]).function("report", &["sg-d"]);
        check(&idle, rule, &[(Severity::High, "orders")]);
        let empty = with(&[]).interface("eni-app", "subnet-a", &["sg-d"]);
        check(&empty, rule, &[(Severity::Medium, "orders")]);
        let own = shared.with("eni-app", |it| it.requester = Some("amazon-rds".into()));
        check(&own, rule, &[(Severity::Medium, "orders")]);
        check(&Account::new().group("sg-db", "vpc-a", &[]).database("orders", &["sg-db"]), rule, &[]);
    }

    #[test]
    fn a_subnet_group_in_one_zone() {
        let rule = Rule::DatabaseZones;
        check(&Account::new().database_subnets("one", &["subnet-a"]), rule, &[(Severity::Low, "one")]);
        check(&Account::new().database_subnets("two", &["subnet-a", "subnet-b"]), rule, &[]);
        let unseen = Account::new()
            .database_subnets("one", &["subnet-a", "subnet-b"])
            .change(|it| drop(it.subnets.remove("subnet-b")));
        check(&unseen, rule, &[]);
    }

    #[test]
    fn the_instances_of_a_cluster_are_told_with_it() {
        let cluster = crate::inventory::DatabaseCluster {
            reader_host: None,
            custom_hosts: BTreeSet::new(),
            writer: None,
            name: "orders".into(),
            arn: None,
            account_region: account_region(),
            status: "available".into(),
            subnet_group: None,
            groups: super::super::testing::ids(&["sg-d"]),
            host: None,
            port: Some(5432),
            members: BTreeSet::from(["orders-1".into()]),
            tags: crate::inventory::Tags::new(),
        };
        let account = Account::new()
            .named("sg-d", "default", "vpc-a", &[])
            .database("orders-1", &["sg-d"])
            .change(|it| {
                it.databases.get_mut(&(account_region(), "orders-1".into())).expect("there").cluster =
                    Some("orders".into());
                it.database_clusters.insert((account_region(), "orders".into()), cluster);
            });
        let [finding] = found(&account, Rule::DatabaseInDefaultGroup).try_into().expect("one finding");
        assert_eq!(finding.resource.kind, "database cluster");
    }
}
