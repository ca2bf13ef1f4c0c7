//! Answers of load balancing, RDS and ECS that do not say whose they are, or whether they are ours at all: other
//! services answer with keys of the same name.

use doorward_core::inventory::{Call, Inventory, LoadBalancerKind};
use serde_json::Value;

use super::answer::About;
use super::keys::shapes;
use crate::operation::balancer::{AttributesAnswer, HealthShape, ListenerRuleShape, ListenerShape};
use crate::operation::container::{FailureShape, ServiceShape, TaskShape};
use crate::operation::database::ProxyTargetShape;
use crate::reading::{Reader, is_classic};

/// `Listeners`
pub(super) fn listeners(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let foreign = |member: &Value| text(member, "ListenerArn").contains(":globalaccelerator:");
    if members.iter().any(foreign) {
        return;
    }
    if let Some(balancer) = said(about, "LoadBalancerArn", ":loadbalancer/") {
        reader.listeners_of(&balancer);
    }
    let shapes = shapes::<ListenerShape>(reader, about, Call::Listeners, members);
    reader.take(&shapes);
}

/// `Rules`
pub(super) fn rules(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let said = said(about, "ListenerArn", ":listener/");
    let ours = |member: &Value| text(member, "RuleArn").contains(":listener-rule/");
    if said.is_none() && !members.iter().any(ours) {
        return;
    }
    for shape in shapes::<ListenerRuleShape>(reader, about, Call::ListenerRules, members) {
        match said.clone().or_else(|| shape.listener()) {
            Some(listener) => reader.rules_of(&listener, &[shape]),
            None => reader.gap(Call::ListenerRules, unsaid(about, "listener", "ListenerArn")),
        }
    }
    // That a listener has none is told as well.
    if let Some(listener) = said {
        reader.rules_of(&listener, &[]);
    }
}

/// `Attributes`, of a load balancer or of a target group.
pub(super) fn attributes(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let keys: Vec<String> = members.iter().map(|member| text(member, "Key").to_owned()).collect();
    let has = |part: &str| keys.iter().any(|key| key.contains(part));
    let read = |reader: &mut Reader, call: Call| {
        serde_json::from_value::<AttributesAnswer>(serde_json::json!({ "Attributes": members }))
            .map_err(|why| reader.unreadable(call, Some(&about.path.display().to_string()), &why))
            .ok()
    };
    if let Some(balancer) = said(about, "LoadBalancerArn", ":loadbalancer/") {
        if let Some(answer) = read(reader, Call::LoadBalancerAttributes) {
            reader.balancer_attributes(&balancer, &answer);
        }
    } else if let Some(group) = said(about, "TargetGroupArn", ":targetgroup/") {
        if let Some(answer) = read(reader, Call::TargetGroupAttributes) {
            reader.target_group_attributes(&group, &answer);
        }
    } else if has("deregistration_delay.") {
        match only(target_groups(reader)) {
            Some(group) => {
                if let Some(answer) = read(reader, Call::TargetGroupAttributes) {
                    reader.target_group_attributes(&group, &answer);
                }
            }
            None => {
                reader.gap(Call::TargetGroupAttributes, unsaid(about, "target group", "TargetGroupArn"));
            }
        }
    } else if has("load_balancing.cross_zone.") || has("deletion_protection.") {
        match only(balancers(reader)) {
            Some(balancer) => {
                if let Some(answer) = read(reader, Call::LoadBalancerAttributes) {
                    reader.balancer_attributes(&balancer, &answer);
                }
            }
            None => {
                reader.gap(Call::LoadBalancerAttributes, unsaid(about, "load balancer", "LoadBalancerArn"));
            }
        }
    }
}

/// `TargetHealthDescriptions`
pub(super) fn health(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let said = said(about, "TargetGroupArn", ":targetgroup/").or_else(|| only(target_groups(reader)));
    match said {
        Some(group) => {
            let shapes = shapes::<HealthShape>(reader, about, Call::TargetHealth, members);
            reader.targets_of(&group, &shapes);
        }
        None => reader.gap(Call::TargetHealth, unsaid(about, "target group", "TargetGroupArn")),
    }
}

/// `Targets` of an RDS Proxy.
pub(super) fn behind(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let names: Vec<String> = reader.inventory.database_proxies.keys().map(|(_, name)| name.clone()).collect();
    let said = about.text("DBProxyName").map(str::to_owned).or_else(|| {
        let parts = about.parts();
        let named = |name: &&String| parts.iter().any(|part| part == *name);
        names.iter().find(named).cloned()
    });
    let ours =
        |member: &Value| ["RdsResourceId", "TrackedClusterId"].iter().any(|key| member.get(key).is_some());
    if said.is_none() && !members.iter().any(ours) {
        return;
    }
    match said.or_else(|| only(names)) {
        Some(proxy) => {
            let shapes = shapes::<ProxyTargetShape>(reader, about, Call::DatabaseProxyTargets, members);
            reader.behind(&proxy, &shapes);
        }
        None => reader.gap(Call::DatabaseProxyTargets, unsaid(about, "proxy", "DBProxyName")),
    }
}

/// `clusterArns`
pub(super) fn clusters(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let arns = shapes::<String>(reader, about, Call::ContainerClusters, members);
    reader.clusters(&arns);
}

/// `services`
pub(super) fn services(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let shapes = shapes::<ServiceShape>(reader, about, Call::ContainerServices, members);
    reader.services(&shapes, &[]);
}

/// `tasks`
pub(super) fn tasks(reader: &mut Reader, about: &About, members: Vec<Value>) {
    let shapes = shapes::<TaskShape>(reader, about, Call::ContainerTasks, members);
    reader.tasks(&shapes, &[]);
}

/// `failures`, beside services or tasks.
pub(super) fn failures(reader: &mut Reader, about: &About, members: Vec<Value>) {
    for shape in shapes::<FailureShape>(reader, about, Call::ContainerTasks, members) {
        let arn = shape.arn.clone().unwrap_or_default();
        if !arn.contains(":ecs:") {
            continue;
        }
        let call = if arn.contains(":service/") { Call::ContainerServices } else { Call::ContainerTasks };
        if let Some(why) = shape.why() {
            reader.gap(call, why);
        }
    }
}

fn text<'v>(member: &'v Value, key: &str) -> &'v str {
    member.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whose an answer is, by a key beside it or by an ARN in the path of its file.
fn said(about: &About, key: &str, part: &str) -> Option<String> {
    about.text(key).map(str::to_owned).or_else(|| {
        let parts = about.parts();
        parts.iter().rev().find_map(|name| {
            let arn = name.get(name.find("arn:")?..)?;
            arn.contains(part).then(|| arn.to_owned())
        })
    })
}

fn unsaid(about: &About, what: &str, key: &str) -> String {
    format!("{} does not say of which {what} it tells: add `{key}` at its top", about.path.display())
}

fn only(all: Vec<String>) -> Option<String> {
    <[String; 1]>::try_from(all).ok().map(|[only]| only)
}

fn target_groups(reader: &Reader) -> Vec<String> {
    let Inventory { target_groups, load_balancers, .. } = &reader.inventory;
    let groups = target_groups.values().filter(|group| !is_classic(group, load_balancers));
    groups.map(|group| group.arn.clone()).collect()
}

fn balancers(reader: &Reader) -> Vec<String> {
    let all = reader.inventory.load_balancers.values();
    all.filter(|balancer| balancer.kind != LoadBalancerKind::Classic).map(|it| it.arn.clone()).collect()
}
