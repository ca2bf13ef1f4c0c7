//! Network ACLs that let a connection through one way and not its replies.

use std::collections::{BTreeMap, BTreeSet};

use super::addresses::Addresses;
use super::facts::{Facts, some};
use super::{Finding, Remedy, Rule, Severity};
use crate::inventory::{AclEntry, Call, Direction, NetworkAcl, SubnetId};
use crate::net::ranges;
use crate::net::{Cidr, Family, Flow, Ports};
use crate::reach::{Change, Edit, Flows};

/// The ports that clients choose for themselves.
///
/// Source: VPC user guide, ephemeral ports; `ip_local_port_range` of Linux.
const CLIENTS: [(u16, u16, &str); 3] = [
    (32_768, 60_999, "Linux"),
    (49_152, 65_535, "Windows"),
    (1_024, 65_535, "NAT gateways, load balancers and Lambda"),
];

/// A protocol of connections that have ports.
type Protocol = (&'static str, fn(Ports) -> Flow);

const PROTOCOLS: [Protocol; 2] = [("tcp", Flow::Tcp), ("udp", Flow::Udp)];

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for acl in facts.inventory.network_acls.values() {
        let subnets = subnets(facts, acl);
        if subnets.is_empty() {
            continue;
        }
        for direction in [Direction::In, Direction::Out] {
            for family in [Family::V4, Family::V6] {
                findings.extend(of_direction(facts, acl, &subnets, direction, family));
            }
        }
    }
    findings
}

fn subnets<'a>(facts: &Facts<'a>, acl: &'a NetworkAcl) -> BTreeSet<&'a SubnetId> {
    let mut subnets: BTreeSet<&SubnetId> = acl.subnets.iter().collect();
    if acl.default {
        let own = facts.inventory.subnets.values().filter(|subnet| subnet.vpc == acl.vpc);
        let alone =
            |id: &SubnetId| facts.inventory.network_acls.values().all(|acl| !acl.subnets.contains(id));
        subnets.extend(own.map(|subnet| &subnet.id).filter(|id| alone(id)));
    }
    subnets
}

/// What passes one way, and which replies come back, for some addresses outside the subnet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    protocol: &'static str,
    service: Flows,
    replies: Flows,
    /// Whether it may be there for replies alone: everything passes this way, and only some ports the other way.
    doubtful: bool,
}

/// Connections in one direction whose replies are cut.
fn cuts(acl: &NetworkAcl, direction: Direction, family: Family) -> BTreeMap<Cut, Addresses> {
    let own: Vec<&AclEntry> = acl.entries.iter().filter(|entry| entry.cidr.family() == family).collect();
    let begins: BTreeSet<u128> = own
        .iter()
        .flat_map(|entry| {
            let (from, to) = ranges::bounds(entry.cidr);
            [Some(from), to.checked_add(1)]
        })
        .flatten()
        .collect();
    let (_, last) = ranges::bounds(everyone(family));
    let named_back = own.iter().any(|entry| entry.direction != direction && entry.allow && is_named(entry));
    let mut ranges: BTreeMap<Cut, Vec<(u128, u128)>> = BTreeMap::new();
    for from in begins.iter().copied().filter(|from| *from <= last) {
        let to = begins.range(from.saturating_add(1)..).next().map_or(last, |next| (next - 1).min(last));
        let passes = allowed(&own, direction, from, family);
        let back = allowed(&own, opposite(direction), from, family);
        let (meant, named) = meant_for(&own, direction, from);
        for (protocol, flow) in PROTOCOLS {
            let service = passes.and(&meant).and(&flow(Ports::ALL).into());
            let replies = back.and(&chosen(1_024, 65_535, flow));
            if !service.is_empty() && replies != chosen(1_024, 65_535, flow) {
                let doubtful = !named && named_back;
                ranges.entry(Cut { protocol, service, replies, doubtful }).or_default().push((from, to));
            }
        }
    }
    ranges.into_iter().map(|(cut, ranges)| (cut, Addresses::from_ranges(family, ranges))).collect()
}

fn everyone(family: Family) -> Cidr {
    Cidr::around(
        match family {
            Family::V4 => std::net::Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
        },
        0,
    )
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::In => Direction::Out,
        Direction::Out => Direction::In,
    }
}

