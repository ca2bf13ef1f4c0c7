//! A regional NAT gateway is in a VPC and in no subnet. It covers the zones of the VPC by itself, or those that are given with
//! their addresses. moto does not know it, and holds it as a private gateway.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateways-regional.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html> (`AvailabilityMode`,
//! `AvailabilityZoneAddresses`, `VpcId`)

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};
use crate::xml::Element;

/// A zone, by its name or its id, and the addresses in it.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    name: String,
    id: String,
    addresses: Vec<String>,
}

/// Whether a call makes one.
pub(super) fn is_asked(call: &Call) -> bool {
    call.asked.get("AvailabilityMode") == Some("regional")
}

/// Checks what is asked for, and asks moto for a gateway that has the id, the VPC and the tags.
pub(super) async fn before(account: &Account, call: &mut Call) -> Result<(), Refusal> {
    if call.form.has("SubnetId")
        || call.form.has("AllocationId")
        || call.form.get("ConnectivityType") == Some("private")
    {
        let message = "A regional NAT gateway is public, and has neither SubnetId nor AllocationId.";
        return Err(refusal("InvalidParameterCombination", message));
    }
    let missing = || refusal("MissingParameter", "The request must contain the parameter VpcId");
    let vpc = call.form.get("VpcId").ok_or_else(missing)?.to_owned();
    account.ask(Service::Ec2, "DescribeVpcs", &[("VpcId.1", &vpc)]).await?;
    for allocation in zones(call).iter().flat_map(|zone| &zone.addresses) {
        let found = account.ask(Service::Ec2, "DescribeAddresses", &[("AllocationId.1", allocation)]).await?;
        if !found.text_at("addressesSet/item/associationId").is_empty() || holds(account, allocation) {
            let message = format!("Elastic IP address [{allocation}] is already associated");
            return Err(refusal("Resource.AlreadyAssociated", message));
        }
    }
    let found = account.find("DescribeSubnets", "vpc-id", &vpc).await?;
    let unable =
        || refusal("InternalError", "moto cannot hold a NAT gateway of a VPC without a subnet").status(500);
    let subnet = found.list("subnetSet").first().ok_or_else(unable)?;
    for field in ["AvailabilityMode", "VpcId", "AvailabilityZoneAddress"] {
        call.form.remove(field);
    }
    call.form.set("SubnetId", subnet.text_at("subnetId"));
    call.form.set("ConnectivityType", "private");
    Ok(())
}

fn zones(call: &Call) -> Vec<Zone> {
    let given = call.asked.parts("AvailabilityZoneAddress");
    let text = |part: &crate::form::Form, name: &str| part.get(name).unwrap_or_default().to_owned();
    let zone = |part: &crate::form::Form| Zone {
        name: text(part, "AvailabilityZone"),
        id: text(part, "AvailabilityZoneId"),
        addresses: part.list("AllocationId"),
    };
    given.iter().map(zone).collect()
}

/// Whether an address is one of a regional gateway that is not deleted.
pub(super) fn holds(account: &Account, allocation: &str) -> bool {
    let mut alive = account.regional.iter().filter(|(id, _)| is_alive(account, id));
    alive.any(|(_, zones)| zones.iter().any(|zone| zone.addresses.iter().any(|it| it == allocation)))
}

/// Whether a gateway still maps addresses.
pub(super) fn is_alive(account: &Account, id: &str) -> bool {
    account.regional.contains_key(id)
        && matches!(account.state(id), Some("pending" | "available" | "deleting"))
}

/// Takes a gateway that moto made as a regional one; it is in no subnet.
pub(super) async fn adopt(account: &mut Account, call: &Call, gateway: &Element) -> Result<(), Refusal> {
    account.regional.insert(gateway.text_at("natGatewayId").to_owned(), zones(call));
    for address in gateway.list("natGatewayAddressSet") {
        let fields = [("NetworkInterfaceId", address.text_at("networkInterfaceId"))];
        account.ask(Service::Ec2, "DeleteNetworkInterface", &fields).await?;
    }
    Ok(())
}

/// Shows one as what it is.
pub(super) fn show(gateway: &mut Element, zones: &[Zone]) {
    gateway.remove("subnetId");
    gateway.set("availabilityMode", "regional");
    gateway.set("connectivityType", "public");
    let by_itself = if zones.is_empty() { "enabled" } else { "disabled" };
    gateway.set("autoProvisionZones", by_itself);
    gateway.set("autoScalingIps", by_itself);
    let addresses = zones.iter().flat_map(|zone| {
        zone.addresses.iter().map(|allocation| {
            let mut item =
                Element::with("item", vec![Element::with_text("allocationId", allocation.as_str())]);
            for (name, text) in [("availabilityZone", &zone.name), ("availabilityZoneId", &zone.id)] {
                if !text.is_empty() {
                    item.set(name, text.as_str());
                }
            }
            item
        })
    });
    gateway.put(Element::with("natGatewayAddressSet", addresses.collect()));
}
