//! `ec2:DescribeTransitGatewayVpcAttachments`: the subnets and options of attachments to VPCs.

use super::PAGE;
use super::describe::{describe, shape};
use super::describe_transit_gateways::TransitOptionsShape;
use crate::wire::{List, Tag};

describe! {
    /// Asks for all attachments to VPCs.
    DescribeTransitGatewayVpcAttachments as "DescribeTransitGatewayVpcAttachments", pages of Some(PAGE);
    VpcAttachmentsAnswer of TransitVpcShape
        = "TransitGatewayVpcAttachments" | "transitGatewayVpcAttachments"
}

shape! {
    /// One attachment.
    TransitVpcShape {
        id: Option<String> = "TransitGatewayAttachmentId" | "transitGatewayAttachmentId",
        gateway: Option<String> = "TransitGatewayId" | "transitGatewayId",
        vpc: Option<String> = "VpcId" | "vpcId",
        state: Option<String> = "State" | "state",
        subnets: List<String> = "SubnetIds" | "subnetIds",
        options: Option<TransitOptionsShape> = "Options" | "options",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}
