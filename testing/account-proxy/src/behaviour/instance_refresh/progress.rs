//! How an instance refresh goes on: batch after batch, and back.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html>

use super::{Refresh, Status, active, next};
use crate::account::Account;
use crate::answer::Refusal;
use crate::behaviour::{scaling_activity, scaling_group};
use crate::call::Service;
use crate::settings::Delay;
use crate::xml::Element;

/// Takes the next step of the refresh of a group, which is known as `refresh:NAME`.
pub(crate) async fn step(account: &mut Account, key: &str) -> Result<(), Refusal> {
    let group = key.trim_start_matches("refresh:").to_owned();
    let Some(refresh) = active(account, &group) else { return Ok(()) };
    let (before, wanted) = (refresh.before.clone(), refresh.wanted.clone());
    match refresh.status {
        Status::Pending => {
            refresh.status = Status::InProgress;
            let wait = refresh.preferences.warmup;
            if let Some(wanted) = &wanted {
                set_template(account, &group, wanted).await?;
            }
            next(account, &group, account.delay(Delay::RefreshBatch) + wait);
            Ok(())
        }
        Status::InProgress => go_on(account, &group).await,
        Status::Baking => {
            end(account, &group, Status::Successful, "");
            Ok(())
        }
        Status::Cancelling => {
            // Replaced instances stay; the group keeps the template that it had.
            set_template(account, &group, &before).await?;
            end(account, &group, Status::Cancelled, "Cancelled due to user request.");
            Ok(())
        }
        Status::RollbackInProgress => {
            if refresh.left.is_empty() {
                let reason = refresh.reason.clone();
                end(account, &group, Status::RollbackSuccessful, &reason);
                return Ok(());
            }
            replace(account, &group).await
        }
        Status::Successful | Status::Failed | Status::Cancelled | Status::RollbackSuccessful => Ok(()),
    }
}

async fn go_on(account: &mut Account, group: &str) -> Result<(), Refusal> {
    let Some(refresh) = active(account, group) else { return Ok(()) };
    let percent = refresh.percent();
    if refresh.left.is_empty() {
        let bake = refresh.preferences.bake;
        if bake > 0 {
            refresh.status = Status::Baking;
            next(account, group, bake);
        } else {
            end(account, group, Status::Successful, "");
        }
        return Ok(());
    }
    if refresh.fails_at.is_some_and(|at| percent >= at) {
        let reason = "Instance refresh has failed because new instances did not become healthy in time.";
        if refresh.preferences.rolls_back {
            return roll_back(account, group, reason).await;
        }
        let before = refresh.before.clone();
        set_template(account, group, &before).await?;
        end(account, group, Status::Failed, reason);
        return Ok(());
    }
    replace(account, group).await
}

/// Begins to replace what was launched by what was there before.
pub(super) async fn roll_back(account: &mut Account, group: &str, reason: &str) -> Result<(), Refusal> {
    let Some(refresh) = active(account, group) else { return Ok(()) };
    refresh.status = Status::RollbackInProgress;
    reason.clone_into(&mut refresh.reason);
    refresh.left = std::mem::take(&mut refresh.launched);
    refresh.total = refresh.left.len();
    let (before, warmup) = (refresh.before.clone(), refresh.preferences.warmup);
    set_template(account, group, &before).await?;
    next(account, group, account.delay(Delay::RefreshBatch) + warmup);
    Ok(())
}

/// Replaces one batch.
async fn replace(account: &mut Account, group: &str) -> Result<(), Refusal> {
    let Some(refresh) = active(account, group) else { return Ok(()) };
    let count = refresh.batch().min(refresh.left.len());
    let batch: Vec<String> = refresh.left.drain(..count).collect();
    let warmup = refresh.preferences.warmup;
    let known = scaling_group::describe(account, group).await?.texts("Instances", "InstanceId");
    for instance in batch.iter().filter(|id| known.contains(id)) {
        let fields = [("InstanceId", instance.as_str()), ("ShouldDecrementDesiredCapacity", "false")];
        account.ask(Service::Scaling, "TerminateInstanceInAutoScalingGroup", &fields).await?;
        scaling_activity::terminated(account, group, instance);
    }
    let now = scaling_group::describe(account, group).await?;
    scaling_group::note(account, &now);
    let mut new = now.texts("Instances", "InstanceId");
    new.retain(|id| !known.contains(id));
    if let Some(refresh) = active(account, group) {
        refresh.launched.extend(new);
    }
    next(account, group, account.delay(Delay::RefreshBatch) + warmup);
    Ok(())
}

fn end(account: &mut Account, group: &str, status: Status, reason: &str) {
    let now = account.now;
    if let Some(refresh) = active(account, group) {
        let Refresh { ended, reason: why, status: is, .. } = refresh;
        *ended = Some(now);
        reason.clone_into(why);
        *is = status;
    }
}

/// Lets moto launch with a template from now on.
async fn set_template(account: &Account, group: &str, template: &Element) -> Result<(), Refusal> {
    let id = template.text_at("LaunchTemplateId");
    if id.is_empty() {
        return Ok(());
    }
    let fields = [
        ("AutoScalingGroupName", group),
        ("LaunchTemplate.LaunchTemplateId", id),
        ("LaunchTemplate.Version", template.text_at("Version")),
    ];
    account.ask(Service::Scaling, "UpdateAutoScalingGroup", &fields).await.map(|_| ())
}
