//! `ec2:DescribeVpcs`: the VPCs with their prefixes.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all VPCs.
    DescribeVpcs as "DescribeVpcs", pages of Some(PAGE);
    VpcsAnswer of VpcShape = "Vpcs" | "vpcSet"
}

shape! {
    /// One VPC.
    VpcShape {
        id: Option<String> = "VpcId" | "vpcId",
        owner: Option<String> = "OwnerId" | "ownerId",
        cidr: Option<String> = "CidrBlock" | "cidrBlock",
        v4: List<BlockShape> = "CidrBlockAssociationSet" | "cidrBlockAssociationSet",
        v6: List<V6BlockShape> = "Ipv6CidrBlockAssociationSet" | "ipv6CidrBlockAssociationSet",
        default: Option<bool> = "IsDefault" | "isDefault",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// A prefix of IPv4 and how it stands with its VPC.
    BlockShape {
        cidr: Option<String> = "CidrBlock" | "cidrBlock",
        state: Option<BlockStateShape> = "CidrBlockState" | "cidrBlockState",
    }
}

shape! {
    /// A prefix of IPv6 and how it stands with its VPC or subnet.
    V6BlockShape {
        cidr: Option<String> = "Ipv6CidrBlock" | "ipv6CidrBlock",
        state: Option<BlockStateShape> = "Ipv6CidrBlockState" | "ipv6CidrBlockState",
    }
}

shape! {
    /// Like `associated` or `disassociated`.
    BlockStateShape {
        state: Option<String> = "State" | "state",
    }
}
