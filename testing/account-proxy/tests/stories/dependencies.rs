//! Resources that are not deleted while another one depends on them.

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![
        ("a group that another refers to is not deleted", referred_to),
        ("a group that refers to itself is deleted", refers_to_itself),
        ("a group on an interface is not deleted", on_an_interface),
        ("an internet gateway is not detached while an address is mapped", mapped_address),
        ("an internet gateway is not deleted while it is attached", attached_gateway),
        ("a route table is deleted after the subnet that used it", table_of_a_subnet),
        ("a network ACL goes with its VPC, and an association with its subnet", acl_of_a_vpc),
        ("a VPC is deleted when nothing is left in it", vpc_in_order),
    ]
}

fn refer(aws: &Aws, group: &str, to: &str) {
    let fields = [
        ("GroupId", group),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "5432"),
        ("IpPermissions.1.ToPort", "5432"),
        ("IpPermissions.1.Groups.1.GroupId", to),
    ];
    aws.ec2("AuthorizeSecurityGroupIngress", &fields).ok();
}

fn referred_to(aws: &Aws) {
    let Network { vpc, group, .. } = aws.network();
    let other = aws.group(&vpc, "db");
    refer(aws, &other, &group);
    assert_eq!(aws.ec2("DeleteSecurityGroup", &[("GroupId", &group)]).code(), "DependencyViolation");
    let fields = [("GroupId", other.as_str())];
    aws.ec2("DeleteSecurityGroup", &fields).ok();
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &group)]).ok();
}

fn refers_to_itself(aws: &Aws) {
    let Network { group, .. } = aws.network();
    refer(aws, &group, &group);
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &group)]).ok();
}

fn on_an_interface(aws: &Aws) {
    let Network { subnets, group, .. } = aws.network();
    let fields = [("SubnetId", subnets[0].as_str()), ("SecurityGroupId.1", &group)];
    let id = aws.text("CreateNetworkInterface", &fields, "networkInterface/networkInterfaceId");
    assert_eq!(aws.ec2("DeleteSecurityGroup", &[("GroupId", &group)]).code(), "DependencyViolation");
    assert_eq!(aws.ec2("DeleteSubnet", &[("SubnetId", &subnets[0])]).code(), "DependencyViolation");
    aws.ec2("DeleteNetworkInterface", &[("NetworkInterfaceId", &id)]).ok();
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &group)]).ok();
    aws.ec2("DeleteSubnet", &[("SubnetId", &subnets[0])]).ok();
}

fn table_of_a_subnet(aws: &Aws) {
    let Network { vpc, subnets, .. } = aws.network();
    let table = aws.text("CreateRouteTable", &[("VpcId", &vpc)], "routeTable/routeTableId");
    let fields = [("RouteTableId", table.as_str()), ("SubnetId", &subnets[0])];
    aws.ec2("AssociateRouteTable", &fields).ok();
    assert_eq!(aws.ec2("DeleteRouteTable", &[("RouteTableId", &table)]).code(), "DependencyViolation");
    aws.ec2("DeleteSubnet", &[("SubnetId", &subnets[0])]).ok();
    aws.ec2("DeleteRouteTable", &[("RouteTableId", &table)]).ok();
}

fn mapped_address(aws: &Aws) {
    let network = aws.network();
    let instance = aws.instance(&network);
    let address = aws.text("AllocateAddress", &[("Domain", "vpc")], "allocationId");
    let fields = [("AllocationId", address.as_str()), ("InstanceId", &instance)];
    let association = aws.text("AssociateAddress", &fields, "associationId");
    let detach = || {
        let fields = [("InternetGatewayId", network.gateway.as_str()), ("VpcId", &network.vpc)];
        aws.ec2("DetachInternetGateway", &fields)
    };
    assert_eq!(detach().code(), "DependencyViolation");
    assert_eq!(aws.ec2("ReleaseAddress", &[("AllocationId", &address)]).code(), "InvalidIPAddress.InUse");
    aws.ec2("DisassociateAddress", &[("AssociationId", &association)]).ok();
    aws.ec2("ReleaseAddress", &[("AllocationId", &address)]).ok();
    aws.ec2("TerminateInstances", &[("InstanceId.1", &instance)]).ok();
    aws.advance(60);
    detach().ok();
}

fn attached_gateway(aws: &Aws) {
    let Network { gateway, vpc, .. } = aws.network();
    let delete = || aws.ec2("DeleteInternetGateway", &[("InternetGatewayId", &gateway)]);
    assert_eq!(delete().code(), "DependencyViolation");
    aws.ec2("DetachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]).ok();
    delete().ok();
}

fn acl_of_a_vpc(aws: &Aws) {
    let acls = |vpc: &str| {
        let fields = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)];
        aws.ec2("DescribeNetworkAcls", &fields).ok().list("networkAclSet").to_vec()
    };
    let vpc = aws.vpc("10.0.0.0/16");
    let subnet = aws.subnet(&vpc, "10.0.0.0/24", "eu-west-1a");
    assert_eq!(acls(&vpc)[0].list("associationSet").len(), 1);
    aws.ec2("DeleteSubnet", &[("SubnetId", &subnet)]).ok();
    assert_eq!(acls(&vpc)[0].list("associationSet").len(), 0);
    aws.ec2("DeleteVpc", &[("VpcId", &vpc)]).ok();
    assert_eq!(acls(&vpc).len(), 0);
}

fn vpc_in_order(aws: &Aws) {
    let Network { gateway, vpc, subnets, group } = aws.network();
    let refused = || {
        assert_eq!(aws.ec2("DeleteVpc", &[("VpcId", &vpc)]).code(), "DependencyViolation");
    };
    refused();
    aws.ec2("DetachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]).ok();
    refused();
    for subnet in &subnets {
        aws.ec2("DeleteSubnet", &[("SubnetId", subnet)]).ok();
    }
    refused();
    let table = aws.text("CreateRouteTable", &[("VpcId", &vpc)], "routeTable/routeTableId");
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &group)]).ok();
    refused();
    aws.ec2("DeleteRouteTable", &[("RouteTableId", &table)]).ok();
    aws.ec2("DeleteVpc", &[("VpcId", &vpc)]).ok();
}
