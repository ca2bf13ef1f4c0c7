//! `ec2:DescribeVpcPeeringConnections`: which VPCs are peered, with the prefixes of either side.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all peering connections.
    DescribeVpcPeeringConnections as "DescribeVpcPeeringConnections", pages of Some(PAGE);
    PeeringsAnswer of PeeringShape = "VpcPeeringConnections" | "vpcPeeringConnectionSet"
}

shape! {
    /// One peering.
    PeeringShape {
        id: Option<String> = "VpcPeeringConnectionId" | "vpcPeeringConnectionId",
        status: Option<PeeringStatusShape> = "Status" | "status",
        requester: Option<PeeringSideShape> = "RequesterVpcInfo" | "requesterVpcInfo",
        accepter: Option<PeeringSideShape> = "AccepterVpcInfo" | "accepterVpcInfo",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// Like `active`.
    PeeringStatusShape {
        code: Option<String> = "Code" | "code",
    }
}

shape! {
    /// One side.
    PeeringSideShape {
        vpc: Option<String> = "VpcId" | "vpcId",
        owner: Option<String> = "OwnerId" | "ownerId",
        region: Option<String> = "Region" | "region",
        cidr: Option<String> = "CidrBlock" | "cidrBlock",
        v4: List<PeeringV4Shape> = "CidrBlockSet" | "cidrBlockSet",
        v6: List<PeeringV6Shape> = "Ipv6CidrBlockSet" | "ipv6CidrBlockSet",
        options: Option<PeeringOptionsShape> = "PeeringOptions" | "peeringOptions",
    }
}

shape! {
    /// A prefix of its VPC.
    PeeringV4Shape {
        cidr: Option<String> = "CidrBlock" | "cidrBlock",
    }
}

shape! {
    /// Likewise, of IPv6.
    PeeringV6Shape {
        cidr: Option<String> = "Ipv6CidrBlock" | "ipv6CidrBlock",
    }
}

shape! {
    /// What its VPC allows the other.
    PeeringOptionsShape {
        resolves: Option<bool> = "AllowDnsResolutionFromRemoteVpc" | "allowDnsResolutionFromRemoteVpc",
    }
}