fn chosen(from: u16, to: u16, flow: fn(Ports) -> Flow) -> Flows {
    Ports::range(from, to).map(flow).map(Flows::from).unwrap_or_default()
}

/// What passes in a direction with one address outside: the lowest number that matches decides.
fn allowed(entries: &[&AclEntry], direction: Direction, address: u128, family: Family) -> Flows {
    let mut own: Vec<&AclEntry> = entries
        .iter()
        .copied()
        .filter(|entry| {
            let (from, to) = ranges::bounds(entry.cidr);
            entry.direction == direction && (from..=to).contains(&address)
        })
        .collect();
    own.sort_by_key(|entry| entry.number);
    let (mut passes, mut rest) = (Flows::NONE, Flows::of_family(family));
    for entry in own {
        let decided = rest.and(&entry.flow.into());
        rest = rest.minus(&decided);
        if entry.allow {
            passes = passes.union(&decided);
        }
    }
    passes
}

/// Whether all that clients on Linux or on Windows choose is among some ports.
fn holds(ports: Ports) -> bool {
    CLIENTS.iter().any(|(from, to, _)| ports.from() <= *from && ports.to() >= *to)
}

/// Whether an entry is for some ports, and not for all or for those of replies.
fn is_named(entry: &AclEntry) -> bool {
    entry.flow.ports().is_some_and(|ports| !holds(ports))
}

/// What the entries for an address let through that is not there for replies, and whether one of them names ports.
///
/// An entry is there for replies when it begins above 1023 and holds all that clients on Linux or on Windows choose.
fn meant_for(entries: &[&AclEntry], direction: Direction, address: u128) -> (Flows, bool) {
    let (mut meant, mut named) = (Flows::NONE, false);
    for entry in entries.iter().filter(|entry| entry.direction == direction && entry.allow) {
        let (from, to) = ranges::bounds(entry.cidr);
        let holds =
            |ports: Ports| CLIENTS.iter().any(|(from, to, _)| ports.from() <= *from && ports.to() >= *to);
        let replies = entry.flow.ports().is_some_and(|ports| ports.from() >= 1_024 && holds(ports));
        if replies || !(from..=to).contains(&address) {
            continue;
        }
        named |= entry.flow.ports().is_some_and(|ports| !holds(ports));
        meant = meant.union(&entry.flow.into());
    }
    (meant, named)
}

/// Which clients lose replies, in a sentence, and whether those on Linux or Windows are among them.
fn lost(cut: &Cut) -> (String, bool) {
    let flow = if cut.protocol == "tcp" { Flow::Tcp } else { Flow::Udp };
    if cut.replies.is_empty() {
        return ("cut: all clients".to_owned(), true);
    }
    let mut words = Vec::new();
    let mut people = false;
    for (number, (from, to, name)) in CLIENTS.iter().enumerate() {
        let all = chosen(*from, *to, flow);
        let gone = all.minus(&cut.replies);
        if gone.is_empty() {
            continue;
        }
        people |= number < 2;
        words.push(if gone == all {
            format!("{name} ({from}-{to})")
        } else {
            format!("{name} ({from}-{to}) where the port is of {gone}")
        });
    }
    (format!("cut: clients on {}", words.join("; ")), people)
}

