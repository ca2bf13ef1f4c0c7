//! The default network ACL of a VPC goes with it, and the association of a subnet with the subnet. moto keeps both.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html>: "When you delete a VPC, you also delete its components,
//! such as subnets, security groups, network ACLs, route tables, …"

use std::collections::BTreeSet;

use crate::account::Account;
use crate::answer::Refusal;
use crate::call::{Call, Service};
use crate::xml::Element;

pub(super) async fn after(account: &Account, call: &Call, answer: &mut Element) -> Result<(), Refusal> {
    if call.action != "DescribeNetworkAcls" {
        return Ok(());
    }
    let vpcs = there(account, "DescribeVpcs", "vpcSet", "vpcId").await?;
    let subnets = there(account, "DescribeSubnets", "subnetSet", "subnetId").await?;
    let Some(set) = answer.child_mut("networkAclSet") else { return Ok(()) };
    set.children.retain(|acl| vpcs.contains(acl.text_at("vpcId")));
    for associations in set.children.iter_mut().filter_map(|acl| acl.child_mut("associationSet")) {
        associations.children.retain(|it| subnets.contains(it.text_at("subnetId")));
    }
    Ok(())
}

/// The ids of all that exists of a kind.
async fn there(
    account: &Account,
    action: &'static str,
    list: &str,
    id: &str,
) -> Result<BTreeSet<String>, Refusal> {
    let found = account.ask(Service::Ec2, action, &[]).await?;
    Ok(found.list(list).iter().map(|it| it.text_at(id).to_owned()).collect())
}
