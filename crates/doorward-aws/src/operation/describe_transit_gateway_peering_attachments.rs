//! `ec2:DescribeTransitGatewayPeeringAttachments`: which transit gateways are peered.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all peerings of transit gateways.
    DescribeTransitGatewayPeeringAttachments as "DescribeTransitGatewayPeeringAttachments", pages of Some(PAGE);
    PeeringAttachmentsAnswer of TransitPeeringShape
        = "TransitGatewayPeeringAttachments" | "transitGatewayPeeringAttachments"
}

shape! {
    /// One peering; both ends know it by the same id.
    TransitPeeringShape {
        id: Option<String> = "TransitGatewayAttachmentId" | "transitGatewayAttachmentId",
        requester: Option<TransitPeerShape> = "RequesterTgwInfo" | "requesterTgwInfo",
        accepter: Option<TransitPeerShape> = "AccepterTgwInfo" | "accepterTgwInfo",
        state: Option<String> = "State" | "state",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// One end.
    TransitPeerShape {
        gateway: Option<String> = "TransitGatewayId" | "transitGatewayId",
    }
}
