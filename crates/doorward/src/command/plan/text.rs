//! A plan as people read it.

use doorward_core::plan::network::{Cost, NatChoice, NetworkStep, Quota};
use doorward_core::price::Money;
use doorward_core::topology::{EnvironmentParts, Nat, Network, Transition};

use super::planned::{Planned, RegionPlan};
use crate::command::reach::difference;
use crate::command::reach::text::section;
use crate::command::{count, intents};

/// The whole plan; a line where nothing changes.
pub(super) fn plan(planned: &Planned) -> String {
    let mut text = String::new();
    for plan in &planned.each {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&of_region(planned, plan));
    }
    if planned.changes() {
        let paths = difference::as_text(&planned.paths, (&planned.before, &planned.after));
        let paths = if paths.is_empty() { "no path opens, and none closes" } else { paths.trim_end() };
        text.push_str("\npaths\n");
        for line in paths.lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    }
    let proved = planned.intents.iter();
    let broken = proved
        .clone()
        .filter(|it| planned.changes() || !matches!(it.after.outcome, doorward_core::reach::Outcome::Kept));
    section(
        &mut text,
        "intents",
        broken.flat_map(|it| intents::with_before(&it.intent, &it.before, &it.after)).collect(),
    );
    text
}

fn of_region(planned: &Planned, plan: &RegionPlan) -> String {
    let RegionPlan { read, proposal, .. } = plan;
    let names = match &planned.transition {
        Some((environment, _)) => format!("[environment.{}]", environment.name),
        None => {
            let names: Vec<String> = read.networks.iter().map(|name| format!("[network.{name}]")).collect();
            names.join(", ")
        }
    };
    let at = &read.declared;
    if proposal.plan.is_empty() {
        let mut text = match &planned.transition {
            Some((environment, _)) => {
                let state = EnvironmentParts::of(environment, &proposal.wanted, &plan.owner.id).state();
                format!("nothing to change: the environment {} in {at} is {state}\n", environment.name)
            }
            None => format!("nothing to change: {at} is as {names} {}\n", declares(read.networks.len())),
        };
        section(&mut text, "left as it is", proposal.notes.iter().map(ToString::to_string).collect());
        return text;
    }
    let steps = proposal.plan.steps();
    let (sum, steps_counted) = (&proposal.sum, count(steps.len(), "step", "steps"));
    let mut text = format!("plan for {at}, {names}: {steps_counted}, {}\n", month(sum));
    let width = steps.len().to_string().len();
    let lines = (1..).zip(steps.iter().zip(&proposal.costs));
    section(
        &mut text,
        "steps",
        lines.flat_map(|(number, (step, cost))| one_step(number, width, step, cost)).collect(),
    );
    section(&mut text, "lost", proposal.lost.iter().map(ToString::to_string).collect());
    section(&mut text, "cost", cost(sum));
    if let Some((environment, to)) = &planned.transition {
        let title = format!("cost of the environment {} in each state", environment.name);
        section(&mut text, &title, proposal.states.iter().map(|it| one_state(it, *to)).collect());
    }
    for (name, (zones, choices)) in &proposal.nat {
        let declared = planned.topology.networks.get(name).map(|network| network.nat);
        let title = format!("NAT of the network {name} in {}", count(*zones as usize, "zone", "zones"));
        section(&mut text, &title, choices.iter().flat_map(|choice| nat(choice, declared)).collect());
    }
    section(&mut text, "quotas", quotas(plan));
    section(&mut text, "left as it is", proposal.notes.iter().map(ToString::to_string).collect());
    section(&mut text, "declared, with the defaults", declaration(planned, plan));
    text
}

/// `* running         about $29.49 a month`.
fn one_state((state, cost): &(Transition, Cost), to: Transition) -> String {
    let mark = if *state == to { "*" } else { " " };
    format!("{mark} {:8}  {}", self::state(*state), amount(cost))
}

/// The state of an environment after a transition.
pub(super) fn state(transition: Transition) -> &'static str {
    match transition {
        Transition::Start => "running",
        Transition::Pause => "stopped",
        Transition::Snapshot => "snapshot",
    }
}

/// `about $8.03 a month`, of something that is there and not only a change.
pub(in crate::command) fn amount(cost: &Cost) -> String {
    let about = if cost.sure.is_some_and(doorward_core::price::Sure::is_about) { "about " } else { "" };
    let unknown = if cost.unknown.is_empty() { "" } else { ", without what has no known price" };
    format!("{about}{} a month{unknown}", cost.month)
}

