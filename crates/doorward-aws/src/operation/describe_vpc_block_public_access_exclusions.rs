//! `ec2:DescribeVpcBlockPublicAccessExclusions`: which VPCs and subnets are excepted from what the Region forbids.

use super::PAGE;
use super::describe::{describe, shape};

describe! {
    /// Asks for all exceptions.
    DescribeVpcBlockPublicAccessExclusions as "DescribeVpcBlockPublicAccessExclusions", pages of Some(PAGE);
    BlockExclusionsAnswer of BlockExclusionShape
        = "VpcBlockPublicAccessExclusions" | "vpcBlockPublicAccessExclusionSet"
}

shape! {
    /// One exception.
    BlockExclusionShape {
        id: Option<String> = "ExclusionId" | "exclusionId",
        mode: Option<String> = "InternetGatewayExclusionMode" | "internetGatewayExclusionMode",
        resource: Option<String> = "ResourceArn" | "resourceArn",
        state: Option<String> = "State" | "state",
    }
}
