//! A NAT gateway is `pending` for a while, then `available` or `failed`; it is `deleting` for a while, then `deleted`, and
//! shown for about an hour.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html>,
//! <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html> (the failures),
//! <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html> (deleting releases neither the address
//! nor the routes).

use super::interfaces::{self, Kind};
use super::regional_nat_gateway;
use crate::account::{Account, Errand};
use crate::answer::{Answer, Refusal, refusal};
use crate::call::{Call, Service};
use crate::form::Form;
use crate::life::Life;
use crate::settings::{Delay, Ending};
use crate::xml::Element;

/// How long a deleted or failed one is still shown, in seconds.
const SHOWN: i64 = 3_600;

pub(super) async fn before(account: &mut Account, call: &mut Call) -> Result<Option<Answer>, Refusal> {
    match call.action.as_str() {
        "CreateNatGateway" if regional_nat_gateway::is_asked(call) => {
            regional_nat_gateway::before(account, call).await.map(|()| None)
        }
        "CreateNatGateway" => create(call).map(|()| None),
        "DescribeNatGateways" => {
            call.hold_filter("state");
            for id in call.form.list("NatGatewayId") {
                exists(account, &id).await?;
            }
            Ok(None)
        }
        "DeleteNatGateway" => delete(account, call).await.map(Some),
        _ => Ok(None),
    }
}

fn create(call: &Call) -> Result<(), Refusal> {
    let is_private = call.form.get("ConnectivityType") == Some("private");
    if !call.form.has("SubnetId") {
        return Err(refusal("MissingParameter", "The request must contain the parameter SubnetId"));
    }
    if !is_private && !call.form.has("AllocationId") {
        return Err(refusal("MissingParameter", "The request must contain the parameter AllocationId"));
    }
    if is_private && call.form.has("AllocationId") {
        let message = "AllocationId cannot be specified for a private NAT gateway";
        return Err(refusal("InvalidParameterCombination", message));
    }
    Ok(())
}

/// A gateway as moto has it, unless it is no longer shown.
async fn exists(account: &Account, id: &str) -> Result<Element, Refusal> {
    let found = account.ask(Service::Ec2, "DescribeNatGateways", &[("NatGatewayId.1", id)]).await?;
    let shown = found.list("natGatewaySet").first().filter(|_| account.state(id) != Some("gone"));
    let message = format!("NatGateway {id} was not found");
    shown.cloned().ok_or_else(|| refusal("NatGatewayNotFound", message))
}

async fn delete(account: &mut Account, call: &Call) -> Result<Answer, Refusal> {
    let id = call.form.get("NatGatewayId").unwrap_or_default();
    let gateway = exists(account, id).await?;
    if account.state(id) == Some("deleted") {
        return Err(refusal("NatGatewayNotFound", format!("NatGateway {id} was not found")));
    }
    if !matches!(account.state(id), Some("deleting" | "failed")) {
        let life =
            Life::new(account.now, "deleting").then(account.delay(Delay::NatGatewayDeleting), "deleted");
        let end = life.end();
        account.live(id, life.then(SHOWN, "gone"));
        release(account, id, &gateway, end);
    }
    Ok(Answer::of(call, vec![Element::with_text("natGatewayId", id)]))
}

/// Its address and its interface become free at a time.
fn release(account: &mut Account, id: &str, gateway: &Element, at: jiff::Timestamp) {
    for address in gateway.list("natGatewayAddressSet") {
        let association = address.text_at("associationId");
        if !association.is_empty() {
            let form = Form::of(&[("AssociationId", association)]);
            account.schedule(at, id, Errand::Ask(Service::Ec2, "DisassociateAddress", form));
        }
    }
    account.schedule(
        at,
        id,
        Errand::Ask(Service::Ec2, "DeleteNatGateway", Form::of(&[("NatGatewayId", id)])),
    );
    account.schedule(at, id, Errand::DeleteInterfaces);
}

pub(super) async fn after(account: &mut Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    match call.action.as_str() {
        "CreateNatGateway" => {
            let Some(gateway) = answer.child_mut("natGateway") else { return Ok(()) };
            begin(account, call, gateway).await?;
            show(account, gateway);
        }
        "DescribeNatGateways" => {
            let Some(set) = answer.child_mut("natGatewaySet") else { return Ok(()) };
            set.children.iter_mut().for_each(|gateway| show(account, gateway));
            set.children
                .retain(|it| it.text_at("state") != "gone" && call.admits("state", it.text_at("state")));
        }
        _ => {}
    }
    Ok(())
}

/// The life of a new gateway: a public one fails when its VPC has no internet gateway.
async fn begin(account: &mut Account, call: &Call, gateway: &Element) -> Result<(), Refusal> {
    let id = gateway.text_at("natGatewayId").to_owned();
    let vpc = gateway.text_at("vpcId");
    let is_regional = regional_nat_gateway::is_asked(call);
    if is_regional {
        regional_nat_gateway::adopt(account, call, gateway).await?;
    }
    for address in gateway.list("natGatewayAddressSet").iter().filter(|_| !is_regional) {
        let kind = Kind {
            is: "nat_gateway",
            requester: "AIDAJIC2NTIF7SVEXAMPLE",
            attached_by: "amazon-aws",
            description: format!("Interface for NAT Gateway {id}"),
        };
        interfaces::adopt(account, &id, address.text_at("networkInterfaceId"), kind);
    }
    let mut failure = account.settings.ending(|ending| match ending {
        Ending::NatGateway { code, message } => Some((code.clone(), message.clone())),
        _ => None,
    });
    let attached = account.find("DescribeInternetGateways", "attachment.vpc-id", vpc).await?;
    if call.asked.get("ConnectivityType") != Some("private") && attached.list("internetGatewaySet").is_empty()
    {
        let message = format!("Network {vpc} has no Internet gateway attached");
        failure = failure.or(Some(("Gateway.NotAttached".to_owned(), message)));
    }
    let pending = account.delay(Delay::NatGatewayPending);
    let life = Life::new(account.now, "pending");
    match failure {
        None => account.live(&id, life.then(pending, "available")),
        Some((code, message)) => {
            let life = life.then(pending, "failed");
            let end = life.end();
            account.live(&id, life.then(SHOWN, "gone").failing(code, message));
            release(account, &id, gateway, end);
        }
    }
    Ok(())
}

/// A gateway as it is now. While it is pending its address is not attached yet, and a failed one has none.
fn show(account: &Account, gateway: &mut Element) {
    let id = gateway.text_at("natGatewayId").to_owned();
    match account.regional.get(&id) {
        Some(zones) => regional_nat_gateway::show(gateway, zones),
        None => gateway.set("availabilityMode", "zonal"),
    }
    if gateway.child("connectivityType").is_none() {
        gateway.set("connectivityType", "public");
    }
    let Some(life) = account.lives.get(&id) else { return };
    let state = life.state(account.now);
    gateway.set("state", state);
    if matches!(state, "pending" | "failed") {
        for address in gateway.child_mut("natGatewayAddressSet").into_iter().flat_map(|set| &mut set.children)
        {
            address.children.retain(|child| child.name == "allocationId");
        }
    }
    if let (Some((code, message)), "failed") = (life.failure(), state) {
        gateway.set("failureCode", code);
        gateway.set("failureMessage", message);
    }
    if state == "deleted" {
        gateway.set("deleteTime", life.begin(state).to_string());
    }
}
