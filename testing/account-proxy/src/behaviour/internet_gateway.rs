//! A VPC has one internet gateway, and an internet gateway one VPC.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/working-with-igw.html>; the codes are those of
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>: `Resource.AlreadyAssociated`,
//! `InvalidParameterValue`.

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::Call;

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    if call.action != "AttachInternetGateway" {
        return Ok(());
    }
    let id = call.form.get("InternetGatewayId").unwrap_or_default();
    let vpc = call.form.get("VpcId").unwrap_or_default();
    let there = account.find("DescribeInternetGateways", "attachment.vpc-id", vpc).await?;
    let attached = there.texts("internetGatewaySet", "internetGatewayId");
    if attached.iter().any(|it| it == id) {
        let message = format!("resource {id} is already attached to network {vpc}");
        return Err(refusal("Resource.AlreadyAssociated", message));
    }
    if !attached.is_empty() {
        let message = format!("Network {vpc} already has an internet gateway attached");
        return Err(refusal("InvalidParameterValue", message));
    }
    let own = account.find("DescribeInternetGateways", "internet-gateway-id", id).await?;
    if own.list("internetGatewaySet").iter().any(|it| !it.list("attachmentSet").is_empty()) {
        let message = format!("resource {id} is already attached to another network");
        return Err(refusal("Resource.AlreadyAssociated", message));
    }
    Ok(())
}
