//! `ec2:DescribeTransitGatewayRouteTables`: the tables of transit gateways, without their routes.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all tables.
    DescribeTransitGatewayRouteTables as "DescribeTransitGatewayRouteTables", pages of Some(PAGE);
    TransitTablesAnswer of TransitTableShape = "TransitGatewayRouteTables" | "transitGatewayRouteTables"
}

shape! {
    /// One table.
    TransitTableShape {
        id: Option<String> = "TransitGatewayRouteTableId" | "transitGatewayRouteTableId",
        gateway: Option<String> = "TransitGatewayId" | "transitGatewayId",
        state: Option<String> = "State" | "state",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}
