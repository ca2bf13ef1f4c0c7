//! An Auto Scaling group has an activity for each instance that it launched, and for each that an instance refresh terminated. moto
//! lists none.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html>: activities of deleted groups are
//! shown with `IncludeDeletedGroups` only.

use jiff::Timestamp;

use super::scaling_group::{self, LISTED};
use crate::account::Account;
use crate::answer::{Answer, Refusal};
use crate::call::{Call, Service};
use crate::xml::Element;

/// One activity.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    group: String,
    at: Timestamp,
    description: String,
    cause: String,
}

/// Notes that an instance was launched.
pub(super) fn launched(account: &mut Account, group: &str, instance: &str) {
    note(account, group, format!("Launching a new EC2 instance: {instance}"));
}

/// Notes that an instance was terminated.
pub(super) fn terminated(account: &mut Account, group: &str, instance: &str) {
    note(account, group, format!("Terminating EC2 instance: {instance}"));
}

fn note(account: &mut Account, group: &str, description: String) {
    let at = account.now;
    let cause = format!("At {at} the Auto Scaling group {group} changed its instances.");
    account.activities.push(Activity { group: group.to_owned(), at, description, cause });
}

pub(super) async fn before(account: &Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    if call.action != "DescribeScalingActivities" {
        return Ok(None);
    }
    let asked = call.form.get("AutoScalingGroupName");
    if let Some(group) = asked {
        scaling_group::describe(account, group).await?;
    }
    let found = account.ask(Service::Scaling, "DescribeAutoScalingGroups", &[]).await?;
    let groups = found.texts(LISTED, "AutoScalingGroupName");
    let shows = |group: &String| call.form.is_set("IncludeDeletedGroups") || groups.contains(group);
    // The newest first.
    let all = account.activities.iter().enumerate().rev();
    let shown = all
        .filter(|(_, activity)| asked.is_none_or(|group| activity.group == group) && shows(&activity.group));
    let members = shown.map(|(number, Activity { group, at, description, cause })| {
        Element::with(
            "member",
            vec![
                Element::with_text("ActivityId", format!("fbb2d3ad-0000-4000-8000-{number:012}")),
                Element::with_text("AutoScalingGroupName", group.as_str()),
                Element::with_text("Description", description.as_str()),
                Element::with_text("Cause", cause.as_str()),
                Element::with_text("StartTime", at.to_string()),
                Element::with_text("EndTime", at.to_string()),
                Element::with_text("StatusCode", "Successful"),
                Element::with_text("Progress", "100"),
            ],
        )
    });
    Ok(Some(Answer::of(call, vec![Element::with("Activities", members.collect())])))
}
