//! Routes that drop what they match, and tables that nothing uses.

use std::collections::BTreeSet;

use super::facts::{Facts, name, some};
use super::{Finding, Remedy, Rule, Severity, Subject};
use crate::inventory::{Call, Destination, Inventory, RouteTable, SubnetId, TransitTable};
use crate::reach::{Change, Edit};

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let tables = facts.inventory.route_tables.values();
    let mut findings: Vec<Finding> =
        tables.flat_map(|table| blackholes(facts, table).into_iter().chain(unused(facts, table))).collect();
    findings.extend(facts.inventory.transit_tables.values().filter_map(|table| transit(facts, table)));
    findings
}

/// The subnets that use a table: by name, or because they have none of their own and it is the main one.
pub(super) fn users<'i>(inventory: &'i Inventory, table: &RouteTable) -> BTreeSet<&'i SubnetId> {
    let own = inventory.subnets.values().filter(|subnet| subnet.vpc == table.vpc);
    own.filter(|subnet| table_of(inventory, &subnet.id).is_some_and(|used| used.id == table.id))
        .map(|subnet| &subnet.id)
        .collect()
}

/// The table that a subnet uses, if that was seen.
pub(super) fn table_of<'i>(inventory: &'i Inventory, subnet: &SubnetId) -> Option<&'i RouteTable> {
    let vpc = &inventory.subnets.get(subnet)?.vpc;
    let own = inventory.route_tables.values().find(|table| table.subnets.contains(subnet));
    own.or_else(|| inventory.route_tables.values().find(|table| table.main && table.vpc == *vpc))
}

pub(super) fn destination(inventory: &Inventory, to: &Destination) -> String {
    match to {
        Destination::Cidr(cidr) => cidr.to_string(),
        Destination::PrefixList(id) => match inventory.prefix_lists.get(id) {
            Some(list) if !list.name.is_empty() => format!("{id} ({})", list.name),
            _ => id.to_string(),
        },
    }
}

fn blackholes(facts: &Facts<'_>, table: &RouteTable) -> Option<Finding> {
    let dead: Vec<_> = table.routes.iter().filter(|route| route.blackhole).collect();
    if dead.is_empty() {
        return None;
    }
    let resource = facts.of_vpc("route table", &table.id, &table.tags, &table.vpc);
    let users = users(facts.inventory, table);
    let to = some(dead.iter().map(|route| destination(facts.inventory, &route.destination)));
    let mut evidence: Vec<String> = dead
        .iter()
        .map(|route| {
            format!("{} by {}: blackhole", destination(facts.inventory, &route.destination), route.target)
        })
        .collect();
    evidence.push(match users.len() {
        0 if table.gateways.is_empty() => "no subnet uses the table".to_owned(),
        0 => format!("it routes what comes in by {}", some(&table.gateways)),
        _ => format!("used by {}", some(users.iter().map(|subnet| facts.subnet_text(subnet)))),
    });
    let gaps = facts.gaps(&[Call::Subnets], &resource.account_region);
    let used = !users.is_empty() || !table.gateways.is_empty() || !gaps.is_empty();
    // Propagated routes go with what propagates them and cannot be deleted.
    let removed = dead.iter().filter(|route| !route.propagated).map(|route| Change::Route {
        table: table.id.clone(),
        edit: Edit::Remove(route.destination.clone()),
    });
    Some(Finding {
        rule: Rule::BlackholeRoute,
        severity: if used { Severity::Medium } else { Severity::Low },
        about: format!("packets that {} routes to {to} are dropped, since the target is gone", table.id),
        resource,
        of: None,
        evidence,
        fix: "replace these routes by ones to a target that exists, or delete them".to_owned(),
        remedy: Remedy::of(facts, removed),
        gaps,
    })
}

fn unused(facts: &Facts<'_>, table: &RouteTable) -> Option<Finding> {
    if table.main || !table.gateways.is_empty() || !table.subnets.is_empty() {
        return None;
    }
    let resource = facts.of_vpc("route table", &table.id, &table.tags, &table.vpc);
    Some(Finding {
        rule: Rule::UnusedRouteTable,
        severity: Severity::Note,
        about: format!("no subnet and no gateway uses {}", table.id),
        resource,
        of: None,
        evidence: vec![format!("it is in {} and not its main table", table.vpc)],
        fix: "associate it, or delete it".to_owned(),
        remedy: Remedy::of(facts, [Change::DeleteRouteTable { table: table.id.clone() }]),
        gaps: Vec::new(),
    })
}

