//! The order that steps need is enough: performed in any order that respects it, a plan has the same effect.

use proptest::prelude::*;

use super::needs;
use crate::inventory::Inventory;
use crate::plan::network::testing::*;
use crate::plan::network::{Ids, NetworkStep, network_difference, perform_change};
use crate::topology::{Topology, Transition, after_transition, layout, without};

/// Performs steps in an order that their needs allow, each time one of those that can be next.
fn in_some_order(account: &mut Inventory, steps: &[NetworkStep], choices: &mut impl Iterator<Item = usize>) {
    let needs = needs(account, steps);
    let mut open: Vec<usize> = (0..steps.len()).collect();
    let (mut ids, mut give, mut told) = (Ids::default(), AsPlanned::default(), Vec::new());
    while !open.is_empty() {
        let ready: Vec<usize> =
            open.iter().copied().filter(|it| needs[*it].iter().all(|need| !open.contains(need))).collect();
        let next = ready[choices.next().unwrap_or_default() % ready.len()];
        open.retain(|it| *it != next);
        told.push(steps[next].change.to_string());
        if let Err(refused) = perform_change(account, &steps[next].change, &mut ids, &mut give) {
            panic!("{refused}, in the order\n{}", told.join("\n"));
        }
    }
}

fn converge(account: &mut Inventory, topology: &Topology, choices: &mut impl Iterator<Item = usize>) {
    let wanted = layout(topology, account, &site(4)).expect("nothing prevents it").wanted;
    let plan = network_difference(account, &wanted, &by());
    in_some_order(account, plan.steps(), choices);
    assert_eq!(comparable(account), comparable(&wanted));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_that_respects_the_needs_has_the_same_effect(
        one in topology(),
        other in topology(),
        choices in prop::collection::vec(any::<usize>(), 1..200),
    ) {
        let mut account = account();
        let mut choices = choices.into_iter().cycle();
        for topology in [&one, &other] {
            converge(&mut account, topology, &mut choices);
        }
        for environment in other.environments.values() {
            for to in [Transition::Pause, Transition::Start, Transition::Snapshot, Transition::Start] {
                // What was stopped by a change of the network it was in does not belong to this one.
                let Ok(layout) = after_transition(environment, to, &other, &account, &site(4)) else { continue };
                let plan = network_difference(&account, &layout.wanted, &by());
                in_some_order(&mut account, plan.steps(), &mut choices);
                assert_eq!(comparable(&account), comparable(&layout.wanted));
            }
        }
        // Here all final snapshots of a database have one name.
        account.database_snapshots.clear();
        for name in other.networks.keys() {
            let wanted = without(name, &account, &site(4)).expect("nothing uses it").wanted;
            let plan = network_difference(&account, &wanted, &by());
            in_some_order(&mut account, plan.steps(), &mut choices);
        }
    }
}

#[test]
fn what_does_not_depend_runs_at_the_same_time() {
    let text = "[network.main]\nzones = [\"euw1-az1\", \"euw1-az2\"]\nnat = \"gateway-per-zone\"\n";
    let policy =
        format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
    let declared = crate::policy::parse(&policy, "p").expect("a policy").topology;
    let account = Inventory::default();
    let wanted = layout(&declared, &account, &site(3)).expect("a layout").wanted;
    let plan = network_difference(&account, &wanted, &by());
    let needs = needs(&account, plan.steps());
    // The length of the longest chain that ends with each step.
    let mut depth: Vec<usize> = Vec::new();
    for of_step in &needs {
        depth.push(1 + of_step.iter().map(|need| depth[*need]).max().unwrap_or_default());
    }
    let at = |text: &str| {
        let found = plan.steps().iter().position(|step| step.change.to_string().starts_with(text));
        found.unwrap_or_else(|| panic!("no step: {text}"))
    };
    assert_eq!((plan.steps().len(), depth.iter().max()), (30, Some(&6)), "{depth:?}");
    let wait = at("wait until new:main/nat-gateway/euw1-az1 is available");
    let endpoint = at("create the VPC endpoint new:main/endpoint/s3");
    fn after(needs: &[std::collections::BTreeSet<usize>], step: usize, other: usize) -> bool {
        needs[step].iter().any(|need| *need == other || after(needs, *need, other))
    }
    assert!(!after(&needs, endpoint, wait), "an endpoint does not wait for a NAT gateway");
    assert!(after(&needs, at("add the route to 0.0.0.0/0 by new:main/nat-gateway/euw1-az1"), wait));
    assert!(!after(&needs, at("add the route to 0.0.0.0/0 by new:main/nat-gateway/euw1-az2"), wait));
}
