//! Peerings and VPN gateways: rules 17 and 20 of `SEMANTICS.md`.

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, UNKNOWN, YES, check};

const PEERS: &str = "
    vpc vpc-2 10.2.0.0/16
    subnet subnet-z vpc-2 a 10.2.1.0/24
    eni eni-a subnet-a 10.0.1.10 sg-open
    eni eni-z subnet-z 10.2.1.10 sg-z
    group sg-z
    sg-z in tcp/443 10.0.0.0/16
    sg-z out all 0.0.0.0/0
    table rtb-1 vpc-1 main
    table rtb-2 vpc-2 main
";
const THERE: &str = "rtb-1 10.2.0.0/16 pcx-1";
const BACK: &str = "rtb-2 10.0.0.0/16 pcx-1";
const ACTIVE: &str = "pcx pcx-1 vpc-1 vpc-2";

/// [17] Routes on both sides, and a peering that is active.
#[test]
fn a_peering() {
    let base = [TWO_SUBNETS, OPEN, PEERS].join("\n");
    let asked = |expected| [("eni-a", "eni-z", "tcp/443", expected), ("eni-a", "eni-z", "tcp/80", NO)];
    check(&[&base, ACTIVE, THERE, BACK], &asked(YES));
    check(&[&base, ACTIVE, THERE], &asked(NO));
    check(&[&base, ACTIVE, BACK], &asked(NO));
    check(&[&base, "pcx pcx-1 vpc-1 vpc-2 pending", THERE, BACK], &asked(NO));
    check(&[&base, THERE, BACK], &asked(NO));
    check(&[&base, ACTIVE, THERE, "rtb-2 10.0.1.0/24 pcx-1"], &asked(YES));
    check(&[&base, ACTIVE, THERE, "rtb-2 10.0.2.0/24 pcx-1"], &asked(NO));
    // Replies have to come by the same peering.
    check(&[&base, ACTIVE, "pcx pcx-2 vpc-2 vpc-1", THERE, "rtb-2 10.0.0.0/16 pcx-2"], &asked(NO));
}

/// [4] References work across an active peering of one Region.
#[test]
fn references_across_a_peering() {
    let base = [TWO_SUBNETS, OPEN, PEERS, "sg-z in tcp/22 sg-open"].join("\n");
    check(&[&base, ACTIVE, THERE, BACK], &[("eni-a", "eni-z", "tcp/22", YES)]);
    let abroad = "vpc vpc-2 10.2.0.0/16 in us-east-1";
    check(
        &[&base, abroad, ACTIVE, THERE, BACK],
        &[("eni-a", "eni-z", "tcp/22", NO), ("eni-a", "eni-z", "tcp/443", YES)],
    );
}

/// [17] A peering leads into the peer and no further.
#[test]
fn no_transit_through_a_peer() {
    let base = "
        vpc vpc-3 10.3.0.0/16
        subnet subnet-y vpc-3 a 10.3.1.0/24
        eni eni-y subnet-y 10.3.1.10 sg-open
        eni eni-p subnet-a 10.0.1.11=203.0.113.11 sg-open
        pcx pcx-2 vpc-2 vpc-3
        igw igw-2 vpc-2
        vgw vgw-2 vpc-2
        table rtb-3 vpc-3 main
        rtb-1 10.3.0.0/16 pcx-1
        rtb-1 0.0.0.0/0 pcx-1
        rtb-1 192.168.0.0/16 pcx-1
        rtb-2 10.3.0.0/16 pcx-2
        rtb-2 0.0.0.0/0 igw-2
        rtb-2 192.168.0.0/16 vgw-2
        rtb-3 10.0.0.0/16 pcx-2
    ";
    check(
        &[TWO_SUBNETS, OPEN, PEERS, ACTIVE, THERE, BACK, base],
        &[
            ("eni-a", "eni-y", "tcp/443", NO),
            ("eni-p", "198.51.100.7", "tcp/443", NO),
            ("eni-a", "192.168.1.7", "tcp/443", NO),
            ("192.168.1.7", "eni-a", "tcp/443", NO),
        ],
    );
}

/// [10] Both subnets' ACLs are asked.
#[test]
fn acls_across_a_peering() {
    let base = [
        TWO_SUBNETS,
        OPEN,
        PEERS,
        ACTIVE,
        THERE,
        BACK,
        "acl acl-z vpc-2 subnet-z",
        "acl-z in 100 allow all 10.0.1.0/24",
    ]
    .join("\n");
    check(&[&base], &[("eni-a", "eni-z", "tcp/443", NO)]);
    check(
        &[&base, "acl-z out 100 allow tcp/40000-50000 10.0.0.0/16"],
        &[("eni-a", "eni-z", "tcp/443", PARTLY)],
    );
}

const VPN: &str = "
    eni eni-a subnet-a 10.0.1.10=203.0.113.10 sg-open
    vgw vgw-1 vpc-1
    igw igw-1 vpc-1
    table rtb-a vpc-1 subnet-a
";

/// [20] Private addresses, both ways, where a route leads; propagated ones as well.
#[test]
fn a_vpn_gateway() {
    for route in ["rtb-a 192.168.0.0/16 vgw-1", "rtb-a 192.168.0.0/16 vgw-1 propagated"] {
        check(
            &[TWO_SUBNETS, OPEN, VPN, "vpn vpn-1 vgw-1 192.168.0.0/16", route],
            &[
                ("eni-a", "192.168.1.7", "tcp/443", YES),
                ("192.168.1.7", "eni-a", "tcp/443", YES),
                ("eni-a", "192.169.1.7", "tcp/443", NO),
                ("192.168.1.7", "eni-a", "proto/47", YES),
            ],
        );
    }
}

