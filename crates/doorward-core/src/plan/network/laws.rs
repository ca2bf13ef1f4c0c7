//! The laws of plans for networks, tried on random declarations and random manual changes.

use proptest::prelude::*;

use super::testing::*;
use super::*;
use crate::inventory::{Inventory, SubnetGroup};
use crate::net::Cidr;
use crate::plan::Plan;
use crate::topology::{
    Environment, EnvironmentParts, EnvironmentState, Layout, NetworkName, Part, Topology, Transition,
    VpcChoice, after_transition, layout, preferred, purpose_of, without,
};

fn laid_out(topology: &Topology, account: &Inventory) -> Layout {
    layout(topology, account, &site(4)).expect("nothing prevents it")
}

fn plan(account: &Inventory, layout: &Layout) -> Plan<NetworkStep> {
    network_difference(account, &layout.wanted, &by())
}

fn perform_all(account: &mut Inventory, plan: &Plan<NetworkStep>, give: &mut impl Give) {
    let mut ids = Ids::default();
    for step in plan.steps() {
        if let Err(refused) = perform_change(account, &step.change, &mut ids, give) {
            let told: Vec<String> = plan.steps().iter().map(|step| step.change.to_string()).collect();
            panic!("{}: {refused}, in\n{}", step.change, told.join("\n"));
        }
    }
}

/// Makes an account into what is declared, and checks that nothing is left to do and nothing foreign has changed.
fn converge(account: &mut Inventory, topology: &Topology, numbers: &mut Numbers) {
    let before = foreign(account);
    let layout = laid_out(topology, account);
    let plan = plan(account, &layout);
    perform_all(account, &plan, numbers);
    let again = self::plan(account, &laid_out(topology, account));
    let told: Vec<String> = again.steps().iter().map(|step| step.change.to_string()).collect();
    assert_eq!(told, Vec::<String>::new(), "something is left to do");
    assert_eq!(comparable(&foreign(account)), comparable(&before), "something foreign has changed");
}

/// Starts or stops an environment, where that is possible, and checks that nothing is left to do and nothing foreign has
/// changed. The state that it is in then.
fn turn(
    account: &mut Inventory,
    (topology, environment): (&Topology, &Environment),
    to: Transition,
    numbers: &mut Numbers,
) -> Option<EnvironmentState> {
    let before = foreign(account);
    let turned = |account: &Inventory| after_transition(environment, to, topology, account, &site(4));
    let layout = turned(account).ok()?;
    perform_all(account, &plan(account, &layout), numbers);
    let again = plan(account, &turned(account).expect("it was possible"));
    let told: Vec<String> = again.steps().iter().map(|step| step.change.to_string()).collect();
    assert_eq!(told, Vec::<String>::new(), "something is left to do");
    assert_eq!(comparable(&foreign(account)), comparable(&before), "something foreign has changed");
    Some(EnvironmentParts::of(environment, account, &by()).state())
}

/// That what is declared starts, stops and restores nothing.
fn is_left(account: &Inventory, topology: &Topology) {
    let left = plan(account, &laid_out(topology, account));
    let turns = |change: &Change| {
        matches!(
            change,
            Change::StartInstance(_)
                | Change::StopInstance(_)
                | Change::StartDatabase(..)
                | Change::StopDatabase(..)
                | Change::RestoreDatabase { .. }
                | Change::DeleteDatabase { .. }
                | Change::DeleteSnapshot { .. }
        )
    };
    let turned: Vec<String> =
        left.steps().iter().filter(|it| turns(&it.change)).map(|it| it.change.to_string()).collect();
    assert_eq!(turned, Vec::<String>::new());
}

