//! `ec2:DescribeTransitGateways`: the transit gateways, one's own and those that are shared with one.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all transit gateways.
    DescribeTransitGateways as "DescribeTransitGateways", pages of Some(PAGE);
    TransitGatewaysAnswer of TransitGatewayShape = "TransitGateways" | "transitGatewaySet"
}

shape! {
    /// One gateway.
    TransitGatewayShape {
        id: Option<String> = "TransitGatewayId" | "transitGatewayId",
        state: Option<String> = "State" | "state",
        options: Option<TransitOptionsShape> = "Options" | "options",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// Options of a gateway or of an attachment: `enable` or `disable`.
    TransitOptionsShape {
        references: Option<String> = "SecurityGroupReferencingSupport" | "securityGroupReferencingSupport",
        appliance: Option<String> = "ApplianceModeSupport" | "applianceModeSupport",
    }
}
