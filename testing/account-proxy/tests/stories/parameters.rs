//! Parameters that a call does not have, or has to have.

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![
        ("EC2 refuses a parameter that it does not know", unknown),
        ("a parameter that is missing is refused by the code of the service", missing),
        ("a parameter that another service ignores is a violation", ignored),
        ("lists and structures are known in both dialects", known),
        ("tags are for what is created, and aws: is reserved", tags),
        ("names and descriptions of groups have an alphabet", group_names),
        ("one attribute of a subnet at a time", one_attribute),
        ("a dry run does nothing", dry_run),
    ]
}

fn unknown(aws: &Aws) {
    let fields = [("CidrBlock", "10.0.0.0/16"), ("Cidr", "10.0.0.0/16")];
    assert_eq!(aws.ec2("CreateVpc", &fields).code(), "UnknownParameter");
    let fields = [("CidrBlock", "10.0.0.0/16"), ("TagSpecifications.1.ResourceType", "vpc")];
    assert_eq!(aws.ec2("CreateVpc", &fields).code(), "UnknownParameter");
}

fn missing(aws: &Aws) {
    assert_eq!(aws.ec2("CreateSubnet", &[("CidrBlock", "10.0.0.0/24")]).code(), "MissingParameter");
    assert_eq!(aws.rds("DeleteDBInstance", &[("SkipFinalSnapshot", "true")]).code(), "MissingParameter");
    assert_eq!(aws.balancing("DeleteLoadBalancer", &[]).code(), "ValidationError");
    assert_eq!(aws.scaling("StartInstanceRefresh", &[]).code(), "ValidationError");
    // Inside a structure only when the structure is given.
    let Network { group, .. } = aws.network();
    let fields = [("ResourceId.1", group.as_str())];
    assert_eq!(aws.ec2("CreateTags", &fields).code(), "MissingParameter");
}

fn ignored(aws: &Aws) {
    aws.rds("DescribeDBInstances", &[("Identifier", "x")]).ok();
    let (_, state) = aws.steer("GET", "state", "");
    assert!(state.contains("DescribeDBInstances has no parameter Identifier"), "{state}");
    // This one is wanted; others would fail the test at its end.
    aws.set("violations", "{}");
}

fn known(aws: &Aws) {
    let network = aws.network();
    aws.subnet_group(&network, "one");
    let fields = [
        ("DBSubnetGroupName", "two"),
        ("DBSubnetGroupDescription", "for a test"),
        ("SubnetIds.SubnetIdentifier.1", network.subnets[0].as_str()),
        ("SubnetIds.SubnetIdentifier.2", &network.subnets[1]),
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "b"),
    ];
    aws.rds("CreateDBSubnetGroup", &fields).ok();
    let (_, state) = aws.steer("GET", "state", "");
    assert!(state.contains("\"violations\":[]"), "{state}");
}

fn tags(aws: &Aws) {
    let create = |kind: &str, key: &str| {
        let fields = [
            ("CidrBlock", "10.0.0.0/16"),
            ("TagSpecification.1.ResourceType", kind),
            ("TagSpecification.1.Tag.1.Key", key),
            ("TagSpecification.1.Tag.1.Value", "x"),
        ];
        aws.ec2("CreateVpc", &fields)
    };
    assert_eq!(create("subnet", "Name").code(), "InvalidParameterValue");
    assert_eq!(create("vpc", "aws:Name").code(), "InvalidParameterValue");
    create("vpc", "Name").ok();
}

fn group_names(aws: &Aws) {
    let Network { vpc, group, .. } = aws.network();
    let create = |name: &str, description: &str| {
        let fields = [("VpcId", vpc.as_str()), ("GroupName", name), ("GroupDescription", description)];
        aws.ec2("CreateSecurityGroup", &fields)
    };
    assert_eq!(create("sg-web", "x").code(), "InvalidParameterValue");
    assert_eq!(create("web?", "x").code(), "InvalidParameterValue");
    assert_eq!(create("other", "für alle").code(), "InvalidParameterValue");
    assert_eq!(create("other", &"x".repeat(256)).code(), "InvalidParameterValue");
    create("other", "x (y) z").ok();
    let fields = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "192.0.2.1/32"),
        ("IpPermissions.1.IpRanges.1.Description", "a \"quoted\" word"),
    ];
    assert_eq!(aws.ec2("AuthorizeSecurityGroupIngress", &fields).code(), "InvalidParameterValue");
}

fn one_attribute(aws: &Aws) {
    let Network { subnets, .. } = aws.network();
    let fields = [
        ("SubnetId", subnets[0].as_str()),
        ("MapPublicIpOnLaunch.Value", "true"),
        ("EnableDns64.Value", "true"),
    ];
    assert_eq!(aws.ec2("ModifySubnetAttribute", &fields).code(), "InvalidParameterCombination");
    aws.ec2("ModifySubnetAttribute", &fields[..2]).ok();
}

fn dry_run(aws: &Aws) {
    let refused = aws.ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16"), ("DryRun", "true")]);
    assert_eq!((refused.status, refused.code().as_str()), (412, "DryRunOperation"));
    assert_eq!(aws.ec2("DescribeVpcs", &[]).ok().list("vpcSet").len(), 1);
}
