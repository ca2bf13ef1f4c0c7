//! Answers of load balancing, RDS and ECS that do not say whose they are, or whether they are ours at all: other
//! services answer with keys of the same name.

use doorward_core::inventory::{
    AnsweredId, Call, Inventory, LoadBalancerKind, PrefixListId, TransitTableId, VpcId,
};

use super::shapes::{About, Held};
use crate::operation::balancer::{AttributesAnswer, HealthShape, ListenerRuleShape, ListenerShape};
use crate::operation::container::{FailureShape, ServiceShape, TaskShape};
use crate::operation::database::ProxyTargetShape;
use crate::operation::{EntryShape, FlagShape, PropagationShape, TransitRouteShape, VpcAttributeAnswer};
use crate::reading::{Reader, is_classic};

/// `Listeners`
pub(super) fn listeners(reader: &mut Reader, held: &Held) {
    if held.texts_of("ListenerArn").any(|arn| arn.contains(":globalaccelerator:")) {
        return;
    }
    if let Some(balancer) = said(&held.about, "LoadBalancerArn", ":loadbalancer/") {
        reader.listeners_of(&balancer);
    }
    let shapes = held.shapes::<ListenerShape>(reader, Call::Listeners);
    reader.take(&shapes);
}

/// `Rules`
pub(super) fn rules(reader: &mut Reader, held: &Held) {
    let said = said(&held.about, "ListenerArn", ":listener/");
    for shape in held.shapes::<ListenerRuleShape>(reader, Call::ListenerRules) {
        match said.clone().or_else(|| shape.listener()) {
            Some(listener) => reader.rules_of(&listener, &[shape]),
            None => reader.gap(Call::ListenerRules, unsaid(&held.about, "listener", "ListenerArn")),
        }
    }
    // That a listener has none is told as well.
    if let Some(listener) = said {
        reader.rules_of(&listener, &[]);
    }
}

/// `Attributes`, of a load balancer or of a target group.
pub(super) fn attributes(reader: &mut Reader, held: &Held) {
    let keys: Vec<String> = held.texts_of("Key").collect();
    let has = |part: &str| keys.iter().any(|key| key.contains(part));
    let balancer = said(&held.about, "LoadBalancerArn", ":loadbalancer/");
    let group = said(&held.about, "TargetGroupArn", ":targetgroup/");
    if let Some(balancer) = balancer {
        let answer = AttributesAnswer::of(held.shapes(reader, Call::LoadBalancerAttributes));
        reader.balancer_attributes(&balancer, &answer);
    } else if group.is_some() || has("deregistration_delay.") {
        match group.or_else(|| only(target_groups(reader))) {
            Some(group) => {
                let answer = AttributesAnswer::of(held.shapes(reader, Call::TargetGroupAttributes));
                reader.target_group_attributes(&group, &answer);
            }
            None => {
                let why = unsaid(&held.about, "target group", "TargetGroupArn");
                reader.gap(Call::TargetGroupAttributes, why);
            }
        }
    } else if has("load_balancing.cross_zone.") || has("deletion_protection.") {
        match only(balancers(reader)) {
            Some(balancer) => {
                let answer = AttributesAnswer::of(held.shapes(reader, Call::LoadBalancerAttributes));
                reader.balancer_attributes(&balancer, &answer);
            }
            None => {
                let why = unsaid(&held.about, "load balancer", "LoadBalancerArn");
                reader.gap(Call::LoadBalancerAttributes, why);
            }
        }
    }
}

/// `TargetHealthDescriptions`
pub(super) fn health(reader: &mut Reader, held: &Held) {
    let said = said(&held.about, "TargetGroupArn", ":targetgroup/").or_else(|| only(target_groups(reader)));
    match said {
        Some(group) => {
            let shapes = held.shapes::<HealthShape>(reader, Call::TargetHealth);
            reader.targets_of(&group, &shapes);
        }
        None => reader.gap(Call::TargetHealth, unsaid(&held.about, "target group", "TargetGroupArn")),
    }
}

/// `Targets` of an RDS Proxy.
pub(super) fn behind(reader: &mut Reader, held: &Held) {
    let names: Vec<String> = reader.inventory.database_proxies.keys().map(|(_, name)| name.clone()).collect();
    let said = held.about.text("DBProxyName").map(str::to_owned).or_else(|| {
        let parts = held.about.parts();
        let named = |name: &&String| parts.iter().any(|part| part == *name);
        names.iter().find(named).cloned()
    });
    match said.or_else(|| only(names)) {
        Some(proxy) => {
            let shapes = held.shapes::<ProxyTargetShape>(reader, Call::DatabaseProxyTargets);
            reader.behind(&proxy, &shapes);
        }
        None => reader.gap(Call::DatabaseProxyTargets, unsaid(&held.about, "proxy", "DBProxyName")),
    }
}

