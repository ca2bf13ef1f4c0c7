//! The security groups of an interface are of its own VPC.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>, `InvalidParameter`: "if you are launching an
//! instance, you can't specify a security group and subnet that are in different VPCs."

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    let mut asked = Vec::new();
    match call.action.as_str() {
        "CreateNetworkInterface" | "RunInstances" => {
            let pair = |form: &crate::form::Form| {
                Some((form.get("SubnetId")?.to_owned(), form.list("SecurityGroupId")))
            };
            asked.extend(pair(&call.form));
            asked.extend(call.form.parts("NetworkInterface").iter().filter_map(pair));
        }
        "ModifyNetworkInterfaceAttribute" => {
            let id = call.form.get("NetworkInterfaceId").unwrap_or_default();
            let found = account
                .ask(Service::Ec2, "DescribeNetworkInterfaces", &[("NetworkInterfaceId.1", id)])
                .await?;
            let subnet = found.text_at("networkInterfaceSet/item/subnetId").to_owned();
            asked.push((subnet, call.form.list("SecurityGroupId")));
        }
        _ => {}
    }
    for (subnet, groups) in asked.iter().filter(|(_, groups)| !groups.is_empty()) {
        let found = account.ask(Service::Ec2, "DescribeSubnets", &[("SubnetId.1", subnet)]).await?;
        let vpc = found.text_at("subnetSet/item/vpcId");
        for group in groups {
            let found = account.ask(Service::Ec2, "DescribeSecurityGroups", &[("GroupId.1", group)]).await?;
            if found.text_at("securityGroupInfo/item/vpcId") != vpc {
                let message =
                    format!("Security group {group} and subnet {subnet} belong to different networks.");
                return Err(refusal("InvalidParameter", message));
            }
        }
    }
    Ok(())
}
