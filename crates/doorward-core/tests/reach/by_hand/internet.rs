//! Internet gateways and Block Public Access: rule 14 of `SEMANTICS.md`, and the gateway tables of 13.

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, YES, check};

/// A public interface, a private one, and one of IPv6; the tables lead out.
const PUBLIC: &str = "
    eni eni-p subnet-a 10.0.1.10=203.0.113.10 sg-open
    eni eni-q subnet-a 10.0.1.11 sg-open
    eni eni-6 subnet-a 2001:db8:1:1::10 sg-open
    igw igw-1 vpc-1
    table rtb-a vpc-1 subnet-a
";
const ROUTES: &str = "
    rtb-a 0.0.0.0/0 igw-1
    rtb-a ::/0 igw-1
";

/// [14] A route, a gateway that is attached, and a public address: all of them, both ways.
#[test]
fn a_way_in_and_out() {
    check(
        &[TWO_SUBNETS, OPEN, PUBLIC, ROUTES],
        &[
            ("eni-p", "198.51.100.7", "tcp/443", YES),
            ("198.51.100.7", "eni-p", "tcp/443", YES),
            ("eni-q", "198.51.100.7", "tcp/443", NO),
            ("198.51.100.7", "eni-q", "tcp/443", NO),
            ("eni-6", "2600::1", "tcp/443", YES),
            ("2600::1", "eni-6", "tcp/443", YES),
        ],
    );
}

/// [14] Without a route nothing goes out, and no reply to what came in.
#[test]
fn without_a_route_replies_are_lost() {
    check(
        &[TWO_SUBNETS, OPEN, PUBLIC],
        &[
            ("eni-p", "198.51.100.7", "tcp/443", NO),
            ("198.51.100.7", "eni-p", "tcp/443", NO),
            ("198.51.100.7", "eni-p", "icmp/3/4", NO),
        ],
    );
    check(
        &[TWO_SUBNETS, OPEN, PUBLIC, "rtb-a 198.51.100.0/25 igw-1"],
        &[
            ("198.51.100.7", "eni-p", "tcp/443", YES),
            ("198.51.100.200", "eni-p", "tcp/443", NO),
            ("eni-p", "198.51.100.127", "tcp/443", YES),
            ("eni-p", "198.51.100.128", "tcp/443", NO),
        ],
    );
}

/// [14] One that is not attached, or to another VPC, carries nothing.
#[test]
fn the_gateway_is_attached_here() {
    for gateway in ["igw igw-1", "vpc vpc-2 10.2.0.0/16\nigw igw-1 vpc-2"] {
        check(
            &[TWO_SUBNETS, OPEN, PUBLIC, gateway, ROUTES],
            &[("eni-p", "198.51.100.7", "tcp/443", NO), ("198.51.100.7", "eni-p", "tcp/443", NO)],
        );
    }
    check(
        &[TWO_SUBNETS, OPEN, PUBLIC, "rtb-a 0.0.0.0/0 igw-1 blackhole"],
        &[("eni-p", "198.51.100.7", "tcp/443", NO), ("198.51.100.7", "eni-p", "tcp/443", NO)],
    );
}

/// [14] Groups and ACLs see the private address of the one inside and the public one of the one outside.
#[test]
fn translation_comes_before_groups_and_acls() {
    let base = [TWO_SUBNETS, PUBLIC, ROUTES, "group sg-open"].join("\n");
    check(
        &[&base, "sg-open in tcp/443 198.51.100.0/24", "sg-open out tcp/443 198.51.100.0/24"],
        &[
            ("198.51.100.7", "eni-p", "tcp/443", YES),
            ("198.51.101.7", "eni-p", "tcp/443", NO),
            ("eni-p", "198.51.100.7", "tcp/443", YES),
            ("eni-p", "198.51.101.7", "tcp/443", NO),
        ],
    );
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            PUBLIC,
            ROUTES,
            "acl acl-a vpc-1 subnet-a",
            "acl-a in 100 allow tcp/443 198.51.100.0/24",
            "acl-a out 100 allow tcp/32768-60999 198.51.100.0/24",
        ],
        &[
            ("198.51.100.7", "eni-p", "tcp/443", PARTLY),
            ("198.51.101.7", "eni-p", "tcp/443", NO),
            ("eni-p", "198.51.100.7", "tcp/443", NO),
        ],
    );
}

