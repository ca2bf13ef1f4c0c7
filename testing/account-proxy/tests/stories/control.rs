//! How a test steers the proxy.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::Test;
use crate::aws::{self, Aws};

pub fn tests() -> Vec<Test> {
    vec![
        ("calls are listed with their codes", calls),
        ("each call moves the time by a tick", tick),
        ("a delay can be set", delay),
        ("a body that cannot be read is refused", unreadable),
        ("the program prints its address and ends with an error that says why", program),
    ]
}

fn calls(aws: &Aws) {
    aws.ec2("DescribeVpcs", &[]).ok();
    aws.ec2("DescribeVpcs", &[("VpcId.1", "vpc-0123456789abcdef0")]);
    let (_, state) = aws.steer("GET", "state", "");
    let expected = "{\"action\":\"DescribeVpcs\",\"code\":null,\"fault\":null,\"service\":\"ec2\",\"status\":200},\
                    {\"action\":\"DescribeVpcs\",\"code\":\"InvalidVpcID.NotFound\",\"fault\":null,\"service\":\"ec2\",\"status\":400}";
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

fn program(_: &Aws) {
    let program = env!("CARGO_BIN_EXE_account-proxy");
    let mut child = Command::new(program)
        .args(["--moto", &aws::moto_url(), "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let answer =
        line.trim().strip_prefix("{\"url\":\"http://127.0.0.1:").and_then(|rest| rest.strip_suffix("\"}"));
    let state = aws::state(answer.unwrap_or_else(|| panic!("{line}")).parse().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(state.contains("\"calls\":[]"), "{state}");
    for (arguments, why) in [
        (&["--listen", "127.0.0.1:0"][..], "`--moto` is missing"),
        (&["--moto"][..], "`--moto` needs a value"),
        (&["--port", "1"][..], "there is no option `--port`"),
    ] {
        let ended = Command::new(program).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!((ended.status.code(), said.contains(why)), (Some(2), true), "{said}");
    }
}
