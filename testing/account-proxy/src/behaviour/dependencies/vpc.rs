//! A VPC is not deleted while it has anything but what comes with it: its main route table, default network ACL and default
//! security group.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html>: "you must terminate all instances running in
//! the VPC, delete all security groups associated with the VPC (except the default one), delete all route tables associated
//! with the VPC (except the default one), and so on."

use super::violation;
use crate::account::Account;
use crate::answer::Refusal;
use crate::call::Call;
use crate::xml::Element;

/// The contents of a VPC: the call that lists it, its filter, the list, and whether an element counts.
type Kind = (&'static str, &'static str, &'static str, fn(&Element) -> bool);

const KINDS: [Kind; 8] = [
    ("DescribeSubnets", "vpc-id", "subnetSet", |_| true),
    ("DescribeNetworkInterfaces", "vpc-id", "networkInterfaceSet", |_| true),
    ("DescribeInternetGateways", "attachment.vpc-id", "internetGatewaySet", |_| true),
    ("DescribeVpcEndpoints", "vpc-id", "vpcEndpointSet", |it| it.text_at("state") != "deleted"),
    ("DescribeNatGateways", "vpc-id", "natGatewaySet", |it| it.text_at("state") != "deleted"),
    ("DescribeSecurityGroups", "vpc-id", "securityGroupInfo", |it| it.text_at("groupName") != "default"),
    ("DescribeNetworkAcls", "vpc-id", "networkAclSet", |it| it.text_at("default") != "true"),
    ("DescribeRouteTables", "vpc-id", "routeTableSet", |it| {
        !it.list("associationSet").iter().any(|association| association.text_at("main") == "true")
    }),
];

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    let id = call.form.get("VpcId").unwrap_or_default();
    for (action, filter, list, counts) in KINDS {
        let found = account.find(action, filter, id).await?;
        if found.list(list).iter().any(counts) {
            return Err(violation(format!("The vpc '{id}' has dependencies and cannot be deleted.")));
        }
    }
    let found = account.ask(crate::call::Service::Ec2, "DescribeEgressOnlyInternetGateways", &[]).await?;
    let is_attached = |it: &Element| it.texts("attachmentSet", "vpcId").iter().any(|vpc| vpc == id);
    if found.list("egressOnlyInternetGatewaySet").iter().any(is_attached) {
        return Err(violation(format!("The vpc '{id}' has dependencies and cannot be deleted.")));
    }
    Ok(())
}
