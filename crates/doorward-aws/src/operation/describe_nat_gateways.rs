//! `ec2:DescribeNatGateways`: the NAT gateways with their addresses.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all NAT gateways.
    DescribeNatGateways as "DescribeNatGateways", pages of Some(PAGE);
    NatGatewaysAnswer of NatGatewayShape = "NatGateways" | "natGatewaySet"
}

shape! {
    /// One gateway.
    NatGatewayShape {
        id: Option<String> = "NatGatewayId" | "natGatewayId",
        vpc: Option<String> = "VpcId" | "vpcId",
        subnet: Option<String> = "SubnetId" | "subnetId",
        state: Option<String> = "State" | "state",
        failure: Option<String> = "FailureCode" | "failureCode",
        why: Option<String> = "FailureMessage" | "failureMessage",
        availability: Option<String> = "AvailabilityMode" | "availabilityMode",
        table: Option<String> = "RouteTableId" | "routeTableId",
        connectivity: Option<String> = "ConnectivityType" | "connectivityType",
        addresses: List<NatAddressShape> = "NatGatewayAddresses" | "natGatewayAddressSet",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// One of its addresses.
    NatAddressShape {
        private: Option<String> = "PrivateIp" | "privateIp",
        public: Option<String> = "PublicIp" | "publicIp",
        interface: Option<String> = "NetworkInterfaceId" | "networkInterfaceId",
        primary: Option<bool> = "IsPrimary" | "isPrimary",
    }
}
