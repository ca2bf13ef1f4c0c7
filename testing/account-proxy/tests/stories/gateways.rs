//! NAT gateways, internet gateways, routes and addresses.

use crate::Test;
use crate::aws::{Aws, Network};

pub fn tests() -> Vec<Test> {
    vec![
        ("a NAT gateway is pending before it is available", pending_then_available),
        ("a NAT gateway without an internet gateway fails", fails_without_internet_gateway),
        ("a NAT gateway fails if the test says so, and holds its address until then", fails_if_set),
        ("a NAT gateway that is deleted holds its address until it is", deleted_in_time),
        ("the default VPC has an internet gateway and a route to it", default_vpc),
        ("an address is released in the default VPC only while it is associated", released),
        ("a VPC has one internet gateway", one_internet_gateway),
        ("a route leads to something that exists", route_targets),
        ("a subnet has one route table", one_route_table),
        ("a regional NAT gateway is in a VPC and in no subnet", regional),
        ("a NAT gateway needs a subnet, and an address if it is public", needs_a_subnet),
    ]
}

fn address(aws: &Aws) -> String {
    aws.text("AllocateAddress", &[("Domain", "vpc")], "allocationId")
}

fn gateway(aws: &Aws, subnet: &str, address: &str) -> String {
    let fields = [("SubnetId", subnet), ("AllocationId", address)];
    aws.text("CreateNatGateway", &fields, "natGateway/natGatewayId")
}

/// One attribute of a gateway as it is shown; empty when it is not shown.
fn of(aws: &Aws, id: &str, path: &str) -> String {
    let found = aws.ec2("DescribeNatGateways", &[("NatGatewayId.1", id)]).ok();
    found.text_at(&format!("natGatewaySet/item/{path}")).to_owned()
}

fn pending_then_available(aws: &Aws) {
    let Network { subnets, .. } = aws.network();
    let id = gateway(aws, &subnets[0], &address(aws));
    assert_eq!(of(aws, &id, "state"), "pending");
    assert_eq!(of(aws, &id, "natGatewayAddressSet/item/publicIp"), "");
    let available = |aws: &Aws| {
        let fields = [("Filter.1.Name", "state"), ("Filter.1.Value.1", "available")];
        aws.ec2("DescribeNatGateways", &fields).ok().list("natGatewaySet").len()
    };
    aws.advance(89);
    assert_eq!((of(aws, &id, "state").as_str(), available(aws)), ("pending", 0));
    aws.advance(1);
    assert_eq!((of(aws, &id, "state").as_str(), available(aws)), ("available", 1));
    assert_ne!(of(aws, &id, "natGatewayAddressSet/item/publicIp"), "");
    let [interface] = &aws.interfaces("interface-type", "nat_gateway")[..] else { panic!("one interface") };
    assert_eq!(interface.text_at("description"), format!("Interface for NAT Gateway {id}"));
    assert_eq!(interface.text_at("requesterManaged"), "true");
}

fn fails_without_internet_gateway(aws: &Aws) {
    let vpc = aws.vpc("10.1.0.0/16");
    let subnet = aws.subnet(&vpc, "10.1.0.0/24", "eu-west-1a");
    let id = gateway(aws, &subnet, &address(aws));
    aws.advance(90);
    assert_eq!(of(aws, &id, "state"), "failed");
    assert_eq!(of(aws, &id, "failureCode"), "Gateway.NotAttached");
}

fn fails_if_set(aws: &Aws) {
    let Network { subnets, .. } = aws.network();
    let code = "InsufficientFreeAddressesInSubnet";
    aws.set(
        "endings",
        &format!("[{{\"of\": \"nat-gateway\", \"code\": \"{code}\", \"message\": \"none left\"}}]"),
    );
    let held = address(aws);
    let id = gateway(aws, &subnets[0], &held);
    assert_eq!(of(aws, &id, "failureCode"), "");
    assert_eq!(aws.ec2("ReleaseAddress", &[("AllocationId", &held)]).code(), "InvalidIPAddress.InUse");
    aws.advance(90);
    assert_eq!((of(aws, &id, "state").as_str(), of(aws, &id, "failureCode").as_str()), ("failed", code));
    aws.ec2("ReleaseAddress", &[("AllocationId", &held)]).ok();
    aws.advance(3_600);
    assert_eq!(aws.ec2("DescribeNatGateways", &[("NatGatewayId.1", &id)]).code(), "NatGatewayNotFound");
    // The next one does not fail.
    let id = gateway(aws, &subnets[0], &address(aws));
    aws.advance(90);
    assert_eq!(of(aws, &id, "state"), "available");
}

