//! A target is `initial` until its checks decide, `unused` while no listener sends it anything or it does not run, and
//! `draining` after it is deregistered.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>, *Target health
//! status*; the reasons are those of
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html>.

use crate::account::Account;
use crate::answer::Refusal;
use crate::call::{Call, Service};
use crate::form::Form;
use crate::life::Life;
use crate::settings::{Delay, Ending};
use crate::xml::Element;

fn key(group: &str, id: &str, port: &str) -> String {
    format!("target:{group} {id} {port}")
}

/// A target that goes is drained. moto forgets it at once.
pub(super) async fn before(account: &mut Account, call: &Call) -> Result<(), Refusal> {
    if call.action != "DeregisterTargets" {
        return Ok(());
    }
    let group = call.form.get("TargetGroupArn").unwrap_or_default();
    let fields = [("TargetGroupArn", group)];
    let found = account.ask(Service::Balancing, "DescribeTargetHealth", &fields).await?;
    let leaves = |member: &Element, target: &Form| {
        target.get("Id") == Some(member.text_at("Target/Id"))
            && target.get("Port").is_none_or(|port| port == member.text_at("Target/Port"))
    };
    for member in found.list("DescribeTargetHealthResult/TargetHealthDescriptions") {
        if call.form.parts("Targets").iter().any(|target| leaves(member, target)) {
            let key = key(group, member.text_at("Target/Id"), member.text_at("Target/Port"));
            let life = Life::new(account.now, "draining").then(account.delay(Delay::TargetDraining), "gone");
            account.live(&key, life);
        }
    }
    Ok(())
}

pub(super) fn after(account: &mut Account, call: &Call, answer: &mut Element) {
    match call.action.as_str() {
        "RegisterTargets" => {
            // Each is `initial` again when it is described next.
            let group = call.form.get("TargetGroupArn").unwrap_or_default();
            for target in call.form.parts("Targets") {
                let begin = key(group, target.get("Id").unwrap_or_default(), "");
                account.lives.retain(|key, _| !key.starts_with(&begin));
            }
        }
        "DescribeTargetHealth" => describe(account, call, answer),
        _ => {}
    }
}

fn describe(account: &mut Account, call: &Call, answer: &mut Element) {
    let group = call.form.get("TargetGroupArn").unwrap_or_default().to_owned();
    let Some(list) = answer.at_mut("DescribeTargetHealthResult/TargetHealthDescriptions") else { return };
    for member in &mut list.children {
        let id = member.text_at("Target/Id").to_owned();
        let key = key(&group, &id, member.text_at("Target/Port"));
        if member.text_at("TargetHealth/State") == "unused" {
            continue;
        }
        if account.state(&id).is_some_and(|state| state != "running") {
            member.put(health("unused", "Target.InvalidState", "Target is in the stopped state"));
            continue;
        }
        if account.state(&key).is_none_or(|state| state == "gone") {
            begin(account, &key);
        }
        let Some(life) = account.lives.get(&key) else { continue };
        member.put(match (life.state(account.now), life.failure()) {
            ("initial", _) => {
                health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
            }
            ("unhealthy", Some((reason, words))) => health("unhealthy", reason, words),
            (state, _) => Element::with("TargetHealth", vec![Element::with_text("State", state)]),
        });
    }
    draining(account, &group, list);
}

fn begin(account: &mut Account, key: &str) {
    let reason = account.settings.ending(|ending| match ending {
        Ending::Target { reason } => Some(reason.clone()),
        _ => None,
    });
    let initial = account.delay(Delay::TargetInitial);
    let life = Life::new(account.now, "initial");
    account.live(
        key,
        match reason {
            None => life.then(initial, "healthy"),
            Some(reason) => {
                life.then(initial, "unhealthy").failing(reason, "Health checks failed".to_owned())
            }
        },
    );
}

fn draining(account: &Account, group: &str, list: &mut Element) {
    let begin = format!("target:{group} ");
    for (key, life) in account.lives.range(begin.clone()..).take_while(|(key, _)| key.starts_with(&begin)) {
        let Some((id, port)) = key.strip_prefix(&begin).and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        if life.state(account.now) == "draining" {
            list.children.push(Element::with(
                "member",
                vec![
                    Element::with(
                        "Target",
                        vec![Element::with_text("Id", id), Element::with_text("Port", port)],
                    ),
                    Element::with_text("HealthCheckPort", port),
                    health(
                        "draining",
                        "Target.DeregistrationInProgress",
                        "Target deregistration is in progress",
                    ),
                ],
            ));
        }
    }
}

fn health(state: &str, reason: &str, words: &str) -> Element {
    Element::with(
        "TargetHealth",
        vec![
            Element::with_text("State", state),
            Element::with_text("Reason", reason),
            Element::with_text("Description", words),
        ],
    )
}
