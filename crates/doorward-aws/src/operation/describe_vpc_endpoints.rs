//! `ec2:DescribeVpcEndpoints`: the endpoints, gateways and interfaces alike.

use super::PAGE;
use super::describe::{describe, shape};
use super::describe_network_interfaces::GroupRefShape;
use crate::wire::{List, Tag};

describe! {
    /// Asks for all endpoints.
    DescribeVpcEndpoints as "DescribeVpcEndpoints", pages of Some(PAGE);
    EndpointsAnswer of EndpointShape = "VpcEndpoints" | "vpcEndpointSet"
}

shape! {
    /// One endpoint.
    EndpointShape {
        id: Option<String> = "VpcEndpointId" | "vpcEndpointId",
        kind: Option<String> = "VpcEndpointType" | "vpcEndpointType",
        vpc: Option<String> = "VpcId" | "vpcId",
        service: Option<String> = "ServiceName" | "serviceName",
        state: Option<String> = "State" | "state",
        tables: List<String> = "RouteTableIds" | "routeTableIdSet",
        subnets: List<String> = "SubnetIds" | "subnetIdSet",
        groups: List<GroupRefShape> = "Groups" | "groupSet",
        interfaces: List<String> = "NetworkInterfaceIds" | "networkInterfaceIdSet",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}
