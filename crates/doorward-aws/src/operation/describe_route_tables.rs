//! `ec2:DescribeRouteTables`: the route tables of VPCs, with their routes and what they are for.

use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all route tables; this call gives a hundred at a time and no more.
    DescribeRouteTables as "DescribeRouteTables", pages of Some(100);
    RouteTablesAnswer of RouteTableShape = "RouteTables" | "routeTableSet"
}

shape! {
    /// One table.
    RouteTableShape {
        id: Option<String> = "RouteTableId" | "routeTableId",
        vpc: Option<String> = "VpcId" | "vpcId",
        associations: List<RouteAssociationShape> = "Associations" | "associationSet",
        routes: List<RouteShape> = "Routes" | "routeSet",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// What a table is for: a subnet, a gateway's ingress, or all subnets without one of their own.
    RouteAssociationShape {
        id: Option<String> = "RouteTableAssociationId" | "routeTableAssociationId",
        main: Option<bool> = "Main" | "main",
        subnet: Option<String> = "SubnetId" | "subnetId",
        gateway: Option<String> = "GatewayId" | "gatewayId",
        state: Option<RouteAssociationStateShape> = "AssociationState" | "associationState",
    }
}

shape! {
    /// Like `associated`.
    RouteAssociationStateShape {
        state: Option<String> = "State" | "state",
    }
}

shape! {
    /// One route. Of the destinations and of the targets it has one each.
    RouteShape {
        v4: Option<String> = "DestinationCidrBlock" | "destinationCidrBlock",
        v6: Option<String> = "DestinationIpv6CidrBlock" | "destinationIpv6CidrBlock",
        prefix_list: Option<String> = "DestinationPrefixListId" | "destinationPrefixListId",
        gateway: Option<String> = "GatewayId" | "gatewayId",
        nat: Option<String> = "NatGatewayId" | "natGatewayId",
        interface: Option<String> = "NetworkInterfaceId" | "networkInterfaceId",
        instance: Option<String> = "InstanceId" | "instanceId",
        transit: Option<String> = "TransitGatewayId" | "transitGatewayId",
        peering: Option<String> = "VpcPeeringConnectionId" | "vpcPeeringConnectionId",
        egress_only: Option<String> = "EgressOnlyInternetGatewayId" | "egressOnlyInternetGatewayId",
        carrier: Option<String> = "CarrierGatewayId" | "carrierGatewayId",
        local: Option<String> = "LocalGatewayId" | "localGatewayId",
        core: Option<String> = "CoreNetworkArn" | "coreNetworkArn",
        odb: Option<String> = "OdbNetworkArn" | "odbNetworkArn",
        state: Option<String> = "State" | "state",
        origin: Option<String> = "Origin" | "origin",
    }
}