/// The prefixes of a network's subnets by their purpose.
fn prefixes(account: &Inventory, network: &NetworkName) -> Vec<(Part, Cidr)> {
    let subnets = account.subnets.values();
    let of = subnets.filter_map(|subnet| {
        let purpose = purpose_of(&subnet.tags, &by()).filter(|purpose| purpose.network == *network)?;
        Some((purpose.part, *subnet.cidrs.first()?))
    });
    of.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_differs_from_itself(topology in topology()) {
        let account = account();
        prop_assert!(network_difference(&account, &account, &by()).is_empty());
        let wanted = laid_out(&topology, &account).wanted;
        prop_assert!(network_difference(&wanted, &wanted, &by()).is_empty());
    }

    #[test]
    fn a_plan_performed_gives_what_was_wanted(one in topology(), other in topology()) {
        let mut account = account();
        for topology in [one, other] {
            let layout = laid_out(&topology, &account);
            let plan = plan(&account, &layout);
            perform_all(&mut account, &plan, &mut AsPlanned::default());
            prop_assert_eq!(comparable(&account), comparable(&layout.wanted));
        }
    }

    #[test]
    fn one_plan_is_enough_whatever_was_declared_before_and_done_manually(
        declared in prop::collection::vec((topology(), drift()), 1..4),
    ) {
        let (mut account, mut numbers) = (account(), Numbers::default());
        for (topology, drift) in declared {
            converge(&mut account, &topology, &mut numbers);
            for drift in drift {
                drift.happen(&mut account);
            }
            converge(&mut account, &topology, &mut numbers);
        }
    }

    #[test]
    fn an_environment_is_started_and_stopped_by_one_plan_and_stays_so(
        topology in topology(),
        transitions in prop::collection::vec(prop::sample::select(Transition::ALL.to_vec()), 1..6),
        drift in drift(),
    ) {
        let (mut account, mut numbers) = (account(), Numbers::default());
        converge(&mut account, &topology, &mut numbers);
        for environment in topology.environments.values() {
            for to in &transitions {
                let was_saved = EnvironmentParts::of(environment, &account, &by()).database.is_none();
                let state = turn(&mut account, (&topology, environment), *to, &mut numbers);
                let is_expected = match (to, state) {
                    (Transition::Start, Some(EnvironmentState::Running)) => true,
                    (Transition::Pause, Some(EnvironmentState::Stopped)) => !was_saved,
                    (Transition::Pause, Some(EnvironmentState::StoppedAs(_))) => was_saved,
                    (Transition::Snapshot, Some(EnvironmentState::StoppedAs(_))) => true,
                    (Transition::Pause | Transition::Snapshot, None) => environment.kind.prod().is_some(),
                    _ => false,
                };
                prop_assert!(is_expected, "{to:?} from {was_saved}");
                is_left(&account, &topology);
                let steps = network_difference(&account, &account, &by());
                prop_assert!(steps.is_empty());
            }
        }
        drift.into_iter().for_each(|drift| drift.happen(&mut account));
        for environment in topology.environments.values() {
            for to in &transitions {
                turn(&mut account, (&topology, environment), *to, &mut numbers);
                is_left(&account, &topology);
            }
        }
    }

    #[test]
    fn no_subnet_moves_another(declared in prop::collection::vec(topology(), 1..5)) {
        let (mut account, mut numbers) = (account(), Numbers::default());
        for topology in declared {
            let before: Vec<(NetworkName, Vec<(Part, Cidr)>)> = topology
                .networks
                .keys()
                .map(|name| (name.clone(), prefixes(&account, name)))
                .collect();
            converge(&mut account, &topology, &mut numbers);
            for (name, before) in before {
                let after = prefixes(&account, &name);
                for (part, cidr) in &after {
                    let stood = before.iter().find(|(other, _)| other == part);
                    prop_assert!(stood.is_none_or(|(_, before)| before == cidr));
                    if let (VpcChoice::Made(block), Part::Subnet(kind, zone)) =
                        (&topology.networks[&name].vpc, part)
                    {
                        prop_assert_eq!(preferred(*block, 21, *kind, zone), Some(*cidr));
                    }
                }
            }
        }
    }

    #[test]
    fn a_destroyed_network_leaves_nothing_of_ours(topology in topology()) {
        let (mut account, mut numbers) = (account(), Numbers::default());
        let untouched = comparable(&foreign(&account));
        converge(&mut account, &topology, &mut numbers);
        for name in topology.networks.keys() {
            let layout = without(name, &account, &site(4)).expect("nothing uses it");
            let plan = plan(&account, &layout);
            perform_all(&mut account, &plan, &mut numbers);
            prop_assert!(without(name, &account, &site(4)).is_err(), "nothing is left to destroy");
        }
        prop_assert_eq!(comparable(&foreign(&account)), untouched);
        prop_assert!(account.vpcs.len() == 1 && account.subnets.len() == 2 && account.groups.len() == 2);
        prop_assert!(account.elastic_addresses.is_empty() && account.nat_gateways.is_empty());
        prop_assert!(!account.database_subnet_groups.values().any(|it: &SubnetGroup| it.owned(&by()).is_some()));
    }
}
