//! A change that is made in place says and does the same as two inventories that are compared.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use doorward_core::inventory::{Inventory, RuleIdentity, SecurityGroupId};
use doorward_core::net::Cidr;
use doorward_core::reach::{Change, Edit, End, Flows, PathQuery, Reachability, after};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::accounts::accounts;

const FLOWS: [&str; 5] = ["all", "tcp/443", "tcp/1024-65535", "udp/53", "icmp/8"];
const PREFIXES: [&str; 9] = [
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/16",
    "10.0.0.0/24",
    "10.0.0.10/32",
    "10.1.0.0/16",
    "198.51.100.0/24",
    "192.168.0.0/16",
    "2001:db8::/32",
];

/// A rule that comes, or one that stands and goes.
fn changes() -> impl Strategy<Value = Vec<(Index, bool, Index, Index, Index)>> {
    prop::collection::vec(any::<(Index, bool, Index, Index, Index)>(), 1..3)
}

fn meant(inventory: &Inventory, drawn: &[(Index, bool, Index, Index, Index)]) -> Vec<Change> {
    let ids: Vec<&SecurityGroupId> = inventory.groups.keys().collect();
    let mut changes: Vec<Change> = Vec::new();
    for (group, comes, flow, peer, direction) in drawn {
        let id = group.get(&ids);
        let existing: Vec<&RuleIdentity> = inventory.groups[*id].rules.keys().collect();
        let edit = if *comes || existing.is_empty() {
            let path = if direction.index(2) == 0 { "from" } else { "to" };
            let other = if direction.index(3) == 0 {
                peer.get(&ids).to_string()
            } else {
                peer.get(&PREFIXES).parse::<Cidr>().expect("a prefix").to_string()
            };
            Edit::Add(format!("{} {path} {other}", flow.get(&FLOWS)).parse().expect("a rule"))
        } else {
            Edit::Remove((*flow.get(&existing)).clone())
        };
        let change = Change::Rule { group: (*id).clone(), edit };
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    changes
}

fn pairs(reach: &Reachability) -> BTreeMap<(String, String), Flows> {
    let mut pairs = BTreeMap::new();
    reach.pairs(&PathQuery::default(), &mut |pair| {
        pairs.insert((pair.from.to_string(), pair.to.to_string()), pair.flows.clone());
        ControlFlow::Continue(())
    });
    pairs
}

fn paths(reach: &Reachability) -> Vec<(End, End, Flows, Vec<Cidr>)> {
    let mut paths = Vec::new();
    reach.paths(&PathQuery::default(), &mut |path| {
        paths.push((path.from, path.to, path.flows, path.addresses));
        ControlFlow::Continue(())
    });
    paths
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500),
        failure_persistence: None,
        rng_seed: crate::accounts::seed(),
        ..ProptestConfig::default()
    })]

    #[test]
    fn in_place_is_as_anew(account in accounts(), drawn in changes()) {
        let inventory = account.inventory.clone();
        prop_assume!(!inventory.groups.is_empty());
        let changes = meant(&inventory, &drawn);
        let Ok(changed) = after(&inventory, &changes) else { return Ok(()) };
        let before = Reachability::of(inventory.clone());
        let anew = Reachability::of(changed.clone());
        let expected = before.compare(&anew);
        let mut in_place = Reachability::of(inventory);
        let told = in_place.change(&changes).expect("possible");
        prop_assert_eq!(told, expected, "{:?}", changes.iter().map(ToString::to_string).collect::<Vec<_>>());
        prop_assert_eq!(in_place.inventory(), &changed);
        prop_assert_eq!(pairs(&in_place), pairs(&anew));
        prop_assert_eq!(paths(&in_place), paths(&anew));
    }

    /// What opens is what passes afterwards and did not before, between any two.
    #[test]
    fn a_difference_is_one_of_pairs(account in accounts(), drawn in changes()) {
        let inventory = account.inventory.clone();
        prop_assume!(!inventory.groups.is_empty());
        let changes = meant(&inventory, &drawn);
        let Ok(changed) = after(&inventory, &changes) else { return Ok(()) };
        let (before, anew) = (Reachability::of(inventory), Reachability::of(changed));
        let difference = before.compare(&anew);
        let (old, new) = (pairs(&before), pairs(&anew));
        let gained = |one: &BTreeMap<(String, String), Flows>, other: &BTreeMap<(String, String), Flows>| {
            one.iter().fold(Flows::NONE, |sum, (ends, flows)| {
                sum.union(&flows.minus(other.get(ends).unwrap_or(&Flows::NONE)))
            })
        };
        let told = |paths: &[doorward_core::reach::AllowedPath]| {
            let inside = paths.iter().filter(|path| {
                matches!((&path.from, &path.to), (End::Role(_), End::Role(_)))
            });
            inside.fold(Flows::NONE, |sum, path| sum.union(&path.flows))
        };
        prop_assert_eq!(told(&difference.opened), gained(&new, &old));
        prop_assert_eq!(told(&difference.closed), gained(&old, &new));
        prop_assert_eq!(anew.compare(&anew), doorward_core::reach::Comparison::default());
    }
}
