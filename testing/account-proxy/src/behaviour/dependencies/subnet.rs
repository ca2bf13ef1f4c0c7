//! A subnet is not deleted while a network interface is in it, including those that AWS's services created.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSubnet.html>: "You must terminate all running instances
//! in the subnet before you can delete the subnet."

use super::violation;
use crate::account::Account;
use crate::answer::Refusal;
use crate::call::Call;

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    let id = call.form.get("SubnetId").unwrap_or_default();
    let found = account.find("DescribeNetworkInterfaces", "subnet-id", id).await?;
    if found.list("networkInterfaceSet").is_empty() {
        return Ok(());
    }
    Err(violation(format!("The subnet '{id}' has dependencies and cannot be deleted.")))
}
