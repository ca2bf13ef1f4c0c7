//! What the internet really reaches: a way through gateway, routes, ACLs, groups and addresses, and no flag.

use std::collections::BTreeMap;

use super::facts::{Facts, few, first};
use super::serving::{Owner, owner};
use super::split::by_flow;
use super::{Finding, Rule, Severity, Subject};
use crate::inventory::Interface;
use crate::net::{Cidr, Family, Flow, Icmp, Ports};
use crate::reach::{End, Flows, Role, RoleId, Way};

/// Ports that nobody should find on the internet, and what usually listens there.
///
/// Source: IANA's registry of ports, and what the products that keep others document.
const GUARDED: &[(u16, u16, &str)] = &[
    (22, 22, "SSH"),
    (23, 23, "telnet"),
    (445, 445, "SMB"),
    (1433, 1434, "SQL Server"),
    (1521, 1521, "Oracle"),
    (2375, 2376, "Docker"),
    (3306, 3306, "MySQL"),
    (3389, 3389, "RDP"),
    (5432, 5432, "PostgreSQL"),
    (5439, 5439, "Redshift"),
    (5900, 5900, "VNC"),
    (5984, 5984, "CouchDB"),
    (6379, 6379, "Redis"),
    (7000, 7001, "Cassandra"),
    (8182, 8182, "Neptune"),
    (9042, 9042, "Cassandra"),
    (9200, 9200, "Elasticsearch"),
    (9300, 9300, "Elasticsearch"),
    (11211, 11211, "memcached"),
    (27017, 27019, "MongoDB"),
    (50000, 50000, "DB2"),
];

/// What a way from the internet to a role comes to.
struct Reached {
    severity: Severity,
    /// Flows, and who outside may send them.
    whom: Vec<(Flows, String)>,
    flows: Flows,
    guarded: Vec<&'static str>,
    /// Whether only named addresses are let in.
    narrow: bool,
}

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let mut roles: BTreeMap<RoleId, Vec<&Way>> = BTreeMap::new();
    for way in &facts.from_internet {
        if let End::Role(to) = way.to {
            roles.entry(to).or_default().push(way);
        }
    }
    roles
        .into_iter()
        .filter_map(|(id, ways)| Some((facts.role(id)?, ways)))
        .filter_map(|(role, ways)| {
            let interfaces = interfaces(facts, role);
            match reached(facts, &interfaces, &ways) {
                Some(reached) => Some(finding(facts, role, &interfaces, &reached)),
                None => unknown(facts, role, &ways),
            }
        })
        .collect()
}

fn interfaces<'a>(facts: &Facts<'a>, role: &Role) -> Vec<&'a Interface> {
    let ids = role.members.iter().filter_map(|member| member.parse().ok());
    ids.filter_map(|id| facts.inventory.interfaces.get(&id)).collect()
}

/// What surely passes, and how bad that is.
fn reached(facts: &Facts<'_>, interfaces: &[&Interface], ways: &[&Way]) -> Option<Reached> {
    // A way without addresses is for everyone outside; the others are for those that they name.
    let of = |named: bool| ways.iter().filter(move |way| way.addresses.is_empty() != named);
    let anyone = of(false).fold(Flows::NONE, |flows, way| flows.union(&way.flows));
    let rules: Vec<(Flows, Vec<Cidr>)> = of(true)
        .map(|way| (way.flows.minus(&anyone), way.addresses.clone()))
        .filter(|(flows, _)| !flows.is_empty())
        .collect();
    let mut whom = Vec::new();
    if !anyone.is_empty() {
        whom.push((anyone.clone(), "everyone".to_owned()));
    }
    let (mut wide, mut all) = (anyone.clone(), anyone);
    for family in [Family::V4, Family::V6] {
        for (flows, union) in by_flow(family, &rules) {
            all = all.union(&flows);
            if union.is_wide() {
                wide = wide.union(&flows);
            }
            whom.push((flows, union.to_string()));
        }
    }
    if all.is_empty() {
        return None;
    }
    let narrow = wide.is_empty();
    let flows = if narrow { all } else { wide };
    let served: Flows = interfaces
        .iter()
        .filter_map(|interface| match owner(facts.inventory, interface) {
            Owner::Database(_, ports) | Owner::Cache(_, ports) => Some(ports),
            _ => None,
        })
        .flatten()
        .map(|port| Flow::Tcp(Ports::one(port)))
        .collect();
    let guarded = guarded(&flows);
    let data = flows.meets(&served);
    let balanced = !interfaces.is_empty()
        && interfaces.iter().all(|it| matches!(owner(facts.inventory, it), Owner::LoadBalancer(_)));
    let severity = if narrow || balanced && web().covers(&flows) {
        Severity::Note
    } else if flows.is_all() || data || !guarded.is_empty() {
        Severity::High
    } else if icmp().covers(&flows) {
        Severity::Low
    } else {
        Severity::Medium
    };
    Some(Reached { severity, whom, flows, guarded, narrow })
}