fn of_direction(
    facts: &Facts<'_>,
    acl: &NetworkAcl,
    subnets: &BTreeSet<&SubnetId>,
    direction: Direction,
    family: Family,
) -> Option<Finding> {
    let cuts = cuts(acl, direction, family);
    if cuts.is_empty() {
        return None;
    }
    let (comes, goes, away) = match direction {
        Direction::In => ("comes in from", "go out to", "out"),
        Direction::Out => ("goes out to", "come in from there to", "in"),
    };
    let mut evidence = Vec::new();
    let mut services = Flows::NONE;
    let mut people = false;
    for (cut, whom) in &cuts {
        let ports = match cut.replies.is_empty() {
            true => "no port that a client chooses".to_owned(),
            false => format!("{} alone", cut.replies),
        };
        evidence.push(format!("{} {comes} {whom}; replies {goes} {ports}", cut.service));
        let (cut_off, some) = lost(cut);
        people |= some && !cut.doubtful;
        evidence.push(cut_off);
        if cut.doubtful {
            evidence.push("that may be meant for replies alone".to_owned());
        }
        services = services.union(&cut.service);
    }
    let lives = facts.inventory.interfaces.values().any(|interface| subnets.contains(&interface.subnet));
    let names = subnets.iter().map(|subnet| facts.subnet_text(subnet));
    evidence.push(format!("it guards {}", some(names)));
    if !lives {
        evidence.push("no interface that was seen is in these subnets".to_owned());
    }
    let resource = facts.of_vpc("network ACL", &acl.id, &acl.tags, &acl.vpc);
    let gaps = facts.gaps(&[Call::NetworkAcls], &resource.account_region);
    let severity = match (acl.incomplete || !gaps.is_empty(), lives, people) {
        (true, _, _) => Severity::Note,
        _ if cuts.keys().all(|cut| cut.doubtful) => Severity::Note,
        (false, true, true) => Severity::Medium,
        (false, _, _) => Severity::Low,
    };
    Some(Finding {
        rule: Rule::AclCutsReplies,
        severity,
        of: Some(format!("{} {family}", if direction == Direction::In { "inbound" } else { "outbound" })),
        about: format!("{} allows {services} and cuts the replies on {family}", acl.id),
        resource,
        evidence,
        fix: format!("allow {} 1024-65535 {away} to the same addresses", protocols(&cuts)),
        remedy: Remedy::of(facts, admit(acl, direction, &cuts)),
        gaps,
    })
}

fn protocols(cuts: &BTreeMap<Cut, Addresses>) -> String {
    let names: BTreeSet<&str> = cuts.keys().map(|cut| cut.protocol).collect();
    names.into_iter().collect::<Vec<_>>().join(" and ")
}