/// [5] Nobody outside carries a group, not even who has the public address of somebody that does.
#[test]
fn nobody_outside_carries_a_group() {
    check(
        &[TWO_SUBNETS, PUBLIC, ROUTES, "group sg-open", "sg-open in all sg-open", "sg-open out all sg-open"],
        &[
            ("198.51.100.7", "eni-p", "tcp/443", NO),
            ("eni-p", "198.51.100.7", "tcp/443", NO),
            ("eni-p", "eni-q", "tcp/443", YES),
        ],
    );
}

/// Block Public Access, both ways and inward, and its exceptions.
#[test]
fn public_access_blocked() {
    let base = [TWO_SUBNETS, OPEN, PUBLIC, ROUTES].join("\n");
    let asked = |inward, outward| {
        [
            ("198.51.100.7", "eni-p", "tcp/443", inward),
            ("eni-p", "198.51.100.7", "tcp/443", outward),
            ("2600::1", "eni-6", "tcp/443", inward),
            ("eni-6", "2600::1", "tcp/443", outward),
        ]
    };
    check(&[&base, "block us-east-1 both"], &asked(YES, YES));
    for mode in ["block eu-west-1 both", "block eu-west-1 ingress"] {
        check(&[&base, mode], &asked(NO, NO));
        check(&[&base, mode, "except eu-west-1 subnet-b both"], &asked(NO, NO));
        check(&[&base, mode, "except eu-west-1 vpc-1 both"], &asked(YES, YES));
        check(&[&base, mode, "except eu-west-1 subnet-a both"], &asked(YES, YES));
        check(&[&base, mode, "except eu-west-1 subnet-a"], &asked(NO, YES));
    }
}

/// [13] The gateway's own table leads what comes in to an appliance first.
#[test]
fn a_gateways_own_table() {
    let base = "
        subnet subnet-m vpc-1 a 10.0.3.0/24
        table rtb-i vpc-1 igw-1
        rtb-i 10.0.1.0/24 eni-m
        table rtb-m vpc-1 subnet-m
        rtb-m 0.0.0.0/0 igw-1
    ";
    let base = [TWO_SUBNETS, OPEN, PUBLIC, base].join("\n");
    let asked = |expected| [("198.51.100.7", "eni-p", "tcp/443", expected)];
    let appliance = "eni eni-m subnet-m 10.0.3.10 sg-open forwards";
    // Back through it, or directly by the gateway.
    check(&[&base, appliance, "rtb-a 0.0.0.0/0 eni-m"], &asked(YES));
    check(&[&base, appliance, "rtb-a 0.0.0.0/0 igw-1"], &asked(YES));
    check(&[&base, "eni eni-m subnet-m 10.0.3.10 sg-open", "rtb-a 0.0.0.0/0 igw-1"], &asked(NO));
    let strict = "group sg-m\nsg-m in tcp/443 203.0.113.0/24\nsg-m out all 0.0.0.0/0\neni eni-m subnet-m 10.0.3.10 sg-m forwards";
    check(&[&base, strict, "rtb-a 0.0.0.0/0 igw-1"], &asked(NO));
    check(&[&base, appliance, "rtb-i 10.0.1.10/32 eni-m blackhole", "rtb-a 0.0.0.0/0 igw-1"], &asked(NO));
}

/// Between interfaces only private addresses are asked of IPv4, to which an internet gateway does not lead; an address of
/// IPv6 is on the internet as well.
#[test]
fn between_vpcs_the_internet_is_a_path_for_ipv6_alone() {
    check(
        &[
            TWO_SUBNETS,
            OPEN,
            PUBLIC,
            ROUTES,
            "vpc vpc-2 10.2.0.0/16 2001:db8:2::/56",
            "subnet subnet-z vpc-2 a 10.2.1.0/24 2001:db8:2:1::/64",
            "eni eni-z subnet-z 10.2.1.10=203.0.113.20 2001:db8:2:1::10 sg-open",
            "igw igw-2 vpc-2",
            "table rtb-z vpc-2 main",
            "rtb-z 0.0.0.0/0 igw-2",
            "rtb-z ::/0 igw-2",
        ],
        &[("eni-p", "eni-z", "tcp/443", NO), ("eni-6", "eni-z", "tcp/443", YES)],
    );
}
