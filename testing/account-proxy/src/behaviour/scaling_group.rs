//! An Auto Scaling group has a name of its own, is not deleted while it has instances unless that is forced, and takes time to go.
//! Each of its instances has the version of the launch template that it was launched with.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html> (`AlreadyExists`),
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html> (`ResourceInUse`, `ForceDelete`),
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Instance.html> (`LaunchTemplate`).

use super::scaling_activity;
use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};
use crate::form::Form;
use crate::life::Life;
use crate::settings::Delay;
use crate::xml::Element;

/// Where answers list groups.
pub(super) const LISTED: &str = "DescribeAutoScalingGroupsResult/AutoScalingGroups";

fn key(name: &str) -> String {
    format!("group:{name}")
}

/// A group as moto has it.
pub(super) async fn describe(account: &Account, name: &str) -> Result<Element, Refusal> {
    let fields = [("AutoScalingGroupNames.member.1", name)];
    let found = account.ask(Service::Scaling, "DescribeAutoScalingGroups", &fields).await?;
    let message = format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found");
    found.list(LISTED).first().cloned().ok_or_else(|| refusal("ValidationError", message))
}

/// Keeps with which template the instances of a group were launched: those that are new have that of the group.
pub(super) fn note(account: &mut Account, group: &Element) {
    let Some(template) = group.child("LaunchTemplate") else { return };
    let name = group.text_at("AutoScalingGroupName");
    for instance in group.texts("Instances", "InstanceId") {
        if !account.launched.contains_key(&instance) {
            scaling_activity::launched(account, name, &instance);
            account.launched.insert(instance, template.clone());
        }
    }
}

/// The same of all groups.
async fn note_all(account: &mut Account) -> Result<(), Refusal> {
    let found = account.ask(Service::Scaling, "DescribeAutoScalingGroups", &[]).await?;
    found.list(LISTED).iter().for_each(|group| note(account, group));
    Ok(())
}

pub(super) async fn before(account: &mut Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    let name = call.form.get("AutoScalingGroupName").unwrap_or_default();
    match call.action.as_str() {
        "CreateAutoScalingGroup" if describe(account, name).await.is_ok() => {
            let message = format!(
                "AutoScalingGroup by this name already exists - A group with the name {name} already exists"
            );
            return Err(refusal("AlreadyExists", message));
        }
        "DeleteAutoScalingGroup" => return delete(account, call, name).await,
        "UpdateAutoScalingGroup" | "DescribeAutoScalingGroups" | "DescribeScalingActivities" => {
            note_all(account).await?
        }
        _ => {}
    }
    Ok(None)
}

async fn delete(account: &mut Account, call: &Call, name: &str) -> Result<Option<Answer>, Refusal> {
    let group = describe(account, name).await?;
    let has_instances = !group.list("Instances").is_empty();
    if !has_instances {
        return Ok(None);
    }
    if !call.form.is_set("ForceDelete") {
        let message = "You cannot delete an AutoScalingGroup while there are instances still in the group.";
        return Err(refusal("ResourceInUse", message));
    }
    let key = key(name);
    if account.state(&key) != Some("Delete in progress") {
        let life = Life::new(account.now, "Delete in progress")
            .then(account.delay(Delay::ScalingGroupDeleting), "gone");
        let end = life.end();
        account.live(&key, life);
        let form = Form::of(&[("AutoScalingGroupName", name), ("ForceDelete", "true")]);
        account.schedule(end, &key, Errand::Ask(Service::Scaling, "DeleteAutoScalingGroup", form));
        account.schedule(end, &key, Errand::Forget);
    }
    Ok(Some(Answer::of(call, Vec::new())))
}

pub(super) fn after(account: &Account, call: &Call, answer: &mut Element) {
    if call.action != "DescribeAutoScalingGroups" {
        return;
    }
    for group in answer.at_mut(LISTED).into_iter().flat_map(|list| &mut list.children) {
        if let Some(status) = account.state(&key(group.text_at("AutoScalingGroupName"))) {
            group.set("Status", status);
        }
        for instance in group.child_mut("Instances").into_iter().flat_map(|list| &mut list.children) {
            if let Some(template) = account.launched.get(instance.text_at("InstanceId")) {
                instance.put(template.clone());
            }
        }
    }
}
