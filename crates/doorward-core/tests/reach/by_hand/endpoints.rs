//! Endpoints: rule 19 of `SEMANTICS.md`.

use doorward_core::net::Flow;
use doorward_core::reach::{Answer, Code, Reachability, Selector};

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, UNKNOWN, YES, check};
use crate::written::account;

fn ask(lines: &[&str], from: &str, to: &str, flow: &str) -> Answer {
    let real = Reachability::of(account(&lines.join("\n")));
    let end = |text| Selector::find(text, real.inventory()).unwrap_or_else(|error| panic!("{text}: {error}"));
    real.ask(&end(from), &end(to), Some(&flow.parse::<Flow>().expect("a flow").into()))
}

const SERVICE: &str = "
    eni eni-a subnet-a 10.0.1.10 sg-open
    list pl-s3 198.51.100.0/24
    table rtb-a vpc-1 subnet-a
    rtb-a pl-s3 vpce-1
";
const ENDPOINT: &str = "vpce vpce-1 vpc-1 gateway";

/// [19] The service's addresses, by TCP or an echo, and nothing comes in.
#[test]
fn a_gateway_endpoint() {
    check(
        &[TWO_SUBNETS, OPEN, SERVICE, ENDPOINT],
        &[
            ("eni-a", "198.51.100.7", "tcp/443", YES),
            ("eni-a", "198.51.100.7", "icmp/8/0", YES),
            ("eni-a", "198.51.100.7", "icmp/3/4", NO),
            ("eni-a", "198.51.100.7", "udp/443", NO),
            ("eni-a", "198.51.101.7", "tcp/443", NO),
            ("198.51.100.7", "eni-a", "tcp/443", NO),
        ],
    );
    for other in ["vpce vpce-1 vpc-1 gateway pending", "vpce vpce-1 vpc-1 interface"] {
        check(&[TWO_SUBNETS, OPEN, SERVICE, other], &[("eni-a", "198.51.100.7", "tcp/443", NO)]);
    }
}

/// [8] [11] Groups by the list, and the subnet's ACL for the replies.
#[test]
fn a_gateway_endpoint_behind_groups_and_acls() {
    let base = [TWO_SUBNETS, SERVICE, ENDPOINT, "group sg-open"].join("\n");
    check(&[&base, "sg-open out tcp/443 pl-s3"], &[("eni-a", "198.51.100.7", "tcp/443", YES)]);
    check(&[&base, "sg-open out tcp/443 10.0.0.0/8"], &[("eni-a", "198.51.100.7", "tcp/443", NO)]);
    check(
        &[
            &base,
            "sg-open out tcp/443 pl-s3",
            "acl acl-a vpc-1 subnet-a",
            "acl-a out 100 allow tcp/443 198.51.100.0/24",
            "acl-a in 100 allow tcp/32768-65535 198.51.100.0/24",
        ],
        &[("eni-a", "198.51.100.7", "tcp/443", PARTLY)],
    );
}

/// Block Public Access is no matter of an endpoint.
#[test]
fn a_gateway_endpoint_where_public_access_is_blocked() {
    check(
        &[TWO_SUBNETS, OPEN, SERVICE, ENDPOINT, "block eu-west-1 both"],
        &[("eni-a", "198.51.100.7", "tcp/443", YES)],
    );
}

/// [19] An interface endpoint answers by its groups and starts nothing.
#[test]
fn an_interface_endpoint() {
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            "eni eni-a subnet-a 10.0.1.10 sg-open",
            "group sg-e",
            "sg-e in tcp/443 10.0.1.0/24",
            "sg-e out all 0.0.0.0/0",
            "eni eni-e subnet-b 10.0.2.10 sg-e kind=vpc_endpoint",
        ],
        &[
            ("eni-a", "eni-e", "tcp/443", YES),
            ("eni-a", "eni-e", "tcp/80", NO),
            ("eni-e", "eni-a", "tcp/443", NO),
        ],
    );
}

/// [19] The interface of an endpoint that is not available takes in nothing.
#[test]
fn an_interface_endpoint_that_is_not_available() {
    let base = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-e subnet-b 10.0.2.10 sg-open kind=vpc_endpoint
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let asked = |expected| [("eni-a", "eni-e", "tcp/443", expected)];
    check(&[&base, "vpce vpce-1 vpc-1 interface eni-e"], &asked(YES));
    check(&[&base, "vpce vpce-1 vpc-1 interface eni-e pending"], &asked(NO));
}

/// [13] A gateway's own table may lead what comes in through the appliances behind a Gateway Load Balancer endpoint, and what
/// these allow is not known (VPC user guide, "Gateway route tables"). No other endpoint takes what comes in.
#[test]
fn a_gateways_own_table_leads_by_an_endpoint() {
    let base = "
        eni eni-p subnet-a 10.0.1.10=203.0.113.10 sg-open
        igw igw-1 vpc-1
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 igw-1
        table rtb-i vpc-1 igw-1
        rtb-i 10.0.1.0/24 vpce-1
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let verdict = |line: &str| ask(&[&base, line], "198.51.100.7", "eni-p", "tcp/443").verdict;
    assert_eq!(verdict("vpce vpce-1 vpc-1 inspection"), UNKNOWN);
    assert_eq!(verdict("vpce vpce-1 vpc-1 gateway"), NO);
    assert_eq!(verdict("vpce vpce-1 vpc-1 interface"), NO);
    // One that was not recorded may be of either kind.
    assert_eq!(verdict(""), UNKNOWN);
}

/// [19] What the appliances behind a Gateway Load Balancer endpoint allow is not known, where it takes packets at all.
#[test]
fn a_route_by_a_gateway_load_balancer_endpoint() {
    let base = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 vpce-1
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let check = |line: &str, expected| {
        let answer = ask(&[&base, line], "eni-a", "198.51.100.7", "tcp/443");
        assert_eq!(answer.verdict, expected, "{line}");
        answer.blockers.iter().map(|blocker| blocker.code).collect::<Vec<_>>()
    };
    assert_eq!(check("vpce vpce-1 vpc-1 inspection", UNKNOWN), []);
    for state in ["pending", "failed", "deleted"] {
        assert_eq!(check(&format!("vpce vpce-1 vpc-1 inspection state={state}"), NO), [Code::BadState]);
    }
    assert_eq!(check("", NO), [Code::BadState]);
}

/// The API answers the states of an endpoint in either case: `available` and `Available` (EC2 API, `VpcEndpoint`).
#[test]
fn a_state_of_an_endpoint_in_either_case() {
    for state in ["available", "Available"] {
        let line = format!("vpce vpce-1 vpc-1 gateway state={state}");
        check(&[TWO_SUBNETS, OPEN, SERVICE, &line], &[("eni-a", "198.51.100.7", "tcp/443", YES)]);
    }
}

/// What to do about an endpoint depends on whether it will be available.
#[test]
fn the_fix_of_an_endpoint_that_is_not_available() {
    let base = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-e subnet-b 10.0.2.10 sg-open kind=vpc_endpoint
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    for (state, expected) in [
        ("pendingAcceptance", "accept it"),
        ("pending", "wait until it is available"),
        ("failed", "create another: this one will not forward packets again"),
    ] {
        let line = format!("vpce vpce-1 vpc-1 interface eni-e state={state}");
        let answer = ask(&[&base, &line], "eni-a", "eni-e", "tcp/443");
        let [blocker] = answer.blockers.as_slice() else { panic!("{:#?}", answer.blockers) };
        assert_eq!((blocker.code, blocker.fix.to_string().as_str()), (Code::BadState, expected));
        assert_eq!(blocker.why, format!("its state is {state}"));
    }
}