/// Entries that let the replies through, where nothing but the deny at the end is in their way: what somebody
/// denied on purpose is not undone by a command to copy. They are for the prefixes that the connections are let
/// through for.
fn admit(acl: &NetworkAcl, direction: Direction, cuts: &BTreeMap<Cut, Addresses>) -> Vec<Change> {
    let mut wanted: BTreeSet<(&'static str, Cidr)> = BTreeSet::new();
    let own = || acl.entries.iter().filter(|entry| entry.number < 32_767);
    for (cut, whom) in cuts {
        let flow = if cut.protocol == "tcp" { Flow::Tcp } else { Flow::Udp };
        let missing = chosen(1_024, 65_535, flow).minus(&cut.replies);
        let mut denies = own().filter(|entry| entry.direction != direction && !entry.allow);
        if denies.any(|entry| missing.meets(&entry.flow.into())) {
            return Vec::new();
        }
        let lets = own().filter(|entry| {
            entry.direction == direction && entry.allow && cut.service.meets(&entry.flow.into())
        });
        let lets = lets.filter(|entry| whom.meets(entry.cidr));
        wanted.extend(lets.map(|entry| (cut.protocol, entry.cidr)));
    }
    let back = opposite(direction);
    let last = own().filter(|entry| entry.direction == back).map(|entry| entry.number).max().unwrap_or(0);
    let ports = Ports::range(1_024, 65_535).unwrap_or(Ports::ALL);
    let entries = wanted.into_iter().zip((1_u32..).map(|at| last + 10 * at));
    entries
        .filter(|(_, number)| *number < 32_767)
        .map(|((protocol, cidr), number)| {
            let flow = if protocol == "tcp" { Flow::Tcp(ports) } else { Flow::Udp(ports) };
            let entry = AclEntry { number, direction: back, cidr, flow, allow: true };
            Change::AclEntry { acl: acl.id.clone(), edit: Edit::Add(entry) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found};
    use super::*;

    const RULE: Rule = Rule::AclCutsReplies;

    fn acl(entries: &[&str]) -> Account {
        Account::new().acl("acl-x", "vpc-a", &["subnet-a"], entries).interface("eni-a", "subnet-a", &[])
    }

    #[test]
    fn nothing_goes_back_out() {
        let account = acl(&["in 100 tcp/443 0.0.0.0/0 allow"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(
            finding.evidence,
            [
                "tcp/443 comes in from everyone on IPv4; replies go out to no port that a client chooses",
                "cut: all clients",
                "it guards subnet-a",
            ]
        );
        assert_eq!(
            finding.remedy.commands,
            [
                "aws ec2 create-network-acl-entry --region eu-west-1 --network-acl-id acl-x --egress --rule-number 10 --protocol 6 --port-range From=1024,To=65535 --cidr-block 0.0.0.0/0 --rule-action allow"
            ]
        );
    }

    #[test]
    fn only_some_clients_are_cut() {
        let severities = |out: &str, expected: &[(Severity, &str)]| {
            let out = format!("out 100 {out} 0.0.0.0/0 allow");
            check(&acl(&["in 100 tcp/443 0.0.0.0/0 allow", &out]), RULE, expected);
        };
        severities("tcp/1024-65535", &[]);
        severities("tcp/0-65535", &[(Severity::Note, "acl-x")]);
        severities("tcp/32768-65535", &[(Severity::Low, "acl-x")]);
        severities("tcp/32768-60999", &[(Severity::Medium, "acl-x")]);
        severities("tcp/49152-65535", &[(Severity::Medium, "acl-x")]);
        severities("udp/1024-65535", &[(Severity::Medium, "acl-x")]);
    }

    #[test]
    fn ports_for_replies_are_no_service() {
        let account = acl(&[
            "in 100 tcp/443 0.0.0.0/0 allow",
            "in 110 tcp/1024-65535 0.0.0.0/0 allow",
            "out 100 tcp/1024-65535 0.0.0.0/0 allow",
            "out 110 tcp/80 10.0.0.0/8 allow",
        ]);
        check(&account, RULE, &[]);
    }

    #[test]
    fn what_goes_out_gets_its_replies_cut_too() {
        let account = acl(&["out 100 tcp/443 0.0.0.0/0 allow"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.of.as_deref(), Some("outbound IPv4"));
        assert!(finding.remedy.commands[0].contains("--ingress"), "{:?}", finding.remedy.commands);
    }

    #[test]
    fn a_deny_in_the_way_is_named_for_its_addresses_alone_and_not_undone() {
        let account = acl(&[
            "in 100 tcp/443 0.0.0.0/0 allow",
            "out 90 tcp/40000 192.0.2.0/24 deny",
            "out 100 tcp/1024-65535 0.0.0.0/0 allow",
        ]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(
            finding.evidence[0],
            "tcp/443 comes in from 192.0.2.0/24; replies go out to tcp/1024-39999, tcp/40001-65535 alone"
        );
        assert!(finding.remedy.commands.is_empty(), "{:?}", finding.remedy.commands);
    }

    #[test]
    fn what_passes_whole_may_be_for_replies_alone() {
        let account = acl(&["in 100 tcp/443 0.0.0.0/0 allow", "out 100 all 0.0.0.0/0 allow"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!((finding.severity, finding.of.as_deref()), (Severity::Note, Some("outbound IPv4")));
        assert!(finding.evidence.contains(&"that may be meant for replies alone".to_owned()));
        let account = acl(&["in 100 all 0.0.0.0/0 allow"]);
        check(&account, RULE, &[(Severity::Medium, "acl-x")]);
        check(&acl(&["in 100 all 0.0.0.0/0 allow", "out 100 all 0.0.0.0/0 allow"]), RULE, &[]);
    }

    #[test]
    fn many_prefixes_are_said_shortly_and_mended_as_they_were_written() {
        let account = acl(&["in 100 tcp/3306 192.0.2.7/32 allow", "out 100 all 0.0.0.0/0 allow"]);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Note, "what passes whole is for replies");
        assert_eq!(finding.evidence[1], "cut: all clients", "{:#?}", finding.evidence);
        assert!(
            finding.evidence[0].contains("goes out to everyone on IPv4 but 192.0.2.7/32;"),
            "{:?}",
            finding.evidence
        );
        assert_eq!(finding.remedy.commands.len(), 2, "{:?}", finding.remedy.commands);
        assert!(finding.remedy.commands.iter().all(|command| command.contains("--cidr-block 0.0.0.0/0 ")));
    }

    #[test]
    fn an_acl_of_no_subnet_cuts_nobody() {
        check(&Account::new().acl("acl-x", "vpc-a", &[], &["in 100 tcp/443 0.0.0.0/0 allow"]), RULE, &[]);
    }
}
