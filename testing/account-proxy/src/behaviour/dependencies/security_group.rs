//! A security group is not deleted while a network interface has it attached or a rule of another group refers to it.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html>: "If you attempt to delete a security
//! group that is associated with an instance or network interface, is referenced by another security group in the same VPC, or
//! has a VPC association, the operation fails with DependencyViolation."

use super::violation;
use crate::account::Account;
use crate::answer::Refusal;
use crate::call::{Call, Service};

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    let id = match (call.form.get("GroupId"), call.form.get("GroupName")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(name)) => {
            let found = account.find("DescribeSecurityGroups", "group-name", name).await?;
            found.text_at("securityGroupInfo/item/groupId").to_owned()
        }
        (None, None) => return Ok(()),
    };
    let on = account.find("DescribeNetworkInterfaces", "group-id", &id).await?;
    let groups = account.ask(Service::Ec2, "DescribeSecurityGroups", &[]).await?;
    let refers = groups.list("securityGroupInfo").iter().any(|group| {
        let rules = group.list("ipPermissions").iter().chain(group.list("ipPermissionsEgress"));
        group.text_at("groupId") != id
            && rules.into_iter().any(|rule| rule.list("groups").iter().any(|it| it.text_at("groupId") == id))
    });
    if refers || !on.list("networkInterfaceSet").is_empty() {
        return Err(violation(format!("resource {id} has a dependent object")));
    }
    Ok(())
}
