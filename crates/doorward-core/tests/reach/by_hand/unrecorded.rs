//! Where the recording ends: VPCs of other accounts, and what gateways lead to.

use super::{NO, OPEN, TWO_SUBNETS, UNKNOWN, YES, check};

const ROUTES: &str = "
    group sg-db
    sg-db in tcp/5432 10.9.0.0/16
    sg-db out tcp/443 10.9.0.0/16
    eni eni-a subnet-a 10.0.1.10 sg-db
    table rtb-1 vpc-1 main
";

fn base() -> String {
    [TWO_SUBNETS, OPEN, ROUTES].join("\n")
}

/// [24] A peering with a VPC that was not recorded: what this side does not allow is blocked, all else is unknown.
#[test]
fn behind_a_peering() {
    let asked = |expected| {
        [
            ("10.9.1.5", "eni-a", "tcp/5432", expected),
            ("eni-a", "10.9.1.5", "tcp/443", expected),
            ("pcx-1", "eni-a", "tcp/5432", expected),
            ("eni-a", "pcx-1", "tcp/443", expected),
            ("10.9.1.5", "eni-a", "tcp/22", NO),
            ("eni-a", "10.9.1.5", "tcp/22", NO),
        ]
    };
    let peering = "pcx pcx-1 vpc-1 vpc-9 10.9.0.0/16";
    let route = "rtb-1 10.9.0.0/16 pcx-1";
    check(&[&base(), peering, route], &asked(UNKNOWN));
    // No reply comes back without a route.
    check(&[&base(), peering], &asked(NO));
    check(&[&base(), "pcx pcx-1 vpc-1 vpc-9 10.9.0.0/16 pending", route], &asked(NO));
    // The network ACL of the receiver's subnet is known.
    check(&[&base(), peering, route, "acl acl-a vpc-1 subnet-a"], &asked(NO));
    // [4] A rule may name a group of the other account.
    check(
        &[&base(), peering, route, "sg-db in tcp/22 sg-theirs"],
        &[("10.9.1.5", "eni-a", "tcp/22", UNKNOWN), ("10.9.1.5", "eni-a", "tcp/23", NO)],
    );
    check(
        &[&base(), "vpc vpc-1 10.0.0.0/16 in us-east-1", peering, route, "sg-db in tcp/22 sg-theirs"],
        &[("10.9.1.5", "eni-a", "tcp/22", NO)],
    );
    // [17] Nothing else is behind it.
    check(
        &[&base(), peering, route, "rtb-1 0.0.0.0/0 pcx-1", "sg-db out all 0.0.0.0/0"],
        &[("eni-a", "198.51.100.7", "tcp/443", NO), ("eni-a", "10.8.1.5", "tcp/443", NO)],
    );
}

const TRANSIT: &str = "
    tgw tgw-1
    tgwtable tgw-rtb-1 tgw-1
    attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-a
    tgw-rtb-1 10.0.0.0/16 tgw-attach-1 propagated
    rtb-1 10.9.0.0/16 tgw-1
";

/// [24] The same behind an attachment of a transit gateway, whatever it attaches.
#[test]
fn behind_an_attachment() {
    let asked = |expected| {
        [
            ("10.9.1.5", "eni-a", "tcp/5432", expected),
            ("eni-a", "10.9.1.5", "tcp/443", expected),
            ("10.9.1.5", "eni-a", "tcp/22", NO),
        ]
    };
    for far in ["vpc-9", "connect-1", "tgw-9"] {
        let attachment = format!("attach tgw-attach-9 tgw-1 {far} tgw-rtb-1");
        let route = "tgw-rtb-1 10.9.0.0/16 tgw-attach-9";
        check(&[&base(), TRANSIT, &attachment, route], &asked(UNKNOWN));
        check(&[&base(), TRANSIT, &format!("{attachment} pending"), route], &asked(NO));
        check(&[&base(), TRANSIT, &attachment], &asked(NO));
    }
}

/// [24] A VPC that was not recorded may hand on to another that was, or to the internet: it may inspect.
#[test]
fn through_a_vpc_that_was_not_recorded() {
    let spoke = "
        vpc vpc-2 10.2.0.0/16
        subnet subnet-z vpc-2 a 10.2.1.0/24
        eni eni-z subnet-z 10.2.1.10 sg-open
        eni eni-o subnet-a 10.0.1.11 sg-open
        tgwtable tgw-rtb-2 tgw-1
        attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-2 subnet-a
        attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-2 subnet-z
        attach tgw-attach-9 tgw-1 vpc-9 tgw-rtb-1
        tgw-rtb-2 0.0.0.0/0 tgw-attach-9
        table rtb-2 vpc-2 main
        rtb-1 0.0.0.0/0 tgw-1
        rtb-2 0.0.0.0/0 tgw-1
    ";
    check(
        &[&base(), TRANSIT, spoke],
        &[
            ("eni-o", "eni-z", "tcp/443", UNKNOWN),
            ("eni-o", "198.51.100.7", "tcp/443", UNKNOWN),
            ("eni-z", "eni-a", "tcp/443", NO),
        ],
    );
}

/// [20] [24] A VPN gateway: its connections' static routes and what it propagated are known, and nothing else.
#[test]
fn behind_a_vpn_gateway() {
    let gateway = "
        vgw vgw-1 vpc-1
        rtb-1 10.9.0.0/16 vgw-1
    ";
    let asked =
        |expected| [("10.9.1.5", "eni-a", "tcp/5432", expected), ("eni-a", "10.9.1.5", "tcp/443", expected)];
    check(&[&base(), gateway], &asked(UNKNOWN));
    check(&[&base(), gateway, "vpn vpn-1 vgw-1 10.9.0.0/16"], &asked(YES));
    check(&[&base(), gateway, "vpn vpn-1 vgw-1 10.8.0.0/16"], &asked(UNKNOWN));
    check(&[&base(), gateway, "rtb-1 10.9.1.0/24 vgw-1 propagated"], &asked(YES));
    // The internet is not behind it, although a route leads all addresses there.
    check(
        &[
            &base(),
            "vgw vgw-1 vpc-1",
            "rtb-1 0.0.0.0/0 vgw-1",
            "vpn vpn-1 vgw-1 0.0.0.0/0",
            "sg-db out all 0.0.0.0/0",
        ],
        &[("eni-a", "internet", "tcp/443", NO), ("eni-a", "vgw-1", "tcp/443", YES)],
    );
}
