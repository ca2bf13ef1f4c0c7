//! An instance refresh replaces the instances of an Auto Scaling group in batches. It ends `Successful`, `Failed`, `Cancelled` or
//! rolled back; only a success makes the desired configuration that of the group.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html>,
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-instance-refresh-default-values.html>,
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html>. moto has none of it.

mod progress;
mod start;

pub(crate) use progress::step;

use jiff::Timestamp;

use super::scaling_group::{self, LISTED};
use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal, refusal};
use crate::call::Call;
use crate::form::Form;
use crate::xml::Element;

/// How long a refresh is `Cancelling`, in seconds.
const CANCELLING: i64 = 10;

/// One refresh of a group.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    id: String,
    status: Status,
    reason: String,
    started: Timestamp,
    ended: Option<Timestamp>,
    /// The launch template of the group before, and the one that is wanted.
    before: Element,
    wanted: Option<Element>,
    preferences: Preferences,
    /// As they were given.
    asked: Form,
    /// How many are replaced in all, which still are to be, and which were launched for it.
    total: usize,
    left: Vec<String>,
    launched: Vec<String>,
    /// From which percentage on new instances are not healthy.
    fails_at: Option<i64>,
}

/// `InstanceRefresh.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Pending,
    InProgress,
    Baking,
    Successful,
    Failed,
    Cancelling,
    Cancelled,
    RollbackInProgress,
    RollbackSuccessful,
}

impl Status {
    fn is_active(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::InProgress | Self::Baking | Self::Cancelling | Self::RollbackInProgress
        )
    }
}

/// The preferences that were given, or AWS's defaults.
#[derive(Debug, Clone, Copy)]
struct Preferences {
    min_healthy: i64,
    max_healthy: i64,
    warmup: i64,
    bake: i64,
    rolls_back: bool,
}

impl Refresh {
    /// How much is done, in percent.
    fn percent(&self) -> i64 {
        if self.total == 0 {
            return 100;
        }
        let done = self.total.saturating_sub(self.left.len());
        i64::try_from(done * 100 / self.total).unwrap_or(100)
    }

    /// How many are replaced at once: as many as may be missing, or as may be there beyond the capacity; one at least.
    fn batch(&self) -> usize {
        let total = i64::try_from(self.total).unwrap_or(i64::MAX);
        let missing = total - (total * self.preferences.min_healthy + 99) / 100;
        let beyond = total * (self.preferences.max_healthy - 100) / 100;
        usize::try_from(missing.max(beyond).max(1)).unwrap_or(1)
    }
}

/// The refresh of a group that is not over.
fn active<'a>(account: &'a mut Account, group: &str) -> Option<&'a mut Refresh> {
    account.refreshes.get_mut(group)?.iter_mut().find(|refresh| refresh.status.is_active())
}

fn key(group: &str) -> String {
    format!("refresh:{group}")
}

pub(super) async fn before(account: &mut Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    let group = call.form.get("AutoScalingGroupName").unwrap_or_default();
    match call.action.as_str() {
        "StartInstanceRefresh" => start::start(account, call, group).await.map(Some),
        "CancelInstanceRefresh" => {
            scaling_group::describe(account, group).await?;
            let refresh = active(account, group).ok_or_else(none_active)?;
            refresh.status = Status::Cancelling;
            let id = refresh.id.clone();
            next(account, group, CANCELLING);
            Ok(Some(answered(call, &id)))
        }
        "RollbackInstanceRefresh" => {
            scaling_group::describe(account, group).await?;
            let refresh = active(account, group).ok_or_else(none_active)?;
            if refresh.wanted.is_none()
                || matches!(refresh.status, Status::Cancelling | Status::RollbackInProgress)
            {
                let message = "The instance refresh cannot be rolled back: it has no desired configuration, or has ended.";
                return Err(refusal("IrreversibleInstanceRefresh", message));
            }
            let id = refresh.id.clone();
            progress::roll_back(account, group, "Instance refresh was rolled back by the user.").await?;
            Ok(Some(answered(call, &id)))
        }
        "DescribeInstanceRefreshes" => {
            scaling_group::describe(account, group).await?;
            let ids = call.form.list("InstanceRefreshIds");
            let all = account.refreshes.get(group).map(Vec::as_slice).unwrap_or_default();
            // The newest first.
            let shown = all.iter().rev().filter(|refresh| ids.is_empty() || ids.contains(&refresh.id));
            let members = shown.map(|refresh| show(refresh, group)).collect();
            Ok(Some(Answer::of(call, vec![Element::with("InstanceRefreshes", members)])))
        }
        _ => Ok(None),
    }
}

fn none_active() -> Refusal {
    refusal(
        "ActiveInstanceRefreshNotFound",
        "No in progress or pending Instance Refresh found for Auto Scaling group",
    )
}

fn answered(call: &Call, id: &str) -> Answer {
    Answer::of(call, vec![Element::with_text("InstanceRefreshId", id)])
}

/// Lets a refresh take its next step so many seconds from now.
fn next(account: &mut Account, group: &str, seconds: i64) {
    let key = key(group);
    account.cancel(&key);
    account.schedule_in(seconds, &key, Errand::Refresh);
}

fn show(refresh: &Refresh, group: &str) -> Element {
    let text = |name: &str, text: String| Element::with_text(name, text);
    let mut member = Element::with(
        "member",
        vec![
            text("InstanceRefreshId", refresh.id.clone()),
            text("AutoScalingGroupName", group.to_owned()),
            text("Status", format!("{:?}", refresh.status)),
            text("StartTime", refresh.started.to_string()),
            text("PercentageComplete", refresh.percent().to_string()),
            text("InstancesToUpdate", refresh.left.len().to_string()),
            Element::with(
                "Preferences",
                vec![
                    text("MinHealthyPercentage", refresh.preferences.min_healthy.to_string()),
                    text("MaxHealthyPercentage", refresh.preferences.max_healthy.to_string()),
                    text("InstanceWarmup", refresh.preferences.warmup.to_string()),
                    text("BakeTime", refresh.preferences.bake.to_string()),
                    text("AutoRollback", refresh.preferences.rolls_back.to_string()),
                    text("SkipMatching", refresh.asked.is_set("SkipMatching").to_string()),
                ],
            ),
        ],
    );
    if !refresh.reason.is_empty() {
        member.set("StatusReason", refresh.reason.as_str());
    }
    if let Some(ended) = refresh.ended {
        member.set("EndTime", ended.to_string());
    }
    if let Some(wanted) = &refresh.wanted {
        member.put(Element::with("DesiredConfiguration", vec![wanted.clone()]));
    }
    member
}

/// Until a refresh succeeds the group has the template that it had. moto launches with the wanted one already.
pub(super) fn after(account: &Account, call: &Call, answer: &mut Element) {
    if call.action != "DescribeAutoScalingGroups" {
        return;
    }
    for group in answer.at_mut(LISTED).into_iter().flat_map(|list| &mut list.children) {
        let all = account.refreshes.get(group.text_at("AutoScalingGroupName"));
        let active = all.into_iter().flatten().find(|refresh| refresh.status.is_active());
        if let Some(refresh) = active.filter(|refresh| refresh.wanted.is_some()) {
            group.put(refresh.before.clone());
        }
    }
}
