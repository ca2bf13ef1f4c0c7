//! `ec2:DescribeVpnGateways`: the virtual private gateways and their VPCs.

use super::describe::{describe, shape};
use super::describe_internet_gateways::VpcAttachmentShape;
use crate::wire::{List, Tag};

describe! {
    /// Asks for all VPN gateways; they come in one page.
    DescribeVpnGateways as "DescribeVpnGateways", pages of None;
    VpnGatewaysAnswer of VpnGatewayShape = "VpnGateways" | "vpnGatewaySet"
}

shape! {
    /// One gateway.
    VpnGatewayShape {
        id: Option<String> = "VpnGatewayId" | "vpnGatewayId",
        state: Option<String> = "State" | "state",
        attachments: List<VpcAttachmentShape> = "VpcAttachments" | "attachments",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}
