//! `ec2:DescribeTransitGatewayAttachments`: what transit gateways are attached to, and by which table each is routed.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all attachments.
    DescribeTransitGatewayAttachments as "DescribeTransitGatewayAttachments", pages of Some(PAGE);
    AttachmentsAnswer of AttachmentShape = "TransitGatewayAttachments" | "transitGatewayAttachments"
}

shape! {
    /// One attachment.
    AttachmentShape {
        id: Option<String> = "TransitGatewayAttachmentId" | "transitGatewayAttachmentId",
        gateway: Option<String> = "TransitGatewayId" | "transitGatewayId",
        kind: Option<String> = "ResourceType" | "resourceType",
        resource: Option<String> = "ResourceId" | "resourceId",
        state: Option<String> = "State" | "state",
        association: Option<TransitAssociationShape> = "Association" | "association",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// The table that routes what comes in by an attachment.
    TransitAssociationShape {
        table: Option<String> = "TransitGatewayRouteTableId" | "transitGatewayRouteTableId",
        state: Option<String> = "State" | "state",
    }
}
