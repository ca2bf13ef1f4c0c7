//! A route leads to something that exists; when that is deleted it becomes a `blackhole`.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html> (`state`). A subnet has one route table at a time:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html>.

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::xml::Element;

pub(super) async fn before(account: &Account, call: &Call) -> Result<(), Refusal> {
    match call.action.as_str() {
        "CreateRoute" | "ReplaceRoute" => {
            target(account, call).await?;
            if call.action == "CreateRoute" {
                is_new(account, call).await?;
            }
            Ok(())
        }
        "AssociateRouteTable" => one_table(account, call).await,
        _ => Ok(()),
    }
}

async fn target(account: &Account, call: &Call) -> Result<(), Refusal> {
    if let Some(id) = call.form.get("NatGatewayId") {
        let found = account.ask(Service::Ec2, "DescribeNatGateways", &[("NatGatewayId.1", id)]).await?;
        let is_over = matches!(account.state(id), Some("deleting" | "deleted" | "failed" | "gone"));
        if found.list("natGatewaySet").is_empty() || is_over {
            return Err(refusal(
                "InvalidNatGatewayID.NotFound",
                format!("The natGateway ID '{id}' does not exist"),
            ));
        }
    }
    if let Some(id) = call.form.get("GatewayId").filter(|id| id.starts_with("igw-")) {
        let fields = [("InternetGatewayId.1", id)];
        if account.ask(Service::Ec2, "DescribeInternetGateways", &fields).await.is_err() {
            return Err(refusal(
                "InvalidGatewayID.NotFound",
                format!("The gateway ID '{id}' does not exist"),
            ));
        }
    }
    Ok(())
}

/// moto accepts an IPv6 destination twice.
async fn is_new(account: &Account, call: &Call) -> Result<(), Refusal> {
    let Some(destination) = call.form.get("DestinationIpv6CidrBlock") else { return Ok(()) };
    let table = call.form.get("RouteTableId").unwrap_or_default();
    let found = account.ask(Service::Ec2, "DescribeRouteTables", &[("RouteTableId.1", table)]).await?;
    let routes =
        found.list("routeTableSet").first().map(|it| it.texts("routeSet", "destinationIpv6CidrBlock"));
    if routes.is_some_and(|routes| routes.iter().any(|route| route == destination)) {
        return Err(refusal(
            "RouteAlreadyExists",
            format!("The route identified by {destination} already exists."),
        ));
    }
    Ok(())
}

async fn one_table(account: &Account, call: &Call) -> Result<(), Refusal> {
    let Some(subnet) = call.form.get("SubnetId") else { return Ok(()) };
    let table = call.form.get("RouteTableId").unwrap_or_default();
    let found = account.find("DescribeRouteTables", "association.subnet-id", subnet).await?;
    if found.list("routeTableSet").iter().any(|other| other.text_at("routeTableId") != table) {
        let message = format!(
            "the specified association for route table {table} conflicts with an existing association"
        );
        return Err(refusal("Resource.AlreadyAssociated", message));
    }
    Ok(())
}

/// Shows routes to NAT gateways that are gone as what they are.
pub(super) fn after(account: &Account, call: &Call, answer: &mut Element) {
    if call.action != "DescribeRouteTables" {
        return;
    }
    answer.each("item", &mut |route| {
        let state = account.state(route.text_at("natGatewayId"));
        if matches!(state, Some("deleting" | "deleted" | "failed" | "gone")) {
            route.set("state", "blackhole");
        }
    });
}
