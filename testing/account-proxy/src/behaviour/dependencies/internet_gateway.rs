//! An internet gateway is not detached while its VPC has mapped public addresses, and not deleted while it is attached.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html>: "The VPC must not contain any
//! running instances with Elastic IP addresses or public IPv4 addresses."
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteInternetGateway.html>: "You must detach the internet
//! gateway from the VPC before you can delete it."

use super::violation;
use crate::account::Account;
use crate::answer::Refusal;
use crate::behaviour::regional_nat_gateway;
use crate::call::{Call, Service};

pub(super) async fn detach(account: &Account, call: &Call) -> Result<(), Refusal> {
    let vpc = call.form.get("VpcId").unwrap_or_default();
    let id = call.form.get("InternetGatewayId").unwrap_or_default();
    let found = account.find("DescribeNetworkInterfaces", "vpc-id", vpc).await?;
    let interfaces = found.list("networkInterfaceSet");
    let mapped = interfaces.iter().any(|it| !it.text_at("association/publicIp").is_empty());
    // moto shows the public address of an instance at the instance.
    let found = account.find("DescribeInstances", "vpc-id", vpc).await?;
    let instances = found.list("reservationSet").iter().flat_map(|it| it.list("instancesSet"));
    let runs = |state: &str| matches!(state, "pending" | "running");
    let mut public = instances.filter(|it| {
        let state = account.state(it.text_at("instanceId"));
        runs(state.unwrap_or(it.text_at("instanceState/name"))) && !it.text_at("ipAddress").is_empty()
    });
    let found = account.find("DescribeNatGateways", "vpc-id", vpc).await?;
    let mut regional = found.list("natGatewaySet").iter().map(|it| it.text_at("natGatewayId"));
    if mapped || public.next().is_some() || regional.any(|id| regional_nat_gateway::is_alive(account, id)) {
        return Err(violation(format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the \
             gateway {id}."
        )));
    }
    Ok(())
}

pub(super) async fn delete(account: &Account, call: &Call) -> Result<(), Refusal> {
    let id = call.form.get("InternetGatewayId").unwrap_or_default();
    let found = account.ask(Service::Ec2, "DescribeInternetGateways", &[("InternetGatewayId.1", id)]).await?;
    if found.list("internetGatewaySet").iter().any(|it| !it.list("attachmentSet").is_empty()) {
        return Err(violation(format!("The internetGateway '{id}' has dependencies and cannot be deleted.")));
    }
    Ok(())
}
