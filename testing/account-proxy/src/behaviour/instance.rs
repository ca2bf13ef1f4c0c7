//! An instance is `pending`, `stopping` and `shutting-down` for a while, and is shown for about an hour after it is
//! terminated; until it is terminated its network interface exists.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>

use super::instance_interfaces::show_groups;
use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};
use crate::form::Form;
use crate::life::Life;
use crate::settings::Delay;
use crate::xml::Element;

/// How long a terminated instance is still shown, in seconds.
const SHOWN: i64 = 3_600;

pub(super) async fn before(account: &mut Account, call: &mut Call) -> Result<Option<Answer>, Refusal> {
    match call.action.as_str() {
        "RunInstances" => {
            if let Some(image) = call.form.get("ImageId").filter(|id| id.starts_with("ami-")) {
                known_image(account, image).await?;
            }
            Ok(None)
        }
        "DescribeInstances" => {
            call.hold_filter("instance-state-name");
            call.hold_filter("instance-state-code");
            Ok(None)
        }
        "StartInstances" => {
            must_be(account, call, &["stopped", "running", "pending"], "started").map(|()| None)
        }
        "StopInstances" => {
            must_be(account, call, &["running", "stopping", "stopped"], "stopped").map(|()| None)
        }
        "TerminateInstances" => terminate(account, call).await.map(Some),
        _ => Ok(None),
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>: `InvalidAMIID.NotFound`,
/// `InvalidAMIID.Unavailable`.
async fn known_image(account: &Account, image: &str) -> Result<(), Refusal> {
    let found = account.ask(Service::Ec2, "DescribeImages", &[("ImageId.1", image)]).await;
    if found.map_or(0, |found| found.list("imagesSet").len()) == 0 {
        return Err(refusal("InvalidAMIID.NotFound", format!("The image id '[{image}]' does not exist")));
    }
    match account.state(image) {
        None | Some("available") => Ok(()),
        Some(state) => {
            let message = format!("The image ID '{image}' is not available: it is {state}");
            Err(refusal("InvalidAMIID.Unavailable", message))
        }
    }
}

fn must_be(account: &Account, call: &Call, states: &[&str], what: &str) -> Result<(), Refusal> {
    for id in call.form.list("InstanceId") {
        if account.state(&id).is_some_and(|state| !states.contains(&state)) {
            let message = format!("The instance '{id}' is not in a state from which it can be {what}.");
            return Err(refusal("IncorrectInstanceState", message));
        }
    }
    Ok(())
}

/// moto terminates at once, so the call is sent to it when the time has come.
async fn terminate(account: &mut Account, call: &Call) -> Result<Answer, Refusal> {
    let ids = call.form.list("InstanceId");
    let mut items = Vec::new();
    for id in &ids {
        let found = account.ask(Service::Ec2, "DescribeInstances", &[("InstanceId.1", id)]).await?;
        let theirs = found.text_at("reservationSet/item/instancesSet/item/instanceState/name");
        let fields = [("InstanceId", id.as_str()), ("Attribute", "disableApiTermination")];
        let protection = account.ask(Service::Ec2, "DescribeInstanceAttribute", &fields).await?;
        if protection.text_at("disableApiTermination/value") == "true" {
            let message = format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try \
                 again."
            );
            return Err(refusal("OperationNotPermitted", message));
        }
        let before = account.state(id).unwrap_or(theirs).to_owned();
        items.push((id.clone(), before));
    }
    for (id, before) in &items {
        if matches!(before.as_str(), "shutting-down" | "terminated") {
            continue;
        }
        let life = Life::new(account.now, "shutting-down")
            .then(account.delay(Delay::InstanceShuttingDown), "terminated");
        let end = life.end();
        account.live(id, life.then(SHOWN, "gone"));
        let form = Form::of(&[("InstanceId.1", id)]);
        account.schedule(end, id, Errand::Ask(Service::Ec2, "TerminateInstances", form));
    }
    let changes = items.iter().map(|(id, before)| {
        let now = account.state(id).unwrap_or("terminated");
        Element::with(
            "item",
            vec![
                Element::with_text("instanceId", id.as_str()),
                state("currentState", now),
                state("previousState", before),
            ],
        )
    });
    Ok(Answer::of(call, vec![Element::with("instancesSet", changes.collect())]))
}

fn code(state: &str) -> &'static str {
    match state {
        "pending" => "0",
        "running" => "16",
        "shutting-down" => "32",
        "terminated" => "48",
        "stopping" => "64",
        _ => "80",
    }
}

fn state(name: &str, state: &str) -> Element {
    Element::with(name, vec![Element::with_text("code", code(state)), Element::with_text("name", state)])
}

pub(super) fn after(account: &mut Account, call: &Call, answer: &mut Element) {
    match call.action.as_str() {
        "RunInstances" => {
            for id in answer.texts("instancesSet", "instanceId") {
                let life =
                    Life::new(account.now, "pending").then(account.delay(Delay::InstancePending), "running");
                account.live(&id, life);
            }
            answer.each("item", &mut |item| show(account, item));
        }
        "StartInstances" => {
            change(account, answer, ("pending", Delay::InstancePending, "running"), "stopped")
        }
        "StopInstances" => {
            change(account, answer, ("stopping", Delay::InstanceStopping, "stopped"), "running")
        }
        "DescribeInstances" => {
            answer.each("item", &mut |item| show(account, item));
            let Some(reservations) = answer.child_mut("reservationSet") else { return };
            for reservation in &mut reservations.children {
                if let Some(instances) = reservation.child_mut("instancesSet") {
                    instances.children.retain(|it| {
                        it.text_at("instanceState/name") != "gone"
                            && call.admits("instance-state-name", it.text_at("instanceState/name"))
                            && call.admits("instance-state-code", it.text_at("instanceState/code"))
                    });
                }
            }
            reservations.children.retain(|it| !it.list("instancesSet").is_empty());
        }
        "DescribeInstanceStatus" => {
            answer.each("item", &mut |item| show(account, item));
            let all = call.form.is_set("IncludeAllInstances");
            if let Some(set) = answer.child_mut("instanceStatusSet") {
                set.children.retain(|it| all || it.text_at("instanceState/name") == "running");
            }
        }
        _ => {}
    }
}

/// An instance as it is now.
fn show(account: &Account, item: &mut Element) {
    if item.child("networkInterfaceSet").is_some() {
        show_groups(item);
    }
    if let Some(now) = account.state(item.text_at("instanceId"))
        && item.child("instanceState").is_some()
    {
        item.put(state("instanceState", now));
        if matches!(now, "terminated" | "gone") {
            item.put(Element::new("networkInterfaceSet"));
        }
    }
}

/// Begins to start or to stop those that are not there yet.
fn change(account: &mut Account, answer: &mut Element, (now, delay, then): (&str, Delay, &str), from: &str) {
    for item in answer.child_mut("instancesSet").into_iter().flat_map(|set| &mut set.children) {
        let id = item.text_at("instanceId").to_owned();
        let before = account.state(&id).unwrap_or(from).to_owned();
        if before == from {
            account.live(&id, Life::new(account.now, now).then(account.delay(delay), then));
        }
        item.put(state("currentState", account.state(&id).unwrap_or(now)));
        item.put(state("previousState", &before));
    }
}
