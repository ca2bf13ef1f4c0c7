//! An account may have a limited number of each resource.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>; the codes are those of
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>.

mod interface_groups;
mod rules;
pub(super) mod service_quotas;

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::settings::Quota;

/// A creating call and its quota: the call, the quota, the call that lists what exists, its list, the code, and the parameter that the
/// list is filtered by.
type Counted =
    (&'static str, Quota, &'static str, &'static str, &'static str, Option<(&'static str, &'static str)>);

const COUNTED: [Counted; 6] = [
    ("CreateVpc", Quota::Vpcs, "DescribeVpcs", "vpcSet", "VpcLimitExceeded", None),
    (
        "CreateInternetGateway",
        Quota::InternetGateways,
        "DescribeInternetGateways",
        "internetGatewaySet",
        "InternetGatewayLimitExceeded",
        None,
    ),
    ("AllocateAddress", Quota::Addresses, "DescribeAddresses", "addressesSet", "AddressLimitExceeded", None),
    (
        "CreateSubnet",
        Quota::Subnets,
        "DescribeSubnets",
        "subnetSet",
        "SubnetLimitExceeded",
        Some(("VpcId", "vpc-id")),
    ),
    (
        "CreateRouteTable",
        Quota::RouteTables,
        "DescribeRouteTables",
        "routeTableSet",
        "RouteTableLimitExceeded",
        Some(("VpcId", "vpc-id")),
    ),
    (
        "CreateSecurityGroup",
        Quota::SecurityGroups,
        "DescribeSecurityGroups",
        "securityGroupInfo",
        "SecurityGroupLimitExceeded",
        None,
    ),
];

/// Refuses what would be too much.
pub(super) async fn check(account: &Account, call: &Call) -> Result<(), Refusal> {
    if let Some((_, quota, lists, list, code, filter)) = COUNTED.iter().find(|it| it.0 == call.action) {
        let filter = filter.and_then(|(parameter, filter)| Some((filter, call.form.get(parameter)?)));
        let found = match filter {
            Some((filter, value)) => account.find(lists, filter, value).await?,
            None => account.ask(Service::Ec2, lists, &[]).await?,
        };
        return within(account, *quota, found.list(list).len() + 1, code, &call.action);
    }
    match call.action.as_str() {
        "CreateRoute" => routes(account, call).await,
        "CreateNatGateway" => nat_gateways(account, call).await,
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => rules::check(account, call).await,
        _ => interface_groups::check(account, call),
    }
}

/// Whether so many are allowed.
pub(super) fn within(
    account: &Account,
    quota: Quota,
    count: usize,
    code: &str,
    what: &str,
) -> Result<(), Refusal> {
    let most = account.settings.quota(quota);
    if i64::try_from(count).unwrap_or(i64::MAX) > most {
        return Err(refusal(code, format!("{what}: the maximum number of {most} has been reached.")));
    }
    Ok(())
}

/// Local routes do not count.
async fn routes(account: &Account, call: &Call) -> Result<(), Refusal> {
    let table = call.form.get("RouteTableId").unwrap_or_default();
    let found = account.ask(Service::Ec2, "DescribeRouteTables", &[("RouteTableId.1", table)]).await?;
    let own = found.list("routeTableSet").iter().flat_map(|it| it.list("routeSet"));
    let count = own.filter(|route| route.text_at("gatewayId") != "local").count();
    within(account, Quota::Routes, count + 1, "RouteLimitExceeded", &call.action)
}

/// A NAT gateway counts while it is pending, available or deleting, per Availability Zone.
async fn nat_gateways(account: &Account, call: &Call) -> Result<(), Refusal> {
    let Some(subnet) = call.form.get("SubnetId") else { return Ok(()) };
    let found = account.ask(Service::Ec2, "DescribeSubnets", &[("SubnetId.1", subnet)]).await?;
    let zone = found.text_at("subnetSet/item/availabilityZone");
    let found = account.find("DescribeSubnets", "availability-zone", zone).await?;
    let in_zone = found.texts("subnetSet", "subnetId");
    let found = account.ask(Service::Ec2, "DescribeNatGateways", &[]).await?;
    let counted = found.list("natGatewaySet").iter().filter(|it| {
        let state = account.state(it.text_at("natGatewayId")).unwrap_or_else(|| it.text_at("state"));
        matches!(state, "pending" | "available" | "deleting")
            && !account.regional.contains_key(it.text_at("natGatewayId"))
            && in_zone.iter().any(|subnet| subnet == it.text_at("subnetId"))
    });
    within(account, Quota::NatGateways, counted.count() + 1, "NatGatewayLimitExceeded", &call.action)
}