fn transit(facts: &Facts<'_>, table: &TransitTable) -> Option<Finding> {
    let dead: Vec<_> = table.routes.iter().flatten().filter(|route| route.blackhole).collect();
    if dead.is_empty() {
        return None;
    }
    let gateway = facts.inventory.transit_gateways.get(&table.gateway);
    let account_region = gateway.map(|gateway| gateway.account_region.clone()).unwrap_or_default();
    let users = facts.inventory.attachments.values().filter(|one| one.table.as_ref() == Some(&table.id));
    let users: BTreeSet<String> = users.map(|one| one.id.to_string()).collect();
    let mut evidence: Vec<String> = dead
        .iter()
        .map(|route| match route.attachments.is_empty() {
            true => format!("{} is a black hole with no attachment, which may be meant", route.cidr),
            false => format!("{} by {}: blackhole", route.cidr, some(&route.attachments)),
        })
        .collect();
    evidence.push(match users.is_empty() {
        true => "no attachment that was seen uses the table".to_owned(),
        false => format!("used by {}", some(&users)),
    });
    let removed = dead.iter().filter(|route| !route.propagated && !route.attachments.is_empty());
    let removed =
        removed.map(|route| Change::DeleteTransitRoute { table: table.id.clone(), cidr: route.cidr });
    Some(Finding {
        rule: Rule::BlackholeRoute,
        severity: Severity::Low,
        about: format!("{} drops what is for {}", table.id, some(dead.iter().map(|route| route.cidr))),
        resource: Subject {
            id: table.id.to_string(),
            kind: "transit gateway route table",
            name: name(&table.tags),
            account_region: account_region.clone(),
        },
        of: None,
        evidence,
        fix:
            "replace these routes by ones to an attachment that exists, or delete those that are not intended"
                .to_owned(),
        remedy: Remedy::of(facts, removed),
        gaps: facts.gaps(&[Call::TransitAttachments], &account_region),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found, id};
    use super::*;
    use crate::inventory::{RouteTarget, Tags, TransitRoute};

    fn nat() -> RouteTarget {
        RouteTarget::NatGateway(id("nat-gone"))
    }

    #[test]
    fn a_route_whose_target_is_gone() {
        let account =
            Account::new().table("rtb-x", "vpc-a", &["subnet-a"], &[("0.0.0.0/0 blackhole", nat())]);
        let [finding] = found(&account, Rule::BlackholeRoute).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(finding.evidence, ["0.0.0.0/0 by nat-gone: blackhole", "used by subnet-a"]);
        assert_eq!(
            finding.remedy.commands,
            [
                "aws ec2 delete-route --region eu-west-1 --route-table-id rtb-x --destination-cidr-block 0.0.0.0/0"
            ]
        );
    }

    #[test]
    fn the_main_table_is_used_by_who_has_none() {
        let account = Account::new().table("rtb-a", "vpc-a", &[], &[("10.9.0.0/16 blackhole", nat())]);
        check(&account, Rule::BlackholeRoute, &[(Severity::Low, "rtb-a")]);
        let account = account.change(|it| it.route_tables.get_mut("rtb-a").expect("there").main = true);
        let [finding] = found(&account, Rule::BlackholeRoute).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(finding.evidence[1], "used by subnet-a, subnet-b");
    }

    #[test]
    fn a_table_that_nothing_uses() {
        let account = Account::new().table("rtb-x", "vpc-a", &[], &[]);
        check(&account, Rule::UnusedRouteTable, &[(Severity::Note, "rtb-x")]);
        let edge = |it: &mut Inventory| {
            it.route_tables.get_mut("rtb-x").expect("there").gateways = BTreeSet::from(["igw-a".into()]);
        };
        check(&account.change(edge), Rule::UnusedRouteTable, &[]);
        check(&Account::new().table("rtb-x", "vpc-a", &["subnet-a"], &[]), Rule::UnusedRouteTable, &[]);
    }

    #[test]
    fn a_black_hole_of_a_transit_gateway_may_be_meant() {
        let with = |blackhole: bool| {
            let route = TransitRoute {
                cidr: id("10.9.0.0/16"),
                prefix_list: None,
                attachments: BTreeSet::new(),
                propagated: false,
                blackhole,
            };
            let table = TransitTable {
                id: id("tgw-rtb-a"),
                gateway: id("tgw-a"),
                routes: Some(vec![route]),
                propagations: BTreeSet::new(),
                tags: Tags::new(),
            };
            Account::new().change(|it| drop(it.transit_tables.insert(table.id.clone(), table)))
        };
        check(&with(false), Rule::BlackholeRoute, &[]);
        let [finding] = found(&with(true), Rule::BlackholeRoute).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Low);
        assert!(finding.remedy.commands.is_empty());
    }
}
