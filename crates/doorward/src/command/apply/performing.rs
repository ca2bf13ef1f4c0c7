//! Performing a plan: what is done and what waits, as it happens, and what is left in the end.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use doorward_aws::{Account, Applied, Applying, Event, NotDone, Pace, Stop};
use doorward_core::audit::{PlanRun, RunEnded, RunOutcome};
use doorward_core::inventory::{AccountRegion, Inventory};
use doorward_core::name::{EnvironmentName, InstallationId, NetworkName};
use doorward_core::plan::Plan;
use doorward_core::plan::network::NetworkStep;

use super::audited::RunLog;
use super::report::{Recorded, Report, Step, Steps};
use crate::command::progress::StepBar;
use crate::command::{Code, Failure, count, interrupted, note};

/// The plan of one account and Region.
pub(in crate::command) struct Part<'a> {
    /// The account and Region, as the policy names them.
    pub account_region: &'a AccountRegion,
    /// Whose the networks are.
    pub by: &'a InstallationId,
    pub networks: &'a BTreeSet<NetworkName>,
    /// The environment that is started or stopped.
    pub environment: Option<&'a EnvironmentName>,
    /// The plan.
    pub plan: Plan<NetworkStep>,
    /// The account that it was made from.
    pub actual: &'a Inventory,
}

/// What happened to the steps so far: those that have begun, and those that are done.
#[derive(Debug, Default)]
struct Seen {
    begun: BTreeSet<usize>,
    done: Vec<usize>,
}

/// Performs a plan, and records in the audit log that it begins and how it ends. Ctrl-C stops it in order; a second one ends
/// the process, as a kill does.
pub(in crate::command) async fn perform(
    part: Part<'_>,
    log: &RunLog<'_>,
    report: &mut Report,
) -> Result<(), Failure> {
    let Part { account_region, by, networks, environment, plan, actual } = part;
    if plan.is_empty() {
        return Ok(());
    }
    let account = Account::connect(account_region).await.map_err(Failure::with(Code::Unavailable))?;
    let run = PlanRun {
        command: report.command().to_owned(),
        account_region: account_region.to_string(),
        networks: networks.iter().cloned().collect(),
        environment: environment.cloned(),
        plan: plan.digest(),
        steps: plan.steps().len(),
    };
    let begun = log.begins(&run).await?;
    let steps: Vec<String> = plan.steps().iter().map(|step| step.change.to_string()).collect();
    let (stop, bar, seen) = (Stop::default(), StepBar::of(plan.steps()), Mutex::new(Seen::default()));
    let events = |event: Event| {
        note_event(&seen, &event);
        bar.show(&event);
    };
    let how = Applying { by, pace: Pace::default(), stop: &stop, events: &events };
    let mut applying = std::pin::pin!(account.apply(plan, actual, how));
    let mut is_interrupted = false;
    let applied = tokio::select! {
        applied = &mut applying => Some(applied),
        () = interrupted() => {
            is_interrupted = true;
            note("stopping: calls in progress are awaited, and no further step begins");
            stop.stop();
            tokio::select! {
                applied = &mut applying => Some(applied),
                () = interrupted() => None,
            }
        }
    };
    bar.clear();
    let again = report.again();
    let step = |number: usize, why: Option<String>| {
        let what = steps.get(number).cloned().unwrap_or_default();
        Step { number: number + 1, what, why }
    };
    let all = |numbers: &mut dyn Iterator<Item = usize>| numbers.map(|number| step(number, None)).collect();
    let (ended, outcome, became) = match applied {
        None => {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let became = Steps {
                done: all(&mut seen.done.iter().copied()),
                unknown: all(&mut seen.begun.iter().copied()),
                not_done: all(
                    &mut (0..steps.len()).filter(|it| !seen.begun.contains(it) && !seen.done.contains(it))
                ),
                failed: Vec::new(),
            };
            (Err(cut(again)), RunOutcome::Interrupted, became)
        }
        Some(Err(moved)) => {
            let became = Steps { not_done: all(&mut (0..steps.len())), ..Steps::default() };
            let failure = Failure::of(Code::No, &moved).hint(format!("run `{again}` again"));
            (Err(failure), RunOutcome::Failed, became)
        }
        Some(Ok(applied)) => {
            let failed = applied.failed.iter().map(|(number, why)| step(*number, Some(why.to_string())));
            let became = Steps {
                done: all(&mut applied.done.iter().copied()),
                failed: failed.collect(),
                not_done: all(&mut applied.left.iter().copied()),
                unknown: Vec::new(),
            };
            let outcome = match (applied.is_whole(), applied.failed.is_empty() && is_interrupted) {
                (true, _) => RunOutcome::Done,
                (false, true) => RunOutcome::Interrupted,
                (false, false) => RunOutcome::Failed,
            };
            let whole = applied.is_whole();
            (if whole { Ok(()) } else { Err(failure(&applied, is_interrupted, again)) }, outcome, became)
        }
    };
    let failed =
        became.failed.iter().map(|it| format!("{}: {}", it.what, it.why.as_deref().unwrap_or_default()));
    let end = RunEnded { run: run.clone(), outcome, done: became.done.len(), failed: failed.collect() };
    let recorded = Recorded { begun, ended: begun && log.ends(end).await };
    report.ran(account_region, run, outcome, recorded, became);
    ended
}

fn note_event(seen: &Mutex<Seen>, event: &Event) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match event {
        Event::Begins(step) => {
            seen.begun.insert(*step);
        }
        Event::Done(step) => {
            seen.begun.remove(step);
            seen.done.push(*step);
        }
        Event::Failed(_) | Event::Waits { .. } | Event::Again { .. } => {}
    }
}

fn cut(again: &str) -> Failure {
    Failure::new(Code::Interrupted, "interrupted, and calls in progress may be performed or not")
        .hint(format!("run `{again}` again: it reads the account and goes on"))
}

/// What is done, what failed and what is left, and how to go on.
fn failure(applied: &Applied, is_interrupted: bool, again: &str) -> Failure {
    let step =
        |number: &usize| applied.steps.get(*number).map(|step| step.change.to_string()).unwrap_or_default();
    let failed = applied.failed.iter().map(|(number, why)| format!("failed: {}: {why}", step(number)));
    let left = applied.left.iter().map(|number| format!("not done: {}", step(number)));
    let lines: Vec<String> = failed.chain(left).collect();
    let done = format!("{} of {} are done", applied.done.len(), count(applied.steps.len(), "step", "steps"));
    let (code, what) = match applied.failed.len() {
        0 if is_interrupted => (Code::Interrupted, format!("stopped: {done}")),
        0 => (Code::Unavailable, done),
        failed => (Code::Unavailable, format!("{} failed, and {done}", count(failed, "step", "steps"))),
    };
    let hint = applied.failed.iter().find_map(|(_, why)| NotDone::hint(why));
    let hint = hint.map_or_else(
        || format!("run `{again}` again: it goes on with the steps that are left"),
        |hint| format!("{hint}; then run `{again}` again, which goes on with the steps that are left"),
    );
    Failure::new(code, what).details(lines).hint(hint)
}
