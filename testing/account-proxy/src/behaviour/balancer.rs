//! A balancer is `provisioning` for a while, then `active` or `failed`. Its name is unique: the same settings give the first one
//! back, others are refused. Its network interfaces outlive it by minutes, with its security groups.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>: "This operation is
//! idempotent"; `DuplicateLoadBalancerName`, `InvalidSubnet`, `InvalidConfigurationRequest`.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>: "If you attempt to create
//! multiple target groups with the same settings, each call succeeds"; `DuplicateTargetGroupName`.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html>: `DuplicateListener`.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html>: `OperationNotPermitted`.

use std::collections::BTreeSet;

use super::interfaces::{self, Kind};
use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};
use crate::life::Life;
use crate::settings::{Delay, Ending};
use crate::xml::Element;

const LISTED: &str = "DescribeLoadBalancersResult/LoadBalancers";

pub(super) async fn before(account: &Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    match call.action.as_str() {
        "CreateLoadBalancer" => {
            is_name(call.form.get("Name").unwrap_or_default())?;
            if let Some(first) = of_name(account, call).await? {
                return first_again(account, call, first).map(Some);
            }
            has_valid_subnets(account, call).await?;
        }
        "CreateTargetGroup" => return target_group_again(account, call).await,
        "CreateListener" => port_is_free(account, call).await?,
        "DeleteLoadBalancer" => is_unprotected(account, call).await?,
        _ => {}
    }
    Ok(None)
}

/// "a maximum of 32 characters, must contain only alphanumeric characters or hyphens, must not begin or end with a hyphen, and
/// must not begin with internal-."
fn is_name(name: &str) -> Result<(), Refusal> {
    let is_in = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let edges = name.starts_with('-') || name.ends_with('-') || name.starts_with("internal-");
    if name.is_empty() || name.len() > 32 || edges || !name.chars().all(is_in) {
        return Err(refusal("ValidationError", format!("The load balancer name '{name}' is not valid")));
    }
    Ok(())
}

async fn of_name(account: &Account, call: &Call) -> Result<Option<Element>, Refusal> {
    let name = call.form.get("Name").unwrap_or_default();
    let found = account.ask(Service::Balancing, "DescribeLoadBalancers", &[]).await?;
    Ok(found.list(LISTED).iter().find(|it| it.text_at("LoadBalancerName") == name).cloned())
}

fn first_again(account: &Account, call: &Call, mut first: Element) -> Result<Answer, Refusal> {
    let set = |texts: Vec<String>| texts.into_iter().collect::<BTreeSet<_>>();
    let groups: BTreeSet<String> = first.list("SecurityGroups").iter().map(|it| it.text.clone()).collect();
    let same = set(subnets(call)) == set(first.texts("AvailabilityZones", "SubnetId"))
        && set(call.form.list("SecurityGroups")) == groups
        && call.form.get("Type").unwrap_or("application") == first.text_at("Type")
        && call.form.get("Scheme").is_none_or(|scheme| [scheme, ""].contains(&first.text_at("Scheme")));
    if !same {
        let name = call.form.get("Name").unwrap_or_default();
        let message =
            format!("A load balancer with the same name '{name}' exists, but with different settings");
        return Err(refusal("DuplicateLoadBalancerName", message));
    }
    show(account, &mut first);
    Ok(Answer::of(call, vec![Element::with("LoadBalancers", vec![first])]))
}

/// A target group with the same settings is the answer again; with others its name is taken. moto refuses both.
async fn target_group_again(account: &Account, call: &Call) -> Result<Option<Answer>, Refusal> {
    let name = call.form.get("Name").unwrap_or_default();
    let found = account.ask(Service::Balancing, "DescribeTargetGroups", &[]).await?;
    let groups = found.list("DescribeTargetGroupsResult/TargetGroups");
    let Some(first) = groups.iter().find(|it| it.text_at("TargetGroupName") == name) else { return Ok(None) };
    let settings = ["Protocol", "Port", "VpcId", "TargetType", "HealthCheckPath"];
    if settings.iter().any(|key| call.form.get(key).is_some_and(|value| value != first.text_at(key))) {
        let message =
            format!("A target group with the same name '{name}' exists, but with different settings");
        return Err(refusal("DuplicateTargetGroupName", message));
    }
    Ok(Some(Answer::of(call, vec![Element::with("TargetGroups", vec![first.clone()])])))
}

fn subnets(call: &Call) -> Vec<String> {
    let mapped = call.form.parts("SubnetMappings");
    let mapped = mapped.iter().filter_map(|it| it.get("SubnetId")).map(str::to_owned);
    call.form.list("Subnets").into_iter().chain(mapped).collect()
}

