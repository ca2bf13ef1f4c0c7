//! The conditions of a new instance refresh.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html>,
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html>

use super::{Preferences, Refresh, Status, active, answered, next};
use crate::account::Account;
use crate::answer::{Answer, Refusal, refusal};
use crate::behaviour::scaling_group;
use crate::call::{Call, Service};
use crate::form::Form;
use crate::settings::Ending;
use crate::xml::Element;

/// How long a refresh is `Pending`, in seconds.
const PENDING: i64 = 5;

pub(super) async fn start(account: &mut Account, call: &Call, name: &str) -> Result<Answer, Refusal> {
    let group = scaling_group::describe(account, name).await?;
    scaling_group::note(account, &group);
    if active(account, name).is_some() {
        let message =
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.";
        return Err(refusal("InstanceRefreshInProgress", message));
    }
    let before = group.child("LaunchTemplate").cloned().unwrap_or_else(|| Element::new("LaunchTemplate"));
    let wanted = wanted(account, &call.form.part("DesiredConfiguration.LaunchTemplate")).await?;
    let asked = call.form.part("Preferences");
    let preferences = preferences(&asked, &group)?;
    if preferences.rolls_back {
        can_roll_back(&before, wanted.as_ref())?;
    }
    let target = wanted.as_ref().unwrap_or(&before);
    let matches = |id: &String| account.launched.get(id).is_some_and(|template| is_same(template, target));
    let mut left = group.texts("Instances", "InstanceId");
    left.retain(|id| !(asked.is_set("SkipMatching") && matches(id)));
    let fails_at = account.settings.ending(|ending| match ending {
        Ending::InstanceRefresh { percent } => Some(*percent),
        _ => None,
    });
    let all = account.refreshes.entry(name.to_owned()).or_default();
    let id = format!("08b91cf7-8fa6-48af-b6a6-{:012}", all.len() + 1);
    all.push(Refresh {
        id: id.clone(),
        status: Status::Pending,
        reason: String::new(),
        started: account.now,
        ended: None,
        before,
        wanted,
        preferences,
        asked,
        total: left.len(),
        left,
        launched: Vec::new(),
        fails_at,
    });
    next(account, name, PENDING);
    Ok(answered(call, &id))
}

fn is_same(one: &Element, other: &Element) -> bool {
    let part = |template: &Element, name: &str| template.text_at(name).to_owned();
    part(one, "Version") == part(other, "Version")
        && (part(one, "LaunchTemplateId") == part(other, "LaunchTemplateId")
            || part(one, "LaunchTemplateName") == part(other, "LaunchTemplateName"))
}

/// The launch template that is asked for; its version must exist.
async fn wanted(account: &Account, asked: &Form) -> Result<Option<Element>, Refusal> {
    let Some((name, value)) = ["LaunchTemplateId", "LaunchTemplateName"]
        .into_iter()
        .find_map(|name| Some((name, asked.get(name)?.to_owned())))
    else {
        return Ok(None);
    };
    let version = asked.get("Version").unwrap_or("$Default");
    let fields = [(name, value.as_str()), ("LaunchTemplateVersion.1", version)];
    let found = account.ask(Service::Ec2, "DescribeLaunchTemplateVersions", &fields).await;
    let missing = || {
        let message = format!("Could not find version {version} of the launch template {value}.");
        refusal("ValidationError", message)
    };
    let found = found.map_err(|_| missing())?;
    let item = found.list("launchTemplateVersionSet").first().ok_or_else(missing)?;
    Ok(Some(Element::with(
        "LaunchTemplate",
        vec![
            Element::with_text("LaunchTemplateId", item.text_at("launchTemplateId")),
            Element::with_text("LaunchTemplateName", item.text_at("launchTemplateName")),
            Element::with_text("Version", version),
        ],
    )))
}

fn preferences(asked: &Form, group: &Element) -> Result<Preferences, Refusal> {
    let number = |name: &str, default: i64, least: i64, most: i64| -> Result<i64, Refusal> {
        let Some(value) = asked.get(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|number| (least..=most).contains(number));
        let message = format!("The value {value} of {name} must be a number from {least} to {most}.");
        number.ok_or_else(|| refusal("ValidationError", message))
    };
    let min_healthy = number("MinHealthyPercentage", 90, 0, 100)?;
    let max_healthy = number("MaxHealthyPercentage", 100, 100, 200)?;
    if asked.has("MaxHealthyPercentage") && !asked.has("MinHealthyPercentage") {
        let message = "If you specify MaxHealthyPercentage, you must also specify MinHealthyPercentage.";
        return Err(refusal("ValidationError", message));
    }
    if asked.has("MaxHealthyPercentage") && max_healthy - min_healthy > 100 {
        let message = "The difference between MaxHealthyPercentage and MinHealthyPercentage cannot be greater than 100.";
        return Err(refusal("ValidationError", message));
    }
    // "If you do not specify this property, the instance warmup by default is the value of the DefaultInstanceWarmup property, if
    // defined …, or the HealthCheckGracePeriod property otherwise."
    let warmup = ["DefaultInstanceWarmup", "HealthCheckGracePeriod"];
    let warmup = warmup.iter().find_map(|name| group.text_at(name).parse().ok()).unwrap_or(0);
    Ok(Preferences {
        min_healthy,
        max_healthy,
        warmup: number("InstanceWarmup", warmup, 0, i64::MAX)?,
        bake: number("BakeTime", 0, 0, 172_800)?,
        rolls_back: asked.is_set("AutoRollback"),
    })
}

/// "A rollback is not supported in the following situations: There is no desired configuration specified for the instance refresh. …
/// The Auto Scaling group uses the launch template's $Latest or $Default version."
fn can_roll_back(before: &Element, wanted: Option<&Element>) -> Result<(), Refusal> {
    let moves = |template: &Element| matches!(template.text_at("Version"), "" | "$Latest" | "$Default");
    if wanted.is_none_or(moves) || moves(before) {
        let message = "AutoRollback needs a DesiredConfiguration, and numbered versions of launch templates in it and in the \
                       Auto Scaling group.";
        return Err(refusal("ValidationError", message));
    }
    Ok(())
}