/// The names of what usually listens on some of these ports, each once.
pub(super) fn guarded(flows: &Flows) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (from, to, name) in GUARDED {
        let ports = Ports::range(*from, *to).map(Flow::Tcp).map(Flows::from);
        if ports.is_some_and(|ports| flows.meets(&ports)) && !names.contains(name) {
            names.push(name);
        }
    }
    names
}

/// HTTP and HTTPS, where a load balancer is meant to be reached; QUIC among them.
pub(super) fn web() -> Flows {
    [Flow::Tcp(Ports::one(80)), Flow::Tcp(Ports::one(443)), Flow::Udp(Ports::one(443))].into_iter().collect()
}

fn icmp() -> Flows {
    [Flow::Icmp(Icmp::All), Flow::Icmpv6(Icmp::All)].into_iter().collect()
}

fn finding(facts: &Facts<'_>, role: &Role, interfaces: &[&Interface], reached: &Reached) -> Finding {
    let members: Vec<&str> = role.members.iter().map(String::as_str).collect();
    let reachable: Vec<&str> = with_public_address(interfaces, &members);
    let (hops, gaps) = facts.hops_from_internet(&reachable, &reached.flows);
    let mut evidence: Vec<String> =
        reached.whom.iter().map(|(flows, whom)| format!("{flows} from {whom}")).collect();
    if !role.owners.is_empty() {
        evidence.push(format!("who is reached: {}", few(&role.owners)));
    }
    evidence.extend(hops);
    let what = match reached.guarded.as_slice() {
        _ if reached.flows.is_all() => "everything".to_owned(),
        [] => reached.flows.to_string(),
        names => format!("{} ({})", reached.flows, few(names)),
    };
    let whom = if reached.narrow { "named addresses of the internet reach" } else { "the internet reaches" };
    let groups = few(role.groups.iter().map(|group| facts.group_text(group)));
    Finding {
        rule: Rule::InternetReachable,
        severity: reached.severity,
        resource: subject(facts, role),
        of: Some(which(role)),
        about: format!("{whom} {} on {what}", role.name),
        evidence,
        fix: if reached.narrow {
            format!("if these addresses are no longer needed, take them out of {groups}")
        } else if role.groups.is_empty() {
            "let it have no public address, or a security group that admits only who needs it".to_owned()
        } else {
            format!("let {groups} admit only who needs it, or let it have no public address")
        },
        commands: Vec::new(),
        gaps,
    }
}

/// Members with a public address or one of IPv6 first in question: they show the way.
fn with_public_address<'m>(interfaces: &[&Interface], members: &[&'m str]) -> Vec<&'m str> {
    let public = |member: &&str| {
        interfaces.iter().any(|interface| {
            interface.id.as_str() == *member
                && interface.addresses.iter().any(|own| own.public.is_some() || own.address.is_ipv6())
        })
    };
    let (mut first, others): (Vec<&str>, Vec<&str>) = members.iter().copied().partition(public);
    first.extend(others);
    first
}

/// What only passes if that which could not be seen lets it.
fn unknown(facts: &Facts<'_>, role: &Role, ways: &[&Way]) -> Option<Finding> {
    let flows = ways.iter().fold(Flows::NONE, |all, way| all.union(&way.at_most));
    if flows.is_empty() {
        return None;
    }
    let members: Vec<&str> = role.members.iter().map(String::as_str).collect();
    let (hops, gaps) = facts.hops_from_internet(&members, &flows);
    Some(Finding {
        rule: Rule::InternetReachable,
        severity: Severity::Note,
        resource: subject(facts, role),
        of: Some(which(role)),
        about: format!(
            "whether the internet reaches {} is not known: what could not be seen decides",
            role.name
        ),
        evidence: std::iter::once(format!("at most {flows}")).chain(first(hops, 12)).collect(),
        fix: "allow the calls that gave no answer, and look again".to_owned(),
        commands: Vec::new(),
        gaps,
    })
}

/// A role is known by its VPC and groups: interfaces come and go.
fn subject(facts: &Facts<'_>, role: &Role) -> Subject {
    let groups: Vec<&str> = role.groups.iter().map(|group| group.as_str()).collect();
    let groups = if groups.is_empty() { "no group".to_owned() } else { groups.join("+") };
    let id = format!("{}/{groups}", role.vpc);
    Subject { id, kind: "role", name: Some(role.name.clone()), place: facts.place(&role.vpc) }
}

/// What tells roles of the same groups apart: their subnets, and what has no interface that was seen.
fn which(role: &Role) -> String {
    let unseen = role.members.iter().filter(|member| !member.starts_with("eni-"));
    let parts: Vec<&str> =
        role.subnets.iter().map(|id| id.as_str()).chain(unseen.map(String::as_str)).collect();
    parts.join("+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_should_not_be_found_is_called_by_its_name() {
        let check = |flows: &[&str], expected: &[&str]| {
            let flows: Flows = flows.iter().map(|flow| flow.parse::<Flow>().expect("a flow")).collect();
            assert_eq!(guarded(&flows), expected);
        };
        check(&["tcp/22"], &["SSH"]);
        check(&["tcp/3000-3400"], &["MySQL", "RDP"]);
        check(&["tcp/80", "udp/5432"], &[]);
        check(&["tcp/7000-9042"], &["Cassandra", "Neptune"]);
    }
}
