//! New things that are not shown yet.

use crate::Test;
use crate::aws::Aws;

pub fn tests() -> Vec<Test> {
    vec![
        ("a new VPC does not exist for so many calls", by_calls),
        ("a new group does not exist for so many seconds", by_seconds),
        ("lists and tags lack what is not shown", lists),
        ("an instance does not exist yet", instances),
    ]
}

fn by_calls(aws: &Aws) {
    aws.set("visibility", "{\"calls\": 2}");
    let vpc = aws.vpc("10.0.0.0/16");
    let subnet = || aws.ec2("CreateSubnet", &[("VpcId", &vpc), ("CidrBlock", "10.0.0.0/24")]);
    assert_eq!(subnet().code(), "InvalidVpcID.NotFound");
    assert_eq!(aws.ec2("DescribeVpcs", &[("VpcId.1", &vpc)]).code(), "InvalidVpcID.NotFound");
    subnet().ok();
}

fn by_seconds(aws: &Aws) {
    let vpc = aws.vpc("10.0.0.0/16");
    aws.set("visibility", "{\"seconds\": 10}");
    let group = aws.group(&vpc, "web");
    let describe = || aws.ec2("DescribeSecurityGroups", &[("GroupId.1", &group)]);
    assert_eq!(describe().code(), "InvalidGroup.NotFound");
    aws.advance(9);
    assert_eq!(describe().code(), "InvalidGroup.NotFound");
    aws.advance(1);
    describe().ok();
}

fn lists(aws: &Aws) {
    aws.set("visibility", "{\"seconds\": 10}");
    let fields = [
        ("CidrBlock", "10.0.0.0/16"),
        ("TagSpecification.1.ResourceType", "vpc"),
        ("TagSpecification.1.Tag.1.Key", "step"),
        ("TagSpecification.1.Tag.1.Value", "7"),
    ];
    aws.ec2("CreateVpc", &fields).ok();
    let by_tag = || {
        let fields = [("Filter.1.Name", "tag:step"), ("Filter.1.Value.1", "7")];
        aws.ec2("DescribeVpcs", &fields).ok().list("vpcSet").len()
    };
    let tags = || {
        let fields = [("Filter.1.Name", "key"), ("Filter.1.Value.1", "step")];
        aws.ec2("DescribeTags", &fields).ok().list("tagSet").len()
    };
    assert_eq!((by_tag(), tags()), (0, 0));
    aws.advance(10);
    assert_eq!((by_tag(), tags()), (1, 1));
}

fn instances(aws: &Aws) {
    let network = aws.network();
    aws.set("visibility", "{\"calls\": 1}");
    let fields =
        [("ImageId", &*aws.image()), ("MinCount", "1"), ("MaxCount", "1"), ("SubnetId", &network.subnets[0])];
    let id = aws.text("RunInstances", &fields, "instancesSet/item/instanceId");
    let describe = || aws.ec2("DescribeInstances", &[("InstanceId.1", &id)]);
    assert_eq!(describe().code(), "InvalidInstanceID.NotFound");
    describe().ok();
}
