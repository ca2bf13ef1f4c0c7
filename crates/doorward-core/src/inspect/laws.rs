//! What holds for every account, however odd.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::testing::{Account, id};
use super::{Finding, inspect};
use crate::inventory::{Call, RouteTarget, SecurityGroupId};
use crate::reach::{Reachability, after};

const GROUPS: [&str; 4] = ["sg-a", "sg-b", "sg-c", "sg-gone"];
const PEERS: [&str; 9] =
    ["sg-a", "sg-b", "sg-c", "sg-gone", "pl-a", "0.0.0.0/0", "10.0.0.0/8", "128.0.0.0/1", "::/0"];
const FLOWS: [&str; 8] =
    ["all", "tcp/22", "tcp/5432", "tcp/0-65535", "udp/53", "icmp/8/0", "icmpv6", "proto/50"];

/// An account of a few parts that refer to each other, and to what is not there.
fn account() -> impl Strategy<Value = Account> {
    let rule = (any::<bool>(), 0..FLOWS.len(), 0..PEERS.len()).prop_map(|(inward, flow, peer)| {
        format!("{} {} {}", if inward { "in" } else { "out" }, FLOWS[flow], PEERS[peer])
    });
    let groups =
        prop::collection::vec((prop::collection::vec(rule, 0..6), any::<bool>(), any::<bool>()), 0..4);
    let interface = (0..3_usize, prop::collection::btree_set(0..4_usize, 0..4), 0..6_usize, any::<bool>());
    let interfaces = prop::collection::vec(interface, 0..6);
    let entry = (any::<bool>(), 1_u32..40, 0..FLOWS.len(), 5..PEERS.len(), any::<bool>());
    let entries = prop::collection::vec(entry, 0..8);
    let gaps = prop::collection::vec(0..Call::ALL.len(), 0..4);
    (groups, interfaces, entries, gaps, any::<[bool; 6]>()).prop_map(
        |(groups, interfaces, entries, gaps, is)| {
            let mut account = Account::new();
            for (number, (rules, default, far)) in groups.iter().enumerate() {
                let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
                let name = if *default { "default" } else { GROUPS[number] };
                account = account.named(GROUPS[number], name, if *far { "vpc-b" } else { "vpc-a" }, &rules);
            }
            for (number, (subnet, groups, kind, public)) in interfaces.iter().enumerate() {
                let interface = format!("eni-{number}");
                let groups: Vec<&str> = groups.iter().map(|at| GROUPS[*at]).collect();
                let subnet = ["subnet-a", "subnet-b", "subnet-c"][*subnet];
                account = match public {
                    true => account.public(&interface, subnet, &groups),
                    false => account.interface(&interface, subnet, &groups),
                };
                let requester =
                    [None, Some("amazon-rds"), Some("amazon-elasticache"), Some("amazon-elb"), None, None];
                account = account.with(&interface, |it| {
                    it.requester = requester[*kind].map(str::to_owned);
                    it.kind = if *kind == 4 { "lambda".into() } else { "interface".into() };
                    it.attached = *kind != 5;
                });
            }
            let entries: Vec<String> = entries
                .iter()
                .map(|(inward, number, flow, peer, allow)| {
                    let action = if *allow { "allow" } else { "deny" };
                    let way = if *inward { "in" } else { "out" };
                    format!("{way} {number} {} {} {action}", FLOWS[*flow], PEERS[*peer])
                })
                .collect();
            let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
            account = account.acl("acl-x", "vpc-a", &["subnet-a"], &entries);
            if is[0] {
                account = account.internet();
            }
            if is[1] {
                account = account.database("orders", &["sg-a"]).database_subnets("private", &["subnet-a"]);
            }
            if is[2] {
                account =
                    account.peering("pcx-a", "vpc-a", "vpc-b", if is[3] { "active" } else { "deleted" });
            }
            if is[4] {
                let nat = RouteTarget::NatGateway(id("nat-gone"));
                account = account.table("rtb-x", "vpc-a", &["subnet-b"], &[("0.0.0.0/0 blackhole", nat)]);
            }
            if is[5] {
                account = account.function("report", &["sg-b", "sg-gone"]);
            }
            gaps.iter().fold(account, |account, call| account.gap(Call::ALL[*call]))
        },
    )
}

fn findings(account: &Account) -> Vec<Finding> {
    inspect(&Reachability::of(account.0.clone()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_account_is_inspected_and_always_alike(account in account()) {
        let found = findings(&account);
        prop_assert_eq!(&found, &findings(&account));
        let order = |finding: &Finding| {
            (finding.severity, finding.rule, finding.resource.clone(), finding.of.clone())
        };
        prop_assert!(found.is_sorted_by_key(order));
        let prints: std::collections::BTreeSet<String> = found.iter().map(Finding::fingerprint).collect();
        prop_assert_eq!(prints.len(), found.len(), "two findings are told apart by nothing: {:#?}", found);
        for finding in &found {
            prop_assert!(!finding.about.is_empty() && !finding.fix.is_empty());
            prop_assert!(finding.remedy.commands.iter().all(|command| command.starts_with("aws ")));
        }
    }

    /// The changes of a finding can be made, and the account that has them does not have the finding any more.
    #[test]
    fn a_remedy_fixes_its_finding(account in account()) {
        for finding in findings(&account).into_iter().filter(|finding| !finding.remedy.changes.is_empty()) {
            let after = match after(&account.0, &finding.remedy.changes) {
                Ok(after) => after,
                Err(error) => return Err(TestCaseError::fail(format!("{error}: {finding:#?}"))),
            };
            let left = inspect(&Reachability::of(after));
            let again = left.iter().find(|left| {
                left.fingerprint() == finding.fingerprint() && left.evidence == finding.evidence
            });
            prop_assert!(again.is_none(), "{:#?}", finding);
            prop_assert!(!finding.remedy.commands.is_empty());
        }
    }

    /// A fingerprint says which finding it is, not how it stands.
    #[test]
    fn a_gap_more_changes_no_fingerprint_of_a_group_that_is_wide(account in account()) {
        let prints = |account: &Account| {
            let found = findings(account);
            let wide = found.iter().filter(|finding| finding.rule == super::Rule::WideRule);
            wide.map(Finding::fingerprint).collect::<std::collections::BTreeSet<_>>()
        };
        let before = prints(&account);
        prop_assert_eq!(before, prints(&account.gap(Call::Functions)));
    }
}

#[test]
fn an_empty_account_has_nothing_to_find() {
    let nothing = crate::inventory::Inventory::default();
    assert_eq!(inspect(&Reachability::of(nothing)), []);
}

#[test]
fn the_groups_of_the_accounts_are_ids() {
    for group in GROUPS {
        assert!(group.parse::<SecurityGroupId>().is_ok(), "{group}");
    }
}