/// `clusterArns`
pub(super) fn clusters(reader: &mut Reader, held: &Held) {
    let arns = held.shapes::<String>(reader, Call::ContainerClusters);
    reader.clusters(&arns);
}

/// `services`
pub(super) fn services(reader: &mut Reader, held: &Held) {
    let shapes = held.shapes::<ServiceShape>(reader, Call::ContainerServices);
    reader.services(&shapes, &[]);
}

/// `tasks`
pub(super) fn tasks(reader: &mut Reader, held: &Held) {
    let shapes = held.shapes::<TaskShape>(reader, Call::ContainerTasks);
    reader.tasks(&shapes, &[]);
}

/// `failures`, beside services or tasks.
pub(super) fn failures(reader: &mut Reader, held: &Held) {
    for shape in held.shapes::<FailureShape>(reader, Call::ContainerTasks) {
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

/// `EnableDnsSupport`
pub(super) fn dns_support(reader: &mut Reader, held: &Held) {
    vpc_attribute(reader, held, |flag, vpc| VpcAttributeAnswer {
        vpc,
        support: Some(flag),
        ..VpcAttributeAnswer::default()
    });
}

/// `EnableDnsHostnames`
pub(super) fn dns_hostnames(reader: &mut Reader, held: &Held) {
    vpc_attribute(reader, held, |flag, vpc| VpcAttributeAnswer {
        vpc,
        hostnames: Some(flag),
        ..VpcAttributeAnswer::default()
    });
}

fn vpc_attribute(
    reader: &mut Reader,
    held: &Held,
    answer: fn(FlagShape, Option<String>) -> VpcAttributeAnswer,
) {
    let vpcs = reader.inventory.vpcs.keys().cloned();
    match whose::<VpcId>(&held.about, "VpcId", "vpc-", vpcs.collect()) {
        Ok(vpc) => {
            for flag in held.shapes::<FlagShape>(reader, Call::VpcAttributes) {
                reader.vpc_attribute(&answer(flag, Some(vpc.to_string())));
            }
        }
        Err(why) => reader.gap(Call::VpcAttributes, why),
    }
}

/// `Entries`
pub(super) fn entries(reader: &mut Reader, held: &Held) {
    let lists = reader.inventory.prefix_lists.keys().cloned();
    match whose::<PrefixListId>(&held.about, "PrefixListId", "pl-", lists.collect()) {
        Ok(list) => {
            let shapes = held.shapes::<EntryShape>(reader, Call::PrefixListEntries);
            reader.prefix_list_entries(&list, &shapes);
        }
        Err(why) => reader.gap(Call::PrefixListEntries, why),
    }
}

/// `Routes` of a table of a transit gateway.
pub(super) fn transit_routes(reader: &mut Reader, held: &Held) {
    let more = held.about.text("AdditionalRoutesAvailable");
    let cut = more == Some("true") && held.about.text("NextToken").is_none();
    let is_ours = more.is_some() || !held.members.is_empty();
    let tables = reader.inventory.transit_tables.keys().cloned();
    match whose::<TransitTableId>(&held.about, "TransitGatewayRouteTableId", "tgw-rtb-", tables.collect()) {
        Ok(table) => {
            let mut shapes = held.shapes::<TransitRouteShape>(reader, Call::TransitRoutes);
            shapes.extend(cut.then(|| TransitRouteShape { more: true, ..TransitRouteShape::default() }));
            reader.transit_routes(&table, &shapes);
        }
        // Other services answer with an empty list of routes as well.
        Err(_) if !is_ours => {}
        Err(why) => reader.gap(Call::TransitRoutes, why),
    }
}

/// `TransitGatewayRouteTablePropagations`
pub(super) fn propagations(reader: &mut Reader, held: &Held) {
    let tables = reader.inventory.transit_tables.keys().cloned();
    match whose::<TransitTableId>(&held.about, "TransitGatewayRouteTableId", "tgw-rtb-", tables.collect()) {
        Ok(table) => {
            let shapes = held.shapes::<PropagationShape>(reader, Call::TransitPropagations);
            reader.transit_propagations(&table, &shapes);
        }
        Err(why) => reader.gap(Call::TransitPropagations, why),
    }
}

/// Whose an answer is that does not say it: by a key beside it, by the path of the file, or because there is only
/// one that it can be about.
fn whose<Id: AnsweredId>(about: &About, key: &str, prefix: &str, all: Vec<Id>) -> Result<Id, String> {
    let file = about.path.display();
    let said = about.text(key).map(str::to_owned).or_else(|| about.in_path(prefix));
    if let Some(id) = said {
        return Id::answered(&id).map_err(|why| format!("{file} cannot be read: {why}"));
    }
    match <[Id; 1]>::try_from(all) {
        Ok([only]) => Ok(only),
        Err(_) => Err(format!("{file} does not name its `{prefix}…`: add `{key}` at its top")),
    }
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
    format!("{} does not name its {what}: add `{key}` at its top", about.path.display())
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