fn deleted_in_time(aws: &Aws) {
    let Network { vpc, subnets, .. } = aws.network();
    let held = address(aws);
    let id = gateway(aws, &subnets[0], &held);
    aws.advance(90);
    let table = aws.text("CreateRouteTable", &[("VpcId", &vpc)], "routeTable/routeTableId");
    let route =
        [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "0.0.0.0/0"), ("NatGatewayId", &id)];
    aws.ec2("CreateRoute", &route).ok();
    let state = || {
        let found = aws.ec2("DescribeRouteTables", &[("RouteTableId.1", &table)]).ok();
        let routes = found.at("routeTableSet/item").unwrap().texts("routeSet", "state");
        routes.last().unwrap().clone()
    };
    assert_eq!(state(), "active");
    aws.ec2("DeleteNatGateway", &[("NatGatewayId", &id)]).ok();
    assert_eq!((of(aws, &id, "state").as_str(), state().as_str()), ("deleting", "blackhole"));
    assert_eq!(aws.ec2("ReleaseAddress", &[("AllocationId", &held)]).code(), "InvalidIPAddress.InUse");
    assert_eq!(aws.ec2("DeleteSubnet", &[("SubnetId", &subnets[0])]).code(), "DependencyViolation");
    // Once more is the same.
    aws.ec2("DeleteNatGateway", &[("NatGatewayId", &id)]).ok();
    aws.advance(180);
    assert_eq!(of(aws, &id, "state"), "deleted");
    assert_eq!(aws.ec2("DeleteNatGateway", &[("NatGatewayId", &id)]).code(), "NatGatewayNotFound");
    aws.ec2("ReleaseAddress", &[("AllocationId", &held)]).ok();
    aws.ec2("DeleteSubnet", &[("SubnetId", &subnets[0])]).ok();
}

fn one_internet_gateway(aws: &Aws) {
    let Network { vpc, gateway, .. } = aws.network();
    let attach =
        |id: &str| aws.ec2("AttachInternetGateway", &[("InternetGatewayId", id), ("VpcId", &vpc)]).code();
    let second = aws.text("CreateInternetGateway", &[], "internetGateway/internetGatewayId");
    assert_eq!(attach(&second), "InvalidParameterValue");
    assert_eq!(attach(&gateway), "Resource.AlreadyAssociated");
    let other = aws.vpc("10.1.0.0/16");
    let fields = [("InternetGatewayId", gateway.as_str()), ("VpcId", &other)];
    assert_eq!(aws.ec2("AttachInternetGateway", &fields).code(), "Resource.AlreadyAssociated");
}

fn route_targets(aws: &Aws) {
    let Network { vpc, .. } = aws.network();
    let table = aws.text("CreateRouteTable", &[("VpcId", &vpc)], "routeTable/routeTableId");
    let route = |name: &str, id: &str| {
        let fields = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "0.0.0.0/0"), (name, id)];
        aws.ec2("CreateRoute", &fields).code()
    };
    assert_eq!(route("NatGatewayId", "nat-0123456789abcdef0"), "InvalidNatGatewayID.NotFound");
    assert_eq!(route("GatewayId", "igw-0123456789abcdef0"), "InvalidGatewayID.NotFound");
    let egress = aws.text(
        "CreateEgressOnlyInternetGateway",
        &[("VpcId", &vpc)],
        "egressOnlyInternetGateway/egressOnlyInternetGatewayId",
    );
    let fields = [
        ("RouteTableId", table.as_str()),
        ("DestinationIpv6CidrBlock", "::/0"),
        ("EgressOnlyInternetGatewayId", &egress),
    ];
    aws.ec2("CreateRoute", &fields).ok();
    assert_eq!(aws.ec2("CreateRoute", &fields).code(), "RouteAlreadyExists");
}

fn one_route_table(aws: &Aws) {
    let Network { vpc, subnets, .. } = aws.network();
    let table = || aws.text("CreateRouteTable", &[("VpcId", &vpc)], "routeTable/routeTableId");
    let (one, other) = (table(), table());
    let associate =
        |table: &str| aws.ec2("AssociateRouteTable", &[("RouteTableId", table), ("SubnetId", &subnets[0])]);
    let first = associate(&one).ok().text_at("associationId").to_owned();
    assert_eq!(associate(&one).ok().text_at("associationId"), first);
    assert_eq!(associate(&other).code(), "Resource.AlreadyAssociated");
}

