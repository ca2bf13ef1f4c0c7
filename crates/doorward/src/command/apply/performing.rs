//! Performing a plan: what is done and what waits, as it happens, and what is left in the end.

use doorward_aws::{Account, Applied, Applying, NotDone, Pace, Stop};
use doorward_core::inventory::{AccountRegion, Inventory};
use doorward_core::name::InstallationId;
use doorward_core::plan::Plan;
use doorward_core::plan::network::NetworkStep;

use crate::command::progress::StepBar;
use crate::command::{Code, Failure, count, interrupted, note};

/// The plan of one account and Region.
pub(in crate::command) struct Part<'a> {
    /// The account and Region, as the policy names them.
    pub account_region: &'a AccountRegion,
    /// Whose the networks are.
    pub by: &'a InstallationId,
    /// The plan.
    pub plan: Plan<NetworkStep>,
    /// The account that it was made from.
    pub actual: &'a Inventory,
    /// The command to run again after a failure.
    pub again: &'a str,
}

/// Performs a plan. Ctrl-C stops it in order; a second one ends the process, as a kill does.
pub(in crate::command) async fn perform(part: Part<'_>) -> Result<(), Failure> {
    let Part { account_region, by, plan, actual, again } = part;
    if plan.is_empty() {
        return Ok(());
    }
    let account = Account::connect(account_region).await.map_err(Failure::with(Code::Unavailable))?;
    let (stop, bar) = (Stop::default(), StepBar::of(plan.steps()));
    let events = |event| bar.show(&event);
    let how = Applying { by, pace: Pace::default(), stop: &stop, events: &events };
    let mut applying = std::pin::pin!(account.apply(plan, actual, how));
    let mut is_interrupted = false;
    let applied = tokio::select! {
        applied = &mut applying => applied,
        () = interrupted() => {
            is_interrupted = true;
            note("stopping: calls in progress are awaited, and no further step begins");
            stop.stop();
            tokio::select! {
                applied = &mut applying => applied,
                () = interrupted() => return Err(cut(again)),
            }
        }
    };
    bar.clear();
    let applied =
        applied.map_err(|moved| Failure::of(Code::No, &moved).hint(format!("run `{again}` again")))?;
    if applied.is_whole() { Ok(()) } else { Err(failure(&applied, is_interrupted, again)) }
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
