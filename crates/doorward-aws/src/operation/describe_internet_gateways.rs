//! `ec2:DescribeInternetGateways`: the internet gateways and their VPCs.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all internet gateways.
    DescribeInternetGateways as "DescribeInternetGateways", pages of Some(PAGE);
    InternetGatewaysAnswer of InternetGatewayShape = "InternetGateways" | "internetGatewaySet"
}

shape! {
    /// One gateway.
    InternetGatewayShape {
        id: Option<String> = "InternetGatewayId" | "internetGatewayId",
        attachments: List<VpcAttachmentShape> = "Attachments" | "attachmentSet",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// The VPC that a gateway is attached to, and how that stands.
    VpcAttachmentShape {
        vpc: Option<String> = "VpcId" | "vpcId",
        state: Option<String> = "State" | "state",
    }
}
