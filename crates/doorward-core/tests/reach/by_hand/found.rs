//! What the comparison of the two engines found, each as the account that it shrank to.

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, YES, check};

/// A NAT gateway's interface and a load balancer without groups: no group asks, and ICMP keeps to its family.
#[test]
fn what_no_group_asks_keeps_to_its_family() {
    check(
        &[
            "vpc vpc-1 10.0.0.0/16",
            "subnet subnet-a vpc-1 a 10.0.0.0/24",
            "eni eni-a subnet-a 10.0.0.5 kind=nat_gateway",
            "eni eni-b subnet-a 10.0.0.10 kind=network_load_balancer",
        ],
        &[("eni-a", "eni-b", "icmpv6/128/0", NO), ("eni-a", "eni-b", "icmp/8/0", YES)],
    );
}

/// The gateway's own table leads to the very interface that has the address: that is delivered, not forwarded.
#[test]
fn a_gateways_own_table_leads_to_the_receiver() {
    let base = "
        eni eni-a subnet-a 10.0.1.10=203.0.113.10 sg-open
        igw igw-1 vpc-1
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 igw-1
        table rtb-i vpc-1 igw-1
        rtb-i 10.0.1.0/24 eni-a
    ";
    check(
        &[TWO_SUBNETS, OPEN, base],
        &[("198.51.100.7", "eni-a", "tcp/443", YES), ("eni-a", "198.51.100.7", "tcp/443", YES)],
    );
}

/// What came in directly from the internet is not answered through an appliance that did not see it.
#[test]
fn replies_to_the_internet_meet_no_new_appliance() {
    let base = "
        eni eni-m subnet-a 10.0.1.10 forwards
        eni eni-b subnet-b 10.0.2.11=203.0.113.11 sg-open
        igw igw-1 vpc-1
        table rtb-1 vpc-1 main
        rtb-1 0.0.0.0/0 eni-m
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 igw-1
    ";
    let asked = [("198.51.100.7", "eni-b", "tcp/443", NO), ("internet", "eni-b", "tcp/443", NO)];
    check(&[TWO_SUBNETS, OPEN, base], &asked);
    // The same with a NAT gateway beside the appliance, which is nobody's way here.
    check(&[TWO_SUBNETS, OPEN, base, "nat nat-1 subnet-a 10.0.1.5=203.0.113.200"], &asked);
    check(&[TWO_SUBNETS, OPEN, base, "eni eni-b subnet-b 10.0.2.10 10.0.2.11=203.0.113.11 sg-open"], &asked);
}

/// An address is behind the VPN gateways that some route or connection tells it is behind, and no other.
#[test]
fn nobody_is_behind_a_gateway_that_no_route_leads_to() {
    let base = "
        vgw vgw-1 vpc-1
        eni eni-a subnet-a 10.0.1.10 sg-open
        tgw tgw-1
        tgwtable tgw-rtb-1 tgw-1
        attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-a
        vpn vpn-1 tgw-1 192.168.0.0/16
        attach tgw-attach-2 tgw-1 vpn-1 tgw-rtb-1
        tgw-rtb-1 10.0.0.0/16 tgw-attach-1 propagated
        tgw-rtb-1 192.168.0.0/16 tgw-attach-2 propagated
        table rtb-1 vpc-1 main
        rtb-1 192.168.0.0/16 tgw-1
    ";
    check(&[TWO_SUBNETS, OPEN, base], &[("192.168.1.7", "eni-a", "tcp/443", YES)]);
}

/// A public address that a route leads to by a VPN gateway is behind that.
#[test]
fn public_addresses_behind_a_vpn_gateway() {
    let base = "
        vgw vgw-1 vpc-1
        eni eni-a subnet-a 10.0.1.10 sg-open
        table rtb-1 vpc-1 main
        rtb-1 198.51.100.0/24 vgw-1
        vpn vpn-1 vgw-1 198.51.100.0/24
    ";
    check(
        &[TWO_SUBNETS, OPEN, base],
        &[("vgw-1", "eni-a", "tcp/443", YES), ("eni-a", "vgw-1", "tcp/443", YES)],
    );
}

/// [16] [19] What a NAT gateway sends does not go on by a gateway endpoint or an appliance, be it a public or a
/// private one. "A NAT gateway cannot send traffic over VPC endpoints" (VPC user guide before 2021, NAT gateways);
/// the guide of today names as its ways the internet gateway, transit gateways and VPN gateways. The endpoint is for
/// who is in a subnet whose own table leads there.
#[test]
fn a_nat_gateway_does_not_go_on_by_an_endpoint() {
    let base = "
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-b subnet-b 10.0.2.10 sg-open
        vpce vpce-1 vpc-1 gateway
        list pl-1 198.51.100.0/24
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 nat-1
        table rtb-b vpc-1 subnet-b
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    for nat in ["nat nat-1 subnet-b 10.0.2.5=203.0.113.200", "nat nat-1 subnet-b 10.0.2.5 private"] {
        check(
            &[&base, nat, "rtb-b pl-1 vpce-1"],
            &[
                ("eni-a", "198.51.100.7", "tcp/443", NO),
                ("eni-a", "internet", "icmp/8/0", NO),
                ("eni-b", "198.51.100.7", "tcp/443", YES),
            ],
        );
        let appliance = "
            eni eni-m subnet-a 10.0.1.20=203.0.113.20 sg-open forwards
            vgw vgw-1 vpc-1
            table rtb-m vpc-1 subnet-m
            subnet subnet-m vpc-1 c 10.0.3.0/24
            eni eni-n subnet-m 10.0.3.10 sg-open forwards
            rtb-m 192.168.0.0/16 vgw-1
        vpn vpn-1 vgw-1 192.168.0.0/16
            rtb-b 192.168.0.0/16 eni-n
        ";
        check(&[&base, nat, appliance], &[("eni-a", "192.168.1.7", "tcp/443", NO)]);
    }
}