fn needs_a_subnet(aws: &Aws) {
    assert_eq!(aws.ec2("CreateNatGateway", &[("AllocationId", &address(aws))]).code(), "MissingParameter");
    let Network { subnets, .. } = aws.network();
    assert_eq!(aws.ec2("CreateNatGateway", &[("SubnetId", &subnets[0])]).code(), "MissingParameter");
    let fields =
        [("SubnetId", subnets[0].as_str()), ("ConnectivityType", "private"), ("AllocationId", &address(aws))];
    assert_eq!(aws.ec2("CreateNatGateway", &fields).code(), "InvalidParameterCombination");
}

fn default_vpc(aws: &Aws) {
    let fields = [("Filter.1.Name", "isDefault"), ("Filter.1.Value.1", "true")];
    let vpc = aws.text("DescribeVpcs", &fields, "vpcSet/item/vpcId");
    let fields = [("Filter.1.Name", "attachment.vpc-id"), ("Filter.1.Value.1", vpc.as_str())];
    let gateway = aws.text("DescribeInternetGateways", &fields, "internetGatewaySet/item/internetGatewayId");
    let fields = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc.as_str())];
    let found = aws.ec2("DescribeRouteTables", &fields).ok();
    assert!(found.at("routeTableSet/item").unwrap().texts("routeSet", "gatewayId").contains(&gateway));
}

fn released(aws: &Aws) {
    let image = aws.image();
    let run = |more: &[(&str, &str)]| {
        let mut fields = vec![("ImageId", image.as_str()), ("MinCount", "1"), ("MaxCount", "1")];
        fields.extend_from_slice(more);
        let instance = aws.text("RunInstances", &fields, "instancesSet/item/instanceId");
        aws.advance(30);
        let held = address(aws);
        aws.ec2("AssociateAddress", &[("AllocationId", &held), ("InstanceId", &instance)]).ok();
        aws.ec2("ReleaseAddress", &[("AllocationId", &held)])
    };
    let found =
        aws.ec2("DescribeSubnets", &[("Filter.1.Name", "defaultForAz"), ("Filter.1.Value.1", "true")]).ok();
    run(&[("SubnetId", found.text_at("subnetSet/item/subnetId"))]).ok();
    let Network { subnets, .. } = aws.network();
    assert_eq!(run(&[("SubnetId", &subnets[0])]).code(), "InvalidIPAddress.InUse");
}

fn regional(aws: &Aws) {
    let network = aws.network();
    let create = |more: &[(&str, &str)]| {
        let mut fields = vec![("AvailabilityMode", "regional")];
        fields.extend_from_slice(more);
        aws.ec2("CreateNatGateway", &fields)
    };
    assert_eq!(create(&[]).code(), "MissingParameter");
    let both = [("VpcId", network.vpc.as_str()), ("SubnetId", &network.subnets[0])];
    assert_eq!(create(&both).code(), "InvalidParameterCombination");
    let held = address(aws);
    let fields = [
        ("VpcId", network.vpc.as_str()),
        ("AvailabilityZoneAddress.1.AvailabilityZone", "eu-west-1a"),
        ("AvailabilityZoneAddress.1.AllocationId.1", &held),
        ("TagSpecification.1.ResourceType", "natgateway"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "main"),
        ("ClientToken", "step"),
    ];
    let id = create(&fields).ok().text_at("natGateway/natGatewayId").to_owned();
    assert_eq!(create(&fields).ok().text_at("natGateway/natGatewayId"), id);
    assert_eq!(create(&fields[..3]).code(), "Resource.AlreadyAssociated");
    assert_eq!((of(aws, &id, "state").as_str(), of(aws, &id, "subnetId").as_str()), ("pending", ""));
    aws.advance(90);
    assert_eq!(of(aws, &id, "state"), "available");
    assert_eq!(of(aws, &id, "availabilityMode"), "regional");
    assert_eq!(of(aws, &id, "natGatewayAddressSet/item/allocationId"), held);
    assert_eq!(of(aws, &id, "tagSet/item/value"), "main");
    assert_eq!(aws.ec2("ReleaseAddress", &[("AllocationId", &held)]).code(), "InvalidIPAddress.InUse");
    let detach = [("InternetGatewayId", network.gateway.as_str()), ("VpcId", &network.vpc)];
    assert_eq!(aws.ec2("DetachInternetGateway", &detach).code(), "DependencyViolation");
    // It is in no subnet.
    aws.ec2("DeleteSubnet", &[("SubnetId", &network.subnets[0])]).ok();
    aws.ec2("DeleteNatGateway", &[("NatGatewayId", &id)]).ok();
    aws.advance(180);
    assert_eq!(of(aws, &id, "state"), "deleted");
    aws.ec2("ReleaseAddress", &[("AllocationId", &held)]).ok();
    aws.ec2("DetachInternetGateway", &detach).ok();
}
