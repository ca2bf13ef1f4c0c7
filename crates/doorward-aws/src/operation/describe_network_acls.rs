//! `ec2:DescribeNetworkAcls`: the network ACLs with their entries and subnets.

use super::PAGE;
use super::describe::{describe, shape};
use crate::wire::{List, Tag};

describe! {
    /// Asks for all network ACLs.
    DescribeNetworkAcls as "DescribeNetworkAcls", pages of Some(PAGE);
    NetworkAclsAnswer of NetworkAclShape = "NetworkAcls" | "networkAclSet"
}

shape! {
    /// One ACL.
    NetworkAclShape {
        id: Option<String> = "NetworkAclId" | "networkAclId",
        vpc: Option<String> = "VpcId" | "vpcId",
        default: Option<bool> = "IsDefault" | "default",
        associations: List<AclAssociationShape> = "Associations" | "associationSet",
        entries: List<AclEntryShape> = "Entries" | "entrySet",
        tags: List<Tag> = "Tags" | "tagSet",
    }
}

shape! {
    /// A subnet that it stands before.
    AclAssociationShape {
        subnet: Option<String> = "SubnetId" | "subnetId",
    }
}

shape! {
    /// One entry.
    AclEntryShape {
        number: Option<u32> = "RuleNumber" | "ruleNumber",
        egress: Option<bool> = "Egress" | "egress",
        action: Option<String> = "RuleAction" | "ruleAction",
        protocol: Option<String> = "Protocol" | "protocol",
        v4: Option<String> = "CidrBlock" | "cidrBlock",
        v6: Option<String> = "Ipv6CidrBlock" | "ipv6CidrBlock",
        ports: Option<AclPortsShape> = "PortRange" | "portRange",
        icmp: Option<AclIcmpShape> = "IcmpTypeCode" | "icmpTypeCode",
    }
}

shape! {
    /// The ports of TCP or UDP.
    AclPortsShape {
        from: Option<i64> = "From" | "from",
        to: Option<i64> = "To" | "to",
    }
}

shape! {
    /// The messages of ICMP; -1 is every one.
    AclIcmpShape {
        kind: Option<i64> = "Type" | "type",
        code: Option<i64> = "Code" | "code",
    }
}
