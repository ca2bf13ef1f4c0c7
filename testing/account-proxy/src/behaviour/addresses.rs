//! An Elastic IP address that is associated is not released.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html>: "[Default VPC] Releasing an Elastic IP
//! address automatically disassociates it from any instance that it's associated with. … [Nondefault VPC] You must disassociate
//! the Elastic IP address before you can release it. Otherwise, Amazon EC2 returns an error (InvalidIPAddress.InUse)." An address
//! of a NAT gateway is disassociated by deleting the gateway.

use super::regional_nat_gateway;
use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    let id = match call.action.as_str() {
        "ReleaseAddress" => call.form.get("AllocationId").ok_or_else(|| {
            let message = "You must specify an allocation id when releasing a VPC elastic IP address";
            refusal("InvalidParameterValue", message)
        })?,
        "DisassociateAddress" => return not_of_a_service(account, call).await,
        _ => return Ok(()),
    };
    let found = account.ask(Service::Ec2, "DescribeAddresses", &[("AllocationId.1", id)]).await?;
    if regional_nat_gateway::holds(account, id) {
        return Err(refusal("InvalidIPAddress.InUse", format!("Address {id} is in use.")));
    }
    for address in found.list("addressesSet") {
        let interface = address.text_at("networkInterfaceId");
        if !address.text_at("associationId").is_empty()
            && !is_of_a_default_instance(account, interface).await?
        {
            let message = format!("Address {} is in use.", address.text_at("publicIp"));
            return Err(refusal("InvalidIPAddress.InUse", message));
        }
    }
    Ok(())
}

/// Whether an interface is one of an instance in the default VPC.
async fn is_of_a_default_instance(account: &Account, interface: &str) -> Result<bool, Refusal> {
    let fields = [("NetworkInterfaceId.1", interface)];
    let found = account.ask(Service::Ec2, "DescribeNetworkInterfaces", &fields).await?;
    let item = found.list("networkInterfaceSet").first();
    if item.is_none_or(|it| it.text_at("attachment/instanceId").is_empty()) {
        return Ok(false);
    }
    let vpc = found.text_at("networkInterfaceSet/item/vpcId");
    let found = account.ask(Service::Ec2, "DescribeVpcs", &[("VpcId.1", vpc)]).await?;
    Ok(found.text_at("vpcSet/item/isDefault") == "true")
}

async fn not_of_a_service(account: &Account, call: &Call) -> Result<(), Refusal> {
    let association = call.form.get("AssociationId").unwrap_or_default();
    let found = account.ask(Service::Ec2, "DescribeAddresses", &[]).await?;
    let is_it = |interface: &str| account.interfaces.contains_key(interface);
    for address in found.list("addressesSet") {
        if address.text_at("associationId") == association && is_it(address.text_at("networkInterfaceId")) {
            let message = "You do not have permission to access the specified resource.";
            return Err(refusal("AuthFailure", message));
        }
    }
    Ok(())
}