/// Its subnets: two zones at least for an Application Load Balancer, no zone twice, and an internet gateway unless it is internal.
async fn has_valid_subnets(account: &Account, call: &Call) -> Result<(), Refusal> {
    let (mut zones, mut vpc) = (Vec::new(), String::new());
    for subnet in subnets(call) {
        let found = account.ask(Service::Ec2, "DescribeSubnets", &[("SubnetId.1", &subnet)]).await;
        let message = format!("The subnet ID '{subnet}' is not valid");
        let found = found.map_err(|_| refusal("SubnetNotFound", message))?;
        zones.push(found.text_at("subnetSet/item/availabilityZone").to_owned());
        found.text_at("subnetSet/item/vpcId").clone_into(&mut vpc);
    }
    let distinct: BTreeSet<&String> = zones.iter().collect();
    if distinct.len() < zones.len() {
        let message = "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
        return Err(refusal("InvalidConfigurationRequest", message));
    }
    if call.form.get("Type").unwrap_or("application") == "application" && zones.len() < 2 {
        let message = "At least two subnets in two different Availability Zones must be specified";
        return Err(refusal("ValidationError", message));
    }
    let attached = account.find("DescribeInternetGateways", "attachment.vpc-id", &vpc).await?;
    if call.form.get("Scheme") != Some("internal") && attached.list("internetGatewaySet").is_empty() {
        return Err(refusal("InvalidSubnet", format!("VPC {vpc} has no internet gateway")));
    }
    Ok(())
}

async fn port_is_free(account: &Account, call: &Call) -> Result<(), Refusal> {
    let arn = call.form.get("LoadBalancerArn").unwrap_or_default();
    let fields = [("LoadBalancerArn", arn)];
    let found = account.ask(Service::Balancing, "DescribeListeners", &fields).await?;
    let ports = found.texts("DescribeListenersResult/Listeners", "Port");
    if ports.iter().any(|port| Some(port.as_str()) == call.form.get("Port")) {
        let message = format!("A listener already exists on this port for this load balancer '{arn}'");
        return Err(refusal("DuplicateListener", message));
    }
    Ok(())
}

async fn is_unprotected(account: &Account, call: &Call) -> Result<(), Refusal> {
    let arn = call.form.get("LoadBalancerArn").unwrap_or_default();
    let fields = [("LoadBalancerArn", arn)];
    // "If the load balancer does not exist or has already been deleted, the call succeeds."
    let Ok(found) = account.ask(Service::Balancing, "DescribeLoadBalancerAttributes", &fields).await else {
        return Ok(());
    };
    let attributes = found.list("DescribeLoadBalancerAttributesResult/Attributes");
    let protects =
        |it: &Element| it.text_at("Key") == "deletion_protection.enabled" && it.text_at("Value") == "true";
    if attributes.iter().any(protects) {
        let message =
            format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
        return Err(refusal("OperationNotPermitted", message));
    }
    Ok(())
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    let arn = call.form.get("LoadBalancerArn").unwrap_or_default().to_owned();
    match call.action.as_str() {
        "CreateLoadBalancer" => {
            let Some(item) = answer.at("CreateLoadBalancerResult/LoadBalancers/member") else {
                return Ok(());
            };
            begin(account, &item.clone()).await?;
        }
        "DeleteLoadBalancer" => {
            account.live(&arn, Life::new(account.now, "gone"));
            account.schedule_in(account.delay(Delay::BalancerInterfaces), &arn, Errand::DeleteInterfaces);
        }
        "SetSecurityGroups" => {
            interfaces::set_groups(account, &arn, &call.form.list("SecurityGroups")).await?
        }
        "SetSubnets" => {
            interfaces::delete(account, &arn).await?;
            let fields = [("LoadBalancerArns.member.1", arn.as_str())];
            let found = account.ask(Service::Balancing, "DescribeLoadBalancers", &fields).await?;
            if let Some(item) = found.list(LISTED).first() {
                connect(account, item).await?;
            }
        }
        _ => {}
    }
    answer.each("member", &mut |item| show(account, item));
    Ok(())
}

async fn begin(account: &mut Account, item: &Element) -> Result<(), Refusal> {
    let failed = account.settings.ending(|ending| (*ending == Ending::Balancer).then_some(()));
    let end = if failed.is_some() { "failed" } else { "active" };
    let life = Life::new(account.now, "provisioning").then(account.delay(Delay::BalancerProvisioning), end);
    account.live(item.text_at("LoadBalancerArn"), life);
    connect(account, item).await
}

/// An interface in each of its subnets: `ELB app/NAME/ID`.
async fn connect(account: &mut Account, item: &Element) -> Result<(), Refusal> {
    let arn = item.text_at("LoadBalancerArn");
    let groups: Vec<String> = item.list("SecurityGroups").iter().map(|it| it.text.clone()).collect();
    let path = arn.split(":loadbalancer/").nth(1).unwrap_or_default();
    for subnet in item.texts("AvailabilityZones", "SubnetId") {
        let kind = Kind {
            is: if path.starts_with("net/") { "network_load_balancer" } else { "interface" },
            requester: "amazon-elb",
            attached_by: "amazon-elb",
            description: format!("ELB {path}"),
        };
        interfaces::create(account, arn, &subnet, &groups, kind).await?;
    }
    Ok(())
}

fn show(account: &Account, item: &mut Element) {
    if let Some(state) = account.state(item.text_at("LoadBalancerArn"))
        && item.child("State").is_some()
    {
        item.put(Element::with("State", vec![Element::with_text("Code", state)]));
    }
}