/// [13] A gateway's own route to an instance is one to the instance's interface, for what comes in and for replies.
#[test]
fn a_gateways_own_table_leads_to_an_instance() {
    let base = "
        subnet subnet-m vpc-1 a 10.0.3.0/24
        eni eni-a subnet-a 10.0.1.10=203.0.113.10 2001:db8:1:1::10 sg-open
        instance i-a eni-a
        igw igw-1 vpc-1
        vgw vgw-1 vpc-1
        table rtb-i vpc-1 igw-1 vgw-1
        table rtb-m vpc-1 subnet-m
        rtb-m 192.168.0.0/16 vgw-1
        vpn vpn-1 vgw-1 192.168.0.0/16
        table rtb-a vpc-1 subnet-a
        rtb-a 0.0.0.0/0 igw-1
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    // To the receiver itself.
    check(
        &[&base, "rtb-i 10.0.1.0/24 i-a"],
        &[("198.51.100.7", "eni-a", "tcp/443", YES), ("eni-a", "198.51.100.7", "tcp/443", YES)],
    );
    // To an appliance, which replies have gone through as well.
    let asked = |expected| {
        [("192.168.1.7", "eni-a", "tcp/443", expected), ("eni-a", "192.168.1.7", "tcp/443", expected)]
    };
    let routes = "
        rtb-i 10.0.1.0/24 i-m
        rtb-a 192.168.0.0/16 eni-m
        instance i-m eni-m
    ";
    check(&[&base, routes, "eni eni-m subnet-m 10.0.3.10 sg-open forwards"], &asked(YES));
    check(&[&base, routes, "eni eni-m subnet-m 10.0.3.10 sg-open"], &asked(NO));
    check(&[&base, routes, "eni eni-m subnet-m 10.0.3.10 sg-open forwards detached"], &asked(NO));
}

/// [11] [13] Replies that a gateway's own table leads by an appliance pass the ACL of the appliance's subnet.
#[test]
fn replies_by_a_gateways_own_table_meet_the_appliances_acl() {
    let base = "
        subnet subnet-m vpc-1 a 10.0.3.0/24
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-m subnet-m 10.0.3.10 sg-open forwards
        vgw vgw-1 vpc-1
        table rtb-v vpc-1 vgw-1
        rtb-v 10.0.1.0/24 eni-m
        table rtb-m vpc-1 subnet-m
        rtb-m 192.168.0.0/16 vgw-1
        vpn vpn-1 vgw-1 192.168.0.0/16
        table rtb-a vpc-1 subnet-a
        rtb-a 192.168.0.0/16 eni-m
        acl acl-m vpc-1 subnet-m
        acl-m in 100 allow all 10.0.1.0/24
        acl-m out 100 allow all 192.168.0.0/16
    ";
    let base = [TWO_SUBNETS, OPEN, base].join("\n");
    let asked = |expected| [("eni-a", "192.168.1.7", "tcp/443", expected)];
    let (inward, onward) =
        ("acl-m in 110 allow tcp/50000-60000 192.168.0.0/16", "acl-m out 110 allow all 10.0.1.0/24");
    check(&[&base], &asked(NO));
    check(&[&base, inward], &asked(NO));
    check(&[&base, onward], &asked(NO));
    check(&[&base, inward, onward], &asked(PARTLY));
}

/// [13] What came in through two appliances is answered through them.
#[test]
fn replies_go_through_all_the_appliances_that_the_request_did() {
    let base = "
        subnet subnet-m vpc-1 a 10.0.3.0/24
        subnet subnet-n vpc-1 a 10.0.4.0/24
        eni eni-a subnet-a 10.0.1.10 sg-open
        eni eni-m subnet-m 10.0.3.10 sg-open forwards
        eni eni-n subnet-n 10.0.4.10 sg-open forwards
        vgw vgw-1 vpc-1
        table rtb-v vpc-1 vgw-1
        rtb-v 10.0.1.0/24 eni-m
        table rtb-m vpc-1 subnet-m
        rtb-m 10.0.1.0/24 eni-n
        rtb-m 192.168.0.0/16 vgw-1
        vpn vpn-1 vgw-1 192.168.0.0/16
        table rtb-n vpc-1 subnet-n
        rtb-n 192.168.0.0/16 eni-m
        table rtb-a vpc-1 subnet-a
        rtb-a 192.168.0.0/16 eni-n
    ";
    check(
        &[TWO_SUBNETS, OPEN, base],
        &[("192.168.1.7", "eni-a", "tcp/443", YES), ("eni-a", "192.168.1.7", "tcp/443", YES)],
    );
}
