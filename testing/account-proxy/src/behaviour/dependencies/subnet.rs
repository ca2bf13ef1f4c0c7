//! A subnet is not deleted while a network interface is in it, including those that AWS's services created.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSubnet.html>: "You must terminate all running instances
//! in the subnet before you can delete the subnet." A subnet that is deleted is associated with no route table any more, so
//! that the table can be deleted; moto keeps the association.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRouteTable.html>

use super::violation;
use crate::account::Account;
use crate::answer::Refusal;
use crate::call::{Call, Service};

pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    let id = call.form.get("SubnetId").unwrap_or_default();
    let found = account.find("DescribeNetworkInterfaces", "subnet-id", id).await?;
    if !found.list("networkInterfaceSet").is_empty() {
        return Err(violation(format!("The subnet '{id}' has dependencies and cannot be deleted.")));
    }
    let found = account.find("DescribeRouteTables", "association.subnet-id", id).await?;
    let tables = found.list("routeTableSet").iter().flat_map(|table| table.list("associationSet"));
    for association in tables.filter(|it| it.text_at("subnetId") == id) {
        let fields = [("AssociationId", association.text_at("routeTableAssociationId"))];
        account.ask(Service::Ec2, "DisassociateRouteTable", &fields).await?;
    }
    Ok(())
}
