//! Endpoints: rule 19 of `SEMANTICS.md`.

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, YES, check};

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
