//! A resource that another one depends on is not deleted.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>: "DependencyViolation: The specified object
//! has dependent resources. A number of resources in a VPC might have dependent resources, which prevent you from deleting or
//! detaching them."

mod internet_gateway;
mod security_group;
mod subnet;
mod vpc;

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::Call;

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    match call.action.as_str() {
        "DeleteSecurityGroup" => security_group::check(account, call).await,
        "DeleteSubnet" => subnet::check(account, call).await,
        "DetachInternetGateway" => internet_gateway::detach(account, call).await,
        "DeleteInternetGateway" => internet_gateway::delete(account, call).await,
        "DeleteVpc" => vpc::check(account, call).await,
        _ => Ok(()),
    }
}

fn violation(message: impl Into<String>) -> Refusal {
    refusal("DependencyViolation", message)
}
