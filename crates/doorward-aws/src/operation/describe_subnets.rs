//! `ec2:DescribeSubnets`: the subnets with their prefixes and zones.

use super::PAGE;
use super::describe::{describe, shape};
use super::describe_vpcs::V6BlockShape;
use crate::wire::{List, Tag};

describe! {
    /// Asks for all subnets.
    DescribeSubnets as "DescribeSubnets", pages of Some(PAGE);
    SubnetsAnswer of SubnetShape = "Subnets" | "subnetSet"
}

shape! {
    /// One subnet.
    SubnetShape {
        id: Option<String> = "SubnetId" | "subnetId",
        vpc: Option<String> = "VpcId" | "vpcId",
        zone: Option<String> = "AvailabilityZone" | "availabilityZone",
        zone_id: Option<String> = "AvailabilityZoneId" | "availabilityZoneId",
        cidr: Option<String> = "CidrBlock" | "cidrBlock",
        v6: List<V6BlockShape> = "Ipv6CidrBlockAssociationSet" | "ipv6CidrBlockAssociationSet",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}
