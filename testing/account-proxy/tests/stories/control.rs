//! How a test steers the proxy.

use crate::Test;
use crate::aws::Aws;

pub fn tests() -> Vec<Test> {
    vec![
        ("calls are listed with their codes", calls),
        ("each call moves the time by a tick", tick),
        ("a delay can be set", delay),
        ("what cannot be read is refused", unreadable),
    ]
}

fn calls(aws: &Aws) {
    aws.ec2("DescribeVpcs", &[]).ok();
    aws.ec2("DescribeVpcs", &[("VpcId.1", "vpc-0123456789abcdef0")]);
    let (_, state) = aws.steer("GET", "state", "");
    let expected = "{\"action\":\"DescribeVpcs\",\"code\":null,\"fault\":null,\"status\":200},\
                    {\"action\":\"DescribeVpcs\",\"code\":\"InvalidVpcID.NotFound\",\"fault\":null,\"status\":400}";
    assert!(state.contains(expected), "{state}");
}

fn pending(aws: &Aws, subnet: &str) -> String {
    aws.text(
        "CreateNatGateway",
        &[("SubnetId", subnet), ("ConnectivityType", "private")],
        "natGateway/natGatewayId",
    )
}

fn tick(aws: &Aws) {
    let network = aws.network();
    let id = pending(aws, &network.subnets[0]);
    aws.set("clock", "{\"tick\": 30}");
    let states: Vec<String> = (0..3)
        .map(|_| aws.text("DescribeNatGateways", &[("NatGatewayId.1", &id)], "natGatewaySet/item/state"))
        .collect();
    assert_eq!(states, ["pending", "pending", "available"]);
}

fn delay(aws: &Aws) {
    let network = aws.network();
    aws.set("delays", "{\"nat-gateway-pending\": 0}");
    let id = pending(aws, &network.subnets[0]);
    let state = aws.text("DescribeNatGateways", &[("NatGatewayId.1", &id)], "natGatewaySet/item/state");
    assert_eq!(state, "available");
}

fn unreadable(aws: &Aws) {
    for (what, body) in [
        ("delays", "{\"nothing\": 1}"),
        ("faults", "[{\"kind\": \"fail\"}]"),
        ("endings", "[{\"of\": \"nothing\"}]"),
        ("nothing", "{}"),
        ("clock", "{"),
    ] {
        let (status, answer) = aws.steer("POST", what, body);
        assert_eq!(status, 400, "{what}: {answer}");
        assert!(answer.contains("error"), "{answer}");
    }
}