/// [20] It comes in by a connection's static route, and no route leads back.
#[test]
fn a_vpn_gateway_without_a_route_back() {
    check(
        &[TWO_SUBNETS, OPEN, VPN, "vpn vpn-1 vgw-1 192.168.0.0/16"],
        &[("192.168.1.7", "eni-a", "tcp/443", NO), ("192.168.1.7", "eni-a", "icmp/3/4", NO)],
    );
    check(
        &[TWO_SUBNETS, OPEN, VPN, "vgw vgw-1", "rtb-a 192.168.0.0/16 vgw-1"],
        &[("192.168.1.7", "eni-a", "tcp/443", NO), ("eni-a", "192.168.1.7", "tcp/443", NO)],
    );
    check(
        &[TWO_SUBNETS, OPEN, VPN, "rtb-a 192.168.0.0/16 vgw-1 blackhole"],
        &[("eni-a", "192.168.1.7", "tcp/443", NO)],
    );
}

/// A VPN gateway's own table leads what comes in to an appliance.
#[test]
fn a_vpn_gateways_own_table() {
    let base = "
        rtb-a 192.168.0.0/16 vgw-1
        vpn vpn-1 vgw-1 192.168.0.0/16
        table rtb-v vpc-1 vgw-1
        rtb-v 10.0.1.0/24 eni-m
    ";
    let base = [TWO_SUBNETS, OPEN, VPN, base].join("\n");
    check(
        &[&base, "eni eni-m subnet-b 10.0.2.10 sg-open forwards"],
        // What goes out directly is answered through an appliance that did not see it go.
        &[("192.168.1.7", "eni-a", "tcp/443", YES), ("eni-a", "192.168.1.7", "tcp/443", NO)],
    );
    check(&[&base, "eni eni-m subnet-b 10.0.2.10 sg-open"], &[("192.168.1.7", "eni-a", "tcp/443", NO)]);
}

/// [20] A connection whose tunnels are all down carries nothing, of either gateway, in either direction.
#[test]
fn a_vpn_that_is_down() {
    let asked = |expected| {
        [("eni-a", "192.168.1.7", "tcp/443", expected), ("192.168.1.7", "eni-a", "tcp/443", expected)]
    };
    let base = [TWO_SUBNETS, OPEN, VPN, "rtb-a 192.168.0.0/16 vgw-1"].join("\n");
    check(&[&base, "vpn vpn-1 vgw-1 192.168.0.0/16 up down"], &asked(YES));
    check(&[&base, "vpn vpn-1 vgw-1 192.168.0.0/16 down down"], &asked(NO));
    check(&[&base, "vpn vpn-1 vgw-1 192.168.0.0/16 pending"], &asked(NO));
    check(
        &[&base, "vpn vpn-1 vgw-1 192.168.0.0/16 down down", "vpn vpn-2 vgw-1 192.168.0.0/16 up up"],
        &asked(YES),
    );
    // By BGP: what is propagated while its connections are down may come from Direct Connect.
    check(&[&base, "vpn vpn-1 vgw-1 down down"], &asked(NO));
    check(&[&base, "vpn vpn-1 vgw-1 down down", "rtb-a 192.168.0.0/16 vgw-1 propagated"], &asked(UNKNOWN));
    check(&[&base, "vpn vpn-1 vgw-1 up down", "rtb-a 192.168.0.0/16 vgw-1 propagated"], &asked(YES));
    let transit = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        tgw tgw-1
        tgwtable tgw-rtb-1 tgw-1
        attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-a
        attach tgw-attach-2 tgw-1 vpn-1 tgw-rtb-1
        tgw-rtb-1 192.168.0.0/16 tgw-attach-2
        tgw-rtb-1 10.0.0.0/16 tgw-attach-1
        table rtb-1 vpc-1 main
        rtb-1 192.168.0.0/16 tgw-1
    ";
    check(&[TWO_SUBNETS, OPEN, transit, "vpn vpn-1 tgw-1 up down"], &asked(YES));
    check(&[TWO_SUBNETS, OPEN, transit, "vpn vpn-1 tgw-1 down down"], &asked(NO));
}

/// [20] What a gateway propagates to a route table of its own VPC is what it learned; the route table of another VPC, another
/// prefix, a black hole and a route that somebody wrote tell nothing of it.
#[test]
fn what_a_vpn_gateway_has_learned_is_propagated() {
    let base = [TWO_SUBNETS, OPEN, VPN, "rtb-a 192.168.0.0/16 vgw-1", "vpn vpn-1 vgw-1 up down"].join("\n");
    let elsewhere = "
        vpc vpc-9 10.9.0.0/16
        table rtb-9 vpc-9 main
        rtb-9 192.168.0.0/16 vgw-1 propagated
    ";
    let asked = |expected| [("eni-a", "192.168.1.7", "tcp/443", expected)];
    check(&[&base, "rtb-a 192.168.1.0/24 vgw-1 propagated"], &asked(YES));
    check(&[&base], &asked(UNKNOWN));
    check(&[&base, "rtb-a 192.168.2.0/24 vgw-1 propagated"], &asked(UNKNOWN));
    check(&[&base, elsewhere], &asked(UNKNOWN));
    // Of two connections the one with a static route decides.
    let fixed = "vpn vpn-2 vgw-1 192.168.1.0/24";
    check(&[&base, &format!("{fixed} down down")], &asked(NO));
    check(&[&base, &format!("{fixed} up down")], &asked(YES));
    check(&[&base, &format!("{fixed} down down"), "vpn vpn-3 vgw-1 192.168.1.0/24 up up"], &asked(YES));
}
