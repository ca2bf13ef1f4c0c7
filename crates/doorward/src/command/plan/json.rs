//! A plan as JSON, for programs and for `--out`.

use std::collections::BTreeMap;

use doorward_core::plan::Plan;
use doorward_core::plan::network::{Cost, NetworkStep};
use doorward_core::price::Money;
use serde::Serialize;

use super::planned::{Planned, RegionPlan};
use super::text;
use crate::command::intents;
use crate::command::reach::difference;

/// The form of the document; a later one that is read otherwise has another number.
pub(in crate::command) const FORMAT: &str = "doorward-plan/2";

#[derive(Serialize)]
pub(super) struct Document<'a, P> {
    format: &'static str,
    changes: bool,
    plans: Vec<PlanView<'a>>,
    paths: P,
    intents: Vec<intents::View<'a>>,
}

/// The whole plan.
pub(super) fn document(planned: &Planned) -> Document<'_, impl Serialize> {
    let proved = planned.intents.iter();
    Document {
        format: FORMAT,
        changes: planned.changes(),
        plans: planned.each.iter().map(|plan| of_region(planned, plan)).collect(),
        paths: difference::as_json(&planned.paths, (&planned.before, &planned.after), &planned.account),
        intents: proved.map(|it| intents::view(&it.intent, &it.after, Some(&it.before))).collect(),
    }
}

#[derive(Serialize)]
struct PlanView<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    profile: Option<&'a str>,
    networks: Vec<&'a str>,
    /// None where nothing was created yet, and no store says who creates it.
    installation: Option<&'a str>,
    account_digest: String,
    digest: String,
    steps: Vec<StepView>,
    cost: CostView,
    nat: Vec<NatView<'a>>,
    quotas: QuotasView,
    unchanged: Vec<String>,
    /// What an environment loses that is stopped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lost: Vec<String>,
    /// What an environment that is started or stopped costs in each state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    states: Vec<StateView>,
    declaration: String,
}

#[derive(Serialize)]
struct StateView {
    state: &'static str,
    cost: CostView,
}

#[derive(Serialize)]
pub(in crate::command) struct StepView {
    number: usize,
    what: String,
    kind: String,
    id: String,
    why: String,
    destroys: bool,
    /// None where no price is known, or none was calculated.
    usd_per_month: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_prices: Vec<String>,
}

#[derive(Serialize)]
struct CostView {
    usd_per_month: String,
    sure: Option<String>,
    date: Option<String>,
    unknown: Vec<String>,
    traffic: Vec<TrafficView>,
    assumed: Vec<String>,
}

#[derive(Serialize)]
struct TrafficView {
    item: String,
    usd_per_gb: String,
}

#[derive(Serialize)]
struct NatView<'a> {
    network: &'a str,
    zones: u32,
    choice: &'static str,
    declared: bool,
    pro: &'static str,
    con: &'static str,
    cost: CostView,
}

#[derive(Serialize)]
struct QuotasView {
    exceeded: Vec<String>,
    known: BTreeMap<&'static str, u32>,
}

fn of_region<'a>(planned: &'a Planned, plan: &'a RegionPlan) -> PlanView<'a> {
    let RegionPlan { read, owner, proposal, .. } = plan;
    let steps = (1..).zip(proposal.plan.steps().iter().zip(&proposal.costs));
    let nat = proposal.nat.iter().flat_map(|(network, (zones, choices))| {
        let declared = planned.topology.networks.get(network).map(|network| network.nat);
        choices.iter().map(move |choice| NatView {
            network: network.as_str(),
            zones: *zones,
            choice: choice.nat.word(),
            declared: declared == Some(choice.nat),
            pro: choice.pros(),
            con: choice.cons(),
            cost: cost(&choice.cost),
        })
    });
    PlanView {
        region: read.account_region.region.as_deref().or(read.declared.region.as_deref()),
        account: read.account_region.account.as_ref().map(|account| account.as_str()),
        profile: read.declared.profile.as_deref(),
        networks: read.networks.iter().map(|name| name.as_str()).collect(),
        installation: (!owner.is_new).then(|| owner.id.as_str()),
        account_digest: proposal.plan.made_from().to_string(),
        digest: proposal.digest(),
        steps: steps.map(|(number, (step, cost))| self::step(number, step, Some(cost))).collect(),
        cost: cost(&proposal.sum),
        nat: nat.collect(),
        quotas: QuotasView {
            exceeded: proposal.exceeded.iter().map(ToString::to_string).collect(),
            known: read.quotas.iter().map(|(quota, value)| (quota.name(), *value)).collect(),
        },
        unchanged: proposal.notes.iter().map(ToString::to_string).collect(),
        lost: proposal.lost.iter().map(ToString::to_string).collect(),
        states: proposal
            .states
            .iter()
            .map(|(transition, cost)| StateView { state: text::state(*transition), cost: self::cost(cost) })
            .collect(),
        declaration: text::declared(planned, plan),
    }
}

/// Steps whose costs were not calculated.
pub(in crate::command) fn steps_as_json(plan: &Plan<NetworkStep>) -> Vec<StepView> {
    (1..).zip(plan.steps()).map(|(number, step)| self::step(number, step, None)).collect()
}

fn step(number: usize, step: &NetworkStep, cost: Option<&Cost>) -> StepView {
    let touches = step.change.touches();
    StepView {
        number,
        what: step.change.to_string(),
        kind: touches.kind().word().to_owned(),
        id: touches.id().to_owned(),
        why: step.why.to_string(),
        destroys: step.change.destroys(),
        usd_per_month: cost.filter(|cost| cost.unknown.is_empty()).map(|cost| usd(cost.month)),
        unknown_prices: cost.iter().flat_map(|cost| &cost.unknown).map(ToString::to_string).collect(),
    }
}

fn cost(cost: &Cost) -> CostView {
    CostView {
        usd_per_month: usd(cost.month),
        sure: cost.sure.map(|sure| sure.to_string()),
        date: cost.date.clone(),
        unknown: cost.unknown.iter().map(ToString::to_string).collect(),
        traffic: cost
            .traffic
            .iter()
            .map(|(item, price)| TrafficView { item: item.to_string(), usd_per_gb: usd(*price) })
            .collect(),
        assumed: cost.assumed.iter().map(|assumed| (*assumed).to_owned()).collect(),
    }
}

/// An amount as a decimal number: `36.50`.
fn usd(money: Money) -> String {
    money.to_string().replace('$', "")
}
