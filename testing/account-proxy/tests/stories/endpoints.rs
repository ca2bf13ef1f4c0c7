//! VPC endpoints.

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![
        ("an interface endpoint takes time and has its groups", interface),
        ("a gateway endpoint is there once for a route table", gateway),
        ("an endpoint that does not exist is not deleted", missing),
    ]
}

const SSM: &str = "com.amazonaws.eu-west-1.ssm";

fn state(aws: &Aws, id: &str) -> String {
    let found = aws.ec2("DescribeVpcEndpoints", &[("VpcEndpointId.1", id)]).ok();
    found.text_at("vpcEndpointSet/item/state").to_owned()
}

fn interface(aws: &Aws) {
    let Network { vpc, subnets, group, .. } = aws.network();
    let fields = [
        ("VpcId", vpc.as_str()),
        ("ServiceName", SSM),
        ("VpcEndpointType", "Interface"),
        ("SubnetId.1", &subnets[0]),
        ("SecurityGroupId.1", &group),
    ];
    let id = aws.text("CreateVpcEndpoint", &fields, "vpcEndpoint/vpcEndpointId");
    assert_eq!(state(aws, &id), "pending");
    let [interface] = &aws.interfaces("group-id", &group)[..] else { panic!("one interface") };
    assert_eq!(interface.text_at("interfaceType"), "vpc_endpoint");
    assert_eq!(interface.text_at("description"), format!("VPC Endpoint Interface {id}"));
    aws.advance(120);
    assert_eq!(state(aws, &id), "available");
    let other = aws.group(&vpc, "other");
    let fields = [
        ("VpcEndpointId", id.as_str()),
        ("AddSecurityGroupId.1", &other),
        ("RemoveSecurityGroupId.1", &group),
    ];
    aws.ec2("ModifyVpcEndpoint", &fields).ok();
    let moved = aws.interfaces("group-id", &other).len();
    aws.ec2("DeleteVpcEndpoints", &[("VpcEndpointId.1", &id)]).ok();
    assert_eq!((moved, state(aws, &id).as_str()), (1, "deleting"));
    assert_eq!(aws.ec2("DeleteSubnet", &[("SubnetId", &subnets[0])]).code(), "DependencyViolation");
    aws.advance(120);
    assert_eq!(state(aws, &id), "");
    aws.ec2("DeleteSubnet", &[("SubnetId", &subnets[0])]).ok();
}

fn gateway(aws: &Aws) {
    let Network { vpc, .. } = aws.network();
    let table = aws.text("CreateRouteTable", &[("VpcId", &vpc)], "routeTable/routeTableId");
    let fields = [
        ("VpcId", vpc.as_str()),
        ("ServiceName", "com.amazonaws.eu-west-1.s3"),
        ("RouteTableId.1", &table),
        ("ClientToken", "once"),
    ];
    let create = || aws.text("CreateVpcEndpoint", &fields, "vpcEndpoint/vpcEndpointId");
    let id = create();
    assert_eq!(create(), id);
    assert_eq!(aws.ec2("CreateVpcEndpoint", &fields[..3]).code(), "RouteAlreadyExists");
    let deleted = aws.ec2("DeleteVpcEndpoints", &[("VpcEndpointId.1", &id)]).ok();
    assert!(deleted.list("unsuccessful").is_empty(), "{}", deleted.written());
    aws.ec2("CreateVpcEndpoint", &fields[..3]).ok();
}

fn missing(aws: &Aws) {
    let deleted = aws.ec2("DeleteVpcEndpoints", &[("VpcEndpointId.1", "vpce-0123456789abcdef0")]).ok();
    assert_eq!(deleted.text_at("unsuccessful/item/error/code"), "InvalidVpcEndpointId.NotFound");
}
