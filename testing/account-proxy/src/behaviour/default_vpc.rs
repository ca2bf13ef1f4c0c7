//! The default VPC of a Region has an internet gateway, and its main route table a default route to it. moto's has neither.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html>

use crate::account::Account;
use crate::answer::Refusal;
use crate::call::Service;

/// Completes the default VPC at the first call in a Region.
pub(super) async fn complete(account: &mut Account) -> Result<(), Refusal> {
    if std::mem::replace(&mut account.has_default_vpc, true) {
        return Ok(());
    }
    let found = account.find("DescribeVpcs", "isDefault", "true").await?;
    let Some(vpc) = found.list("vpcSet").first().map(|it| it.text_at("vpcId").to_owned()) else {
        return Ok(());
    };
    let attached = account.find("DescribeInternetGateways", "attachment.vpc-id", &vpc).await?;
    if !attached.list("internetGatewaySet").is_empty() {
        return Ok(());
    }
    let made = account.ask(Service::Ec2, "CreateInternetGateway", &[]).await?;
    let gateway = made.text_at("internetGateway/internetGatewayId");
    let fields = [("InternetGatewayId", gateway), ("VpcId", vpc.as_str())];
    account.ask(Service::Ec2, "AttachInternetGateway", &fields).await?;
    let found = account.find("DescribeRouteTables", "vpc-id", &vpc).await?;
    for table in found.list("routeTableSet") {
        if table.texts("associationSet", "main").iter().any(|main| main == "true") {
            let table = table.text_at("routeTableId");
            let fields =
                [("RouteTableId", table), ("DestinationCidrBlock", "0.0.0.0/0"), ("GatewayId", gateway)];
            account.ask(Service::Ec2, "CreateRoute", &fields).await?;
        }
    }
    Ok(())
}
