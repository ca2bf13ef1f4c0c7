//! A Lambda function in a VPC has network interfaces that it shares with the functions of the same subnets and security groups,
//! and that stay for a while after the last of them is gone.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html>: "When you update a function to remove its VPC
//! configuration, Lambda requires up to 20 minutes to delete the attached Hyperplane ENI. Lambda only deletes the ENI if no other
//! function (or published function version) is using that Hyperplane ENI."

use bytes::Bytes;
use serde_json::Value;

use super::interfaces::{self, Kind};
use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal};
use crate::call::{Call, Service};
use crate::settings::Delay;

const FUNCTIONS: &str = "/2015-03-31/functions";

/// The function of a path, and what follows its name.
fn path(call: &Call) -> Option<(&str, &str)> {
    let rest = call.head.uri.path().strip_prefix(FUNCTIONS)?.trim_matches('/');
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

pub(super) async fn before(account: &mut Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    // moto answers it; what it had is released when it is gone.
    if let (Some((name, "")), "DELETE") = (path(call), call.head.method.as_str()) {
        release(account, name);
    }
    Ok(None)
}

pub(super) async fn after(account: &mut Account, call: &Call, body: &mut Bytes) -> Result<(), Refusal> {
    let Some((_, rest)) = path(call) else { return Ok(()) };
    if let Ok(mut answer) = serde_json::from_slice::<Value>(body) {
        show_all(account, &mut answer).await?;
        *body = Bytes::from(answer.to_string());
    }
    if !matches!((call.head.method.as_str(), rest), ("POST", "") | ("PUT", "configuration")) {
        return Ok(());
    }
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = answer.get("FunctionName").and_then(Value::as_str).unwrap_or_default();
    let texts = |name: &str| -> Vec<String> {
        let list = answer.get("VpcConfig").and_then(|it| it.get(name)).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (subnets, mut groups) = (texts("SubnetIds"), texts("SecurityGroupIds"));
    groups.sort();
    release(account, name);
    let mut owners = Vec::new();
    for subnet in subnets {
        let owner = format!("function:{subnet}:{}", groups.join(","));
        account.cancel(&owner);
        if interfaces::of(account, &owner).is_empty() {
            let kind = Kind {
                is: "lambda",
                requester: "AROAEXAMPLELAMBDA",
                attached_by: "amazon-aws",
                description: format!("AWS Lambda VPC ENI-{name}-00000000-0000-4000-8000-000000000000"),
            };
            interfaces::create(account, &owner, &subnet, &groups, kind).await?;
        }
        owners.push(owner);
    }
    if !owners.is_empty() {
        account.functions.insert(name.to_owned(), owners);
    }
    Ok(())
}

/// Shows the VPC of each function in an answer: moto shows always the same.
async fn show_all(account: &Account, answer: &mut Value) -> Result<(), Refusal> {
    let mut networks: Vec<&mut Value> = Vec::new();
    match answer.get("Functions").is_some() {
        true => {
            let functions = answer.get_mut("Functions").and_then(Value::as_array_mut);
            networks.extend(functions.into_iter().flatten().filter_map(|it| it.get_mut("VpcConfig")));
        }
        false => networks.extend(answer.get_mut("VpcConfig")),
    }
    for network in networks {
        let subnet = network.get("SubnetIds").and_then(|it| it.get(0)).and_then(Value::as_str);
        let Some(subnet) = subnet.map(str::to_owned) else { continue };
        let found = account.ask(Service::Ec2, "DescribeSubnets", &[("SubnetId.1", &subnet)]).await?;
        if let Some(network) = network.as_object_mut() {
            let vpc = found.text_at("subnetSet/item/vpcId").to_owned();
            network.insert("VpcId".to_owned(), Value::String(vpc));
        }
    }
    Ok(())
}

/// A function no longer uses its interfaces; those that nobody uses are deleted after a while.
fn release(account: &mut Account, name: &str) {
    for owner in account.functions.remove(name).unwrap_or_default() {
        if !account.functions.values().any(|owners| owners.contains(&owner)) {
            account.schedule_in(account.delay(Delay::FunctionInterfaces), &owner, Errand::DeleteInterfaces);
        }
    }
}