fn declares(networks: usize) -> &'static str {
    if networks == 1 { "declares it" } else { "declare it" }
}

fn one_step(number: usize, width: usize, step: &NetworkStep, cost: &Cost) -> Vec<String> {
    let indent = " ".repeat(width + 2);
    let mut lines =
        vec![format!("{number:width$}. {}", step.change), format!("{indent}because {}", step.why)];
    if cost.sure.is_some() {
        lines.push(format!("{indent}{}{}", month(cost), source(cost)));
    }
    lines.extend(cost.unknown.iter().map(|unknown| format!("{indent}price unknown: {unknown}")));
    lines
}

/// `about +$8.03 a month`.
fn month(cost: &Cost) -> String {
    let about = if cost.sure.is_some_and(doorward_core::price::Sure::is_about) { "about " } else { "" };
    let unknown = if cost.unknown.is_empty() { "" } else { ", without what has no known price" };
    format!("{about}{} a month{unknown}", signed(cost.month))
}

fn signed(money: Money) -> String {
    if money >= Money::default() { format!("+{money}") } else { money.to_string() }
}

/// ` (from AWS's price list, 2026-09-25)`.
fn source(cost: &Cost) -> String {
    match (&cost.sure, &cost.date) {
        (Some(sure), Some(date)) => format!(" ({sure}, {date})"),
        _ => String::new(),
    }
}

fn cost(sum: &Cost) -> Vec<String> {
    let mut lines = vec![month(sum)];
    if let (Some(sure), Some(date)) = (&sum.sure, &sum.date) {
        lines.push(format!(
            "the least reliable of these prices is {sure}, the oldest is of {date}; 730 hours are a month"
        ));
    }
    let traffic = sum
        .traffic
        .iter()
        .map(|(item, price)| format!("in addition, {item} costs {price} per {}", item.unit()));
    lines.extend(traffic);
    lines.extend(sum.unknown.iter().map(|unknown| format!("not in the sum: {unknown}")));
    lines.extend(sum.assumed.iter().map(|assumed| format!("assumed: {assumed}")));
    lines
}

fn nat(choice: &NatChoice, declared: Option<Nat>) -> Vec<String> {
    let NatChoice { nat, cost } = choice;
    let mark = if declared == Some(*nat) { "*" } else { " " };
    let traffic: Vec<String> =
        cost.traffic.iter().map(|(item, price)| format!("{price} per {} of {item}", item.unit())).collect();
    let traffic = if traffic.is_empty() { String::new() } else { format!(", and {}", traffic.join(", ")) };
    let known = if cost.unknown.is_empty() {
        format!("{} a month{traffic}", cost.month)
    } else {
        let unknown: Vec<String> = cost.unknown.iter().map(ToString::to_string).collect();
        format!("price unknown: {}", unknown.join("; "))
    };
    vec![
        format!("{mark} {:16}  {known}", nat.to_string()),
        format!("  {:16}  + {}", "", choice.pros()),
        format!("  {:16}  - {}", "", choice.cons()),
    ]
}

fn quotas(plan: &RegionPlan) -> Vec<String> {
    let known: Vec<&str> = plan.read.quotas.keys().map(|quota: &Quota| quota.name()).collect();
    if !plan.proposal.exceeded.is_empty() {
        return plan.proposal.exceeded.iter().map(ToString::to_string).collect();
    }
    vec![if known.is_empty() {
        "none is exceeded, if the account has AWS's default quotas; its own are not known".to_owned()
    } else {
        format!("none is exceeded; read: {}; the others are assumed to be AWS's defaults", known.join(", "))
    }]
}

fn declaration(planned: &Planned, plan: &RegionPlan) -> Vec<String> {
    declared(planned, plan).lines().map(str::to_owned).collect()
}

/// The networks of a plan, their roles and their environments, with every default.
pub(super) fn declared(planned: &Planned, plan: &RegionPlan) -> String {
    if let Some((environment, _)) = &planned.transition {
        return environment.to_string();
    }
    let networks: Vec<&Network> =
        plan.read.networks.iter().filter_map(|name| planned.topology.networks.get(name)).collect();
    let mut text = String::new();
    for network in networks {
        text.push_str(&network.to_string());
        for role in planned.topology.roles_in(&network.name) {
            text.push_str(&role.to_string());
        }
        for environment in planned.topology.environments_in(&network.name) {
            text.push_str(&environment.to_string());
        }
    }
    text
}
