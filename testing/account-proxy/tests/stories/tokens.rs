//! Client tokens.

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![
        ("the same token and parameters make one NAT gateway", once),
        ("the same token with other parameters is refused", mismatch),
        ("a token whose call failed can be used again", after_a_failure),
        ("a token of instances that are terminated is refused", terminated),
        ("a token is short", short),
    ]
}

fn once(aws: &Aws) {
    let Network { subnets, vpc, .. } = aws.network();
    let address = aws.text("AllocateAddress", &[("Domain", "vpc")], "allocationId");
    let fields = [("SubnetId", subnets[0].as_str()), ("AllocationId", &address), ("ClientToken", "step-1")];
    let create = || aws.text("CreateNatGateway", &fields, "natGateway/natGatewayId");
    assert_eq!(create(), create());
    let table = |token: &str| {
        aws.text("CreateRouteTable", &[("VpcId", &vpc), ("ClientToken", token)], "routeTable/routeTableId")
    };
    assert_eq!(table("step-2"), table("step-2"));
    assert_ne!(table("step-2"), table("step-3"));
}

fn mismatch(aws: &Aws) {
    let Network { vpc, .. } = aws.network();
    let create = |tag: &str| {
        let fields = [
            ("VpcId", vpc.as_str()),
            ("ClientToken", "step"),
            ("TagSpecification.1.ResourceType", "egress-only-internet-gateway"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", tag),
        ];
        aws.ec2("CreateEgressOnlyInternetGateway", &fields)
    };
    create("one").ok();
    create("one").ok();
    assert_eq!(create("two").code(), "IdempotentParameterMismatch");
    let found = aws.ec2("DescribeEgressOnlyInternetGateways", &[]).ok();
    assert_eq!(found.list("egressOnlyInternetGatewaySet").len(), 1);
}

fn after_a_failure(aws: &Aws) {
    let fields = [("ImageId", "ami-missing"), ("MinCount", "1"), ("MaxCount", "1"), ("ClientToken", "step")];
    assert_eq!(aws.ec2("RunInstances", &fields).code(), "InvalidAMIID.NotFound");
    let image = aws.image();
    let fields = [("ImageId", image.as_str()), ("MinCount", "1"), ("MaxCount", "1"), ("ClientToken", "step")];
    let id = aws.text("RunInstances", &fields, "instancesSet/item/instanceId");
    assert_eq!(aws.text("RunInstances", &fields, "instancesSet/item/instanceId"), id);
}

fn terminated(aws: &Aws) {
    let image = aws.image();
    let fields = [("ImageId", image.as_str()), ("MinCount", "1"), ("MaxCount", "1"), ("ClientToken", "step")];
    let id = aws.text("RunInstances", &fields, "instancesSet/item/instanceId");
    aws.ec2("TerminateInstances", &[("InstanceId.1", &id)]).ok();
    aws.advance(60);
    assert_eq!(aws.ec2("RunInstances", &fields).code(), "IdempotentInstanceTerminated");
}

fn short(aws: &Aws) {
    let Network { vpc, .. } = aws.network();
    let token = "t".repeat(65);
    let fields = [("VpcId", vpc.as_str()), ("ClientToken", &token)];
    assert_eq!(aws.ec2("CreateRouteTable", &fields).code(), "InvalidParameterValue");
}
