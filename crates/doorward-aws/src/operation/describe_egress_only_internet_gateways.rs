//! `ec2:DescribeEgressOnlyInternetGateways`: the ways out for IPv6.

use super::describe::{describe, shape};
use super::describe_internet_gateways::VpcAttachmentShape;
use crate::wire::{List, Tag};

describe! {
    /// Asks for all egress-only gateways; this call gives 255 at a time and no more.
    DescribeEgressOnlyInternetGateways as "DescribeEgressOnlyInternetGateways", pages of Some(255);
    EgressOnlyGatewaysAnswer of EgressOnlyGatewayShape
        = "EgressOnlyInternetGateways" | "egressOnlyInternetGatewaySet"
}

shape! {
    /// One gateway.
    EgressOnlyGatewayShape {
        id: Option<String> = "EgressOnlyInternetGatewayId" | "egressOnlyInternetGatewayId",
        attachments: List<VpcAttachmentShape> = "Attachments" | "attachmentSet",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}
