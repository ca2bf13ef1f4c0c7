//! A plan for the networks of one account and Region, with all that a person needs to approve it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cost, Exceeded, NatChoice, NetworkStep, Prices, Quota, exceeded, network_difference, sum};
use crate::inventory::{Inventory, Subnet};
use crate::name::NetworkName;
use crate::plan::Plan;
use crate::price::Table;
use crate::topology::{
    Environment, EnvironmentParts, Lost, Note, Obstacle, Part, Site, Topology, Transition, after_transition,
    layout_of, purpose_of,
};

/// What a proposal is made from, besides the account.
#[derive(Debug, Clone, Copy)]
pub struct Prepared<'a> {
    /// All networks and roles of the policy.
    pub topology: &'a Topology,
    /// The networks to plan.
    pub networks: &'a BTreeSet<NetworkName>,
    /// Where, and by which installation.
    pub site: &'a Site,
    pub prices: &'a Table,
    /// The quotas of the account, as far as they are known.
    pub quotas: &'a BTreeMap<Quota, u32>,
    /// An environment that is started or stopped, while nothing else changes; none to make all as it is declared.
    pub transition: Option<(&'a Environment, Transition)>,
}

/// Why there is no proposal: all that prevents it.
pub type Unprepared = Vec<Obstacle>;

/// A plan, what it costs, which quotas it would exceed, and what it leaves as it is.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub plan: Plan<NetworkStep>,
    /// The cost of each step, in the order of the steps.
    pub costs: Vec<Cost>,
    /// The cost of all steps together.
    pub sum: Cost,
    /// The choices of NAT of each network that changes, with the number of its zones.
    pub nat: BTreeMap<NetworkName, (u32, Vec<NatChoice>)>,
    /// The quotas that it would exceed.
    pub exceeded: Vec<Exceeded>,
    /// What it leaves as it is, and why.
    pub notes: Vec<Note>,
    /// What an environment loses that is stopped.
    pub lost: Vec<Lost>,
    /// What an environment that is started or stopped costs a month in each state, with its snapshots.
    pub states: Vec<(Transition, Cost)>,
    /// The account after it.
    pub wanted: Inventory,
}

impl Proposal {
    /// Plans the chosen networks of an account and Region, or reports all that prevents it.
    pub fn of(from: Prepared<'_>, actual: &Inventory) -> Result<Self, Unprepared> {
        let Prepared { topology, networks, site, prices, quotas, transition } = from;
        let layout = match transition {
            Some((environment, to)) => after_transition(environment, to, topology, actual, site)?,
            None => layout_of(networks, topology, actual, site)?,
        };
        let wanted = layout.wanted;
        let plan = network_difference(actual, &wanted, &site.by);
        let declared = topology.networks.values().filter(|it| networks.contains(&it.name));
        let region = site
            .account_region
            .region
            .clone()
            .or_else(|| declared.clone().find_map(|it| it.at.region.clone()));
        let prices = Prices { table: prices, region: region.as_deref().unwrap_or_default() };
        let costs: Vec<Cost> =
            plan.steps().iter().map(|step| prices.cost(&step.change, actual, &wanted)).collect();
        let nat = declared.filter(|_| !plan.is_empty() && transition.is_none()).filter_map(|network| {
            let zones = zones(&wanted, site, &network.name);
            (zones > 0).then(|| (network.name.clone(), (zones, prices.nat_choices(zones))))
        });
        let in_state = |environment: &Environment, to: Transition| {
            let after = after_transition(environment, to, topology, actual, site).ok()?.wanted;
            // A database that is a snapshot cannot be paused.
            let is_paused = EnvironmentParts::of(environment, &after, &site.by).database.is_some();
            if to == Transition::Pause && !is_paused {
                return None;
            }
            Some((to, prices.environment(environment, &after, &site.by)))
        };
        let states = match transition {
            Some((environment, _)) => {
                Transition::ALL.into_iter().filter_map(|to| in_state(environment, to)).collect()
            }
            None => Vec::new(),
        };
        Ok(Self {
            states,
            nat: nat.collect(),
            sum: sum(&costs),
            costs,
            exceeded: exceeded(actual, &wanted, &site.account_region, quotas),
            notes: layout.notes,
            lost: layout.lost,
            plan,
            wanted,
        })
    }

    /// SHA-256 of the steps, in hexadecimal digits: two plans of one account with the same digest are the same.
    pub fn digest(&self) -> String {
        self.plan.digest()
    }
}

impl Plan<NetworkStep> {
    /// SHA-256 of the steps, in hexadecimal digits: two plans of one account with the same digest are the same.
    pub fn digest(&self) -> String {
        super::digest::digest(self.steps())
    }
}

/// In how many zones a network has subnets.
fn zones(inventory: &Inventory, site: &Site, network: &NetworkName) -> u32 {
    let of = |subnet: &Subnet| {
        let purpose = purpose_of(&subnet.tags, &site.by).filter(|purpose| purpose.network == *network)?;
        match purpose.part {
            Part::Subnet(_, zone) => Some(zone),
            _ => None,
        }
    };
    let zones: BTreeSet<_> = inventory.subnets.values().filter_map(of).collect();
    u32::try_from(zones.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::network::testing::{account, site};

    fn proposal(text: &str, networks: &[&str], actual: &Inventory) -> Proposal {
        let policy =
            format!("[people]\npasswords = \"a\"\ngroups = \"b\"\n[aws]\nregion = \"eu-west-1\"\n{text}");
        let policy = crate::policy::parse(&policy, "p").expect("a policy");
        let networks = networks.iter().map(|name| name.parse().expect("a name")).collect();
        let from = Prepared {
            topology: &policy.topology,
            networks: &networks,
            site: &site(3),
            prices: &Table::built_in().expect("a table"),
            quotas: &BTreeMap::new(),
            transition: None,
        };
        Proposal::of(from, actual).expect("nothing prevents it")
    }

    const TWO: &str = "[network.main]\n[network.side]\ncidr = \"10.1.0.0/16\"\nnat = \"none\"\n";

    #[test]
    fn a_proposal_has_a_cost_for_each_step_and_the_choices_of_nat() {
        let proposal = proposal("[network.main]\n", &["main"], &account());
        assert_eq!(proposal.costs.len(), proposal.plan.steps().len());
        assert_eq!(proposal.sum.month.to_string(), "$38.69");
        let (zones, choices) = &proposal.nat[&"main".parse::<NetworkName>().expect("a name")];
        assert_eq!((*zones, choices.len()), (2, 4));
    }

    #[test]
    fn only_the_chosen_networks_are_planned() {
        let (main, both) =
            (proposal(TWO, &["main"], &account()), proposal(TWO, &["main", "side"], &account()));
        assert!(main.plan.steps().len() < both.plan.steps().len());
        assert!(!main.plan.steps().iter().any(|step| step.change.to_string().contains("side")));
        // A network that is declared and not chosen is no left-over.
        assert_eq!(proposal(TWO, &["main"], &both.wanted).notes, []);
        assert!(proposal(TWO, &["main", "side"], &both.wanted).plan.is_empty());
    }

    #[test]
    fn the_same_plan_has_the_same_digest_and_another_has_another() {
        let digest = |text: &str| proposal(text, &["main"], &account()).digest();
        assert_eq!(digest("[network.main]\n"), digest("[network.main]\n"));
        assert_ne!(digest("[network.main]\n"), digest("[network.main]\nnat = \"none\"\n"));
        assert_eq!(digest("[network.main]\n").len(), 64);
    }
}
